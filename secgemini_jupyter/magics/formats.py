"""`-f`: what a cell shows of an answer, and what it gives to Python. `-o` holds the `Answer` whatever the format.

format  shows                                  gives
md      the answer, rendered                   the Answer
text    the answer as plain text, no HTML      its text
json    its JSON as a tree                     the value
df      its table                              a DataFrame
html    the answer, rendered                   the same as a page, to be saved as a file
code    the answer; its code in a new cell     the code
raw     the turn's messages as JSON Lines      the same, exactly
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.client.failing import RESUME
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.kernel.answer import Answer
    from secgemini_jupyter.render.payloads import Payload
    from secgemini_jupyter.transcript.contents import Block

__all__ = ["AS_IT_IS", "REPLACING", "Form", "Shaped", "is_shown", "shape", "show_once"]

REPLACING = ("json", "df", "raw")
"""Formats that show something else than the answer's words."""
PYTHON = ("python", "python3", "py", "ipython", "ipython3")
WIDE = 160
"""Characters of a line that a reader of a cell sees; code behind them could hide."""


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """An answer in its format.

    Attributes:
        body: what is shown instead of the answer's words; None: they are.
        note: one line under them.
        value: what Python gets; None: the Answer.
        code: the text of a new cell.
        error: why the answer cannot be had in this format.
    """

    body: Payload | None = None
    note: str = ""
    value: Any = None
    code: str = ""
    error: InputError | None = None


AS_IT_IS = Shaped()


class Form:
    """The format of one answer: taken when it is complete, shown by a view, then given to Python."""

    def __init__(self, name: str = "md") -> None:
        self.name = name
        self.shaped = AS_IT_IS

    @property
    def has_html(self) -> bool:
        return self.name != "text"

    def take(self, answer: Answer, *, defang: bool = True) -> Shaped:
        self.shaped = shape(answer, self.name, defang=defang)
        return self.shaped

    def give(self, shell: InteractiveShell, answer: Answer) -> Any:
        """What the magic returns; the new cell is made.

        Raises:
            InputError: the answer cannot be had in this format. It has been shown.
        """
        if self.shaped.error is not None:
            raise self.shaped.error
        if self.shaped.code:
            shell.set_next_input(self.shaped.code, replace=False)  # in a terminal that is the next prompt
        if self.name == "md":
            return answer
        return show_once(shell, self.shaped.value)


def shape(answer: Answer, name: str, *, defang: bool = True) -> Shaped:
    """A complete answer in a format; never raises for what the answer says."""
    try:
        return _SHAPES[name](answer, defang)
    except InputError as error:
        why = str(error).partition(". ")[0].rstrip(".")
        kept = f"It is shown above; -o keeps it, and {RESUME} gives it to Python."
        told = InputError(f"-f {name}: {why}. {kept}")
        told.response = answer.response  # which session it was
        return Shaped(error=told)


def _json(answer: Answer, defang: bool) -> Shaped:
    from secgemini_jupyter.render.payloads import json_payload

    value = answer.json()
    return Shaped(body=json_payload(value, defang=defang), value=value)


def _df(answer: Answer, defang: bool) -> Shaped:
    from secgemini_jupyter.render.payloads import Payload
    from secgemini_jupyter.render.text import count
    from secgemini_jupyter.transcript.contents import tables_in
    from secgemini_jupyter.transcript.tables import table_frame

    tables = tables_in(answer.messages)  # once: a long answer takes a second
    if not tables:
        raise InputError("The answer holds no table.")
    first, *others = tables
    value = table_frame(first)
    note = f"The first of {count(len(others) + 1, 'table')}: .tables of the Answer has all." if others else ""
    return Shaped(
        body=Payload(first.to_html(defang=defang), first.to_text(defang=defang), value, first), value=value, note=note
    )


def _html(answer: Answer, defang: bool) -> Shaped:
    from secgemini_jupyter.render.answer import answer_bundle
    from secgemini_jupyter.render.html import page

    facts = answer.response.facts()
    return Shaped(
        value=page(answer_bundle(answer.messages, facts, defang=defang).html, f"{facts.session}, turn {facts.turn}")
    )


