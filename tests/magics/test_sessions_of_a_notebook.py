"""Named sessions, what holds for new ones, restarts of the kernel, sessions and services that are gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.client.sync import SecGemini
from tests.conftest import LocalService
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel


def said(kernel: Kernel, line: str) -> str:
    ran = kernel.run(f"%secgemini {line}")
    assert ran.status == "ok", ran.error or ran.text
    return ran.text


def refused(kernel: Kernel, cell: str) -> str:
    """What a cell that fails says: one line."""
    ran = kernel.run(cell)
    assert ran.status == "error"
    (line,) = (ran.error or ran.text).strip().splitlines()
    return str(line)


@pytest.fixture
def client(local_service: LocalService) -> Iterator[SecGemini]:
    """Somebody else with the same key."""
    with SecGemini(local_service.key, base_url=local_service.http) as client:
        yield client


@pytest.fixture
def restarted(tmp_path: Path, local_service: LocalService) -> Iterator[Callable[[], Kernel]]:
    """A kernel of one notebook; each call kills the one before."""
    running: list[Kernel] = []
    environment = {
        "SEC_GEMINI_API_HTTP_URL": local_service.http,
        "SEC_GEMINI_API_KEY": local_service.key,
        "JPY_SESSION_NAME": str(tmp_path / "a.ipynb"),
    }

    def start() -> Kernel:
        if running:
            stop_kernel(running.pop())
        running.append(start_kernel(tmp_path, environment))
        assert running[0].run("%load_ext secgemini_jupyter").outputs == []
        return running[0]

    yield start
    for kernel in running:
        stop_kernel(kernel)


# --- over a restart of the kernel ---


def test_a_named_session_goes_on_after_a_restart(restarted: Callable[[], Kernel]) -> None:
    kernel = restarted()
    kernel.run('%%secgemini -s "phishing triage" -o found\nbefore')
    before = kernel.value("found.session.id")
    kernel = restarted()
    ran = kernel.run('%%secgemini -s "phishing triage" -o found\nafter')
    assert "Continues this notebook's session 'phishing triage': 1 turns, retained." in ran.text
    assert kernel.value("found.session.id, found.turn") == (before, 2)
    kernel = restarted()
    assert "Continues" in said(kernel, 'use "phishing triage"')
    kernel.run("%%secgemini -o found\nand on")
    assert kernel.value("found.session.id, found.turn") == (before, 3)


def test_tab_knows_the_notebook_s_sessions_after_a_restart(restarted: Callable[[], Kernel]) -> None:
    restarted().run("%%secgemini -q -s triage\nfirst")
    kernel = restarted()
    code = "%%secgemini -s tr"
    assert kernel.client.complete(code, len(code), reply=True, timeout=60)["content"]["matches"] == ["triage"]
    assert "triage" not in said(kernel, "status")


def test_main_is_fresh_after_a_restart_and_says_so_once(restarted: Callable[[], Kernel]) -> None:
    kernel = restarted()
    kernel.run("%%secgemini -o found\nbefore")
    before = kernel.value("found.session.id")
    kernel = restarted()
    assert "resume --last continues this notebook's last one" in kernel.run("%%secgemini -o found\nafter").text
    assert kernel.value("found.session.id") != before
    assert "resume --last" not in kernel.run("%%secgemini\nand on").text
    assert "1 turn ·" in said(kernel, "resume --last")
    kernel.run("%%secgemini -o found\nthere again")
    assert kernel.value("found.session.id, found.turn") == (before, 2)


def test_resume_last_streams_the_rest_of_a_running_answer(restarted: Callable[[], Kernel], client: SecGemini) -> None:
    """The kernel is killed in the middle of an answer; the service goes on with it."""
    kernel = restarted()
    request = kernel.start("%%secgemini -s long\nWHOLE [[messages=300 bytes=20]] [[delay=0.05]]")
    kernel.wait_for_output(request)
    kernel = restarted()
    (session,) = [each for each in client.list_sessions() if each.name == "long"]
    ran = kernel.run("whole = %secgemini resume --last")
    assert ran.status == "ok", ran.error
    assert "its last turn still runs" in ran.text
    assert kernel.value("whole.session.id, whole.status, whole.answer") == (session.id, "ok", "WHOLE")
    assert kernel.value("len(whole.messages)") == 304
    assert "session long · 1 turn ·" in said(kernel, "resume --last"), "nothing runs any more: no answer again"


@pytest.mark.slow
def test_resume_last_at_the_embedded_service(tmp_path: Path) -> None:
    """It outlives the kernel that started it, and its port says nothing of whose session it is."""
    environment = {
        "SECGEMINI_BACKEND": "local",
        "SECGEMINI_LOCAL_ENGINE": "echo",
        "JPY_SESSION_NAME": str(tmp_path / "a.ipynb"),
    }
    kernel = start_kernel(tmp_path, environment)
    try:
        kernel.run("%load_ext secgemini_jupyter")
        request = kernel.start("%%secgemini\nWHOLE [[messages=300 bytes=20]] [[delay=0.05]]")
        kernel.wait_for_output(request)
    finally:
        stop_kernel(kernel)
    kernel = start_kernel(tmp_path, environment)
    try:
        kernel.run("%load_ext secgemini_jupyter")
        ran = kernel.run("whole = %secgemini resume --last")
        assert ran.status == "ok", ran.error
        assert kernel.value("whole.status, whole.answer, len(whole.messages)") == ("ok", "WHOLE", 304)
        kernel.run("%%secgemini -o found\nand on")
        assert kernel.value("found.session is whole.session, found.turn") == (True, 2)
        kernel.run("from secgemini_jupyter import embedded\nembedded.stop()")
        kernel.run("%%secgemini -o found\nthe service was started again, at another port")
        assert kernel.value("found.session is whole.session, found.turn") == (True, 3)
    finally:
        kernel.run("from secgemini_jupyter import embedded\nembedded.stop()")
        stop_kernel(kernel)


def test_a_prompt_behind_a_turn_that_still_runs_says_so(restarted: Callable[[], Kernel]) -> None:
    kernel = restarted()
    request = kernel.start("%%secgemini -s long\nEARLIER [[messages=200 bytes=20]] [[delay=0.04]]")
    kernel.wait_for_output(request)
    kernel = restarted()
    ran = kernel.run("%%secgemini -s long -o found\nLATER")
    assert ran.status == "ok", ran.error
    assert kernel.value("found.answer, found.turn") == ("LATER", 2)


# --- what is gone ---


def test_a_session_that_was_deleted_elsewhere_is_not_replaced_silently(kernel: Kernel, client: SecGemini) -> None:
    kernel.run("%%secgemini -o found\nhello")
    client.resume_session(kernel.value("found.session.id")).delete()
    for cell in ("%%secgemini\nstill there?", "%secgemini retry", "%secgemini reconnect", "%%secgemini\nstill there?"):
        line = refused(kernel, cell)
        assert "Session 'main' is gone at the service" in line
        assert ("Add --new" if cell.startswith("%%") else "%secgemini new makes a fresh one") in line
    assert kernel.run("%%secgemini --new -o found\nfresh").status == "ok"
    assert kernel.value("found.answer, found.turn") == ("fresh", 1)


def test_a_session_that_is_gone_looks_so_everywhere(kernel: Kernel, client: SecGemini) -> None:
    kernel.run("%%secgemini -o found\nhello")
    client.resume_session(kernel.value("found.session.id")).delete()
    ran = kernel.run("%%secgemini\nstill there?")
    assert ran.status == "error"
    assert "turn 2" not in str(ran.outputs)
    assert "· retained" not in str(ran.outputs)
    line = said(kernel, "")
    assert "is gone at the service: %secgemini new" in line
    assert "turn" not in line
    for command in ("files", "history", "feedback up", "bug broken"):
        assert "Session 'main' is gone" in refused(kernel, f"%secgemini {command}")
    assert "0 turns" in said(kernel, "new")


@pytest.mark.parametrize("command", ["files", "history"])
def test_whoever_sees_first_that_a_session_is_gone_says_so(kernel: Kernel, client: SecGemini, command: str) -> None:
    kernel.run("%%secgemini -o found\nhello")
    client.resume_session(kernel.value("found.session.id")).delete()
    assert "%secgemini new" in refused(kernel, f"%secgemini {command}")
    assert "is gone at the service" in said(kernel, "")


def test_a_new_name_is_told_beside_those_there_are(kernel: Kernel) -> None:
    assert "new" not in said(kernel, "use triage").partition("·")[0], "there was none to take it for"
    kernel.run("%%secgemini -q\nhello")
    assert said(kernel, "use traige").startswith("new session traige")
    assert "(known: triage)" in said(kernel, "use triege").replace("traige, ", "").replace(", traige", "")
    assert said(kernel, "use triage").startswith("session triage · 1 turn ·")
    ran = kernel.run("%%secgemini -s triagge\nhello")
    assert ran.status == "ok"
    assert "New session 'triagge'. This notebook has 'triage'" in ran.text
    assert "New session" not in kernel.run("%%secgemini -s triagge\nhello").text
    assert "New session" not in kernel.run("%%secgemini -s malware\nhello").text


def test_several_sessions_of_a_name_are_told_apart(kernel: Kernel, client: SecGemini) -> None:
    made = [client.create_session("twice") for _ in range(2)]
    made[0].query("hello")
    line = refused(kernel, "%secgemini resume twice")
    for session, turns in zip(made, ("1 turn", "0 turns"), strict=True):
        assert re.search(rf"{session.id} \(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, {turns}\)", line)
        session.delete()


def test_advice_is_what_can_be_typed_in_a_cell(kernel: Kernel) -> None:
    assert "%secgemini sessions" in refused(kernel, "%secgemini resume nosuch")
    line = refused(kernel, "%%secgemini -t 0.3\n[[delay=5]] late")
    assert "%secgemini reconnect listens" in line
    assert "()" not in line


def test_the_step_that_an_error_names_listens_to_its_own_session(kernel: Kernel) -> None:
    """`-s` makes no session current, and while a job runs another one may become so."""
    kernel.run("%%secgemini\nanother answer")
    line = refused(kernel, "%%secgemini -s 'a case' -t 0.3\n[[messages=3]] [[delay=0.15]] mine")
    assert '%secgemini reconnect "a case" listens' in line
    kernel.run('told = %secgemini reconnect "a case"')
    assert kernel.value("told.answer.endswith('mine'), told.session.name") == (True, "a case")
    assert '%secgemini reconnect "a case" gives' in refused(kernel, "%%secgemini -s 'a case' -f df\nno table")
    kernel.run("%%secgemini -t 0.3 --bg -o job\n[[delay=5]] late")
    assert "%secgemini reconnect main listens" in refused(kernel, "%secgemini wait 1")
    assert "%secgemini reconnect main listens" in kernel.value("str(job.error)")


def test_evidence_for_a_session_that_is_gone(kernel: Kernel, client: SecGemini, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("a")
    kernel.run('%%secgemini -s "a b" -o found\nhello')
    client.resume_session(kernel.value("found.session.id")).delete()
    line = refused(kernel, f'%%secgemini -s "a b" -a {tmp_path}/a.log\nlook')
    assert "Session 'a b' is gone at the service" in line
    assert "Add --new -s 'a b'" in line
    kernel.run('%secgemini use "a b"')
    line = refused(kernel, f"%secgemini attach {tmp_path}/a.log")
    assert "Session 'a b' is gone at the service" in line
    assert "%secgemini new makes a fresh one" in line
    assert kernel.run("%%secgemini --new -s 'a b' -o found\nlook").status == "ok"


def test_a_service_that_vanished_is_one_line(restarted: Callable[[], Kernel]) -> None:
    kernel = restarted()
    kernel.run("%%secgemini -o found\nhello")
    kernel.run(
        "from secgemini_jupyter.kernel import default_kernel\n"
        "core = default_kernel().client._core\n"
        "before = core.settings\n"
        "core.settings = before.replace(base_url='http://127.0.0.1:9', websocket_url='ws://127.0.0.1:9',"
        " reconnects=0, retries=0)"
    )
    for cell in ("%%secgemini\nstill there?", "%secgemini sessions", "%%secgemini --new\nhello", "%secgemini new"):
        assert "NetworkError" in refused(kernel, cell)
    kernel.run("core.settings = before")
    kernel.run("%%secgemini -o again\nback")
    assert kernel.value("again.answer, again.session is found.session") == ("back", True)


# --- by name ---


def test_use_switches_and_makes(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o a\nin main")
    assert "session triage" in said(kernel, "use triage")
    kernel.run("%%secgemini -o b\nin triage")
    assert said(kernel, "use main").startswith("session main")
    kernel.run("%%secgemini -o c\nin main again")
    assert kernel.value("a.session is c.session, b.session.name, b.session is a.session") == (True, "triage", False)


def test_new_by_option_takes_the_name(kernel: Kernel) -> None:
    kernel.run("%%secgemini -s triage -o a\none")
    kernel.run("%%secgemini --new -s triage -o b\ntwo")
    kernel.run("%%secgemini -o c\nthree")
    assert kernel.value("b.session is c.session, b.session.name, a.session.id == b.session.id") == (
        True,
        "triage",
        False,
    )


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ('%%secgemini -s ""\nx', "the session's name is empty"),
        ('%%secgemini --new -s " "\nx', "the session's name is empty"),
        ('%secgemini use ""', "the session's name is empty"),
        ('%secgemini new ""', "the session's name is empty"),
        ("%secgemini use a\u202eb", "no name for a session"),
        (f"%secgemini use {'x' * 300}", "no name for a session"),
        ("%secgemini use phishing triage", "'triage' is too much"),
        ("%secgemini new phishing triage", "'triage' is too much"),
        ("%secgemini resume phishing triage", "'triage' is too much"),
        ("%secgemini delete phishing triage", "'triage' is too much"),
        ("%secgemini use", "required: name"),
        ('%secgemini update --name ""', "the session's name is empty"),
    ],
)
def test_what_is_no_name_makes_no_session(kernel: Kernel, cell: str, says: str) -> None:
    assert says in refused(kernel, cell)
    assert "No session yet" in said(kernel, "")


@pytest.mark.parametrize("name", ["two words", "it's", "größe 😀", "-s", "a/b", "[red]<b>", "{{x}}"])
def test_any_readable_name_works(kernel: Kernel, name: str) -> None:
    quoted = f'"{name}"'
    assert kernel.run(f"%%secgemini --session={quoted} -o found\nhello").status == "ok"
    assert kernel.value("found.session.name") == name
    said(kernel, "use main")
    if not name.startswith("-"):
        assert name in said(kernel, f"use {quoted}")
        assert "renamed" in said(kernel, "update --name renamed")
        assert "Deleted session renamed" in said(kernel, "delete renamed --yes")


def test_names_of_others_are_shown_harmless(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o found\nhello")
    kernel.run("found.session.update(name='\\x1b[2J\\u202eevil\\nx')")
    for line in ("", "delete nowhere --yes", "retry", "use other", f"resume {kernel.value('found.session.id')}"):
        ran = kernel.run(f"%secgemini {line}")
        assert "\x1b[2J" not in ran.text + ran.error
        assert "\u202e" not in ran.text + ran.error
    kernel.run("import secgemini_jupyter.kernel as k\nk.default_kernel()._sessions['\\x1b[2Jx'] = found.session")
    assert "\x1b" not in refused(kernel, "%secgemini delete nowhere --yes")


def test_sessions_tell_when_they_expire(kernel: Kernel) -> None:
    said(kernel, "new brief --ttl 600")
    kernel.run("frame = %secgemini sessions")
    kernel.run("row = frame[frame.current].iloc[0]")
    assert kernel.value("str(frame.expires_at.dtype).startswith('datetime64[')")
    assert kernel.value("round((row.expires_at - row.created_at).total_seconds())") == 600


# --- model and timeout ---


def test_model_of_a_new_session(kernel: Kernel) -> None:
    models = kernel.value("[m.model_string for m in __import__('secgemini_jupyter').SecGemini().models()]")
    assert kernel.run(f"%%secgemini -s one -m {models[0]} -o found\nhello").status == "ok"
    assert kernel.value("found.session.model.model_string") == models[0]
    assert kernel.run(f"%%secgemini -s one -m {models[0]} -o found\nagain").status == "ok"
    line = refused(kernel, f"%%secgemini -s one -m {models[1]}\nother")
    assert "a session keeps its model" in line
    assert kernel.value("found.session.turns") == 2
    assert kernel.run(f"%%secgemini --new -s one -m {models[1]} -o found\nother").status == "ok"
    assert kernel.value("found.session.model.model_string") == models[1]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%secgemini -m local-ecko\nx", "Did you mean local-echo?"),
        ("%%secgemini --new -m local-ecko\nx", "Did you mean local-echo?"),
        ("%%secgemini -m zzzzzz\nx", "Known: "),
        ("%secgemini new a --model local-ecko", "Did you mean local-echo?"),
    ],
)
def test_an_unknown_model_makes_no_session(kernel: Kernel, cell: str, says: str) -> None:
    line = refused(kernel, cell)
    assert says in line
    assert "Nothing was sent" in line
    assert "No session yet" in said(kernel, "")


def test_timeout_keeps_what_had_arrived(kernel: Kernel) -> None:
    kernel.run("%%secgemini\nwarm up")
    ran = kernel.run("%%secgemini -t 1 -o found\nLONG [[messages=30 bytes=20]] [[delay=0.1]]")
    assert ran.status == "error"
    assert ran.error.startswith("TurnTimeoutError")
    assert ran.error.count("\n") == 0
    assert kernel.value("found.status, type(found.error).__name__, 0 < len(found.messages) < 30") == (
        "error",
        "TurnTimeoutError",
        True,
    )
    assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "error"
    assert kernel.run("%%secgemini -o found\nnext").status == "ok"
    assert kernel.value("found.answer") == "next"
    for wrong in ("0", "-1", "soon", "nan", "inf"):
        assert "seconds" in refused(kernel, f"%%secgemini --timeout={wrong}\nx")


# --- what holds for new sessions ---


@pytest.fixture
def configured(kernel: Kernel) -> Iterator[Kernel]:
    yield kernel
    kernel.run("get_ipython().config.pop('SecGeminiMagics', None)")


def test_the_kernel_s_own_session_is_as_configured(configured: Kernel) -> None:
    configured.run(
        "%config SecGeminiMagics.session_name = 'case 4711'\n%config SecGeminiMagics.description = 'mail'\n"
        "%config SecGeminiMagics.ttl = 700\n%config SecGeminiMagics.retention = False\n"
        "%config SecGeminiMagics.model = 'local-echo'"
    )
    ran = configured.run("%%secgemini -o found\nhello")
    assert ran.status == "ok", ran.error
    mine = "s.name, s.description, s.ttl, s.can_log, s.model.model_string"
    assert configured.value(f"[({mine}) for s in [found.session]][0]") == (
        "case 4711",
        "mail",
        700,
        False,
        "local-echo",
    )
    configured.run("%%secgemini -s triage -o found\nhello")
    assert configured.value(f"[({mine}) for s in [found.session]][0]") == ("triage", "mail", 700, False, "local-echo")
    said(configured, "new own --ttl 900 --description other")
    configured.run("%%secgemini -o found\nhello")
    assert configured.value(f"[({mine}) for s in [found.session]][0]") == ("own", "other", 900, False, "local-echo")


def test_without_retention_no_retained_session_is_asked(configured: Kernel) -> None:
    configured.run("%%secgemini -o found\nhello")
    configured.run("%config SecGeminiMagics.retention = False")
    line = refused(configured, "%%secgemini\nsecret")
    assert "session 'main' is retained" in line
    assert "Nothing was sent" in line
    assert configured.value("found.session.turns") == 1
    assert "is retained" in refused(configured, "%secgemini retry")
    assert configured.run("%%secgemini --new -o found\nsecret").status == "ok"
    assert configured.value("found.session.can_log") is False


def test_timeout_as_configured(configured: Kernel) -> None:
    configured.run("%%secgemini\nwarm up\n")
    configured.run("%config SecGeminiMagics.timeout = 0.5")
    assert "TurnTimeoutError" in refused_after_output(configured, "%%secgemini -q\n[[messages=30]] [[delay=0.1]]")
    assert configured.run("%%secgemini -t 20 --new\n[[messages=10]] [[delay=0.1]]").status == "ok"


def refused_after_output(kernel: Kernel, cell: str) -> str:
    ran = kernel.run(cell)
    assert ran.status == "error"
    return ran.error


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("ttl = 5", "%config SecGeminiMagics.ttl is 5."),
        ("timeout = 0", "%config SecGeminiMagics.timeout is 0."),
        ("retention = 'False'", "%config SecGeminiMagics.retention is 'False'."),
        ("model = 'local-ecko'", "Did you mean local-echo?"),
    ],
)
def test_with_a_value_that_makes_no_sense_nothing_is_sent(configured: Kernel, setting: str, says: str) -> None:
    """traitlets says so in a log line alone, and goes on with the value before."""
    configured.run(f"%config SecGeminiMagics.{setting}")
    assert says in refused(configured, "%%secgemini\nhello")
    assert "No session yet" in said(configured, "")


@pytest.mark.parametrize(
    "setting", ["retention = true", 'model = "x"', "ttl = 90000", 'session_name = "x"', "timeout = 1"]
)
def test_a_project_s_file_changes_no_session(
    shell: InteractiveShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.secgemini]\n{setting}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    assert shell.run_cell("%%secgemini -o found\nhello").success
    session = shell.user_ns["found"].session
    assert (session.can_log, session.ttl) == (True, 86400)
    assert session.model.model_string != "x"
    assert session.name != "x"


def test_two_sessions_at_once(kernel: Kernel) -> None:
    """A cell asks while a widget's turn runs in another session."""
    kernel.run(
        "from secgemini_jupyter.kernel import default_kernel\n"
        "running = default_kernel().use('other').start('OTHER [[messages=10]] [[delay=0.1]]')"
    )
    assert kernel.run("%%secgemini -o found\nMINE").status == "ok"
    assert kernel.value("found.answer") == "MINE"
    assert re.search("A turn is running in session 'other'", refused(kernel, "%%secgemini -s other\nx"))
    kernel.run("while not running.is_over: running.next(timeout=1)")
    assert kernel.value("running.response().answer") == "OTHER"


def test_dry_run_tells_what_holds_for_the_session(configured: Kernel) -> None:
    configured.run("%config SecGeminiMagics.retention = False\n%config SecGeminiMagics.model = 'local-echo'")
    configured.run("%config SecGeminiMagics.timeout = 60")
    configured.run("plan = get_ipython().run_cell_magic('secgemini', '--dry-run', 'x')")
    facts = "plan.facts['retention'], plan.facts['model'], plan.facts['timeout']"
    assert configured.value(facts) == ("not retained", "local-echo", "60 s")
    assert "No session yet" in said(configured, "")


def test_dry_run_knows_the_notebook_s_sessions(restarted: Callable[[], Kernel]) -> None:
    restarted().run("%%secgemini -s triage\nbefore")
    kernel = restarted()
    kernel.run("plan = get_ipython().run_cell_magic('secgemini', '--dry-run -s triage', 'x')")
    assert kernel.value("plan.facts['session']") == "this notebook's (triage), or a new one if that is gone"
