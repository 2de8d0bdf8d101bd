"""Which items of an earlier answer words mean, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from secgemini_jupyter.local_server.analyst.listing import (
    Item,
    as_list,
    as_table,
    in_form,
    main_value,
    picked,
    with_property,
)
from secgemini_jupyter.local_server.analyst.text import listed
from secgemini_jupyter.local_server.analyst.wishes import Wish


def told_items(items: Sequence[Item], wish: Wish) -> str:
    if wish.as_json or wish.as_csv or wish.as_table:
        return in_form(items, (), json=wish.as_json, csv_=wish.as_csv, table_=wish.as_table)
    values = list(dict.fromkeys(main_value(item) for item in items))
    if wish.one_sentence or wish.one_word:
        return listed(values, 10) if wish.one_sentence else str(values[0] if len(values) == 1 else len(values))
    is_told = all(len(item) < 3 for item in items) or len(values) == len(items)
    return as_list(values) if is_told else as_table(items)


def of_kind(items: list[Item], word: str) -> tuple[list[Item], str]:
    """The items of a kind ("domain"), all if no kind is named or known; and how it is told."""
    words = word.lower().removesuffix(" one").strip()
    if not words or words in ("one", "ones"):
        return items, ""
    if values := picked(items, words):
        return [{"value": value} for value in values], f" ({words})"
    kept = by_words(items, words)
    return (kept, f" ({words})") if kept else (items, "")


def by_words(items: Sequence[Item], words: str, *, negated: bool = False) -> list[Item] | None:
    """The items of which each of the words is true; None if nothing in them tells of one."""
    kept = list(items)
    told = False
    for word in re.findall(r"[^\W_][\w-]*", words.lower()):
        if word in (
            "ip",
            "ips",
            "address",
            "addresses",
            "ones",
            "one",
            "login",
            "logins",
            "entries",
            "rows",
            "items",
            "the",
        ):
            continue
        found = with_property(items, word)
        if found is None:
            return None
        told = True
        kept = [item for item in kept if item in found]
    if not told:
        return None
    return [item for item in items if item not in kept] if negated else kept


def mentions(item: Item, value: str) -> bool:
    pattern = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w.]*\w)", re.IGNORECASE)
    return any(pattern.search(str(each)[:2_000]) for each in item.values() if each is not None)
