"""Answers replayed in a real JupyterLab, which tells its cells apart; and a notebook that is cleaned to be shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from secgemini_jupyter.cli import main

pytestmark = pytest.mark.browser

ANSWERS = ", ".join(f"[x.{name} for x in (one, two, three)]" for name in ("answer", "cached", "turn"))


def test_run_all_twice_asks_once_and_the_cleaned_notebook_opens(
    lab: Callable[..., Any], lab_server: Any, page: Any, tmp_path: Path
) -> None:
    cells = [
        f"%load_ext secgemini_jupyter\n%config SecGeminiMagics.cache_dir = {str(tmp_path / 'answers')!r}\n"
        "%config SecGeminiMagics.cache = 'use'",
        "%%secgemini -m local-echo -o one\nfirst [[messages=2]]",
        "%%secgemini -o two\ncontinue",
        "%%secgemini -o three\ncontinue",
        f"print({ANSWERS})",
        "import secgemini_jupyter\nsecgemini_jupyter.current_session()",
    ]
    notebook = lab(*cells)
    notebook.run_all()
    first = notebook.save()
    session = first.cells[1].outputs[-1].metadata["secgemini"]["session"]
    assert "[False, False, False]" in first.cells[4].outputs[0].text
    notebook.run_all()
    page.get_by_text("Replayed from the cache").first.wait_for()
    second = notebook.save()
    assert "[True, True, True] [1, 2, 3]" in second.cells[4].outputs[0].text
    assert "3 turns" in second.cells[5].outputs[0].data["text/plain"], "the service was asked three times, not six"

    path = tmp_path / "shared.ipynb"
    path.write_text(notebook.path.read_text("utf-8"), "utf-8")
    assert main(["clean", str(path)]) == 0
    left = path.read_text("utf-8")
    for word in (session, "Replayed", "Thinking and tools"):
        assert word not in left
    shared = lab_server.show(page, nbformat.reads(left, as_version=4))
    shared.output(1).get_by_text("first").wait_for()
    assert "retained" in shared.output(1).first.inner_text()
    assert json.loads(left)["cells"][5]["outputs"] == []
