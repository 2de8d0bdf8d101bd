"""What the magics say of themselves, and that all of the specified shape is there."""

from __future__ import annotations

import shlex

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics import cell
from secgemini_jupyter.magics.commands import COMMANDS, overview
from secgemini_jupyter.magics.help import command_help
from secgemini_jupyter.magics.options import options_of
from tests.magics.conftest import Kernel

# As specified: what is missing is in the hands of who is named.
OPTIONS = shlex.split(
    "-s --session --new -m --model -t --timeout -a --attach -o --out -q --quiet -f --format --show --bg --raw "
    "--dry-run --no-log --defang --no-defang --redact --cache"
)
SUBCOMMANDS = shlex.split(
    "ask fix retry stop wait jobs sessions use new update resume delete history visualize attach files detach "
    "feedback bug chat models usage login logout whoami config doctor export help reconnect status"
)
CHOICES = {
    "--format": "md text json df html code raw",
    "--show": "none summary full",
    "--cache": "use refresh only off",
}


def test_every_option_and_subcommand_of_the_specification_exists() -> None:
    missing = {*OPTIONS, *SUBCOMMANDS} - {*options_of(cell.parser()), *COMMANDS}
    assert not missing


@pytest.mark.parametrize(("option", "choices"), CHOICES.items())
def test_every_choice_of_the_specification_exists(option: str, choices: str) -> None:
    assert set(choices.split()) == set(options_of(cell.parser())[option].choices or ())


@pytest.mark.parametrize("question", ["%%secgemini?", "%secgemini?"])
def test_a_question_mark_shows_all(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], question: str) -> None:
    shell.run_cell(question)
    said = capsys.readouterr().out
    for word in (*options_of(cell.parser()), *COMMANDS):
        assert word in said
    assert overview() in said
    assert max(map(len, overview().splitlines())) <= 114


@pytest.mark.parametrize("name", COMMANDS)
def test_each_subcommand_explains_itself(shell: InteractiveShell, name: str) -> None:
    texts = [
        str(shell.run_cell(f"%secgemini {line}").result)
        for line in (f"help {name}", f"{name} --help", f"{name} -h", f"{name}?")
    ]
    assert len(set(texts)) == 1
    assert texts[0].startswith(f"%secgemini {name}")
    for option in options_of(COMMANDS[name].parser()):
        assert option in texts[0]
    assert "%%" not in texts[0].replace("%%secgemini", "")
    assert default_kernel().names == []


@pytest.mark.parametrize("line", ["help", "--help", "-h"])
def test_help_on_a_line_and_in_a_cell(shell: InteractiveShell, line: str) -> None:
    assert shell.run_cell(f"%secgemini {line}").result == overview()
    if line != "help":
        assert shell.run_cell(f"%%secgemini {line}\n").result == overview()
    assert default_kernel().names == []


def test_a_prompt_may_hold_what_asks_for_help(shell: InteractiveShell) -> None:
    assert shell.run_cell("x = %secgemini ask -q what does ls -h do").success
    assert shell.user_ns["x"].answer == "what does ls -h do"
    assert shell.run_cell("%%secgemini -q -o x\n--help").success
    assert shell.user_ns["x"].answer == "--help"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_argument_of_any_subcommand_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for wrong in ("--no-such-option", "'not closed" if not COMMANDS[name].takes_line else "--no-such"):
        assert not shell.run_cell(f"%secgemini {name} {wrong}").success
        said = "".join(capsys.readouterr()).strip()
        assert said.startswith("UsageError: %secgemini" if name != "ask" else "UsageError: %%secgemini")
        assert "\n" not in said
        assert "Traceback" not in said
    assert default_kernel().names == [], "no session was made for it"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%secgemini histroy", "unknown subcommand 'histroy'. Did you mean history?"),
        ("%secgemini why is it", "unknown subcommand 'why'. %secgemini help lists them, %secgemini ask … asks."),
        ("%secgemini help nothing-like-it", "%secgemini help lists them"),
        ("%secgemini bug", "required: text. Usage: %secgemini bug text"),
        ("%secgemini detach one", "there is no session yet"),
        ("%secgemini fix one", "invalid int value: 'one'. Usage: %secgemini fix "),
        ("%secgemini nothing", "%secgemini help lists them"),
        ("%secgemini help nothing", "%secgemini help lists them"),
        ("%secgemini ask", "%secgemini ask: the prompt is empty. Write it behind the options."),
        ("%secgemini feedback dwon", "Did you mean down?"),
        ("%secgemini files all", "'all' is too much. Usage: %secgemini files."),
        ("%%secgemini --cache onyl\nx", "Did you mean only?"),
        ("%%secgemini --sesion x\nx", "unknown option --sesion. Did you mean --session?"),
        ("%%secgemini -o a -o b\nx", "-o/--out: it is given twice. Keep one."),
        ("%%secgemini -t\nx", "option -t needs a value."),
        ("%%secgemini -t soon\nx", "'soon' is no number of seconds. %%secgemini? lists the options."),
        ("%%secgemini -q\n", "the prompt is empty"),
    ],
)
def test_a_wrong_line_says_what_is_right(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert not shell.run_cell(line).success
    said = "".join(capsys.readouterr()).strip()
    assert says in said
    assert "\n" not in said
    assert default_kernel().names == []


def test_a_key_at_a_wrong_place_is_not_repeated(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("login canary-key-0123456789", "whoami canary-key-0123456789", "files canary-key-0123456789"):
        assert not shell.run_cell(f"%secgemini {line}").success
    assert "canary" not in "".join(capsys.readouterr())


@pytest.mark.kernel
def test_help_in_a_kernel(kernel: Kernel) -> None:
    """As JupyterLab asks: its pager shows what `?` says."""
    reply = kernel.reply(kernel.client.execute("%%secgemini?"))
    (page,) = reply["content"]["payload"]
    assert "--session NAME" in page["data"]["text/plain"]
    assert "feedback" in page["data"]["text/plain"]
    assert kernel.run("%%secgemini --sesion x\ny").status == "error"


def test_no_line_of_the_help_is_too_wide_for_a_notebook() -> None:
    pages = [overview(), *(command_help(command) for command in COMMANDS.values())]
    assert max(len(line) for page in pages for line in page.splitlines()) <= 80
