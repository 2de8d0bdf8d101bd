"""The engines this server offers, and which of them a model's name means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.language_model import NOT_CONFIGURED, LanguageModel
from secgemini_jupyter.models import ModelInfo

if TYPE_CHECKING:
    from secgemini_jupyter.local_server.engines.base import Engine

DEFAULT_ENGINE = "analyst"
#: Names that mean the default engine: the service's alias, and what clients send that know no model.
ALIASES = frozenset({"", "stable", "sec-gemini", "sec-gemini-stable"})


def _analyst(data: Path | None = None) -> Engine:
    from secgemini_jupyter.local_server.engines.analyst import AnalystEngine

    return AnalystEngine(data=data)


def _echo() -> Engine:
    from secgemini_jupyter.local_server.engines.echo import EchoEngine

    return EchoEngine()


def _openai(language_model: LanguageModel, data: Path | None = None) -> Engine:
    from secgemini_jupyter.local_server.analyst.workers import Workers
    from secgemini_jupyter.local_server.engines.openai.engine import OpenAIEngine

    return OpenAIEngine(language_model, Workers(data=data))


ENGINES: dict[str, Callable[[], Engine]] = {"analyst": _analyst, "echo": _echo}


@runtime_checkable
class _CanStart(Protocol):
    async def start(self) -> None: ...


class Engines:
    """The engines of one server, the default one first. `openai` is among them where a language model is configured.

    Args:
        data: folder of what the user imported for the tools.

    Raises:
        SettingsError: `default` is no engine, or needs a language model and none is configured.
    """

    def __init__(
        self, default: str = DEFAULT_ENGINE, language_model: LanguageModel | None = None, *, data: Path | None = None
    ) -> None:
        names = (*ENGINES, "openai")
        if default not in names:
            raise SettingsError(f"The engine {default!r} is unknown. Use one of: {', '.join(names)}.")
        if default == "openai" and language_model is None:
            raise SettingsError(NOT_CONFIGURED)
        engines = ENGINES | {"analyst": partial(_analyst, data)}
        if language_model is not None:
            engines["openai"] = partial(_openai, language_model, data)
        made = [engines[name]() for name in sorted(engines, key=lambda name: name != default)]
        self._by_model = {engine.model.model_string: engine for engine in made}

    @property
    def default(self) -> Engine:
        return next(iter(self._by_model.values()))

    @property
    def models(self) -> list[ModelInfo]:
        return [engine.model for engine in self._by_model.values()]

    def find(self, model: ModelInfo) -> Engine | None:
        """The engine that a client's model means, or None. `model_string` counts; without it, name and version."""
        name = model.model_string or "-".join(part for part in (model.model_name, model.version) if part)
        if name in ALIASES:
            return self.default
        return self._by_model.get(name)

    @staticmethod
    def chosen(engine: Engine, wish: ModelInfo) -> ModelInfo:
        """The engine's model with the toolsets as a client wants them; none are told where it names none.

        Raises:
            ValueError: it wants one that there is not.
        """
        there = engine.model.toolsets
        names = [each.name for each in there]
        if unknown := [each.name for each in wish.toolsets if each.is_enabled and each.name not in names]:
            known = f"It has: {', '.join(names)}" if names else "It has none"
            raise ValueError(f"Model {engine.model.model_string} has no toolset {unknown[0][:100]!r}. {known}")
        wanted = {each.name: each.is_enabled for each in wish.toolsets}
        toolsets = [msgspec.structs.replace(t, is_enabled=wanted.get(t.name, t.is_enabled)) for t in there]
        return msgspec.structs.replace(engine.model, toolsets=toolsets if wish.toolsets else [])

    async def warm(self) -> None:
        """Lets the default engine make ready what its first answer would wait for; a failure shows there."""
        engine = self.default
        if isinstance(engine, _CanStart):
            with contextlib.suppress(Exception):  # an engine's own errors, which its answers will tell
                await engine.start()

    async def aclose(self) -> None:
        for engine in self._by_model.values():
            await engine.aclose()
