"""The synchronous shell: `SecGemini` and `InteractiveSession`. What decides stands in `protocol/`; this waits."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec
from websockets.sync.client import ClientConnection

from secgemini_jupyter.client import base, bounded, failing, files, logs, receiving, sending, serving, transport
from secgemini_jupyter.client.histories import CONCURRENCY, Histories, Reading, Saving
from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.client.running import POLL, LoopThread, RunningTurn
from secgemini_jupyter.client.state import SessionState, SessionView
from secgemini_jupyter.errors import SecGeminiError, Secret
from secgemini_jupyter.models import Message, ModelInfo, PublicSession, PublicSessionFile, UserInfo
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import Attempts, Request
from secgemini_jupyter.protocol.turn import ASKING, Turn
from secgemini_jupyter.settings import Key, Settings
from secgemini_jupyter.tools import NOBODY, Approver, Tool, Toolbox, Unasked, in_thread
from secgemini_jupyter.transcript.messages import finished

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from secgemini_jupyter.activity import Verification
    from secgemini_jupyter.client.aio import AsyncInteractiveSession, AsyncSecGemini
    from secgemini_jupyter.client.histories import HasId
    from secgemini_jupyter.transcript.columns import Backend
    from secgemini_jupyter.transcript.tree import SessionTree
    from secgemini_jupyter.widgets.attach import AttachWidget
    from secgemini_jupyter.widgets.chat import ChatWidget
    from secgemini_jupyter.widgets.visualize import VisualizeWidget

__all__ = ["InteractiveSession", "SecGemini"]

T = TypeVar("T")


class SecGemini:
    """The client of the Sec-Gemini service. Nothing is sent before the first call; close it, or use it in `with`.

        with SecGemini() as client:
            session = client.create_session("triage")
            print(session.query("What is CVE-2021-44228?"))

    Args:
        api_key: else found as DESIGN section 5 says: `SEC_GEMINI_API_KEY`, `SEC_GEMINI_API_KEY_FILE`, Colab, keyring.
        base_url: `https://…`; else `SEC_GEMINI_API_HTTP_URL`, else the service.
        websocket_url: `wss://…`; else `SEC_GEMINI_API_WEBSOCKET_URL`, else derived from `base_url`.
        settings: timeouts and limits.

    Raises:
        SettingsError: no key is found, or an address makes no sense.
    """

    _warns = True
    """Whether a resumed session warns of tools without a function."""

    def __init__(
        self,
        api_key: str | Secret | Key | None = None,
        *,
        base_url: str | None = None,
        websocket_url: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        api_key = Secret(api_key.strip()) if isinstance(api_key, str) else api_key
        self._core = base.ClientCore.resolve(api_key, base_url, websocket_url, settings)
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._loop: LoopThread | None = None

    @classmethod
    def _of(cls, core: base.ClientCore) -> SecGemini:
        client = cls.__new__(cls)
        client._core, client._lock, client._http, client._loop = core, threading.Lock(), None, None
        return client

    @classmethod
    def local(cls, *, settings: Settings | None = None) -> SecGemini:
        """A client of the embedded local service, which is started if it does not run yet. Needs no key."""
        from secgemini_jupyter.embedded import ensure

        return cls._of(base.ClientCore.local(ensure(), settings))

    @property
    def is_local(self) -> bool:
        """Whether answers come from the embedded local service instead of Sec-Gemini."""
        return self._core.is_local

    @property
    def local_name(self) -> str:
        """Who answers in the local service: the local analyst, or a language model and where it is."""
        return self._core.local_name

    @property
    def settings(self) -> Settings:
        return self._core.settings

    @property
    def key_source(self) -> str:
        """Where the key was found; the key itself is not shown."""
        return self._core.key.source

    @property
    def key_hint(self) -> str:
        """The key's last four characters; of a short key none."""
        return self._core.key.secret.hint

    def renew(self) -> bool:
        """Find the embedded local service again, which ends when nobody uses it; whether it is at another address."""
        return self._core.renew()

    @cached_property
    def aio(self) -> AsyncSecGemini:
        """The async twin: same key, same settings."""
        from secgemini_jupyter.client.aio import AsyncSecGemini

        return AsyncSecGemini._of(self._core)

    def create_session(
        self,
        name: str | None = None,
        description: str = "",
        ttl: int = base.DEFAULT_TTL,
        enable_logging: bool = True,
        *,
        model: str | ModelInfo | None = None,
        toolsets: Mapping[str, bool] | None = None,
        language: str = "en",
        tools: Iterable[Tool | Callable[..., Any]] = (),
        agents_config: Mapping[str, Any] | None = None,
    ) -> InteractiveSession:
        """Create a session.

        Args:
            name: generated when none is given.
            ttl: time to live in seconds, at least 300.
            enable_logging: False asks for no retention; see `can_log` for what holds.
            model: a model string, or one of `models()`.
            toolsets: toolsets of the model to switch on (True) or off (False), by name; others as they are by default.
            language: of the answers, as `en` or `pt-BR`.
            tools: functions that the service may ask this process to run; see `secgemini_tool`.
            agents_config: settings of the service's agents, by agent.

        Raises:
            InputError: an argument makes no sense.
            SettingsError: the key does not allow `enable_logging=False`; nothing was created.
        """
        toolbox = Toolbox(tools)
        draft = self._core.draft(
            self._core.user or self.user_info(),
            name=name,
            description=description,
            ttl=ttl,
            enable_logging=enable_logging,
            model=model,
            toolsets=toolsets,
            language=language,
            tools=toolbox,
            agents_config=agents_config,
        )
        self._send(endpoints.register(draft))
        stored = self._send(endpoints.get_session(draft.id))
        if stored.can_log and not draft.can_log:
            self._send(endpoints.delete(stored))
            raise base.retained_against_wish(stored)
        return InteractiveSession(self, base.registered(self._core, draft, stored, toolbox))

    def list_sessions(self) -> list[InteractiveSession]:
        """All active sessions of the user, oldest first."""
        sessions = self._core.sessions(self.user_info())
        return [InteractiveSession(self, base.listed(self._core, session)) for session in sessions]

    def resume_session(self, session_id: str, *, tools: Iterable[Tool | Callable[..., Any]] = ()) -> InteractiveSession:
        """An existing session.

        Raises:
            SessionNotFoundError: it does not exist, or not any more.
        """
        stored = self._send(endpoints.get_session(session_id))
        state = base.resumed(self._core, stored, Toolbox(tools))
        if self._warns:
            serving.warn_of_missing(state)
        return InteractiveSession(self, state)

    def sessions_frame(self) -> pd.DataFrame:
        """All active sessions of the user as a DataFrame, one row each, oldest first; times are UTC."""
        from secgemini_jupyter.transcript.sessions import sessions_frame

        return sessions_frame(self.list_sessions())

    def histories(
        self,
        sessions: Iterable[str | HasId] | pd.DataFrame | None = None,
        *,
        concurrency: int = CONCURRENCY,
        progress: bool | None = None,
        strict: bool = False,
        dtype_backend: Backend = "numpy_nullable",
    ) -> pd.DataFrame:
        """All messages of many sessions as one DataFrame, in the shape of `history()`, session after session.

        Several are read at a time, each afresh, with a progress bar; a session that is gone or unreadable is left out
        with a warning, and named in `attrs["left_out"]`.

        Args:
            sessions: ids, sessions, or a table with a column `session_id`; all active sessions when left out.
            concurrency: how many are read at a time, at most 64.
            progress: whether to show a bar; None shows it where somebody looks.
            strict: raise for a session that cannot be read, and for a message with problems.
            dtype_backend: `pyarrow` gives Arrow dtypes, and needs the extra `parquet`.

        Raises:
            InputError: an argument makes no sense.
            ProtocolError: with `strict`; it names the rows.
        """
        wanted = self.list_sessions() if sessions is None else sessions
        with Histories(wanted, concurrency=concurrency, progress=progress, strict=strict) as found:
            self._read_each(found, concurrency)
            return finished(found.frame(), strict=strict, dtype_backend=dtype_backend)

    def save_histories(
        self,
        folder: str | os.PathLike[str],
        sessions: Iterable[str | HasId] | pd.DataFrame | None = None,
        *,
        concurrency: int = CONCURRENCY,
        progress: bool | None = None,
        strict: bool = False,
    ) -> pd.DataFrame:
        """Write the histories of many sessions to a folder, one Parquet file each (extra `parquet`), as they arrive.

        The folder is a dataset partitioned by `session_id`, which pandas, DuckDB, Polars and Dask read lazily, and
        `read_history(folder)` as one table. No more sessions are in memory than are read at a time. A session that was
        written before is written anew, whole or not at all; files of others stay. One that is gone or unreadable is
        left out with a warning. What was said stands there as it was, also of sessions without retention.

        Args:
            folder: made where there is none; it holds a dataset or nothing.
            sessions: ids, sessions, or a table with a column `session_id`; all active sessions when left out.
            concurrency: how many are read at a time, at most 64.
            progress: whether to show a bar; None shows it where somebody looks.
            strict: raise for a session that cannot be read, and for a message with problems; what was written stays.

        Returns:
            One row a session: `session_id`, `status` (`saved` or `left_out`), `rows`, `bytes`, `path`, `error`.

        Raises:
            InputError: an argument makes no sense, the folder holds something else or cannot be written to.
            ProtocolError: with `strict`; it names the rows.
        """
        wanted = self.list_sessions() if sessions is None else sessions
        with Saving(folder, wanted, concurrency=concurrency, progress=progress, strict=strict) as found:
            self._read_each(found, concurrency)
            return found.frame()

    def _read_each(self, found: Reading[Any], concurrency: int) -> None:
        def read(session_id: str) -> Any:
            return found.made(session_id, self._send(endpoints.get_session(session_id)))

        waiting: dict[Future[Any], str] = {}
        left = iter(found.ids)
        while True:
            for session_id in islice(left, concurrency - len(waiting)):
                waiting[in_thread(partial(read, session_id), name="secgemini-history")] = session_id
            if not waiting:
                return
            # An interrupt is delivered between two waits; what is under way then ends by itself.
            for future in wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED).done:
                session_id = waiting.pop(future)
                try:
                    found.add(session_id, future.result())
                except SecGeminiError as error:
                    found.fail(session_id, error)

    def user_info(self) -> UserInfo:
        """Who the key belongs to, quotas (`user.rpm`, `user.tpm`: requests and tokens a minute), key expiry, models."""
        return self._core.remember(self._send(endpoints.user_info()))

    def models(self) -> list[ModelInfo]:
        """The models that the key may use, each with its toolsets."""
        return list(self.user_info().available_models)

    def close(self) -> None:
        """Close the connections. The client opens new ones when it is used again."""
        with self._lock:
            http, self._http, loop, self._loop = self._http, None, self._loop, None
        if http is not None:
            http.close()
        if loop is not None:
            with contextlib.suppress(TimeoutError):
                loop.submit(self.aio.close()).result(timeout=2)
            loop.stop()
        if "aio" in self.__dict__:
            self.aio._close_elsewhere()
            if "_plain" in self.aio.__dict__:
                self.aio._plain.close()

    @property
    def _loop_thread(self) -> LoopThread:
        with self._lock:
            if self._loop is None:
                self._loop = LoopThread()
            self._loop.start()
            return self._loop

    def __enter__(self) -> SecGemini:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        kind = "local service" if self.is_local else "service"
        return f"<{type(self).__name__} {kind} at {self.settings.host}, key from {self.key_source}>"

    def _send(self, request: Request[T], ends: float | None = None) -> T:
        attempts = Attempts(request, self.settings, ends)
        while True:
            try:
                return request.result(self._exchange(request, attempts.ends))
            except SecGeminiError as error:
                if self._core.renew(error):
                    continue
                pause = attempts.pause_after(self._core.explain(error))
            time.sleep(pause)
            while look := attempts.look:
                outcome, pause = attempts.settled(self._looked(look, attempts.ends))
                if outcome is not None:
                    return outcome
                time.sleep(pause)

    def _looked(self, look: Request[PublicSession], ends: float) -> PublicSession | SecGeminiError:
        try:
            return self._send(look, ends)
        except SecGeminiError as error:
            return error

    def _exchange(self, request: Request[Any], ends: float) -> Any:
        with self._lock:
            if self._http is None:
                self._http = transport.opened(httpx.Client, self.settings, lambda: self._core.key.secret)
            http = self._http
        options = transport.request_options(request, self.settings)
        try:
            with bounded.until(ends), http.stream(**options) as response:
                body = transport.Body(response, self.settings, ends)
                for part in response.iter_bytes():
                    body.take(part)
                return body.reply()
        except KeyboardInterrupt as interrupt:
            raise transport.bare(interrupt) from None
        except Exception as error:
            raise transport.translate(error, options["url"]) from transport.bare(error)

    @contextlib.contextmanager
    def _connect(self, session_id: str, *, partial: bool) -> Iterator[ClientConnection]:
        """A socket of the session; left by an exception, it is dropped without waiting for the other side."""
        secret = self._core.key.secret
        try:
            connection = transport.Connect(
                transport.socket_url(self.settings, secret, session_id, partial=partial),
                **transport.socket_options(self.settings, secret),
                create_connection=receiving.Connection,
            ).connect()
        except KeyboardInterrupt as interrupt:
            raise transport.bare(interrupt) from None
        except Exception as error:
            raise transport.translate(error, self.settings.websocket_url) from transport.bare(error)
        connection.pending_legacy_warning = False
        try:
            yield connection
        except BaseException:
            sending.drop(connection)
            raise
        sending.close(connection)


