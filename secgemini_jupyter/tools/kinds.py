"""An annotation as a kind of value: what the service is told of it, and how what arrives becomes a Python value.

The schema is the service's (protocol section 4.7): snake_case keys, and enumerations as text, also of integers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from secgemini_jupyter.tools.mismatch import Mismatch, shortened, told

__all__ = [
    "ANYTHING",
    "LIMITS",
    "SCALARS",
    "Checked",
    "Choice",
    "Either",
    "Kind",
    "Named",
    "Parsed",
    "Scalar",
    "Schema",
]

Schema = dict[str, Any]
DEEPEST = 100
"""Levels of what a recursive kind may hold."""


class Kind(Protocol):
    """What a value may be."""

    @property
    def words(self) -> str:
        """`an integer`, for an error's text."""
        ...

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """What the service is told; definitions that it refers to go into `defs`."""
        ...

    def read(self, value: Any, where: str) -> Any:
        """The Python value of a JSON value.

        Raises:
            Mismatch: it is none of this kind.
        """
        ...


@dataclass(frozen=True)
class Anything:
    words = "anything"

    def schema(self, defs: dict[str, Schema]) -> Schema:  # noqa: ARG002
        return {}

    def read(self, value: Any, where: str) -> Any:  # noqa: ARG002
        return value


ANYTHING = Anything()


SCALARS = {
    str: ("string", "text"),
    int: ("integer", "an integer"),
    float: ("number", "a number"),
    bool: ("boolean", "true or false"),
    type(None): ("null", "null"),
}
"""The schema's name and ours."""


@dataclass(frozen=True)
class Scalar:
    of: type

    @property
    def words(self) -> str:
        return SCALARS[self.of][1]

    def schema(self, defs: dict[str, Schema]) -> Schema:  # noqa: ARG002
        return {"type": SCALARS[self.of][0]}

    def read(self, value: Any, where: str) -> Any:
        if type(value) is self.of:
            return value
        if self.of is float and type(value) is int:
            return float(value)
        if self.of is int and type(value) is float and value.is_integer():
            return int(value)  # JSON does not tell 5.0 from 5
        raise Mismatch(where, self.words, value)


@dataclass(frozen=True)
class Choice:
    """One of some values: a Literal's, or an Enum's members with their values."""

    members: tuple[tuple[Any, Any], ...]
    """Pairs of a JSON value and the Python value for it."""
    name: str = ""

    @property
    def words(self) -> str:
        return "one of " + ", ".join(repr(value) for value, _ in self.members[:50])

    def schema(self, defs: dict[str, Schema]) -> Schema:  # noqa: ARG002
        types: dict[type, list[Any]] = {}
        for value, _ in self.members:
            types.setdefault(type(value), []).append(value)
        parts = []
        for kind, values in types.items():
            part = Scalar(kind).schema({})
            if kind in (str, int, float):
                part |= {"enum": [str(value) for value in values]}
            if kind in (int, float):
                part |= {"format": "enum"}
            parts.append(part)
        names = {"title": self.name} if self.name else {}
        return (parts[0] if len(parts) == 1 else {"any_of": parts}) | names

    def read(self, value: Any, where: str) -> Any:
        for known, member in self.members:
            if type(value) is type(known) and value == known:
                return member
        for known, member in self.members:  # the schema says `"5"` for 5
            if type(known) in (int, float) and value == str(known):
                return member
        raise Mismatch(where, self.words, value)


