"""A transcript as a file: which one, where, and never half of it."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from secgemini_jupyter import accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter.errors import InputError, Secret
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.transcript import exports
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.exports import ENDINGS, checked, ending, export
from secgemini_jupyter.transcript.jsonl import from_jsonl
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.reading import read_parquet_frame
from secgemini_jupyter.transcript.reports import Evidence, Report
from secgemini_jupyter.transcript.sessions import Attached
from secgemini_jupyter.transcript.turns import turn_slices
from tests.transcript.documents import FILE, hostile, ordinary
from tests.transcript.frames import message, turn


@pytest.mark.parametrize("kind", ENDINGS)
def test_every_ending_writes_a_private_file(tmp_path: Path, kind: str) -> None:
    path = checked(tmp_path / f"a{kind.upper()}", overwrite=False)
    late = [message("query", "query", "When is this? " * 40, id="a", at=0, created_at=0, timestamp=10**400)]
    for transcript in (ordinary(), hostile(), Transcript(turns=turn_slices(late, session_id="s"))):
        assert export(transcript, path) == path
        assert path.stat().st_size > 300
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_table_is_written_as_its_session_is(tmp_path: Path, kind: str) -> None:
    table = messages_frame(turn(), session_id="s1")
    path = table.secgemini.export(tmp_path / f"a{kind}")
    assert path.stat().st_size > 500
    with pytest.raises(InputError, match=r"is there already\. Pass overwrite=True to replace it"):
        table.secgemini.export(path)
    table.secgemini.export(path, overwrite=True)


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_key_is_in_no_document(tmp_path: Path, kind: str) -> None:
    """What is handed over leaves it out, however it is escaped there; what is exact warns."""
    secret = Secret(f"canary_key_{0:024}")
    key = secret.reveal()
    said = [
        message("query", "query", f"Is {key} safe?", id="q", at=0, title=key),
        message("result", "agent_done", f"- {key}: **no**, see https://evil.com/{key}", id="r", at=1, actor=key),
    ]
    files = [Attached("s1", 0, PublicSessionFile(f"{key}.log", 5, "ab", "text/plain"))]
    whole = Transcript(
        turns=turn_slices(said, session_id="s1"), session_id="s1", name=key, description=key, attached=files
    )
    path = tmp_path / f"a{kind}"
    if kind in (".jsonl", ".parquet"):
        with pytest.warns(UserWarning, match="A key stands in") as warned:
            export(whole, path)
        assert key not in str(warned[0].message)
        return
    export(whole, path)
    written = [path.read_bytes()]
    if kind == ".docx":
        with zipfile.ZipFile(path) as parts:
            written = [parts.read(name) for name in parts.namelist()]
    elif kind in (".html", ".md"):
        made = Report(transcript=whole, title=key, findings=f"It was {key}.", evidence=[Evidence(files[0].file)])
        written += [(made.to_html() if kind == ".html" else made.to_markdown()).encode()]
        table = messages_frame(said, session_id="s1").secgemini
        written += [(table.to_html() if kind == ".html" else table.to_markdown()).encode()]
    assert all(b"canary" not in each for each in written)
    if kind not in (".otlp.jsonl", ".stix.json"):
        assert any(b"redacted" in each for each in written)


def test_a_table_gives_back_its_messages(tmp_path: Path) -> None:
    messages_frame(turn(), session_id="s1").secgemini.export(tmp_path / "a.jsonl")
    written = from_jsonl((tmp_path / "a.jsonl").read_bytes())
    assert [each.content for each in written] == [each.content for each in turn()]


def test_a_session_s_parquet_keeps_its_model_and_attachments(tmp_path: Path) -> None:
    table = read_parquet_frame(export(ordinary(), tmp_path / "a.parquet"))
    assert table.secgemini.files()["sha256_server"].tolist() == [FILE.sha256]
    assert table.secgemini.usage("model")["model"].tolist() == ["sec-gemini-stable"]
    again = Transcript.of_table(table)
    assert (again.files, again.model, again.is_local) == ([FILE], "sec-gemini-stable", None)


def test_several_sessions_are_no_json_lines(tmp_path: Path) -> None:
    """Read again they would be one."""
    two = pd.concat([messages_frame(turn(), session_id=name) for name in ("s1", "s2")])
    writers = (two.secgemini.export, two.secgemini.to_jsonl, lambda _: two.secgemini.to_jsonl())
    for write in writers:
        with pytest.raises(InputError, match=r"cannot tell 2 sessions apart\. Write Parquet"):
            write(tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_texts_of_a_table() -> None:
    table = messages_frame(turn(), session_id="s1")
    assert table.secgemini.to_html().startswith("<!DOCTYPE html>")
    assert table.secgemini.to_markdown().startswith("# Session\n\nSession `s1`\n\n## turn 1\n")
    two = pd.concat([table, messages_frame(turn(), session_id="s2")])
    assert "## s2, turn 1" in two.secgemini.to_markdown()


def test_the_longest_ending_counts() -> None:
    assert [ending(Path(name)) for name in ("a.md", "A.Html", ".md", "md", "a.md.txt")] == [
        ".md", ".html", None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "says"), [("a.txt", "ends in none of"), ("b/a.md", "no folder"), ("a\0.md", "NUL")])
def test_a_place_that_cannot_be_is_named(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        checked(f"{tmp_path}/{name}", overwrite=True)


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.html"
    path.write_text("old")

    def broken(transcript: object) -> str:
        raise MemoryError

    monkeypatch.setitem(exports.WRITERS, ".html", broken)
    with pytest.raises(MemoryError):
        export(ordinary(), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]
