"""Prompts that are SQL, whatever table they name, and sentences that only begin like it."""

from __future__ import annotations

import pytest

from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools

LOG = b'{"proto": "udp", "port": 53}\n{"proto": "tcp", "port": 80}\n'


def planned(prompt: str) -> list[tuple[str, str | None]]:
    calls = plan_for(request_of(prompt, [Attached("conn.log", "log/jsonl", len(LOG))])).calls
    return [(call.tool, call.arguments.get("sql")) for call in calls]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT count(*) FROM conn.log", "no such table: conn.log"),
        ("SELECT count(*) FROM conn", "no such table: conn"),
        ("select proto from logs", "no such table: logs"),
        ("SELECT * FROM x, log", "no such table: x"),
        ("WITH c AS (SELECT 1 FROM log) SELECT * FROM c JOIN y", "no such table: y"),
        ("SELECT 1; DROP TABLE log", "one statement"),
        ("DELETE FROM log", "it is no SELECT"),
        ("DROP TABLE log", "it is no SELECT"),
        ("PRAGMA table_info(log)", "it is no SELECT"),
        ("ATTACH DATABASE '/x' AS x", "it is no SELECT"),
        ("INSERT INTO log VALUES (1)", "it is no SELECT"),
        ("UPDATE log SET proto = 'x'", "it is no SELECT"),
    ],
)
def test_sql_of_any_table_is_sql(sql: str, why: str) -> None:
    assert planned(sql) == planned(f"Run this query: {sql};") == planned(f"```sql\n{sql}\n```") == [("log_sql", sql)]
    tool = tools()["log_sql"]
    with pytest.raises(ToolFailure) as failure:
        tool.run(tool.arguments(file="conn.log", sql=sql), {"conn.log": LOG})
    assert why in str(failure.value)
    assert "The table is log(proto, port); one SELECT over it is run" in str(failure.value)


@pytest.mark.parametrize(
    "prompt",
    [
        "select the top 5 ports from the log",
        "Select failed connections from yesterday",
        "with which hosts did it talk?",
        "update me on the failed connections",
        "Create table of top 5 hosts",
    ],
)
def test_a_sentence_is_no_sql(prompt: str) -> None:
    assert "log_sql" not in [tool for tool, _ in planned(prompt)]


def test_a_question_before_a_query_is_what_it_is_for() -> None:
    sql = "SELECT proto, count(*) AS n FROM log\nGROUP BY proto ORDER BY n DESC"
    assert planned(f"Which protocol did that host use most? Run this on conn.log:\n\n{sql}") == [("log_sql", sql)]


def test_how_many_a_dataset_has_is_no_question_about_an_attached_log() -> None:
    assert planned("how many CVEs are in KEV?") == [("data_info", None)]
    assert ("log_question", None) in planned("how many rows are in conn.log?")
