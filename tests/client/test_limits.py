"""What is known of a key is told in time: its end, its limits; what was chosen for a session is held against it."""

from __future__ import annotations

import json
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest

from secgemini_jupyter import embedded
from secgemini_jupyter.client import limits
from secgemini_jupyter.client.base import ClientCore
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import AuthenticationError, InputError, QuotaError, Secret
from tests.client.servers import Seen, as_json, web_server
from tests.client.test_wire import PLAIN_KEY, service
from tests.conftest import LocalService

DAY = 86400
MODEL = {
    "model_name": "m", "version": "1", "model_string": "sec-gemini-stable",
    "toolsets": [{"name": "network", "is_enabled": True}, {"name": "lab"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.Warned, "_told", set())


def info(**user: Any) -> dict[str, Any]:
    known = {"id": "u", "org_id": "o", "can_disable_logging": True} | user
    return {"user": known, "sessions": [], "available_models": [MODEL]}


def test_a_key_that_ends_soon_is_told_once(shell: Any) -> None:
    ends = int(time.time()) + 3 * DAY + 60
    with web_server(lambda _: as_json(info(key_expire_time=ends))) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.warns(
            UserWarning, match=r"…6789 from argument ends in 3 days, 20\d\d-.* UTC\. Get the next key"
        ) as caught:
            client.user_info()
        assert PLAIN_KEY not in str(caught[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client.user_info()
            shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").user_info()


@pytest.mark.parametrize("ends", [0, 10_000_000_000])
def test_a_key_that_lasts_is_not_told(shell: Any, ends: int) -> None:
    with web_server(lambda _: as_json(info(key_expire_time=ends))) as web, warnings.catch_warnings():
        warnings.simplefilter("error")
        shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").user_info()


def test_a_key_that_ended_is_told_with_the_refusal(shell: Any) -> None:
    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.target.endswith("info"):
            return as_json(info(key_expire_time=int(time.time()) - 2 * DAY))
        return as_json({"detail": "no"}, 401)

    with web_server(answer) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.warns(UserWarning, match="expired 2 days ago"):
            client.user_info()
        with pytest.raises(AuthenticationError, match=r"The key expired 2 days ago, .* Get a new key"):
            client.resume_session("s1")


def test_a_quota_error_tells_the_limit(shell: Any) -> None:
    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.target.endswith("info"):
            return as_json(info(rpm=100, tpm=400_000))
        return 429, {"retry-after": "300"}, b'{"detail": "too fast"}'

    with web_server(answer) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        client.user_info()
        words = (
            r"too fast.*Try again in 300 s, at .* UTC\. This key may make 100 requests and 400,000 tokens a minute\."
        )
        with pytest.raises(QuotaError, match=words) as caught:
            client.resume_session("s1")
        assert caught.value.retry_after == 300


class Registering:
    """A service that keeps what is registered, its model as `change` makes it."""

    def __init__(self, change: Any = lambda model: model) -> None:
        self.sent: dict[str, Any] = {}
        self._change = change

    def __call__(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(seen.target).path
        if path.endswith("info"):
            return as_json(info())
        if path.endswith("register"):
            self.sent = json.loads(seen.body)
        if path.endswith("get"):
            return as_json(self.sent | {"model": self._change(self.sent["model"])})
        return service(seen)


def test_toolsets_language_and_agents_are_sent(shell: Any) -> None:
    registering = Registering()
    with web_server(registering) as web:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").create_session(
            toolsets={"network": False, "lab": True}, language="pt-BR", agents_config={"net": {"depth": 2}}
        )
    sent = {each["name"]: each["is_enabled"] for each in registering.sent["model"]["toolsets"]}
    assert sent == {"network": False, "lab": True}
    assert registering.sent["language"] == session.language == "pt-BR"
    assert registering.sent["agents_config"] == session.agents_config == {"net": {"depth": 2}}
    assert [each.is_enabled for each in session.model.toolsets] == [False, True]


def test_toolsets_that_the_service_leaves_as_they_were_are_told(shell: Any) -> None:
    with web_server(Registering(lambda _: MODEL)) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.warns(UserWarning, match="did not switch these toolsets as asked: network"):
            client.create_session(toolsets={"network": False})


@pytest.mark.parametrize(
    "wish", [{"toolsets": {"nothing": True}}, {"language": "x y"}, {"agents_config": {"a": 1}}, {"model": 3}]
)
def test_what_makes_no_sense_creates_nothing(shell: Any, wish: dict[str, Any]) -> None:
    with web_server(Registering()) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(InputError):
            client.create_session(**wish)
    assert {urlsplit(seen.target).path for seen in web.seen} == {"/v1/user/info"}


def test_a_name_that_the_service_proposes(session: Any) -> None:
    session.query("Who logged in from 203.0.113.7?")
    name = session.generate_name()
    session.update(name=name)
    assert session.name == name != ""


def test_a_warning_names_the_caller_s_line(local_service: LocalService) -> None:
    key = Secret(local_service.key)
    service = embedded.LocalService(local_service.http, local_service.ws, local_service.pid, key, "")
    core = ClientCore.local(service)
    with SecGemini._of(core) as client:
        with pytest.warns(UserWarning, match="English alone, not in 'de'") as caught:
            session = client.create_session(language="de")
        session.delete()
    assert caught[0].filename == __file__
