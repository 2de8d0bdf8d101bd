"""Messages as a Markdown document, to be put into a report or a ticket.

Values are exact, indicators too; only what acts on a terminal or hides from the eye is shown as a sign. What a
message says stays inside its quote or its fence: it can neither begin a heading of the document nor end one, and
markup that a viewer would run or load is fenced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from secgemini_jupyter.models import ROOT, Message, MessageType, is_text
from secgemini_jupyter.render.text import count, one_line, safe_text, size, utc
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["escaped", "fenced", "to_markdown"]

_PROSE = frozenset({None, "", "text/plain", "text/markdown", "sec-gemini", "sec-gemini/markdown"})
_LANGUAGES = {
    "application/json": "json", "text/serialized-json": "json", "sec-gemini/json": "json", "sec-gemini/table": "json",
    "sec-gemini/timeline": "json", "sec-gemini/graph": "json", "text/csv": "csv", "text/html": "html",
    "sec-gemini/html": "html", "text/x-python": "python", "text/python": "python",
}  # fmt: skip
# HTML, images, and links that do something: a viewer may not be as careful as we are.
_ACTIVE = re.compile(r"<[a-z/!?]|!\[|&(?:#|[a-z])|(?:javascript|vbscript|data|file)\s*\\?:", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!&$])")
_TICKS = re.compile("`+")


def to_markdown(turns: Iterable[TurnSlice], *, name: str = "", session_id: str = "") -> str:
    """The messages of `turns`, a section a turn, in their order.

    Args:
        name: of the session; the document's title.
        session_id: said below the title.
    """
    lines = [f"# {escaped(name) or 'Session'}", ""]
    if session_id:
        lines += [f"Session {_code(session_id)}", ""]
    for turn in turns:
        lines += [*_turn(turn), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _turn(turn: TurnSlice) -> Iterator[str]:
    where = f"{escaped(turn.session_id)}, " if turn.session_id else ""
    yield f"## {where}turn {turn.index}" if turn.index else f"## {where}before the first prompt"
    pieces = sum(message.is_partial for message in turn.messages)
    in_list = False
    for position, message in enumerate(turn.messages):
        if message.is_partial:
            continue
        change = turn.changes.of_target.get(position)
        became = f" · {change.word} at {_when(change.by)}" if change else ""
        now = message if change is None else change.now
        is_line = now is None or _is_progress(now) or position in turn.changes.spent
        if is_line:
            if not in_list:
                yield ""
            words = "(taken back)" if now is None else _code(_spent(now) or now.text or "")
            yield f"- {_who(message)}{became}: {words}"
        elif now is not None:
            yield from ("", f"### {_who(now)}{became}", "", *_body(now))
        in_list = is_line
    if pieces:
        yield from ("", f"({count(pieces, 'piece')} left out: the whole texts are here.)")


def _spent(message: Message) -> str:
    """Of a message that changed another one, which shows what it says now."""
    is_change = message.message_type in (MessageType.UPDATE, MessageType.DELETE)
    return f"of {message.parent_id}" if is_change and message.parent_id != ROOT else ""


def _when(message: Message) -> str:
    return utc(message.seconds) if message.seconds else "a time that nobody knows"


def _is_progress(message: Message) -> bool:
    text = message.text
    return message.message_type is MessageType.INFO and text is not None and len(text) <= 200 and "\n" not in text


def _who(message: Message) -> str:
    """Actor, type, title, time, and the status of a failure."""
    seconds = message.seconds
    parts = [message.actor, str(message.message_type).replace("_", " "), message.title or ""]
    if message.status_code not in (200, 206):
        parts.append(f"{message.status_code} {message.status_message}")
    parts.append(utc(seconds) if seconds else "")
    return " · ".join(escaped(part) for part in parts if part)


def _body(message: Message) -> Sequence[str]:
    if not message.content:
        return ["(no content)"]
    kind = (message.mime_type or "").partition(";")[0].strip().lower()
    if not is_text(message.mime_type):
        return [f"({escaped(kind)}, {size(len(message.data))}, not text)"]
    text = safe_text(message.content).rstrip("\n")
    if kind in _PROSE and not _ACTIVE.search(text):
        return [f"> {line}".rstrip() for line in text.split("\n")]
    return fenced(text, _LANGUAGES.get(kind, "markdown" if kind in _PROSE else "text"))


def fenced(text: str, language: str) -> list[str]:
    """Lines of a fence that nothing in `text` ends."""
    fence = "`" * max(3, 1 + _longest_ticks(text))
    return [f"{fence}{language}", text, fence]


def _code(text: str) -> str:
    text = one_line(text, 300)
    ticks = "`" * (1 + _longest_ticks(text))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}" if text else "(nothing)"


def _longest_ticks(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def escaped(text: str, limit: int = 200) -> str:
    """`text` on one line, as words that are no Markdown."""
    return _SPECIAL.sub(r"\\\1", one_line(text, limit))
