"""Subcommands for what was said in the current session: to go on, to look at it, to say how it was."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.magics import asking, cell, choosing
from secgemini_jupyter.magics.caching import check_may_ask
from secgemini_jupyter.magics.choosing import FRESH
from secgemini_jupyter.magics.commands.base import Command, Line, need_notebook
from secgemini_jupyter.magics.options import arg, choose, only
from secgemini_jupyter.magics.question import Question
from secgemini_jupyter.notebook import answered_turn, feedback_widget

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def ask(magics: SecGeminiMagics, line: str) -> Any:
    return cell.ask(magics, line)


def history(magics: SecGeminiMagics, _: Namespace) -> Any:
    with choosing.telling_of_the_gone(magics.kernel, advice=FRESH):
        return magics.kernel.current().history()


def visualize(magics: SecGeminiMagics, _: Namespace) -> Any:
    with choosing.telling_of_the_gone(magics.kernel, advice=FRESH):
        return magics.kernel.current().visualize()


def chat(magics: SecGeminiMagics, _: Namespace) -> Any:
    need_notebook("%secgemini chat needs a notebook. Ask in a %%secgemini cell: the session goes on from turn to turn.")
    return magics.kernel.chat()


def feedback(magics: SecGeminiMagics, options: Namespace) -> Any:
    if options.verdict is None:
        need_notebook("%secgemini feedback: say up or down, and a remark if you like.")
    scores = {"up": 1, "down": -1}
    score = scores[choose("verdict", options.verdict, list(scores))] if options.verdict else 0
    session = magics.kernel.current()
    with choosing.telling_of_the_gone(magics.kernel, advice=FRESH):
        turn, group = (0, None) if options.session else answered_turn(session.messages)
        if options.verdict is None:
            return feedback_widget(session, turn, group)
        if group is None and not options.session:
            raise InputError("Nothing was answered in this session yet: there is nothing to rate. Nothing was sent.")
        session.send_feedback(score, group, comment=" ".join(options.comment))
    target = "the session" if group is None else f"turn {turn}"
    return Line(one_line(f"Sent: {'helpful' if score > 0 else 'not helpful'}, for {target} of {session.name}."))


def bug(magics: SecGeminiMagics, options: Namespace) -> Line:
    session = magics.kernel.current()
    with choosing.telling_of_the_gone(magics.kernel, advice=FRESH):
        session.send_bug_report(" ".join(options.text), answered_turn(session.messages)[1])
    return Line(one_line(f"Sent: a bug report for {session.name}."))


def reconnect(magics: SecGeminiMagics, options: Namespace) -> Any:
    session = magics.kernel.existing(options.session)
    with choosing.telling_of_the_gone(magics.kernel, magics.kernel.name_of(session.id) or session.id, advice=FRESH):
        return asking.ask(magics, session, None)


def retry(magics: SecGeminiMagics, options: Namespace) -> Any:
    kernel = magics.kernel
    cell.check_out(options.out)
    check_may_ask(magics, "retry")
    session = kernel.get(kernel.current_name)
    if session is not None and session.is_running:
        kernel.wait_stopped(session)
    if session is not None and session.is_running:
        raise InputError(f"A turn is running in session {session.name!r}: wait for it, or stop it. Nothing was sent.")
    with choosing.telling_of_the_gone(kernel, advice=FRESH):
        prompt = kernel.last_prompt(session) if session is not None else None
    if prompt is None:
        raise InputError("Nothing was asked in this session yet: there is nothing to ask again.")
    chosen = Namespace(session=None, new=False, model=None, **vars(options))
    cell.session_for(magics, chosen)  # it may not be asked any more
    if not options.quiet:
        from secgemini_jupyter.render.text import defanged
        from secgemini_jupyter.render.text import one_line as safe_line

        print(f"Asks again: {defanged(safe_line(prompt, 100))}")
    return cell.ask_question(magics, chosen, Question(prompt), gone=FRESH)


COMMANDS = (
    Command("ask", "ask on one line: the options of a cell, then the prompt", ask, cell.OPTIONS, takes_line=True),
    Command("history", "all messages of the current session, as a DataFrame", history),
    Command("visualize", "the current session as a tree", visualize),
    Command("chat", "talk in the current session, in one output", chat),
    Command(
        "feedback",
        "say how the last answer was; without arguments, by click",
        feedback,
        [
            arg("verdict", nargs="?", metavar="up|down"),
            arg("comment", nargs="*", help="a remark"),
            arg("--session", action="store_true", help="for the whole session instead of the last answer"),
        ],
    ),
    Command("bug", "report what went wrong", bug, [arg("text", nargs="+", help="what went wrong")]),
    Command(
        "retry",
        "ask the last prompt of the current session again, word for word",
        retry,
        [*only(cell.OPTIONS, "--timeout", "--quiet"), cell.OUT],
    ),
    Command(
        "reconnect",
        "go on listening to the turn that was interrupted, in the current session or another one",
        reconnect,
        [arg("session", nargs="?", metavar="NAME", help="a session of this notebook")],
    ),
)
