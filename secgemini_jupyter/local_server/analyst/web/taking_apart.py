"""A URL in its parts, and what is notable about them. Written as browsers read it, not as libraries wish it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import unicodedata
from functools import cache
from typing import Any
from urllib.parse import unquote

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst.web.lookalikes import imitation, latin, scripts

MAX_URL = 8_000
MAX_FIELDS = 100

_PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "ws": 80, "wss": 443}
_SHORTENERS = frozenset(
    "bit.ly t.co goo.gl tinyurl.com ow.ly is.gd buff.ly cutt.ly rb.gy shorturl.at rebrand.ly t.ly s.id "
    "lnkd.in tiny.cc bl.ink v.gd qrco.de adf.ly soo.gd urlz.fr dub.sh aka.ms trib.al".split()
)
_REDIRECTS = re.compile(
    r"(?i)^(?:url|u|uri|redirect|redirect_?ur[il]|redir|return|return_?(?:to|url)|next|dest(?:ination)?"
    r"|target|goto"
    r"|link|continue|forward|out|to|r|q|callback|ref|service|image_url|go)$"
)
_EXPECTED = re.compile(r"(?i)redirect_ur[il]|callback|service|ref|q|r|to|u")
"""Of these, logins and searches make ordinary use."""
_PROGRAMS = re.compile(
    r"(?i)\.(exe|scr|com|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|msi|msix|appx"
    r"|lnk|iso|img|vhd|jar|dll|cpl|chm|apk|dmg|pkg|sh|elf|one|xll|docm|xlsm|pptm)$"
)
_WORDS = re.compile(
    r"(?i)(?<![a-z])(login|log-?on|sign-?in|verify|verification|secure|account|update|confirm|password|passwd|wallet|banking|invoice"
    r"|payment|unlock|suspend(?:ed)?|webscr|authenticate|recover|credential|mfa|2fa|otp)(?![a-z])"
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)


@cache
def _suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


@cache
def _icann_list() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=True, accept_unknown=False)


def take_apart(given: str) -> dict[str, Any]:
    """The parts of a URL or host name, and findings; never raises for what is in it."""
    text = indicators.refang(given.strip()[:MAX_URL])
    findings: list[dict[str, Any]] = []
    result: dict[str, Any] = {
        "given": given[:MAX_URL],
        "url": text,
        "findings": findings,
        "imitates": None,
        "is_shortener": False,
    }
    if _INVISIBLE.search(text):
        _add(findings, "It holds characters that nobody sees (zero-width or direction marks)")
        text = _INVISIBLE.sub("", text)
    scheme, colon, rest = text.partition(":")
    if (
        not colon
        or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme)
        or (re.match(r"\d{1,5}(?:[/?#]|$)", rest) and "." in scheme)
    ):
        scheme, rest = "", "//" + text
    scheme = scheme.lower()
    result["scheme"] = scheme
    if scheme in ("javascript", "vbscript", "data"):
        return result | _script(scheme, rest, findings)
    if scheme and not rest.startswith(("/", "\\")):
        _add(findings, "It is no address of a host")
        return result | {"host": "", "registered": "", "path": rest[:2_000]}
    if "\\" in rest:
        _add(findings, "A backslash stands in it: browsers read it as a slash, other programs do not", strong=True)
        rest = rest.replace("\\", "/")
    rest = rest.lstrip("/")
    authority = re.match(r"[^/?#]*", rest).group()  # type: ignore[union-attr]
    behind = rest[len(authority) :]
    path, _, fragment = behind.partition("#")
    path, _, query = path.partition("?")
    user, at, host_port = authority.rpartition("@")
    if at:
        _userinfo(user, host_port, findings)
    host, port = _host_port(host_port)
    result |= {
        "userinfo": bool(at),
        "port": port,
        "path": path[:2_000],
        "query": _fields(query),
        "fragment": fragment[:2_000],
    }
    result |= _host(host, findings)
    if port is not None and port != _PORTS.get(scheme):
        _add(findings, "The port is not the usual one", str(port))
    _path(result, text, findings)
    _fields_told(result, findings)
    if scheme == "http" and _WORDS.search(path + query):
        _add(findings, "What is typed there goes unencrypted (http)")
    return result


def _add(findings: list[dict[str, Any]], text: str, value: object = "", *, strong: bool = False) -> None:
    findings.append({"text": text, "value": str(value)[:500], "strong": strong})


def _script(scheme: str, rest: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    plain = unquote(rest[:MAX_URL])
    if scheme == "data":
        head, _, body = rest.partition(",")
        kind = head.partition(";")[0] or "text/plain"
        _add(
            findings,
            "It carries its own content instead of naming a place, of type",
            kind,
            strong="html" in kind or "script" in kind,
        )
        plain = unquote(body)
        if head.lower().endswith(";base64") and (raw := _base64(body)):
            plain = raw
        if inner := [i.value for i in indicators.extract(plain[:20_000]) if i.type == "url"]:
            _add(findings, "Its content names", ", ".join(inner[:5]))
    else:
        _add(findings, f"It is a script that the browser runs ({scheme}:), no address", strong=True)
    return {"host": "", "registered": "", "path": "", "content": plain[:1_000]}


def _userinfo(user: str, host: str, findings: list[dict[str, Any]]) -> None:
    name, colon, _ = user.partition(":")
    looks_like_host = re.search(r"[\w-]\.[a-z]{2,}|^https?", unquote(name).lower())
    if looks_like_host:
        told = "What stands before the @ only looks like the host: the browser goes to what stands behind it"
        _add(findings, told, f"{unquote(name)[:120]} @ {host[:120]}", strong=True)
    else:
        _add(findings, "It holds a user name" + (" and a password" if colon else ""), name)


def _host_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
    return host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None


def _host(host: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    plain = unquote(host) if "%" in host else host
    if plain != host:
        _add(findings, "The host is percent-encoded, which hides it from a quick look", strong=True)
    plain = re.sub("[。．｡]", ".", unicodedata.normalize("NFKC", plain)).lower()
    result: dict[str, Any] = {
        "host": plain,
        "host_ascii": plain,
        "registered": "",
        "suffix": "",
        "subdomain": "",
        "ip": None,
    }
    if (found := _address(plain)) is not None:
        address, how = found
        result["ip"] = str(address)
        _add(findings, "The host is an IP address, not a name", str(address), strong=False)
        if how:
            _add(findings, f"The address is written as {how}, which hides it: it is", str(address), strong=True)
        if flags := indicators.address_flags(str(address)):
            _add(findings, f"The address is special: {', '.join(flags).replace('_', '-')}")
        return result
    plain = plain.rstrip(".")
    unicode_name = ".".join(_decoded(label) for label in plain.split("."))
    ascii_name = ".".join(_encoded(label) for label in plain.split("."))
    result |= {"host": unicode_name, "host_ascii": ascii_name}
    suffix = _icann_list().publicsuffix(ascii_name) or ""
    registered = _icann_list().privatesuffix(ascii_name) or ""
    if not registered:
        if plain.endswith(".onion"):
            _add(findings, "It is an onion service: reachable through Tor only")
        elif "." in plain and not suffix:
            _add(findings, "Its last label is no registered top-level domain", plain.rpartition(".")[2])
        return result
    subdomain = ascii_name[: -len(registered)].rstrip(".")
    shown = ".".join(_decoded(label) for label in registered.split("."))
    result |= {"registered": registered, "registered_unicode": shown, "suffix": suffix, "subdomain": subdomain}
    _names(result, ascii_name, unicode_name, findings)
    return result


def _names(result: dict[str, Any], ascii_name: str, unicode_name: str, findings: list[dict[str, Any]]) -> None:
    shown, suffix = result["registered_unicode"], result["suffix"]
    hosting = _suffix_list().publicsuffix(ascii_name) or ""
    tenant = ""
    if hosting and hosting != suffix and ascii_name != hosting:
        tenant = (_suffix_list().privatesuffix(ascii_name) or "").removesuffix("." + hosting)
        _add(findings, "Anybody can get a name below this domain: who runs the page is not its owner", hosting)
    if not unicode_name.isascii():
        of = scripts(shown.removesuffix(suffix) if not shown.isascii() else unicode_name.removesuffix(suffix))
        told = "The name has letters beyond ASCII, in the script" + ("s " if len(of) > 1 else " ") + ", ".join(of)
        _add(findings, told, f"{unicode_name} = {ascii_name}")
        if any(len(mixed := scripts(label)) > 1 and "Latin" in mixed for label in unicode_name.split(".")):
            _add(findings, "One label mixes scripts, as no ordinary name does", strong=True)
        if (looks := latin(unicode_name)) != unicode_name and looks.isascii():
            _add(findings, "To the eye it is", looks)
    found = imitation(shown, suffix, result["subdomain"])
    if tenant and not found:
        found = imitation(f"{tenant}.{hosting}", hosting, "")
    if found:
        result["imitates"] = found
    result["is_shortener"] = shown in _SHORTENERS
    if ascii_name.count(".") >= 5:
        _add(findings, "The host has many labels, which pushes the real domain out of sight", ascii_name.count(".") + 1)
    if len(max(ascii_name.split("."), key=len)) > 40:
        _add(findings, "A label is very long")
    if suffix in ("zip", "mov", "app", "exe"):
        _add(findings, "The top-level domain looks like a file's ending", "." + suffix)


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        text = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label
    return text if text and all(c.isprintable() and not c.isspace() for c in text) else label


def _encoded(label: str) -> str:
    if label.isascii():
        return label
    try:
        return "xn--" + label.encode("punycode").decode("ascii")
    except (UnicodeError, ValueError):
        return label


def _address(host: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str] | None:
    """An IP address as browsers read it, and how it is disguised: `0x7f.1` is 127.0.0.1."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]), ""
    except ValueError:
        pass
    parts = host.rstrip(".").split(".")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch(r"0[xX][0-9a-fA-F]{0,16}|\d{1,20}", part) for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
        value = numbers[-1]
        if any(number > 255 for number in numbers[:-1]) or value >= 256 ** (5 - len(parts)):
            return None
        for place, number in enumerate(numbers[:-1]):
            value += number << 8 * (3 - place)
        address = ipaddress.IPv4Address(value)
    except ValueError:
        return None
    kinds = [name for name, is_so in (
        ("hexadecimal", any(part.lower().startswith("0x") for part in parts)),
        ("octal", any(len(part) > 1 and part[0] == "0" and part[1:2].lower() != "x" for part in parts)),
        (f"{'a single number' if len(parts) == 1 else 'fewer than four numbers'}", len(parts) < 4),
    ) if is_so]  # fmt: skip
    return address, " and ".join(kinds)


