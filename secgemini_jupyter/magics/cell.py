"""A `%%secgemini` cell, or `%secgemini ask`: its options, its question, and the way from there to an answer."""

from __future__ import annotations

import keyword
from argparse import ArgumentTypeError, Namespace
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics import asking, choosing
from secgemini_jupyter.magics.caching import Caching
from secgemini_jupyter.magics.choices import FORMATS, MODES
from secgemini_jupyter.magics.look import LOOKS, look_for
from secgemini_jupyter.magics.options import Parser, arg, join_continued, new_parser, seconds, split_options
from secgemini_jupyter.magics.question import compose
from secgemini_jupyter.magics.view import is_terminal

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.question import Question

__all__ = ["OPTIONS", "ask", "ask_question", "check_out", "session_for"]


def kinds(text: str) -> str:
    """Kinds of what is redacted, by comma.

    Raises:
        ArgumentTypeError: one is unknown.
    """
    for each in text.split(","):
        if each not in ("secrets", "emails", "hosts"):
            raise ArgumentTypeError(f"--redact={text}: {each!r} is none of secrets, emails, hosts")
    return text


OUT = arg("-o", "--out", metavar="VAR", help="put the Answer into this variable")
OPTIONS = (
    arg("-s", "--session", metavar="NAME", help="ask in the session of this name; created if there is none"),
    arg("--new", action="store_true", help="ask in a fresh session, made current"),
    arg("-m", "--model", help="a model string, for a session that this makes: a session keeps its model"),
    arg("-t", "--timeout", type=seconds, metavar="S", help="give up after so many seconds; what had arrived is kept"),
    arg(
        "-a",
        "--attach",
        metavar="X",
        action="append",
        default=[],
        help="attach a path, a glob, $variable or '$table as file.parquet' first; repeatable",
    ),
    arg("--raw", action="store_true", help="{{name}} stays as it is, instead of being replaced by that variable"),
    arg(
        "--redact",
        nargs="?",
        const="secrets",
        metavar="KINDS",
        type=kinds,
        help="replace secrets by placeholders in prompt and text files; --redact=secrets,emails,hosts takes more",
    ),
    arg("--restore", action="store_true", help="in a terminal, show the values again that --redact replaced"),
    arg("--no-log", action="store_true", help="ask in a session of its own that the service must not retain"),
    arg(
        "--cache",
        choices=MODES,
        help="use an answer that was kept, refresh it, take only such ones (nobody is asked: for CI), or none (off)",
    ),
    arg(
        "-f",
        "--format",
        choices=FORMATS,
        help="how the answer is shown, and what the magic gives: md (rendered), text, json and df (its value), html (a "
        "page), code (its code in one new cell, not run), raw (the messages)",
    ),
    arg("--dry-run", action="store_true", help="show what would leave this machine; nothing is created or sent"),
    arg("--bg", action="store_true", help="go on in the background: gives a Job, first to -o; see %%secgemini jobs"),
    OUT,
    arg("-q", "--quiet", action="store_true", help="show nothing"),
    *LOOKS,
    arg("prompt", nargs="*", help="the first words of the prompt; the cell's body follows"),
)
"""The options of a cell, as `%%secgemini?` lists them."""
UNRETAINED = "not-retained"
"""Name, in the kernel, of the session that `--no-log` cells share."""


@cache
def parser() -> Parser:
    return new_parser("%%secgemini", OPTIONS)


