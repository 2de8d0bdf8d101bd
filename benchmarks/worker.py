"""What a worker process shares with the others, whichever client it measures: standard library alone.

A worker does one task once, in a process of its own, and prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

END = b'"state":"end"'
"""Stands in a turn's last frame; the prompts of the benchmarks do not contain it."""

Sample = dict[str, float]
Task = Callable[["Service", Any], Sample]


@dataclass(frozen=True)
class Service:
    http: str
    ws: str
    key: str
    pid: int = 0

    def get(self, path: str) -> Any:
        return self._call(urllib.request.Request(self.http + path))

    def post(self, path: str, body: Any) -> Any:
        return self._call(urllib.request.Request(self.http + path, data=json.dumps(body).encode()))

    def _call(self, request: urllib.request.Request) -> Any:
        request.add_header("x-api-key", self.key)
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def stream_url(self, session_id: str) -> str:
        return f"{self.ws}/v1/stream?api_key={self.key}&session_id={session_id}"


@dataclass
class Stopwatch:
    """Wall and CPU seconds of a block; `sample` adds the process's memory."""

    seconds: float = 0.0
    cpu: float = 0.0

    def sample(self, **more: float) -> Sample:
        return {"seconds": self.seconds, "cpu": self.cpu, "peak_mb": peak_mb()} | more


def peak_mb() -> float:
    """Most memory that this process had. Linux hands the parent's `ru_maxrss` on to a new program: not so VmHWM."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    yield watch
    watch.seconds, watch.cpu = time.perf_counter() - wall, time.process_time() - cpu


def stream_sample(watch: Stopwatch, count: int) -> Sample:
    return watch.sample(
        messages=count, messages_per_second=count / watch.seconds, cpu_us_per_message=watch.cpu / count * 1e6
    )


def repeated(times: int, once: Callable[[], object]) -> Sample:
    """The median of several runs in one process, after one that warms up and is kept as `first_seconds`."""
    walls, cpus, first = [], [], 0.0
    for number in range(times + 1):
        with stopwatch() as watch:
            once()
        if number == 0:
            first = watch.seconds
        else:
            walls.append(watch.seconds)
            cpus.append(watch.cpu)
    return Stopwatch(statistics.median(walls), statistics.median(cpus)).sample(first_seconds=first)


def delays(arrivals: list[float], stamps: list[float]) -> Sample:
    """From the server's stamp on a message to the moment the caller had it, in microseconds."""
    waits = sorted(1e6 * (arrival - stamp) for arrival, stamp in zip(arrivals, stamps, strict=True))
    return {"median_us": statistics.median(waits), "p95_us": waits[int(len(waits) * 0.95)]}


def open_files() -> float:
    """File descriptors of this process; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return float(sum(1 for _ in folder.iterdir())) if folder.is_dir() else 0.0


def main(sides: Mapping[str, Mapping[str, Task]]) -> None:
    """`python -m benchmarks.WORKER SIDE TASK ARGUMENT`, the argument as JSON, the service on standard input."""
    side, task, argument = sys.argv[1:]
    service = Service(**json.loads(sys.stdin.readline()))
    print(json.dumps(sides[side][task](service, json.loads(argument))))
