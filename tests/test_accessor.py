"""`df.secgemini`: what a transcript leads on to."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from secgemini_jupyter import accessor
from secgemini_jupyter.accessor import NoTranscriptError
from secgemini_jupyter.errors import InputError, SecGeminiError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage
from secgemini_jupyter.transcript.jsonl import from_jsonl
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.tool_calls import tool_calls_frame
from secgemini_jupyter.transcript.turns import turn_slices, turns_frame


def say(kind: str, content: str, state: State = State.ANSWERING, **fields: object) -> Message:
    values = {"id": f"{kind}-{len(content)}", "actor": "agent", "role": Role.AGENT, "timestamp": 5, "created_at": 5.5}
    return Message(**{"message_type": MessageType(kind), "content": content, "state": state, **values, **fields})  # type: ignore[arg-type]


MESSAGES = [
    say("query", "Is hxxp://bad[.]example/a known? It fetched 203.0.113.9", State.QUERY, usage=Usage()),
    say("thinking", "Looking at bad.example", title="Plan"),
    say("result", "Yes: bad.example served CVE-2099-0001.", usage=Usage(10, 5, 15)),
    say("info", "end", State.END),
    say("query", "Thanks", State.QUERY),
    say("result", "You are welcome.", usage=Usage(20, 5, 25)),
    say("info", "end", State.END),
]


@pytest.fixture
def history() -> pd.DataFrame:
    return messages_frame(MESSAGES, session_id="s")


def test_turns(history: pd.DataFrame) -> None:
    turns = history.secgemini.turns()
    assert_frame_equal(turns, turns_frame(MESSAGES, session_id="s"))
    assert turns["total_tokens"].tolist() == [15, 25]


def test_tool_calls(history: pd.DataFrame) -> None:
    asked = say("local_tool_call", '{"tool_name": "whois", "tool_args": {}}', State.CALLING_TOOL)
    messages = [*MESSAGES[:2], asked, *MESSAGES[2:]]
    table = messages_frame(messages, session_id="s")
    expected = tool_calls_frame(turn_slices(messages, session_id="s"))
    assert_frame_equal(table.secgemini.tool_calls(), expected)
    assert expected["tool_name"].tolist() == ["whois"]
    assert_frame_equal(table[table["turn_index"] == 2].secgemini.tool_calls(), expected.iloc[:0])


def test_turns_of_filtered_rows_keep_their_numbers(history: pd.DataFrame) -> None:
    turns = history[history["message_type"] == "result"].secgemini.turns()
    assert turns["turn_index"].tolist() == [1, 2]
    assert turns["prompt"].isna().all()
    assert turns["answer"].tolist() == ["Yes: bad.example served CVE-2099-0001.", "You are welcome."]


def test_tables_of_several_sessions_are_told_apart(history: pd.DataFrame) -> None:
    both = pd.concat([history, messages_frame(MESSAGES[:4], session_id="t")])
    assert both.secgemini.turns()["turn_id"].tolist() == ["s:1", "s:2", "t:1"]
    usage = both.secgemini.usage()
    assert usage[["session_id", "turns", "total_tokens"]].values.tolist() == [["s", 2, 40], ["t", 1, 15]]
    tree = str(both.secgemini.tree()).splitlines()
    assert [line for line in tree if line[0] in "st"] == ["s · 2 turns · 7 messages", "t · 1 turn · 4 messages"]


def test_tree(history: pd.DataFrame) -> None:
    assert "└─ 2 › Thanks" in repr(history.secgemini.tree())


def test_visualize_is_the_tree_where_no_notebook_is_and_a_widget_where_it_is(
    history: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(history.secgemini.visualize()) == str(history.secgemini.tree())
    monkeypatch.setattr("secgemini_jupyter.widgets.base.in_notebook", lambda: True)
    widget = history.secgemini.visualize()
    widget.selected = [1]
    pd.testing.assert_frame_equal(widget.selection, history.iloc[[1]])


def test_search_finds_text_in_content_and_title(history: pd.DataFrame) -> None:
    assert history.secgemini.search("BAD.example").index.tolist() == [1, 2]
    assert history.secgemini.search("plan").index.tolist() == [1]
    assert history.secgemini.search("plan", case=True).empty
    assert history.secgemini.search("CVE-[0-9]+", regex=True).index.tolist() == [2]
    assert history.secgemini.search("bad[.]example").index.tolist() == [0, 1, 2]
    assert history.secgemini.search("[").index.tolist() == [0]
    assert history[["message_type", "content"]].secgemini.search("welcome").index.tolist() == [5]
    assert_frame_equal(history.secgemini.search("nothing"), history.iloc[:0])


def test_search_refuses_what_it_cannot_look_for(history: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Nothing to search for"):
        history.secgemini.search("")
    with pytest.raises(InputError, match="no regular expression"):
        history.secgemini.search("[", regex=True)


def test_iocs(history: pd.DataFrame) -> None:
    iocs = history.secgemini.iocs().set_index(["type", "value"])
    assert iocs.loc[("cve", "CVE-2099-0001"), ["count", "in_prompt", "in_answer", "turn_index"]].tolist() == [
        1, False, True, 1,
    ]  # fmt: skip
    assert iocs.loc[("domain", "bad.example"), ["count", "in_prompt", "in_answer"]].tolist() == [3, True, True]
    assert ("ipv4", "203.0.113.9") in iocs.index
    assert history.iloc[:0].secgemini.iocs().dtypes.tolist() == history.secgemini.iocs().dtypes.tolist()


def test_to_jsonl_gives_messages_in_the_shape_of_the_wire(history: pd.DataFrame, tmp_path: Path) -> None:
    assert from_jsonl(history.secgemini.to_jsonl()) == MESSAGES
    assert json.loads(history.secgemini.to_jsonl().splitlines()[0])["content"] == MESSAGES[0].content
    assert history.secgemini.to_jsonl(tmp_path / "a.jsonl") is None
    assert from_jsonl((tmp_path / "a.jsonl").read_bytes()) == MESSAGES


def test_the_order_of_rows_does_not_matter(history: pd.DataFrame) -> None:
    accessor, expected = history.iloc[::-1].secgemini, history.secgemini
    assert str(accessor.tree()) == str(expected.tree())
    assert accessor.to_jsonl() == expected.to_jsonl()
    assert accessor.to_otlp() == expected.to_otlp()
    widget = history.iloc[::-1].secgemini.visualize(embed=True)
    widget.select(history.iloc[[2]])
    assert widget.selection["message_index"].tolist() == [2]
    bad = history.astype({"message_type": object}).iloc[::-1]
    bad.iloc[1, list(bad.columns).index("extra")] = "["
    with pytest.raises(InputError, match="Row 1 is no message"):
        bad.secgemini.turns()


def test_tables_say_where_they_are_from() -> None:
    fence = "| host | port |\n| --- | --- |\n| a | 22 |\n"
    messages = [*MESSAGES, say("query", "List", State.QUERY), say("result", f"One:\n\n{fence}\nTwo:\n\n{fence}")]
    tables = messages_frame(messages, session_id="s").secgemini.tables()
    assert [table.attrs for table in tables] == [{"session_id": "s", "turn_index": 3}] * 2
    assert tables[0]["port"].tolist() == [22]


VIEWS = ("turns", "tool_calls", "timeline", "usage", "iocs", "sightings", "techniques")


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_parts_and_of_sessions_put_together(view: str) -> None:
    """What is not there is not needed: rows may be missing, stand in another order, or twice, as may indexes repeat."""
    asked = say(
        "local_tool_call",
        '{"tool_name": "whois", "tool_args": {"ip": "203.0.113.9 T1059"}}',
        State.CALLING_TOOL,
    )
    one, two = (messages_frame([*MESSAGES[:2], asked, *MESSAGES[2:]], session_id=name) for name in "ab")
    both = pd.concat([one, two])
    whole = getattr(both.secgemini, view)()
    alone = [getattr(each.secgemini, view)() for each in (one, two)]
    assert len(alone[0])
    if view != "techniques":  # one row for each technique of all sessions
        assert_frame_equal(whole, pd.concat(alone, ignore_index=True), check_like=True)
    assert_frame_equal(getattr(both.iloc[::-1].secgemini, view)(), getattr(pd.concat([two, one]).secgemini, view)())
    mixed = pd.concat([both.iloc[:1], both.sample(frac=1, random_state=1), two])
    assert_frame_equal(getattr(mixed.secgemini, view)(), whole)
    for part in (both.iloc[:0], both[both["message_type"] == "end"], both.sample(5, random_state=1)):
        found = getattr(part.secgemini, view)()
        assert found.dtypes.equals(whole.dtypes)
    assert len(getattr(both.iloc[:0].secgemini, view)()) == 0
    assert both.iloc[:0].secgemini.tables() == []


def test_an_empty_transcript_has_empty_views() -> None:
    empty = messages_frame([], session_id="s").secgemini
    assert (len(empty.turns()), len(empty.usage()), empty.to_jsonl()) == (0, 0, "")
    assert str(empty.tree()) == "Session · 0 turns · 0 messages"


def test_a_table_that_is_no_transcript_has_no_accessor() -> None:
    other = pd.DataFrame({"content": ["x"]})
    assert not hasattr(other, "secgemini")
    with pytest.raises(NoTranscriptError, match="lacks the columns message_type") as caught:
        _ = other.secgemini
    assert isinstance(caught.value, SecGeminiError)
    with pytest.raises(NoTranscriptError, match=r"lacks the columns message_type, content\. Take"):
        _ = messages_frame(MESSAGES, session_id="s").secgemini.iocs().secgemini


def test_columns_with_new_names_are_told() -> None:
    table = messages_frame(MESSAGES, session_id="s")
    with pytest.raises(NoTranscriptError, match=r"message_type \(perhaps renamed: message_kind for message_type\)"):
        _ = table.rename(columns={"message_type": "message_kind"}).secgemini
    with pytest.raises(InputError, match=r"group_id \(perhaps renamed: group for group_id\)"):
        table.rename(columns={"group_id": "group"}).secgemini.timeline()


def test_a_method_names_the_columns_that_it_misses(history: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="lacks the columns actor, turn_index"):
        history.drop(columns=["actor", "turn_index"]).secgemini.turns()
    with pytest.raises(InputError, match="Row 2 is no message"):
        history.assign(extra=[None, None, "[1", None, None, None, None]).secgemini.tree()


def test_a_table_has_an_accessor_that_is_loaded_when_it_is_used() -> None:
    code = """
