"""What a cell shows while it runs and after, wherever the ask stands: options, loops, widgets, other output."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from .conftest import Kernel

pytestmark = pytest.mark.kernel

SLOW = "[[partial]] [[messages=14 bytes=20]] [[delay=0.05]]"
LONG = "print('before')\ntext = '\\n\\n'.join(f'paragraph {n} ' + 'word ' * 60 for n in range(150))\n"


def test_options_say_how_much_of_thinking_and_tools_is_shown(kernel: Kernel) -> None:
    said = {}
    for show in ("none", "summary", "full"):
        ran = kernel.run(f"%%secgemini --show {show}\n[[messages=3]] hello")
        assert ran.status == "ok", ran.error
        said[show] = "Thinking and tools" in ran.html[0]
    assert said == {"none": False, "summary": True, "full": True}
    kernel.run("%config SecGeminiMagics.show = 'none'")
    assert "Thinking and tools" not in kernel.run("%%secgemini\n[[messages=3]] hello").html[0]
    assert "Thinking and tools" in kernel.run("%%secgemini --show summary\n[[messages=3]] hello").html[0]
    ran = kernel.run("%%secgemini --show all\nhello")
    assert "'all' is not known" in ran.text + ran.error


def test_indicators_are_defanged_unless_a_cell_or_the_user_says_so(kernel: Kernel) -> None:
    cell = "%%secgemini {} -o found\nevil.com and http://10.0.0.1/x"
    (output,) = kernel.run(cell.format("")).outputs
    assert "hxxp://10[.]0[.]0[.]1/x" in output["data"]["text/plain"]
    (output,) = kernel.run(cell.format("--no-defang")).outputs
    assert "evil.com and http://10.0.0.1/x" in output["data"]["text/plain"]
    assert "evil[.]com" not in output["data"]["text/html"]
    kernel.run("%config SecGeminiMagics.defang = False")
    assert "evil.com and" in kernel.run(cell.format("")).outputs[0]["data"]["text/plain"]
    assert "evil[.]com and" in kernel.run(cell.format("--defang")).outputs[0]["data"]["text/plain"]
    assert kernel.value("found.answer") == "evil.com and http://10.0.0.1/x"


def test_a_projects_file_may_switch_defanging_on_but_never_off(kernel: Kernel) -> None:
    folder = Path(kernel.value("__import__('os').getcwd()"))
    file = folder / "pyproject.toml"
    try:
        file.write_text("[tool.secgemini]\nshow = 'none'\ndefang = true\n")
        ran = kernel.run("%%secgemini -o found\n[[messages=3]] evil.com")
        assert "Thinking" not in ran.html[0]
        assert "evil[.]com" in ran.outputs[0]["data"]["text/plain"]
        file.write_text("[tool.secgemini]\ndefang = false\n")
        ran = kernel.run("%%secgemini\nevil.com")
        assert "sets defang to False: ignored" in ran.text
        assert "evil[.]com" in ran.outputs[-1]["data"]["text/plain"]
    finally:
        file.unlink()


def test_the_footer_says_where_feedback_goes_if_somebody_is_there(kernel: Kernel) -> None:
    hint = "rate it: %secgemini feedback up|down"
    assert hint in kernel.run("%%secgemini\nhello", attended=True).html[0]
    assert hint not in kernel.run("%%secgemini\nhello").html[0]
    assert hint not in kernel.run("%%secgemini\n[[error 500]]", attended=True).text


def test_what_others_show_in_the_cell_is_never_cleared(kernel: Kernel) -> None:
    """A warning before the answer, a thread's print while it streams: the cell keeps both, and one answer."""
    ran = kernel.run(f"%%secgemini -o found\n{SLOW} what is {{{{missing}}}}?")
    assert ran.status == "ok"
    assert "missing" in ran.outputs[0]["text"], "the warning"
    assert len(ran.html) == 1
    assert len(ran.outputs) == 2, "and none that is empty"
    kernel.run(
        "import threading\n"
        "def chat():\n"
        "    while not stop.wait(0.05): print('from a thread', flush=True)\n"
        "stop = threading.Event()\nthread = threading.Thread(target=chat)\n"
    )
    kernel.run("thread.start()")
    ran = kernel.run(f"%%secgemini\n{SLOW} streamed")
    kernel.run("stop.set(); thread.join()")
    if kernel.value("__import__('ipykernel').version_info[:2]") >= (7, 1):
        assert "from a thread" in ran.text  # before, a thread writes to the cell that began it
    assert [("streamed" in html) for html in ran.html] == [True]


