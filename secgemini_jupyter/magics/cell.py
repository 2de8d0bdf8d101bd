"""A `%%secgemini` cell, or `%secgemini ask`: its options, its question, and the way from there to an answer."""

from __future__ import annotations

import keyword
from argparse import Namespace
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from secgemini_jupyter.magics import asking
from secgemini_jupyter.magics.options import Parser, arg, new_parser, seconds, split_options
from secgemini_jupyter.magics.view import Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.inputs.evidence import Evidence
    from secgemini_jupyter.kernel import Answer
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["OPTIONS", "Question", "ask"]

OPTIONS = (
    arg("-s", "--session", metavar="NAME", help="ask in the session of this name; created if there is none"),
    arg("--new", action="store_true", help="ask in a fresh session, made current"),
    arg("-m", "--model", help="a model string, for a session that this makes: a session keeps its model"),
    arg("-t", "--timeout", type=seconds, metavar="S", help="give up after so many seconds; what had arrived is kept"),
    arg("-a", "--attach", metavar="PATH", action="append", default=[], help="attach a file or glob first; repeatable"),
    arg("-o", "--out", metavar="VAR", help="put the Answer into this variable"),
    arg("-q", "--quiet", action="store_true", help="show nothing"),
    arg("prompt", nargs="*", help="the first words of the prompt; the cell's body follows"),
)
"""The options of a cell, as `%%secgemini?` lists them."""


@dataclass(frozen=True)
class Question:
    """What a cell asks: read and checked, before anything is created or sent."""

    prompt: str
    evidence: Sequence[Evidence] = ()

    @property
    def inputs(self) -> list[tuple[str, int]]:
        """Names and sizes in bytes of what goes in with the prompt."""
        return [(each.name, each.size) for each in self.evidence]


@cache
def parser() -> Parser:
    return new_parser("%%secgemini", OPTIONS)


def ask(magics: SecGeminiMagics, line: str, body: str = "") -> Answer:
    """Ask what a line and a cell's body say.

    Raises:
        UsageError: the line makes no sense.
        SecGeminiError: something could not be read, or the turn failed.
        Interrupted: the user stopped it.
    """
    tokens, first_words = split_options(parser(), line)
    options = parser().parse_tokens(tokens)
    if options.out is not None and (not options.out.isidentifier() or keyword.iskeyword(options.out)):
        raise UsageError(f"%%secgemini: -o {options.out!r} is no name for a variable.")
    question = compose(magics, options, first_words, body)
    session = session_for(magics, options)
    if question.evidence:
        from secgemini_jupyter.inputs.evidence import attach_evidence

        attach_evidence(session, question.evidence)
    look = Look(quiet=options.quiet)
    return asking.ask(magics, session, question, look=look, out=options.out, timeout=options.timeout)


def compose(magics: SecGeminiMagics, options: Namespace, first_words: str, body: str) -> Question:
    """The question: nothing is created or sent by then, so whatever is wrong with it costs nothing."""
    prompt = "\n".join(part for part in (first_words, body.strip("\n")) if part.strip())
    if not prompt.strip():
        raise UsageError("%%secgemini: the prompt is empty. Write it behind the options or in the cell's body.")
    evidence: Sequence[Evidence] = ()
    if options.attach:
        from secgemini_jupyter.inputs.evidence import read_evidence

        evidence = read_evidence(options.attach, magics.kernel.client.settings.max_attachment_bytes)
    return Question(prompt, evidence)


def session_for(magics: SecGeminiMagics, options: Namespace) -> InteractiveSession:
    """The session to ask in; made, if there is none of its name yet."""
    kernel = magics.kernel
    given = {"model": options.model} if options.model else {}
    if options.new:
        return kernel.new(options.session, **given)
    name = options.session or kernel.current_name
    session = kernel.use(name, **given)
    if options.model and options.model not in (session.model.model_string, session.model.model_name):
        raise UsageError(
            f"%%secgemini: session {name!r} uses {session.model.model_string!r}, and a session keeps its model. "
            f"Add --new, or -s NAME for another session."
        )
    return session
