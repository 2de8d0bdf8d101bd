"""What is chosen for a new session: checked before anything is created."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.errors import InputError, Secret
from secgemini_jupyter.models import ModelInfo, OptionalToolSet
from secgemini_jupyter.protocol import choices

MODEL = ModelInfo(
    model_string="m-1",
    toolsets=[
        OptionalToolSet("network", is_enabled=True),
        OptionalToolSet("Threat Intelligence", is_enabled_by_default=True),
        OptionalToolSet("lab", is_experimental=True),
    ],
)


def states(model: ModelInfo) -> list[bool]:
    return [each.is_enabled for each in model.toolsets]


@pytest.mark.parametrize(
    ("toolsets", "incognito", "expected"),
    [
        ({"lab": True}, False, [True, True, True]),
        ({"lab": True}, True, [True, False, True]),
        ({"network": False, "threat intelligence": False}, False, [False, False, False]),
    ],
)
def test_toolsets_are_switched_and_the_others_are_as_by_default(
    toolsets: dict[str, bool], incognito: bool, expected: list[bool]
) -> None:
    assert states(choices.with_toolsets(MODEL, toolsets, incognito=incognito)) == expected
    assert states(MODEL) == [True, False, False]


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_a_wish_the_service_chooses(nothing: Any) -> None:
    assert states(choices.with_toolsets(MODEL, nothing)) == []


@pytest.mark.parametrize(
    ("model", "toolsets", "words"),
    [
        (MODEL, {"netwrk": True}, r"'m-1' has no toolset 'netwrk'\. Did you mean 'network'\?"),
        (MODEL, {"x\x1b": True}, r"It has: network, Threat Intelligence, lab\."),
        (ModelInfo.parse("other-1"), {"network": True}, "It has none to choose from"),
        (MODEL, {"network": "off"}, "[Pp]ass True for on"),
        (MODEL, {"network": 1}, "[Pp]ass True for on"),
        (MODEL, {"lab": True, "LAB": False}, "both on and off"),
        (MODEL, ["network"], "pass a dict"),
        (MODEL, {3: True}, "no toolset '3'"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(model: ModelInfo, toolsets: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        choices.with_toolsets(model, toolsets)
    assert "Nothing was created." in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_another_model_that_has_the_toolset_is_named() -> None:
    with pytest.raises(InputError, match=r"'other-1' has no toolset 'lab'\. Model 'm-1' has it: pass model='m-1'\."):
        choices.with_toolsets(ModelInfo.parse("other-1"), {"lab": True}, [ModelInfo(), MODEL])


def test_what_the_service_did_otherwise_is_named() -> None:
    asked = choices.with_toolsets(MODEL, {"lab": True})
    assert choices.not_followed(asked, asked) == []
    assert choices.not_followed(asked, MODEL) == ["Threat Intelligence", "lab"]
    assert choices.not_followed(asked, ModelInfo()) == [], "it tells nothing"


def test_a_model_is_text_or_one_of_the_list() -> None:
    assert choices.model("m-1", [MODEL]) is MODEL
    assert choices.model(None, []).model_string == choices.DEFAULT_MODEL
    with pytest.raises(InputError, match="model is int"):
        choices.model(7, [MODEL])  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", ["en", "de", "pt-BR", "zh-Hant-TW"])
def test_language_is_a_tag(tag: str) -> None:
    assert choices.language(tag) == tag


@pytest.mark.parametrize("tag", ["", "e", "German!", "de_DE", "en\n", None, 3, "x" * 99])
def test_what_is_no_language_is_refused(tag: Any) -> None:
    with pytest.raises(InputError, match="pass a tag like"):
        choices.language(tag)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=5), st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=3))
def test_agents_config_is_a_copy_of_any_json(config: dict[str, Any]) -> None:
    copy = choices.agents_config(config)
    assert copy == config
    assert copy is not config


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"net": 3}, "dict of dicts"),
        ([("net", {})], "dict of dicts"),
        ({"net": {"depth": math.nan}}, "no JSON"),
        ({"net": {"depth": math.inf}}, "no JSON"),
        ({"net": {"at": datetime.now(UTC)}}, r"agents_config\.net\.at is datetime"),
        ({"net": {"hosts": [{"a"}]}}, r"agents_config\.net\.hosts\[0\] is set"),
        ({"net": {3: "x"}}, "the name 3"),
        ({0: {}}, "the name 0"),
        ({"net": {"text": "half \ud800"}}, None),
    ],
)
def test_agents_config_that_json_cannot_say_is_refused(config: Any, words: str | None) -> None:
    if words is None:  # escaped, it can be sent
        assert choices.agents_config(config) == config
        return
    with pytest.raises(InputError, match=words):
        choices.agents_config(config)


def test_agents_config_in_a_circle_or_with_the_key_is_refused() -> None:
    circle: dict[str, Any] = {"net": {}}
    circle["net"]["again"] = circle["net"]
    with pytest.raises(InputError, match="no JSON"):
        choices.agents_config(circle)
    key = Secret("canary-key-in-a-config-0123")
    with pytest.raises(InputError, match="holds the API key"):
        choices.agents_config({"net": {"token": key.reveal()}})
