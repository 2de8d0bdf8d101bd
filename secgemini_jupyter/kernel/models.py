"""The model of a new session, checked before it is made."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import SecGemini
    from secgemini_jupyter.models import ModelInfo

__all__ = ["known_model"]


def known_model(client: SecGemini, given: str) -> str | ModelInfo:
    """One of the models that the key may use, by its string, or by a name that only one has.

    Raises:
        InputError: there is none; nothing was created.
    """
    from secgemini_jupyter.client.base import DEFAULT_MODEL

    models = client.models()
    named = [model for model in models if given == model.model_string] or [
        model for model in models if given == model.model_name
    ]
    if len(named) == 1:
        return named[0]
    if not models or given == DEFAULT_MODEL:  # a service that lists none, or leaves out the default's other name
        return given
    known = [model.model_string for model in models]
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
    raise InputError(f"There is no model {given!r} for this key. {hint} Nothing was sent.")
