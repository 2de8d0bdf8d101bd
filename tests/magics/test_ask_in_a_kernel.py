"""`%%secgemini` in a real kernel: options, streaming, one saved output, errors, interruption."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.client.servers import silent_server
from tests.magics.conftest import AT_ONCE, Kernel, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel


def test_answer_is_one_saved_output(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini\nWhat is **this**?")
    assert ran.status == "ok"
    (output,) = ran.outputs
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert "What is <strong>this</strong>?" in output["data"]["text/html"]
    assert "What is" in output["data"]["text/plain"]
    facts = output["metadata"]["secgemini"]
    assert facts["status"] == "ok"
    assert facts["turn"] == 1
    assert "trusted" not in output["metadata"]


def test_streamed_answer_updates_one_output(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini\nslow words one two three [[partial]] [[messages=12 bytes=20]] [[delay=0.05]]")
    assert len(ran.outputs) == 1
    assert ran.updates >= 2
    assert ran.updates <= 30, "ten times a second at most"
    assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "ok"


def test_long_answer_is_one_saved_output(kernel: Kernel) -> None:
    """While it streams it is several; at the end they are replaced by one."""
    ran = kernel.run(
        "text = '\\n\\n'.join(f'paragraph {n} ' + 'word ' * 60 for n in range(200))\n"
        "get_ipython().run_cell_magic('secgemini', '', text)"
    )
    assert len(ran.outputs) == 1
    assert "paragraph 199" in ran.outputs[0]["data"]["text/plain"]
    big = "\n\n".join(f"paragraph {n} " + "word " * 60 for n in range(150))
    ran = kernel.run(f"%%secgemini\n[[partial]] [[delay=0.0002]]\n{big}")
    assert ran.updates
    assert len(ran.outputs) == 1
    assert "paragraph 149" in ran.outputs[0]["data"]["text/plain"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%secgemini all on the line", "all on the line"),
        ("%%secgemini first words\nand the body", "first words\nand the body"),
        ("%%secgemini\nan unclosed \" quote and an apostrophe's too", "an unclosed \" quote and an apostrophe's too"),
        ('%%secgemini say "this', 'say "this'),
        ("%%secgemini\n{json: {{x}}} {os.environ} $HOME %s", "{json: {{x}}} {os.environ} $HOME %s"),
        ("%%secgemini -- --looks -like options", "--looks -like options"),
        ("%%secgemini\n--new\n-q", "--new\n-q"),
        ("%%secgemini look at C:\\new\\table.log", "C:\\new\\table.log"),
        ("%%secgemini\n%timeit is no magic here\n!ls neither", "%timeit is no magic here\n!ls neither"),
        ("%%secgemini\nü 😀 \u202e", "ü 😀"),
        ("%%secgemini   \n\n\nblank lines\n\n", "blank lines"),
        ("%%secgemini is this a question?", "is this a question?"),
    ],
)
def test_any_prompt_arrives_as_it_was_typed(kernel: Kernel, cell: str, said: str) -> None:
    first, _, rest = cell.partition("\n")
    with_option = first.replace("%%secgemini", "%%secgemini -o kept", 1)
    ran = kernel.run(with_option + ("\n" + rest if rest else ""))
    assert ran.status == "ok", ran.error
    assert said in kernel.value("kept.answer")


def test_out_holds_the_answer(kernel: Kernel) -> None:
    kernel.run('%%secgemini -o found\n{"a": [1, 2]} [[type sec-gemini/table [{"x": 1}]]]')
    assert kernel.value("found.status, found.error, type(found).__name__") == ("ok", None, "Answer")
    assert kernel.value("found.response.text()[0]") == '{"a": [1, 2]}'
    assert kernel.value("len(found.tables), list(found.tables[0].columns)") == (1, ["x"])
    assert kernel.value("list(found.df().columns), len(found.response.to_frame()) == len(found.messages) > 3") == (
        ["x"],
        True,
    )
    assert kernel.value("found.session.turns") == 1
    kernel.run('%%secgemini -o as_json\n{"a": [1, 2]}')
    assert kernel.value("as_json.json()") == {"a": [1, 2]}


def test_answer_is_shown_again_when_asked_for(kernel: Kernel) -> None:
    """Once by its own cell, once by each later cell that ends with it."""
    kernel.run("%%secgemini -o found\nonce")
    for _ in range(2):
        ran = kernel.run("found")
        assert len(ran.html) == 1
    kernel.run("again = %secgemini reconnect")
    assert len(kernel.run("again").html) == 1


def test_quiet_shows_nothing(kernel: Kernel) -> None:
    assert kernel.run("%%secgemini -q -o found\nhush").outputs == []
    assert kernel.value("found.answer") == "hush"
    assert len(kernel.run("found").html) == 1


def test_sessions_by_option(kernel: Kernel) -> None:
    kernel.run("%%secgemini -o a\nin main")
    kernel.run("%%secgemini -s other -o b\nin other")
    kernel.run("%%secgemini -o c\nin main again")
    kernel.run("%%secgemini --new -o d\nin a new one")
    kernel.run("%%secgemini -o e\nthere again")
    ids = kernel.value("[x.session.id for x in (a, b, c, d, e)]")
    assert ids[0] == ids[2] != ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 3
    assert kernel.value("b.session.name") == "other"


def test_attach_by_option(kernel: Kernel, tmp_path: Path) -> None:
    """Path, quoted path, glob; what is attached already is not sent again."""
    for name in ("a.log", "b.log", "c d.txt"):
        (tmp_path / name).write_text(name)
    ran = kernel.run(f'%%secgemini -a {tmp_path}/*.log --attach "{tmp_path}/c d.txt" -o found\nlook')
    assert ran.status == "ok", ran.error
    assert kernel.value("[f.name for f in found.session.files]") == ["a.log", "b.log", "c d.txt"]
    assert kernel.value("found.attached") == ("a.log", "b.log", "c d.txt")
    kernel.run(f"%%secgemini -a {tmp_path}/a.log\nagain")
    assert kernel.value("len(found.session.files)") == 3
    for bad in ("/dev/zero", str(tmp_path), f"{tmp_path}/none*.log", f"{tmp_path}/missing", "~nobody-here/x"):
        ran = kernel.run(f"%%secgemini -a {bad}\nnever sent")
        assert ran.status == "error"
        assert ran.error.count("\n") == 0
        assert "Nothing was sent" in ran.error
    assert kernel.value("found.session.turns") == 2


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("%%secgemini --atach x\nhello", "Did you mean --attach?"),
        ("%%secgemini --bogus\nhello", "unknown option --bogus"),
        ("%%secgemini -o\nhello", "needs a value"),
        ("%%secgemini -o 1x\nhello", "no name for a variable"),
        ("%%secgemini -o class\nhello", "no name for a variable"),
        ("%%secgemini\n  \n", "the prompt is empty"),
        ("%%secgemini", "the prompt is empty"),
        ("%%secgemini -q", "the prompt is empty"),
        ("%secgemini frobnicate", "unknown subcommand 'frobnicate'"),
        ("%secgemini histroy", "Did you mean history?"),
        ("%secgemini detach", "required: file"),
        ("%secgemini fix one", "invalid int value"),
        ("%secgemini feedback sideways", "up, down"),
        ("%secgemini new --ttl 5", "300"),
        ('%secgemini bug "unclosed', "quote is not closed"),
        ("%%secgemini\n[[error 500]]", "500"),
        ("%%secgemini\n[[error 429 retry_after=7]]", "in 7 s"),
    ],
)
def test_errors_are_one_line_and_fail_the_cell(kernel: Kernel, cell: str, hint: str) -> None:
    ran = kernel.run(cell)
    assert ran.status == "error"
    assert hint in ran.text + ran.error
    shown = [output for output in ran.outputs if output.get("data") is None]
    assert (
        sum(str(output.get("text") or "\n".join(output.get("traceback", []))).strip().count("\n") for output in shown)
        == 0
    )
    assert "Traceback" not in ran.text + ran.error


def test_error_keeps_the_partial_answer(kernel: Kernel) -> None:
    ran = kernel.run("%%secgemini -o found\n[[messages=2]] [[error 503]]")
    assert ran.status == "error"
    assert kernel.value("found.status, found.error.status, len(found.messages)") == ("error", 503, 6)
    assert ran.outputs[0]["metadata"]["secgemini"]["status"] == "error"
    assert kernel.run("%%secgemini -o found\nand now?").status == "ok"
    assert kernel.value("found.answer") == "and now?"


def test_whole_traceback_on_request(kernel: Kernel) -> None:
    kernel.run("%config SecGeminiMagics.short_errors = False")
    ran = kernel.run("%%secgemini\n[[error 500]]")
    assert "Traceback" in ran.error
    kernel.run("%config SecGeminiMagics.short_errors = True")
    assert "Traceback" not in kernel.run("%%secgemini\n[[error 500]]").error


def test_capture_holds_the_answer_once(kernel: Kernel) -> None:
    ran = kernel.run("%%capture kept\n%%secgemini\ncaptured [[messages=10]] [[delay=0.04]]")
    assert ran.outputs == []
    shown = "[output.data for output in kept.outputs if output.data]"  # IPython adds an empty one for the cell's result
    assert kernel.value(f"len({shown}), 'captured' in {shown}[0]['text/plain']") == (1, True)


def test_time_and_loops_keep_earlier_outputs(kernel: Kernel) -> None:
    ran = kernel.run(
        "print('before')\nfor n in range(3):\n    get_ipython().run_cell_magic('secgemini', '', f'loop {n}')"
    )
    assert "before" in ran.outputs[0]["text"]
    assert len(ran.html) == 3
    ran = kernel.run("%%time\n%%secgemini\ntimed [[messages=10]] [[delay=0.04]]")
    assert "timed" in ran.html[0]
    assert "Wall time" in ran.text


def test_hostile_answer_is_harmless(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%secgemini\n<script>alert(1)</script> ![x](https://evil.test/?q=1) <img src=x onerror=alert(1)> "
        "\x1b]52;c;aGk=\x07 "
        '<a data-commandlinker-command="x" href="javascript:alert(1)">go</a>'
    )
    (html,) = ran.html
    for bad in ("<script", "<img", "<a ", "\x1b"):
        assert bad not in html
    assert "\x1b" not in ran.text


# --- ■ ---


def test_interrupt_while_streaming(kernel: Kernel) -> None:
    """Idle at once; what had arrived is kept and shown; the next cell works; `reconnect` gives the whole turn."""
    request = kernel.start("%%secgemini -o found\nLONG [[messages=200 bytes=20]] [[delay=0.02]]")
    queued = kernel.start("ran_after = True")
    kernel.wait_for_output(request)
    kernel.interrupt()
    ran = kernel.finish(request)
    print(f"stop to idle while streaming: {ran.elapsed * 1000:.0f} ms")
    assert ran.status == "error"
    assert ran.error.count("\n") == 0
    assert "%secgemini reconnect" in ran.error
    assert kernel.reply(queued)["content"]["status"] == "aborted", "Run All stops"
    assert kernel.value("found.status, 0 < len(found.messages) < 200") == ("interrupted", True)
    again = kernel.run("whole = %secgemini reconnect")
    assert again.status == "ok", again.error
    assert kernel.value("len(whole.messages), whole.answer, whole.status") == (204, "LONG", "ok")
    assert kernel.run("%%secgemini -o found\nnext").status == "ok"
    assert kernel.value("found.answer, found.session.turns") == ("next", 2)


def test_next_prompt_after_an_interrupt_gets_its_own_answer(kernel: Kernel) -> None:
    request = kernel.start("%%secgemini\nEARLIER [[messages=40 bytes=20]] [[delay=0.02]]")
    kernel.wait_for_output(request)
    kernel.interrupt()
    kernel.finish(request)
    assert kernel.run("%%secgemini -o found\nLATER").status == "ok"
    assert kernel.value("found.answer, found.status") == ("LATER", "ok")


def test_interrupt_while_waiting_for_the_first_message(kernel: Kernel) -> None:
    kernel.run("%%secgemini\nwarm up")
    request = kernel.start("%%secgemini -o found\n[[messages=1]] [[delay=30]]")
    time.sleep(0.4)  # a prompt's way to the service; nothing tells from outside that it has begun to wait
    kernel.interrupt()
    ran = kernel.finish(request)
    print(f"stop to idle while waiting: {ran.elapsed * 1000:.0f} ms")
    assert ran.elapsed < AT_ONCE
    assert "Interrupted" in ran.error
    assert kernel.value("found.status") == "interrupted"
    assert kernel.run("%%secgemini --new\nfine").status == "ok"


def test_interrupt_while_connecting(tmp_path: Path) -> None:
    """A server that accepts and never answers."""
    with silent_server() as port:
        environment = {
            "SEC_GEMINI_API_HTTP_URL": f"http://127.0.0.1:{port}",
            "SEC_GEMINI_API_KEY": "a-key-that-nobody-takes",
        }
        kernel = start_kernel(tmp_path, environment)
        try:
            kernel.run("%load_ext secgemini_jupyter")
            for cell in ("%%secgemini\nhello", "%secgemini sessions", "%%secgemini\nhello again"):
                request = kernel.start(cell)
                time.sleep(0.5)
                kernel.interrupt()
                ran = kernel.finish(request)
                print(f"stop to idle while connecting: {ran.elapsed * 1000:.0f} ms")
                assert ran.elapsed < AT_ONCE
                assert ran.status == "error"
                assert ran.error.startswith("Interrupted: stopped")
                assert "a-key-that" not in ran.error
        finally:
            stop_kernel(kernel)