def _number(part: str) -> int:
    if part.lower().startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if len(part) > 1 and part[0] == "0" else int(part)


def _fields(query: str) -> list[dict[str, str]]:
    pairs = (pair.partition("=") for pair in re.split("[&;]", query[:MAX_URL])[:MAX_FIELDS] if pair)
    return [
        {"name": unquote(name)[:200], "value": unquote(value.replace("+", " "))[:2_000]} for name, _, value in pairs
    ]


def _path(result: dict[str, Any], text: str, findings: list[dict[str, Any]]) -> None:
    plain = unquote(result["path"])
    if re.search(r"%25[0-9A-Fa-f]{2}", text):
        _add(findings, "It is percent-encoded twice, as filters are evaded", strong=True)
    if _PROGRAMS.search(plain):
        double = re.search(r"(?i)\.(?:pdf|docx?|xlsx?|jpe?g|png|txt|mp[34])\.\w+$", plain)
        _add(
            findings,
            "It names a file that can run" + (", behind a harmless-looking ending" if double else ""),
            plain.rpartition("/")[2],
            strong=bool(double),
        )
    if "/../" in plain or "..\\" in plain:
        _add(findings, "Its path climbs up (`..`)")
    if words := list(dict.fromkeys(word.lower() for word in _WORDS.findall(plain + " " + result["host"]))):
        _add(findings, "Words that such pages use", ", ".join(words[:6]))
    if "//" in plain.lstrip("/") and re.search(r"//[\w-]+\.[\w.-]+", plain):
        _add(findings, "Another address stands in its path", plain[:200])
    if not result["imitates"] and result["registered"]:
        from secgemini_jupyter.local_server.analyst.web.brands import MEANINGS, brands, owned

        segments = re.split(r"[^a-z0-9]+", plain.lower())
        named = next((s for s in segments if len(s) > 3 and s in brands() and s not in MEANINGS), None)
        if named and result["registered"] not in owned():
            _add(findings, "A well-known name stands in the path alone, not in the domain", brands()[named][0])


