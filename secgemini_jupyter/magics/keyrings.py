"""The user's keyring (extra `keyring`), where `login --keep` puts a key. `settings.find_key` reads it.

A backend's errors and its frames may hold the key, so that neither leaves this module.
"""

from __future__ import annotations

import importlib.util

from secgemini_jupyter.errors import Secret, SettingsError, one_line, redact
from secgemini_jupyter.settings import KEY_VARIABLE, KEYRING_SERVICE

__all__ = ["backend_name", "forget", "is_installed", "is_usable", "keep"]


def is_installed() -> bool:
    return importlib.util.find_spec("keyring") is not None


def backend_name() -> str:
    """What the key would be kept in: `SecretService Keyring`, `macOS Keyring`…"""
    import keyring

    backend = keyring.get_keyring()
    return one_line(str(getattr(backend, "name", "") or type(backend).__name__))


def is_usable() -> bool:
    """Whether there is more than a stand-in that keeps nothing."""
    import keyring
    from keyring.backends import fail, null

    return not isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring)


def keep(secret: Secret) -> str:
    """Put the key into the keyring; gives the keyring's name.

    Raises:
        SettingsError: it refused, or does not give the key back.
    """
    import keyring

    try:
        keyring.set_password(KEYRING_SERVICE, KEY_VARIABLE, secret.reveal())
        is_kept = keyring.get_password(KEYRING_SERVICE, KEY_VARIABLE) == secret.reveal()
    except Exception as error:
        raise SettingsError(f"The keyring did not take the key ({_reason(error)}).") from None
    if not is_kept:
        raise SettingsError(f"The keyring ({backend_name()}) did not take the key: it does not give it back.")
    return backend_name()


def forget() -> bool:
    """Take the key out of the keyring; whether there was one.

    Raises:
        SettingsError: the keyring holds one, and does not delete it.
    """
    if not is_installed():
        return False
    import keyring

    try:
        if keyring.get_password(KEYRING_SERVICE, KEY_VARIABLE) is None:
            return False
    except Exception:  # none here, or locked: `find_key` finds nothing in it either
        return False
    try:
        keyring.delete_password(KEYRING_SERVICE, KEY_VARIABLE)
    except Exception as error:
        raise SettingsError(
            f"The keyring ({backend_name()}) still holds the key: it did not delete it ({_reason(error)}). "
            f"Delete the entry {KEYRING_SERVICE!r} in the keyring's own program."
        ) from None
    return True


def _reason(error: Exception) -> str:
    words = one_line(redact(str(error)))[:200].rstrip(".")
    return words or type(error).__name__
