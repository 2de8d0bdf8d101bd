"""Safe HTML: the one type for it, a builder that escapes, the styles, and the sanitiser.

Styles are inline and few, because Jupyter's sanitiser of untrusted notebooks keeps nothing else: no `<style>`,
no `var()`, no `currentColor`. Text inherits its colour, lines are translucent grey, "quieter" is opacity: so one
bundle suits light and dark. Every style is a constant of this module; no style ever comes from content.
"""

from __future__ import annotations

import base64
import hashlib
import html as _html
from functools import cache
from typing import TYPE_CHECKING

from secgemini_jupyter.render.text import safe_text

if TYPE_CHECKING:
    import nh3

__all__ = ["BREAK", "Html", "escape", "join", "page", "sanitize", "tag"]

LINE = "1px solid rgba(128,128,128,0.3)"
TABLE = "border-collapse:collapse;table-layout:auto;width:auto;margin:0;font-size:13px"
ROW = "background:transparent"
_CELL = f"padding:3px 18px 3px 0;border-bottom:{LINE};vertical-align:top;line-height:1.4"
CELL = {align: f"text-align:{align};{_CELL}" for align in ("left", "right", "center")}
NAME_CELL = f"text-align:left;{_CELL};white-space:nowrap;opacity:0.75"
STATE_CELL = {
    state: f"text-align:left;{_CELL};white-space:nowrap;{look}"
    for state, look in {
        "ok": "opacity:0.75",
        "info": "opacity:0.75",
        "skipped": "opacity:0.75",
        "warn": "color:#b7791f;font-weight:600",
        "fail": "color:#d1453b;font-weight:600",
    }.items()
}
ADVICE = "font-weight:600;overflow-wrap:break-word"
NUMBER = CELL["right"] + ";font-variant-numeric:tabular-nums;white-space:nowrap"
SCROLL = "overflow-x:auto;margin:8px 0"
PRE = (
    "white-space:pre;overflow-x:auto;margin:8px 0;padding:8px 10px;border-radius:4px;"
    "background:rgba(128,128,128,0.1);font-size:12.5px;line-height:1.45;text-align:left"
)
WRAPPED = (
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0;padding:8px 10px;border-radius:4px;"
    "background:rgba(128,128,128,0.1);font-size:12.5px;line-height:1.45;text-align:left;max-height:32em;overflow:auto"
)
PRE_CODE = "background:transparent;padding:0;white-space:pre;font-size:12.5px"
CODE = "background:rgba(128,128,128,0.14);padding:1px 4px;border-radius:3px;font-size:12.5px"
LONG_CODE = f"{CODE};overflow-wrap:anywhere;white-space:normal"
QUIET = "font-size:12px;line-height:1.5;opacity:0.75;text-align:left;margin:6px 0;overflow-wrap:break-word"
_FRAME = "padding:1px 0 1px 14px;margin:2px 0;text-align:left;overflow-wrap:break-word"
# The rule's colours have a contrast of at least 3 on Lab's light and dark backgrounds.
FRAME = {
    state: f"border-left:3px solid {colour};{_FRAME}"
    for state, colour in {
        "ok": "rgba(128,128,128,0.4)",
        "running": "#2f7fd6",
        "error": "#d1453b",
        "interrupted": "#b7791f",
    }.items()
}
FRAME["running"] = FRAME["running"].replace("margin:2px 0", "margin:0")  # the rules of several outputs are one
STATE = "margin:6px 0;text-align:left;overflow-wrap:break-word"
STEP = "padding:1px 0 1px 14px"
STEP_NAME = "background:transparent;padding:0;font-size:12px"
STEP_DETAIL = (
    "font-family:monospace;white-space:pre-wrap;overflow-wrap:break-word;max-height:20em;overflow:auto;"
    "margin:2px 0 6px;padding:6px 10px;border-radius:4px;background:rgba(128,128,128,0.12)"
)
TITLE = "margin:8px 0 2px;text-align:left"
CODE_TREE = "font-family:monospace;font-size:12.5px;line-height:1.5;text-align:left;margin:8px 0;overflow-x:auto"
INDENT = "padding-left:18px"
SAVED = "font-size:13px;text-align:left;margin:6px 0"
SAVED_TURN = "margin:10px 0;padding-left:14px;text-align:left;overflow-wrap:break-word"
SUMMARY = "cursor:pointer"
QUIET_PART = "text-align:left;margin:6px 0"
IMAGE = "max-width:100%;height:auto;margin:8px 0"
HOST = "opacity:0.7"
KEYWORD = "font-weight:600"
COMMENT = "font-style:italic;opacity:0.7"

