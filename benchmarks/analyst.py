"""The local analyst: a lookup, a question about an attached log of 50 MB, and the service's start.

Beside them, in the same run, what reading that log costs without a service: `json` and `sqlite3` of Python, and
DuckDB. As a program it is one of these: `python -m benchmarks.analyst sqlite|duckdb PATH`, which prints seconds.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.logs import analyst_server, resident_peak, write_log
from benchmarks.running import ROOT, Samples
from benchmarks.worker import Sample

SIZE = 50_000_000
LOOKUP = "What is CWE-79?"
QUESTION = "How many failed logins per host?"
SECOND = "Top 5 users by bytes"
QUERY = "SELECT host, count(*) AS n FROM log WHERE event = 'login' AND status = 'failed' GROUP BY host ORDER BY n DESC"
AIMS = {"lookup_ms": 150.0, "question_seconds": 5.0, "cold_seconds": 2.0}
REPEATS = 3


def measure_analyst() -> dict[str, Samples]:
    """All figures, printed as they come, with what they were meant to be."""
    print("\nlocal analyst")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log.jsonl"
        write_log(path, SIZE)
        samples: Samples = {"ours": [], "sqlite": [], "duckdb": []}
        for _ in range(REPEATS):
            samples["ours"].append(ours(path))
            for peer in ("sqlite", "duckdb"):
                if (seconds := bare(peer, path)) is not None:
                    samples[peer].append({"question_seconds": seconds})
    for side, taken in samples.items():
        for figure in taken[0] if taken else ():
            value = statistics.median(sample[figure] for sample in taken)
            aim = AIMS.get(figure) if side == "ours" else None
            verdict = "" if aim is None else f"  {'ok' if value <= aim else 'MISSED'} (aim <= {aim:g})"
            print(f"  {side:8}{figure:28}{value:10.3f}{verdict}", flush=True)
    return {"analyst": {side: taken for side, taken in samples.items() if taken}}


def ours(path: Path) -> Sample:
    """At the client, over HTTP and a WebSocket of a fresh service: from the prompt to the END."""
    from secgemini_jupyter import SecGemini

    start = time.perf_counter()
    with analyst_server() as (service, pid), SecGemini(
        service.key, base_url=service.http, websocket_url=service.ws
    ) as client:  # fmt: skip
        first = client.create_session("cold")
        first.query(LOOKUP)
        sample: Sample = {"cold_seconds": time.perf_counter() - start}
        sample["lookup_ms"] = statistics.median(_seconds(first, LOOKUP) for _ in range(20)) * 1e3
        session = client.create_session("question")
        begin = time.perf_counter()
        session.attach_file("log.jsonl", path.read_bytes())
        sample["attach_seconds"] = time.perf_counter() - begin
        sample["question_seconds"] = _seconds(session, QUESTION)
        sample["second_question_seconds"] = _seconds(session, SECOND)
        sample["server_mb"] = resident_peak(pid)
    return sample


def _seconds(session: Any, prompt: str) -> float:
    start = time.perf_counter()
    session.query(prompt)
    return time.perf_counter() - start


def bare(peer: str, path: Path) -> float | None:
    """The seconds of a peer in a process of its own; None where it cannot run."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.analyst", peer, str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return float(run.stdout) if run.returncode == 0 else None


def with_sqlite(path: Path) -> list[tuple[Any, ...]]:
    """Each line through `json`, each field into a column, as a plain script does it."""
    database = sqlite3.connect(":memory:")
    names = ("ts", "uid", "host", "user", "event", "src_ip", "dst", "status", "bytes", "message")
    database.execute(f"CREATE TABLE log ({', '.join(names)})")
    with path.open(encoding="utf-8") as file:
        rows = (json.loads(line) for line in file)
        values = (
            tuple(json.dumps(value) if isinstance(value := row.get(name), dict) else value for name in names)
            for row in rows
        )
        database.executemany(f"INSERT INTO log VALUES ({','.join('?' * len(names))})", values)
    return database.execute(QUERY).fetchall()


def with_duckdb(path: Path) -> list[tuple[Any, ...]]:
    import duckdb

    return duckdb.execute(QUERY.replace("FROM log", "FROM read_json_auto(?)"), [str(path)]).fetchall()


if __name__ == "__main__":
    peer, begin = {"sqlite": with_sqlite, "duckdb": with_duckdb}[sys.argv[1]], time.perf_counter()
    assert peer(Path(sys.argv[2]))
    print(time.perf_counter() - begin)
