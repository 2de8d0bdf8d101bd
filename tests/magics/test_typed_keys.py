"""A key that somebody typed in the wrong place: it is neither sent nor shown."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Feedback, FeedbackType, PublicSession
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.settings import find_key
from tests.conftest import LocalService


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize(
    ("cell", "refused"),
    [
        ("%secgemini bug it failed with {key}", "holds the API key"),
        ("%secgemini feedback --session up {key}", "holds the API key"),
        ("%secgemini update --description {key}", "holds the API key"),
        ("%secgemini new --description {key}", "holds the API key"),
        ("%secgemini new {key}", "holds the API key"),
        ("%secgemini use {key}", "holds the API key"),
        ("%%secgemini -s {key}\nhi", "holds the API key"),
        ("%%secgemini --no-log -s {key}\nhi", "holds the API key"),
        ("%secgemini config session_name {key}", ""),
        ("%secgemini config cache_dir /x/{key}", ""),
        ("%secgemini export {key}", "%secgemini export"),
        ("%secgemini export a.md -s {key}", "no session"),
        ("%secgemini delete {key}", "no session"),
        ("%secgemini {key}", "unknown subcommand"),
    ],
)
def test_the_key_is_neither_sent_nor_shown(
    shell: InteractiveShell,
    local_service: LocalService,
    capsys: pytest.CaptureFixture[str],
    cell: str,
    refused: str,
    is_used: bool,
) -> None:
    if is_used:
        assert shell.run_cell("%%secgemini -q\nhello").success
    ran = shell.run_cell(cell.format(key=local_service.key))
    shown = "".join(capsys.readouterr()) + repr(ran.result) + str(ran.error_in_exec)
    assert local_service.key not in shown
    assert refused in shown
    kernel: Any = shell.magics_manager.registry["SecGeminiMagics"].kernel
    if kernel.has_client:
        assert local_service.key not in repr(kernel.client.list_sessions())


@pytest.mark.parametrize(
    "cell", ["%%secgemini\nlogin sk-0123456789", "%%secgemini login abc_defgh", "%secgemini ask login sk-01234567"]
)
def test_a_login_typed_as_a_prompt_is_not_sent(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    ran = shell.run_cell(cell)
    shown = "".join(capsys.readouterr()) + str(ran.error_in_exec)
    assert "Nothing was sent" in shown
    assert cell.split()[-1] not in shown
    assert not shell.magics_manager.registry["SecGeminiMagics"].kernel.has_client


@pytest.mark.parametrize("prompt", ["login failed", "login failed\nfor host-01234567", "who used login sk-01234567"])
def test_words_about_logins_are_a_prompt(shell: InteractiveShell, prompt: str) -> None:
    assert shell.run_cell(f"%%secgemini -q\n{prompt}").success


def test_no_request_holds_the_key(shell: InteractiveShell, local_service: LocalService) -> None:
    held = find_key()
    session = PublicSession(name=f"a {local_service.key}")
    for make in (endpoints.register, endpoints.update):
        with pytest.raises(InputError, match="holds the API key"):
            make(session)
    with pytest.raises(InputError, match="holds the API key"):
        endpoints.feedback(Feedback(session_id="s", type=FeedbackType.BUG_REPORT, score=0, comment=local_service.key))
    assert endpoints.delete(session).body, "what has it already can be deleted"
    assert held
