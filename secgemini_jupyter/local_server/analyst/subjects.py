# ruff: noqa: E501  # patterns and sentences are read as a whole
"""What kind of thing a prompt is about, and which attachments are of that kind: by their bytes, not by their names.

"Is the docx dangerous?" is about the one document of five attachments, "how many failed logins?" about no program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from secgemini_jupyter.local_server.analyst.logs.asking import LOGINS, is_question
from secgemini_jupyter.local_server.analyst.parts import named_parts
from secgemini_jupyter.local_server.analyst.text import code, count
from secgemini_jupyter.local_server.analyst.tool import Attached, Request

_NO_FILE = (
    r"(?![- ](?:servers?|gateways?|address\w*|users?|clients?|traffic|hosts?|domains?|tables?|headers?|bombs?)\b)"
)


@dataclass(frozen=True)
class Subject:
    """A kind of thing.

    Attributes:
        called: "a log".
        kinds: how the kinds of such attachments begin.
        nouns: what people call it: "the docx".
        asked: what can be asked of such a thing alone.
        holders: further kinds that may hold what is asked for.
    """

    called: str
    kinds: tuple[str, ...]
    nouns: str
    asked: str
    holders: tuple[str, ...] = ()

    def fits(self, each: Attached) -> bool:
        return each.kind.startswith(self.kinds)

    def may_fit(self, each: Attached) -> bool:
        return each.kind.startswith((*self.kinds, *self.holders))


_PROGRAM = Subject(
    "a program",
    ("executable/",),
    r"exe|executable|binary|dll|elf|program",
    r"\bimphash\b|\bimport table\b|\bpacked\b|\bsections\b|\bwhen was (?:it|this) compiled\b|\bcompile (?:time|date)\b",
)
_MAIL = Subject(
    "an e-mail",
    ("email",),
    r"e-?mail|mail|eml|message",
    r"\bwho sent\b|\b(?:the|which) sender\b|\bsubject(?: line)?\b|\bspf\b|\bdkim\b|\bdmarc\b|\breply-?to\b"
    r"|\breturn-?path\b|\bhops\b|\b(?:this|the|that) e?-?mail\b",
    ("document/ole", "text"),
)
_DOCUMENT = Subject(
    "a document", ("document/",), r"document|office (?:file|document)",
    r"\bmacros?\b|\bvba\b|\bdde\b|\bhow many pages\b", ("text",),
)  # fmt: skip
_LOG = Subject(
    "a log",
    ("log/",),
    r"(?:\w+ )?logs?",
    rf"{LOGINS}|\b(?:failed|denied|blocked|allowed|rejected|dropped)\b|\brows?\b|\bconnections?\b|\brequests?\b|\bevents?\b"
    r"|\btop (?:\d+ )?(?:\w+ )?(?:ips?|ports?|users?|hosts?|domains?|sources?|destinations?|urls?|agents?|talkers?)\b"
    r"|\b(?:source|destination|src|dst) (?:ips?|ports?|address)|\bstatus codes?\b"
    r"|\bper (?:hour|day|minute|user|host|ip)\b|\bby bytes\b",
)  # fmt: skip
SUBJECTS = (
    _LOG,
    _MAIL,
    _PROGRAM,
    _DOCUMENT,
    Subject("a file that can be signed", (), "", r"\b(?:is|are) (?:it|this|that|they|_) (?:digitally )?signed\b",
            ("executable/", "email", "x509", "document/", "archive/", "text")),
    Subject("a certificate", ("x509",), r"cert(?:ificate)?", r"\bissuer\b|\bwho issued\b|\bpublic key\b|\bwhen does (?:it|this) expire\b",
            ("executable/", "text", "email")),
    Subject("an archive", ("archive/",), r"archive|zip|tar(?:ball)?", r"\bzip bomb\b|\bpath traversal\b", ("document/", "log/", "text")),
)  # fmt: skip
_BY_EXTENSION = (
    r"\b(?:the|this|that|my|only the|in) (docx?|xls[xm]?|pptx?|pdf|csv|jsonl?|eml|exe|dll|zip|pem|ps1|rtf)\b"
)
_ATTACK = r"\b(?:sub-?)?techniques?\b|\btactics?\b|\bmitigations?\b"
_NAMES = {
    "email": "an e-mail", "x509": "a certificate", "text": "a text", "empty": "an empty file",
    "executable/": "a program", "archive/": "an archive", "document/": "a document", "log/": "a log", "image/": "an image",
}  # fmt: skip


def kind_name(kind: str) -> str:
    """ "executable/pe" → "a program (`pe`)"."""
    for start, name in _NAMES.items():
        if kind.startswith(start):
            detail = kind.partition("/")[2]
            return f"{name} ({code(detail, 60)})" if detail else name
    return f"of the type {code(kind, 60)}"


def described(attachments: Iterable[Attached]) -> str:
    return ", ".join(f"{code(each.name, 100)} is {kind_name(each.kind)}" for each in attachments)


def asked_of(request: Request) -> Subject | None:
    """The kind of thing that alone can be asked so."""
    for subject in SUBJECTS:
        if request.asks(subject.asked) and (subject is not _LOG or is_question(request) or request.asks(LOGINS)):
            return subject
    return None


def about_logs(request: Request) -> bool:
    """Whether words that are said of logs alone are said, with no question: "failed publickey logins of alice"."""
    return request.asks(_LOG.asked)


def meant(request: Request, attachments: Sequence[Attached]) -> list[Attached]:
    """Those that the user means by "the docx", "this mail"; none where nothing of the kind is said."""
    kinds: list[Subject] = [
        each
        for each in SUBJECTS
        if each.nouns and request.asks(rf"\b(?:the|this|that|my) (?:{each.nouns})\b(?!\.\w){_NO_FILE}")
    ]
    endings = {found[1] for found in re.finditer(_BY_EXTENSION, request.words)}
    return [
        each
        for each in attachments
        if any(subject.fits(each) for subject in kinds) or each.name.lower().rpartition(".")[2] in endings
    ]


def narrowed(request: Request) -> Request:
    """The request, about what it means of several attachments."""
    if len(request.attachments) < 2 or request.named() or request.pasted:
        return request
    found = meant(request, request.attachments)
    if not found or len(found) == len(request.attachments):
        return request
    table = request.table if any(each.is_log for each in found) else None
    return replace(request, attachments=found, table=table)


def misfit(request: Request) -> str:
    """That a question does not fit what is attached, where no tool takes it; empty if it may."""
    files = request.named() or list(request.attachments)
    if not files or request.pasted or request.asked_table:
        return ""
    missing = [name for name in named_parts(request) if _IS_FILE.search(name)]
    if missing and not request.named() and not any(_may_hold(each) or each.kind == "email" for each in files):
        return f"No attachment is called {code(missing[0], 120)}. Attached: {described(files[:10])}."
    told = described(files[:3]) + (f" (and {count(len(files) - 3, 'more file')})" if len(files) > 3 else "")
    example = code(f"Triage {files[0].name}", 120)
    if request.asks(_ATTACK) and not request.asks(r"\bt\d{4}|\bta\d{4}"):
        return (
            f"No tool here maps what is in a file to techniques of ATT&CK; techniques are looked up by id or name. "
            f"Attached: {told}. For a first look ask {example}."
        )
    subject = asked_of(request)
    if subject is None or any(subject.may_fit(each) or _may_hold(each) for each in files):
        return ""
    return f"That is a question about {subject.called}, and none is attached: {told}. For a first look ask {example}."


def _may_hold(each: Attached) -> bool:
    return each.kind.startswith("archive/")


_IS_FILE = re.compile(
    r"(?i)\.(?:json|jsonl|csv|tsv|log|txt|md|exe|dll|bin|pdf|docx?|xls[xm]?|pptx?|eml|msg|pem|crt|cer|der|pcap|evtx|gz|tgz|rtf|ps1|vbs|js|ya?ml)$"
)
_MINE = (
    r"^\W*(?:how many|what|which|list|show(?: me)?)\b[^.?!]{0,20}\b(?:attachments|files|evidence)\b"
    r"[^.?!]{0,20}(?:\bdo i have\b|\bhave i\b|\bdid i\b|\bare (?:currently )?attached\b|\b(?:in|of) this session\b|\bi (?:attached|uploaded)\b)"
    r"|^\W*(?:list|show|what are) my (?:attachments|files)\b|^\W*what(?:'s| is) attached\b|^\W*what have i attached\b"
)  # fmt: skip
_WHICH = (
    r"^\W*(?:which|what)(?: one| ones)?(?: of (?:these|those|them|the|my)(?: \d+| two| three| four| five)?)?"
    r"(?: files?| attachments?)? (?:is|are) (?:an? |the )?(executable|program|binary|binarie|exe|pdf|word document|document"
    r"|e-?mail|mail|log|archive|zip|certificate|text)s?\W*$"
)
_ASKED_KINDS = {
    "exe": _PROGRAM, "bin": _PROGRAM, "pro": _PROGRAM, "ema": _MAIL, "e-m": _MAIL, "mai": _MAIL, "log": _LOG, "doc": _DOCUMENT, "wor": _DOCUMENT,
    "pdf": replace(_DOCUMENT, called="a PDF document", kinds=("document/pdf",)),
    "arc": SUBJECTS[-1], "zip": SUBJECTS[-1], "cer": SUBJECTS[-2], "tex": Subject("a text", ("text", "log/"), "", ""),
}  # fmt: skip


def inventory(request: Request) -> str:
    """The answer to a question about the attachments as such: how many, which of them is a program; else empty."""
    files = list(request.attachments)
    if request.pasted or not files or request.named() or len(request.prompt) > 120:
        return ""
    said = request.words
    if len(files) == 1 and files[0].kind == "email" and re.search(r"^\W*what(?:'s| is) attached\b", said):
        return ""  # to the message, rather: what is attached here, who asks it knows
    if re.search(_MINE, said):
        if request.wish.number or (request.wish.one_word and "how many" in said):
            return str(len(files))
        lines = [
            f"- {code(each.name, 200)}: {kind_name(each.kind)}, {count(each.size, 'byte')}" for each in files[:100]
        ]
        return f"**{count(len(files), 'file')}** attached in this session:\n\n" + "\n".join(lines)
    if len(files) < 2 or (found := re.match(_WHICH, said)) is None:
        return ""
    subject = _ASKED_KINDS[found[1][:3]]
    fitting = [each for each in files if subject.fits(each)]
    if request.wish.is_bare and fitting:
        return "\n".join(code(each.name, 200) for each in fitting)
    if not fitting:
        return (
            f"None of the {len(files)} attachments is {subject.called}, by their first bytes: {described(files[:10])}."
        )
    names = ", ".join(f"{code(each.name, 200)} ({code(each.kind, 60)})" for each in fitting[:50])
    return f"**{len(fitting)} of {len(files)}** attachments {'is' if len(fitting) == 1 else 'are'} {subject.called}: {names}, by the first bytes."
