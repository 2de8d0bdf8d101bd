"""`--dry-run`: exactly what would leave the machine, shown and not sent."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.inputs.evidence import Evidence
from secgemini_jupyter.magics.choosing import check_fits
from secgemini_jupyter.magics.commands.base import destination
from secgemini_jupyter.magics.question import settings_of
from secgemini_jupyter.render.text import count

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.question import Question

__all__ = ["Plan", "planned"]

BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Plan:
    """What a cell would send.

    Attributes:
        prompt: the text, exactly as it would travel.
        attachments: each with `name`, `content`, `size` in bytes, `sha256`; those that the session has already are not
            sent again.
        facts: what else there is to know before sending, by name; all of it to show.
        known: sha256 of the attachments that the session has already.
    """

    prompt: str = field(repr=False)
    attachments: Sequence[Evidence]
    facts: dict[str, str]
    known: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of the prompt."""
        return len(self.prompt.encode())

    @property
    def tokens(self) -> int:
        """An estimate: a token is about four bytes of text; attachments are not counted."""
        return -(-self.size // BYTES_A_TOKEN)

    def _lines(self) -> list[tuple[str, str]]:
        from secgemini_jupyter.render.text import count

        prompt = f"{count(self.size, 'byte')}, about {count(self.tokens, 'token')} (an estimate: 4 bytes each)"
        lines = [*self.facts.items(), ("prompt", prompt)]
        lines += [
            (
                f"attachment {number}",
                f"{one_line(each.name)}, {count(each.size, 'byte')}, sha256 {each.sha256}"
                + (", attached already: not sent again" if each.sha256 in self.known else ""),
            )
            for number, each in enumerate(self.attachments, 1)
        ]
        return lines if self.attachments else [*lines, ("attachments", "none")]

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        from secgemini_jupyter.render import html
        from secgemini_jupyter.render.answer import LISTING
        from secgemini_jupyter.render.text import defanged, safe_text

        title = "Nothing was sent. This would be:"
        shown = defanged(safe_text(self.prompt))
        note = "" if shown == self.prompt else "Shown defanged and with controls visible; sent as it is."
        cells = [[html.tag("td", each, style=html.CELL["left"]) for each in line] for line in self._lines()]
        rows = [html.tag("tr", *row, style=html.ROW) for row in cells]
        markup = html.join(
            html.tag("div", html.tag("strong", title), style=html.STATE),
            html.tag("div", html.tag("table", html.tag("tbody", *rows), style=html.TABLE), style=html.SCROLL),
            html.tag("pre", shown, style=html.WRAPPED),
            html.tag("div", note, style=html.QUIET) if note else html.Html(),
        )
        width = max(len(name) for name, _ in self._lines())
        text = [title, *(f"  {name:<{width}}  {value}" for name, value in self._lines()), "", shown]
        return {
            "text/plain": "\n".join([*text, *(["", note] if note else [])]),
            "text/html": html.shown(markup, html.FRAME["ok"]),
        }, LISTING

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(self._repr_mimebundle_()[0]["text/plain"])


def planned(magics: SecGeminiMagics, options: Namespace, question: Question) -> Plan:
    kernel = magics.kernel
    name = options.session or kernel.current_name
    session = None if options.new or options.no_log else kernel.get(name)
    if options.no_log:
        where, retention = "one of its own, without retention", "not retained; refused if the service does not agree"
    elif session is None:
        goes_on = not options.new and kernel.may_continue(name)
        where = f"this notebook's ({name}), or a new one if that is gone" if goes_on else f"a new one ({name})"
        retention = "as the service says when it is made" if magics.preference("retention") else "not retained"
    else:
        check_fits(magics, name, session, options.model)
        where, retention = (
            f"{session.name}, turn {session.turns + 1}",
            "retained" if session.can_log else "not retained",
        )
    model = options.model or (session.model.model_string if session else magics.preference("model") or "the default")
    facts = {
        "to": destination(kernel, session, options.model or magics.preference("model") or ""),
        "session": where,
        "retention": retention,
        "model": model,
        "timeout": f"{options.timeout or magics.preference('timeout') or settings_of(kernel).turn_timeout:g} s",
    }
    if question.redacted is not None:
        facts["redacted"] = count(question.redacted, "place")
    if question.variables:
        facts["variables"] = ", ".join(name for name, _ in question.variables)
    for number, warning in enumerate(question.warnings, 1):
        facts[f"note {number}"] = warning
    known = {(file.name, file.sha256) for file in session.files} if session else set()
    return Plan(
        question.prompt,
        tuple(question.evidence),
        {key: one_line(value) for key, value in facts.items()},
        frozenset(each.sha256 for each in question.evidence if (each.name, each.sha256) in known),
    )
