"""What our cells left in a notebook's outputs, found by the mark in their metadata or by the cell that made them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from secgemini_jupyter.render.unsaid import public_html, public_text
from secgemini_jupyter.sharing.sources import Kind, Sources

__all__ = ["Cleaning", "joined", "mark_of", "session_names"]

MARK = "secgemini"
CLEAN = "cleaned"
VIEW = "application/vnd.jupyter.widget-view+json"
_REPR = re.compile(r"<(?:Async)?InteractiveSession '.*' id=")
# As these were saved before they had a mark.
_UNMARKED = re.compile(
    r"<Job \d+ \w+ in session |Nothing was sent\. This would be:\n|To be sent to .*: \d[\d,]* bytes?\. "
)
_NUMBER = re.compile(r"\s*[-+]?\d[\d_,.]*(?:e[-+]?\d+)?\s*")
_ID = re.compile(r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b", re.IGNORECASE)
_HINT = re.compile(r"(?<=key )…\S{1,4}")
# How our messages quote names of sessions: `repr` of them, or a list at the end.
_QUOTED = re.compile(r"""(\b[Ss]ession |\blast one \(|(?<!\S)-s )(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""")
_LISTED = re.compile(r"(no session \[session\]\. (?:It has: |Did you mean |Known: )).*")
SESSION = "[session]"


class Cleaning:
    """One pass over a notebook's outputs.

    Args:
        widgets: ids of our widgets' models: an output that shows one is taken out.
        names: names of sessions, which our cells' messages may quote.
        all_outputs: everything of ours goes, answers too.

    Attributes:
        done: how much of what was, or would be, stripped.
    """

    def __init__(
        self, widgets: frozenset[str] = frozenset(), names: frozenset[str] = frozenset(), *, all_outputs: bool
    ):
        self.widgets, self.names, self.all_outputs = widgets, names, all_outputs
        self.done: Counter[str] = Counter()
        self._sources = Sources()

    def cell(self, cell: dict[str, Any]) -> None:
        """Clean one cell's outputs in place."""
        if cell.get("cell_type") != "code" or not isinstance(cell.get("outputs"), list):
            return
        source = joined(cell.get("source")) or ""
        cell["outputs"] = self.outputs(cell["outputs"], self._sources.kind(source))

    def outputs(self, outputs: list[Any], kind: Kind = "") -> list[Any]:
        """What stays of a list of outputs; those that are not ours are the same objects."""
        return [
            kept
            for each in outputs
            if (kept := self._output(each, kind) if isinstance(each, dict) else each) is not None
        ]

    def _output(self, output: dict[str, Any], kind: Kind) -> dict[str, Any] | None:
        mark = mark_of(output)
        found = output.get("data")
        data = found if isinstance(found, dict) else {}
        view = data.get(VIEW)
        shown = view.get("model_id") if isinstance(view, dict) else None
        if (mark is not None and "widget" in mark) or (isinstance(shown, str) and shown in self.widgets):
            return self._gone("widget")
        if mark is not None and "listing" in mark:
            return self._gone("listing")
        if self.all_outputs and (kind == "own" or mark is not None):
            return self._gone("answer" if mark is not None else "message")
        text = joined(data.get("text/plain")) or ""
        if _REPR.match(text):
            return self._gone("session")
        if _UNMARKED.match(text):
            return self._gone("listing")
        if mark is not None:
            return self._answer(output, mark)
        is_error = output.get("output_type") == "error"
        if (kind == "listing" and not is_error) or (kind == "mixed" and not is_error and not _is_number(output, data)):
            return self._gone("listing")
        return self._message(output) if kind else output

    def _gone(self, what: str) -> dict[str, Any] | None:
        self.done[what] += 1
        return None

    def _answer(self, output: dict[str, Any], mark: Mapping[str, Any]) -> dict[str, Any]:
        if mark.get(CLEAN) is True and set(mark) <= {CLEAN, "status"}:
            return output
        self.done["answer"] += 1
        session, turn = mark.get("session"), mark.get("turn")
        session = session if isinstance(session, str) else ""
        turn = turn if isinstance(turn, int) else None
        data = dict(output["data"]) if isinstance(output.get("data"), dict) else {}
        for kind, public in (("text/html", public_html), ("text/plain", public_text)):
            text = joined(data.get(kind))
            if text is not None:
                data[kind] = _like(data[kind], public(text, session, turn))
        status = mark.get("status")
        left = {CLEAN: True} | ({"status": status} if isinstance(status, str) else {})
        return output | {"data": data, "metadata": output["metadata"] | {MARK: left}}

    def _message(self, output: dict[str, Any]) -> dict[str, Any]:
        """A line or an error of a cell of ours: names and ids of sessions are taken out of it."""
        fields = {"stream": ("text",), "error": ("evalue", "traceback")}.get(str(output.get("output_type")), ())
        changed = {name: self._without_names(output[name]) for name in fields if name in output}
        if all(output[name] == value for name, value in changed.items()):
            return output
        self.done["message"] += 1
        return output | changed

    def _without_names(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without_names(each) for each in value]
        if not isinstance(value, str):
            return value
        value = _HINT.sub("[redacted]", _ID.sub(SESSION, value))
        value = _LISTED.sub(rf"\1{SESSION}", _QUOTED.sub(rf"\1{SESSION}", value))
        for name in sorted(self.names, key=lambda name: (-len(name), name)):
            value = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", SESSION, value)
        return value


def mark_of(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an output's metadata says of itself, if it is ours."""
    metadata = output.get("metadata")
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else None


def session_names(outputs: list[Any]) -> set[str]:
    marks = [mark_of(each) or {} for each in outputs if isinstance(each, dict)]
    names = {mark.get("session") for mark in marks}
    return {name for name in names if isinstance(name, str) and len(name) >= 4 and name != SESSION}


def _is_number(output: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether it says how many, and nothing else, like `len(table)`."""
    text = joined(output.get("text") if output.get("output_type") == "stream" else data.get("text/plain"))
    return text is not None and set(data) <= {"text/plain"} and bool(_NUMBER.fullmatch(text))


def joined(value: Any) -> str | None:
    """Text as the file has it: one string, or a list of lines."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "".join(value)
    return value if isinstance(value, str) else None


def _like(before: Any, text: str) -> Any:
    return text.splitlines(keepends=True) if isinstance(before, list) else text
