from __future__ import annotations

import threading
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secgemini_jupyter.errors import QuotaError, Secret
from secgemini_jupyter.widgets.rpc import MAX_RUNNING, Method, Reply, Rpc

ID = "0123456789abcdef" * 2


class Params(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=10)]
    count: int = 1


class Wire:
    """The channel of a widget: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[Any]]] = []
        self.arrived = threading.Condition()

    def on_msg(self, callback: Any) -> None:
        self.deliver = lambda content, buffers=None: callback(self, content, buffers)

    def send(self, content: Any, buffers: Any = None) -> None:
        with self.arrived:
            self.sent.append((content, buffers))
            self.arrived.notify_all()

    def reply(self, number: int = 1) -> dict[str, Any]:
        """The newest reply, once there are `number`."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.sent) >= number, timeout=5)
            return self.sent[-1][0]


def request(**changes: Any) -> dict[str, Any]:
    return {"kind": "secgemini-request", "uuid": ID, "method": "greet", "params": {"name": "Ada"}, **changes}


def serve(**methods: Method[Any]) -> Wire:
    wire = Wire()
    Rpc(wire, methods)
    return wire


def greet(params: Params) -> str:
    return f"Hello {params.name}" * params.count


def test_a_call_runs_in_a_thread_of_its_own_and_is_answered():
    threads = []

    def where(params: Params) -> str:
        threads.append(threading.current_thread())
        return greet(params)

    wire = serve(greet=Method(Params, where))
    wire.deliver(request())
    assert wire.reply() == {"kind": "secgemini-reply", "uuid": ID, "result": "Hello Ada"}
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "delete_everything"}, "no method 'delete_everything'"),
        ({"method": 3}, "refused"),
        ({"method": "x" * 101}, "refused"),
        ({"params": {"name": "Ada", "path": "/etc/passwd"}}, "unknown field `path`"),
        ({"params": {}}, "missing required field `name`"),
        ({"params": {"name": "x" * 11}}, "length <= 10"),
        ({"params": {"name": "Ada", "count": True}}, "Expected `int`, got `bool`"),
        ({"params": {"name": "Ada", "count": 1e9}}, "Expected `int`, got `float`"),
        ({"params": ["Ada"]}, "Expected `object`"),
        ({"params": None}, "Expected `object`"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"uuid": "../x"}, "refused"),
    ],
)
def test_a_request_that_is_not_exactly_as_declared_is_refused(changes, words):
    def never(params: Params) -> None:
        pytest.fail("a refused request ran")

    wire = serve(greet=Method(Params, never))
    wire.deliver(request(**changes))
    error = wire.reply()["error"]
    assert words in error
    assert "\n" not in error


@pytest.mark.parametrize("uuid", [None, 7, {}, "x" * 65])
def test_a_request_without_a_usable_id_is_dropped(uuid):
    wire = serve(greet=Method(Params, greet))
    wire.deliver(request(uuid=uuid))
    assert wire.sent == []


def test_what_is_no_request_of_ours_is_left_alone():
    wire = serve(greet=Method(Params, greet))
    for content in (None, "text", [], {}, {"kind": "anywidget-command"}, {"kind": ["secgemini-request"]}):
        wire.deliver(content)
    assert wire.sent == []


def test_an_error_of_the_method_is_told_in_one_line():
    def fail(params: Params) -> None:
        raise QuotaError("10 requests a minute are used up.\nWait 7 s.")

    wire = serve(greet=Method(Params, fail))
    wire.deliver(request())
    assert wire.reply()["error"] == "10 requests a minute are used up. Wait 7 s."


def test_an_unexpected_error_is_told_without_the_key_it_quotes(caplog):
    key = Secret("canary-key-0123456789")

    def fail(params: Params) -> None:
        raise RuntimeError(f"GET /?api_key={key.reveal()} failed")

    wire = serve(greet=Method(Params, fail))
    wire.deliver(request())
    assert wire.reply()["error"].startswith("Failed: RuntimeError: GET /?api_key=[redacted]")
    assert "canary" not in caplog.text + str(wire.sent)


def test_buffers_reach_the_method_and_come_back_within_its_limit():
    def echo(params: Params, buffers: Any) -> Reply:
        return Reply(len(buffers), [bytes(buffer)[::-1] for buffer in buffers])

    wire = serve(greet=Method(Params, echo, buffer_limit=4), plain=Method(Params, greet))
    wire.deliver(request(), [memoryview(b"ab"), memoryview(b"cd")])
    assert wire.reply()["result"] == 2
    assert wire.sent[-1][1] == [b"ba", b"dc"]
    wire.deliver(request(), [memoryview(b"abcde")])
    assert wire.reply(2)["error"] == "greet takes 4 bytes at a time, not 5."
    wire.deliver(request(method="plain"), [memoryview(b"a")])
    assert wire.reply(3)["error"] == "plain takes 0 bytes at a time, not 1."


def test_a_flood_is_refused_while_calls_hang_and_served_again_afterwards():
    release = threading.Event()
    wire = serve(slow=Method(Params, lambda params: release.wait(5)), greet=Method(Params, greet))
    for _ in range(MAX_RUNNING):
        wire.deliver(request(method="slow"))
    wire.deliver(request())
    assert "requests are running" in wire.reply()["error"]

    release.set()
    wire.reply(MAX_RUNNING + 1)
    for thread in threading.enumerate():
        if thread.name == "secgemini-slow":
            thread.join(5)
    wire.deliver(request())
    assert wire.reply(MAX_RUNNING + 2)["result"] == "Hello Ada"


def test_a_closed_channel_raises_nothing_into_the_kernel():
    done = threading.Event()

    class Closed(Wire):
        def send(self, content: Any, buffers: Any = None) -> None:
            done.set()
            raise RuntimeError("comm is closed")

    wire = Closed()
    Rpc(wire, {"greet": Method(Params, greet)})
    wire.deliver(request())
    assert done.wait(5)
    wire.deliver(request(method="unknown"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"kind": st.just("secgemini-request"), "uuid": st.just(ID)},
        optional={"method": st.just("greet") | json_values, "params": json_values, "more": json_values},
    )
)
def test_nothing_that_a_browser_sends_raises_or_goes_unanswered(content):
    wire = serve(greet=Method(Params, greet))
    wire.deliver(content)
    assert wire.reply().keys() & {"result", "error"}
