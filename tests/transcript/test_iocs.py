"""Indicators of a transcript: where, when and how often they were said."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import secgemini_jupyter.accessor  # noqa: F401  # registers df.secgemini
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.indicators import extract
from secgemini_jupyter.models import Message, PublicSessionFile
from secgemini_jupyter.transcript.iocs import iocs_frame, sightings_frame
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.sessions import Attached, note
from secgemini_jupyter.transcript.sightings import FileName, file_names
from secgemini_jupyter.transcript.turns import turn_slices

from .frames import message

JSON = "text/serialized-json"


def tool_result(output: object, *, at: float = 2) -> Message:
    content = json.dumps({"id": "c", "name": "look", "response": {"result": output}})
    return message("debug", "tool_result", content, id="tool", at=at, mime_type=JSON)


MESSAGES = [
    message("query", "query", "Who is hxxp://bad[.]example/a ?", id="q", at=0, role="user", actor="user"),
    tool_result("203.0.113.9\n198.51.100.7\nbad.example"),
    message("result", "answering", "bad.example", id="piece", at=3, status_code=206),
    message("result", "agent_done", "bad.example is at 203.0.113.9, again 203.0.113.9.", id="a", at=4),
    message("info", "end", "end", id="e", at=5),
    message("query", "query", "And 198.51.100.7?", id="q2", at=60, role="user", actor="user"),
]


def iocs(messages: list[Message], files: list[FileName] | None = None) -> pd.DataFrame:
    return iocs_frame(turn_slices(messages, session_id="s"), files or ())


def test_an_indicator_has_one_row_with_first_and_last_sighting_and_all_its_messages() -> None:
    row = iocs(MESSAGES).set_index("value").loc["203.0.113.9"]
    assert (row["type"], row["defanged"], row["count"], row["turn_count"]) == ("ipv4", "203[.]0[.]113[.]9", 3, 1)
    assert [row["first_seen"].isoformat(), row["last_seen"].isoformat()] == [
        "2025-10-09T08:55:02+00:00", "2025-10-09T08:55:04+00:00",
    ]  # fmt: skip
    assert (row["message_id"], json.loads(row["message_ids"])) == ("tool", ["tool", "a"])
    assert row[["in_prompt", "in_tool_result", "in_answer", "in_file_name"]].tolist() == [False, True, True, False]


def test_lines_of_a_tools_output_are_told_apart() -> None:
    """In JSON a new line is `\\n`: the `n` belongs to no address, name or path after it."""
    assert set(iocs([tool_result("203.0.113.9\n198.51.100.7\nbad.example\n/etc/passwd\tC:\\new\\a.exe")])["value"]) == {
        "203.0.113.9", "198.51.100.7", "bad.example", "/etc/passwd", "C:\\new\\a.exe",
    }  # fmt: skip
    nested = tool_result([{"hosts": ["bad.example", {"203.0.113.9": 1}]}, None, 7])
    assert iocs([nested])["value"].tolist() == ["bad.example", "203.0.113.9"]


def test_names_of_attachments_are_looked_at() -> None:
    names = ["mail_from_203.0.113.9.eml", "evil.example.com.har", "9e107d9d372bb6826bd81d3542a419d6.bin", "notes.txt"]
    found = iocs(MESSAGES, [FileName(name, "s", 1760000000.0) for name in names]).set_index("value")
    assert found.loc["203.0.113.9", ["count", "in_file_name", "message_id"]].tolist() == [4, True, "tool"]
    assert found.loc["203.0.113.9", "first_seen"].isoformat() == "2025-10-09T08:53:20+00:00"
    assert found.loc["evil.example.com", ["count", "turn_count", "message_ids"]].tolist() == [1, 0, "[]"]
    assert found.loc["evil.example.com", ["turn_index", "message_id"]].isna().all()
    assert found.loc["9e107d9d372bb6826bd81d3542a419d6", "type"] == "md5"
    assert "notes.txt" not in found.index


def test_files_are_names_attachments_or_a_table() -> None:
    assert file_names(["a", PublicSessionFile(name="b")], session_id="s") == [FileName("a", "s"), FileName("b", "s")]
    table = pd.DataFrame({"name": ["a", None], "session_id": ["t", "t"], "attached_at": [pd.Timestamp(5, unit="s"), 0]})
    assert file_names(table) == [FileName("a", "t", 5.0)]
    assert file_names(table[["name"]], session_id="s") == [FileName("a", "s")]
    for wrong in ("a.txt", 5, [b"a"]):
        with pytest.raises(InputError, match="files= takes names"):
            file_names(wrong)
    with pytest.raises(InputError, match="lacks the column name"):
        file_names(pd.DataFrame({"file": ["a"]}))


def test_the_accessor_gives_files_the_session_of_the_table() -> None:
    history = messages_frame(MESSAGES, session_id="s")
    found = history.secgemini.iocs(files=["bad.example.com.eml", "x_203.0.113.9.log"])
    assert found["session_id"].unique().tolist() == ["s"]
    assert found.set_index("value").loc["203.0.113.9", "count"] == 4
    assert history.secgemini.sightings(files=["x_203.0.113.9.log"])["where"].tolist()[-1] == "file_name"


def test_names_of_attachments_that_history_noted_are_looked_at() -> None:
    history = messages_frame(MESSAGES, session_id="s")
    note(history, "s", "", [Attached("s", 0, PublicSessionFile(name="mail_from_198.51.100.77.eml"))])
    found = history.secgemini.iocs().set_index("value").loc["198.51.100.77"]
    assert (found["in_file_name"], found["session_id"]) == (True, "s")
    assert "198.51.100.77" not in history.secgemini.iocs(files=[])["value"].tolist()


def test_sightings_have_a_row_for_each_message() -> None:
    table = sightings_frame(turn_slices(MESSAGES, session_id="s"))
    rows = table.loc[table["value"] == "203.0.113.9", ["where", "count", "message_id", "turn_index"]]
    assert rows.values.tolist() == [["tool_result", 1, "tool", 1], ["answer", 2, "a", 1]]


def test_indicators_join_with_other_tables_and_sightings_with_messages() -> None:
    intel = pd.DataFrame({"type": ["domain"], "value": ["bad.example"], "list": ["known"]})
    joined = iocs(MESSAGES).merge(intel, on=["type", "value"], how="inner")
    assert joined[["value", "list"]].values.tolist() == [["bad.example", "known"]]
    history = messages_frame(MESSAGES, session_id="s")
    both = history.secgemini.sightings().merge(history, on=["session_id", "message_id"], how="inner")
    assert len(both) == len(history.secgemini.sightings())


def test_what_is_shown_cannot_be_clicked_nor_act() -> None:
    text = "http://bad.example/\u202egpj.exe user@bad.example fe80::1 CVE-2099-0001"
    shown = iocs([message("result", "agent_done", text, id="a", at=1)]).set_index("type")["defanged"]
    assert shown["url"] == "hxxp://bad[.]example/⟨U+202E⟩gpj.exe"
    assert (shown["email"], shown["cve"]) == ("user[@]bad[.]example", "CVE-2099-0001")
    assert shown["ipv6"] == "fe80[:][:]1"


def test_every_network_indicator_is_defanged_though_its_name_alone_would_not_be() -> None:
    (indicator,) = extract("evil[.]zip")
    assert (indicator.value, indicator.defanged) == ("evil.zip", "evil[.]zip")


def test_an_empty_transcript_and_parquet_have_the_same_dtypes() -> None:
    for make in (iocs_frame, sightings_frame):
        table = make(turn_slices(MESSAGES, session_id="s"))
        assert_frame_equal(make([]), table.iloc[:0], check_index_type=False)
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        assert_frame_equal(pd.read_parquet(buffer).astype(table.dtypes.to_dict()), table)
