"""Annotations of a local tool: what the service is told of each, and what an argument that arrives becomes."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import functools
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict

import msgspec
import pytest

from secgemini_jupyter.errors import Secret, ToolError
from secgemini_jupyter.tools import Toolbox, as_tool, declaration, secgemini_tool


class Level(enum.Enum):
    low = "low"
    high = "high"


class Count(enum.IntEnum):
    one = 1
    two = 2


@dataclasses.dataclass
class Host:
    """A machine.

    Attributes:
        name: as in the inventory
    """

    name: str
    port: int = 443
    tags: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.port == 0:
            raise ValueError("port 0 is none")


@dataclasses.dataclass
class Net:
    cidr: ipaddress.IPv4Network


@dataclasses.dataclass
class Node:
    name: str
    children: list[Node] = dataclasses.field(default_factory=list)
    parent: Optional[Node] = None  # noqa: UP045  # as people write it


class Filter(TypedDict):
    level: Level
    limit: NotRequired[int]


class Range(NamedTuple):
    first: int
    last: int = 65535


class Event(msgspec.Struct, rename="camel"):
    event_id: int
    children: list[Event] = []


class Parsed:
    """What pydantic's models offer."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        inner = {"type": "object", "properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
        return {"$defs": {"Inner": inner}, "$ref": "#/$defs/Inner", "maxProperties": 1, "x-own": 1}

    @classmethod
    def model_validate(cls, value: Any) -> Parsed:
        if not isinstance(value, dict) or "n" not in value:
            raise ValueError("no n")
        made = cls()
        made.n = value["n"]
        return made

    n: int


