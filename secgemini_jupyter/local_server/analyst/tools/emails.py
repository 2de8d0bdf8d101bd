"""email_analyze: who a message is from, which way it came, what is recorded about it, its links and attachments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.mail import telling
from secgemini_jupyter.local_server.analyst.mail.attachments import attachments
from secgemini_jupyter.local_server.analyst.mail.authentication import recorded, signatures
from secgemini_jupyter.local_server.analyst.mail.bodies import links, read_html
from secgemini_jupyter.local_server.analyst.mail.parts import Mail, decoded, read_mail
from secgemini_jupyter.local_server.analyst.mail.routes import handed_in_by, hops, moment
from secgemini_jupyter.local_server.analyst.mail.senders import addresses, look
from secgemini_jupyter.local_server.analyst.sniff import looks_like_mail
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, FileOrText, Request, Tool, ToolFailure
from secgemini_jupyter.local_server.analyst.tools.urls import urls_in

MAX_BODIES = 20
MAX_BODY = 20_000
FOCUSES = tuple(
    "sender ip hops links attachments spf dkim dmarc authentication time subject recipients body headers".split()
)


class MailArguments(FileOrText):
    """`focus`: what of it is asked for: sender, ip, hops, links, attachments, authentication, time, subject, …"""

    focus: list[str] = msgspec.field(default_factory=list)


def email_analyze(arguments: MailArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    if unknown := [each for each in arguments.focus if each not in FOCUSES]:
        raise ToolFailure(f"No part of a message is called {unknown[0]!r}; there are {', '.join(FOCUSES)}.")
    content = arguments.content(files)
    mail = read_mail(content)
    records, signed = recorded(mail.headers), signatures(mail.headers, content)
    senders = look(mail, records, [each["domain"] for each in signed])
    way = hops(mail.all("received"))
    body = _body(mail)
    result: dict[str, Any] = {
        "source": arguments.source,
        "focus": arguments.focus,
        "subject": decoded(mail.first("subject"))[:1_000],
        "date": mail.first("date")[:100],
        "date_utc": at.strftime("%Y-%m-%dT%H:%M:%SZ") if (at := moment(mail.first("date"))) else None,
        **senders,
        "to": addresses(mail.all("to"))[:50],
        "cc": addresses(mail.all("cc"))[:50],
        "hops": way,
        "source_ip": handed_in_by(way, records, mail.first),
        "authentication": records,
        "dkim": signed,
        **body,
        "attachments": attachments(mail.parts),
        "parts": len(mail.parts),
        "other_headers": _others(mail),
        "is_cut": mail.is_cut,
        "is_mailbox": mail.is_mailbox,
        "defects": mail.defects,
    }
    result["findings"] += _further(result)
    return result


_TELLING = tuple(
    "x-originating-ip x-mailer user-agent x-php-originating-script x-sender-ip x-spam-status x-spam-score x-spam-flag "
    "x-priority importance list-unsubscribe precedence auto-submitted in-reply-to x-forefront-antispam-report "
    "x-ms-exchange-organization-authas x-authenticated-user x-source-auth x-get-message-sender-via".split()
)
"""Further headers that tell how a message was made or judged."""


def _others(mail: Mail) -> dict[str, str]:
    return {name: decoded(mail.first(name))[:500] for name in _TELLING if mail.first(name)}


def _body(mail: Mail) -> dict[str, Any]:
    texts: list[str] = []
    found: list[dict[str, str]] = []
    html = {"forms": [], "remote": [], "scripts": 0, "hidden": []}  # type: dict[str, Any]
    bodies = [part for part in mail.parts if part.is_text and part.disposition != "attachment"]
    for part in bodies[:MAX_BODIES]:
        text = part.text
        if part.content_type == "text/html":
            page = read_html(text)
            found += page.links
            html["forms"] += page.forms[:10]
            html["remote"] += page.remote[:50]
            html["scripts"] += page.scripts
            html["hidden"] += page.hidden[:10]
            text = " ".join(page.shown)
        found += [{"url": url, "text": "", "from": "text"} for url in urls_in(text)]
        texts.append(text.strip())
    shown = next(filter(None, texts), "")
    return {
        "links": links(_without_shown(found)),
        "html": html,
        "text": shown[:MAX_BODY],
        "text_cut": len(shown) > MAX_BODY,
    }


def _without_shown(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """What only repeats the text of a link in HTML is no link of its own."""
    shown = {url for each in found if each["from"] != "text" for url in urls_in(each["text"])}
    whole = {each["url"] for each in found if each["from"] != "text"}
    return [each for each in found if each["from"] != "text" or (each["url"] not in shown and each["url"] not in whole)]


def _further(result: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(text: str, value: str = "", strong: bool = False) -> None:
        found.append({"text": text, "value": value[:500], "strong": strong})

    if failed := [r for r in result["authentication"] if r["result"] in ("fail", "softfail", "permerror", "hardfail")]:
        told = ", ".join(dict.fromkeys(f"{record['method']}={record['result']}" for record in failed))
        add("Recorded authentication results that failed", told, True)
    for each in result["dkim"]:
        if each["body"] == "changed":
            add("The body is not the one that was signed with DKIM (or was altered on the way)", each["domain"], True)
    for hop in result["hops"]:
        if hop["delay"] is not None and hop["delay"] < -120:
            add(
                "A hop is earlier than the one before it: a wrong clock, or an invented line",
                f"hop {hop['hop']}: {hop['delay']:,} s",
            )
    if result["date_utc"] is None and result["date"]:
        add("Its Date is no time that can be read", result["date"])
    mismatched = [link for link in result["links"] if link["shows"]]
    for link in mismatched[:5]:
        add("A link shows another address than it leads to", f"shows {link['shows']}, leads to {link['host']}", True)
    for link in [link for link in result["links"] if link["is_notable"] and not link["shows"]][:5]:
        add("A link is written so that it misleads", link["url"][:200], True)
    for each in result["attachments"]:
        for told in each["findings"]:
            add(f"Attachment: {told}", each["name"], True)
    html = result["html"]
    if html["forms"]:
        add("Its HTML has a form, which sends what is typed in the mail to", html["forms"][0] or "(itself)", True)
    if html["scripts"]:
        add("Its HTML has scripts or frames", str(html["scripts"]))
    if html["hidden"]:
        add("Its HTML hides text from the reader", html["hidden"][0][:200])
    if html["remote"]:
        add("It loads remote pictures, which tell the sender that it was opened", html["remote"][0][:200])
    return found


_OTHER = r"\bh(?:tt|xx)ps?\b|\b(?:cwe|cve)-?\d|\bt\d{4}\b|\bcvss\b|\bjwt\b"
_MAIL_WORDS = r"\be-?mails?\b|\bmails?\b|\bmessages?\b|\beml\b|\battach\w*|\bhops?\b|\bsender"
_MAIL = (
    r"\be-?mails?\b|\bmails?\b|\bmessages?\b|\beml\b"
    r"|\bphish\w*|\bspam\w*|\bscam\w*|\bspoof\w*|\blegit\w*|\bgenuine\b|\bfake\b"
)
_FOCUS = {
    "ip": r"\bips?\b|\bip address|\bwhich address\b|\bwhere (?:did|does|is|was)\b[^.?\n]{0,30}\bfrom\b|\borigin",
    "hops": r"\bhops?\b|\broute\b|(?<!return )(?<!return-)\bpath\b|\breceived (?:headers?|lines?|chain)\b|\brelay\w*"
    r"|\btrace\b|\bdelays?\b|\bservers?\b",
    "links": r"\blinks?\b|\burls?\b|\bhrefs?\b|\bclick\w*|\bweb ?sites?\b",
    "attachments": r"\battach(?:ments?|ed)\b|\bfiles?\b",
    "spf": r"\bspf\b",
    "dkim": r"\bdkim\b",
    "dmarc": r"\bdmarc\b",
    "authentication": r"\bspf\b|\bdkim\b|\bdmarc\b|\bauthenticat\w*|\barc\b|\bsigned\b|\bsignatures?\b",
    "time": r"\bwhen\b|\bdates?\b|\bwhat time\b|\bsent at\b",
    "subject": r"\bsubject\b|\btitle\b",
    "recipients": r"\brecipients?\b|\bto whom\b|\bwho (?:got|received|was it sent to|is it (?:for|to))\b"
    r"|\bsent to\b|\baddressee",
    "body": r"\bbody\b|\bcontents?\b|\bwhat does it say\b|\b(?:show|read|print)\b[^.\n]{0,20}\btext\b|\bsays?\b",
    "headers": r"\bheaders?\b|\bmessage-?id\b|\bmailer\b",
    "sender": r"\bwho\b[^.?\n]{0,30}\b(?:sent|from|wrote|sender)|\bsenders?\b|\bfrom whom\b|\bspoof\w*"
    r"|\breply-?to\b|\benvelope\b|\breturn[- ]?path",
}  # fmt: skip
_GENERAL = (
    r"\bphish\w*|\bspam\b|\bscam\b|\bsuspicious|\bmalicious|\bsafe\b|\blegit\w*|\bgenuine|\bfake\b"
    r"|\bdangerous|\btrust\w*|\breal\b|\bbad\b"
    r"|\banaly[sz]|\btriage|\bcheck|\binspect|\bexamin|\binvestigat|\blook (?:at|into)"
    r"|\bwhat (?:happened|about)\b"
    r"|\bwhat(?:'s| is| do| does| are)\b[^.?\n]{0,20}\b(?:this|it|that|_|here|mail|message)\b"
    r"|\bexplain"
    r"|\bsummar|\btell me|\breview"
    r"|\bfull\b|\bverdict|\bopinion|\breport\b|\bdissect|\btake apart|\bassess"
)


def _plan(request: Request) -> list[Call]:
    sources = _sources(request)
    if not sources:
        return []
    focus = [] if looks_like_mail(request.prompt) else _focus(request)
    is_general = request.asks(_GENERAL)
    if request.asks(r"\b(?:iocs?|indicators?|defang|refang)\b") and not request.asks(
        r"\bphish|\bspoof|\bhops?\b|\banaly[sz]"
    ):
        return []
    if request.asks(r"\bhash(?:es)?\b|\bmd5|\bsha-?\d|\bchecksum") and "attachments" not in focus and not is_general:
        return []
    is_shown = any("text" in each for each in sources)
    if not is_shown and not request.named() and request.asks(_OTHER) and not request.asks(_MAIL_WORDS):
        return []
    if not (focus or is_general or request.asks(_MAIL) or (is_shown and len(request.instruction) < 200)):
        return []
    asked = {} if is_general and not set(focus) - {"sender"} else {"focus": focus} if focus else {}
    return [
        Call(
            "email_analyze",
            each | asked,
            f"take apart the message {code(each['file'])}" if "file" in each else "take apart the pasted message",
        )
        for each in sources
    ]


def _focus(request: Request) -> list[str]:
    """What is asked for, in the order in which it is said."""
    said = request.instruction[:4_000].lower()
    places = {name: re.search(words, said) for name, words in _FOCUS.items() if request.asks(words)}
    if len(request.attachments) > 1 and request.asks(
        r"\b(?:all|these|those|my|every|each|both)(?: the| my)? (?:files?|attachments)\b"
    ):
        places.pop("attachments", None)  # those of the session, not those within the message
    return sorted(places, key=lambda name: found.start() if (found := places[name]) else 0)


def _sources(request: Request) -> list[dict[str, Any]]:
    def fits(each: Attached) -> bool:
        return each.kind == "email" or (each.kind == "document/ole" and each.name.lower().endswith(".msg"))

    if request.pasted_kind == "email" and request.pasted:
        return [{"text": request.pasted}]
    prompt = request.prompt
    if "\n" in prompt and (looks_like_mail(prompt) or (request.pasted and looks_like_mail(request.pasted))):
        return [{"text": prompt if looks_like_mail(prompt) else request.pasted}]
    return [{"file": each.name} for each in request.fitting(fits)]


def _then(request: Request, call: Call, result: dict[str, Any]) -> list[Call]:
    """Its links, its attachments and messages within, where the whole is asked for or just these."""
    from secgemini_jupyter.local_server.analyst.toolbox import tools

    if request.wish.is_bare:
        return []
    focus = set(result["focus"])
    calls = []
    urls = [link["url"] for link in sorted(result["links"], key=lambda link: not link["is_notable"]) if link["host"]]
    if urls and (not focus or "links" in focus):
        calls.append(Call("url_inspect", {"urls": urls[:15]}, "take its links apart"))
    if "file" in call.arguments and (not focus or "attachments" in focus):
        inner = call.arguments.get("member") or []
        for each in result["attachments"][:6]:
            tool = "email_analyze" if each["kind"] == "email" else "file_triage"
            tool = "archive_list" if each["kind"].startswith("archive/") else tool
            is_worth = each["size"] and not each["kind"].startswith("image/")
            if is_worth and tool in tools():
                where = {"file": call.arguments["file"], "member": [*inner, each["name"]]}
                calls.append(Call(tool, where, f"look at its attachment {code(each['name'])}"))
    return calls


TOOLS = (
    Tool(
        name="email_analyze",
        description="Take an e-mail apart: senders, hops, recorded SPF/DKIM/DMARC results, links, attachments, tricks.",
        ability='take an e-mail apart, attached or pasted (senders, hops, SPF/DKIM, links, attachments): "Phish?"',
        arguments=MailArguments,
        run=email_analyze,
        plan=_plan,
        answer=telling.answer,
        payloads=telling.payloads,
        then=_then,
        items=telling.items,
    ),
)
