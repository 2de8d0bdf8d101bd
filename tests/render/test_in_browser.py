"""Hostile bundles in a real browser: no script runs, nothing is loaded, nothing of the page is reachable by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from secgemini_jupyter.render.answer import Facts, Input, answer_bundle, error_bundle
from secgemini_jupyter.render.live import LiveView
from secgemini_jupyter.render.markdown import markdown_html

from .test_answer import EVIL
from .test_markdown import HOSTILE
from .turns import FACTS, START, say

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page()
    yield opened
    opened.close()


def hostile_bundles() -> dict[str, str]:
    facts = Facts(actor=EVIL, model=EVIL, host=EVIL, session=EVIL, inputs=(Input(EVIL, 1),))
    turn = [
        say("thinking", EVIL, "thinking", title=EVIL, icon="<svg onload=alert(1)>"),
        say("debug", json.dumps({"name": EVIL, "args": {EVIL: EVIL}}), "calling_tool"),
        *[
            say("result", content, mime_type=mime_type)
            for mime_type in ("text/plain", "sec-gemini/html", "sec-gemini/table", "image/svg+xml", "sec-gemini/json")
            for content in (EVIL, json.dumps([{EVIL: EVIL}]))
        ],
    ]
    live = LiveView(facts, started=START)
    for message in turn:
        live.add(message)
    return {
        "every hostile Markdown": "".join(markdown_html(source, defang=False) for source in HOSTILE),
        "an answer": answer_bundle(turn, facts, status="error", error=EVIL).html,
        "an error": error_bundle(EVIL).html,
        "a live view": live.snapshot(START + 1)[0].bundle.html,
    }


@pytest.mark.parametrize("name", ["every hostile Markdown", "an answer", "an error", "a live view"])
def test_no_script_runs_and_nothing_is_loaded(page: Any, name: str) -> None:
    """Each link is clicked too: what would leave the page is caught, and only http(s) and mailto may be asked for."""
    requested: list[str] = []
    page.route("**/*", lambda route: (requested.append(route.request.url), route.abort()))
    page.set_content("<body></body>")
    page.evaluate(
        """markup => {
            window.ran = [];
            for (const name of ['alert', 'open']) window[name] = () => window.ran.push(name);
            document.addEventListener('submit', event => { window.ran.push('submit'); event.preventDefault(); });
            document.addEventListener('click', event => event.target.closest('a') && event.preventDefault(), true);
            document.body.innerHTML = markup;
            document.querySelectorAll('*').forEach(element => {
                for (const type of ['click', 'mouseover', 'focus', 'toggle', 'error', 'load'])
                    element.dispatchEvent(new Event(type, { bubbles: true, cancelable: true }));
            });
        }""",
        hostile_bundles()[name],
    )
    page.wait_for_function("document.readyState === 'complete'")
    found = page.evaluate(
        """() => {
            const all = [...document.body.querySelectorAll('*')];
            const active = 'script, style, svg, math, form, input, button, iframe, link, meta';
            return {
                ran: window.ran,
                handlers: all.flatMap(e => e.getAttributeNames()).filter(name => name.startsWith('on')),
                named: all.filter(e => e.matches('[id], [name], [class]:not(.mathjax_ignore)')).length,
                active: all.filter(e => e.matches(active)).length,
                schemes: all.filter(e => e.matches('a')).map(a => a.protocol),
                images: all.filter(e => e.matches('img')).map(i => i.src.slice(0, 11)),
            };
        }"""
    )
    assert found["ran"] == found["handlers"] == []
    assert found["named"] == found["active"] == 0
    assert set(found["schemes"]) <= {"http:", "https:", "mailto:"}
    assert set(found["images"]) <= {"data:image/"}
    assert requested == []


def test_a_link_leads_to_the_host_that_is_shown(page: Any) -> None:
    """The browser's own reading of every URL is the host behind the link: no tricks with users, slashes or IDN."""
    urls = [
        "https://good.org/path", "HTTPS://GOOD.org", "https://good.org\\@evil.com/", "https://good.org@evil.com/",
        "https://good.org:443@evil.com/", "https:///evil.com", "https:evil.com", "http://0x7f.1/", "https://good.org%2eevil.com/",
        "https://good.org／evil.com/", "https://раypal.com/", "https://good.org?@evil.com", "https://good.org#@evil.com",
        "https://good.org.:80/x", "https://[::1]/", "https://good.org;evil.com/",
    ]  # fmt: skip
    markup = "".join(markdown_html(f"[here](<{url}>)", defang=False) for url in urls)
    page.set_content(markup)
    links = page.evaluate("[...document.querySelectorAll('a')].map(a => [a.hostname, a.nextSibling.textContent])")
    assert len(links) >= 4
    for hostname, shown in links:
        assert shown.strip() == f"({hostname})"


@pytest.mark.parametrize("width", [600, 900])
def test_an_answer_never_scrolls_sideways(page: Any, width: int) -> None:
    wide = "| " + " | ".join(f"column{n}" for n in range(40)) + " |\n" + "|---" * 40 + "|\n"
    turn = [say("result", f"{wide}\n\n{'a' * 500}\n\n```\n{'b' * 500}\n```\n\n`{'c' * 300}`"),
            say("thinking", "d" * 900, "thinking", title="e" * 300)]  # fmt: skip
    page.set_viewport_size({"width": width, "height": 600})
    page.set_content(answer_bundle(turn, FACTS).html)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
