"""The logs processor of the local server: chunks in, a table that is queried, deleted with the last session of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
import sqlite3
import threading
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from secgemini_jupyter.local_server.analyst.logs.formats import Log, log_format
from secgemini_jupyter.local_server.analyst.tool import FileOrText, Inputs, TableSource, ToolFailure
from secgemini_jupyter.local_server.analyst.tools.auth import auth_timeline
from secgemini_jupyter.local_server.analyst.tools.log_queries import SqlArguments, log_sql
from secgemini_jupyter.local_server.analyst.tools.log_tables import log_load, log_summary
from secgemini_jupyter.local_server.logs_tables import catalog, filling
from secgemini_jupyter.local_server.logs_tables.catalog import LogsTables
from secgemini_jupyter.local_server.logs_tables.table import Refused, Table

DATA = Path(__file__).parents[2] / "notebooks" / "data"


def lines_of(*records: Any) -> list[str]:
    return [json.dumps(record) + "\n" for record in records]


def hash_of(lines: Sequence[str]) -> str:
    return hashlib.blake2s("".join(lines).encode(), key=b"secgemini").hexdigest()


def create(api: Any, logs_hash: str, can_log: bool = True) -> Any:
    return api.post("/create_logs_table", None, logs_hash=logs_hash, can_log=str(can_log).lower())


def upload(api: Any, logs_hash: str, lines: Sequence[str], can_log: bool = True, **more: Any) -> httpx.Response:
    body = {"logs_hash": logs_hash, "can_log": can_log, "log_lines": lines} | more
    reply: httpx.Response = api.http.post("/upload_logs", json=body)
    return reply


def attach(api: Any, session_id: str, logs_hash: str) -> Any:
    return api.post("/v1/session/attach_logs", None, session_id=session_id, logs_hash=logs_hash)


def answer(api: Any, session_id: str, prompt: str) -> str:
    frames = api.ask(session_id, prompt)
    (text,) = (f for f in frames if f["message_type"] == "result" and f["mime_type"] == "text/plain")
    return str(text["content"])


def test_table_is_made_once_and_its_chunks_may_be_sent_again(api: Any) -> None:
    lines = lines_of(*({"n": n, "host": f"h{n % 3}"} for n in range(10)))
    logs_hash = hash_of(lines)
    empty = {"table_created": True, "log_lines": 0, "is_complete": False, "custom_fields_mapping": {}}
    assert create(api, logs_hash) == empty
    assert create(api, logs_hash) == empty, "one without a line is as good as new"
    assert upload(api, logs_hash, lines[:4], first_line=0).json()["inserted_log_lines"] == 4
    assert create(api, logs_hash) == empty | {"table_created": False, "log_lines": 4}
    again = upload(api, logs_hash, lines[2:6], first_line=2).json()
    assert again == {"inserted_log_lines": 2, "log_lines": 6, "is_complete": False}
    gap = upload(api, logs_hash, lines[8:], first_line=8)
    assert (gap.status_code, gap.json()["detail"]) == (409, "The table has 6 lines, the chunk begins at line 8.")
    assert upload(api, logs_hash, lines[6:], first_line=6).json()["is_complete"], "the lines hash to its name"
    assert upload(api, logs_hash, lines).status_code == 409
    assert upload(api, logs_hash, lines, first_line=0).json()["inserted_log_lines"] == 0


def test_table_without_extensions_takes_whatever_comes(api: Any) -> None:
    """As the official client sends it, without the last line if that has no newline."""
    lines = lines_of({"a": 1}, {"a": 2})
    logs_hash = hash_of([*lines, '{"a": 3}'])
    create(api, logs_hash)
    assert upload(api, logs_hash, lines).json() == {"inserted_log_lines": 2, "log_lines": 2, "is_complete": False}
    assert upload(api, logs_hash, ['{"a": 3}'], first_line=2, total_lines=3).json()["is_complete"]


@pytest.mark.parametrize(
    ("status", "path", "body"),
    [
        (400, "/create_logs_table?logs_hash=../../x&can_log=true", None),
        (422, "/create_logs_table?can_log=true", None),
        (422, f"/create_logs_table?logs_hash={'a' * 64}&can_log=maybe", None),
        (404, "/upload_logs", {"logs_hash": "0" * 64, "can_log": True, "log_lines": []}),
        (400, "/upload_logs", {"logs_hash": "x", "can_log": True, "log_lines": []}),
        (422, "/upload_logs", {"logs_hash": "0" * 64}),
        (422, "/upload_logs", {"logs_hash": "known", "can_log": True, "log_lines": "text"}),
        (422, "/upload_logs", {"logs_hash": "known", "can_log": True, "log_lines": [1]}),
        (422, "/upload_logs", {"logs_hash": "known", "can_log": True, "log_lines": ["{}"], "first_line": -5}),
    ],
)
def test_what_makes_no_sense_is_refused(api: Any, status: int, path: str, body: Any) -> None:
    if body and body["logs_hash"] == "known":
        body = body | {"logs_hash": "d" * 64}
        create(api, "d" * 64)
    reply = api.http.post(path, json=body)
    assert reply.status_code == status
    assert reply.json()["detail"]


def announced(api: Any, path: str, size: int) -> tuple[int, bytes]:
    """What a body of this size gets, before any of it is sent."""
    connection = HTTPConnection(api.http.base_url.host, api.http.base_url.port)
    with contextlib.closing(connection):
        connection.putrequest("POST", path)
        connection.putheader("x-api-key", api.key)
        connection.putheader("content-length", str(size))
        connection.endheaders()
        reply = connection.getresponse()
        return reply.status, reply.read()


def test_chunk_above_the_limit_and_without_the_key_is_refused(api: Any) -> None:
    assert announced(api, "/upload_logs", 65 * 2**20)[0] == 413
    assert httpx.post(f"{api.http.base_url}/create_logs_table", params={"logs_hash": "a" * 64}).status_code == 401


def test_attachment_above_the_limit_leads_to_logs_tables(api: Any) -> None:
    status, body = announced(api, "/v1/session/attach_file", 137 * 2**20)
    assert status == 413
    assert b"logs table" in body


def test_only_a_table_that_is_there_is_attached(api: Any) -> None:
    session_id = api.register()
    refused = attach(api, session_id, "b" * 64)
    assert (refused["ok"], refused["status_code"]) == (False, 404)
    assert "Logs table not found" in refused["status_message"]
    assert api.session(session_id)["logs_table"] is None


def sessions_with_tables(api: Any) -> tuple[str, str]:
    """One session with a table on disk, and one without retention with a table in memory: of other lines."""
    found = []
    for can_log in (True, False):
        lines = lines_of({"kept": can_log, "secret": f"canary-of-{can_log}"})
        create(api, hash_of(lines), can_log)
        assert upload(api, hash_of(lines), lines, can_log).status_code == 200
        found.append(api.register(can_log=can_log, model={"model_string": "local-analyst-1"}))
        assert attach(api, found[-1], hash_of(lines))["ok"]
    return found[0], found[1]


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_without_retention_nothing_is_on_disk_and_deleted_means_gone(start: Callable[..., Any]) -> None:
    server = start("--engine", "analyst")
    api = server.api
    kept, unkept = sessions_with_tables(api)
    for session_id, word in ((kept, "True"), (unkept, "False")):
        assert f"canary-of-{word}" in answer(api, session_id, "SELECT secret FROM log")
    # The answer of the retained session holds the value as well: it is deleted with it.
    assert b"canary-of-True" in everything(server.data)
    assert b"canary-of-False" not in everything(server.data)
    memory_only = api.session(unkept)["logs_table"]["blake2s"]
    refused = attach(api, kept, memory_only)
    assert refused["status_code"] == 404, "a retained session would lose it with the process"
    assert attach(api, unkept, api.session(kept)["logs_table"]["blake2s"])["ok"], "the other way round nothing is lost"
    assert create(api, memory_only, False)["table_created"], "replaced, so it is gone"
    for session_id in (unkept, kept):
        api.post("/v1/session/delete", {"id": session_id})
    assert b"canary-of" not in everything(server.data)
    assert list((server.data / "logs").iterdir()) == []


def test_table_in_memory_has_a_cap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalog, "MAX_MEMORY_BYTES", 2**20)

    async def run() -> None:
        tables = LogsTables(tmp_path)
        await tables.create("a" * 64, can_log=False)
        body = json.dumps({"log_lines": lines_of({"a": "x" * 2**20})}).encode()
        with pytest.raises(Refused, match="memory alone, 1 MiB") as refused:
            await tables.append("a" * 64, can_log=False, body=body)
        assert refused.value.status == 413
        assert tables.find("a" * 64, can_log=False) is None

    asyncio.run(run())


@pytest.mark.anyio
async def test_tables_that_nobody_came_for_are_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tables = LogsTables(tmp_path)
    table, created = await tables.create("a" * 64, can_log=True)
    assert created
    await tables.purge(())
    assert table.path is not None
    assert table.path.exists(), "it may be attached yet"
    monkeypatch.setattr(catalog, "GRACE", -1.0)
    await tables.purge({"a" * 64})
    assert table.path.exists(), "a session has it"
    await tables.purge(())
    assert not table.path.exists()
    (tmp_path / "logs" / f"{'b' * 64}.sqlite3").write_bytes(b"no database at all, but a file of that name" * 100)
    (tmp_path / "logs" / "notes.sqlite3").write_bytes(b"somebody else's")
    assert LogsTables(tmp_path).find("b" * 64, can_log=True) is None
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["notes.sqlite3"]


def test_a_table_of_another_version_is_left_for_it(tmp_path: Path) -> None:
    """Who tries an older version and goes back has the table still; only what no version can read is deleted."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / f"{'a' * 64}.sqlite3"
    Table(path, "a" * 64, create=True).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    content = path.read_bytes()
    assert LogsTables(tmp_path).find("a" * 64, can_log=True) is None
    assert path.read_bytes() == content


