"""Log formats, times and logins, on lines in the formats that the programs publish."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.local_server.analyst.logs.formats import Log, log_format
from secgemini_jupyter.local_server.analyst.logs.logins import from_message
from secgemini_jupyter.local_server.analyst.logs.times import epoch
from secgemini_jupyter.local_server.analyst.sniff import sniff
from secgemini_jupyter.local_server.analyst.tool import FileOrText, ToolFailure
from secgemini_jupyter.local_server.analyst.tools.auth import auth_timeline
from secgemini_jupyter.local_server.analyst.tools.log_tables import log_load, log_summary

DATA = Path(__file__).parents[3] / "notebooks" / "data"
PREFIX = "Jan  5 01:00:00 host sshd[7]: "


def timeline(text: str | bytes) -> dict[str, Any]:
    content = text.encode() if isinstance(text, str) else text
    return auth_timeline(FileOrText(file="a.log"), {"a.log": content})


def summary(text: str) -> dict[str, Any]:
    return log_summary(FileOrText(text=text), {})


def rows(text: str) -> tuple[list[dict[str, Any]], Log]:
    log = Log(text, log_format(text) or "")
    return list(log.rows()), log


@pytest.mark.parametrize(
    ("message", "kind", "user", "source"),
    [
        ("Accepted publickey for git from 192.0.2.1 port 5 ssh2: ED25519 SHA256:x", "success", "git", "192.0.2.1"),
        ("Accepted keyboard-interactive/pam for ann from 2001:db8::1 port 5 ssh2", "success", "ann", "2001:db8::1"),
        ("Failed password for root from 192.0.2.1 port 5 ssh2", "failure", "root", "192.0.2.1"),
        (
            "Failed password for invalid user admin from 192.0.2.1 port 5 ssh2 [preauth]",
            "failure",
            "admin",
            "192.0.2.1",
        ),
        ("Failed password for invalid user  from 192.0.2.1 port 5 ssh2", "failure", "", "192.0.2.1"),
        # The user name imitates the rest of the line: the source is where sshd wrote it.
        (
            "Failed password for invalid user a from 9.9.9.9 from 192.0.2.1 port 5 ssh2",
            "failure",
            "a from 9.9.9.9",
            "192.0.2.1",
        ),
        (
            "Failed password for invalid user a from 9.9.9.9 port 1 ssh2 from 192.0.2.1 port 5 ssh2",
            "failure",
            "a from 9.9.9.9 port 1 ssh2",
            "192.0.2.1",
        ),
        ("Invalid user admin from 192.0.2.1 port 5", "refused", "admin", "192.0.2.1"),
        ("User bob from 192.0.2.1 not allowed because not listed in AllowUsers", "refused", "bob", "192.0.2.1"),
        ("error: PAM: Authentication failure for bob from 192.0.2.1", "refused", "bob", "192.0.2.1"),
        ("ROOT LOGIN REFUSED FROM 192.0.2.1 port 5", "refused", "ROOT", "192.0.2.1"),
        (
            "pam_unix(sshd:auth): authentication failure; uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=bob",
            "refused",
            "bob",
            "192.0.2.1",
        ),
        ("pam_unix(sshd:session): session opened for user bob(uid=1000) by (uid=0)", "session", "bob", ""),
    ],
)
def test_what_sshd_writes_is_understood(message: str, kind: str, user: str, source: str) -> None:
    login = from_message("sshd", message)
    assert login is not None
    assert (login.kind, login.user, login.source) == (kind, user, source)


@pytest.mark.parametrize(
    ("program", "message", "kind", "user"),
    [
        ("sudo", "    bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/bash", "sudo", "bob"),
        ("sudo", "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo_refused", "bob"),
        (
            "sudo",
            "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "sudo_refused",
            "bob",
        ),
        ("sudo", "bob : TTY=pts/0 ; PWD=/tmp/a;b ; USER=root ; GROUP=adm ; COMMAND=/bin/sh -c x; TTY=", "sudo", "bob"),
        ("su", "Successful su for root by bob", "su", "bob"),
        ("su", "(to root) bob on pts/1", "su", "bob"),
        ("su", "FAILED SU (to root) bob on pts/1", "su_failed", "bob"),
        ("useradd", "new user: name=eve, UID=0, GID=0, home=/home/eve, shell=/bin/sh", "new_user", "eve"),
        ("usermod", "add 'eve' to group 'sudo'", "new_group_member", "eve"),
        ("passwd", "pam_unix(passwd:chauthtok): password changed for eve", "password_change", "eve"),
    ],
)
def test_changes_of_user_are_understood(program: str, message: str, kind: str, user: str) -> None:
    login = from_message(program, message)
    assert login is not None
    assert (login.kind, login.user) == (kind, user)


def test_failures_then_a_success_from_one_source_are_told() -> None:
    failed = PREFIX + "Failed password for root from 192.0.2.9 port 1 ssh2\n"
    accepted = PREFIX + "Accepted password for root from 192.0.2.9 port 1 ssh2\n"
    result = timeline(failed * 3 + accepted + failed)
    assert (result["successes"], result["failures"], result["is_dated"]) == (1, 4, False)
    (row,) = result["then_succeeded"]
    assert (row["source"], row["user"], row["failures_before"]) == ("192.0.2.9", "root", 3)
    assert timeline(accepted + failed * 3)["then_succeeded"] == []


def test_a_declined_public_key_is_no_failure_before_a_success() -> None:
    key = "{} publickey for git from 192.0.2.1 port 5 ssh2: RSA SHA256:x\n"
    text = PREFIX + key.format("Failed") + PREFIX + key.format("Accepted")
    assert timeline(text)["then_succeeded"] == []


def test_kerberos_reads_the_same_from_json_and_from_zeeks_own_format() -> None:
    """The same rows, rewritten as Zeek's tab-separated format."""
    lines = (DATA / "kerberos.log").read_text()
    records = [json.loads(line) for line in lines.splitlines()]
    names = list(dict.fromkeys(name for record in records for name in record))
    kinds = {"ts": "time", "success": "bool", "id.orig_p": "port", "id.resp_p": "port", "till": "time"}
    cells = [["TF"[not r[n]] if isinstance(r.get(n), bool) else str(r.get(n, "-")) for n in names] for r in records]
    head = ["#separator \\x09", "#unset_field\t-", "#path\tkerberos", "\t".join(["#fields", *names])]
    head.append("\t".join(["#types", *(kinds.get(name, "string") for name in names)]))
    tsv = "\n".join([*head, *("\t".join(row) for row in cells), "#close\t2020-01-01"]) + "\n"
    assert log_format(tsv) == "zeek"
    told, again = timeline(lines), timeline(tsv)
    assert (told["successes"], told["failures"]) == (8, 2)
    assert {k: v for k, v in told.items() if k != "format"} == {k: v for k, v in again.items() if k != "format"}


