"""Documents that leave the notebook, opened from a file without a network: nothing runs, nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.transcript.exports import export
from secgemini_jupyter.transcript.reports import Evidence, Report
from tests.browser.conftest import run_axe
from tests.transcript.documents import hostile, ordinary

pytestmark = pytest.mark.browser


@pytest.fixture
def closed(browser: Any) -> Iterator[Any]:
    """Opens pages that are cut off; `requested` is what they asked for."""
    context = browser.new_context(viewport={"width": 900, "height": 800}, offline=True)
    page = context.new_page()
    page.requested, page.said, page.failures = [], [], {}
    page.on("requestfailed", lambda request: page.failures.update({request.url: request.failure}))
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("popup", lambda popup: page.said.append(popup.url))
    page.add_init_script("window.ran = () => { window.hasRun = true }")
    yield page
    context.close()


@pytest.fixture(params=["transcript", "report"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Writes a transcript as one of our documents."""

    def write(transcript: Any) -> Path:
        path = tmp_path / "a.html"
        if request.param == "transcript":
            return export(transcript, path)
        made = Report(
            transcript=transcript, title=transcript.name, scope=transcript.description, head=transcript.name,
            findings=transcript.description, evidence=[Evidence(each, True) for each in transcript.files],
        )  # fmt: skip
        return made.save(path, overwrite=True)

    return write


def opened(page: Any, path: Path) -> str:
    url = path.as_uri()
    page.goto(url)
    page.requested.remove(url)
    return url


def test_a_hostile_document_runs_nothing_and_asks_for_nothing(closed: Any, written: Callable[..., Path]) -> None:
    url = opened(closed, written(hostile()))
    closed.evaluate(
        """() => document.querySelectorAll('*').forEach(element => {
            if (element.tagName === 'DETAILS') element.open = true;
            for (const type of ['mouseover', 'focus', 'toggle', 'error', 'load'])
                element.dispatchEvent(new Event(type, { bubbles: true, cancelable: true }));
        })"""
    )
    closed.mouse.wheel(0, 100_000)  # what would load when it is seen
    closed.wait_for_function("document.readyState === 'complete'")
    found = closed.evaluate(
        """() => {
            const all = [...document.querySelectorAll('*')];
            return {
                ran: window.hasRun,
                handlers: all.flatMap(e => e.getAttributeNames()).filter(name => name.startsWith('on')),
                active: all.filter(e => e.matches('script, svg, math, form, input, button, iframe, link, base')).length,
                sheets: document.styleSheets.length,
                ids: all.filter(e => e.id && !/^turn-\\d+$/.test(e.id)).length,
                links: all.filter(e => e.matches('a[href]')).map(a => a.getAttribute('href')),
            };
        }"""
    )
    assert found["ran"] is None
    assert found["handlers"] == []
    assert (found["active"], found["sheets"], found["ids"]) == (0, 1, 0)
    assert all(link.startswith("#turn-") for link in found["links"])
    assert closed.url.partition("#")[0] == url  # no refresh, no form led away
    assert closed.requested == closed.said == []


def test_the_policy_holds_although_something_came_through(closed: Any, written: Callable[..., Path]) -> None:
    """A second wall: were the renderer mistaken, the page's own policy would still stop each of these."""
    path = written(ordinary())
    inside = (
        "<script>ran()</script><img src=x onerror=ran()><img src=https://evil.com/1><style>body{color:red}</style>"
        "<link rel=stylesheet href=https://evil.com/2><iframe src=https://evil.com/3></iframe>"
        "<form id=f action=https://evil.com/4><input name=a></form><base href=https://evil.com/>"
    )
    path.write_text(path.read_text("utf-8").replace("<main>", f"<main>{inside}"), "utf-8")
    url = opened(closed, path)
    closed.evaluate("document.getElementById('f').submit()")
    closed.wait_for_function("document.readyState === 'complete'")
    assert closed.evaluate("[window.hasRun, getComputedStyle(document.body).color === 'rgb(255, 0, 0)']") == [
        None, False,
    ]  # fmt: skip
    assert closed.url == url
    asked = [each for each in closed.requested if each.startswith("http")]
    assert asked
    assert {each: closed.failures[each] for each in asked} == dict.fromkeys(asked, "csp")  # not: no network


@pytest.mark.parametrize(("scheme", "width"), [("light", 420), ("dark", 600), ("light", 900)])
def test_it_reads_at_every_width_in_light_and_dark(
    closed: Any, written: Callable[..., Path], scheme: str, width: int
) -> None:
    closed.emulate_media(color_scheme=scheme)
    closed.set_viewport_size({"width": width, "height": 800})
    for transcript in (hostile(), ordinary()):
        opened(closed, written(transcript))
        assert closed.evaluate("document.documentElement.scrollWidth") <= width
    found = run_axe(closed, "main")
    assert found["violations"] == []
    assert found["contrast"] > 10
    dark = closed.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert dark == (scheme == "dark")


def test_on_paper_everything_is_open_and_dark_is_light(closed: Any, written: Callable[..., Path]) -> None:
    opened(closed, written(ordinary()))
    closed.evaluate("document.querySelectorAll('details').forEach(each => { each.open = false })")
    hidden = closed.get_by_text("Need the advisory first, then the installed version on web-7.").last  # in two folds
    assert not hidden.is_visible()
    closed.emulate_media(media="print", color_scheme="dark")
    assert hidden.is_visible()
    assert closed.get_by_text("Yes. web-7 runs 4.1.9").is_visible()
    assert closed.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert closed.pdf(prefer_css_page_size=True).startswith(b"%PDF")
