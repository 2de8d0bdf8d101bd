"""Source code → HTML: keywords by weight, comments by slant. No colours, so one output suits light and dark."""

from __future__ import annotations

from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html

__all__ = ["code_html", "highlighted"]

MAX_CHARS = 8_000
LANGUAGES = frozenset(
    "bash c cpp csharp go ini java javascript js json kql lua perl php powershell py python ruby rust sh sql toml ts"
    " typescript xml yaml".split()
)
"""Few, and short texts only: a lexer is a set of regular expressions that meets hostile text."""


def code_html(code: str, language: str = "") -> Html:
    return html.tag("pre", html.tag("code", highlighted(code.removesuffix("\n"), language), style=html.PRE_CODE),
                    style=html.PRE)  # fmt: skip


def highlighted(code: str, language: str) -> Html:
    """`code`, escaped, with the spans that `html.sanitize` lets pass; without them in other languages."""
    if language.lower() not in LANGUAGES or len(code) > MAX_CHARS:
        return html.escape(code)
    from pygments import lex  # type: ignore[import-untyped]
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.token import Comment, Keyword  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return html.escape(code)
    return html.join(
        *[
            html.tag("span", text, style=html.COMMENT) if kind in Comment
            else html.tag("span", text, style=html.KEYWORD) if kind in Keyword
            else html.escape(text)
            for kind, text in lex(code, lexer)
        ]
    )  # fmt: skip
