"""`login` and `logout` as a front end drives them: a canary key that is typed shows up nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.servers import as_json, web_server
from tests.conftest import KEY, LocalService
from tests.magics.conftest import Kernel, Ran, start_kernel, stop_kernel

pytestmark = pytest.mark.kernel

WRONG = "canary-wrong-key-abcdef-987654"
WRITTEN = "canary-written-key-ghijkl-543210"
"""One that a test writes into a cell, where it stays."""
KEYRING = '''
"""A keyring in a file, as `keyrings.alt` has one; locked while a file `locked` stands beside it."""
import json
from pathlib import Path
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

class Keyring(KeyringBackend):
    priority = 1
    name = "keyring in a file"
    file = Path(__file__).with_suffix(".json")

    def _read(self):
        if self.file.with_name("locked").exists():
            raise KeyringLocked("the collection is locked")
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        return self._read().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps(self._read() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        if self.file.with_name("stuck").exists():
            raise PasswordDeleteError("not allowed")
        held = self._read()
        if held.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not found")
        self.file.write_text(json.dumps(held))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logging-in")
    (path / "filering.py").write_text(KEYRING)
    return path


@pytest.fixture(scope="module")
def keyless(folder: Path, local_service: LocalService) -> Iterator[Kernel]:
    """A kernel without a key, whose service is the one of the tests."""
    environment = {
        "SEC_GEMINI_API_HTTP_URL": local_service.http,
        "PYTHON_KEYRING_BACKEND": "filering.Keyring",
        "PYTHONPATH": str(folder),
        "SECGEMINI_LOCAL_ENGINE": "echo",
    }
    kernel = start_kernel(folder, environment)
    yield kernel
    kernel.run("from secgemini_jupyter import embedded; embedded.stop()")
    stop_kernel(kernel)


@pytest.fixture
def kernel(keyless: Kernel, folder: Path) -> Kernel:
    for name in ("filering.json", "locked", "stuck"):
        (folder / name).unlink(missing_ok=True)
    ran = keyless.run("%reset -f\n%reload_ext secgemini_jupyter\n%xmode Verbose")
    assert ran.status == "ok", ran.error
    return keyless


def typed(kernel: Kernel, line: str, key: str) -> Ran:
    """Run a cell that asks for a password, and type it."""
    request = kernel.start(line, attended=True)
    message = kernel.client.get_stdin_msg(timeout=20)
    assert message["content"]["password"] is True
    assert "127.0.0.1" in message["content"]["prompt"]
    kernel.client.input(key)
    return kernel.finish(request)


def everything(kernel: Kernel, ran: Ran) -> str:
    """What the cell showed, and what the kernel can show of itself afterwards."""
    looks = (
        "print(In, Out, _, __)",
        "%history -g",
        "%whos",
        "print(globals())",
        "print(get_ipython().history_manager.input_hist_raw, get_ipython().history_manager.output_hist)",
        "import secgemini_jupyter.kernel as k; print(vars(k.default_kernel()), vars(k.default_kernel().client._core))",
        "from secgemini_jupyter.settings import Login, find_key; print(Login.key, repr(Login.key), find_key())",
        "import os; print(dict(os.environ))",
        "%secgemini",
        "%secgemini config",
        "1 / 0",
    )
    return repr(ran) + "".join(repr(kernel.run(look)) for look in looks)


def test_login_is_checked_used_and_shown_nowhere(kernel: Kernel) -> None:
    kernel.run("%%secgemini -q -o before\nhello")
    ran = typed(kernel, "%secgemini login", f"  {KEY}\n")
    assert ran.status == "ok", ran.error
    for part in (
        "Logged in as",
        "…6789 from login",
        "memory alone",
        "1 session of the local service is left there: main",
    ):
        assert part in ran.text
    kernel.run("%%secgemini -q -o after\nhello again")
    assert kernel.value("before.session.is_local, after.session.is_local") == (True, False)
    assert kernel.value("after.session.turns") == 1
    assert "key …6789 from login" in kernel.run("%secgemini").text
    assert KEY not in everything(kernel, ran)


def test_wrong_key_changes_nothing(kernel: Kernel) -> None:
    kernel.run("%config SecGeminiMagics.short_errors = False")
    ran = typed(kernel, "%secgemini login --keep", WRONG)
    assert ran.status == "error"
    assert "does not take this key (401). Nothing was kept" in ran.error
    assert WRONG not in everything(kernel, ran)
    assert kernel.value("Login.key is None")
    kernel.run("%config SecGeminiMagics.short_errors = True")
    short = typed(kernel, "%secgemini login", WRONG)
    assert short.error.count("\n") == 0


@pytest.mark.parametrize("key", ["", "   ", "two words", "schl\u00fcssel-0123456789", "esc\x1b[2J-0123456789"])
def test_what_is_no_key_is_not_sent(kernel: Kernel, key: str) -> None:
    ran = typed(kernel, "%secgemini login", key)
    assert ran.status == "error"
    assert ran.error.startswith("SettingsError: ")
    assert not key.strip() or key not in ran.error


@pytest.mark.parametrize("line", [WRITTEN, f"--keep {WRITTEN}", f"--key={WRITTEN}", f"'{WRITTEN}'", f"-- {WRITTEN}"])
def test_key_on_the_line_is_refused_and_not_repeated(kernel: Kernel, line: str) -> None:
    ran = kernel.run(f"%secgemini login {line}", attended=True)
    assert ran.status == "error"
    assert WRITTEN not in repr(ran)
    assert "history now" in ran.text
    assert "get a new key" in ran.text
    assert kernel.value(f"__import__('secgemini_jupyter.errors').errors.redact(In[-2]).count({WRITTEN!r})") == 0


def test_login_without_anybody_to_ask(kernel: Kernel) -> None:
    ran = kernel.run("%secgemini login")
    assert ran.status == "error"
    assert ran.error.startswith("SettingsError: Nobody can be asked for a key here")
    assert "SEC_GEMINI_API_KEY_FILE" in ran.error


def test_login_wins_over_the_environment(kernel: Kernel) -> None:
    kernel.run(f"import os; os.environ['SEC_GEMINI_API_KEY'] = {WRITTEN!r}")
    try:
        assert typed(kernel, "%secgemini login", KEY).status == "ok"
        assert kernel.run("%%secgemini -q\nhello").status == "ok"
        assert kernel.value("__import__('secgemini_jupyter').SecGemini().key_source") == "login"
        ran = kernel.run("%secgemini logout")
        assert "out of this kernel's memory" in ran.text
        assert "A key is still found: …3210 from SEC_GEMINI_API_KEY" in ran.text
        assert "del os.environ['SEC_GEMINI_API_KEY']" in ran.text
        assert "refused the key" in kernel.run("%%secgemini\nhello").error
    finally:
        kernel.run("del os.environ['SEC_GEMINI_API_KEY']")


def test_same_user_goes_on_in_the_same_session(kernel: Kernel) -> None:
    """A key that expired is changed for a new one in mid-conversation."""
    typed(kernel, "%secgemini login", KEY)
    kernel.run("%%secgemini -q -o one\nfirst")
    ran = typed(kernel, "%secgemini login", KEY)
    assert "left there" not in ran.text
    kernel.run("%%secgemini -q -o two\nsecond")
    assert kernel.value("one.session is two.session, two.session.turns") == (True, 2)


def test_kept_key_is_found_by_the_next_kernel(kernel: Kernel, folder: Path) -> None:
    ran = typed(kernel, "%secgemini login --keep", KEY)
    assert "Kept in the keyring (keyring in a file)" in ran.text
    assert KEY in (folder / "filering.json").read_text()
    kernel.run("%reload_ext secgemini_jupyter")
    assert "key …6789 from keyring" in kernel.run("%secgemini").text
    assert "the keyring's entry is deleted" in kernel.run("%secgemini logout").text
    assert KEY not in (folder / "filering.json").read_text()
    assert "local echo, not Sec-Gemini" in kernel.run("%secgemini").text
    assert "Nobody was logged in" in kernel.run("%secgemini logout").text


def test_keyring_that_deletes_nothing_fails_the_logout(kernel: Kernel, folder: Path) -> None:
    typed(kernel, "%secgemini login --keep", KEY)
    (folder / "stuck").touch()
    ran = kernel.run("%secgemini logout")
    assert ran.status == "error"
    assert "Logged out: the key is out of this kernel's memory" in ran.error
    assert "still holds the key: it did not delete it (not allowed). Delete the entry" in ran.error
    assert kernel.value("__import__('secgemini_jupyter.settings').settings.Login.key is None")


def test_logout_tells_of_a_key_file_that_cannot_be_read(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['SEC_GEMINI_API_KEY_FILE'] = '/nowhere/key'")
    try:
        assert typed(kernel, "%secgemini login", KEY).status == "ok"
        ran = kernel.run("%secgemini logout")
    finally:
        kernel.run("del os.environ['SEC_GEMINI_API_KEY_FILE']")
    assert ran.status == "ok"
    assert "Logged out" in ran.text
    assert "'/nowhere/key' cannot be read" in ran.text


def test_locked_keyring_leaves_the_key_in_memory(kernel: Kernel, folder: Path) -> None:
    (folder / "locked").touch()
    ran = typed(kernel, "%secgemini login --keep", KEY)
    assert ran.status == "ok"
    assert "did not take the key (the collection is locked). It is in this kernel's memory alone" in ran.text
    assert kernel.run("%%secgemini -q\nhello").status == "ok"
    assert KEY not in everything(kernel, ran)


@pytest.mark.parametrize(
    ("backend", "words"),
    [("keyring.backends.null.Keyring", "does not give it back"), ("keyring.backends.fail.Keyring", "did not take")],
)
def test_keyring_that_keeps_nothing_is_found_out(kernel: Kernel, backend: str, words: str) -> None:
    kernel.run(f"import keyring, keyring.core; keyring.set_keyring(keyring.core.load_keyring({backend!r}))")
    try:
        ran = typed(kernel, "%secgemini login --keep", KEY)
    finally:
        kernel.run("keyring.set_keyring(keyring.core.load_keyring('filering.Keyring'))")
    assert ran.status == "ok", ran.error
    assert words in ran.text
    assert "memory alone" in ran.text


def test_service_that_is_not_there(kernel: Kernel) -> None:
    kernel.run("import os; url = os.environ['SEC_GEMINI_API_HTTP_URL']")
    kernel.run("os.environ['SEC_GEMINI_API_HTTP_URL'] = 'http://127.0.0.1:9'")
    try:
        ran = typed(kernel, "%secgemini login", WRONG)
    finally:
        kernel.run("os.environ['SEC_GEMINI_API_HTTP_URL'] = url")
    assert ran.error.startswith("NetworkError: 127.0.0.1:9 cannot be reached")
    assert "nothing was kept or changed. See %secgemini doctor." in ran.error
    assert WRONG not in everything(kernel, ran)


def test_login_waits_for_a_job(kernel: Kernel) -> None:
    kernel.run("%secgemini new slow --model local-echo")
    assert kernel.run("%%secgemini --bg\n[[messages=3]] [[delay=5]]").status == "ok"
    ran = kernel.run("%secgemini login", attended=True)
    kernel.run("%secgemini stop")
    assert ran.status == "error"
    assert "A turn is running in session 'slow'" in ran.error
    assert "Nothing changed" in ran.error


def test_answers_of_jobs_outlive_a_login_and_a_logout(kernel: Kernel) -> None:
    kernel.run("%secgemini new quick --model local-echo")
    assert kernel.run("%%secgemini --bg\nasked before").status == "ok"
    kernel.run("%secgemini wait 1")
    assert typed(kernel, "%secgemini login", KEY).status == "ok"
    assert kernel.run("%secgemini logout").status == "ok"
    assert kernel.run("found = %secgemini wait 1").status == "ok"
    assert kernel.value("found.answer") == "asked before"


def test_key_that_ends_soon_is_told(kernel: Kernel) -> None:
    info = {"user": {"id": "eve", "key_expire_time": int(time.time()) + 3 * 86400 + 60}, "sessions": []}
    with web_server(lambda _: as_json(info | {"available_models": []})) as server:
        kernel.run("import os; url = os.environ['SEC_GEMINI_API_HTTP_URL']")
        kernel.run(f"os.environ['SEC_GEMINI_API_HTTP_URL'] = {server.url!r}")
        try:
            ran = typed(kernel, "%secgemini login", KEY)
        finally:
            kernel.run("os.environ['SEC_GEMINI_API_HTTP_URL'] = url")
    assert "It ends in 3 days" in ran.text
    assert "Get the next key" in ran.text


def test_chat_goes_over_to_the_service(kernel: Kernel) -> None:
    kernel.run("from secgemini_jupyter import chat; talk = chat()")
    assert typed(kernel, "%secgemini login", KEY).status == "ok"
    kernel.run("%%secgemini -q -o said\nhello")
    followed = kernel.run("import time\nwhile talk.session_id != said.session.id: time.sleep(0.01)")
    assert followed.status == "ok", followed.error
    while "hello" not in kernel.run("talk").text:  # it is told on another thread
        time.sleep(0.05)
    assert kernel.value("said.session.is_local") is False


def test_local_backend_refuses_before_anybody_types(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['SECGEMINI_BACKEND'] = 'local'")
    try:
        ran = kernel.run("%secgemini login", attended=True)
    finally:
        kernel.run("del os.environ['SECGEMINI_BACKEND']")
    assert ran.error.startswith("SettingsError: SECGEMINI_BACKEND is local")


def test_dotenv_is_read_for_one_name(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "my.env"
    path.write_text(
        f"SEC_GEMINI_API_HTTP_URL=https://evil.test\nexport SEC_GEMINI_API_KEY='{KEY}'  # mine\nOTHER=x1y2z3\n"
    )
    path.chmod(0o600)
    ran = kernel.run(f"%secgemini config --dotenv {path}")
    assert ran.status == "ok", ran.error
    assert "…6789 from .env file" in ran.text
    assert kernel.run("%%secgemini -q -o found\nhello").status == "ok"
    assert kernel.value("found.session.is_local") is False
    assert kernel.value("[n for n in __import__('os').environ if n in ('OTHER', 'SEC_GEMINI_API_KEY')]") == []
    shown = everything(kernel, ran)
    assert KEY not in shown
    assert "x1y2z3" not in shown
    assert "evil.test" not in shown


def test_no_terminal_to_type_in_says_so(local_service: LocalService, tmp_path: Path) -> None:
    """IPython behind a pipe: `getpass` would show what is typed."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SEC_GEMINI", "SECGEMINI"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", "%load_ext secgemini_jupyter\n%secgemini login"],
        env=environment | {"IPYTHONDIR": str(tmp_path), "SEC_GEMINI_API_HTTP_URL": local_service.http},
        input=f"{KEY}\n",
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,  # no terminal to fall back to
    )
    assert ran.returncode != 0
    assert "Nobody can be asked for a key here" in ran.stdout + ran.stderr
    assert KEY not in ran.stdout + ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of its own")
