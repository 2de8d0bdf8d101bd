"""Take the README's pictures anew, in a real JupyterLab in headless Chromium: `python scripts/screenshots.py`."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
DATA = ROOT / "notebooks" / "data"
IMAGES = ROOT / "notebooks" / "images"

PICTURE = (
    "%load_ext secgemini_jupyter",
    "%%secgemini -q -s picture -a kerberos.log\nWho logged in, who failed?",
    "%%secgemini -q -s picture -a http.log\nWhat happened in http.log?",
    "%%secgemini -q -s picture\nIs CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N worth waking someone up?",
    "%secgemini resume picture",
    "%secgemini visualize",
)
ANSWER = (
    "%load_ext secgemini_jupyter\n%secgemini new logins",
    "%%secgemini -a kerberos.log\nWho logged in, who failed?",
)
TIMES = 4_000
"""So often the log of the example is in that of the picture: its tool shall run for seconds."""
EVIDENCE = (
    "%load_ext secgemini_jupyter",
    "%secgemini new evidence",
    "%secgemini attach",
    "%secgemini chat",
)


def main() -> int:
    from playwright.sync_api import sync_playwright

    from tests.browser.lab_server import serving_lab

    IMAGES.mkdir(exist_ok=True)
    names = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    with tempfile.TemporaryDirectory() as home, serving_lab(Path(home)) as lab, sync_playwright() as playwright:
        for log in DATA.glob("*.log"):
            shutil.copy(log, lab.root)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        walk(lab, browser.new_page(viewport={"width": 1000, "height": 900}, device_scale_factor=1.5))
        ask(lab, browser.new_page(viewport={"width": 860, "height": 1000}, device_scale_factor=1.5))
        for log in DATA.glob("*.log"):
            shutil.copy(log, lab.root)
        talk(lab, browser.new_page(viewport={"width": 1000, "height": 1400}, device_scale_factor=1.5))
        report(lab, browser.new_page(viewport={"width": 940, "height": 1175}, device_scale_factor=1.25))
        browser.close()
    return 0


def walk(lab: Any, page: Any) -> None:
    """A session as a picture, light."""
    notebook = opened(lab, page, PICTURE, "light")
    widget = notebook.output(len(PICTURE) - 1).locator(".sg-visualize")
    widget.get_by_role("treeitem", name="8 Kerberos requests").click()
    widget.locator(".sg-detail table").first.wait_for()
    page.mouse.move(0, 0)
    widget.screenshot(path=IMAGES / "visualize-light.png")


def ask(lab: Any, page: Any) -> None:
    """A cell while its tool runs, and the same cell when it is done, light."""
    (lab.root / "kerberos.log").write_bytes((DATA / "kerberos.log").read_bytes() * TIMES)
    notebook = lab.open(page, *ANSWER, theme="light")
    page.keyboard.press("Control+b")
    page.evaluate("() => { window.ran = jupyterapp.commands.execute('notebook:run-all-cells') }")
    cell = page.locator(".jp-Notebook .jp-Cell").nth(1)
    cell.get_by_text(re.compile(r"calling .* [1-9] s ")).first.wait_for()
    cell.screenshot(path=IMAGES / "answer-running-light.png")
    page.evaluate("() => window.ran")
    notebook.output(1).first.get_by_text("Thinking and tools").wait_for()
    page.mouse.move(0, 0)
    cell.screenshot(path=IMAGES / "answer-light.png")


def talk(lab: Any, page: Any) -> None:
    """Evidence and a chat, dark."""
    notebook = opened(lab, page, EVIDENCE, "dark")
    evidence, chat = page.locator(".sg-attach"), page.locator(".sg-chat")
    evidence.locator("input[type=file]").set_input_files([DATA / "kerberos.log", DATA / "http.log"])
    evidence.get_by_text("2 files").wait_for()
    chat.get_by_role("textbox").fill("Who logged in, who failed in kerberos.log?")
    chat.get_by_role("textbox").press("Enter")
    chat.get_by_text("Answer complete").wait_for()
    page.mouse.move(0, 0)
    frame = [notebook.output(index).last.bounding_box() for index in (2, 3)]
    top, bottom = frame[0]["y"], page.locator(".sg-chat").bounding_box()
    page.screenshot(
        path=IMAGES / "attach-and-chat-dark.png",
        clip={
            "x": bottom["x"] - 4,
            "y": top - 4,
            "width": bottom["width"] + 8,
            "height": bottom["y"] + bottom["height"] - top + 8,
        },
    )


def report(lab: Any, page: Any) -> None:
    """The report that the notebook writes: its page, opened from the file, light."""
    import nbformat

    shutil.copytree(DATA, lab.root / "data")
    case: Any = nbformat.read(ROOT / "notebooks" / "05_incident_report.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    lab.show(page, case).run_all()
    page.goto((lab.root / "case-guyspy" / "report.html").as_uri())
    page.screenshot(path=IMAGES / "report-light.png")


def opened(lab: Any, page: Any, cells: tuple[str, ...], theme: str) -> Any:
    notebook = lab.open(page, *cells, theme=theme)
    page.keyboard.press("Control+b")
    notebook.run_all()
    page.locator(".sg-widget").first.wait_for()
    return notebook


if __name__ == "__main__":
    sys.exit(main())
