"""Ways in which people ask of logs, against figures of pandas: tables by chance, in the form of four kinds of logs."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pandas as pd
import pytest

from secgemini_jupyter.local_server.analyst.tool import Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools

TOOL = tools()["log_question"]
CHANCE = random.Random(5)
CONN = ("id.orig_h", "id.resp_h", "orig_bytes", "resp_bytes", "orig_pkts", "resp_pkts")
SOURCES = ["10.0.4.17", "192.168.7.22", "203.0.113.9", "198.51.100.77", "2001:db8::5"]
PATHS = [
    "/",
    "/wp-login.php",
    "/admin",
    "/../../etc/passwd",
    "/login?u=admin' OR 1=1--",
    "/a.exe",
    "/search?q=<script>",
]
BEGIN = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)


def times(number: int) -> list[datetime]:
    seconds = sorted(CHANCE.randrange(12 * 3600) for _ in range(number))
    return [BEGIN + timedelta(seconds=each) for each in seconds]


LOGINS: Any = pd.DataFrame(
    {
        "ts": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "user": (user := CHANCE.choice(["alice", "administrator", "bob", "root", "root"])),
        "src_ip": CHANCE.choice(SOURCES),
        "host": CHANCE.choice(["web01", "web02", "db01"]),
        "outcome": "success" if user == "bob" or CHANCE.random() < 0.6 else "failure",
        "method": CHANCE.choice(["password", "publickey"]),
        "bytes": CHANCE.randrange(100, 90_000),
    }
    for when in times(150)
)
WALL: Any = pd.DataFrame(
    {
        "time": f"{when:%Y-%m-%d %H:%M:%S}",
        "src_ip": CHANCE.choice(SOURCES),
        "dst_ip": CHANCE.choice(["10.0.0.5", "93.184.216.34", "1.1.1.1"]),
        "dst_port": CHANCE.choice([22, 80, 443, 53]),
        "proto": CHANCE.choice(["TCP", "UDP"]),
        "action": CHANCE.choice(["ALLOW", "ALLOW", "DENY"]),
        "bytes_sent": CHANCE.randrange(40, 500_000),
    }
    for when in times(150)
)
WEB: Any = pd.DataFrame(
    {
        "when": f"{when:%d/%b/%Y:%H:%M:%S +0000}",
        "client": CHANCE.choice(SOURCES),
        "user": CHANCE.choice(["-", "-", "alice"]),
        "method": CHANCE.choice(["GET", "POST", "HEAD"]),
        "uri": (path := CHANCE.choice(PATHS)),
        "status": CHANCE.choice([200, 200, 404, 403, 500, 302][: 5 if path == "/a.exe" else 6]),
        "size": CHANCE.randrange(100, 50_000),
        "agent": CHANCE.choice(["Mozilla/5.0 (X11)", "curl/8.5.0", "sqlmap/1.8#stable"]),
    }
    for when in times(200)
)
SSH: Any = pd.DataFrame(
    {
        "kind": (kind := CHANCE.choice(["Accepted", "Failed", "Failed", "Failed invalid"])),
        "method": CHANCE.choice(["password", "publickey"]),
        "user": CHANCE.choice(["oracle", "test"]) if "invalid" in kind else CHANCE.choice(["root", "alice"]),
        "source": CHANCE.choice(SOURCES[:4]),
        "when": f"{when:%b %d %H:%M:%S}",
    }
    for when in times(100)
)


EVENTS: Any = pd.DataFrame(
    {
        "action": CHANCE.choice(["dns_query", "process_start", "file_write"]),
        "severity": CHANCE.randrange(1, 6),
        "host": CHANCE.choice(["ws1", "ws2", "srv9"]),
        "kb": CHANCE.randrange(10_000) / 10,
    }
    for _ in range(120)
)


def _ssh_lines() -> list[str]:
    lines = [
        f"{each.when} bastion sshd[{n}]: {each.kind.split()[0]} {each.method} for "
        f"{'invalid user ' if 'invalid' in each.kind else ''}{each.user} from {each.source} port {40000 + n} ssh2"
        for n, each in enumerate(SSH.itertuples())
    ]
    return [
        *lines,
        "Nov 29 09:00:01 bastion useradd[7]: new user: name=helpdesk2, UID=1005, GID=1005, home=/h, shell=/bin/sh",
        "Nov 29 09:00:09 bastion sudo: helpdesk2 : TTY=pts/1 ; PWD=/h ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow",
    ]


FILES = {
    "logins": str(LOGINS.to_json(orient="records", lines=True)),
    "wall": WALL.to_csv(index=False),
    "web": "".join(
        f'{r.client} - {r.user} [{r.when}] "{r.method} {r.uri} HTTP/1.1" {r.status} {r.size} "-" "{r.agent}"\n'
        for r in WEB.itertuples()
    ),
    "ssh": "\n".join(_ssh_lines()),
    "dns": "\n".join(
        json.dumps({"id.orig_h": "10.0.0.1", "query": name, "qtype_name": "A"})
        for name in ("mail.ru", "mail.ru", "x.runet.com")
    ),
    "own": '{"user": "eve", "login_kind": "failed"}\n{"user": "dan", "login_kind": "fine"}',
    "conn": "\n".join(
        json.dumps(dict(zip(CONN, row, strict=True)))
        for row in [
            ("10.0.0.1", "1.1.1.1", 900, 10, 9, 1),
            ("10.0.0.1", "8.8.8.8", 5, 700, 1, 20),
            ("10.0.0.2", "8.8.8.8", 5, 1, 1, 1),
        ]
    ),
    "events": "\n".join(
        json.dumps(
            {
                "event": {"action": r.action, "severity": r.severity},
                "host": {"name": r.host},
                "process": {"name": "a.exe", "parent": {"name": "b.exe"}},
                "SizeKB": str(r.kb).replace(".", ","),
            }
        )
        for r in EVENTS.itertuples()
    ),
}
FAILED, SUCCEEDED = LOGINS[LOGINS.outcome == "failure"], LOGINS[LOGINS.outcome == "success"]
ACCEPTED, REJECTED = SSH[SSH.kind == "Accepted"], SSH[SSH.kind != "Accepted"]
DENIED = WALL[WALL.action == "DENY"]


def asked(log: str, question: str, wish: Wish | None = None) -> tuple[dict[str, Any], str]:
    arguments = msgspec.convert({"file": "it.log", "question": question}, TOOL.arguments)
    result = TOOL.run(arguments, {"it.log": FILES[log].encode()})
    return result["answers"][-1], TOOL.answer(result, wish or Wish())


def sizes(frame: Any, *by: str) -> dict[Any, int]:
    return {key: int(number) for key, number in frame.groupby(by[0] if len(by) == 1 else list(by)).size().items()}


def sums(frame: Any, by: str, of: str) -> dict[Any, int]:
    return {key: int(number) for key, number in frame.groupby(by)[of].sum().items()}


NUMBERS: list[tuple[str, str, Any]] = [
    ("ssh", "how many accepted logins?", len(ACCEPTED)),
    ("ssh", "how many authenticated sessions from 10.0.4.17?", int((ACCEPTED.source == "10.0.4.17").sum())),
    ("wall", "total bytes sent to 93.184.216.34?", int(WALL[WALL.dst_ip == "93.184.216.34"].bytes_sent.sum())),
    ("logins", "how many failed logins?", len(FAILED)),
    ("logins", "How many logins failed?", len(FAILED)),
    ("logins", "number of failed logins for root", int((FAILED.user == "root").sum())),
    ("logins", "how many successful logins by publickey?", int((SUCCEEDED.method == "publickey").sum())),
    ("ssh", "how many invalid users", REJECTED[REJECTED.kind == "Failed invalid"].user.nunique()),
    (
        "ssh",
        "how many failed passwords from 203.0.113.9?",
        int(((REJECTED.method == "password") & (REJECTED.source == "203.0.113.9")).sum()),
    ),
    ("web", "how many client errors (4xx)?", int(WEB.status.between(400, 499).sum())),
    ("web", "how many 5xx responses?", int(WEB.status.between(500, 599).sum())),
    ("web", "how many non-2xx responses?", int((WEB.status >= 300).sum())),
    (
        "web",
        "how many POSTs to /wp-login.php succeeded?",
        int(((WEB.method == "POST") & (WEB.uri == "/wp-login.php") & (WEB.status < 400)).sum()),
    ),
    ("web", "number of sql injection attempts", int(WEB.uri.str.contains("OR 1=1").sum())),
    (
        "web",
        "how many path traversal attacks got a 200?",
        int((WEB.uri.str.contains("../", regex=False) & (WEB.status == 200)).sum()),
    ),
    ("web", "how many requests by scanners", int(WEB.agent.str.contains("sqlmap").sum())),
    ("web", "how many requests whose uri starts with /a", int(WEB.uri.str.startswith("/a").sum())),
    ("web", "how many requests for passwd?", int(WEB.uri.str.contains("passwd").sum())),
    (
        "ssh",
        "how many failed passwords from 10.0.4.17, and for how many users?",
        REJECTED[(REJECTED.method == "password") & (REJECTED.source == "10.0.4.17")].user.nunique(),
    ),
    ("logins", "how many logins after midnight?", int((LOGINS.ts > "2026-11-29").sum())),
    (
        "logins",
        "how many rows are failures or have more than 80000 bytes",
        int(((LOGINS.outcome == "failure") | (LOGINS.bytes > 80_000)).sum()),
    ),
    ("wall", "how many rows have bytes over 400000", int((WALL.bytes_sent > 400_000).sum())),
    ("wall", "median bytes?", float(WALL.bytes_sent.median())),
    ("wall", "share of denied in percent", round(100 * len(DENIED) / len(WALL), 2)),
    (
        "wall",
        "what percentage of connections from 203.0.113.9 was denied?",
        round(100 * float((WALL[WALL.src_ip == "203.0.113.9"].action == "DENY").mean()), 2),
    ),
    (
        "wall",
        "what share of denied connections came from 203.0.113.9?",
        round(100 * float((DENIED.src_ip == "203.0.113.9").mean()), 2),
    ),
    ("wall", "Hi! Could you please tell me how many connections were denied? Thanks", len(DENIED)),
    ("events", "average severity", float(EVENTS.severity.mean())),
    ("events", "how many events with severity above 3", int((EVENTS.severity > 3).sum())),
    ("events", "total SizeKB", float(EVENTS.kb.sum())),
    ("web", "how many requests were redirected?", int(WEB.status.between(300, 399).sum())),
    ("web", "how many requests without user?", int((WEB.user == "-").sum())),
    ("web", "percentage of 404", round(100 * float((WEB.status == 404).mean()), 2)),
    ("ssh", "how many invalid user attempts?", int((REJECTED.kind == "Failed invalid").sum())),
    (
        "logins",
        "failure rate of root",
        round(100 * float((LOGINS[LOGINS.user == "root"].outcome == "failure").mean()), 2),
    ),
    ("wall", "how many connections between 20000 and 90000 bytes", int(WALL.bytes_sent.between(20_000, 90_000).sum())),
    ("wall", "total MB sent by 203.0.113.9", int(WALL[WALL.src_ip == "203.0.113.9"].bytes_sent.sum())),
    ("wall", "how many blocked ssh connections?", int((DENIED.dst_port == 22).sum())),
    ("wall", "how many hosts did 203.0.113.9 contact?", WALL[WALL.src_ip == "203.0.113.9"].dst_ip.nunique()),
    ("logins", "how many failures of alice or root", int(FAILED.user.isin(["alice", "root"]).sum())),
    ("conn", "how many packets?", 33),
    ("logins", "how many different ips did root fail from", FAILED[FAILED.user == "root"].src_ip.nunique()),
]
GROUPS: list[tuple[str, str, dict[Any, Any]]] = [
    ("web", "top user agents", sizes(WEB, "agent")),
    ("web", "top 5 talkers by bytes", sums(WEB, "client", "size")),
    ("logins", "which user has the most bytes?", sums(LOGINS, "user", "bytes")),
    ("logins", "count of distinct users per host", {
        host: int(n) for host, n in LOGINS.groupby("host").user.nunique().items()}),
    ("logins", "successful logins per user excluding root", sizes(SUCCEEDED[SUCCEEDED.user != "root"], "user")),
    ("wall", "list all ports except 443", sizes(WALL[WALL.dst_port != 443], "dst_port")),
    ("web", "any .exe uris?", sizes(WEB[WEB.uri.str.contains(".exe")], "uri")),
    ("web", "top clients by 4xx errors", sizes(WEB[WEB.status.between(400, 499)], "client")),
    ("logins", "users whose name starts with a", sizes(LOGINS[LOGINS.user.str.startswith("a")], "user")),
    ("ssh", "which users don't exist", sizes(REJECTED[REJECTED.kind == "Failed invalid"], "user")),
    ("ssh", "who used sudo?", {"helpdesk2": 1}),
    ("web", "who requested /../../etc/passwd", sizes(WEB[WEB.uri == "/../../etc/passwd"], "client")),
    ("web", "which scanner was used?", sizes(WEB[WEB.agent.str.contains("sqlmap")], "agent")),
    ("wall", "who did 203.0.113.9 talk to most?", sizes(WALL[WALL.src_ip == "203.0.113.9"], "dst_ip")),
    ("wall", "source/destination pairs", sizes(WALL, "src_ip", "dst_ip")),
    ("wall", "compare 10.0.4.17 and 203.0.113.9 by bytes",
     sums(WALL[WALL.src_ip.isin(["10.0.4.17", "203.0.113.9"])], "src_ip", "bytes_sent")),
    ("logins", "user with highest failure rate?", {
        user: round(100 * float((frame.outcome == "failure").mean()), 2) for user, frame in LOGINS.groupby("user")}),
    ("logins", "users that failed on web01 but not via publickey",
     sizes(FAILED[(FAILED.host == "web01") & (FAILED.method != "publickey")], "user")),
    ("logins", "which users had no failures", sizes(LOGINS[LOGINS.user == "bob"], "user")),
    ("ssh", "what command ran with sudo", {"root: /usr/bin/cat /etc/shadow": 1}),
    ("ssh", "who is 203.0.113.9", sizes(SSH[SSH.source == "203.0.113.9"], "user")),
    ("dns", "queries for .ru domains, per query?", {"mail.ru": 2}),
    ("logins", "users with only successes", sizes(LOGINS[LOGINS.user == "bob"], "user")),
    ("wall", "who sends the most?", sums(WALL, "src_ip", "bytes_sent")),
    ("wall", "top destination ports excluding 53", sizes(WALL[WALL.dst_port != 53], "dst_port")),
    ("own", "Which users failed?", {"eve": 1}),
    ("wall", "denied vs allowed per source", sizes(WALL, "src_ip", "action")),
    ("logins", "who logged in but never failed?", sizes(LOGINS[LOGINS.user == "bob"], "user")),
    ("logins", "users that never failed", sizes(LOGINS[LOGINS.user == "bob"], "user")),
    ("web", "which paths got 403 but never 302", {
        path: int((frame.status == 403).sum()) for path, frame in WEB.groupby("uri")
        if (frame.status == 403).any() and not (frame.status == 302).any()}),
    ("web", "who tried sql injection?", sizes(WEB[WEB.uri.str.contains("OR 1=1")], "client")),
    ("wall", "percentage per protocol", {
        name: round(100 * n / len(WALL), 2) for name, n in sizes(WALL, "proto").items()}),
    ("events", "how many dns queries per host", sizes(EVENTS[EVENTS.action == "dns_query"], "host")),
    ("events", "top hosts by severity 5 events", sizes(EVENTS[EVENTS.severity == 5], "host")),
    ("wall", "top source ips by number of denied connections", sizes(DENIED, "src_ip")),
]  # fmt: skip


@pytest.mark.parametrize(("log", "question", "expected"), NUMBERS, ids=[f"{each[0]} {each[1]}" for each in NUMBERS])
def test_numbers(log: str, question: str, expected: float) -> None:
    answer, told = asked(log, question)
    assert answer["rows"][0][0] == pytest.approx(expected), answer["sql"]
    assert told.startswith("**")


@pytest.mark.parametrize(("log", "question", "expected"), GROUPS, ids=[f"{each[0]} {each[1]}" for each in GROUPS])
def test_groups(log: str, question: str, expected: dict[Any, int]) -> None:
    answer, told = asked(log, question)
    keys = len(answer["names"])
    found = {row[0] if keys == 1 else tuple(row[:keys]): row[-1] for row in answer["rows"]}
    assert found == expected, answer["sql"]
    assert told.startswith("**")


@pytest.mark.parametrize(
    ("log", "question", "untold"),
    [
        ("wall", "top 2 dst ports and for each the top source", "for each the top"),
        ("logins", "which users failed oddly?", "oddly"),
        ("wall", "which sources are odious?", "odious"),
    ],
)
def test_a_figure_that_leaves_out_a_word_is_not_said_as_the_answer(log: str, question: str, untold: str) -> None:
    answer, told = asked(log, question, Wish(only="rows"))
    assert told.startswith(f"Not understood of the question: `{untold}`. Without that: ")
    assert "**" not in told
    assert answer["sql"]


def test_what_another_tool_answers_beside_is_no_reason_for_doubt() -> None:
    assert asked("wall", "top destination ports and anything odd?")[1].startswith("**`")
    assert not asked("wall", "which ports are odd?")[1].startswith("**")


def test_the_rows_that_are_counted_are_those_of_the_groups() -> None:
    assert f"counted {int((WEB.user != '-').sum())} rows" in asked("web", "requests per user")[1]


def test_one_that_is_asked_for_alone_is_one() -> None:
    to = WALL[WALL.dst_ip == "1.1.1.1"]
    (best,) = [
        key for key, n in sums(to, "src_ip", "bytes_sent").items() if n == to.groupby("src_ip").bytes_sent.sum().max()
    ]
    assert asked("wall", "which source sent the most to 1.1.1.1?", Wish(only="ips"))[1] == f"- `{best}`"


def test_new_accounts_are_those_that_the_log_tells_of() -> None:
    answer, _ = asked("ssh", "new accounts?")
    assert [dict(zip(answer["columns"], row, strict=True))["login_user"] for row in answer["rows"]] == ["helpdesk2"]


def test_what_was_searched_for_an_attack_is_said_and_no_verdict() -> None:
    told = asked("web", "any path traversal?")[1]
    assert "`../` or" in told
    assert "may be harmless" in told


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM conn", "select user from conn", "PRAGMA table_info(log)"])
def test_sql_is_no_question(sql: str) -> None:
    answer, told = asked("logins", sql)
    assert answer["sql"] is None
    assert "a log is read as the table `log`" in told


def test_a_log_is_not_changed() -> None:
    answer, told = asked("wall", "drop the table log")
    assert answer["sql"] is None
    assert told.startswith("`drop the table log` is not done: a log is only read here")


def test_the_host_that_sends_back_is_the_one_that_was_asked() -> None:
    answer, _ = asked("conn", "which host sent the most bytes back?")
    assert answer["rows"][0] == ["8.8.8.8", 2, 701]
    assert asked("conn", "which host sent the most bytes?")[0]["rows"][0] == ["10.0.0.1", 2, 905]


@pytest.mark.parametrize(
    ("log", "question", "column", "expected"),
    [
        ("logins", "which user logged in most recently?", "user", [SUCCEEDED.user.iloc[-1]]),
        ("logins", "first and last failure of root", "last", [FAILED[FAILED.user == "root"].ts.max()]),
        ("dns", "longest query", "query", ["x.runet.com"]),
        ("dns", "which client sent the most queries?", "n", [3]),
    ],
)
def test_cells(log: str, question: str, column: str, expected: list[Any]) -> None:
    answer, told = asked(log, question)
    assert [row[answer["columns"].index(column)] for row in answer["rows"]] == expected, answer["sql"]
    assert told.startswith("**")


def test_only_the_ips_are_addresses_whoever_it_is() -> None:
    of_it = WEB[WEB.agent.str.contains("sqlmap")]
    listed = asked("web", "who used sqlmap?", Wish(only="ips"))[1].splitlines()
    assert sorted(listed) == sorted(f"- `{client}`" for client in of_it.client.unique())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (["top 5 source ips by bytes", "and by number of denied connections?"], sizes(DENIED, "src_ip")),
        (["how many connections did 203.0.113.9 make?", "what ports did it use?"],
         sizes(WALL[WALL.src_ip == "203.0.113.9"], "dst_port")),
        (["denied connections per port", "and how many per source?"], sizes(DENIED, "src_ip")),
    ],
)  # fmt: skip
async def test_a_question_that_goes_on_is_about_the_rows_or_groups_of_the_last(
    talk: Any, prompts: list[str], expected: dict[Any, int]
) -> None:
    *_, turn = await talk(*prompts, files={"wall.csv": FILES["wall"].encode()})
    told = dict(re.findall(r"^\| `?([\w.:]+)`? \| (\d+) \|$", turn.answer, re.MULTILINE))
    assert {key: int(number) for key, number in told.items()} == {str(key): number for key, number in expected.items()}
