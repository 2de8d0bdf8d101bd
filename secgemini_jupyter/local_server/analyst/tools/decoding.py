"""decode: take an encoded text apart, layer by layer."""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import gzip
import hashlib
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst import encodings, escapes, xor
from secgemini_jupyter.local_server.analyst.digests.kinds import is_unmistakable
from secgemini_jupyter.local_server.analyst.jwt import find_tokens
from secgemini_jupyter.local_server.analyst.text import block, code, count, listed
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Request, Tool, Wish
from secgemini_jupyter.local_server.analyst.xor import is_readable

MAX_LAYERS = 16
MAX_BYTES = 4 * 2**20
"""What one layer may unpack to: a bomb ends here."""
MAX_SHOWN = 64_000

Layer = tuple[str, bytes]
Encoding = Literal["base64", "base32", "hex", "url", "rot13"]


class DecodeArguments(FileOrText):
    """`rot13`: try ROT13 too, which is never tried unasked since every text has one; `xor`: likely one-byte keys too.

    `key`: the one byte of a XOR, 0 to 255. `encoding`: what it is in, where that is known. `encode`: put it into these.
    """

    rot13: bool = False
    xor: bool = False
    key: int | None = None
    encoding: Encoding | None = None
    encode: list[Encoding] = msgspec.field(default_factory=list)


def decode(arguments: DecodeArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    content = arguments.content(files)[:MAX_BYTES]
    if arguments.encode:
        text = content.decode("utf-8", "replace")
        told = {name: encodings.encoded(name, text)[:MAX_SHOWN] for name in arguments.encode}
        return {"source": arguments.source, "text": text[:2_000], "encoded": told}
    if forced := _as_named(arguments.encoding, content):
        return _result(arguments.source, forced[0], forced[1]) | {"named": arguments.encoding}
    best: list[Layer] = []
    start = content
    for candidate in _candidates(content):
        layers = _peel(candidate)
        if len(layers) > len(best):
            best, start = layers, candidate
        if best:
            break
    if arguments.rot13:
        # Asked for, so it comes first where nothing else was found, and last otherwise.
        turned = codecs.encode((best[-1][1] if best else start).decode("utf-8", "replace"), "rot13").encode()
        best = [*best, ("ROT13", turned), *_peel(turned)]
    if (arguments.xor or arguments.key is not None) and not any("XOR" in name for name, _ in best):
        begun = xor.written(_candidates(content))
        best = [*begun, *xor.keyed(begun[-1][1] if begun else start, arguments.key)] or best
    if not best and not (arguments.xor or arguments.encoding) and (words := encodings.rot13_of_words(content)):
        best = [("ROT13", words)]
    return _result(arguments.source, start, best) | ({"unfit": arguments.encoding} if arguments.encoding else {})


def _as_named(name: Encoding | None, content: bytes) -> tuple[bytes, list[Layer]] | None:
    """The encoding that the user names decides, unless what it gives is no text and another gives one."""
    if name is None:
        return None
    candidates = [content] if name in ("rot13", "url") else _candidates(content, 2)
    words = [each for each in candidates if each is content or not encodings.is_word(each)]
    taken = [(each, raw) for each in words if (raw := encodings.taken_out(name, each))]
    found = [(each, [(encodings.LABELS[name], raw), *_peel(raw)]) for each, raw in taken]
    best = next((each for each in found if is_readable(each[1][-1][1])), None)
    if best or not found:
        return best
    others = (_peel(candidate) for candidate in _candidates(content))
    return None if any(layers and is_readable(layers[-1][1]) for layers in others) else found[0]


def _candidates(content: bytes, shortest: int = 8) -> list[bytes]:
    """The whole input first, then its longest words that are none of a sentence: "decode aGk… please"."""
    whole = content.strip().strip(b"\"'`")
    words = {word.strip(b"\"'`,;()<>") for word in content.split() if len(word) >= shortest}
    words = {word for word in words if not encodings.is_word(word) or re.fullmatch(rb"[0-9a-fA-F]+", word)}
    return [whole, *sorted(words, key=lambda word: (-len(word), word))[:8]]


def _result(source: str, start: bytes, layers: list[Layer]) -> dict[str, Any]:
    final = layers[-1][1] if layers else start
    text = _as_text(final)
    shown = text if text is not None else ""
    found = indicators.extract(shown[:200_000]) if layers else []
    unique = list(dict.fromkeys((i.type, i.value) for i in found))
    return {
        "source": source,
        "input_bytes": len(start),
        "layers": [{"encoding": name, "bytes": len(data), "cut": len(data) >= MAX_BYTES} for name, data in layers],
        "is_text": text is not None,
        "text": shown[:MAX_SHOWN],
        "omitted_characters": max(0, len(shown) - MAX_SHOWN),
        "bytes": len(final),
        "sha256": hashlib.sha256(final).hexdigest(),
        "head_hex": "" if text is not None else final[:32].hex(" "),
        "indicators": [{"type": kind, "value": value} for kind, value in unique[:200]],
    }


def _peel(data: bytes) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(MAX_LAYERS):
        step = next((layer for decoder in _DECODERS if (layer := decoder(data))), None)
        if step is None or step[1] == data:
            break
        layers.append(step)
        data = step[1]
    return layers


# Each decoder gives the next layer, or None when the data is not of its kind. The sure ones come first.


def _powershell(data: bytes) -> Layer | None:
    match = re.search(rb"(?i)\s[-/]e(?:c|n|nc|nco\w{0,12})?\s+[\"']?([A-Za-z0-9+/]{8,}={0,2})", b" " + data[:MAX_BYTES])
    if not match or not re.search(rb"(?i)pwsh|powershell|^\s*[-/]e", data[:2000]):
        return None
    raw = xor.from_base64(match[1])
    text = raw.decode("utf-16-le", "replace") if raw and len(raw) % 2 == 0 else ""
    return ("PowerShell -EncodedCommand (base64, UTF-16LE)", text.encode()) if is_readable(text.encode()) else None


def _compressed(data: bytes) -> Layer | None:
    openers: list[tuple[str, bool, Callable[[], Any]]] = [
        ("gzip", data[:2] == b"\x1f\x8b", lambda: zlib.decompressobj(31)),
        (
            "zlib",
            data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2], "big") % 31 == 0,
            zlib.decompressobj,
        ),
        ("bzip2", data[:3] == b"BZh", bz2.BZ2Decompressor),
        ("xz", data[:6] == b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=64 * 2**20)),
    ]
    for name, fits, opener in openers:
        if not fits:
            continue
        try:
            unpacked: bytes = opener().decompress(data, MAX_BYTES)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, gzip.BadGzipFile):
            return None
        return (name, unpacked) if unpacked else None
    return None


