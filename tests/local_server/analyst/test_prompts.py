"""Prompts as users write them: paraphrases, typing errors, other languages, several questions, follow-ups, forms.

What their answers must hold stands in `prompts/unseen.json`. It was derived by hand, from the sources of the data, and
from the files with other programs. `python -m secgemini_jupyter.local_server.check` asks them of a running service.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.local_server.checks import Case, read_cases

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(case, id=case.id, marks=[pytest.mark.slow] if n % 3 else [])
    for n, case in enumerate(read_cases(Path(__file__).parent / "prompts" / "unseen.json"))
]


@pytest.mark.parametrize("case", CASES)
async def test_an_answer_holds_what_it_must(talk: Any, case: Case) -> None:
    turns = await talk(*(question.prompt for question in case.questions), files=dict(case.files))
    for question, turn in zip(case.questions, turns, strict=True):
        assert question.missed(turn.answer) == [], turn.answer[:500]
