"""Finding an entry by a name, an alias or words of them. Nothing is guessed: ties are told, and so is what is near."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

MAX_WORDS = 8
_SPARE = frozenset(
    "a an the of in on for to by and or with via from attack attacks technique techniques tactic group groups actor "
    "actors threat malware software tool tools vulnerability vulnerabilities weakness weaknesses bug bugs flaw "
    "flaws".split()
)


_NO_WORD = re.compile(r"(?:['’]s\b|[\W_])+")


def normal(name: str) -> str:
    """`Cross-Site  Scripting (XSS)` → `cross site scripting xss`"""
    return _NO_WORD.sub(" ", name.casefold()).strip()


def stem(word: str) -> str:
    """`dumping`, `dumps`, `dump` → `dump`: enough to find a name by its words."""
    for end in ("ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(end) and len(word) - len(end) >= 3 and not word.endswith("ss"):
            return word[: -len(end)]
    return word.removesuffix("e") if len(word) > 4 else word


def stems(name: str) -> frozenset[str]:
    """The words of a name, also those that a hyphen joins: `hard-coded` → hard, coded, hardcoded."""
    joined = {stem(normal(word).replace(" ", "")) for word in name.split() if "-" in word.strip("-")}
    return frozenset(stem(word) for word in normal(name).split() if word not in _SPARE) | (joined - {""})


class Names:
    """An index.

    Args:
        named: pairs of id and a name; an id comes as often as it has names.
        rank: of ids that a name fits alike, those of the least rank count.
    """

    def __init__(self, named: Iterable[tuple[str, str]], rank: Callable[[str], int] = lambda _number: 0) -> None:
        self._named, self._rank = list(named), rank
        self._exact: dict[str, list[str]] = defaultdict(list)
        for number, name in self._named:
            if number not in (ids := self._exact[normal(name)]):
                ids.append(number)

    def exact(self, name: str) -> list[str]:
        """Ids of this very name; without "the" before it, "attack" after it."""
        words = normal(name).split()
        while words:
            if found := self._exact.get(" ".join(words)):
                return self._best(found)
            if words[0] in ("the", "a", "an"):
                words = words[1:]
            elif words[-1] in _SPARE:
                words = words[:-1]
            else:
                break
        return self._best(self._joined.get("".join(words) or normal(name).replace(" ", ""), []))

    def by_words(self, phrase: str) -> list[str]:
        """Ids of the names that have all words of the phrase and the fewest others."""
        wanted = stems(phrase)
        if not wanted or len(wanted) > MAX_WORDS:
            return []
        sizes: dict[str, int] = {}
        for (number, name), searched in zip(self._named, self._searched, strict=True):
            # The plain search comes first: to take every name apart takes long.
            if all(word in searched for word in wanted) and wanted <= (words := stems(name)):
                size = sum(
                    not word.isdigit() for word in words
                )  # of "LockBit 2.0" and "LockBit 3.0" none is meant more
                sizes[number] = min(size, sizes.get(number, size))
        least = min(sizes.values(), default=0)
        return self._best([number for number, size in sizes.items() if size == least])

    def find(self, phrase: str) -> list[str]:
        """By the whole name, else by words of it, else as one word: `spear phishing`, `spearphishing`."""
        return self.exact(phrase) or self.by_words(phrase) or self.by_words(normal(phrase).replace(" ", ""))

    def mentioned(self, text: str, *, shortest: int = 1) -> list[tuple[str, list[str]]]:
        """Names in a sentence with their ids, the longest first where they overlap; in the order of the sentence."""
        words = normal(text).split()
        found, at = [], 0
        while at < len(words):
            for size in range(min(MAX_WORDS, len(words) - at), 0, -1):
                name = " ".join(words[at : at + size])
                if len(name) >= shortest and name not in _SPARE and (ids := self._exact.get(name)):
                    found.append((name, self._best(ids)))
                    at += size - 1
                    break
            at += 1
        return found

    def near(self, phrase: str, limit: int = 5, cutoff: float = 0.75) -> list[tuple[str, str]]:
        """Names that are written nearly like the phrase, with an id."""
        wanted = normal(phrase)
        if not 3 <= len(wanted) <= 60:
            return []
        keys = difflib.get_close_matches(wanted, self._spellings, n=3 * limit, cutoff=cutoff)
        found: dict[str, str] = {}
        for key in keys:
            for number, name in self._spellings[key]:
                found.setdefault(number, name)
        return [(name, number) for number, name in found.items()][:limit]

    def _best(self, ids: Sequence[str]) -> list[str]:
        least = min(map(self._rank, ids), default=0)
        return [number for number in ids if self._rank(number) == least]

    @cached_property
    def _searched(self) -> list[str]:
        """What words of a name are searched in: also without its hyphens."""
        lowered = [name.casefold() for _, name in self._named]
        return [f"{name} {name.replace('-', '')}" if "-" in name else name for name in lowered]

    @cached_property
    def _joined(self) -> dict[str, list[str]]:
        """By the name without spaces: `apt29` for "APT 29"."""
        found: dict[str, list[str]] = {}
        for name, numbers in self._exact.items():
            found.setdefault(name.replace(" ", ""), []).extend(numbers)
        return found

    @cached_property
    def _spellings(self) -> dict[str, list[tuple[str, str]]]:
        """Whole names, and words of several that are long enough to be meant alone."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for number, name in self._named:
            whole = normal(name)
            found[whole].append((number, name))
            if " " in whole and number[0] in "GCS":
                for word in whole.split():
                    if len(word) >= 6 and word not in _SPARE:
                        found[word].append((number, name))
        return dict(found)
