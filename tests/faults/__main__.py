"""`make faults`: every fault on our clients, in cells, on the official SDK; writes the table in `tests/README.md`."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import platform
import queue
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import IPython
import websockets

import secgemini_jupyter
from secgemini_jupyter.protocol import turn
from tests.faults import official, table
from tests.faults.callers import Async, Run, Sync, verdict
from tests.faults.cells import Cells
from tests.faults.matrix import FAULTS, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import Service

ROOT = Path(__file__).resolve().parents[2]
PEERS = 4
"""Processes of the official SDK at once: most of the time they wait."""


@contextlib.contextmanager
def behind_a_proxy() -> Iterator[tuple[Proxy, Service]]:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        proxy = Proxy(service.port, service.outage)
        try:
            yield proxy, service
        finally:
            proxy.close()
            service.close()


def ours(fault: Fault, run: Run, reconnect: str, proxy: Proxy, service: Service) -> str:
    with (
        mock.patch.multiple(turn, SECOND_LOOK=0.05, END_AFTER_RESULT=0.2),
        mock.patch.object(random, "uniform", lambda _low, high: high * fault.pauses),
    ):
        return table.joined([verdict(run(fault, plan, proxy, service), fault, reconnect) for plan in fault.plans])


def peers(python: str, faults: list[Fault]) -> dict[str, str]:
    """What the official SDK makes of each fault; those of many turns begin."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(PEERS) as pool:
        free: queue.SimpleQueue[tuple[Proxy, Service]] = queue.SimpleQueue()
        for _ in range(PEERS):
            free.put(stack.enter_context(behind_a_proxy()))

        def one(fault: Fault) -> str:
            proxy, service = free.get()
            try:
                said = table.joined([official.run(python, fault, plan, proxy, service) for plan in fault.plans])
            finally:
                free.put((proxy, service))
            print(f"official SDK, {fault.name}: {said}", flush=True)
            return said

        longest_first = sorted(faults, key=lambda fault: -len(fault.plans) - 10 * fault.slow)
        return dict(zip([fault.name for fault in longest_first], pool.map(one, longest_first), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="faults; all, and the table is written, when none is named")
    chosen = parser.parse_args().names
    faults = [fault for fault in FAULTS if not chosen or fault.name in chosen]
    made = subprocess.run([sys.executable, ROOT / "scripts" / "official_sdk.py"], capture_output=True, text=True)
    seen = peers(made.stdout.strip(), faults) if not made.returncode else {}
    rows: list[table.Row] = []
    with behind_a_proxy() as (proxy, service), tempfile.TemporaryDirectory() as folder:
        cells = Cells(Path(folder), proxy)
        for fault in faults:
            row = {"fault": fault.title, "turns": str(len(fault.plans))}
            row |= {"sync": ours(fault, Sync().run, Sync.reconnect, proxy, service)}
            row |= {"async": ours(fault, Async().run, Async.reconnect, proxy, service), "cell": table.NOT_THERE}
            if fault.in_cells:
                cells.set_up(fault)
                row["cell"] = ours(fault, cells.run, cells.reconnect, proxy, service)
            rows.append(row | {"official SDK": seen.get(fault.name, "not run here: " + made.stderr.strip())})
            print(fault.name, rows[-1], flush=True)
        cells.close()
    wrong = [row for row, fault in zip(rows, faults, strict=True) if {row["sync"], row["async"]} != {fault.result}]
    if wrong:
        sys.exit(f"{len(wrong)} rows are not what they must be; the table stays as it was.")
    if not chosen:
        table.put(table.written(rows, remark()))


def remark() -> str:
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, secgemini-jupyter {secgemini_jupyter.__version__}, "
        f"sec-gemini 1.1.6, websockets {websockets.__version__}, IPython {IPython.__version__}, "
        f"Python {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
