"""`%secgemini login` in a real JupyterLab: the key is typed hidden, and stays out of the notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import LocalService

pytestmark = pytest.mark.browser


def test_a_key_is_typed_hidden_and_saved_nowhere(lab: Callable[..., Any], local_service: LocalService) -> None:
    setup = (
        "import os\nos.environ.pop('SECGEMINI_BACKEND', None)\n"
        f"os.environ['SEC_GEMINI_API_HTTP_URL'] = {local_service.http!r}\n%load_ext secgemini_jupyter"
    )
    notebook = lab(setup, "%secgemini login", "%secgemini whoami", "%secgemini doctor")
    page = notebook.page
    page.evaluate("() => { window.ran = jupyterapp.commands.execute('notebook:run-all-cells') }")
    field = page.locator(".jp-Stdin-input")
    field.wait_for()
    assert field.get_attribute("type") == "password"
    field.fill(local_service.key)
    field.press("Enter")
    page.evaluate("() => window.ran")
    expect(notebook.output(1).last).to_contain_text("Logged in as local@localhost")
    expect(notebook.output(2).first).to_contain_text("…6789 from login")
    report = notebook.output(3).first
    report.wait_for()
    assert report.locator("table").count() == 1
    assert "the service knows this key" in report.inner_text()
    assert report.evaluate("each => each.scrollWidth <= each.clientWidth + 1"), "it fits the page"
    assert local_service.key not in page.content()
    notebook.save()
    assert local_service.key not in notebook.path.read_text()
