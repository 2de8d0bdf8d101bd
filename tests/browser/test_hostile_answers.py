"""Hostile answers, while they stream and after, in JupyterLab, Notebook 7 and on an exported page: none acts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbconvert import HTMLExporter

from tests.browser.lab_server import LabServer, Notebook
from tests.conftest import LocalService

from .test_magics_in_lab import LOAD, displays

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
KEY = "a-key-for-the-hostile-service-0123456789"
ACTING = (
    "img, script, svg, math, mjx-container, form, button, style, iframe, input, object, embed, link, meta, [id],"
    " [name], [onerror], [onload], [data-commandlinker-command]"
)
# Whatever an output ever held that acts, looked at whenever something changed; and the most outputs that there were.
WATCH = f"""() => {{
    window.held = []; window.most = 0;
    const look = () => {{
        const outputs = document.querySelectorAll('.jp-Notebook .jp-OutputArea-output');
        window.most = Math.max(window.most, outputs.length);
        for (const output of outputs) {{
            for (const each of output.querySelectorAll(`{ACTING}`)) window.held.push(each.outerHTML.slice(0, 200));
            for (const each of output.querySelectorAll('a[href]'))
                if (!/^(https?|mailto):/.test(each.href)) window.held.push(each.outerHTML);
        }}
    }};
    new MutationObserver(look).observe(document.querySelector('.jp-Notebook'), {{ childList: true, subtree: true }});
}}"""
NAME = "x'><img src=x onerror=window.pwned=6>"


@pytest.fixture(scope="module")
def evil_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    folder = tmp_path_factory.mktemp("evil-service")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.browser.hostile_service", folder / "data"],
            cwd=ROOT,
            env={**os.environ, "SECGEMINI_SERVE_API_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield LocalService(**json.loads(line), key=KEY, data=folder / "data")
        process.terminate()
        process.wait(10)


def opened(lab_server: LabServer, page: Any, service: LocalService, *cells: str, app: str = "lab") -> Notebook:
    """A notebook whose kernel asks the hostile service, as if that were Sec-Gemini."""
    (lab_server.root / "evil-key").write_text(service.key)
    (lab_server.root / "evil-key").chmod(0o600)
    settings = {
        "SECGEMINI_BACKEND": "auto",
        "SEC_GEMINI_API_HTTP_URL": service.http,
        "SEC_GEMINI_API_WEBSOCKET_URL": service.ws,
        "SEC_GEMINI_API_KEY_FILE": str(lab_server.root / "evil-key"),
    }
    return lab_server.open(page, f"import os\nos.environ |= {settings}\n{LOAD}", *cells, app=app)


@pytest.mark.parametrize("app", ["lab", pytest.param("notebook", marks=pytest.mark.slow)])
def test_nothing_that_a_hostile_agent_says_ever_acts(
    lab_server: LabServer, page: Any, evil_service: LocalService, app: str
) -> None:
    notebook = opened(
        lab_server,
        page,
        evil_service,
        f'%secgemini new "{NAME}"',
        "%%secgemini --show full --no-defang\nhello",
        "%%secgemini\nend in an error",
        "answer = %secgemini ask once more",
        app=app,
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(WATCH)
    for cell in range(5):  # the failing one ends a Run All
        page.evaluate(
            "async cell => { jupyterapp.shell.currentWidget.content.activeCellIndex = cell;"
            " await jupyterapp.commands.execute('notebook:run-cell') }",
            cell,
        )
        page.evaluate("() => document.querySelectorAll('.jp-Notebook details').forEach(each => { each.open = true })")
        words = " ".join(page.locator(".jp-Notebook .jp-OutputArea-output").all_inner_texts())  # of the cells in view
        assert ("<script>window.pwned=2</script>" in words) is (cell > 1), "shown as text"
        assert not {"\u202e", "\x1b", "\x07"} & set(words)
    page.wait_for_timeout(300)  # a moment in which a script could run, not a wait for anything
    assert page.evaluate("() => window.held") == []
    assert page.evaluate("() => window.pwned") is None
    assert [url for url in asked if "evil" in url.replace("evil-key", "")] == []
    assert page.evaluate("() => getComputedStyle(document.body).display") != "none"
    document = notebook.save()
    statuses = [displays(cell)[0].metadata["secgemini"]["status"] for cell in document.cells[2:5]]
    assert statuses == ["ok", "error", "ok"]
    on_a_page_without_a_network(page, HTMLExporter().from_notebook_node(document)[0])


def on_a_page_without_a_network(page: Any, html: str) -> None:
    asked: list[str] = []
    page.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    page.route("http://saved.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://saved.test/", wait_until="load")
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.get_by_text("<script>window.pwned=2</script>").count() > 3
    assert page.evaluate("() => window.pwned") is None
    held = page.evaluate(
        f"() => [...document.querySelectorAll('[data-mime-type=\"text/html\"]')]"
        f".flatMap(output => [...output.querySelectorAll(`{ACTING}`)].map(each => each.outerHTML))"
    )
    assert held == []
    assert [url for url in asked if "evil" in url] == []


@pytest.mark.slow
def test_five_megabytes_come_stay_few_outputs_and_leave_the_page_alive(
    lab_server: LabServer, page: Any, evil_service: LocalService
) -> None:
    """With a line of 1 MB and 10,000 nested lists in it."""
    notebook = opened(lab_server, page, evil_service, "%%secgemini -o found\nhuge", "print(len(found.answer))")
    page.set_default_timeout(120_000)
    page.evaluate(WATCH)
    notebook.run_all()
    assert page.evaluate("() => window.held") == []
    assert page.evaluate("() => window.most") < 40
    assert notebook.output(1).count() == 1
    assert "THE END" in notebook.output(1).first.text_content()
    assert page.evaluate("() => 6 * 7") == 42
    (display,) = displays(notebook.save().cells[1])
    assert len(display.data["text/html"]) < 15_000_000