@dataclass(frozen=True)
class Either:
    parts: tuple[Kind, ...]

    @property
    def words(self) -> str:
        return " or ".join(dict.fromkeys(part.words for part in self.parts))

    @property
    def is_nullable(self) -> bool:
        return Scalar(type(None)) in self.parts

    def schema(self, defs: dict[str, Schema]) -> Schema:
        parts = [part.schema(defs) for part in self.parts if part != Scalar(type(None))]
        nullable = {"nullable": True} if self.is_nullable else {}
        return (parts[0] if len(parts) == 1 else {"any_of": parts}) | nullable

    def read(self, value: Any, where: str) -> Any:
        errors = {}
        for part in sorted(self.parts, key=lambda part: not _is_exact(part, value)):
            try:
                return part.read(value, where)
            except Mismatch as error:
                errors[part.words] = error
        told = [error for words, error in errors.items() if words != "null"]
        # What went wrong deeper inside tells more than "none of these".
        deeper = [error for error in told if not str(error).startswith(f"{where}: ")]
        if len(told) == 1 or len(deeper) == 1:
            raise (deeper or told)[0]
        raise Mismatch(where, self.words, value)


def _is_exact(part: Kind, value: Any) -> bool:
    """Whether `part` is the value's own type: 5 stays 5 where `float | int` is asked for."""
    return isinstance(part, Scalar) and part.of is type(value) is not str


@dataclass
class Parsed:
    """Text that becomes something else: a time, an address, a path; or a class that reads itself."""

    name: str
    parse: Callable[[Any], Any]
    told: Schema
    defs: dict[str, Schema] = field(default_factory=dict)
    from_text: bool = True

    @property
    def words(self) -> str:
        return f"text, as {self.name}" if self.from_text else f"an object, as {self.name}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        defs |= self.defs
        return dict(self.told)

    def read(self, value: Any, where: str) -> Any:
        if self.from_text and not isinstance(value, str):
            raise Mismatch(where, self.words, value)
        try:
            return self.parse(value)
        except Exception as error:  # whatever a class's own reader raises
            raise Mismatch(where, self.words, value, shortened(error, 200)) from None


@dataclass
class Named:
    """A class or an alias by its name. If it holds itself, it is told once, and referred to."""

    name: str
    kind: Kind = ANYTHING
    is_recursive: bool = False

    @property
    def words(self) -> str:
        return f"an object, as {self.name}" if self.is_recursive else self.kind.words

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if not self.is_recursive:
            return self.kind.schema(defs)
        if self.name not in defs:
            defs[self.name] = {}
            defs[self.name] = self.kind.schema(defs)
        return {"ref": f"#/defs/{self.name}"}

    def read(self, value: Any, where: str) -> Any:
        if self.is_recursive and where.count(".") + where.count("[") > DEEPEST:
            raise told(where[:80] + "…", f"nested more than {DEEPEST} levels deep")
        return self.kind.read(value, where)


LIMITS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "ge": ("minimum", "at least {}", lambda value, limit: value >= limit),
    "gt": ("minimum", "more than {}", lambda value, limit: value > limit),
    "le": ("maximum", "at most {}", lambda value, limit: value <= limit),
    "lt": ("maximum", "less than {}", lambda value, limit: value < limit),
    "min_length": ("min_length", "of length {} or more", lambda value, limit: len(value) >= limit),
    "max_length": ("max_length", "of length {} or less", lambda value, limit: len(value) <= limit),
    "pattern": ("pattern", "that matches {}", lambda value, limit: re.search(limit, value) is not None),
}
"""What an annotation may ask for besides: the schema's key, in words, and the check."""


@dataclass
class Checked:
    """A kind with a description, or with limits, out of `Annotated`."""

    kind: Kind
    description: str = ""
    limits: Sequence[tuple[str, Any]] = ()

    @property
    def words(self) -> str:
        return ", ".join([self.kind.words, *(LIMITS[name][1].format(limit) for name, limit in self.limits)])

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema = self.kind.schema(defs)
        for name, limit in self.limits:
            key = LIMITS[name][0]
            if schema.get("type") == "array":
                key = key.replace("length", "items")
            schema = schema | {key: limit}
        return schema | ({"description": self.description} if self.description else {})

    def read(self, value: Any, where: str) -> Any:
        read = self.kind.read(value, where)
        for name, limit in self.limits:
            try:
                holds = read is None or LIMITS[name][2](read, limit)
            except TypeError:  # a limit for another part of a union
                continue
            if not holds:
                raise Mismatch(where, self.words, value)
        return read
