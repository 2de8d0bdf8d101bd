"""`whoami`, `usage`, `models`: what the service says of a key, and nothing of the key itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.client.limits import expiry
from secgemini_jupyter.magics.report import Finding, Report
from tests.client.servers import WebServer, as_json, web_server
from tests.conftest import KEY
from tests.magics.conftest import Kernel

DAY = 86400
MODEL = {"model_name": "sec-gemini", "version": "1.1", "use_experimental": False, "model_string": "sec-gemini-stable"}
INFO: dict[str, Any] = {
    "user": {
        "id": "analyst@example.org",
        "org_id": "blue team",
        "type": "user",
        "never_log": False,
        "can_disable_logging": False,
        "key_expire_time": 0,
        "tpm": 400_000,
        "rpm": 100,
    },
    "sessions": [],
    "available_models": [
        MODEL | {"description": "\x1b[2J<script>alert(1)</script>", "toolsets": [{"name": "network"}, {"name": "cve"}]},
        MODEL | {"model_string": "sec-gemini-2-experimental", "version": "2", "use_experimental": True, "toolsets": []},
    ],
}


@pytest.fixture
def service(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A service with a user of its own, for the shell of this process."""
    with web_server(lambda _: as_json(INFO)) as server:
        monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", server.url)
        yield server


def shown(shell: InteractiveShell, line: str) -> Any:
    ran = shell.run_cell(f"%secgemini {line}")
    ran.raise_error()
    return ran.result


@pytest.mark.usefixtures("service")
def test_whoami_says_what_the_key_may_do(shell: InteractiveShell) -> None:
    report = shown(shell, "whoami")
    assert isinstance(report, Report)
    found = {finding.check: finding.found for finding in report}
    assert found["user"] == "analyst@example.org"
    assert found["organisation"] == "blue team"
    assert found["key"] == "…6789 from SEC_GEMINI_API_KEY"
    assert found["key ends"] == "never"
    assert found["quota"] == "100 requests and 400,000 tokens a minute"
    assert "may not switch it off" in found["retention"]
    assert found["answers from"].startswith("Sec-Gemini, 127.0.0.1:")
    assert KEY not in repr(report) + report._repr_mimebundle_()[0]["text/html"] + report.to_frame().to_csv()


@pytest.mark.parametrize(
    ("left", "state", "words"),
    [
        (400 * DAY + 60, "ok", "in 400 days"),
        (14 * DAY, "warn", "in 14 days"),
        (3 * 3600 + 60, "warn", "in 3 hours"),
        (59, "warn", "in less than an hour"),
        (0, "fail", "expired less than an hour ago"),
        (-30 * DAY, "fail", "expired 30 days ago"),
    ],
)
def test_end_of_a_key_is_told_in_time(left: int, state: str, words: str) -> None:
    now = 1_800_000_000
    found_state, found, advice = expiry(now + left, now)
    assert (found_state, words in found) == (state, True)
    assert bool(advice) == (state != "ok")
    assert "2027" in found or "2028" in found or "2026" in found


def test_key_that_never_ends() -> None:
    assert expiry(0) == ("ok", "never", "")
    assert expiry(10**18, time.time())[0] == "ok"  # outside the calendar


def test_expired_key_is_seen_in_whoami(
    shell: InteractiveShell, service: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INFO, "user", INFO["user"] | {"key_expire_time": int(time.time()) + DAY, "never_log": True})
    report = shown(shell, "whoami")
    assert report["key ends"].state == "warn"
    assert "Get the next key at https://secgemini.google/keys" in repr(report)
    assert report["retention"].found.startswith("never")


@pytest.mark.usefixtures("service")
def test_models_are_a_frame_without_escapes(shell: InteractiveShell) -> None:
    frame = shown(shell, "models")
    assert list(frame["model"]) == ["sec-gemini-stable", "sec-gemini-2-experimental"]
    assert list(frame["default"]) == [True, False]
    assert list(frame["current"]) == [False, False]
    assert list(frame["experimental"]) == [False, True]
    assert list(frame["toolsets"]) == ["network, cve", ""]
    assert "\x1b" not in frame.to_string()
    assert "<script>" not in frame._repr_html_()


