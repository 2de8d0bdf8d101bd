"""Widgets in a real browser: alone on a page with Lab's theme (`stage`), and in a real JupyterLab (`lab`).

The browser itself is in the folder above: rendering is tested in it too.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.browser.marimo_server import MarimoPage, MarimoServer, marimo_server
from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "secgemini_jupyter" / "widgets" / "static"
AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
LAB_THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "dark-high-contrast": "JupyterLab Dark High Contrast",
}
KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test if its scripts raised; Notebook 7's own core does, with no widget on the page."""
    opened = browser.new_page(viewport={"width": 900, "height": 700}, reduced_motion="reduce")
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)) if "notebook_core" not in error.stack else None)
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()
    assert errors == []


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


@dataclass
class LabServer:
    """A real JupyterLab without any of this user's settings."""

    url: str
    root: Path

    def open(self, page: Any, *cells: str, theme: str = "light", app: str = "lab") -> Notebook:
        """A new notebook of code cells (Markdown where a cell begins with `#md`), its kernel ready.

        Args:
            app: `lab` or `notebook`: the same server has JupyterLab and Notebook 7.
        """
        made = [
            new_markdown_cell(cell.removeprefix("#md").strip()) if cell.startswith("#md") else new_code_cell(cell)
            for cell in cells
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        return self.show(page, new_notebook(cells=made, metadata=kernel), theme, app)

    def show(self, page: Any, document: nbformat.NotebookNode, theme: str = "light", app: str = "lab") -> Notebook:
        """Open a notebook as a user who got it from somebody else: its outputs are not trusted."""
        name = f"{uuid.uuid4().hex}.ipynb"
        nbformat.write(document, self.root / name)
        page.set_default_timeout(30_000)
        place = f"lab/workspaces/{uuid.uuid4().hex}/tree" if app == "lab" else "notebooks"
        page.goto(f"{self.url}/{place}/{name}")
        page.wait_for_function(f"window.jupyterapp && {KERNEL}?.status === 'idle'")
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", LAB_THEMES[theme])
        page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=LAB_THEMES[theme])
        return Notebook(page, self.root / name)


@dataclass
class Notebook:
    """A notebook that is open in Lab or in Notebook 7."""

    page: Any
    path: Path

    def run_all(self, *, allow_errors: bool = False) -> None:
        """Run every cell, and wait until the last one has ended.

        Raises:
            AssertionError: a cell raised, with what it printed about that.
        """
        errors = self.page.evaluate(
            """async () => {
                await jupyterapp.commands.execute("notebook:run-all-cells");
                const { cells } = jupyterapp.shell.currentWidget.content.model.toJSON();
                const outputs = cells.flatMap((cell) => cell.outputs ?? []);
                return outputs.filter((output) => output.output_type === "error")
                    .map((output) => [`${output.ename}: ${output.evalue}`, ...output.traceback].join("\\n"));
            }"""
        )
        assert allow_errors or not errors, "\n".join(errors)

    def python(self, code: str) -> str:
        """Run code in the kernel without a cell; what it printed.

        Raises:
            AssertionError: it raised, with the traceback.
        """
        printed, error = self.page.evaluate(
            f"""async (code) => {{
                const future = {KERNEL}.requestExecute({{ code, store_history: false }});
                let printed = "", error = null;
                future.onIOPub = ({{ content, header }}) => {{
                    if (header.msg_type === "stream" && content.name === "stdout") printed += content.text;
                    if (header.msg_type === "error") error = content.traceback.join("\\n") || content.evalue;
                }};
                await future.done;
                return [printed, error];
            }}""",
            code,
        )
        assert error is None, error
        return printed

    def output(self, cell: int) -> Any:
        """The output area of a cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output")

    def save(self) -> nbformat.NotebookNode:
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    home = tmp_path_factory.mktemp("lab")
    root, settings, runtime = home / "root", home / "settings", home / "runtime"
    for folder in (root, settings / "@jupyterlab" / "apputils-extension", runtime):
        folder.mkdir(parents=True)
    # Lab would ask the network for news, and cover the notebook with a question about it.
    (settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SEC_GEMINI", "JUPYTER"))}
    environment |= {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(ROOT),
        "SECGEMINI_BACKEND": "local",
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"]
    command += [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.quit_button=False"]
    log = home / "lab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, cwd=root, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield LabServer(_address(server, runtime, log), root)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """Where Lab says that it is: it takes the next port when ours was taken meanwhile."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                port = json.loads(file.read_text())["port"]
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except (ValueError, KeyError, OSError):
                continue  # half written, or not listening yet
            return f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


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
    with marimo_server(tmp_path_factory.mktemp("marimo")) as server:
        yield server


@pytest.fixture
def marimo(marimo_edit: MarimoServer, page: Any) -> Callable[..., MarimoPage]:
    """`marimo("x = 1", "x")` opens a notebook with these cells in marimo's editor."""
    return lambda *cells: marimo_edit.open(page, *cells)
