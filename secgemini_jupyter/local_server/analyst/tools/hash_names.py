"""hash_identify: what a digest can be, and whether a common password gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.digests.guessing import EMPTY_LM, guess, known
from secgemini_jupyter.local_server.analyst.digests.kinds import is_unmistakable, kinds, unix_shadow
from secgemini_jupyter.local_server.analyst.digests.words import candidates, words
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, table
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Tool, ToolFailure, Wish

MAX_HASHES = 50
MAX_TRIED = 8
"""Hashes for which the words are tried: NTLM takes a second each."""
MAX_LOOKED_AT = 50_000
MAX_WORDS = 400
"""Words of a prompt that are compared with the forms of hashes: those long enough, with a digit."""

# The modes of hashcat, as its own documentation numbers them.
_MODES = {
    "MD5": 0, "SHA-1": 100, "MySQL 4.1 and later": 300, "phpass": 400, "md5crypt": 500, "MD4": 900, "NTLM": 1000,
    "SHA-224": 1300, "SHA-256": 1400, "Apache apr1 (MD5)": 1600, "SHA-512": 1700, "sha512crypt": 1800,
    "Domain cached credentials 2": 2100, "bcrypt": 3200, "NetNTLMv1": 5500, "NetNTLMv2": 5600, "sha256crypt": 7400,
    "Drupal 7": 7900, "Cisco IOS type 8": 9200, "Cisco IOS type 9": 9300, "SHA-384": 10800,
}  # fmt: skip


class HashesArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`hashes`: digests or password hashes, one each; lines of /etc/shadow or pwdump are understood."""

    hashes: list[str]


def hash_identify(arguments: HashesArguments, _files: Mapping[str, bytes]) -> dict[str, Any]:
    if not arguments.hashes:
        raise ToolFailure("No hash was given.")
    unique = list(dict.fromkeys(text.strip() for text in arguments.hashes))
    rows = [_looked_at(text, is_tried=place < MAX_TRIED) for place, text in enumerate(unique[:MAX_HASHES])]
    own = words()
    return {
        "hashes": rows,
        "omitted": max(0, len(unique) - MAX_HASHES),
        "words": len(own),
        "candidates": sum(1 for _ in candidates()),
        "sources": [{"name": "our own list of common passwords", "words": len(own)}],
    }


def _looked_at(text: str, *, is_tried: bool) -> dict[str, Any]:
    user, digest = unix_shadow(text) or ("", text)
    if re.fullmatch(r"0[xX][0-9A-Fa-f]+", digest) and not kinds(digest):
        digest = digest[2:]
    found = kinds(digest)
    row: dict[str, Any] = {
        "hash": digest,
        "user": user,
        "kinds": [asdict(k) for k in found],
        "known": known(digest),
        "tried": False,
        "construction": None,
        "plaintext": None,
        "hashcat_mode": _MODES.get(found[0].name) if found else None,
        "notes": _notes(digest),
    }
    if found and is_tried and not row["known"]:
        outcome = guess(digest)
        row["tried"] = outcome != "not tried"
        if isinstance(outcome, tuple):
            row["construction"], row["plaintext"] = outcome
            row["hashcat_mode"] = _MODES.get(outcome[0])
    return row


def _notes(digest: str) -> list[str]:
    parts = digest.lower().split(":")
    if len(parts) == 7 and parts[2] == EMPTY_LM * 2:
        return ["No LM hash is stored; the fourth field is the NTLM hash."]
    if len(parts) == 7:
        return ["An LM hash is stored: it is broken within minutes, whatever the password."]
    if re.fullmatch(rf"[0-9a-f]{{16}}{EMPTY_LM}", digest.lower()):
        return ["As an LM hash it would be of a password of 7 characters or fewer: its second half is that of nothing."]
    return []


