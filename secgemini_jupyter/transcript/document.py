"""What a document is made of: the turns, and what is known of the session that they are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from secgemini_jupyter.models import Message, PublicSessionFile, said_by
from secgemini_jupyter.render.answer import Facts
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript.sessions import Attached, attached_in, note
from secgemini_jupyter.transcript.turns import TurnSlice, turn_slices

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.state import SessionView

__all__ = ["Transcript", "facts_of"]

LOCAL = "local-"
"""What the names of the local service's models begin with."""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """Turns to be written, of one session or of several. All texts may be hostile.

    Attributes:
        is_local: whether the local service answered; None where that is not known.
        retained: whether the service keeps prompts and answers; None where that is not known.
        attached: the attachments, in order; None where that is not known.
        table: the same messages as a table, if they come from one.
    """

    turns: Sequence[TurnSlice]
    name: str = ""
    session_id: str = ""
    description: str = ""
    model: str = ""
    host: str = ""
    is_local: bool | None = None
    retained: bool | None = None
    attached: Sequence[Attached] | None = None
    table: pd.DataFrame | None = None

    @classmethod
    def of_session(cls, session: SessionView, messages: Sequence[Message]) -> Transcript:
        """A session with these messages of it."""
        return cls(
            turns=turn_slices(messages, session_id=session.id),
            name=session.name,
            session_id=session.id,
            description=session.description,
            model=session.model.model_string or session.model.model_name,
            host=session.host,
            is_local=session.is_local,
            retained=session.can_log,
            attached=[
                Attached(session.id, index, file, session.is_verified(file)) for index, file in enumerate(session.files)
            ],
        )

    @classmethod
    def of_table(cls, table: pd.DataFrame, name: str = "") -> Transcript:
        """What `history()` gave, filtered or put together since, with what it noted of models and attachments.

        Raises:
            InputError: a column is missing, or holds something else.
        """
        from secgemini_jupyter.transcript.restore import turns_of
        from secgemini_jupyter.transcript.usage import models_of

        turns = turns_of(table)
        ids = list(dict.fromkeys(turn.session_id for turn in turns))
        noted = table.attrs.get("files")
        attached = attached_in(noted) if isinstance(noted, dict) and noted.keys() >= {*ids} else None
        known = models_of(table)
        models = [str(known[each]) for each in ids if each in known]
        are_local = bool(ids) and len(models) == len(ids) and all(each.startswith(LOCAL) for each in models)
        return cls(
            turns=turns,
            name=name,
            session_id=ids[0] if len(ids) == 1 else "",
            model=", ".join(dict.fromkeys(models)),
            is_local=are_local or None,  # no model's name proves that Sec-Gemini answered
            attached=attached and [each for each in attached if not ids or each.session_id in ids],
            table=table,
        )

    @property
    def files(self) -> list[PublicSessionFile]:
        return [each.file for each in self.attached or ()]

    @property
    def title(self) -> str:
        """On one line, safe, never empty."""
        return one_line(self.name, 120) or "Session"

    @property
    def messages(self) -> list[Message]:
        return [message for turn in self.turns for message in turn.messages]

    @cached_property
    def several(self) -> bool:
        """Whether the turns are of more than one session."""
        return len({turn.session_id for turn in self.turns}) > 1

    @property
    def times(self) -> tuple[float | None, float | None]:
        """Begin and end, in Unix seconds."""
        times = [time for turn in self.turns for time in (turn.started_at, turn.ended_at) if time is not None]
        return (min(times), max(times)) if times else (None, None)

    def to_frame(self) -> pd.DataFrame:
        from secgemini_jupyter.transcript.messages import messages_frame

        if self.table is not None:
            return self.table
        table = messages_frame(self.messages, session_id=self.session_id)
        if self.attached is not None:
            note(table, self.session_id, self.model, self.attached)
        return table


def facts_of(transcript: Transcript, turn: TurnSlice) -> Facts:
    """What stands under an answer."""
    usage = turn.usage
    facts = Facts(
        actor=answer.actor if (answer := said_by(turn.results)) else "",
        model=transcript.model,
        host=transcript.host,
        is_local=transcript.is_local,
        session=turn.session_id if transcript.several else transcript.name,
        turn=turn.index or None,
        retained=transcript.retained,
        elapsed=turn.duration,
    )
    return replace(facts, usage=usage) if usage.total_tokens else facts
