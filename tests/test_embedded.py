"""The user's local service: started once, found again, trusted only when it proves that it holds the key."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from secgemini_jupyter import __version__, embedded
from secgemini_jupyter.client.aio import AsyncSecGemini
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import NetworkError
from tests.client.servers import as_json, web_server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and signals of POSIX")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Jupyter of its own; what was started in it is ended."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    yield tmp_path
    embedded.stop()
    for process in embedded._Children.processes:
        process.wait(10)
    embedded._Children.reap()


def connection_file(folders: Path) -> Path:
    return folders / "runtime" / embedded.FILE_NAME


health = embedded._health


def is_alive(pid: int) -> bool:
    embedded._Children.reap()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_started_on_first_need_and_found_again(folders: Path) -> None:
    first = embedded.ensure()
    assert embedded.ensure() == first
    path = connection_file(folders)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert written.keys() == {"http", "ws", "pid", "key", "version", "answers", "settings"}
    assert written["version"] == __version__
    assert stat.S_IMODE((folders / "data" / "secgemini-jupyter").stat().st_mode) == 0o700
    assert first.key.reveal() not in repr(first)
    assert embedded.stop()
    assert not path.exists()
    assert not embedded.stop()
    deadline = time.monotonic() + 5
    while is_alive(first.pid):
        assert time.monotonic() < deadline


def test_local_clients_need_no_key(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEC_GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "echo")
    import asyncio

    async def ask() -> str:
        async with await AsyncSecGemini.local() as client:
            session = await client.create_session()
            return (await session.query("hello async")).answer

    with SecGemini.local() as client:
        assert client.is_local
        response = client.create_session().query("hello")
        assert (response.answer, response.is_local) == ("hello", True)
        assert asyncio.run(ask()) == "hello async"
        assert len(client.list_sessions()) == 2


def test_two_processes_at_once_start_one(folders: Path) -> None:
    code = "from secgemini_jupyter import embedded; s = embedded.ensure(); print(s.pid, s.http)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    said = {process.communicate(timeout=30)[0] for process in processes}
    assert len(said) == 1
    assert f"{embedded.ensure().pid} " in said.pop()


def test_service_that_died_is_replaced(folders: Path) -> None:
    first = embedded.ensure()
    os.kill(first.pid, signal.SIGKILL)
    second = embedded.ensure()
    assert second.pid != first.pid
    assert second.key != first.key


def test_another_language_model_means_another_service(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel whose environment names a model is not answered by one that it does not name; others take what runs."""
    first = embedded.ensure()
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_MODEL", "a-model")
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "openai")
    second = embedded.ensure()
    assert second.pid != first.pid
    assert second.answers == "a-model at 127.0.0.1:9"
    assert embedded.ensure() == second
    for name in ("URL", "MODEL"):
        monkeypatch.delenv(f"SECGEMINI_LOCAL_LLM_{name}")
    monkeypatch.delenv("SECGEMINI_LOCAL_ENGINE")
    assert embedded.ensure() == second
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_URL", "http://127.0.0.1:10/v1")
    monkeypatch.setattr(embedded, "_health", lambda service, nonce="": health(service, nonce) | {"busy": True})
    assert embedded.ensure() == second  # somebody's turn runs in it


def test_a_language_model_that_is_not_configured_is_told_in_a_line(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "openai")
    with pytest.raises(NetworkError, match="The engine 'openai' asks a language model, and none is configured: set"):
        embedded.ensure()


def test_data_outlives_the_service(folders: Path) -> None:
    client = SecGemini.local()
    session = client.create_session("kept", model="local-echo")
    session.query("remember")
    client.close()
    embedded.stop()
    with SecGemini.local() as client:
        assert client.resume_session(session.id).messages[0].content == "remember"


@pytest.mark.parametrize(
    "content",
    ["", "no JSON", "[]", "{}", '{"http": 7, "ws": 7, "pid": 7, "version": "1", "key": 7}',
     '{"http": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9", "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://[", "ws": "", "pid": "x", "version": null, "key": "long-enough-key"}',
     '{"http": "http://h:port", "ws": "", "pid": 1, "version": null, "key": "long-enough-key"}',
     '{"http": 5, "ws": "ws://127.0.0.1:9", "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://127.0.0.1:9", "ws": "ws://h:9", "pid": Infinity, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9", "pid": -1, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9", "pid": true, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://127.0.0.1:9", "ws": 5, "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://a b/\\r\\n:9", "ws": "ws://127.0.0.1:9", "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"http": "http://\\ud800", "ws": "ws://\\ud800", "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"http": "", "ws": "", "pid": 1, "version": "1", "key": "long-enough-key"}',
     '{"key": ' + "[" * 100_000, "\x00\x80"],
    ids=lambda content: content[:60],
)  # fmt: skip
def test_stale_or_broken_file_is_none(folders: Path, content: str) -> None:
    path = connection_file(folders)
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_text(content)
    path.chmod(0o600)
    assert embedded._running(path) is None


