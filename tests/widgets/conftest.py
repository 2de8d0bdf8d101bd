"""A front end for widgets without a kernel: what they send is kept, what a browser would send can be delivered."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm


class FrontEnd(BaseComm):
    """The widget's end of the wire: ipywidgets sees a comm like the kernel's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.custom: queue.Queue[dict[str, Any]] = queue.Queue()
        self.published: list[dict[str, Any]] = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any):
        self.published.append({"type": msg_type, "data": data})
        if (data or {}).get("method") == "custom":
            self.custom.put({**data["content"], "buffers": buffers})

    def deliver(self, data: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.handle_msg({"content": {"data": data}, "buffers": [memoryview(b) for b in buffers or []]})

    def call(self, method: str, params: Any, buffers: list[bytes] | None = None, **envelope: Any) -> dict[str, Any]:
        """Send a request as `rpc.ts` does, and wait for its reply."""
        request = {"kind": "secgemini-request", "uuid": "0" * 32, "method": method, "params": params, **envelope}
        self.deliver({"method": "custom", "content": request}, buffers)
        return self.custom.get(timeout=5)


@pytest.fixture
def front_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FrontEnd]]:
    """The comms that were opened, in order; a widget's own comes after those of its layout."""
    opened: list[FrontEnd] = []

    def create(*args: Any, **kwargs: Any) -> FrontEnd:
        opened.append(FrontEnd(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    yield opened
    for each in opened:
        each.close()
