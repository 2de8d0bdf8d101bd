"""`secgemini-jupyter clean`, on notebooks that a kernel ran, and on whatever else there may be."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient

from secgemini_jupyter.cli import main
from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render.answer import Facts, answer_bundle
from secgemini_jupyter.render.text import FEEDBACK_HINT
from secgemini_jupyter.sharing.cleaning import clean
from secgemini_jupyter.sharing.outputs import mark_of
from secgemini_jupyter.sharing.sources import Sources
from secgemini_jupyter.sharing.widgets import STATE
from tests.conftest import LocalService

COMMAND = Path(sys.executable).with_name("secgemini-jupyter")
CELLS = [
    "%load_ext secgemini_jupyter",
    "%%secgemini -s triage-of-acme\nThe **first** question",
    "print('mine: triage-of-acme')",
    "%%secgemini -s triage-of-acme --cache use\nsecond [[messages=3]]",
    "%%secgemini -s triage-of-acme\n[[error 500]] lost",
    "%secgemini",
    "%secgemini sessions",
    "# all of it\n%secgemini history",
    "df = %secgemini history\nlen(df)",
    "%secgemini chat",
    "import ipywidgets, secgemini_jupyter\nslider = ipywidgets.IntSlider(3, description='mine')\nslider",
    "ipywidgets.VBox([slider, secgemini_jupyter.feedback()])",
    "secgemini_jupyter.current_session()",
    "secgemini_jupyter.chat()",
    "found = %secgemini ask what now\nfound",
    "who = %secgemini whoami\nwho",
    "%secgemini config --dotenv my.env",
    *(
        LEAKING := [
            "%%secgemini -f raw\nthink [[thinking=2]]",
            "%%secgemini --dry-run\nwould it go",
            "plan = %secgemini ask --dry-run or this\nplan",
            "x = 1\n%secgemini sessions",
            "%%time\n%secgemini sessions",
            "%time %secgemini sessions",
            "import os\n%secgemini status",
            "h = %secgemini history\nh",
            "h.head(2)",
            "print(h.content[0])",
            "job = %secgemini ask --bg later\njob.wait()\njob",
            "# once more\njob",
            "%secgemini config session_name",
            "get_ipython().run_line_magic('secgemini', 'files')",
        ]
    ),
    "1/0",
    "%secgemini fix --yes",
    "h = 'no longer theirs'\nh",
    "%secgemini help",
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, local_service: LocalService) -> Path:
    """A notebook with answers, failures, lists, a chat and widgets, as nbclient leaves it."""
    folder = tmp_path_factory.mktemp("ran")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SEC_GEMINI", "SECGEMINI"))},
        "SEC_GEMINI_API_HTTP_URL": local_service.http,
        "SEC_GEMINI_API_KEY": local_service.key,
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    (folder / "my.env").write_text(f"SEC_GEMINI_API_KEY={local_service.key}\n")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["mine"]}) for source in CELLS]
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# triage-of-acme\n"))
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60)
    client.execute(env=environment, cwd=str(folder))
    path = folder / "ran.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def notebook(ran: Path, tmp_path: Path) -> Path:
    path = tmp_path / "shared.ipynb"
    path.write_bytes(ran.read_bytes())
    path.chmod(0o640)
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def outputs(notebook: Any, source: str) -> Any:
    (cell,) = [cell for cell in notebook["cells"] if "".join(cell["source"]).startswith(source)]
    return cell["outputs"]


def test_what_is_nobody_elses_business_goes_and_the_answers_stay(notebook: Path) -> None:
    before = read(notebook)
    assert {"triage-of-acme"} <= set(json.dumps([cell.get("outputs") for cell in before["cells"]]).split('"'))
    assert main(["clean", str(notebook)]) == 0
    after = read(notebook)
    nbformat.validate(nbformat.reads(notebook.read_text("utf-8"), as_version=4))
    left = json.dumps([cell.get("outputs", []) for cell in after["cells"] if "mine:" not in "".join(cell["source"])])
    for word in ("triage-of-acme", "Thinking and tools", "Replayed", "turn 1", "_anywidget_id"):
        assert word not in left, word
    for source, said in (("%%secgemini -s triage-of-acme\nThe", "<strong>first</strong>"), ("found =", "what now")):
        (output,) = outputs(after, source)
        assert said in "".join(output["data"]["text/html"])
        assert "· retained" in "".join(output["data"]["text/html"])
        assert "".join(output["data"]["text/plain"]).splitlines()[-1].endswith("· retained")
        assert output["metadata"] == {"secgemini": {"cleaned": True, "status": "ok"}}
    (shown, error) = outputs(after, "%%secgemini -s triage-of-acme\n[[error")
    assert shown["metadata"]["secgemini"]["status"] == "error"
    assert error["output_type"] == "error"
    for cell in after["cells"]:
        source = "".join(cell["source"])
        if source.startswith(("%secgemini fix", "%secgemini help")):  # an answer, and words of ours
            continue
        if source == "%secgemini" or source.startswith(("%secgemini ", "# all of it", "secgemini_jupyter.")):
            assert cell["outputs"] == [], source


def test_who_it_was_is_taken_out(notebook: Path) -> None:
    said = notebook.read_text("utf-8")
    assert "Logged in as local@localhost" in said
    assert said.count("local@localhost") > 2
    main(["clean", str(notebook)])
    assert "local@localhost" not in notebook.read_text("utf-8")


def test_what_tells_of_sessions_goes_wherever_it_stands(notebook: Path, local_service: LocalService) -> None:
    before = read(notebook)
    ids = set(re.findall(r"\b[0-9a-f]{32}\b", json.dumps(outputs(before, "x = 1"))))
    assert ids
    for source in LEAKING:
        assert outputs(before, source), source
    main(["clean", str(notebook)])
    after = read(notebook)
    for source in LEAKING:
        left = [each for each in outputs(after, source) if mark_of(each) != {"cleaned": True, "status": "ok"}]
        assert left == [], source
    (answer,) = outputs(after, "%secgemini fix --yes")
    assert answer["metadata"] == {"secgemini": {"cleaned": True, "status": "ok"}}
    assert outputs(after, "h = 'no") == outputs(before, "h = 'no") != []
    assert outputs(after, "%secgemini help") == outputs(before, "%secgemini help") != []
    left = repr([cell.get("outputs") for cell in after["cells"]])
    assert not [each for each in (*ids, f"…{local_service.key[-4:]}") if each in left]


@pytest.mark.parametrize(
    ("source", "said", "left"),
    [
        ("%%secgemini\nhi", "Continues this notebook's session 'tri age': 2 turns, retained.\n",
         "Continues this notebook's session [session]: 2 turns, retained.\n"),
        ("%%secgemini\nhi", f"There is no session '{'0a' * 16}': deleted.", "There is no session [session]: deleted."),
        ("x = %secgemini ask hi", f"{'0a' * 16} is gone\n", "[session] is gone\n"),
        ("%%secgemini\nhi", "Add --new -s 'triage' to ask.\n", "Add --new -s [session] to ask.\n"),
        ("%%secgemini\nhi", "no session 'a'. It has: triage, other.\n", "no session [session]. It has: [session]\n"),
        ("%%secgemini\nhi", f"sha256 {'0a' * 32}\n", f"sha256 {'0a' * 32}\n"),
        ("print(1)", "session 'mine'\n", "session 'mine'\n"),
    ],
)  # fmt: skip
def test_a_message_of_ours_names_no_session(source: str, said: str, left: str) -> None:
    lines = [
        {"output_type": "stream", "name": "stdout", "text": said},
        {"output_type": "error", "ename": "E", "evalue": said, "traceback": [said]},
    ]
    notebook = {"cells": [{"cell_type": "code", "source": source, "outputs": lines}], "metadata": {}}
    stream, error = clean(notebook)[0]["cells"][0]["outputs"]
    assert (stream["text"], error["evalue"], error["traceback"]) == (left, left, [left])


@pytest.mark.parametrize(
    ("sources", "kind"),
    [
        (["%secgemini sessions"], "listing"),
        (["%secgemini"], "listing"),
        (["secgemini history"], "listing"),
        (["%secgemini ask who"], "ours"),
        (["%time -q %secgemini sessions"], "listing"),
        (["x = %time %secgemini sessions", "x"], "mixed"),
        (["%secgemini_tools sessions"], ""),
        (["%secgemini ask -f raw who"], "listing"),
        (["if True:\n    %secgemini files"], "mixed"),
        (["a, b = %secgemini history", "b"], "mixed"),
        (["a = %secgemini history", "t = a.head()", "t"], "mixed"),
        (["a = %secgemini history", "a = 2", "a"], ""),
        (["a = %secgemini ask who", "a"], ""),
        (["a = b == %secgemini"], ""),
        (["print('%secgemini sessions')"], ""),
        (["secgemini = 3"], ""),
        (["%%secgemini\n%secgemini sessions"], "own"),
    ],
)
def test_a_cell_tells_by_its_source_what_it_shows(sources: list[str], kind: str) -> None:
    known = Sources()
    assert [known.kind(source) for source in sources][-1] == kind


def test_a_hostile_source_takes_no_time_to_read() -> None:
    for source in (
        "%a " * 200_000,
        "%a " + "-x " * 200_000,
        "a, " * 200_000,
        "a " * 200_000 + "=",
        " " * 600_000 + "x",
    ):
        assert Sources().kind(source) == ""


def test_everything_else_stays_as_it_is(notebook: Path) -> None:
    before, text = read(notebook), notebook.read_text("utf-8")
    assert main(["clean", str(notebook)]) == 0
    after = read(notebook)
    assert stat.S_IMODE(notebook.stat().st_mode) == 0o640
    assert [path.name for path in notebook.parent.iterdir()] == ["shared.ipynb"], "no draft is left"
    for then, now in zip(before["cells"], after["cells"], strict=True):
        assert {k: v for k, v in then.items() if k != "outputs"} == {k: v for k, v in now.items() if k != "outputs"}
    for source in ("print('mine", "df =", "import ipywidgets"):
        assert outputs(before, source) == outputs(after, source)
    kept = [line for line in notebook.read_text("utf-8").splitlines() if line in text.splitlines()]
    assert len(kept) > 0.8 * len(notebook.read_text("utf-8").splitlines()), "lines are written as they were"
    models = after["metadata"]["widgets"][STATE]["state"]
    names = sorted(model["model_name"] for model in models.values())
    assert names == ["IntSliderModel", "LayoutModel", "LayoutModel", "SliderStyleModel", "VBoxModel"]
    (box,) = [model for model in models.values() if model["model_name"] == "VBoxModel"]
    (child,) = box["state"]["children"]
    assert models[child.removeprefix("IPY_MODEL_")]["model_name"] == "IntSliderModel"
    for word in json.dumps(models).split('"'):
        assert not word.startswith("IPY_MODEL_") or word.removeprefix("IPY_MODEL_") in models, "nothing leads nowhere"


def test_check_tells_and_changes_nothing(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = notebook.read_bytes()
    assert main(["clean", "--check", str(notebook)]) == 1
    assert "would strip" in capsys.readouterr().out
    assert notebook.read_bytes() == before
    main(["clean", str(notebook)])
    written = notebook.stat().st_mtime_ns, notebook.stat().st_ino
    assert main(["clean", "--check", str(notebook)]) == 0
    assert main(["clean", str(notebook)]) == 0
    assert (notebook.stat().st_mtime_ns, notebook.stat().st_ino) == written, "what is clean is not written again"


def test_outputs_takes_the_answers_too(notebook: Path) -> None:
    main(["clean", str(notebook)])
    assert main(["clean", "--outputs", str(notebook)]) == 0, "also after it was cleaned without"
    after = read(notebook)
    for cell in after["cells"]:
        source = "".join(cell["source"])
        if source.startswith(("%%secgemini", "found =")):
            assert cell["outputs"] == [], source
    assert outputs(after, "print('mine")[0]["text"] == ["mine: triage-of-acme\n"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello", b"[]", b"{}", b'{"nbformat": 4}', b'{"nbformat": 3, "worksheets": []}', b"\xff\xfe",
        b"[" * 100_000, b'{"nbformat": "4", "cells": []}', b"a,b\n1,2\n",
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_in_one_line(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    assert main(["clean", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert path.read_bytes() == content


def test_a_pipe_holds_up_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "x.ipynb")
    assert main(["clean", str(tmp_path / "x.ipynb")]) == 2
    assert "is no notebook" in capsys.readouterr().err


def test_one_that_cannot_be_read_does_not_keep_the_others(notebook: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [COMMAND, "clean", tmp_path / "missing.ipynb", notebook, tmp_path], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 2
    assert "stripped" in ended.stdout
    assert "triage-of-acme" not in json.dumps(outputs(read(notebook), "found ="))


@pytest.mark.parametrize("style", [{"indent": 2}, {"indent": "\t"}, {"indent": 1, "ensure_ascii": False}, {}])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_file_keeps_its_style(tmp_path: Path, style: dict[str, Any], end: str) -> None:
    bundle = answer_bundle([Message(message_type=MessageType.RESULT, content="é")], Facts(session="secret", turn=1))
    output = {"output_type": "display_data", "data": dict(bundle.data), "metadata": bundle.metadata}
    cell = {"cell_type": "code", "source": "ü", "metadata": {}, "execution_count": 1, "outputs": [output]}
    value = {"z": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {"a": [1.0, 1e20]}, "cells": [cell]}
    path = tmp_path / "styled.ipynb"
    path.write_bytes((json.dumps(value, **style) + end).replace("\n", end or "\n").encode())
    assert main(["clean", str(path)]) == 0
    cleaned, _ = clean(value)
    assert path.read_bytes().decode() == (json.dumps(cleaned, **style) + end).replace("\n", end or "\n")
    assert "secret" not in path.read_text("utf-8")


HOSTILE = st.sampled_from(
    ["a · b", "x, turn 9", "<b>&</b>", "Replayed from", "session s", "— ", "…" * 80, "\u202e", "n"]
)


@given(
    session=HOSTILE | st.text(st.characters(codec="utf-8")),
    answer=HOSTILE | st.text(st.characters(codec="utf-8")),
    turn=st.integers(0, 99),
    cached=st.booleans(),
    status=st.sampled_from(["ok", "error", "interrupted"]),
)
def test_any_answer_keeps_its_words_and_loses_its_session(
    session: str, answer: str, turn: int, cached: bool, status: Any
) -> None:
    """What is left is the bundle that there would be without a session, steps and cache."""
    result = Message(message_type=MessageType.RESULT, content=answer, actor="agent", mime_type="text/plain")
    thought = Message(message_type=MessageType.THINKING, content="private", title="thought", actor="agent")
    facts = Facts(
        actor="agent",
        host="h",
        session=session,
        turn=turn or None,
        recorded_at=1.0 if cached else None,
        hint="" if cached else FEEDBACK_HINT,
    )
    whole = answer_bundle([thought, result], facts, status=status)
    public = answer_bundle([result], Facts(actor="agent", host="h"), status=status)
    output = {"output_type": "display_data", "data": dict(whole.data), "metadata": whole.metadata}
    notebook = {"cells": [{"cell_type": "code", "source": "", "outputs": [output]}], "metadata": {}}
    cleaned, _ = clean(notebook)
    assert cleaned["cells"][0]["outputs"][0]["data"] == public.data
    assert clean(cleaned)[0] == cleaned


KEYS = st.sampled_from(
    "output_type data metadata secgemini session turn status text/html text/plain text state evalue traceback "
    "application/vnd.jupyter.widget-view+json model_id widget cleaned children".split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["display_data", "error"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
CODE = st.fixed_dictionaries({"cell_type": st.just("code"), "source": JSON, "outputs": JSON})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    cells=st.lists(st.fixed_dictionaries({"cell_type": st.just("code"), "source": JSON, "outputs": JSON}) | JSON),
    rest=JSON,
)
def test_any_notebook_is_cleaned_once_and_for_all(cells: Any, rest: Any) -> None:
    notebook = {
        "cells": cells,
        "metadata": {"widgets": {STATE: {"state": {"a": rest, "b": {"state": rest}}}}},
        "x": rest,
    }
    before = copy.deepcopy(notebook)
    for all_outputs in (False, True):
        once, _ = clean(notebook, all_outputs=all_outputs)
        assert notebook == before, "the argument stays"
        assert clean(once, all_outputs=all_outputs)[0] == once
        assert once["x"] == rest
