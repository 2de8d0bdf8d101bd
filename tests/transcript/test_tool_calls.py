"""The tool calls of a turn as a table."""

from __future__ import annotations

import json

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.transcript.tool_calls import COLUMNS, tools_frame


def test_calls_and_their_results() -> None:
    call = Message(
        message_type=MessageType.LOCAL_TOOL_CALL, state=State.CALLING_TOOL, actor="agent", created_at=10.0, id="c1",
        content=json.dumps({"tool_name": "lookup", "tool_args": {"name": "evil.com"}}),
    )  # fmt: skip
    answer = Message(
        message_type=MessageType.LOCAL_TOOL_RESULT, state=State.TOOL_RESULT, created_at=12.5, parent_id="c1",
        content=json.dumps({"id": "c1", "tool_name": "lookup", "output": {"result": "http://evil.com"}}),
    )  # fmt: skip
    failed = Message(
        message_type=MessageType.LOCAL_TOOL_RESULT, state=State.TOOL_RESULT, status_code=500, content="no such tool",
        title="other",
    )  # fmt: skip
    frame = tools_frame([call, answer, failed])
    assert frame["name"].tolist() == ["lookup", "other"]
    assert json.loads(frame["arguments"][0]) == {"name": "evil.com"}
    assert frame["ok"].tolist() == [True, False]
    assert frame["seconds"][0] == 2.5
    assert frame["output"].tolist() == ["http://evil.com", "no such tool"]
    waiting = tools_frame([call])
    assert waiting[["ok", "seconds", "output"]].isna().all(axis=None)


def test_no_calls_are_an_empty_table_of_the_same_shape() -> None:
    call = Message(message_type=MessageType.INFO, state=State.CALLING_TOOL, content="Calling lookup")
    empty, one = tools_frame([]), tools_frame([call])
    assert list(empty.columns) == list(COLUMNS)
    assert len(empty) == 0
    assert len(one) == 1
    assert (empty.dtypes == one.dtypes).all()
    assert empty.attrs["secgemini_schema"] == "tools/1"
