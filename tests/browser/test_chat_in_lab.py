"""The chat in a real JupyterLab: stop, approval, a cell beside it, a busy kernel, and what the saved notebook holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nbconvert import HTMLExporter, MarkdownExporter

pytestmark = pytest.mark.browser

KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
LOAD = """%load_ext secgemini_jupyter
from secgemini_jupyter import chat, current_session
%secgemini new --model local-echo"""
TOOL = """from secgemini_jupyter import secgemini_tool
ran = []
@secgemini_tool(approval="ask")
def lookup(name: str) -> str:
    "Look a name up."
    ran.append(name)
    return "172.16.1.141"
"""
SLOW = "[[messages=400 bytes=20]] [[delay=0.05]] never said"


@pytest.fixture(scope="module", autouse=True)
def end_the_local_service(lab_server: Any) -> Iterator[None]:
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(lab_server.root.parent / "runtime"))
        from secgemini_jupyter import embedded

        embedded.stop()


class Chat:
    """A chat that is shown in Lab, used as a person does it."""

    def __init__(self, notebook: Any) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = notebook.page.locator(".sg-chat")
        self.field = self.root.get_by_role("textbox", name="Prompt")
        self.turns = self.root.locator("article")

    def answer(self, index: int) -> Any:
        return self.turns.nth(index).locator(".sg-turn-answer")

    def ask(self, prompt: str) -> None:
        self.field.fill(prompt)
        self.field.press("Enter")

    def says(self, words: str) -> None:
        self.root.get_by_role("status").filter(has_text=words).wait_for()

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).last.click()


def opened(lab: Callable[..., Any], *cells: str) -> Chat:
    notebook = lab(LOAD, *cells)
    notebook.run_all()
    chat = Chat(notebook)
    chat.root.wait_for()
    return chat


def test_an_answer_is_stopped_in_the_middle_and_all_of_it_is_in_history_and_notebook(lab: Any, browser: Any) -> None:
    chat = opened(lab, "talk = chat()\ntalk")
    chat.ask("Who <b>logged</b> in?")
    chat.says("Answer complete")
    chat.ask("[[partial]] [[delay=0.1]] " + "one two three four five six seven eight nine ten " * 20)
    chat.answer(1).get_by_text("one two three").wait_for()
    chat.press("Stop")
    chat.says("Stopped")
    stopped = chat.turns.nth(1)
    assert "Interrupted: stopped here" in stopped.inner_text()
    assert "one two three" in chat.answer(1).inner_text()
    assert chat.notebook.python("print(talk.state, [turn['status'] for turn in talk.turns])") == (
        "idle ['ok', 'interrupted']\n"
    )
    prompts = "frame = current_session().history()\nprint(*frame.content[frame.message_type == 'query'], sep='|')"
    assert chat.notebook.python(prompts).startswith("Who <b>logged</b> in?|[[partial]]")

    saved = chat.root.page.locator(".jp-OutputArea-output", has_text="saved with this notebook (2 turns)")
    saved.wait_for()
    document = chat.notebook.save()
    live, kept = document.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in live.data
    assert set(kept.data) == {"text/html", "text/plain"}
    assert "one two three" in kept.data["text/plain"]
    assert "You: Who <b>logged</b> in?" in kept.data["text/plain"]
    assert "one two three" in MarkdownExporter().from_notebook_node(document)[0]

    page = browser.new_page()
    page.route("**/*", lambda route: route.abort())
    page.set_content(HTMLExporter().from_notebook_node(document)[0])
    page.get_by_text("saved with this notebook (2 turns)").click()
    assert page.get_by_text("Interrupted: stopped here").is_visible()
    assert page.locator("summary", has_text="Who <b>logged</b> in?").is_visible()
    page.close()


def test_a_tool_runs_only_when_it_is_approved_with_the_arguments_that_were_shown(lab: Any) -> None:
    chat = opened(lab, TOOL, "talk = chat(tools=[lookup])\ntalk")
    chat.ask('[[call lookup {"name": "first.example"}]]')
    question = chat.root.locator(".sg-question")
    question.wait_for()
    assert "lookup" in question.inner_text()
    assert '"first.example"' in question.inner_text()
    assert chat.notebook.python("print(talk.state, ran)") == "waiting for approval []\n"
    chat.press("Deny")
    chat.says("Answer complete")
    assert "did not approve" in chat.turns.nth(0).inner_text()
    chat.ask('[[call lookup {"name": "second.example"}]]')
    question.wait_for()
    chat.press("Approve")
    chat.says("Answer complete")
    assert "172[.]16[.]1[.]141" in chat.turns.nth(1).inner_text()
    assert chat.notebook.python("print(ran, talk.approvals)") == "['second.example'] []\n"


def test_a_cell_s_prompt_appears_and_its_approval_is_asked_here(lab: Any) -> None:
    chat = opened(lab, TOOL, "talk = chat(tools=[lookup])\ntalk", "#md later")
    page = chat.page
    page.evaluate(
        """(source) => {
            const panel = jupyterapp.shell.currentWidget;
            const model = panel.content.model.sharedModel;
            model.insertCell(4, { cell_type: "code", source });
            panel.content.activeCellIndex = 4;
            window.ran = jupyterapp.commands.execute("notebook:run-cell");
        }""",
        '%%secgemini\n[[call lookup {"name": "from.a.cell"}]] [[delay=0.1]]',
    )
    chat.turns.nth(0).wait_for()
    chat.root.get_by_role("button", name="Approve").click()
    page.evaluate("() => window.ran")
    assert chat.notebook.python("print(ran)") == "['from.a.cell']\n"
    chat.answer(0).get_by_text("turn 1").wait_for()
    assert "from.a.cell" in chat.turns.nth(0).inner_text()
    assert chat.turns.count() == 1


def test_a_turn_goes_on_while_a_cell_keeps_the_kernel_busy(lab: Any) -> None:
    chat = opened(lab, "talk = chat()\ntalk", "import time")
    chat.ask("warm up")
    chat.says("Answer complete")
    page = chat.page
    page.evaluate(
        f"""() => {{
            const code = "import time; time.sleep(6)";
            window.busy = true;
            {KERNEL}.requestExecute({{ code, store_history: false }}).done.then(() => {{ window.busy = false; }});
        }}"""
    )
    page.wait_for_function(f"{KERNEL}.status === 'busy'")
    chat.ask("[[messages=10 bytes=20]] [[delay=0.05]] said while it was busy")
    chat.says("Answer complete")
    chat.answer(1).get_by_text("said while it was busy").wait_for()
    assert page.evaluate("window.busy"), "the cell still runs"


def test_a_page_that_is_loaded_anew_shows_the_conversation_and_goes_on(lab: Any) -> None:
    chat = opened(lab, "talk = chat()\ntalk")
    chat.ask("before")
    chat.says("Answer complete")
    chat.notebook.save()
    chat.page.reload()
    chat.page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    chat.root.wait_for()
    chat.answer(0).get_by_text("before").wait_for()
    chat.ask("after")
    chat.answer(1).get_by_text("turn 2").wait_for()
    # Lab gives a page that was loaded anew no update of an output: the chat says so, and its cell mends it.
    chat.root.get_by_text("run the chat in a cell again").wait_for()
    chat.page.evaluate(
        """() => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
            return jupyterapp.commands.execute("notebook:run-cell");
        }"""
    )
    chat.page.locator(".jp-OutputArea-output", has_text="saved with this notebook (2 turns)").wait_for()
    assert chat.root.get_by_text("run the chat in a cell again").count() == 0


@pytest.mark.slow
def test_it_sits_in_a_box_and_its_traits_can_be_observed(lab: Any) -> None:
    cell = (
        "import ipywidgets\ntalk = chat()\nlabel = ipywidgets.Label()\n"
        "ipywidgets.dlink((talk, 'state'), (label, 'value'))\n"
        "seen = []\ntalk.observe(lambda change: seen.append(change.new), 'state')\n"
        "talk.layout.width = '500px'\nipywidgets.Tab([ipywidgets.VBox([talk, label])])"
    )
    chat = opened(lab, cell)
    chat.ask("hello")
    chat.says("Answer complete")
    assert chat.root.bounding_box()["width"] == 500
    assert chat.notebook.python("print(seen, label.value)") == "['running', 'idle'] idle\n"