def test_kill_in_mid_upload_loses_no_acknowledged_chunk(start: Callable[..., Any]) -> None:
    lines = lines_of(*({"n": n, "text": "x" * 100} for n in range(6_000)))
    logs_hash = hash_of(lines)
    server = start()
    create(server.api, logs_hash)
    acknowledged = 0

    def send(api: Any) -> None:
        nonlocal acknowledged
        while acknowledged < len(lines):
            chunk = lines[acknowledged : acknowledged + 500]
            reply = upload(api, logs_hash, chunk, first_line=acknowledged, total_lines=len(lines))
            acknowledged = reply.json()["log_lines"]
            if acknowledged >= 2_000:
                killing.set()

    def send_until_cut() -> None:
        with pytest.raises(httpx.HTTPError):
            send(server.api)

    killing = threading.Event()
    sender = threading.Thread(target=send_until_cut)
    sender.start()
    killing.wait(30)
    server.popen.kill()
    sender.join(30)
    server.end(signal.SIGKILL)
    api = start().api
    held = create(api, logs_hash)
    assert acknowledged <= held["log_lines"] <= acknowledged + 500
    send(api)
    path = server.data / "logs" / f"{logs_hash}.sqlite3"
    rows = sqlite3.connect(path).execute("SELECT count(*), count(DISTINCT n), sum(n), max(line) FROM log").fetchone()
    assert rows == (6_000, 6_000, sum(range(6_000)), 6_000)
    assert create(api, logs_hash)["is_complete"]


