"""What holds where a cell does not say, and who said so; what a project's file may not do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics import SecGeminiMagics, load, preferences, unload
from secgemini_jupyter.magics.choices import FORMATS
from secgemini_jupyter.settings import notebook_folder
from tests.magics.conftest import Kernel


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a repository; the notebook is in a folder of it."""
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "repository" / "notebooks")
    return tmp_path / "repository" / "pyproject.toml"


def listed(shell: InteractiveShell, name: str) -> list[str]:
    return list(shell.run_line_magic("secgemini", "config").loc[name, ["value", "source"]])


def magics(shell: InteractiveShell) -> SecGeminiMagics:
    found = shell.magics_manager.registry["SecGeminiMagics"]
    assert isinstance(found, SecGeminiMagics)
    return found


def test_config_goes_before_the_project_s_file(shell: InteractiveShell, project: Path) -> None:
    project.write_text("[tool.secgemini]\nfeedback = true\n")
    assert listed(shell, "feedback") == ["True", str(project)]
    assert listed(shell, "short_errors") == ["True", "default"]
    shell.run_line_magic("config", "SecGeminiMagics.feedback = False")
    assert listed(shell, "feedback") == ["False", "%config"]


def test_the_profile_goes_before_the_project_s_file(shell: InteractiveShell, project: Path) -> None:
    project.write_text("[tool.secgemini]\nfeedback = true\n")
    unload(shell)
    shell.config.SecGeminiMagics = Config(feedback=False)
    load(shell)
    assert listed(shell, "feedback") == ["False", "the IPython profile"]
    shell.run_line_magic("config", "SecGeminiMagics.feedback = True")
    assert listed(shell, "feedback") == ["True", "%config"]
    del shell.config.SecGeminiMagics


def test_a_profile_with_a_bad_value_is_one_line(shell: InteractiveShell) -> None:
    unload(shell)
    shell.config.SecGeminiMagics = Config(feedback="often")
    try:
        with pytest.raises(SettingsError, match=r"profile sets .*'feedback'.*'often'.*Mend c.SecGeminiMagics"):
            load(shell)
    finally:
        del shell.config.SecGeminiMagics


def test_a_changed_file_counts_at_once(shell: InteractiveShell, project: Path) -> None:
    for value in ("true", "false", "true"):
        project.write_text(f"[tool.secgemini]\nfeedback = {value}\n")
        os.utime(project, ns=(0, hash(value) % 10**9 + project.stat().st_mtime_ns))
        assert listed(shell, "feedback") == [value.capitalize(), str(project)]
    project.unlink()
    assert listed(shell, "feedback") == ["False", "default"]


def test_only_the_repository_s_own_file_counts(shell: InteractiveShell, project: Path) -> None:
    (project.parent.parent / "pyproject.toml").write_text("[tool.secgemini]\nfeedback = true\n")
    assert listed(shell, "feedback") == ["False", "default"]
    project.write_text("[tool.other]\nx = 1\n")
    assert listed(shell, "feedback") == ["False", "default"]
    (project.parent / "notebooks" / "pyproject.toml").write_text("[tool.secgemini]\nfeedback = true\n")
    assert listed(shell, "feedback")[0] == "True"


