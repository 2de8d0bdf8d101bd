"""What a prompt asks of ATT&CK: which entries, and what about each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from secgemini_jupyter.local_server.analyst.data.asking import questions
from secgemini_jupyter.local_server.analyst.data.attack import IDS, is_known, names, normal_id, older_tactics
from secgemini_jupyter.local_server.analyst.data.names import normal
from secgemini_jupyter.local_server.analyst.tool import Request
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND

_OTHER_WORK = rf"{FIND}|\b(?:de|re)fang|\biocs?\b|\bindicators?\b|\bhashes\b|^hash\b|\bhash of\b|\bdecode\b"
_FRAME = (
    r"\bmitre\b|\batt&?ck\b|\b(?:sub-?)?techniques?\b|\btactics?\b|\bthreat (?:actor|group)s?\b|\bapts?\b|\bttps?\b"
)
_USE = r"(?:us(?:e|es|ed|ing)|abus(?:e|es|ed|ing)|employ\w*|leverag\w*)"
_TO_USE = r"(?:use|abuse|employ|leverage)"
_X = r"(?P<x>[^\n]{2,120})$"
_VERB = r"(?:is|are|'?s|was)"

#: What is asked, the words that ask it, where its subject stands. The first that fits counts.
_ABOUT: Sequence[tuple[str, str, Sequence[str]]] = (
    ("mitigations", r"\bmitigat|\bcounter-?measures?\b",
     [rf"\bmitigat\w*\s+(?:(?:are\s+there\s+)?(?:for|against|of)\s+)?{_X}",
      rf"\bcounter-?measures?\s+(?:are\s+there\s+)?(?:for|against|to|of)\s+{_X}",
      r"^(?:how\s+(?:is|are|can|do|to)\s+(?:i\s+|we\s+)?)?(?P<x>.{2,100}?)\s+(?:be\s+)?mitigated\b"]),
    ("mitigations", r"\bprevent|\bprotect|\bdefend|\bdefen[cs]es?\s+against\b|\bstop\b|\bhardening\b",
     [rf"\b(?:prevent\w*|stop)\s+{_X}",
      rf"\b(?:protect\w*|defend\w*|defen[cs]es?|hardening)\s+(?:\w+\s+)?against\s+{_X}"]),
    ("detection", r"\bdetect|\bhunt\b|\bhunting\b|\bspot\b|\blog sources?\b",
     [rf"\b(?:detect\w*|spot|hunt\w*|log sources?)\s+(?:(?:strateg\w+\s+)?(?:of|for)\s+)?{_X}"]),
    ("subtechniques", r"\bsub-?techniques?\s+(?:of|for|under|does|are)\b|\bsub-?techniques\b",
     [rf"\bsub-?techniques?\s+(?:of|for|under|does)\s+{_X}"]),
    ("status",
     r"\bvalid\b|\brevoked\b|\bdeprecated\b|\breplac|\bsuperse|\bcurrent\b|\bexists?\b|\bup to date\b|\bobsolete\b",
     [rf"\breplac\w*\s+{_X}", rf"^(?:{_VERB})\s+(?P<x>.{{2,80}}?)\s+(?:still|valid|revoked|deprecated|current)\b"]),
    ("tactics", r"\b(?:what|which|whose|list|show|the)\s+tactics?\b|^tactics?\s+(?:of|for)\b",
     [rf"\btactics?\s+(?:of|for|does|is|are|has)\s+(?:technique\s+)?{_X}"]),
    ("campaigns", r"\bcampaigns?\b",
     [rf"\bcampaigns?\s+(?:are\s+|is\s+)?(?:attributed\s+to|of|by|from|with|{_USE})\s+{_X}"]),
    ("record", r"\balias(?:es)?\b|\bother names?\b|\balso (?:known|called)\b|\baka\b|\bknown as\b|\bsame as\b",
     [r"\b(?:alias(?:es)?|names?)\s+(?:of|for|does)\s+(?P<x>[^\n]{2,80}?)(?:\s+(?:have|go by))?$",
      rf"^(?:(?:who|what)\s+)?(?:{_VERB})\s+(?P<x>.{{2,80}}?)\s+(?:also\s+|otherwise\s+)?(?:known|called|aka)\b",
      r"^is\s+(?P<x>.{2,100})$"]),
    ("groups",
     rf"\bwhich of (?:them|these|those)\b.{{0,20}}\b{_USE}\s"
     rf"|\b(?:who|groups?|actors?|apts?|adversar\w+)\s+(?:(?:that|which|can|also|have|has|are|is)\s+){{0,2}}{_USE}\s"
     r"|\bused by (?:which|what|whom)\b",
     [rf"\b{_USE}\s+{_X}", r"^(?:is\s+|are\s+)?(?P<x>.{2,80}?)\s+used by\b"]),
    ("software", rf"\b(?:software|malware|tools?|implants?)\b.{{0,40}}\b(?:{_USE}|of|by)\b",
     [rf"\b(?:does|do|did|has|have)\s+(?P<x>.{{2,80}}?)\s+{_TO_USE}", rf"\b(?:{_USE}\s+by|of|by)\s+{_X}",
      rf"\b{_USE}\s+{_X}"]),
    ("techniques", r"\btechniques?\b.{0,40}\b(?:of|by|in|under|for|does|do|belong\w*|use)\b|\bttps?\b",
     [rf"\b(?:does|do|did|has|have)\s+(?P<x>.{{2,80}}?)\s+{_TO_USE}",
      rf"\b(?:techniques?|ttps?)\s+(?:are\s+)?(?:(?:used|belong\w*|listed)\s+)?(?:of|by|in|under|to|for)\s+(?:the\s+)?(?:tactics?\s+)?{_X}"]),
    ("uses", rf"\bdo(?:es)?\s+.{{2,80}}?\s+{_TO_USE}\b", [rf"\bdo(?:es)?\s+(?P<x>.{{2,80}}?)\s+{_TO_USE}\b"]),
)  # fmt: skip
_STRONG = {"mitigations": r"\bmitigat", "groups": r"\bgroups?\b|\bactors?\b|\bapts?\b", "subtechniques": r".",
           "tactics": r".", "techniques": r"\btechniques?\b|\bttps?\b"}  # fmt: skip
"""Words with which a question is one for ATT&CK, also where its subject is not known there."""
_IS = re.compile(
    rf"^(?:(?:describe|explain|what\s*(?:{_VERB}))?\s*(?:the\s+)?differences?\s+between"
    rf"|(?:what|who|whom)\s*(?:{_VERB})|tell me (?:more )?(?:about|abt)|explain|describe|define|what do you know about"
    rf"|(?:which|what)\s+(?:[\w-]+\s+){{0,2}}?(?:groups?|actors?|apts?|malware|software|tools?|techniques?|tactics?)\s+(?:{_VERB})"
    rf"|info(?:rmation)?\s+(?:on|about)|look\s?up|compare|(?:mitre|att&?ck)\b(?:\s+\w+){{0,2}}?\s+(?:for|of|is)"
    rf"|.{{0,40}}\btechniques?\s+(?:id\s+)?(?:for|of|is\s+used\s+(?:for|to)|is|covers|called|named)|.{{0,40}}\batt&?ck\s+(?:\w+\s+)?(?:for|of))\s+{_X}",
    re.IGNORECASE,
)
_NAMING = re.compile(
    rf"^(?i:who\s*(?:{_VERB})|(?:which|what)\s+(?:\w+\s+)?(?:group|actor|apt)\s+(?:{_VERB}))\s+(?P<x>[A-Z][\w-]*(?:\s+[A-Z][\w-]*){{0,3}})$"
)
_BEFORE = re.compile(
    r"^(?:(?:the\s+)?(?:id|number|name)\s+(?:of|for)\s+)?(?:the\s+)?(?:(?:att&?ck|mitre)\s+)?(?:(?:group|actor|malware|software|tool|technique|tactic)\s+)?",
    re.IGNORECASE,
)
_QUOTES = " \"'“”`."
_MAP = re.compile(r"^map\s+(?P<x>.{2,80}?)\s+to\s+(?:mitre|att&?ck)\b", re.IGNORECASE)
_TRAILING = re.compile(
    r"\s(mitigations?|detections?|groups|software|malware|tools|techniques|ttps|campaigns|sub-?techniques|tactics?)$",
    re.IGNORECASE,
)
_NOUNS = {
    "detection": "detection",
    "software": "software",
    "malware": "software",
    "tool": "software",
    "ttp": "techniques",
    "actor": "groups",
}
_ONES = {"software": "software", "id": "id", "parent": "parent"}
_NOUN = re.compile(
    r"(?:(?:and|also|then|what about|how about|what|which|whose|list|show|give|tell|me"
    r"|is|are|its?|their|the|any|all|how many|other|known)\s+)*"
    r"(?P<noun>mitigations?|detections?|groups?|actors|software|malware|tools|techniques|ttps|campaigns?|sub-?techniques|tactics?"
    r"|platforms?|parent|ids?)(?:\s+(?:of it|are there|is that|is it|does it (?:run on|have|belong to)))?$",
    re.IGNORECASE,
)
_BOTH_SIDES = ("mitigations", "detection")
ALL = "ATT&CK"
"""The subject of a question about the whole of it."""
_WHOLE = re.compile(
    r"^(?:(?:please\s+)?(?:list|show|name|give)(?:\s+me)?|what|which)\s+(?:are\s+)?(?:all\s+)?(?:of\s+)?(?:the\s+)?"
    r"(?:\w+\s+)?(?:(?:mitre\s+)?att&?ck(?:'s)?\s+)?tactics(?:\s+(?:are\s+there|exist|of\s+(?:mitre\s+)?att&?ck|in\s+(?:mitre\s+)?att&?ck"
    r"|does\s+(?:mitre\s+)?att&?ck\s+have))?$"
    r"|^(?:all\s+|the\s+)?(?:list\s+of\s+)?(?:(?:mitre\s+)?att&?ck\s+)?tactics(?:\s+list)?$"
    r"|^how\s+many\s+(?:(?:sub-?)?techniques|tactics)\s+are\s+there\b.*$"
    r"|^how\s+many\s+[\w-]+\s+(?:are\s+in\s+(?:mitre\s+)?att&?ck|does\s+(?:mitre\s+)?att&?ck\s+have)\b.*$"
    r"|^(?:what\s+is|describe|explain|tell me about)\s+(?:the\s+)?(?:mitre\s+)?att&?ck$",
    re.IGNORECASE,
)
_ALL_OF = re.compile(
    r"^(?:(?:please\s+)?(?:list|show|name|give)(?:\s+me)?|what|which)\s+(?:are\s+)?(?:all\s+)?(?:of\s+)?(?:the\s+)?"
    r"(?:(?:(?:mitre\s+)?att&?ck(?:'s)?\s+)(?P<x>mitigations|campaigns|groups|software)|(?P<y>mitigations|campaigns))"
    r"(?:\s+(?:are\s+there|exist|(?:of|in)\s+(?:mitre\s+)?att&?ck))?$",
    re.IGNORECASE,
)
_PAIR = re.compile(
    rf"^(?:does|do|did|has|have)\s+(?P<x>.{{2,80}}?)\s+(?:ever\s+|also\s+)?(?:{_USE}|mitigat\w+)\s+(?P<y>.{{2,80}})$"
    rf"|^(?:is|are|was)\s+(?P<q>.{{2,80}}?)\s+(?:{_USE}|mitigated)\s+by\s+(?P<p>.{{2,80}})$",
    re.IGNORECASE,
)
_USERS = re.compile(
    rf"\b(?:who|groups?|actors?|apts?)\b.{{0,30}}?\b{_USE}\s+(?P<both>both\s+)?(?P<x>.{{2,60}}?)\s+(?:"
    rf"(?:and|as well as)(?:\s+also)?|(?P<not>(?:but|and)\s+(?:do(?:es)?\s+)?not(?:\s+{_USE})?"
    r"|but\s+never|without))\s+(?P<y>.{2,60})$",
    re.IGNORECASE,
)
_BOTH = re.compile(
    r"\bdo\s+(?P<x>.{2,60}?)\s+and\s+(?P<y>.{2,60}?)\s+(?:have\s+in\s+common|share|both\s+use)"
    r"|\b(?:shared\s+by|common\s+to|used\s+by\s+both)\s+(?P<p>.{2,60}?)\s+and\s+(?P<q>.{2,60})$",
    re.IGNORECASE,
)
_BARE_NOUN = re.compile(
    r"(?:(?:and|the|its|their|what|which)\s+)*(?:groups?|software|malware|tools?|domains?|techniques?|tactics?)",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:,\s*(?:and|or)\b|,|\band\b|\bor\b|\bas well as\b)\s*", re.IGNORECASE)
MAX_TOGETHER = 6
_KINDS = r"\b(?:sub-?technique|technique|tactic|group|malware|tool|software|campaign|mitigation)\b"
_IS_A = re.compile(
    rf"\b(?:is|was)\s+(?P<x>.{{2,60}}?)\s+(?:an?\s+)?(?P<kinds>{_KINDS}(?:\s*(?:,|\bor\b)\s*(?:an?\s+|or\s+an?\s+)?{_KINDS})*)$",
    re.IGNORECASE,
)
_ATTRIBUTES = (
    ("platforms", r"\bplatforms?\b"),
    ("parent", r"\bparents?\b"),
    ("id", r"\b(?:ids?|number)\s+(?:of|for|is)\b|\bwhat(?:'s|\s+is)\s+the\s+id\b|\b(?:id|number)$"),
)
_GROUP = re.compile(
    r"\b(?:groups?|actors?|apts?|malware|ransomware|trojan|backdoor|campaigns?|hackers?)\b", re.IGNORECASE
)
_IT = re.compile(r"\b(?:it|its|they|them|their|that|this|these|those)\b", re.IGNORECASE)


def asked(request: Request) -> list[tuple[str, str, str | None]]:
    """An entry (an id, a name, words), what is asked about it, and with which other one it is looked at."""
    if request.asks(_OTHER_WORK):
        return []
    found: list[tuple[str, str, str | None]] = []
    last: list[str] = []
    for question in questions(request):
        if _BARE_NOUN.fullmatch(question):
            continue  # "software?": of what the last answer was about, no technique of that name
        if pairs := _kind(question, request) or _pairs(question):
            found += pairs
            last = list(dict.fromkeys(one for one, _, _ in pairs))
            continue
        if whole := _ALL_OF.match(question):
            found.append((ALL, (whole["x"] or whole["y"]).lower(), None))
            continue
        if _WHOLE.search(question):
            found.append((ALL, "record", None))
            continue
        about, places = _about(question)
        subjects = list(_subjects(question, about, places, request))
        if not subjects and about != "record" and last and _IT.search(question):
            subjects = last
        last = subjects or last
        if about == "techniques" and (pair := _of_a_tactic(subjects, question)):
            found.append(pair)
            last = [pair[0]]
            continue
        if about == "record":
            about = next((name for name, words in _ATTRIBUTES if re.search(words, question, re.IGNORECASE)), about)
        both = _BOTH_SIDES if about in _BOTH_SIDES and all(_says(each, question) for each in _BOTH_SIDES) else (about,)
        found += [(subject, each, None) for subject in subjects for each in both]
    return list(dict.fromkeys(found))


def _pairs(question: str) -> list[tuple[str, str, str]]:
    """Whether one uses or mitigates the other, of several each by itself; what two have in common."""
    if match := _USERS.search(question):
        one, other = _one(match["x"]), _one(match["y"])
        about = "users_of_both" if match["both"] else "users_of_one" if match["not"] else ""
        return [(one, about, other)] if one and other and about else []
    for pattern, about in ((_BOTH, "common"), (_PAIR, "uses")):
        if match := pattern.search(question):
            ones, others = _each(match["x"] or match["p"]), _each(match["y"] or match["q"])
            return [(one, about, other) for one in ones for other in others]
    return []


def _each(phrase: str) -> list[str]:
    """The entry, or the entries, that a phrase names; none if a part of it names none."""
    if one := _one(phrase):
        return [one]
    parts = [_one(part) for part in _AND.split(re.sub(r"^both\s+", "", phrase, flags=re.IGNORECASE))]
    known = [part for part in parts if part]
    return known if len(known) == len(parts) <= MAX_TOGETHER else []


def _kind(question: str, request: Request) -> list[tuple[str, str, str | None]]:
    """What kind of entry one is: "is S0154 a tool or malware?", "is T1059 a tactic?"."""
    match = _IS_A.search(question)
    one = _one(match["x"]) if match else None
    shows = request.attachments or request.table or request.pasted
    if match is None or one is None or (not IDS.fullmatch(one) and (shows or not names().exact(one))):
        return []
    kinds = [kind.lower().replace("subtech", "sub-tech") for kind in re.findall(_KINDS, match["kinds"], re.IGNORECASE)]
    return [(one, "kind", kinds[0] if len(kinds) == 1 else None)]


def _of_a_tactic(subjects: Sequence[str], question: str) -> tuple[str, str, str] | None:
    """Whose techniques are asked for, and of which tactic: "techniques of APT29 in credential access"."""
    if len(subjects) == 1:
        said = (name for name, found in names().mentioned(question) if found[0].startswith("TA"))
        subjects = [*subjects, *said]
    ids = {each: normal_id(each) if IDS.fullmatch(each) else next(iter(names().find(each)), "") for each in subjects}
    tactics = [each for each, number in ids.items() if number.startswith("TA")]
    others = [each for each, number in ids.items() if number[:1] in ("G", "S", "C", "M")]
    return (others[0], "techniques", tactics[0]) if len(ids) == 2 and len(tactics) == len(others) == 1 else None


def _one(phrase: str) -> str | None:
    phrase = _BEFORE.sub("", phrase.strip(_QUOTES)).strip(_QUOTES)
    if IDS.fullmatch(phrase):
        return normal_id(phrase)
    is_known = names().find(phrase) or normal(phrase) in older_tactics()
    return phrase if len(phrase) >= 3 and is_known else None


def _says(about: str, question: str) -> bool:
    return any(name == about and re.search(words, question, re.IGNORECASE) for name, words, _ in _ABOUT)


def _about(question: str) -> tuple[str, Sequence[str]]:
    if (match := _TRAILING.search(question)) and _one(question[: match.start()]):
        noun = match[1].lower().replace("-", "").rstrip("s")
        about = _NOUNS.get(noun, f"{noun}s")
        return about, [rf"^(?:the\s+)?(?P<x>.+)\s+{match[1]}$"]
    for about, words, places in _ABOUT:
        if re.search(words, question, re.IGNORECASE):
            return about, places
    return "record", ()


def _subjects(question: str, about: str, places: Sequence[str], request: Request) -> Iterator[str]:
    if ids := list(_ids(question)):
        yield from ids
        return
    shows = bool(request.attachments or request.table or request.pasted)
    has_frame = re.search(_FRAME, question, re.IGNORECASE) is not None
    is_strong = about in _STRONG and re.search(_STRONG[about], question, re.IGNORECASE) is not None
    if shows and not has_frame:
        yield from _named_surely(question, places if is_strong else ())  # "what was detected?" is about what is shown
        return
    for place in places:
        if match := re.search(place, question, re.IGNORECASE):
            if _IT.fullmatch(match["x"].strip(_QUOTES)):
                return
            if known := _known(match["x"], anywhere=True):
                yield from known
                return
            if is_strong and len(normal(match["x"]).split()) <= 6 and not re.search(r"\b[A-Z]+-\d{4}-\d", match["x"]):
                yield match["x"].strip(_QUOTES)
                return
    if about != "record" and (is_strong or has_frame):
        yield from _known(question, anywhere=True)
        return
    match = _IS.match(question) or _MAP.match(question)
    subject = match["x"] if match else question
    if known := _known(subject, anywhere=has_frame and match is not None):
        yield from known
    elif (name := _NAMING.match(question)) and not shows:
        yield name["x"]
    elif match and not shows and _is_nearly_one(subject):
        yield subject
    elif not shows:
        # "is HAFNIUM a Chinese group", "who is lazarus": names of actors alone, since others are words of every day
        is_who = re.search(r"^who\s|\b(?:groups?|actors?|apts?)\b", question, re.IGNORECASE)
        is_sure = is_who or _GROUP.search(question)
        said = [(name, ids) for name, ids in names().mentioned(question, shortest=5)
                if ids[0][0] in "GC" and (is_sure or _is_written_as_name(name, question))]  # fmt: skip
        yield from (name for name, _ in said)
        found = names().find(subject) if match and is_who and not said else []
        if found and all(number[0] in "GCS" for number in found):
            yield subject


def _is_nearly_one(phrase: str) -> bool:
    """Whether a phrase of several words is a name but for a letter or two: "pasword spraying"."""
    return 2 <= len(phrase.split()) <= 5 and bool(names().near(phrase, cutoff=0.9))


def _is_written_as_name(name: str, question: str) -> bool:
    """With a digit in it, or a capital letter that does not begin the sentence: APT29, Lazarus Group."""
    match = re.search(r"[\W_]+".join(map(re.escape, name.split())), question, re.IGNORECASE)
    return match is not None and match.start() > 0 and any(c.isupper() or c.isdigit() for c in match.group())


def _named_surely(question: str, places: Sequence[str]) -> Iterator[str]:
    """Entries that are named as such in a question that may be about what is shown with it."""
    matches = [_IS.match(question), *(re.search(place, question, re.IGNORECASE) for place in places)]
    for phrase in [match["x"] for match in matches if match]:
        if found := [name for name in _known(phrase, anywhere=False) if len(name) >= 4]:
            yield from found
            return


def again(question: str, entry: str) -> tuple[str, str, str | None] | None:
    """What a question that goes on from an answer ("how is it detected?", "groups?") asks of the same entry."""
    question = question.strip(" ?!.")
    if (pair := _PAIR.match(question)) and (other := _one(pair["y"] or pair["q"] or "")):
        return (entry, "uses", other) if _IT.fullmatch(pair["x"] or pair["p"]) else None
    if list(_ids(question)):
        return None
    if noun := _NOUN.match(question):
        name = noun["noun"].lower().replace("-", "").rstrip("s")
        return entry, _NOUNS.get(name, _ONES.get(name, f"{name}s")), None
    about, _ = _about(question)
    return (entry, about, None) if about != "record" else None


def _ids(question: str) -> Iterator[str]:
    """Ids of techniques, known or not; of others those that are known, or where the question is about ATT&CK."""
    is_sure = re.search(rf"{_FRAME}|\bgroups?\b|\bsoftware\b|\bmitigat|\bcampaigns?\b", question, re.IGNORECASE)
    named = _IS.match(question)
    subject = named["x"].strip(_QUOTES) if named else ""
    for match in IDS.finditer(question):
        number = normal_id(match.group())
        if number[0] == "T" or is_known(number) or is_sure or match.group() in (question, subject):
            yield number


def _known(phrase: str, *, anywhere: bool) -> list[str]:
    """The phrase, if it names an entry; else, where they may stand anywhere in it, the names in it."""
    phrase = _BEFORE.sub("", phrase.strip(_QUOTES)).strip(_QUOTES)
    index = names()
    if normal(phrase) in older_tactics():
        return [phrase]
    if index.exact(phrase) and (len(phrase) >= 3 or phrase.isupper()):
        return [phrase]
    if not anywhere:
        parts = re.split(r"\s*(?:,|\band\b|\bor\b|\bvs\.?\b|\bversus\b)\s*", phrase)
        return parts if len(parts) > 1 and all(len(part) >= 3 and index.exact(part) for part in parts) else []
    if index.find(phrase):
        return [phrase]
    return [name for name, _ in index.mentioned(phrase, shortest=4)]
