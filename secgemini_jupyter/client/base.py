"""What both shells decide alike: whose key, which settings, how a new session looks, which arguments are refused."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from secgemini_jupyter.activity.recorder import Recorder
from secgemini_jupyter.client import histories, limits, noting
from secgemini_jupyter.client.state import SessionState, SessionView, known_groups, without_messages
from secgemini_jupyter.embedded import LocalService, ensure
from secgemini_jupyter.errors import (
    InputError,
    ProtocolError,
    SecGeminiError,
    Secret,
    ServiceError,
    SettingsError,
    one_line,
)
from secgemini_jupyter.models import (
    Feedback,
    FeedbackType,
    Message,
    ModelInfo,
    PublicSession,
    PublicSessionFile,
    PublicUser,
    UserInfo,
)
from secgemini_jupyter.protocol import choices, names
from secgemini_jupyter.protocol.turn import Turn
from secgemini_jupyter.settings import (
    MIN_TTL,
    Key,
    Settings,
    checked_key,
    find_key,
    keeps_activity_log,
    missing_key_message,
    tool_call_limit,
)
from secgemini_jupyter.tools import Toolbox

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.transcript.tree import SessionTree
    from secgemini_jupyter.widgets.visualize import VisualizeWidget

DEFAULT_MODEL = choices.DEFAULT_MODEL
READS = 3
"""How often a session is read, at most, while files come and go in it."""
DEFAULT_TTL = 86400
"""Seconds: a day, as the service's reference page says."""


class ClientCore:
    """Key, settings and what is known of the user; shared by a client and its async twin."""

    def __init__(self, key: Key, settings: Settings, *, is_local: bool = False) -> None:
        self.key = key
        self.settings = settings
        self.is_local = is_local
        self.local_name = "local analyst"
        """Who answers in the local service, unless a session names another model."""
        self.user: UserInfo | None = None
        chosen = settings.activity_log
        self._is_logged = keeps_activity_log() if chosen is None else chosen

    @classmethod
    def resolve(
        cls,
        api_key: str | Secret | Key | None,
        base_url: str | None,
        websocket_url: str | None,
        settings: Settings | None,
    ) -> ClientCore:
        """Arguments, else environment, else defaults (DESIGN section 5).

        Raises:
            SettingsError: no key is found, or an address makes no sense.
        """
        given = Secret(api_key.strip()) if isinstance(api_key, str) else api_key
        del api_key  # a verbose traceback prints local variables
        if isinstance(given, Secret):
            given = Key(checked_key(given, "api_key"), "argument") if given else None
        key = given or find_key()
        if key is None:
            raise SettingsError(missing_key_message())
        if settings is None:
            settings = Settings.from_environment(base_url=base_url, websocket_url=websocket_url)
        elif base_url or websocket_url:
            changes = {"base_url": base_url, "websocket_url": websocket_url}
            settings = settings.replace(**{name: value for name, value in changes.items() if value})
        return cls(key, settings)

    @classmethod
    def local(cls, service: LocalService, settings: Settings | None = None) -> ClientCore:
        """The embedded local service, which takes its key in a header."""
        addresses = {"base_url": service.http, "websocket_url": service.ws, "logs_processor_url": service.http}
        settings = (settings or Settings(max_tool_calls=tool_call_limit())).replace(**addresses, key_in_url=False)
        core = cls(Key(service.key, "the embedded local service"), settings, is_local=True)
        core.local_name = service.answers or core.local_name
        return core

    def renew(self, error: SecGeminiError | None = None) -> bool:
        """Whether the embedded local service was found, or started, at another address: it ends when nobody uses it.

        With an `error`, only one that says that nobody listens any more is looked into.
        """
        if not self.is_local or (error is not None and not getattr(error, "nothing_sent", False)):
            return False
        service = ensure()
        if service.http == self.settings.base_url and service.key == self.key.secret:
            return False
        renewed = ClientCore.local(service, self.settings)
        self.key, self.settings, self.local_name = renewed.key, renewed.settings, renewed.local_name
        return True

    def take_key(self, other: ClientCore) -> bool:
        """Go on with the key of `other`, if it is the same user's at the same service; whether it is."""
        same = (
            self.settings == other.settings
            and self.is_local == other.is_local
            and self.user is not None
            and other.user is not None
            and (self.user.user.id, self.user.user.org_id) == (other.user.user.id, other.user.user.org_id) != ("", "")
        )
        if same:
            self.key, self.user = other.key, other.user
        return same

    def recorder(self, session: PublicSession) -> Recorder | None:
        """Who logs what is done in `session` on this machine; None if that is switched off."""
        if not self._is_logged:
            return None
        return Recorder(session.id, session.user_id, "local" if self.is_local else self.settings.host)

    def remember(self, user: UserInfo) -> UserInfo:
        self.user = user
        limits.Warned.of_expiry(self.key, user.user)
        return user

    def explain(self, error: SecGeminiError) -> SecGeminiError:
        """`error`, which tells what is known of the key: its limits, or that it has ended."""
        limits.explain(error, self.user.user if self.user else None)
        return error

    def draft(
        self,
        user: UserInfo,
        *,
        name: str | None,
        description: str,
        ttl: int,
        enable_logging: bool,
        model: str | ModelInfo | None,
        toolsets: Mapping[str, bool] | None,
        language: str,
        tools: Toolbox,
        agents_config: Mapping[str, Any] | None,
    ) -> PublicSession:
        """The session to register.

        Raises:
            InputError: an argument makes no sense.
            SettingsError: the key does not allow to switch retention off.
        """
        if name is not None and not isinstance(name, str):
            raise InputError(f"name is {type(name).__name__}: pass text, or nothing for a generated name.")
        check_ttl(ttl)
        now = time.time()
        can_log = _retention(user.user, enable_logging)
        if toolsets and model is None and self.is_local and user.available_models:
            model = user.available_models[0]  # what the default means there
        chosen = choices.model(model, user.available_models)
        switched = choices.with_toolsets(chosen, toolsets, user.available_models, incognito=not can_log)
        tag = choices.language(language)
        if self.is_local and not tag.lower().startswith("en"):
            limits.warn(f"The local service answers in English alone, not in {tag!r}.")
        return PublicSession(
            user_id=user.user.id,
            org_id=user.user.org_id,
            model=chosen if chosen is model and not toolsets else switched,
            ttl=ttl,
            language=tag,
            name=name or names.generate(),
            description=description,
            create_time=now,
            update_time=now,
            can_log=can_log,
            local_tools=tools.declarations(),
            agents_config=choices.agents_config(agents_config),
        )

    def sessions(self, user: UserInfo) -> list[PublicSession]:
        return sorted(user.sessions, key=lambda session: session.create_time)