def test_a_project_sets_whether_errors_are_short(
    shell: InteractiveShell, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write_text("[tool.secgemini]\nshort_errors = false\n")
    shell.run_cell("%%secgemini\n[[error 500]]")
    assert "Traceback" in "".join(capsys.readouterr())


@pytest.mark.parametrize("form", FORMATS)
def test_a_project_chooses_between_words_alone(shell: InteractiveShell, project: Path, form: str) -> None:
    """The others fail where the answer is of another kind, or write a cell."""
    project.write_text(f"[tool.secgemini]\nformat = '{form}'\n")
    assert shell.run_cell("%%secgemini -q\nplain words").success
    is_chosen = form in ("md", "text")
    assert listed(shell, "format") == ([form, str(project)] if is_chosen else ["md", "default"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("backend = 'service'\nretention = true", "sets backend, retention: ignored"),
        ("feedback = 'often'", "sets feedback to 'often': ignored"),
        ("feedback = " + "[" * 3_900, "it is no TOML"),
        ("feedback = \x01", "it is no TOML"),
        ("x = 1\n" * 3000, "longer than"),
        ('"a\\u001b[2J\\u202e" = 1', "\\x1b[2J\\u202e"),
        ("\n".join(f"{'k' * 900}{number} = 1" for number in range(4)), "kkk…"),
    ],
)
def test_what_a_project_may_not_say_is_told_once_and_ignored(
    shell: InteractiveShell, project: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    """It came with a clone: neither does it change what is sent, nor can it keep cells from running."""
    project.write_text(f"[project]\nname = 'x'\n[tool.secgemini]\n{text}\n[tool.more]\nfeedback = true\n")
    for cell in ("one", "two"):
        assert shell.run_cell(f"%%secgemini\n{cell}").success
    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if "[tool.secgemini]" in line)
    assert str(project) in line
    assert says in line
    assert line.isprintable()
    assert len(line) < 600 + len(str(project))
    assert listed(shell, "feedback") == ["False", "default"]
    assert "[tool.secgemini]" in capsys.readouterr().out, "%secgemini config says it again"


def test_what_a_project_may_switch_on_but_not_off(
    shell: InteractiveShell, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preferences, "REFUSED", {("feedback", False): "it may switch that on, not off"})
    project.write_text("[tool.secgemini]\nfeedback = false\n")
    (problem,) = preferences.project_of(magics(shell)).problems
    assert "sets feedback to False: ignored, it may switch that on, not off" in problem
    project.write_text("[tool.secgemini]\nfeedback = true \n")
    assert preferences.project_of(magics(shell)).values == {"feedback": True}


def test_a_hostile_file_is_harmless(shell: InteractiveShell, project: Path) -> None:
    """None of these may hold up a cell, or fill the memory."""
    for make in (
        lambda: os.mkfifo(project),
        lambda: project.symlink_to("/dev/zero"),
        lambda: project.symlink_to(project),
        lambda: project.mkdir(),
        lambda: project.write_bytes(os.urandom(100_000)),
        lambda: project.write_bytes(b"[tool.secgemini]\n" + b"x" * 2_000_000),
        lambda: project.write_text("a" + ".a" * 200_000 + " = 1\n"),
        lambda: project.write_text("[tool.secgemini]\na" + ".a" * 200_000 + " = 1\n"),
        lambda: project.write_text("[tool.secgemini]\na" + ".a" * 1_900 + " = 1\n"),
        lambda: project.write_bytes(b"[tool.secgemini]\nfeedback = \xff\xfe\n"),
    ):
        make()
        assert preferences.preference(magics(shell), "feedback").value is False
        project.rmdir() if project.is_dir() and not project.is_symlink() else project.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_ignored(shell: InteractiveShell, project: Path, content: bytes) -> None:
    project.write_bytes(b"[tool.secgemini]\n" + content)
    found = preferences.project_of(magics(shell))
    assert set(found.values) <= preferences.DISPLAY
    assert all(problem.isprintable() for problem in found.problems)


def test_windows_line_ends_and_a_comment(shell: InteractiveShell, project: Path) -> None:
    project.write_bytes(b"[project]\r\n  [ tool . secgemini ]  # ours\r\nfeedback = true\r\n[x]\r\n")
    assert listed(shell, "feedback") == ["True", str(project)]


def test_only_what_a_project_may_set_reads_its_file(
    shell: InteractiveShell, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_text("[tool.secgemini]\nfeedback = true\n")
    monkeypatch.setattr(preferences, "DISPLAY", frozenset())
    monkeypatch.setattr(preferences, "project_of", lambda _: pytest.fail("it was read"))
    assert preferences.preference(magics(shell), "feedback").value is False


def test_the_notebook_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    here = Path.cwd()
    assert notebook_folder({}, {}) == here
    assert notebook_folder({}, {"JPY_SESSION_NAME": "sub/a.ipynb"}) == here / "sub"
    assert notebook_folder({}, {"JPY_SESSION_NAME": "sub/gone.ipynb"}) == here
    assert notebook_folder({}, {"JPY_SESSION_NAME": str(tmp_path / "sub" / "a.ipynb")}) == tmp_path / "sub"
    assert notebook_folder({"__vsc_ipynb_file__": str(tmp_path / "sub" / "b.ipynb")}, {}) == tmp_path / "sub"
    for strange in ("x" * 5000, "a\0b", "kernel-1234"):
        assert notebook_folder({}, {"JPY_SESSION_NAME": strange}) in (here, None)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert notebook_folder({}, {}) is None


def test_a_project_may_switch_defanging_on_but_not_off(shell: InteractiveShell, project: Path) -> None:
    project.write_text("[tool.secgemini]\ndefang = false\nshow = 'none'\n")
    assert listed(shell, "defang") == ["True", "default"]
    assert listed(shell, "show") == ["none", str(project)]
    shell.run_line_magic("config", "SecGeminiMagics.defang = False")
    assert listed(shell, "defang") == ["False", "%config"]


def test_the_listing_names_the_option_that_goes_before(shell: InteractiveShell) -> None:
    listing = shell.run_line_magic("secgemini", "config")
    assert listing.loc["defang", ["option", "project"]].to_list() == ["--defang", True]
    assert listing.loc["show", "option"] == "--show"
    assert listing.loc["cache", ["option", "project"]].to_list() == ["--cache", False]


# --- %secgemini config NAME [VALUE] ---


def test_config_shows_and_sets_one(shell: InteractiveShell) -> None:
    assert shell.run_line_magic("secgemini", "config feedback").startswith("feedback = False (default).")
    for text, value in (("true", True), ("False", False), ("1", True)):
        shell.run_line_magic("secgemini", f"config SecGeminiMagics.feedback {text}")
        assert magics(shell).feedback is value
    assert listed(shell, "feedback") == ["True", "%config"]
    for text in ("none", "NONE", "None"):
        shell.run_line_magic("secgemini", "config timeout 5")
        assert magics(shell).timeout == 5
        shell.run_line_magic("secgemini", f"config timeout {text}")
        assert magics(shell).timeout is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("config feedback often", "feedback cannot be 'often'. A strip under each answer"),
        ("config fedback", "unknown setting 'fedback'. Did you mean feedback?"),
        ("config feedback true more", "'more' is too much."),
    ],
)
def test_a_setting_that_makes_no_sense(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert not shell.run_cell(f"%secgemini {line}").success
    assert says in "".join(capsys.readouterr())
    assert default_kernel().names == []


def test_a_value_that_config_refused_does_not_hold(shell: InteractiveShell) -> None:
    shell.run_cell("%config SecGeminiMagics.feedback = 'often'")
    assert listed(shell, "feedback") == ["False", "default"]


@pytest.mark.kernel
def test_a_clone_s_file_in_a_kernel(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.secgemini]\nbackend = 'other'\nshow = 'none'\n")
    kernel.run(f"import os\nbefore = os.getcwd()\nos.chdir({str(tmp_path)!r})")
    try:
        first, second = (kernel.run("%%secgemini\nhello") for _ in range(2))
        assert (first.status, second.status) == ("ok", "ok")
        assert "sets backend: ignored" in first.text
        assert "sets backend" not in second.text
        kernel.run("listing = %secgemini config")
        assert kernel.value("listing.loc['show', ['value', 'source']].to_list()") == [
            "none",
            str(tmp_path / "pyproject.toml"),
        ]
        assert kernel.run("%secgemini config show sumary").status == "error"
    finally:
        kernel.run("os.chdir(before)")


def test_the_list_of_settings_is_shown_whole(shell: InteractiveShell) -> None:
    table = shell.run_line_magic("secgemini", "config")
    for shown in (repr(table), table._repr_html_()):
        for name in table.index:
            assert name in shown
        assert "option" in shown
        assert "--timeout" in shown
        assert "Time to live of sessions that are made here, in seconds; at least 300." in " ".join(shown.split())
    assert max(len(line) for line in repr(table).splitlines()) <= 80
    assert type(table.head(2)).__name__ == "DataFrame"
