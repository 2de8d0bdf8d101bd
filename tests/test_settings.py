"""Addresses, keys, backends: resolved once, from arguments, environment, defaults."""

from __future__ import annotations

import os
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from secgemini_jupyter import settings
from secgemini_jupyter.errors import Secret, SettingsError
from secgemini_jupyter.settings import (
    KEY_VARIABLE,
    Key,
    Login,
    ServeSettings,
    Settings,
    backend,
    find_key,
    missing_key_message,
    notebook_id,
    read_dotenv,
    read_key_file,
    scrubbed_environment,
)

FILE_VARIABLE = f"{KEY_VARIABLE}_FILE"


def test_the_defaults_are_the_service() -> None:
    found = Settings.from_environment({})
    assert (found.base_url, found.websocket_url) == ("https://api.secgemini.google", "wss://api.secgemini.google")
    assert found.logs_processor_url is None
    assert found.host == "api.secgemini.google"


def test_the_official_variables_are_read_and_blank_ones_are_not() -> None:
    environ = {
        "SEC_GEMINI_API_HTTP_URL": " https://a.example/prefix ",
        "SEC_GEMINI_API_WEBSOCKET_URL": "wss://b.example",
        "SEC_GEMINI_LOGS_PROCESSOR_API_URL": "https://c.example",
    }
    found = Settings.from_environment(environ)
    assert (found.base_url, found.websocket_url) == ("https://a.example/prefix", "wss://b.example")
    assert found.logs_processor_url == "https://c.example"
    assert Settings.from_environment(dict.fromkeys(environ, "  ")) == Settings()


def test_an_argument_wins_and_none_is_not_given() -> None:
    environ = {"SEC_GEMINI_API_HTTP_URL": "https://a.example"}
    assert Settings.from_environment(environ, base_url="https://b.example").base_url == "https://b.example"
    assert Settings.from_environment(environ, base_url=None).base_url == "https://a.example"


@pytest.mark.parametrize(
    ("base_url", "websocket_url"),
    [
        ("https://proxy.example:8443/user/x", "wss://proxy.example:8443/user/x"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000"),
        ("HTTPS://proxy.example", "wss://proxy.example"),
    ],
)
def test_a_base_url_alone_gives_the_websocket_url(base_url: str, websocket_url: str) -> None:
    assert Settings.from_environment({}, base_url=base_url).websocket_url == websocket_url
    assert Settings.from_environment({"SEC_GEMINI_API_HTTP_URL": base_url}).websocket_url == websocket_url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000", "http://127.0.0.1", "http://[::1]:9000", "https://service.example",
        "https://service.example:443/a/b", "http://LOCALHOST:1",
    ],
)  # fmt: skip
def test_addresses_that_are_taken(url: str) -> None:
    assert Settings(base_url=url, websocket_url="wss://h.example").base_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://service.example", "not encrypted"),
        ("http://localhost.evil.example", "not encrypted"),
        ("http://127.0.0.1.evil.example", "not encrypted"),
        ("http://0.0.0.0:8000", "not encrypted"),
        ("http://2130706433", "not encrypted"),
        ("http://localhost@evil.example", "user name or password"),
        ("https://key@service.example", "user name or password"),
        ("https://service.example?api_key=x", "query or fragment"),
        ("https://service.example#x", "query or fragment"),
        ("ftp://service.example", "no https:// address"),
        ("service.example", "no https:// address"),
        ("https://", "no https:// address"),
        ("https:///path", "no https:// address"),
        ("file:///etc/passwd", "no https:// address"),
        ("javascript:alert(1)", "no https:// address"),
        ("", "no https:// address"),
        ("https://[::1", "no address"),
        ("https://h.example:99999", "no address"),
        ("https://h.example:port", "no address"),
        ("https://h.example/a b", "white space"),
        ("https://h.example/\x1b[2J", "white space"),
        ("https://h.example\n.evil.example", "white space"),
    ],
)
def test_addresses_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        Settings(base_url=url)


