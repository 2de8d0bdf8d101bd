"""The official SDK's interpreter, and one run of all scenarios in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter import SecGemini, Settings
from tests.conftest import LocalService, serving

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).with_name("official_scenarios.py")


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """Its own: the official SDK cannot read what some tests of ours leave in a service, such as a deep JSON."""
    with serving(tmp_path_factory.mktemp("interop-service")) as service:
        yield service


@pytest.fixture(scope="session")
def official_python() -> str:
    made = subprocess.run([sys.executable, ROOT / "scripts" / "official_sdk.py"], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(made.stderr.strip())
    return made.stdout.strip()


@pytest.fixture(scope="session")
def observations(official_python: str, local_service: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the official SDK saw, by scenario."""
    folder = tmp_path_factory.mktemp("official")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEC_GEMINI")}
    environment |= {
        "SEC_GEMINI_API_KEY": local_service.key,
        "SEC_GEMINI_API_HTTP_URL": local_service.http,
        "SEC_GEMINI_API_WEBSOCKET_URL": local_service.ws,
        "SEC_GEMINI_LOGS_PROCESSOR_API_URL": local_service.http,
    }
    run = subprocess.run(
        [official_python, SCENARIOS, folder / "observations.json"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    observed: dict[str, Any] = json.loads((folder / "observations.json").read_text("utf-8"))
    return observed


@pytest.fixture(scope="session")
def official(observations: dict[str, Any]) -> Callable[[str], Any]:
    """One scenario's observations; the scenario's own traceback if it broke."""

    def of(name: str) -> Any:
        observed = observations[name]
        assert "broke" not in observed, observed["broke"]
        return observed["saw"]

    return of


@pytest.fixture
def ours(local_service: Any) -> Iterator[SecGemini]:
    """Our client at the same server."""
    settings = Settings().replace(base_url=local_service.http, websocket_url=local_service.ws)
    with SecGemini(local_service.key, settings=settings) as client:
        yield client
