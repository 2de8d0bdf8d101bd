"""What a running turn asks the person at a cell: may this tool run, may the service do that?"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from IPython.core.error import StdinNotImplementedError

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.magics.interrupts import released
from secgemini_jupyter.magics.look import is_attended
from secgemini_jupyter.magics.view import is_captured, is_terminal, new_block_id, publish
from secgemini_jupyter.models import MessageType
from secgemini_jupyter.tools import Unasked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.magics.interrupts import Interrupts
    from secgemini_jupyter.magics.view import View
    from secgemini_jupyter.models import Message
    from secgemini_jupyter.render.answer import Bundle
    from secgemini_jupyter.widgets.questions import Question

__all__ = ["AtTheCell", "Here", "can_ask", "tell_unasked"]

LET_OUT = 0.25
"""Seconds that a denial gets, at most, to reach the service when the turn is stopped."""
YES_OR_NO = "y: yes · N: no [y/N] "
ALWAYS = "y: run it · a: run it, and {name} without asking until this turn ends · N: no [y/a/N] "
LATE = "answered elsewhere meanwhile, or too late: this answer did not count"
ANSWERS = (MessageType.LOCAL_TOOL_RESULT, MessageType.CONFIRMATION_RESPONSE)


def can_ask(shell: InteractiveShell) -> bool:
    """Whether somebody can be asked here: lines that come out of a file or a pipe are no answers."""
    if is_terminal(shell):
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    return is_attended(shell)


class AtTheCell:
    """Asks the person who runs the cell, while its main thread waits for the turn; `with AtTheCell(…) as asking:`.

    The turn's questions are the session's: a chat that is open shows them, too, and asks alone where its clicks reach a
    busy kernel. A session whose `approve` or `confirm` is a function of the user's asks that one.
    """

    def __init__(self, shell: InteractiveShell, running: RunningTurn, interrupts: Interrupts) -> None:
        from secgemini_jupyter.widgets.questions import Questions

        self._shell, self._running, self._interrupts = shell, running, interrupts
        self._questions = Questions.of(running.session)
        self._always: set[str] = set()
        self._end = lambda: None

    def __enter__(self) -> Self:
        if can_ask(self._shell):
            self._end = self._questions.watch(self._running.wake)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask_what_is_open(self, view: View) -> None:
        """Ask each open question, oldest first. ■ denies it, and stops the turn."""
        if not can_ask(self._shell) or self._asks_in_a_chat:
            return
        for question in self._questions.open:
            if self._interrupts.is_pressed:
                return
            if question.kind == "tool" and question.tool in self._always:
                self._decide(question, approve=True)
            else:
                view.make_room()
                self._ask(question)

    @property
    def is_left_to_a_chat(self) -> bool:
        """Whether something is open that a chat asks, which may stand far from the cell."""
        return self._asks_in_a_chat and bool(self._questions.open)

    @property
    def _asks_in_a_chat(self) -> bool:
        """Whether a chat shows the questions, and its clicks reach a kernel that is busy with this cell.

        Input that waits here could not be taken back when somebody answers there.
        """
        kernel = getattr(self._shell, "kernel", None)
        return self._questions.has_other_watchers and bool(getattr(kernel, "_supports_kernel_subshells", False))

    def _ask(self, question: Question) -> None:
        prompt = Prompt(self._shell, question)
        choices = ALWAYS.format(name=question.name) if question.kind == "tool" else YES_OR_NO
        try:
            said = prompt.ask(choices)
        except KeyboardInterrupt:
            self._decide(question, approve=False)
            prompt.show("denied, and the turn was stopped")
            if not self._interrupts.take():
                raise
            self._let_out()
            return
        except Unasked as why:
            self._questions.give_up(question.id, str(why))
            return
        is_always = question.kind == "tool" and said in ("a", "always")
        if is_always:
            self._always.add(question.tool)
        approve = is_always or said in ("y", "yes")
        if self._decide(question, approve=approve):
            prompt.show("approved" if approve else "denied")
        else:
            prompt.show(LATE)

    def _decide(self, question: Question, *, approve: bool) -> bool:
        try:
            self._questions.decide(question.id, approve=approve)
        except InputError:
            return False
        return True

    def _let_out(self) -> None:
        """Else the service would wait for an answer until its own patience ends."""
        turn, deadline = self._running.turn, time.monotonic() + LET_OUT
        while time.monotonic() < deadline:
            if turn.messages and turn.messages[-1].message_type in ANSWERS and not turn.has_outgoing:
                return
            time.sleep(0.005)


class Prompt:
    """One question on the screen, asked by the front end's input."""

    def __init__(self, shell: InteractiveShell, question: Question) -> None:
        self._shell, self._question, self._display_id = shell, question, new_block_id()

    def ask(self, choices: str) -> str:
        """What was typed, in small letters; nothing for the end of the input.

        Raises:
            KeyboardInterrupt: ■, or Ctrl-C.
            Unasked: the front end takes no input.
        """
        self.show()
        if is_captured(self._shell):  # what is displayed is not seen, and nobody approves blindly
            choices = f"{self._question.as_text()}\n{choices}"
        try:
            with released():
                return input(choices).strip().lower()
        except StdinNotImplementedError:
            raise Unasked("this front end takes no input") from None
        except (EOFError, OSError):
            self._end_line()
            return ""
        except KeyboardInterrupt:
            self._end_line()
            raise

    def show(self, verdict: str = "") -> None:
        """The question, or what became of it."""
        if not is_terminal(self._shell):
            publish(_bundle(self._question.as_text(verdict)), self._display_id, update=bool(verdict))
        elif not verdict:
            print(self._question.as_text())
        elif verdict not in ("approved", "denied"):  # what was typed stands there
            print(f"→ {verdict}")

    def _end_line(self) -> None:
        if is_terminal(self._shell):
            print()


class Here:
    """Asks where Python code of a cell waits for a turn itself, as in `current_session().query(…)`."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def can_ask(self) -> bool:
        return threading.current_thread() is threading.main_thread() and can_ask(self._shell)

    def ask(self, question: Question) -> bool:
        """
        Raises:
            KeyboardInterrupt: the user stops the turn, which denies.
            Unasked: nobody can be asked after all, or the answer came too late.
        """
        prompt = Prompt(self._shell, question)
        approve = prompt.ask(YES_OR_NO) in ("y", "yes")
        if question.answer.done():  # in a view
            approve = question.answer.result()
        else:
            try:
                question.check_in_time()
            except Unasked:
                prompt.show(LATE)
                raise
        prompt.show("approved" if approve else "denied")
        return approve


def _bundle(text: str) -> Bundle:
    from secgemini_jupyter.render.answer import LISTING, Bundle
    from secgemini_jupyter.render.html import WRAPPED, tag
    from secgemini_jupyter.render.html import shown as output

    return Bundle({"text/plain": text, "text/html": output(tag("pre", text, style=WRAPPED))}, LISTING)


def tell_unasked(messages: Sequence[Message]) -> None:
    """A line for each tool that was denied because nobody could be asked: how to allow it."""
    from secgemini_jupyter.render.steps import tool_object
    from secgemini_jupyter.render.text import one_line
    from secgemini_jupyter.tools import is_unasked

    told = {}
    for message in messages:
        if message.message_type is MessageType.LOCAL_TOOL_RESULT and message.status_code >= 400:
            value = tool_object(message)
            name, words = str(value.get("name", "")), str(value.get("output", ""))
            if is_unasked(name, words):
                told[name] = words
    for words in told.values():
        print(one_line(words, 400))
