"""Which language model the environment names, and what of it must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from secgemini_jupyter import language_model
from secgemini_jupyter.errors import Secret, SettingsError
from secgemini_jupyter.language_model import LanguageModel, answering, for_server, mark
from secgemini_jupyter.settings import scrubbed_environment

CANARY = "sk-canary-0123456789abcdef"


def read(**variables: str) -> LanguageModel | None:
    return LanguageModel.from_environment({f"SECGEMINI_LOCAL_LLM_{name}": value for name, value in variables.items()})


def test_without_a_url_there_is_none() -> None:
    assert read() is None
    assert read(MODEL="qwen", KEY=CANARY) is None


@pytest.mark.parametrize(
    "url",
    ["http://localhost:11434/v1", "http://localhost:11434/v1/", " http://localhost:11434/v1/chat/completions ",
     "http://localhost:11434/v1/chat/completions/"],
)  # fmt: skip
def test_the_address_in_each_of_its_forms(url: str) -> None:
    found = read(URL=url, MODEL="qwen2.5:7b", KEY=CANARY, CONTEXT="16384", TIMEOUT="2.5")
    assert found == LanguageModel(
        url="http://localhost:11434/v1", name="qwen2.5:7b", key=Secret(CANARY), timeout=2.5, context=16384
    )
    assert found.title == "qwen2.5:7b at localhost:11434"
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"URL": "localhost:11434"}, "is no address"),
        ({"URL": "ftp://a.example.com"}, "is no address"),
        ({"URL": "http://a b/v1"}, "is no address"),
        ({"URL": "http://[::1/v1"}, "is no address"),
        ({"URL": f"https://user:{CANARY}@a.example.com/v1"}, "holds a user name or password"),
        ({"URL": f"https://a.example.com/v1?key={CANARY}"}, "has a query"),
        ({"URL": "http://a.example.com/v1", "KEY": CANARY}, "would travel in clear"),
        ({"URL": "https://a.example.com/v1", "KEY": f"{CANARY} x"}, "holds more than a key"),
        ({"URL": "https://a.example.com/v1", "KEY_FILE": "/no/such/file"}, "cannot be read"),
        ({"URL": "https://a.example.com/v1", "TIMEOUT": "soon"}, "set a number of at least 1"),
        ({"URL": "https://a.example.com/v1", "TIMEOUT": "nan"}, "set a number of at least 1"),
        ({"URL": "https://a.example.com/v1", "CONTEXT": "7"}, "set a number of at least 512"),
    ],
)
def test_what_makes_no_sense_is_refused_without_repeating_a_key(variables: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        read(**variables)
    assert CANARY not in str(refused.value)


def test_a_key_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    found = read(URL="https://a.example.com/v1", KEY_FILE=str(path))
    assert found
    assert found.key == Secret(CANARY)
    assert read(URL="http://a.example.com/v1")  # without a key, a machine of one's own network may be asked in clear


def test_the_key_reaches_the_server_and_no_other_process() -> None:
    environ = {"SECGEMINI_LOCAL_LLM_URL": "http://localhost/v1", "SECGEMINI_LOCAL_LLM_KEY": CANARY, "OTHER_KEY": "x"}
    assert for_server(environ) == {"SECGEMINI_LOCAL_LLM_KEY": CANARY}
    assert scrubbed_environment(environ) == {"SECGEMINI_LOCAL_LLM_URL": "http://localhost/v1"}  # what workers get


def test_a_mark_tells_settings_apart_and_none_of_them() -> None:
    key, other = Secret("the-service-0123456789"), Secret("another-0123456789")
    environ = {"SECGEMINI_LOCAL_ENGINE": "openai", "SECGEMINI_LOCAL_LLM_URL": "http://localhost/v1"}
    assert mark(key, environ) == mark(key, dict(environ))
    marks = {mark(key, environ), mark(other, environ), mark(key, environ | {"SECGEMINI_LOCAL_LLM_KEY": CANARY})}
    assert len(marks) == 3
    assert not any("localhost" in each or CANARY in each for each in marks)


def test_who_answers() -> None:
    assert answering({}) == "local analyst"
    environ = {"SECGEMINI_LOCAL_LLM_URL": "http://localhost:1/v1", "SECGEMINI_LOCAL_LLM_MODEL": "/models/a-7b.gguf"}
    assert answering(environ) == "local analyst"
    assert answering(environ | {"SECGEMINI_LOCAL_ENGINE": "openai"}) == "a-7b.gguf at localhost:1"
    assert not language_model.is_named({})
