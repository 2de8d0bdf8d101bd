"""What the tests of every part share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# What takes long here says nothing about the code: the machine has two cores and other work.
settings.register_profile("default-without-deadline", deadline=None)
settings.load_profile("default-without-deadline")

KEY = "local-test-key-0123456789"


@dataclass(frozen=True)
class LocalService:
    """A local server that runs as a process of its own, with the echo engine and an empty data folder."""

    http: str
    ws: str
    pid: int
    key: str
    data: Path


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    folder = tmp_path_factory.mktemp("local-service")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "secgemini_jupyter.local_server", "--engine", "echo", "--data", folder / "data"],
            env={**os.environ, "SECGEMINI_SERVE_API_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        try:
            yield LocalService(**json.loads(line), key=KEY, data=folder / "data")
        finally:
            process.terminate()
            process.wait(10)
