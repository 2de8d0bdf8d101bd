"""read_text: the text of an attachment, a part at a time: what somebody who cannot open the file reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from secgemini_jupyter.local_server.analyst.sniff import readable_text
from secgemini_jupyter.local_server.analyst.text import block, count
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Request, Tool, Wish, subject

LENGTH = 8_000
MAX_LENGTH = 20_000
MAX_DOCUMENT = 4 * 2**20


class Arguments(FileOrText, kw_only=True, forbid_unknown_fields=True):
    offset: Annotated[int, msgspec.Meta(ge=0, description="characters to leave out before")] = 0
    length: Annotated[int, msgspec.Meta(ge=1, le=MAX_LENGTH, description="characters to give")] = LENGTH


def _run(arguments: Arguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    content = arguments.content(files)
    text, how, _ = readable_text(content, MAX_DOCUMENT)
    if not how.startswith("the document"):
        text = content.decode(_encoding(content), "replace")
    part = text[arguments.offset : arguments.offset + arguments.length]
    return {
        "source": arguments.source,
        "characters": len(text),
        "offset": arguments.offset,
        "text": part,
        "left": max(len(text) - arguments.offset - len(part), 0),
        "is_text": "\0" not in part and part.count("�") <= len(part) / 20,
    }


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


def _plan(request: Request) -> list[Call]:
    says = request.asks(r"\bwhat (?:does|do|did) _ (?:say|read|state)\b|^\W*(?:please )?(?:read|cat|print) _\W*$")
    shows = request.asks(r"\b(?:show|print|display|cat|dump)\b[^.?!]{0,40}\b(?:text|contents?|raw)\b")
    if not shows and not says:
        return []
    return [
        Call("read_text", {"file": each.name}, f"read {subject({'file': each.name})}")
        for each in request.fitting(lambda each: each.is_text or each.kind.startswith("document/"))[:3]
    ]


def _answer(result: dict[str, Any], _wish: Wish) -> str:
    begin, text = result["offset"], result["text"]
    head = f"{subject({'file': result['source']})}, {count(result['characters'], 'character')}"
    more = f", from {begin:,} to {begin + len(text):,}" if begin or result["left"] else ""
    odd = "" if result["is_text"] else " It does not read like text."
    return f"{head}{more}:{odd}\n\n{block(text, MAX_LENGTH)}"


TOOLS = (
    Tool(
        name="read_text",
        description="The text of an attachment, or of a member of one, a part at a time.",
        ability='show the text of an attachment: "Print the text of notes.txt"',
        arguments=Arguments,
        run=_run,
        plan=_plan,
        answer=_answer,
    ),
)
