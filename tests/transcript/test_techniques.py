"""ATT&CK techniques that a transcript mentions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import secgemini_jupyter.accessor  # noqa: F401  # registers df.secgemini
from secgemini_jupyter.attack import catalog
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.techniques import techniques_frame
from secgemini_jupyter.transcript.turns import turn_slices

from .frames import message

MESSAGES = [
    message("query", "query", "Is T1059.001 used?", id="q", at=0, role="user", actor="user"),
    message("debug", "tool_result", json.dumps({"output": "rule\nT1562.001"}), id="t", at=1),
    message("result", "agent_done", "T1059.001, then T1562.001; also T1685, T1999 and T1026. CVE-2099-1059, xT1059.",
            id="a", at=2),
    message("info", "end", "end", id="e", at=3),
]  # fmt: skip


def history(messages: list[Message] = MESSAGES) -> pd.DataFrame:
    return messages_frame(messages, session_id="s")


def layer(messages: list[Message] = MESSAGES) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(history(messages).secgemini.to_navigator())
    return made


def test_a_technique_has_its_name_its_tactics_and_where_it_was_said() -> None:
    table = history().secgemini.techniques().set_index("id")
    row = table.loc["T1059.001"]
    assert row["name"] == "Command and Scripting Interpreter: PowerShell"
    assert (json.loads(row["tactics"]), row["status"], row["count"]) == (["execution"], "active", 2)
    assert row[["in_prompt", "in_tool_result", "in_answer"]].tolist() == [True, False, True]
    assert json.loads(row["message_ids"]) == ["q", "a"]
    assert table.index.tolist() == ["T1059.001", "T1562.001", "T1685", "T1999", "T1026"]


def test_a_revoked_technique_names_its_successor_and_an_unknown_one_stays_without_a_name() -> None:
    table = history().secgemini.techniques().set_index("id")
    assert table.loc["T1562.001", ["status", "revoked_by", "count"]].tolist() == ["revoked", "T1685", 2]
    assert table.loc["T1026", "status"] == "deprecated"
    assert table.loc["T1999", ["name", "tactics", "status", "revoked_by"]].isna().all()
    assert table.loc["T1999", "count"] == 1


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("see https://attack.mitre.org/techniques/T1059/001/ there", ["T1059.001"]),
        ("hxxps://attack[.]mitre[.]org/techniques/T1685", ["T1685"]),
        ("https://attack.mitre.org/techniques/T1059/001x", ["T1059"]),
        ("https://evil.example/techniques/T1059/001", []),
        ("tactic TA0002, group G0016, software S0154, mitigation M1038, T0800, T15001, T1059.0011", []),
    ],
)
def test_pages_of_attack_are_mentions_and_other_ids_are_not(text: str, ids: list[str]) -> None:
    found = techniques_frame(turn_slices([message("result", "agent_done", text, id="a", at=0)]))
    assert found["id"].tolist() == ids


def test_an_id_that_leads_to_its_page_is_one_mention() -> None:
    page = "[T1003](https://attack.mitre.org/techniques/T1003/)"
    said = [
        message("query", "query", f"{page}, T1003", id="q", at=0, role="user", actor="user"),
        message("result", "agent_done", f"{page} or {page}", id="a", at=1),
    ]
    assert history(said).secgemini.techniques()["count"].tolist() == [4]


def test_the_table_tells_the_data_s_version_date_and_notice_in_json_values() -> None:
    attrs = history().secgemini.techniques().attrs
    assert (attrs["attack_version"], attrs["attack_date"]) == (catalog().version, catalog().date)
    assert attrs["attack_notice"].startswith("© 2026 The MITRE Corporation.")
    assert attrs["secgemini_schema"] == "techniques/1"
    json.dumps(attrs)


def test_an_empty_transcript_has_the_same_columns() -> None:
    assert_frame_equal(techniques_frame([]), history().secgemini.techniques().iloc[:0], check_index_type=False)


def test_a_layer_has_what_format_4_5_asks_for() -> None:
    made = layer()
    assert made["versions"] == {"attack": "19", "navigator": "5.0.0", "layer": "4.5"}
    assert (made["name"], made["domain"]) == ("Sec-Gemini", "enterprise-attack")
    assert made["gradient"]["maxValue"] == 3 > made["gradient"]["minValue"]
    assert len(made["gradient"]["colors"]) >= 2
    assert made["metadata"] == [{"name": "notice", "value": catalog().notice}]


def test_revoked_techniques_count_for_their_successors_and_the_rest_is_told() -> None:
    made = layer()
    assert [(row["techniqueID"], row["score"], row["comment"]) for row in made["techniques"]] == [
        ("T1059.001", 2, "Mentioned 2 times."),
        ("T1685", 3, "Mentioned 3 times, of these 2 as T1562.001 (revoked)."),
    ]
    assert [row["comment"] for row in layer(MESSAGES[1:2])["techniques"]] == [
        "Mentioned 1 time, all as T1562.001 (revoked)."
    ]
    assert "Not in the matrix: T1999, T1026." in made["description"]
    assert "ATT&CK v19.2 of 2026-08-05" in made["description"]


def test_an_empty_layer_is_a_layer() -> None:
    made = layer([])
    assert made["techniques"] == []
    assert made["gradient"]["maxValue"] > made["gradient"]["minValue"]


def test_a_layer_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "layer.json"
    assert history().secgemini.to_navigator(path, name="Fall \u202e7") is None
    assert json.loads(path.read_text("utf-8"))["name"] == "Fall ⟨U+202E⟩7"
    with pytest.raises(InputError, match="cannot be written"):
        history().secgemini.to_navigator(tmp_path / "none" / "layer.json")