@pytest.mark.parametrize("url", ["https://h.example", "ws://h.example", "ws://10.0.0.1:8000", "//h.example"])
def test_websocket_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Settings(websocket_url=url)
    with pytest.raises(SettingsError):
        Settings.from_environment({"SEC_GEMINI_API_WEBSOCKET_URL": url})


def test_a_refused_password_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(base_url="https://user:hunter2-hunter2@h.example")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), "5", None, True])
def test_a_limit_is_a_number_of_at_least_zero(value: Any) -> None:
    with pytest.raises(SettingsError, match="connect_timeout"):
        Settings(connect_timeout=value)
    assert Settings(connect_timeout=0, retries=0).retries == 0


def test_an_unknown_setting_is_named_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"conect_timeout.*Known settings: .*connect_timeout"):
        Settings.from_environment({}, conect_timeout=3)


def test_settings_are_frozen_and_changes_are_checked_again() -> None:
    found = Settings()
    with pytest.raises(FrozenInstanceError):
        found.base_url = "https://x.example"  # type: ignore[misc]
    assert found.replace(retries=0).retries == 0
    with pytest.raises(SettingsError, match="not encrypted"):
        found.replace(base_url="http://x.example")


def test_the_shown_host_has_the_port() -> None:
    assert Settings(base_url="http://127.0.0.1:8000/x").host == "127.0.0.1:8000"


# --- keys ---


