"""`-f`: what is shown of an answer, and what Python gets, in a real kernel and in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.magics import formats
from secgemini_jupyter.magics.choices import FORMATS
from secgemini_jupyter.transcript.jsonl import from_jsonl
from tests.magics.conftest import Kernel

HOSTILE = "<script>alert(1)</script> http://evil.test \x1b[2J\u202e"
TABLE = json.dumps([{"host": HOSTILE, "http://evil.test": 1}, {"host": "b", "http://evil.test": None}])
VALUES = {
    "text": "some = {'a': 1}\nwords",
    "json": '```json\n{"a": [1, {"b": null}]}\n```',
    "df": f"see [[type sec-gemini/table {TABLE}]]",
    "html": "some **words**",
    "code": "so:\n\n```python\nx = 1\n```",
    "raw": "as it came",
}


def asked(options: str, prompt: str) -> str:
    return f"%%secgemini {options}\n{prompt}"


def assert_harmless(html: str, text: str) -> None:
    assert "<script" not in html
    for bad in ("\x1b", "http://evil.test", "\u202e"):
        assert bad not in html + text


def prefilled(shell: InteractiveShell) -> str | None:
    """What stands in a terminal's next prompt."""
    return getattr(shell, "rl_next_input", None)


@pytest.mark.kernel
@pytest.mark.parametrize("name", [*VALUES])
def test_a_value_is_shown_once_and_is_the_cells_result(kernel: Kernel, name: str) -> None:
    ran = kernel.run(asked(f"-f {name} -o kept", VALUES[name]))
    assert ran.status == "ok", ran.error
    assert len(ran.outputs) == 1
    assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "ok"
    assert kernel.value("type(kept).__name__, kept.status") == ("Answer", "ok")
    kernel.run("again = _oh[max(_oh)]")
    assert kernel.value("type(again).__name__") == {"json": "dict", "df": "DataFrame"}.get(name, "str")
    shown = kernel.run("again")
    assert len(shown.outputs) == 1


@pytest.mark.kernel
def test_text_has_no_html(kernel: Kernel) -> None:
    ran = kernel.run(asked("-f text", f"**words** {HOSTILE} [[partial]] [[messages=8 bytes=20]] [[delay=0.05]]"))
    (output,) = ran.outputs
    assert ran.updates
    assert set(output["data"]) == {"text/plain"}
    said = output["data"]["text/plain"]
    assert "**words**" in said
    assert "127.0.0.1" in said
    for bad in ("\x1b", "\u202e", "http://evil.test"):
        assert bad not in said


@pytest.mark.kernel
def test_line_magic_gives_the_value(kernel: Kernel) -> None:
    """Shown once; the plain value; `%%time`, `%%capture` and a call from Python alike."""
    ran = kernel.run('value = %secgemini ask -f json {"a": 1}')
    assert len(ran.html) == 1
    assert kernel.value("value") == {"a": 1}
    alone = kernel.run('%secgemini ask -f json {"b": 1}')
    assert len(alone.outputs) == 1
    assert kernel.value("_") == {"b": 1}
    timed = kernel.run('%%time\n%%secgemini -f json\n{"c": 1}')
    assert len(timed.html) == 1
    assert "Wall time" in timed.text
    called = kernel.run("r = [get_ipython().run_cell_magic('secgemini', '-f json', str(n)) for n in (1, 2)]\nr[1]")
    assert len(called.html) == 2
    assert len(called.outputs) == 2
    assert kernel.value("r, 2") == ([1, 2], 2)
    kernel.run('%%capture kept\n%%secgemini -f json\n{"d": 1}')
    assert kernel.value("len([o for o in kept.outputs if o.data])") == 1
    ran = kernel.run('v = %secgemini ask -q -f json {"e": 1}')
    assert ran.outputs == []
    assert kernel.value("v") == {"e": 1}


@pytest.mark.kernel
def test_what_was_shown_in_one_cell_is_shown_in_the_next(kernel: Kernel) -> None:
    kernel.run("v = %secgemini ask -f json true")
    assert kernel.run("v").text == "True"
    assert kernel.value("len(get_ipython().display_formatter.ipython_display_formatter.singleton_printers)") == 0


@pytest.mark.kernel
def test_table_is_safe_on_show_and_exact_as_data(kernel: Kernel) -> None:
    ran = kernel.run(asked("-f df -o kept", f"see\n\n| a |\n|---|\n| 1 |\n\n[[type sec-gemini/table {TABLE}]]"))
    (html,) = ran.html
    assert "<table" in html
    assert "The first of 2 tables" in html
    assert_harmless(html, ran.text)
    kernel.run("df = _oh[max(_oh)]")
    assert kernel.value("df['host'][0]") == HOSTILE
    assert kernel.value("list(df.columns), df.equals(kept.df()), len(kept.tables)") == (
        ["host", "http://evil.test"],
        True,
        2,
    )


