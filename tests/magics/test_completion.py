"""Tab, in a terminal's completer, in a kernel's, and where the cursor is; `|` marks it in a cell's text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.ptutils import IPythonPTCompleter
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics import cell, load, unload
from secgemini_jupyter.magics.commands import COMMANDS
from secgemini_jupyter.magics.completion import Matcher, Place, find_place
from secgemini_jupyter.magics.options import options_of
from tests.magics.conftest import Kernel


def tab(shell: InteractiveShell, marked: str) -> dict[str, str]:
    """What Tab offers: the word, and what the cell would then be."""
    before, _, after = marked.partition("|")
    with provisionalcompleter():
        found = list(shell.Completer.completions(before + after, len(before)))
    return {each.text: (before + after)[: each.start] + each.text + (before + after)[each.end :] for each in found}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with names that a line has trouble with."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "auth.log",
        "my log.txt",
        ".hidden",
        "$dollar",
        "-dash",
        'it\'s "both"',
        "\x1b[2J.log",
        "\u202egpj.exe",
    ):
        (tmp_path / name).write_text("x")
    (tmp_path / "my logs").mkdir()
    (tmp_path / "my logs" / "a.log").write_text("x")
    os.mkfifo(tmp_path / "auth.pipe")
    (tmp_path / "auth.zero").symlink_to("/dev/zero")
    return tmp_path


def test_tab_in_a_plain_cell_loads_nothing_of_ours(shell: InteractiveShell) -> None:
    magics = shell.magics_manager.registry["SecGeminiMagics"]
    assert "print" in tab(shell, "pri|")
    assert "_completion" not in vars(magics)
    assert "--session" in tab(shell, "%%secgemini --ses|")
    assert "_completion" in vars(magics)


# --- where the cursor is ---


@pytest.mark.parametrize(
    ("marked", "place"),
    [
        ("%%secgemini -q|", ("cell", "-q", "")),
        ("%%secgemini |-q", ("cell", "", "-q")),
        ("\n  %%secgemini -s x|", ("cell", "-s x", "")),
        ("%%time\n%%secgemini -|", ("cell", "-", "")),
        ("%%secgemini\nbody|\nmore", ("body", "body", "")),
        ("%%secgemini -q\n\nmore of|it", ("body", "more of", "it")),
        ("%%secgemini -q \\\n-a |\nbody", ("cell", "-q -a ", "")),
        ("%%secgemini -q \\\n-a x \\\n-s |\nbody", ("cell", "-q -a x -s ", "")),
        ("%%secgemini -q \\\n-a x\nbody|", ("body", "body", "")),
        ("%%secgemini say \\\n-a |", ("body", "-a ", "")),
        ("%%secgemini\n%secgemini |", ("body", "%secgemini ", "")),
        ("%secgemini |", ("line", "", "")),
        ("x = 1\nanswer = %secgemini ask -|", ("line", "ask -", "")),
        ("a, b['x'] = %secgemini |", ("line", "", "")),
        ("if True:\n    %secgemini use |", ("line", "use ", "")),
        ("%time %secgemini ask -|", ("line", "ask -", "")),
        ("%%time\n%secgemini ask -|", ("line", "ask -", "")),
        ("%secgemini ask -q \\\n -|", ("line", "ask -q   -", "")),
        ("é😀 = %secgemini use 😀|é", ("line", "use 😀", "é")),
        ("%%secgemini|", None),
        ("%secgemini|", None),
        ("%secgeminix |", None),
        ("%%secgeminix |", None),
        ("x = 5 %secgemini |", None),
        ("# %secgemini |", None),
        ("x = 1\n%%secgemini |", None),
        ("|%%secgemini -q", None),
        ("", None),
    ],
)
def test_place_of_the_cursor(marked: str, place: tuple[str, str, str] | None) -> None:
    before, _, after = marked.partition("|")
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    assert find_place(before + after, row, column) == (Place(*place) if place else None)


# --- what may stand there ---


def test_options_come_from_the_table_of_the_cell(shell: InteractiveShell) -> None:
    everything = set(options_of(cell.parser()))
    for marked in ("%%secgemini |", "%%secgemini -|", "%secgemini ask |", "x = %secgemini ask -|"):
        assert set(tab(shell, marked)) == everything
    assert list(tab(shell, "%%secgemini --att|")) == ["--attach"]
    assert tab(shell, "%%secgemini --att| x")["--attach"] == "%%secgemini --attach x"
    assert "--out" not in tab(shell, "%%secgemini -o x -|")
    assert "--attach" in tab(shell, "%%secgemini -a x -|"), "it may be given again"


@pytest.mark.parametrize("marked", ["%%secgemini why -|", "%%secgemini -- -|", "%secgemini ask -q say -|"])
def test_a_prompt_has_no_options(shell: InteractiveShell, marked: str) -> None:
    assert tab(shell, marked) == {}


def test_subcommands_and_their_arguments(shell: InteractiveShell) -> None:
    assert list(tab(shell, "%secgemini |")) == list(COMMANDS)
    assert list(tab(shell, "%secgemini hi|")) == ["history"]
    assert list(tab(shell, "%secgemini help hi|")) == ["history"]
    for command in COMMANDS.values():
        assert set(options_of(command.parser())) <= set(tab(shell, f"%secgemini {command.name} -|"))
    assert list(tab(shell, "%secgemini feedback |")) == ["up", "down", "--session"]
    assert tab(shell, "%secgemini feedback up so|") == {}
    assert tab(shell, "%secgemini nonsense |") == {}
    assert tab(shell, "%%secgemini --redact=secrets,e|") == {"secrets,emails": "%%secgemini --redact=secrets,emails"}
    assert tab(shell, "%%secgemini --redact |") == tab(shell, "%%secgemini --redact -|"), "its value is behind `=`"


def test_settings_and_their_values(shell: InteractiveShell) -> None:
    assert list(tab(shell, "%secgemini config sh|")) == ["short_errors", "show"]
    assert list(tab(shell, "%secgemini config show |"))[:3] == ["none", "summary", "full"]
    assert list(tab(shell, "%secgemini config defang f|")) == ["False"]
    assert list(tab(shell, "%secgemini config nonsense x|")) == []
    assert tab(shell, "%%secgemini --show su|") == {"summary": "%%secgemini --show summary"}
    assert tab(shell, "%%secgemini -f=j|") == {"json": "%%secgemini -f=json"}


def test_numbers_of_jobs(shell: InteractiveShell) -> None:
    assert shell.run_cell("%%secgemini --bg -s one\nat once").success
    assert shell.run_cell("%secgemini wait").success
    assert shell.run_cell("%%secgemini --bg -s two\n[[messages=500 bytes=9]] [[delay=0.1]]").success
    assert list(tab(shell, "%secgemini wait |"))[:2] == ["2", "1"]
    assert list(tab(shell, "%secgemini stop |")) == ["2"]
    assert shell.run_cell("%secgemini stop 2").success


def test_names_of_sessions(shell: InteractiveShell) -> None:
    kernel = default_kernel()
    for name in ("triage", "two words", "it's", "\x1b[2J"):
        kernel.new(name)
    kernel.switch("two words")
    assert list(tab(shell, "%%secgemini -s |")) == ['"two words"', "triage", '"it\'s"']
    assert tab(shell, '%%secgemini -s "tw|"') == {'"two words': '%%secgemini -s "two words"'}
    assert tab(shell, "%%secgemini --session=TR|") == {"triage": "%%secgemini --session=triage"}
    assert tab(shell, "%%secgemini -str|") == {"triage": "%%secgemini -striage"}
    assert list(tab(shell, "%secgemini delete tr|")) == ["triage"]
    assert "--yes" in tab(shell, "%secgemini delete |")


def test_what_the_service_told_and_no_request(shell: InteractiveShell) -> None:
    assert tab(shell, "%%secgemini -m |") == {}
    assert not default_kernel().has_client, "Tab asks nobody"
    assert shell.run_cell("%%secgemini -q\nhello").success
    assert "local-echo" in tab(shell, "%%secgemini -m |")
    default_kernel().client.create_session("elsewhere")
    default_kernel().client.list_sessions()
    assert list(tab(shell, "%secgemini resume else|")) == ["elsewhere"]


def test_files(shell: InteractiveShell, folder: Path) -> None:
    assert list(tab(shell, "%%secgemini -a |"))[:5] == [
        "./$dollar",
        "./-dash",
        "auth.log",
        '"it\'s \\"both\\""',
        '"my log.txt"',
    ]
    assert list(tab(shell, "%%secgemini -a au|")) == ["auth.log"], "no pipe, no device"
    assert list(tab(shell, "%%secgemini -a .h|")) == [".hidden"]
    assert tab(shell, "%%secgemini -a my|") == {
        '"my log.txt"': '%%secgemini -a "my log.txt"',
        '"my logs/': '%%secgemini -a "my logs/',
    }
    assert tab(shell, '%%secgemini -a "my logs/|"') == {'"my logs/a.log': '%%secgemini -a "my logs/a.log"'}
    assert tab(shell, "%%secgemini -a 'my logs/|") == {"'my logs/a.log'": "%%secgemini -a 'my logs/a.log'"}
    assert tab(shell, "%secgemini attach x.log au|") == {"auth.log": "%secgemini attach x.log auth.log"}
    assert tab(shell, "%%secgemini --attach=au|") == {"auth.log": "%%secgemini --attach=auth.log"}
    assert list(tab(shell, f"%%secgemini -a {folder}/au|")) == [f"{folder}/auth.log"]
    for nowhere in ("no/such/", "~nobody-here/", "\0"):
        assert tab(shell, f"%%secgemini -a {nowhere}|") == {}


def test_home_folder(shell: InteractiveShell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert list(tab(shell, "%%secgemini -a ~|")) == ["~/"]
    assert list(tab(shell, "%%secgemini -a ~/au|")) == ["~/auth.log"]


def test_a_file_that_is_offered_can_be_attached(shell: InteractiveShell, folder: Path) -> None:
    for word in tab(shell, "%secgemini attach |"):
        if not word.endswith("/") and not word.startswith(('"it', "$", "-")):
            assert shell.run_cell(f"%secgemini attach {word}").success
    attached = {file.name for file in default_kernel().current().files}
    assert {"auth.log", "my log.txt", "$dollar", "-dash"} <= attached


def test_variables(shell: InteractiveShell, folder: Path) -> None:
    shell.run_cell("import json\nlogs = [1]\n_private = 2\ndef function(): ...\nclass Thing: ...\nlörf = 3")
    assert list(tab(shell, "%%secgemini -a $|")) == ["$logs", "$lörf"]
    assert list(tab(shell, "%%secgemini -a '$lo|'")) == ["'$logs"]
    assert list(tab(shell, "%%secgemini -a |"))[-2:] == ["$logs", "$lörf"]
    assert list(tab(shell, "%%secgemini -o |")) == ["json", "logs", "function", "Thing", "lörf"]
    assert "_private" in tab(shell, "%%secgemini -o _p|")


def test_names_in_double_braces(shell: InteractiveShell) -> None:
    shell.run_cell("import json\nlogs = [1]\n_private = 2\nlörf = 3")
    assert tab(shell, "%%secgemini\nlook at {{l|") == {
        "logs}}": "%%secgemini\nlook at {{logs}}",
        "lörf}}": "%%secgemini\nlook at {{lörf}}",
    }
    assert tab(shell, "%%secgemini\né😀 {{lo|}} and\nmore") == {"logs": "%%secgemini\né😀 {{logs}} and\nmore"}
    assert tab(shell, "%%secgemini\n{{lo|} and") == {"logs}": "%%secgemini\n{{logs}} and"}
    assert tab(shell, "%%secgemini first {{lö|") == {"lörf}}": "%%secgemini first {{lörf}}"}
    assert list(tab(shell, "%%secgemini\n{{|")) == ["logs}}", "lörf}}"]
    assert list(tab(shell, "%%secgemini\n{{_pr|")) == ["_private}}"]


def test_values_are_not_looked_at(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell(
        "class Trap:\n    def __getattribute__(self, name): print('touched', name); raise SystemExit\n"
        "    def __repr__(self): raise SystemExit\n    def __eq__(self, other): raise SystemExit\ntrap = Trap()"
    )
    assert "trap}}" in tab(shell, "%%secgemini\n{{tr|")
    assert "$trap" in tab(shell, "%%secgemini -a $|")
    assert "touched" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "marked", ["%%secgemini\nimport o|", "%%secgemini\nlook.|", "%%secgemini\npr|", "%secgemini bug pri|"]
)
def test_a_prompt_is_no_python(shell: InteractiveShell, marked: str) -> None:
    shell.run_cell("look = 'x'\nprinter = 1")
    for use_jedi in (False, True):
        shell.Completer.use_jedi = use_jedi
        assert tab(shell, marked) == {}


def test_python_keeps_its_completions(shell: InteractiveShell) -> None:
    shell.run_cell("printer = 1")
    assert any("printer" in each for each in tab(shell, "x = 1\nprinte|"))
    assert any("%%secgemini" in each for each in tab(shell, "%%secge|"))


def test_unloading_takes_the_matcher_back(shell: InteractiveShell) -> None:
    (matcher,) = shell.Completer.custom_matchers
    load(shell)
    assert shell.Completer.custom_matchers == [matcher]
    unload(shell)
    assert shell.Completer.custom_matchers == []


def test_tab_in_a_terminal(shell: InteractiveShell, folder: Path) -> None:
    """As prompt_toolkit asks."""
    shell.min_elide = 30  # type: ignore[attr-defined]  # a terminal's shell has it
    completer = IPythonPTCompleter(shell=shell)

    def offered(text: str) -> list[tuple[str, int]]:
        found = completer.get_completions(Document(text, len(text)), CompleteEvent(completion_requested=True))
        return [(each.text, each.start_position) for each in found]

    assert offered("%%secgemini --qu") == [("--quiet", -4)]
    assert offered('%secgemini attach "my l') == [('"my log.txt"', -5), ('"my logs/', -5)]
    assert offered("%%secgemini\nprose wi") == []


pieces = st.sampled_from(
    [
        "%%secgemini",
        "%secgemini",
        " ",
        "\n",
        "ask",
        "-a",
        "--attach=",
        "'",
        '"',
        "\\",
        "{{",
        "}}",
        "é😀",
        "~",
        "$",
        "/",
        "=",
        "-",
        "x",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(pieces | st.text(max_size=3), max_size=12).map("".join), st.data())
def test_no_line_is_too_strange(shell: InteractiveShell, text: str, data: st.DataObject) -> None:
    """Whatever the text, Tab raises nothing and what it replaces stands before the cursor."""
    offset = data.draw(st.integers(0, len(text)))
    before = text[:offset]
    place = find_place(text, before.count("\n"), len(before) - (before.rfind("\n") + 1))
    if place is not None:
        typed, found = Matcher(shell.magics_manager.registry["SecGeminiMagics"]).complete(place)
        assert before.endswith(typed)
        assert all(each.text.isprintable() for each in found)


# --- in a kernel, as JupyterLab asks ---


@pytest.mark.kernel
def test_tab_in_a_kernel(kernel: Kernel) -> None:
    kernel.run("logs = 'x'\n%secgemini new triage")

    def offered(marked: str) -> tuple[list[str], str]:
        before, _, after = marked.partition("|")
        content = kernel.reply(kernel.client.complete(before + after, len(before)))["content"]
        assert content["status"] == "ok"
        return content["matches"], (before + after)[content["cursor_start"] : content["cursor_end"]]

    assert offered("%%secgemini --at|\nbody") == (["--attach"], "--at")
    assert offered("x = %secgemini hi|") == (["history"], "hi")
    assert offered("%secgemini ask -s tr|") == (["triage"], "tr")
    assert offered("%%secgemini\né😀 {{lo|}} 😀") == (["logs"], "lo")
    assert offered("%%secgemini\nimport o|") == ([], "")
    assert "import" in offered("impor|")[0]