_ASKED = (
    r"\b(?:what|which)\b[^.\n]{0,60}\bhash"
    r"|\bhash\w*\b[^.\n]{0,30}\b(?:type|kind|format|algorithm|mode|is (?:this|that|it))\b"
    r"|\bidentif\w+|\bcrack\w*|\bpasswords?\b|\bplain[ -]?text\b|\breverse\b|\b(?:un|de)-?hash\w*|\bhashcat\b|\bjohn\b"
    r"|\bdecrypt\w*|\bdecod\w+|\bwhat algorithm|\bis (?:this|it|that) an?\b"
    r"|\b(?:ntlm|md5|sha-?\d+|bcrypt)\s*\?|\blook ?up\b"
)
_CURIOUS = (
    r"\bwhat(?:'s| is| are| about)\b|\bknow\b|\bmalicious"
    r"|\bmalware|\bbad\b|\bvirus|\binfected|\b(?:and|check|explain)\b"
    r"|\banaly[sz]e\b|\bthis\b"
)
_NOT_HERE = (
    r"\b(?:iocs?|indicators?|defang|refang|extract|match(?:es)?|compare|verif\w+|integrity|attach\w*|file'?s?)\b"
    r"|\b(?:md5|sha-?\d+|hash\w*|checksum|digest)\s+(?:of|for)\b(?!\s+(?:what|which))"
)


def _long_words(text: str, least: int) -> list[str]:
    words = (word for word in text[:MAX_LOOKED_AT].split() if len(word) >= least)
    return [word for word in words if any(c.isdigit() for c in word)][:MAX_WORDS]


def _tokens(text: str) -> list[str]:
    """The words of a prompt that can be nothing but digests."""
    found = []
    for word in _long_words(text, 20):
        for token in (word, word.strip("\"'`,;()<>[]?!"), word.strip("\"'`,;()<>[]{}?!.:").removeprefix("hash:")):
            if is_unmistakable(token) or unix_shadow(token):
                found.append(token)
                break
    return list(dict.fromkeys(found))


def _plan(request: Request) -> list[Call]:
    tokens = _tokens(request.prompt)
    asks = request.asks(_ASKED)
    if not tokens and asks and request.asks(r"\bhash|\bcrc"):
        tokens = [
            w for word in request.prompt[:MAX_LOOKED_AT].split() if (w := word.strip("\"'`,;()<>?!")) and _weak(w)
        ]
    if not tokens or (request.named() and not request.asks(r"\bcrack|\bpassword")):
        return []
    rest = request.instruction
    for token in tokens:
        rest = rest.replace(token, " ")
    is_bare = len(re.sub(r"[\W_]+", "", rest)) <= 3 and not (
        request.pasted and not _only_tokens(request.pasted, tokens)
    )
    is_strict = request.asks(
        r"\b(?:what|which) (?:kind|type|sort|hash|algorithm)\b|\bcrack|\bpassword|\bidentif|\bplain"
    )
    if (request.attachments or request.table) and not (is_strict or is_bare):
        return []
    if is_bare or is_strict or (asks and not request.asks(_NOT_HERE)):
        return _call(tokens)
    few = len(request.prompt) < 400 and not request.asks(_NOT_HERE)
    return _call(tokens) if few and request.asks(_CURIOUS) else []


def _call(tokens: list[str]) -> list[Call]:
    return [Call("hash_identify", {"hashes": tokens[:MAX_HASHES]}, "see what kind of hash it is")]


def _only_tokens(text: str, tokens: list[str]) -> bool:
    return all(any(token in word for token in tokens) for word in text.split()[:200])


def _weak(word: str) -> bool:
    plain = word[2:] if word[:2].lower() == "0x" else word
    return any(c.isdigit() for c in plain) and bool(kinds(word) or (len(plain) >= 8 and kinds(plain)))