def _raw(answer: Answer, defang: bool) -> Shaped:
    from secgemini_jupyter.render.payloads import raw
    from secgemini_jupyter.transcript.jsonl import to_jsonl

    value = to_jsonl(answer.messages).decode()
    return Shaped(body=replace(raw(value, defang=defang), is_transcript=True), value=value)


def _code(answer: Answer, _: bool) -> Shaped:
    from secgemini_jupyter.render.text import count
    from secgemini_jupyter.transcript.contents import code_in

    found = code_in(answer.messages)
    if not found:
        raise InputError("The answer holds no code in a fence.")
    chosen = [block for block in found if block.language.lower() in PYTHON] or found
    left_out = [block for block in found if block not in chosen]
    value = "\n".join(block.code if block.code.endswith("\n") else block.code + "\n" for block in chosen)
    return Shaped(
        value=value,
        code=new_cell(answer, chosen, left_out),
        note=f"{count(len(chosen), 'block')} of code put below, into a new cell or the next prompt; not run.",
    )


def new_cell(answer: Answer, blocks: Sequence[Block], left_out: Sequence[Block] = ()) -> str:
    """The text of the new cell: where the code is from, then the code, what hides from the eye shown.

    The first line is a comment, so no line of the code can make it a cell of another kind.
    """
    from secgemini_jupyter.render.text import count, one_line, safe_text

    response = answer.response
    who = "the local service, not Sec-Gemini" if response.is_local else "Sec-Gemini"
    where = f"session {one_line(response.session_name, 60)}, turn {response.turn_index}"
    replayed = "" if response.recorded_at is None else " (replayed from the cache)"
    lines = [f"# From {who}{replayed}, {where}.", "# Not run yet: read it first."]
    if left_out:
        languages = ", ".join(dict.fromkeys(one_line(block.language, 20) for block in left_out))
        lines.append(f"# Left out: {count(len(left_out), 'block')} in other languages ({languages}).")
    for number, block in enumerate(blocks, 1):
        if len(blocks) > 1:
            language = f", {one_line(block.language, 20)}" if block.language else ""
            lines += ["", f"# --- block {number} of {len(blocks)}{language} ---"]
        lines += safe_text(block.code).rstrip("\n").split("\n")
    if wide := [str(number) for number, line in enumerate(lines, 2) if len(line) > WIDE]:
        more = f" and {len(wide) - 5} more" if len(wide) > 5 else ""
        words = "Line" if len(wide) == 1 else "Lines"
        lines.insert(2, f"# {words} {', '.join(wide[:5])}{more}: longer than {WIDE} characters, scroll to the right.")
    return "\n".join(lines)


_SHAPES = {
    "md": lambda *_: AS_IT_IS,
    "text": lambda answer, _: Shaped(value=answer.answer),
    "json": _json,
    "df": _df,
    "html": _html,
    "code": _code,
    "raw": _raw,
}


def show_once(shell: InteractiveShell, value: Any) -> Any:
    """`value`, which this cell has shown: as the cell's result it is not shown again. Later it is like any other."""
    if value is None:
        return None
    printers = _printers(shell)

    def forget(*_: Any) -> None:
        shell.events.unregister("post_run_cell", forget)
        printers.pop(id(value), None)

    # The function holds the value, so that no other can get its identity meanwhile.
    printers[id(value)] = lambda _: printers.pop(id(value), None)
    shell.events.register("post_run_cell", forget)
    return value


def is_shown(shell: InteractiveShell, value: Any) -> bool:
    """Whether this cell has shown `value` already."""
    from secgemini_jupyter.kernel.answer import Answer

    if isinstance(value, Answer):
        return value.is_shown_in(shell.execution_count)
    return id(value) in _printers(shell)


def _printers(shell: InteractiveShell) -> dict[int, Any]:
    """How IPython displays single objects, by identity."""
    formatter: Any = shell.display_formatter
    printers: dict[int, Any] = formatter.ipython_display_formatter.singleton_printers
    return printers
