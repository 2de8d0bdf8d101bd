"""Addresses, limits, the API key and the notebook's identity: with `language_model`, all that reads the environment.

Resolution order of each setting: argument, environment, default. Resolved once and handed down, frozen.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from secgemini_jupyter.disk import UnreadableError, opened
from secgemini_jupyter.errors import Secret, SettingsError

__all__ = ["Settings"]

KEY_VARIABLE = "SEC_GEMINI_API_KEY"
KEYRING_SERVICE = "secgemini-jupyter"
HTTP_URL = "https://api.secgemini.google"
WEBSOCKET_URL = "wss://api.secgemini.google"
KEY_PAGE = "https://secgemini.google/keys"
MIN_TTL = 300
"""Seconds; the service refuses less."""
MAX_TOOL_CALLS = 50
MIB = 2**20

Backend = Literal["auto", "service", "local"]
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the service is and how long we wait for it. Times in seconds, sizes in bytes.

    `Settings.from_environment(max_attachment_bytes=…)` resolves addresses like the client does by itself.
    """

    base_url: str = HTTP_URL
    websocket_url: str = WEBSOCKET_URL
    logs_processor_url: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 90.0
    """Silence that one HTTP reply may have."""
    total_timeout: float = 600.0
    """What one call over HTTP may take in all, tries and pauses included, however busy the line is; 0 for no limit."""
    turn_timeout: float = 7200.0
    """A turn's deadline, from the prompt to its END."""
    silence_timeout: float = 90.0
    """Without a frame for so long, we ask the service over HTTP how the turn stands. A frame of ours that it does not
    take in that time is a cut."""
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    retries: int = 3
    """Tries after the first one of a request that may be sent again."""
    reconnects: int = 5
    """Attempts in a row, without a new message between them, to get a cut stream back."""
    verify_turns: bool = False
    """Compare every turn with the stored session before its END is given; else only where something was odd: a cut, a
    repetition, another order. It costs a GET of the session each."""
    key_in_url: bool | None = None
    """Whether the WebSocket's key goes in the query, as the service asks, or in a header; None: header on loopback."""
    max_frame_bytes: int = 32 * MIB
    max_reply_bytes: int = 512 * MIB
    """What one reply over HTTP may hold, unpacked, and all frames of a turn together; a session is read as one reply.
    0 for no limit."""
    max_attachment_bytes: int = 100 * MIB
    max_prompt_bytes: int = MIB - 16_384
    """A prompt travels in one frame, and services close the connection at one of 1 MiB (protocol section 10.8)."""
    tool_timeout: float = 60.0
    """Time one call of a local tool may take."""
    max_tool_calls: int = MAX_TOOL_CALLS
    """Calls of local tools that the service may make in one turn."""
    activity_log: bool | None = None
    """Whether what is done in a session is logged on this machine; None: unless `SECGEMINI_ACTIVITY_LOG` is `off`."""

    def __post_init__(self) -> None:
        for name, schemes in (("base_url", "http"), ("websocket_url", "ws"), ("logs_processor_url", "http")):
            url = getattr(self, name)
            if url is not None:
                _check_url(name, url, schemes)
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(each.default, (int, float)):
                continue
            if isinstance(each.default, bool):
                if not isinstance(value, bool):
                    raise SettingsError(f"{each.name} is {value!r}: pass True or False.")
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise SettingsError(f"{each.name} is {value!r}: pass a number of at least 0.")
        if self.activity_log not in (None, True, False):
            raise SettingsError(f"activity_log is {self.activity_log!r}: pass True, False or None.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Settings from arguments (None counts as not given), else from the official SDK's variables, else defaults.

        A base URL without a WebSocket URL gives both, so that a proxy or a local server needs one variable.

        Raises:
            SettingsError: an address has another scheme, or a plain one that is not on this machine.
        """
        values = {name: value for name, value in given.items() if value is not None}
        for name, variable in (
            ("base_url", "SEC_GEMINI_API_HTTP_URL"),
            ("websocket_url", "SEC_GEMINI_API_WEBSOCKET_URL"),
            ("logs_processor_url", "SEC_GEMINI_LOGS_PROCESSOR_API_URL"),
        ):
            if name not in values and (value := _variable(environ, variable)):
                values[name] = value
        values.setdefault("max_tool_calls", tool_call_limit(environ))
        if "base_url" in values and "websocket_url" not in values:
            scheme, colon, rest = str(values["base_url"]).partition(":")
            values["websocket_url"] = scheme.lower().replace("http", "ws", 1) + colon + rest
        try:
            return cls(**values)
        except TypeError as error:
            raise SettingsError(f"{error}. Known settings: {', '.join(f.name for f in fields(cls))}.") from None

    def replace(self, **changes: Any) -> Settings:
        return replace(self, **changes)

    @property
    def websocket_key_in_url(self) -> bool:
        if self.key_in_url is not None:
            return self.key_in_url
        return urlsplit(self.websocket_url).hostname not in LOOPBACK_HOSTS

    @property
    def host(self) -> str:
        """Host (and port) that answers come from, as shown to the user."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]


def tool_call_limit(environ: Mapping[str, str] | None = None) -> int:
    """Calls of local tools in one turn: `SECGEMINI_MAX_TOOL_CALLS`, else 50.

    Raises:
        SettingsError: it is no whole number.
    """
    said = _variable(environ, "SECGEMINI_MAX_TOOL_CALLS")
    if not said:
        return MAX_TOOL_CALLS
    if not re.fullmatch("[0-9]{1,9}", said):
        raise SettingsError(f"SECGEMINI_MAX_TOOL_CALLS is {said[:40]!r}: set a whole number, or unset it.")
    return int(said)


def _check_url(name: str, url: str, scheme: str) -> None:
    shown = repr(url).rpartition("@")[2].strip("'")  # a user name and password before it are not shown
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        raise SettingsError(f"{name} '{shown}' has white space or controls in it. Pass {scheme}s://host[:port].")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(f"{name} '{shown}' is no address. Pass {scheme}s://host[:port].") from None
    if parts.scheme not in (scheme, scheme + "s") or not host:
        raise SettingsError(f"{name} '{shown}' is no {scheme}s:// address. Pass {scheme}s://host[:port].")
    if parts.username or parts.password:
        raise SettingsError(f"{name} holds a user name or password. Leave it out: the key travels in a header.")
    if parts.query or parts.fragment:
        raise SettingsError(f"{name} '{shown}' has a query or fragment. Pass {scheme}s://host[:port][/path].")
    if parts.scheme == scheme and host not in LOOPBACK_HOSTS:
        raise SettingsError(f"{name} '{shown}' is not encrypted: the key would travel in clear. Use {scheme}s://.")


@dataclass(frozen=True)
class Key:
    """An API key and where it was found: the source may be shown, the value may not."""

    secret: Secret
    source: str

    def __str__(self) -> str:
        return f"{self.secret.hint} from {self.source}"


class Login:
    """The key that the user of this process gave by hand: in memory alone, and before all that is found."""

    key: ClassVar[Key | None] = None
    by: ClassVar[object] = None
    """Who takes the key back: the sessions of the shell that somebody logged in from."""
    spilt: ClassVar[list[Secret]] = []
    """Keys that somebody wrote into a cell: known here, so that no prompt, output or error of ours repeats them."""


def find_key(environ: Mapping[str, str] | None = None) -> Key | None:
    """The key of this process, or None: the login's, then variable, file, Colab's store, keyring (extra).

    Somebody who logs in means it, so a login goes before what the environment holds; `environ` looks there alone.

    Raises:
        SettingsError: a key file is named that cannot be read, is empty, or can be written by anyone.
    """
    if environ is None and Login.key:
        return Login.key
    if secret := Secret(_variable(environ, KEY_VARIABLE)):
        return Key(checked_key(secret, KEY_VARIABLE), KEY_VARIABLE)
    if path := _variable(environ, f"{KEY_VARIABLE}_FILE"):
        return Key(read_key_file(Path(path)), f"{KEY_VARIABLE}_FILE ({path})")
    for source, find in (("Colab userdata", _colab_key), ("keyring", _keyring_key)):
        if found := find():
            return Key(found, source)
    return None


def _variable(environ: Mapping[str, str] | None, name: str) -> str:
    """A variable, in a frame of its own: a verbose traceback prints local variables, the whole environment included."""
    return (os.environ if environ is None else environ).get(name, "").strip()


def read_key_file(path: Path) -> Secret:
    """The key in a mounted secret.

    Raises:
        SettingsError: the file cannot be read, is empty, or can be written by anyone.
    """
    secret = Secret(_private_text(path, "key file").reveal().strip())
    if not secret:
        raise SettingsError(f"The key file {str(path)!r} is empty. Get a key at {KEY_PAGE}.")
    return checked_key(secret, f"The key file {str(path)!r}")


_DOTENV_LINE = (  # compiled where it is used: most kernels never do
    rf"""(?m)^[ \t]*(?:export[ \t]+)?{KEY_VARIABLE}[ \t]*=[ \t]*(?P<quote>["']?)(?P<value>[^"'\r\n]*?)(?P=quote)"""
    r"[ \t]*(?:[ \t]#[^\r\n]*)?\r?$"
)


def read_dotenv(path: Path) -> Secret:
    """The key in a `.env` file: of its names this one alone is read, and nothing is exported.

    A library for such files would hold all of its secrets, and put variables of ours into their values.

    Raises:
        SettingsError: the file cannot be read, has no key, or can be written by anyone.
    """
    found = [
        Secret(match["value"].strip()) for match in re.finditer(_DOTENV_LINE, _private_text(path, ".env file").reveal())
    ]
    if not found or not found[-1]:  # the last one counts, as in a shell
        raise SettingsError(f"The .env file {str(path)!r} sets no {KEY_VARIABLE}. Add a line {KEY_VARIABLE}=… to it.")
    return checked_key(found[-1], f"{KEY_VARIABLE} in the .env file {str(path)!r}")


def _private_text(path: Path, kind: str) -> Secret:
    """What a file holds, at most 64 kB.

    Raises:
        SettingsError: the file cannot be read, or can be written by anyone.
    """
    try:
        with opened(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = Secret(file.read(64 * 1024).decode("utf-8"))
    except UnreadableError:
        raise SettingsError(f"The {kind} {str(path)!r} is no regular file. Write the key to a file.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(f"The {kind} {str(path)!r} cannot be read: {reason}.") from None
    if os.name == "posix" and mode & stat.S_IWOTH:
        raise SettingsError(f"The {kind} {str(path)!r} can be written by anyone. Run: chmod o-w on it.")
    return secret


def checked_key(secret: Secret, where: str) -> Secret:
    """`secret`, if a header can carry it.

    Raises:
        SettingsError: it holds something else.
    """
    if not secret.reveal().isascii() or not secret.reveal().isprintable() or " " in secret.reveal():
        raise SettingsError(f"{where} holds more than a key: white space or special characters. Keep the key alone.")
    return secret


def _colab_key() -> Secret | None:
    if "google.colab" not in sys.modules:
        return None
    from google.colab import userdata  # exists in Colab only

    try:
        return Secret(userdata.get(KEY_VARIABLE).strip())
    except Exception:  # Colab raises its own errors for a missing secret and for one not granted to this notebook
        return None


def _keyring_key() -> Secret | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        value = keyring.get_password(KEYRING_SERVICE, KEY_VARIABLE)
    except Exception:  # a backend's own errors: locked, absent, no session bus
        return None
    return Secret(value) if value else None


def missing_key_message() -> str:
    return (
        f"No API key: pass api_key, set {KEY_VARIABLE} or {KEY_VARIABLE}_FILE, or log in by %secgemini login "
        f"(keys: {KEY_PAGE}); SecGemini.local() is the local service."
    )


def backend(environ: Mapping[str, str] | None = None) -> Backend:
    """What the magics talk to: `auto` is the service if a key is found, else the local service.

    Raises:
        SettingsError: `SECGEMINI_BACKEND` has another value.
    """
    value = _variable(environ, "SECGEMINI_BACKEND") or "auto"
    if value not in ("auto", "service", "local"):
        raise SettingsError(f"SECGEMINI_BACKEND is {value!r}. Set it to auto, service or local.")
    return value  # type: ignore[return-value]  # narrowed by the line above


def keeps_activity_log(environ: Mapping[str, str] | None = None) -> bool:
    """
    Raises:
        SettingsError: `SECGEMINI_ACTIVITY_LOG` is neither on nor off.
    """
    value = _variable(environ, "SECGEMINI_ACTIVITY_LOG").lower() or "on"
    if value not in ("on", "off"):
        raise SettingsError(f"SECGEMINI_ACTIVITY_LOG is {value!r}. Set it to on or off.")
    return value == "on"


def serves_live_widgets(environ: Mapping[str, str] | None = None) -> bool:
    """Whether Voila runs this kernel: it may not ask its user anything, and yet shows widgets."""
    return _variable(environ, "SERVER_SOFTWARE").startswith("voila/")


def proxy_for(url: str) -> str | None:
    """The proxy on the way to `url` (http, https, ws, wss), as the environment or the system says; None for none.

    One answer for requests and stream: httpx and websockets read the variables each in its own way. A stream goes where
    requests of its kind go (`HTTPS_PROXY`, else `ALL_PROXY`, else `SOCKS_PROXY`), unless `WSS_PROXY` is set. Exceptions
    are those of `NO_PROXY`, as Python reads it: a name stands for its subdomains too, a port may follow, `*` is all.
    """
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme in ("https", "wss")
    port = parts.port or (443 if is_secure else 80)
    if host in LOOPBACK_HOSTS or urllib.request.proxy_bypass(f"{host}:{port}"):
        return None  # what goes to this machine, no proxy must see
    known = urllib.request.getproxies()
    names = [parts.scheme] if parts.scheme in ("ws", "wss") else []
    names += ["https" if is_secure else "http", "all", "socks"]
    name = next((name for name in names if known.get(name)), None)
    return None if name is None else _whole_proxy(known[name], "socks5h" if name == "socks" else "http")


def _whole_proxy(address: str, scheme: str) -> str:
    """`address` as httpx and websockets both take it: with a scheme, and a password, if an empty one, behind a user."""
    if scheme == "socks5h" or "://" not in address:
        address = f"{scheme}://{address.rpartition('://')[2]}"
    before, at, host = address.rpartition("@")
    return f"{before}:@{host}" if at and ":" not in before.partition("://")[2] else address


def network_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the environment says of proxies and authorities. A proxy's address may hold a password: do not show it."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "WSS_PROXY", "SOCKS_PROXY")
    files = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    wanted = [*names, *(name.lower() for name in names), *files]
    return {name: value for name in wanted if (value := _variable(environ, name))}


def front_end(namespace: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str:
    """The program that shows this kernel's outputs, as far as it says so; empty where it does not."""
    if "google.colab" in sys.modules:
        return "Colab"
    if "__vsc_ipynb_file__" in namespace or _variable(environ, "VSCODE_PID"):
        return "VS Code"
    if serves_live_widgets(environ):
        return "Voila"
    return "a Jupyter server (JupyterLab or Notebook)" if _variable(environ, "JPY_SESSION_NAME") else ""


def notebook_id(namespace: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str | None:
    """An id for this kernel's notebook, or None where the front end does not say (nbclient, papermill)."""
    name = namespace.get("__vsc_ipynb_file__") or _variable(environ, "JPY_SESSION_NAME")
    return hashlib.sha256(str(name).encode()).hexdigest()[:32] if name else None


def notebook_path(namespace: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Path | None:
    """This kernel's notebook on disk, where the front end tells it by its whole path."""
    name = namespace.get("__vsc_ipynb_file__") or _variable(environ, "JPY_SESSION_NAME")
    path = Path(str(name)) if name else None
    return path if path and path.is_absolute() and path.parent.is_dir() else None


def notebook_folder(namespace: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Path | None:
    """Where this kernel's notebook is; where no front end tells it, the working folder. None: that was deleted."""
    notebook = notebook_path(namespace, environ)
    if notebook:
        return notebook.parent
    try:
        folder = Path.cwd()
        told = folder / _variable(environ, "JPY_SESSION_NAME")  # may be a path from there
        return told.parent if told.is_file() else folder
    except (OSError, ValueError):
        return None


def data_dir() -> Path:
    """`secgemini-jupyter/` in Jupyter's data directory; made with mode 0700."""
    from jupyter_core.paths import jupyter_data_dir

    path = Path(jupyter_data_dir()) / "secgemini-jupyter"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def runtime_dir() -> Path:
    """Jupyter's runtime directory; made with mode 0700."""
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir())
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


# Short words count where a part of the name begins or ends: PWD and OLDPWD are folders, PATH is no PAT.
_CREDENTIAL_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|CONNECTION_?STRING"
    r"|PASS$|(?:^|_)(?:PASS|PAT|PSW|CREDS?|JWT|SAS|DSN)(?=_|\d|$)|(?<=[A-Z0-9_])(?<!OLD)PWD(?=_|\d|$)",
    re.IGNORECASE,
)
# A user name alone may be a token (https://TOKEN@host); a host cannot hold an @, so what stands before one is no host.
_USER_IN_URL = re.compile(r"://[^/\s@]+@")
_LOGIN = re.compile(r"://([^/\s@]+)@")


def scrubbed_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for the local server and its workers, without variables that look like a credential.

    They do by a word in their name (key, token, secret, password, passwd, pass, pwd, credential, auth, PAT, cookie,
    DSN and the like; not plain `PWD`), or by an address with a user name or password in their value (`HTTPS_PROXY`).
    A credential under another name stays.
    """
    return {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if not (_CREDENTIAL_NAME.search(name) or _USER_IN_URL.search(value))
    }


def credentials(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment's values that `scrubbed_environment` leaves out, if they are long enough to be no ordinary word.

    Of an address with a user name or password, that part is one too, and the password alone.
    """
    environ = os.environ if environ is None else environ
    kept = scrubbed_environment(environ)
    found = {name: value for name, value in environ.items() if name not in kept and len(value) >= 8}
    for name, value in list(found.items()):
        if login := _LOGIN.search(value):
            parts = {f"{name} login": login[1], f"{name} password": login[1].partition(":")[2]}
            found |= {part: text for part, text in parts.items() if len(text) >= 8}
    return found


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What `secgemini-jupyter serve` reads from the environment. The server checks `engine`: it knows them."""

    api_key: Secret | None = field(default=None)
    engine: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ServeSettings:
        key = Secret(_variable(environ, "SECGEMINI_SERVE_API_KEY"))
        return cls(api_key=key or None, engine=_variable(environ, "SECGEMINI_LOCAL_ENGINE") or None)