def check_ttl(ttl: object) -> None:
    if isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < MIN_TTL:
        raise InputError(f"ttl is {ttl!r}: pass whole seconds, at least {MIN_TTL}.")


def _retention(user: PublicUser, enable_logging: bool) -> bool:
    """The wish to send, after the two flags of the user (protocol section 6.3)."""
    if user.never_log:
        return False
    if not enable_logging and not user.can_disable_logging:
        raise SettingsError(
            "This key does not allow enable_logging=False: the service would retain prompts and answers. "
            "Nothing was created. Use another key, or accept retention."
        )
    return enable_logging


def retained_against_wish(session: PublicSession) -> ServiceError:
    return ServiceError(
        f"The service retains session {session.name!r} although enable_logging=False was asked. It was deleted again.",
        status=409,
    )


def updated(info: PublicSession, name: str | None, description: str | None, ttl: int | None) -> PublicSession:
    """`info` as it shall become.

    Raises:
        InputError: nothing is given, or a value makes no sense.
    """
    changes: dict[str, Any] = {}
    if name is not None:
        if not isinstance(name, str) or not name.strip():
            raise InputError("name is empty: pass text, or leave it out to keep the name.")
        changes["name"] = name
    if description is not None:
        changes["description"] = description
    if ttl is not None:
        check_ttl(ttl)
        changes["ttl"] = ttl
    if not changes:
        raise InputError("Nothing to update: pass name=, description= or ttl=.")
    return msgspec.structs.replace(info, **changes)


def detach_arguments(own_id: str, arguments: tuple[Any, ...], session_id: str | None, file_idx: int | None) -> int:
    """The index out of `(idx)`, `(id, idx)` or keywords.

    Raises:
        InputError: another session's id, or no whole number.
    """
    if len(arguments) == 2:
        session_id, file_idx = arguments
    elif len(arguments) == 1 and file_idx is None:
        (file_idx,) = arguments
    elif len(arguments) == 1 and session_id is None:
        (session_id,) = arguments
    elif arguments:
        raise InputError("Call detach_file(file_idx) or detach_file(session_id, file_idx).")
    if session_id is not None and session_id != own_id:
        raise InputError(f"Session {session_id!r} is not this one ({own_id}): nothing was sent.")
    if isinstance(file_idx, bool) or not isinstance(file_idx, int):
        raise InputError(f"file_idx is {file_idx!r}: pass a position in files. Nothing was sent.")
    return file_idx


def check_index(index: int, expected: Sequence[PublicSessionFile], actual: Sequence[PublicSessionFile]) -> None:
    """Refuse an index that does not mean what the caller saw.

    Raises:
        InputError: out of range, or the attachments are not those of the snapshot any more.
    """
    if list(expected) != list(actual):
        listed = ", ".join(f"{i}: {file.name!r}" for i, file in enumerate(actual)) or "none"
        raise InputError(
            f"The attachments changed meanwhile; now: {listed}. Nothing was detached: look and call again."
        )
    if not 0 <= index < len(actual):
        valid = f"0 to {len(actual) - 1}" if actual else "none: there is no attachment"
        raise InputError(f"There is no attachment {index} (valid: {valid}). Nothing was detached.")


