"""Load: many sessions that stream at once, from many processes to one local server, or from one process.

What is counted: errors, messages a second of all, how long the first message of each session takes from the moment
when all ask at once, and the memory of the server and of each client.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.running import ROOT, Samples, echo_server
from benchmarks.worker import Sample, Service

SIDES = ("ours", "official", "bare")


@dataclass(frozen=True)
class Load:
    """`processes` clients with so many `sessions` each, all of which send `prompt` at the same moment."""

    name: str
    processes: int
    sessions: int
    prompt: str
    aim_mb: float | None = None
    sides: tuple[str, ...] = SIDES


LOADS = (
    Load("20 kernels x 10 sessions, 200 B, as fast as it goes", 20, 10, "[[messages=300 bytes=200]]"),
    Load("20 kernels x 10 sessions, a message each 50 ms", 20, 10, "[[delay=0.05]] [[messages=100 bytes=200]]"),
    Load("1,000 sessions of one client, a message each 0.5 s", 1, 1000, "[[delay=0.5]] [[messages=20 bytes=200]]", 210),
    # Without the official SDK, which needs minutes to create so many.
    Load(
        "1,000 sessions of one client, as fast as it goes", 1, 1000, "[[messages=50 bytes=200]]", 210, ("ours", "bare")
    ),
)
"""200 MiB are 210 MB."""
COLUMNS = (
    ("errors", 8, "errors"),
    ("msg/s", 9, "messages_per_second"),
    ("first p50, ms", 15, "first_p50_ms"),
    ("p99, ms", 9, "first_p99_ms"),
    ("client MB", 11, "client_mb"),
    ("server MB", 11, "server_mb"),
    ("server CPU, us/msg", 20, "server_cpu_us"),
)


def measure_load(official: str | None, *, quick: bool) -> dict[str, Samples]:
    """All rows, printed as they come."""
    pythons = {"ours": sys.executable, "bare": sys.executable} | ({"official": official} if official else {})
    results: dict[str, Samples] = {}
    for load in LOADS[:1] if quick else LOADS:
        print(f"\n{load.name}")
        print(f"  {'':9}" + "".join(f"{title:>{width}}" for title, width, _ in COLUMNS))
        samples: Samples = {}
        for side in load.sides:
            if side not in pythons:
                continue
            sample = under(load, side, pythons[side])
            samples[side] = [sample]
            print(line_of(side, sample), flush=True)
            if side == "ours" and load.aim_mb:
                met = "ok    " if sample["client_mb"] <= load.aim_mb else "MISSED"
                print(f"  {met} ours, peak MB: {sample['client_mb']:.0f} (aim <= {load.aim_mb:g})")
        results[f"load: {load.name}"] = samples
    return results


def line_of(side: str, sample: Sample) -> str:
    return f"  {side:9}" + "".join(f"{sample[figure]:{width},.0f}" for _, width, figure in COLUMNS)


def under(load: Load, side: str, python: str) -> Sample:
    """One load against a server of its own."""
    with echo_server() as service:
        reports = crowds(load, side, python, service)
        server_mb, server_cpu = peak_of(service.pid), cpu_of(service.pid)
    turns = [turn for report in reports for turn in report["turns"]]
    failed = [turn["error"] for turn in turns if turn["error"]]
    for error in sorted(set(failed))[:3]:
        print(f"  {side}: {failed.count(error)} x {error}")
    firsts = sorted(turn["first"] * 1e3 for turn in turns if turn["first"] is not None) or [float("nan")]
    seconds = max(report["seconds"] for report in reports)
    messages = sum(turn["messages"] for turn in turns)
    return {
        "errors": len(failed),
        "messages": messages,
        "seconds": seconds,
        "messages_per_second": messages / seconds,
        "first_p50_ms": statistics.median(firsts),
        "first_p99_ms": firsts[min(int(len(firsts) * 0.99), len(firsts) - 1)],
        "client_mb": max(report["peak_mb"] for report in reports),
        "client_idle_mb": max(report["idle_mb"] for report in reports),
        "client_cpu": sum(report["cpu"] for report in reports),
        "server_mb": server_mb,
        "server_cpu_us": server_cpu / max(messages, 1) * 1e6,
    }


def crowds(load: Load, side: str, python: str, service: Service) -> list[dict[str, Any]]:
    """Starts the clients, waits until each has its sessions, then lets all go."""
    command = [python, "-m", "benchmarks.crowd", side, str(load.sessions), load.prompt]
    with ExitStack() as stack:
        # Our client logs what is done in a session: not in the folder of who measures.
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = os.environ | {"JUPYTER_DATA_DIR": folder}
        clients = []
        for _ in range(load.processes):
            client = stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(client.kill)
            # The key is nobody else's business: not on the command line.
            say(client, json.dumps(vars(service)))
            clients.append(client)
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()
        for client in clients:
            say(client, "go")
        return [json.loads(client.communicate(timeout=300)[0]) for client in clients]


def say(client: subprocess.Popen[str], line: str) -> None:
    assert client.stdin is not None
    client.stdin.write(line + "\n")
    client.stdin.flush()


def peak_of(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return float("nan")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def cpu_of(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return float("nan")
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
