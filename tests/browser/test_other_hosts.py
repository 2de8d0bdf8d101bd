"""Widgets where JupyterLab is not: in Notebook 7 and in marimo."""

from __future__ import annotations

import hashlib

import pytest

from .test_attach_in_browser import drop
from .test_feedback_in_browser import WIDGET, session_cell, stored_feedback

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_in_notebook_7_a_vote_reaches_the_service(notebook7, local_service):
    notebook = notebook7(session_cell(local_service), WIDGET)
    notebook.run_all()
    widget = notebook.page.locator(".sg-feedback")
    widget.get_by_label("Comment").fill("Found it at once")
    widget.get_by_role("button", name="Helpful", exact=True).click()
    widget.get_by_text("Sent for this session").wait_for()
    session_id = notebook.python("print(session.id, end='')")
    mine = [given for given in stored_feedback(local_service) if given["session_id"] == session_id]
    assert [(given["score"], given["comment"]) for given in mine] == [(1, "Found it at once")]


@pytest.mark.parametrize("shown", ["widget", pytest.param("mo.ui.anywidget(widget)", marks=pytest.mark.slow)])
def test_in_marimo_a_vote_reaches_the_service(marimo, local_service, shown):
    """marimo posts each message of a view by HTTP, and delivers the kernel's from threads that it does not know."""
    notebook = marimo(
        "import marimo as mo",
        session_cell(local_service),
        WIDGET.replace("FeedbackWidget(session)", f"widget = FeedbackWidget(session)\n{shown}"),
    )
    widget = notebook.page.locator(".sg-feedback")
    widget.get_by_label("Comment").fill("Found it at once")
    widget.get_by_role("button", name="Helpful", exact=True).click()
    widget.get_by_text("Sent for this session").wait_for()
    session_id = notebook.python("print(session.id, end='')")
    mine = [given for given in stored_feedback(local_service) if given["session_id"] == session_id]
    assert [(given["score"], given["comment"]) for given in mine] == [(1, "Found it at once")]
    assert notebook.python("print([item['text'] for item in widget.sent], end='')") == "['Found it at once']"


@pytest.mark.slow
def test_in_marimo_sessions_are_browsed_and_the_line_that_opens_one_is_told(marimo, local_service):
    """marimo shows no widget within another."""
    notebook = marimo(
        session_cell(local_service),
        "from secgemini_jupyter.kernel import KernelSession\nkernel = KernelSession()\nkernel._client = client",
        "from secgemini_jupyter.widgets import SessionsWidget\nbrowser = SessionsWidget(kernel)\nbrowser",
    )
    widget = notebook.page.locator(".sg-sessions")
    widget.wait_for()
    session_id = notebook.python("print(session.id, end='')")
    widget.get_by_label("Search").fill(session_id)
    widget.locator("tbody tr").click()
    widget.get_by_role("button", name="Extend").click()
    widget.get_by_role("button", name="7 days").click()
    widget.get_by_text("triage now lives until").wait_for()
    assert notebook.python("print(browser.selected == session.id, end='')") == "True"
    widget.get_by_role("button", name="Open").click()
    widget.get_by_text(f"SecGemini().resume_session('{session_id}').visualize()").wait_for()
    widget.get_by_role("button", name="Close").click()
    widget.locator(".sg-sessions-opened").wait_for(state="detached")
    widget.get_by_role("button", name="Delete").click()
    widget.get_by_role("button", name="Delete for good").click()
    widget.get_by_text("Deleted triage with 1 turn and 0 files.").wait_for()


def test_in_notebook_7_keys_belong_to_the_widget_that_has_the_focus(notebook7, local_service):
    """There `b` inserts a cell, `x` cuts it, an arrow goes to the next one."""
    shown = "import ipywidgets\nipywidgets.VBox([session.visualize(), session.attach(), session.chat()])"
    notebook = notebook7(session_cell(local_service), shown)
    notebook.run_all()
    page = notebook.page
    chosen = page.get_by_role("treeitem", selected=True)
    tree = page.locator(".sg-visualize").get_by_role("tree")
    tree.focus()
    page.keyboard.press("Home")
    chosen.filter(has_text="1 › ").wait_for()
    page.keyboard.press("ArrowDown")
    chosen.filter(has_text="1 › ").wait_for(state="detached")
    for focused in (
        tree,
        page.get_by_role("slider"),
        page.get_by_role("button", name="Close all"),
        page.locator(".sg-attach").get_by_role("button").first,
        page.locator(".sg-chat").get_by_role("button").first,
        page.locator(".sg-chat").get_by_role("log"),
    ):
        focused.focus()
        for key in "abx":
            page.keyboard.press(key)
        assert focused.evaluate("e => e === document.activeElement")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2


