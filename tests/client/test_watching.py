"""Who watches a session learns that something changed, and sees a running turn without a request."""

from __future__ import annotations

import time
from typing import Any

from secgemini_jupyter.models import MessageType


def test_a_running_turn_is_seen_message_by_message(session: Any) -> None:
    told: list[bool] = []
    end = session.watch(lambda: told.append(session.is_running))
    stream = session.stream_sync("look [[messages=3 delay=0.02]]")
    seen = [len(session.known_messages()) for _ in stream]
    assert seen == sorted(seen)
    assert seen[-1] == len(session.messages)
    assert told[0] is True
    assert told[-1] is False
    assert session.known_messages() == session.messages
    told.clear()
    end()
    end()
    session.attach_file("a.txt", b"a")
    assert told == []


def test_the_running_turn_alone_is_seen_while_it_runs(session: Any) -> None:
    session.query("an earlier turn")
    assert session.running_messages() is None
    counts = []
    for _ in session.stream_sync("look [[messages=3 delay=0.02]]"):
        query, *messages = session.running_messages()
        assert query.content.startswith("look")
        counts.append(len(messages))
    assert counts == list(range(1, len(counts) + 1))
    assert session.running_messages() is None


def test_files_and_names_are_told(session: Any) -> None:
    names: list[tuple[str, int]] = []
    session.watch(lambda: names.append((session.name, len(session.files))))
    session.attach_file("a.txt", b"a")
    session.update(name="another")
    session.detach_file(0)
    assert names[0] == ("a test", 1)
    assert names[-1] == ("another", 0)


def test_messages_that_were_not_read_are_not_known(client: Any, session: Any) -> None:
    session.query("once")
    (listed,) = [each for each in client.list_sessions() if each.id == session.id]
    assert listed.known_messages() is None
    assert listed.messages[0].message_type is MessageType.QUERY
    assert len(listed.known_messages()) == len(listed.messages)


def test_a_watcher_that_fails_breaks_no_turn(session: Any, caplog: Any) -> None:
    def fails() -> None:
        raise ValueError("a bug in a widget")

    session.watch(fails)
    assert session.query("hello").answer == "hello"
    assert "a bug in a widget" in caplog.text


def test_a_deletion_is_told_and_kept(client: Any) -> None:
    session = client.create_session("doomed")
    told: list[bool] = []
    session.watch(lambda: told.append(session.is_deleted))
    assert not session.is_deleted
    session.delete()
    assert told == [True]


def test_expiry_counts_from_the_creation_then_from_the_update(session: Any) -> None:
    assert session.expires_at == session.create_time + session.ttl
    before = time.time()
    session.update(ttl=600)
    assert before + 600 <= session.expires_at <= time.time() + 600
    expires = session.expires_at
    session.update(name="renamed")
    assert session.expires_at == expires