@pytest.mark.parametrize(
    "record",
    [
        {"EventID": 4625, "TargetUserName": "bob", "IpAddress": "192.0.2.1", "TimeCreated": "2024-01-01T00:00:00Z"},
        {"eventName": "ConsoleLogin", "userIdentity": {"userName": "bob"}, "sourceIPAddress": "192.0.2.1",
         "responseElements": {"ConsoleLogin": "Failure"}, "eventTime": "2024-01-01T00:00:00Z"},
        {"timestamp": 1704067200, "event": "login", "user": "bob", "ip": "192.0.2.1", "status": "failed"},
        {"ts": 1704067200.0, "uid": "C", "id.orig_h": "192.0.2.1", "auth_success": False, "user": "bob"},
    ],
)  # fmt: skip
def test_logins_in_json_of_other_programs(record: dict[str, Any]) -> None:
    result = timeline(json.dumps(record) + "\n")
    (row,) = result["failed"]
    assert (row["user"], row["source"]) == ("bob", "192.0.2.1")
    assert result["sources"][0]["first"] == "2024-01-01 00:00:00 UTC"


def test_a_web_request_with_a_status_is_no_login() -> None:
    line = json.dumps({"time": "2024-01-01T00:00:00Z", "user": "bob", "status": "ok", "path": "/x"})
    assert sniff((line + "\n").encode() * 3) == {"kind": "log/jsonl", "has_logins": False}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PREFIX + "x\n", "syslog"),
        ("2024-01-01T00:00:00.1+01:00 host app[1]: x\n", "syslog"),
        (
            '<38>1 2024-01-01T00:00:00Z h sshd 1 - [a@1 b="[x] \\"y\\""] Failed none for x from 192.0.2.1 port 1\n',
            "syslog",
        ),
        ('192.0.2.1 - bob [01/Jan/2024:00:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl"\n', "clf"),
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('{"ts": 1.0, "uid": "C"}\n', "zeek_json"),
        ('[{"a": 1}, {"a": 2}]', "json"),
        ("a,b\n1,2\n3,4\n", "csv"),
        ("a;b\n1;2\n", "csv"),
        ("a\tb\n1\t2\n", "tsv"),
        ("Dear Bob,\nthe report, as you asked, is here.\n", None),
        ("just a line", None),
        ("", None),
    ],
)
def test_formats_are_told_by_their_lines(text: str, kind: str | None) -> None:
    assert log_format(text) == kind


