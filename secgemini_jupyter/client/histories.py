"""The histories of many sessions, as a table or a folder of files: what both shells decide alike, several at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from secgemini_jupyter.client.progress import bar
from secgemini_jupyter.errors import InputError, ProtocolError, SecGeminiError, SessionNotFoundError, one_line
from secgemini_jupyter.models import Message, PublicSession, PublicSessionFile
from secgemini_jupyter.transcript.messages import finished

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import pandas as pd

    from secgemini_jupyter.transcript.dataset import Saved

__all__ = ["CONCURRENCY", "Histories", "Reading", "Saving", "history", "session_ids"]

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
    from secgemini_jupyter import lazy_accessor
    from secgemini_jupyter.transcript.messages import messages_frame
    from secgemini_jupyter.transcript.sessions import Attached, note

    lazy_accessor.register()
    table = messages_frame(messages, session_id=info.id)
    files = [Attached(info.id, index, file, is_verified(file)) for index, file in enumerate(info.files)]
    note(table, info.id, info.model.model_string, files)
    return table


Made = TypeVar("Made")


class Reading(Generic[Made]):
    """What is made of each of many sessions, however they arrive; and a progress bar.

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
        self.ids = session_ids(sessions)
        self._strict = strict
        self._found: dict[str, Made] = {}
        self._left_out: dict[str, str] = {}
        self._bar = bar(len(self.ids), progress, desc="Sessions", unit="session")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def made(self, session_id: str, stored: PublicSession) -> Made:
        """Of a session as the service holds it; called in a thread, for several at a time."""
        raise NotImplementedError

    def add(self, session_id: str, made: Made) -> None:
        """What was made; kept under the id that was asked for."""
        self._found[session_id] = made
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

    def _warn(self, more: str) -> None:
        if self._left_out:
            first, why = next(iter(self._left_out.items()))
            warnings.warn(
                f"{len(self._left_out)} of {len(self.ids)} sessions could not be read and are left out; {first}: {why} "
                f"{more} has all; strict=True raises instead.",
                stacklevel=4,
            )


class Histories(Reading["pd.DataFrame"]):
    """Tables by session, in the order in which they were asked for."""

    def made(self, session_id: str, stored: PublicSession) -> pd.DataFrame:  # noqa: ARG002
        return history(stored, stored.read_messages())

    def frame(self) -> pd.DataFrame:
        """One table of all. It warns if sessions are missing, and its `attrs["left_out"]` says which, and why."""
        import pandas as pd

        from secgemini_jupyter import lazy_accessor
        from secgemini_jupyter.transcript.messages import messages_frame

        lazy_accessor.register()
        frames = [self._found[session_id] for session_id in self.ids if session_id in self._found]
        empty = messages_frame([], session_id="")
        table = pd.concat([each for each in frames if len(each)] or [empty], ignore_index=True)
        table.attrs = {name: value for name, value in empty.attrs.items() if name != "session_id"}
        for name in ("models", "files"):
            table.attrs[name] = {key: value for each in frames for key, value in each.attrs.get(name, {}).items()}
        if self._left_out:
            table.attrs["left_out"] = self._left_out
            self._warn('`attrs["left_out"]`')
        return table


class Saving(Reading["Saved"]):
    """Sessions written to a dataset's folder as they arrive: no more are in memory than are read at a time.

    Raises:
        InputError: the folder cannot be written to, or an id makes no name there.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        sessions: Iterable[str | HasId] | pd.DataFrame,
        *,
        concurrency: int,
        progress: bool | None,
        strict: bool,
    ) -> None:
        from secgemini_jupyter.transcript import dataset

        super().__init__(sessions, concurrency=concurrency, progress=progress, strict=strict)
        for session_id in self.ids:
            dataset.partition(session_id)
        self._folder = dataset.prepare(folder)

    def made(self, session_id: str, stored: PublicSession) -> Saved:
        from secgemini_jupyter.transcript.dataset import write

        if stored.id != session_id:
            raise ProtocolError(f"Session {session_id} was asked for, the service returned {stored.id}.")
        table = finished(history(stored, stored.read_messages()), strict=self._strict, dtype_backend="numpy_nullable")
        return write(table, self._folder, session_id)

    def frame(self) -> pd.DataFrame:
        """One row a session. It warns if some are left out."""
        from secgemini_jupyter.transcript.dataset import Saved, saved_frame

        self._warn("The table that is returned")
        return saved_frame([self._found.get(each) or Saved(each, error=self._left_out.get(each)) for each in self.ids])


def session_ids(sessions: Iterable[str | HasId] | pd.DataFrame) -> list[str]:
    """Each once, in their order.

    Raises:
        InputError: something is no session.
    """
    return list(dict.fromkeys(_ids(sessions)))


def _ids(sessions: Any) -> Iterable[str]:
    if isinstance(sessions, str):
        raise InputError(f"sessions is one text, {sessions[:60]!r}: pass a list of ids or sessions.")
    if hasattr(sessions, "columns"):
        if "session_id" not in sessions.columns:
            raise InputError("The table of sessions has no column session_id. Pass that of sessions_frame().")
        sessions = sessions["session_id"].dropna()
    if not isinstance(sessions, Iterable):
        raise InputError(f"sessions is {type(sessions).__name__}: pass a list of ids or sessions.")
    for each in sessions:
        found = each if isinstance(each, str) else getattr(each, "id", None)
        if not isinstance(found, str) or not found:
            raise InputError(f"{type(each).__name__} is no session. Pass ids, or what list_sessions() gives.")
        yield found
