"""The terminal's path, in an IPython shell of this process: text is appended, and holds no escapes of others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics import load, unload
from secgemini_jupyter.magics.lines import Question, keep_bodyless
from secgemini_jupyter.magics.options import Parser, join_continued, quoted, split_options, split_words
from secgemini_jupyter.models import PublicSessionFile


def test_answer_is_printed_once(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_cell("%%secgemini\nprinted [[partial]] [[messages=12 bytes=8]] [[delay=0.03]]").success
    said = capsys.readouterr().out
    assert said.count("printed") == 1
    assert "127.0.0.1" in said


def test_hostile_answer_moves_no_cursor(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_cell(
        "%%secgemini\n[link=https://evil.test]x[/link] \x1b[2J\x1b]0;owned\x07 \x9b2J [/x] [red]"
    ).success
    said = capsys.readouterr().out
    for bad in ("\x1b[2J", "\x1b]", "\x07", "\x9b"):
        assert bad not in said
    assert "[/x]" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("attach", "name files or globs"),
        ("feedback", "say up or down"),
        ("sessions --browse", "Without --browse it lists them here"),
        ("chat", "Ask in a %%secgemini cell"),
    ],
)
def test_what_is_by_click_says_what_to_type(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    assert not shell.run_cell(f"%secgemini {line}").success
    captured = capsys.readouterr()
    assert words in captured.out + captured.err
    assert default_kernel().names == []  # no session was made for it


def test_no_strip_in_a_terminal(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%config SecGeminiMagics.feedback = True")
    assert shell.run_cell("%%secgemini\nhello").success
    assert "Feedback" not in capsys.readouterr().out


def test_error_is_one_line(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert not shell.run_cell("%%secgemini\n[[error 500]]").success
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    assert "ServiceError" in captured.out + captured.err


def test_out_variable_and_line_magic(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%secgemini -q -o found\nhello")
    assert shell.user_ns["found"].answer == "hello"
    shell.run_cell("status = %secgemini")
    assert "1 turn ·" in shell.user_ns["status"]
    assert "hello" not in capsys.readouterr().out


def test_help_names_the_options(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%secgemini?")
    said = capsys.readouterr().out
    for option in ("--session", "--new", "--attach", "--out", "--quiet"):
        assert option in said


def test_loading_twice_changes_nothing(shell: InteractiveShell) -> None:
    before = list(shell.input_transformers_cleanup), list(shell.configurables)
    load(shell)
    assert (list(shell.input_transformers_cleanup), list(shell.configurables)) == before
    unload(shell)
    unload(shell)
    assert keep_bodyless not in shell.input_transformers_cleanup
    assert Question not in shell.input_transformer_manager.token_transformers
    assert not [each for each in shell.configurables if type(each).__name__ == "SecGeminiMagics"]


# --- the line of a magic ---


def parser() -> Parser:
    parser = Parser(prog="%%secgemini")
    parser.add_argument("-a", "--attach", action="append")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--redact", nargs="?", const="secrets")
    parser.add_argument("--show", choices=["none", "summary", "full"])
    return parser


@pytest.mark.parametrize(
    ("line", "tokens", "rest"),
    [
        ("", [], ""),
        ("what is -q here", [], "what is -q here"),
        ("-q why", ["-q"], "why"),
        ('-a "my log.txt" why', ["-a", "my log.txt"], "why"),
        ("-a C:\\new\\t.log why", ["-a", "C:\\new\\t.log"], "why"),
        ("-a'my log.txt' why", ["-a", "my log.txt"], "why"),
        ("--attach=a.log -q  two  blanks", ["--attach=a.log", "-q"], "two  blanks"),
        ('-q say "this', ["-q"], 'say "this'),
        ("-- -q is a prompt", [], "-q is a prompt"),
        ("-q -- -- twice", ["-q"], "-- twice"),
        ("- a dash", [], "- a dash"),
        ("it's", [], "it's"),
        ('"quoted" prompt', [], '"quoted" prompt'),
        ('-a "C:\\my logs\\" why', ["-a", "C:\\my logs\\"], "why"),
        ('-a "\\\\server\\a b" why', ["-a", "\\\\server\\a b"], "why"),
        ('-a "say \\"hi\\".log" why', ["-a", 'say "hi".log'], "why"),
        ("-a -x.log why", ["-a=-x.log"], "why"),
        ("-a=b why", ["-a=b"], "why"),
        ("--redact emails why", ["--redact"], "emails why"),
        ("--redact=emails why", ["--redact=emails"], "why"),
    ],
)
def test_options_stand_in_front_of_the_prompt(line: str, tokens: list[str], rest: str) -> None:
    assert split_options(parser(), line) == (tokens, rest)


@pytest.mark.parametrize(
    "line", ["--bogus x", "-a", "-x y", "-a 'unclosed", "-a un'closed x", "--attached=1", "--attach=un'c x"]
)
def test_options_that_make_no_sense(line: str) -> None:
    with pytest.raises(UsageError):
        split_options(parser(), line)


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (["--show", "sumary"], "Did you mean summary?"),
        (["--show=zzz"], "Known: none, summary, full."),
        (["--show", "none", "--show", "full"], "given twice"),
        (["--attach"], "expected one argument"),
        (["too", "much"], "'too' is too much."),
        (["--at\x1b[2Jtach"], "\\x1b[2J"),
    ],
)
def test_values_that_make_no_sense(tokens: list[str], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        parser().parse_tokens(tokens)
    assert says in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_parser_forgets_what_was_given() -> None:
    one = parser()
    assert [one.parse_tokens(["--show", "full"]).show for _ in range(2)] == ["full", "full"]


def test_a_value_that_begins_with_a_dash_is_one() -> None:
    tokens, _ = split_options(parser(), "-a -x.log --attach --quiet why")
    assert parser().parse_tokens(tokens).attach == ["-x.log", "--quiet"]


@given(st.text(min_size=1, max_size=30))
def test_a_quoted_word_is_one_word(word: str) -> None:
    assert split_words(f"a {quoted(word)} z") == ["a", word, "z"] or word.endswith("\\") or '\\"' in word


@pytest.mark.parametrize(
    ("line", "body", "joined"),
    [
        ("-q \\", "-a x.log why\nmore", ("-q -a x.log why", "more")),
        ("-q \\", "-a \\\nx.log\nmore", ("-q -a x.log", "more")),
        ("\\", "-q\nmore", ("-q", "more")),
        ("-q look at C:\\ \\", "more", ("-q look at C:\\ \\", "more")),
        ("look \\", "more", ("look \\", "more")),
        ("-- \\", "more", ("-- \\", "more")),
        ("-a C:\\", "more", ("-a C:\\", "more")),
        ("-q \\", "", ("-q \\", "")),
        ("--bogus \\", "more", ("--bogus \\", "more")),
    ],
)
def test_options_go_on_behind_a_backslash(line: str, body: str, joined: tuple[str, str]) -> None:
    assert join_continued(parser(), line, body) == joined


@given(st.text(max_size=80))
def test_any_line_is_a_prompt_behind_two_dashes(line: str) -> None:
    assert split_options(parser(), "-q -- " + line) == (["-q"], line.strip())


@given(st.text(max_size=80))
def test_any_line_is_split_or_refused(line: str) -> None:
    for split in (lambda: split_options(parser(), line), lambda: split_words(line)):
        try:
            split()
        except UsageError as refused:
            message = str(refused)
            if "\n" not in line:
                assert message


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["%%secgemini hello"], ["%%secgemini hello\n", "\n"]),
        (["%%secgemini hello\n", "\n"], ["%%secgemini hello\n", "\n"]),
        (["%%secgemini\n", "body\n"], ["%%secgemini\n", "body\n"]),
        (["%%time\n"], ["%%time\n"]),
        ([], []),
    ],
)
def test_cell_without_a_body_is_one(lines: list[str], kept: list[str]) -> None:
    assert keep_bodyless(lines) == kept


def test_a_terminal_shows_no_empty_result_and_keeps_it(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run_cell("%%secgemini\nkept", store_history=True).success
    assert "Out[" not in capsys.readouterr().out
    assert shell.run_cell("_.answer, Out[1].answer").result == ("kept", "kept")
    called = "answer = get_ipython().run_cell_magic('secgemini', '-q', 'called'); answer.answer"
    assert shell.run_cell(called, store_history=True).result == "called"


def test_a_refused_file_leaves_nothing_half_done(shell: InteractiveShell, tmp_path: Path) -> None:
    good = tmp_path / "a.txt"
    good.write_text("a")
    assert shell.run_cell("%%secgemini\nfirst").success
    before = shell.run_cell("%secgemini").result
    for options in (f"-a {good} -a /nowhere", f"--new -a {good} -a /nowhere", "-s other -a /nowhere"):
        assert not shell.run_cell(f"%%secgemini {options}\nx").success
    assert shell.run_cell("%secgemini").result == before
    assert len(shell.run_cell("%secgemini files").result) == 0


def test_enter_after_the_first_line_goes_on_to_the_body(shell: InteractiveShell) -> None:
    assert shell.check_complete("%%secgemini -o ans")[0] == "incomplete"
    assert shell.check_complete("%%secgemini\nhello")[0] == "incomplete"
    assert shell.check_complete("%%secgemini\nhello\n\n")[0] == "complete"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%secgemini update --nam x", "Did you mean --name?"),
        ("%secgemini files --x", "it takes none."),
        ("%secgemini delete", "Add --yes"),
    ],
)
def test_a_wrong_line_says_what_is_right(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert shell.run_cell("%%secgemini -q\nhello").success
    assert not shell.run_cell(line).success
    said = "".join(capsys.readouterr())
    assert says in said
    assert "?." not in said


def test_what_the_service_says_of_files_and_sessions_moves_no_cursor(shell: InteractiveShell) -> None:
    hostile = "\x1b[2J\x9b31m\u202e"
    assert shell.run_cell("%%secgemini -q\nhello").success
    session = shell.run_cell("from secgemini_jupyter import current_session; current_session()").result
    file = PublicSessionFile(name=hostile, mime_type=hostile, content_type_label=hostile, sha256=hostile)
    session._state.info = msgspec.structs.replace(session._state.info, files=[file])
    for command in ("files", "sessions", ""):
        shown = shell.run_cell(f"%secgemini {command}").result
        text = shown.to_string() if hasattr(shown, "to_string") else str(shown)
        assert all(char.isprintable() or char == "\n" for char in text)


def test_values_come_back_in_a_terminal_on_request(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "%%secgemini --redact {} -o found\npassword=hunter22 at http://evil.test/?q=hunter22"
    assert shell.run_cell(cell.format("")).success
    assert "hunter22 at" not in capsys.readouterr().out
    assert shell.run_cell(cell.format("--restore")).success
    assert "password=hunter22 at hxxp://evil[.]test/?q=[SECRET-1]" in capsys.readouterr().out
    shell.run_cell("%%secgemini --redact --restore -o found\npassword=hunter22\nhttp://evil.test/[SECRET-1]")
    said = capsys.readouterr().out
    assert "password=hunter22" in said
    assert "evil[.]test/[SECRET-1]" in said
    assert shell.user_ns["found"].answer == "password=[SECRET-1]\nhttp://evil.test/[SECRET-1]"
    assert shell.user_ns["found"].restored() == "password=hunter22\nhttp://evil.test/[SECRET-1]"
