"""Tab in a `%%secgemini` cell of a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

SOURCE = "jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.getSource()"
LISTED = ".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item"
PREPARE = "%load_ext secgemini_jupyter\nlogs = 'x'\nopen('my log.txt', 'w').close()"


def write(notebook: Any, text: str) -> None:
    """Type into the second cell, in place of what it holds."""
    page = notebook.page
    page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    becomes(notebook, text)


def becomes(notebook: Any, text: str) -> None:
    notebook.page.wait_for_function(f"text => {SOURCE} === text", arg=text)


def complete(notebook: Any, before: str, after: str) -> None:
    """Tab; and Enter, where JupyterLab shows a list of one, since it begins otherwise than what is there."""
    write(notebook, before)
    page = notebook.page
    page.keyboard.press("Tab")
    page.wait_for_function(f"text => {SOURCE} === text || document.querySelector({LISTED!r})", arg=after)
    if page.locator(LISTED).count():
        page.keyboard.press("Enter")
    becomes(notebook, after)


def test_tab_shows_what_may_stand_there_and_the_chosen_one_is_written(lab: Callable[..., Any]) -> None:
    notebook = lab(PREPARE, "")
    page = notebook.page
    notebook.run_all()
    items = page.locator(LISTED)

    write(notebook, "%%secgemini -")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer").wait_for()
    offered = items.all_inner_texts()
    for option in ("--session", "--attach", "--out", "-q"):
        assert any(option in each for each in offered)
    assert not any("abs" in each for each in offered), "nothing of Python"
    items.filter(has_text="--quiet").first.click()
    becomes(notebook, "%%secgemini --quiet")

    complete(notebook, "%%secgemini -a my", '%%secgemini -a "my log.txt"')
    complete(notebook, "answer = %secgemini hist", "answer = %secgemini history")
    # Not behind an emoji: JupyterLab counts it twice, in Python cells as well (jupyterlab/jupyterlab#13961).
    complete(notebook, "%%secgemini\né look at {{lo", "%%secgemini\né look at {{logs}}")


def test_a_question_mark_opens_the_help(lab: Callable[..., Any]) -> None:
    notebook = lab(PREPARE, "%%secgemini?")
    notebook.run_all()
    pager = notebook.page.get_by_text("Options of a cell and of `ask`")
    pager.wait_for()
    assert "--session NAME" in pager.inner_text()
    assert "feedback" in pager.inner_text()
