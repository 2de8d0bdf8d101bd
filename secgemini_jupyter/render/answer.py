"""A whole answer → one self-contained mimebundle: the answer first, everything else quieter and after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from secgemini_jupyter.errors import redact
from secgemini_jupyter.models import Message, MessageType, Usage
from secgemini_jupyter.protocol.mutations import any_changes, is_taken_back, shown
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import inline_html
from secgemini_jupyter.render.payloads import Payload, raw, render_message
from secgemini_jupyter.render.sources import sources_html, sources_text
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count, defanged, duration, name_and_size, one_line, safe_text, size, utc

__all__ = [
    "LISTING",
    "Bundle",
    "Facts",
    "Input",
    "Show",
    "Status",
    "answer_bundle",
    "error_bundle",
    "footer_text",
    "results",
]

Status = Literal["ok", "error", "interrupted", "running"]
Show = Literal["none", "summary", "full"]
"""Thinking and tool calls: left out; collapsed and capped; collapsed with their whole text."""


@dataclass(frozen=True)
class Caps:
    """How many steps, and characters of one and of all, go into a saved notebook; the session keeps all of it."""

    steps: int
    step_text: int
    text: int


CAPS = {"summary": Caps(100, 4_000, 60_000), "full": Caps(1_000, 1_000_000, 2_000_000)}
STEPS_TITLE = "Thinking and tools"
REPLAYED = "Replayed from"
TAKEN_BACK = "The service took this answer back."
ELSEWHERE = "This turn changed an earlier message: visualize() and history() show what holds now."
MAX_PAYLOADS = 50
LISTING: dict[str, Any] = {"secgemini": {"listing": True}}
"""Metadata of an output that tells of sessions, messages or people: it goes when a notebook is cleaned to be shared."""


@dataclass(frozen=True)
class Input:
    """Something that went in with the prompt: an attachment or a variable. `size` in bytes."""

    name: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a reader must never doubt about an answer. All texts may be hostile.

    Attributes:
        actor: who answered, by name; `model` is the model string; `host` where the service is.
        is_local: it came from the local service, not from Sec-Gemini; None where that is not known.
        turn: counted from 1.
        retained: whether the service keeps prompts and answers; None when it does not say.
        elapsed: seconds from the prompt to the END.
        recorded_at: when an answer out of the cache was given, in Unix seconds; None for one that was asked for now.
        cache: which cache it came out of, where that is not the user's own.
        tool_seconds: how much of that went into tools; told where no tokens are counted.
        bytes_read: of attachments and texts, by tools; told beside their time.
        hint: a few words of ours that come last: what a reader may do.
        redacted: places of the prompt and the files that were replaced by placeholders; None where nobody asked for it.
    """

    actor: str = ""
    model: str = ""
    host: str = ""
    is_local: bool | None = False
    session: str = ""
    turn: int | None = None
    retained: bool | None = None
    elapsed: float | None = None
    usage: Usage | None = None
    tool_seconds: float | None = None
    bytes_read: int | None = None
    inputs: tuple[Input, ...] = ()
    redacted: int | None = None
    recorded_at: float | None = None
    cache: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Bundle:
    """What Jupyter shows: `display(bundle)`, or `display(bundle.data, metadata=bundle.metadata, raw=True)`."""

    data: dict[str, str]
    metadata: dict[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return self.data, self.metadata

    @property
    def html(self) -> str:
        return self.data["text/html"]

    @property
    def text(self) -> str:
        return self.data["text/plain"]


def answer_bundle(
    messages: Sequence[Message],
    facts: Facts,
    *,
    status: Status = "ok",
    error: str = "",
    defang: bool = True,
    show: Show = "summary",
    body: Payload | None = None,
    note: str = "",
) -> Bundle:
    """The messages of one turn as one output.

    Args:
        error: one sentence: what happened, then what to do; shown after what had arrived. When the status is
            `error` and none is given, the turn's own error message.
        defang: show indicators so that they cannot be clicked. The data is never changed.
        show: how much of thinking and tools.
        body: what is shown instead of the results; `note` is one line under them.
    """
    found = results(messages) if body is None else []
    parts = [body] if body else [render_message(message, defang=defang) for message in found[:MAX_PAYLOADS]]
    if any(part.is_markdown and part.text.strip() for part in parts):
        parts = [part.folded() for part in parts]
    if status == "ok" and not parts:
        note = note or (TAKEN_BACK if is_taken_back(messages) else "No answer: the turn ended without a result.")
    left_out = len(found) - MAX_PAYLOADS
    if left_out > 0:
        parts.append(raw(f"[{count(left_out, 'more result')} in the answer's data]"))
    lines = [note, ELSEWHERE if any_changes(shown(messages)) else ""]
    parts += [Payload(html.tag("div", line, style=html.QUIET), line) for line in lines if line]
    if status == "error" and not error:
        error = next((m.text or m.status_message for m in reversed(messages) if m.is_error), "")
    messages = shown(messages)
    steps = Steps(messages).items
    if body is None:
        steps = [step for step in steps if step.kind != "source"]  # they stand under the answer
        if cited := sources_text(messages, defang=defang):
            parts.append(Payload(sources_html(messages, defang=defang), cited))
    facts = timed(facts, steps)
    markup = framed(
        html.join(*[part.html for part in parts]),
        _state_html(status, error, defang=defang),
        Html() if show == "none" else steps_html(steps, defang=defang, caps=CAPS[show]),
        html.tag("div", *_footer_html(facts), style=html.QUIET),
        status=status,
    )
    text = "\n\n".join(
        piece.strip("\n")
        for piece in (*[part.text for part in parts], state_text(status, error, defang=defang), footer_text(facts))
        if piece.strip()
    )
    metadata = _metadata(facts, status) | ({"listing": True} if body and body.is_transcript else {})
    return Bundle({"text/html": markup, "text/plain": text}, {"secgemini": metadata})


def results(messages: Sequence[Message]) -> list[Message]:
    """The results of a turn as they read now: pieces only where the aggregate did not come (an interrupted answer)."""
    whole: list[Message] = []
    pieces: list[Message] = []
    for message in shown(messages):
        if message.message_type is not MessageType.RESULT:
            continue
        if message.is_partial:
            pieces.append(message)
        elif not message.is_error:
            whole.append(message)
            pieces = []
    if pieces:
        text = "".join(piece.content or "" for piece in pieces)
        whole.append(msgspec.structs.replace(pieces[0], content=text, status_code=200))
    return whole


def error_bundle(error: str, *, defang: bool = True) -> Bundle:
    """One sentence that can be copied: what happened, with the value, then what to do."""
    return Bundle(
        {
            "text/html": framed(_state_html("error", error, defang=defang), status="error"),
            "text/plain": state_text("error", error, defang=defang),
        },
        {"secgemini": {"status": "error"}},
    )


def stop_bundle(
    parts: Sequence[Html], texts: Sequence[str], facts: Facts, steps: Sequence[Step], *, defang: bool, show: Show
) -> Bundle:
    """What is drawn already of an interrupted answer, and that it was."""
    facts = timed(facts, steps)
    markup = framed(
        *parts,
        _state_html("interrupted", "", defang=True),
        Html() if show == "none" else steps_html(steps, defang=defang, caps=CAPS[show]),
        html.tag("div", *_footer_html(facts), style=html.QUIET),
        status="interrupted",
    )
    text = "\n".join(text for text in (*texts, state_text("interrupted", ""), footer_text(facts)) if text.strip())
    return Bundle({"text/html": markup, "text/plain": text}, {"secgemini": _metadata(facts, "interrupted")})


def framed(*parts: str, status: Status) -> Html:
    """One thin rule on the left marks what the service said; its colour is the state, which a word says too.

    No line of it is blank: in a Markdown file (nbconvert's, a code host's) HTML ends at a blank line, and what follows,
    the rest of a log in a `<pre>`, would be read as Markdown, remote images included.
    """
    markup = html.shown(html.join(*[part for part in parts if part]), html.FRAME[status])
    return Html(_BEFORE_BLANK_LINE.sub("&#10;", markup))


_BEFORE_BLANK_LINE = re.compile(r"\n(?=[ \t]*\n)")


_WORDS = {"error": "Failed", "interrupted": "Interrupted", "running": "Running", "ok": ""}


def _state_html(status: Status, error: str, *, defang: bool) -> Html:
    if not _WORDS[status] or status == "running":
        return Html()
    word = html.tag("strong", _WORDS[status] + (": " if error else "."))
    return html.tag("div", word, inline_html(redact(error), defang=defang), style=html.STATE)


def state_text(status: Status, error: str, *, defang: bool = True) -> str:
    if not _WORDS[status] or status == "running":
        return ""
    sentence = one_line(redact(error), 2_000)
    sentence = defanged(sentence) if defang else sentence
    return f"{_WORDS[status]}: {sentence}" if sentence else f"{_WORDS[status]}."


def _who(facts: Facts) -> list[str]:
    """Who answered and where; for the local service also who did not."""
    actor = one_line(facts.actor, 60)
    if facts.is_local:
        return [actor or "local service", *_named(facts, actor), "not Sec-Gemini"]
    if facts.is_local is None:
        return [actor or "unknown actor", *_named(facts, actor)]
    return [
        "Sec-Gemini" if not actor or actor.lower() == "sec-gemini" else f"Sec-Gemini, {actor}",
        *_named(facts, actor),
    ]


def _named(facts: Facts, actor: str) -> list[str]:
    words = [one_line(facts.model, 60), one_line(facts.host, 80)]
    return [word for word in words if word and word != actor]


def _facts(facts: Facts) -> list[str]:
    words = [*_replayed(facts), *_who(facts)]
    if facts.elapsed is not None and duration(facts.elapsed):
        words.append(duration(facts.elapsed))
    if facts.usage and facts.usage.total_tokens > 0:
        words.append(count(facts.usage.total_tokens, "token"))
    else:
        words += _cost(facts)
    words += [where] if (where := place(facts.session, facts.turn)) else []
    words.append({True: "retained", False: "not retained", None: "retention unknown"}[facts.retained])
    if facts.inputs:
        shown = [name_and_size(each.name, each.size) for each in facts.inputs[:6]]
        more = [f"{len(facts.inputs) - 6} more"] if len(facts.inputs) > 6 else []
        words.append("in: " + ", ".join(shown + more))
    if facts.redacted is not None:
        words.append(f"{facts.redacted} redacted")
    if facts.hint:
        words.append(facts.hint)
    return words


def _cost(facts: Facts) -> list[str]:
    """What an answer took that no tokens were counted for."""
    told = []
    if facts.tool_seconds is not None and facts.tool_seconds >= 0.05 and duration(facts.tool_seconds):
        told.append(f"{duration(facts.tool_seconds)} in tools")
    if facts.bytes_read:
        told.append(f"{size(facts.bytes_read)} read")
    if facts.is_local and facts.usage is not None:
        told.append("no tokens")
    return told


def timed(facts: Facts, steps: Sequence[Step]) -> Facts:
    """Facts that say how long the tools of a local analyst took, as far as the steps tell."""
    if not facts.is_local:
        return facts
    ran = [step for step in steps if step.kind == "tool"]
    times = [step.seconds for step in ran if step.seconds is not None]
    read = [step.bytes_read for step in ran if step.bytes_read is not None]
    return replace(facts, tool_seconds=sum(times) if times else None, bytes_read=sum(read) if read else None)


def place(session: str, turn: int | None) -> str:
    """Which session and turn, in a footer."""
    return ", ".join([f"session {one_line(session, 60)}"] * bool(session) + [f"turn {turn}"] * bool(turn))


def _replayed(facts: Facts) -> list[str]:
    """Nobody shall take an old answer for one that the service gave now."""
    if facts.recorded_at is None:
        return []
    cache = f"the cache {one_line(facts.cache, 60)!r}, which others may have written" if facts.cache else "the cache"
    return [f"{REPLAYED} {cache}, recorded {utc(facts.recorded_at)}; nobody was asked now"]


def footer_text(facts: Facts) -> str:
    """One line: who, where, how long, which session and turn, retained or not, what went in."""
    return f"— {' · '.join(_facts(facts))}"


def _footer_html(facts: Facts) -> list[Html]:
    first, *rest = _facts(facts)
    return [html.tag("strong", first), html.escape("".join(f" · {word}" for word in rest))]


def steps_html(steps: Sequence[Step], *, defang: bool, title: str = STEPS_TITLE, caps: Caps = CAPS["summary"]) -> Html:
    """Steps as one collapsed list; each opens to what it returned."""
    if not steps:
        return Html()
    budget = caps.text
    rows: list[Html] = []
    for step in steps[: caps.steps]:
        detail = step.detail.strip()[: min(caps.step_text, budget)]
        budget -= len(detail)
        cut = len(step.detail.strip()) - len(detail)
        rows.append(_step_html(step, detail, cut, defang=defang))
    if len(steps) > caps.steps:
        rows.append(html.tag("div", f"{count(len(steps) - caps.steps, 'more step')} in the session's history"))
    summary = html.tag("summary", f"{title} ({len(steps)})", style=html.SUMMARY)
    return html.tag("details", summary, *rows, style=html.QUIET)


def _step_html(step: Step, detail: str, cut: int, *, defang: bool) -> Html:
    line = step_line(step, defang=defang)
    if not detail.strip() or detail.strip() == step.name.strip():
        return html.tag("div", line, style=html.STEP)
    shown = safe_text(detail)
    shown = defanged(shown) if defang else shown
    if cut:
        shown += f"\n[{count(cut, 'more character')} in the session's history]"
    body = html.tag("div", shown, style=html.STEP_DETAIL)
    return html.tag("details", html.tag("summary", line, style=html.SUMMARY), body, style=html.STEP)


_SIGNS = {"tool": "✓ done", "thinking": "• thought", "error": "✗ error", "source": "• source", "other": "• note"}


def step_words(step: Step) -> tuple[str, str]:
    """A sign and a word for how the step stands: never a sign alone."""
    if step.kind == "tool":
        sign = "… running" if step.ok is None else "✓ done" if step.ok else "✗ failed"
    elif step.kind == "confirmation":
        sign = "… asks you" if step.ok is None else "✓ approved" if step.ok else "✗ denied"
    else:
        sign = _SIGNS[step.kind]
    symbol, _, word = sign.partition(" ")
    return symbol, word


def step_line(step: Step, *, defang: bool) -> Html:
    symbol, word = step_words(step)
    name = defanged(step.in_words) if defang else step.in_words
    shown = html.tag("code", name, style=html.STEP_NAME) if step.kind == "tool" else html.escape(name)
    took = duration(step.seconds) if step.seconds is not None else ""
    return html.join(f"{symbol} ", shown, f" · {word}", f" · {took}" if took else "")


def _metadata(facts: Facts, status: Status) -> dict[str, Any]:
    """Facts for programs that read the notebook. Never `trusted`: that is for the reader to say."""
    usage = facts.usage
    cached = {} if facts.recorded_at is None else {"cached": True, "recorded_at": utc(facts.recorded_at)}
    return cached | {
        "session": one_line(facts.session),
        "turn": facts.turn,
        "model": one_line(facts.model),
        "host": one_line(facts.host),
        "status": status,
        "usage": None
        if usage is None
        else {
            "prompt_tokens": usage.prompt_tokens,
            "generated_tokens": usage.generated_tokens,
            "total_tokens": usage.total_tokens,
        },
    }
