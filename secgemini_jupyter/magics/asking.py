"""A turn on the screen: started, followed message by message, stopped at once, finished."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from secgemini_jupyter.kernel.answer import Answer
from secgemini_jupyter.magics.question import Question
from secgemini_jupyter.magics.view import Look, QuietView, view_for

if TYPE_CHECKING:
    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.answer import Status
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.view import View

__all__ = ["Interrupted", "ask"]

POLL = 0.05
"""Seconds the main thread waits for a message at a time: Windows delivers an interrupt only between two waits."""
INTERRUPTED = "stopped listening; what had arrived is kept. The service goes on: %secgemini reconnect listens again."


class Interrupted(KeyboardInterrupt):
    """■ or Ctrl-C in a `%%secgemini` cell: one line instead of a traceback; cells that were queued do not run."""

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}"]


def ask(
    magics: SecGeminiMagics,
    session: InteractiveSession,
    question: Question | None,
    *,
    look: Look | None = None,
    out: str | None = None,
    timeout: float | None = None,
) -> Answer:
    """Run one turn on the screen; None listens to the one that runs, or ran last.

    Args:
        out: name of the variable that gets the answer, whatever becomes of the turn.
        timeout: seconds after which it is given up.

    Raises:
        SecGeminiError: the turn failed; what had arrived is shown, and in `out`.
        Interrupted: the user stopped it; likewise.
    """
    running = magics.kernel.start(session, question.prompt if question else None, timeout=timeout)
    question = question or Question("")
    view: View = QuietView()
    try:
        view = view_for(magics.shell, running.response().facts(question.inputs), look or Look())
        follow(running, view)
    except KeyboardInterrupt:
        running.stop()
        finish(magics, running, view, "interrupted", out, question)
        raise Interrupted(INTERRUPTED) from None
    error = running.error()
    answer = finish(magics, running, view, "error" if error else "ok", out, question)
    if error:
        answer.error = error
        raise error
    if magics.preference("feedback") and view.takes_widgets:
        show_strip(answer)
    return answer.shown(magics.shell.execution_count)


def follow(running: RunningTurn, view: View) -> None:
    """Hand every message of the turn to the view, until it is over."""
    while not running.is_over:
        message = running.next(timeout=POLL)
        if message is not None:
            view.add(message)
        view.tick()


def finish(
    magics: SecGeminiMagics,
    running: RunningTurn,
    view: View,
    status: Status,
    out: str | None,
    question: Question,
) -> Answer:
    """Keep what arrived, then show it."""
    response = running.response()
    answer = Answer(response, running.session, status, attached=[each.name for each in question.evidence])
    if question.redacted is not None:
        answer.restore = magics.redactor.restored
    if out:
        magics.shell.user_ns[out] = answer
    view.finish(replace(response.facts(question.inputs), redacted=question.redacted), status)
    return answer


def show_strip(answer: Answer) -> None:
    """Thumbs under the answer, for its turn."""
    from IPython.display import display

    from secgemini_jupyter.models import MessageType
    from secgemini_jupyter.notebook import feedback_widget

    results = [message for message in answer.messages if message.message_type is MessageType.RESULT]
    if results:  # else there is nothing to rate
        display(feedback_widget(answer.session, answer.response.turn_index, results[-1].group, compact=True))
