"""How IPython reads our lines: a prompt on one line may end as a request for help does."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.mark.parametrize(
    "prompt",
    [
        "who logged in?",
        "who logged in??",
        "what's in?",
        'is "it?',
        "where (is it?",
        "f(x)?",
        "what is x.y[0]?",
        "why ''' so?",
        "wer läuft é😀?",
        "-- -x?",
        "what is %timeit?",
        "why = %secgemini x?",
        "100 %? x",
    ],
)
@pytest.mark.parametrize("before", ["", "answer = ", "if True:\n    ", "x = 5 % 3\nanswer = "])
def test_a_question_mark_at_the_end_is_the_prompt_s(shell: InteractiveShell, before: str, prompt: str) -> None:
    """IPython would take it for a request for help on the last word, and drop the line."""
    sent = shell.transform_cell(f"{before}%secgemini ask {prompt}\ny = 1")
    assert sent.endswith("y = 1\n")
    assert f"run_line_magic('secgemini', {f'ask {prompt}'!r})" in sent
    assert "pinfo" not in sent


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("%secgemini?", "'pinfo', '%secgemini'"),
        ("%secgemini??", "'pinfo2', '%secgemini'"),
        ("%%secgemini?", "'pinfo', '%%secgemini'"),
        ("x = 1\nx?", "'pinfo', 'x'"),
        ("%other in?", "'pinfo', 'in'"),
        ("'''\n%secgemini ask x?\n'''", "'''\n%secgemini ask x?\n'''"),
        ("secgemini = 3\ny = 7 %secgemini", "y = 7 %secgemini"),
    ],
)
def test_what_else_ipython_reads_stays_as_it_was(shell: InteractiveShell, cell: str, part: str) -> None:
    assert part in shell.transform_cell(cell)


def test_a_question_on_one_line_is_asked(shell: InteractiveShell) -> None:
    assert shell.run_cell("answer = %secgemini ask -q who logged in?").success
    assert shell.user_ns["answer"].answer == "who logged in?"
