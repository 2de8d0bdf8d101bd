"""What a cell asks: read, checked and put together before anything is created or sent."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from secgemini_jupyter.client.base import check_size
from secgemini_jupyter.errors import InputError, holds_key
from secgemini_jupyter.settings import Settings, find_key

if TYPE_CHECKING:
    from secgemini_jupyter.inputs.evidence import Evidence
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["Question", "compose", "settings_of"]


_TYPED_KEY = re.compile(r"\s*login\s+(?=\S*[\d_-])\S{8,}\s*", re.IGNORECASE)
"""`%secgemini login` takes no key, so somebody may try it like this. `login failed` is a prompt."""


@dataclass(frozen=True)
class Question:
    """What will be sent.

    Attributes:
        variables: name and size in bytes of each variable that is in the prompt; the name says how much of it, if not
            all.
        warnings: one line each, for what may have been meant otherwise.
        redacted: how many places were replaced by placeholders; None where that was not asked for.
    """

    prompt: str
    evidence: Sequence[Evidence] = ()
    variables: Sequence[tuple[str, int]] = ()
    warnings: Sequence[str] = ()
    redacted: int | None = None

    @property
    def inputs(self) -> list[tuple[str, int]]:
        """Names and sizes in bytes of what goes in with the words of the prompt."""
        return [*self.variables, *((each.name, each.size) for each in self.evidence)]


def compose(magics: SecGeminiMagics, options: Namespace, first_words: str, body: str | None) -> Question:
    """The question; whatever is wrong with it costs nothing yet. `body`: None for one line.

    Raises:
        UsageError: there is no prompt.
        SecGeminiError: something cannot be read or sent, or holds the key.
    """
    prompt = "\n".join(part for part in (first_words, (body or "").strip("\n")) if part.strip())
    if not prompt.strip():
        where = "behind the options." if body is None else "behind the options or in the cell's body."
        raise UsageError(
            f"{'%secgemini ask' if body is None else '%%secgemini'}: the prompt is empty. Write it {where}"
        )
    if _TYPED_KEY.fullmatch(prompt):
        raise UsageError(
            "%%secgemini: this looks like a login with a key typed into the cell. Nothing was sent. Take it out of the "
            "notebook; %secgemini login asks for it."
        )
    settings = settings_of(magics.kernel)
    key = find_key()  # while it is held, it is recognised
    question = Question(prompt)
    if not options.raw:
        question = with_variables(magics, prompt)
    check(question.prompt, settings)
    if options.attach:
        from secgemini_jupyter.inputs.evidence import read_evidence

        found = read_evidence(options.attach, magics.shell.user_ns, settings.max_attachment_bytes)
        question = replace(question, evidence=found)
    del key
    return redacted(magics, question, options.redact.split(",")) if options.redact else question


def settings_of(kernel: KernelSession) -> Settings:
    """Without asking anybody, or starting the local service."""
    return kernel.client.settings if kernel.has_client else Settings.from_environment()


def with_variables(magics: SecGeminiMagics, prompt: str) -> Question:
    if "{{" not in prompt:
        return Question(prompt)
    from secgemini_jupyter.inputs.interpolation import interpolated
    from secgemini_jupyter.inputs.values import as_text

    parts: dict[str, str] = {}

    def written(name: str, value: object) -> str:
        text = as_text(name, value, parts)
        if holds_key(text):
            raise InputError(f"{{{{{name}}}}} holds the API key. Take it out. Nothing was sent.")
        return text

    found = interpolated(prompt, magics.shell.user_ns, written)
    sizes = [(f"{name} ({parts[name]})" if name in parts else name, size) for name, size in found.sizes]
    cut = [f"{{{{{name}}}}} goes in with {part}: -a ${name} sends all." for name, part in parts.items()]
    return Question(found.text, variables=sizes, warnings=[*found.warnings, *cut])


def check(prompt: str, settings: Settings) -> None:
    """Refuse what cannot be sent, or must not.

    Raises:
        InputError: it is too long, no text, or holds the key.
    """
    try:
        check_size(prompt, settings)
        prompt.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The prompt holds U+{ord(prompt[error.start]):04X} at character {error.start + 1:,}, half of a character. "
            "Attach such data as a file. Nothing was sent."
        ) from None
    if "\0" in prompt:
        raise InputError("The prompt holds NUL characters: it is no text. Attach it as a file (-a). Nothing was sent.")
    if holds_key(prompt):
        raise InputError("The prompt holds the API key. Take it out; the notebook's file has it now. Nothing was sent.")


def redacted(magics: SecGeminiMagics, question: Question, kinds: Sequence[str]) -> Question:
    """The question with placeholders for what must stay here, files included.

    Raises:
        AttachmentError: a file is no text.
    """
    prompt, changed = magics.redactor.text(question.prompt, kinds)
    evidence = []
    for each in question.evidence:
        clean, more = magics.redactor.evidence(each, kinds)
        evidence.append(clean)
        changed += more
    return replace(question, prompt=prompt, evidence=evidence, redacted=changed)
