"""Cells whose answers come from a language model: who answers is said everywhere, and its key nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local_server.engines.scripted_openai import ScriptedEndpoint, calls, failure, says, serving
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]  # a kernel and a server; in `make test` the engine has one server
CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedEndpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, endpoint: ScriptedEndpoint) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("model")
    environ = {"URL": endpoint.url, "MODEL": "scripted-7b", "KEY": CANARY}
    kernel = start_kernel(
        folder,
        {f"SECGEMINI_LOCAL_LLM_{name}": value for name, value in environ.items()}
        | {"SECGEMINI_LOCAL_ENGINE": "openai", "JPY_SESSION_NAME": str(folder / "a.ipynb")},
    )
    kernel.run("%load_ext secgemini_jupyter")
    yield kernel
    kernel.run("from secgemini_jupyter import embedded\nembedded.stop()")
    stop_kernel(kernel)


def test_who_answers_is_said_and_what_nothing_holds_is_shown(kernel: Kernel, endpoint: ScriptedEndpoint) -> None:
    who = f"scripted-7b at {endpoint.host}"
    assert f"{who}, not Sec-Gemini" in kernel.run("%secgemini").text  # before anything starts
    endpoint.play(
        calls(("defang", {"text": "a.example.com"})), says("It is a[.]example[.]com, seen in CVE-2099-12345.")
    )
    ran = kernel.run("%%secgemini -o found\nDefang a.example.com")
    assert ran.status == "ok", ran.error
    notice, answer = ran.outputs[0], ran.outputs[-1]
    assert f"answers come from {who}, asked by the local service on this machine" in notice["text"]
    for kind in ("text/plain", "text/html"):
        shown = answer["data"][kind]
        for part in (
            "It is a[.]example[.]com",
            who,
            "not Sec-Gemini",
            "Not found in any tool result",
            "CVE-2099-12345",
        ):
            assert part in shown, part
        assert "local analyst" not in shown
    assert "62 tokens" in answer["data"]["text/plain"]
    assert kernel.value("found.usage.total_tokens") == 62
    assert kernel.value("found.answer") == "It is a[.]example[.]com, seen in CVE-2099-12345."
    for line in ("whoami", "doctor", ""):
        assert who in kernel.run(f"%secgemini {line}").text, line


def test_a_sessions_own_model_is_named(kernel: Kernel, endpoint: ScriptedEndpoint) -> None:
    said = kernel.run("%secgemini new tools --model local-analyst-1").text
    assert "local analyst, not Sec-Gemini" in said
    assert "local analyst, not Sec-Gemini" in kernel.run("%%secgemini --dry-run\nHello").text
    planned = kernel.run("%%secgemini --dry-run --new -m local-openai\nHello").text
    assert f"scripted-7b at {endpoint.host}, not Sec-Gemini" in planned
    kernel.run("%secgemini use main")
    assert f"scripted-7b at {endpoint.host}" in kernel.run("%secgemini").text


def test_its_key_is_shown_nowhere(kernel: Kernel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(failure(401, f"Incorrect API key provided: {CANARY}"))
    ran = kernel.run("%xmode Verbose\nget_ipython().run_cell_magic('secgemini', '', 'Hello')")
    assert endpoint.last.headers["authorization"] == f"Bearer {CANARY}"
    shown = str(ran.outputs) + str(kernel.run("%secgemini doctor").outputs)
    assert "refuses the key (401)" in shown
    assert CANARY not in shown
    assert CANARY not in kernel.value("str(found.response.session_id) + str(found.messages)")
