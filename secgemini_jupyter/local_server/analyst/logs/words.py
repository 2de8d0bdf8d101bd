"""A question as tokens, and the words that questions about logs are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_QUESTION = 600
"""Characters of one question that are read."""

_TOKEN = re.compile(
    r"""
    (?P<quoted>"[^"\n]{1,200}"|'[^'\n]{1,200}'(?![A-Za-z])|`[^`\n]{1,200}`|“[^”\n]{1,200}”)
    |(?P<when>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:\ ?(?:Z|UTC)\b|[+-]\d\d:?\d\d)?)
    |(?P<date>\d{4}-\d\d-\d\d|\d{1,2}/[A-Za-z]{3}/\d{4})(?![\w/])
    |(?P<time>(?:
        (?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:\ ?[ap]m\b)?
        |\d{1,2}\ ?[ap]\.?m\b|\d{1,2}\ ?h\b|\d{1,2}\ ?o'?clock\b
    )(?![:\w]))
    |(?P<address>(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?|(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39})(?![\w.:-]*\w)
    |(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d{1,9})?|\d{1,15}(?:\.\d{1,9})?)
        (?P<unit>\ ?(?:[kmg]i?b|bytes?|seconds?|secs?|minutes?|mins?|hours?|ms|milliseconds?|s)\b)?(?![\w.-]*\w)
    |(?P<operator>>=|<=|!=|<>|==?|>|<)
    |(?P<word>[^\s,;?!()\[\]{}<>="“”`]{1,200})
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass
class Token:
    kind: str
    text: str
    """Without quotes, and without the full stop or the `'s` at a word's end."""
    unit: str = ""
    used: bool = False

    @property
    def low(self) -> str:
        return self.text.lower()

    @property
    def is_literal(self) -> bool:
        """Something that is a value of a log rather than a word of a question."""
        if self.kind in ("quoted", "address", "number"):
            return True
        return (
            self.kind == "word" and bool(re.search(r"[\d@/\\$_]|\w\.\w|\w-\w", self.text)) and self.low not in ENGLISH
        )


def tokens_of(question: str) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(question[:MAX_QUESTION]):
        kind = match.lastgroup or "word"
        kind = "number" if match["number"] else kind
        text = match[0]
        if kind == "quoted":
            text = text[1:-1]
        elif kind == "number":
            found.append(Token(kind, match["number"].replace(",", ""), (match["unit"] or "").strip().lower()))
            continue
        elif kind == "word":
            text = re.sub(r"(?:'s|’s|s')$|[.:]+$|^[.:]+(?=\W|$)", "", text.strip("'’*")) if len(text) > 1 else text
            text = text.rstrip(".:…") if text not in (".", ":") else ""
        if (
            kind == "word"
            and found
            and found[-1].low in ("than", "least", "most")
            and (number := NUMBERS.get(text.lower()))
        ):
            found.append(Token("number", str(number)))
        elif text.strip():
            found.append(Token(kind, text))
    return found


_NO_PLURALS = frozenset("this does was has its yes us https dns sometimes always basis access tls".split())


def singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(?:sses|shes|ches|xes)$", word):
        return word[:-2]
    if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "ysis")) and word not in _NO_PLURALS:
        return word[:-1]
    return word