def _utf16(data: bytes) -> Layer | None:
    if len(data) < 8 or len(data) % 2:
        return None
    order = "utf-16-le" if data[1::2].count(0) > 0.7 * len(data) / 2 else None
    if data[:2] == b"\xff\xfe":
        order, data = "utf-16-le", data[2:]
    if order is None:
        return None
    text = data.decode(order, "replace").encode()
    return ("UTF-16LE", text) if is_readable(text) else None


def _percent(data: bytes) -> Layer | None:
    escapes = len(re.findall(rb"%[0-9A-Fa-f]{2}", data))
    if not escapes or (escapes < 3 and b" " in data):
        return None
    plain = unquote_to_bytes(data)
    return ("URL encoding", plain) if is_readable(plain) else None


def _hex(data: bytes) -> Layer | None:
    text = data.strip()
    digits = re.sub(rb"(?i)\b0x|[\s:,-]", b"", text)
    if len(digits) < 8 or len(digits) % 2 or not re.fullmatch(rb"[0-9A-Fa-f]++", digits):
        return None
    raw = bytes.fromhex(digits.decode())
    # A digest is hex, too: only what leads on is a layer.
    return ("hex", raw) if _leads_on(raw) or (len(raw) > 64 and xor.guessed(raw)) else None


def _base32(data: bytes) -> Layer | None:
    text = b"".join(data.split())
    if len(text) < 16 or not re.fullmatch(rb"[A-Z2-7]++={0,6}", text):
        return None
    try:
        raw = base64.b32decode(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 8))
    except (binascii.Error, ValueError):
        return None
    return ("base32", raw) if _leads_on(raw) else None


def _base64(data: bytes) -> Layer | None:
    raw = xor.from_base64(data)
    if not raw:
        return None
    return ("base64", raw) if _leads_on(raw) or (len(raw) >= 16 and xor.guessed(raw)) else None


def _readable(decoder: Callable[[bytes], Layer | None]) -> Callable[[bytes], Layer | None]:
    """A decoder whose layer counts only where it leads on."""

    def decode(data: bytes) -> Layer | None:
        layer = decoder(data)
        return layer if layer and (_leads_on(layer[1]) or xor.guessed(layer[1])) else None

    return decode


_WRITTEN = (
    escapes.percent_u,
    escapes.escapes,
    escapes.entities,
    escapes.binary,
    escapes.character_codes,
    escapes.encoded_words,
)
_DECODERS = (_powershell, _compressed, _utf16, *map(_readable, _WRITTEN), _percent, _hex, _base32, _base64, xor.guessed)


def _leads_on(raw: bytes) -> bool:
    return is_readable(raw) or _compressed(raw) is not None or _utf16(raw) is not None or raw[:2] == b"MZ"