# --- rows ---


def filled(lines: Sequence[str], mapping: dict[str, str] | None = None) -> Table:
    table = Table(None, hash_of(lines))
    table.append(lines, mapping=mapping)
    return table


def rows_of(table: Table, query: str = "SELECT * FROM log") -> list[tuple[Any, ...]]:
    return table._db.execute(query).fetchall()


def test_odd_lines_are_kept_or_counted() -> None:
    lines = [
        "\ufeff" + '{"a": "first"}\r\n', "\n", "  \n", "no json\n", '["a list"]\n', "{\n", '{"a": "\u2028x\u0085"}\n',
        '{"a": 123456789012345678901234567890, "b": "\\ud800"}\n', '{"a": NaN, "b": {"c": {"d": [1, "x"]}}}\n',
        '{"A": "other case", "line": "mine", "": "nameless", "x\\u0000y": 1}\n', "[" * 100_000 + "\n",
        '{"a": true, "b": [{"c": 1}]}',
    ]  # fmt: skip
    table = filled(lines)
    assert (table.meta.lines, table.meta.rows, table.meta.bad) == (12, 6, 4)
    assert table.meta.is_complete
    assert [row[:3] for row in rows_of(table)] == [
        (1, "first", None), (7, "\u2028x\u0085", None), (8, "123456789012345678901234567890", "\ufffd"),
        (9, None, None), (10, None, None), (12, 1, '[{"c": 1}]'),
    ]  # fmt: skip
    names = [row[1] for row in rows_of(table, "SELECT * FROM pragma_table_info('log')")]
    assert names == ["line", "a", "b", "b.c.d", "A_", "line_", "_", "xy"]
    assert [row[0] for row in rows_of(table, "SELECT line FROM unread")] == [4, 5, 6, 11]


def test_mapping_renames_fields_and_their_parts() -> None:
    lines = lines_of({"id": "own", "_id": {"$oid": "x"}, "ts": 1, "timestamp": 2})
    table = Table(None, "f" * 64)
    table.append(lines, mapping={"id": "_id", "timestamp": "ts"})
    names = [row[1] for row in rows_of(table, "SELECT * FROM pragma_table_info('log')")]
    assert names == ["line", "id_", "id.$oid", "timestamp", "timestamp_"]
    with pytest.raises(Refused, match="another custom_fields_mapping"):
        table.append(lines, mapping={"id": "ts"})


