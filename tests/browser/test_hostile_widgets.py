"""What nobody must be able to say to a widget: hostile text in every trait and every reply, in a real browser.

The kernel's `render/` cleans what it sends. The views are shown here what it would never send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nbconvert import HTMLExporter

from secgemini_jupyter import widgets

from . import pictures
from .conftest import STATIC, THEMES

pytestmark = pytest.mark.browser

HOSTILE = {
    "a script": "zqx<script>ran('script')</script>",
    "handlers": "zqx<img src=x onerror=ran('img')><svg onload=ran('svg')><details open ontoggle=ran('toggle')>",
    "frames and forms": "zqx<iframe srcdoc='<script>top.ran(1)</script>'></iframe><form action=//evil.example><button>",
    "addresses": "zqx[x](javascript:ran('md'))<a href=\"javascript:ran('a')\">x</a> javascript:ran('bare')",
    "style": "zqx<style>@import '//evil.example/i'; *{background:url(//evil.example/u)}</style>;url(//evil.example/v)",
    "a style's value": "zqx red;position:fixed;inset:0;background:url(//evil.example/w)",
    "images": "zqx<img src=//evil.example/1.png>![x](http://evil.example/2.png)<img srcset=//evil.example/3.png>",
    "a data address": "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='ran(1)'/> zqx",
    "closing tags": "zqx--></script></style></textarea></title></svg>]]><script>ran('closed')</script>",
    "templates": "zqx{{constructor.constructor('ran(1)')()}}${ran('js')}<%= ran('erb') %>{% raw %}#{ran('ruby')}",
    "names of properties": "zqx __proto__ constructor toString",
    "right to left": "zqx\u202egnp.exe\u202c\u2066\u2067\u2068\u200f" + "\u202e" * 50,
    "zero width": "zqx" + "\u200b\u200d\ufeff\u2060" * 200,
    "piles": "zqx" + "Z\u0315\u0334\u0321\u0338" * 100 + "\u0301" * 2000,
    "controls": "zqx\x00\x07\x1b[2J\x1b]52;c;aGk=\x07\x85\u2028\u2029",
    "half an emoji": "zqx\ud83d \udc00",
    "many lines": "zqx" + "\n" * 5_000 + "end",
    "a wide line": "zqx" + "W" * 100_000,
    "nested levels": "zqx" + "<div>" * 3_000 + "[" * 3_000 + "> " * 3_000,
}  # fmt: skip
HUGE = ("many lines", "a wide line", "nested levels")
HOSTILE["all at once"] = " ".join(text for what, text in HOSTILE.items() if what not in HUGE)
ALWAYS = ("all at once", "a script", "handlers", "controls", "a wide line")
"""What `make test` takes; each of the others by itself, which says more when it fails, is for `make slow`."""


@dataclass(frozen=True)
class Case:
    """A widget whose every text is hostile.

    Attributes:
        traits: its state, with this text in every field.
        answers: what the kernel answers to each call: `{"result": …}` and perhaps `"buffers"`, as lists of bytes.
        drive: uses the widget, so that everything is shown.
    """

    traits: Callable[[str], dict[str, Any]]
    drive: Callable[[Any], None]
    answers: Callable[[str], dict[str, dict[str, Any]]] = lambda text: {}


def feedback_traits(text: str, **more: Any) -> dict[str, Any]:
    whole, text = text, text[:60_000]  # one megabyte is enough in a comment
    sent = [{"kind": kind, "score": 1, "text": text, "sent_at": text} for kind in ("feedback", "bug", text)]
    sent[0]["text"] = whole
    kept = {"session_id": text, "session_name": text, "label": text, "sent": sent}
    return kept | {"score": None, "state": "idle", "compact": False} | more


def rate_and_report(widget: Any) -> None:
    widget.get_by_role("button", name="Helpful", exact=True).click()
    widget.get_by_role("status").filter(has_not_text="Sending").wait_for()
    widget.get_by_role("button", name="Report a bug").click()
    widget.locator("textarea").fill("lost row")
    widget.get_by_role("button", name="Send report").click()
    widget.get_by_role("status").filter(has_not_text="Sending").wait_for()


def picture_traits(text: str) -> dict[str, Any]:
    return {"session_id": text, "session_name": text, "index": [], "selected": [], "running": True, "embedded": {}}


def picture_answers(text: str) -> dict[str, dict[str, Any]]:
    whole, text = text, text[:5000]  # a megabyte in every field would be a gigabyte: the whole stands in two
    names = {"type": text, "actor": text, "role": text, "state": text}
    lines = [pictures.Node(whole, pictures.TURN, **names, below=[pictures.Node(text, flags=31, time=1e9, **names)] * 2)]
    table = {"kind": "table", "title": text, "columns": [text] * 3, "rows": [[text] * 3] * 2, "numeric": [True, False],
             "more": 1}  # fmt: skip
    event = {"label": text, "group": text, "start": 1e9, "end": 2e9}
    node = {"id": text, "label": text, "type": text}
    parts = [
        {"kind": "html", "html": text},
        {"kind": "html", "html": f"<p>{whole}"},
        table,
        {"kind": "timeline", "title": text, "events": [event, {**event, "end": None}], "table": table},
        {"kind": "graph", "title": text, "nodes": [node, node], "edges": [{"source": 0, "target": 1, "label": text}],
         "table": table},
    ]  # fmt: skip
    details = [
        {"message": n, "heading": text, "title": text, "facts": [[text, text]] * 6, "parts": parts} for n in range(3)
    ]
    return {
        "read_index": {"result": {"seq": 0}, "buffers": [list(pictures.pack(lines))]},
        "read": {"result": {"details": details}},
        "search": {"result": {"count": 1}, "buffers": [[1, 0, 0, 0]]},
        "copy": {"result": {"text": text, "is_cut": False}},
    }


def look_at_everything(widget: Any) -> None:
    widget.get_by_text("zqx").or_(widget.get_by_role("treeitem")).first.wait_for()
    if widget.get_by_role("treeitem").count() == 0:
        return  # the kernel answered nothing, and that is told
    widget.get_by_role("searchbox").fill("zqx")
    widget.get_by_role("status").filter(has_text="1 of 3").first.wait_for()
    widget.get_by_role("button", name="Clear", exact=True).click()
    widget.get_by_role("button", name="Open all").click()
    for line in range(3):
        widget.get_by_role("treeitem").nth(line).click()
    widget.locator("article").wait_for()
    for summary in widget.locator("summary").all():
        summary.dispatch_event("click")
    widget.get_by_role("slider").hover()


def open_strip_and_rate(widget: Any) -> None:
    widget.get_by_role("button", name="Comment or bug").click()
    widget.get_by_role("button", name="Helpful", exact=True).click()
    widget.get_by_role("status").filter(has_not_text="Sending").wait_for()


def attach_traits(text: str) -> dict[str, Any]:
    whole, text = text, text[:60_000]  # one megabyte is enough in a file's name
    file = {"size": -1e300, "sha256": text, "mime_type": text, "content_type_label": text}
    return {
        "session_id": text,
        "session_name": text,
        "destination": text,
        "retained": True,
        "max_bytes": 1e9,
        "files": [{**file, "name": whole, "verified": True}, {**file, "name": text, "verified": False}],
        "state": text,
        "deleted": False,
    }


def attach_copy_detach(widget: Any) -> None:
    name = "zqx<img src=x onerror=ran(1)>\u202egnp.exe"
    file = {"name": name, "mimeType": "text/<script>ran(2)</script>", "buffer": b"evidence"}
    widget.locator("input[type=file]").set_input_files(file)
    widget.locator(".sg-file-words").first.wait_for()
    widget.locator("button.sg-file-hash").first.click()
    widget.locator(".sg-file-row .sg-cross").first.click()
    widget.get_by_role("status").filter(has_not_text="Detaching").wait_for()


def chat_traits(text: str) -> dict[str, Any]:
    whole, text = text, text[:60_000]  # one megabyte is enough in a prompt and in an answer

    def turn(key: str, status: str) -> dict[str, Any]:
        kept = {"key": key, "index": 1, "prompt": text, "html": text, "status": status, "group": text}
        kept |= {"a": {"prompt": whole}, "b": {"html": whole}}.get(key, {})
        return kept | {"rating": 1, "stoppable": True}

    question = {"name": text, "arguments": [[text, text]] * 2, "session": text, "expires_at": 1.7e9}
    return {
        "state": "waiting for approval",
        "session_id": "s1",
        "session_name": text,
        "sessions": [{"id": "s1", "name": text}, {"id": text, "name": text}],
        "turns": [turn("a", "ok"), turn("b", "error"), turn("c", "interrupted"), turn("d", "running")],
        "earlier": 3,
        "destination": text,
        "retained": False,
        "approvals": [{"id": kind, "kind": kind, **question} for kind in ("tool", "confirmation")],
        "files": attach_traits(text)["files"],
        "max_bytes": 100_000_000,
    }


def list_rate_approve(widget: Any) -> None:
    widget.locator(".sg-chat-session").click()
    widget.locator(".sg-chat-sessions li button").last.click()
    widget.locator(".sg-turn-thumb").first.click()
    widget.get_by_role("button", name="Approve").first.click()
    widget.get_by_label("Prompt").fill("Who logged in?")
    widget.get_by_role("button", name="Stop").click()


def sessions_traits(text: str) -> dict[str, Any]:
    whole, text = text, text[:60_000]
    words = ("name", "description", "created_at", "updated_at", "expires_at")
    counts = {"turns": 3, "messages": 41, "files": 2, "retained": True, "current": True}
    listed = [dict.fromkeys(words, text) | counts | {"session_id": id_} for id_ in (text, "s2")]
    listed[1]["description"] = whole
    return {
        "sessions": listed,
        "selected": text,
        "opened": f"IPY_MODEL_{text}",
        "opened_id": text,
        "state": "idle",
        "total": 2,
        "listed_at": text,
        "destination": text,
    }


def extend_open_delete(widget: Any) -> None:
    for steps in (["Rename"], ["Copy id"], ["Refresh"], ["Extend", "1 day"], ["Open"], ["Delete", "Delete for good"]):
        for name in steps:
            widget.get_by_role("button", name=name, exact=True).click()
        widget.locator(".sg-sessions-status").filter(has_not_text="Working").wait_for(state="attached")
        if widget.locator(".sg-sessions-form, .sg-sessions :is(td, th) input").count():
            widget.page.keyboard.press("Escape")


CASES = {
    "feedback": Case(feedback_traits, rate_and_report),
    "visualize": Case(picture_traits, look_at_everything, picture_answers),
    "feedback, strip": Case(lambda text: feedback_traits(text, compact=True), open_strip_and_rate),
    "attach": Case(
        attach_traits,
        attach_copy_detach,
        lambda text: {
            "upload_begin": {"result": {"known": None, "same_content": text, "missing": []}},
            "detach_file": {"error": text},
        },
    ),
    "sessions": Case(
        sessions_traits,
        extend_open_delete,
        lambda text: {
            "refresh": {"result": None},
            "extend": {"result": text},
            "open": {"result": {"said": text, "code": text}},
            "delete": {"result": text},
        },
    ),
    "chat": Case(
        chat_traits,
        list_rate_approve,
        lambda text: {"resync": {"result": {"seq": 0, "turn": "d", "outputs": [[0, text], [1, text]]}}},
    ),
}


@dataclass
class Trap:
    """A page that keeps what must not happen on it."""

    page: Any
    caught: list[str] = field(default_factory=list)

    def show(self, name: str, traits: dict[str, Any], answer: str) -> Any:
        """Show a widget; `answer` is JavaScript: a function from a request to its answer."""
        theme = (THEMES / "theme-light-extension" / "index.css").read_text()
        self.page.set_content(
            f"<!doctype html><html lang=en><title>{name}</title><style>{theme}</style>"
            f"<style>body {{margin: 0}}</style><style>{(STATIC / f'{name}.css').read_text()}</style>"
            "<body><main id=widget></main></body></html>"
        )
        self.page.evaluate((Path(__file__).parent / "fake_model.js").read_text())
        self.page.evaluate(
            f"""() => {{
                const answer = {answer};
                stage.send = (request) => {{
                    stage.requests.push(request);
                    const {{ buffers = [], ...rest }} = answer(request);
                    const views = buffers.map((bytes) => new DataView(Uint8Array.from(bytes).buffer));
                    const reply = {{ kind: "secgemini-reply", uuid: request.uuid, ...rest }};
                    queueMicrotask(() => stage.emit("msg:custom", reply, views));
                }};
            }}"""
        )
        script = (STATIC / f"{name}.js").read_text()
        # As JSON text: half an emoji is no string for Playwright, but one for a browser.
        self.page.evaluate("([script, traits]) => stage.show(script, JSON.parse(traits))", [script, json.dumps(traits)])
        return self.page.locator("#widget")

    def provoke(self) -> None:
        """What a reader would do at last: everything gets every event but a click, links are looked at."""
        self.caught += self.page.evaluate(
            """() => {
                const all = [...document.querySelectorAll("#widget *")];
                for (const element of all)
                    for (const type of ["mouseover", "focus", "toggle", "error", "load", "animationend"])
                        element.dispatchEvent(new Event(type, { cancelable: true }));
                const links = all.filter((e) => e.matches("a[href], [action], [formaction], [*|href]"));
                const active = all.filter((e) => e.matches("script, style, iframe, object, embed, link, base, meta"));
                const handlers = all.flatMap((e) => e.getAttributeNames()).filter((name) => name.startsWith("on"));
                const isPlain = (e) => /^(https?:|mailto:|blob:|#)/.test(e.getAttribute("href") ?? "");
                return [...links.filter((e) => !isPlain(e)), ...active].map((e) => e.outerHTML.slice(0, 200))
                    .concat(handlers);
            }"""
        )

    def overflow(self) -> list[str]:
        """What stands out of the widget sideways, or makes the page scroll so."""
        return self.page.evaluate(
            """() => {
                const edge = document.querySelector("#widget").getBoundingClientRect().right + 1;
                const clips = (e) => e && e.id !== "widget" &&
                    (getComputedStyle(e).overflowX !== "visible" || clips(e.parentElement));
                const out = [...document.querySelectorAll("#widget *")]
                    .filter((e) => e.getBoundingClientRect().right > edge && !clips(e.parentElement))
                    .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`);
                if (document.documentElement.scrollWidth > document.documentElement.clientWidth) out.push("the page");
                return out;
            }"""
        )


@pytest.fixture
def trap(browser: Any) -> Iterator[Trap]:
    page = browser.new_page(viewport={"width": 600, "height": 700}, reduced_motion="reduce")
    page.set_default_timeout(20_000)
    trap = Trap(page)
    page.route("**/*", lambda route: (trap.caught.append(f"asked for {route.request.url[:200]}"), route.abort()))
    page.on("dialog", lambda dialog: (trap.caught.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: trap.caught.append(f"opened {popup.url}"))
    page.on("pageerror", lambda error: trap.caught.append(f"raised {error}"))
    page.expose_function("ran", lambda *what: trap.caught.append(f"ran {what}"))
    yield trap
    page.close()


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[] if what in ALWAYS else [pytest.mark.slow]) for what in HOSTILE]
)
@pytest.mark.parametrize("name", CASES)
def test_hostile_text_in_every_field_is_only_text(trap, name, what):
    text, case = HOSTILE[what], CASES[name]
    answers = json.dumps(case.answers(text))
    error = json.dumps(text)
    for answer in (
        f"(request) => ({answers})[request.method] ?? {{ error: {error} }}",
        f"() => ({{ error: {error} }})",
    ):
        widget = trap.show(name.split(",")[0], case.traits(text), answer)
        case.drive(widget)
        assert "zqx" in widget.text_content(), "the text was shown"
        trap.provoke()
        assert trap.overflow() == []
    assert trap.caught == []


@pytest.mark.parametrize("name", CASES)
def test_no_trait_is_left_out(name):
    (widget,) = (each for each in widgets.__all__ if each.lower() == f"{name.split(',')[0]}widget")
    ours = {name for name in getattr(widgets, widget).class_own_traits(sync=True) if not name.startswith("_")}
    assert set(CASES[name].traits("zqx")) == ours


def test_the_trap_catches_what_it_is_made_for(trap):
    trap.page.set_content("<style>body {margin: 0}</style><main id=widget></main>")
    trap.page.evaluate(
        """() => {
            widget.innerHTML = `<img src=https://evil.example/1.png onerror="ran('img')">
                <a href="javascript:ran(1)">x</a>
                <p style="white-space: nowrap">${"W".repeat(999)}</p><style>@import "//evil.example/i"</style>`;
            alert("dialog");
        }"""
    )
    trap.provoke()
    trap.page.wait_for_function("document.querySelector('img').complete")
    trap.page.evaluate("new Promise(requestAnimationFrame)")
    for sign in ("asked for https", "dialog", "ran", "javascript:", "onerror"):
        assert any(sign in caught for caught in trap.caught), sign
    assert trap.overflow() == ["the page"]


EVIL = HOSTILE["all at once"]
EVERYTHING = """
from pathlib import Path
from secgemini_jupyter import SecGemini
from secgemini_jupyter.kernel import KernelSession
from secgemini_jupyter.widgets import FeedbackWidget, SessionsWidget
evil = {evil!r}.encode("utf-8", "replace").decode()
client = SecGemini({key!r}, base_url={http!r}, websocket_url={ws!r})
session = client.create_session(evil[:150], description=evil[:900])
session.attach_file("zqx<img src=x onerror=ran(1)>.log", b"evidence", "text/<script>")
answer = session.query(evil)
session.send_feedback(1, comment=evil)
kernel = KernelSession()
kernel._client = client
picture = session.visualize(embed=True)
picture.select(range(len(picture.frame)))
""".strip()


def test_hostile_text_of_the_service_is_only_text_in_lab_and_in_what_it_saves(lab, lab_server, page, local_service):
    trap = Trap(page)
    page.route(
        "**/*",
        lambda route: (
            route.continue_()
            if route.request.url.startswith((lab_server.url, "blob:", "data:"))
            else (trap.caught.append(f"asked for {route.request.url[:200]}"), route.abort())
        ),
    )
    page.on("dialog", lambda dialog: (trap.caught.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.expose_function("ran", lambda *what: trap.caught.append(f"ran {what}"))
    service = {"key": local_service.key, "http": local_service.http, "ws": local_service.ws}
    shown = ("session.attach()", "session.chat()", "FeedbackWidget(session)", "SessionsWidget(kernel)", "picture")
    notebook = lab(EVERYTHING.format(evil=EVIL, **service), *shown, "answer")
    notebook.run_all()
    for number, name in enumerate(("attach", "chat", "feedback", "sessions", "visualize"), 1):
        cell = notebook.output(number)
        cell.first.scroll_into_view_if_needed()
        cell.locator(f".sg-{name}").get_by_text("zqx").first.wait_for(state="attached")
    document = notebook.save()
    document.cells.pop(0)  # what Jupyter trusted is another notebook now
    received = lab_server.show(page, document)
    for number in range(len(shown) + 1):
        received.output(number).first.scroll_into_view_if_needed()
        received.output(number).get_by_text("zqx").first.wait_for(state="attached")
    assert trap.caught == []

    page.unroute_all()
    html = HTMLExporter().from_notebook_node(document)[0]
    page.route("**/*", lambda route: route.abort())
    page.route("http://saved.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://saved.test/")
    assert page.get_by_text("zqx").count() > 5
    assert trap.caught == []
