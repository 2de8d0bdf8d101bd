"""A type annotation → a kind of value."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import ipaddress
import pathlib
import re
import types
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from secgemini_jupyter.errors import ToolError
from secgemini_jupyter.tools.composites import Field, Items, Mapped, Object, Pair
from secgemini_jupyter.tools.kinds import (
    ANYTHING,
    LIMITS,
    SCALARS,
    Checked,
    Choice,
    Either,
    Kind,
    Named,
    Parsed,
    Scalar,
    Schema,
)

__all__ = ["Annotations", "as_json", "docstring_parts"]

CONTAINERS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list, set: set, frozenset: frozenset, tuple: tuple,
    Sequence: list, MutableSequence: list, Iterable: list, Collection: list, AbstractSet: set,
}  # fmt: skip
DICTS = (dict, Mapping, MutableMapping)
TEXTS: dict[type, str] = {
    datetime.datetime: "date-time", datetime.date: "date", datetime.time: "time", datetime.timedelta: "duration",
    uuid.UUID: "uuid", decimal.Decimal: "decimal", bytes: "byte",
}  # fmt: skip
"""What msgspec reads from text, and the schema's `format` for it."""
CALLED: dict[type, str] = {
    ipaddress.IPv4Address: "ipv4", ipaddress.IPv6Address: "ipv6", ipaddress.IPv4Network: "ipv4 network",
    ipaddress.IPv6Network: "ipv6 network", pathlib.Path: "path", pathlib.PurePath: "path",
}  # fmt: skip
"""What is made of text by calling the class."""
_CAMEL = (
    "anyOf", "additionalProperties", "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties",
)  # fmt: skip
REWRITTEN: dict[str, str] = {
    **{name: re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name) for name in _CAMEL},
    "$ref": "ref", "$defs": "defs", "oneOf": "any_of", "exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum",
}  # fmt: skip
"""Keys of JSON Schema under the names that the wire has for them."""
KEPT = {
    "default", "description", "enum", "example", "format", "items", "maximum", "minimum", "pattern", "properties",
    "required", "title", "type",
}  # fmt: skip


