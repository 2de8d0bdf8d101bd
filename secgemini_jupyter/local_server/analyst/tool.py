"""What a tool is, and what a planner knows when it chooses among tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from secgemini_jupyter.errors import SecGeminiError
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.wishes import Wish as Wish
from secgemini_jupyter.local_server.analyst.wishes import clipped as clipped

PASTED = "the prompt"
"""Name of text that came in the prompt itself, wherever an attachment's name would stand."""


class ToolFailure(SecGeminiError):
    """A tool cannot do what was asked. The message is one sentence for the user."""


def needs(module: str, extra: str, tool: str = "This tool") -> ModuleType:
    """A library that only an extra of ours brings.

    Raises:
        ToolFailure: it is not installed; the message says which extra brings it.
    """
    try:
        return import_module(module)
    except ImportError:
        library = module.partition(".")[0]
        raise ToolFailure(
            f"{tool} needs the library {library}: pip install 'secgemini-jupyter[{extra}]' brings it."
        ) from None


def subject(arguments: Mapping[str, Any]) -> str:
    """What a call is about, for the plan."""
    if "table" in arguments:
        return "the logs table"
    if urls := arguments.get("urls"):
        return code(urls[0])
    return code(" › ".join([arguments.get("file") or PASTED, *(arguments.get("member") or ())]))


def where(result: Mapping[str, Any]) -> str:
    """What a log tool's result is about, for the answer."""
    if table := result.get("table"):
        told = f"the logs table {code(table['hash'])}"
        return told if table["is_complete"] else f"{told}, of which {table['lines']:,} lines arrived (no whole upload)"
    return "the pasted lines" if result["source"] == PASTED else code(result["source"])


@dataclass(frozen=True)
class TableSource:
    """The session's logs table: `where` is the path of an SQLite database, or the bytes of one."""

    hash: str
    where: str | bytes = field(repr=False)


class Inputs(dict[str, bytes]):
    """What a call may read: attachments by their names, and the session's logs table."""

    table: TableSource | None = None
    data: Path | None = None
    """Folder of the data that the user imported."""


