"""Exports of a long session, each to a file and in a process of its own, beside what the official SDK's messages offer.

The SDK exports nothing: its peers are what its user would write in a line or two, from the same messages. These are
in memory on both sides before the clock runs: reading them is what the rows of `history` measure.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.running import Samples, WorkerError, medians, work
from benchmarks.worker import Sample, Service
from secgemini_jupyter.models import Message, MessageType, PublicSession, Role, State, Usage

PEERS = {
    ".jsonl": "model_dump_json of each message, a line each",
    ".csv": "DataFrame of model_dump, to_csv",
    ".html": "DataFrame of model_dump, to_html",
}
"""What the official side does. For the other endings pandas and pydantic have nothing without more packages."""
ENDINGS = (".jsonl", ".csv", ".html", ".md", ".ipynb", ".parquet", ".stix.json", ".otlp.jsonl")
SIZES = {10_000: 3, 100_000: 1}
"""Messages of the session, and how often each export is measured."""
CALLS = 3
NOBODY = Service("", "", "")


def measure_exports(official: str | None, *, quick: bool) -> dict[str, Samples]:
    """All rows, printed as they come."""
    results: dict[str, Samples] = {}
    for size, repeats in SIZES.items():
        if quick and size > min(SIZES):
            continue
        print(
            f"\nexports of {size:,} messages\n  {'':14}{'s':>9}{'CPU, s':>9}{'peak, MB':>10}{'file, MB':>10}   official"
        )
        with tempfile.TemporaryDirectory() as folder:
            body = Path(folder) / "session.json"
            body.write_bytes(session_of(size))
            for ending in ENDINGS:
                samples = measured(ending, body, repeats, official)
                results[f"export {size} {ending}"] = samples
                print(line_of(ending, samples), flush=True)
    return results


def measured(ending: str, body: Path, repeats: int, official: str | None) -> Samples:
    """The sides take turns; one that breaks or takes minutes is left out, and says so."""
    sides = {"sync": sys.executable} | ({"official": official} if official and ending in PEERS else {})
    samples: Samples = {side: [] for side in sides}
    for _ in range(repeats):
        for side, python in sides.items():
            argument = {"body": str(body), "path": str(body.with_name(f"{side}{ending}"))}
            try:
                # Parquet alone needs pyarrow: the other figures are those of an install without it.
                samples[side].append(work(python, side, "export", argument, NOBODY, hide=ending != ".parquet"))
            except WorkerError as error:
                print(f"  {ending} {side}: {error}")
    return {side: taken for side, taken in samples.items() if taken}


def line_of(ending: str, samples: Samples) -> str:
    middle = medians(samples)
    line = f"  {ending:14}" + (figures(middle["sync"]) if "sync" in middle else "")
    if len(middle) == 2:
        ours, theirs = middle["sync"], middle["official"]
        line += f"  {figures(theirs)}   {theirs['cpu'] / ours['cpu']:.1f}x by CPU ({PEERS[ending]})"
    return line


def figures(sample: Sample) -> str:
    return f"{sample['seconds']:9.2f}{sample['cpu']:9.2f}{sample['peak_mb']:10.0f}{sample['file_mb']:10.1f}"


def session_of(size: int) -> bytes:
    """A session as the service sends it: prompts, thoughts, tool calls with results, Markdown answers, indicators."""
    messages: list[Message] = []
    while len(messages) < size:
        messages += turn(len(messages))
    session = PublicSession(id="benchmark", name="benchmark", num_messages=size)
    return msgspec.json.encode(msgspec.to_builtins(session) | {"messages": messages[:size]})


def turn(first: int) -> Iterator[Message]:
    """13 messages, whose ids, times and indicators follow from the number of the first."""
    kinds, states, number = MessageType, State, first // 13
    prompt = f"Is web-{number} exposed? See 198.51.100.{number % 250} and http://h{number}.example.com/x"
    answer = (
        f"**web-{number}** runs 4.1.9: CVE-2024-{1000 + number % 9000}.\n\n| host | port |\n|---|---|\n| web | 443 |\n"
    )
    texts: list[tuple[MessageType, State, str, dict[str, Any]]] = [
        (kinds.QUERY, states.QUERY, prompt, {"actor": "user", "role": Role.USER}),
        (kinds.INFO, states.RUNNING_AGENT, "Executing", {}),
    ]
    for call in range(CALLS):
        thought = f"Whether **198.51.100.{call}** matters here. " + "More words. " * 12
        called = json.dumps({"tool": f"tool_{call}", "host": f"web-{number}"})
        result = json.dumps({"sha256": f"{first + call:064x}", "verdict": "clean"})
        group = {"group": f"g{first}-{call}", "actor": f"tool_{call}", "title": f"tool_{call}"}
        usage = Usage(prompt_tokens=500, thoughts_token_count=90, total_tokens=590)
        texts += [
            (kinds.THINKING, states.THINKING, thought, {"usage": usage}),
            (kinds.INFO, states.CALLING_TOOL, called, group),
            (kinds.INFO, states.TOOL_RESULT, result, group),
        ]
    usage = Usage(prompt_tokens=1410, generated_tokens=58, total_tokens=1468)
    texts += [
        (kinds.RESULT, states.AGENT_DONE, answer, {"mime_type": "text/markdown", "usage": usage}),
        (kinds.INFO, states.END, "end", {"actor": "orchestrator", "role": Role.SYSTEM}),
    ]
    for index, (kind, state, content, more) in enumerate(texts, first):
        at = 1_760_000_000 + 40 * number + index / 4
        fixed: dict[str, Any] = {"actor": "orchestrator", "role": Role.AGENT, "group": f"g{index}", "turn": f"t{index}"}
        yield Message(
            id=f"{index:012x}", timestamp=int(at), created_at=at, message_type=kind, state=state, content=content,
            **(fixed | more),
        )  # fmt: skip
