"""Where the indicators of a transcript were said: each with the message that says it, and how often it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message, MessageType, PublicSessionFile, State
from secgemini_jupyter.render.steps import tool_object
from secgemini_jupyter.settings import KEY_PAGE
from secgemini_jupyter.transcript.turns import TurnSlice, time_of

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.indicators import Indicator

__all__ = ["PARTS", "FileName", "Sighting", "Where", "file_names", "of_itself", "sightings"]

PARTS = frozenset({"from_url", "from_email"})
"""Flags of a host that was only part of something else."""

Where = Literal["prompt", "answer", "tool_result", "file_name", "other"]
"""`other`: thinking, calls, progress, errors."""


@dataclass(frozen=True)
class FileName:
    """An attachment's name: who wrote a file chose it, and it is often the first thing to look up."""

    name: str
    session_id: str = ""
    attached_at: float | None = None


@dataclass(frozen=True)
class Sighting:
    """An indicator in one message, or in one attachment's name.

    Attributes:
        turn_index, message_id: None for an attachment's name, which belongs to no message.
        seen_at: Unix seconds; None where no time is known.
        count: how often it stands there.
    """

    indicator: Indicator
    session_id: str
    turn_index: int | None
    message_id: str | None
    seen_at: float | None
    where: Where
    count: int = 1


def sightings(turns: Iterable[TurnSlice], files: Iterable[FileName] = ()) -> Iterator[Sighting]:
    """Each indicator in `turns`, message by message in their order, then those in the names of `files`.

    A value is listed once for each message that says it. Pieces are left out: what they say, the whole result says.
    """
    from secgemini_jupyter.indicators import extract

    for turn in turns:
        for message in turn.messages:
            if message.is_partial or not (text := said(message)):
                continue
            seen_at, where = time_of(message), where_said(message)
            for indicator, count in counted(extract(text)):
                if where == "answer" and _is_own(indicator):
                    continue
                yield Sighting(indicator, turn.session_id, turn.index, message.id, seen_at, where, count)
    for file in files:
        # `mail_from_203.0.113.9.eml`: `_` stands where a text has a space, and the extension is no top-level domain.
        words = file.name.replace("_", " ")
        found = extract(words)
        stem, dot, _ = words.rpartition(".")
        if dot and not found:
            found = extract(stem)
        for indicator, _count in counted(found):
            yield Sighting(indicator, file.session_id, None, None, file.attached_at, "file_name")


def _is_own(indicator: Indicator) -> bool:
    """Whether it is the page to which the local analyst sends people for a key."""
    return indicator.value == KEY_PAGE or ("from_url" in indicator.flags and KEY_PAGE.split("/")[2] == indicator.value)


def said(message: Message) -> str | None:
    """The text of `message`; of a JSON object, its texts, each on a line: `\\n` inside of JSON is two characters."""
    value = tool_object(message)
    return "\n".join(texts_in(value)) if value else message.text


def texts_in(value: Any) -> Iterator[str]:
    """Keys and texts of a JSON value, in order; on a stack, since the nesting is the sender's choice."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [part for key, inner in reversed(item.items()) for part in (inner, key)]
        elif isinstance(item, list):
            waiting += reversed(item)


def where_said(message: Message) -> Where:
    kind = message.message_type
    if kind is MessageType.QUERY:
        return "prompt"
    if kind is MessageType.RESULT:
        return "answer"
    if kind is MessageType.LOCAL_TOOL_RESULT or message.state is State.TOOL_RESULT:
        return "tool_result"
    return "other"


def counted(indicators: Iterable[Indicator]) -> Iterator[tuple[Indicator, int]]:
    found: dict[tuple[str, str], list[Indicator]] = {}
    for indicator in indicators:
        found.setdefault((indicator.type, indicator.value), []).append(indicator)
    return ((of_itself(same), len(same)) for same in found.values())


def of_itself(same: Sequence[Indicator]) -> Indicator:
    """The first that is more than the host part of a URL or mail address, if there is one."""
    return next((each for each in same if not PARTS & set(each.flags)), same[0])


def file_names(files: Any, *, session_id: str = "") -> list[FileName]:
    """The names of `files`: a table with a column `name`, or names and attachments, in any order.

    Args:
        files: what a session's `files` is, its table, or names.
        session_id: the session of those that do not say theirs.

    Raises:
        InputError: it is something else.
    """
    if hasattr(files, "columns"):
        return list(_of_table(files, session_id))
    if not isinstance(files, Iterable) or isinstance(files, str | bytes):
        raise InputError(f"files= takes names, session.files or their table, not {type(files).__name__}.")
    found = []
    for file in files:
        name = file.name if isinstance(file, PublicSessionFile) else file
        if not isinstance(name, str):
            raise InputError(f"files= takes names or attachments, not {type(file).__name__}.")
        found.append(FileName(name, session_id))
    return found


def _of_table(table: pd.DataFrame, session_id: str) -> Iterator[FileName]:
    import pandas as pd

    if "name" not in table.columns:
        raise InputError("The table of files lacks the column name.")
    rows = len(table)
    sessions: Sequence[Any] = table["session_id"].tolist() if "session_id" in table.columns else [session_id] * rows
    times: Sequence[Any] = table["attached_at"].tolist() if "attached_at" in table.columns else [None] * rows
    for name, session, time in zip(table["name"].tolist(), sessions, times, strict=True):
        if isinstance(name, str):
            at = time.timestamp() if isinstance(time, pd.Timestamp) else None
            yield FileName(name, session if isinstance(session, str) else session_id, at)