def ask(magics: SecGeminiMagics, line: str, body: str | None = None) -> Any:
    """Ask what a line and a cell's body say.

    Returns:
        The Answer, or what its format gives; a Plan for `--dry-run`, a Job for `--bg`.

    Raises:
        UsageError: the line makes no sense.
        SecGeminiError: something could not be read, or the turn failed.
        Interrupted: the user stopped it.
    """
    if body is not None:
        line, body = join_continued(parser(), line, body)
    tokens, first_words = split_options(parser(), line)
    options = parser().parse_tokens(tokens)
    check_out(options.out)
    if options.restore and not is_terminal(magics.shell):
        raise UsageError(
            "%%secgemini: --restore works in a terminal only: a notebook saves what it shows. "
            "There, answer.restored() gives the text to your code."
        )
    if options.bg and options.format not in (None, "md"):
        raise UsageError(
            f"%%secgemini: --bg gives a Job and shows the answer as it is. Leave -f {options.format} out: "
            "the job's .wait() gives the Answer, with .df(), .json(), .markdown and more."
        )
    question = compose(magics, options, first_words, body)
    if options.dry_run:
        from secgemini_jupyter.magics.planning import planned

        return planned(magics, options, question)
    for warning in question.warnings:
        print(one_line(warning))
    return ask_question(magics, options, question, Caching(magics, options, question))


def ask_question(
    magics: SecGeminiMagics, options: Namespace, question: Question, caching: Caching | None = None, *, gone: str = ""
) -> Any:
    """Ask it in the session that the options choose; what is kept in the cache is shown instead.

    Args:
        gone: what to do if that session is gone, where it is not a cell that asks.
    """
    restore = magics.redactor.restoring if getattr(options, "restore", False) else None
    look = replace(look_for(magics, options), restore=restore)
    if restore and look.form.name not in ("md", "text"):
        raise UsageError(f"%%secgemini: --restore puts values back into words: add -f text, not {look.form.name}.")
    in_background = getattr(options, "bg", False)
    if caching and (replayed := caching.replay(look=look, out=options.out)) is not None:
        return replayed if in_background else look.form.give(magics.shell, replayed)
    timeout = options.timeout or magics.preference("timeout")
    with choosing.telling_of_the_gone(magics.kernel, options.session, advice=gone):
        session = session_for(magics, options)
        magics.kernel.jobs.check_free(session)
        if caching:
            caching.prepare(session)
        if question.evidence:
            from secgemini_jupyter.inputs.evidence import attach_evidence

            attach_evidence(session, question.evidence)
        if in_background:
            from secgemini_jupyter.magics import background

            keep = {"keep": caching.keep_later} if caching else {}
            return background.start(magics, session, question, look=look, out=options.out, timeout=timeout, **keep)
        answer = asking.ask(magics, session, question, look=look, out=options.out, timeout=timeout)
    if caching:
        caching.keep(answer)
    return look.form.give(magics.shell, answer)


def check_out(name: str | None) -> None:
    """Refuse what is no variable.

    Raises:
        UsageError: no variable can have this name.
    """
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"%%secgemini: -o {name!r} is no name for a variable.")


def session_for(magics: SecGeminiMagics, options: Namespace) -> InteractiveSession:
    """The session to ask in; made, if there is none of its name yet.

    Raises:
        UsageError: it has another model, or is retained where that is not wanted.
        InputError: there is no such model.
    """
    kernel = magics.kernel
    named = None if options.session is None else choosing.checked_name(options.session)
    given = {"model": options.model} if options.model else {}
    if getattr(options, "no_log", False):
        return unretained_session(magics, options, given)
    if options.new:
        return kernel.new(named, **given)
    name = named or kernel.current_name
    if near := choosing.near_name(kernel, name):
        print(one_line(f"New session {name!r}. This notebook has {near!r}, if that was meant."))
    session = kernel.use(name, **given)
    choosing.check_fits(magics, name, session, options.model)
    return session


def unretained_session(magics: SecGeminiMagics, options: Namespace, given: dict[str, Any]) -> InteractiveSession:
    """A session without retention: that of the name, or one beside the current one; it is not made current.

    Raises:
        UsageError: the session of that name is retained.
        SettingsError: the key does not allow it; nothing was created.
    """
    kernel = magics.kernel
    name = options.session or UNRETAINED
    session = None if options.new else kernel.get(name)
    if session is None:
        session = kernel.new(name, make_current=False, enable_logging=False, **given)
    if session.can_log:
        raise UsageError(
            f"%%secgemini: session {name!r} is retained, so --no-log cannot hold in it. "
            "Nothing was sent. Leave -s out, or give another name."
        )
    return session
