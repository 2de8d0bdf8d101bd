"""Widgets in a real browser: alone on a page with Lab's theme (`stage`), and in a real JupyterLab (`lab`).

The browser itself is in the folder above: rendering is tested in it too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab_server import LabServer, Notebook, serving_lab
from tests.browser.marimo_server import MarimoPage, MarimoServer, serving_marimo
from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "secgemini_jupyter" / "widgets" / "static"
AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"


@pytest.fixture(scope="session")
def profile(browser: Any) -> Any:
    """One for all pages: Lab's twelve megabytes of script come from its cache, compiled."""
    return browser.new_context(viewport={"width": 900, "height": 700}, reduced_motion="reduce")


@pytest.fixture
def page(profile: Any) -> Iterator[Any]:
    """A page that fails the test if its scripts raised; Notebook 7's own core does, with no widget on the page."""
    opened = profile.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)) if "notebook_core" not in error.stack else None)
    opened.set_default_timeout(10_000)
    yield opened
    seen = list(errors)
    # A kernel of a test would live as long as the server, with 150 MB: forty of them fill a small machine.
    opened.evaluate("async () => await window.jupyterapp?.serviceManager.sessions.shutdownAll()")
    opened.close()
    assert seen == []


@dataclass
class Stage:
    """One widget alone on a page; `requests` is what it sent to the kernel that is not there."""

    page: Any

    @property
    def widget(self) -> Any:
        return self.page.locator("#widget")

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.page.evaluate("stage.requests")

    def reply(self, **answer: Any) -> None:
        self.page.evaluate("answer => stage.reply(answer)", answer)

    def change(self, trait: str, value: Any) -> None:
        self.page.evaluate("([trait, value]) => stage.change(trait, value)", [trait, value])

    def axe(self) -> dict[str, Any]:
        return run_axe(self.page, "#widget")


@pytest.fixture
def stage(page: Any) -> Callable[..., Stage]:
    """`stage("feedback", traits, theme="dark", width=600)` shows a built widget."""

    def show(name: str, traits: dict[str, Any], *, theme: str | None = "light", width: int = 860) -> Stage:
        if not (STATIC / f"{name}.js").exists():
            unavailable(f"NOT CHECKED in a browser: {name} is not built. Run: npm ci && npm run build (in js/)")
        css = (THEMES / f"theme-{theme}-extension" / "index.css").read_text() if theme else ""
        page.set_content(
            f"<!doctype html><html lang=en><title>{name}</title><style>{css}</style>"
            f"<style>body {{margin: 20px; background: var(--jp-layout-color0)}} #widget {{width: {width}px}}</style>"
            f"<style>{(STATIC / f'{name}.css').read_text()}</style>"
            "<body><main id=widget></main></body></html>"
        )
        page.evaluate((Path(__file__).parent / "fake_model.js").read_text())
        page.evaluate("([bundle, traits]) => stage.show(bundle, traits)", [(STATIC / f"{name}.js").read_text(), traits])
        return Stage(page)

    return show


def run_axe(page: Any, selector: str) -> dict[str, Any]:
    """axe's findings below `selector`: `{"violations": [line…], "contrast": nodes whose contrast was measured}`."""
    if not AXE.exists():
        unavailable("NOT CHECKED for accessibility: axe-core is missing. Run: npm ci (in js/)")
    # Lab's body has no height, and axe takes everything outside it for invisible.
    page.evaluate("document.body.style.minHeight = '100vh'")
    page.evaluate(AXE.read_text())
    found = page.evaluate("selector => axe.run(selector)", selector)
    violations = [
        f"{rule['id']}: {node['html'][:100]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
    contrast = sum(len(rule["nodes"]) for rule in found["passes"] if rule["id"] == "color-contrast")
    return {"violations": violations, "contrast": contrast}


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with serving_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def lab(lab_server: LabServer, page: Any) -> Callable[..., Notebook]:
    """`lab("x = 1", "x", theme="dark")` opens a notebook with these cells in a real JupyterLab."""
    return lambda *cells, theme="light": lab_server.open(page, *cells, theme=theme)


@pytest.fixture
def notebook7(lab_server: LabServer, page: Any) -> Callable[..., Notebook]:
    """The same in Notebook 7."""
    return lambda *cells, theme="light": lab_server.open(page, *cells, theme=theme, app="notebook")


@pytest.fixture(scope="session")
def marimo_edit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarimoServer]:
    with serving_marimo(tmp_path_factory.mktemp("marimo")) as server:
        yield server


@pytest.fixture
def marimo(marimo_edit: MarimoServer, page: Any) -> Callable[..., MarimoPage]:
    """`marimo("x = 1", "x")` opens a notebook with these cells in marimo's editor."""
    return lambda *cells: marimo_edit.open(page, *cells)