def spellings(name: str) -> set[tuple[str, ...]]:
    """The ways to say a column's name: `TargetUserName` is also "target user name"."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+", name)
    words = tuple(singular(part.lower()) for part in parts)
    last = tuple(singular(part) for part in re.split(r"[.\s_-]+", name.lower()) if part)
    long = tuple(_LONG_FORMS.get(part, part) for part in last)
    turned = last[::-1] if len(last) == 2 and "byte" in last else ()  # "bytes seen" is `seen_bytes`
    return {each for each in ((singular(name.lower()),), words, last, long, turned) if each and all(each)}


_LONG_FORMS = {
    "len": "length", "addr": "address", "msg": "message", "src": "source", "dst": "destination",
    "dest": "destination", "req": "request",
    "resp": "response", "num": "number", "pkt": "packet", "conn": "connection", "proto": "protocol",
    "cnt": "count", "cert": "certificate",
}  # fmt: skip


FAILED = frozenset("fail failed fails failing failure failures unsuccessful unsuccessfully".split())
SUCCEEDED = frozenset("succeed succeeded succeeds success successes successful successfully worked".split())
BLOCKED = frozenset("block blocked blocks denied deny dropped drop rejected reject refused forbidden".split())
ALLOWED = frozenset("allow allowed permitted permit accepted accept passed".split())
ERRORS = frozenset("error errors".split())
LOGIN_NOUNS = frozenset("login logins logon logons signin signins authentication authentications auth".split())
ROWS = frozenset(
    "row rows line lines entry entries record records event events request requests connection connections session "
    "sessions flow flows hit hits log logs item items attempt attempts transaction transactions visit visits access "
    "accesses message messages times time packet packets alert alerts lookup lookups call calls transfer transfers "
    "download downloads response responses reply replies".split()
)
TIMES = frozenset("time times".split())
COUNTING = frozenset("count counts number numbers amount total totals tally frequency occurrences".split())
MOST = frozenset(
    "most top highest worst busiest biggest common frequent frequently popular often noisiest loudest active".split()
)
LEAST = frozenset("least rarest fewest lowest rare uncommon seldom bottom rarely quietest".split())
FIRST = frozenset("first earliest oldest".split())
LAST = frozenset("last latest newest recent recently final".split())
DISTINCT = frozenset("distinct unique different".split())
PER = frozenset("per by each every".split())
NOT = frozenset("not without except excluding other no non isn't wasn't aren't weren't didn't never".split())
LONG = frozenset("longest slowest".split())
SHORT = frozenset("shortest fastest quickest".split())
LARGE = frozenset("largest biggest heaviest".split())
SMALL = frozenset("smallest".split())
AGGREGATES = {
    "average": "avg", "mean": "avg", "avg": "avg", "sum": "sum", "total": "sum", "maximum": "max", "max": "max",
    "minimum": "min", "min": "min",
}  # fmt: skip
UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 0.0}
BUCKETS = {"second": 19, "minute": 16, "hour": 13, "day": 10, "date": 10, "month": 7}
"""Characters of an ISO time that name it."""
NUMBERS = {
    word: number
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), 1
    )
} | {"once": 1, "twice": 2, "twenty": 20, "fifty": 50, "hundred": 100}  # fmt: skip

ENGLISH = frozenset(
    "anyone anybody someone somebody everyone everybody anything something never both "
    "a an the of in on at to from for with and or is are was were be been being am do does did done has have had "
    "having "
    "this that these those it its there here who whom whose which what when where why how many much me my i you "
    "your we "
    "our us they them their he she his her any all some every each please show list give tell find get display print "
    "count return see let know can could would should will shall may might want need also just only then so than "
    "as by "
    "per if but about into over under out up down off during within between before after since until till made make "
    "makes come came comes go went goes going happen happened happens say says said seen saw appear appeared appears "
    "occur occurred occurs use used uses using try tried tries log logs logged file table data dataset attached "
    "attachment logfile uploaded value values column columns field fields name names named called kind kinds type "
    "types "
    "ip ips address addresses one ones ever exactly now s t again back get got gets me send sends receive receives "
    "look looking time times result results query sql question answer altogether overall entire whole same both own "
    "most order sorted sort ordered descending ascending desc asc respective respectively corresponding grouped "
    "group "
    "broken breakdown distribution together hi hello hey thanks thank ok okay yes ie eg etc vs compared via through "
    "e.g i.e id that's what's who's it's there's i'd i'm code codes number more less fewer many equal equals "
    "containing contains contain including include like match matching matches where having first last top "
    "vs versus actually really currently total totals mention mentions mentioning talk talked talks talking served "
    "serve "
    "serves accessed visited visit "
    "requested connected connect connects queried made seen caused cause produced generated involving involved "
    "involve observed "
    "detected responded returned return returning ended reached opened reach contacted contact came coming "
    "against towards toward "
    "begin began begins start started starts ends resulted resulting show shows showing logged recorded belong "
    "belonging "
    "select rank ranked ranking pair pairs combination combinations too "
    "present exist exists existing happening respond issued issue performed perform executed run ran please "
    "could".split()
)
"""Words that carry no meaning of their own for a query; any other one that is not used is told."""

MEASURES = {
    "packets": "packet packets pkts".split(),
    "bytes": "bytes byte data traffic volume bandwidth size kb mb gb kilobytes megabytes payload transferred".split(),
    "received": "downloaded download downloading received receive receives incoming inbound fetched".split(),
    "sent": "uploaded upload uploading sent send sends sending transmitted outgoing outbound exfiltrated".split(),
    "duration": "duration durations long longest shortest longer shorter slowest slow fastest lasted elapsed "
    "latency".split(),
}
MEASURE_OF = {word: kind for kind, said in MEASURES.items() for word in said}
