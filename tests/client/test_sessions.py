"""Sessions of the local service through both shells: what each row of the public API does."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from secgemini_jupyter.errors import AuthenticationError, InputError, SessionNotFoundError, SettingsError
from secgemini_jupyter.models import MessageType, State
from tests.conftest import LocalService


@pytest.fixture
def requests(caplog: pytest.LogCaptureFixture) -> Any:
    """How many HTTP requests were made, by httpx's own log, since this was last asked."""
    caplog.set_level(logging.INFO, logger="httpx")

    def count() -> int:
        made = sum(record.name == "httpx" for record in caplog.records)
        caplog.clear()
        return made

    return count


def test_nothing_is_sent_before_the_first_call(shell: Any, requests: Any) -> None:
    client = shell("a-key", base_url="http://127.0.0.1:9", websocket_url="ws://127.0.0.1:9")
    assert requests() == 0
    assert "127.0.0.1:9" in repr(client.twin if hasattr(client, "twin") else client)


def test_create_session_has_the_reference_defaults(client: Any) -> None:
    session = client.create_session()
    try:
        assert session.ttl == 86400
        assert session.description == ""
        assert session.can_log is True
        assert session.language == "en"
        assert session.name.count("-") == 1
        assert session.model.model_string
        assert (session.turns, session.num_messages, session.files) == (0, 0, [])
        assert session.messages == []
        assert session.state is State.START
    finally:
        session.delete()


def test_create_session_takes_every_argument(client: Any) -> None:
    session = client.create_session(
        "named", "described", 4242, True, model="local-echo", language="de", agents_config={"a": {"b": 1}}
    )
    try:
        again = client.resume_session(session.id)
        for each in (session, again):
            assert (each.name, each.description, each.ttl, each.language) == ("named", "described", 4242, "de")
            assert each.model.model_string == "local-echo"
            assert each.agents_config == {"a": {"b": 1}}
    finally:
        session.delete()


def test_retention_can_be_switched_off_where_the_key_allows_it(client: Any) -> None:
    """`can_log` is what the service says."""
    assert client.user_info().user.can_disable_logging
    session = client.create_session(enable_logging=False)
    assert session.can_log is False
    assert client.resume_session(session.id).can_log is False
    session.delete()


def test_sessions_are_listed_oldest_first_and_can_be_used(client: Any, requests: Any) -> None:
    made = [client.create_session(f"number {n}") for n in range(3)]
    made[0].query("hello")
    requests()
    listed = [each for each in client.list_sessions() if each.id in {m.id for m in made}]
    assert requests() == 1
    assert [each.id for each in listed] == [each.id for each in made]
    assert listed[0].num_messages > 1
    assert next(m.content for m in listed[0].messages) == "hello", "messages of a listed session are loaded"
    assert requests() == 1
    assert str(listed[1].query("I came from a list").text()) == "I came from a list"
    for each in made:
        each.delete()
    assert not {each.id for each in client.list_sessions()} & {each.id for each in made}


def test_resumed_session_knows_its_messages(client: Any, session: Any, requests: Any) -> None:
    session.query("remember me")
    requests()
    again = client.resume_session(session.id)
    assert requests() == 1
    assert [m.to_json() for m in again.messages] == [m.to_json() for m in session.messages]
    assert requests() == 0


@pytest.mark.parametrize("missing", ["no-such-session", "", "a/b?c=d&e", "ü 😀", "x" * 500])
def test_unknown_session_is_not_found(client: Any, missing: str) -> None:
    with pytest.raises(SessionNotFoundError, match="list_sessions"):
        client.resume_session(missing)


def test_id_that_no_address_can_hold_is_refused(client: Any) -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        client.resume_session("half a pair \ud800")


def test_scalar_properties_cost_no_request(session: Any, requests: Any) -> None:
    session.attach_file("a.txt", b"a")
    session.query("hi")
    requests()
    names = (
        "id name description ttl model language can_log files usage state turns num_messages create_time update_time "
        "user_id org_id logs_table local_tools agents_config host is_running messages"
    ).split()
    for name in names:
        getattr(session, name)
    repr(session)
    assert requests() == 0


def test_finished_turn_updates_the_snapshot(session: Any, client: Any) -> None:
    for number in (1, 2):
        session.query(f"question {number}")
        fresh = client.resume_session(session.id)
        assert (session.turns, session.num_messages) == (fresh.turns, fresh.num_messages)
        assert session.turns == number
        assert session.state is fresh.state is State.END
        assert session.usage == fresh.usage
        assert [m.to_json() for m in session.messages] == [m.to_json() for m in fresh.messages]


def test_refresh_sees_what_others_did(session: Any, client: Any) -> None:
    other = client.resume_session(session.id)
    other.update(name="renamed elsewhere")
    other.attach_file("b.txt", b"b")
    assert session.name == "a test"
    session.refresh()
    assert session.name == "renamed elsewhere"
    assert [file.name for file in session.files] == ["b.txt"]


def test_history_is_read_afresh(session: Any, client: Any) -> None:
    assert len(session.history()) == 0
    assert session.history().attrs["models"] == {session.id: session.model.model_string}
    client.resume_session(session.id).query("asked by another")
    frame = session.history()
    assert next(iter(frame["message_type"])) == "query"
    assert len(frame) == session.num_messages == len(session.messages)