UserId = NewType("UserId", int)
HOST = {
    "type": "object",
    "title": "Host",
    "description": "A machine.",
    "properties": {
        "name": {"type": "string", "description": "as in the inventory"},
        "port": {"type": "integer", "default": 443},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
}
NET = {
    "type": "object",
    "title": "Net",
    "properties": {"cidr": {"type": "string", "format": "ipv4-network"}},
    "required": ["cidr"],
}
UTC = datetime.UTC
CASES: dict[str, tuple[Any, Any, list[tuple[Any, Any]], list[tuple[Any, str]]]] = {
    "text": (str, {"type": "string"}, [("a", "a")], [(1, "expected text, got 1"), (None, "got null")]),
    "integer": (
        int,
        {"type": "integer"},
        [(5, 5), (5.0, 5)],
        [("5", "expected an integer, got the text '5'"), (True, "got true"), (5.5, "got 5.5")],
    ),
    "number": (float, {"type": "number"}, [(5, 5.0), (0.5, 0.5)], [("x", "expected a number"), (False, "got false")]),
    "boolean": (bool, {"type": "boolean"}, [(True, True)], [("true", "expected true or false"), (1, "got 1")]),
    "any": (Any, {}, [({"a": [None]}, {"a": [None]})], []),
    "newtype": (UserId, {"type": "integer"}, [(7, 7)], [("7", "an integer")]),
    "literal": (
        Literal["a", "b"],
        {"type": "string", "enum": ["a", "b"]},
        [("a", "a")],
        [("c", "expected one of 'a', 'b', got the text 'c'")],
    ),
    "integer literal": (
        Literal[1, 2],
        {"type": "integer", "enum": ["1", "2"], "format": "enum"},
        [(1, 1), ("2", 2)],
        [(3, "one of 1, 2"), (True, "got true"), ("x", "one of 1, 2")],
    ),
    "mixed literal": (
        Literal["a", 1, True, None],
        {
            "any_of": [
                {"type": "string", "enum": ["a"]},
                {"type": "integer", "enum": ["1"], "format": "enum"},
                {"type": "boolean"},
                {"type": "null"},
            ]
        },
        [("a", "a"), (1, 1), (True, True), (None, None)],
        [(False, "one of"), ("b", "one of")],
    ),
    "enum": (Level, {"type": "string", "enum": ["low", "high"], "title": "Level"}, [("high", Level.high)],
             [("HIGH", "one of 'low', 'high'")]),
    "integer enum": (Count, {"type": "integer", "enum": ["1", "2"], "format": "enum", "title": "Count"},
                     [(1, Count.one), ("2", Count.two)], [(3, "one of 1, 2")]),
    "optional": (int | None, {"type": "integer", "nullable": True}, [(None, None), (1, 1)], [("x", "an integer")]),
    "union": (
        int | str,
        {"any_of": [{"type": "integer"}, {"type": "string"}]},
        [(1, 1), ("1", "1")],
        [([], "expected an integer or text, got a list of 0")],
    ),
    "union of numbers": (float | int, {"any_of": [{"type": "number"}, {"type": "integer"}]}, [(5, 5), (0.5, 0.5)], []),
    "list": (list[int], {"type": "array", "items": {"type": "integer"}}, [([1, 2], [1, 2])],
             [([1, "x"], r"x\[1\]: expected an integer"), ("1", "expected a list")]),
    "bare list": (list, {"type": "array", "items": {}}, [([1, "a"], [1, "a"])], []),
    "set": (set[int], {"type": "array", "items": {"type": "integer"}}, [([1, 1], {1})], []),
    "set of anything": (set, {"type": "array", "items": {}}, [], [([[1]], "unhashable")]),
    "sequence": (Sequence[str], {"type": "array", "items": {"type": "string"}}, [(["a"], ["a"])], [("a", "a list")]),
    "tuple": (
        tuple[int, str],
        {"type": "array", "items": {"any_of": [{"type": "integer"}, {"type": "string"}]}, "min_items": 2,
         "max_items": 2},
        [([1, "a"], (1, "a"))],
        [([1], "expected a list of 2"), (["a", 1], r"x\[0\]")],
    ),
    "tuple of any length": (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, [([1, 2], (1, 2))], []),
    "dict": (dict[str, float], {"type": "object", "additional_properties": {"type": "number"}},
             [({"a": 1}, {"a": 1.0})], [({"a": "x"}, r"x\.a: expected a number")]),
    "dict by number": (Mapping[int, Any], {"type": "object"}, [({"5": "a"}, {5: "a"})], [({"a": 1}, "an integer")]),
    "dataclass": (
        Host,
        HOST,
        [({"name": "w"}, Host("w")), ({"name": "w", "port": 22, "tags": ["a"]}, Host("w", 22, ["a"]))],
        [
            ({"name": 1}, r"x\.name: expected text, got 1"),
            ({}, "x: the field 'name' is missing: expected text"),
            ({"name": "w", "prot": 1}, r"unknown field 'prot' \(known: name, port, tags\)"),
            ({"name": "w", "port": 0}, "Host refuses it: port 0 is none"),
            ("w", "an object with name, port, tags"),
        ],
    ),
    "two dataclasses": (
        Host | Net,
        {"any_of": [HOST, NET]},
        [({"cidr": "10.0.0.0/8"}, Net(ipaddress.IPv4Network("10.0.0.0/8"))), ({"name": "w"}, Host("w"))],
        [({"q": 1}, "an object with name, port, tags or an object with cidr, got an object with q")],
    ),
    "list of dataclasses": (list[Host], {"type": "array", "items": HOST}, [([{"name": "w"}], [Host("w")])],
                            [([{"name": 5}], r"x\[0\]\.name")]),
    "typed dict": (
        Filter,
        {"type": "object", "title": "Filter", "required": ["level"], "properties": {
            "level": {"type": "string", "enum": ["low", "high"], "title": "Level"}, "limit": {"type": "integer"}}},
        [({"level": "low"}, {"level": Level.low}), ({"level": "low", "limit": 5}, {"level": Level.low, "limit": 5})],
        [({"limit": 5}, "the field 'level' is missing")],
    ),
    "named tuple": (
        Range,
        {"type": "object", "title": "Range", "required": ["first"],
         "properties": {"first": {"type": "integer"}, "last": {"type": "integer", "default": 65535}}},
        [({"first": 1}, Range(1))],
        [([1], "an object with first, last")],
    ),
    "struct": (
        Event,
        {"ref": "#/defs/Event"},
        [({"eventId": 1, "children": [{"eventId": 2}]}, Event(1, [Event(2)]))],
        [({"event_id": 1}, "missing required field `eventId`")],
    ),
    "class that reads itself": (
        Parsed,
        {"type": "object", "properties": {"n": {"type": "integer", "nullable": True}}, "max_properties": 1},
        [],
        [({}, "no n"), ("x", "no n")],
    ),
    "time": (datetime.datetime, {"type": "string", "format": "date-time"},
             [("2026-01-31T00:00:00Z", datetime.datetime(2026, 1, 31, tzinfo=UTC))],
             [("yesterday", "as date-time, got the text 'yesterday'"), (5, "text, as date-time")]),
    "address": (
        ipaddress.IPv4Address | ipaddress.IPv6Address,
        {"any_of": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
        [("::1", ipaddress.IPv6Address("::1")), ("192.0.2.1", ipaddress.IPv4Address("192.0.2.1"))],
        [("host", "as ipv4 or text, as ipv6")],
    ),
    "path": (Path, {"type": "string", "format": "path"}, [("/tmp/x", Path("/tmp/x"))], []),
    "annotated": (
        Annotated[int, "how many", msgspec.Meta(ge=1, lt=6)],
        {"type": "integer", "minimum": 1, "maximum": 6, "description": "how many"},
        [(1, 1)],
        [(6, "expected an integer, at least 1, less than 6, got 6"), ("x", "an integer")],
    ),
    "annotated text": (
        Annotated[str, msgspec.Meta(pattern="^CVE-", max_length=20, description="a CVE")],
        {"type": "string", "pattern": "^CVE-", "max_length": 20, "description": "a CVE"},
        [("CVE-2021-44228", "CVE-2021-44228")],
        [("cve", "that matches"), ("CVE-" + "1" * 30, "of length 20 or less, that matches")],
    ),
    "annotated list": (Annotated[list[int], msgspec.Meta(min_length=1)],
                       {"type": "array", "items": {"type": "integer"}, "min_items": 1}, [([1], [1])],
                       [([], "of length 1 or more")]),
}  # fmt: skip


def tool_of(annotation: Any, seen: list[Any]) -> Any:
    def f(x: Any) -> None:
        seen.append(x)

    f.__annotations__["x"] = annotation
    return secgemini_tool(f)


@pytest.mark.parametrize("case", CASES)
def test_an_annotation_is_told_to_the_service(case: str) -> None:
    annotation, schema, _, _ = CASES[case]
    told = tool_of(annotation, []).declaration.parameters
    assert told["properties"]["x"] == schema
    json.dumps(told)


@pytest.mark.parametrize("case", CASES)
def test_an_argument_becomes_what_its_annotation_asks_for(case: str) -> None:
    annotation, _, good, _ = CASES[case]
    for value, expected in good:
        seen: list[Any] = []
        outcome = Toolbox([tool_of(annotation, seen)]).run("f", {"x": value}, timeout=5)
        assert not outcome.is_error, outcome
        assert seen == [expected]
        assert type(seen[0]) is type(expected)


@pytest.mark.parametrize("case", CASES)
def test_an_argument_of_another_type_is_refused_and_nothing_is_run(case: str) -> None:
    annotation, _, _, bad = CASES[case]
    for value, words in bad:
        seen: list[Any] = []
        toolbox = Toolbox([tool_of(annotation, seen)])
        outcome = toolbox.run("f", {"x": value}, timeout=5)
        assert outcome == asyncio.run(toolbox.run_async("f", {"x": value}, timeout=5))
        assert outcome.is_error
        assert outcome.output.startswith("f was not run: x")
        assert re.search(words, outcome.output), outcome
        assert seen == []


def grown(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": "leaf"}
    for _ in range(levels):
        node = {"name": "n", "children": [node]}
    return node


def test_a_class_that_holds_itself_is_told_once_and_referred_to() -> None:
    seen: list[Any] = []
    tool = tool_of(Node, seen)
    told = tool.declaration.parameters
    assert told["properties"]["x"] == {"ref": "#/defs/Node"}
    assert told["defs"]["Node"]["properties"]["children"] == {"type": "array", "items": {"ref": "#/defs/Node"}}
    assert told["defs"]["Node"]["properties"]["parent"] == {
        "ref": "#/defs/Node", "nullable": True, "default": None,
    }  # fmt: skip
    assert "$" not in json.dumps(told)
    run = Toolbox([tool]).run
    assert not run("f", {"x": {"name": "r", "children": [{"name": "k", "parent": {"name": "r"}}]}}, timeout=5).is_error
    assert seen == [Node("r", [Node("k", parent=Node("r"))])]
    assert (
        "x.children[0].name: expected text" in run("f", {"x": grown(0) | {"children": [{"name": 1}]}}, timeout=5).output
    )
    assert "levels deep" in run("f", {"x": grown(150)}, timeout=5).output


def test_defaults_are_told_as_json() -> None:
    def f(
        level: Level = Level.low,
        host: Host = Host("w"),  # noqa: B008
        nothing: str = None,  # type: ignore[assignment]  # noqa: RUF013  # as people write it
        ratio: float = float("nan"),
        at: datetime.date = datetime.date(2026, 1, 31),
        secret: Any = object(),  # noqa: B008
    ) -> None: ...

    told = declaration(f).parameters["properties"]
    assert {name: schema.get("default", "none") for name, schema in told.items()} == {
        "level": "low", "host": {"name": "w", "port": 443, "tags": []}, "nothing": None, "ratio": "none",
        "at": "2026-01-31", "secret": "none",
    }  # fmt: skip
    assert told["nothing"]["nullable"]


def test_parameters_are_described_by_the_docstring() -> None:
    def f(host: str, port: Annotated[int, "where"] = 1, other: str = "") -> None:
        """Looks a host up.

        In more words.

        Args:
            host (str): the name,
                or an address: either
            port: said again

        Returns:
            facts.
        """

    told = declaration(f)
    assert told.description == "Looks a host up.\n\nIn more words.\n\nReturns:\n    facts."
    properties = told.parameters["properties"]
    assert properties["host"]["description"] == "the name, or an address: either"
    assert properties["port"]["description"] == "said again"
    assert "description" not in properties["other"]


class Inventory:
    """Facts about machines."""

    def __init__(self, site: str) -> None:
        self.site = site

    def find(self, host: str) -> str:
        """Find a host."""
        return f"{host} at {self.site}"

    async def find_later(self, host: str) -> str:
        """Find a host, later."""
        await asyncio.sleep(0)
        return f"{host} at {self.site}"

    def __call__(self, host: str) -> str:
        return self.find(host)


class Later(Inventory):
    async def __call__(self, host: str) -> str:  # type: ignore[override]
        return await self.find_later(host)


def later(host: str) -> Any:
    """No coroutine function, and gives something to await."""
    return Inventory("home").find_later(host)


CALLABLES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "bound method": (Inventory("home").find, "find", "Find a host."),
    "bound coroutine method": (Inventory("home").find_later, "find_later", "Find a host, later."),
    "partial": (functools.partial(Inventory.find, Inventory("home")), "find", "Find a host."),
    "partial of a coroutine": (functools.partial(Inventory("home").find_later), "find_later", "Find a host, later."),
    "object": (Inventory("home"), "Inventory", "Facts about machines."),
    "asynchronous object": (Later("home"), "Later", "Facts about machines."),
    "awaitable": (later, "later", "No coroutine function, and gives something to await."),
    "lambda": (secgemini_tool(lambda host: f"{host} at home", name="here"), "here", "here"),
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_whatever_can_be_called_is_a_tool(kind: str) -> None:
    function, name, words = CALLABLES[kind]
    tool = function if kind == "lambda" else secgemini_tool(function)
    assert (tool.name, tool.declaration.description) == (name, words)
    assert list(tool.declaration.parameters["properties"]) == ["host"]
    toolbox = Toolbox([tool])
    assert toolbox.run(name, {"host": "w"}, timeout=5).output == "w at home"
    assert asyncio.run(toolbox.run_async(name, {"host": "w"}, timeout=5)).output == "w at home"


def test_what_a_partial_has_set_is_neither_told_nor_to_be_changed() -> None:
    def lookup(host: str, token: str) -> str:
        return f"{host} by {token}"

    tool = secgemini_tool(functools.partial(lookup, token="my-own-token"))
    assert "my-own-token" not in json.dumps(msgspec.to_builtins(tool.declaration))
    toolbox = Toolbox([tool])
    assert toolbox.run("lookup", {"host": "w"}, timeout=5).output == "w by my-own-token"
    assert "unknown argument 'token'" in toolbox.run("lookup", {"host": "w", "token": "x"}, timeout=5).output


def test_a_tool_can_be_called_by_the_notebook_itself() -> None:
    assert secgemini_tool(Inventory("home").find)("w") == "w at home"
    assert "find" in as_tool(Inventory("home").find).origin


def yields() -> Any:
    yield 1


class Odd(enum.Enum):
    a = 0.5


class OddText(enum.Enum):
    a = ("x",)


def of(annotation: Any) -> Callable[..., Any]:
    def f(x: Any) -> None: ...

    f.__annotations__["x"] = annotation
    return f


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda *hosts: 0, "no name for a tool"),
        (yields, "return them as a list"),
        (of(OddText), r"f\(x\) has the Enum OddText with values"),
        (of(Callable[[], int]), r"f\(x\) has the type .*no JSON form"),
        (of(list[complex]), r"f\(x\) has the type complex"),
        (of(Literal[b"x"]), "a Literal with values"),
        ("lookup", "is no function"),
        (5, "is no function"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_a_reason(function: Any, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        Toolbox([function])


def test_tools_are_a_list() -> None:
    with pytest.raises(ToolError, match=r"tools=\[lookup\]"):
        Toolbox(secgemini_tool(later))


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ToolError, match="'allow', 'deny', 'ask'"):
        secgemini_tool(later, approval="yes")  # type: ignore[arg-type]


def test_the_key_is_told_to_nobody() -> None:
    secret = Secret("canary-key-9876543210")

    def f(key: str = secret.reveal()) -> None: ...

    with pytest.raises(ToolError, match="holds the API key") as caught:
        Toolbox([f])
    assert "canary" not in str(caught.value)


def test_what_an_analyst_returns_is_json() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"host": ["w"], "at": [pandas.Timestamp("2026-01-31", tz="UTC")]})
    value = {"table": table, "series": table["host"], "host": Host("w"), "level": Level.low, "set": {2, 1},
             "at": datetime.date(2026, 1, 31), "number": table.index.to_numpy()[0], ("a", 1): Path("/x")}  # fmt: skip
    outcome = Toolbox([secgemini_tool(lambda: value, name="t")]).run("t", {}, timeout=5)
    assert json.loads(outcome.output) == {
        "table": [{"host": "w", "at": "2026-01-31T00:00:00.000Z"}], "series": {"0": "w"},
        "host": {"name": "w", "port": 443, "tags": []}, "level": "low", "set": [1, 2], "at": "2026-01-31",
        "number": 0, "('a', 1)": "/x",
    }  # fmt: skip
