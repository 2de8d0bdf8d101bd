"""`--bg`: a job shows itself in its own cell alone, is found by number, and fails where somebody sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import LocalService
from tests.magics.conftest import Kernel

pytestmark = pytest.mark.kernel

SLOW = "[[messages=40 bytes=20]] [[delay=0.05]] SLOW"
LONG = "[[messages=200 bytes=20]] [[delay=0.05]] LONG"  # longer than a few cells on a busy machine
ENDLESS = "[[messages=100 bytes=20]] [[delay=0.05]]"


def start(kernel: Kernel, cell: str) -> tuple[dict[str, Any], str]:
    """Start a job: its output as it is at once, and the display id by which it is updated."""
    request = kernel.start(cell)
    output, display_id = {}, ""
    while True:
        message = kernel.client.get_iopub_msg(timeout=20)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "display_data":
            output, display_id = message["content"], message["content"]["transient"]["display_id"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    assert kernel.reply(request)["content"]["status"] == "ok"
    return output, display_id


def updates(kernel: Kernel, request: str) -> list[dict[str, Any]]:
    """All that is published until a cell is done, by whomever."""
    found = []
    while True:
        message = kernel.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "status" and message["parent_header"].get("msg_id") == request:
            if message["content"]["execution_state"] == "idle":
                kernel.reply(request)
                return found
        elif message["msg_type"] in ("display_data", "update_display_data", "stream", "execute_result", "error"):
            found.append(message)


def test_a_job_updates_its_own_output_alone(kernel: Kernel) -> None:
    output, display_id = start(kernel, f"%%secgemini --bg\n{SLOW}")
    assert output["metadata"]["secgemini"]["status"] == "running"
    assert "job 1: %secgemini stop 1" in output["data"]["text/plain"]
    published = updates(kernel, kernel.start("print('another cell')\nanswer = %secgemini wait 1"))
    printed = [each for each in published if each["msg_type"] == "stream"]
    assert "".join(each["content"]["text"] for each in printed) == "another cell\n"
    others = [each for each in published if each not in printed]
    assert {each["msg_type"] for each in others} == {"update_display_data"}
    assert {each["content"]["transient"]["display_id"] for each in others} == {display_id}
    assert len(others) < 12, "twice a second at most"
    last = others[-1]["content"]
    assert last["metadata"]["secgemini"]["status"] == "ok"
    assert "SLOW" in last["data"]["text/html"]
    assert "%secgemini stop" not in last["data"]["text/plain"], "what is saved is the answer"
    assert kernel.value("answer.answer, answer.status") == ("SLOW", "ok")


def test_the_variable_holds_the_job_and_then_its_answer(kernel: Kernel) -> None:
    start(kernel, f"%%secgemini --bg -o found\n{SLOW}")
    assert kernel.value("type(found).__name__, found.status, found.done, found.answer") == (
        "Job",
        "running",
        False,
        None,
    )
    assert kernel.value("found.prompt.endswith('SLOW'), found.id, found.session.name != ''") == (True, 1, True)
    kernel.run("job = found")
    assert kernel.value("found.wait().answer") == "SLOW"
    assert kernel.value("type(found).__name__, found.wait() is found is job.answer") == ("Answer", True)
    assert kernel.value("job.status, job.elapsed > 1, job.wait() is found") == ("ok", True, True)
    start(kernel, f"%%secgemini --bg -o found\n{SLOW}")
    kernel.run("found = 'something else'\n%secgemini wait")
    assert kernel.value("found") == "something else"


def test_jobs_in_several_sessions_and_one_at_a_time_in_each(kernel: Kernel) -> None:
    start(kernel, f"%%secgemini --bg\n{LONG} one")
    start(kernel, f"%%secgemini --bg -s other\n{LONG} two")
    for cell in ("%%secgemini --bg\nagain", "%%secgemini\nagain", "%secgemini reconnect"):
        ran = kernel.run(cell)
        assert ran.ename == "InputError"
        assert "Job 1 runs in session" in ran.error
        assert ran.error.count("\n") == 0
    assert kernel.run("%%secgemini --new -o third\nthree").status == "ok"
    table = kernel.run("%secgemini jobs")
    assert table.status == "ok"
    kernel.run("table = %secgemini jobs")
    assert kernel.value("table.index.tolist(), table.status.tolist()") == ([1, 2], ["running", "running"])
    assert kernel.value("table.session.tolist()[1], bool(table.prompt.str.len().max() <= 60)") == ("other", True)
    kernel.run("table = %secgemini wait")
    assert kernel.value("table.status.tolist()") == ["ok", "ok"]
    kernel.run("one = %secgemini wait 1\ntwo = %secgemini wait 2")
    assert kernel.value("one.answer, two.answer, third.answer") == ("LONG one", "LONG two", "three")


def test_a_failure_is_seen(kernel: Kernel) -> None:
    """In the job's output, once in the next cell, in the table, and by who waits."""
    _, display_id = start(kernel, "%%secgemini --bg -o found\n[[messages=2]] [[error 503]]")
    published = updates(kernel, kernel.start("import time\nwhile type(found).__name__ == 'Job':\n    time.sleep(0.01)"))
    last = [each["content"] for each in published if each["msg_type"] == "update_display_data"][-1]
    assert last["transient"]["display_id"] == display_id
    assert last["metadata"]["secgemini"]["status"] == "error"
    assert "Failed: " in last["data"]["text/plain"]
    assert "503" in last["data"]["text/plain"]
    ran = kernel.run("%%secgemini -s other\nhello")
    (told,) = [output["text"] for output in ran.outputs if output.get("name") == "stdout"]
    assert told.startswith("Job 1 failed: ")
    assert told.count("\n") == 1
    assert not [output for output in kernel.run("%secgemini").outputs if output.get("name") == "stdout"]
    assert kernel.value("found.status, found.error.status, len(found.messages)") == ("error", 503, 6)
    for cell in ("%secgemini wait 1", "found.wait()"):
        ran = kernel.run(cell)
        assert ran.ename == "ServiceError"
        assert ran.error.count("\n") == 0
    kernel.run("table = %secgemini jobs")
    assert "503" in kernel.value("table.error[1]")


