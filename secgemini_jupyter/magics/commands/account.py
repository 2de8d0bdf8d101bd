"""Subcommands about the key: whose it is, what it may do, and how to get one into this kernel."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from IPython.core.error import StdinNotImplementedError, UsageError

from secgemini_jupyter.client.limits import Warned, expiry
from secgemini_jupyter.errors import (
    AuthenticationError,
    NetworkError,
    SecGeminiError,
    Secret,
    SettingsError,
    one_line,
)
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.options import arg
from secgemini_jupyter.settings import (
    KEY_PAGE,
    KEY_VARIABLE,
    Key,
    Login,
    Settings,
    backend,
    checked_key,
    find_key,
    read_dotenv,
)

if TYPE_CHECKING:
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS", "use_dotenv"]

IN_MEMORY = "It is in this kernel's memory alone, and gone when the kernel ends."


def login(magics: SecGeminiMagics, line: str) -> Line:
    from secgemini_jupyter.magics import keyrings

    keep = _wants_keep(line)
    _refuse_in_vain(magics.kernel)
    if keep and not keyrings.is_installed():
        raise UsageError(
            "%secgemini login --keep needs a keyring: pip install 'secgemini-jupyter[keyring]'. "
            "Without --keep the key stays in this kernel's memory. Nothing was asked."
        )
    host = Settings.from_environment().host
    said = _become(magics.kernel, Key(checked_key(_asked(host), "What was typed"), "login"))
    return Line(one_line(f"{said} {_kept() if keep else IN_MEMORY}"))


def use_dotenv(magics: SecGeminiMagics, path: str) -> Line:
    """Log in with the key of a `.env` file that the user names."""
    _refuse_in_vain(magics.kernel)
    file = Path(path).expanduser()
    return Line(one_line(_become(magics.kernel, Key(read_dotenv(file), f".env file {str(file)!r}"))))


def logout(magics: SecGeminiMagics, _: Namespace) -> Line:
    from secgemini_jupyter.magics import keyrings

    kernel = magics.kernel
    done = []
    if Login.key:
        Login.key = None
        done.append("the key is out of this kernel's memory")
    if kernel.has_client and not kernel.is_local:
        kernel.leave()
        done.append("connections are closed, sessions stay at the service")
    left = ""
    try:
        if keyrings.forget():
            done.append("the keyring's entry is deleted")
    except SettingsError as error:
        left = str(error)
    said = f"Logged out: {', '.join(done)}." if done else "Nobody was logged in here."
    if left:
        raise SettingsError(f"{said} {left}")
    return Line(one_line(f"{said} {_still_found()}"))


def _wants_keep(line: str) -> bool:
    """Read the line without repeating what stands there: it may be a key.

    Raises:
        UsageError: something else stands there.
    """
    others = [word for word in line.split() if word not in ("--keep", "--keyring")]
    if others:
        Login.spilt += [Secret(word.rpartition("=")[2].strip("'\"")) for word in others]
        del others, line
        raise UsageError(
            "%secgemini login takes no key on its line: you are asked for it. If that was a key, it is in this "
            f"notebook and in IPython's history now: delete the cell, and get a new key at {KEY_PAGE}."
        )
    return bool(line.strip())


def _refuse_in_vain(kernel: KernelSession) -> None:
    """Before anybody types a key.

    Raises:
        SettingsError: it would not be used.
        InputError: a turn is running.
    """
    if backend() == "local":
        raise SettingsError(
            "SECGEMINI_BACKEND is local: this kernel asks the local service alone, and no key is used. "
            "Unset it, then log in. Nothing was asked or sent."
        )
    kernel.check_idle()


def _asked(host: str) -> Secret:
    """A key that somebody types, or pastes, without its being shown.

    Raises:
        SettingsError: nobody can be asked here, or nothing was typed.
    """
    import getpass
    import warnings

    try:
        with warnings.catch_warnings():
            # Where the terminal cannot hide what is typed, `getpass` warns and shows it.
            warnings.simplefilter("error", getpass.GetPassWarning)
            secret = Secret(getpass.getpass(f"API key for {host} (hidden): ").strip())
    except (StdinNotImplementedError, getpass.GetPassWarning, EOFError, OSError):
        raise SettingsError(
            "Nobody can be asked for a key here: there is no input, or none that hides it. "
            f"Set {KEY_VARIABLE}, or {KEY_VARIABLE}_FILE to the path of a file that holds it."
        ) from None
    if not secret:
        raise SettingsError(f"No key was typed. Nothing changed. Get one at {KEY_PAGE}.")
    return secret


def _become(kernel: KernelSession, key: Key) -> str:
    """Have the service say whose key it is, and use it in this kernel from now on."""
    from secgemini_jupyter.client.interruptible import InterruptibleSecGemini

    client = InterruptibleSecGemini(key)
    try:
        with Warned.in_words():
            user = client.user_info().user
        was_local = kernel.has_client and kernel.is_local
        left = kernel.change_client(client)
    except AuthenticationError as error:
        client.close()
        raise AuthenticationError(
            f"{client.settings.host} does not take this key ({error.status}). Nothing was kept or changed. "
            f"Look at your keys at {KEY_PAGE}.",
            status=error.status,
        ) from None
    except NetworkError as error:
        client.close()
        _unchanged(error)
    except SecGeminiError:
        client.close()
        raise
    except KeyboardInterrupt:
        client.close()
        raise
    Login.key, Login.by = key, kernel
    who = f"{user.id} at {client.settings.host}" if user.id else client.settings.host
    said = f"Logged in as {who}, key {key}."
    state, words, advice = expiry(user.key_expire_time)
    if state != "ok":
        said += f" It ends {words}. {advice}" if state == "warn" else f" It {words}. {advice}"
    if left:
        whose = "the local service" if was_local else "the service"
        said += f" {_sessions(len(left))} of {whose} {'is' if len(left) == 1 else 'are'} left there: {', '.join(left)}."
    return said


def _unchanged(error: NetworkError) -> NoReturn:
    raise NetworkError(
        f"{str(error).rstrip('.')}. The key could not be checked: nothing was kept or changed. See %secgemini doctor.",
        nothing_sent=error.nothing_sent,
    ) from None


def _kept() -> str:
    """Put the login's key into the keyring, and say how that went: if it went wrong, the login still holds."""
    from secgemini_jupyter.magics import keyrings

    assert Login.key is not None
    try:
        return f"Kept in the keyring ({keyrings.keep(Login.key.secret)}) for kernels to come."
    except SettingsError as error:
        return f"{error} {IN_MEMORY}"


def _still_found() -> str:
    """Where a key comes from all the same, and how to take it away: that is the user's to do."""
    try:
        key = find_key() if backend() != "local" else None
    except SettingsError as error:  # a key file that cannot be read
        return str(error)
    if key is None:
        return ""
    advice = {
        KEY_VARIABLE: f"del os.environ[{KEY_VARIABLE!r}]",
        "Colab userdata": "withdraw it in Colab's secrets",
    }.get(key.source, f"del os.environ['{KEY_VARIABLE}_FILE']")
    return f"A key is still found: {key}. The next cell uses it; to end that: {advice}."


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"


COMMANDS = (
    Command(
        "login",
        "type an API key, hidden; it is checked, and used in this kernel",
        login,
        [arg("--keep", "--keyring", action="store_true", help="also put it into the keyring, for kernels to come")],
        takes_line=True,
    ),
    Command("logout", "forget the login's key, here and in the keyring; close connections", logout),
)
