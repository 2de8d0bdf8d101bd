"""`secgemini-jupyter clean`: a notebook without sessions, transcripts and cached state. The answers stay."""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secgemini_jupyter.disk import read_regular, replacing
from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.render.text import count
from secgemini_jupyter.sharing.outputs import Cleaning, session_names
from secgemini_jupyter.sharing.widgets import STATE, own_models, state_of, without_models

__all__ = ["clean", "clean_file", "main"]

MAX_NOTEBOOK = 512 * 2**20
"""Bytes."""


def clean(notebook: dict[str, Any], *, all_outputs: bool = False) -> tuple[dict[str, Any], Counter[str]]:
    """A copy without what is ours and nobody else's business, and how much of what was taken out.

    Sources, cells' metadata, ids and the outputs of others stay as they are.

    Args:
        all_outputs: answers are taken out as well.
    """
    cleaned = copy.deepcopy(notebook)
    cells = [cell for cell in cleaned["cells"] if isinstance(cell, dict)]
    lists = [cell["outputs"] for cell in cells if isinstance(cell.get("outputs"), list)]
    models = state_of(cleaned)
    gone = own_models(models)
    names = frozenset(name for outputs in lists for name in session_names(outputs))
    cleaning = Cleaning(gone, names, all_outputs=all_outputs)
    for cell in cells:
        cleaning.cell(cell)
    if models:
        _clean_widgets(cleaned, models, gone, cleaning)
    return cleaned, cleaning.done


def _clean_widgets(notebook: dict[str, Any], models: dict[str, Any], gone: frozenset[str], cleaning: Cleaning) -> None:
    left = without_models(models, gone)
    cleaning.done["saved widget"] += len(gone)
    for model in left.values():  # an `Output` widget holds outputs, which may be ours
        values = model.get("state") if isinstance(model, dict) else None
        if isinstance(values, dict) and isinstance(values.get("outputs"), list):
            values["outputs"] = cleaning.outputs(values["outputs"])
    saved = notebook["metadata"]["widgets"]
    if left:
        saved[STATE]["state"] = left
        return
    del saved[STATE]
    if not saved:
        del notebook["metadata"]["widgets"]


def clean_file(path: Path, *, all_outputs: bool = False, check: bool = False) -> Counter[str]:
    """Clean a notebook's file in its place: whole or not at all; what was already clean is not written.

    Args:
        check: only tell what would be taken out.

    Raises:
        InputError: it cannot be read or written, or is no notebook.
    """
    text, notebook = _read(path)
    cleaned, done = clean(notebook, all_outputs=all_outputs)
    if cleaned != notebook and not check:
        with replacing(path) as file:
            file.write(_written(cleaned, text))
    return done if cleaned != notebook else Counter()


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    shown = repr(str(path))
    try:
        if path.stat().st_size > MAX_NOTEBOOK:
            raise InputError(f"{shown} has more than {MAX_NOTEBOOK:,} bytes: that is no notebook for this command.")
        text = read_regular(path, MAX_NOTEBOOK).decode("utf-8")
        notebook = json.loads(text)
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{shown} is no notebook: it is not JSON. Nothing was changed.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise InputError(f"{shown} is no notebook: it says no nbformat. Nothing was changed.")
    if notebook["nbformat"] != 4 or not isinstance(notebook.get("cells"), list):
        raise InputError(
            f"{shown} is a notebook of format {notebook['nbformat']}, this command knows format 4. "
            "Convert it: jupyter nbconvert --to notebook --inplace. Nothing was changed."
        )
    return text, notebook


def _written(notebook: dict[str, Any], before: str) -> bytes:
    """In the file's own style (indent, escapes, line ends), so that nothing else of it changes."""
    match = re.match(r"\{\r?\n([ \t]+)\"", before)
    ascii_only = before.isascii() and re.search(r"\\u[0-9a-fA-F]{4}", before) is not None
    style: dict[str, Any] = {"indent": match.group(1) if match else None, "ensure_ascii": ascii_only}
    if not match:
        style["separators"] = (", ", ": ") if '": ' in before[:200] else (",", ":")
    text = json.dumps(notebook, **style) + before[len(before.rstrip()) :]
    if "{\r\n" in before[:3]:
        text = text.replace("\n", "\r\n").replace("\r\r\n", "\r\n")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half a character, which only an escape can hold
        return json.dumps(notebook, **(style | {"ensure_ascii": True})).encode() + b"\n"


def main(arguments: Sequence[str]) -> int:
    """0 when all went well, 1 when `--check` found something, 2 when a file could not be cleaned."""
    parser = argparse.ArgumentParser(
        prog="secgemini-jupyter clean",
        description="Strip session names and ids, transcripts (thinking, tools, chats, histories), widgets and cached "
        "state from notebooks before they are shared. Answers stay, and so does everything that is not ours.",
        allow_abbrev=False,
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 if something would be stripped"
    )
    parser.add_argument("--outputs", action="store_true", help="strip our answers too")
    options = parser.parse_args(arguments)
    status = 0
    for path in options.notebooks:
        try:
            done = clean_file(path, all_outputs=options.outputs, check=options.check)
        except InputError as error:
            print(f"secgemini-jupyter clean: {error}", file=sys.stderr)
            status = 2
            continue
        if not done:
            print(one_line(f"{path}: clean"))
            continue
        found = ", ".join(count(number, name) for name, number in sorted(done.items()) if number)
        print(one_line(f"{path}: {'would strip' if options.check else 'stripped'} {found}"))
        status = max(status, int(options.check))
    return status
