"""The asynchronous shell: the same lines as `sync`, with `await`. A test compares the two."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection

from secgemini_jupyter.client import base, bounded, failing, files, logs, receiving, sending, serving, transport
from secgemini_jupyter.client.histories import CONCURRENCY, Histories, Reading, Saving
from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.client.state import SessionState, SessionView
from secgemini_jupyter.client.waiting import within
from secgemini_jupyter.errors import SecGeminiError, Secret
from secgemini_jupyter.models import Message, ModelInfo, PublicSession, PublicSessionFile, UserInfo
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import Attempts, Request
from secgemini_jupyter.protocol.turn import ASKING, Turn
from secgemini_jupyter.settings import Key, Settings
from secgemini_jupyter.tools import Approver, Tool, Toolbox
from secgemini_jupyter.transcript.messages import finished

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from secgemini_jupyter.activity import Verification
    from secgemini_jupyter.client.histories import HasId
    from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
    from secgemini_jupyter.transcript.columns import Backend
    from secgemini_jupyter.transcript.tree import SessionTree
    from secgemini_jupyter.widgets.attach import AttachWidget
    from secgemini_jupyter.widgets.visualize import VisualizeWidget

__all__ = ["AsyncInteractiveSession", "AsyncSecGemini"]

T = TypeVar("T")
Pool = tuple[httpx.AsyncClient, AsyncGenerator[None, None]]
"""Connections of one event loop, and what closes them when it ends."""


class AsyncSecGemini:
    """`SecGemini` with `await`. It keeps one connection pool for each event loop that uses it.

        async with AsyncSecGemini() as client:
            session = await client.create_session("triage")
            async for message in session.stream("What is CVE-2021-44228?"):
                print(message.content)

    Arguments and errors are those of `SecGemini`.
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
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}

    @classmethod
    def _of(cls, core: base.ClientCore) -> AsyncSecGemini:
        client = cls.__new__(cls)
        client._core, client._lock, client._pools = core, threading.Lock(), {}
        return client

    @classmethod
    async def local(cls, *, settings: Settings | None = None) -> AsyncSecGemini:
        """A client of the embedded local service, which is started if it does not run yet. Needs no key."""
        from secgemini_jupyter.embedded import ensure

        return cls._of(base.ClientCore.local(await asyncio.to_thread(ensure), settings))

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

    async def renew(self) -> bool:
        """Find the embedded local service again, which ends when nobody uses it; whether it is at another address."""
        return await asyncio.to_thread(self._core.renew)

    async def create_session(
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
    ) -> AsyncInteractiveSession:
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
            self._core.user or await self.user_info(),
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
        await self._send(endpoints.register(draft))
        stored = await self._send(endpoints.get_session(draft.id))
        if stored.can_log and not draft.can_log:
            await self._send(endpoints.delete(stored))
            raise base.retained_against_wish(stored)
        return AsyncInteractiveSession(self, base.registered(self._core, draft, stored, toolbox))

    async def list_sessions(self) -> list[AsyncInteractiveSession]:
        """All active sessions of the user, oldest first."""
        sessions = self._core.sessions(await self.user_info())
        return [AsyncInteractiveSession(self, base.listed(self._core, session)) for session in sessions]

    async def resume_session(
        self, session_id: str, *, tools: Iterable[Tool | Callable[..., Any]] = ()
    ) -> AsyncInteractiveSession:
        """An existing session.

        Raises:
            SessionNotFoundError: it does not exist, or not any more.
        """
        stored = await self._send(endpoints.get_session(session_id))
        state = base.resumed(self._core, stored, Toolbox(tools))
        if self._warns:
            serving.warn_of_missing(state)
        return AsyncInteractiveSession(self, state)

    async def sessions_frame(self) -> pd.DataFrame:
        """All active sessions of the user as a DataFrame, one row each, oldest first; times are UTC."""
        from secgemini_jupyter.transcript.sessions import sessions_frame

        return sessions_frame(await self.list_sessions())

    async def histories(
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
        wanted = await self.list_sessions() if sessions is None else sessions
        with Histories(wanted, concurrency=concurrency, progress=progress, strict=strict) as found:
            await self._read_each(found, concurrency)
            return finished(found.frame(), strict=strict, dtype_backend=dtype_backend)

    async def save_histories(
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
        wanted = await self.list_sessions() if sessions is None else sessions
        with Saving(folder, wanted, concurrency=concurrency, progress=progress, strict=strict) as found:
            await self._read_each(found, concurrency)
            return found.frame()

    async def _read_each(self, found: Reading[Any], concurrency: int) -> None:
        gate = asyncio.Semaphore(concurrency)

        async def read(session_id: str) -> None:
            async with gate:
                try:
                    stored = await self._send(endpoints.get_session(session_id))
                    found.add(session_id, await asyncio.to_thread(found.made, session_id, stored))
                except SecGeminiError as error:
                    found.fail(session_id, error)

        tasks = [asyncio.create_task(read(session_id)) for session_id in found.ids]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def user_info(self) -> UserInfo:
        """Who the key belongs to, quotas (`user.rpm`, `user.tpm`: requests and tokens a minute), key expiry, models."""
        return self._core.remember(await self._send(endpoints.user_info()))

    async def models(self) -> list[ModelInfo]:
        """The models that the key may use, each with its toolsets."""
        return list((await self.user_info()).available_models)

    @cached_property
    def _plain(self) -> SecGemini:
        """The synchronous twin, for widgets: they work in threads."""
        from secgemini_jupyter.client.sync import SecGemini

        return SecGemini._of(self._core)

    async def close(self) -> None:
        """Close the connections. The client opens new ones when it is used again."""
        here = self._pools.pop(asyncio.get_running_loop(), None)
        self._close_elsewhere()
        if "_plain" in self.__dict__:
            await asyncio.to_thread(self._plain.close)
        if here is not None:
            await here[0].aclose()

    def _close_elsewhere(self) -> None:
        """Close connections from outside their event loops, without waiting."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for loop, (http, _) in pools.items():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(http.aclose(), loop)

    async def __aenter__(self) -> AsyncSecGemini:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        kind = "local service" if self.is_local else "service"
        return f"<{type(self).__name__} {kind} at {self.settings.host}, key from {self.key_source}>"

    async def _send(self, request: Request[T], ends: float | None = None) -> T:
        attempts = Attempts(request, self.settings, ends)
        while True:
            try:
                return request.result(await self._exchange(request, attempts.ends))
            except SecGeminiError as error:
                if await asyncio.to_thread(self._core.renew, error):
                    continue
                pause = attempts.pause_after(self._core.explain(error))
            await asyncio.sleep(pause)
            while look := attempts.look:
                outcome, pause = attempts.settled(await self._looked(look, attempts.ends))
                if outcome is not None:
                    return outcome
                await asyncio.sleep(pause)

    async def _looked(self, look: Request[PublicSession], ends: float) -> PublicSession | SecGeminiError:
        try:
            return await self._send(look, ends)
        except SecGeminiError as error:
            return error

    async def _exchange(self, request: Request[Any], ends: float) -> Any:
        options = transport.request_options(request, self.settings)
        http = await self._pool()
        try:
            async with bounded.until_async(ends), http.stream(**options) as response:
                body = transport.Body(response, self.settings, ends)
                async for part in response.aiter_bytes():
                    body.take(part)
                return body.reply()
        except (asyncio.CancelledError, KeyboardInterrupt) as stopped:
            raise transport.bare(stopped) from None
        except Exception as error:
            raise transport.translate(error, options["url"]) from transport.bare(error)

    async def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        with self._lock:
            if pool := self._pools.get(loop):
                return pool[0]
            self._pools = {loop: pool for loop, pool in self._pools.items() if not loop.is_closed()}
            http = transport.opened(httpx.AsyncClient, self.settings, lambda: self._core.key.secret)
            closer = _closes(http)
            self._pools[loop] = http, closer
        await anext(closer)
        return http

    @asynccontextmanager
    async def _connect(self, session_id: str, *, partial: bool) -> AsyncIterator[ClientConnection]:
        """A socket of the session; left by an exception, it is dropped without waiting for the other side."""
        secret = self._core.key.secret
        try:
            connection = await transport.AsyncConnect(
                transport.socket_url(self.settings, secret, session_id, partial=partial),
                **transport.socket_options(self.settings, secret),
                create_connection=receiving.AsyncConnection,
            )
        except (asyncio.CancelledError, KeyboardInterrupt) as stopped:
            raise transport.bare(stopped) from None
        except Exception as error:
            raise transport.translate(error, self.settings.websocket_url) from transport.bare(error)
        try:
            yield connection
        except BaseException:
            connection.transport.abort()
            raise
        await connection.close()


async def _closes(http: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    """Closes connections with their event loop: `asyncio.run` ends the generators that are open, then the loop."""
    try:
        yield
    finally:
        await http.aclose()


class AsyncInteractiveSession(SessionView):
    """`InteractiveSession` with `await`; both share one snapshot. Arguments and errors are the same."""

    def __init__(self, client: AsyncSecGemini, state: SessionState) -> None:
        self._client = client
        self._core = client._core
        self._state = state
        self.confirm: Callable[[Message], bool | Awaitable[bool]] | None = None
        """Answers a `confirmation_request`; None denies each."""
        self.approve: Approver | None = None
        """Approves a call of a local tool whose approval is `ask`, by name and arguments; None denies each."""
        self._resume = f"await {failing.RESUME}"

    @cached_property
    def _plain(self) -> InteractiveSession:
        """The synchronous twin: the same session, the same snapshot."""
        from secgemini_jupyter.client.sync import InteractiveSession

        return InteractiveSession(self._client._plain, self._state)

    @property
    async def messages(self) -> list[Message]:
        """The stored messages, oldest first: from the snapshot, read once where it has none yet. `await` it."""
        if self._state.messages is None:
            await self.refresh()
        return list(self._state.messages or ())

    async def refresh(self) -> None:
        """Read the session afresh, messages included."""
        await self._fetch()

    # --- files ---

    async def attach_file_from_disk(self, file_path: str | os.PathLike[str]) -> PublicSessionFile:
        """Attach a regular file under its own name.

        Raises:
            AttachmentError: missing, no regular file, too large, changed while it was read; or it arrived altered.
        """
        name, content = await asyncio.to_thread(files.read_from_disk, file_path, self.max_attachment_bytes)
        return await self.attach_file(name, content)

    async def attach_file(self, filename: str, content: bytes, mime_type_hint: str | None = None) -> PublicSessionFile:
        """Attach bytes; the service's sha256 is compared with ours.

        Raises:
            InputError: no bytes, or no usable name.
            AttachmentError: too large, or it arrived altered.
        """
        name = files.check(filename, content, self.max_attachment_bytes)
        ours = await asyncio.to_thread(files.digest, content)
        before = self.files
        with files.sending(self._state, name, len(content), ours):
            attached = await self._client._send(endpoints.attach_file(self.id, name, content, mime_type_hint, before))
        files.arrived(self._state, attached, ours, before)
        return attached

    async def attach(self) -> AttachWidget:
        """A widget to drop files on; each hash is compared in the browser, here and at the service."""
        from secgemini_jupyter.widgets.attach import AttachWidget

        return AttachWidget(self._plain)

    async def detach_file(self, *arguments: Any, session_id: str | None = None, file_idx: int | None = None) -> None:
        """Remove an attachment: `detach_file(file_idx)` or `detach_file(session_id, file_idx)`.

        Raises:
            InputError: no such index, another session's id, or the attachments changed since the snapshot.
        """
        index = base.detach_arguments(self.id, arguments, session_id, file_idx)
        expected = self.files
        await self.refresh()
        base.check_index(index, expected, self.files)
        await self._client._send(endpoints.detach_file(self.id, index, expected))
        self._state.remove_file(index, expected)

    async def attach_logs(self, logs_hash: str) -> None:
        """Attach a logs table that the logs processor holds already, by its keyed BLAKE2s (hex).

        Raises:
            ServiceError: there is no such table.
        """
        logs_hash = logs.checked_hash(logs_hash)
        await self._client._send(endpoints.attach_logs(self.id, logs_hash))
        self._state.keep(msgspec.structs.replace(self._state.info, logs_table=logs.table(logs_hash)))
        self._state.note("logs_attached", {"blake2s": logs_hash})

    async def upload_and_attach_logs(
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
        upload = await asyncio.to_thread(logs.Upload, file_path, self._state, custom_fields_mapping, progress)
        find = upload.find_processor(self._settings)
        upload.use_processor(self._settings, is_service=find is None or await self._client._send(find))
        await self.refresh()  # nothing is sent for a session that is gone
        with upload.sending():
            upload.begin(await self._client._send(upload.create()))
            for chunk in upload.left():
                upload.took(chunk, await self._client._send(await asyncio.to_thread(upload.request, chunk)))
        with upload.attaching():
            await self.attach_logs(upload.logs_hash)
        return upload.inserted

    # --- the session itself ---

    async def update(self, name: str | None = None, description: str | None = None, ttl: int | None = None) -> None:
        """Change name, description or time to live (seconds from now, at least 300).

        Raises:
            InputError: nothing is given, or a value makes no sense.
        """
        info = base.updated(self._state.info, name, description, ttl)
        await self._client._send(endpoints.update(info, self._state.info))
        self._state.keep_update(info, ttl_set=ttl is not None)

    async def delete(self) -> None:
        """Delete the session at the service, with its messages and attachments."""
        await self._client._send(endpoints.delete(self._state.info))
        self._state.deleted()

    async def generate_name(self) -> str:
        """A name that the service proposes; set it with `update(name=…)`."""
        return await self._client._send(endpoints.generate_name(self.id))

    # --- turns ---

    def prepare(self, prompt: str | None, *, partial: bool = False, timeout: float | None = None) -> Turn:
        """A turn for `run`, not sent yet; without a prompt it listens to the one that runs, or ran last.

        Args:
            timeout: seconds from now to its deadline; None for the settings' `turn_timeout`.
        """
        return base.new_turn(self._state, self._settings, prompt, partial=partial, timeout=timeout)

    async def query(self, prompt: str) -> SessionResponse:
        """Ask, and wait for the whole answer.

        Raises:
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return await self._whole(self.prepare(base.a_prompt(prompt)))

    async def resume_turn(self) -> SessionResponse:
        """The whole answer to the last prompt, without asking it again: after a cut, or in another process.

        Raises:
            InputError: nothing was asked in this session yet.
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return await self._whole(self.prepare(None))

    async def _whole(self, turn: Turn) -> SessionResponse:
        turn.is_whole = True
        started = time.monotonic()
        async for _ in self.run(turn):
            pass
        return self.response(turn, time.monotonic() - started)

    def stream(self, prompt: str, *, partial: bool = False) -> AsyncGenerator[Message, None]:
        """Ask, and get every message of the turn as it comes, END included: `async for message in session.stream(…)`.

        Args:
            partial: also get the pieces (status 206) of results and thinking; the whole follows each.

        Raises:
            SecGeminiError: the turn failed; `.messages` and `.response` hold what had arrived.
        """
        return self.run(self.prepare(base.a_prompt(prompt), partial=partial))

    def reconnect(self, *, partial: bool = False) -> AsyncGenerator[Message, None]:
        """Listen, without asking: the messages of the turn that runs, or ran last, from its first on.

        Raises:
            InputError: nothing was asked in this session yet.
        """
        return self.run(self.prepare(None, partial=partial))

    async def run(self, turn: Turn) -> AsyncGenerator[Message, None]:
        """The messages of a prepared turn; who holds the turn can look at it at any time, also after a stop."""
        started = time.monotonic()
        await self._state.let_go()
        with self._state.running(turn):
            try:
                while not turn.done:
                    try:
                        async with self._client._connect(self.id, partial=turn.partial) as socket:
                            turn.connected()
                            while not turn.done:
                                for message in await self._step(turn, socket):
                                    yield message
                                    if message.message_type in ASKING and (answer := await self._serve(turn, message)):
                                        yield answer
                    except SecGeminiError as error:
                        if await asyncio.to_thread(self._core.renew, error):
                            continue
                        pause = turn.lost(error, time.monotonic())
                        await asyncio.sleep(pause)
                turn.raise_for_error(self.host)
            except SecGeminiError as error:
                self._core.explain(error)
                failing.note(error, turn, self.response(turn, time.monotonic() - started), self._resume)
                raise

    async def _step(self, turn: Turn, socket: ClientConnection) -> Iterable[Message]:
        """What the turn wants next: the stored session, or a frame. Raises when the socket is lost."""
        if turn.fetch_wanted:
            await asyncio.sleep(turn.fetch_pause)
            return list(turn.reconcile(await self._stored(turn)))
        try:
            for outgoing in turn.take_outgoing():
                await sending.send_async(socket, outgoing, turn.patience(time.monotonic()))
            frame = await within(turn.patience(time.monotonic()), socket.recv(decode=False))
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

    async def _serve(self, turn: Turn, message: Message) -> Message | None:
        """Do what `message` asks of this side; gives our answer, which the session holds as well."""
        if call := turn.tool_call(message):
            timeout = self._settings.tool_timeout
            outcome = serving.beyond_cap(turn, self._settings) or await self._state.tools.run_async(
                call.name, call.arguments, timeout=timeout, approve=self.approve
            )
            return turn.answer(call, outcome.output, is_error=outcome.is_error)
        if turn.wants_decision(message):
            with serving.Verdict() as verdict:
                said = self.confirm(message) if self.confirm else None
                verdict.take(await said if inspect.isawaitable(said) else said)
            return turn.decide(message, approve=verdict.is_yes, comment=verdict.comment)
        return None

    async def _stored(self, turn: Turn) -> list[Message]:
        """What the service holds now; the snapshot stays as it is, since the running turn adds itself to it."""
        ends = turn.look_ends(time.monotonic())
        return (await self._client._send(endpoints.get_session(self.id), ends)).read_messages()

    async def _fetch(self) -> list[Message]:
        for _ in range(base.READS):
            changes = self._state.file_changes
            stored = await self._client._send(endpoints.get_session(self.id))
            if changes == self._state.file_changes:
                break
        return self._state.store(stored)

    def response(self, turn: Turn, elapsed: float) -> SessionResponse:
        """What `turn` brought until now."""
        return SessionResponse.of(turn, self._state, host=self.host, is_local=self.is_local, elapsed=elapsed)

    # --- what came of it ---

    async def history(self, *, strict: bool = False, dtype_backend: Backend = "numpy_nullable") -> pd.DataFrame:
        """All messages as a DataFrame, read afresh: one row a message, `created_at` in UTC.

        No message is left out: what is wrong with one stands in the column `problems`.

        Args:
            strict: raise instead where a message has problems.
            dtype_backend: `pyarrow` gives Arrow dtypes, and needs the extra `parquet`.

        Raises:
            ProtocolError: with `strict`; it names the rows.
        """
        return finished(base.history(self, await self._fetch()), strict=strict, dtype_backend=dtype_backend)

    async def export(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the session, read afresh, to a file; the ending says what: `transcript.exports.ENDINGS`.

        Raises:
            InputError: the ending is not known, a file is there, or it cannot be written; nothing is half-written.
        """
        from secgemini_jupyter.transcript.document import Transcript
        from secgemini_jupyter.transcript.exports import checked, export

        target = checked(path, overwrite=overwrite)
        return export(Transcript.of_session(self, await self._fetch()), target)

    async def visualize(self, *, embed: bool = False) -> VisualizeWidget | SessionTree:
        """The session as a tree, read afresh: a widget in a notebook, text elsewhere.

        Args:
            embed: a widget that keeps all messages (up to 2 MB) in the saved notebook, so that exported HTML stays
                interactive.
        """
        return base.drawn(self._plain, await self._fetch(), embed=embed)

    async def activity(self) -> pd.DataFrame:
        """What was done here on this machine, from its activity log: who, when, what, hashes. Empty where none is kept.

        `sha256` is of the file or prompt before it was sent, or of the answer; `sha256_server` as the service said.
        """
        from secgemini_jupyter.activity import sessions

        return await asyncio.to_thread(sessions.activity_of, self.id)

    async def verify(self, *, head: str | None = None) -> Verification:
        """Check the activity log: names the entry that was edited, removed or put elsewhere; true if none was.

        Whoever owns the file can cut its end off, or write it anew with hashes that fit: only a `head` that was kept
        elsewhere shows that.

        Args:
            head: what `head()` gave earlier.

        Raises:
            InputError: it is none.
        """
        from secgemini_jupyter.activity import sessions

        return await asyncio.to_thread(sessions.verification_of, self.id, head=head)

    async def head(self) -> str:
        """Number and hash of the last entry of the activity log. Keep it where the owner of the file cannot change it.

        Raises:
            InputError: there is no log, or it was changed.
        """
        from secgemini_jupyter.activity import sessions

        return await asyncio.to_thread(sessions.head_of, self.id)

    async def send_feedback(self, score: int, group_id: str | None = None, comment: str = "") -> None:
        """Tell the service how the answer was.

        Args:
            score: above 0 is positive, else negative.
            group_id: a message's `group` (or `id`); None means the whole session.

        Raises:
            InputError: no such group in this session, or no whole number.
        """
        report = base.feedback_report(self.id, score, group_id, comment)
        await self._check_group(group_id)
        await self._client._send(endpoints.feedback(report))
        base.note_feedback(self._state, report)

    async def send_bug_report(self, bug: str, group_id: str | None = None) -> None:
        """Report what went wrong, for a group of messages or the whole session.

        Raises:
            InputError: the text is empty, or there is no such group in this session.
        """
        report = base.bug_report(self.id, bug, group_id)
        await self._check_group(group_id)
        await self._client._send(endpoints.feedback(report))
        base.note_feedback(self._state, report)

    async def _check_group(self, group_id: str | None) -> None:
        if group_id:
            base.check_group(group_id, await self.messages)
