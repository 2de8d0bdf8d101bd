"""`%secgemini retry`: the last prompt again, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.magics.conftest import Kernel

pytestmark = pytest.mark.kernel


def test_retry_asks_the_same_again(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("a")
    kernel.run(f"%%secgemini -a {tmp_path}/a.log -o first\nsay {{{{this}}}} \"again\"\nand 'that'")
    ran = kernel.run("%secgemini retry -o second")
    assert ran.status == "ok", ran.error
    assert kernel.value("second.answer == first.answer, second.session is first.session, second.turn") == (
        True,
        True,
        2,
    )
    assert kernel.value("len(second.session.files)") == 1
    assert "Asks again: say" in ran.text
    assert kernel.run("third = %secgemini retry -q").outputs == []
    assert kernel.value("third.answer == first.answer")


def test_retry_after_a_failure_and_after_a_stop(kernel: Kernel) -> None:
    kernel.run("%%secgemini\n[[error 503]] FAILING")
    assert kernel.run("%secgemini retry").status == "error", "it is the same prompt"
    request = kernel.start("%%secgemini\nSLOW [[messages=40 bytes=20]] [[delay=0.02]]")
    kernel.wait_for_output(request)
    kernel.interrupt()
    kernel.finish(request)
    ran = kernel.run("%secgemini retry -o found")
    assert ran.status == "ok", ran.error
    assert kernel.value("found.status, found.answer, found.turn") == ("ok", "SLOW", 4)


def test_retry_without_a_prompt(kernel: Kernel) -> None:
    for prepare in ("", "%secgemini new empty"):
        kernel.run(prepare)
        ran = kernel.run("%secgemini retry")
        assert ran.status == "error"
        assert "Nothing was asked in this session yet" in ran.error


def test_retry_while_a_turn_runs(kernel: Kernel) -> None:
    """In a widget, or in Python code on another thread."""
    kernel.run("%%secgemini -q\nfirst")
    kernel.run(
        "import secgemini_jupyter\nrunning = secgemini_jupyter.current_session().start('[[messages=1]] [[delay=20]]')\n"
        "while not running.session.is_running: __import__('time').sleep(0.01)"
    )
    ran = kernel.run("%secgemini retry")
    assert "A turn is running in session" in ran.error
    kernel.run("running.stop()")


def test_retry_sends_what_was_stopped_before_it_was_sent(kernel: Kernel) -> None:
    """The service never saw it, so it stands in no history."""
    kernel.run("%%secgemini -q\nEARLIER")
    kernel.run(
        "from secgemini_jupyter.kernel import default_kernel\n"
        "kernel = default_kernel()\n"
        "core = kernel.client._core\nbefore = core.settings\n"
        "core.settings = before.replace(websocket_url='ws://127.0.0.1:9', reconnects=0)"
    )
    assert kernel.run("%%secgemini -q\nNEVER SENT").status == "error"
    kernel.run("core.settings = before")
    assert kernel.run("%secgemini retry -q -o found").status == "ok"
    assert kernel.value("found.answer, found.turn") == ("NEVER SENT", 2)


def test_retry_keeps_what_was_put_in(kernel: Kernel) -> None:
    """What is sent is the text of then, not a variable's value of now."""
    kernel.run("host = 'alpha'")
    kernel.run("%%secgemini -q\nlook at {{host}}")
    kernel.run("host = 'beta'")
    kernel.run("found = %secgemini retry -q")
    assert "alpha" in kernel.value("found.answer")
    assert "beta" not in kernel.value("found.answer")
