"""The answer to one prompt: its messages, its text, its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.models import Message, MessageType, Usage, said_by
from secgemini_jupyter.protocol.mutations import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from secgemini_jupyter.client.state import SessionState
    from secgemini_jupyter.protocol.turn import Turn
    from secgemini_jupyter.render.answer import Facts, Status

__all__ = ["SessionResponse"]


class Texts(list[str]):
    """The contents of the results, in order; as text, the joined answer."""

    def __str__(self) -> str:
        return "\n\n".join(text.strip("\n") for text in self)


_DATA = frozenset({"sec-gemini/table", "sec-gemini/timeline", "sec-gemini/graph"})


@dataclass(frozen=True)
class SessionResponse:
    """What one prompt brought.

    Attributes:
        messages: all messages of the turn in order, END included; the prompt itself and 206 pieces are not among them.
        status_code: 200, or what the turn's error says.
        usage: tokens of the turn.
        prompt: what was asked.
        recorded_at: when an answer out of a cache was given, in Unix seconds; None for one that was asked for now.
        cache: the name of that cache, where it is not the user's own.
    """

    messages: list[Message] = field(repr=False)
    status_code: int
    status_message: str
    usage: Usage
    prompt: str = field(default="", repr=False)
    query_id: str = ""
    """Id of the prompt's message; empty where it is not known."""
    session_id: str = ""
    session_name: str = ""
    model_name: str = ""
    host: str = ""
    is_local: bool = False
    can_log: bool = True
    is_complete: bool = True
    """Whether the END came."""
    turn_index: int = 0
    elapsed: float = 0.0
    """Seconds, by this machine's clock."""
    recorded_at: float | None = None
    cache: str = ""

    @classmethod
    def of(cls, turn: Turn, state: SessionState, *, host: str, is_local: bool, elapsed: float = 0.0) -> SessionResponse:
        failure = turn.failure
        return cls(
            messages=list(turn.messages),
            status_code=failure.status_code if failure else 200,
            status_message=failure.status_message if failure else "OK",
            usage=turn.usage,
            prompt=(turn.query.content or "") if turn.query else "",
            query_id=turn.query.id if turn.query else "",
            session_id=state.info.id,
            session_name=state.info.name,
            model_name=state.info.model.model_string or state.info.model.model_name,
            host=host,
            is_local=is_local,
            can_log=state.info.can_log,
            is_complete=turn.done,
            turn_index=state.turn_index(turn),
            elapsed=elapsed,
        )

    def text(self) -> Texts:
        """The content of each `result` message of a text type, as it reads after later messages changed it."""
        return Texts(
            message.text
            for message in shown(self.messages)
            if message.message_type is MessageType.RESULT and message.text is not None
        )

    @property
    def answer(self) -> str:
        """The results joined; of a text with tables, timelines and graphs beside it, the text (`text()` has all)."""
        texts = [
            message.text
            for message in shown(self.messages)
            if message.message_type is MessageType.RESULT
            and message.text is not None
            and (message.mime_type or "") not in _DATA
        ]
        return str(Texts(texts) if texts else self.text())

    def tables(self) -> list[pd.DataFrame]:
        """Every table of the answer: table and CSV messages, then lists of JSON objects, then tables in the text.

        In this order, with exact values; `transcript.tables.table_frame` says which dtypes columns get.
        """
        from secgemini_jupyter.transcript.contents import tables_in
        from secgemini_jupyter.transcript.tables import table_frame

        return [table_frame(table) for table in tables_in(self.messages)]

    def to_frame(self) -> pd.DataFrame:
        """One row a message, in the shape of `history()`; the prompt's row is not there."""
        from secgemini_jupyter.transcript.messages import messages_frame

        return messages_frame(self.messages, session_id=self.session_id, source="live", turn_index=self.turn_index)

    def __str__(self) -> str:
        return self.answer

    def facts(self, inputs: Iterable[tuple[str, int]] = ()) -> Facts:
        """What stands under the answer when it is displayed; `inputs` are names and sizes of what went in."""
        from secgemini_jupyter.render.answer import Facts, Input

        answer = said_by(self.messages)
        return Facts(
            actor=answer.actor if answer else "",
            model=self.model_name,
            host=self.host,
            is_local=self.is_local,
            session=self.session_name,
            turn=self.turn_index or None,
            retained=self.can_log,
            elapsed=self.elapsed or None,
            usage=self.usage if self.usage.total_tokens else None,
            recorded_at=self.recorded_at,
            cache=self.cache,
            inputs=tuple(Input(name, size) for name, size in inputs),
        )

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from secgemini_jupyter.render.answer import answer_bundle

        status: Status = "error" if self.status_code >= 400 else "ok" if self.is_complete else "interrupted"
        bundle = answer_bundle(self.messages, self.facts(), status=status)
        return dict(bundle.data), bundle.metadata