def test_one_output_each_in_loops_functions_and_after_other_output(kernel: Kernel) -> None:
    cell = LONG + (
        "def ask(words): return get_ipython().run_cell_magic('secgemini', '-q' if words == 'quiet' else '', words)\n"
        "for n in range(2): ask(f'{n} [[partial]] [[delay=0.0005]] ' + text)\n"
        "ask('quiet')\nprint('after')\n"
        "answer = %secgemini ask the last one\n"
    )
    ran = kernel.run(cell, timeout=60)
    assert ran.status == "ok", ran.error
    kinds = ["html" if "text/html" in output.get("data", {}) else output.get("text") for output in ran.outputs]
    assert kinds == ["before\n", "html", "html", "after\n", "html"]
    assert all("paragraph 149" in html for html in ran.html[:2])
    assert ran.updates >= 2


def test_an_await_in_the_cell_changes_nothing(kernel: Kernel) -> None:
    ran = kernel.run(
        "import asyncio\nawait asyncio.sleep(0)\n"
        f"answer = get_ipython().run_line_magic('secgemini', 'ask {SLOW} streamed')\n"
        "await asyncio.sleep(0)\nprint(answer.status)"
    )
    assert ran.status == "ok", ran.error
    assert len(ran.html) == 1
    assert ran.text.rstrip().endswith("ok")


def test_in_an_output_widget_the_answer_comes_once(kernel: Kernel) -> None:
    """Such a widget keeps what is displayed, and takes no updates: the first output would stay."""
    ran = kernel.run(
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n"
        f"    answer = get_ipython().run_cell_magic('secgemini', '', '{SLOW} streamed')\n"
    )
    assert ran.status == "ok", ran.error
    assert ran.updates == 0
    assert [("streamed" in html) for html in ran.html] == [True]
    assert kernel.run(f"%%secgemini\n{SLOW} outside").updates > 0


def test_the_clock_moves_while_nothing_comes(kernel: Kernel) -> None:
    request = kernel.start("%%secgemini\n[[messages=2]] [[delay=1.2]] late")
    seen = []
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message["content"]["data"].get("text/plain", ""))
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    kernel.reply(request)
    assert any(" · 1 s" in each for each in seen)
    assert "■ in the toolbar stops" in seen[0]
    assert "late" in seen[-1]


def test_what_an_earlier_turn_holds_up_says_so(kernel: Kernel) -> None:
    request = kernel.start("%%secgemini\n[[messages=30]] [[delay=0.05]] first")
    kernel.wait_for_output(request)
    kernel.interrupt()
    kernel.finish(request)
    request = kernel.start("%%secgemini\nsecond")
    seen = []
    while True:
        message = kernel.client.get_iopub_msg(timeout=20)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message["content"]["data"].get("text/plain", ""))
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    kernel.reply(request)
    assert any("to end the turn before" in each for each in seen), seen
    assert "second" in seen[-1]


def test_a_terminal_tells_steps_as_it_is_told(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    def run(options: str) -> str:
        capsys.readouterr()
        shell.run_cell(f"%%secgemini {options}\n[[messages=3]] look at evil.com").raise_error()
        return capsys.readouterr().out

    assert "thought" in run("")
    assert "thought" not in run("--show none")
    assert "evil[.]com" in run("")
    assert "look at evil.com" in run("--no-defang")