def _as_text(data: bytes) -> str | None:
    if not is_readable(data):
        return None
    return data.decode("utf-8", "replace")


_ENCODED = (
    r"\b(?:(?:url|uri|percent|hex|html)[\s-]{0,3})?(?:decod|decrypt|de-?obfuscat|decompress|unbase64|unwrap|un-?escap|dekodier|entschl[uü]ssel|decodific"
    r"|descifr)\w*|\brot-?13\b|\bbase-?(?:32|64)\b|\bxor\b|\bfrom hex\b|^\W*hex\W*$|^\W*hex[\s:]+(?=[0-9a-f]{4})"
)


_COMMAND = re.compile(
    r"\b(?:powershell|pwsh)(?:\.exe)?\b[^\n]{0,200}\s[-/]e(?:c|n|nc|nco\w*)?\s+\S{16,}", re.IGNORECASE
)
_CURIOUS = (
    r"\b(?:explain|hid(?:e|es|den|ing)|analy[sz]e|triage|inspect|examine|investigate|understand|reveal|encoded"
    r"|obfuscat\w*|look (?:at|into)|(?:is|about) (?:this|that|it)"
    r"|what(?:'s| is| are| does| do| did) (?:this|that|these|it|(?:the|an?) (?:command|script|line|code|payload)))\b"
)


def _encoded_command(request: Request) -> re.Match[str] | None:
    """An encoded PowerShell command that the user says, or shows and asks about; in other pasted text it is data."""
    return _COMMAND.search(request.prompt if request.asks(_CURIOUS) else request.instruction)


_LOOKS_ENCODED = re.compile(
    r"(?=\S*[A-Z])(?=\S*[a-z])(?=\S*[0-9=+/])[A-Za-z0-9+/_-]{16,}={0,2}|(?=\S*[A-Z])(?=\S*[a-z])[A-Za-z0-9+/]{7,}={1,2}"
)


_BYTES = re.compile(  # hex, bits, escapes and entities, one after another
    r"(?i)(?:[0-9a-f]{2} ){4,}[0-9a-f]{2}|(?:0x[0-9a-f]{2}[\s,]{0,3}){4,}|(?:[01]{8}\s?){3,}|(?:\\x[0-9a-f]{2}){4,}"
    r"|(?:\\u[0-9a-f]{4}){4,}|(?:&#x?[0-9a-f]{1,6};){3,}|(?:%[0-9a-f]{2}){4,}"
)


def _shown_alone(request: Request) -> str:
    """An encoded word that is the whole prompt, or that the user asks the meaning of: no digest, token or address."""
    text = (request.pasted or request.prompt).strip()
    if _BYTES.fullmatch(text[:20_000]) and len(text) <= 20_000:
        return text if not request.pasted or request.asks(_CURIOUS + r"|\bthis\b|\bsays?\b|\bmean") else ""
    if request.pasted and not request.asks(_CURIOUS + r"|\b(?:say|mean|read)s?\b"):
        return ""
    words = text[:20_000].split()
    last = words[-1].rstrip("?") if words else ""
    if len(words) > 1 and not (request.asks(r"\bwhat(?:'s| is| does)\b|\bmean|\bhidden") and len(words) < 12):
        return ""
    found = [word for word in (last, *words) if _is_encoded(word.strip("\"'`"))]
    return found[0].strip("\"'`") if found and not is_unmistakable(found[0]) else ""


def _is_encoded(word: str) -> bool:
    is_percent = "://" not in word and len(re.findall(r"%[0-9A-Fa-f]{2}", word[:4_000])) > 2
    return is_percent or _LOOKS_ENCODED.fullmatch(word) is not None


_NAMES_ONLY = re.compile(
    r"(?i)\W*(?:(?:this|that|these|it|the|a|an|my|please|for|me|following|text|string|token|jwt|url|certificate|cert|message"
    r"|mail|header|payload|files?|attachments?|documents?|attached|of|claims?|data|value|can|could|you)\b\W*)*"
)
"""What is left of "decode this JWT", where what is meant stands elsewhere."""


def _is_for_others(text: str) -> bool:
    """Whether the text is a digest or a JSON Web Token: there are tools that say more."""
    shown = text[:20_000].strip()
    if is_unmistakable(shown.strip("\"'`?")):
        return True
    return "eyJ" in shown and sum(map(len, find_tokens(shown))) > 0.8 * len(shown)


