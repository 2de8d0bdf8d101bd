"""Secrets out of what is sent: each becomes a placeholder, wherever it stands the same; the map stays in the kernel."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from secgemini_jupyter.errors import AttachmentError
from secgemini_jupyter.inputs.evidence import Evidence
from secgemini_jupyter.inputs.restoring import Restoring
from secgemini_jupyter.inputs.secrets import findings
from secgemini_jupyter.settings import credentials

__all__ = ["KINDS", "Redactor"]

KINDS = ("secrets", "emails", "hosts")
"""What can be asked for. `secrets` are keys, tokens, private keys, passwords, credentials of the environment."""

SHORTEST = 6
"""Characters of a value that is looked for everywhere; a shorter one would be found in ordinary words."""


class Redactor:
    """One kernel's placeholders: `[SECRET-1]`, `[EMAIL-1]`, `[HOST-1]`."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def __repr__(self) -> str:
        return f"<Redactor: {len(self._placeholders)} placeholders>"

    def __reduce__(self) -> Any:
        raise TypeError("the map of placeholders stays in its kernel")

    def text(self, text: str, kinds: Sequence[str] = ("secrets",)) -> tuple[str, int]:
        """`text` without what `kinds` name, and how many places changed."""
        pieces: list[str] = []
        position = 0
        # What is a secret in one place is one in all: `password=x` tells what `?q=x` is.
        known = {value for kind, value in self._placeholders if kind == "SECRET"} | set(credentials().values())
        known |= {text[span.start : span.end] for span in findings(text, kinds) if span.kind == "SECRET"}
        found = findings(text, kinds, {value for value in known if len(value) >= SHORTEST})
        for span in found:
            pieces += (text[position : span.start], self._placeholder(span.kind, text[span.start : span.end], text))
            position = span.end
        return "".join([*pieces, text[position:]]), len(found)

    def evidence(self, evidence: Evidence, kinds: Sequence[str] = ("secrets",)) -> tuple[Evidence, int]:
        """A text file without what `kinds` name, in its name too.

        Raises:
            AttachmentError: it is no text, so nobody can say what is in it.
        """
        encoding = "utf-16" if evidence.content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        try:
            text = evidence.content.decode(encoding)
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise AttachmentError(
                f"{evidence.name!r} is no text: --redact cannot look into it. Leave it out, or leave out --redact. "
                "Nothing was sent."
            )
        redacted, changed = self.text(text, kinds)
        name, renamed = self.text(evidence.name, kinds)
        if not changed and not renamed:
            return evidence, 0
        return Evidence(name, redacted.encode(encoding)), changed + renamed

    def restored(self, text: str) -> str:
        """`text` with the values put back, but not where a link would send them away."""
        return self.restoring()(text)

    def restoring(self) -> Restoring:
        """What puts the values back into one text that comes in pieces."""
        return Restoring({placeholder: value for (_, value), placeholder in self._placeholders.items()})

    @property
    def placeholders(self) -> Iterable[str]:
        """Those given out, in order."""
        return list(self._placeholders.values())

    def _placeholder(self, kind: str, value: str, text: str) -> str:
        known = self._placeholders.get((kind, value))
        if known is None:
            # One that stands in the text already is somebody else's: a log may hold what looks like ours.
            names = (f"[{kind}-{number}]" for number in itertools.count(1))
            known = next(name for name in names if name not in self._taken and name not in text)
            self._placeholders[kind, value] = known
            self._taken.add(known)
        return known