def test_another_mapping_renames_columns_as_if_it_had_been_the_first() -> None:
    """Names that are swapped, that were made to be unique, and the time's, whose span is read anew."""
    lines = lines_of(*({"a": n, "b": 2 * n, "T": 1_764_500_000 + n, "c": {"d": n}} for n in range(1, 8)))
    first, second = {"timestamp": "a", "x": "c"}, {"a": "b", "b": "a", "timestamp": "T", "line": "c"}
    table = Table(None, hash_of(lines))
    table.append(lines[:5], mapping=first)
    table.append(lines[3:5], mapping=second, first_line=3)
    table.append(lines[5:], first_line=5)
    fresh = filled(lines, second)
    for query in ("SELECT * FROM log", "SELECT * FROM pragma_table_info('log')", "SELECT body FROM columns"):
        assert rows_of(table, query) == rows_of(fresh, query)
    assert rows_of(table, "SELECT a, b, timestamp FROM log WHERE line = 7") == [(14, 7, 1_764_500_007)]
    assert (table.meta.mapping, table.meta.times) == (second, fresh.meta.times)
    assert (table.meta.times.first, table.meta.times.last) == (1_764_500_001.0, 1_764_500_007.0)


def test_wide_and_varied_rows_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MAX_COLUMNS", 5)
    monkeypatch.setattr(filling, "MAX_DISTINCT", 50)
    lines = lines_of(*({"n": n, "few": n % 7} | {f"f{n % 40}": n} for n in range(200)))
    table = filled(lines)
    assert len(rows_of(table, "SELECT * FROM pragma_table_info('log')")) == 6
    assert rows_of(table, "SELECT count(*), (SELECT count(*) FROM unread) FROM log") == [(200, 200 - 3 * 5)]
    assert rows_of(table, "SELECT count(*) FROM counts WHERE position = 0") == [(0,)], "too many to be counted"
    assert rows_of(table, "SELECT sum(n), count(*) FROM counts WHERE position = 1") == [(200, 7)]


def test_failed_chunk_leaves_the_table_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(*({"a": n} for n in range(20)))
    table = Table(None, hash_of(lines))
    table.append(lines[:10])
    with monkeypatch.context() as patch:
        patch.setattr(filling, "add_times", lambda *_: 1 / 0)
        patch.setattr(filling, "time_field", lambda _: "ts")
        with pytest.raises(ZeroDivisionError):
            table.append(lines_of({"ts": 1}))
    assert table.meta.lines == 10
    table.append(lines[10:])
    assert table.meta.is_complete
    assert rows_of(table, "SELECT count(*), sum(a) FROM log") == [(20, sum(range(20)))]


# --- asked about ---


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.local_server.conftest import Process

    process = Process(tmp_path_factory.mktemp("asked"), "--engine", "analyst")
    yield process.api
    process.end()


