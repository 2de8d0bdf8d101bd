"""`--cache`: answers that are kept, replayed without anybody being asked, and never taken for new ones."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.magics import load, unload
from tests.conftest import LocalService
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel

NOBODY = {"SEC_GEMINI_API_HTTP_URL": "http://127.0.0.1:9", "SECGEMINI_BACKEND": "auto"}


def fresh(kernel: Kernel, folder: Path) -> None:
    """As after a restart of the kernel."""
    for code in ("%reset -f\n%reload_ext secgemini_jupyter", f"%config SecGeminiMagics.cache_dir = {str(folder)!r}"):
        ran = kernel.run(code)
        assert ran.status == "ok", ran.error


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def sessions_at_service(kernel: Kernel) -> int:
    value = kernel.value("len(__import__('secgemini_jupyter').SecGemini().list_sessions())")
    assert isinstance(value, int)
    return value


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel without key, whose service nobody answers for."""
    kernel = start_kernel(tmp_path_factory.mktemp("offline"), NOBODY)
    kernel.run("%load_ext secgemini_jupyter")
    yield kernel
    stop_kernel(kernel)


def untouched(offline: Kernel) -> bool:
    """No client, and no local service."""
    kernel = "get_ipython().magics_manager.registry['SecGeminiMagics'].kernel"
    running = "list(__import__('pathlib').Path(__import__('os').environ['JUPYTER_RUNTIME_DIR']).glob('secgemini*'))"
    return bool(offline.value(f"not {kernel}.has_client and {running} == []"))


def test_a_chain_of_cells_is_replayed_in_a_fresh_kernel_and_by_one_without_a_key(
    kernel: Kernel, offline: Kernel, tmp_path: Path
) -> None:
    folder = tmp_path / "answers"
    (tmp_path / "a.log").write_text("one line")
    cells = [
        "x = 'VALUE'",
        "%config SecGeminiMagics.cache = 'use'",
        f'%%secgemini -a {tmp_path}/a.log -o first\nwhat is {{{{x}}}}? [[type sec-gemini/table [{{"n": 1}}]]]',
        "%%secgemini -o second\ncontinue",
        "%%secgemini -o third\ncontinue",
        "%%secgemini -s other -o fourth\nelsewhere",
    ]
    fresh(kernel, folder)
    for cell in cells:
        assert kernel.run(cell).status == "ok"
    assert len(files(folder)) == 4
    answers = kernel.value("[x.answer for x in (first, second, third, fourth)]")
    assert kernel.value("[x.cached for x in (first, second, third, fourth)]") == [False] * 4
    raw = kernel.value("[m.to_json() for m in second.messages]")
    number = sessions_at_service(kernel)

    fresh(kernel, folder)
    for cell in cells:
        ran = kernel.run(cell)
        assert ran.status == "ok", ran.error
    assert kernel.value("[x.cached for x in (first, second, third, fourth)]") == [True] * 4
    assert kernel.value("[x.answer for x in (first, second, third, fourth)]") == answers
    assert kernel.value("[m.to_json() for m in second.messages]") == raw, "the bytes that were received"
    assert kernel.value("[x.turn for x in (first, second, third, fourth)]") == [1, 2, 3, 1]
    assert kernel.value("first.session, len(first.tables), first.attached") == (None, 1, ("a.log",))
    assert sessions_at_service(kernel) == number, "nobody was asked"

    fresh(offline, folder)
    for cell in [*cells[:1], "%config SecGeminiMagics.cache = 'only'", *cells[2:]]:
        ran = offline.run(cell)
        assert ran.status == "ok", ran.error
    assert offline.value("[x.answer for x in (first, second, third, fourth)]") == answers
    assert untouched(offline)


def test_a_replayed_answer_says_so_everywhere(kernel: Kernel, tmp_path: Path) -> None:
    folder = tmp_path / "shared <b>cache</b>"
    fresh(kernel, folder)
    new = kernel.run("%%secgemini --cache use\nhello").outputs[0]
    assert "cached" not in new["metadata"]["secgemini"]
    assert "Replayed" not in new["data"]["text/plain"] + new["data"]["text/html"]
    fresh(kernel, folder)
    kernel.run("%config SecGeminiMagics.feedback = True")
    ran = kernel.run("%%secgemini --cache use -o found\nhello", attended=True)
    kernel.run("%config SecGeminiMagics.feedback = False")
    (output,) = ran.outputs
    assert output["metadata"]["secgemini"]["cached"] is True
    recorded = output["metadata"]["secgemini"]["recorded_at"]
    for text in (output["data"]["text/plain"], output["data"]["text/html"]):
        assert f"recorded {recorded}; nobody was asked now" in text
        assert "which others may have written" in text
    assert "<strong>Replayed from the cache" in output["data"]["text/html"]
    assert "<b>cache" not in output["data"]["text/html"]
    shown = kernel.run("found")
    assert "Replayed from the cache" in shown.text, "also when it is shown again"
    fresh(kernel, folder)
    kernel.run("%%capture kept\n%%secgemini --cache use\nhello")
    assert kernel.value("'Replayed' in kept.outputs[0].data['text/plain']")


