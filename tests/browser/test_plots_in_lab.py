"""A plot in a real JupyterLab: a picture that has its words, in which nothing is taken for TeX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
MAKE = f"""\
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.plots.sessions import history, tokens
table = history(4, tools=("lookup_cve", "whois", r"$\\alpha$ <b>", "sandbox"), usage=tokens(1200, 300, 400))"""


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_plot_has_its_words_as_alternative_text_and_below(
    lab_server: Any, page: Any, theme: str, tmp_path: Path
) -> None:
    notebook = lab_server.open(page, MAKE, f"table.secgemini.plot.timeline(theme={theme!r})", theme=theme)
    notebook.run_all()
    picture = page.locator(".jp-OutputArea-output img")
    picture.wait_for()
    assert picture.get_attribute("alt").startswith("Session timeline.\n4 turns from 2025-10-09 08:55:00 UTC")
    box = picture.bounding_box()
    assert 300 < box["width"] <= 800
    page.get_by_text("In words").click()
    page.get_by_text("Turn 4: 2025-10-09 11:55:00 UTC", exact=False).wait_for()
    words = page.locator(".jp-OutputArea-output details").inner_text()
    assert words.count("tools: lookup_cve, whois, $\\alpha$ <b>, sandbox.") == 4, "Lab typesets TeX"
    page.locator(".jp-OutputArea-output").screenshot(path=tmp_path / "plot.png")
    (output,) = [each for cell in notebook.save().cells for each in cell.get("outputs", ())]
    assert set(output.data) == {"image/png", "text/html", "text/plain"}
    assert output.metadata["image/png"]["alt"] == output.data["text/plain"]