def test_bad_lines_are_counted_never_fatal() -> None:
    read, log = rows('{"a": 1}\nnot json\n{"a": [1, {"b": 2}]}\n{"a": 2}\n{"a": 3}\n' + '{"a":' * 5 + "\n")
    assert [row["a"] for row in read] == [1, '[1, {"b": 2}]', 2, 3]
    assert (log.lines, log.bad) == (6, 2)


def test_nested_fields_get_dotted_names() -> None:
    read, log = rows('{"a": {"b": {"c": 1}}, "d": null}\n')
    assert read == [{"a.b.c": 1, "d": None}]
    assert log.fields == {"a.b.c": "int"}


def test_a_web_access_log_is_split_into_its_fields() -> None:
    line = '192.0.2.1 - - [01/Jan/2024:00:00:00 +0100] "GET /a\\"b HTTP/1.1" 404 - "-" "x \\" y"\n'
    (row,), _ = rows(line)
    assert (row["method"], row["uri"], row["status"], row["bytes"]) == ("GET", '/a\\"b', 404, 0)
    result = summary(line * 2)
    assert result["time"]["first"] == 1704063600.0


def test_years_and_time_zones_are_not_invented() -> None:
    assert summary(PREFIX + "x\n" + "Feb  6 02:00:00 host app: y\n")["time"] == {
        "written": ["Jan  5 01:00:00", "Feb  6 02:00:00"]
    }
    assert summary("time,a\n2024-01-01 00:00:00,1\n2024-01-02 00:00:00,2\n")["time"]["zoneless"] == 2


@pytest.mark.parametrize(
    "value",
    [1704067200, 1704067200.0, "1704067200", 1704067200_000, 1704067200_000_000_000, "2024-01-01T00:00:00Z",
     "2024-01-01T01:00:00+01:00", "01/Jan/2024:00:00:00 +0000"],
)  # fmt: skip
def test_times_in_every_spelling(value: Any) -> None:
    assert epoch(value) == (1704067200.0, True)


@pytest.mark.parametrize("value", [None, True, "", "soon", 5, float("nan"), float("inf"), "1e999", [], "9" * 400])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert epoch(value) is None


def test_a_load_names_fields_types_and_rows() -> None:
    result = log_load(FileOrText(file="d"), {"d": (DATA / "dns.log").read_bytes()})
    assert (result["rows"], result["bad_lines"], result["format"]) == (50, 0, "zeek_json")
    assert {"name": "query", "type": "string", "distinct": 40, "filled": 50} in result["fields"]
    assert len(result["sample"]) == 5


def test_a_gzipped_log_is_read_and_a_bomb_is_cut() -> None:
    line = (PREFIX + "Accepted password for eve from 192.0.2.1 port 5 ssh2\n").encode()
    assert timeline(gzip.compress(line * 3))["successes"] == 3
    bomb = gzip.compress(line + b" " * (80 * 2**20))
    assert timeline(bomb)["is_cut"]


def test_a_binary_file_is_refused_with_what_is_known() -> None:
    with pytest.raises(ToolFailure, match="no log of a known format"):
        timeline(bytes(range(256)) * 10)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_sniffed_and_summed_up_or_refused(content: bytes) -> None:
    kind = sniff(content)["kind"]
    for tool in (auth_timeline, log_summary, log_load):
        try:
            assert tool(FileOrText(file="f"), {"f": content})["format"]
        except ToolFailure:
            assert not kind.startswith("log/")


