"""A session as a picture: tree, timeline, search, details; live while a turn runs."""

from __future__ import annotations

import json
import logging
import operator
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
import traitlets

from secgemini_jupyter.errors import InputError, without_keys
from secgemini_jupyter.models import Message
from secgemini_jupyter.render import html
from secgemini_jupyter.render.text import count, one_line, size
from secgemini_jupyter.transcript.labels import gist
from secgemini_jupyter.transcript.nodes import Nodes
from secgemini_jupyter.transcript.search import positions_with
from secgemini_jupyter.widgets.base import MARK, SecGeminiWidget, bundle
from secgemini_jupyter.widgets.details import detail, parts_of, tsv
from secgemini_jupyter.widgets.export import Format, exported
from secgemini_jupyter.widgets.feed import Event, Feed
from secgemini_jupyter.widgets.outline import outline
from secgemini_jupyter.widgets.pack import pack
from secgemini_jupyter.widgets.rpc import Method, Reply, Rpc
from secgemini_jupyter.widgets.session import VisualizeSession
from secgemini_jupyter.widgets.sources import SessionSource, Snapshot, TableSource, tree_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VisualizeWidget"]

log = logging.getLogger(__name__)

MAX_SAVED = 256_000
"""Bytes of the index that a saved notebook keeps."""
MAX_EMBEDDED = 2_000_000
MAX_TEXT = 500
"""Messages that the text in a saved notebook tells of."""
MAX_READ = 20
MAX_COPY = 1_000_000

Position = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Read(msgspec.Struct, forbid_unknown_fields=True):
    messages: Annotated[list[Position], msgspec.Meta(min_length=1, max_length=MAX_READ)]


