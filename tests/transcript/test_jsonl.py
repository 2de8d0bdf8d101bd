"""Messages as JSON Lines."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.jsonl import from_jsonl, to_jsonl, write_jsonl
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.restore import messages_of

from . import strategies
from .frames import message, turn


@strategies.few
@given(st.lists(strategies.messages, max_size=6))
def test_any_messages_survive(messages: list[Message]) -> None:
    lines = to_jsonl(messages)
    assert from_jsonl(lines) == messages
    assert from_jsonl(lines.decode()) == messages
    assert to_jsonl(from_jsonl(lines)) == lines


def test_a_line_separator_in_a_text_ends_no_line() -> None:
    odd = message("info", "start", "a\u2028b\x0b\x0c\x1c\x85\r\nc", id="a", at=0)
    assert to_jsonl([odd]).count(b"\n") == 1
    assert from_jsonl(to_jsonl([odd])) == [odd]


def test_blank_lines_and_a_byte_order_mark_are_nothing() -> None:
    assert from_jsonl(b"\xef\xbb\xbf\n" + to_jsonl(turn()).replace(b"\n", b"\r\n\n") + b"  ") == turn()
    assert from_jsonl("") == []


def test_a_bad_line_is_named() -> None:
    with pytest.raises(ProtocolError, match=r"^Line 3: Expected a message"):
        from_jsonl(to_jsonl(turn()[:2]) + b'{"message_type": "in')


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    write_jsonl(turn(), tmp_path / "a.jsonl")
    assert from_jsonl((tmp_path / "a.jsonl").read_bytes()) == turn()
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_jsonl(turn(), path)

    def breaking() -> Iterator[Message]:
        yield turn()[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(breaking(), path)
    assert from_jsonl(path.read_bytes()) == turn()
    assert [item.name for item in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "a.jsonl", tmp_path / "link.jsonl"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_jsonl(turn(), link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert from_jsonl(path.read_bytes()) == turn()


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_jsonl(turn(), tmp_path / "absent" / "a.jsonl")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for path, why in {
        tmp_path: "no regular file",
        tmp_path / "pipe": "no regular file",
        tmp_path / "loop": "no path|cannot be written",
        "a\0b": "no path",
    }.items():
        with pytest.raises(InputError, match=why):
            write_jsonl(turn(), path)
    assert sorted(os.listdir(tmp_path)) == ["loop", "pipe"]  # noqa: PTH208  # names, hidden ones too
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_table_gives_back_its_messages() -> None:
    assert messages_of(messages_frame(turn(), session_id="s")) == turn()


def test_a_message_out_of_a_table_says_which_content_is_absent() -> None:
    picture = message("result", "agent_done", "aGk=", id="r", at=6, mime_type="image/png", trace=1)
    written = json.loads(messages_of(messages_frame([picture], session_id="s"))[0].to_json())
    assert written["content"] is None
    assert (written["content_bytes"], written["trace"]) == (2, 1)
    assert written["content_sha256"].startswith("8f434346648f6b96")


@strategies.few
@given(st.lists(strategies.messages, max_size=6))
def test_the_way_through_a_table_loses_only_binary_contents_and_fractions_of_microseconds(
    messages: list[Message],
) -> None:
    back = messages_of(messages_frame(messages, session_id="s"))
    for one, other in zip(back, messages, strict=True):
        left, right = (json.loads(item.to_json()) for item in (one, other))
        for lost in ("content_bytes", "content_sha256"):
            left.pop(lost, None)
        if other.text is None:
            left["content"] = right["content"] = None
        for time in ("created_at", "timestamp"):
            left.pop(time), right.pop(time)
        assert left == right
