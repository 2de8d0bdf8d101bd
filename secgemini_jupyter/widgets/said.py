"""One turn of a conversation, ready to be shown: cleaned, without keys, no larger than a notebook bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from secgemini_jupyter.errors import without_keys
from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import Bundle
from secgemini_jupyter.render.text import count, defanged, safe_text
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["Said", "Status", "capped", "group_of", "key_of", "shown_prompt", "status_of", "words_of"]

SHOWN_TURN = 1_000_000
"""Characters of one answer that may stand in a trait and in the notebook."""
SHOWN_PROMPT = 20_000

Status = Literal["running", "ok", "error", "interrupted"]


@dataclass
class Said:
    """One turn: what was asked, and what came of it, ready to be shown.

    Attributes:
        key: the id of its prompt's message; of our own making until that is known.
        prompt: exact.
        index: 0 if it was stopped before it was sent.
        group: what feedback on it points at.
    """

    key: str
    prompt: str
    status: Status = "running"
    index: int = 0
    bundle: Bundle | None = None
    group: str = ""
    rating: int | None = None
    is_ours: bool = False
    """Whether a chat asked it, and can stop it."""
    changed_by: list[str] = field(default_factory=list)
    """Ids of the messages that changed what is shown."""

    @property
    def size(self) -> int:
        return len(self.bundle.html if self.bundle else "") + min(len(self.prompt), SHOWN_PROMPT)

    def as_dict(self) -> dict[str, Any]:
        """For a view."""
        return {
            "key": self.key,
            "index": self.index,
            "prompt": shown_prompt(self.prompt),
            "html": self.bundle.html if self.bundle else "",
            "status": self.status,
            "group": self.group,
            "rating": self.rating,
            "stoppable": self.is_ours and self.status == "running",
        }


def shown_prompt(prompt: str) -> str:
    """A prompt as it is safe to show; the exact one is in the session."""
    cut = len(prompt) - SHOWN_PROMPT
    more = f"\n[{count(cut, 'more character')} in history()]" if cut > 0 else ""
    return defanged(safe_text(without_keys(prompt)[:SHOWN_PROMPT])) + more


def key_of(whole: TurnSlice) -> str:
    return whole.messages[0].id


def status_of(whole: TurnSlice) -> Status:
    return "interrupted" if whole.status == "incomplete" else whole.status


def words_of(whole: TurnSlice) -> str:
    return "the answer has no end yet. session.resume_turn() listens again." if whole.status == "incomplete" else ""


def group_of(messages: Sequence[Message]) -> str:
    """What feedback on the turn points at: the group of its last result, else of its last message."""
    results = [message for message in messages if message.message_type is MessageType.RESULT]
    last = (results or list(messages))[-1:]
    return last[0].group if last else ""


def capped(bundle: Bundle) -> Bundle:
    """An answer as it may stand in a trait and in the notebook: no key that somebody pasted, no megabytes."""
    bundle = Bundle({kind: without_keys(said) for kind, said in bundle.data.items()}, bundle.metadata)
    if len(bundle.html) <= SHOWN_TURN:
        return bundle
    text = bundle.text[: SHOWN_TURN // 10]
    note = f"[{count(len(bundle.text) - len(text), 'more character')}: the whole answer is in history()]"
    markup = html.join(html.tag("pre", text, style=html.PRE), html.tag("div", note, style=html.QUIET))
    return Bundle({"text/html": markup, "text/plain": f"{text}\n{note}"}, bundle.metadata)
