"""The activity log: what a note costs who makes it, what the thread behind it needs, and how long a check takes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.running import Samples
from benchmarks.widgets import Figure

APPENDS = 300
NOTES = 2_000
ENTRIES = 10_000
FIELDS = {"session_id": "s", "activity": "prompt_sent", "user_id": "analyst@example.org", "service": "local",
          "login": "analyst", "machine": "workstation", "pid": 1234,
          "details": {"query_id": "0123456789ab", "sha256": "0" * 64, "size": 80}}  # fmt: skip


def measure_activity() -> dict[str, Samples]:
    """All figures, printed as they come."""
    results: dict[str, Samples] = {}
    print("\nactivity log")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_DATA_DIR"] = folder
        for figure in figures(Path(folder)):
            print(figure, flush=True)
            sides = ((figure.name, figure.samples), *figure.peers)
            results[figure.name] = {side: [{figure.unit: value} for value in taken] for side, taken in sides}
    return results


def figures(folder: Path) -> Iterator[Figure]:
    from secgemini_jupyter import activity
    from secgemini_jupyter.activity.recorder import Recorder, flush
    from secgemini_jupyter.activity.writing import Draft, append

    draft, path = Draft(1_800_000_000.0, FIELDS), activity.path_of("s")
    ours = timed(lambda: append(path, [draft]), APPENDS, 1e3)
    plain = timed(lambda: plain_append(folder / "plain", path.read_bytes()[:600]), APPENDS, 1e3)
    yield Figure("append an entry, on the log's own thread", "ms", ours, None, peers=(("write and fsync", plain),))
    recorder = Recorder("noted", "u", "local")
    recorder.note("warm up", {})
    flush()
    yield Figure("note, on the caller's thread", "us", timed(lambda: recorder.note("a", FIELDS), NOTES, 1e6), 200)
    flush(60)
    append(path, [draft] * (ENTRIES - APPENDS))
    yield Figure(f"verify {ENTRIES:,} entries", "ms", timed(lambda: activity.verify(path), 5, 1e3), None)


def plain_append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def timed(work: Callable[[], object], repeats: int, factor: float) -> list[float]:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * factor)
    return taken