def test_files_are_the_users_alone(kernel: Kernel, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    fresh(kernel, folder)
    kernel.run("%%secgemini --cache refresh\nprivate")
    (path,) = files(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    fresh(kernel, folder)
    kernel.run("%config SecGeminiMagics.cache_dir = ''")
    kernel.run("%secgemini cache clear --yes")
    kernel.run("%%secgemini --cache use\nin my own folder")
    assert kernel.value("len(get_ipython().run_line_magic('secgemini', 'cache'))") == 1
    assert "would remove 1 answers" in kernel.run("%secgemini cache clear").text
    assert "Removed 1 answer " in kernel.run("%secgemini cache clear --yes").text
    assert kernel.value("len(get_ipython().run_line_magic('secgemini', 'cache list'))") == 0
    assert "Did you mean clear?" in kernel.run("%secgemini cache claer").text


@pytest.mark.parametrize(
    ("cell", "differs"),
    [
        ("%%secgemini --cache only\nhello!", "it has one to another prompt in this place"),
        ("%%secgemini --cache only -m other\nhello", "model 'default' instead of 'other'"),
        ("%%secgemini --cache only -a {here}/b.log\nhello", "no attachments instead of ['b.log']"),
        ("%%secgemini --cache only\n{{{{nothing}}}}", "it has one to another prompt in this place"),
        ("%secgemini ask --cache only hello!", "it has one to another prompt in this place"),
    ],
)
def test_only_says_what_differs_and_fails_the_run(
    kernel: Kernel, offline: Kernel, tmp_path: Path, cell: str, differs: str
) -> None:
    fresh(kernel, tmp_path)
    assert kernel.run("%%secgemini --cache use\nhello").status == "ok"
    (tmp_path / "b.log").write_text("b")
    fresh(offline, tmp_path)
    ran = offline.run(cell.format(here=tmp_path))
    assert ran.status == "error"
    assert differs in ran.error
    assert "\n" not in ran.error
    assert untouched(offline)


def test_only_quotes_nothing_of_another_answer(kernel: Kernel, offline: Kernel, tmp_path: Path) -> None:
    """It may be another case's: the error ends up in a notebook, or in the log of a CI."""
    (tmp_path / "case-4711.log").write_text("a")
    fresh(kernel, tmp_path / "answers")
    kernel.run("%%secgemini --cache use\nIs http://mine.example.com Alice's?")
    kernel.run(f"%%secgemini --new --cache use -a {tmp_path}/case-4711.log\nhello")
    fresh(offline, tmp_path / "answers")
    for prompt in ("hello", "something else"):
        error = offline.run(f"%%secgemini --cache only\n{prompt}").error
        assert "The cache has no answer to this" in error
        for quoted in ("mine", "Alice", "4711"):
            assert quoted not in error


def test_only_with_an_earlier_turn_that_differs(kernel: Kernel, offline: Kernel, tmp_path: Path) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use\none")
    kernel.run("%%secgemini --cache use\ntwo")
    fresh(offline, tmp_path)
    assert "other turns before it (1, now 0)" in offline.run("%%secgemini --cache only\ntwo").error
    assert offline.run("%%secgemini --cache only\none").status == "ok"
    assert offline.run("%%secgemini --cache only\ntwo").status == "ok"


def test_the_service_is_never_asked_without_what_was_replayed(kernel: Kernel, tmp_path: Path) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use\none")
    kernel.run("%%secgemini --cache use\ntwo")
    fresh(kernel, tmp_path)
    number = sessions_at_service(kernel)
    kernel.run("%%secgemini --cache use\none")
    for cell in (
        "%%secgemini --cache use\nthree",
        "%%secgemini\nthree",
        "%%secgemini --cache refresh\ntwo",
        "%secgemini history",
        "%secgemini feedback up",
    ):
        ran = kernel.run(cell)
        assert ran.status == "error", cell
        assert "1 turn of it was replayed from the cache" in ran.error
        assert "--cache refresh" in ran.error
        assert "--new" in ran.error
    assert sessions_at_service(kernel) == number
    assert kernel.run("%%secgemini --cache use -s beside\nthree").status == "ok", "a session of its own"

    assert kernel.run("%%secgemini --cache refresh -o first\none").status == "ok", "from the first one on"
    assert kernel.run("%%secgemini --cache refresh\ntwo").status == "ok"
    assert kernel.run("%%secgemini --cache use -o third\nthree").status == "ok"
    assert kernel.value("first.cached, third.cached, third.turn, third.session.turns") == (False, False, 3, 3)
    fresh(kernel, tmp_path)
    for prompt in ("one", "two", "three"):
        kernel.run(f"%%secgemini --cache use -o found\n{prompt}")
        assert kernel.value("found.cached") is True


def test_a_session_that_took_the_name_meanwhile_is_asked(kernel: Kernel, tmp_path: Path) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use\none")
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use -o found\none")
    assert kernel.value("found.cached") is True
    assert kernel.run("%secgemini new").status == "ok", "of the same name, in the kernel"
    assert kernel.run("%%secgemini -o found\nsomething else").status == "ok"
    assert kernel.value("found.turn, found.session.turns") == (1, 1)


def test_a_gap_in_a_session_that_exists_is_refused_too(kernel: Kernel, tmp_path: Path) -> None:
    """Its first turn was asked, the second replayed: a third would lack the second."""
    fresh(kernel, tmp_path)
    for prompt in ("one", "two"):
        kernel.run(f"%%secgemini --cache use\n{prompt}")
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache refresh -o first\none")
    kernel.run("%%secgemini --cache use -o second\ntwo")
    assert kernel.value("first.cached, second.cached, first.session.turns") == (False, True, 1)
    for cell in ("%%secgemini\nthree", "%%secgemini --cache use\nthree", "%%secgemini --bg\nthree"):
        assert "1 turn of it was replayed" in kernel.run(cell).error
    assert kernel.run("%secgemini history").status == "ok", "of what the service has"
    assert kernel.run("%%secgemini --cache refresh -o second\ntwo").status == "ok"
    assert kernel.value("second.turn, first.session.turns") == (2, 2)


def test_new_begins_a_chain_of_its_own(kernel: Kernel, tmp_path: Path) -> None:
    options = {"a": "", "b": "", "c": " --new", "d": ""}
    cells = [f"%%secgemini --cache use -o {name}{option}\nsame" for name, option in options.items()]
    fresh(kernel, tmp_path)
    for cell in cells[:2]:
        assert kernel.run(cell).status == "ok"
    fresh(kernel, tmp_path)
    number = sessions_at_service(kernel)
    for cell in cells:
        assert kernel.run(cell).status == "ok"
    assert kernel.value("a.cached, b.cached, c.cached, d.cached") == (True, True, True, True)
    assert kernel.value("a.turn, b.turn, c.turn, d.turn") == (1, 2, 1, 2)
    assert sessions_at_service(kernel) == number


@pytest.mark.parametrize(
    ("first", "option", "differs"),
    [
        ("%config SecGeminiMagics.model = 'local-echo'", "", ""),
        ("%config SecGeminiMagics.model = 'local-echo'", "--new", ""),
        ("%secgemini new --model local-echo", "", ""),
        ("", "-m local-echo", ""),
        ("%config SecGeminiMagics.model = 'local-echo'", "-m default", "model 'local-echo' instead of 'default'"),
        ("%secgemini new", "", "model 'local-echo' instead of 'default'"),
        ("", "", "model 'local-echo' instead of 'default'"),
    ],
)
def test_another_model_is_another_answer_however_it_was_chosen(
    kernel: Kernel, tmp_path: Path, first: str, option: str, differs: str
) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%config SecGeminiMagics.model = 'local-echo'")
    assert kernel.run("%%secgemini --cache use\nhello").status == "ok"
    fresh(kernel, tmp_path)
    kernel.run("%config SecGeminiMagics.model = ''")
    kernel.run(first)
    ran = kernel.run(f"%%secgemini --cache only {option}\nhello")
    assert ran.status == ("error" if differs else "ok"), ran.error
    assert differs in ran.error


@pytest.mark.parametrize(
    "first",
    [
        "%secgemini new",
        "%secgemini new --model local-echo",
        "%secgemini use triage",
        "%secgemini attach {here}/a.log",
    ],
)
def test_the_first_cell_of_a_session_that_a_command_made_is_found_again(
    kernel: Kernel, tmp_path: Path, first: str
) -> None:
    (tmp_path / "a.log").write_text("one line")
    for cached in (False, True):
        fresh(kernel, tmp_path / "answers")
        ran = kernel.run(first.format(here=tmp_path))
        assert ran.status == "ok", ran.text + ran.error
        for prompt in ("one", "two"):
            assert kernel.run(f"%%secgemini --cache use -o found\n{prompt}").status == "ok"
            assert kernel.value("found.cached") is cached, prompt


def test_a_model_that_the_session_has_may_be_named(kernel: Kernel, tmp_path: Path) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use\none")
    assert kernel.run("%%secgemini --cache use -m local-echo\ntwo").status == "ok"
    assert "a session keeps its model" in kernel.run("%%secgemini --cache use -m other\nthree").text


@pytest.mark.parametrize("damage", ["cut", "changed", "answer", "schema", "renamed", "empty", "link", "huge head"])
def test_a_damaged_file_is_a_miss_with_one_line(kernel: Kernel, tmp_path: Path, damage: str) -> None:
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache use\nhello")
    (path,) = files(tmp_path)
    data = path.read_bytes()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "renamed":
        kernel.run("%%secgemini --new --cache use\nanother question")
        (other,) = set(files(tmp_path)) - {path}
        other.replace(path)
    else:
        path.write_bytes(
            {
                "cut": data[:-100],
                "changed": data.replace(b'"is_local": false', b'"is_local": true'),
                "answer": data.replace(b'"content":"hello"', b'"content":"jello"'),
                "schema": data.replace(b"answer/1", b"answer/9"),
                "empty": b"",
                "huge head": b"[" * 100_000 + b"\n{}\n",
            }[damage]
        )
        assert path.read_bytes() != data
    fresh(kernel, tmp_path)
    ran = kernel.run("%%secgemini --cache only\nhello")
    assert ran.status == "error"
    assert "cannot be used" in ran.error
    assert "\n" not in ran.error
    ran = kernel.run("%%secgemini --cache use -o found\nhello")
    assert ran.status == "ok"
    assert "cannot be used" in ran.outputs[0]["text"]
    assert ran.outputs[0]["text"].count("\n") == 1
    assert kernel.value("found.cached, found.answer") == (False, "hello")
    fresh(kernel, tmp_path)
    kernel.run("%%secgemini --cache only -o found\nhello")
    assert kernel.value("found.cached") is True, "it was written anew"


def test_what_is_never_kept(kernel: Kernel, tmp_path: Path, local_service: LocalService) -> None:
    fresh(kernel, tmp_path)
    assert "never cached" in kernel.run("%%secgemini --no-log --cache use\nsecret").text
    kernel.run("%config SecGeminiMagics.cache = 'use'")
    assert kernel.run("%%secgemini --no-log\nsecret").status == "ok"
    assert kernel.run("%%secgemini\n[[error 503]]").status == "error"
    assert kernel.run("%%secgemini --dry-run\nplan").status == "ok"
    request = kernel.start("%%secgemini\nLONG [[messages=200 bytes=20]] [[delay=0.02]]")
    kernel.wait_for_output(request)
    kernel.interrupt()
    assert kernel.finish(request).status == "error"
    kernel.run("%config SecGeminiMagics.cache = 'off'")
    kernel.run("%%secgemini --new\nplain")
    assert files(tmp_path) == []
    kernel.run(
        "import secgemini_jupyter as s\n"
        "@s.secgemini_tool(approval='allow')\ndef now() -> str:\n    'The time.'\n    return 'noon'\n"
        "k = get_ipython().magics_manager.registry['SecGeminiMagics'].kernel\nk.new(tools=[now])"
    )
    ran = kernel.run("%%secgemini --cache use -o found\n[[call now {}]]")
    assert ran.status == "ok", ran.error
    assert "Not kept in the cache: a function of this notebook was called" in ran.text
    assert files(tmp_path) == []


def test_where_nobody_is_asked_nothing_else_asks(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o first\nFIRST")
    kernel.run("1 / 0")
    kernel.run("%config SecGeminiMagics.cache = 'only'")
    for line in ("fix --yes", "retry"):
        ran = kernel.run(f"%secgemini {line}")
        assert "nobody is asked" in ran.error
    assert kernel.value("first.session.turns") == 1


def test_the_same_cell_run_again_gets_the_same_answer(kernel: Kernel, tmp_path: Path) -> None:
    """A front end that tells its cells apart: the turn is in the session already, and is not added again."""

    def run(code: str, cell: str) -> None:
        message = kernel.client.session.msg("execute_request", {"code": code, "silent": False, "store_history": True})
        message["content"] |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        message["metadata"] = {"cellId": cell}
        kernel.client.shell_channel.send(message)
        ran = kernel.finish(message["header"]["msg_id"])
        assert ran.status == "ok", ran.error

    fresh(kernel, tmp_path)
    kernel.run("%config SecGeminiMagics.cache = 'use'")
    for _ in range(2):
        run("%%secgemini -o one\nfirst", "cell-1")
        run("%%secgemini -o two\ncontinue", "cell-2")
        run("%%secgemini -o three\ncontinue", "cell-3")
    assert kernel.value("one.cached, two.cached, three.cached, two.turn, three.turn") == (True, True, True, 2, 3)
    run("%%secgemini -o two\ncontinue, please", "cell-2")
    assert kernel.value("two.cached, two.turn") == (False, 4), "changed: asked, after all that was said"
    kernel.run("%config SecGeminiMagics.cache = 'off'")


def test_formats_and_placeholders_are_those_of_a_new_answer(kernel: Kernel, tmp_path: Path) -> None:
    token = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"
    cells = [
        '%%secgemini --cache use -f json\n{"a": [1, 2]}',
        f"%%secgemini --cache use --redact -o hidden\nwhose is {token} ?",
    ]
    kept = []
    for _ in range(2):
        fresh(kernel, tmp_path)
        shown = [kernel.run(cell) for cell in cells]
        assert [ran.status for ran in shown] == ["ok", "ok"], shown[0].error
        kept.append([[line for line in ran.text.splitlines() if not line.startswith("— ")] for ran in shown])
        assert "1 redacted" in shown[1].text
        assert kernel.value(f"{token!r} in hidden.restored(), {token!r} in hidden.answer") == (True, False)
    assert kernel.value("hidden.cached") is True
    assert kept[0] == kept[1]
    for path in files(tmp_path):
        assert token.encode() not in path.read_bytes()


def test_replayed_in_a_terminal(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    shell.run_cell_magic("secgemini", "--cache use", "hello")
    new = capsys.readouterr().out
    unload(shell)
    load(shell)
    shell.run_cell_magic("secgemini", "--cache use -o found", "hello")
    lines = capsys.readouterr().out.splitlines()
    assert shell.user_ns["found"].cached is True
    assert lines[:-1] == new.splitlines()[:-1]
    assert lines[-1].startswith("— Replayed from the cache, recorded 2")
    assert "1 turn replayed from the cache" in shell.run_line_magic("secgemini", "")


@pytest.mark.parametrize("line", ["cache = 'only'", "cache_dir = 'answers'"])
def test_a_project_may_neither_switch_it_on_nor_name_the_folder(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.secgemini]\n{line}\n")
    monkeypatch.chdir(tmp_path)
    shell.run_cell_magic("secgemini", "-o found", "hello")
    assert shell.user_ns["found"].cached is False, "it was asked"
    listed = shell.run_line_magic("secgemini", "config")
    assert listed.loc[["cache", "cache_dir"], "value"].to_list() == ["off", ""]
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.mark.parametrize("folder", ["~nobody-here/x", "a\0b", "{here}/file"])
@pytest.mark.parametrize("mode", ["use", "only"])
def test_a_folder_that_is_none_is_refused_before_anything_is_sent(
    shell: InteractiveShell, tmp_path: Path, folder: str, mode: str
) -> None:
    (tmp_path / "file").write_text("")
    magics = shell.magics_manager.registry["SecGeminiMagics"]
    magics.cache_dir = folder.format(here=tmp_path)
    for line in (f"--cache {mode}", "cache", "cache clear --yes"):
        with pytest.raises(InputError, match="that is no folder"):
            shell.run_cell_magic("secgemini", line, "hello") if line.startswith("-") else magics.secgemini(line)
    assert not magics.kernel.has_client


def test_the_key_is_in_no_file(kernel: Kernel, tmp_path: Path, local_service: LocalService) -> None:
    fresh(kernel, tmp_path)
    half = local_service.key[:9]
    kernel.run(f"%%secgemini --cache use -o found\n[[partial]] {half}")
    kernel.run("%%secgemini --cache use\nhello")
    assert len(files(tmp_path)) == 2
    for path in files(tmp_path):
        assert local_service.key.encode() not in path.read_bytes()
        head = json.loads(path.read_bytes().partition(b"\n")[0])
        assert "session_id" not in json.dumps(head)
