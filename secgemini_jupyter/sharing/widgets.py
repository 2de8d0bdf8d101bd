"""Widgets' saved state in a notebook: ours, what only ours need, and nothing that would lead nowhere afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

__all__ = ["STATE", "own_models", "state_of", "without_models"]

STATE = "application/vnd.jupyter.widget-state+json"
_REFERENCE = "IPY_MODEL_"
_OWN = "secgemini_jupyter."


def state_of(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The models by id; empty if none were saved."""
    value: Any = notebook
    for name in ("metadata", "widgets", STATE, "state"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def own_models(models: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        model_id for model_id, model in models.items() if str(_values(model).get("_anywidget_id", "")).startswith(_OWN)
    )


def without_models(models: Mapping[str, Any], without: Set[str]) -> dict[str, Any]:
    """The models that stay when those of `without` go.

    Layouts and styles that no other model uses go with them; a box loses these children; any other model that needs
    one of them, like a link between two widgets, goes too.
    """
    gone = {model_id for model_id in models if model_id in without}
    while True:
        left = {model_id: _without_children(model, gone) for model_id, model in models.items() if model_id not in gone}
        freed = {each for model_id in gone for each in _references(models[model_id])}
        used = {each for model in left.values() for each in _references(model)}
        unused = {each for each in freed - used if each in left and _is_helper(left[each])}
        broken = {model_id for model_id, model in left.items() if any(each in gone for each in _references(model))}
        if not unused | broken:
            return left
        gone |= unused | broken


def _values(model: Any) -> dict[str, Any]:
    values = model.get("state") if isinstance(model, dict) else None
    return values if isinstance(values, dict) else {}


def _is_helper(model: Any) -> bool:
    """Whether a model is nothing by itself."""
    name = str(model.get("model_name")) if isinstance(model, dict) else ""
    return name == "LayoutModel" or name.endswith("StyleModel")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(_REFERENCE):
        yield value.removeprefix(_REFERENCE)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _without_children(model: Any, gone: Set[str]) -> Any:
    values = _values(model)
    children = values.get("children")
    if not isinstance(children, list):
        return model
    lost = {f"{_REFERENCE}{each}" for each in gone}
    kept = [each for each in children if not (isinstance(each, str) and each in lost)]
    return model if len(kept) == len(children) else model | {"state": values | {"children": kept}}