class Annotations:
    """Reads annotations; `where` names the place in what is refused.

    A class is read once: one that holds itself is referred to by its name.
    """

    def __init__(self) -> None:
        self._named: dict[Any, Named] = {}
        self._open: set[Any] = set()

    def kind(self, annotation: Any, where: str) -> Kind:
        """
        Raises:
            ToolError: no JSON value can be told for it, with the reason.
        """
        if annotation in (Any, object, inspect.Parameter.empty):
            return ANYTHING
        if annotation in (None, type(None)):
            return Scalar(type(None))
        if annotation in SCALARS:
            return Scalar(annotation)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._annotated(annotation, where)
        if origin in (Required, NotRequired, Final):
            return self.kind(arguments[0], where)
        if origin is Literal:
            return self._choice([(value, value) for value in arguments], "", where)
        if origin in (Union, types.UnionType):
            return self._either(arguments, where)
        if annotation in CONTAINERS or origin in CONTAINERS:
            return self._items(origin or annotation, arguments, where)
        if annotation in DICTS or origin in DICTS:
            key, value = (*arguments, str, Any)[:2] if arguments else (str, Any)
            return Mapped(self.kind(value, where), self._key(key, where))
        if hasattr(annotation, "__supertype__"):
            return self.kind(annotation.__supertype__, where)
        if isinstance(annotation, TypeVar):
            return self.kind(annotation.__bound__ or Any, where)
        if hasattr(annotation, "__value__") and not isinstance(annotation, type):
            return self._once(annotation, str(annotation), lambda: self.kind(annotation.__value__, where))
        kind = origin if isinstance(origin, type) else annotation
        if isinstance(kind, type):
            return self._class(kind, where)
        raise self._refusal(annotation, where)

    def _class(self, kind: type, where: str) -> Kind:
        name = kind.__name__
        if issubclass(kind, enum.Enum):
            return self._choice([(member.value, member) for member in kind], name, where)
        if kind in TEXTS:
            return Parsed(TEXTS[kind], lambda value: msgspec.convert(value, kind), _text(TEXTS[kind]))
        if kind in CALLED:
            return Parsed(CALLED[kind], kind, _text(CALLED[kind].replace(" ", "-")))
        if dataclasses.is_dataclass(kind):
            return self._once(kind, name, lambda: self._dataclass(kind, where))
        if is_typeddict(kind):
            return self._once(kind, name, lambda: self._typed_dict(kind, where))
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._once(kind, name, lambda: self._named_tuple(kind, where))
        if issubclass(kind, msgspec.Struct):
            return self._struct(kind, where)
        if hasattr(kind, "model_validate") and hasattr(kind, "model_json_schema"):
            return _foreign(kind, kind.model_json_schema(), kind.model_validate)
        if issubclass(kind, str):
            return Parsed(name, kind, {"type": "string"})
        raise self._refusal(kind, where)

    def _refusal(self, annotation: Any, where: str) -> ToolError:
        name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        return ToolError(
            f"{where} has the type {name}, which has no JSON form. Use str, int, float, bool, list, dict, Literal, "
            "an Enum, a dataclass or a TypedDict; other objects belong inside the function."
        )

    def _once(self, key: Any, name: str, make: Callable[[], Kind]) -> Kind:
        if key in self._named:
            self._named[key].is_recursive |= key in self._open
            return self._named[key]
        taken = {each.name for each in self._named.values()}
        unique = next(n for n in (name, *(f"{name}{i}" for i in range(2, 10_000))) if n not in taken)
        named = self._named[key] = Named(unique)
        self._open.add(key)
        named.kind = make()
        self._open.discard(key)
        return named

    def _annotated(self, annotation: Any, where: str) -> Kind:
        inner, *notes = get_args(annotation)
        description, limits = "", []
        for note in notes:
            said = note if isinstance(note, str) else getattr(note, "description", None)
            said = said if isinstance(said, str) else getattr(note, "documentation", None)
            description = said if isinstance(said, str) else description
            for part in (note, *getattr(note, "metadata", ())):  # pydantic's Field keeps its limits in there
                limits += [(name, limit) for name in LIMITS if (limit := getattr(part, name, None)) is not None]
        kind = self.kind(inner, where)
        return Checked(kind, description.strip(), tuple(dict(limits).items())) if description or limits else kind

    def _either(self, arguments: Iterable[Any], where: str) -> Kind:
        parts = tuple(dict.fromkeys(_by_identity(self.kind(each, where)) for each in arguments))
        kinds = tuple(part.kind for part in parts)
        return kinds[0] if len(kinds) == 1 else Either(kinds)

    def _items(self, origin: Any, arguments: tuple[Any, ...], where: str) -> Kind:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return Pair(tuple(self.kind(each, where) for each in arguments if each != ()))
        return Items(self.kind(arguments[0], where) if arguments else ANYTHING, CONTAINERS[origin])

    def _key(self, annotation: Any, where: str) -> Kind:
        key = self.kind(annotation, where)
        return Scalar(str) if key is ANYTHING else key

    def _choice(self, members: list[tuple[Any, Any]], name: str, where: str) -> Kind:
        plain = [value.value if isinstance(value, enum.Enum) else value for value, _ in members]
        if not plain or _are_strange(plain):
            what = f"the Enum {name}" if name else "a Literal"
            raise ToolError(
                f"{where} has {what} with values that have no JSON form: use text, integers or true, false."
            )
        return Choice(tuple(zip(plain, (member for _, member in members), strict=True)), name)

    def _dataclass(self, kind: type, where: str) -> Kind:
        hints, fields = self._hints(kind, where), {}
        for each in dataclasses.fields(kind):
            if not each.init:
                continue
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            default = None if each.default is dataclasses.MISSING else as_json(each.default)
            fields[each.name] = self.field(
                hints[each.name], f"{where}.{each.name}", required, default, nullable=each.default is None
            )
        return Object(kind.__name__, self._described(kind, fields), kind, _own_words(kind))

    def _typed_dict(self, kind: type, where: str) -> Kind:
        always = kind.__required_keys__  # type: ignore[attr-defined]
        fields = {}
        for name, hint in self._hints(kind, where).items():
            said = {NotRequired: False, Required: True}.get(get_origin(hint))  # `always` misses it in a quoted one
            fields[name] = self.field(hint, f"{where}.{name}", name in always if said is None else said)
        return Object(kind.__name__, self._described(kind, fields), dict, _own_words(kind))

    def _named_tuple(self, kind: Any, where: str) -> Kind:
        hints, defaults = self._hints(kind, where), kind._field_defaults
        fields = {
            name: self.field(hints.get(name, Any), f"{where}.{name}", name not in defaults, as_json(defaults.get(name)))
            for name in kind._fields
        }
        return Object(kind.__name__, self._described(kind, fields), kind)

    def _struct(self, kind: type[msgspec.Struct], where: str) -> Kind:
        try:
            (told,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        except TypeError as error:
            raise ToolError(f"{where} has the type {kind.__name__}, which has no schema: {error}.") from None
        return _foreign(kind, told | {"$defs": parts}, lambda value: msgspec.convert(value, kind))

    def field(
        self, hint: Any, where: str, required: bool = True, default: Any = None, *, nullable: bool = False
    ) -> Field:
        """A parameter or a field; `nullable`: its default is None, whatever its annotation says."""
        kind = self.kind(hint, where)
        if nullable and not _takes_null(kind):
            kind = Either((kind, Scalar(type(None))))
        return Field(kind, required, default, is_null_default=nullable)

    def _hints(self, kind: type, where: str) -> dict[str, Any]:
        try:
            return get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
        except (NameError, TypeError) as error:
            raise ToolError(
                f"{where} has the type {kind.__name__}, whose annotations cannot be read: {str(error).rstrip('.')}. "
                "Define the classes that it names at the top level."
            ) from None

    @staticmethod
    def _described(kind: type, fields: dict[str, Field]) -> dict[str, Field]:
        _, told = docstring_parts(kind.__doc__ or "")
        for name, each in fields.items():
            each.description = told.get(name, "")
        return fields


@dataclasses.dataclass(frozen=True)
class _by_identity:  # a kind may not be hashable
    kind: Kind

    def __hash__(self) -> int:
        return hash(self.kind.words)


def _takes_null(kind: Kind) -> bool:
    inner = kind.kind if isinstance(kind, Checked) else kind
    return inner is ANYTHING or inner == Scalar(type(None)) or (isinstance(inner, Either) and inner.is_nullable)


def _are_strange(values: Iterable[Any]) -> bool:
    return any(type(value) not in SCALARS or value != value for value in values)  # NaN


def _text(form: str) -> Schema:
    return {"type": "string", "format": form}


def _own_words(kind: type) -> str:
    """What a class says of itself; a dataclass without a docstring is given its signature as one."""
    words, _ = docstring_parts(kind.__doc__ or "")
    return "" if words.startswith(f"{kind.__name__}(") else words


def _foreign(kind: type, schema: Schema, parse: Callable[[Any], Any]) -> Kind:
    """A class that tells its own JSON Schema, and reads itself."""
    schema = dict(schema)
    defs = {name: as_wire(each) for name, each in schema.pop("$defs", {}).items()}
    told = as_wire(schema)
    if not _refers(defs):  # nothing is recursive: in place it is understood by more readers
        told, defs = _in_place(told, defs), {}
    return Parsed(kind.__name__, parse, told, defs, from_text=False)


def as_wire(schema: Any) -> Any:
    """JSON Schema in the service's spelling; what it has no word for is left out."""
    if not isinstance(schema, dict):
        return schema
    told: Schema = {}
    for key, value in schema.items():
        name = str(REWRITTEN.get(key, key))
        if key == "$ref":
            told[name] = str(value).replace("#/$defs/", "#/defs/")
        elif name in ("properties", "defs"):
            told[name] = {each: as_wire(inner) for each, inner in value.items()}
        elif name == "any_of":
            told |= _alternatives([as_wire(each) for each in value])
        elif key == "const":
            told["enum"] = [str(value)]
        elif key == "allOf" and len(value) == 1:
            told |= as_wire(value[0])
        elif key == "enum":
            told["enum"] = [str(each) for each in value]
        elif key == "type" and isinstance(value, list):
            told |= _alternatives([{"type": each} for each in value])
        elif name in KEPT or key in REWRITTEN:
            told[name] = as_wire(value)
    return told


def _alternatives(parts: list[Schema]) -> Schema:
    others = [part for part in parts if part != {"type": "null"}]
    nullable = {"nullable": True} if len(others) < len(parts) else {}
    return (others[0] if len(others) == 1 else {"any_of": others}) | nullable


def _refers(defs: dict[str, Schema]) -> bool:
    """Whether a definition leads to itself."""

    def reached(name: str, seen: frozenset[str]) -> bool:
        return name in seen or any(reached(each, seen | {name}) for each in _references(defs.get(name)))

    return any(reached(name, frozenset()) for name in defs)


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["ref"].rpartition("/")[2]] if isinstance(schema.get("ref"), str) else []
        return own + [name for value in schema.values() for name in _references(value)]
    return [name for value in schema for name in _references(value)] if isinstance(schema, list) else []