def test_a_job_is_stopped_by_number_or_with_all(kernel: Kernel) -> None:
    for session in ("a", "b", "c"):
        start(kernel, f"%%secgemini --bg -s {session} -o {session}\n{ENDLESS}")
    ran = kernel.run("%secgemini stop 2")
    assert "Stopped job 2" in ran.text
    assert kernel.value("a.status, b.status, c.status") == ("running", "interrupted", "running")
    assert "Stopped job 1, 3" in kernel.run("%secgemini stop").text
    assert "No job is running." in kernel.run("%secgemini stop").text
    assert "done already" in kernel.run("%secgemini stop 2").text
    assert kernel.value("[each.status for each in (a, b, c)]") == ["interrupted"] * 3
    assert kernel.run("%%secgemini -s a -o a\nhello").status == "ok", "its session is free again"
    assert kernel.value("a.answer") == "hello"
    for cell in ("%secgemini stop 7", "%secgemini wait 7"):
        assert "there is no job 7 (known: 1, 2, 3)" in kernel.run(cell).text + kernel.run(cell).error


def test_who_stops_waiting_stops_no_job(kernel: Kernel) -> None:
    start(kernel, f"%%secgemini --bg -o found\n{ENDLESS}")
    ran = kernel.run("%secgemini wait 1 -t 0.2")
    assert ran.ename == "TurnTimeoutError"
    assert "still runs after 0.2 s" in ran.error
    for cell in ("print('waits')\n%secgemini wait", "print('waits')\nfound.wait()"):
        request = kernel.start(cell)
        while kernel.client.get_iopub_msg(timeout=20)["msg_type"] != "stream":
            pass
        kernel.interrupt()
        assert kernel.finish(request).status == "error"
        assert kernel.value("found.status") == "running"


