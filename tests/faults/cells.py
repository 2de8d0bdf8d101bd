"""One turn under a fault as `%%secgemini` cells of a real kernel, whose service is reached through the proxy."""

from __future__ import annotations

import json
import re
from pathlib import Path

from secgemini_jupyter.models import MessageType
from tests.faults.acts import Plan
from tests.faults.callers import Saw, frames
from tests.faults.matrix import GOES_ON, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import KEY, Service, last_turn
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

SET_UP = """
import random
from secgemini_jupyter import settings
from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.protocol import turn
from secgemini_jupyter.tools import secgemini_tool
scaled = {scaled}
if scaled:
    turn.SECOND_LOOK, turn.END_AFTER_RESULT = 0.05, 0.2
    random.uniform = lambda _low, high: high * {pauses}
original = getattr(settings, "original", settings.Settings.from_environment.__func__)
settings.original = original
settings.Settings.from_environment = classmethod(
    lambda cls, environ=None, **given: original(cls, environ, **(given | {settings})))
runs = []
def once() -> int:
    "Counts its runs."
    runs.append(1)
    return len(runs)
once = secgemini_tool(once)
%reload_ext secgemini_jupyter
"""


class Cells:
    """The cells of one kernel, one fault after the other."""

    reconnect = "%secgemini reconnect"

    def __init__(self, folder: Path, proxy: Proxy) -> None:
        address = f"127.0.0.1:{proxy.port}"
        self._kernel: Kernel = start_kernel(
            folder,
            {
                "SEC_GEMINI_API_HTTP_URL": f"http://{address}",
                "SEC_GEMINI_API_WEBSOCKET_URL": f"ws://{address}",
                "SEC_GEMINI_API_KEY": KEY,
            },
        )

    def close(self) -> None:
        stop_kernel(self._kernel)

    def set_up(self, fault: Fault) -> None:
        """Times and settings of the fault; a client of its own."""
        self._checked(SET_UP.format(settings=repr(fault.settings), pauses=fault.pauses, scaled=not fault.slow))

    def run(self, fault: Fault, plan: Plan, proxy: Proxy, service: Service) -> Saw:
        saw = Saw()
        seen = proxy.arm(plan if plan.from_the_start else Plan())
        session = self._kernel.value(f"default_kernel().new({fault.name!r}, tools=[once]).id")
        if fault.before:
            self._checked(f"%%secgemini\n{fault.before}")
        seen = seen if plan.from_the_start else proxy.arm(plan)
        ran = self._kernel.run(f"%%secgemini -o answer\n{fault.prompt}", timeout=200)
        service.wait_until_up()
        saw.sockets, saw.runs = seen.sockets, self._kernel.value("len(runs)")
        self._checked("runs.clear()")
        saw.given = saw.carried = self._messages("answer")
        if ran.status != "ok":
            saw.error, saw.text = ran.ename, re.sub(r"\x1b\[[\d;]*m", "", ran.error)
        stored = service.messages(session)
        saw.stored = frames(last_turn(stored)[1])
        saw.queries = sum(m.message_type is MessageType.QUERY and m.content == fault.prompt for m in stored)
        proxy.arm(Plan())
        if saw.error and fault.words == GOES_ON:
            self._checked("again = %secgemini reconnect")
            saw.again, saw.stored = self._messages("again"), frames(last_turn(service.messages(session))[1])
        service.forget(session)
        return saw

    def _messages(self, name: str) -> list[bytes]:
        given: list[str] = json.loads(
            self._kernel.value(f"__import__('json').dumps([m.to_json().decode() for m in {name}.messages])")
        )
        return [each.encode() for each in given]

    def _checked(self, code: str) -> None:
        ran = self._kernel.run(code, timeout=200)
        assert ran.status == "ok", ran.error