def _answer(result: dict[str, Any], wish: Wish) -> str:
    rows = result["hashes"]
    if wish.wants_only("passwords?", "plain", "words?", "clear"):
        return "\n".join(code(row["plaintext"], 200) if row["plaintext"] else "not found" for row in rows)
    if (wish.one_word or wish.wants_only("type", "kind", "name", "algorithm", "hash")) and rows:
        return "\n".join(_name(row) or "unknown" for row in rows)
    if wish.wants_only("mode", "hashcat"):
        return "\n".join("unknown" if row["hashcat_mode"] is None else str(row["hashcat_mode"]) for row in rows)
    parts = [_table(rows)] if len(rows) > 3 else [_told(row) for row in rows]
    if any(row["tried"] and row["plaintext"] is None and not row["known"] for row in rows):
        parts.append(
            f"None of {result['candidates']:,} candidates ({result['words']} common words of the local analyst's own "
            "list, with capitals and usual ends) gives "
            + ("it" if len(rows) == 1 else "those without a password")
            + ": what was hashed stays unknown. A digest cannot be turned back, only guessed."
        )
    elif any(row["tried"] for row in rows):
        parts.append(f"Tried with the local analyst's own list of {result['words']} common words, and nothing else.")
    if result["omitted"]:
        parts.append(f"({result['omitted']:,} more were left out.)")
    if not any(row["kinds"] and (row["kinds"][0]["slow"] or row["plaintext"]) for row in rows):
        parts.append("Whether a file with this digest is known to anybody cannot be told offline.")
    return "\n\n".join(parts)


def _name(row: dict[str, Any]) -> str:
    return str(row["construction"] or (row["kinds"][0]["name"] if row["kinds"] else ""))


def _told(row: dict[str, Any]) -> str:
    shown = code(row["hash"], 90)
    whose = f" (user {code(row['user'])})" if row["user"] else ""
    if not row["kinds"]:
        return f"{shown}{whose} has the form of no digest or password hash that the local analyst knows."
    first, *others = row["kinds"]
    about = f" ({first['about']})" if first["about"] else ""
    if row["plaintext"] is not None:
        word = f"the password {code(row['plaintext'])}" if row["plaintext"] else "nothing: the empty input"
        told = f"{shown}{whose} is the **{row['construction']}** of {word}."
        if not first["sure"]:
            names = [each["name"] for each in row["kinds"] if each["name"] != row["construction"]]
            told += f" By its length alone it could as well be {_or(names)}; that the word gives it settles it."
    elif row["known"]:
        told = f"{shown}{whose} is {row['known']}."
    elif first["sure"]:
        told = f"{shown}{whose} is **{first['name']}**{about}, by its form."
    else:
        told = f"{shown}{whose} is most likely **{first['name']}**{about}"
        names = [f"{each['name']} ({each['about']})" if each["about"] else each["name"] for each in others]
        told += (
            f"; of that length are also {_or(names, 'and')}: a digest does not say which."
            if names
            else ", by its length."
        )
    if first["salted"] and row["plaintext"] is None:
        told += " It is salted"
        told += " and made to be slow to guess." if first["slow"] else "."
        if not row["tried"]:
            told += " No password was tried."
    if row["hashcat_mode"] is not None:
        told += f" hashcat's mode for {row['construction'] or first['name']}: {row['hashcat_mode']}."
    return " ".join([told, *row["notes"]])


def _or(names: list[str], word: str = "or") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}" if names else ""


def _table(rows: list[dict[str, Any]]) -> str:
    found = sum(row["plaintext"] is not None for row in rows)
    head = f"{count(len(rows), 'hash', 'hashes')}, {found} of a common password."
    cells = [
        (row["user"], row["hash"], Plain(_name(row) or "unknown"), "" if row["plaintext"] is None else row["plaintext"])
        for row in rows
    ]
    return f"{head}\n\n" + table(
        [Plain("user"), Plain("hash"), Plain("most likely"), Plain("password")], cells, limit=50
    )


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "hash": row["hash"],
            "user": row["user"],
            "type": _name(row),
            "candidates": ", ".join(each["name"] for each in row["kinds"]),
            "password": row["plaintext"],
        }
        for row in result["hashes"]
    ]


TOOLS = (
    Tool(
        name="hash_identify",
        description="What a digest or password hash can be by form and length; whether a common password gives it.",
        ability='say what a hash can be and try common passwords: "5f4dcc3b5aa765d61d8327deb882cf99 - what hash?"',
        arguments=HashesArguments,
        run=hash_identify,
        plan=_plan,
        answer=_answer,
        items=_items,
    ),
)