EVIDENCE = ["evidence.bin", 9 * 2**20 + 5]
ATTACHED = "print([(f.name, f.size, f.sha256) for f in session.files], [f['verified'] for f in widget.files], end='')"


def check_the_evidence(notebook):
    """Ten pieces in whatever order the host delivers them; then away by a click."""
    widget = notebook.page.locator(".sg-attach")
    widget.get_by_text("up to 105 MB each").wait_for()
    drop(widget, EVIDENCE, ["empty.log", ""])
    widget.get_by_role("button", name="Detach empty.log").wait_for()
    name, size = EVIDENCE
    here = [(name, size, hashlib.sha256(b"A" * size).hexdigest()), ("empty.log", 0, hashlib.sha256().hexdigest())]
    assert notebook.python(ATTACHED) == f"{here} [True, True]"
    widget.get_by_role("button", name="Detach evidence.bin").click()
    widget.get_by_text("evidence.bin is detached").wait_for()
    assert notebook.python(ATTACHED) == f"{here[1:]} [True]"


def test_in_notebook_7_a_dropped_file_is_in_the_session(notebook7, local_service):
    notebook = notebook7(session_cell(local_service), "widget = session.attach()\nwidget")
    notebook.run_all()
    check_the_evidence(notebook)


@pytest.mark.parametrize("shown", ["widget", pytest.param("mo.ui.anywidget(widget)", marks=pytest.mark.slow)])
def test_in_marimo_a_dropped_file_is_in_the_session(marimo, local_service, shown):
    check_the_evidence(
        marimo("import marimo as mo", session_cell(local_service), f"widget = session.attach()\n{shown}")
    )


def check_the_picture(notebook):
    """Search, choose, read the choice as a table; then a turn that was asked elsewhere."""
    widget = notebook.page.locator(".sg-visualize")
    tree = widget.get_by_role("tree")
    tree.wait_for()
    widget.get_by_label("Search in messages").fill("WHO LOGGED")
    tree.locator("mark").first.wait_for()
    tree.get_by_role("treeitem").filter(has_text="Who logged in?").last.click()
    widget.get_by_role("region", name="Message").get_by_text("SHA-256").first.wait_for(state="attached")
    for _ in range(100):
        if (chosen := notebook.python("print(len(widget.selection), end='')")) != "0":
            break
        notebook.page.wait_for_timeout(50)
    assert chosen == "1"
    assert "Who logged in?" in notebook.python("print(widget.selection.content.iloc[0], end='')")
    widget.get_by_role("button", name="Clear", exact=True).first.click()
    notebook.python("answer = session.query('Anything else?')")
    tree.get_by_role("treeitem").filter(has_text="2 › Anything else?").wait_for()


def test_in_notebook_7_a_picture_is_searched_and_its_selection_is_a_table(notebook7, local_service):
    notebook = notebook7(session_cell(local_service), "widget = session.visualize()\nwidget")
    notebook.run_all()
    check_the_picture(notebook)


@pytest.mark.parametrize("shown", ["widget", pytest.param("mo.ui.anywidget(widget)", marks=pytest.mark.slow)])
def test_in_marimo_a_picture_is_searched_and_its_selection_is_a_table(marimo, local_service, shown):
    cell = f"widget = session.visualize()\n{shown}"
    check_the_picture(marimo("import marimo as mo", session_cell(local_service), cell))


