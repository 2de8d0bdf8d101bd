"""A tool whose approval is `ask`, or a confirmation, in a cell: the person is asked, exactly once, and no means no."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
import time
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics.approving import AtTheCell
from secgemini_jupyter.magics.interrupts import Interrupts
from secgemini_jupyter.widgets import questions
from tests.magics.conftest import AT_ONCE, Kernel, Ran

ROOT = Path(__file__).parents[2]
TOOLS = """
from secgemini_jupyter import secgemini_tool
from secgemini_jupyter.kernel import default_kernel
RAN = []

def lookup(host: str, note: str = "") -> str:
    "Inventory facts for a host."
    RAN.append(host)
    return f"{host} runs linux"

@secgemini_tool(approval="ask")
def scan(host: str) -> str:
    "Scan a host."
    RAN.append(host)
    return f"scanned {host}"

_ = default_kernel().new(tools=[lookup, scan])
"""


@pytest.fixture
def tooled(kernel: Kernel) -> Kernel:
    assert kernel.run(TOOLS).status == "ok"
    return kernel


def answered(kernel: Kernel, cell: str, *answers: str) -> tuple[Ran, list[str]]:
    """Run a cell for somebody who answers what it asks; gives what was asked, too."""
    request = kernel.start(cell, attended=True)
    prompts = []
    for answer in answers:
        prompts.append(kernel.client.get_stdin_msg(timeout=30)["content"]["prompt"])
        kernel.client.input(answer)
    return kernel.finish(request), prompts


CALL = '%%secgemini\n[[call lookup {"host": "web-7"}]]'


@pytest.mark.parametrize(
    ("answer", "ran", "shown"),
    [
        ("y", ["web-7"], "web-7 runs linux"),
        (" YES ", ["web-7"], "web-7 runs linux"),
        ("", [], "the user did not approve this call of lookup"),
        ("n", [], "the user did not approve this call of lookup"),
        ("why?", [], "the user did not approve this call of lookup"),
    ],
)
def test_the_person_at_the_cell_says_whether_a_tool_runs(
    tooled: Kernel, answer: str, ran: list[str], shown: str
) -> None:
    cell, prompts = answered(tooled, CALL, answer)
    assert cell.status == "ok"
    assert tooled.value("RAN") == ran
    assert shown in cell.text
    assert prompts == ["y: run it · a: run it, and lookup without asking until this turn ends · N: no [y/a/N] "]
    question = next(output["data"]["text/plain"] for output in cell.outputs if "Run on" in str(output))
    lines = question.splitlines()
    assert lines[:2] == ["Run on this machine? lookup", '    host = "web-7"']
    assert lines[2:] == ["→ approved" if ran else "→ denied"]
    assert any('lookup(host="web-7")' in unescape(page) for page in cell.html), "the call stands in the answer"


def test_always_is_for_one_tool_and_one_turn(tooled: Kernel) -> None:
    call = '[[call lookup {"host": "%s"}]]'
    cell = f'%%secgemini\n{call % "a"} {call % "b"} [[call scan {{"host": "c"}}]] {call % "d"}'
    ran, prompts = answered(tooled, cell, "a", "n")
    assert ["lookup" in prompt for prompt in prompts] == [True, False]
    assert tooled.value("RAN") == ["a", "b", "d"]
    assert "the user did not approve this call of scan" in ran.text
    _, again = answered(tooled, f"%%secgemini\n{call % 'e'}", "n")
    assert len(again) == 1
    assert tooled.value("RAN") == ["a", "b", "d"]


def test_arguments_cannot_pass_for_another_question(tooled: Kernel) -> None:
    hostile = r"a\r\nRun on this machine? nothing\u001b[2J\u202e" + "z" * 5000
    cell, _ = answered(tooled, f'%%secgemini\n[[call lookup {{"host": "{hostile}", "note": "<b>\\u009b"}}]]', "n")
    question = next(each["data"] for each in cell.outputs if each["data"].get("text/plain", "").startswith("Run on"))
    lines = question["text/plain"].splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(r'    host = "a\r\nRun on this machine? nothing\u001b[2J⟨U+202E⟩zz')
    assert lines[1].endswith("more characters, not shown: deny if in doubt]")
    assert "⟨U+009B⟩" in lines[2]
    assert "<b>" not in question["text/html"]
    assert "&lt;b&gt;" in question["text/html"]


def test_nobody_is_asked_about_a_call_that_cannot_be_run(tooled: Kernel) -> None:
    cell, _ = answered(tooled, '%%secgemini\n[[call lookup {"host": 7}]] [[call nothing]]')
    assert "lookup was not run: host: expected text, got 7" in cell.text
    assert tooled.value("RAN") == []


def test_without_input_a_call_is_denied_and_the_cell_says_how_to_allow_it(tooled: Kernel) -> None:
    cell = tooled.run(CALL)
    assert cell.status == "ok"
    assert tooled.value("RAN") == []
    said = [output["text"] for output in cell.outputs if output.get("name") == "stdout"]
    assert said == [
        "the user did not approve this call of lookup: nobody could be asked. To allow its calls, declare it with "
        '@secgemini_tool(approval="allow").\n'
    ]


def test_a_confirmation_is_asked_like_a_tool(tooled: Kernel) -> None:
    block = '%%secgemini\n[[confirm Block it? {"host": "web-7"}]]'
    cell, prompts = answered(tooled, block, "y")
    assert "Block it?: approved" in cell.text
    assert prompts == ["y: yes · N: no [y/N] "]
    question = next(output["data"]["text/plain"] for output in cell.outputs if "The service asks" in str(output))
    assert question.splitlines()[0] == "The service asks: Block it?"
    assert '    action = {"host": "web-7"}' in question.splitlines()
    assert "Block it?: denied" in answered(tooled, block, "a")[0].text, "always is for tools"
    assert "Block it?: denied (nobody could be asked)" in tooled.run(block).text


def test_stopping_while_it_asks_denies_and_stops(tooled: Kernel) -> None:
    request = tooled.start(CALL, attended=True)
    tooled.client.get_stdin_msg(timeout=30)
    began = time.monotonic()
    tooled.interrupt()
    cell = tooled.finish(request)
    assert time.monotonic() - began < AT_ONCE
    assert (cell.status, cell.ename) == ("error", "Interrupted")
    assert "→ denied, and the turn was stopped" in cell.text
    assert tooled.value("RAN") == []
    # The service was told, so that the session goes on at once.
    after, _ = answered(tooled, "%%secgemini\nhello")
    assert after.status == "ok"
    kinds = [
        "the user did not approve this call of lookup" in (text or "")
        for text in tooled.value("[m.content for m in default_kernel().current().messages]")
    ]
    assert kinds.count(True) >= 1


def test_a_function_of_the_user_s_answers_for_the_person(tooled: Kernel) -> None:
    tooled.run("default_kernel().current().approve = lambda name, arguments: arguments['host'] == 'web-7'")
    cell, _ = answered(tooled, CALL)
    assert "web-7 runs linux" in cell.text


def test_a_question_that_a_capture_would_hide_is_asked_whole(tooled: Kernel) -> None:
    _, prompts = answered(tooled, '%%capture\n%secgemini ask [[call lookup {"host": "web-7"}]]', "y")
    assert prompts[0].startswith('Run on this machine? lookup\n    host = "web-7"\n')


def test_a_job_asks_nobody(tooled: Kernel) -> None:
    tooled.run('%%secgemini --bg -o job\n[[call lookup {"host": "web-7"}]]', attended=True)
    cell = tooled.run("print(job.wait().answer if hasattr(job, 'wait') else job.answer)", attended=True)
    assert "nobody could be asked" in cell.text
    assert tooled.value("RAN") == []


# --- in a terminal ---


class Terminal:
    """A terminal's stream, as far as anybody asks."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return True


