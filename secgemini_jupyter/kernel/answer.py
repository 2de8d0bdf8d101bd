"""The answer of one cell, as Python code gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.response import SessionResponse, Texts
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import Message, Usage
    from secgemini_jupyter.render.answer import Bundle
    from secgemini_jupyter.transcript.columns import Backend
    from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["Answer", "Status"]

Status = Literal["ok", "error", "interrupted"]


class Answer:
    """The answer of one cell: what `-o NAME` and `Out[n]` hold. It wraps a `SessionResponse`.

    Whatever it gives to code is exact; what it shows is defanged. A table is a DataFrame, and its docstring says
    which columns it has.

    Attributes:
        response: the `SessionResponse` behind it.
        status: `ok`, `error` or `interrupted`.
        error: what went wrong, or None.
        session: the one it was asked in; None for an answer out of the cache, which no session of the service holds.
        attached: names of the files that went in with the prompt.
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

    @property
    def markdown(self) -> str:
        """The whole answer as Markdown for a report: its words as they are, tables and timelines as tables, code and
        JSON in fences. What a viewer would run or load stands in a fence.
        """
        from secgemini_jupyter.transcript.answers import answer_markdown

        return answer_markdown(self.messages)

    def wait(self, timeout: float | None = None) -> Answer:  # noqa: ARG002  # that of `Job.wait`
        """Itself: a variable that held a job holds its answer from a moment on, and `VAR.wait()` works with both.

        Raises:
            SecGeminiError: what ended the turn.
        """
        if self.error is not None:
            raise self.error
        return self

    def json(self) -> Any:
        """The answer as JSON: a JSON message, else a text that is JSON, else the first JSON fence in it, else the first
        object or list of objects in its words, else what another payload says. JSON Lines in a fence are a list.

        Raises:
            InputError: there is none.
        """
        from secgemini_jupyter.transcript.contents import json_in

        for value in json_in(self.messages):
            return value
        raise InputError(f"The answer holds no JSON that can be read{self._cut}. Ask for JSON, or use .answer.")

    def df(self) -> pd.DataFrame:
        """The answer's table: the first of `.tables`.

        Raises:
            InputError: there is none.
        """
        if not (tables := self.tables):
            raise InputError(
                f"The answer holds no table{self._cut}. Ask for one, or use .answer; its messages are "
                ".history() and .messages."
            )
        return tables[0]

    @property
    def tables(self) -> list[pd.DataFrame]:
        """Every table of the answer: `sec-gemini/table` and CSV messages, then lists of JSON objects, then Markdown
        tables and CSV fences in the text.

        Values are exact. Columns of whole numbers are `Int64`, of others `Float64`, of texts `string`, of truth values
        `boolean`, of several kinds `object`; numbers as text that a number would not give back (`007`) stay text.
        """
        return self.response.tables()

    @property
    def tools(self) -> pd.DataFrame:
        """The tool calls of the turn, one row each: `tool_name`, `arguments` (JSON), `output`, `is_error`, `error`,
        `duration_s`, `started_at` (UTC), `location`, `match` and more, see `transcript.tool_calls`. Without calls it
        is empty, with the same columns and dtypes.
        """
        from secgemini_jupyter.transcript.tool_calls import tool_calls_frame

        return tool_calls_frame([self._slice])

    def history(self, *, strict: bool = False, dtype_backend: Backend = "numpy_nullable") -> pd.DataFrame:
        """The turn as a DataFrame, one row a message, the prompt first: the rows that `session.history()` has for it.

        Nothing is read for it: of the prompt, no time is known here.

        Raises:
            ProtocolError: with `strict`, where rows have problems.
        """
        from secgemini_jupyter import lazy_accessor
        from secgemini_jupyter.transcript.messages import finished, messages_frame

        lazy_accessor.register()
        table = messages_frame(
            self._slice.messages,
            session_id=self.response.session_id,
            source="cache" if self.cached else "live",
            turn_index=max(self.turn - 1, 0),
        )
        if self.response.model_name:
            table.attrs["models"] = {self.response.session_id: self.response.model_name}
        return finished(table, strict=strict, dtype_backend=dtype_backend)

    @property
    def iocs(self) -> pd.DataFrame:
        """The indicators of compromise of this turn, prompt included, one row each, exact: `type`, `value`, `count`,
        `turn_count`, `in_prompt`, `in_answer`, `flags`, `turn_index`, `message_id` (of the first sighting),
        `session_id`.
        """
        from secgemini_jupyter.transcript.iocs import iocs_frame

        return iocs_frame([self._slice])

    @property
    def _slice(self) -> TurnSlice:
        """The turn, with its prompt."""
        from secgemini_jupyter.models import Message, MessageType, Role, State
        from secgemini_jupyter.transcript.turns import TurnSlice

        response = self.response
        query = Message(
            id=response.query_id, message_type=MessageType.QUERY, state=State.QUERY, role=Role.USER, actor="user",
            content=response.prompt, created_at=0.0, timestamp=0,
        )  # fmt: skip
        return TurnSlice(self.turn, [query, *self.messages], response.session_id)

    @property
    def messages(self) -> list[Message]:
        """All messages of the turn in order, END included; not the prompt. As a DataFrame: `.history()`."""
        return self.response.messages

    @property
    def prompt(self) -> str:
        """What was sent."""
        return self.response.prompt

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
    def usage(self) -> Usage:
        """Tokens of the turn, as the service counts them; the local analyst is no language model and counts none."""
        return self.response.usage

    @property
    def _cut(self) -> str:
        return "" if self.status == "ok" else f" (it is {'incomplete' if self.status == 'error' else self.status})"

    def __str__(self) -> str:
        return self.answer

    def __repr__(self) -> str:
        text = self.answer
        lines = text.count("\n") + 1 if text else 0
        return f"<Answer {self.status}: {lines} lines, {len(self.messages)} messages>"

    def __reduce_ex__(self, _: Any) -> Any:
        raise InputError(
            "An Answer belongs to its session, which cannot be copied or pickled. Keep .response, or .markdown as text."
        )

    def shown(self, execution_count: int) -> Answer:
        """Mark as displayed by this cell already: as its result it shows nothing a second time."""
        self._shown_in = execution_count
        return self

    def is_shown_in(self, execution_count: int) -> bool:
        """Whether it is marked so."""
        return self._shown_in == execution_count

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if shell is not None and self._shown_in == shell.execution_count:
            self._shown_in = None
            return
        display(self._bundle())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = self._bundle()
        return dict(bundle.data), bundle.metadata

    def _bundle(self) -> Bundle:
        from secgemini_jupyter.render.answer import answer_bundle

        error = "" if self.error is None else str(self.error)
        return answer_bundle(self.messages, self.response.facts(), status=self.status, error=error)