class FileOrText(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Arguments of a tool that reads an attachment or a text; a tool for logs also reads the session's logs table."""

    file: str | None = None
    """Name of an attachment of the session."""
    text: str | None = None
    table: str | None = None
    """Hash of the session's logs table."""
    member: list[str] = msgspec.field(default_factory=list)
    """The part of the file that is meant, by its name within; each further name is a part within that part."""

    def content(self, files: Mapping[str, bytes]) -> bytes:
        """The bytes to look at.

        Raises:
            ToolFailure: neither a file nor a text was given, the file is not attached, or has no such part.
        """
        if self.file is not None:
            try:
                content = files[self.file]
            except KeyError:
                raise ToolFailure(f"No attachment is called {self.file!r}.") from None
            return _part(content, self.member) if self.member else content
        if self.text is None:
            raise ToolFailure(
                "This tool reads files, no logs tables." if self.table else "Neither a file nor a text was given."
            )
        return self.text.encode("utf-8", "replace")

    @property
    def source(self) -> str:
        if self.file is None and self.text is None and self.table is not None:
            return f"logs table {self.table}"
        return " › ".join([self.file, *self.member]) if self.file is not None else PASTED


def _part(content: bytes, path: Sequence[str]) -> bytes:
    found: bytes = import_module(f"{__package__}.members").member_content(content, path)
    return found


@dataclass(frozen=True)
class Attached:
    """An attachment as the planner sees it: `kind` is what `sniff` found in its bytes, not what its name claims."""

    name: str
    kind: str
    size: int
    has_logins: bool = False
    is_new: bool = False
    """Attached after the prompt before this one."""
    path: tuple[str, ...] = ()
    """Of a part of an archive: where it is within; further names are parts within parts."""
    parts: Sequence[Attached] = field(default=(), repr=False)
    """Of an archive of which a part may be meant: its members."""

    @property
    def is_log(self) -> bool:
        return self.kind.startswith("log/")

    @property
    def is_text(self) -> bool:
        return self.is_log or self.kind == "text"


@dataclass(frozen=True)
class Request:
    """A prompt, taken apart: `instruction` is what the user says, `pasted` what the user shows."""

    prompt: str
    instruction: str
    pasted: str
    attachments: Sequence[Attached]
    wish: Wish = field(default_factory=Wish)
    pasted_kind: str = "text"
    pasted_has_logins: bool = False
    table: Attached | None = None
    """The session's logs table, by its hash."""

    def asks(self, pattern: str) -> bool:
        """Whether the user's own words match; the name of a file (`kerberos.log`) is no wish."""
        return _compiled(pattern).search(self._words) is not None

    @property
    def words(self) -> str:
        """What `asks` looks at: the user's own words in lower case, `_` for the name of each attachment."""
        return self._words

    @cached_property
    def _said(self) -> str:
        return clipped(self.instruction).lower()

    @cached_property
    def _words(self) -> str:
        """What is said, with `_` for the name of each attachment."""
        names = {each.name.lower() for each in self.named()}
        words = self._said
        for name in sorted(names, key=len, reverse=True):
            words = re.sub(_as_word(name), "_", words)
        return words

    @cached_property
    def _named(self) -> list[Attached]:
        # The plain search comes first: there may be thousands of names, and compiling a pattern for each takes seconds.
        return [
            each
            for each in self.attachments
            if each.name and (name := each.name.lower()) in self._said and re.search(_as_word(name), self._said)
        ]

    def named(self) -> list[Attached]:
        """The attachments that the instruction names."""
        return self._named

    def fitting(self, fits: Callable[[Attached], bool]) -> list[Attached]:
        """Attachments for a tool: those that are named, else all that fit."""
        return [each for each in self.named() or self.attachments if fits(each)]

    @property
    def asked_table(self) -> Attached | None:
        """The logs table, if it is in question: named by that word or its hash, or no attachment is named."""
        if self.table is None:
            return None
        named = re.search(r"\blogs?[- ]tables?\b|\buploaded\b", self._said) or self.table.name[:8] in self._said
        return self.table if named or not self.named() else None

    def logs(self) -> list[dict[str, str]]:
        """Arguments that name every log in question, the logs table and pasted text included."""
        found = [{"table": self.asked_table.name}] if self.asked_table else []
        found += [{"file": each.name} for each in self.fitting(lambda each: each.is_log)]
        if self.pasted and self.pasted_kind.startswith("log/"):
            found.append({"text": self.pasted})
        return found


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """All tools together ask for more patterns than `re` keeps, and compiling them anew takes longer than all else."""
    return re.compile(pattern, re.IGNORECASE)


def _as_word(name: str) -> str:
    return rf"(?<![\w.-]){re.escape(name)}(?![\w-])"


@dataclass(frozen=True)
class Call:
    """One use of a tool, with the reason in a few words for the plan."""

    tool: str
    arguments: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Payload:
    """Data beside the answer, in the form that `render/payloads.py` reads.

    Attributes:
        mime_type: `sec-gemini/table`, `sec-gemini/timeline` or `sec-gemini/graph`.
        title: a few words.
        content: for a table {"title", "columns": […], "rows": [[…]]}; for a timeline {"title", "events": [{"timestamp":
            ISO 8601 or Unix seconds, "end"?, "title", …}]}; for a graph {"title", "nodes": [{"id", "label", "type"?}],
            "edges": [{"source", "target", "label"?, …}]}.
    """

    mime_type: str
    title: str
    content: Any


@dataclass(frozen=True)
class Tool:
    """One tool. `run` works in a worker process; `plan` and `answer` in the server, on values that `run` returned.

    Attributes:
        name: in snake_case, as the messages of a turn show it.
        description: one sentence, also for a model that chooses among tools.
        ability: what it can do, as the local analyst lists it, with an example prompt.
        arguments: what `run` takes, as a msgspec struct: its schema is offered to models.
        run: from the arguments and the attachments named in them to a JSON-able result.
        plan: the calls that a request asks for; empty when it asks for something else.
        answer: a result in Markdown. Values from outside go through `text.code`.
        payloads: tables, timelines and graphs of a result, where they tell more than the answer does.
        then: further calls that a result asks for: an e-mail → its attachments, an archive → its members.
        items: what a result lists, in the order of the answer, as flat objects of JSON scalars: what "the second one",
            "only the IPs", "as a table", "how many" can mean.
        again: what a prompt asks of the thing that a result was about: after "What is T1003?" "who uses it?".
        extra: the extra of this package that brings what the tool needs.
        writes: it changes the user's imported data, in a process of its own. Only the user's own words may start it:
            it is offered to no model.
    """

    name: str
    description: str
    ability: str
    arguments: type[msgspec.Struct]
    run: Callable[[Any, Mapping[str, bytes]], dict[str, Any]]
    plan: Callable[[Request], list[Call]]
    answer: Callable[[dict[str, Any], Wish], str]
    payloads: Callable[[dict[str, Any]], list[Payload]] = lambda _result: []
    then: Callable[[Request, Call, dict[str, Any]], list[Call]] = lambda _request, _call, _result: []
    items: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda _result: []
    again: Callable[[Request, dict[str, Any]], list[Call]] = lambda _request, _result: []
    extra: str | None = None
    writes: bool = False

    def schema(self) -> dict[str, Any]:
        """The arguments as JSON Schema, without references."""
        (schema,), parts = msgspec.json.schema_components([self.arguments])
        return {key: value for key, value in parts[schema["$ref"].rpartition("/")[2]].items() if key != "title"}
