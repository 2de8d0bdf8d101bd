"""`df.secgemini`: what a transcript leads on to. Importing this module registers it with pandas.

The accessor keeps no state: pandas may make a new one at each access, and the table may have changed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from secgemini_jupyter.disk import replacing
from secgemini_jupyter.errors import InputError, SecGeminiError
from secgemini_jupyter.plots import Plots
from secgemini_jupyter.transcript.columns import lacking
from secgemini_jupyter.transcript.contents import tables_in
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.iocs import iocs_frame, sightings_frame
from secgemini_jupyter.transcript.jsonl import one_session, to_jsonl, write_jsonl
from secgemini_jupyter.transcript.messages import COLUMNS
from secgemini_jupyter.transcript.restore import check_columns, messages_of, turns_of
from secgemini_jupyter.transcript.search import spellings
from secgemini_jupyter.transcript.sessions import attached_in, files_frame
from secgemini_jupyter.transcript.sightings import FileName, file_names
from secgemini_jupyter.transcript.tables import table_frame
from secgemini_jupyter.transcript.techniques import navigator_layer, techniques_frame
from secgemini_jupyter.transcript.timeline import timeline_frame
from secgemini_jupyter.transcript.tool_calls import tool_calls_frame
from secgemini_jupyter.transcript.tree import SessionTree
from secgemini_jupyter.transcript.turns import TurnSlice, frame_of_turns
from secgemini_jupyter.transcript.usage import Grain, Prices, models_of, usage_frame

if TYPE_CHECKING:
    from secgemini_jupyter.activity import Verification
    from secgemini_jupyter.widgets.visualize import VisualizeWidget

__all__ = ["NoTranscriptError", "TranscriptAccessor"]

NAME = "secgemini"
_MARKS = ("message_type", "content")
"""Without these columns a table is no transcript; single methods need more and say so."""


class NoTranscriptError(SecGeminiError, AttributeError):
    """The table has no messages in it. An AttributeError, so that `hasattr` says no to such a table."""


class TranscriptAccessor:
    """Views of the messages in a table that `history()` made, filtered or put together since.

    Raises:
        NoTranscriptError: the table is no transcript.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        if missing := lacking(table, _MARKS, known=COLUMNS):
            raise NoTranscriptError(
                f"This table is no transcript: it lacks the columns {missing}. Take one from history()."
            )
        self._table = table

    def turns(self) -> pd.DataFrame:
        """One row a turn: prompt, answer, status, times, tool calls, tokens, model.

        A turn is over with its END or an error: without their rows it is `incomplete`, without end or duration.
        What no message tells is NA (`reconnects`, `cell_id`, `execution_count`), and no status is `interrupted`.
        """
        return frame_of_turns(turns_of(self._table), models=models_of(self._table))

    def tool_calls(self) -> pd.DataFrame:
        """One row a tool call: tool, arguments, output or error, times, how call and result were brought together."""
        return tool_calls_frame(turns_of(self._table))

    def timeline(self) -> pd.DataFrame:
        """One row an event (prompt, thought, tool call, answer, error): when, how long, by whom, and what on one line.

        msticpy draws it: import `msticpy.vis.mp_pandas_plot`, then
        `mp_plot.timeline(time_column="started_at", source_columns=["label"], group_by="kind")`. Of other tables, make
        a text of the category to group by: `.astype({"where": "string"})`.
        """
        return timeline_frame(turns_of(self._table))

    def tables(self) -> list[pd.DataFrame]:
        """Every table of the answers, turn by turn; the `attrs` of each say `session_id`, `turn_index` and its title.

        Which they are, and their dtypes, is told at `Answer.tables`.
        """
        found = []
        for turn in turns_of(self._table):
            for table in tables_in(turn.messages):
                made = table_frame(table)
                made.attrs |= {"session_id": turn.session_id, "turn_index": turn.index}
                found.append(made)
        return found

    def files(self) -> pd.DataFrame:
        """One row an attachment of the table's sessions, as `history()` noted them; of all, where it has no rows.

        Raises:
            InputError: nothing was noted, or it was lost: pandas keeps notes when rows are filtered, not in `concat`.
        """
        notes = self._table.attrs.get("files")
        if not isinstance(notes, dict):
            raise InputError(
                "This table does not say which files were attached: pd.concat and file formats other than Parquet drop "
                "that. Use client.histories() for several sessions, or session.files_frame()."
            )
        files = attached_in(notes)
        if len(self._table):
            check_columns(self._table, ["session_id"])
            there = set(self._table["session_id"].dropna())
            files = [each for each in files if each.session_id in there]
        return files_frame(files)

    def tree(self) -> SessionTree:
        """The turns as a tree of text, one for each session."""
        sessions: dict[str, list[TurnSlice]] = {}
        for turn in turns_of(self._table):
            sessions.setdefault(turn.session_id, []).append(turn)
        if len(sessions) < 2:
            return SessionTree.of([("", turns) for turns in sessions.values()] or [("", [])])
        return SessionTree.of(list(sessions.items()))

    def visualize(self, *, embed: bool = False) -> VisualizeWidget | SessionTree:
        """The messages as a tree and a timeline, without a session: a widget in a notebook, text elsewhere.

        Args:
            embed: a widget that keeps all messages (up to 2 MB) in the saved notebook, so that exported HTML stays
                interactive.
        """
        from secgemini_jupyter.widgets.base import in_notebook

        if not (embed or in_notebook()):
            return self.tree()
        from secgemini_jupyter.widgets.visualize import VisualizeWidget

        return VisualizeWidget(self._table, embed=embed)

    @property
    def plot(self) -> Plots:
        """Plots of the messages (extra `plot`): `.timeline()` and others, each a matplotlib figure."""
        return Plots(self._table)

    def usage(
        self, by: Grain = "session", *, prices: Prices | None = None, models: str | Mapping[str, str] | None = None
    ) -> pd.DataFrame:
        """Tokens by turn, session, day (UTC) or model, as the service counts them.

        Of a turn the results' numbers count, which include those of its thinking messages; a message that came twice
        counts once. `cached_tokens` are a part of `prompt_tokens`: do not add them up. The service told nothing of
        `turns_without_usage`, which are in no sum: where that is all of a row's turns, its tokens and cost are NA.

        With `prices` there is `cost_estimate`, in their currency: it is no bill. It counts prompt tokens less the
        cached ones, cached tokens at their own price, and generated tokens; thinking tokens at the price of generated
        ones and tool-use tokens at that of the prompt, each only where `total_tokens` shows that it counts them beside
        the others. A row with a model that has no price is NA; the local analyst takes no tokens, which cost 0.

        Args:
            by: `turn`, `session`, `day` or `model`.
            prices: by model string, for a million tokens: `{"sec-gemini-stable": {"prompt": 1.25, "cached": 0.31,
                "generated": 10}}`. There is no built-in table; without `cached` these count as prompt tokens.
            models: the model string of all sessions, or of each by its id; else a column `model`, or what `history()`
                noted. Models that nobody knows are NA.

        Raises:
            InputError: `by` or `prices` make no sense.
        """
        return usage_frame(turns_of(self._table), by, models=models or models_of(self._table), prices=prices)

    def verify(self, *, head: str | Mapping[str, str] | None = None) -> Verification:
        """Check the rows and the activity log of their sessions: names the row that was edited, removed or moved.

        Contents are compared with the hashes beside them, and `message_index` must count up; prompts and answers are
        compared with what the log of this machine says was sent and came. Other columns have no hash, nor has a binary
        content, which is not in the table. True if nothing was changed and each turn was compared; rows that were
        filtered out count as removed. A turn whose prompt or answer the log of this machine lacks is `uncompared`:
        asked elsewhere, stopped, or not as it was. `read_history(path, session_id=…)` says which log is of JSON Lines.

        Whoever can write the table can write its hashes, and the log's owner can write that anew or cut it off: only
        a head that was kept elsewhere shows this.

        Args:
            head: what the session's `head()` gave earlier; of several sessions by id.

        Raises:
            InputError: a column is missing, or a head is none.
        """
        from secgemini_jupyter.activity.transcripts import verify_transcript

        return verify_transcript(self._table, head)

    def search(self, text: str, *, regex: bool = False, case: bool = False) -> pd.DataFrame:
        """The rows whose content or title holds `text`, which may be typed as it is shown: defanged.

        Raises:
            InputError: `text` is empty, or no regular expression although `regex` says so.
        """
        if not text:
            raise InputError("Nothing to search for: pass the text that the content or title shall hold.")
        try:
            pattern = re.compile(
                text if regex else "|".join(map(re.escape, spellings(text))), 0 if case else re.IGNORECASE
            )
        except re.error as error:
            raise InputError(f"{text!r} is no regular expression ({error}). Leave out regex=True?") from None
        columns = [self._table[name].astype(object) for name in ("content", "title") if name in self._table.columns]
        hits = [
            any(isinstance(cell, str) and pattern.search(cell) for cell in row) for row in zip(*columns, strict=True)
        ]
        return self._table.loc[hits]

    def iocs(self, *, files: Any = None) -> pd.DataFrame:
        """The indicators of compromise in prompts, answers, tool results and steps: one row for each of a session.

        `value` is exact, to be joined with other tables on `type` and `value`; `defanged` is what may be shown.

        msticpy's pivots take the rows of one type: `mp_pivot.run(IpAddress.util.ip_type, column="value", join="left")`;
        add `left_on="value", right_on="url"` for `Url.util.url_components`. Its own names of the types are
        `iocs["type"].replace(transcript.iocs.MSTICPY_TYPES)`: `IoCType` beside `Observable` in what `mp.ioc_extract`
        gives, and the `ioc_type_col` of `TILookup().lookup_iocs(…, ioc_col="value")`.

        Args:
            files: attachments whose names are looked at too: `session.files`, a table of files, or names; those that
                `history()` noted when left out, none with `[]`.
        """
        return iocs_frame(turns_of(self._table), self._files(files))

    def sightings(self, *, files: Any = None) -> pd.DataFrame:
        """The same, one row for each message that says an indicator: joined with messages on `message_id`."""
        return sightings_frame(turns_of(self._table), self._files(files))

    def techniques(self) -> pd.DataFrame:
        """The ATT&CK techniques that the messages mention by id, as MITRE names them; `attrs` tell the data's version.

        An id that the data does not have keeps its row, without a name. A mention is no finding by itself.
        """
        return techniques_frame(turns_of(self._table))

    def to_navigator(self, path: str | os.PathLike[str] | None = None, *, name: str = "Sec-Gemini") -> str | None:
        """The techniques as a layer for the ATT&CK Navigator (format 4.5, JSON); written to `path` if one is given.

        The score is how often a technique is mentioned; a revoked one counts for the one that took its place.

        Raises:
            InputError: a column is missing, or the file cannot be written.
        """
        layer = json.dumps(navigator_layer(turns_of(self._table), name=name), indent=1, ensure_ascii=False)
        return _written(layer, path)

    def _files(self, files: Any) -> list[FileName]:
        """Names of `files`, which are of the table's session where it has one; of those it noted, if None."""
        if files is None:
            notes = self._table.attrs.get("files")
            return file_names(self.files()) if isinstance(notes, dict) and "session_id" in self._table else []
        check_columns(self._table, ["session_id"])
        sessions = self._table["session_id"].dropna().unique().tolist()
        return file_names(files, session_id=sessions[0] if len(sessions) == 1 else "")

    def to_jsonl(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """The messages as JSON Lines in the shape of the wire; written to `path` if one is given.

        A table has no binary contents and keeps times in microseconds: use `transcript.jsonl` on the session's
        messages for an exact copy. Where a content is absent, its `content_sha256` and `content_bytes` are written.

        Raises:
            InputError: a column is missing, there are several sessions, or the file cannot be written.
        """
        messages = messages_of(self._table)
        one_session(self._table["session_id"].dropna())
        if path is None:
            return to_jsonl(messages).decode()
        write_jsonl(messages, path)
        return None

    def to_parquet_dataset(self, folder: str | os.PathLike[str]) -> pd.DataFrame:
        """Write each session to a file of its own (extra `parquet`), as `client.save_histories(folder)` does.

        Rows go session by session; columns that `history()` does not have are not written. A session that was written
        before is replaced, files of others stay.

        Returns:
            One row a session: `session_id`, `status`, `rows`, `bytes`, `path`, `error`.

        Raises:
            InputError: a column is missing, the folder holds something else or cannot be written to.
        """
        from secgemini_jupyter.transcript.dataset import saved_frame, write_all

        return saved_frame(write_all(self._table, folder))

    def export(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the messages to a file; the ending of its name says what: `transcript.exports.ENDINGS`.

        Raises:
            InputError: the ending is not known, a file is there, or it cannot be written; nothing is half-written.
        """
        from secgemini_jupyter.transcript.exports import checked, export

        target = checked(path, overwrite=overwrite)
        return export(Transcript.of_table(self._table), target)

    def to_stix(
        self, path: str | os.PathLike[str] | None = None, *, special: bool = False, hosts: bool = False
    ) -> str | None:
        """The indicators as a STIX 2.1 bundle (JSON); written to `path` if one is given.

        A mention is no verdict: they are of type `unknown`. `transcript.stix.stix_bundle` takes rows of `iocs()`
        that were chosen.

        Args:
            special: keep private, loopback, documentation and other special addresses, and internal names.
            hosts: keep hosts that were seen in URLs or mail addresses alone.
        """
        from secgemini_jupyter.transcript.stix import to_stix

        return _written(to_stix(self.iocs(), special=special, hosts=hosts), path)

    def to_otlp(self, path: str | os.PathLike[str] | None = None, *, content: bool = False) -> str | None:
        """The turns as OpenTelemetry spans, in OTLP JSON Lines; written to `path` if one is given.

        A turn is an `invoke_agent` span, a tool call an `execute_tool` span below it, with the names of the semantic
        conventions for generative AI: `transcript.otlp` has the map. The same turn has the same ids in every export.
        The collector's `otlpjsonfile` receiver reads such a file.

        Args:
            content: write prompts, answers, what tools were given and returned and what errors say, too.

        Raises:
            InputError: a column is missing, or the file cannot be written.
        """
        from secgemini_jupyter.transcript.otlp import to_otlp

        return _written(to_otlp(Transcript.of_table(self._table), content=content), path)

    def to_html(self) -> str:
        """The conversation as a page that loads and runs nothing, defanged."""
        from secgemini_jupyter.transcript.pages import to_html

        return to_html(Transcript.of_table(self._table))

    def to_markdown(self) -> str:
        """The messages as Markdown, exact."""
        from secgemini_jupyter.transcript.exports import markdown

        return markdown(Transcript.of_table(self._table))


def _written(text: str, path: str | os.PathLike[str] | None) -> str | None:
    """`text` itself, or None when it went to a file, whose place it takes."""
    if path is None:
        return text
    with replacing(path) as file:
        file.write(text.encode("utf-8", "replace"))  # a lone surrogate has no bytes
    return None


def _register() -> None:
    current = getattr(pd.DataFrame, NAME, None)
    if getattr(current, "__module__", "").startswith(f"{__package__}."):
        delattr(pd.DataFrame, NAME)  # by `lazy_accessor`, or a reload: pandas warns of a name that is taken
    pd.api.extensions.register_dataframe_accessor(NAME)(TranscriptAccessor)


_register()
