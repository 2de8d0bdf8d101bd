"""A turn on the screen: started, followed message by message, stopped at once, finished."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import SessionNotFoundError
from secgemini_jupyter.kernel.answer import Answer
from secgemini_jupyter.magics.approving import AtTheCell, tell_unasked
from secgemini_jupyter.magics.choosing import reconnecting
from secgemini_jupyter.magics.formats import AS_IT_IS
from secgemini_jupyter.magics.interrupts import Interrupted, current, released
from secgemini_jupyter.magics.look import Look, look_for
from secgemini_jupyter.magics.question import Question
from secgemini_jupyter.magics.view import QuietView, view_for

if TYPE_CHECKING:
    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.answer import Status
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.interrupts import Interrupts
    from secgemini_jupyter.magics.view import View
    from secgemini_jupyter.render.live import Stage

__all__ = ["ask"]

DRAINED = 500
"""Messages that are still shown after a stop, if they had arrived: the kernel shall be idle at once."""
INTERRUPTED = "stopped listening; what had arrived is kept. The service goes on: {} listens again."
UNRECORDED = "What you answered came too late: the service went on without it, and has no record of it."
LATE = "stopped when the answer was complete. It is kept: {} shows it again."


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
    look = look or look_for(magics)
    interrupts = current()
    magics.kernel.jobs.check_free(session)
    running = session.to_start(question.prompt if question else None, timeout=timeout)
    magics.kernel.note(running)
    question = question or Question("")
    interrupts.hold(running.wake)
    step = reconnecting(magics.kernel, session.id)
    interrupts.words = INTERRUPTED.format(step)
    try:
        with AtTheCell(magics.shell, running, interrupts) as asking:
            running.begin()
            facts = running.response().facts(question.inputs)
            view = view_for(magics.shell, facts, look, magics.others)
            follow(running, view, interrupts, asking)
    except BaseException:  # a second interrupt, or a view that failed
        running.stop()
        finish(magics, running, QuietView(), "interrupted", out, question)
        raise
    if not running.is_over:
        running.stop()
        finish(magics, running, view, "interrupted", out, question)
        raise Interrupted(interrupts.words)
    interrupts.words = LATE.format(step)
    error = running.error()
    try:
        answer = finish(magics, running, view, "error" if error else "ok", out, question, error, look)
    except KeyboardInterrupt:
        raise Interrupted(interrupts.words) from None
    tell_unasked(answer.messages)
    if running.turn.unrecorded:
        print(UNRECORDED)
    if error:
        raise error
    if interrupts.is_pressed:
        raise Interrupted(interrupts.words)
    if magics.preference("feedback") and view.takes_widgets:
        show_strip(answer)
    return answer.shown(magics.shell.execution_count)


def follow(running: RunningTurn, view: View, interrupts: Interrupts, asking: AtTheCell) -> None:
    """Hand every message of the turn to the view, and ask what it asks, until it is over or the user stops it."""
    from secgemini_jupyter.client.running import POLL

    while not (running.is_over or interrupts.is_pressed):
        message = running.next(timeout=POLL)
        try:
            if message is not None:
                view.add(message)
            view.tick("asking" if asking.is_left_to_a_chat else stage(running))
            asking.ask_what_is_open(view)
        except KeyboardInterrupt:  # what takes long to draw is given up
            if not interrupts.take():
                raise
            return
    if running.is_over:
        return
    for _ in range(DRAINED):
        if (message := running.next(timeout=0)) is None:
            break
        view.add(message)


def stage(running: RunningTurn) -> Stage:
    """How far the prompt has come."""
    return "held up" if running.is_held_up else "sent" if running.is_sent else "connecting"


def finish(
    magics: SecGeminiMagics,
    running: RunningTurn,
    view: View,
    status: Status,
    out: str | None,
    question: Question,
    error: BaseException | None = None,
    look: Look | None = None,
) -> Answer:
    """Keep what arrived, then show it; a complete answer in the look's format."""
    response = running.response()
    answer = Answer(response, running.session, status, error, attached=[each.name for each in question.evidence])
    if question.redacted is not None:
        answer.restore = magics.redactor.restored
    if out:
        magics.shell.user_ns[out] = answer
    shaped = AS_IT_IS
    try:
        if look and status == "ok":
            with released():
                shaped = look.form.take(answer, defang=look.defang)
    finally:
        facts = replace(response.facts(question.inputs), redacted=question.redacted)
        if isinstance(error, SessionNotFoundError):  # there was no such turn
            facts = replace(facts, turn=None, retained=None)
        view.finish(facts, status, shaped)
    return answer


def show_strip(answer: Answer) -> None:
    """Thumbs under the answer, for its turn."""
    from IPython.display import display

    from secgemini_jupyter.models import said_by
    from secgemini_jupyter.notebook import feedback_widget

    if result := said_by(answer.messages):  # else there is nothing to rate
        display(feedback_widget(answer.session, answer.response.turn_index, result.group, compact=True))
