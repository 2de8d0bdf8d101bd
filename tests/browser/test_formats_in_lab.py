"""`-f code`, `df` and `json` in a real JupyterLab: the new cell, and what stays in the notebook."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.test_magics_in_lab import ECHO, LOAD, displays, end_the_local_service

__all__ = ["end_the_local_service"]

pytestmark = pytest.mark.browser

CODE = "Try:\n\n```python\nran = True\nprint('never')\n```\n\n```bash\nls\n```\n"
ROWS = [{"host": f"h{n}.evil.test", "hits": n * 1000, "note": "<script>window.bad = 1</script>"} for n in range(3)]


def test_code_goes_into_one_cell_below_and_is_not_run(lab: Callable[..., Any]) -> None:
    notebook = lab(LOAD, ECHO, f"%%secgemini -f code\n{CODE}", "after = 1")
    notebook.run_all()
    notebook.page.get_by_text("From the local service", exact=False).first.wait_for()
    saved = notebook.save()
    assert len(saved.cells) == 5
    (new,) = [cell for cell in saved.cells if cell.source.startswith("# From")]
    first, second, third, *rest = new.source.split("\n")
    assert first.startswith("# From the local service, not Sec-Gemini, session ")
    assert second == "# Not run yet: read it first."
    assert third == "# Left out: 1 block in other languages (bash)."
    assert rest == ["ran = True", "print('never')"]
    assert new.execution_count is None
    assert new.outputs == []
    assert notebook.python("print('ran' in globals(), after)").strip() == "False 1"
    (answer,) = displays(saved.cells[2])
    assert "1 block of code put below" in answer.data["text/plain"]


@pytest.mark.slow
def test_code_by_hand_is_placed_right_below_its_cell(lab: Callable[..., Any]) -> None:
    """A user who runs one cell finds the code under it, and the cells after it where they were."""
    notebook = lab(LOAD, ECHO, f"%%secgemini -f code\n{CODE}", "after = 1")
    page = notebook.page
    for index in (0, 1, 2):
        page.evaluate(
            "async (index) => { const panel = jupyterapp.shell.currentWidget; "
            "panel.content.activeCellIndex = index; panel.content.deselectAll(); "
            "await jupyterapp.commands.execute('notebook:run-cell') }",
            index,
        )
    page.get_by_text("From the local service", exact=False).first.wait_for()
    sources = [cell.source for cell in notebook.save().cells]
    assert [source.split(" ")[0] for source in sources[2:]] == ["%%secgemini", "#", "after"]
    active = page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()")
    assert active.startswith(("# From", "%%secgemini"))


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_table_and_tree_are_shown_once_and_safe(lab_server: Any, page: Any, theme: str) -> None:
    value = {"verdict": "malicious", "indicators": [{"url": "http://evil.test/a", "seen": True}], "<b>": None}
    notebook = lab_server.open(
        page,
        LOAD,
        ECHO,
        f"%%secgemini -f df -o found\nHosts: [[type sec-gemini/table {json.dumps(ROWS)}]]",
        f"%%secgemini -f json\nVerdict:\n```json\n{json.dumps(value)}\n```",
        "%%secgemini -f text\nplain **words**",
        theme=theme,
    )
    notebook.run_all()
    table, tree = notebook.output(2), notebook.output(3)
    assert table.count() == tree.count() == notebook.output(4).count() == 1
    assert table.locator("td").first.inner_text() == "h0[.]evil[.]test"
    assert "<script>" in table.inner_text()
    assert tree.locator("details").count() >= 2
    assert "hxxp://evil[.]test/a" in tree.inner_text()
    assert page.evaluate("() => window.bad") is None
    saved = notebook.save()
    assert [set(display.data) for cell in saved.cells[2:] for display in displays(cell)] == [
        {"text/html", "text/plain"},
        {"text/html", "text/plain"},
        {"text/plain"},
    ]
    assert notebook.python("print(found.df()['host'][0])").strip() == "h0.evil.test"