@pytest.mark.parametrize("content", ["half writ", '{"http": 5, "ws": "", "pid": Infinity, "version": "1", "key": "k"}'])
def test_broken_file_is_replaced(folders: Path, content: str) -> None:
    path = connection_file(folders)
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_text(content)
    path.chmod(0o600)
    service = embedded.ensure()
    assert json.loads(path.read_text())["pid"] == service.pid


def test_file_that_others_can_read_is_not_used(folders: Path) -> None:
    """Its key is no secret any more."""
    first = embedded.ensure()
    path = connection_file(folders)
    for mode in (0o644, 0o640, 0o622):
        path.chmod(mode)
        assert embedded._running(path) is None
    second = embedded.ensure()
    assert second.key != first.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not is_alive(first.pid), "it held the data folder"


def test_lost_file_is_written_again(folders: Path) -> None:
    """Somebody tidied the runtime directory; the service that runs holds the data folder."""
    first = embedded.ensure()
    connection_file(folders).unlink()
    assert embedded.ensure() == first
    assert stat.S_IMODE(connection_file(folders).stat().st_mode) == 0o600
    connection_file(folders).unlink()
    assert embedded.stop()


def test_service_of_another_version_is_ended_and_replaced(folders: Path) -> None:
    first = embedded.ensure()
    path = connection_file(folders)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "0.0.1"}))
    second = embedded.ensure()
    assert second.pid != first.pid
    assert second.version == __version__
    deadline = time.monotonic() + 5
    while is_alive(first.pid):
        assert time.monotonic() < deadline


def test_stranger_on_the_port_learns_nothing(folders: Path) -> None:
    """After a crash another program may own it: it answers, but cannot prove that it holds the key."""
    key = "canary-embedded-key-0123456789"
    path = connection_file(folders)
    path.parent.mkdir(mode=0o700, parents=True)
    for answer in ({"proof": "0" * 64}, {"proof": key}, {"ok": True}, [], {"proof": None}):
        with web_server(lambda _, answer=answer: as_json(answer)) as stranger:  # type: ignore[misc]
            value = {"http": stranger.url, "ws": stranger.url, "pid": 2**22 + 1, "version": __version__, "key": key}
            path.write_text(json.dumps(value))
            path.chmod(0o600)
            assert embedded._running(path) is None
        assert len(stranger.seen) == 1
        assert key not in stranger.everything


def test_service_inherits_no_credentials(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile attachments are parsed there."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    for name in ("SEC_GEMINI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "canary-credential")
    service = embedded.ensure()
    environment = Path(f"/proc/{service.pid}/environ").read_bytes()
    assert b"canary-credential" not in environment
    arguments = Path(f"/proc/{service.pid}/cmdline").read_bytes()
    assert service.key.reveal().encode() not in arguments


def test_folder_of_a_notebook_cannot_replace_the_services_modules(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("uvicorn", "starlette", "secgemini_jupyter", "json"):
        (folders / f"{name}.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(folders)
    assert embedded.ensure().http.startswith("http://127.0.0.1:")


def test_service_that_cannot_start_says_why(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "no-such-engine")
    with pytest.raises(NetworkError, match="no-such-engine") as caught:
        embedded.ensure()
    assert "local-server.log" in str(caught.value)
    assert not connection_file(folders).exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_keys_reach_neither_the_service_nor_its_workers_but_the_engines_own_the_service(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "SEC_GEMINI_API_KEY OPENAI_API_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN GITHUB_TOKEN "
        "GH_TOKEN AZURE_CLIENT_SECRET GOOGLE_APPLICATION_CREDENTIALS VAULT_TOKEN DB_PASSWORD PGPASSWORD MYSQL_PWD "
        "SLACK_TOKEN DATABASE_URL HTTPS_PROXY HF_TOKEN NPM_TOKEN SSH_AUTH_SOCK KUBE_TOKEN DOCKER_PASSWORD"
    ).split()
    for name in names:
        value = (
            "postgres://user:canary-credential@db/x" if name in ("DATABASE_URL", "HTTPS_PROXY") else "canary-credential"
        )
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_MODEL", "none")
    monkeypatch.setenv("SECGEMINI_LOCAL_LLM_KEY", "canary-of-the-engine")
    service = embedded.ensure()
    deadline = time.monotonic() + 20
    while not (workers := psutil.Process(service.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.05)  # one is started ahead of the first prompt
    assert workers
    environment = Path(f"/proc/{service.pid}/environ").read_bytes()
    assert b"canary-credential" not in environment
    assert b"SECGEMINI_LOCAL_LLM_KEY=canary-of-the-engine" in environment
    for worker in workers:
        environment = Path(f"/proc/{worker.pid}/environ").read_bytes()
        assert b"canary" not in environment
        assert service.key.reveal().encode() not in environment
