"""A logs table holds the lines that its hash says, or there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local_server.test_logs_tables import create, hash_of, lines_of, upload


@pytest.mark.parametrize("can_log", [True, False])
def test_other_lines_than_those_of_the_hash_are_no_table(api: Any, can_log: bool) -> None:
    """Who uploads the log later would be told that it is there, and ask about other lines."""
    logs_hash = hash_of(lines := lines_of({"a": 1}, {"a": can_log}))
    create(api, logs_hash, can_log)
    assert upload(api, logs_hash, lines[:1], can_log, first_line=0, total_lines=2).status_code == 200
    refused = upload(api, logs_hash, lines_of({"a": 3}), can_log, first_line=1, total_lines=2)
    assert (refused.status_code, refused.json()["detail"].partition(",")[0]) == (
        409, "These lines are not the log of that hash"
    )  # fmt: skip
    assert upload(api, logs_hash, lines, can_log).status_code == 404
    assert create(api, logs_hash, can_log)["log_lines"] == 0
    whole = {"inserted_log_lines": 2, "log_lines": 2, "is_complete": True}
    assert upload(api, logs_hash, lines, can_log, first_line=0, total_lines=2).json() == whole
    assert upload(api, logs_hash, lines_of({"a": 4}), can_log, first_line=2).status_code == 409


def test_mark_of_byte_order_counts_whether_it_is_sent_or_not(api: Any) -> None:
    for lines in (lines_of({"bom": 1}), lines_of({"bom": 2})):
        marked = ["\ufeff" + lines[0]]
        create(api, hash_of(marked))
        sent = lines if "1" in lines[0] else marked
        assert upload(api, hash_of(marked), sent, first_line=0, total_lines=1).json()["is_complete"]
