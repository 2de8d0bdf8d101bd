"""A Python function as a local tool: what the service is told of it, who approves, what a call gives back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import pytest

from secgemini_jupyter.errors import Secret, ToolError
from secgemini_jupyter.tools import MAX_OUTPUT, Outcome, Tool, Toolbox, declaration, is_denial, secgemini_tool

Run = Callable[..., Outcome]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """One call, as either shell makes it."""

    def call(tool: Any, arguments: dict[str, Any] | None = None, *, timeout: float = 5, approve: Any = None) -> Outcome:
        toolbox = Toolbox([tool])
        (name,) = toolbox
        if request.param == "sync":
            return toolbox.run(name, arguments or {}, timeout=timeout, approve=approve)
        return asyncio.run(toolbox.run_async(name, arguments or {}, timeout=timeout, approve=approve))

    return call


def describe(
    host: str,
    port: int = 443,
    ratio: float = 0.5,
    deep: bool = False,
    names: list[str] | None = None,
    level: Literal["low", "high"] = "low",
    either: int | str = 1,
    facts: dict[str, Any] | None = None,
    anything=None,  # type: ignore[no-untyped-def]  # a parameter without annotation
) -> dict[str, Any]:
    """Facts for a host.

    In more words.
    """
    return {"host": host}


def test_schema_of_a_signature() -> None:
    told = declaration(describe)
    assert told.name == "describe"
    assert told.description == "Facts for a host.\n\nIn more words."
    schema = told.parameters
    assert schema["type"] == "object"
    assert schema["required"] == ["host"]
    assert schema["properties"] == {
        "host": {"type": "string"},
        "port": {"type": "integer", "default": 443},
        "ratio": {"type": "number", "default": 0.5},
        "deep": {"type": "boolean", "default": False},
        "names": {"type": "array", "items": {"type": "string"}, "nullable": True, "default": None},
        "level": {"type": "string", "enum": ["low", "high"], "default": "low"},
        "either": {"any_of": [{"type": "integer"}, {"type": "string"}], "default": 1},
        "facts": {"type": "object", "nullable": True, "default": None},
        "anything": {"default": None},
    }
    json.dumps(schema)


def test_name_and_description_can_be_given() -> None:
    @secgemini_tool(name="asset_facts", description="What we know.", approval="deny")
    def f() -> None: ...

    assert isinstance(f, Tool)
    assert (f.name, f.declaration.description, f.approval) == ("asset_facts", "What we know.", "deny")


def test_function_without_a_docstring_has_a_description() -> None:
    """The service takes no empty one."""

    def look_up_host() -> None: ...

    assert declaration(look_up_host).description == "look up host"


def variadic(*hosts: str) -> None: ...


def keywords(**options: str) -> None: ...


def positional(host: str, /) -> None: ...


def untyped_object(thing: threading.Lock) -> None: ...


def unresolved(thing: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [variadic, keywords, positional, untyped_object, unresolved])
def test_signature_that_cannot_be_told_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ToolError, match=function.__name__):
        Toolbox([function])


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ToolError, match="Two tools are called describe"):
        Toolbox([describe, secgemini_tool(describe)])


def test_function_as_it_is_may_not_run(run: Run) -> None:
    """Declaring it is the permission."""
    outcome = run(describe, {"host": "h"})
    assert outcome.is_error
    assert "did not approve this call of describe: nobody could be asked" in outcome.output
    assert 'declare it with @secgemini_tool(approval="allow")' in outcome.output
    assert is_denial("describe", outcome.output)
    assert run(secgemini_tool(describe), {"host": "h"}) == Outcome('{"host": "h"}')


def test_ask_leaves_the_decision_to_the_session_s_approver(run: Run) -> None:
    asked: list[Any] = []
    tool = secgemini_tool(describe, approval="ask")
    assert not run(tool, {"host": "h"}, approve=lambda *call: asked.append(call) or True).is_error
    assert asked == [("describe", {"host": "h"})]
    assert not run(describe, {"host": "h"}, approve=lambda *_: True).is_error, "a function passed as it is asks too"


@pytest.mark.parametrize("verdict", [False, None, "yes", 1])
def test_only_true_of_an_approver_approves(run: Run, verdict: Any) -> None:
    outcome = run(secgemini_tool(describe, approval="ask"), {"host": "h"}, approve=lambda *_: verdict)
    assert outcome == Outcome("the user did not approve this call of describe", is_error=True)


def test_an_approver_that_fails_denies(run: Run) -> None:
    def approve(*_: Any) -> bool:
        raise EOFError("nobody there")

    outcome = run(secgemini_tool(describe, approval="ask"), {"host": "h"}, approve=approve)
    assert outcome == Outcome("EOFError: nobody there", is_error=True)


@pytest.mark.parametrize("approval", ["allow", "deny"])
def test_nobody_is_asked_about_what_is_decided(run: Run, approval: Any) -> None:
    def approve(*_: Any) -> bool:
        raise AssertionError("asked")

    outcome = run(secgemini_tool(describe, approval=approval), {"host": "h"}, approve=approve)
    assert outcome.is_error == (approval == "deny")
    assert "asked" not in outcome.output


def test_waiting_for_a_person_is_no_time_of_the_tool_s() -> None:
    async def approve(*_: Any) -> bool:
        await asyncio.sleep(0.2)
        return True

    work = Toolbox([describe]).run_async("describe", {"host": "h"}, timeout=0.1, approve=approve)
    assert asyncio.run(work) == Outcome('{"host": "h"}')


def test_unknown_tool_is_an_error() -> None:
    toolbox = Toolbox([describe])
    for outcome in (
        toolbox.run("nothing", {}, timeout=1),
        asyncio.run(toolbox.run_async("nothing", {}, timeout=1)),
    ):
        assert outcome.is_error
        assert "describe" in outcome.output


def test_approval_sees_name_and_arguments(run: Run) -> None:
    asked: list[Any] = []
    tool = secgemini_tool(describe, approval=lambda name, arguments: asked.append((name, arguments)) or True)
    assert not run(tool, {"host": "h"}).is_error
    assert asked == [("describe", {"host": "h"})]


@pytest.mark.parametrize("verdict", [False, None, "yes", 1, []])
def test_only_true_approves(run: Run, verdict: Any) -> None:
    outcome = run(secgemini_tool(describe, approval=lambda *_: verdict), {"host": "h"})
    assert outcome.is_error


def test_approval_that_fails_denies(run: Run) -> None:
    def ask(*_: Any) -> bool:
        raise EOFError("nobody there")

    assert run(secgemini_tool(describe, approval=ask), {"host": "h"}) == Outcome(
        "EOFError: nobody there", is_error=True
    )


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        (42, "42"),
        (None, "null"),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}'),
        ((1, 2), "[1, 2]"),
        (float("nan"), "NaN"),
        (b"bytes", "\"b'bytes'\""),
        ("half \ud800", "half ?"),
    ],
)
def test_result_is_text(run: Run, value: Any, output: str) -> None:
    assert run(secgemini_tool(lambda: value, name="t")) == Outcome(output)


def test_long_result_is_cut(run: Run) -> None:
    outcome = run(secgemini_tool(lambda: "x" * (MAX_OUTPUT + 5), name="t"))
    assert outcome.output.endswith("… (5 characters left out)")
    assert not outcome.is_error


def test_result_without_json_is_an_error(run: Run) -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert run(secgemini_tool(lambda: circle, name="t")).is_error


def test_key_in_a_result_stays_here(run: Run) -> None:
    secret = Secret("canary-key-0123456789")

    def leak() -> str:
        raise RuntimeError(secret.reveal())

    assert "canary" not in run(secgemini_tool(lambda: f"key {secret.reveal()}", name="t")).output
    assert "canary" not in run(secgemini_tool(leak)).output


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt(), TimeoutError("its own")])
def test_failure_is_an_outcome(run: Run, error: BaseException) -> None:
    """Whatever a tool raises, the cell that waits for it goes on."""

    def fail() -> None:
        raise error

    outcome = run(secgemini_tool(fail))
    assert outcome.is_error
    assert str(error) in outcome.output
    assert "did not return" not in outcome.output


def test_wrong_arguments_are_an_outcome(run: Run) -> None:
    assert run(secgemini_tool(describe), {"hots": "h"}).output.startswith(
        "describe was not run: unknown argument 'hots'"
    )
    assert "the argument 'host' is missing: expected text" in run(secgemini_tool(describe)).output


def test_nobody_is_asked_about_a_call_that_cannot_be_run(run: Run) -> None:
    def approve(*_: Any) -> bool:
        raise AssertionError("asked")

    assert "expected text, got 5" in run(describe, {"host": 5}, approve=approve).output


def test_tool_that_hangs_is_given_up(run: Run) -> None:
    release = threading.Event()
    started = time.monotonic()
    outcome = run(secgemini_tool(lambda: release.wait(20), name="t"), timeout=0.05)
    release.set()
    assert outcome == Outcome("t did not return within 0.05 s", is_error=True)
    assert time.monotonic() - started < 15, "it would have waited 20 s"


def test_coroutine_is_awaited(run: Run) -> None:
    @secgemini_tool
    async def wait(seconds: float) -> str:
        "Waits."
        await asyncio.sleep(seconds)
        return "done"

    assert run(wait, {"seconds": 0}) == Outcome("done")
    assert run(wait, {"seconds": 20}, timeout=0.05).is_error


def test_plain_function_does_not_block_the_loop() -> None:
    """Pings are answered while it works."""

    async def main() -> int:
        release = threading.Event()
        tool = Toolbox([secgemini_tool(lambda: release.wait(5), name="t")])
        call = asyncio.create_task(tool.run_async("t", {}, timeout=5))
        ticks = 0
        while ticks < 5:
            await asyncio.sleep(0.01)
            ticks += 1
        release.set()
        assert (await call).output == "true"
        return ticks

    assert asyncio.run(main()) == 5
