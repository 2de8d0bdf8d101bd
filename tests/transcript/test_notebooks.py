"""A transcript as a notebook: valid, readable without a run, and left alone by one that nobody watches."""

from __future__ import annotations

import json

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbconvert.exporters import MarkdownExporter

from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.notebooks import to_notebook
from secgemini_jupyter.transcript.turns import TurnSlice, turn_slices
from tests.transcript.documents import hostile, ordinary
from tests.transcript.frames import message, turn
from tests.transcript.test_pages import TAGS, Reader


@pytest.mark.parametrize("transcript", [ordinary(), hostile(), Transcript(turns=[])], ids=["plain", "hostile", "none"])
def test_it_is_a_valid_notebook_and_always_the_same(transcript: Transcript) -> None:
    text = to_notebook(transcript)
    nbformat.validate(nbformat.reads(text, as_version=nbformat.NO_CONVERT))
    assert to_notebook(transcript) == text
    assert "trusted" not in json.loads(text)["metadata"]


def test_a_prompt_is_a_cell_and_its_answer_the_output() -> None:
    about, cell = json.loads(to_notebook(ordinary()))["cells"]
    said = "".join(about["source"])
    for words in (
        "# quiet\\-honeypot",
        "kerberos.log",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ):
        assert words.replace("\\-", "-") in said
    assert "".join(cell["source"]) == "%%secgemini\nIs host web-7 exposed to CVE-2099-0001?"
    assert cell["execution_count"] is None
    assert cell["metadata"]["tags"] == ["secgemini-skip"]
    (output,) = cell["outputs"]
    assert "Yes. web-7 runs 4.1.9" in "".join(output["data"]["text/plain"])
    assert "Sec-Gemini, vulnerability_agent" in "".join(output["data"]["text/plain"])
    assert output["metadata"]["secgemini"]["status"] == "ok"


@pytest.mark.parametrize(
    "prompt",
    ["{{secret}} and $HOME", "\n\n%%bash\nrm -rf /", "%secgemini delete --all", "a\r\nb\x1b[2J", "!ls {x}"],
)
def test_whatever_the_prompt_was_the_cell_only_asks_it(prompt: str, shell: InteractiveShell) -> None:
    """IPython reads the cell as one call of our magic, with the prompt as its body, untouched."""
    asked = Transcript(turns=turn_slices([message("query", "query", prompt, id="q", at=0), *turn()[1:]]))
    source = "".join(json.loads(to_notebook(asked))["cells"][1]["source"])
    calls: list[tuple[str, str]] = []
    shell.register_magic_function(lambda line, cell: calls.append((line, cell)), "cell", "secgemini")
    assert shell.run_cell(source).success
    ((line, cell),) = calls
    assert line == ("--raw" if "{{" in prompt else "")
    assert cell.rstrip("\n") == prompt.rstrip("\n")


@pytest.fixture
def shell() -> InteractiveShell:
    return InteractiveShell()


def test_hostile_outputs_are_text() -> None:
    cells = json.loads(to_notebook(hostile()))["cells"]
    for cell in cells[1:]:
        for output in cell["outputs"]:
            assert set(output["data"]) == {"text/html", "text/plain"}
            assert Reader("".join(output["data"]["text/html"])).tags <= TAGS
            assert "\x1b" not in "".join(output["data"]["text/plain"])
    about = "".join(cells[0]["source"])
    assert "<" not in about.replace("\\<", "")
    assert "\x1b" not in about


def test_a_failure_an_open_end_and_what_came_first() -> None:
    failed = message("error", "undefined", "The quota is used up.", id="e", at=1, status_code=429)
    turns = turn_slices([message("info", "start", "Hello", id="i", at=0), *turn()[:2], failed, *turn("b")[:3]])
    _, first, second, third = json.loads(to_notebook(Transcript(turns=turns)))["cells"]
    assert first["source"] == ["# Before the first prompt"]
    assert "Failed: The quota is used up." in "".join(second["outputs"][0]["data"]["text/plain"])
    assert "Interrupted." in "".join(third["outputs"][0]["data"]["text/plain"])


def test_an_answer_without_its_prompt_is_an_output_too() -> None:
    """nbconvert escapes outputs, for LaTeX too: of a raw cell it takes the text as it is."""
    said = message("result", "agent_done", r"\input{/etc/passwd} <img src=x onerror=ran()>", id="r", at=1)
    text = to_notebook(Transcript(turns=[TurnSlice(2, [said])]))
    _, cell = json.loads(text)["cells"]
    assert cell["cell_type"] == "code"
    assert cell["source"] == ["# The answer to turn 2, without its prompt"]
    assert r"\input{/etc/passwd}" in "".join(cell["outputs"][0]["data"]["text/plain"])
    written, _ = MarkdownExporter().from_notebook_node(nbformat.reads(text, as_version=nbformat.NO_CONVERT))
    assert "onerror=ran()" in written
    assert "<img" not in written


def test_the_tag_is_the_one_that_a_run_leaves_out() -> None:
    import papermill  # noqa: F401  # it loads our engine, which cannot be loaded before it

    from secgemini_jupyter.sharing import papermill as ours
    from secgemini_jupyter.transcript.notebooks import SKIP

    assert ours.SKIP == SKIP