def test_key_is_typed_hidden_in_a_terminal(local_service: LocalService, tmp_path: Path) -> None:
    import io

    import pexpect

    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SEC_GEMINI", "SECGEMINI"))
    }
    screen = io.StringIO()
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--colors=NoColor", "--no-banner"],
        env=environment | {"IPYTHONDIR": str(tmp_path), "SEC_GEMINI_API_HTTP_URL": local_service.http, "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
    )
    terminal.logfile_read = screen
    terminal.expect(r"In \[1\]: ")
    terminal.sendline("%load_ext secgemini_jupyter")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline("%secgemini login")
    terminal.expect(r"\(hidden\): ")
    assert terminal.waitnoecho(10)
    terminal.sendline(KEY)
    terminal.expect("Logged in as local@localhost at 127.0.0.1")
    terminal.expect(r"In \[3\]: ")
    terminal.sendline("%history -g")
    terminal.expect(r"In \[4\]: ")
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert "%secgemini login" in screen.getvalue()
    assert KEY not in screen.getvalue()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_service_that_names_its_user_cannot_write_on_the_screen(kernel: Kernel) -> None:
    info = {"user": {"id": "eve\x1b[2J\u202e", "org_id": "x"}, "sessions": [], "available_models": []}
    with web_server(lambda _: as_json(info)) as server:
        kernel.run("import os; url = os.environ['SEC_GEMINI_API_HTTP_URL']")
        kernel.run(f"os.environ['SEC_GEMINI_API_HTTP_URL'] = {server.url!r}")
        try:
            ran = typed(kernel, "%secgemini login", KEY)
        finally:
            kernel.run("os.environ['SEC_GEMINI_API_HTTP_URL'] = url")
    assert ran.status == "ok", ran.error
    assert "Logged in as eve\\x1b[2J\\u202e at" in ran.text
