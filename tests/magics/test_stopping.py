"""■ at any moment: idle at once, what arrived is kept, nothing is left behind, and the next cell works."""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.client.servers import Seen, web_server
from tests.conftest import LocalService
from tests.magics.conftest import Kernel, Ran, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel

MOMENTS = 200
BIG_MOMENTS = 20
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

def interrupt_when(is_so):
    def look():
        while not is_so():
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=look).start()

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


def stop(kernel: Kernel, cell: str, begun: str) -> Ran:
    """Interrupt a cell once `begun` is true in its kernel, looked at by a thread there."""
    ran = kernel.run(f"interrupt_when(lambda: {begun})")
    assert ran.status == "ok", ran.error
    ran = kernel.run(cell)
    assert ran.ename == "Interrupted", ran.error or ran.text
    assert ran.error.count("\n") == 0
    return ran


def test_stop_while_a_local_tool_runs(kernel: Kernel) -> None:
    """The function itself cannot be broken off: it ends in its thread, and nobody waits for it."""
    prepare(kernel, 0)
    kernel.run(
        "entered, leave = threading.Event(), threading.Event()\n"
        "def scan(host: str) -> str:\n"
        "    entered.set()\n"
        "    leave.wait(60)\n"
        "    return 'late'\n"
        "tool = secgemini_jupyter.secgemini_tool(scan)\n"
        "session = secgemini_jupyter.kernel.default_kernel().new('tools', tools=[tool])"
    )
    stop(kernel, '%%secgemini -o found\n[[call scan {"host": "db-1"}]]', "entered.is_set()")
    assert kernel.value("found.status, session.is_running") == ("interrupted", False)
    kernel.run("leave.set()")
    assert kernel.run("%%secgemini -o found\nand now").status == "ok"
    assert kernel.value("found.answer") == "and now"
    assert not [name for name in left(kernel)["threads"] if name == "secgemini-tool"]  # type: ignore[attr-defined]


def environment(http: str, key: str, ws: str = "") -> dict[str, str]:
    return {"SEC_GEMINI_API_HTTP_URL": http, "SEC_GEMINI_API_KEY": key} | (
        {"SEC_GEMINI_API_WEBSOCKET_URL": ws} if ws else {}
    )


@pytest.fixture
def new_kernel(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Kernel]]:
    kernels: list[Kernel] = []

    def start(environment: dict[str, str]) -> Kernel:
        kernels.append(start_kernel(tmp_path, environment))
        kernels[-1].run("%load_ext secgemini_jupyter")
        return kernels[-1]

    yield start
    for kernel in kernels:
        stop_kernel(kernel)


