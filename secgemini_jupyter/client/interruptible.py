"""The client of a kernel: ■ gives up whatever it waits for."""

from __future__ import annotations

from typing import TypeVar

from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.protocol.requests import Request

__all__ = ["InterruptibleSecGemini"]

T = TypeVar("T")


class InterruptibleSecGemini(SecGemini):
    """`SecGemini` whose exchanges run on the loop thread.

    An interrupt reaches the main thread only in Python code: never in the lookup of a name, and not while httpx is
    about to clean up. There it would be late, or leave a connection behind.
    """

    _warns = False  # the kernel's sessions find their tools in the notebook, and say what they miss

    def _send(self, request: Request[T], ends: float | None = None) -> T:
        loop, client = self._loop_thread, self.aio
        if loop.is_here:  # it cannot wait for itself
            return super()._send(request, ends)
        return loop.run(lambda: client._send(request, ends))
