"""The magics in real kernels: load, stream, stop, complete.

Each figure stands beside a limit of ours, or beside what the host needs for the same in this run.
"""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.importing import load_ext_times
from benchmarks.running import Samples, echo_server
from benchmarks.widgets import Figure

STOPS = 200
REPEATS = 9
STREAMED = 100_000
"""Characters of an answer."""
PANDAS = """
import time
started = time.perf_counter()
import pandas
print(time.perf_counter() - started)
"""


def measure_magics(*, quick: bool = False) -> dict[str, Samples]:
    """All figures, printed as they come."""
    results: dict[str, Samples] = {}
    print("\nmagics")
    for figure in figures(stops=STOPS // 5 if quick else STOPS):
        print(figure, flush=True)
        sides = ((figure.name, figure.samples), *figure.peers)
        results[figure.name] = {side: [{figure.unit: value} for value in taken] for side, taken in sides}
    return results


def figures(*, stops: int) -> Iterator[Figure]:
    loads = [sample["seconds"] * 1e3 for sample in load_ext_times()["%load_ext"]]
    with kernel() as bare:
        pandas = [float(bare.run(PANDAS).text) * 1e3]
    yield Figure("%load_ext", "ms", loads, 20, peers=(("import pandas", pandas),))
    with kernel() as asked:
        asked.run("%load_ext secgemini_jupyter")
        asked.run("%%secgemini\nwarm up")
        yield from streaming(asked)
        yield from stopping(asked, stops)
        yield from completing(asked)


@contextmanager
def kernel() -> Iterator[Any]:
    """A kernel of its own, with a service of its own."""
    from tests.magics.conftest import start_kernel, stop_kernel

    with tempfile.TemporaryDirectory() as folder, echo_server() as service:
        environment = {"SEC_GEMINI_API_HTTP_URL": service.http, "SEC_GEMINI_API_KEY": service.key}
        started = start_kernel(Path(folder), environment)
        try:
            yield started
        finally:
            stop_kernel(started)


def published(asked: Any, code: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """What a cell publishes, with the seconds since it was sent."""
    began = time.perf_counter()
    request = asked.start(code)
    while True:
        message = asked.client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != request:
            continue
        yield time.perf_counter() - began, message
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            with contextlib.suppress(AssertionError):  # ipykernel loses a reply that it is interrupted in
                asked.reply(request, timeout=1)
            return


# --- streaming ---

SHOWN = ("display_data", "update_display_data", "clear_output", "stream", "execute_result")


def streaming(asked: Any) -> Iterator[Figure]:
    for name, delay in (("at full speed", 0.0), ("slowly", 0.0015)):
        words = " ".join(f"word{number}" for number in range(STREAMED // 9))
        text = "\n\n".join(words[start : start + 700] for start in range(0, len(words), 700))
        pace = f"[[delay={delay}]] " if delay else ""
        rates, outputs, sizes, seconds = [], [], [], []
        for _ in range(3):
            times, shown, most, size = [], 0, 0, 0
            for when, message in published(asked, f"%%secgemini --new\n[[messages=1]] [[partial]] {pace}{text}"):
                if message["msg_type"] in SHOWN:
                    times.append(when)
                    size += len(json.dumps(message["content"]).encode())
                    shown = 1 if message["msg_type"] == "clear_output" else shown
                    shown += message["msg_type"] == "display_data"
                    most = max(most, shown)
            rates.append(float(max(sum(start <= each < start + 1 for each in times) for start in times)))
            outputs.append(float(most))
            sizes.append(size / 1e6)
            seconds.append(times[-1])
        yield Figure(f"100 kB {name}: outputs and updates in its busiest second", "", rates, 12)
        yield Figure(f"100 kB {name}: outputs at once, at most", "", outputs, 39)
        yield Figure(f"100 kB {name}: over iopub", "MB", sizes)
        yield Figure(f"100 kB {name}: until it is complete", "s", seconds)
    ours = [first_output(asked, f"%%secgemini --new\n{LONG}") for _ in range(REPEATS)]
    bare = [first_output(asked, "display(1)\nimport time\ntime.sleep(30)") for _ in range(REPEATS)]
    yield Figure("run to the first output of a long answer", "s", ours, peers=(("display(1)", bare),))


def first_output(asked: Any, code: str) -> float:
    first = 0.0
    for when, message in published(asked, code):
        if message["msg_type"] == "display_data" and not first:
            first = when
            asked.interrupt()
    return first


# --- stopping ---

LONG = "[[messages=60 bytes=200]] [[delay=0.05]] [[partial]] " + "a few words " * 40


def stopping(asked: Any, stops: int) -> Iterator[Figure]:
    chance = random.Random(1)
    cells = {"ours": f"%%secgemini --new\n{LONG}", "bare": "import time\ntime.sleep(30)"}
    taken: dict[str, list[float]] = {name: [] for name in cells}
    for _ in range(stops):
        pause = chance.uniform(0, 1)
        for name, cell in cells.items():
            taken[name].append(stop(asked, pause, cell) * 1e3)
    for name, share, limit in (("p50", 50, None), ("p95", 95, 50), ("worst", 100, None)):
        ours, bare = (percentile(taken[side], share) for side in ("ours", "bare"))
        yield Figure(f"{stops} random stops, to idle, {name}", "ms", [ours], limit, peers=(("time.sleep", [bare]),))


def percentile(values: list[float], share: int) -> float:
    return max(values) if share == 100 else statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def stop(asked: Any, pause: float, code: str) -> float:
    """Seconds from an interrupt, `pause` seconds after the cell began, until its kernel is idle."""
    sent = idle = 0.0
    for _, message in published(asked, code):
        if message["msg_type"] == "execute_input":
            time.sleep(pause)
            sent = time.perf_counter()
            asked.interrupt()
        idle = time.perf_counter()
    return idle - sent


# --- completion ---


def completing(asked: Any) -> Iterator[Figure]:
    bare = [complete(asked, "impor") for _ in range(REPEATS)]
    for name, code in (("an option", "%%secgemini --at"), ("a name in a prompt", "%%secgemini\nwhat is {{asked_ab")):
        yield Figure(
            f"complete {name}", "ms", [complete(asked, code) for _ in range(REPEATS)], peers=(("import", bare),)
        )


def complete(asked: Any, code: str) -> float:
    began = time.perf_counter()
    request = asked.client.complete(code, len(code))
    asked.reply(request)
    return (time.perf_counter() - began) * 1e3
