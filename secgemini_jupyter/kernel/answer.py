"""The answer of one cell, as Python code gets it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.response import SessionResponse, Texts
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import Message, Usage

__all__ = ["Answer", "Status"]

Status = Literal["ok", "error", "interrupted"]


class Answer:
    """The answer of one cell: what `-o NAME` and `Out[n]` hold.

    Attributes:
        response: the `SessionResponse` behind it.
        status: `ok`, `error` or `interrupted`.
        error: what went wrong, or None.
        session: the one that was asked; None for an answer out of the cache, which no session of the service holds.
    """

    def __init__(
        self,
        response: SessionResponse,
        session: InteractiveSession | None,
        status: Status = "ok",
        error: BaseException | None = None,
        attached: Iterable[str] = (),
    ) -> None:
        self.response = response
        self.session = session
        self.status = status
        self.error = error
        self.attached = tuple(attached)
        self.restore: Callable[[str], str] | None = None
        self._shown_in: int | None = None

    def text(self) -> Texts:
        """The content of each result, as the service wrote it: exact, not defanged. As a `str` it is `answer`."""
        return self.response.text()

    @property
    def answer(self) -> str:
        """The results joined: exact, not defanged."""
        return self.response.answer

    def restored(self) -> str:
        """The answer with the values that `--redact` replaced, not those in links. To print it is to save it.

        Raises:
            InputError: nothing was asked to be redacted.
        """
        if self.restore is None:
            raise InputError("This was asked without --redact: there is nothing to put back.")
        return self.restore(self.answer)

    def json(self) -> Any:
        """The answer as JSON, if it is JSON, alone or in one code fence.

        Raises:
            InputError: it is none.
        """
        text = self.answer.strip()
        if text.startswith("```") and text.endswith("```"):
            text = text[3:-3].partition("\n")[2]
        try:
            return json.loads(text)
        except ValueError:
            raise InputError("The answer is no JSON. Ask for JSON, or use .answer.") from None

    def df(self) -> pd.DataFrame:
        """The turn's messages as a DataFrame, in the shape of `history()`."""
        return self.response.to_frame()

    @property
    def messages(self) -> list[Message]:
        return self.response.messages

    @property
    def turn(self) -> int:
        """Its number in the session, from 1."""
        return self.response.turn_index

    @property
    def cached(self) -> bool:
        """Whether it was replayed from the cache: nobody was asked."""
        return self.recorded_at is not None

    @property
    def recorded_at(self) -> float | None:
        """When an answer out of the cache was given, in Unix seconds; None for one that was asked for now."""
        return self.response.recorded_at

    @property
    def tables(self) -> list[pd.DataFrame]:
        return self.response.tables()

    @property
    def usage(self) -> Usage:
        return self.response.usage

    def __str__(self) -> str:
        return self.answer

    def __repr__(self) -> str:
        text = self.answer
        lines = text.count("\n") + 1 if text else 0
        return f"<Answer {self.status}: {lines} lines, {len(self.messages)} messages>"

    def shown(self, execution_count: int) -> Answer:
        """Mark as displayed by this cell already: as its result it shows nothing a second time."""
        self._shown_in = execution_count
        return self

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if shell is not None and self._shown_in == shell.execution_count:
            self._shown_in = None
            return
        display(self.response)