def test_a_cell_that_captures_gets_nothing_of_a_job(kernel: Kernel) -> None:
    start(kernel, f"%%secgemini --bg -o found\n{SLOW}")
    kernel.run("%%capture kept\nprint('mine')\nanswer = found.wait()")
    assert kernel.value("kept.stdout, [output.data for output in kept.outputs if output.data]") == ("mine\n", [])


def test_a_captured_or_quiet_job_shows_nothing(kernel: Kernel) -> None:
    assert kernel.run(f"%%secgemini --bg -q -o found\n{SLOW}").outputs == []
    kernel.run(f"%%capture kept\n%%secgemini --bg -s other -o other\n{SLOW}")
    published = updates(kernel, kernel.start("both = found.wait().answer, other.wait().answer"))
    assert published == []
    assert kernel.value("both") == ("SLOW", "SLOW")


def test_unloading_ends_jobs_without_noise(kernel: Kernel) -> None:
    start(kernel, f"%%secgemini --bg -o found\n{ENDLESS}")
    ran = kernel.run("%unload_ext secgemini_jupyter")
    assert (ran.status, ran.outputs) == ("ok", [])
    kernel.run("import threading, gc")
    alive = "[each.name for each in threading.enumerate() if each.name.startswith('secgemini')]"
    assert kernel.value(alive) == []
    assert kernel.value("found.status") == "interrupted"
    kernel.run("%load_ext secgemini_jupyter")


def test_in_a_terminal_a_line_tells_that_it_is_done(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%%secgemini --bg -o found\n[[messages=5]] [[delay=0.05]] BACKGROUND")
    said = capsys.readouterr().out
    assert "<Job 1 running in session" in said
    assert "BACKGROUND" not in said
    job = shell.user_ns["found"]
    job._over.wait(20)
    assert capsys.readouterr().out == "", "nothing while somebody types"
    shell.run_cell("1 + 1")
    assert capsys.readouterr().out.count("Job 1 is done. %secgemini wait 1 shows its answer.") == 1
    shell.run_cell("1 + 1")
    assert "Job 1" not in capsys.readouterr().out
    shell.run_cell("%secgemini wait 1")
    assert "BACKGROUND" in capsys.readouterr().out
    shell.run_cell("%%secgemini --bg\n[[error 500]]")
    next(each for each in job_list(shell) if each.id == 2)._over.wait(20)
    shell.run_cell("1 + 1")
    assert "Job 2 failed" in capsys.readouterr().out


def job_list(shell: InteractiveShell) -> Any:
    from secgemini_jupyter.kernel import default_kernel

    return default_kernel().jobs


def test_a_notebook_without_a_front_end_waits_at_its_end(local_service: LocalService, tmp_path: Path) -> None:
    cells = ["%load_ext secgemini_jupyter", f"%%secgemini --bg\n{SLOW}", "print('meanwhile')", "%secgemini wait"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
        patch.setenv("SEC_GEMINI_API_KEY", local_service.key)
        patch.setenv("IPYTHONDIR", str(tmp_path))
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    (output,) = notebook.cells[1].outputs
    assert output.metadata["secgemini"]["status"] == "ok"
    assert "SLOW" in output.data["text/html"]
    assert "".join(each["text"] for each in notebook.cells[2].outputs) == "meanwhile\n"
    assert notebook.cells[3].outputs == []


def test_an_attached_file_that_is_refused_starts_no_job(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini --bg -a /nowhere/x.log\nlook")
    assert ran.ename == "AttachmentError"
    kernel.run("table = %secgemini jobs")
    assert kernel.value("len(table)") == 0


def test_a_job_has_no_format(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini --bg -f df\nlook")
    assert "Leave -f df out" in ran.text + ran.error
    assert ran.status == "error"