@pytest.mark.usefixtures("service")
def test_toolsets_are_a_frame(shell: InteractiveShell) -> None:
    frame = shown(shell, "models --toolsets")
    assert frame[["model", "toolset", "default"]].to_numpy().tolist() == [
        ["sec-gemini-stable", "network", False],
        ["sec-gemini-stable", "cve", False],
    ]
    assert frame["current"].isna().all()


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("new --with nothing", "has no toolset 'nothing'"),
        ("new --with cve --without cve", "both --with and --without"),
        ("new --language 'x y'", "pass a tag like"),
        ("update --name x --generate-name", "not both"),
    ],
)
def test_a_choice_that_makes_no_sense_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    shell.run_cell(f"%secgemini {line}")
    written = "".join(capsys.readouterr())
    assert words in written
    assert "Traceback" not in written


@pytest.mark.kernel
def test_models_know_the_current_one(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q\nhello")
    kernel.run("frame = %secgemini models")
    assert kernel.value("list(frame[frame.current].model)") == ["local-echo"]


@pytest.mark.kernel
def test_usage_counts_by_session(kernel: Kernel) -> None:
    ran = kernel.run("frame = %secgemini usage")
    assert "This kernel has no session yet." in ran.text
    assert kernel.value("len(frame), list(frame.dtypes.astype(str))[:4]") == (
        0,
        ["string", "Int64", "Int64", "Float64"],
    )
    kernel.run("%%secgemini -q -o one\nhello there")
    kernel.run("%%secgemini -q\nagain")
    kernel.run("%%secgemini -q -s other\nelsewhere")
    ran = kernel.run("frame = %secgemini usage")
    assert "in 3 turns" in ran.text
    assert kernel.value("dict(zip(frame.session, frame.turns.astype(int))) == {one.session.name: 2, 'other': 1}")
    assert kernel.value("int(frame.total_tokens.sum())") == kernel.value(
        "one.session.usage.total_tokens + get_ipython().magics_manager.registry['SecGeminiMagics']"
        ".kernel.get('other').usage.total_tokens"
    )


@pytest.mark.kernel
def test_usage_by_turn_and_model(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q\nhello there")
    kernel.run("%%secgemini -q -s other\nelsewhere")
    kernel.run("turns = %secgemini usage --by turn")
    assert kernel.value("turns.turn_index.tolist(), turns.model.tolist()") == ([1, 1], ["local-echo", "local-echo"])
    kernel.run("models = %secgemini usage --by model")
    told = "models.turns.tolist(), models.turns_without_usage.tolist(), models.total_tokens.isna().tolist()"
    assert kernel.value(told) == ([2], [2], [True])
    assert "Did you mean model?" in kernel.run("%secgemini usage --by models").text


@pytest.mark.kernel
def test_usage_of_a_session_that_is_gone(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q -o one\nhello [[messages=3]]")
    kernel.run("from secgemini_jupyter import SecGemini; SecGemini().resume_session(one.session.id).delete()")
    kernel.run("one.session._state.messages = None")  # as after a turn that was stopped
    ran = kernel.run("frame = %secgemini usage")
    assert ran.status == "ok", ran.error
    assert kernel.value("int(frame.turns.iloc[0]), bool(frame.seconds.isna().iloc[0])") == (1, True)


@pytest.mark.kernel
def test_whoami_in_a_notebook_is_a_table(kernel: Kernel) -> None:
    (output,) = kernel.run("%secgemini whoami").outputs
    assert "<table" in output["data"]["text/html"]
    assert "local@localhost" in output["data"]["text/plain"]
    assert KEY not in repr(output)


def test_report_shows_what_is_hostile_as_text() -> None:
    report = Report(
        [Finding("proxy\x1b[2J", "fail", f"<img src=x onerror=alert(1)> api_key={KEY}", "do <b>this</b>\nnow")],
        "a <b> b",
    )
    markup = report._repr_mimebundle_()[0]["text/html"]
    assert "<img" not in markup
    assert "<b>" not in markup
    assert "\x1b" not in repr(report)
    assert repr(report).count("\n") == 2
    assert KEY not in markup + repr(report)
    assert not report.ok