def test_update_changes_what_is_given_alone(session: Any, client: Any) -> None:
    session.update(description="changed")
    session.update(ttl=300)
    for each in (session, client.resume_session(session.id)):
        assert (each.name, each.description, each.ttl) == ("a test", "changed", 300)
    session.update(description="")
    assert client.resume_session(session.id).description == ""


@pytest.mark.parametrize(
    "arguments",
    [{}, {"ttl": 299}, {"ttl": 0}, {"ttl": -1}, {"ttl": 300.5}, {"ttl": "300"}, {"ttl": True}, {"name": " "}],
)
def test_update_refuses_nonsense_before_sending(session: Any, requests: Any, arguments: dict[str, Any]) -> None:
    requests()
    with pytest.raises(InputError):
        session.update(**arguments)
    assert requests() == 0
    assert session.name == "a test"


@pytest.mark.parametrize("ttl", [299, 0, -5, None, "86400", 1e6, True])
def test_create_session_refuses_a_ttl_that_is_none(client: Any, ttl: Any) -> None:
    with pytest.raises(InputError, match="300"):
        client.create_session(ttl=ttl)


def test_deleted_session_is_gone(client: Any) -> None:
    session = client.create_session()
    session.delete()
    with pytest.raises(SessionNotFoundError):
        session.query("still there?")
    with pytest.raises(SessionNotFoundError):
        session.refresh()
    with pytest.raises(SessionNotFoundError):
        session.delete()


def test_user_info_and_models(client: Any) -> None:
    user = client.user_info().user
    assert user.id
    assert user.rpm >= 0
    assert user.tpm >= 0
    assert "local-echo" in {model.model_string for model in client.models()}


def test_name_is_generated(session: Any) -> None:
    name = session.generate_name()
    assert isinstance(name, str)
    assert name
    assert session.name == "a test", "proposing a name does not change it"


def test_feedback_and_bug_reports_are_taken(session: Any) -> None:
    response = session.query("rate me")
    group = response.messages[-2].group
    session.send_feedback(1)
    session.send_feedback(-3, group)
    session.send_feedback(0, group_id=response.messages[-2].id, comment="<b>no</b>\nindeed " * 100)
    session.send_bug_report("It broke.")
    session.send_bug_report("It broke here.", group)


@pytest.mark.parametrize(
    ("method", "arguments", "hint"),
    [
        ("send_feedback", (1, "no-such-group"), "comment="),
        ("send_feedback", (1, "a remark in the wrong place"), "comment="),
        ("send_feedback", (0.5,), "whole number"),
        ("send_feedback", ("1",), "whole number"),
        ("send_feedback", (1, None, None), "text"),
        ("send_bug_report", ("",), "empty"),
        ("send_bug_report", (" \n",), "empty"),
        ("send_bug_report", (None,), "empty"),
        ("send_bug_report", ("x", "no-such-group"), "comment="),
    ],
)
def test_feedback_refuses_nonsense(session: Any, method: str, arguments: tuple[Any, ...], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        getattr(session, method)(*arguments)


def test_visualize_is_a_text_tree(session: Any) -> None:
    session.query("draw [x] me\x1b[31m")
    text = str(session.visualize())
    assert "draw [x] me" in text
    assert "\x1b" not in text


def test_wrong_key_is_refused_at_once(shell: Any, local_service: LocalService, requests: Any) -> None:
    client = shell("wrong-key-9876543210", base_url=local_service.http, websocket_url=local_service.ws)
    with pytest.raises(AuthenticationError, match=r"secgemini\.google/keys") as caught:
        client.user_info()
    assert requests() == 1
    assert caught.value.status == 401
    assert "9876543210" not in str(caught.value)


def test_wrong_key_is_refused_on_the_stream(shell: Any, client: Any, session: Any, local_service: LocalService) -> None:
    """The session's own copy knows the id, so only the socket sees the key."""
    stranger = shell("wrong-key-9876543210", base_url=local_service.http, websocket_url=local_service.ws)
    twin = stranger.twin if hasattr(stranger, "twin") else stranger
    own = session.twin if hasattr(session, "twin") else session
    copy: Any = type(own)(twin, own._state)
    copy = type(session)(copy, session.portal) if hasattr(session, "portal") else copy
    with pytest.raises(AuthenticationError):
        list(copy.stream_sync("let me in"))


def test_without_any_key_the_error_says_where_keys_come_from(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEC_GEMINI_API_KEY", "SEC_GEMINI_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match=r"SEC_GEMINI_API_KEY.*SecGemini\.local\(\)"):
        shell()


def test_stored_and_streamed_messages_are_equal(session: Any) -> None:
    """Byte for byte; the prompt is stored first, and not echoed."""
    streamed = list(session.stream_sync("the same [[unknown enum]] [[type sec-gemini/table [[1, 2], [3, 4]]]]"))
    session.refresh()
    query, *stored = session.messages
    assert query.message_type is MessageType.QUERY
    assert [m.to_json() for m in streamed] == [m.to_json() for m in stored]
    assert streamed[-1].is_end
