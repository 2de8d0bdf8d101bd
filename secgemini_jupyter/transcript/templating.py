"""Templates of reports: Jinja2, every value escaped for HTML or for Markdown (extra `report`).

**A template is trusted code**: it can do whatever Python can, as any Jinja2 template can. Use your own, never one
that came with evidence. What it is given is not trusted, and cannot act: each value is made visible, defanged and
escaped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.text import defanged, safe_text
from secgemini_jupyter.transcript.markdown import escaped

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Format", "Written", "defanged_markdown", "filled", "template_format"]

Format = Literal["html", "md"]
FOLDER = Path(__file__).parent / "templates"
MAX_VALUE = 2_000
"""Characters of one value in a Markdown report, which stands on one line."""
_NAME = re.compile(r"\.(html?|md)(?:\.j(?:inja)?2?)?\Z", re.IGNORECASE)
_FENCE = re.compile(r"[> ]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)")
_QUOTES = ("", "text", "txt", "plain", "log", "console", "output", "markdown")


class Written(str):
    """Markdown that is to be taken as it is."""

    __slots__ = ()


def template_format(template: str | os.PathLike[str]) -> Format | None:
    """What a template file writes, by its name: `.html`, `.html.j2`, `.md`, `.md.j2`; None for one of ours."""
    if isinstance(template, str) and (FOLDER / f"{template}.html.j2").is_file() and template.isidentifier():
        return None
    found = _NAME.search(os.fspath(template))
    if found is None:
        ours = ", ".join(sorted({path.name.split(".")[0] for path in FOLDER.glob("*.j2")}))
        raise InputError(
            f"{os.fspath(template)!r} is none of our templates ({ours}), and no file that ends in .html.j2 or .md.j2."
        )
    return "md" if found[1].lower() == "md" else "html"


def filled(template: str | os.PathLike[str], format_: Format, values: dict[str, Any]) -> str:
    """The template with these values.

    Raises:
        InputError: Jinja2 is missing, there is no such template, it writes another format, or it has a mistake.
    """
    try:
        import jinja2
    except ImportError:
        raise InputError("A report needs Jinja2. Run: pip install 'secgemini-jupyter[report]'.") from None
    own = template_format(template)
    if own not in (None, format_):
        raise InputError(f"{os.fspath(template)!r} writes .{own}, not .{format_}: save the report as .{own}.")
    folders, name = [FOLDER], f"{template}.{format_}.j2"
    if own is not None:
        path = Path(template).expanduser()
        folders, name = [path.parent, FOLDER], path.name  # `{% extends "incident.html.j2" %}` finds ours
    try:
        return _environment(format_, folders).get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise InputError(f"There is no template {error.name!r} in {str(folders[0])!r}. Check the path.") from None
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"Template {error.name!r}, line {error.lineno}: {error.message}.") from None
    except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"Template {name!r}: {error}.") from None


def _environment(format_: Format, folders: list[Path]) -> Environment:
    import jinja2

    finalize: Callable[[Any], Any] = _as_markup if format_ == "html" else _as_markdown
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=format_ == "html",  # noqa: S701  # Markdown is escaped by `finalize`
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _as_markup(value: Any) -> Any:
    """What the environment escapes, or takes as it is."""
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    if isinstance(value, Html):
        return Markup(value)  # noqa: S704  # made by `render`
    return "" if value is None else defanged(safe_text(str(value)))


def _as_markdown(value: Any) -> str:
    if isinstance(value, Written):
        return value
    return "" if value is None else escaped(defanged(str(value)[: 8 * MAX_VALUE]), MAX_VALUE)


def defanged_markdown(text: str) -> str:
    """Markdown with its indicators defanged; a fence of a language is code to be copied, and stays exact."""
    written: list[str] = []
    quoted: list[str] = []
    fence, is_code = "", False

    def flush() -> None:
        if quoted:
            written.extend(defanged("\n".join(quoted)).split("\n"))
            quoted.clear()

    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence, is_code = mark[1], mark[2].lower() not in _QUOTES
        elif mark and mark[1].startswith(fence) and not mark[2]:
            fence = ""
        if fence and is_code:
            flush()
            written.append(line)
        else:
            quoted.append(line)
    flush()
    return "\n".join(written)
