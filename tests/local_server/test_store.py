"""The store by itself: what it keeps, in which order, and that one server has a folder."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.local_server import stored as stored_module
from secgemini_jupyter.local_server.database import Database
from secgemini_jupyter.local_server.store import Fixed, Session, Store
from secgemini_jupyter.models import ModelInfo, Usage

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


async def register(store: Store, session_id: str = "s", *, can_log: bool = True, ttl: int = 600) -> Session:
    fixed = Fixed(model=ModelInfo(), language="en", can_log=can_log, created=time.time())
    session = await store.register(session_id, fixed, name="n", description="", ttl=ttl)
    assert session is not None
    return session


async def append(store: Store, session: Session, *bodies: bytes, usage: Usage | None = None) -> None:
    await store.append(session, bodies, state="end", running=False, usage=usage)


async def stored(store: Store, session: Session) -> bytes:
    """The session's messages, whose size is what was said before they were read."""
    found = await store.messages(session)
    body = b"".join([block async for block in found.blocks])
    assert len(body) == found.size
    return body


@pytest.mark.parametrize("can_log", [True, False])
@pytest.mark.parametrize("block", [1, 10, 2**19])
async def test_messages_come_back_in_order_whatever_the_batches(
    store: Store, can_log: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "BLOCK_BYTES", block)
    session = await register(store, can_log=can_log)
    assert await stored(store, session) == b""
    for batch in ([0], [1, 2, 3], [4], [5, 6]):
        await append(store, session, *(b'{"message_type":"info","content":"%d"}' % number for number in batch))
    messages = json.loads(b"[%b]" % await stored(store, session))
    assert [message["content"] for message in messages] == [str(number) for number in range(7)]
    assert [message.content for message in store.history(session, 5)] == ["0", "1", "2", "3", "4"]
    assert session.num_messages == 7


async def test_a_read_does_not_see_what_is_appended_after_its_count(store: Store) -> None:
    session = await register(store)
    await append(store, session, b"1")
    reading = asyncio.ensure_future(stored(store, session))
    await append(store, session, b"2")
    assert await reading == b"1"
    assert await stored(store, session) == b"1,2"


async def test_appends_to_many_sessions_at_once_are_all_kept(store: Store) -> None:
    sessions = [await register(store, f"s{number}") for number in range(20)]
    await asyncio.gather(*(append(store, each, each.id.encode()) for each in sessions))
    assert [await stored(store, each) for each in sessions] == [each.id.encode() for each in sessions]


async def test_usage_is_added_up(store: Store) -> None:
    session = await register(store)
    await append(store, session, b"1", usage=Usage(prompt_tokens=3, total_tokens=5))
    await append(store, session, b"2", usage=Usage(prompt_tokens=4, total_tokens=6))
    assert (session.usage.prompt_tokens, session.usage.total_tokens) == (7, 11)


async def test_a_write_that_fails_changes_nothing_and_spares_the_others(tmp_path: Path) -> None:
    database = Database(tmp_path / "x", "CREATE TABLE t (n INTEGER UNIQUE);", 1)
    jobs = [database.write(lambda db, n=n: db.execute("INSERT INTO t VALUES (?)", (n,)).rowcount) for n in (1, 2, 1, 3)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(result, sqlite3.IntegrityError) for result in results] == [False, False, True, False]
    assert await database.read(lambda db: db.execute("SELECT n FROM t ORDER BY n").fetchall()) == [(1,), (2,), (3,)]
    database.close()


async def test_a_caller_that_is_cancelled_does_not_stop_the_writer(store: Store) -> None:
    session = await register(store)
    task = asyncio.create_task(append(store, session, b"1"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (await register(store, "other")).key > session.key


async def test_expired_sessions_are_invisible_and_purged_but_not_under_a_turn(store: Store) -> None:
    kept, busy, gone = [await register(store, name) for name in ("kept", "busy", "gone")]
    busy.expires = gone.expires = time.time() - 1
    assert store.get("gone") is None
    assert [session.id for session in store.sessions()] == ["kept"]
    assert await store.purge(busy=["busy"]) == [gone]
    assert await store.purge() == [busy]
    assert store.get("kept") is kept


async def test_an_update_counts_the_ttl_from_now(store: Store) -> None:
    session = await register(store, ttl=300)
    await store.update(session, ttl=1000)
    assert abs(session.expires - time.time() - 1000) < 5
    expires = session.expires
    await store.update(session, name="new")
    assert (session.expires, session.ttl, session.name) == (expires, 1000, "new")


async def test_files_keep_their_order_and_content(store: Store) -> None:
    from secgemini_jupyter.models import PublicSessionFile

    session = await register(store)
    for name in "abc":
        await store.add_file(session, PublicSessionFile(name), name.encode() * 3)
    await store.remove_file(session, 1)
    assert [(info.name, store.file_content(session, key)) for key, info in session.files] == [
        ("a", b"aaa"),
        ("c", b"ccc"),
    ]


async def test_a_second_store_on_a_folder_is_refused_and_the_first_goes_on(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Another server uses"):
        Store(tmp_path / "data", lock_timeout=0.1)
    await register(store)


def test_a_newer_or_broken_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sessions.sqlite3").write_bytes(b"no database, but long enough to look at" * 100)
    Store(tmp_path / "newer").close()
    with sqlite3.connect(tmp_path / "newer" / "sessions.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    for name, reason in (("broken", "not a database"), ("newer", "newer version")):
        with pytest.raises(SettingsError, match=reason) as refused:
            Store(tmp_path / name)
        assert name in str(refused.value)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used"):
        Store(tmp_path / "file")