import sys, warnings
warnings.simplefilter("error")
import pandas as pd
from secgemini_jupyter.client.histories import history
from secgemini_jupyter.models import Message, MessageType, PublicSession
tables = [history(PublicSession(id=name), [Message(message_type=MessageType.QUERY, content="x")]) for name in "ab"]
assert "secgemini_jupyter.accessor" not in sys.modules
assert not hasattr(pd.DataFrame({"a": [1]}), "secgemini")
assert [len(table.secgemini.turns()) for table in (*tables, tables[0])] == [1, 1, 1]
assert pd.DataFrame.secgemini.__name__ == "TranscriptAccessor"
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "cells",
    [
        ["import pandas as pd, secgemini_jupyter"],
        ["%load_ext secgemini_jupyter", "import pandas as pd"],
        ["import secgemini_jupyter, pandas as pd", "%load_ext secgemini_jupyter"],
    ],
)
def test_a_table_that_pandas_read_back_has_the_accessor(cells: list[str]) -> None:
    code = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell).raise_error()
import sys
assert "secgemini_jupyter.accessor" not in sys.modules
table = shell.user_ns["pd"].DataFrame({{"message_type": ["query"], "content": ["x"]}})
assert len(table.secgemini.search("x")) == 1
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_reload_registers_again_without_a_warning(history: pd.DataFrame) -> None:
    importlib.reload(accessor)
    assert len(history.secgemini.turns()) == 2