@pytest.mark.parametrize(
    "message",
    ["Failed password for " + "from " * 50_000, "Failed password for " + "from x port 1 " * 20_000, "x" * 200_000,
     "pam_x(a:auth): authentication failure; " + "a=b " * 40_000, "a : TTY=" * 20_000],
)  # fmt: skip
def test_a_hostile_line_is_read_in_linear_time(message: str) -> None:
    start = time.process_time()
    timeline((PREFIX + message + "\n") * 3)
    timeline(PREFIX.replace("sshd", "sudo") + message + "\n")
    assert time.process_time() - start < 2.0


def test_a_log_of_20_000_lines_takes_a_small_part_of_the_time_limit() -> None:
    line = PREFIX + "Failed password for invalid user admin{0} from 192.0.2.{1} port 5 ssh2\n"
    text = "".join(line.format(i % 997, i % 250) for i in range(20_000))
    start = time.process_time()
    assert timeline(text)["failures"] == 20_000
    assert time.process_time() - start < 4.0


_TRIGGERS = [
    "TTY=", "USER=", "COMMAND=", "TTY=x ; ", "USER=a ; ", " ; USER=a ; ", "PWD=/ ; ", " : ", "; ", "a : ", "from ",
    "from a ",
    " from a port 1", " port 1", " ssh2", "Failed password for ", "invalid user ", "Invalid user ",
    "error: PAM: a for ",
    " for ", "for illegal user ", "User a from b ", "not allowed because ",
    "maximum authentication attempts exceeded for ",
    "pam_", "pam_a(", "pam_a(b:auth): ", "pam_unix(sshd:session): ", "authentication failure;",
    "session opened for user ",
    "Successful su for a by ", "(to ", "(to a) ", "FAILED su for ", "FAILED SU (to ", "new user: name=", "add 'a' to ",
    "to group '", "[ID 1 a] ", "a", "a ", "  ", '"', '\\"', "\\", "[x ", "]", '[a="b"]', '[a "', "- ", "<1>1 ",
    "Jan  5 01:00:00 ", "k=v ",
]  # fmt: skip
_BEGINNINGS = [
    "", "bob : ", "bob : x ; TTY=", "bob : TTY=x ; USER=a ; ", "Failed password for ", "Failed password for a from ",
    "Invalid user ", "User ", "pam_a(b:auth): authentication failure;", "error: PAM: ", "<13>1 t h p 1 m ",
    "maximum authentication attempts exceeded for ", '1.1.1.1 - - [t] "', '1.1.1.1 - - [t] "GET / HTTP/1.0" 200 1 "',
    "Jan  5 01:00:00 ", "Jan  5 01:00:00 h p[1]: ", "Successful su for ", "new user: name=", "add '",
]  # fmt: skip


def _cost(read: Any, *arguments: Any) -> float:
    """Seconds of the CPU, the least of three where the first is suspicious."""
    costs: list[float] = []
    while len(costs) < 3 and (not costs or costs[-1] > 0.005):
        start = time.process_time()
        read(*arguments)
        costs.append(time.process_time() - start)
    return min(costs)


@pytest.mark.parametrize("program", ["sshd", "sudo", "su", "useradd", "usermod", "login"])
@pytest.mark.parametrize("beginning", _BEGINNINGS)
def test_a_message_full_of_what_the_patterns_look_for_is_read_at_once(program: str, beginning: str) -> None:
    for trigger in _TRIGGERS:
        message = (beginning + trigger * 4096)[:4096]
        assert _cost(from_message, program, message) < 0.006, trigger


@pytest.mark.parametrize("kind", ["syslog", "clf"])
@pytest.mark.parametrize("beginning", _BEGINNINGS)
def test_a_long_line_full_of_what_the_formats_look_for_is_read_at_once(kind: str, beginning: str) -> None:
    for trigger in _TRIGGERS:
        line = (beginning + trigger * 2**15)[: 2**15]
        assert _cost(lambda text: list(Log(text, kind).rows()), line) < 0.02, trigger


def test_a_field_of_a_log_that_is_named_like_ours_hides_no_login() -> None:
    rows = [{"login_kind": "x"}, *({"user": f"u{n}", "event": "login_failed", "src_ip": "10.0.0.1"} for n in range(3))]
    content = "\n".join(map(json.dumps, rows)).encode()
    assert auth_timeline(FileOrText(file="a.jsonl"), {"a.jsonl": content})["failures"] == 3
