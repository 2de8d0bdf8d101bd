"""`%secgemini` and its subcommands in a real kernel; loading, unloading, where the answers come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LocalService
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel


def said(kernel: Kernel, line: str) -> str:
    """The one text output of a line magic."""
    ran = kernel.run(f"%secgemini {line}")
    assert ran.status == "ok", ran.error or ran.text
    return ran.text


def test_chat_shows_what_was_said_where_nobody_looks_at_widgets(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q\nWho logged in?")
    (shown,) = kernel.run("%secgemini chat").outputs
    assert "You: Who logged in?" in shown["data"]["text/plain"]
    assert shown["data"]["text/html"].startswith('<div class="mathjax_ignore tex2jax_ignore"><details')


def test_status_before_and_after_the_first_prompt(kernel: Kernel) -> None:
    assert "No session yet" in said(kernel, "")
    kernel.run("%%secgemini\nhello")
    for line in ("", "status"):
        status = said(kernel, line)
        assert status.count("\n") == 0
        for part in ("session main", "1 turn ·", "0 files", "retained", "127.0.0.1"):
            assert part in status
    assert "local-test-key" not in said(kernel, "")


def test_sessions_are_a_frame(kernel: Kernel) -> None:
    said(kernel, 'new "phishing triage" --description "what" --ttl 600')
    kernel.run("frame = %secgemini sessions")
    assert kernel.value("type(frame).__name__") == "DataFrame"
    assert kernel.value("list(frame[frame.current]['name'])") == ["phishing triage"]
    assert kernel.value("int(frame[frame.current].ttl_s.iloc[0])") == 600
    assert kernel.value("bool(frame.created_at.is_monotonic_increasing)")


def test_new_update_resume_delete(kernel: Kernel) -> None:
    assert "session alpha" in said(kernel, "new alpha")
    kernel.run("%%secgemini -o one\nin first")
    assert "session second" in said(kernel, "new second")
    assert "session alpha" in said(kernel, "resume alpha")
    kernel.run("%%secgemini -o two\nback in first")
    assert kernel.value("one.session.id == two.session.id, two.session.turns") == (True, 2)
    assert "renamed" in said(kernel, "update --name renamed --description d --ttl 300")
    assert kernel.value("two.session.name, two.session.ttl") == ("renamed", 300)
    ran = kernel.run("%secgemini delete")
    assert ran.status == "error"
    assert "--yes" in ran.text + ran.error
    assert "Deleted" in said(kernel, "delete --yes")
    ran = kernel.run("%secgemini delete nowhere --yes")
    assert "no session 'nowhere'" in ran.text + ran.error
    assert "Deleted" in said(kernel, "delete second --yes")


@pytest.mark.parametrize("line", ["resume", "resume a --last", "resume --last", "resume no-such-session", "update"])
def test_what_cannot_be_done_is_one_line(kernel: Kernel, line: str) -> None:
    ran = kernel.run(f"%secgemini {line}")
    assert ran.status == "error"
    assert "Traceback" not in ran.text + ran.error


def test_name_of_several_sessions_is_refused(kernel: Kernel) -> None:
    said(kernel, "new twice")
    said(kernel, "new twice")
    ran = kernel.run("%secgemini resume twice")
    assert "2 sessions are called 'twice'" in ran.error


def test_attach_files_detach(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "a b.log").write_text("a")
    (tmp_path / "c.log").write_text("c")
    kernel.run(f'frame = %secgemini attach "{tmp_path}/a b.log" {tmp_path}/c.log')
    assert kernel.value("list(frame.name), list(frame['size'])") == (["a b.log", "c.log"], [1, 1]) or kernel.value(
        "list(frame['name'])"
    ) == ["a b.log", "c.log"]
    kernel.run("frame = %secgemini files")
    assert kernel.value("list(frame.index), frame.index.name") == ([0, 1], "file_idx")
    kernel.run("frame = %secgemini detach 0")
    assert kernel.value("list(frame['name'])") == ["c.log"]
    for index in (5, -1):
        ran = kernel.run(f"%secgemini detach {index}")
        assert ran.status == "error"
    assert "Did you mean c.log?" in kernel.run("%secgemini detach d.log").text
    kernel.run("frame = %secgemini files")
    assert kernel.value("list(frame['name'])") == ["c.log"]
    kernel.run("frame = %secgemini detach c.log")
    assert kernel.value("list(frame['name'])") == []


def test_detach_of_a_name_that_two_files_have(kernel: Kernel) -> None:
    kernel.run("from secgemini_jupyter import current_session\nsession = current_session()")
    kernel.run("for content in (b'a', b'b'): session.attach_file('same.log', content)")
    assert "2 files are called 'same.log': give one of 0, 1" in kernel.run("%secgemini detach same.log").text
    kernel.run("frame = %secgemini detach 1")
    assert kernel.value("list(frame['size'])") == [1]


def test_attach_without_a_path_is_the_widget(kernel: Kernel) -> None:
    kernel.run("widget = %secgemini attach")
    assert kernel.value("type(widget).__name__, widget.files, widget.state") == ("AttachWidget", [], "idle")
    assert "without a path, a widget" in said(kernel, "help attach")


def test_history_and_visualize(kernel: Kernel) -> None:
    kernel.run("%%secgemini\nremember")
    kernel.run("frame = %secgemini history")
    assert kernel.value("frame.message_type.iloc[0], frame.content.iloc[0]") == ("query", "remember")
    assert "remember" in said(kernel, "visualize")
    kernel.run("picture = %secgemini visualize")
    kernel.run("picture.select(frame[frame.message_type == 'result'])")
    assert kernel.value("picture.selection.content.tolist()") == ["remember"]


def test_feedback_and_bug(kernel: Kernel) -> None:
    assert "nothing to rate" in kernel.run("%secgemini feedback up").error
    assert "for the session" in said(kernel, "feedback up --session")
    kernel.run("%%secgemini\nrate me")
    assert "Sent: helpful, for turn 1" in said(kernel, 'feedback up "well done"')
    assert "Sent: not helpful" in said(kernel, "feedback down too short")
    assert "for the session" in said(kernel, "feedback down --session")
    assert "a bug report" in said(kernel, 'bug "it broke, somehow"')


def test_reconnect_without_a_turn(kernel: Kernel) -> None:
    """It makes no session to listen in."""
    ran = kernel.run("%secgemini reconnect")
    assert ran.status == "error"
    assert "no session 'main' (it has: none)" in ran.error
    kernel.run("%%secgemini -s other\nasked")
    assert "no session 'nosuch' (it has: 'other')" in kernel.run("%secgemini reconnect nosuch").error
    assert "No session yet" in said(kernel, "")


def test_hostile_session_name_is_one_clean_line(kernel: Kernel) -> None:
    kernel.run(
        "import secgemini_jupyter\ns = secgemini_jupyter.current_session()\n"
        "s.update(name='evil\\x1b[2J\\n<b>\\u202e[red]')"
    )
    for line in ("", "sessions", "feedback up --session", "visualize"):
        ran = kernel.run(f"%secgemini {line}")
        assert ran.status == "ok", ran.error
        assert "\x1b" not in ran.text
        assert "\u202e" not in ran.text
    assert said(kernel, "").count("\n") == 0


def test_python_code_shares_the_session(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o found\nfrom a cell")
    kernel.run("import secgemini_jupyter\nmine = secgemini_jupyter.current_session()")
    assert kernel.value("mine is found.session, mine.turns") == (True, 1)
    assert kernel.value("mine.query('from Python').answer") == "from Python"
    assert "2 turns" in said(kernel, "")


def test_async_code_in_a_cell(kernel: Kernel) -> None:
    """The kernel's own loop runs there."""
    ran = kernel.run(
        "import secgemini_jupyter\nmine = secgemini_jupyter.current_session()\n"
        "messages = [message async for message in mine.stream('async')]\nprint(messages[-1].is_end)"
    )
    assert ran.text.strip() == "True", ran.error


