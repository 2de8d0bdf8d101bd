"""What is searched for is marked in the message that is shown, also where it was folded away or is defanged."""

from __future__ import annotations

import pytest

from tests.browser import pictures
from tests.browser.pictures import pack, show, triage

pytestmark = pytest.mark.browser

MARKED = "[...(CSS.highlights.get('sg-hit') ?? [])].map(String)"
FOLDED = (
    "<details><summary>response: {1}</summary><div><details><summary>result</summary>"
    "<div>seen at evil[.]example, folded</div></details></div></details><div>hxxps[://]evil[.]example/a</div>"
)


@pytest.mark.parametrize(
    ("typed", "marked", "opened"),
    [
        ("SEEN AT", ["seen at"], True),
        ("evil.example", ["evil[.]example", "evil[.]example"], True),
        ("evil[.]example/a", ["evil[.]example/a"], False),
        ("https://evil.example", ["hxxps[://]evil[.]example"], False),
        ("result", ["result"], False),
        (".*", [], False),
    ],
)
def test_hits_are_marked_and_what_hides_them_is_opened(page, typed, marked, opened):
    content = {
        "details": {"4": pictures.detail(4, parts=[{"kind": "html", "html": FOLDED}])},
        "hits": {typed: [4]},
    }
    widget = show(page, pack(triage()), content=content)
    widget.get_by_role("treeitem", name="10 logons").click()
    pane = widget.locator(".sg-detail")
    pane.get_by_text("response:").wait_for()
    assert page.evaluate(MARKED) == []
    widget.get_by_role("searchbox").fill(typed)
    if marked:
        page.wait_for_function(f"{MARKED}.length > 0")
    assert page.evaluate(MARKED) == marked
    assert pane.get_by_text("seen at").is_visible() is opened
    widget.get_by_role("searchbox").fill("")
    page.wait_for_function(f"{MARKED}.length === 0")
