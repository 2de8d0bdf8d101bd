"""How a notebook gives its functions to the service, sees which it gave, and gives them again after a restart."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter import current_session, secgemini_tool
from secgemini_jupyter.errors import InputError, ToolError
from secgemini_jupyter.kernel import default_kernel

CELL = """
from secgemini_jupyter import secgemini_tool

def lookup(host: str, port: int = 443) -> str:
    "Inventory facts for a host."
    return f"{host}:{port}"

@secgemini_tool
def asset(host: str) -> str:
    "What an asset is."
    return f"asset {host}"

def several(*hosts: str) -> str: ...
"""


@pytest.fixture
def notebook(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> InteractiveShell:
    assert shell.run_cell(CELL).success
    capsys.readouterr()
    return shell


def said(shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    shell.run_cell(cell)
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_new_session_has_the_functions_that_are_named(
    notebook: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert notebook.run_cell("%secgemini new triage --tools lookup,asset").success
    answer = said(notebook, '%%secgemini\n[[call asset {"host": "web-7"}]] [[call lookup {"host": "web-7"}]]', capsys)
    assert "asset web-7" in answer
    assert "the user did not approve this call of lookup: nobody could be asked" in answer
    table = notebook.run_cell("%secgemini tools").result
    assert list(table.index) == ["lookup", "asset"]
    assert list(table["approval"]) == ["ask (nobody can be asked here: denied)", "allow"]
    assert list(table["parameters"]) == ["host: string, port: integer = 443", "host: string"]
    assert list(table["origin"]) == ["this notebook: lookup", "this notebook: asset"]
    assert list(table["description"]) == ["Inventory facts for a host.", "What an asset is."]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("new --tools lokup", "there is no function 'lokup'. Did you mean lookup? Nothing changed."),
        ("new --tools several", "Tool several has the parameter *hosts: str"),
        ("tools", "there is no session yet"),
        ("new --tools __import__('os')", "there is no function"),
    ],
)
def test_what_is_no_tool_says_what_to_type(
    notebook: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    assert words in said(notebook, f"%secgemini {line}", capsys)
    assert default_kernel().names == []


def test_a_session_without_tools_says_how_to_get_one(
    notebook: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run_cell("%secgemini new")
    assert "has no local tools. %secgemini new --tools NAME,… makes" in said(notebook, "%secgemini tools", capsys)
    assert "was made without the tool asset" in said(notebook, "%secgemini tools asset", capsys)


def test_a_restarted_kernel_binds_what_the_notebook_declares(
    notebook: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run_cell("%secgemini new triage --tools lookup,asset")
    session_id = current_session().id
    default_kernel().leave()  # what a restart leaves: nothing
    resumed = said(notebook, f"%secgemini resume {session_id}", capsys)
    assert "Local tools bound again: asset." in resumed
    assert "its local tool lookup has no function in this kernel" in resumed
    assert "run: %secgemini tools lookup" in resumed
    table = notebook.run_cell("%secgemini tools").result
    assert list(table["approval"]) == ["calls fail", "allow"]
    assert table["origin"]["lookup"] == "no function here: %secgemini tools lookup"
    assert "no local tool 'lookup' here" in said(notebook, '%%secgemini\n[[call lookup {"host": "a"}]]', capsys)
    notebook.run_cell("%secgemini tools lookup")
    assert current_session().missing_tools == []


def test_tools_of_the_current_session_from_python(
    notebook: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    first = current_session(tools=[notebook.user_ns["asset"]])
    assert first.query('[[call asset {"host": "a"}]]').answer == "asset a"

    @secgemini_tool
    def asset(host: str) -> str:
        "What an asset is."
        return f"better {host}"

    again = current_session(tools=[asset])  # the cell was run again
    assert again is first
    assert again.query('[[call asset {"host": "a"}]]').answer == "better a"
    capsys.readouterr()
    other = current_session(tools=[asset, notebook.user_ns["lookup"]])
    assert other is not first
    assert default_kernel().current() is other
    assert "with the local tools asset, lookup: a session keeps those it was made with" in capsys.readouterr().out

    @secgemini_tool(name="asset")
    def changed(host: str, deep: bool = False) -> str:
        "What an asset is."
        return ""

    assert current_session(tools=[changed, notebook.user_ns["lookup"]]) is not other, "the service was told another"
    with pytest.raises(ToolError, match="several"):
        current_session(tools=[notebook.user_ns["several"]])
    with pytest.raises(InputError, match="made without"):
        first.bind_tools([notebook.user_ns["lookup"]])
