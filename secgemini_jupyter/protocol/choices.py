"""What a user chooses for a new session: the model and its toolsets, the language, the agents' settings."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from secgemini_jupyter.errors import InputError, holds_key, one_line
from secgemini_jupyter.models import ModelInfo, OptionalToolSet

__all__ = ["agents_config", "language", "model", "not_followed", "with_toolsets"]

DEFAULT_MODEL = "sec-gemini-stable"
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")


def model(given: str | ModelInfo | None, available: Iterable[ModelInfo]) -> ModelInfo:
    """What to send for a model: as the service lists it, where it does."""
    if isinstance(given, ModelInfo):
        return given
    if given is not None and not isinstance(given, str):
        raise InputError(f"model is {type(given).__name__}: pass a model string, or one of models().")
    wanted = given or DEFAULT_MODEL
    return next((known for known in available if known.model_string == wanted), ModelInfo.parse(wanted))


def with_toolsets(
    model: ModelInfo,
    toolsets: Mapping[str, bool] | None,
    available: Sequence[ModelInfo] = (),
    *,
    incognito: bool = False,
) -> ModelInfo:
    """`model` with toolsets switched on (True) or off (False), by name; the others, or all, as they are by default.

    Args:
        incognito: the session is without retention, for which a toolset has a default of its own.

    Raises:
        InputError: the model has no such toolset, or the values are no switches; nothing was created.
    """
    if toolsets is None or toolsets == {}:
        return msgspec.structs.replace(model, toolsets=[])  # the defaults, whatever a later version makes of them
    if not isinstance(toolsets, Mapping):
        raise InputError("toolsets: pass a dict of names, True for on and False for off. Nothing was created.")
    wanted: dict[int, bool] = {}
    for name, is_on in toolsets.items():
        if not isinstance(is_on, bool):
            raise InputError(
                f"toolsets: {name!r} is {is_on!r}. Pass True for on or False for off. Nothing was created."
            )
        position = _position(model, name, available)
        if wanted.setdefault(position, is_on) != is_on:
            raise InputError(f"toolsets: {name!r} is switched both on and off. Nothing was created.")
    return msgspec.structs.replace(
        model,
        toolsets=[
            msgspec.structs.replace(each, is_enabled=wanted.get(position, _by_default(each, incognito=incognito)))
            for position, each in enumerate(model.toolsets)
        ],
    )


def _position(model: ModelInfo, name: object, available: Sequence[ModelInfo]) -> int:
    """By its exact name, else by one that only one toolset has in another case."""
    names = [each.name for each in model.toolsets]
    if name in names:
        return names.index(str(name))
    alike = [position for position, each in enumerate(names) if each.casefold() == str(name).casefold()]
    if len(alike) == 1:
        return alike[0]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listed = ", ".join(one_line(each)[:60] for each in names[:20])
    others = [each.model_string for each in available if name in [toolset.name for toolset in each.toolsets]]
    if near:
        hint = f"Did you mean {near[0]!r}?"
    elif others:  # the default's name is often another one than that of the model that it means
        hint = f"Model {one_line(others[0])[:60]!r} has it: pass model={one_line(others[0])[:60]!r}."
    else:
        hint = f"It has: {listed}." if names else "It has none to choose from."
    whose = one_line(model.model_string or model.model_name)[:60]
    raise InputError(f"Model {whose!r} has no toolset {str(name)[:60]!r}. {hint} Nothing was created.")


def _by_default(toolset: OptionalToolSet, *, incognito: bool) -> bool:
    """`is_enabled` is what a client sends; a service may list its wish in the newer fields alone."""
    default = toolset.is_enabled_by_default_in_incognito if incognito else toolset.is_enabled_by_default
    return toolset.is_enabled or default


def not_followed(asked: ModelInfo, stored: ModelInfo) -> list[str]:
    """Names of toolsets that the service has switched otherwise than it was asked; of some it tells nothing."""
    if not stored.toolsets:
        return []
    is_on = {each.name: each.is_enabled for each in stored.toolsets}
    return [each.name for each in asked.toolsets if is_on.get(each.name) is not each.is_enabled]


def language(tag: object) -> str:
    """A language as `en` or `en-US`.

    Raises:
        InputError: it is none.
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise InputError(f"language is {str(tag)[:40]!r}: pass a tag like 'en', 'de' or 'pt-BR'. Nothing was created.")
    return tag


def agents_config(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of the service's agents, by agent: a copy, exactly what JSON can say.

    Raises:
        InputError: something else, or the API key, is in it; nothing was created.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise InputError("agents_config: pass a dict of dicts, one for each agent by its name. Nothing was created.")
    try:
        text = json.dumps(_plain(given, "agents_config"), allow_nan=False)
        text.encode()
    except (ValueError, RecursionError) as error:  # NaN, half a surrogate pair, a circle
        if isinstance(error, InputError):
            raise
        raise InputError(f"agents_config is no JSON ({one_line(str(error))[:80]}). Nothing was created.") from None
    if holds_key(text):
        raise InputError("agents_config holds the API key. Take it out. Nothing was created.")
    config: dict[str, Any] = json.loads(text)
    return config


def _plain(value: Any, where: str) -> Any:
    """`value` of plain dicts and lists. `json` would take a number for a name, and write it as text without a word."""
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise InputError(f"{where} has the name {odd[0]!r}: JSON has texts as names. Nothing was created.")
        return {key: _plain(item, f"{where}.{key}"[:200]) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{index}]"[:200]) for index, item in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise InputError(f"{where} is {type(value).__name__}, which JSON does not have. Nothing was created.")