def look_like_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """To be called in a test: pytest puts its own streams there between a fixture and the test."""
    monkeypatch.setattr(sys, "stdin", Terminal(sys.stdin))
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))


def test_a_terminal_asks_too(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look_like_a_terminal(monkeypatch)
    shell.run_cell(TOOLS)
    prompts: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda prompt: prompts.append(prompt) or "y")
    assert shell.run_cell(CALL).success
    assert shell.user_ns["RAN"] == ["web-7"]
    said = capsys.readouterr().out
    assert 'Run on this machine? lookup\n    host = "web-7"\n' in said
    assert said.count("web-7 runs linux") == 1
    assert len(prompts) == 1


def test_the_end_of_the_input_is_a_no(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    look_like_a_terminal(monkeypatch)
    shell.run_cell(TOOLS)

    def end(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", end)
    assert shell.run_cell(CALL).success
    assert shell.user_ns["RAN"] == []


def test_lines_of_a_file_are_no_answers(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(builtins, "input", lambda _: pytest.fail("asked"))
    shell.run_cell(TOOLS)
    assert shell.run_cell(CALL).success
    assert shell.user_ns["RAN"] == []
    assert 'declare it with @secgemini_tool(approval="allow")' in capsys.readouterr().out
    assert default_kernel().current().approve is not None


def test_what_a_chat_asks_is_told_in_the_cell() -> None:
    """The chat may stand far away; the cell would seem to hang."""
    running: Any = SimpleNamespace(session=SimpleNamespace(approve=None, confirm=None), wake=lambda: None)
    front: Any = SimpleNamespace(kernel=SimpleNamespace(_supports_kernel_subshells=True))
    at_the_cell = AtTheCell(front, running, Interrupts())
    open_questions = running.session.approve.__self__
    open_questions.watch(lambda: None)
    end = open_questions.watch(lambda: None)
    asked = threading.Thread(target=lambda: asyncio.run(open_questions.approve("scan", {})))
    assert not at_the_cell.is_left_to_a_chat
    asked.start()
    while not open_questions.open:
        time.sleep(0.001)
    assert at_the_cell.is_left_to_a_chat
    end()  # the chat is closed: the cell asks itself
    assert not at_the_cell.is_left_to_a_chat
    open_questions.decide(open_questions.open[0].id, approve=False)
    asked.join()


def test_code_that_waits_for_a_turn_itself_asks_too(tooled: Kernel) -> None:
    query = "from secgemini_jupyter import current_session\nprint(current_session().query('''{}''').answer)"
    call = query.format('[[call lookup {"host": "web-7"}]]')
    cell, prompts = answered(tooled, call, "y")
    assert "web-7 runs linux" in cell.text
    assert prompts == ["y: yes · N: no [y/N] "]
    assert "did not approve this call of lookup" in answered(tooled, call, "n")[0].text
    assert "Go on?: approved" in answered(tooled, query.format("[[confirm Go on?]]"), "y")[0].text
    assert "nobody could be asked" in tooled.run(call).text
    assert tooled.value("RAN") == ["web-7"]


def test_a_yes_that_comes_too_late_runs_nothing(tooled: Kernel) -> None:
    """Whoever asked has gone on without the tool."""
    cell, prompts = answered(
        tooled,
        "from secgemini_jupyter import current_session\nfrom secgemini_jupyter.widgets.questions import Questions\n"
        "Questions.of(current_session())._patience = -1.0\n"
        """print(current_session().query('[[call lookup {"host": "late"}]]').answer)""",
        "y",
    )
    assert len(prompts) == 1
    assert "nobody answered until" in cell.text
    assert "this answer did not count" in cell.text
    assert "approved" not in cell.text.replace("approve this call", "")
    assert tooled.value("RAN") == []


def test_the_chat_and_the_cell_use_the_same_words() -> None:
    strings = (ROOT / "js/src/chat/strings.ts").read_text()
    for words in (questions.MAY_RUN, questions.MAY_CONFIRM, questions.NO_ARGUMENTS):
        assert f'"{words}"' in strings
    assert questions.EXPIRES.format("${time}") in strings
