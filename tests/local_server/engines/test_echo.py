"""The echo engine's directives: read exactly, also in combination, and refused when they make no sense."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.local_server.engines.echo import Question, Script, _many, _split
from secgemini_jupyter.models import MessageType


def test_several_directives_may_stand_in_one_prompt() -> None:
    script = Script.read(
        'before [[messages=10 bytes=20 kind=info]] [[delay=0.05]][[call f {"a": [[1], ["]]"]]}]] [[drop after=4]] '
        "[[unknown enum]] [[partial]] [[type sec-gemini/table [[1, 2]]]] [[error 429 retry_after=2 why=quota]] after"
    )
    assert (script.messages, script.size, script.kind, script.delay) == (10, 20, MessageType.INFO, 0.05)
    assert script.drop_after == 4
    assert script.unknown_enum
    assert script.partial
    assert script.typed == [("sec-gemini/table", "[[1, 2]]")]
    assert script.error == (429, {"retry_after": 2, "why": "quota"})
    assert script.text.split() == ["before", "after"]


def test_the_arguments_of_a_call_are_any_json_object() -> None:
    assert Script.read('[[call look.up {"q": {"x": [[1, [2]]]}}]] [[call g]]').calls == [
        ("look.up", {"q": {"x": [[1, [2]]]}}),
        ("g", {}),
    ]


@pytest.mark.parametrize(
    ("directive", "question"),
    [
        ('Block it? {"host": "[[x]]"}', Question("Block it?", {"host": "[[x]]"})),
        ("Block it?", Question("Block it?")),
        ("within=0.5 Block {it}?", Question("Block {it}?", within=0.5)),
        ('within=2 {"a": 1}', Question("Go on?", {"a": 1}, 2.0)),
    ],
)
def test_a_confirmation_has_words_and_an_action(directive: str, question: Question) -> None:
    assert Script.read(f"[[confirm {directive}]] rest").confirmations == [question]


def test_sources_and_mutations() -> None:
    script = Script.read(
        "[[source NVD | https://a.test/[1] ]][[source RFC 9110]] [[update new [text]]] [[update of=previous x]] "
        "[[delete]] [[delete of=thinking]] rest"
    )
    assert script.sources == [("NVD", "https://a.test/[1]"), (None, "RFC 9110")]
    assert script.mutations == [
        (MessageType.UPDATE, "result", "new [text]"),
        (MessageType.UPDATE, "previous", "x"),
        (MessageType.DELETE, "result", ""),
        (MessageType.DELETE, "thinking", ""),
    ]
    assert script.text == "rest"


@pytest.mark.parametrize(
    ("text", "count"), [("", 1), ("", 3), ("one two three four", 1), ("one two three four", 2), ("a", 500)]
)
def test_so_many_pieces(text: str, count: int) -> None:
    assert len(_many(text, count)) == count
    assert all(_many(text, count))


@pytest.mark.parametrize("prompt", ["plain", "[[other]]", "[[call f", "a ]] b [[", "[[]]"])
def test_what_is_no_directive_is_repeated(prompt: str) -> None:
    assert Script.read(prompt).text == prompt


@pytest.mark.parametrize(
    "directive",
    ["messages=-1", "messages=x", "messages=10 bytes=x", "messages=1 kind=result", "delay=-1", "delay=nan", "delay=x",
     "call f {", "call f []", "confirm x {y}", "partial pieces=x", "error x", "error 1000", "drop after=x"],
)  # fmt: skip
def test_a_directive_that_makes_no_sense_is_an_error(directive: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the text
        Script.read(f"[[{directive}]]")


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(_split(text)) == text


@given(st.text(alphabet='[]{}"=x1 acdelmor'))
def test_any_prompt_is_read_or_refused(prompt: str) -> None:
    with contextlib.suppress(ValueError):
        script = Script.read(prompt)
        assert len(script.text) <= len(prompt)
