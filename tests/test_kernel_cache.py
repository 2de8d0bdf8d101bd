"""The cache's folder: its names, its bounds, what it holds."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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
