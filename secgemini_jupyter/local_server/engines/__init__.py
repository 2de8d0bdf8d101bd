"""The engines this server offers, and which of them a model's name means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.models import ModelInfo

if TYPE_CHECKING:
    from secgemini_jupyter.local_server.engines.base import Engine

DEFAULT_ENGINE = "analyst"
#: Names that mean the default engine: the service's alias, and what clients send that know no model.
ALIASES = frozenset({"", "stable", "sec-gemini", "sec-gemini-stable"})


def _analyst() -> Engine:
    from secgemini_jupyter.local_server.engines.analyst import AnalystEngine

    return AnalystEngine()


def _echo() -> Engine:
    from secgemini_jupyter.local_server.engines.echo import EchoEngine

    return EchoEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {"analyst": _analyst, "echo": _echo}


@runtime_checkable
class _CanStart(Protocol):
    async def start(self) -> None: ...


class Engines:
    """The engines of one server, the default one first.

    Raises:
        SettingsError: `default` is no engine, or one that this version does not have.
    """

    def __init__(self, default: str = DEFAULT_ENGINE) -> None:
        if default == "openai":
            raise SettingsError("The engine 'openai' is not in this version yet. Use analyst or echo.")
        if default not in ENGINES:
            raise SettingsError(f"The engine {default!r} is unknown. Use one of: {', '.join(ENGINES)}.")
        made = [ENGINES[name]() for name in sorted(ENGINES, key=lambda name: name != default)]
        self._by_model = {engine.model.model_string: engine for engine in made}

    @property
    def models(self) -> list[ModelInfo]:
        return [engine.model for engine in self._by_model.values()]

    def find(self, model: ModelInfo) -> Engine | None:
        """The engine that a client's model means, or None. `model_string` counts; without it, name and version."""
        name = model.model_string or "-".join(part for part in (model.model_name, model.version) if part)
        if name in ALIASES:
            return next(iter(self._by_model.values()))
        return self._by_model.get(name)

    async def warm(self) -> None:
        """Lets the default engine make ready what its first answer would wait for; a failure shows there."""
        engine = next(iter(self._by_model.values()))
        if isinstance(engine, _CanStart):
            with contextlib.suppress(Exception):  # an engine's own errors, which its answers will tell
                await engine.start()

    async def aclose(self) -> None:
        for engine in self._by_model.values():
            await engine.aclose()
