"""One real kernel for all tests of the magics, and shells in this process for the terminal's path."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from secgemini_jupyter.magics import load, unload
from tests.conftest import LocalService

AT_ONCE = 20.0
"""Seconds in which an interrupted kernel must be idle again: far fewer than what it waited for would have taken."""


@dataclass
class Ran:
    """What one cell left: its outputs as a saved notebook would have them."""

    status: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    ename: str = ""
    elapsed: float = 0.0
    updates: int = 0
    payload: list[dict[str, Any]] = field(default_factory=list)
    """What the reply asks the front end for: a new cell, a page of help."""

    @property
    def text(self) -> str:
        """All that is shown as text."""
        return "\n".join(
            str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in self.outputs
        )

    @property
    def html(self) -> list[str]:
        return [output["data"]["text/html"] for output in self.outputs if "text/html" in output.get("data", {})]


class Kernel:
    """A kernel, driven as a front end drives it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def start(self, code: str, *, attended: bool = False) -> str:
        """Send a cell; gives the id of its request. `attended`: somebody could be asked, as in Lab."""
        return str(self.client.execute(code, allow_stdin=attended))

    def finish(self, request: str, timeout: float = 60) -> Ran:
        """Collect what a cell published until its kernel is idle."""
        began = time.monotonic()
        ran = Ran("ok")
        shown: dict[str, int] = {}
        clearing = False
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, timeout - (time.monotonic() - began)))
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "clear_output":
                clearing = content["wait"]
                ran.outputs = [] if not clearing else ran.outputs
            elif kind == "update_display_data":
                ran.updates += 1
                index = shown.get(content["transient"]["display_id"])
                if index is not None and index < len(ran.outputs):
                    ran.outputs[index] = content
            elif kind in ("stream", "display_data", "execute_result", "error"):
                if clearing:
                    ran.outputs, clearing, shown = [], False, {}
                if display_id := content.get("transient", {}).get("display_id"):
                    shown[display_id] = len(ran.outputs)
                if kind == "stream" and ran.outputs and ran.outputs[-1].get("name") == content["name"]:
                    ran.outputs[-1]["text"] += content["text"]
                else:
                    ran.outputs.append(dict(content))
                if kind == "error":
                    ran.status, ran.ename, ran.error = "error", content["ename"], "\n".join(content["traceback"])
        reply = self.reply(request)
        ran.status = reply["content"]["status"]
        ran.payload = reply["content"].get("payload", [])
        ran.elapsed = time.monotonic() - began
        return ran

    def reply(self, request: str, timeout: float = 60) -> Any:
        while True:
            try:
                message = self.client.get_shell_msg(timeout=timeout)
            except queue.Empty:
                raise AssertionError("no reply from the kernel") from None
            if message["parent_header"].get("msg_id") == request:
                return message

    def run(self, code: str, timeout: float = 60, *, attended: bool = False) -> Ran:
        return self.finish(self.start(code, attended=attended), timeout)

    def value(self, expression: str) -> Any:
        """A plain value out of the kernel."""
        import ast

        ran = self.run(f"print(repr(({expression})))")
        assert ran.status == "ok", ran.error
        return ast.literal_eval(ran.text)

    def wait_for_output(self, request: str, timeout: float = 60) -> None:
        """Until the cell has shown something."""
        began = time.monotonic()
        while True:
            message = self.client.get_iopub_msg(timeout=timeout - (time.monotonic() - began))
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == "display_data":
                return

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


def start_kernel(folder: Path, environment: dict[str, str]) -> Kernel:
    cleared = ("SEC_GEMINI", "SECGEMINI", "JPY_", "JUPYTER_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(cleared)}
    own = {
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=kept | own | environment, cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=30)
    return Kernel(manager, client)


def stop_kernel(kernel: Kernel) -> None:
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)
    kernel.manager.cleanup_resources()


@pytest.fixture(scope="session")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory, local_service: LocalService) -> Iterator[Kernel]:
    """Talks to the local service as to Sec-Gemini: by address and key."""
    folder = tmp_path_factory.mktemp("kernel")
    kernel = start_kernel(
        folder,
        {
            "SEC_GEMINI_API_HTTP_URL": local_service.http,
            "SEC_GEMINI_API_WEBSOCKET_URL": local_service.ws,
            "SEC_GEMINI_API_KEY": local_service.key,
        },
    )
    yield kernel
    stop_kernel(kernel)


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    """The shared kernel, with the extension freshly loaded."""
    ran = shared_kernel.run(
        "%reset -f\nget_ipython().config.pop('SecGeminiMagics', None)\n%reload_ext secgemini_jupyter"
    )
    assert ran.status == "ok", ran.error
    assert ran.outputs == []
    return shared_kernel


@pytest.fixture
def shell(local_service: LocalService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
    monkeypatch.setenv("SEC_GEMINI_API_KEY", local_service.key)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    for name in ("SEC_GEMINI_API_WEBSOCKET_URL", "SECGEMINI_BACKEND", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.colors = "nocolor"
    load(shell)
    yield shell
    unload(shell)
    if shell.history_manager:
        shell.history_manager.end_session()
    InteractiveShell.clear_instance()
