"""Kinds of values that hold others: lists, tuples, dicts, objects with fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from secgemini_jupyter.tools.kinds import ANYTHING, Kind, Scalar, Schema
from secgemini_jupyter.tools.mismatch import Mismatch, shortened, told

__all__ = ["Field", "Items", "Mapped", "Object", "Pair"]


TEXT = Scalar(str)


@dataclass(frozen=True)
class Items:
    """A list of one kind, in the container that is asked for."""

    item: Kind
    make: Callable[[list[Any]], Any] = list

    @property
    def words(self) -> str:
        return "a list"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "array", "items": self.item.schema(defs)}

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise Mismatch(where, self.words, value)
        read = [self.item.read(each, f"{where}[{index}]") for index, each in enumerate(value)]
        try:
            return self.make(read)
        except TypeError as error:  # no hash, so it goes in no set
            raise Mismatch(where, self.words, value, str(error)) from None


@dataclass(frozen=True)
class Pair:
    """A tuple with a kind for each place."""

    parts: tuple[Kind, ...]

    @property
    def words(self) -> str:
        return f"a list of {len(self.parts)}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schemas = [part.schema(defs) for part in self.parts]
        alike = all(each == schemas[0] for each in schemas)
        items = schemas[0] if schemas and alike else {"any_of": schemas} if schemas else {}
        return {"type": "array", "items": items, "min_items": len(self.parts), "max_items": len(self.parts)}

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) != len(self.parts):
            raise Mismatch(where, self.words, value)
        read = enumerate(zip(self.parts, value, strict=True))
        return tuple(part.read(each, f"{where}[{index}]") for index, (part, each) in read)


@dataclass(frozen=True)
class Mapped:
    """A dict with any names."""

    value: Kind = ANYTHING
    key: Kind = TEXT

    @property
    def words(self) -> str:
        return "an object"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        inner = self.value.schema(defs)
        return {"type": "object"} | ({"additional_properties": inner} if inner else {})

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(where, self.words, value)
        return {self._key(key, where): self.value.read(each, f"{where}.{key}") for key, each in value.items()}

    def _key(self, key: str, where: str) -> Any:
        if self.key == Scalar(int) and re.fullmatch(r"-?\d{1,18}", key):
            return int(key)  # names are text in JSON
        return self.key.read(key, f"{where}, name")


@dataclass
class Field:
    kind: Kind
    is_required: bool = True
    default: Any = None
    """As JSON; None where it has no such form."""
    is_null_default: bool = False
    description: str = ""

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema = self.kind.schema(defs)
        if self.description:
            schema = schema | {"description": self.description}
        if self.is_null_default or self.default is not None:
            schema = schema | {"default": self.default}
        return schema


@dataclass
class Object:
    """An object with fields that are known: a dataclass, a TypedDict, a NamedTuple, a tool's arguments."""

    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    make: Callable[..., Any] = dict
    description: str = ""
    noun: str = "field"

    @property
    def words(self) -> str:
        return f"an object with {', '.join(self.fields) or 'nothing'}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema = {
            "type": "object",
            "title": self.name,
            "properties": {name: each.schema(defs) for name, each in self.fields.items()},
            "required": [name for name, each in self.fields.items() if each.is_required],
        }
        return schema | ({"description": self.description} if self.description else {})

    def read(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(where, self.words, value)
        if strange := [name for name in value if name not in self.fields]:
            known = ", ".join(self.fields) or "none"
            raise told(where, f"unknown {self.noun} {shortened(strange[0])!r} (known: {known})")
        missing = [name for name, each in self.fields.items() if each.is_required and name not in value]
        if missing:
            expected = self.fields[missing[0]].kind.words
            raise told(where, f"the {self.noun} {missing[0]!r} is missing: expected {expected}")
        prefix = f"{where}." if where else ""
        values = {name: self.fields[name].kind.read(each, prefix + name) for name, each in value.items()}
        try:
            return self.make(**values)
        except (TypeError, ValueError) as error:  # what the class itself checks
            raise told(where, f"{self.name} refuses it: {error}") from None
