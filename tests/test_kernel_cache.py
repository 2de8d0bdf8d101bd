"""The cache's folder: its names, its bounds, what it holds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.errors import InputError, Secret
from secgemini_jupyter.kernel import cache as caches
from secgemini_jupyter.kernel.cache import AnswerCache, Asked
from secgemini_jupyter.models import Message, MessageType, Usage, read_message

ASKED = Asked("what is this?", "default", "sec-gemini", files=(("a", "1"), ("b", "2")), before=("x", "y"))
RESULT = Message(message_type=MessageType.RESULT, content="an answer", mime_type="text/plain")


def response(*messages: Message) -> SessionResponse:
    return SessionResponse(
        list(messages) or [RESULT], 200, "OK", Usage(total_tokens=7), prompt=ASKED.prompt, elapsed=2.5
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, prompt="what is this"),
        replace(ASKED, model="another"),
        replace(ASKED, service="local/analyst"),
        replace(ASKED, language="de"),
        replace(ASKED, tools="t"),
        replace(ASKED, files=(("b", "2"), ("a", "1"))),
        replace(ASKED, files=(("a", "1"), ("b", "3"))),
        replace(ASKED, files=(("a", "12"),)),
        replace(ASKED, before=("y", "x")),
        replace(ASKED, before=("x",)),
        replace(ASKED, before=("xy",)),
        replace(ASKED, files=(), before=()),
    ],
)
def test_whatever_differs_is_another_answer(tmp_path: Path, other: Asked) -> None:
    cache = AnswerCache(tmp_path, is_own=True)
    cache.store(ASKED, response())
    assert cache.load(ASKED) is not None
    assert cache.load(other) is None


def test_messages_come_back_as_they_were_received(tmp_path: Path) -> None:
    wire = b'{"message_type":"result","content":"x\\u2028y \\ud83d\\ude00","new_field":{"a":[1,null]},"id":"7"}'
    odd = [read_message(wire), Message(message_type=MessageType("never_seen"), content="?")]
    cache = AnswerCache(tmp_path, is_own=True)
    cache.store(ASKED, response(*odd))
    kept = cache.load(ASKED)
    assert kept is not None
    assert [message.to_json() for message in kept.messages] == [message.to_json() for message in odd]
    again = kept.response()
    assert (again.usage.total_tokens, again.elapsed, again.prompt) == (7, 2.5, ASKED.prompt)


@given(prompt=st.text(st.characters(codec=None)), name=st.text(), content=st.text(st.characters(codec="utf-8")))
def test_any_text_can_be_kept(tmp_path_factory: pytest.TempPathFactory, prompt: str, name: str, content: str) -> None:
    cache = AnswerCache(tmp_path_factory.mktemp("any"), is_own=True)
    asked = replace(ASKED, prompt=prompt, files=((name, "0"),))
    cache.store(asked, response(Message(message_type=MessageType.RESULT, content=content)))
    kept = cache.load(asked)
    assert kept is not None
    assert kept.messages[0].content == content
    assert [each.asked for each in cache.listed()] == [asked]


@given(data=st.binary(max_size=300), position=st.integers(0, 10_000))
def test_any_change_is_found(tmp_path_factory: pytest.TempPathFactory, data: bytes, position: int) -> None:
    cache = AnswerCache(tmp_path_factory.mktemp("changed"), is_own=True)
    cache.store(ASKED, response())
    (path,) = cache.folder.iterdir()
    whole = path.read_bytes()
    cut = position % len(whole)
    changed = whole[:cut] + data + whole[cut + len(data) :]
    path.write_bytes(changed)
    if changed.rstrip(b"\n") == whole.rstrip(b"\n"):
        assert cache.load(ASKED) is not None
    else:
        with pytest.raises(InputError, match="cannot be used"):
            cache.load(ASKED)
    list(cache.listed())


def test_the_oldest_make_room_in_the_users_own_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [replace(ASKED, prompt=str(n)) for n in range(4)]
    own = AnswerCache(tmp_path, is_own=True)
    for n, each in enumerate(asked[:3]):
        own.store(each, response())
        os.utime(tmp_path / f"{each.key}.jsonl", (n, n))
    assert own.load(asked[0]) is not None  # used just now
    (tmp_path / "notes.txt").write_text("mine")
    size = max(path.stat().st_size for path in tmp_path.glob("*.jsonl"))
    monkeypatch.setattr(caches, "MAX_FOLDER", 3 * size + 50)
    with pytest.raises(InputError, match="cache clear"):
        AnswerCache(tmp_path, is_own=False).store(asked[3], response())
    assert own.load(asked[1]) is not None
    os.utime(tmp_path / f"{asked[1].key}.jsonl", (1, 1))
    own.store(asked[3], response())
    assert [own.load(each) is not None for each in asked] == [True, False, True, True]
    assert own.clear()[0] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"], "what is not ours stays"


WRITER = """
import sys
from pathlib import Path
from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.kernel.cache import AnswerCache, Asked
from secgemini_jupyter.models import Message, MessageType, Usage
cache = AnswerCache(Path(sys.argv[1]), is_own=True)
answer = Message(message_type=MessageType.RESULT, content=sys.argv[2] * 500_000)
while True:
    cache.store(Asked("p", "default", "sec-gemini"), SessionResponse([answer], 200, "OK", Usage()))
    print("stored", flush=True)