@pytest.mark.kernel
def test_json_is_a_tree(kernel: Kernel) -> None:
    value = {"http://evil.test/a": [HOSTILE], "1.2.3.4": 1}
    ran = kernel.run(asked("-f json", f"Here:\n```json\n{json.dumps(value)}\n```"))
    (html,) = ran.html
    assert "<details" in html
    assert "Here:" not in html
    assert_harmless(html, ran.text)
    assert "1.2.3.4" not in html + ran.text
    assert kernel.value("_oh[max(_oh)]") == value
    ran = kernel.run(asked("--no-defang -f json", f"```json\n{json.dumps(value)}\n```"))
    assert "http://evil.test" in ran.html[0]


@pytest.mark.kernel
def test_html_is_a_page_for_a_file(kernel: Kernel) -> None:
    kernel.run("page = %secgemini ask -f html **bold** <script>alert(1)</script>")
    page = kernel.value("page")
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert "<strong>bold</strong>" in page
    assert "<script" not in page


@pytest.mark.kernel
def test_raw_is_every_message_as_it_came(kernel: Kernel) -> None:
    ran = kernel.run(asked("-f raw -o kept", f"{HOSTILE}"))
    assert_harmless(ran.html[0], ran.text)
    lines = kernel.value("_oh[max(_oh)]")
    messages = from_jsonl(lines)
    assert [message.id for message in messages] == kernel.value("[message.id for message in kept.messages]")
    assert HOSTILE in [message.content for message in messages]


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "says"), [("json", "no JSON"), ("df", "no table"), ("code", "no code in a fence")])
def test_what_cannot_be_had_fails_after_the_answer_is_shown(kernel: Kernel, name: str, says: str) -> None:
    ran = kernel.run(asked(f"-f {name} -o kept", "just words"))
    assert ran.status == "error"
    assert says in ran.error
    assert ran.error.count("\n") == 0
    assert len(ran.html) == 1
    assert "just words" in ran.html[0]
    assert ran.payload == []
    assert kernel.value("kept.answer, kept.status, kept.error") == ("just words", "ok", None)
    kernel.run("again = %secgemini reconnect")
    assert kernel.value("again.answer") == "just words"


@pytest.mark.kernel
def test_failed_turn_shows_what_came_in_any_format(kernel: Kernel) -> None:
    for name in FORMATS:
        ran = kernel.run(asked(f"-f {name} -o kept", "[[messages=1]] [[error 503]]"))
        assert ran.status == "error"
        assert "ServiceError" in ran.error
        assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "error"
        assert kernel.value("kept.status") == "error"


# --- code ---


def new_cells(payload: list[dict[str, object]]) -> list[object]:
    assert all(not each["replace"] for each in payload)
    return [each["text"] for each in payload if each["source"] == "set_next_input"]


@pytest.mark.kernel
def test_code_is_put_into_one_new_cell_and_not_run(kernel: Kernel) -> None:
    text = (
        "Do:\n\n```python\nran = 1\n```\n\n```bash\nls\n```\n\n1. then\n   ```py\n   for x in y:\n       pass\n   ```\n"
    )
    ran = kernel.run(asked("-s 'triage' -f code", text))
    assert ran.status == "ok", ran.error
    (cell,) = new_cells(ran.payload)
    assert cell == (
        "# From Sec-Gemini, session triage, turn 1.\n# Not run yet: read it first.\n"
        "# Left out: 1 block in other languages (bash).\n"
        "\n# --- block 1 of 2, python ---\nran = 1\n"
        "\n# --- block 2 of 2, py ---\nfor x in y:\n    pass"
    )
    assert "2 blocks of code put below, into a new cell" in ran.html[0]
    assert "Do:" in ran.html[0]
    assert kernel.value("'ran' in globals()") is False
    assert kernel.value("_oh[max(_oh)]") == "ran = 1\n\nfor x in y:\n    pass\n"


@pytest.mark.kernel
def test_code_hides_nothing(kernel: Kernel) -> None:
    """No invisible character, no cell of another kind, nothing far to the right without a word about it."""
    code = "%%bash\nrm -rf x\u202e\u200b\r\x1b[2J\nx = 1" + " " * 300 + "; y = 2"
    ran = kernel.run(
        f"get_ipython().run_cell_magic('secgemini', '-f code', {f'```python{chr(10)}{code}{chr(10)}```'!r})"
    )
    assert ran.status == "ok", ran.error
    (cell,) = new_cells(ran.payload)
    lines = str(cell).split("\n")
    assert lines[0].startswith("# From Sec-Gemini")
    assert lines[2] == "# Line 7: longer than 160 characters, scroll to the right."
    assert lines[3] == "%%bash"
    assert lines[6].endswith("; y = 2")
    assert all(char.isprintable() or char == "\n" for char in str(cell))
    assert "⟨U+202E⟩" in lines[4]


@pytest.mark.kernel
def test_code_of_another_language_is_taken_where_there_is_no_python(kernel: Kernel) -> None:
    ran = kernel.run(asked("-f code -q", '[[type sec-gemini/code {"code": "rule x {}", "language": "yara"}]]'))
    (cell,) = new_cells(ran.payload)
    assert str(cell).endswith("\nrule x {}")
    assert ran.outputs == []


