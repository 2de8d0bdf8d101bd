"""Logs tables: a log of JSON Lines uploaded to the local service in chunks, and asked about.

As a program it is the worker: `python -m benchmarks.logs SIDE TASK ARGUMENT`, see `benchmarks.worker`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.running import ROOT, Samples, WorkerError
from benchmarks.worker import Sample, Service, main, stopwatch

SIZES = {"100 MB": 100_000_000, "1 GB": 1_000_000_000}
QUESTIONS = (
    "Which hosts are in the log?",
    "Which users failed to log in most, and what is the busiest hour?",
    "SELECT host, count(*) AS n FROM log WHERE status = 'failed' GROUP BY host ORDER BY n DESC LIMIT 5",
)
EVENTS = ("login", "logout", "file_open", "proc_start", "net_conn")


def measure_logs(official: str | None, *, quick: bool = False) -> dict[str, Samples]:
    """All figures, printed as they come; `quick` leaves the gigabyte out. The official SDK's turn follows ours."""
    results: dict[str, Samples] = {}
    print("\nlogs tables")
    with tempfile.TemporaryDirectory() as name:
        for title, size in SIZES.items():
            if quick and size > 500_000_000:
                continue
            path = Path(name) / "log.jsonl"
            write_log(path, size)
            sides = {"ours": (sys.executable, "ours"), **({"official": (official, "official")} if official else {})}
            results[f"logs {title}"] = {}
            for side, (python, worker) in sides.items():
                with analyst_server() as (service, pid):
                    argument = {"path": str(path), "questions": QUESTIONS if side == "ours" else ()}
                    sample = work(python, worker, argument, service) | {"server_mb": resident_peak(pid)}
                results[f"logs {title}"][side] = [sample]
                told = ", ".join(f"{figure} {value:,.1f}" for figure, value in sample.items())
                print(f"  {title}, {side}: {told}", flush=True)
    return results


def write_log(path: Path, size: int) -> None:
    """Records of about 275 bytes: 200 hosts, 1,500 users, a quarter of a million addresses."""
    chosen, written, number = random.Random(7), 0, 0
    with path.open("w", encoding="ascii") as file:
        while written < size:
            number += 1
            record = {
                "ts": 1_764_500_000 + number / 100, "uid": f"C{number:016x}",
                "host": f"host-{chosen.randrange(200):03}",
                "user": f"user{chosen.randrange(1_500)}", "event": chosen.choice(EVENTS),
                "src_ip": f"10.{chosen.randrange(4)}.{chosen.randrange(256)}.{chosen.randrange(256)}",
                "dst": {"ip": f"198.51.100.{chosen.randrange(256)}", "port": chosen.choice((22, 80, 443))},
                "status": chosen.choice(("ok", "failed")), "bytes": chosen.randrange(100_000),
                "message": f"session {number} opened by process with pid {chosen.randrange(65_536)}",
            }  # fmt: skip
            written += file.write(json.dumps(record) + "\n")


@contextmanager
def analyst_server() -> Iterator[tuple[Service, int]]:
    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        command = [sys.executable, "-m", "secgemini_jupyter.local_server", "--data", f"{folder}/data"]
        environment = os.environ | {"SECGEMINI_SERVE_API_KEY": key}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log) as process:
            try:
                assert process.stdout is not None
                first = json.loads(process.stdout.readline())
                yield Service(first["http"], first["ws"], key), process.pid
            finally:
                process.terminate()
                process.wait(20)


def resident_peak(pid: int) -> float:
    """MB of the server and of its processes for parsing and queries, each at its own peak."""
    import psutil  # type: ignore[import-untyped]

    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    status = (Path(f"/proc/{process.pid}/status").read_text() for process in processes)
    return sum(int(text.split("VmHWM:")[1].split()[0]) * 1024 / 1e6 for text in status)


def work(python: str, side: str, argument: object, service: Service) -> Sample:
    run = subprocess.run(
        [python, "-m", "benchmarks.logs", side, "upload", json.dumps(argument)],
        cwd=ROOT, input=json.dumps(vars(service)), capture_output=True, text=True, timeout=3_000, check=False,
    )  # fmt: skip
    if run.returncode:
        raise WorkerError(f"{side} logs: {run.stderr[-1500:]}")
    sample: Sample = json.loads(run.stdout.splitlines()[-1])
    return sample


def upload_ours(service: Service, argument: dict[str, object]) -> Sample:
    from secgemini_jupyter import SecGemini

    with SecGemini(service.key, base_url=service.http, websocket_url=service.ws) as client:
        session = client.create_session("benchmark")
        with stopwatch() as watch:
            lines = session.upload_and_attach_logs(str(argument["path"]))
        sample = watch.sample(lines=lines)
        for number, question in enumerate(argument["questions"], 1):  # type: ignore[arg-type,var-annotated]
            with stopwatch() as watch:
                session.query(question)
            sample[f"question_{number}_seconds"] = watch.seconds
    return sample


def upload_official(service: Service, argument: dict[str, object]) -> Sample:
    from sec_gemini import SecGemini  # type: ignore[import-not-found]

    client = SecGemini(service.key, service.http, service.ws, logs_processor_api_url=service.http)
    session = client.create_session("benchmark")
    with stopwatch() as watch:
        session.upload_and_attach_logs(Path(str(argument["path"])))
    assert session.logs_table is not None, "it logs its errors, and raises none"
    return watch.sample()


if __name__ == "__main__":
    main({"ours": {"upload": upload_ours}, "official": {"upload": upload_official}})
