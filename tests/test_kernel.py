"""The sessions of a kernel: named, one current, one turn each; stopped at once, remembered by notebook."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from secgemini_jupyter import keeper
from secgemini_jupyter import kernel as kernels
from secgemini_jupyter.client.running import RunningTurn
from secgemini_jupyter.errors import InputError, SessionNotFoundError, SettingsError
from secgemini_jupyter.kernel import Answer, KernelSession
from secgemini_jupyter.models import MessageType
from tests.conftest import LocalService


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_service: LocalService) -> None:
    """The local service stands for Sec-Gemini: it is found by address and key."""
    monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
    monkeypatch.setenv("SEC_GEMINI_API_KEY", local_service.key)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("SEC_GEMINI_API_WEBSOCKET_URL", "SECGEMINI_BACKEND", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def kernel() -> Iterator[KernelSession]:
    made = KernelSession({"__vsc_ipynb_file__": "/home/analyst/notebook.ipynb"})
    yield made
    made.close()


def drain(running: RunningTurn, timeout: float = 10) -> list[Any]:
    """Every message of a turn, as the main thread takes them."""
    messages = []
    deadline = time.monotonic() + timeout
    while not running.is_over:
        assert time.monotonic() < deadline
        if message := running.next(timeout=0.05):
            messages.append(message)
    return messages


def test_nothing_happens_before_the_first_use() -> None:
    before = threading.active_count()
    kernel = KernelSession()
    assert not kernel.has_client
    assert kernel.names == []
    assert threading.active_count() == before
    kernel.close()


def test_current_session_is_made_once(kernel: KernelSession) -> None:
    first = kernel.current()
    assert kernel.current() is first
    assert kernel.names == ["main"]
    assert first.name != "main", "the service sees a generated name"


def test_named_sessions(kernel: KernelSession) -> None:
    main, other = kernel.current(), kernel.use("other")
    assert kernel.current() is main
    assert kernel.switch("other") is other is kernel.current()
    assert other.name == "other"
    assert kernel.new() is not other
    assert kernel.current_name == "other"
    assert dict(kernel) == {"main": main, "other": kernel.current()}
    kernel.delete("other")
    assert kernel.current() is main


def test_widgets_and_cells_get_the_same_session(kernel: KernelSession) -> None:
    """Several threads ask for the first one at the same time."""
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(kernel.current())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.id for each in found}) == 1


def test_turn_runs_on_the_loop_thread(kernel: KernelSession) -> None:
    running = kernel.current().start("hello")
    messages = drain(running)
    assert messages[-1].is_end
    assert running.error() is None
    assert running.response().answer == "hello"
    assert running.next(timeout=0) is None


def test_second_turn_in_a_session_fails_at_once(kernel: KernelSession) -> None:
    session = kernel.current()
    first = session.start("[[messages=20]] [[delay=0.02]]")
    assert first.next(timeout=5)
    with pytest.raises(InputError, match="A turn is running"):
        session.query("me too")
    other = kernel.use("other").start("elsewhere")
    assert drain(other)[-1].is_end
    assert drain(first)[-1].is_end


def test_stopped_turn_is_over_at_once_and_keeps_what_came(kernel: KernelSession) -> None:
    session = kernel.current()
    running = session.start("[[messages=500]] [[delay=0.02]]")
    while not (message := running.next(timeout=5)) or message.message_type is not MessageType.THINKING:
        pass
    running.stop()
    drain(running)
    assert running.error() is None
    assert 0 < len(running.response().messages) < 500
    assert not running.response().is_complete


def test_prompt_right_after_a_stop_waits_for_its_session(kernel: KernelSession) -> None:
    session = kernel.new("fast")
    for number in range(3):
        running = session.start(f"[[messages=3]] [[delay=0.01]] n{number}")
        running.next(timeout=5)
        running.stop()
    last = session.start("last")
    drain(last)
    assert last.response().answer == "last"


def test_error_of_a_turn_is_kept(kernel: KernelSession) -> None:
    running = kernel.current().start("[[error 429]]")
    drain(running)
    assert type(running.error()).__name__ == "QuotaError"


def test_resume_by_id_and_by_name(kernel: KernelSession) -> None:
    session = kernel.new("unique-name")
    kernel.new("another")
    assert kernel.resume("unique-name").id == session.id
    assert kernel.resume(session.id).id == session.id
    assert kernel.current_name == "unique-name"
    with pytest.raises(SessionNotFoundError):
        kernel.resume("nowhere")
    kernel.new("double")
    kernel.new("double")
    with pytest.raises(InputError, match="2 sessions"):
        kernel.resume("double")


def test_resume_keeps_the_object_that_widgets_watch(kernel: KernelSession) -> None:
    session = kernel.new("watched")
    kernel.new("another")
    session._client.resume_session(session.id).update(description="changed elsewhere")
    assert kernel.resume(session.id) is session is kernel.current()
    assert session.description == "changed elsewhere"
    kernel.new("watched")  # takes its name, and `session` is known no less
    assert kernel.resume(session.id) is session


def test_a_session_named_like_an_id_is_not_resumed_in_its_place(kernel: KernelSession) -> None:
    session = kernel.new("real")
    kernel.new(session.id)
    assert kernel.resume(session.id) is session


def test_listed_sessions_are_the_known_objects_brought_up_to_date(kernel: KernelSession) -> None:
    session = kernel.current()
    session.query("once")
    elsewhere = session._client.resume_session(session.id)
    elsewhere.query("twice")
    elsewhere.attach_file("a.txt", b"a")
    told: list[int] = []
    session.watch(lambda: told.append(session.turns))
    (listed,) = [each for each in kernel.list_sessions() if each.id == session.id]
    assert listed is session
    assert told == [2]
    assert (len(session.files), len(session.messages)) == (1, session.num_messages)
    kernel.list_sessions()
    assert len(told) == 2, "what has not changed is not told: the second time was `messages`"


def test_watchers_learn_of_new_current_and_changed_sessions(kernel: KernelSession) -> None:
    told: list[tuple[str, list[str]]] = []
    end = kernel.watch(lambda: told.append((kernel.current_name, kernel.names)))
    kernel.current()
    assert told[-1] == ("main", ["main"])
    kernel.switch("other")
    assert told[-1] == ("other", ["main", "other"])
    told.clear()
    kernel.current().attach_file("a.txt", b"a")
    assert told
    kernel.delete("other")
    assert told[-1] == ("main", ["main"])
    end()
    told.clear()
    kernel.new("third")
    assert told == []


def test_a_renamed_session_is_called_by_its_new_name(kernel: KernelSession) -> None:
    session = kernel.new("before")
    kernel.new("taken")
    kernel.resume_session(session.id)
    kernel.update_session(session.id, name="after", ttl=600)
    assert (kernel.current_name, kernel.get("after"), kernel.get("before")) == ("after", session, None)
    assert session.ttl == 600
    kernel.update_session(session.id, name="taken")
    assert kernel.get("after") is session, "the name belongs to another one already"
    main = kernel.switch("main")
    kernel.update_session(main.id, name="first")
    assert kernel.current_name == "main"


def test_a_session_that_somebody_deleted_is_forgotten(kernel: KernelSession) -> None:
    session = kernel.new("doomed")
    session._client.resume_session(session.id).delete()
    for act in (
        lambda: kernel.update_session(session.id, ttl=600),
        lambda: kernel.delete_session(session.id),
        lambda: kernel.resume_session(session.id),
    ):
        kernel._sessions["doomed"], kernel.current_name = session, "doomed"
        with pytest.raises(SessionNotFoundError):
            act()
        assert (kernel.get("doomed"), kernel.current_name) == (None, "main")


def test_notebook_remembers_its_session(kernel: KernelSession) -> None:
    """Another kernel of the same notebook finds it; one of another notebook, or of none, does not."""
    session = kernel.current()
    again = KernelSession({"__vsc_ipynb_file__": "/home/analyst/notebook.ipynb"})
    assert again.resume_last().id == session.id
    again.close()
    for namespace in ({"__vsc_ipynb_file__": "/home/analyst/other.ipynb"}, {}):
        stranger = KernelSession(namespace)
        with pytest.raises(InputError, match="%secgemini sessions"):
            stranger.resume_last()
        stranger.close()


def test_backend_service_without_a_key_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEC_GEMINI_API_KEY")
    monkeypatch.setenv("SECGEMINI_BACKEND", "service")
    with pytest.raises(SettingsError, match="SEC_GEMINI_API_KEY"):
        KernelSession().current()


def test_closing_ends_thread_and_connections(kernel: KernelSession) -> None:
    running = kernel.current().start("[[messages=500]] [[delay=0.02]]")
    running.next(timeout=5)
    kernel.close()
    assert "secgemini-loop" not in {thread.name for thread in threading.enumerate()}
    assert not kernel.has_client
    assert kernel.current(), "and it can be used again"


def test_current_session_without_the_extension() -> None:
    session = kernels.current_session()
    assert kernels.current_session() is session
    kernels.default_kernel().close()
    keeper.let_go(None)


def answered(kernel: KernelSession, prompt: str) -> Answer:
    session = kernel.current()
    return Answer(session.query(prompt), session)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("```json\n[1, 2]\n```", [1, 2]),
        ("```\ntrue\n```", True),
        (" 7 ", 7),
    ],
)
def test_answer_as_json(kernel: KernelSession, text: str, value: Any) -> None:
    assert answered(kernel, text).json() == value


@pytest.mark.parametrize("text", ["no JSON", "```json\n{\n```", "as in [1]", "```"])
def test_answer_that_is_no_json(kernel: KernelSession, text: str) -> None:
    with pytest.raises(InputError, match="no JSON"):
        answered(kernel, text).json()


def test_answer_says_what_it_is(kernel: KernelSession) -> None:
    answer = answered(kernel, "two\nlines \x1b[31m")
    assert repr(answer).startswith("<Answer ok: 2 lines, ")
    assert str(answer) == str(answer.text()) == answer.answer
    assert answer.usage.total_tokens >= 0
    assert len(answer.response.to_frame()) == len(answer.messages)


def test_answer_as_history(kernel: KernelSession) -> None:
    answered(kernel, "one")
    answer = answered(kernel, "two")
    history = answer.history(strict=True)
    assert answer.session is not None
    stored = answer.session.history()
    there = stored[stored["turn_index"] == answer.turn].reset_index(drop=True)
    same = ["session_id", "turn_id", "message_id", "message_type", "actor", "role", "state", "content"]
    pd.testing.assert_frame_equal(history[same], there[same])
    assert history.secgemini.turns()["prompt"].tolist() == [answer.prompt]


def test_answer_gives_its_contents_as_data(kernel: KernelSession) -> None:
    prompt = (
        'see http://evil.test\n\n| host | n |\n|---|---|\n| `a.test` | 1 |\n\n[[type sec-gemini/table [{"x": 1.5}]]]'
    )
    answer = answered(kernel, prompt)
    assert answer.df().equals(answer.tables[0])
    assert [list(table.columns) for table in answer.tables] == [["x"], ["host", "n"]]
    assert answer.tables[1]["host"].tolist() == ["a.test"]
    assert "| x |\n| --- |\n| 1.5 |" in answer.markdown
    assert "http://evil.test" in answer.markdown
    found = answer.iocs.set_index("value")
    assert found.loc["http://evil.test", ["in_prompt", "in_answer"]].tolist() == [True, True]
    assert found.loc["http://evil.test", "message_id"] == kernel.current().messages[0].id
    assert set(found["turn_index"]) == {answer.turn} == {1}
    assert answer.prompt == prompt
    assert len(answer.tools) == 0
    assert "tool_name" in answer.tools.columns


def test_answer_without_a_table_says_where_the_messages_are(kernel: KernelSession) -> None:
    with pytest.raises(InputError, match=r"no table\. .*its messages are \.history\(\)"):
        answered(kernel, "words").df()


def test_answer_takes_no_key_along(kernel: KernelSession, local_service: LocalService) -> None:
    answer = answered(kernel, "hello")
    for copied in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(InputError, match="cannot be copied or pickled"):
            copied(answer)
    kept = pickle.loads(pickle.dumps(answer.response))
    assert kept.answer == "hello"
    assert kept.tables() == []
    assert local_service.key.encode() not in pickle.dumps(answer.response)
    assert local_service.key not in repr(answer) + repr(answer.response) + str(vars(answer))


def test_shown_answer_has_the_answers_state(kernel: KernelSession) -> None:
    session = kernel.current()
    response = session.query("half of it")
    data, metadata = Answer(response, session, "error", InputError("it took too long."))._repr_mimebundle_()
    assert "Failed: it took too long." in data["text/plain"]
    assert metadata["secgemini"]["status"] == "error"