def test_unloading_takes_everything_back(kernel: Kernel) -> None:
    before = kernel.value("sorted(t.name for t in __import__('threading').enumerate())")
    transformers = kernel.value("len(get_ipython().input_transformers_cleanup)")
    kernel.run("%%secgemini\nhello")
    assert "secgemini-loop" in kernel.value("[t.name for t in __import__('threading').enumerate()]")
    ran = kernel.run("%reload_ext secgemini_jupyter\n%reload_ext secgemini_jupyter")
    assert (ran.status, ran.outputs) == ("ok", [])
    assert kernel.value("len(get_ipython().input_transformers_cleanup)") == transformers
    assert kernel.value("sum(type(c).__name__ == 'SecGeminiMagics' for c in get_ipython().configurables)") == 1
    assert kernel.run("%%secgemini\nhello again").status == "ok"
    ran = kernel.run("%unload_ext secgemini_jupyter")
    assert (ran.status, ran.outputs) == ("ok", [])
    assert kernel.value("sorted(t.name for t in __import__('threading').enumerate())") == before
    assert kernel.value("len(get_ipython().input_transformers_cleanup)") == transformers - 1
    assert kernel.value("'secgemini' in get_ipython().magics_manager.magics['cell']") is False
    assert kernel.value("'secgemini' in get_ipython().magics_manager.magics['line']") is False
    assert kernel.run("%secgemini").status == "error"


