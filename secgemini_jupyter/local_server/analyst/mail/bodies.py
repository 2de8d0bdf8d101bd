"""Texts of a message: links with what they show, forms, remote pictures, hidden text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from secgemini_jupyter.local_server.analyst.tools.urls import is_notable, urls_in, verdict
from secgemini_jupyter.local_server.analyst.web.taking_apart import take_apart

MAX_HTML = 300_000
MAX_LINKS = 200
MAX_JUDGED = 60

_HIDDEN = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*[01](?:\.\d+)?(?:px|pt|em)?\s*(?:;|$)|opacity\s*:\s*0\s*(?:;|$)"
    r"|(?:max-)?height\s*:\s*0(?:px)?\s*(?:;|$)|mso-hide\s*:\s*all|text-indent\s*:\s*-\d{3,}"
)
_OPENS = re.compile(r"<[a-zA-Z/!?]")
MAX_TAG = 20_000
_VOID = frozenset("br img hr input meta link area base col embed source track wbr".split())


class Html(HTMLParser):
    """What counts in HTML of a mail; never raises for what is in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[dict[str, str]] = []
        self.forms: list[str] = []
        self.remote: list[str] = []
        self.scripts = 0
        self.hidden: list[str] = []
        self.shown: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._anchor: dict[str, str] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs[:50]}
        if tag in ("a", "area") and given.get("href"):
            self._anchor = {"url": given["href"].strip()[:4_000], "text": "", "from": f"<{tag}>"}
            self.links.append(self._anchor)
        elif tag == "form":
            self.forms.append(given.get("action", "")[:2_000])
        elif tag in ("img", "link", "iframe", "video", "audio", "embed", "object") or given.get("background"):
            source = given.get("src") or given.get("href") or given.get("data") or given.get("background") or ""
            if re.match(r"(?i)(?:https?:)?//", source):
                self.remote.append(source[:2_000])
        if (
            tag == "meta"
            and given.get("http-equiv", "").lower() == "refresh"
            and "url=" in given.get("content", "").lower()
        ):
            url = re.split(r"(?i)url=", given["content"], maxsplit=1)[1].strip(" '\"")
            self.links.append({"url": url[:4_000], "text": "", "from": "<meta refresh>"})
        if tag in ("script", "iframe", "object", "embed"):
            self.scripts += 1
        if tag in ("script", "style", "title"):
            self._silent += 1
        if tag not in _VOID and len(self._open) < 10_000:
            self._open.append((tag, bool(_HIDDEN.search(given.get("style", "")[:500])) or "hidden" in given))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "title") and self._silent:
            self._silent -= 1
        if tag == "a":
            self._anchor = None
        for at in range(len(self._open) - 1, max(-1, len(self._open) - 40), -1):
            if self._open[at][0] == tag:
                del self._open[at:]
                break

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        text = re.sub(r"\s+", " ", data[:20_000])
        if self._anchor is not None:
            self._anchor["text"] = (self._anchor["text"] + text)[:300]
        if any(is_hidden for _, is_hidden in self._open[-60:]):
            if text.strip() and len(self.hidden) < 50:
                self.hidden.append(text.strip()[:300])
        elif text.strip() and len(self.shown) < 5_000:
            self.shown.append(text)


def tamed(text: str) -> str:
    """HTML of which `HTMLParser` needs linear time: it looks for the end of each `<` anew, to the end of the text.

    Of several `<` before a `>` only the first that can begin a tag stays one, as for browsers.
    """
    text = text.replace("<![", "&lt;![")
    last = text.rfind("-->") + 1
    # A comment that nothing ends is none.
    text = text[:last] + text[last:].replace("<!--", "&lt;!--")
    *segments, rest = text.split(">")
    return ">".join([*map(_one_tag, segments), rest.replace("<", "&lt;")])


def _one_tag(segment: str) -> str:
    opens = _OPENS.search(segment)
    if opens is None or len(segment) > MAX_TAG:
        return segment.replace("<", "&lt;")
    before, behind = segment[: opens.start()], segment[opens.start() + 1 :]
    return f"{before.replace('<', '&lt;')}<{behind.replace('<', '&lt;')}"


def read_html(text: str) -> Html:
    page = Html()
    try:
        page.feed(tamed(text[:MAX_HTML]))
        page.close()
    except (ValueError, AssertionError, RecursionError):
        pass  # what was read so far counts
    return page


def links(found: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Each address once, with the texts that lead to it, and what it looks like."""
    unique: dict[str, dict[str, Any]] = {}
    for each in found:
        url = each["url"]
        if not url or url.startswith("#") or (len(unique) >= MAX_LINKS and url not in unique):
            continue
        link = unique.setdefault(url, {"url": url, "texts": [], "from": each["from"]})
        text = each["text"].strip()
        if text and text not in link["texts"] and len(link["texts"]) < 3:
            link["texts"].append(text)
    return [_judged(link) if place < MAX_JUDGED else _plain(link) for place, link in enumerate(unique.values())]


def _plain(link: dict[str, Any]) -> dict[str, Any]:
    return link | {
        "host": "",
        "domain": "",
        "shows": "",
        "is_notable": False,
        "verdict": "",
        "text": ", ".join(link.pop("texts")),
    }


def _judged(link: dict[str, Any]) -> dict[str, Any]:
    scheme = link["url"].partition(":")[0].lower()
    if scheme in ("mailto", "tel", "cid", "sms"):
        return _plain(link)
    parts = take_apart(link["url"])
    domain = parts["registered"] or parts["host"]
    shows = ""
    for text in link["texts"]:
        for shown in urls_in(text)[:1]:
            seen = take_apart(shown)
            if seen["host"] and (seen["registered"] or seen["host"]) != domain and domain:
                shows = seen["host"]
    return _plain(link) | {
        "host": parts["host"],
        "domain": domain,
        "shows": shows,
        "is_notable": is_notable(parts) or bool(shows),
        "verdict": verdict(parts) if is_notable(parts) else "",
    }
