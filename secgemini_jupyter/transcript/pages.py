"""A transcript as one HTML file: it loads nothing, runs nothing, folds, prints, and is light or dark as the reader is.

Indicators are defanged, and no link leads out. Contents come out of `render`, which has made them harmless;
everything else is escaped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence

from secgemini_jupyter._version import __version__
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import CAPS, TAKEN_BACK, results, steps_html
from secgemini_jupyter.render.html import Html, join, tag
from secgemini_jupyter.render.markdown import inline_html
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.sources import sources_html
from secgemini_jupyter.render.steps import Steps
from secgemini_jupyter.render.text import count, defanged, duration, one_line, safe_text, size, utc
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.sheet import CSS
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = [
    "answer_html",
    "breakable",
    "facts",
    "facts_html",
    "files_html",
    "footer",
    "grid",
    "said",
    "section",
    "to_html",
    "turns_html",
]

MAX_PROMPT = 50_000
"""Characters of a prompt that are shown."""
WHOLE = 24
"""Characters of a name or address that stay on one line of a table."""
_PARTS = re.compile(r"[^\[/\\?&=_,]{1,16}(?:\[[.:]\]|[/\\?&=_,]+)?|\[[.:]\]|[\[/\\?&=_,]+")
CONTENTS_FROM = 4
"""So many turns have a list of them before the first."""


def to_html(transcript: Transcript, *, now: float | None = None) -> str:
    """The whole transcript as a page; `now` (Unix seconds) is when it was made."""
    transcript = keyless(transcript)
    body = join(
        tag("p", _kind(transcript), class_="kind"),
        tag("h1", said(transcript.title)),
        tag("p", said(transcript.description[:5_000]), class_="about") if transcript.description.strip() else "",
        facts_html(transcript),
        section("Attachments", files_html(transcript.files)) if transcript.files else "",
        section("Turns", _contents(transcript)) if len(transcript.turns) >= CONTENTS_FROM else "",
        tag("h2", "Conversation"),
        turns_html(transcript),
        footer(now),
    )
    return html.page(tag("main", body), one_line(defanged(transcript.title)), CSS)


def said(text: str) -> Html:
    """Any text of others: visible, defanged, escaped."""
    return html.escape(defanged(safe_text(text)))


def breakable(text: str) -> Html:
    """Any text of others, for a narrow column: short names and addresses stay whole, long ones break at their marks."""
    words = re.split(r"(\s+)", defanged(safe_text(text)))
    parts = [part for word in words for part in _parts(word)]
    return join(*parts)


def _parts(word: str) -> Iterator[str]:
    if len(word) <= WHOLE:
        yield word
        return
    for position, part in enumerate(_PARTS.findall(word)):
        if position:
            yield html.BREAK
        yield part


def section(title: str, *parts: str) -> Html:
    return tag("section", tag("h2", title), *parts)


def footer(now: float | None = None) -> Html:
    made = utc(time.time() if now is None else now)
    note = "Indicators are defanged; the session's data is exact. Times are UTC."
    return tag("footer", f"{note} Written {made} by secgemini-jupyter {__version__} (unofficial).")


def _kind(transcript: Transcript) -> str:
    if transcript.is_local is None:
        return "Transcript"
    return "Transcript of the local service, not Sec-Gemini" if transcript.is_local else "Transcript of Sec-Gemini"


def facts_html(transcript: Transcript, more: Iterable[tuple[str, str]] = ()) -> Html:
    """What a reader must never doubt: who answered, where, when, in which session, retained or not."""
    rows = [(name, value) for name, value in (*facts(transcript), *more) if value]
    return tag("dl", *[join(tag("dt", name), tag("dd", one_line(value, 500))) for name, value in rows], class_="facts")


def facts(transcript: Transcript) -> Iterator[tuple[str, str]]:
    """Names and values, on one line each; a value may be empty."""
    ids = list(dict.fromkeys(turn.session_id for turn in transcript.turns if turn.session_id))
    several = f"{count(len(ids), 'session')}: {', '.join(ids)}"
    session = transcript.session_id or (ids[0] if len(ids) == 1 else several if ids else "")
    yield "Session", one_line(session, 200)
    yield "Answered by", " · ".join(part for part in _who(transcript) if part)
    first, last = transcript.times
    if first is not None and last is not None:
        yield "Time", utc(first) if first == last else f"{utc(first)} – {utc(last)}"
    pieces = sum(message.is_partial for turn in transcript.turns for message in turn.messages)
    messages = sum(len(turn.messages) for turn in transcript.turns) - pieces
    yield "Contents", f"{count(sum(turn.index > 0 for turn in transcript.turns), 'turn')}, {count(messages, 'message')}"
    tokens = sum(turn.usage.total_tokens for turn in transcript.turns)
    yield "Tokens", f"{tokens:,}" if tokens else ""
    kept = {True: "prompts and answers are retained by the service", False: "not retained by the service"}
    yield "Retention", kept.get(transcript.retained, "") if transcript.retained is not None else ""


def _who(transcript: Transcript) -> list[str]:
    actors = dict.fromkeys(message.actor for turn in transcript.turns for message in turn.results if message.actor)
    shown = list(actors)[:4] + [f"{len(actors) - 4} more"] * (len(actors) > 4)
    said_by = ", ".join(defanged(one_line(actor, 60)) for actor in shown)
    return [said_by, one_line(transcript.model, 80), one_line(transcript.host, 80)]


def grid(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str | Html]]) -> Html:
    """A table with these column names, and for each column the class of its cells."""
    head = tag("tr", *[tag("th", name, class_="number" if kind == "number" else "", scope="col")
                       for name, kind in columns])  # fmt: skip
    body = [
        tag("tr", *[tag("td", cell, class_=kind) for cell, (_, kind) in zip(row, columns, strict=True)]) for row in rows
    ]
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *body), class_="grid"), class_="scroll", tabindex="0"
    )


def files_html(files: Sequence[PublicSessionFile]) -> Html:
    """The attachments with the service's SHA-256, whole."""
    return grid(
        [("#", "number"), ("Name", ""), ("Size", "number"), ("Type", ""), ("SHA-256, as the service has it", "hash")],
        [
            (str(number), breakable(one_line(file.name, 300)), size(file.size),
             breakable(one_line(file.mime_type, 80)), breakable(one_line(file.sha256, 128)))
            for number, file in enumerate(files, 1)
        ],
    )  # fmt: skip


