"""What cells, jobs and subcommands do stands in the activity log, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.magics.conftest import Kernel

pytestmark = pytest.mark.kernel


def test_cells_jobs_and_subcommands_write_each_thing_once(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text("failed password\n")
    kernel.run(f"%%secgemini -q -a {tmp_path}/auth.log -o one\nwho?")
    kernel.run("%%secgemini --bg -o job\nand then?")
    kernel.run("job.wait()")
    kernel.run('%secgemini feedback up "well done"')
    kernel.run("%secgemini detach 0")
    kernel.run("session = one.session; rows = session.activity()")
    done = kernel.value("rows.activity.tolist()")
    assert done == [
        "session_created", "file_attached", "prompt_sent", "turn_ended", "prompt_sent", "turn_ended", "feedback_sent",
        "file_detached",
    ]  # fmt: skip
    assert kernel.value("rows.status[rows.activity == 'turn_ended'].tolist()") == ["ok", "ok"]
    assert kernel.value("bool(session.verify(head=session.head()))") is True
    assert kernel.value("bool(session.history().secgemini.verify())") is True
    assert kernel.value("rows.pid.nunique(), rows.service.unique().tolist() == [session.host]") == (1, True)


def test_a_cell_without_retention_and_a_kernel_with_the_log_switched_off_write_nothing(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q --no-log -o hidden\nwho?")
    assert kernel.value("len(hidden.session.activity())") == 0
    kernel.run("import os; os.environ['SECGEMINI_ACTIVITY_LOG'] = 'off'")
    kernel.run("from secgemini_jupyter import SecGemini; made = SecGemini().create_session()")
    assert kernel.value("len(made.activity())") == 0


def test_a_data_folder_that_cannot_be_written_stops_no_cell(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    kernel.run("import os; before = os.environ['JUPYTER_DATA_DIR']")
    kernel.run(f"os.environ['JUPYTER_DATA_DIR'] = {str(tmp_path / 'file')!r}")
    try:
        for prompt in ("one", "two"):
            ran = kernel.run(f"%%secgemini -o answer\n{prompt}")
            assert ran.status == "ok", ran.error
        assert kernel.value("answer.status") == "ok"
        assert kernel.run("%%secgemini --cache use\nthree").error == (
            "InputError: The cache's folder cannot be made: Not a directory. "
            "Name another: %config SecGeminiMagics.cache_dir = 'PATH'."
        )
    finally:
        kernel.run("os.environ['JUPYTER_DATA_DIR'] = before")
