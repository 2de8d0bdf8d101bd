"""Files dropped on AttachWidget: alone on a page in every theme, and in a real JupyterLab up to the service."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.browser.test_feedback_in_browser import session_cell

pytestmark = pytest.mark.browser

MIB = 2**20
KERBEROS = {
    "name": "kerberos.log",
    "size": 6123,
    "sha256": "3f9a" + "0" * 56 + "c1d2",
    "mime_type": "text/plain",
    "content_type_label": "txt",
    "verified": True,
}
FILES = [KERBEROS, {**KERBEROS, "name": "memory strings.txt", "size": 84_000_000, "verified": False}]
TRAITS = {
    "session_id": "s1",
    "session_name": "triage",
    "destination": "Sec-Gemini, api.secgemini.google",
    "retained": True,
    "max_bytes": 100 * MIB,
    "files": [],
    "state": "idle",
}
WIDGET = "widget = session.attach()\nwidget"

# Answers as the kernel would, but for the pieces from `holds` on.
KERNEL = """([holds, refuses]) => {
    stage.send = (request) => {
        stage.requests.push(request);
        const { method, params } = request;
        const offsets = Array.from({ length: Math.ceil((params.size ?? 0) / 2 ** 20) }, (_, i) => i * 2 ** 20);
        const results = {
            upload_begin: { known: params.name === "known.log" ? 0 : null, missing: offsets,
                            same_content: params.name === "twin.log" && !params.anyway ? "kerberos.log" : null },
            upload_chunk: { lost: false },
            upload_finish: refuses ? { state: "failed", error: refuses } : { state: "attached", file_idx: 0 },
        };
        if (method === "upload_chunk" && params.offset >= holds) return;
        const reply = { kind: "secgemini-reply", uuid: request.uuid, result: results[method] ?? null };
        queueMicrotask(() => stage.emit("msg:custom", reply, []));
    };
}"""

# Drops files made in the page: [name, size] or [name, text].
DROP = """(target, files) => {
    const carried = new DataTransfer();
    for (const [name, what] of files)
        carried.items.add(new File([typeof what === "number" ? new Uint8Array(what).fill(65) : what], name));
    for (const type of ["dragenter", "dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


def given(name: str, content: bytes = b"x") -> dict[str, Any]:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def choose(widget: Any, *files: dict[str, Any]) -> None:
    widget.locator("input[type=file]").set_input_files(list(files))


def drop(widget: Any, *files: list[Any]) -> None:
    widget.evaluate(DROP, list(files))


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_every_state_is_accessible_in_every_theme(stage, page, theme):
    attach = stage("attach", TRAITS, theme=theme)
    seen = [(attach.axe(), 5)]
    attach.change("files", FILES)
    page.evaluate(KERNEL, [3 * MIB, "The disk of 127.0.0.1 is full (507)."])
    choose(
        attach.widget, given("known.log"), given("twin.log"), given("refused.log"), given("large.log", bytes(5 * MIB))
    )
    choose(attach.widget, given("later.log"))
    attach.widget.get_by_text("The same content is attached already").wait_for()
    attach.widget.get_by_text("The disk of 127.0.0.1").first.wait_for()
    attach.widget.get_by_text("60 %").wait_for()
    seen.append((attach.axe(), 25))
    for found, least in seen:
        assert found["violations"] == []
        assert found["contrast"] >= least


def test_files_held_above_it_are_welcomed_and_text_is_not(stage, page):
    attach = stage("attach", TRAITS)
    over = """(kind) => {
        const carried = new DataTransfer();
        if (kind === "file") carried.items.add(new File(["x"], "x"));
        else carried.items.add("x", "text/plain");
        const event = new DragEvent("dragover", { dataTransfer: carried, bubbles: true, cancelable: true });
        document.querySelector(".sg-attach-drop").dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert page.evaluate(over, "text") is False
    before = attach.widget.locator("section").bounding_box()
    assert page.evaluate(over, "file") is True
    attach.widget.get_by_text("Let go to attach").wait_for()
    assert attach.widget.locator("section").bounding_box() == before
    assert attach.axe()["violations"] == []
    page.evaluate("document.querySelector('.sg-attach').dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    attach.widget.get_by_text("Drop evidence here").wait_for()


def test_pasted_files_are_taken_too(stage, page):
    attach = stage("attach", TRAITS)
    page.evaluate(
        """() => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File(["pixels"], "image.png", { type: "image/png" }));
            const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
            document.querySelector(".sg-choose").dispatchEvent(paste);
        }"""
    )
    attach.widget.get_by_text("image.png").wait_for()
    page.wait_for_function("stage.requests.length === 1")
    assert attach.requests[0]["params"]["mime_type"] == "image/png"
    assert attach.requests[0]["params"]["sha256"] == hashlib.sha256(b"pixels").hexdigest()


def test_the_keyboard_alone_chooses_cancels_answers_copies_and_detaches(stage, page):
    attach = stage("attach", {**TRAITS, "files": FILES})
    # The browser is told to hand over its dialog, and has heard it, before a key asks for one.
    page.on("filechooser", lambda _: None)
    page.evaluate(KERNEL, [0, None])
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.classList.contains('sg-choose')")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([given("large.log", b"abc"), given("twin.log")])
    attach.widget.get_by_text("0 %").wait_for()
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    names = []
    for _ in range(6):
        page.keyboard.press("Tab")
        names.append(page.evaluate(focused))
    assert names == [
        "3f9a…c1d2 copy the sha256 of kerberos.log",
        "Detach kerberos.log",
        "3f9a…c1d2 copy the sha256 of memory strings.txt",
        "Detach memory strings.txt",
        "Cancel large.log",
        "Cancel twin.log",
    ]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    attach.widget.get_by_role("button", name="Attach anyway: twin.log").wait_for()
    assert page.evaluate(focused) == "Remove the line of twin.log"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_function("stage.requests.at(-1).method === 'upload_chunk'")
    begun = [request for request in attach.requests if request["method"] == "upload_begin"]
    assert begun[-1]["params"]["anyway"] is True
    attach.widget.get_by_role("button", name="Detach kerberos.log").focus()
    page.keyboard.press("Enter")
    assert attach.requests[-1]["method"] == "detach_file"


@pytest.mark.parametrize("width", [320, 600, 1200])
def test_nothing_scrolls_sideways_at_any_width(stage, page, width):
    page.set_viewport_size({"width": width + 40, "height": 900})
    long = {**KERBEROS, "name": "n" * 255, "mime_type": "application/" + "x" * 80, "content_type_label": ""}
    attach = stage(
        "attach",
        {**TRAITS, "session_name": "s" * 80, "destination": "d" * 120, "files": [long, *FILES]},
        width=width,
    )
    page.evaluate(KERNEL, [0, None])
    choose(attach.widget, given("twin.log"), given("m" * 255 + ".log", b"abc"))
    attach.widget.get_by_role("button", name="Attach anyway").wait_for()
    over = page.evaluate(
        """[...document.querySelectorAll("#widget :is(section, div, button, p, ul, li, progress, .sg-file-row span)")]
            .filter((e) => !e.closest(".sg-hidden"))
            .filter((e) => e.getBoundingClientRect().right > widget.getBoundingClientRect().right + 0.5)
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert over == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width + 40
    # The end of a name that does not fit stays in sight: it is what tells a sample from a report.
    tail = attach.widget.get_by_text("mmmmmm.log", exact=True)
    assert tail.bounding_box()["width"] > 40


def test_a_row_does_not_move_when_its_upload_goes_on(stage, page):
    attach = stage("attach", {**TRAITS, "files": FILES})
    page.evaluate(KERNEL, [2 * MIB, None])
    choose(attach.widget, given("a.log", bytes(4 * MIB)))
    row = attach.widget.get_by_role("listitem").filter(has_text="a.log")
    row.get_by_text("50 %").wait_for()
    before = row.bounding_box()
    attach.widget.get_by_role("button", name="Cancel a.log").focus()
    assert row.bounding_box() == before
    size = attach.widget.locator(".sg-file-size")
    rights = {round(box["x"] + box["width"]) for box in (size.nth(i).bounding_box() for i in range(3))}
    assert len(rights) == 1


# --- in JupyterLab ---


def attached(notebook: Any) -> list[list[Any]]:
    return json.loads(
        notebook.python("import json; print(json.dumps([[f.name, f.size, f.sha256] for f in session.files]))")
    )


def test_in_lab_dropped_and_chosen_files_are_in_the_session_and_go_again(lab, local_service):
    notebook = lab(session_cell(local_service), WIDGET)
    notebook.run_all()
    widget = notebook.page.locator(".sg-attach")
    widget.get_by_text("up to 105 MB each").wait_for()
    widget.get_by_text("retained by the service").wait_for()
    text = "failed password for root\n"
    drop(widget, ["auth.log", text], ["empty.bin", ""], ["a\u202egpj.exe", "MZ"], ["n" * 300, "x"])
    widget.get_by_text("filename has 300 characters, at most 255 are taken").first.wait_for()
    choose(widget, given("chosen log.txt", b"chosen " * 400_000), given("auth.log", text.encode()))
    widget.get_by_text("it was not sent again").wait_for()
    widget.get_by_role("button", name="Detach chosen log.txt").wait_for()
    assert widget.get_by_text("hash verified", exact=True).count() == 4
    widget.get_by_role("button", name="Detach a_gpj.exe").wait_for()  # so the service calls it
    here = attached(notebook)
    assert here == [
        [name, len(content), hashlib.sha256(content).hexdigest()]
        for name, content in [
            ("auth.log", text.encode()),
            ("empty.bin", b""),
            ("a_gpj.exe", b"MZ"),
            ("chosen log.txt", b"chosen " * 400_000),
        ]
    ]
    traits = json.loads(notebook.python("import json; print(json.dumps([widget.files, widget.state]))"))
    assert [[file["name"], file["size"], file["sha256"]] for file in traits[0]] == here
    assert traits[1] == "idle"

    # By a cell, and away by the widget.
    notebook.python("session.attach_file('by python.txt', b'x')")
    widget.get_by_role("button", name="Detach by python.txt").wait_for()
    widget.get_by_role("button", name="Detach auth.log").click()
    widget.get_by_text("auth.log is detached").wait_for()
    assert [name for name, *_ in attached(notebook)][:1] == ["empty.bin"]
    assert "by python.txt" in [name for name, *_ in attached(notebook)]


@pytest.mark.slow
def test_in_lab_a_hundred_megabytes_are_cancelled_midway_then_sent(lab, local_service):
    notebook = lab(session_cell(local_service), WIDGET)
    notebook.run_all()
    page, widget = notebook.page, notebook.page.locator(".sg-attach")
    widget.wait_for()
    size = 100 * 10**6
    drop(widget, ["memory.raw", size])
    widget.locator(".sg-upload-uploading").wait_for()
    widget.get_by_role("button", name="Cancel memory.raw").click()
    widget.get_by_text("memory.raw was cancelled").wait_for()
    assert attached(notebook) == []
    assert notebook.python("print(len(widget._uploads._uploads), widget.state, end='')") == "0 idle"

    drop(widget, ["memory.raw", size])
    page.wait_for_function(
        "document.querySelector('.sg-attach [role=status]').textContent.includes('is attached')", timeout=60_000
    )
    assert attached(notebook) == [["memory.raw", size, hashlib.sha256(b"A" * size).hexdigest()]]


@pytest.mark.slow
def test_in_lab_a_connection_cut_midway_goes_on_with_what_is_missing(lab, local_service):
    notebook = lab(session_cell(local_service), WIDGET)
    notebook.run_all()
    page, widget = notebook.page, notebook.page.locator(".sg-attach")
    widget.wait_for()
    # After some pieces the socket takes messages and delivers none, then it breaks.
    page.evaluate(
        """() => {
            const socket = jupyterapp.shell.currentWidget.sessionContext.session.kernel._ws;
            const send = socket.send.bind(socket);
            let pieces = 0;
            socket.send = (message) => {
                if (message.byteLength > 2 ** 20) pieces += 1;
                if (pieces <= 10) send(message);
                else if (pieces === 12) socket.close();
            };
        }"""
    )
    drop(widget, ["capture.pcap", 30 * MIB])
    widget.get_by_text("No answer from the kernel").wait_for()
    page.wait_for_function(
        "document.querySelector('.sg-attach [role=status]').textContent.includes('is attached')", timeout=60_000
    )
    assert attached(notebook) == [["capture.pcap", 30 * MIB, hashlib.sha256(b"A" * 30 * MIB).hexdigest()]]