class InteractiveSession(SessionView):
    """A conversation kept by the service: attachments, turns, messages. Made by `SecGemini`."""

    def __init__(self, client: SecGemini, state: SessionState) -> None:
        self._client = client
        self._core = client._core
        self._state = state
        self.confirm: Callable[[Message], bool | Awaitable[bool]] | None = None
        """Answers a `confirmation_request`; None denies each."""
        self.approve: Approver | None = None
        """Approves a call of a local tool whose approval is `ask`, by name and arguments; None denies each."""
        self._resume = failing.RESUME

    @cached_property
    def aio(self) -> AsyncInteractiveSession:
        """The async twin: the same session, the same snapshot."""
        from secgemini_jupyter.client.aio import AsyncInteractiveSession

        twin = AsyncInteractiveSession(self._client.aio, self._state)
        twin.confirm = lambda message: _asked(self.confirm, message)
        twin.approve = lambda name, arguments: _asked(self.approve, name, arguments)
        twin._resume = self._resume  # what the user has is this one
        return twin

    @property
    def messages(self) -> list[Message]:
        """The stored messages, oldest first: from the snapshot, read once where it has none yet."""
        if self._state.messages is None:
            self.refresh()
        return list(self._state.messages or ())

    def refresh(self) -> None:
        """Read the session afresh, messages included."""
        self._fetch()

    # --- files ---

    def attach_file_from_disk(self, file_path: str | os.PathLike[str]) -> PublicSessionFile:
        """Attach a regular file under its own name.

        Raises:
            AttachmentError: missing, no regular file, too large, changed while it was read; or it arrived altered.
        """
        name, content = files.read_from_disk(file_path, self.max_attachment_bytes)
        return self.attach_file(name, content)

    def attach_file(self, filename: str, content: bytes, mime_type_hint: str | None = None) -> PublicSessionFile:
        """Attach bytes; the service's sha256 is compared with ours.

        Raises:
            InputError: no bytes, or no usable name.
            AttachmentError: too large, or it arrived altered.
        """
        name = files.check(filename, content, self.max_attachment_bytes)
        ours = files.digest(content)
        before = self.files
        with files.sending(self._state, name, len(content), ours):
            attached = self._client._send(endpoints.attach_file(self.id, name, content, mime_type_hint, before))
        files.arrived(self._state, attached, ours, before)
        return attached

    def attach(self) -> AttachWidget:
        """A widget to drop files on; each hash is compared in the browser, here and at the service."""
        from secgemini_jupyter.widgets.attach import AttachWidget

        return AttachWidget(self)

    def detach_file(self, *arguments: Any, session_id: str | None = None, file_idx: int | None = None) -> None:
        """Remove an attachment: `detach_file(file_idx)` or `detach_file(session_id, file_idx)`.

        Raises:
            InputError: no such index, another session's id, or the attachments changed since the snapshot.
        """
        index = base.detach_arguments(self.id, arguments, session_id, file_idx)
        expected = self.files
        self.refresh()
        base.check_index(index, expected, self.files)
        self._client._send(endpoints.detach_file(self.id, index, expected))
        self._state.remove_file(index, expected)

    def attach_logs(self, logs_hash: str) -> None:
        """Attach a logs table that the logs processor holds already, by its keyed BLAKE2s (hex).

        Raises:
            ServiceError: there is no such table.
        """
        logs_hash = logs.checked_hash(logs_hash)
        self._client._send(endpoints.attach_logs(self.id, logs_hash))
        self._state.keep(msgspec.structs.replace(self._state.info, logs_table=logs.table(logs_hash)))
        self._state.note("logs_attached", {"blake2s": logs_hash})

    def upload_and_attach_logs(
        self,
        file_path: str | os.PathLike[str],
        custom_fields_mapping: Mapping[str, str] | None = None,
        *,
        progress: bool | None = None,
    ) -> int:
        """Upload a log of JSON Lines as a table, and attach it; gives the number of lines inserted.

        A table that is there is not sent again. After an error or an interrupt call it again: it goes on from there.

        Args:
            custom_fields_mapping: new names of fields, each with its old one: `{"timestamp": "ts"}`. For a table of the
                local service that is there, another one renames its fields.
            progress: whether to show a bar; None shows it where somebody looks.

        Raises:
            SettingsError: no logs processor is set.
            AttachmentError: the log cannot be read, is no UTF-8 text or no JSON Lines, or changed meanwhile.
        """
        upload = logs.Upload(file_path, self._state, custom_fields_mapping, progress)
        find = upload.find_processor(self._settings)
        upload.use_processor(self._settings, is_service=find is None or self._client._send(find))
        self.refresh()  # nothing is sent for a session that is gone
        with upload.sending():
            upload.begin(self._client._send(upload.create()))
            for chunk in upload.left():
                upload.took(chunk, self._client._send(upload.request(chunk)))
        with upload.attaching():
            self.attach_logs(upload.logs_hash)
        return upload.inserted

    # --- the session itself ---

    def update(self, name: str | None = None, description: str | None = None, ttl: int | None = None) -> None:
        """Change name, description or time to live (seconds from now, at least 300).

        Raises:
            InputError: nothing is given, or a value makes no sense.
        """
        info = base.updated(self._state.info, name, description, ttl)
        self._client._send(endpoints.update(info, self._state.info))
        self._state.keep_update(info, ttl_set=ttl is not None)

    def delete(self) -> None:
        """Delete the session at the service, with its messages and attachments."""
        self._client._send(endpoints.delete(self._state.info))
        self._state.deleted()

    def generate_name(self) -> str:
        """A name that the service proposes; set it with `update(name=…)`."""
        return self._client._send(endpoints.generate_name(self.id))

    # --- turns ---

    def prepare(self, prompt: str | None, *, partial: bool = False, timeout: float | None = None) -> Turn:
        """A turn for `run`, not sent yet; without a prompt it listens to the one that runs, or ran last.

        Args:
            timeout: seconds from now to its deadline; None for the settings' `turn_timeout`.
        """
        return base.new_turn(self._state, self._settings, prompt, partial=partial, timeout=timeout)

    def start(self, prompt: str | None, *, timeout: float | None = None) -> RunningTurn:
        """Ask on a thread of its own, pieces (206) included; None listens to the turn that runs, or ran last.

        Args:
            timeout: seconds from now to the turn's deadline; None for the settings' `turn_timeout`.

        Raises:
            InputError: the prompt is empty.
        """
        running = self.to_start(prompt, timeout=timeout)
        running.begin()
        return running

    def to_start(self, prompt: str | None, *, timeout: float | None = None) -> RunningTurn:
        """The same, but not begun: for who may be interrupted at any moment, and must know what to stop then."""
        turn = self.prepare(prompt, partial=True, timeout=timeout)
        return RunningTurn(self, turn, self._client._loop_thread)

    def query(self, prompt: str) -> SessionResponse:
        """Ask, and wait for the whole answer.

        Raises:
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return self._whole(self.prepare(base.a_prompt(prompt)))

    def resume_turn(self) -> SessionResponse:
        """The whole answer to the last prompt, without asking it again: after a cut, or in another process.

        Raises:
            InputError: nothing was asked in this session yet.
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return self._whole(self.prepare(None))

    def _whole(self, turn: Turn) -> SessionResponse:
        turn.is_whole = True
        started = time.monotonic()
        for _ in self.run(turn):
            pass
        return self.response(turn, time.monotonic() - started)

    def stream(self, prompt: str, *, partial: bool = False) -> AsyncGenerator[Message, None]:
        """Ask, and get every message of the turn as it comes, END included: `async for message in session.stream(…)`.

        Args:
            partial: also get the pieces (status 206) of results and thinking; the whole follows each.

        Raises:
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return self.aio.stream(prompt, partial=partial)

    def stream_sync(self, prompt: str, *, partial: bool = False) -> Iterator[Message]:
        """The same with a plain `for`."""
        return self.run(self.prepare(base.a_prompt(prompt), partial=partial))

    def reconnect(self, *, partial: bool = False) -> Iterator[Message]:
        """Listen, without asking: the messages of the turn that runs, or ran last, from its first on.

        Raises:
            InputError: nothing was asked in this session yet.
        """
        return self.run(self.prepare(None, partial=partial))

    def run(self, turn: Turn) -> Iterator[Message]:
        """The messages of a prepared turn; who holds the turn can look at it at any time, also after a stop."""
        started = time.monotonic()
        with self._state.running(turn):
            try:
                while not turn.done:
                    try:
                        with self._client._connect(self.id, partial=turn.partial) as socket:
                            turn.connected()
                            while not turn.done:
                                for message in self._step(turn, socket):
                                    yield message
                                    if message.message_type in ASKING and (answer := self._serve(turn, message)):
                                        yield answer
                    except SecGeminiError as error:
                        if self._core.renew(error):
                            continue
                        pause = turn.lost(error, time.monotonic())
                        time.sleep(pause)
                turn.raise_for_error(self.host)
            except SecGeminiError as error:
                self._core.explain(error)
                failing.note(error, turn, self.response(turn, time.monotonic() - started), self._resume)
                raise

    def _step(self, turn: Turn, socket: ClientConnection) -> Iterable[Message]:
        """What the turn wants next: the stored session, or a frame. Raises when the socket is lost."""
        if turn.fetch_wanted:
            time.sleep(turn.fetch_pause)
            return list(turn.reconcile(self._stored(turn)))
        try:
            for outgoing in turn.take_outgoing():
                sending.send(socket, outgoing, turn.patience(time.monotonic()))
            frame = socket.recv(timeout=turn.patience(time.monotonic()), decode=False)
        except TimeoutError:
            turn.silent(time.monotonic())
            return ()
        except KeyboardInterrupt as interrupt:
            raise transport.bare(interrupt) from None
        except SecGeminiError:
            raise
        except Exception as error:
            raise transport.translate(error, self._settings.websocket_url) from transport.bare(error)
        message = turn.receive(frame)
        return () if message is None else (message,)

    def _serve(self, turn: Turn, message: Message) -> Message | None:
        """Do what `message` asks of this side; gives our answer, which the session holds as well."""
        if call := turn.tool_call(message):
            timeout = self._settings.tool_timeout
            outcome = serving.beyond_cap(turn, self._settings) or self._state.tools.run(
                call.name, call.arguments, timeout=timeout, approve=self._approved
            )
            return turn.answer(call, outcome.output, is_error=outcome.is_error)
        if turn.wants_decision(message):
            with serving.Verdict() as verdict:
                verdict.take(self._verdict(self.confirm(message)) if self.confirm else None)
            return turn.decide(message, approve=verdict.is_yes, comment=verdict.comment)
        return None

    def _approved(self, name: str, arguments: dict[str, Any]) -> bool:
        if self.approve is None:
            raise Unasked(NOBODY)
        return self._verdict(self.approve(name, arguments))

    def _verdict(self, said: bool | Awaitable[bool]) -> bool:
        """What `approve` or `confirm` said; one that is asynchronous is awaited on the loop thread."""
        if not inspect.isawaitable(said):
            return said is True
        work = self._client._loop_thread.submit(_awaited(said))
        try:
            return work.result() is True
        finally:
            work.cancel()  # if the user stopped waiting

    def _stored(self, turn: Turn) -> list[Message]:
        """What the service holds now; the snapshot stays as it is, since the running turn adds itself to it."""
        ends = turn.look_ends(time.monotonic())
        return self._client._send(endpoints.get_session(self.id), ends).read_messages()

    def _fetch(self) -> list[Message]:
        for _ in range(base.READS):
            changes = self._state.file_changes
            stored = self._client._send(endpoints.get_session(self.id))
            if changes == self._state.file_changes:
                break
        return self._state.store(stored)

    def response(self, turn: Turn, elapsed: float) -> SessionResponse:
        """What `turn` brought until now."""
        return SessionResponse.of(turn, self._state, host=self.host, is_local=self.is_local, elapsed=elapsed)

    # --- what came of it ---

    def chat(self) -> ChatWidget:
        """A widget to talk in this session."""
        from secgemini_jupyter.widgets.chat import ChatWidget, OneSession

        return ChatWidget(OneSession(self))

    def history(self, *, strict: bool = False, dtype_backend: Backend = "numpy_nullable") -> pd.DataFrame:
        """All messages as a DataFrame, read afresh: one row a message, `created_at` in UTC.

        No message is left out: what is wrong with one stands in the column `problems`.

        Args:
            strict: raise instead where a message has problems.
            dtype_backend: `pyarrow` gives Arrow dtypes, and needs the extra `parquet`.

        Raises:
            ProtocolError: with `strict`; it names the rows.
        """
        return finished(base.history(self, self._fetch()), strict=strict, dtype_backend=dtype_backend)

    def export(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the session, read afresh, to a file; the ending says what: `transcript.exports.ENDINGS`.

        Raises:
            InputError: the ending is not known, a file is there, or it cannot be written; nothing is half-written.
        """
        from secgemini_jupyter.transcript.document import Transcript
        from secgemini_jupyter.transcript.exports import checked, export

        target = checked(path, overwrite=overwrite)
        return export(Transcript.of_session(self, self._fetch()), target)

    def visualize(self, *, embed: bool = False) -> VisualizeWidget | SessionTree:
        """The session as a tree, read afresh: a widget in a notebook, text elsewhere.

        Args:
            embed: a widget that keeps all messages (up to 2 MB) in the saved notebook, so that exported HTML stays
                interactive.
        """
        return base.drawn(self, self._fetch(), embed=embed)

    def activity(self) -> pd.DataFrame:
        """What was done here on this machine, from its activity log: who, when, what, hashes. Empty where none is kept.

        `sha256` is of the file or prompt before it was sent, or of the answer; `sha256_server` as the service said.
        """
        from secgemini_jupyter.activity import sessions

        return sessions.activity_of(self.id)

    def verify(self, *, head: str | None = None) -> Verification:
        """Check the activity log: names the entry that was edited, removed or put elsewhere; true if none was.

        Whoever owns the file can cut its end off, or write it anew with hashes that fit: only a `head` that was kept
        elsewhere shows that.

        Args:
            head: what `head()` gave earlier.

        Raises:
            InputError: it is none.
        """
        from secgemini_jupyter.activity import sessions

        return sessions.verification_of(self.id, head=head)

    def head(self) -> str:
        """Number and hash of the last entry of the activity log. Keep it where the owner of the file cannot change it.

        Raises:
            InputError: there is no log, or it was changed.
        """
        from secgemini_jupyter.activity import sessions

        return sessions.head_of(self.id)

    def send_feedback(self, score: int, group_id: str | None = None, comment: str = "") -> None:
        """Tell the service how the answer was.

        Args:
            score: above 0 is positive, else negative.
            group_id: a message's `group` (or `id`); None means the whole session.

        Raises:
            InputError: no such group in this session, or no whole number.
        """
        report = base.feedback_report(self.id, score, group_id, comment)
        self._check_group(group_id)
        self._client._send(endpoints.feedback(report))
        base.note_feedback(self._state, report)

    def send_bug_report(self, bug: str, group_id: str | None = None) -> None:
        """Report what went wrong, for a group of messages or the whole session.

        Raises:
            InputError: the text is empty, or there is no such group in this session.
        """
        report = base.bug_report(self.id, bug, group_id)
        self._check_group(group_id)
        self._client._send(endpoints.feedback(report))
        base.note_feedback(self._state, report)

    def _check_group(self, group_id: str | None) -> None:
        if group_id:
            base.check_group(group_id, self.messages)


async def _awaited(said: Awaitable[bool]) -> bool:
    return await said


async def _asked(function: Callable[..., bool | Awaitable[bool]] | None, *arguments: Any) -> bool:
    """What a function of the user's says. A plain one may wait for a person, and other turns run on this loop."""
    if function is None:
        raise Unasked(NOBODY)
    if inspect.iscoroutinefunction(function):
        return await function(*arguments) is True
    said = await asyncio.wrap_future(in_thread(lambda: function(*arguments)))
    return (await said if inspect.isawaitable(said) else said) is True
