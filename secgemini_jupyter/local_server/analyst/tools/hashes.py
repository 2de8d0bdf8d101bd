"""hash_file: the digests of a file or text, compared with one that the user names."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.digests.md4 import md4
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, table
from secgemini_jupyter.local_server.analyst.tool import PASTED, Call, FileOrText, Request, Tool, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND, HASHES_IN

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_WORDS = {  # how people write them
    "md5": r"md-?5\b|md5(?:sums?|s)\b",
    "sha1": r"sha-?1(?!\d)",
    "sha224": r"sha-?224",
    "sha256": r"(?<!3[-_ ])(?<!3)sha-?256|\bsha-?2\b",
    "sha384": r"sha-?384",
    "sha512": r"(?<!3[-_ ])(?<!3)sha-?512",
    "sha3_256": r"sha-?3[-_ ]?256|\bsha-?3\b(?![-_ ]?\d)",
    "sha3_512": r"sha-?3[-_ ]?512",
    "blake2b": r"blake-?2b?\b",
    "crc32": r"crc-?32",
    "ntlm": r"ntlm|nt[- ]hash",
}
_DIGEST = re.compile(r"(?<!\w)(?:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?!\w)", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)[\"'“‘`]([^\"'“”‘’`]{1,4000})[\"'”’`]")
_ASKED = (
    r"\bhash(?:es|ed|ing)?\b|\bmd-?5|\bsha-?\d|\bchecksums?\b|\bdigests?\b"
    r"|\bfingerprint|\bcrc-?32|\bntlm\b|\bblake-?2"
)
# "sha256 of hello world", "hash hello", "what is the md5 for abc?"
_NAMED_TEXT = re.compile(
    r"(?:hash(?:es)?|md-?5(?:sum)?|sha-?\d{1,3}(?:[-_]\d{3})?(?:sum)?|checksum|digest|crc-?32"
    r"|ntlm(?: hash)?|blake-?2b?)"
    r"(?: hash| sum| digest)?(?: value)?\s+(?:of|for)\s+(?:the\s+)?(?:(?:string|word|text|phrase|password)\s+)?",
    re.IGNORECASE,
)
_IS_FILE = re.compile(
    r"(?:this|that|the|my|these|those|each|all|every\w*|it|them|both|attach\w*|files?|uploads?|samples?|evidence)\b",
    re.IGNORECASE,
)
_OF_ROWS = (
    r"\b(?:hash\w*|md-?5s?|sha-?\d+s?)\s+(?:values? )?(?:of|for)\s+(?:all |the )*"
    r"(?:executables|programs|binaries|downloads|documents|pdfs|exes|images|scripts|downloaded)\b"
    r"|\b(?:duplicat\w+|distinct|unique|per|by|group\w*|most (?:common|frequent)|how often)\b"
)


_WHAT = r"\b(?:what|which) (?:kind|type|sort|hash|algorithm)\b|\bidentif|\bpasswords?\b"


class HashArguments(FileOrText):
    """`expected`: a digest in hex to compare with; `algorithms`: only these; md5, sha1, sha256, sha512 when empty."""

    expected: str | None = None
    algorithms: list[str] = msgspec.field(default_factory=list)


def hash_file(arguments: HashArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    if unknown := [name for name in arguments.algorithms if name not in _WORDS]:
        raise ToolFailure(f"No algorithm is called {unknown[0]!r}; there are {', '.join(_WORDS)}.")
    content = arguments.content(files)
    digests = {name: _digest(name, content) for name in (*ALGORITHMS, *arguments.algorithms)}
    result: dict[str, Any] = {
        "source": arguments.source,
        "size": len(content),
        "asked": list(dict.fromkeys(arguments.algorithms)),
        **digests,
    }
    if arguments.source == PASTED:
        result["text"] = content[:200].decode("utf-8", "replace")
    if arguments.expected:
        expected = arguments.expected.strip().lower()
        result |= {"expected": expected, "matches": next((n for n, d in digests.items() if d == expected), None)}
    return result


def _digest(name: str, content: bytes) -> str:
    if name == "crc32":
        return f"{zlib.crc32(content):08x}"
    if name == "ntlm":
        return md4(content[:100_000].decode("utf-8", "replace").encode("utf-16-le")).hex()
    return hashlib.new(name, content, usedforsecurity=False).hexdigest()


def _plan(request: Request) -> list[Call]:
    if not request.asks(_ASKED) or request.asks(r"\bcrack\w*|\bdehash|\breverse\b"):
        return []
    if request.asks(FIND) or request.asks(HASHES_IN):
        return []  # the hashes in a text
    looked_at = request.named() or request.attachments
    if any(each.kind == "email" for each in looked_at) and request.asks(r"\battachments\b"):
        return []  # those within a message
    if request.logs() and not request.named() and request.asks(_OF_ROWS):
        return []  # "md5 of the executables", "duplicates by md5": what a log lists
    if looked_at and all(each.kind == "x509" for each in looked_at) and not request.asks(r"\bhash|\bfile|\bchecksum"):
        return []  # the fingerprint of a certificate, which is no hash of its file
    if request.asks(r"\bhash\w*\b.{0,40}\b(?:of|for)\b.{0,40}\b(?:in|from)\b") and request.logs():
        return []  # the hashes that a log lists
    digest = _DIGEST.search(request.prompt)
    if digest and not request.named() and request.asks(_WHAT):
        return []  # what that one is, not the file's
    asked = [name for name, words in _WORDS.items() if request.asks(words)]
    extra: dict[str, Any] = {"algorithms": asked} if asked else {}
    extra |= {"expected": digest.group()} if digest else {}
    named = request.named()
    if not named and (text := _text(request)):
        return [Call("hash_file", {"text": text} | extra, "hash the text")]
    files = named or list(request.attachments)
    return [Call("hash_file", {"file": each.name} | extra, f"hash {code(each.name)}") for each in files]


def _text(request: Request) -> str:
    """A text to hash that the user writes out: in quotes, after a colon, or after "SHA-256 of"."""
    if quoted := _QUOTED.search(request.instruction):
        return quoted[1]
    if _DIGEST.search(request.prompt):
        return ""
    said = request.instruction[:4_000]
    if named := _NAMED_TEXT.search(said):
        text = said[named.end() :].strip().removesuffix("?").rstrip()
        is_file_name = request.attachments and re.fullmatch(r"\S{1,200}\.\w{2,5}", text)
        is_thing = (request.attachments or request.table) and re.search(r"\bthe\s+$", named[0], re.IGNORECASE)
        if is_file_name or is_thing:  # "md5 of the log" is not that of the word
            return ""
        if text and "\n" not in text and not _IS_FILE.match(text):
            return text
    asks = r"\s*(?:what(?:'s| is)\s+)?(?:the\s+|calculate\s+|compute\s+)*(?:hash|md|sha|crc|checksum|digest|ntlm)"
    if labelled := re.match(asks + r"[\w-]{0,8}\s*:\s*(\S[^\n]{0,4000})", request.prompt, re.IGNORECASE):
        return "" if request.attachments else labelled[1]
    short = request.pasted and "\n" not in request.pasted and not request.attachments
    # "SHA-1 of this: hello", "md5: hello", and of what was found before: "only the sha1 of it"
    it = r"\b(?:hash|md5|sha-?\d{1,3}|digest|checksum)\s+(?:of\s+)?(?:it|this|that)\b"
    is_asked = re.match(asks, request.instruction, re.IGNORECASE) or request.asks(it)
    return request.pasted if short and is_asked else ""


def _answer(result: dict[str, Any], wish: Wish) -> str:
    names = [name for name in _WORDS if name in result]
    asked = [name for name in names if wish.only and re.search(_WORDS[name], wish.only)]
    if asked or (result["asked"] and (wish.one_word or wish.wants_only("hash", "digest", "value", "checksum"))):
        return "\n".join(result[name] for name in asked or result["asked"])
    source = f"The text {code(result['text'])}" if "text" in result else code(result["source"])
    lines = [f"{source}: {count(result['size'], 'byte')}."]
    if result["asked"] and "expected" not in result:
        told = ", ".join(f"{_label(name)} is `{result[name]}`" for name in result["asked"])
        what = source.replace("The text", "the text", 1)
        lines = [f"{told} ({what}, {count(result['size'], 'byte')})."]
        if len(result["asked"]) < len(names):
            names = [name for name in names if name not in result["asked"]]
    if "expected" in result:
        matches = result["matches"]
        told = (
            f"It **matches** the {_label(matches)} that you gave."
            if matches
            else "It does **not match** the digest you gave"
        )
        lines[0] += f" {told}" + ("" if matches else f" ({code(result['expected'])}).")
    if not result["asked"] or "expected" in result:
        rows = [(Plain(_label(name)), Plain(f"`{result[name]}`")) for name in names]
        lines.append(table([Plain("digest"), Plain("value")], rows))
    return "\n\n".join(lines)


def _label(name: str) -> str:
    return {"md5": "MD5", "crc32": "CRC-32", "ntlm": "NTLM", "blake2b": "BLAKE2b"}.get(
        name, name.upper().replace("SHA", "SHA-").replace("SHA-3_", "SHA3-")
    )


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    names = result["asked"] or [name for name in _WORDS if name in result]
    return [{"source": result["source"], "algorithm": _label(name), "digest": result[name]} for name in names]


TOOLS = (
    Tool(
        name="hash_file",
        description="MD5, SHA-1, SHA-256 and SHA-512 of an attachment or text, compared with a given digest.",
        ability='hash an attachment or a text, and compare: "SHA-256 of the attachment?", "md5 of hello"',
        arguments=HashArguments,
        run=hash_file,
        plan=_plan,
        answer=_answer,
        items=_items,
    ),
)
