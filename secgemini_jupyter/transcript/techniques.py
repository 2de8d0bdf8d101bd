"""ATT&CK techniques that a transcript mentions by their ids, schema `techniques/1`; and as a Navigator layer.

Names, tactics and revocations are those of MITRE ATT&CK® (Enterprise) in the version that the table's `attrs` tell,
with MITRE's notice. A technique that is described without its id is not found; an id that is not in the data keeps its
row, without a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from secgemini_jupyter._version import __version__
from secgemini_jupyter.attack import Catalog, Technique, catalog
from secgemini_jupyter.render.text import count, one_line
from secgemini_jupyter.transcript.columns import Category, Column, frame
from secgemini_jupyter.transcript.iocs import Seen, all_seen, said_in
from secgemini_jupyter.transcript.sightings import Sighting, sightings
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "navigator_layer", "techniques_frame"]

SCHEMA = "techniques/1"
LAYER_FORMAT = "4.5"
NAVIGATOR = "5.0.0"
"""Whose layers have this format, as those say that read them."""
COLOURS = ["#deebf7", "#3182bd"]
"""From light to dark in one hue, so that the order can be told without colours."""
_ID = re.compile(r"T1\d{3}(?:\.\d{3})?\Z")
_PAGE = re.compile(r"https?://attack\.mitre\.org/techniques/(T1\d{3})(?:[./](\d{3}))?(?![\w.])", re.ASCII)


def known(read: Callable[[Technique], Any]) -> Callable[[Sequence[Seen]], Iterator[Any]]:
    """What the catalog says; None for an id that it does not have."""

    def values(rows: Sequence[Seen]) -> Iterator[Any]:
        techniques = catalog().techniques
        for seen in rows:
            technique = techniques.get(seen.indicator.value)
            yield None if technique is None else read(technique)

    return values


def each(name: str) -> Callable[[Sequence[Seen]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda rows: map(read, rows)


COLUMNS: dict[str, Column[Sequence[Seen]]] = {
    "id": Column("string", each("indicator.value")),
    "name": Column("string", known(lambda technique: catalog().label(technique))),
    "tactics": Column("string", known(lambda technique: json.dumps(technique.tactics))),
    "status": Column(Category(("active", "revoked", "deprecated")), known(attrgetter("status"))),
    "revoked_by": Column("string", known(attrgetter("revoked_by"))),
    "count": Column("Int64", each("count")),
    "turn_count": Column("Int32", each("turn_count")),
    "in_prompt": said_in("prompt"),
    "in_answer": said_in("answer"),
    "in_tool_result": said_in("tool_result"),
    "first_seen": Column("time", each("first_seen")),
    "last_seen": Column("time", each("last_seen")),
    "message_ids": Column("string", each("message_ids")),
    "session_id": Column("string", each("first.session_id")),
}


def techniques_frame(turns: Sequence[TurnSlice]) -> pd.DataFrame:
    """The techniques in `turns`, one row for each of a session, in order of their first mention.

    `name` has the parent's before it. `tactics` and `message_ids` are JSON lists. A revoked technique has the name and
    tactics that it had last, and in `revoked_by` the id that took its place.
    """
    table = frame(COLUMNS, mentions(turns), schema=SCHEMA)
    source = catalog()
    table.attrs |= {"attack_version": source.version, "attack_date": source.date, "attack_notice": source.notice}
    return table


def mentions(turns: Iterable[TurnSlice]) -> list[Seen]:
    """Each technique, with its sightings: one for each message, where an id that leads to its own page counts once."""
    found: dict[tuple[object, ...], Sighting] = {}
    for sighting in sightings(turns):
        if technique := technique_in(sighting):
            place = (technique.session_id, technique.turn_index, technique.message_id, technique.indicator.value)
            before = found.setdefault(place, technique)
            if technique.count > before.count:
                found[place] = technique
    return all_seen(found.values())


def technique_in(sighting: Sighting) -> Sighting | None:
    """The technique that an indicator is, or whose page it leads to."""
    indicator = sighting.indicator
    if indicator.type == "attack" and _ID.match(indicator.value):
        return sighting
    page = _PAGE.match(indicator.value) if indicator.type == "url" else None
    if page is None:
        return None
    number = ".".join(part for part in page.groups() if part)
    return replace(sighting, indicator=replace(indicator, type="attack", value=number))


def navigator_layer(turns: Sequence[TurnSlice], *, name: str) -> dict[str, Any]:
    """The techniques in `turns` as a layer for the ATT&CK Navigator (format 4.5); the score is how often one is said.

    A revoked technique counts for the one that took its place, and its comment says so. Those that have no place in
    the matrix (not known, deprecated) are told in the description.
    """
    source = catalog()
    scores: dict[str, int] = {}
    said_as: dict[str, dict[str, int]] = {}
    homeless: dict[str, None] = {}
    for seen in mentions(turns):
        mentioned = seen.indicator.value
        current = source.current(mentioned)
        if current is None:
            homeless[mentioned] = None
            continue
        scores[current.id] = scores.get(current.id, 0) + seen.count
        as_said = said_as.setdefault(current.id, {})
        as_said[mentioned] = as_said.get(mentioned, 0) + seen.count
    left_out = f" Not in the matrix: {', '.join(homeless)}." if homeless else ""
    return {
        "name": one_line(name, 100),
        "versions": {"attack": source.version.partition(".")[0], "navigator": NAVIGATOR, "layer": LAYER_FORMAT},
        "domain": source.domain,
        "description": f"Techniques that a Sec-Gemini session mentions by id, which is no finding by itself. "
        f"ATT&CK v{source.version} of {source.date}; made by secgemini-jupyter {__version__}.{left_out}",
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "techniques": [
            {
                "techniqueID": number,
                "score": score,
                "comment": comment(source, number, said_as[number]),
                "enabled": True,
                "showSubtechniques": True,
            }
            for number, score in sorted(scores.items())
        ],
        "gradient": {"colors": COLOURS, "minValue": 0, "maxValue": max(scores.values(), default=1)},
        "legendItems": [],
        "metadata": [{"name": "notice", "value": source.notice}],
    }


def comment(source: Catalog, number: str, said: dict[str, int]) -> str:
    """`Mentioned 3 times, of these 2 as T1562.001 (revoked).`"""
    mentioned = f"Mentioned {count(sum(said.values()), 'time')}"
    others = {f"{it} ({source.techniques[it].status})": times for it, times in said.items() if it != number}
    if not others:
        return mentioned + "."
    if len(said) == 1:
        return f"{mentioned}, all as {next(iter(others))}."
    return f"{mentioned}, of these {', '.join(f'{times} as {it}' for it, times in others.items())}."