def _contents(transcript: Transcript) -> Html:
    rows = [
        tag("li", tag("span", str(turn.index), class_="n"), tag("a", said(_first_line(turn)), href=f"#turn-{number}"))
        for number, turn in enumerate(transcript.turns, 1)
    ]
    return tag("nav", tag("ol", *rows, class_="contents"), aria_label="Turns")


def turns_html(transcript: Transcript, *, is_open: bool = True) -> Html:
    """Each turn in a fold of its own, its thinking and tools in another."""
    if not transcript.turns:
        return tag("p", "Nothing was asked yet.", class_="quiet")
    return join(
        *[
            _turn(turn, number, is_open=is_open, place=transcript.several)
            for number, turn in enumerate(transcript.turns, 1)
        ]
    )


def _first_line(turn: TurnSlice) -> str:
    if turn.prompt is None:
        return "Before the first prompt"
    return one_line(turn.prompt.strip().partition("\n")[0], 160) or "(empty prompt)"


def _turn(turn: TurnSlice, number: int, *, is_open: bool, place: bool) -> Html:
    line = _first_line(turn)
    where = f"{one_line(turn.session_id, 40)}, turn {turn.index}" if place else str(turn.index)
    when = utc(turn.started_at) if turn.started_at is not None else ""
    summary = tag(
        "summary",
        tag("span", said(where), class_="n"),
        tag("span", said(line), class_="ask"),
        tag("span", when, class_="when"),
    )
    prompt = turn.prompt or ""
    whole = ""
    if prompt.strip() and one_line(prompt, MAX_PROMPT) != line:
        whole = join(tag("div", "Prompt", class_="label"), _prompt(prompt))
    body = tag("div", whole, tag("div", "Answer", class_="label"), answer_html(turn), class_="body")
    return tag("details", summary, body, class_="turn", id_=f"turn-{number}", open="open" if is_open else "")


def _prompt(prompt: str) -> Html:
    cut = len(prompt) - MAX_PROMPT
    note = f"\n[{count(cut, 'more character')} in the session's history]" if cut > 0 else ""
    return tag("div", said(prompt[:MAX_PROMPT].strip("\n") + note), class_="prompt")


def answer_html(turn: TurnSlice) -> Html:
    """What came of a prompt: results, how it ended, who said it, thinking and tools."""
    parts: list[str] = [render_message(message, links=False).html for message in results(turn.shown)]
    if turn.status == "error":
        error = inline_html(turn.error or "", links=False)
        parts.append(tag("p", tag("strong", "Failed: " if error else "Failed."), error, class_="failed"))
    elif turn.status != "ok" and turn.index:
        parts.append(tag("p", tag("strong", "Incomplete: "), "the turn has no end.", class_="stopped"))
    elif not parts:
        none = TAKEN_BACK if turn.is_taken_back else "No answer: the turn has no result."
        parts.append(tag("p", none, class_="quiet"))
    cited = sources_html(turn.shown, links=False)
    steps = steps_html(
        [step for step in Steps(turn.shown).items if step.kind != "source"], defang=True, caps=CAPS["full"]
    )
    footer = tag("div", said(_footer(turn)), class_="quiet")
    return tag(
        "div", *parts, cited, footer, tag("div", steps, class_="steps") if steps else "", class_=f"answer {turn.status}"
    )


def _footer(turn: TurnSlice) -> str:
    actors = dict.fromkeys(one_line(message.actor, 60) for message in turn.results if message.actor)
    words = [", ".join(list(actors)[:4])]
    if turn.duration is not None:
        words.append(duration(turn.duration))
    if turn.usage.total_tokens > 0:
        words.append(count(turn.usage.total_tokens, "token"))
    if turn.tool_call_count:
        words.append(count(turn.tool_call_count, "tool call"))
    return " · ".join(word for word in words if word)
