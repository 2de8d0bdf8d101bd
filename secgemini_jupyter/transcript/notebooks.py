"""A transcript as a notebook: each prompt a `%%secgemini` cell, its answer the saved output. Nothing is run for it.

The cells are tagged, so that a headless run leaves them out: to read a notebook again shall ask nobody. Outputs are
those that a cell would have left, safe in an untrusted notebook; nothing is ever marked as trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from secgemini_jupyter._version import __version__
from secgemini_jupyter.render.answer import TAKEN_BACK, Status, answer_bundle
from secgemini_jupyter.render.text import defanged, one_line, size
from secgemini_jupyter.transcript.document import Transcript, facts_of
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.markdown import escaped
from secgemini_jupyter.transcript.pages import facts
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["to_notebook"]

SKIP = "secgemini-skip"
"""The tag that `sharing.papermill` and the options of nbconvert and nbclient go by."""


def to_notebook(transcript: Transcript) -> str:
    """Notebook format 4.5; the same transcript always gives the same text."""
    transcript = keyless(transcript)
    cells = [_about(transcript), *(_cell(transcript, turn, n) for n, turn in enumerate(transcript.turns, 1))]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "secgemini": {"exported_by": f"secgemini-jupyter {__version__}"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _about(transcript: Transcript) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "about", "metadata": {}, "source": _lines("\n".join(_words(transcript)))}


def _words(transcript: Transcript) -> Iterator[str]:
    yield f"# {_said(transcript.title, 120)}"
    if transcript.description.strip():
        yield from ("", _said(transcript.description, 2_000))
    yield ""
    yield from (f"- {name}: {escaped(value, 1_000)}" for name, value in facts(transcript) if value)
    if transcript.is_local:
        yield "- The local service answered, not Sec-Gemini."
    if transcript.files:
        yield from (
            "",
            "## Attachments",
            "",
            "| Name | Size | Type | SHA-256, as the service has it |",
            "|---|---:|---|---|",
        )
    for file in transcript.files:
        name, kind = _said(file.name, 300), _said(file.mime_type, 80)
        yield f"| {name} | {size(file.size)} | {kind} | {escaped(file.sha256, 128)} |"
    yield ""
    yield (
        "The answers below are saved outputs: nothing has to be run to read them. To ask again, run "
        "`%load_ext secgemini_jupyter` in a new cell first; the files above are not attached then."
    )


def _said(text: str, limit: int) -> str:
    return escaped(defanged(one_line(text, limit)), 2 * limit)


def _cell(transcript: Transcript, turn: TurnSlice, number: int) -> dict[str, Any]:
    status: Status = (
        "error" if turn.status == "error" else "ok" if turn.status == "ok" or not turn.index else "interrupted"
    )
    answer = answer_bundle(
        turn.shown, facts_of(transcript, turn), status=status, note=TAKEN_BACK if turn.is_taken_back else ""
    )
    data = {mime_type: _lines(text) for mime_type, text in answer.data.items()}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"turn-{number}",
        "metadata": {"tags": [SKIP]},
        "outputs": [{"output_type": "display_data", "data": data, "metadata": answer.metadata}],
        "source": _lines(_source(turn)),
    }


def _source(turn: TurnSlice) -> str:
    if turn.prompt is None:  # no cell of another kind has its text escaped by nbconvert, for LaTeX too
        return f"# The answer to turn {turn.index}, without its prompt" if turn.index else "# Before the first prompt"
    # In a prompt that was sent, braces are braces.
    return f"%%secgemini{' --raw' if '{{' in turn.prompt else ''}\n{turn.prompt}"


def _lines(text: str) -> list[str]:
    """As notebooks are stored: a list of lines, each with its end."""
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])