def with_table(api: Any, lines: Sequence[str], parts: int = 2, can_log: bool = True) -> str:
    logs_hash = hash_of(lines)
    create(api, logs_hash, can_log)
    size = -(-len(lines) // parts)
    for begin in range(0, len(lines), size):
        assert upload(api, logs_hash, lines[begin : begin + size], can_log).status_code == 200
    session_id: str = api.register(can_log=can_log, model={"model_string": "local-analyst-1"})
    assert attach(api, session_id, logs_hash)["ok"]
    return session_id


def opened(tmp_path: Path, lines: Sequence[str], in_memory: bool = False) -> Inputs:
    table = Table(None if in_memory else tmp_path / "t.sqlite3", hash_of(lines), create=True)
    for begin in range(0, len(lines), 7):
        table.append(lines[begin : begin + 7])
    inputs = Inputs()
    inputs.table = TableSource("h", table.serialized() if in_memory else str(tmp_path / "t.sqlite3"))
    return inputs


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Without what names the source, and without the values of ties, whose order nobody says."""
    for each in result.get("top", ()):
        each["top"] = sorted(number for _, number in each["top"])
    result["executables"] = sorted(map(repr, result.get("executables", ())))
    result["ports"] = sorted(number for _, number in result.get("ports", ()))
    for field in result.get("fields", ()):
        field["type"] = ""
    return {key: value for key, value in result.items() if key not in ("source", "table", "left_out", "format", "path")}


@pytest.mark.parametrize("name", ["conn.log", "http.log", "files.log", "kerberos.log", "dns.log"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_table_says_what_the_attached_file_says(name: str, in_memory: bool, tmp_path: Path) -> None:
    """The same rows, once as a table and once as a file of JSON Lines."""
    text = (DATA / name).read_text()
    rows = Log(text, log_format(text) or "").rows()
    lines = lines_of(*({key: value for key, value in row.items() if value is not None} for row in rows))
    inputs = opened(tmp_path, lines, in_memory)
    inputs["x.jsonl"] = "".join(lines).encode()
    for tool in (log_summary, auth_timeline):
        of_table, of_file = tool(FileOrText(table="h"), inputs), tool(FileOrText(file="x.jsonl"), inputs)
        assert of_table["table"] == {"hash": "h", "lines": len(lines), "is_complete": True}
        assert comparable(of_table) == comparable(of_file)
    loaded = log_load(FileOrText(table="h"), inputs)
    assert loaded["sample"] == log_load(FileOrText(file="x.jsonl"), inputs)["sample"]


def test_users_who_failed_stand_first_where_they_are_asked_for(asked: Any) -> None:
    records = [
        {"user": user, "event": "login", "outcome": "failure" if n % of == 0 else "success", "src_ip": f"10.0.0.{n}"}
        for user, of in (("alice", 9), ("mallory", 1), ("bob", 3))
        for n in range(90)
    ]
    session_id = with_table(asked, lines_of(*records))
    for question in ("Which users failed to log in most?", "How many logins failed per user?"):
        told = answer(asked, session_id, question)
        assert "| `mallory` | 90 |\n| `bob` | 30 |\n| `alice` | 10 |" in told, question
    for question in ("Who failed?", "Which users failed to log in?"):
        told = answer(asked, session_id, question)
        assert told.startswith("**Failed logins by user: `mallory` 90, `bob` 30, `alice` 10**.\n\n"), question
    table = told[told.index("| user |") :].splitlines()
    assert table[2].startswith("| `mallory` | 90 | 0 | `10.0.0.0`, `10.0.0.1`, `10.0.0.2` and 87 more |")


def test_which_hosts_is_answered_from_the_whole_table(asked: Any) -> None:
    records = [
        {"time": f"2026-01-01T00:00:{n % 60:02}Z", "host": f"web-{n % 5}", "ok": n % 4 > 0} for n in range(9_000)
    ]
    session_id = with_table(asked, lines_of(*records), parts=3)
    told = answer(asked, session_id, "Which hosts are in the logs table?")
    logs_hash = asked.session(session_id)["logs_table"]["blake2s"]
    assert told.startswith("**5 `host`: `web-0` 1800, `web-1` 1800, ")
    assert (
        f"Searched: 9,000 rows of the logs table `{logs_hash}`, from 2026-01-01 00:00:00 to 2026-01-01 00:00:59 UTC."
        in told
    )
    told = answer(asked, session_id, "What is in the logs table? Summarise it.")
    assert told.startswith(f"**9,000 rows** in the logs table `{logs_hash}` (JSON lines). From 2026-01-01 00:00:00 UTC")
    assert "| `host` | 5 | `web-0` (1,800), `web-1` (1,800)" in told
    sql = 'SELECT host, count(*) AS failed FROM log WHERE NOT "ok" GROUP BY host HAVING failed > 1 ORDER BY host'
    assert "| `web-4` | 450 |" in answer(asked, session_id, sql)


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM log", "SELECT body FROM meta, log", "SELECT * FROM counts, log", "SELECT raw FROM log, unread",
     "SELECT sql FROM sqlite_master, log", "SELECT zeroblob(9999999) FROM log"],
)  # fmt: skip
def test_query_reaches_the_rows_alone(query: str, tmp_path: Path) -> None:
    inputs = opened(tmp_path, lines_of({"a": 1}))
    with pytest.raises(ToolFailure, match="SQLite refused"):
        log_sql(SqlArguments(table="h", sql=query), inputs)
    with pytest.raises(ToolFailure, match="not here"):
        log_sql(SqlArguments(table="another", sql="SELECT * FROM log"), inputs)
    assert log_sql(SqlArguments(table="h", sql="SELECT a, md5 FROM log", optional=["md5"]), inputs)["rows"] == [
        [1, None]
    ]


def test_part_of_a_log_is_told_as_a_part(asked: Any) -> None:
    lines = lines_of({"host": "a"}, {"host": "b"}, {"host": "c"})
    logs_hash = hash_of(lines)
    create(asked, logs_hash)
    upload(asked, logs_hash, lines[:2])
    session_id = asked.register(model={"model_string": "local-analyst-1"})
    attach(asked, session_id, logs_hash)
    told = answer(asked, session_id, "Which hosts?")
    assert f"2 rows of the logs table `{logs_hash}`, of which 2 lines arrived (no whole upload)" in told
