"""The server, the proxy before it, and pauses that are not waited for."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from secgemini_jupyter.protocol import turn
from tests.faults.proxy import Proxy
from tests.faults.service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = Service(tmp_path_factory.mktemp("faults"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def proxy(service: Service) -> Iterator[Proxy]:
    made = Proxy(service.port, service.outage)
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set by a test to the part of the longest pause that it waits."""
    monkeypatch.setattr(turn, "SECOND_LOOK", 0.05)
    monkeypatch.setattr(turn, "END_AFTER_RESULT", 0.2)
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0.0)
    return monkeypatch