def test_key_is_in_no_output(kernel: Kernel, local_service: LocalService) -> None:
    """Nor in the most talkative traceback, nor in the variables that a widget or a saved notebook would hold."""
    kernel.run("%xmode Verbose\n%config SecGeminiMagics.short_errors = False")
    texts = []
    for cell in (
        "%%secgemini -o found\n[[error 500]]",
        "%%secgemini --bogus\nx",
        "%secgemini resume no-such",
        "import secgemini_jupyter\nsecgemini_jupyter.current_session().detach_file(9)",
        "%config SecGeminiMagics",
        "%whos",
        "found",
        "found.session, found.session._client, found.session._client.settings, vars(found.session._client)",
        "secgemini_jupyter.SecGemini(settings=7)",
    ):
        ran = kernel.run(cell)
        texts.append(str(ran.outputs) + ran.error)
    kernel.run("%xmode Context\n%config SecGeminiMagics.short_errors = True")
    assert local_service.key not in "".join(texts)
    assert "Traceback" in "".join(texts)


# --- where the answers come from ---


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel without any key, with a Jupyter of its own."""
    folder = tmp_path_factory.mktemp("keyless")
    kernel = start_kernel(folder, {"SECGEMINI_LOCAL_ENGINE": "echo", "JPY_SESSION_NAME": str(folder / "a.ipynb")})
    kernel.run("%load_ext secgemini_jupyter")
    yield kernel
    kernel.run("from secgemini_jupyter import embedded\nembedded.stop()")
    stop_kernel(kernel)


def test_without_a_key_the_local_service_answers_and_says_so(keyless: Kernel) -> None:
    assert "local echo, not Sec-Gemini" in said(keyless, "")
    ran = keyless.run("%%secgemini\nhello")
    assert ran.status == "ok", ran.error
    notice, answer = ran.outputs
    assert notice["text"].count("\n") == 1
    assert "No API key found" in notice["text"]
    assert "not from Sec-Gemini" in notice["text"]
    assert answer["metadata"]["secgemini"]["host"].startswith("127.0.0.1")
    again = keyless.run("%%secgemini -o found\nhello again")
    assert len(again.outputs) == 1, "it is said once"
    assert keyless.value("found.response.is_local") is True


def test_last_session_of_a_notebook_is_resumed(keyless: Kernel) -> None:
    """After a restart of its kernel."""
    keyless.run("%%secgemini -o found\nbefore the restart")
    before, turns = keyless.value("found.session.id, found.session.turns")
    keyless.run("%reload_ext secgemini_jupyter")
    said(keyless, "resume --last")
    keyless.run("%%secgemini -o found\nafter the restart")
    assert keyless.value("found.session.id, found.session.turns") == (before, turns + 1)


def test_local_service_that_died_is_started_again(keyless: Kernel) -> None:
    keyless.run("%%secgemini -o found\nbefore")
    before = keyless.value("found.session.id")
    assert keyless.run("from secgemini_jupyter import embedded\nassert embedded.stop()").status == "ok"
    ran = keyless.run("%%secgemini -o found\nafter")
    assert ran.status == "ok", ran.error
    assert keyless.value("found.answer, found.session.id") == ("after", before)


def test_backend_service_without_a_key_is_one_line(keyless: Kernel) -> None:
    keyless.run("import os\nos.environ['SECGEMINI_BACKEND'] = 'service'\n%reload_ext secgemini_jupyter")
    try:
        ran = keyless.run("%%secgemini\nhello")
        assert ran.status == "error"
        assert ran.error.count("\n") == 0
        assert "SEC_GEMINI_API_KEY" in ran.error
        assert "no key found" in said(keyless, "")
        keyless.run("os.environ['SECGEMINI_BACKEND'] = 'bogus'")
        assert "auto, service or local" in keyless.run("%%secgemini\nhello").error
    finally:
        keyless.run("del os.environ['SECGEMINI_BACKEND']\n%reload_ext secgemini_jupyter")


def test_key_that_fails_is_no_reason_to_fall_back(keyless: Kernel, local_service: LocalService) -> None:
    keyless.run(
        "import os\nos.environ['SEC_GEMINI_API_KEY'] = 'wrong-key-0123456789'\n"
        f"os.environ['SEC_GEMINI_API_HTTP_URL'] = {local_service.http!r}\n"
        "%reload_ext secgemini_jupyter"
    )
    try:
        ran = keyless.run("%%secgemini\nhello")
        assert ran.status == "error"
        assert ran.error.startswith("AuthenticationError")
        assert "wrong-key" not in ran.error
    finally:
        keyless.run(
            "del os.environ['SEC_GEMINI_API_KEY'], os.environ['SEC_GEMINI_API_HTTP_URL']\n%reload_ext secgemini_jupyter"
        )