# --- preference ---


@pytest.mark.kernel
def test_preference_and_option(kernel: Kernel) -> None:
    kernel.run("%config SecGeminiMagics.format = 'text'")
    assert kernel.run("%%secgemini\nwords").html == []
    assert len(kernel.run("%%secgemini -f md\nwords").html) == 1
    ran = kernel.run("again = %secgemini reconnect")
    assert ran.html == []
    assert kernel.value("type(again).__name__") == "Answer"
    assert "xml" in kernel.run("%config SecGeminiMagics.format = 'xml'").text
    assert "Did you mean json?" in kernel.run("%%secgemini -f jsn\nwords").text
    kernel.run("%config SecGeminiMagics.format = 'md'")


def test_project_may_not_have_cells_written(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.secgemini]\nformat = "code"\n')
    shell.run_cell("%%secgemini\n```python\nx = 1\n```")
    assert prefilled(shell) is None
    assert "it may choose md or text only" in capsys.readouterr().out


# --- terminal ---


@pytest.mark.parametrize("name", [*VALUES])
def test_terminal_shows_each_format_once(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert shell.run_cell(asked(f"-f {name} -o kept", VALUES[name] + " [[partial]]"), store_history=True).success
    said = capsys.readouterr().out
    assert "Out[" not in said
    assert said.count("127.0.0.1") == 1
    for bad in ("\x1b", "\u202e", "http://evil.test"):
        assert bad not in said
    value = shell.user_ns["_"]
    assert type(shell.user_ns["kept"]).__name__ == "Answer"
    shown = {"text": "some = {'a': 1}\nwords", "json": '"b": null', "df": "host", "html": "some **words**"}
    assert said.count({**shown, "code": "```python", "raw": '"content":"as it came'}[name]) == 1
    assert type(value).__name__ == {"json": "dict", "df": "DataFrame"}.get(name, "str")
    if name == "code":
        assert str(prefilled(shell)).endswith("\nx = 1")
    else:
        assert prefilled(shell) is None


def test_line_in_a_terminal_has_no_empty_result(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    for line, value in (("ask -f json [1, 2]", [1, 2]), ("ask  hello?", "hello?")):
        assert shell.run_cell(f"%secgemini {line}", store_history=True).success
        assert "Out[" not in capsys.readouterr().out
        assert shell.user_ns["_"] == value or shell.user_ns["_"].answer == value
    assert shell.run_cell("v = %secgemini ask -f json [3]", store_history=True).success
    assert shell.user_ns["v"] == [3]
    assert shell.run_cell("%secgemini history", store_history=True).result is not None


@pytest.mark.parametrize("name", ["json", "df", "raw", "code"])
def test_terminal_shows_the_answer_where_the_format_cannot_be_had(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    failing = "just words" if name != "raw" else "just words [[error 500]]"
    assert not shell.run_cell(asked(f"-f {name} -o kept", failing)).success
    assert prefilled(shell) is None
    said = capsys.readouterr().out
    if name != "raw":
        assert said.count("just words") == 1
        assert f"-f {name}" in said
        assert shell.user_ns["kept"].answer == "just words"


def test_restored_values_stand_in_words_alone(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert not shell.run_cell("%%secgemini -f json --redact --restore\nx").success
    captured = capsys.readouterr()
    assert "add -f text" in captured.out + captured.err


# --- with other options ---


@pytest.mark.kernel
def test_replayed_answer_has_its_format_too(kernel: Kernel) -> None:
    cell = "%%secgemini --new --cache use -o kept -f "
    prompt = "from the cache\n\n```json\n[1]\n```\n\n```python\nx = 1\n```"
    kernel.run(f"{cell}md\n{prompt}")
    ran = kernel.run(f"{cell}json\n{prompt}")
    assert len(ran.outputs) == 1
    assert "Replayed from the cache" in ran.text
    assert kernel.value("_oh[max(_oh)], kept.cached, len(kept.tools)") == ([1], True, 0)
    (code,) = new_cells(kernel.run(f"{cell}code\n{prompt}").payload)
    assert str(code).startswith("# From Sec-Gemini (replayed from the cache), session")
    ran = kernel.run(f"{cell}df\n{prompt}")
    assert "no table" in ran.error
    assert "from the cache" in ran.html[0]


def test_interrupt_while_it_is_brought_into_its_format_keeps_the_answer(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(formats.Form, "take", interrupted)
    assert not shell.run_cell("%%secgemini -f json -o kept\n[1]").success
    said = capsys.readouterr().out
    assert said.count("[1]") == 1
    assert "Interrupted: stopped when the answer was complete" in said
    assert shell.user_ns["kept"].json() == [1]


def test_dry_run_is_a_plan_in_any_format(shell: InteractiveShell) -> None:
    shell.run_cell("%%secgemini --dry-run -f json -o kept\n[1]")
    assert "kept" not in shell.user_ns
    assert shell.run_cell("plan = %secgemini ask --dry-run -f df x").success
    assert type(shell.user_ns["plan"]).__name__ == "Plan"