def _plan(request: Request) -> list[Call]:
    if not request.named() and (asked_of := encodings.to_encode(request.prompt.strip())):
        text, names = asked_of
        if not _NAMES_ONLY.fullmatch(text[:400]):
            return [Call("decode", {"text": text, "encode": names or ["base64", "hex", "url"]}, "encode the text")]
    said = re.sub(r"(?i)\bdata:\S{0,4000}", " ", request.instruction[:20_000])
    asked = request.asks(_ENCODED) and re.search(_ENCODED, said, re.IGNORECASE) is not None
    command = _encoded_command(request)
    if not asked and not command and not request.attachments and (alone := _shown_alone(request)):
        return [Call("decode", {"text": alone}, "take the encoded text apart")]
    if not asked and not command:
        return []
    extra: dict[str, Any] = {"rot13": True} if request.asks(r"\brot-?13\b") else {}
    if request.asks(r"\bxor"):
        key = re.search(
            r"(?i)\bkey\b[\s:=]{0,3}(?:is |of )?[\s'\"]{0,2}(0x[0-9a-f]{1,2}|\d{1,3})\b", request.prompt[:4_000]
        )
        extra |= {"xor": True} | ({"key": int(key[1], 0) % 256} if key else {})
    elif names := encodings.named(said.replace(request.pasted, " ") if request.pasted else said):
        extra = {"encoding": names[0]} | (extra if names[0] != "rot13" else {})
    if files := [each for each in request.named() if each.is_text]:
        return [Call("decode", {"file": each.name} | extra, f"decode {code(each.name)}") for each in files]
    text = request.pasted or (command.group() if command else re.sub(f"(?i){_ENCODED}", " ", request.prompt))
    if not request.pasted and extra.get("encoding"):
        text = encodings.without_fillers(text)
    if text.strip() and not _is_for_others(text) and not _NAMES_ONLY.fullmatch(text[:400]):
        return [Call("decode", {"text": text.strip()} | extra, "take the encoded text apart")]
    return []


def _answer(result: dict[str, Any], wish: Wish) -> str:
    if "encoded" in result:
        return encodings.told(result["encoded"], bare=wish.is_bare)
    unfit = f"It is not written in {encodings.LABELS[result['unfit']]}. " if result.get("unfit") else ""
    return unfit + _decoded(result, wish)


def _decoded(result: dict[str, Any], wish: Wish) -> str:
    if not result["layers"]:
        return (
            "No encoding that the local analyst knows was found (base64, base32, hex, URL encoding, escapes, "
            "entities, "
            "character codes, gzip, zlib, bzip2, xz, UTF-16LE, PowerShell -Enc, one-byte XOR; ROT13 if asked)."
        )
    if wish.wants_only("layers?", "encodings?"):
        return "\n".join(f"- {layer['encoding']}" for layer in result["layers"])
    if result["is_text"] and wish.wants_only("text", "decoded", "output", "result", "plain", "string"):
        return block(result["text"])
    layers = result["layers"]
    names = " → ".join(layer["encoding"] for layer in layers)
    parts = [f"**{count(len(layers), 'layer')}**: {names}."]
    if result["is_text"]:
        single = "\n" not in result["text"].strip() and len(result["text"]) < 2_000
        parts.append(code(result["text"].strip(), 2_000) if single else block(result["text"]))
    else:
        parts.append(
            f"What is left is no text: {count(result['bytes'], 'byte')}, sha256 `{result['sha256']}`, "
            f"beginning with `{result['head_hex']}`."
        )
    if result["omitted_characters"]:
        parts.append(f"({result['omitted_characters']:,} more characters)")
    if any(layer["cut"] for layer in layers):
        parts.append(f"A layer unpacks to more than {MAX_BYTES:,} bytes and was cut there.")
    if result["indicators"]:
        parts.append("Indicators in it: " + listed((each["value"] for each in result["indicators"]), 20) + ".")
    return "\n\n".join(parts)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    if "encoded" in result:
        return [{"type": encodings.LABELS[name], "value": text} for name, text in result["encoded"].items()]
    if not result["layers"]:
        return []
    text = [{"type": "text", "value": result["text"]}] if result["is_text"] else []
    return text + [{"type": each["type"], "value": each["value"]} for each in result["indicators"]]


def _again(request: Request, result: dict[str, Any]) -> list[Call]:
    if not (result.get("layers") and result["is_text"] and request.asks(r"\biocs?\b|\bindicators?\b")):
        return []
    return [Call("extract_iocs", {"text": result["text"]}, "find the indicators in what was decoded")]


TOOLS = (
    Tool(
        name="decode",
        description="Peel an encoded text: base64, hex, URL encoding, gzip, UTF-16LE, PowerShell, XOR, …; or encode.",
        ability='decode layer by layer (base64, hex, gzip, PowerShell -enc, one-byte XOR, …): "Decode: H4sI…"',
        arguments=DecodeArguments,
        run=decode,
        plan=_plan,
        answer=_answer,
        items=_items,
        again=_again,
    ),
)
