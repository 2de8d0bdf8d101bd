"""Which language model the local service may ask: the `SECGEMINI_LOCAL_LLM_*` variables.

Any chat endpoint in OpenAI's form will do. Its key goes to the local service's process, and to the endpoint.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from secgemini_jupyter.errors import Secret, SettingsError, one_line
from secgemini_jupyter.settings import LOOPBACK_HOSTS, checked_key, read_key_file

__all__ = ["LanguageModel"]

PREFIX = "SECGEMINI_LOCAL_LLM_"
URL_VARIABLE = f"{PREFIX}URL"
MODEL_VARIABLE = f"{PREFIX}MODEL"
KEY_VARIABLE = f"{PREFIX}KEY"
TIMEOUT_VARIABLE = f"{PREFIX}TIMEOUT"
CONTEXT_VARIABLE = f"{PREFIX}CONTEXT"
ENGINE_VARIABLE = "SECGEMINI_LOCAL_ENGINE"
TIMEOUT = 300.0
MIN_CONTEXT = 512
PATH = "/chat/completions"
NOT_CONFIGURED = (
    f"The engine 'openai' asks a language model, and none is configured: set {URL_VARIABLE} to an OpenAI-compatible "
    f"endpoint, as in http://localhost:11434/v1, and {MODEL_VARIABLE} to a model's name there."
)


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """An endpoint and what to ask it for.

    Attributes:
        url: its base, with the version: `/chat/completions` is added.
        name: of the model there; empty where the endpoint shall say which it has.
        timeout: seconds of silence, before an answer's first word or between two of its pieces.
        context: tokens that prompt and answer may have together; None where nobody said.
    """

    url: str
    name: str = ""
    key: Secret | None = None
    timeout: float = TIMEOUT
    context: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> LanguageModel | None:
        """What the environment says; None without a URL.

        Raises:
            SettingsError: it makes no sense, or a key would travel in clear.
        """
        url = _variable(environ, URL_VARIABLE)
        if not url:
            return None
        base = _checked_url(url)
        key = _key(environ)
        parts = urlsplit(base)
        if key and parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            raise SettingsError(
                f"{URL_VARIABLE} names {parts.hostname} by http://: the key would travel in clear. "
                f"Use https://, or unset {KEY_VARIABLE}."
            )
        context = _number(environ, CONTEXT_VARIABLE, MIN_CONTEXT)
        return cls(
            url=base,
            name=one_line(_variable(environ, MODEL_VARIABLE)),
            key=key,
            timeout=_number(environ, TIMEOUT_VARIABLE, 1) or TIMEOUT,
            context=int(context) if context else None,
        )

    @property
    def host(self) -> str:
        """Host, and port where one is named."""
        return urlsplit(self.url).netloc

    @property
    def is_on_this_machine(self) -> bool:
        return urlsplit(self.url).hostname in LOOPBACK_HOSTS

    @property
    def title(self) -> str:
        return self.titled(self.name)

    def titled(self, name: str) -> str:
        """A model and where it is, for people; of a model's path on the endpoint's disk, the file."""
        file = name.rpartition("/")[2] if name.endswith(".gguf") else name
        return f"{file[:60] or 'language model'} at {self.host}"


def for_server(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables about a key that the embedded service needs, and its scrubbed environment would lack."""
    names = (KEY_VARIABLE, f"{KEY_VARIABLE}_FILE")
    return {name: value for name in names if (value := _variable(environ, name))}


def is_named(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment says anything about who answers."""
    return bool(_variable(environ, ENGINE_VARIABLE) or _variable(environ, URL_VARIABLE))


def mark(key: Secret, environ: Mapping[str, str] | None = None) -> str:
    """The same for the same engine and language model; nobody reads them, or their key, out of it."""
    names = (ENGINE_VARIABLE, URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE, f"{KEY_VARIABLE}_FILE")
    values = "\0".join(_variable(environ, name) for name in (*names, TIMEOUT_VARIABLE, CONTEXT_VARIABLE))
    return hmac.new(key.reveal().encode(), values.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def answering(environ: Mapping[str, str] | None = None) -> str:
    """Who answers in the local service that the environment describes.

    Raises:
        SettingsError: what it says of a language model makes no sense.
    """
    engine = _variable(environ, ENGINE_VARIABLE) or "analyst"
    model = LanguageModel.from_environment(environ) if engine == "openai" else None
    return model.title if model else f"local {engine}"


def _variable(environ: Mapping[str, str] | None, name: str) -> str:
    """A variable, in a frame of its own: a verbose traceback prints local variables."""
    return (os.environ if environ is None else environ).get(name, "").strip()


def _key(environ: Mapping[str, str] | None) -> Secret | None:
    if secret := Secret(_variable(environ, KEY_VARIABLE)):
        return checked_key(secret, KEY_VARIABLE)
    path = _variable(environ, f"{KEY_VARIABLE}_FILE")
    return read_key_file(Path(path)) if path else None


def _checked_url(url: str) -> str:
    """The URL without `/chat/completions` and a slash at its end; what it holds is not repeated: a key may be in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise SettingsError(f"{URL_VARIABLE} is no address. Set it as in http://localhost:11434/v1.")
    if parts.username or parts.password:
        raise SettingsError(f"{URL_VARIABLE} holds a user name or password. Set {KEY_VARIABLE} instead.")
    if parts.query or parts.fragment:
        raise SettingsError(f"{URL_VARIABLE} has a query or fragment. Leave it out; a key goes into {KEY_VARIABLE}.")
    return url.rstrip("/").removesuffix(PATH).rstrip("/")


def _number(environ: Mapping[str, str] | None, name: str, least: float) -> float | None:
    said = _variable(environ, name)
    if not said:
        return None
    try:
        number = float(said)
    except ValueError:
        number = -1.0
    if not least <= number <= 10_000_000:
        raise SettingsError(f"{name} is {one_line(said)[:40]!r}: set a number of at least {least:g}, or unset it.")
    return number
