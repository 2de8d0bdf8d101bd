"""A real marimo without any of this user's settings: notebooks are opened in its editor, as its users do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

ROOT = Path(__file__).parents[2]


@dataclass
class MarimoPage:
    """A notebook that is open in marimo's editor, all cells run."""

    page: Any
    _server: str
    _session_id: str

    def output(self, cell: int) -> Any:
        """The output area of a cell, counted from 0."""
        return self.page.locator(".marimo-cell").nth(cell).locator(".output-area")

    def python(self, code: str) -> str:
        """Run code in the notebook's kernel without a cell; what it printed.

        Raises:
            AssertionError: it raised, with what marimo says about that.
        """
        request = urllib.request.Request(
            f"{self._server}/api/kernel/execute",
            json.dumps({"code": code}).encode(),
            {"Content-Type": "application/json", "Marimo-Session-Id": self._session_id},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            blocks = response.read().decode().split("\n\n")
        events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks if block.strip()]
        printed = "".join(json.loads(event["data"])["data"] for event in events if event["event"] == "stdout")
        done = json.loads(events[-1]["data"])
        assert done["success"], done
        return printed


@dataclass
class MarimoServer:
    url: str
    root: Path

    def open(self, page: Any, *cells: str) -> MarimoPage:
        path = self.root / f"app_{uuid.uuid4().hex}.py"
        functions = [f"@app.cell\ndef _():\n{textwrap.indent(cell, '    ')}\n    return\n\n\n" for cell in cells]
        path.write_text("import marimo\n\napp = marimo.App()\n\n\n" + "".join(functions), "utf-8")
        page.set_default_timeout(30_000)
        with page.expect_websocket() as opened:
            page.goto(f"{self.url}/?file={quote(str(path))}")
        (session_id,) = parse_qs(urlsplit(opened.value.url).query)["session_id"]
        return MarimoPage(page, self.url, session_id)


@contextmanager
def serving_marimo(home: Path) -> Iterator[MarimoServer]:
    root, settings = home / "root", home / "config" / "marimo"
    for folder in (root, settings):
        folder.mkdir(parents=True)
    (settings / "marimo.toml").write_text("[runtime]\nauto_instantiate = true\n")
    left_out = ("SEC_GEMINI", "SECGEMINI", "XDG_", "MARIMO_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "MARIMO_SKIP_UPDATE_CHECK": "1",
        "PYTHONPATH": str(ROOT),
        "SECGEMINI_BACKEND": "local",
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "edit", str(root), "--headless", "--no-token", "--no-sandbox"]
    command += ["--no-skew-protection", "--host", "127.0.0.1", "--port", str(port)]
    log = home / "marimo.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, cwd=root, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(server, f"{url}/health", log)
        yield MarimoServer(url, root)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"marimo did not start:\n{log.read_text()[-3000:]}")
