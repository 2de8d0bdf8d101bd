"""What `tests/README.md` says of our client is what the tests assert."""

from __future__ import annotations

import pytest

from tests.faults import table
from tests.faults.matrix import FAULTS


def test_rows_are_the_faults_and_their_results() -> None:
    """`make faults` writes them anew."""
    wanted = [
        (
            fault.title,
            str(len(fault.plans)),
            fault.result,
            fault.result,
            fault.result if fault.in_cells else table.NOT_THERE,
        )
        for fault in FAULTS
    ]
    assert [tuple(row[column] for column in table.COLUMNS[:-1]) for row in table.rows()] == wanted


def test_the_official_sdk_was_asked_in_every_row() -> None:
    assert all(row["official SDK"] and "not run" not in row["official SDK"] for row in table.rows())


def test_names_and_titles_are_one_fault_s() -> None:
    assert len({fault.name for fault in FAULTS}) == len({fault.title for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    ("verdicts", "cell"),
    [
        (["as stored"] * 3, "as stored"),
        (["2 lost, no error", "as stored", "3 lost, no error"], "lost, no error (2 of 3); as stored (1 of 3)"),
    ],
)
def test_several_turns_are_told_together(verdicts: list[str], cell: str) -> None:
    assert table.joined(verdicts) == cell
