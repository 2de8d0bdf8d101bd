"""Widgets in a real JupyterLab and on a page of their own: sizes, time to the first row, search, scrolling, uploads.

Each figure stands beside a limit of ours, and beside what bare anywidget or ipywidgets need for the same in this run.
"""

from __future__ import annotations

import gzip
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.replay import record
from benchmarks.running import ROOT, Samples, echo_server, register
from benchmarks.worker import Service

STATIC = ROOT / "secgemini_jupyter" / "widgets" / "static"
UPLOAD = 100_000_000
SMALL = 9_000_000
"""What still fits into one message of FileUpload: Jupyter's limit is 10 MiB, and more ends the connection."""
UPLOADS = 3
FRAMES = 240
TURNS = 100
REPEATS = 7


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        samples: what was measured; the table shows the median.
        limit: at most this, or at least it where `least`; None is a figure to look at.
        peers: what others needed for the same, in this run.
    """

    name: str
    unit: str
    samples: list[float]
    limit: float | None = None
    least: bool = False
    peers: tuple[tuple[str, list[float]], ...] = ()

    def __str__(self) -> str:
        value = statistics.median(self.samples)
        met = self.limit is None or (value >= self.limit if self.least else value <= self.limit)
        aim = "" if self.limit is None else f" of {self.limit:g} ({value / self.limit:.2f})"
        others = "".join(
            f"; {name} {statistics.median(taken):.3g} ({value / statistics.median(taken):.2f}x)"
            for name, taken in self.peers
        )
        best = (max if self.least or self.unit == "MB/s" else min)(self.samples)
        spread = f", best {best:.3g}" if len(self.samples) > 1 else ""
        mark = "      " if self.limit is None else "ok    " if met else "MISSED"
        return f"  {mark} {self.name}: {value:.3g}{aim} {self.unit}{spread}{others}"


def measure_widgets(*, quick: bool = False) -> dict[str, Samples]:
    """All figures, printed as they come."""
    results: dict[str, Samples] = {}
    print("\nwidgets")

    def take(figures: Iterator[Figure]) -> None:
        for figure in figures:
            print(figure, flush=True)
            sides = ((figure.name, figure.samples), *figure.peers)
            results[figure.name] = {side: [{figure.unit: value} for value in taken] for side, taken in sides}

    take(sizes())
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Without a browser: no Chromium was found.", file=sys.stderr)
        return results
    with browser_and_lab(chromium) as (open_page, lab, service):
        for messages, seconds in ((10_000, 0.3), (100_000, 2.5)):
            if messages > 10_000 and quick:
                continue
            take(pictures(open_page, lab, service, messages, seconds))
        take(uploads(open_page, lab, service))
    return results


def sizes() -> Iterator[Figure]:
    for script in sorted(STATIC.glob("*.js")):
        files = [script.read_bytes(), script.with_suffix(".css").read_bytes()]
        yield Figure(f"{script.stem}, script and style", "kB", [sum(map(len, files)) / 1000], 130)
        yield Figure(f"{script.stem}, gzip", "kB", [sum(len(gzip.compress(file)) for file in files) / 1000], 40)


@contextmanager
def browser_and_lab(chromium: str) -> Iterator[tuple[Callable[[], Any], Any, Service]]:
    from playwright.sync_api import sync_playwright

    from tests.browser.lab_server import serving_lab

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        service = stack.enter_context(echo_server())
        lab = stack.enter_context(serving_lab(Path(folder)))
        playwright = stack.enter_context(sync_playwright())
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        stack.callback(browser.close)

        def open_page() -> Any:
            page = browser.new_page(viewport={"width": 1000, "height": 800})
            page.set_default_timeout(120_000)
            return page

        yield open_page, lab, service


def client_cell(service: Service, session: str) -> str:
    return (
        "from secgemini_jupyter import SecGemini\n"
        f"client = SecGemini({service.key!r}, base_url={service.http!r}, websocket_url={service.ws!r})\n"
        f"session = {session}"
    )


# --- the picture of a session ---

BARE_PICTURE = '''
import anywidget
import traitlets

class Bare(anywidget.AnyWidget):
    """As many bytes as the picture has, and one row on the page."""

    _esm = """export default { render({ model, el }) {
        const row = document.createElement("p");
        row.className = "bare";
        row.textContent = `${model.get("index").byteLength} bytes`;
        el.append(row);
    } }"""
    index = traitlets.Bytes().tag(sync=True)
'''

# Runs one cell, and waits for what it shows to be painted: the frame after the next one begins when it is.
RUN_CELL = """async ([number, selector]) => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = number;
    await jupyterapp.commands.execute("notebook:clear-cell-output");
    const frame = () => new Promise(requestAnimationFrame);
    while (document.querySelector(selector)) await frame();
    await frame();
    const began = performance.now();
    void jupyterapp.commands.execute("notebook:run-cell");
    while (!document.querySelector(selector)) await frame();
    await frame();
    return (performance.now() - began) / 1000;
}"""

# Scrolls a box by two and a half rows a frame; frames a second.
SCROLL = """async ([selector, frames]) => {
    const box = document.querySelector(selector);
    const frame = () => new Promise(requestAnimationFrame);
    box.scrollTop = 0;
    await frame();
    const began = await frame();
    let now = began;
    for (let count = 0; count < frames; count++) {
        box.scrollTop += 60;
        now = await frame();
    }
    return (1000 * frames) / (now - began);
}"""

# Types a search; seconds until the number of hits is told, the pause that waits for more letters included.
SEARCH = """async (words) => {
    const field = document.querySelector(".sg-visualize input[type=search]");
    const count = document.querySelector(".sg-visualize .sg-count");
    const frame = () => new Promise(requestAnimationFrame);
    const type = (text) => {
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const began = performance.now();
    type(words);
    while (!/ of /.test(count.textContent)) await frame();
    const taken = (performance.now() - began) / 1000;
    type("");
    while (/ of /.test(count.textContent)) await frame();
    return taken;
}"""
SEARCH_PAUSE = 0.15

# Shows a built view on the test page: from its data to the frame that shows its first row.
STAGE = """async ([bundle, traits]) => {
    const frame = () => new Promise(requestAnimationFrame);
    const index = stage.bytes(traits.index);
    await frame();
    const began = performance.now();
    void stage.show(bundle, { ...traits, index });
    while (!document.querySelector("[role=treeitem]")) await frame();
    await frame();
    return (performance.now() - began) / 1000;
}"""

ROW = ".sg-visualize [role=treeitem]"
TREE = ".sg-visualize [role=tree]"


def pictures(
    open_page: Callable[[], Any], lab: Any, service: Service, messages: int, seconds: float
) -> Iterator[Figure]:
    name = f"{messages // 1000}k messages"
    session_id = register(service)
    for _ in range(TURNS):
        record(service, session_id, f"[[messages={messages // TURNS} bytes=200]]")
    page = open_page()
    notebook = lab.open(
        page,
        client_cell(service, f"client.resume_session({session_id!r})") + "\nlen(session.messages)",
        "widget = session.visualize()\nwidget",
        BARE_PICTURE + "\nfrom secgemini_jupyter.widgets.pack import pack\npacked = pack(widget._nodes, seq=0)",
        "Bare(index=packed)",
    )
    notebook.run_all()
    ours, bare = [], []
    for _ in range(REPEATS):
        ours.append(page.evaluate(RUN_CELL, [1, ROW]))
        bare.append(page.evaluate(RUN_CELL, [3, ".bare"]))
    yield Figure(f"{name}: run to first row", "s", ours, seconds, peers=(("bare anywidget, same bytes", bare),))
    page.evaluate(RUN_CELL, [1, ROW])
    searches = [page.evaluate(SEARCH, words) - SEARCH_PAUSE for words in ("lorem", "message 7", "99", "no such words")]
    yield Figure(f"{name}: search, after the pause in typing", "s", searches, 0.3)
    page.locator(".sg-visualize").get_by_role("button", name="Open all").click()
    rates = [page.evaluate(SCROLL, [TREE, FRAMES]) for _ in range(3)]
    page.close()

    page = open_page()
    drawn = [stage(page, messages) for _ in range(REPEATS)]
    yield Figure(f"{name}: view alone, data to first row", "s", drawn)
    page.get_by_role("button", name="Open all").click()
    alone = [page.evaluate(SCROLL, [TREE, FRAMES]) for _ in range(3)]
    page.set_content(f"<div id=box style='height: 420px; overflow: auto'><div style='height: {24 * messages}px'></div>")
    empty = [page.evaluate(SCROLL, ["#box", FRAMES]) for _ in range(3)]
    for place, taken in (("in Lab", rates), ("view alone", alone)):
        yield Figure(f"{name}: scrolling, {place}", "frames/s", taken, 55, least=True, peers=(("empty box", empty),))
    page.close()


def stage(page: Any, messages: int) -> float:
    from tests.browser import pictures as made

    made.show(page, made.pack([]))  # the page with its theme and scripts, and nothing in it
    traits = made.traits(made.pack(made.large(messages)))
    page.evaluate("() => { stage.end(); document.querySelector('#widget').replaceChildren(); }")
    taken: float = page.evaluate(STAGE, [(STATIC / "visualize.js").read_text(), traits])
    return taken


# --- uploads ---

BARE_UPLOAD = '''
import anywidget

class Bare(anywidget.AnyWidget):
    """The least that moves a file to the kernel in pieces of 1 MiB, four on their way: no hash, no check."""

    _esm = """export default { render({ model, el }) {
        const input = document.createElement("input");
        input.type = "file";
        input.className = "bare";
        const said = document.createElement("p");
        el.append(input, said);
        let file, offset = 0, open = 0, began = 0;
        const next = async () => {
            while (open < 4 && offset < file.size) {
                open += 1;
                const at = offset;
                offset += 1 << 20;
                const piece = await file.slice(at, at + (1 << 20)).arrayBuffer();
                model.send({ at }, undefined, [new Uint8Array(piece)]);
            }
            if (!open) said.textContent = `seconds ${(performance.now() - began) / 1000}`;
        };
        model.on("msg:custom", () => { open -= 1; void next(); });
        input.onchange = () => { file = input.files[0]; began = performance.now(); void next(); };
    } }"""

    def __init__(self):
        super().__init__()
        self.pieces = {}
        self.on_msg(self.take)

    def take(self, _, content, buffers):
        self.pieces[content["at"]] = bytes(buffers[0])
        self.send({})

bare = Bare()
bare
'''


# Seconds from the choice of a file to the end of each state that its line went through, then to "hash verified".
WATCH_UPLOAD = """() => {
    const box = document.querySelector(".sg-attach");
    window.uploaded = new Promise((resolve) => {
        box.addEventListener("change", () => {
            const began = performance.now();
            const ends = {};
            const look = () => {
                const now = (performance.now() - began) / 1000;
                const state = box.querySelector("[class*=sg-upload-]")?.className.match(/sg-upload-(\\w+)/)?.[1];
                if (state) ends[state] = now;
                const said = box.querySelector("[role=status]").textContent;
                if (/hash verified/.test(said)) resolve({ ...ends, all: now });
                else requestAnimationFrame(look);
            };
            look();
        }, { capture: true });
    });
}"""


def uploads(open_page: Callable[[], Any], lab: Any, service: Service) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "memory.dmp", Path(folder) / "small.dmp"
        large.write_bytes(random.Random(1).randbytes(UPLOAD))
        small.write_bytes(large.read_bytes()[:SMALL])
        ours, hashed, pieces, bare, whole, lost = [], [], [], [], [], 0
        for number in range(UPLOADS):
            page = open_page()
            closed: list[str] = []
            page.on("websocket", lambda socket, closed=closed: socket.on("close", lambda _: closed.append(socket.url)))
            notebook = lab.open(
                page,
                client_cell(service, f"client.create_session('upload {number}')"),
                "from secgemini_jupyter.widgets import AttachWidget\nAttachWidget(session)",
                BARE_UPLOAD,
                "from ipywidgets import FileUpload\nupload = FileUpload()\nupload",
            )
            notebook.run_all()
            page.evaluate(WATCH_UPLOAD)
            page.locator(".sg-attach input[type=file]").set_input_files(large)
            ends = page.evaluate("window.uploaded")
            ours.append(UPLOAD / 1e6 / ends["all"])
            hashed.append(UPLOAD / 1e6 / ends["hashing"])
            pieces.append(UPLOAD / 1e6 / (ends["uploading"] - ends["hashing"]))
            page.locator("input.bare").set_input_files(large)
            said = page.locator("p", has_text="seconds ").inner_text()
            bare.append(UPLOAD / 1e6 / float(said.split()[1]))
            assert notebook.python("print(sum(map(len, bare.pieces.values())), end='')") == str(UPLOAD)

            began = choose(page, small)
            while notebook.python("print(len(upload.value), end='')") != "1":
                page.wait_for_timeout(20)
            whole.append(SMALL / 1e6 / (time.perf_counter() - began))
            notebook.python("upload.value = ()")
            choose(page, large)
            deadline = time.monotonic() + 60
            while not closed and time.monotonic() < deadline:
                page.wait_for_timeout(100)
            lost += bool(closed)
            page.close()
    peers = (("bare pieces, unhashed", bare), (f"FileUpload of {SMALL / 1e6:g} MB", whole))
    yield Figure("100 MB to the service, hashed three times", "MB/s", ours, peers=peers)
    yield Figure("the same, read and hashed in the browser alone", "MB/s", hashed)
    yield Figure("the same, browser to kernel alone", "MB/s", pieces, peers=peers[:1])
    yield Figure("FileUpload of the 100 MB: connections lost, of as many", "", [float(lost)])


def choose(page: Any, file: Path) -> float:
    """Choose a file in FileUpload, whose field is on no page; when it was chosen."""
    with page.expect_file_chooser() as chooser:
        page.locator("button.jupyter-button").click()
    chooser.value.set_files(file)
    return time.perf_counter()