class Search(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Export(msgspec.Struct, forbid_unknown_fields=True):
    format: Format
    scope: Literal["selected", "all"]


class CopyOf(msgspec.Struct, forbid_unknown_fields=True):
    message: Position
    part: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class VisualizeWidget(SecGeminiWidget):
    """The messages of a session, or of a table that `history()` made, as a tree and a timeline.

    Args:
        source: a session, which is followed while turns run in it; or a table of messages.
        embed: keep everything in the saved notebook, so that exported HTML stays interactive; up to 2 MB.

    Attributes:
        selected: positions of the selected messages, ascending; observe it, link it, set it.
        running: whether a turn runs in the session; observe it.
        session_id, session_name: whose messages these are; empty id for a table.

    Raises:
        InputError: `embed` is asked for more than a notebook should hold.
    """

    _esm, _css = bundle("visualize")
    _from_browser: ClassVar[Mapping[str, Any]] = {"selected": list[Position]}

    session_id = traitlets.Unicode().tag(sync=True)
    session_name = traitlets.Unicode().tag(sync=True)
    index = traitlets.Bytes().tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    running = traitlets.Bool().tag(sync=True)
    embedded = traitlets.Dict().tag(sync=True)

    def __init__(self, source: VisualizeSession | pd.DataFrame, *, embed: bool = False) -> None:
        self._source = _source_of(source)
        self._embeds = self._stays_live = embed
        self._nodes = Nodes()
        self._known = Snapshot((), ())
        self._frame_lock = threading.Lock()
        self._frame: tuple[Snapshot, pd.DataFrame] | None = None
        running = self._source.is_running
        self._take(self._source.read() or Snapshot((), ()), running=running)
        super().__init__(
            session_id=self._source.session_id,
            session_name=one_line(self._source.name, 80),
            index=pack(self._nodes, seq=0),
            running=running,
            embedded=self._everything() if embed else {},
        )
        self._feed = Feed(self, self._collect, goes_on=lambda: self._source.is_running)
        self._rpc = Rpc(
            self,
            {
                "read_index": Method(Nothing, self._read_index),
                "read": Method(Read, self._read),
                "search": Method(Search, self._search),
                "export": Method(Export, self._export),
                "copy": Method(CopyOf, self._copy),
                "refresh": Method(Nothing, self._refresh),
            },
        )
        self._end_watch = self._source.watch(self._feed.wake)
        self._feed.wake()  # for what came between the copy and the watch

    def __repr__(self) -> str:
        return f"<VisualizeWidget of {self.session_name!r}, {count(len(self._known.messages), 'message')}>"

    def __str__(self) -> str:
        return str(tree_of(self._known, self._source.name))

    def close(self) -> None:
        """Take the widget off the page, and stop following its session."""
        if hasattr(self, "_end_watch"):
            self._end_watch()
            self._feed.close()
        super().close()

    # --- for Python ---

    @property
    def frame(self) -> pd.DataFrame:
        """All messages as `history()` has them; the index is the position."""
        with self._frame_lock:
            known = self._known
            if self._frame is None or self._frame[0] is not known:
                self._frame = known, self._source.frame(known)
            return self._frame[1]

    @property
    def selection(self) -> pd.DataFrame:
        """The selected messages: rows of `frame`."""
        frame = self.frame
        return frame.iloc[[position for position in self.selected if position < len(frame)]]

    def select(self, rows: pd.DataFrame | pd.Series[Any] | Iterable[int] | Iterable[str]) -> None:
        """Select messages: rows of a table of messages, one row, positions, or ids.

        Raises:
            InputError: one of them is not here; the selection stays.
        """
        import pandas as pd

        from secgemini_jupyter.transcript.restore import check_columns

        if isinstance(rows, pd.Series) and "message_index" in rows.index:
            rows = rows.to_frame().T
        if isinstance(rows, pd.DataFrame):
            check_columns(rows, ("session_id", "message_index"))
            if rows["message_index"].isna().any():
                raise InputError("A row has no message_index. Take rows of history().")
            positions = self._source.positions(rows)
        else:
            positions = self._positions([rows] if isinstance(rows, str | int) else list(rows))
        try:
            self.selected = positions
        except traitlets.TraitError as error:
            raise InputError(str(error)) from None

    def _positions(self, items: Sequence[Any]) -> list[int]:
        if not any(isinstance(item, str) for item in items):
            try:
                if any(isinstance(item, bool) for item in items):
                    raise TypeError("a mask")
                return [operator.index(item) for item in items]
            except TypeError:
                raise InputError(
                    "Pass rows of history() (of a mask: history[mask]), positions (numbers) or ids of messages (text)."
                ) from None
        by_id: dict[str, list[int]] = {}
        for position, message in enumerate(self._known.messages):
            by_id.setdefault(message.id, []).append(position)
        if missing := [item for item in items if item not in by_id]:
            raise InputError(f"No message here has the id {one_line(str(missing[0]), 60)!r}. Ids are in `frame`.")
        return [position for item in items for position in by_id[item]]

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> list[int]:
        positions = sorted(set(proposal["value"]))
        known = len(self._known.messages)
        for position in positions[:1] + positions[-1:]:
            if not 0 <= position < known:
                raise traitlets.TraitError(f"There is no message at position {position}: {self._how_many()}.")
        return positions

    def _how_many(self) -> str:
        return f"there are {count(len(self._known.messages), 'message')}, counted from 0"

    def set_state(self, sync_data: dict[str, Any]) -> None:
        if isinstance(chosen := sync_data.get("selected"), list):
            known = range(len(self._known.messages))
            # A view may have seen more than a session that was cut since.
            sync_data = sync_data | {"selected": [n for n in chosen if not isinstance(n, int) or n in known]}
        super().set_state(sync_data)

    def _fallback(self) -> tuple[str, str]:
        name = self._source.name
        return without_keys(outline(self._known.turns(), name)), without_keys(_beginning(self._known, name))

    def _ipython_display_(self) -> None:
        """With `embed`, the static form is an output of its own, folded: an exported page that finds no network for
        the live view, which it prefers, would else be blank."""
        if not self._embeds:
            raise NotImplementedError  # IPython shows the bundle
        from IPython.core.interactiveshell import InteractiveShell

        data, metadata = self._repr_mimebundle_()
        title = html.tag("summary", f"Session {gist(self.session_name)}, saved with this notebook", style=html.SUMMARY)
        folded = {
            "text/html": html.shown(html.tag("details", title, data.pop("text/html"))),
            "text/plain": data["text/plain"],
        }
        publisher = InteractiveShell.instance().display_pub
        publisher.publish({**data, "text/plain": repr(self)}, metadata)
        publisher.publish(folded, MARK)

    # --- what is new ---

    def _take(self, snapshot: Snapshot, *, running: bool) -> int:
        since = _first_difference(self._known.messages, snapshot.messages)
        first = self._nodes.update(snapshot.messages, snapshot.spans, since=since, running=running)
        self._known = snapshot
        return first

    def _collect(self) -> Event | None:
        running = self._source.is_running
        snapshot = self._source.read()
        if snapshot is None:
            return None
        known = self._known.messages
        self.session_name = one_line(self._source.name, 80)
        is_same = len(known) == len(snapshot.messages) == _first_difference(known, snapshot.messages)
        if is_same and running == self.running:
            return None
        first = self._take(snapshot, running=running)
        self.running = running
        if len(snapshot.messages) < len(known):
            self.selected = [position for position in self.selected if position < len(snapshot.messages)]
        with self._feed.still() as seq:
            event = Event({}, [pack(self._nodes, seq=seq + 1, start=first)])
            if not running:
                self._keep(seq + 1)
            return event

    def _keep(self, seq: int) -> None:
        """Have the saved state, and a view that is opened from now on, know what is here."""
        index = pack(self._nodes, seq=seq)
        self.index = index if self._embeds or len(index) <= MAX_SAVED else b""
        if self._embeds:
            try:
                self.embedded = self._everything()
            except InputError as error:
                log.warning("The saved picture is older than the session. %s", error)

    def _everything(self) -> dict[str, Any]:
        details: dict[str, Any] = {}
        total = 0
        for position, message in enumerate(self._known.messages):
            each = detail(message, position, self._nodes.turn_of(position), self._nodes.changes.of_target.get(position))
            written = without_keys(json.dumps(each, ensure_ascii=False))
            total += len(written.encode())
            if total > MAX_EMBEDDED:
                raise InputError(
                    f"embed=True takes up to {size(MAX_EMBEDDED)} of details, and this session has more. Embed a part: "
                    "session.history().query('turn_index > 2').secgemini.visualize(embed=True)."
                )
            details[str(position)] = json.loads(written)
        return details

    # --- for the view ---

    def _read_index(self, _: Nothing) -> Reply:
        with self._feed.still() as seq:
            return Reply({"seq": seq}, [pack(self._nodes, seq=seq)])

    def _read(self, request: Read) -> dict[str, Any]:
        self._has_a_view()
        messages = self._messages_at(request.messages)
        return {
            "details": [
                detail(message, position, self._nodes.turn_of(position), self._nodes.changes.of_target.get(position))
                for position, message in zip(request.messages, messages, strict=True)
            ]
        }

    def _search(self, request: Search) -> Reply:
        import numpy as np

        self._has_a_view()
        found = np.array(positions_with(self._known.messages, request.text), dtype="<i4")
        return Reply({"count": len(found)}, [found.tobytes()])

    def _export(self, request: Export) -> Reply:
        file = exported(
            self._known,
            self.selected if request.scope == "selected" else None,
            request.format,
            name=self._source.name,
            session_id=self.session_id,
        )
        return Reply({"name": file.name, "mime_type": file.mime_type}, [file.content])

    def _copy(self, request: CopyOf) -> dict[str, Any]:
        (message,) = self._messages_at([request.message])
        message = self._nodes.changes.now(request.message, message) or message
        text = message.content or ""
        if request.part is not None:
            parts = parts_of(message)
            if request.part >= len(parts) or (table := parts[request.part].table) is None:
                raise InputError(f"Part {request.part} of this message is no table. Snapshot the message.")
            text = tsv(table)
        return {"text": text[:MAX_COPY], "is_cut": len(text) > MAX_COPY}

    def _refresh(self, _: Nothing) -> None:
        self._source.refresh()
        self._feed.wake()

    def _messages_at(self, positions: Sequence[int]) -> list[Message]:
        messages = self._known.messages
        if unknown := [position for position in positions if position >= len(messages)]:
            raise InputError(f"There is no message at position {unknown[0]}: {self._how_many()}. Refresh the view.")
        return [messages[position] for position in positions]

    def _has_a_view(self) -> None:
        """A view is there, and has taken the index: a large one shall not be saved with the notebook."""
        if not self._embeds and len(self.index) > MAX_SAVED:
            self.index = b""


def _source_of(source: VisualizeSession | pd.DataFrame) -> SessionSource | TableSource:
    import pandas as pd

    return TableSource(source) if isinstance(source, pd.DataFrame) else SessionSource(source)


def _beginning(known: Snapshot, name: str) -> str:
    """The text tree, of a long session that of its first turns: it is made for each display, and seldom seen."""
    turns = bisect_right(known.spans, MAX_TEXT, key=attrgetter("stop"))
    if turns == len(known.spans):
        return str(tree_of(known, name))
    stop = known.spans[turns - 1].stop if turns else 0
    text = str(tree_of(Snapshot(known.messages[:stop], known.spans[:turns]), name))
    rest = f"{count(len(known.spans) - turns, 'more turn')} with {count(len(known.messages) - stop, 'message')}"
    return f"{text}\n… {rest}: print the widget to see all"


def _first_difference(known: Sequence[Message], messages: Sequence[Message]) -> int:
    """How many messages at the beginning are the same."""
    step, position = 1_000, 0
    while position < len(known) and known[position : position + step] == messages[position : position + step]:
        position += step
    position = min(position, len(known))
    while position < min(len(known), len(messages)) and known[position] == messages[position]:
        position += 1
    return position