def _in_place(schema: Any, defs: dict[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [_in_place(each, defs) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(reference := schema.get("ref"), str):
        beside = {key: value for key, value in schema.items() if key != "ref"}
        return _in_place(defs.get(reference.rpartition("/")[2], {}), defs) | beside
    return {key: _in_place(value, defs) for key, value in schema.items()}


def as_json(value: Any) -> Any:
    """A default as JSON; None if it has no such form."""
    try:
        plain = msgspec.to_builtins(value)
        msgspec.json.encode(plain)
    except (TypeError, ValueError, msgspec.MsgspecError):
        return None
    return None if plain != plain else plain  # NaN


def docstring_parts(docstring: str) -> tuple[str, dict[str, str]]:
    """A docstring in Google's style: its words without the section of arguments, and what that says of each."""
    words: list[str] = []
    told: dict[str, str] = {}
    section, name, base = False, "", 0
    for line in inspect.cleandoc(docstring).splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() in ("Args:", "Arguments:", "Parameters:", "Attributes:") and not indent:
            section, name, base = True, "", 0
            continue
        if section and line.strip() and not indent:
            section = False
        if not section:
            words.append(line)
            continue
        base = base or indent
        head, colon, rest = line.strip().partition(":")
        own = head.split(" (")[0].lstrip("*")
        if line.strip() and indent == base and colon and own.isidentifier():
            name, told[own] = own, rest.strip()
        elif line.strip() and name:
            told[name] = f"{told[name]} {line.strip()}".strip()
    return "\n".join(words).strip(), told
