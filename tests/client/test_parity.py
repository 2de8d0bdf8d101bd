"""The sync and the async shell have the same methods with the same arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from secgemini_jupyter.client.aio import AsyncInteractiveSession, AsyncSecGemini
from secgemini_jupyter.client.sync import InteractiveSession, SecGemini

PAIRS = [(SecGemini, AsyncSecGemini), (InteractiveSession, AsyncInteractiveSession)]
ONLY_SYNC = {"aio", "stream_sync", "start", "to_start", "chat"}
"""The way to the twin; the plain form of `stream`, which is asynchronous in both; a turn in a thread, for which an
asynchronous caller has tasks; a widget, which works in threads."""


def public(kind: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}


def function(member: Any) -> Any:
    return getattr(member, "__func__", member)


def described(member: Any) -> str:
    """Parameters with their kinds, annotations and defaults, the class's name aside."""
    parameters = [
        p for name, p in inspect.signature(function(member)).parameters.items() if name not in ("self", "cls")
    ]
    return ", ".join(map(str, parameters))


@pytest.mark.parametrize(("sync", "aio"), PAIRS, ids=["client", "session"])
def test_public_names_are_the_same(sync: type, aio: type) -> None:
    assert set(public(sync)) - set(public(aio)) <= ONLY_SYNC
    assert set(public(aio)) <= set(public(sync))


@pytest.mark.parametrize(("sync", "aio"), PAIRS, ids=["client", "session"])
def test_signatures_are_the_same(sync: type, aio: type) -> None:
    methods = {name: member for name, member in public(sync).items() if callable(function(member))}
    for name in ONLY_SYNC:
        methods.pop(name, None)
    methods["__init__"] = sync.__init__  # type: ignore[misc]
    assert methods
    for name, member in methods.items():
        twin = inspect.getattr_static(aio, name)
        if name == "__init__" and sync is InteractiveSession:
            continue  # made by the client, whose kind they take
        assert described(member) == described(twin), name


@pytest.mark.parametrize(("sync", "aio"), PAIRS, ids=["client", "session"])
def test_what_waits_is_awaited(sync: type, aio: type) -> None:
    """A method is a coroutine in the twin unless it only reads what is here, or streams."""
    plain = {
        "prepare",
        "response",
        "stream",
        "reconnect",
        "run",
        "watch",
        "known_messages",
        "running_messages",
        "is_verified",
        "files_frame",
        "bind_tools",
    }
    for name, member in public(aio).items():
        if not callable(function(member)):
            continue
        is_coroutine = inspect.iscoroutinefunction(function(member))
        assert is_coroutine != (name in plain), name
        assert not inspect.iscoroutinefunction(function(public(sync)[name])), name


def test_plain_stream_takes_what_the_asynchronous_one_takes() -> None:
    assert described(InteractiveSession.stream_sync) == described(InteractiveSession.stream)


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        (SecGemini.__init__, "api_key=None, *, base_url=None, websocket_url=None, settings=None"),
        (
            SecGemini.create_session,
            "name=None, description='', ttl=86400, enable_logging=True, *, "
            "model=None, toolsets=None, language='en', tools=(), agents_config=None",  # the reference's has no toolsets
        ),
        (SecGemini.list_sessions, ""),
        (SecGemini.user_info, ""),
        (SecGemini.models, ""),
        (InteractiveSession.attach_file_from_disk, "file_path"),
        (InteractiveSession.attach_file, "filename, content, mime_type_hint=None"),
        (InteractiveSession.update, "name=None, description=None, ttl=None"),
        (InteractiveSession.delete, ""),
        (InteractiveSession.query, "prompt"),
        (InteractiveSession.history, "*, strict=False, dtype_backend='numpy_nullable'"),  # the reference's has none
        (InteractiveSession.visualize, "*, embed=False"),  # the reference's has no arguments
        (InteractiveSession.send_bug_report, "bug, group_id=None"),
        (InteractiveSession.send_feedback, "score, group_id=None, comment=''"),
    ],
)
def test_signatures_are_those_of_the_reference(method: Any, signature: str) -> None:
    parameters = inspect.signature(method).parameters.values()
    bare = inspect.Signature([p.replace(annotation=p.empty) for p in parameters if p.name != "self"])
    assert str(bare) == f"({signature})"