def feedback_report(session_id: str, score: int, group_id: str | None, comment: str) -> Feedback:
    if not isinstance(score, int):
        raise InputError(f"score is {score!r}: pass a whole number, above 0 for positive feedback.")
    if not isinstance(comment, str):
        raise InputError(f"comment is {type(comment).__name__}: pass text.")
    return Feedback(
        session_id=session_id,
        type=FeedbackType.USER_FEEDBACK,
        score=int(score),
        comment=comment,
        group_id=group_id or "",
    )


def bug_report(session_id: str, bug: str, group_id: str | None) -> Feedback:
    if not isinstance(bug, str) or not bug.strip():
        raise InputError("The bug report is empty: say what went wrong. Nothing was sent.")
    return Feedback(session_id=session_id, type=FeedbackType.BUG_REPORT, score=0, comment=bug, group_id=group_id or "")


def check_group(group_id: str, messages: Sequence[Message]) -> None:
    if group_id not in known_groups(messages):
        raise InputError(
            f"group_id {group_id[:60]!r} is no group or message of this session. For a remark, pass comment=. "
            "Nothing was sent."
        )


def a_prompt(prompt: object) -> str:
    """What `query` and `stream` take; nothing would mean to listen, which is `resume_turn`.

    Raises:
        InputError: no text.
    """
    if not isinstance(prompt, str):
        raise InputError(f"The prompt is {type(prompt).__name__}: pass text. Nothing was sent.")
    return prompt


def check_size(prompt: str, settings: Settings) -> None:
    """
    Raises:
        InputError: it is longer than what the service takes in one message, at which it ends the connection.
    """
    limit = settings.max_prompt_bytes
    size = len(prompt.encode(errors="replace")) if limit < 4 * len(prompt) else 0
    if size > limit:
        raise InputError(
            f"The prompt has {size:,} bytes, at most {limit:,} are sent: attach the data as a file, with "
            "attach_file(name, content). Nothing was sent."
        )


def new_turn(
    state: SessionState, settings: Settings, prompt: str | None, *, partial: bool, timeout: float | None = None
) -> Turn:
    if prompt is not None and not isinstance(prompt, str):
        raise InputError(f"The prompt is {type(prompt).__name__}: pass text. Nothing was sent.")
    check_size(prompt or "", settings)
    return Turn(
        prompt,
        settings if timeout is None else settings.replace(turn_timeout=timeout),
        now=time.monotonic(),
        partial=partial,
        results=state.tool_results,
    )


def drawn(session: InteractiveSession, messages: Sequence[Message], *, embed: bool) -> VisualizeWidget | SessionTree:
    """What `visualize` gives: a widget where there is a place for it."""
    from secgemini_jupyter.widgets.base import in_notebook

    if embed or in_notebook():
        from secgemini_jupyter.widgets.visualize import VisualizeWidget

        return VisualizeWidget(session, embed=embed)
    from secgemini_jupyter.transcript.tree import SessionTree

    return SessionTree(messages, name=session.name)


def history(session: SessionView, messages: Sequence[Message]) -> pd.DataFrame:
    """What `history` gives."""
    return histories.history(session._state.info, messages, session.is_verified)


def listed(core: ClientCore, session: PublicSession) -> SessionState:
    """The state of a session out of a list, which comes without messages."""
    state = SessionState.listed(session)
    state.recorder = core.recorder(session)
    return state


def resumed(core: ClientCore, stored: PublicSession, tools: Toolbox) -> SessionState:
    """The state of a session that was asked for by its id."""
    state = SessionState(without_messages(stored), tools, recorder=core.recorder(stored))
    messages = state.store(stored)
    state.note("session_resumed", noting.resumption(stored, messages))
    return state


def note_feedback(state: SessionState, report: Feedback) -> None:
    state.note("bug_sent" if report.type is FeedbackType.BUG_REPORT else "feedback_sent", noting.feedback(report))


def registered(core: ClientCore, draft: PublicSession, stored: PublicSession, tools: Toolbox) -> SessionState:
    """The state of a session just created, from the service's copy of it."""
    if stored.id != draft.id:
        raise ProtocolError(f"Registered session {draft.id}, the service returned {stored.id}.")
    was_chosen = core.user is not None and draft.model not in core.user.available_models
    if was_chosen and (otherwise := choices.not_followed(draft.model, stored.model)):
        listed = ", ".join(one_line(name)[:60] for name in otherwise[:10])
        limits.warn(f"The service did not switch these toolsets as asked: {listed}.")
    state = SessionState(without_messages(stored), tools, messages=[], recorder=core.recorder(stored))
    state.note("session_created", noting.creation(stored))
    return state