PROBE = '''
import hashlib
import msgspec
import traitlets
from secgemini_jupyter.widgets.base import SecGeminiWidget
from secgemini_jupyter.widgets.feed import Event, Feed
from secgemini_jupyter.widgets.rpc import Method, Reply, Rpc

class Put(msgspec.Struct, forbid_unknown_fields=True):
    offset: int

class Probe(SecGeminiWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const said = document.createElement("p");
        said.className = "probe";
        el.append(said);
        let replies = 0, bytes = 0, events = 0, first = 0;
        const show = () => {
          said.textContent = `${replies} replies, ${bytes} bytes, ${events} event of ${first}, ${model.get("label")}`;
        };
        model.on("msg:custom", (content, buffers) => {
          if (content.kind === "secgemini-reply") {
            replies += 1;
            bytes += buffers[0].byteLength;
          } else if (content.kind === "secgemini-event") {
            events += 1;
            first = new DataView(buffers[0].buffer, buffers[0].byteOffset).getUint8(0);
          }
          show();
        });
        model.on("change:label", show);
        for (let offset = 0; offset < 4; offset++) {
          const chunk = new Uint8Array(1 << 20).fill(offset + 1);
          const uuid = `${offset}`.repeat(32);
          model.send({ kind: "secgemini-request", uuid, method: "put", params: { offset } }, undefined, [chunk]);
        }
        const press = document.createElement("button");
        press.textContent = "Select";
        press.onclick = () => {
          model.set("selected", [3, 4]);
          model.set("label", "forged");
          model.save_changes();
        };
        el.append(press);
        show();
      },
    };
    """
    _from_browser = {"selected": list[int]}
    selected = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("genuine").tag(sync=True)

    def __init__(self):
        super().__init__()
        self.chunks = {}
        self.rpc = Rpc(self, {"put": Method(Put, self.put, buffer_limit=1 << 20)})
        self.feed = Feed(self, lambda: Event({}, [bytes([7]) * 1000]))

    def put(self, request, buffers):
        (chunk,) = buffers
        self.chunks[request.offset] = hashlib.sha256(chunk).hexdigest()[:8]
        return Reply(None, [memoryview(bytes(1000))])

    def _fallback(self):
        return "", ""
'''.strip()


def check_the_wire(notebook):
    """Four requests of 1 MiB each at once, their binary replies, an event with a buffer, a trait each way."""
    said = notebook.page.locator(".probe")
    said.filter(has_text="4 replies, 4000 bytes").wait_for()
    assert notebook.python("print(sorted(widget.chunks), len(set(widget.chunks.values())), end='')") == "[0, 1, 2, 3] 4"
    notebook.python("widget.feed.wake()")
    said.filter(has_text="1 event of 7").wait_for()
    notebook.python("widget.label = 'changed'")
    said.filter(has_text="changed").wait_for()
    notebook.page.get_by_role("button", name="Select").click()


UNTIL_SELECTED = """
import time
deadline = time.monotonic() + 20
while not widget.selected and time.monotonic() < deadline:
    time.sleep(0.05)
print(widget.selected, widget.label, end="")
"""


def test_in_notebook_7_buffers_events_and_traits_travel(notebook7):
    notebook = notebook7(PROBE, "widget = Probe()\nwidget")
    notebook.run_all()
    check_the_wire(notebook)
    assert notebook.python(UNTIL_SELECTED) == "[3, 4] changed"


def test_in_marimo_buffers_events_and_traits_travel(marimo):
    """Cells that read a trait run again when the view sets it, if the widget is shown by `mo.ui.anywidget`."""
    notebook = marimo(
        "import marimo as mo",
        PROBE,
        "widget = Probe()",
        "shown = mo.ui.anywidget(widget)\nshown",
        "f'selected: {shown.selected}'",
    )
    check_the_wire(notebook)
    notebook.output(4).get_by_text("selected: [3, 4]").wait_for()
    assert notebook.python("print(widget.selected, widget.label, end='')") == "[3, 4] changed"


def search_and_select(page):
    """Search the picture, and select what was found."""
    picture = page.locator(".sg-visualize")
    picture.get_by_role("searchbox").fill("logged in")
    picture.get_by_role("status").filter(has_text=" of ").first.wait_for()
    picture.get_by_role("treeitem").filter(has_text="Who logged in").first.click()
    return picture


CONTENT = "print(list(widget.selection.message_type[:1]), list(widget.selection.content[:1]), end='')"
SELECTED = "['query'] ['Who logged in?']"


def test_in_notebook_7_what_is_selected_in_the_picture_is_a_frame(notebook7, local_service):
    notebook = notebook7(session_cell(local_service), "widget = session.visualize()\nwidget")
    notebook.run_all()
    search_and_select(notebook.page).locator("article").get_by_text("Who logged in?").first.wait_for()
    notebook.python(UNTIL_SELECTED.replace(", widget.label", ""))
    assert notebook.python(CONTENT) == SELECTED


def test_in_marimo_a_selection_runs_the_cells_that_read_it(marimo, local_service):
    notebook = marimo(
        "import marimo as mo",
        session_cell(local_service),
        "widget = session.visualize()",
        "picture = mo.ui.anywidget(widget)\npicture",
        "'first: ' + picture.selection.content.iloc[0] if picture.selected else 'none'",
    )
    notebook.output(4).get_by_text("none").wait_for()
    search_and_select(notebook.page).locator("article").get_by_text("Who logged in?").first.wait_for()
    notebook.output(4).get_by_text("first: Who logged in?").wait_for()
    assert notebook.python(CONTENT) == SELECTED