def test_stop_while_a_file_is_sent(
    new_kernel: Callable[[dict[str, str]], Kernel], local_service: LocalService, tmp_path: Path
) -> None:
    """The service has the file and says nothing; what it was asked before it has answered."""
    arrived, answers = threading.Semaphore(0), threading.Event()

    def forward(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if "attach_file" in seen.target and not answers.is_set():
            arrived.release()
            answers.wait(30)
        headers = {name: value for name, value in seen.headers.items() if name in ("x-api-key", "content-type")}
        reply = httpx.request(seen.method, local_service.http + seen.target, content=seen.body, headers=headers)
        return reply.status_code, {"content-type": "application/json"}, reply.content

    (tmp_path / "memory.dmp").write_bytes(b"\x00" * 20_000_000)
    with web_server(forward) as server:
        kernel = new_kernel(environment(server.url, local_service.key, ws=local_service.ws))
        prepare(kernel, int(server.url.rpartition(":")[2]))
        kernel.run("%%secgemini\nhello")
        before = left(kernel)
        for cell in ("%%secgemini -a memory.dmp\nlook", "%secgemini attach memory.dmp"):
            request = kernel.start(cell)
            assert arrived.acquire(timeout=20)
            kernel.interrupt()
            ran = kernel.finish(request)
            assert "Run it again" in ran.error
            assert left(kernel) == before
        answers.set()
        ran = kernel.run("%%secgemini -a memory.dmp -o found\nlook")
        assert ran.status == "ok", ran.error


def test_stop_while_a_name_is_looked_up(new_kernel: Callable[[dict[str, str]], Kernel]) -> None:
    """The system's lookup cannot be broken off: it ends in its thread, and nobody waits for it."""
    kernel = new_kernel(environment("https://service.test", "a-key-that-nobody-takes"))
    prepare(kernel, 443)
    kernel.run(
        "import socket\n"
        "asked, found = threading.Event(), threading.Event()\n"
        "def slow(*arguments, **options):\n"
        "    asked.set()\n"
        "    found.wait(60)\n"
        "    raise socket.gaierror(socket.EAI_NONAME, 'no such host')\n"
        "socket.getaddrinfo = slow"
    )
    for cell in ("%%secgemini\nhello", "%secgemini sessions", "%secgemini whoami"):
        kernel.run("asked.clear()")
        stop(kernel, cell, "asked.is_set()")
    kernel.run("found.set()")
    ran = kernel.run("%secgemini sessions", timeout=60)
    assert "no such host" in ran.error


def test_stop_while_a_connection_is_being_made(new_kernel: Callable[[dict[str, str]], Kernel]) -> None:
    """The listener's queue is full: the system goes on knocking."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        kernel = new_kernel(environment(f"http://127.0.0.1:{port}", "a-key-that-nobody-takes"))
        prepare(kernel, port)
        waits = "any(each.status == 'SYN_SENT' for each in psutil.Process().net_connections())"
        for cell in ("%%secgemini\nhello", "%secgemini models"):
            stop(kernel, cell, waits)
            assert kernel.run(f"deadline = time.monotonic() + 5\nwhile {waits} and time.monotonic() < deadline: pass")
            assert kernel.value(waits) is False
        for each in queued:
            each.close()


def test_stop_while_a_long_answer_is_drawn(kernel: Kernel) -> None:
    """The answer is whole, what was shown of it stays, and it can be had again."""
    prepare(kernel, 0)
    kernel.run(
        "from secgemini_jupyter.render.live import LiveView\n"
        "final, drawing = LiveView.final, threading.Event()\n"
        "def slow(*arguments, **options):\n"
        "    drawing.set()\n"
        "    while True: pass\n"
        "LiveView.final = slow"
    )
    try:
        ran = stop(kernel, "%%secgemini -o found\nSHOWN [[messages=10]] [[delay=0.05]]", "drawing.is_set()")
    finally:
        kernel.run("LiveView.final = final")
    assert "was complete" in ran.error
    assert kernel.value("found.status, found.answer") == ("ok", "SHOWN")
    assert "SHOWN" in ran.html[0]
    assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "interrupted"
    assert "SHOWN" in kernel.run("%secgemini reconnect").html[0]


def test_stop_while_a_long_message_is_drawn(kernel: Kernel) -> None:
    """One message may be megabytes: what was drawn of it is given up, the data is not."""
    prepare(kernel, 0)
    kernel.run(
        "from secgemini_jupyter.render.live import LiveView\n"
        "collect, drawing = LiveView._collect, threading.Event()\n"
        "def slow(*arguments):\n"
        "    drawing.set()\n"
        "    while True: pass\n"
        "LiveView._collect = slow"
    )
    try:
        ran = stop(kernel, "%%secgemini -o found\nWHOLE [[messages=2]]", "drawing.is_set()")
    finally:
        kernel.run("LiveView._collect = collect")
    assert "reconnect" in ran.error
    assert kernel.value("found.answer") == "WHOLE"
    assert kernel.run("%%secgemini -o found\nnext").status == "ok"
    assert kernel.value("found.answer") == "next"


@pytest.mark.parametrize("is_dropped_by", ["weakref.ref(thing, press)", "weakref.finalize(thing, press)", "__del__"])
def test_an_interrupt_that_python_drops_is_not_lost(kernel: Kernel, is_dropped_by: str) -> None:
    """What a signal's handler raises in a weak reference's callback or in `__del__` reaches nobody."""
    prepare(kernel, 0)
    kernel.run(
        "import sys, weakref\n"
        "from secgemini_jupyter.render.live import LiveView\n"
        "final, hook = LiveView.final, sys.unraisablehook\n"
        "class Thing:\n"
        "    pass\n"
        "def press(*_):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    for _ in range(100): pass\n"
        "def slow(*arguments, **options):\n"
        "    thing = Thing()\n"
        f"    {'Thing.__del__ = press' if is_dropped_by == '__del__' else f'kept = {is_dropped_by}'}\n"
        "    del thing\n"
        "    while True: pass\n"
        "LiveView.final = slow"
    )
    try:
        ran = kernel.run("%%secgemini -o found\nWHOLE [[messages=2]]")
    finally:
        kernel.run("LiveView.final = final")
    assert (ran.ename, ran.error.count("\n")) == ("Interrupted", 0)
    assert "was complete" in ran.error
    assert "Exception ignored" not in ran.text
    assert kernel.value("found.answer") == "WHOLE"
    assert kernel.value("sys.unraisablehook is hook")


def test_what_others_fail_at_in_a_finalizer_is_still_told(kernel: Kernel) -> None:
    prepare(kernel, 0)
    kernel.run(
        "import sys\n"
        "from secgemini_jupyter.render.live import LiveView\n"
        "final, hook, told = LiveView.final, sys.unraisablehook, []\n"
        "class Thing:\n"
        "    def __del__(self): raise ValueError('theirs')\n"
        "def noisy(*arguments, **options):\n"
        "    Thing()\n"
        "    return final(*arguments, **options)\n"
        "LiveView.final = noisy\n"
        "sys.unraisablehook = lambda unraisable: told.append(str(unraisable.exc_value))"
    )
    try:
        ran = kernel.run("%%secgemini\nhello")
    finally:
        kernel.run("LiveView.final, sys.unraisablehook = final, hook")
    assert ran.status == "ok", ran.error
    assert kernel.value("told") == ["theirs"]


@pytest.mark.slow
def test_interrupts_while_a_big_answer_is_drawn(kernel: Kernel) -> None:
    """Drawing makes much garbage: some of them come while Python collects it."""
    prepare(kernel, 0)
    kernel.run("BIG = '| a | b |\\n|---|---|\\n' + '| 192.0.2.4 | x |\\n' * 12000")
    chance = random.Random(5)
    for number in range(BIG_MOMENTS):
        ran = kernel.run(f"told = moment({chance.uniform(0.3, 1)}, BIG)")
        assert ran.status == "ok", ran.error
        assert "Exception ignored" not in ran.text, number
        ended, answer, is_restored = kernel.value("told")
        assert is_restored, number
        assert "Interrupted: " in ended, number
        assert answer is None or answer[0] in ("ok", "interrupted"), number


def test_a_second_interrupt_raises_whatever_is_done(kernel: Kernel) -> None:
    prepare(kernel, 0)
    kernel.run(
        "from secgemini_jupyter.magics.view import QuietView\n"
        "finish, ending = QuietView.finish, threading.Event()\n"
        "def hang(*arguments, **options):\n"
        "    ending.set()\n"
        "    while True: pass\n"
        "def twice():\n"
        "    global before\n"
        "    if not ending.is_set(): return False\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.2)\n"
        "    return True\n"
        "QuietView.finish = hang"
    )
    try:
        stop(kernel, "%%secgemini -q -o found\nhello", "twice()")
    finally:
        kernel.run("QuietView.finish = finish")
    assert kernel.value("found.status, found.answer") == ("ok", "hello")
    assert kernel.run("%%secgemini\nhello").status == "ok"


def test_an_import_is_never_cut(kernel: Kernel, tmp_path: Path) -> None:
    """numpy, cut in the middle, could not be imported any more in this kernel."""
    prepare(kernel, 0)
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nbegun = True\nfor _ in range(30):\n    time.sleep(0.01)\nwhole = True\n"
    )
    kernel.run(
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from secgemini_jupyter.magics.commands import COMMANDS\n"
        "import dataclasses\n"
        "status = COMMANDS['status']\n"
        "def slow(magics, options):\n"
        "    import slow_to_import\n"
        "    while True: pass\n"
        "COMMANDS['status'] = dataclasses.replace(status, run=slow)"
    )
    try:
        stop(kernel, "%secgemini status", "hasattr(sys.modules.get('slow_to_import'), 'begun')")
    finally:
        kernel.run("COMMANDS['status'] = status")
    assert kernel.value("sys.modules['slow_to_import'].whole")


def test_stop_in_a_cell_that_awaits(kernel: Kernel) -> None:
    """There ipykernel's own handler would cancel a task, and reach no magic."""
    prepare(kernel, 0)
    cell = "import asyncio\nawait asyncio.sleep(0)\nget_ipython().run_cell_magic('secgemini', '-o found', PROMPT)"
    kernel.run("PROMPT = '[[messages=200]] [[delay=0.05]]'\nfound = None")
    stop(kernel, cell, "[1 for _, session in secgemini_jupyter.kernel.default_kernel() if session.is_running]")
    assert kernel.value("found.status") == "interrupted"


def test_pieces_of_an_interrupted_answer_are_kept(kernel: Kernel) -> None:
    """In the variable as on the screen; `reconnect` listens on, and can be interrupted too."""
    prepare(kernel, 0)
    words = " ".join(f"word{n}" for n in range(60))
    kernel.run(
        "from secgemini_jupyter.client.running import RunningTurn\n"
        "note, pieces = RunningTurn._note, []\n"
        "def noted(turn, message):\n"
        "    note(turn, message)\n"
        "    pieces.extend(turn._pieces[-1:])\n"
        "RunningTurn._note = noted"
    )
    cell = f"%%secgemini -o found\n[[messages=1]] [[partial]] [[delay=0.05]] {words}"
    try:
        ran = stop(kernel, cell, "len(pieces) > 5")
    finally:
        kernel.run("RunningTurn._note = note")
    answer = kernel.value("found.answer")
    assert "word2" in answer
    assert words.startswith(answer.strip())
    assert "word2" in ran.html[0]
    kernel.run("kernel_session = secgemini_jupyter.current_session")
    again = stop(kernel, "whole = %secgemini reconnect", "kernel_session().is_running")
    assert again.ename == "Interrupted"
    assert kernel.run("whole = %secgemini reconnect").status == "ok"
    assert kernel.value("whole.answer.strip()") == words


def test_an_interrupted_notebook_fails_and_goes_no_further(local_service: LocalService, tmp_path: Path) -> None:
    """As papermill and `jupyter nbconvert --execute` run it: both exit 1 by this error."""
    cells = [
        "%load_ext secgemini_jupyter",
        f"PORT = 0\n{HELPERS}",
        "interrupt_when(lambda: len(secgemini_jupyter.current_session().running_messages() or ()) > 5)",
        "%%secgemini\n[[messages=100]] [[delay=0.05]]",
        "print('went on')",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(local_service.http, local_service.key).items():
            patch.setenv(name, value)
        patch.setenv("IPYTHONDIR", str(tmp_path))
        with pytest.raises(CellExecutionError, match="Interrupted: stopped listening"):
            NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    assert notebook.cells[4].outputs == []
    (answer,) = [output for output in notebook.cells[3].outputs if output.output_type == "display_data"]
    assert answer.metadata["secgemini"]["status"] == "interrupted"


def test_ctrl_c_in_a_terminal(local_service: LocalService, tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    own = environment(local_service.http, local_service.key) | {"IPYTHONDIR": str(tmp_path), "TERM": "dumb"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor", "--ext=secgemini_jupyter"],
        env={**os.environ, **own},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    try:
        child.expect(r"In \[1\]: ")
        child.sendline("%secgemini ask -o found [[messages=300 bytes=20]] [[delay=0.05]]")
        child.expect("xxxxxxxx")
        child.sendintr()
        child.expect("Interrupted: stopped listening")
        child.expect(r"In \[2\]: ")
        child.sendline("print('status', found.status)")
        child.expect("status interrupted")
        child.expect(r"In \[3\]: ")
        child.sendline("%secgemini ask -o found fine")
        child.expect("fine")
        child.expect(r"In \[4\]: ")
        child.sendeof()
    finally:
        child.close(force=True)
