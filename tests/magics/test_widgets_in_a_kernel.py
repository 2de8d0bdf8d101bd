"""Widgets that the magics show in a real kernel: feedback under an answer, feedback and sessions on demand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.magics.conftest import Kernel, Ran

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
ON = "%config SecGeminiMagics.feedback = True"
NEWEST = "list(__import__('ipywidgets').widgets.widget._instances.values())[-1]"


def views(ran: Ran) -> list[dict[str, Any]]:
    return [output for output in ran.outputs if VIEW in output.get("data", {})]


def test_no_strip_is_shown_unless_it_is_asked_for(kernel: Kernel) -> None:
    assert views(kernel.run("%%secgemini\nhello", attended=True)) == []


def test_the_strip_stands_under_the_answer_for_its_turn(kernel: Kernel) -> None:
    kernel.run(ON)
    kernel.run("%%secgemini\nfirst", attended=True)
    ran = kernel.run("%%secgemini -o found\nsecond [[messages=12 bytes=8]] [[delay=0.04]]", attended=True)
    assert ran.updates > 0, "the answer was live"
    answer, strip = ran.outputs
    assert answer["metadata"]["secgemini"]["status"] == "ok"
    assert VIEW not in answer["data"]
    assert strip["data"]["text/plain"] == "Feedback on turn 2 needs its kernel."
    assert kernel.value(f"{NEWEST}.label, {NEWEST}.compact, {NEWEST}._group_id == found.messages[-2].group") == (
        "turn 2",
        True,
        True,
    )
    assert strip["data"][VIEW]["model_id"] == kernel.value(f"{NEWEST}.model_id")


@pytest.mark.parametrize(
    ("cell", "attended"),
    [
        ("%%secgemini\nhello", False),
        ("%%secgemini -q\nhello", True),
        ("%%capture kept\n%%secgemini\nhello", True),
        ("%%secgemini\n[[error 500]]", True),
    ],
    ids=["nobody looks", "quiet", "captured", "failed"],
)
def test_no_strip_where_nobody_can_click_or_nothing_was_answered(kernel: Kernel, cell: str, attended: bool) -> None:
    kernel.run(f"{ON}\nkept = None")
    assert views(kernel.run(cell, attended=attended)) == []
    assert kernel.value(f"[o for o in (kept.outputs if kept else []) if {VIEW!r} in (o.data or {{}})]") == []


def test_feedback_without_arguments_is_by_click(kernel: Kernel) -> None:
    kernel.run("%%secgemini\nhello")
    (shown,) = views(kernel.run("%secgemini feedback", attended=True))
    assert "Feedback on turn 1" in shown["data"]["text/plain"]
    assert kernel.value(f"{NEWEST}.compact") is False
    kernel.run("%secgemini feedback --session", attended=True)
    assert kernel.value(f"{NEWEST}.label") == "this session"
    kernel.run("import secgemini_jupyter\n%secgemini new\nsecgemini_jupyter.feedback()", attended=True)
    assert kernel.value(f"{NEWEST}.label") == "this session", "there is no answer yet"


def test_feedback_for_a_turn_by_number(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o one\nfirst")
    kernel.run("%%secgemini\n[[error 500]]")
    kernel.run("%%secgemini -o three\nthird")
    kernel.run("from secgemini_jupyter import feedback")
    assert kernel.value("feedback(1).label, feedback(1)._group_id == one.messages[-2].group") == ("turn 1", True)
    assert kernel.value("feedback().label, feedback(0).label") == ("turn 3", "this session")
    assert kernel.value("feedback(session=one.session, turn=3).session_id == one.session.id") is True
    assert "No answer to turn 2" in kernel.run("feedback(2)").error
    assert "this session has 3 turns" in kernel.run("feedback(4)").error


def test_sessions_by_click_share_the_kernel_s_sessions(kernel: Kernel) -> None:
    kernel.run('%secgemini new "here we are"')
    (shown,) = views(kernel.run("%secgemini sessions --browse", attended=True))
    assert "here we are" in shown["data"]["text/plain"]
    current = "[row['name'] for row in {}.sessions if row['current']]"
    assert kernel.value(current.format(NEWEST)) == ["here we are"]
    kernel.run("import secgemini_jupyter\nmine = secgemini_jupyter.sessions()")
    assert kernel.value(current.format("mine")) == ["here we are"]
    assert kernel.value("mine._host is get_ipython().magics_manager.registry['SecGeminiMagics'].kernel") is True
