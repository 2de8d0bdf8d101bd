"""What travels is read tolerantly, written strictly, and survives being written again."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter import models
from secgemini_jupyter.client.state import without_messages
from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import (
    ROOT,
    Message,
    MessageType,
    ModelInfo,
    OpResult,
    PublicSession,
    Role,
    State,
    Usage,
    UserInfo,
    read_message,
    read_stored_message,
    said_by,
)

FIELDS = frozenset(Message.__struct_encode_fields__) - {"~unknown"}

# Text that UTF-8 can carry: JSON on the wire is UTF-8.
wire_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
wire_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | wire_text,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(wire_text, items, max_size=3),
    max_leaves=6,
)
field_names = st.sampled_from([*sorted(FIELDS), "~unknown", "session_id", "message_sub_type"]) | wire_text
wire_objects = st.dictionaries(field_names, wire_json, max_size=12)


def frame(**fields: Any) -> bytes:
    """A message as the protocol page writes it, with `fields` in place of its own."""
    message = {
        "id": "d00d00000010", "parent_id": "3713", "turn": "66e0d1c2b3a4", "group": "51f0aa07",
        "actor": "vulnerability_agent", "role": "agent", "timestamp": 1760000105, "created_at": 1760000105.2,
        "message_type": "result", "icon": None, "text_color": None, "title": None, "state": "agent_done",
        "content": "Yes. web-7 runs 4.1.9.", "mime_type": "text/plain", "status_code": 200, "status_message": "OK",
        "usage": {"prompt_tokens": 1410, "generated_tokens": 58, "total_tokens": 1468, "cached_token_count": 0,
                  "thoughts_token_count": 210, "tool_use_prompt_token_count": 377, "prompt_tokens_details": None},
    }  # fmt: skip
    return json.dumps(message | fields).encode()


def test_a_frame_is_read_into_its_fields() -> None:
    message = read_message(frame())
    assert (message.id, message.actor, message.role) == ("d00d00000010", "vulnerability_agent", Role.AGENT)
    assert (message.message_type, message.state) == (MessageType.RESULT, State.AGENT_DONE)
    assert message.created_at == 1760000105.2
    assert message.usage == Usage(1410, 58, 1468, 0, 210, 377)
    assert message.unknown is msgspec.UNSET


def test_a_frame_is_written_with_every_field() -> None:
    assert json.loads(read_message(frame()).to_json()) == json.loads(frame())
    assert json.loads(Message(message_type=MessageType.QUERY).to_json()).keys() == FIELDS


def test_only_the_message_type_is_needed() -> None:
    message = read_message(b'{"message_type": "query"}')
    assert (message.parent_id, message.actor, message.role, message.state) == (ROOT, "user", Role.USER, State.START)
    assert (message.mime_type, message.status_code, message.status_message) == ("text/plain", 200, "OK")
    assert (len(message.id), len(message.turn), len(message.group)) == (12, 12, 32)


@pytest.mark.parametrize("field", ["role", "message_type", "state"])
def test_an_unknown_enum_value_is_readable_as_other_and_kept(field: str) -> None:
    message = read_message(frame(**{field: "retriving"}))
    value = getattr(message, field)
    assert (value, value.name, value.is_known) == ("retriving", "OTHER", False)
    assert json.loads(message.to_json())[field] == "retriving"


def test_unknown_enum_values_are_equal_by_value() -> None:
    assert MessageType("graph") == MessageType("graph") != MessageType("chart")
    assert hash(MessageType("graph")) == hash("graph")
    assert MessageType.RESULT.is_known
    with pytest.raises(ValueError, match="5 is not a valid"):
        MessageType(5)


def test_an_unknown_field_survives_reading_and_writing() -> None:
    data = frame(trace={"span": [1, None]}, session_id="s")
    message = read_message(data)
    assert message.unknown == {"trace": {"span": [1, None]}, "session_id": "s"}
    assert json.loads(message.to_json()) == json.loads(data)


def test_an_unknown_usage_field_survives_reading_and_writing() -> None:
    data = frame(usage={"prompt_tokens": 3, "audio_tokens": 4})
    message = read_message(data)
    assert message.usage == Usage(prompt_tokens=3)
    assert message.unknown == {"usage": {"audio_tokens": 4}}
    assert json.loads(message.to_json())["usage"]["audio_tokens"] == 4


def test_a_sender_cannot_reach_our_own_field() -> None:
    message = read_message(frame(**{"~unknown": {"content": "forged"}}))
    assert message.unknown == {"~unknown": {"content": "forged"}}
    assert json.loads(message.to_json())["content"] == "Yes. web-7 runs 4.1.9."


def test_a_hidden_field_cannot_replace_one_that_was_understood() -> None:
    message = Message(
        message_type=MessageType.INFO, content="shown", unknown={"content": "hidden", "usage": {"total_tokens": 7}}
    )
    written = json.loads(message.to_json())
    assert (written["content"], written["usage"]) == ("shown", None)


@pytest.mark.parametrize("name", ["token_count", "tokenCount"])
def test_both_spellings_of_a_modality_count_are_read_and_one_is_written(name: str) -> None:
    message = read_message(frame(usage={"prompt_tokens_details": [{"modality": "TEXT", name: 9}]}))
    assert message.usage is not None
    assert message.usage.prompt_tokens_details == [models.ModalityTokenCount("TEXT", 9)]
    assert b'"token_count":9' in message.to_json()
    assert message.unknown is msgspec.UNSET


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("message_type", 5, "other"), ("message_type", None, "other"), ("id", None, ""), ("id", 7, "7"),
        ("turn", None, ""), ("timestamp", 1760000105.9, 1760000105), ("timestamp", "soon", 0),
        ("status_code", "abc", 200), ("status_code", "404", 404), ("created_at", None, 0.0),
        ("created_at", "yesterday", 0.0), ("content", {"a": 1}, '{"a": 1}'), ("title", 5, "5"), ("usage", 5, None),
        ("usage", [], None), ("role", 1, "user"), ("state", None, "start"), ("parent_id", None, "3713"),
        ("mime_type", False, "false"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_read_as_well_as_it_can_be_and_kept(field: str, value: Any, read: Any) -> None:
    message = read_message(frame(**{field: value}))
    assert getattr(message, field) == read
    assert message.unknown == {field: value}
    assert json.loads(message.to_json())[field] == value
    assert read_message(message.to_json()) == message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_time_that_is_no_number_is_kept_as_text(number: str) -> None:
    message = read_message(frame().replace(b"1760000105.2", number.encode()))
    assert message.created_at == 0.0
    assert message.unknown == {"created_at": number}
    assert read_message(message.to_json()) == message


def test_lone_surrogates_become_replacement_characters() -> None:
    message = read_message(b'{"message_type": "info", "content": "a\\ud800b", "x\\udfff": "\\udc00"}')
    assert message.content == "a\ufffdb"
    assert message.unknown == {"x\ufffd": "\ufffd"}
    assert read_message(b'{"message_type": "info", "content": "\\ud83d\\ude00"}').content == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "cut", [b"", b"{", b'{"message_type": "info", "content": "x', b"[]", b"null", b"<html>", b'"text"', b'{"a":"\xff"}']
)
def test_what_is_no_json_object_is_a_protocol_error(cut: bytes) -> None:
    with pytest.raises(ProtocolError, match="Expected a message"):
        read_message(cut)


@pytest.mark.parametrize("depth", [300, 5000, 200_000])
def test_deep_nesting_is_a_protocol_error(depth: int) -> None:
    with pytest.raises(ProtocolError, match="RecursionError"):
        read_message(b'{"message_type":"info","x":' + b"[" * depth + b"]" * depth + b"}")


@settings(deadline=None)
@given(wire_objects)
def test_any_object_is_read_and_survives_being_written(fields: dict[str, Any]) -> None:
    message = read_message(json.dumps(fields).encode())
    written = json.loads(message.to_json())
    assert {key: written[key] for key in fields if key != "usage"} == {
        key: value for key, value in fields.items() if key != "usage"
    }
    assert read_message(message.to_json()) == message


@settings(deadline=None)
@given(st.binary(max_size=60) | wire_json.map(lambda value: json.dumps(value).encode()))
def test_a_stored_message_never_hides_the_others(raw: bytes) -> None:
    message = read_stored_message(raw)
    if message.message_type == "other" and message.id == "":
        assert message.content is not None or message.unknown


def test_an_unreadable_stored_message_shows_its_text() -> None:
    session = models.read(b'{"messages": [%s, [1], %s]}' % (frame(), frame(id="b")), PublicSession, "a session")
    first, second, third = session.read_messages()
    assert (first.id, third.id) == ("d00d00000010", "b")
    assert (second.message_type, second.content, second.created_at) == ("other", "[1]", 0.0)


@pytest.mark.parametrize("odd", [b"[1]", frame(new=1), frame(title="\ud800"), frame(**{"~unknown": {"a": 1}})])
def test_a_session_is_read_alike_whether_or_not_all_its_messages_fit(odd: bytes) -> None:
    times = b'"create_time": 1.5, "update_time": 2.5'
    plain, mixed = (b'{"id": "s", %s, "messages": [%s, %s]}' % (times, frame(), other) for other in (frame(), odd))
    assert type(models.read_session(plain).messages[0]) is Message  # read at once, not one by one
    assert models.read_session(plain).read_messages() == [read_message(frame())] * 2
    assert models.read_session(mixed).read_messages() == [read_message(frame()), read_stored_message(odd)]
    assert without_messages(models.read_session(plain)) == without_messages(models.read_session(mixed))


def test_a_session_with_a_message_that_no_strict_reader_takes_is_read() -> None:
    body = b'{"id": "s", "new_field": 1, "messages": [%s]}' % frame(id="x").replace(b"1760000105.2", b"NaN")
    session = models.read(body, PublicSession, "a session")
    assert [message.id for message in session.read_messages()] == ["x"]


@pytest.mark.parametrize(
    ("mime_type", "is_text"),
    [
        (None, True), ("text/plain", True), ("text/x-new", True), ("sec-gemini/table", True), ("sec-gemini/new", True),
        ("application/json", True), ("application/jsonl", False), ("image/svg+xml", False), ("application/pdf", False),
        ("", False), ("application/x-new", False),
    ],
)  # fmt: skip
def test_the_mime_type_says_whether_the_content_is_text_or_base64(mime_type: str | None, is_text: bool) -> None:
    raw = b"\x00\xff<svg/>" if not is_text else "grün".encode()
    content = base64.b64encode(raw).decode() if not is_text else "grün"
    message = Message(message_type=MessageType.RESULT, mime_type=mime_type, content=content)
    assert message.data == raw
    assert message.text == (content if is_text else None)


def test_unreadable_base64_stays_as_it_came() -> None:
    message = Message(message_type=MessageType.RESULT, mime_type="image/png", content="not base64!")
    assert (message.data, message.text) == (b"not base64!", None)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30))
def test_any_mime_type_survives(mime_type: str) -> None:
    assert read_message(read_message(frame(mime_type=mime_type)).to_json()).mime_type == mime_type


def test_a_recoverable_error_is_no_failed_turn() -> None:
    assert not read_message(frame(message_type="error", status_code=200)).is_error
    assert read_message(frame(message_type="error", status_code=429)).is_error
    assert not read_message(frame(message_type="local_tool_result", status_code=500)).is_error
    assert read_message(frame(status_code=206)).is_partial
    assert read_message(frame(message_type="strange", state="end")).is_end


def test_an_answer_is_said_by_its_last_result_but_for_remarks_of_the_service() -> None:
    words = Message(message_type=MessageType.RESULT, role=Role.AGENT, actor="a model")
    remark = Message(message_type=MessageType.RESULT, role=Role.SYSTEM, actor="orchestrator")
    end = Message(message_type=MessageType.INFO, role=Role.SYSTEM)
    assert said_by([words, remark, end]) is words
    assert said_by([remark, end]) is remark
    assert said_by([end]) is None


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4, 5, 6) + Usage(10, 20, 30, 40, 50, 60) == Usage(11, 22, 33, 44, 55, 66)


@pytest.mark.parametrize(
    ("text", "name", "version", "experimental"),
    [
        ("sec-gemini-1.1", "sec-gemini", "1.1", False),
        ("sec-gemini-1.1-experimental", "sec-gemini", "1.1", True),
        ("sec-gemini-stable", "sec-gemini", "stable", False),
        ("plain", "plain", "", False),
        ("", "", "", False),
    ],
)
def test_a_model_string_is_taken_apart(text: str, name: str, version: str, experimental: bool) -> None:
    model = ModelInfo.parse(text)
    assert (model.model_name, model.version, model.use_experimental) == (name, version, experimental)
    assert model.model_string == text


def test_a_reply_ignores_what_it_does_not_know_and_repairs_what_does_not_fit() -> None:
    body = {"user": {"id": "a@b.test", "type": "robot", "rpm": "100", "tpm": 4e5, "new": 1},
            "sessions": [{"id": "s", "ttl": 300.5, "files": [{"size": 3}, {"name": "x"}]}],
            "available_models": None}  # fmt: skip
    info = models.read(json.dumps(body).encode(), UserInfo, "user info")
    assert (info.user.type, info.user.type.is_known, info.user.rpm, info.user.tpm) == ("robot", False, 100, 400_000)
    assert [(session.id, session.ttl) for session in info.sessions] == [("s", 300)]
    assert [file.name for file in info.sessions[0].files] == ["x"]
    assert info.available_models == []


@pytest.mark.parametrize("body", [b"<html>502</html>", b'{"ok": tr', b"", b"[1]", b'{"status_message": "no ok"}', b"7"])
def test_a_reply_that_cannot_be_read_names_what_was_expected(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="Expected the outcome"):
        models.read(body, OpResult, "the outcome")