# What Markdown may become, each with the style it gets whatever the content says. Headings begin at h3: the
# notebook's outline, which Lab builds from outputs too, belongs to the notebook's author.
_STYLES = {
    "p": "margin:8px 0;text-align:left;overflow-wrap:break-word",
    "h3": "font-weight:600;font-size:1.2em;line-height:1.3;margin:14px 0 6px;text-align:left",
    "h4": "font-weight:600;font-size:1.1em;line-height:1.3;margin:12px 0 6px;text-align:left",
    "h5": "font-weight:600;font-size:1em;line-height:1.3;margin:10px 0 4px;text-align:left",
    "h6": "font-weight:600;font-size:1em;line-height:1.3;margin:10px 0 4px;text-align:left;opacity:0.8",
    "ul": "margin:6px 0;padding-left:24px;text-align:left",
    "ol": "margin:6px 0;padding-left:24px;text-align:left;list-style:decimal",
    "li": "margin:2px 0",
    "blockquote": "margin:8px 0;padding:0 0 0 12px;border-left:3px solid rgba(128,128,128,0.3);opacity:0.85",
    "hr": f"border:none;border-top:{LINE};margin:12px 0;height:0;background:transparent",
    "table": TABLE,
    "tr": ROW,
    "pre": PRE,
}
_PLAIN_TAGS = {"a", "br", "code", "del", "em", "s", "strong", "thead", "tbody", "td", "th", "div", "span"}
_CELL_STYLES = {*CELL.values(), NUMBER}


class Html(str):
    """HTML that is safe to show as it is. Made by `escape`, `tag`, `join` and `sanitize`, nowhere else."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Any text as HTML text; `Html` stays what it is."""
    return text if isinstance(text, Html) else Html(_html.escape(safe_text(text), quote=True))


def join(*parts: str, between: str = "") -> Html:
    return Html(str(escape(between)).join(escape(part) for part in parts))


BREAK = Html("<wbr>")
"""Where a browser may begin a new line; who copies the text does not get it."""


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element; children and values that are not `Html` are escaped. `style` takes a constant of this package."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def shown(markup: str, style: str = "") -> Html:
    """What an output holds: in it, a front end takes no text for TeX.

    Lab and nbconvert's pages typeset every HTML output, so that "$5 … $6" is garbled, and its `href` makes a link that
    hides where it leads. MathJax passes over these classes, the first of version 3 and later, the second of 2.
    """
    return tag("div", Html(markup), class_="mathjax_ignore tex2jax_ignore", style=style) if markup or style else Html()


def image(data_url: str, words: str, *, width: int = 0) -> Html:
    """A raster image that is part of the page; `images.read_image` has looked at its bytes, or we drew it.

    Args:
        width: in CSS pixels, for one that has more pixels than it shall take.
    """
    if not data_url.startswith(("data:image/png;", "data:image/gif;", "data:image/jpeg;", "data:image/webp;")):
        raise ValueError("only raster images that were read are shown")
    size = f' width="{width:d}"' if width else ""
    return Html(f'<img src="{escape(data_url)}" alt="{escape(words)}"{size} style="{IMAGE}">')


def page(body: Html, title: str, css: str = "") -> str:
    """A file of its own: it loads nothing and runs nothing, in any browser.

    Args:
        css: of ours. It is allowed by its hash; the styles of elements are constants of this module.
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    sheet = f"'sha256-{digest}'" if css else "'none'"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; style-src-elem {sheet}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"{tag('title', title)}{f'<style>{css}</style>' if css else ''}"
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def sanitize(markup: str) -> Html:
    """Markup that Markdown made, held against the allow-list: tags, exact styles, links, and nothing else."""
    return Html(_cleaner().clean(markup))


@cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=_PLAIN_TAGS | _STYLES.keys(),
        clean_content_tags={"script", "style"},
        attributes={"a": {"href"}, "ol": {"start"}},
        tag_attribute_values={
            "td": {"style": _CELL_STYLES},
            "th": {"style": _CELL_STYLES},
            "div": {"style": {SCROLL, QUIET}},
            "code": {"style": {PRE_CODE, CODE, LONG_CODE}},
            "span": {"style": {HOST, KEYWORD, COMMENT}},
        },
        set_tag_attribute_values={name: {"style": style} for name, style in _STYLES.items()},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer",
    )
