"""What `whoami` and `doctor` give: facts that read well in a cell and in a terminal, and are data on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.errors import redact

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.render.html import Html

__all__ = ["Finding", "Report", "State"]

State = Literal["ok", "info", "warn", "fail", "skipped"]
MARKS: dict[State, str] = {"ok": "✓", "info": "·", "warn": "!", "fail": "✗", "skipped": "–"}
"""The sign before the word: colour alone says nothing to many, and a saved notebook has none."""
MAX_TEXT = 500
_LOGIN = re.compile(r"(://)?[^\s'\"@:/]*:[^\s'\"]*@|://[^\s'\"]*@")
"""What may stand before the host of an address: a proxy's user name and password."""


@dataclass(frozen=True)
class Finding:
    """One fact.

    Attributes:
        check: what was looked at.
        found: what is there, with the value; no key and no password is in it.
        advice: what to do; empty where nothing is to do.
    """

    check: str
    state: State
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        from secgemini_jupyter.render.text import one_line

        # Words of a service, a proxy or a file name; a library's error may quote a header.
        for name in ("check", "found", "advice"):
            text = getattr(self, name)
            if name != "advice":  # which may say how to write a login
                text = _LOGIN.sub(r"\1[redacted]@", text)
            object.__setattr__(self, name, one_line(redact(text), MAX_TEXT))


class Report:
    """Findings, in order. As a cell's result it is a table; `to_frame()` and iteration give it as data.

    Attributes:
        summary: one line above the table.
    """

    def __init__(self, findings: Iterable[Finding], summary: str = "") -> None:
        self.findings = tuple(findings)
        self.summary = summary

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, check: str) -> Finding:
        """The finding of this name."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(f"{check!r}: there is {', '.join(each.check for each in self.findings)}")

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.state == "fail"]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.state == "warn"]

    def to_frame(self) -> pd.DataFrame:
        """One row a finding."""
        import pandas as pd

        names = ["check", "state", "found", "advice"]
        rows = [[getattr(finding, name) for name in names] for finding in self.findings]
        return pd.DataFrame(rows, columns=names, dtype="string")

    def __repr__(self) -> str:
        width = max((len(finding.check) for finding in self.findings), default=0)
        lines = [self.summary] if self.summary else []
        for finding in self.findings:
            mark = "" if self._is_plain else f"{MARKS[finding.state]} {finding.state:<7}  "
            lines.append(f"{mark}{finding.check:<{width}}  {finding.found}".rstrip())
            if finding.advice:
                lines.append(" " * (len(mark) + width + 2) + f"→ {finding.advice}")
        return "\n".join(lines)

    @property
    def _is_plain(self) -> bool:
        """Facts alone, of which none is good or bad: a column of states would say nothing."""
        return all(finding.state == "info" for finding in self.findings)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        # The mark has it taken out of a notebook that is stripped: it names the user, hosts and folders.
        from secgemini_jupyter.render import html
        from secgemini_jupyter.render.answer import LISTING

        return {"text/html": str(html.shown(self._html())), "text/plain": repr(self)}, LISTING

    def _html(self) -> Html:
        from secgemini_jupyter.render import html

        rows = []
        for finding in self.findings:
            state = html.tag("td", f"{MARKS[finding.state]} {finding.state}", style=html.STATE_CELL[finding.state])
            advice = html.tag("div", f"→ {finding.advice}", style=html.ADVICE) if finding.advice else ""
            cells = [
                html.tag("td", finding.check, style=html.NAME_CELL),
                html.tag("td", html.tag("span", finding.found), advice, style=html.CELL["left"]),
            ]
            rows.append(html.tag("tr", *([] if self._is_plain else [state]), *cells, style=html.ROW))
        table = html.tag("table", html.tag("tbody", *rows), style=html.TABLE)
        title = html.tag("div", self.summary, style=html.TITLE) if self.summary else ""
        return html.join(title, html.tag("div", table, style=html.SCROLL))
