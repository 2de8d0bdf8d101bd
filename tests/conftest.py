"""What the tests of every part share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings

# What takes long here says nothing about the code: the machine has two cores and other work.
# `make test` looks at fewer examples than `make slow`, which has the time.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_EXAMPLES", "quick"))

KEY = "local-test-key-0123456789"


LONGEST = ("test_scripts.py", "test_headless.py", "test_sessions_of_a_notebook.py", "test_skipping.py")
"""Files that take a worker of `make test` a minute or more: begun last, they would be waited for while others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's synchronous API leaves an event loop in the thread."""
    items.sort(key=lambda item: (item.get_closest_marker("browser") is not None, item.path.name not in LONGEST))


def unavailable(what: str) -> NoReturn:
    """Skip here, fail in CI: a check that silently never runs is none."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first is the lightest
    chromium = next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        unavailable("NOT CHECKED in a browser: no Chromium. Install it: apt-get install chromium fonts-dejavu-core")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield started
        started.close()


@dataclass(frozen=True)
class LocalService:
    """A local server that runs as a process of its own, with the echo engine and an empty data folder."""

    http: str
    ws: str
    logs: str
    pid: int
    key: str
    data: Path
    answers: str = ""


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with serving(tmp_path_factory.mktemp("local-service")) as service:
        yield service


@contextmanager
def serving(folder: Path) -> Iterator[LocalService]:
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


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests do in sessions is logged: not in the data folder of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(tmp_path_factory.mktemp("jupyter-data")))
        yield