@pytest.fixture
def no_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Colab nor a keyring of whoever runs the tests."""
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


def key_file(tmp_path: Path, content: bytes = b"file-key-0123456789\n", mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def module(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    made = ModuleType(name)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.mark.usefixtures("no_stores")
def test_the_variable_comes_before_the_file(tmp_path: Path) -> None:
    environ = {KEY_VARIABLE: " variable-key \n", FILE_VARIABLE: str(key_file(tmp_path))}
    key = find_key(environ)
    assert key is not None
    assert (key.secret.reveal(), key.source) == ("variable-key", KEY_VARIABLE)


@pytest.mark.usefixtures("no_stores")
def test_the_file_is_read_where_the_variable_is_blank(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    key = find_key({KEY_VARIABLE: "  ", FILE_VARIABLE: str(path)})
    assert key is not None
    assert (key.secret.reveal(), key.source) == ("file-key-0123456789", f"{FILE_VARIABLE} ({path})")
    assert "file-key" not in repr(key)


@pytest.mark.usefixtures("no_stores")
def test_no_key_is_none_and_the_message_says_where_keys_come_from() -> None:
    assert find_key({}) is None
    assert find_key({KEY_VARIABLE: ""}) is None
    assert KEY_VARIABLE in missing_key_message()
    assert "\n" not in missing_key_message()


def test_the_keyring_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    asked: list[tuple[str, str]] = []

    def get_password(service: str, name: str) -> str:
        asked.append((service, name))
        return "keyring-key-0123456789"

    module(monkeypatch, "keyring", get_password=get_password)
    key = find_key({})
    assert key is not None
    assert (key.secret.reveal(), key.source) == ("keyring-key-0123456789", "keyring")
    assert asked == [("secgemini-jupyter", KEY_VARIABLE)]
    variable = find_key({KEY_VARIABLE: "k"})
    assert variable is not None
    assert variable.source == KEY_VARIABLE
    assert len(asked) == 1


def test_colab_comes_before_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "keyring", get_password=lambda *_: "keyring-key")
    module(monkeypatch, "google")
    module(monkeypatch, "google.colab", userdata=SimpleNamespace(get=lambda name: f" {name}-of-colab\n"))
    key = find_key({})
    assert key is not None
    assert (key.secret.reveal(), key.source) == (f"{KEY_VARIABLE}-of-colab", "Colab userdata")


@pytest.mark.parametrize("answer", [RuntimeError("locked"), None, ""])
def test_a_store_that_fails_or_is_empty_is_passed_over(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def get(*_: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    module(monkeypatch, "keyring", get_password=get)
    module(monkeypatch, "google")
    module(monkeypatch, "google.colab", userdata=SimpleNamespace(get=get))
    assert find_key({}) is None


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_a_key_file_that_anyone_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match="can be written by anyone"):
        read_key_file(key_file(tmp_path, mode=mode))


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o644, 0o660])
def test_the_modes_of_mounted_secrets_are_taken(tmp_path: Path, mode: int) -> None:
    assert read_key_file(key_file(tmp_path, mode=mode)).reveal() == "file-key-0123456789"


def test_key_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_key_file(tmp_path / "absent")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_key_file(tmp_path)
    with pytest.raises(SettingsError, match="is empty"):
        read_key_file(key_file(tmp_path, b" \n"))
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_key_file(key_file(tmp_path, b"\xff\xfe\x00"))


def test_a_key_file_of_more_than_one_line_is_refused(tmp_path: Path) -> None:
    """It is some other file: its second line would break the header that carries the key."""
    with pytest.raises(SettingsError, match="holds more than a key") as caught:
        read_key_file(key_file(tmp_path, b"-----BEGIN KEY-----\nabcdefgh\n"))
    assert "abcdefgh" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs")
def test_a_key_file_that_is_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="no regular file"):
        read_key_file(tmp_path / "pipe")


# --- the rest of the environment ---


@pytest.mark.parametrize(
    ("value", "found"), [("", "auto"), (" local ", "local"), ("service", "service"), ("auto", "auto")]
)
def test_the_backend(value: str, found: str) -> None:
    assert backend({"SECGEMINI_BACKEND": value}) == found
    assert backend({}) == "auto"


@pytest.mark.parametrize("value", ["Local", "remote", "1"])
def test_another_backend_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=f"SECGEMINI_BACKEND is '{value}'"):
        backend({"SECGEMINI_BACKEND": value})


def test_a_notebook_is_known_by_what_its_front_end_says() -> None:
    lab = notebook_id({}, {"JPY_SESSION_NAME": "/home/a/x.ipynb"})
    code = notebook_id({"__vsc_ipynb_file__": "/home/a/x.ipynb"}, {"JPY_SESSION_NAME": "other"})
    assert lab == code
    assert lab is not None
    assert len(lab) == 32
    assert notebook_id({}, {"JPY_SESSION_NAME": "/home/a/y.ipynb"}) != lab
    assert notebook_id({}, {}) is None


def test_a_scrubbed_environment_has_no_credentials() -> None:
    environ = {
        "PATH": "/bin", "HOME": "/root", "LANG": "C", "SEC_GEMINI_API_KEY": "a", "SEC_GEMINI_API_KEY_FILE": "b",
        "GITHUB_TOKEN": "c", "AWS_SECRET_ACCESS_KEY": "d", "PGPASSWORD": "e", "GOOGLE_APPLICATION_CREDENTIALS": "f",
        "SECGEMINI_LOCAL_LLM_KEY": "g", "secgemini_Api_Key": "h", "SSH_AUTH_SOCK": "i", "DB_PASSWD": "j",
        "SECGEMINI_SERVE_API_KEY": "k", "MYSQL_PWD": "l", "SMTP_PASS": "m", "PGPASS": "n", "GITHUB_PAT": "o",
        "DBPWD": "p", "PASS": "q", "REDIS_PASS_2": "r", "RESTIC_PASSPHRASE": "s", "SENTRY_DSN": "t", "DB_CREDS": "u",
        "SESSION_COOKIE": "v", "AZURE_STORAGE_CONNECTION_STRING": "w", "ADMIN_PWD_OLD": "x", "gh_pat": "y",
    }  # fmt: skip
    assert set(scrubbed_environment(environ)) == {"PATH", "HOME", "LANG"}


def test_a_scrubbed_environment_keeps_what_a_program_needs() -> None:
    names = ["PATH", "PWD", "OLDPWD", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH", "JUPYTER_DATA_DIR", "TMPDIR",
             "COMPASS_HOME", "PASSENGER_ROOT", "PATTERN", "SECGEMINI_LOCAL_ENGINE", "XDG_RUNTIME_DIR"]  # fmt: skip
    environ = dict.fromkeys(names, "user@example.org:/a/b")
    assert scrubbed_environment(environ) == environ


def test_addresses_with_a_password_do_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"HTTPS_PROXY": "http://user:pw@proxy.example:3128", "HTTP_PROXY": "http://proxy.example", "PATH": "/bin",
               "REMOTE": "https://a-token@h", "INDEX": "x https://:pw@h/simple", "BROKER": "amqp://u@h"}  # fmt: skip
    assert set(scrubbed_environment(environ)) == {"HTTP_PROXY", "PATH"}


def test_what_the_server_reads() -> None:
    found = ServeSettings.from_environment({"SECGEMINI_SERVE_API_KEY": " serve-key ", "SECGEMINI_LOCAL_ENGINE": "echo"})
    assert (found.api_key, found.engine) == (Secret("serve-key"), "echo")
    assert "serve-key" not in repr(found)
    assert ServeSettings.from_environment({}) == ServeSettings()


@pytest.mark.parametrize(
    ("find", "variable"), [(settings.data_dir, "JUPYTER_DATA_DIR"), (settings.runtime_dir, "JUPYTER_RUNTIME_DIR")]
)
def test_our_folders_are_made_private(
    find: Any, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "deep" / "dir"))
    path = find()
    assert path.is_relative_to(tmp_path / "deep" / "dir")
    assert path.stat().st_mode & 0o777 == 0o700
    assert find() == path


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("SEC_GEMINI_API_KEY=abc-123", "abc-123"),
        ("A=1\nexport SEC_GEMINI_API_KEY = 'abc-123'\nB=2\n", "abc-123"),
        ('SEC_GEMINI_API_KEY="abc#123" # mine\r\n', "abc#123"),
        ("SEC_GEMINI_API_KEY=old\nSEC_GEMINI_API_KEY=new", "new"),
        ("\tSEC_GEMINI_API_KEY=${HOME}", "${HOME}"),
        ("SEC_GEMINI_API_KEY=abc+/=123", "abc+/=123"),
    ],
)
def test_a_dotenv_file_gives_one_name_as_it_stands(tmp_path: Path, lines: str, key: str) -> None:
    assert read_dotenv(key_file(tmp_path, lines.encode())).reveal() == key


@pytest.mark.parametrize(
    "lines",
    ["", "# SEC_GEMINI_API_KEY=abc", "SEC_GEMINI_API_KEY=", "MY_SEC_GEMINI_API_KEY=abc", "SEC_GEMINI_API_KEY_FILE=x",
     "SEC_GEMINI_API_KEY='abc", 'SEC_GEMINI_API_KEY=""', "X='\nSEC_GEMINI_API_KEY"],
)  # fmt: skip
def test_a_dotenv_file_without_the_name_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(SettingsError, match="sets no SEC_GEMINI_API_KEY") as caught:
        read_dotenv(key_file(tmp_path, lines.encode()))
    assert "abc" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_dotenv_file_that_anyone_can_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.env file .* can be written by anyone"):
        read_dotenv(key_file(tmp_path, b"SEC_GEMINI_API_KEY=abc", mode=0o666))
    with pytest.raises(SettingsError, match="cannot be read"):
        read_dotenv(tmp_path / "absent")


def test_a_login_goes_before_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "variable-key-0123456789")
    monkeypatch.setattr(Login, "key", Key(Secret("login-key-0123456789"), "login"))
    found = find_key()
    assert found is not None
    assert str(found) == "…6789 from login"
    assert str(find_key({KEY_VARIABLE: "short"})) == f"… from {KEY_VARIABLE}"
