"""Every fault, on both shells: what the caller gets is what the table says."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.callers import Async, Sync, verdict
from tests.faults.matrix import FAULTS, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import Service

ROWS = [
    pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.slow else [])
    for fault in FAULTS
]  # fmt: skip
BOUND = 45.0
"""Seconds in which every turn must have come to its end: so long may it take to notice that nothing passes any more."""


@pytest.mark.parametrize("shell", [Sync(), Async()], ids=["sync", "async"])
@pytest.mark.parametrize("fault", ROWS)
def test_the_caller_gets_what_is_stored_or_a_typed_error(
    fault: Fault, shell: Sync | Async, proxy: Proxy, service: Service, pauses: pytest.MonkeyPatch
) -> None:
    if fault.pauses:
        pauses.setattr(random, "uniform", lambda _low, high: high * fault.pauses)
    for plan in fault.plans:
        began = time.monotonic()
        saw = shell.run(fault, plan, proxy, service)
        assert verdict(saw, fault, shell.reconnect) == fault.result, (plan, saw.text)
        assert time.monotonic() - began < BOUND
        if fault.sockets is not None:
            assert saw.sockets == fault.sockets, plan
