"""A real JupyterLab (and Notebook 7, which the same server has) without any of this user's settings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
LAB_THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "dark-high-contrast": "JupyterLab Dark High Contrast",
}
KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"


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


@contextmanager
def serving_lab(home: Path) -> Iterator[LabServer]:
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
