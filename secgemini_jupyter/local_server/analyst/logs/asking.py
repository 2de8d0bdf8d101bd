"""Whether a prompt asks something of a log that can become a query. The server decides this: by the words alone."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.logs.roles import ROLES
from secgemini_jupyter.local_server.analyst.logs.words import (
    BLOCKED,
    ENGLISH,
    ERRORS,
    FAILED,
    LOGIN_NOUNS,
    ROWS,
    SUCCEEDED,
    singular,
    tokens_of,
)
from secgemini_jupyter.local_server.analyst.tool import Request

_STRONG = (
    r"\bhow (?:many|much|often)\b|\bnumber of\b|\bcount\b|\btop\b|\bmost\b|\bleast\b|\brarest\b|\brare\b"
    r"|\bfewest\b|\bbusiest\b|\blongest\b"
    r"|\bshortest\b|\blargest\b|\bbiggest\b|\bsmallest\b|\bslowest\b|\bhighest\b|\blowest\b|\bfirst\b|\blast\b"
    r"|\blatest\b|\bearliest\b|\boldest\b|\bnewest\b"
    r"|\bmost recent\b|\bbetween .{1,40}\band\b|\b(?:per|by|each|for each|for every|every) (?!_)[\w.]+|\baverage\b"
    r"|\bmean\b|\bmedian\b|\bshare of\b|\bpercent(?:age)?\b|\bproportion\b"
    r"|\bsum\b|\btotal\b|\bmax(?:imum)?\b|\bmin(?:imum)?\b"
    r"|\bdistinct\b|\bunique\b|\b(?:more|less|fewer|longer|larger|greater|bigger|smaller) than\b|\bat least \d"
    r"|\b(?:over|above|under|below) \d|[<>]=? ?\d|\bover time\b"
    r"|\bcontain(?:s|ing)?\b|\bwhen (?:was|were|did|is|has)\b|\bwhat time\b|\bhourly\b|\bdaily\b|\bstatus codes?\b"
    r"|\bmention(?:s|ing)\b"
    r"|\bwhat (?:did|was|has) [\w.:-]+ (?:do|doing|done|request|access|download|quer)|\bwhat did\b"
)
_WEAK = (
    r"\bwho\b|\bwhich\b|\bwhat\b|\bwhose\b|\bwhere\b|\blist\b|\bshow\b|\bfind\b|\bgive\b|\bget\b|\bfilter\b"
    r"|\bdid\b|\bdoes\b|\bis there\b|\bare there\b|\bany\b|\ball\b|\bonly\b|\bfrom\b|\bsearch\b|\bdisplay\b"
    r"|\bwith\b|\bwas\b|\bwere\b|\bhas\b|\bhave\b|\bafter\b|\bbefore\b|\bsince\b"
)
_OTHER = (
    r"\bextract\b|\bpull\b|\bcve-\d|\bcwe-?\d|\bt\d{4}\b|\bcvss\b|\biocs?\b|\bindicators?\b|\bde-?fang|\bre-?fang|\bdecod|\bdeobfus"
    r"|\bmitigat|\btechniques?\b|\btactics?\b|\bapt\d*\b|\bgroup is\b"
    r"|\bthreat (?:actor|group)|\battack\b.{0,12}\btechnique|\bjwt\b|\bcertificate is\b|\bphish|\byara\b|\bsigma\b"
    r"|\bdata version|\bfields? (?:does|do|are|has|have)\b"
    r"|\b(?:which|what|list|show)(?: the)?(?: all)? (?:fields|columns)\b|\bschema\b|\bsample\b|\bfirst (?:rows"
    r"|lines)\b"
    r"|\b(?:hash\w*|md5s?|sha\w*)\b.{0,40}\b(?:executables?|programs?|binar(?:y|ies)|downloads?|file|attachment)\b"
)
_KNOWLEDGE = (
    r"^\W*(?:what(?:'?s| is| are)|explain|define) (?:an? )?(?:sql|path|directory|command|code|shell)?[ -]?"
    r"(?:injections?|traversals?|xss|sqli|log4shell)\W*$"
)
SUMMARY = (
    r"\bsummar|\boverview|\bwhat happened|\bodd\b|\bunusual|\banomal|\bstand(?:s|ing)? out|\bstatistics\b|\btriage"
    r"|\banaly[sz]e|\bsuspicious"
    r"|\bexplain|\blook (?:at|into)|\bweird\b|\bstrange\b|\binteresting"
)
_LOGIN_WORDS = frozenset(
    "login logon sign signed logged logging log in on brute force bruteforce forced forcing password guess "
    "guessing guessed spray "
    "spraying sudo ssh kerberos new user username account created auth authenticate authenticated authentication "
    "via success "
    "failure attempt timeline anyone anybody someone somebody successfully then after afterwards add added root? "
    "tell "
    "read logs hash sha256 sha1 md5 credential stuffing "
    "attacker attack compromise compromised".split()
)
_SPECIFIC = (
    r"\bhow (?:many|much|often)\b|\bnumber of\b|\bcount\b|\btop\b|\bmost\b|\bleast\b|\bfirst\b|\blast\b|\blatest\b"
    r"|\bearliest\b|\bbetween\b|\bper (?!_)|\bfor each\b"
    r"|\b(?:by|each|every) (?:source|ip|host|hour|day|user|minute|address)|\bmore than\b|\bat least\b|\bwhen\b"
    r"|\bnever\b|\bbut\b|\bshare\b|\bpercent|\bproportion\b"
    r"|\bmidnight\b|\bbefore\b|\bsince\b|\buntil\b|\bafter \d|\bbusiest\b|\bdistinct\b|\bunique\b|(?<!\w)\d"
)
_NOUNS = frozenset(
    {singular(word) for said, _ in ROLES.values() for phrase in said for word in phrase.split()}
    | {singular(word) for word in ROWS | FAILED | SUCCEEDED | BLOCKED | ERRORS | LOGIN_NOUNS}
    | set("byte traffic data agent get post put delete head options tcp udp icmp dns http https tls ssl ssh smtp "
    "browser log csv sudo injection traversal xss sqli scanner log4shell "
          "executable exe nxdomain mb kb gb file download downloaded upload uploaded logged".split())
) - {"who"}  # fmt: skip


def is_question(request: Request) -> bool:
    """Whether the user asks for rows, counts or values of a log."""
    if request.asks(_OTHER) or request.asks(_KNOWLEDGE):
        return False
    if request.asks(_STRONG):
        return True
    tokens = tokens_of(request.words)
    named = any(
        singular(token.low) in _NOUNS
        or token.text.startswith("/")
        or token.kind in ("address", "number", "quoted", "time", "when", "date")
        for token in tokens
    )
    is_of_outcomes = any(token.low in FAILED | SUCCEEDED | BLOCKED for token in tokens) and len(tokens) <= 14
    return named and (request.asks(_WEAK) or is_of_outcomes or len(tokens) <= 6) and not _is_summary_alone(request)


def _is_summary_alone(request: Request) -> bool:
    return request.asks(SUMMARY)


LOGINS = (
    r"\b(?:log(?:ged|s|ging)?|sign(?:ed|s)?)[ -]?(?:in|on)s?\b|\blog[io]ns?\b|\blogons?\b|\bauth(?:enticat\w*)?\b"
    r"|\bwho (?:has )?failed\b|\bbrute[- ]?forc|\bfailed (?:log|pass|att|auth)|\bsudo\b|\bnew users?\b"
    r"|\bpassword (?:guess|spray)|\bkerberos\b|\bssh\b"
)


def _asks_for_one_kind(request: Request) -> bool:
    """Whether only uses of sudo, or only new users, are asked for, of logs whose lines name them."""
    logs = request.fitting(lambda each: each.is_log)
    kinds = [request.asks(r"\bsudo\b"), request.asks(r"\b(?:users?|accounts?)\b")]
    others = request.asks(r"\blog|\bfail|\bssh\b|\bauth|\bsign|\bpassword|\bbrute|\bsucc|\bthen\b|\battack|\bcompromis")
    return len(logs) > 0 and all(each.kind == "log/syslog" for each in logs) and kinds.count(True) == 1 and not others


def is_about_logins_alone(request: Request) -> bool:
    """Whether a prompt about logins asks for all of them: no time, no number, and nobody by name."""
    if request.asks(_SPECIFIC) or not request.asks(LOGINS) or _asks_for_one_kind(request):
        return False
    nouns = {singular(word) for said, _ in ROLES.values() for phrase in said for word in phrase.split()}
    known = _LOGIN_WORDS | nouns | {singular(word) for word in FAILED | SUCCEEDED | LOGIN_NOUNS | ROWS} | ENGLISH
    return all(
        token.low in known or singular(token.low) in known or token.low in FAILED | SUCCEEDED
        for token in tokens_of(request.words)
        if token.kind == "word" and re.search(r"\w", token.text) and token.text != "_"
    ) and not any(
        token.kind in ("quoted", "address", "number", "time", "date", "when") for token in tokens_of(request.words)
    )
