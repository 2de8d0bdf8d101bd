"""■ at any moment: idle at once, what arrived is kept, nothing is left behind, and the next cell works."""

from __future__ import annotations

import random
import time

import pytest

from tests.conftest import LocalService
from tests.magics.conftest import Kernel

pytestmark = pytest.mark.kernel

MOMENTS = 200
PROMPT = "[[messages=4 bytes=20]] [[delay=0.01]] [[partial]] a few words that come in pieces"
HELPERS = """
import asyncio, gc, os, secgemini_jupyter, signal, threading, time
import psutil

def left():
    gc.collect()
    kernel = secgemini_jupyter.kernel.default_kernel()
    async def tasks():
        return len(asyncio.all_tasks()) - 1
    ((http, _),) = kernel.client.aio._pools.values()
    pool = http._transport._pool
    sockets = [each for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == PORT]
    return {
        "tasks": kernel.client._loop_thread.submit(tasks()).result(5),
        "threads": sorted(each.name for each in threading.enumerate() if each.name.startswith("secgemini")),
        "sockets beside those kept for the next request": len(sockets) - len(pool.connections),
        "running": [name for name, session in kernel if session.is_running],
        "handler": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    }

def interrupt_after(delay):
    def send():
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=send).start()

def moment(delay, prompt):
    "What became of a cell that was interrupted after `delay`; the interrupt may also come after its end."
    global found
    found, ended = None, "nothing"
    try:
        interrupt_after(delay)
        get_ipython().run_cell_magic("secgemini", "-o found", prompt)
        ended = "whole"
        time.sleep(10)
    except KeyboardInterrupt as error:
        ended += f" {type(error).__name__}: {error}"
    answer = found and (found.status, found.response.is_complete, found.answer)
    return ended, answer, signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def prepare(kernel: Kernel, port: int) -> None:
    ran = kernel.run(f"PORT = {port}\n{HELPERS}")
    assert ran.status == "ok", ran.error


def left(kernel: Kernel) -> dict[str, object]:
    """What the kernel holds now, once what was given up has had its moment to go: what stays is looked for longer."""
    deadline = time.monotonic() + 10
    while True:
        found: dict[str, object] = kernel.value("left()")
        if (found["tasks"], found["running"]) == (0, []) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_interrupts_at_random_moments(kernel: Kernel, local_service: LocalService) -> None:
    """Whenever it comes, a cell is whole, or stopped with what had arrived, or was not begun."""
    prepare(kernel, int(local_service.http.rpartition(":")[2]))
    kernel.run(f"%%secgemini\n{PROMPT}")
    before = left(kernel)
    chance = random.Random(4)
    met = 0
    for number in range(MOMENTS):
        delay = chance.choice((chance.uniform(0, 0.01), chance.uniform(0, 0.2)))
        ran = kernel.run(f"told = moment({delay}, {PROMPT!r})")
        assert ran.status == "ok", ran.error
        ended, answer, is_restored = kernel.value("told")
        assert is_restored, number
        if ended.startswith("whole"):
            assert answer[:2] == ("ok", True), number
        elif "what had arrived is kept" in ended:
            met += 1
            assert answer[0] == "interrupted", number
            assert "a few words that come in pieces".startswith(answer[2].strip()), number
        elif "was complete" in ended:
            assert answer[:2] == ("ok", True), number
        else:
            assert answer is None, (number, ended)
            assert ended.startswith("nothing Interrupted: stopped before") or ended == "nothing KeyboardInterrupt: "
    print(f"{met} of {MOMENTS} interrupts met a turn that ran")
    assert met > MOMENTS / 4
    assert left(kernel) == before
    assert kernel.run("%%secgemini -o found\nstill here").status == "ok"
    assert kernel.value("found.answer") == "still here"
