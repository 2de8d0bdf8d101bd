"""Threads in ipykernel 7.0, which knows of the context alone which cell is running."""

from __future__ import annotations

import contextvars
import sys
from types import SimpleNamespace

import pytest

from secgemini_jupyter.threads import daemon

CELL = contextvars.ContextVar[str]("cell")


@pytest.mark.parametrize(("version", "seen"), [((6, 29, 5), "none"), ((7, 0, 1), "cell 1"), ((7, 1, 0), "none")])
def test_the_context_goes_along_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], seen: str
) -> None:
    """`make matrix` shows what it is for: there, nothing that a thread publishes may be lost."""
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace(version_info=version))
    found: list[tuple[str, int]] = []
    token = CELL.set("cell 1")
    thread = daemon(lambda number: found.append((CELL.get("none"), number)), 7, name="a-name")
    CELL.reset(token)
    assert (thread.name, thread.daemon) == ("a-name", True)
    thread.start()
    thread.join()
    assert found == [(seen, 7)]
