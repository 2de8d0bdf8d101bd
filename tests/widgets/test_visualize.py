from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secgemini_jupyter.transcript.nodes import Nodes
from secgemini_jupyter.widgets.base import STATIC
from tests.transcript.frames import message, turn
from tests.widgets.picture import Session, unpacked

if not (STATIC / "visualize.js").exists():
    pytest.skip("the view is not built", allow_module_level=True)

from secgemini_jupyter.widgets.visualize import VisualizeWidget

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(front_end):
    """A widget, and the browser's end of its wire."""

    def show(source: Any, **arguments: Any) -> tuple[VisualizeWidget, Any]:
        widget = VisualizeWidget(source, **arguments)
        return widget, next(each for each in front_end if each.comm_id == widget.model_id)

    return show


def test_the_index_is_there_for_the_first_paint(shown):
    widget, _ = shown(Session(turn()))
    header, columns = unpacked(widget.index)
    nodes = Nodes()
    nodes.update(turn())
    assert (header["seq"], header["start"], header["nodes"], header["messages"]) == (0, 0, 14, 12)
    assert columns["label"] == nodes.label
    for name in ("message", "size", "depth", "kind", "flags", "actor", "type", "state", "role", "status", "tokens"):
        assert columns[name].tolist() == getattr(nodes, name), name
    np.testing.assert_array_equal(columns["time"], nodes.time)
    np.testing.assert_allclose(columns["duration"], nodes.duration, rtol=1e-6)
    assert header["names"]["type"][columns["type"][0]] == "query"
    assert (widget.session_id, widget.session_name, widget.running) == ("3f9c1f0e", "triage", False)


def test_numbers_that_no_array_holds_stay_at_its_end(shown):
    odd = message("info", "start", "x", id="a", at=0, status_code=2**70, usage={"total_tokens": 2**80})
    widget, _ = shown(Session([odd]))
    _, columns = unpacked(widget.index)
    assert columns["status"].tolist() == [0, 32767]
    assert columns["tokens"].tolist()[1] == 2**32 - 1


def test_read_gives_what_messages_say(shown):
    _, browser = shown(Session(turn()))
    (query, answer) = browser.call("read", {"messages": [0, 10]})["result"]["details"]
    assert (query["heading"], query["message"]) == ("query", 0)
    assert dict(answer["facts"])["Tokens"].startswith("1,468 (prompt 1,410")
    assert "web-7 runs 4.1.9" in answer["parts"][0]["html"]


def test_search_looks_into_content_and_title_without_regard_to_case(shown):
    _, browser = shown(Session(turn()))
    for text, positions in (("ADVISORY", [3]), ("plan", [3]), ("web-7", [0, 3, 8, 10]), ("nowhere", [])):
        reply = browser.call("search", {"text": text})
        assert reply["result"] == {"count": len(positions)}
        assert np.frombuffer(reply["buffers"][0], "<i4").tolist() == positions


def test_a_defanged_text_finds_the_indicator(shown):
    _, browser = shown(Session([message("result", "agent_done", "It was 10.0.0.7 and evil.example", id="a", at=0)]))
    for text in ("10[.]0[.]0[.]7", "evil[.]example", "10.0.0.7"):
        assert browser.call("search", {"text": text})["result"] == {"count": 1}


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("read", {"messages": [12]}, "no message at position 12: there are 12 messages"),
        ("read", {"messages": [-1]}, "Expected `int` >= 0"),
        ("read", {"messages": [2**40]}, "Expected `int` <"),
        ("read", {"messages": []}, "length >= 1"),
        ("read", {"messages": [0] * 21}, "length <= 20"),
        ("read", {"messages": [0], "session_id": "other"}, "unknown field `session_id`"),
        ("read", {"messages": ["0"]}, "Expected `int`"),
        ("search", {"text": ""}, "length >= 1"),
        ("search", {"text": "x" * 1001}, "length <= 1000"),
        ("copy", {"message": 99}, "no message at position 99"),
        ("copy", {"message": 0, "part": 0}, "is no table"),
        ("copy", {"message": 0, "path": "/etc/passwd"}, "unknown field `path`"),
        ("refresh", {"session_id": "other"}, "unknown field"),
        ("read_index", {"start": 1}, "unknown field"),
    ],
)
def test_a_request_outside_the_view_s_means_is_refused(shown, method, params, words):
    _, browser = shown(Session(turn()))
    assert words in browser.call(method, params)["error"]


def test_the_view_knows_the_same_traits():
    source = (ROOT / "js" / "src" / "visualize" / "model.ts").read_text()
    interface = re.search(r"interface VisualizeTraits \{(.*?)\n\}", source, re.DOTALL)[1]
    theirs = set(re.findall(r"^  (\w+)\??:", interface, re.MULTILINE))
    assert theirs == {name for name in VisualizeWidget.class_own_traits(sync=True) if not name.startswith("_")}