def _fields_told(result: dict[str, Any], findings: list[dict[str, Any]]) -> None:
    for field in [*result["query"], {"name": "#", "value": unquote(result["fragment"])}]:
        value, name = field["value"], field["name"]
        where = (
            "Its fragment"
            if name == "#"
            else f"The parameter `{name}`"
            if re.fullmatch(r"[\w.-]{1,40}", name)
            else "A parameter"
        )
        if target := re.match(r"(?i)\s*(?:https?:)?(?:%2f|/|\\){2}([^/?#\s\\]+)", unquote(value)):
            host = target[1].rpartition("@")[2].partition(":")[0].lower()
            own = result["registered"]
            if "." in host and not (own and (host == own or host.endswith("." + own))):
                redirect = " like a redirection's" if _REDIRECTS.match(name) else ""
                _add(
                    findings,
                    f"{where} holds another address{redirect}",
                    value[:300],
                    strong=bool(redirect) and not _EXPECTED.match(name),
                )
        elif (plain := _base64(value)) and re.search(r"[\w.+-]@[\w-]+\.|https?:|^[\s\w.,:;@/{}\"'-]{6,}$", plain):
            _add(findings, f"{where} is base64 of", plain[:300])
        elif re.search(r"[\w.+-]{1,64}@[\w-]{1,63}\.\w", value[:500]):
            _add(findings, f"{where} holds a mail address", value[:200])


def _base64(text: str) -> str | None:
    plain = text.strip().rstrip("=")
    if len(plain) < 8 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", plain) or len(plain) % 4 == 1 or plain.isdigit():
        return None
    try:
        raw = base64.b64decode(plain.translate(str.maketrans("-_", "+/")) + "=" * (-len(plain) % 4))
        decoded = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return decoded if decoded and all(c.isprintable() or c in "\r\n\t" for c in decoded) and decoded.isascii() else None
