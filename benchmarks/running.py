"""Runs what the plan says: servers, workers, repetitions."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.plan import Row
from benchmarks.replay import record, replaying
from benchmarks.worker import Sample, Service

ROOT = Path(__file__).resolve().parent.parent
WORKERS = {"async": "ours", "sync": "ours", "official": "official", "raw": "bare", "lean": "bare"}

# pandas imports pyarrow (30 MB) where it is there: it is in the developers' environment, but not in a default install.
WORKER = """
import runpy, sys
if {hide}:
    sys.modules["pyarrow"] = None
runpy.run_module("benchmarks.{worker}", run_name="__main__", alter_sys=True)
"""

Samples = dict[str, list[Sample]]


class WorkerError(Exception):
    """A worker broke; the message is the end of what it said."""


@contextmanager
def echo_server() -> Iterator[Service]:
    """A local server with an empty store."""
    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        command = [sys.executable, "-m", "secgemini_jupyter.local_server", "--engine", "echo", "--data", folder]
        environment = os.environ | {"SECGEMINI_SERVE_API_KEY": key}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log) as process:
            try:
                assert process.stdout is not None
                first = json.loads(process.stdout.readline())
                yield Service(first["http"], first["ws"], key, first["pid"])
            finally:
                process.terminate()
                process.wait(20)


def official_python() -> str | None:
    """The interpreter of the official SDK's environment; None, and a message, where it cannot be made."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "official_sdk.py"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        print(f"Without the official SDK: {made.stderr.strip()}", file=sys.stderr)
        return None
    return made.stdout.strip()


def measure(row: Row, interpreters: dict[str, str]) -> Samples:
    """All samples of a row, the sides taking turns; `interpreters` has one for each side that can run."""
    samples: Samples = {side: [] for side in row.sides if side in interpreters}
    with ExitStack() as stack:
        service = stack.enter_context(echo_server())
        argument = row.argument
        if row.messages:
            argument = register(service)
            record(service, argument, f"[[messages={row.messages} bytes=200]]")
        for _ in range(row.sessions):
            register(service)
        if row.replay:
            turn = record(service, register(service), row.argument)
            service = stack.enter_context(replaying(service, turn))
        for _ in range(row.repeats):
            for side, taken in samples.items():
                taken.append(work(interpreters[side], side, row.task, argument, service))
    return samples


def register(service: Service) -> str:
    session_id = uuid.uuid4().hex
    body = {
        "id": session_id, "user_id": "", "org_id": "", "ttl": 86400, "name": "benchmark", "description": "",
        "can_log": True, "model": {"model_string": "local-echo"},
    }  # fmt: skip
    reply = service.post("/v1/session/register", body)
    assert reply["ok"], reply
    return session_id


def work(python: str, side: str, task: str, argument: object, service: Service, *, hide: bool = True) -> Sample:
    """One task of one side, in a fresh process; `hide`: without pyarrow."""
    # The service on standard input: its key is nobody else's business, and all may read our arguments.
    run = subprocess.run(
        [python, "-c", WORKER.format(worker=WORKERS[side], hide=hide), side, task, json.dumps(argument)],
        cwd=ROOT, input=json.dumps(vars(service)), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if run.returncode:
        raise WorkerError(f"{side} {task}: {run.stderr[-1500:]}")
    sample: Sample = json.loads(run.stdout.splitlines()[-1])
    return sample


def medians(samples: Samples) -> dict[str, Sample]:
    return {
        side: {figure: statistics.median(sample[figure] for sample in taken) for figure in taken[0]}
        for side, taken in samples.items()
    }