"""


def test_writers_that_are_killed_leave_a_whole_answer_or_none(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path, is_own=True)
    asked = Asked("p", "default", "sec-gemini")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, word], stdout=subprocess.PIPE) for word in "ab"
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"stored\n"
    for _ in range(20):
        kept = cache.load(asked)
        assert kept is not None
        assert set(kept.messages[0].content or "") in ({"a"}, {"b"})
    for writer in writers:
        writer.kill()
        writer.communicate()
    kept = cache.load(asked)
    assert kept is not None
    assert len(kept.messages[0].content or "") == 500_000
    draft = tmp_path / f".{asked.key[:50]}.abcd.tmp"
    draft.write_bytes(b"half")
    os.utime(draft, (0, 0))
    cache.store(asked, response())
    assert not draft.exists(), "what was left half-written goes"
    draft.write_bytes(b"half")
    assert cache.clear()[0] >= 2
    assert list(tmp_path.iterdir()) == []


def test_too_large_or_with_the_key_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AnswerCache(tmp_path / "folder", is_own=True)
    secret = Secret("canary-key-0123456789")
    leak = Message(message_type=MessageType.RESULT, content="your key is canary-key-0123456789")
    with pytest.raises(InputError, match="holds the API key") as raised:
        cache.store(ASKED, response(leak))
    assert secret.reveal() not in str(raised.value)
    monkeypatch.setattr(caches, "MAX_FILE", 100)
    with pytest.raises(InputError, match="at most 100 are kept"):
        cache.store(ASKED, response())
    assert not cache.folder.exists()


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = AnswerCache(tmp_path / "file" / "below", is_own=False)
    for use in (lambda: cache.store(ASKED, response()), cache.clear, lambda: list(cache.listed())):
        with pytest.raises(InputError, match="cannot be"):
            use()


def rewritten(path: Path, **changes: Any) -> None:
    """As somebody writes it who may write to the folder: the sum is right."""
    first, *rest, _ = path.read_bytes().splitlines(keepends=True)
    head = json.loads(first)
    for name, value in changes.items():
        (head if name in head else head["recorded"])[name] = value
    body = b"".join([json.dumps(head).encode() + b"\n", *rest])
    path.write_bytes(body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("recorded_at", value) for value in (1e300, float("inf"), float("nan"), 10**400, -1.0, True, "now")),
        *(("elapsed", value) for value in (float("inf"), float("nan"), -5, None)),
        *(("turn_index", value) for value in (1.5, 1.0, -5, float("inf"), 10**400, True)),
        *(("messages", value) for value in (float("inf"), 1.5, -1, "1", None)),
    ],
)
def test_numbers_that_are_none_are_damage(tmp_path: Path, name: str, value: Any) -> None:
    cache = AnswerCache(tmp_path, is_own=True)
    good = replace(ASKED, prompt="good")
    for each in (ASKED, good):
        cache.store(each, response())
    path = tmp_path / f"{ASKED.key}.jsonl"
    rewritten(path)
    assert cache.load(ASKED) is not None
    rewritten(path, **{name: value})
    with pytest.raises(InputError, match="cannot be used"):
        cache.load(ASKED)
    assert [each.asked for each in cache.listed()] == [good]


@pytest.mark.parametrize("kind", ["folder", "pipe", "zeros"])
def test_what_is_no_file_is_said_in_one_line(tmp_path: Path, kind: str) -> None:
    cache = AnswerCache(tmp_path, is_own=True)
    path = tmp_path / f"{ASKED.key}.jsonl"
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "zeros": lambda: path.symlink_to("/dev/zero")}[kind]()
    with pytest.raises(InputError, match="cannot be used"):
        cache.load(ASKED)
    assert list(cache.listed()) == []
    assert cache.clear() == (0, 0)
    if kind == "folder":
        with pytest.raises(InputError, match="no regular file"):
            cache.store(ASKED, response())
    else:
        cache.store(ASKED, response())
        assert cache.load(ASKED) is not None


@pytest.mark.parametrize("name", ["http://evil.example.com", "x" * 100, "a\x1b[2J", "www.evil.com", "line\nline"])
def test_a_name_that_somebody_wrote_is_not_repeated(tmp_path: Path, name: str) -> None:
    cache = AnswerCache(tmp_path, is_own=False)
    cache.store(replace(ASKED, model=name), response())
    assert cache.nearest([ASKED]) == "to this prompt it has one with model another instead of 'default'"
    cache.store(replace(ASKED, service="local/gemini-2.5-pro"), response())
    assert "service 'local/gemini-2.5-pro' instead" in cache.nearest([ASKED])
