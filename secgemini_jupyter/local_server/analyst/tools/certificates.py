"""x509_inspect: whose a certificate is, by whom, until when, for which names, with what key. Trust is not checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.pki import telling
from secgemini_jupyter.local_server.analyst.pki.armour import objects
from secgemini_jupyter.local_server.analyst.pki.certificates import chain, read
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, FileOrText, Request, Tool, ToolFailure

FOCUSES = tuple("expiry issuer subject names key signature fingerprint usage serial self_signed weaknesses".split())


class CertificateArguments(FileOrText):
    """`focus`: what of it is asked for: expiry, issuer, subject, names, key, signature, fingerprint, usage, …"""

    focus: list[str] = msgspec.field(default_factory=list)


def x509_inspect(arguments: CertificateArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    if unknown := [each for each in arguments.focus if each not in FOCUSES]:
        raise ToolFailure(f"No part of a certificate is called {unknown[0]!r}; there are {', '.join(FOCUSES)}.")
    content = arguments.content(files)
    armoured, omitted = objects(content)
    now = datetime.now(UTC).replace(microsecond=0)
    found = [each for one in armoured for each in read(one, now)]
    if len(found) == 1 and found[0]["kind"] == "unreadable":
        raise ToolFailure(f"No certificate can be read: {found[0]['problem']}.")
    certificates = [
        (one.der, each) for one, each in zip(armoured, found, strict=False) if each["kind"] == "certificate"
    ]
    is_row = len(armoured) == len(found)
    return {
        "source": arguments.source,
        "focus": arguments.focus,
        "now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "objects": found,
        "chain": chain([der for der, _ in certificates], [each for _, each in certificates]) if is_row else [],
        "omitted": omitted,
    }


_FOCUS = {
    "expiry": r"\bexpir\w*|\bvalid(?:ity)?\b|\bhow long\b|\bwhen\b|\bdays?\b|\bstill good\b",
    "issuer": r"\bissuer\b|\bissued by\b|\bwho (?:issued|signed)\b|\bwhich ca\b",
    "subject": r"\bsubject\b|\bwhose\b|\bissued (?:to|for)\b|\bcommon name\b|\bowner\b",
    "names": r"^\W*names?\W*$"
    r"|\bsans?\b|\balternative names?\b|\b(?:which|what) (?:domains?|host ?names?|names?|sites?)\b|\bwildcard",
    "key": r"(?<!private )\bkey\W*$"
    r"|\bkey (?:size|length|type|algorithm)\b|\bpublic key\b|\bcurve\b|\bhow many bits\b|\b(?:which|what) key\b",
    "signature": r"\bsignature algorithm|\bsha-?1\b|\bmd5\b|\bhash algorithm|\bsigned with\b",
    "fingerprint": r"\bfingerprints?\b|\bthumbprints?\b",
    "usage": r"\busage\b|\beku\b|\bpurpose\b|\bused for\b|\bis (?:it|this) a ca\b",
    "serial": r"\bserial\b",
    "self_signed": r"\bself-?\s?signed\b",
    "weaknesses": r"\bweak\w*|\binsecure\b|\bproblems?\b|\bwrong with\b|\bvulnerab\w*",
}
_ASKED = (
    r"\bcert(?:ificate)?s?\b|\bx\.?509\b|\bpem\b|\bder\b|\btls\b|\bssl\b|\bcsr\b|\bca\b|\bchain\b"
    r"|\broot\b|\bp7b\b|\bcrl\b|\bprivate key"
)
_GENERAL = (
    r"\bcheck|\binspect|\banaly[sz]|\bexamin|\binvestigat|\btriage|\blook (?:at|into)|\breview|\bexplain|\bsummar"
    r"|\btell me"
    r"|\bsafe\b|\btrust\w*|\bweak\w*|\bok(?:ay)?\b|\bread\b|\bdecode\b|\bparse\b"
    r"|\bwhat(?:'s| is| are)\b[^.?\n]{0,20}\b(?:this|it|that|_|here|in)\b"
)
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}(?:CERTIFICATE|CERTIFICATE REQUEST|X509 CRL|PKCS7|PUBLIC KEY|PRIVATE KEY)-----"
)


def _plan(request: Request) -> list[Call]:
    focus = [name for name, words in _FOCUS.items() if request.asks(words)]
    asked = {"focus": focus} if focus and not request.asks(r"\bcheck\b|\binspect|\banaly[sz]") else {}
    if shown := _PEM.search(request.prompt[:100_000]):
        if request.asks(r"\b(?:defang|refang|iocs?|hash)\b"):
            return []
        return [Call("x509_inspect", {"text": request.prompt[shown.start() :]} | asked, "read what is pasted")]
    if request.asks(r"\b(?:iocs?|indicators?)\b") or not (focus or request.asks(_ASKED) or request.asks(_GENERAL)):
        return []
    if request.asks(r"\b(?:cwe|cve)-?\d|\bh(?:tt|xx)ps?:") and not request.asks(_ASKED) and not request.named():
        return []
    files = request.fitting(_fits)
    return [
        Call("x509_inspect", {"file": each.name} | asked, f"read the certificate {code(each.name)}") for each in files
    ]


def _fits(each: Attached) -> bool:
    ending = each.name.lower().rpartition(".")[2]
    return each.kind == "x509" or (each.kind == "text" and ending in ("pem", "crt", "cer", "key", "csr", "p7b"))


TOOLS = (
    Tool(
        name="x509_inspect",
        description="Certificates (PEM, DER, PKCS #7), requests, CRLs: subject, issuer, dates, names, key, weaknesses.",
        ability='read a certificate, request or chain, attached or pasted: "Check this certificate"',
        arguments=CertificateArguments,
        run=x509_inspect,
        plan=_plan,
        answer=telling.answer,
        payloads=telling.payloads,
        items=telling.items,
    ),
)
