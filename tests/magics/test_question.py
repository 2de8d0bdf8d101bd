"""What goes in with a prompt, in a real kernel; and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.magics.conftest import Kernel

pytestmark = pytest.mark.kernel


STORED = "[m.content for m in secgemini_jupyter.current_session().messages if m.message_type == 'query']"


def sent(kernel: Kernel) -> str:
    """The last prompt, as the service stored it."""
    kernel.run("import secgemini_jupyter")
    value = kernel.value(f"{STORED}[-1]")
    assert isinstance(value, str)
    return value


def nothing_sent(kernel: Kernel) -> bool:
    """No session was made for what was refused."""
    return bool(kernel.value("get_ipython().magics_manager.registry['SecGeminiMagics'].kernel.names") == [])


def test_variables_go_in_once_and_the_answer_names_them(kernel: Kernel) -> None:
    kernel.run("import pandas as pd\ndf = pd.DataFrame({'user': [1, 2]})\nn = 7\nlog = '{os.environ[PATH]} {{n}}'")
    ran = kernel.run("%%secgemini\n{{n}} {n} {{log}} {{df}}")
    assert ran.status == "ok", ran.error
    table = "`df`, data (DataFrame, 2 rows, 1 columns: user: int64):\n```csv\nuser\n1\n2\n```"
    assert sent(kernel) == f"7 {{n}} {{os.environ[PATH]}} {{{{n}}}} \n{table}"
    for name in ("n 1 B", "log ", "df "):
        assert name in ran.text.splitlines()[-1]


def test_the_first_line_is_not_evaluated_either(kernel: Kernel) -> None:
    """IPython expands `{…}` and `$x` in the line of a magic, unless it is told not to."""
    ran = kernel.run("x = 'value'\nanswer = %secgemini ask {x} $x {1+1} {{x}}")
    assert ran.status == "ok", ran.error
    assert sent(kernel) == "{x} $x {1+1} value"
    kernel.run("%%secgemini {x} $x {1+1}")
    assert sent(kernel) == "{x} $x {1+1}"


def test_raw_leaves_all_braces_alone(kernel: Kernel) -> None:
    kernel.run("x = 1")
    kernel.run("%%secgemini --raw\n{{x}} {{y}}")
    assert sent(kernel) == "{{x}} {{y}}"


def test_an_unknown_name_is_told_and_stays(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini\nhello {{nope}}")
    assert "{{nope}} stays as it is" in ran.text
    assert sent(kernel) == "hello {{nope}}"


def test_what_goes_in_in_part_is_told(kernel: Kernel) -> None:
    kernel.run(
        "import pandas as pd\nbig = 'A' * 5_000_000\nsmall = 'a\\nb'\n"
        "df = pd.DataFrame({f'c{n}': range(1000) for n in range(70)})\nten = df.iloc[:20, :60]"
    )
    parts = {"big": "100,000 of 5,000,000 characters", "df": "20 of 1,000 rows, 60 of 70 columns"}
    planned = kernel.run("%%secgemini --dry-run\n{{big}} {{small}} {{df}} {{ten}} {{df.head()}}").text
    sent = kernel.run("%%secgemini\n{{big}} {{small}} {{df}} {{ten}} {{df.head()}}")
    assert sent.status == "ok", sent.error
    footer = sent.text.splitlines()[-1]
    for name, part in parts.items():
        for text in (planned, sent.text):
            assert f"{{{{{name}}}}} goes in with {part}: -a ${name} sends all." in text
            assert "{{df.head()}} stays as it is" in text
        assert f"{name} ({part})" in footer
    variables = next(line for line in planned.splitlines() if line.strip().startswith("variables"))
    assert variables.split(maxsplit=1)[1] == f"big ({parts['big']}), small, df ({parts['df']}), ten"
    assert "small goes in" not in sent.text
    assert "ten (" not in footer


def test_variables_are_attached(kernel: Kernel) -> None:
    kernel.run("import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nraw = b'\\0\\1'")
    ran = kernel.run("%%secgemini -a $df -a '$df as flows.parquet' -a $raw\nsee")
    assert ran.status == "ok", ran.error
    listed = kernel.run("%secgemini files").text
    for name in ("df.csv", "flows.parquet", "raw.bin"):
        assert name in listed


@pytest.mark.parametrize(
    ("setup", "cell", "says"),
    [
        ("", "%%secgemini -a $dff\nx", "There is no variable dff."),
        ("", "%%secgemini -a $opne\nx", "There is no variable opne. Nothing"),
        ("", '%%secgemini -a ""\nx', "an empty name"),
        ("dframe = 'a\\nb'", "%%secgemini -a $dfrme\nx", "Did you mean $dframe?"),
        ("import os", "%%secgemini\n{{os}}", "is a module"),
        ("b = b'1'", "%%secgemini\n{{b}}", "Attach them: -a $b"),
        ("import os; k = os.environ['SEC_GEMINI_API_KEY']", "%%secgemini\nsee {{k}}", "{{k}} holds the API key"),
        (
            "import os, pandas as pd; d = pd.DataFrame({'a': [os.environ['SEC_GEMINI_API_KEY']]})",
            "%%secgemini\nsee {{d}}",
            "{{d}} holds the API key",
        ),
        ("import os; k = {'a': [os.environ['SEC_GEMINI_API_KEY']]}", "%%secgemini -a $k\nx", "holds the API key"),
        ("big = 'x' * 50_000_000", "get_ipython().run_cell_magic('secgemini', '', big)", "50,000,000 bytes, at most"),
        ("", "get_ipython().run_cell_magic('secgemini', '', 'a\\0b')", "NUL characters"),
        ("", "get_ipython().run_cell_magic('secgemini', '', 'a\\ud800b')", "U+D800 at character 2"),
        ("raw = b'\\0'", "%%secgemini --redact -a $raw\nx", "'raw.bin' is no text"),
        ("", "%%secgemini --redact=all\nx", "none of secrets, emails, hosts"),
        ("", "%%secgemini -a /nowhere/x.log\nx", "There is no file '/nowhere/x.log'"),
        ("", "%%secgemini -a /\nx", "is a folder"),
    ],
)
def test_what_must_not_be_sent_is_refused_in_one_line(kernel: Kernel, setup: str, cell: str, says: str) -> None:
    key = kernel.value("__import__('os').environ['SEC_GEMINI_API_KEY']")
    assert kernel.run(setup or "pass").status == "ok"
    ran = kernel.run(cell)
    said = ran.text + ran.error
    assert ran.status == "error" or "UsageError" in said
    assert says in said
    assert "Traceback" not in said
    assert key not in said
    assert len([line for line in said.splitlines() if line.strip()]) <= 2
    assert nothing_sent(kernel)


def test_placeholders_are_what_the_service_gets(kernel: Kernel) -> None:
    kernel.run("log = 'password=hunter22 for bob@corp.example'")
    ran = kernel.run("%%secgemini --redact=secrets,emails -a $log\nhas {{log}}")
    assert ran.status == "ok", ran.error
    assert sent(kernel) == "has password=[SECRET-1] for [EMAIL-1]"
    assert "4 redacted" in ran.text
    assert "hunter22" not in str(ran.outputs)


def test_a_dry_run_shows_what_then_travels(kernel: Kernel) -> None:
    kernel.run("log = 'one\\ntwo password=hunter22 http://evil.test/x'")
    cell = "%%secgemini {} --redact -a $log -t 30\nsee {{{{log}}}} and {{{{nope}}}}"
    ran = kernel.run(cell.format("--dry-run"))
    assert ran.status == "ok", ran.error
    assert nothing_sent(kernel)
    for told in (
        "Nothing was sent",
        "two password=[SECRET-1] hxxp://evil[.]test/x",
        "log.txt, 46 bytes, sha256 ",
        "30 s",
        "2 places",
    ):
        assert told in ran.text
    assert len(ran.html) == 1
    planned = kernel.value("(_.prompt, _.attachments[0].sha256)")
    kernel.run(cell.format(""))
    assert (sent(kernel), kernel.value("__import__('secgemini_jupyter').current_session().files[0].sha256")) == planned


def test_no_log_is_a_session_of_its_own(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o first\nkept")
    ran = kernel.run("%%secgemini --no-log -o hushed\nhush")
    assert "not retained" in ran.text
    assert kernel.value("first.session.id != hushed.session.id, hushed.session.can_log, first.session.can_log") == (
        True,
        False,
        True,
    )
    assert kernel.run("%%secgemini --no-log -o again\nhush").status == "ok"
    assert kernel.value("again.session.id == hushed.session.id, again.turn") == (True, 2)
    assert kernel.value("__import__('secgemini_jupyter').current_session().id == first.session.id")
    ran = kernel.run("%%secgemini --no-log -s main\nx")
    assert "is retained, so --no-log cannot hold" in ran.text + ran.error


@pytest.mark.parametrize("options", ["", "-s apart", "--new"])
def test_a_cell_without_retention_is_no_other_cells_session(kernel: Kernel, options: str) -> None:
    """Nor where it is the first one: who asks on expects what the status said."""
    kernel.run(f"%%secgemini --no-log {options} -o hushed\nhush")
    kernel.run("%%secgemini -o kept\nkept")
    assert kernel.value("hushed.session.can_log, kept.session.can_log") == (False, True)


def test_a_notebook_does_not_show_what_was_redacted(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini --redact --restore\npassword=hunter22")
    assert "a notebook saves what it shows" in ran.text + ran.error
    assert nothing_sent(kernel)
    ran = kernel.run("%%secgemini --redact -o found\npassword=hunter22")
    assert "hunter22" not in str(ran.outputs)
    assert kernel.value("found.answer, found.restored()") == ("password=[SECRET-1]", "password=hunter22")


def test_a_dry_run_says_on_its_line_what_is_not_sent_again(kernel: Kernel, tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(name)
    kernel.run(f"%%secgemini -q -a {tmp_path}/a.log\nlook")
    shown = kernel.run(f"%%secgemini --dry-run -a {tmp_path}/a.log -a {tmp_path}/b.log\nlook").text
    lines = [line for line in shown.splitlines() if ".log" in line]
    assert ["not sent again" in line for line in lines] == [True, False]
