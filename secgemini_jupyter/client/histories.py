"""The histories of many sessions as one table: what both shells decide alike. They read several at a time."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from secgemini_jupyter.errors import InputError, ProtocolError, SecGeminiError, SessionNotFoundError, one_line
from secgemini_jupyter.models import Message, PublicSession, PublicSessionFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = ["CONCURRENCY", "Histories", "history"]

CONCURRENCY = 8
"""Sessions that are read at a time, where the caller does not say: a service has other users."""
MAX_CONCURRENCY = 64


class HasId(Protocol):
    @property
    def id(self) -> str: ...


def history(
    info: PublicSession, messages: Sequence[Message], is_verified: Callable[[PublicSessionFile], bool] = lambda _: False
) -> pd.DataFrame:
    """What `history` gives; its attributes name the model and the attachments, which no message does."""
    import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
    from secgemini_jupyter.transcript.messages import messages_frame
    from secgemini_jupyter.transcript.sessions import Attached, noted

    table = messages_frame(messages, session_id=info.id)
    if info.model.model_string:
        table.attrs["models"] = {info.id: info.model.model_string}
    files = [Attached(info.id, index, file, is_verified(file)) for index, file in enumerate(info.files)]
    table.attrs["files"] = {info.id: noted(files)}
    return table


class Histories:
    """Tables by session, in the order in which they were asked for, however they arrive; and a progress bar.

    Args:
        sessions: ids, sessions, or a table with a column `session_id`.
        progress: None shows a bar where somebody looks: in a notebook, and in a terminal.
        strict: raise for a session that cannot be read, instead of leaving it out.

    Raises:
        InputError: an argument makes no sense.
    """

    def __init__(
        self, sessions: Iterable[str | HasId] | pd.DataFrame, *, concurrency: int, progress: bool | None, strict: bool
    ) -> None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or not 1 <= concurrency <= MAX_CONCURRENCY:
            raise InputError(f"concurrency is {concurrency!r}: pass a whole number from 1 to {MAX_CONCURRENCY}.")
        self.ids = list(dict.fromkeys(_ids(sessions)))
        self._strict = strict
        self._frames: dict[str, pd.DataFrame] = {}
        self._left_out: dict[str, str] = {}
        self._bar = _bar(len(self.ids), progress)

    def __enter__(self) -> Histories:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, session_id: str, stored: PublicSession) -> None:
        """A session as the service holds it; kept under the id that was asked for."""
        self._frames[session_id] = history(stored, stored.read_messages())
        self._bar.update()

    def fail(self, session_id: str, error: SecGeminiError) -> None:
        """A session that could not be read.

        Raises:
            SecGeminiError: the others could not be read either, or `strict` was asked for.
        """
        if self._strict or not isinstance(error, (SessionNotFoundError, ProtocolError)):
            raise error
        self._left_out[session_id] = one_line(str(error))
        self._bar.update()

    def frame(self) -> pd.DataFrame:
        """One table of all. It warns if sessions are missing, and its `attrs["left_out"]` says which, and why."""
        import pandas as pd

        import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
        from secgemini_jupyter.transcript.messages import messages_frame

        frames = [self._frames[session_id] for session_id in self.ids if session_id in self._frames]
        empty = messages_frame([], session_id="")
        table = pd.concat([each for each in frames if len(each)] or [empty], ignore_index=True)
        table.attrs = {name: value for name, value in empty.attrs.items() if name != "session_id"}
        for name in ("models", "files"):
            table.attrs[name] = {key: value for each in frames for key, value in each.attrs.get(name, {}).items()}
        if self._left_out:
            table.attrs["left_out"] = self._left_out
            first, why = next(iter(self._left_out.items()))
            warnings.warn(
                f"{len(self._left_out)} of {len(self.ids)} sessions could not be read and are left out; {first}: {why} "
                '`attrs["left_out"]` has all; strict=True raises instead.',
                stacklevel=3,
            )
        return table


def _ids(sessions: Any) -> Iterable[str]:
    if isinstance(sessions, str):
        raise InputError(f"sessions is one text, {sessions[:60]!r}: pass a list of ids or sessions.")
    if hasattr(sessions, "columns"):
        if "session_id" not in sessions.columns:
            raise InputError("The table of sessions has no column session_id. Pass that of sessions_frame().")
        sessions = sessions["session_id"].dropna()
    for each in sessions:
        found = each if isinstance(each, str) else getattr(each, "id", None)
        if not isinstance(found, str) or not found:
            raise InputError(f"{type(each).__name__} is no session. Pass ids, or what list_sessions() gives.")
        yield found


def _bar(total: int, progress: bool | None) -> Any:
    from tqdm import auto, std

    from secgemini_jupyter.widgets.base import in_notebook, is_attended

    notebook = in_notebook() and is_attended()
    shown = (notebook or sys.stderr.isatty()) and total > 1 if progress is None else progress
    kind = auto.tqdm if notebook else std.tqdm
    return kind(total=total, desc="Sessions", unit="session", disable=not shown)
