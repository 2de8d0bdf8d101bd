"""Many sessions as Parquet: written as one file a session, or put together into one; then read by several libraries.

As a program it is the worker: `python -m benchmarks.dataset SIDE TASK ARGUMENT`, see `benchmarks.worker`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.activity import timed
from benchmarks.replay import record
from benchmarks.running import ROOT, Samples, WorkerError, echo_server, register
from benchmarks.widgets import Figure
from benchmarks.worker import Sample, Service, main, stopwatch

SESSIONS = 1_000
MESSAGES = 100
REPEATS = 3
READS = 5
FRAMES_AROUND = 5
"""Of a turn of the echo engine: prompt, two that announce, result, end."""

Count = Callable[[], int]


def measure_dataset() -> dict[str, Samples]:
    """All figures, printed as they come."""
    results: dict[str, Samples] = {}
    print("\ndataset")
    with tempfile.TemporaryDirectory() as name, echo_server() as service:
        folder = Path(name)
        session_id = fill(service)
        for figures in (written(service, folder), read(folder, session_id)):
            for figure in figures:
                print(figure, flush=True)
                sides = ((figure.name, figure.samples), *figure.peers)
                results[figure.name] = {side: [{figure.unit: value} for value in taken] for side, taken in sides}
    return results


def fill(service: Service) -> str:
    """Sessions with messages; the id of one."""
    prompt = f"[[messages={MESSAGES - FRAMES_AROUND} bytes=200]]"

    def ask(_: int) -> str:
        session_id = register(service)
        record(service, session_id, prompt)
        return session_id

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, range(SESSIONS)))[SESSIONS // 2]


def written(service: Service, folder: Path) -> Iterator[Figure]:
    ours: list[Sample] = []
    one: list[Sample] = []
    for number in range(REPEATS):
        ours.append(work(service, "ours", folder / f"cases-{number}"))
        one.append(work(service, "one file", folder / "one.parquet"))
    (folder / "cases-0").rename(folder / "cases")
    for figure, unit in (("seconds", "s"), ("peak_mb", "MB"), ("written_mb", "MB on disk")):
        taken, peer = ([sample[figure] for sample in samples] for samples in (ours, one))
        name = f"{SESSIONS:,} sessions x {MESSAGES} messages to Parquet: {figure.partition('_')[0]}"
        yield Figure(name, unit, taken, peers=(("histories() and one file", peer),))


def work(service: Service, side: str, path: Path) -> Sample:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.dataset", side, "write", json.dumps(str(path))],
        cwd=ROOT, input=json.dumps(vars(service)), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if run.returncode:
        raise WorkerError(f"{side} write: {run.stderr[-1500:]}")
    sample: Sample = json.loads(run.stdout.splitlines()[-1])
    return sample


def write(service: Service, path: str) -> Sample:
    from benchmarks.ours import client

    with client(service) as secgemini, stopwatch() as watch:
        saved = secgemini.save_histories(path)
    assert (len(saved), saved["rows"].sum()) == (SESSIONS, SESSIONS * MESSAGES)
    return watch.sample(written_mb=float(saved["bytes"].sum()) / 1e6)


def write_one(service: Service, path: str) -> Sample:
    from benchmarks.ours import client

    with client(service) as secgemini, stopwatch() as watch:
        secgemini.histories().to_parquet(path)
    return watch.sample(written_mb=Path(path).stat().st_size / 1e6)


def read(folder: Path, session_id: str) -> Iterator[Figure]:
    import pandas as pd

    from secgemini_jupyter import read_history

    cases, one = folder / "cases", folder / "one.parquet"
    whole = milliseconds(lambda: int((pd.read_parquet(one)["session_id"] == session_id).sum()), MESSAGES)
    filtered = milliseconds(
        lambda: len(pd.read_parquet(one, columns=["turn_id"], filters=[("session_id", "==", session_id)])), MESSAGES
    )
    peers = (("one file, pandas", whole), ("one file, pandas with filters", filtered))
    for name, count in counting(cases, session_id).items():
        yield Figure(f"messages of one session, {name}", "ms", milliseconds(count, MESSAGES), peers=peers)
    every = milliseconds(lambda: pd.read_parquet(one, columns=["session_id"])["session_id"].nunique(), SESSIONS)
    for name, count in grouping(cases).items():
        found = milliseconds(count, SESSIONS)
        yield Figure(f"messages by session, {name}", "ms", found, peers=(("one file, pandas", every),))
    ours = milliseconds(lambda: len(read_history(cases)), SESSIONS * MESSAGES)
    back = milliseconds(lambda: len(read_history(one)), SESSIONS * MESSAGES)
    yield Figure("all of it, read_history", "ms", ours, peers=(("one file, read_history", back),))


def milliseconds(count: Count, expected: int) -> list[float]:
    assert count() == expected  # imports, and the files into the system's cache
    return timed(count, READS, 1e3)


def counting(cases: Path, session_id: str) -> dict[str, Count]:
    import dask.dataframe as dd
    import duckdb
    import pandas as pd
    import polars as pl

    from secgemini_jupyter import read_history

    filters = [("session_id", "==", session_id)]
    sql = f"SELECT count(*) FROM '{cases}/*/*.parquet' WHERE session_id = '{session_id}'"
    return {
        "read_history": lambda: len(read_history(cases, sessions=[session_id])),
        "pandas": lambda: len(pd.read_parquet(cases, columns=["turn_id"], filters=filters)),
        "DuckDB": lambda: int(duckdb.execute(sql).fetchall()[0][0]),
        "Polars": lambda: int(
            pl.scan_parquet(cases).filter(pl.col("session_id") == session_id).select(pl.len()).collect().item()
        ),
        "Dask": lambda: len(dd.read_parquet(cases, columns=["turn_id"], filters=filters)),
    }


def grouping(cases: Path) -> dict[str, Count]:
    import dask.dataframe as dd
    import duckdb
    import pandas as pd
    import polars as pl

    sql = f"SELECT session_id, count(*) FROM '{cases}/*/*.parquet' GROUP BY session_id"
    return {
        "pandas": lambda: len(pd.read_parquet(cases, columns=["session_id", "turn_id"]).groupby("session_id").size()),
        "DuckDB": lambda: len(duckdb.execute(sql).fetchall()),
        "Polars": lambda: pl.scan_parquet(cases).group_by("session_id").agg(pl.len()).collect().height,
        "Dask": lambda: len(
            dd.read_parquet(cases, columns=["session_id"], filesystem="arrow")["session_id"].value_counts().compute()
        ),
    }


if __name__ == "__main__":
    main({"ours": {"write": write}, "one file": {"write": write_one}})
