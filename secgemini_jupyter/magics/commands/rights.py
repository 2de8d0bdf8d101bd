"""Subcommands that read what the service says of a key: whose it is, what it may do, what was used, which models."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.client.limits import Warned, expiry, quota
from secgemini_jupyter.errors import SessionNotFoundError, one_line
from secgemini_jupyter.magics.commands.base import Command
from secgemini_jupyter.magics.options import arg

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.report import Report
    from secgemini_jupyter.models import ModelInfo, PublicUser
    from secgemini_jupyter.transcript.usage import Grain

__all__ = ["COMMANDS", "expiry"]

TOKENS = {
    "total_tokens": "total_tokens",
    "prompt_tokens": "prompt_tokens",
    "generated_tokens": "generated_tokens",
    "cached_tokens": "cached_token_count",
    "thoughts_tokens": "thoughts_token_count",
}
"""Columns of `usage`, as `history()` and its turns call them, and the fields they are."""


def whoami(magics: SecGeminiMagics, _: Namespace) -> Report:
    from secgemini_jupyter.magics.report import Finding, Report

    client = magics.kernel.client
    with Warned.in_words():
        user = client.user_info().user
    if client.is_local:
        who = f"{client.local_name}, not Sec-Gemini"
        key = Finding("key", "info", "none needed: the local service runs for this user alone")
    else:
        who = "Sec-Gemini"
        key = Finding("key", "info", f"{client.key_hint} from {client.key_source}")
    state, words, advice = expiry(user.key_expire_time)
    facts = [
        Finding("answers from", "info", f"{who}, {client.settings.host}"),
        Finding("user", "info", user.id or "not said"),
        Finding("organisation", "info", user.org_id or "not said"),
        key,
        Finding("key ends", "info" if state == "ok" else state, words, advice),
        Finding("retention", "info", _retention(user)),
        Finding("quota", "info", _quota(user)),
        Finding("experimental models", "info", "allowed" if user.allow_experimental else "not allowed"),
    ]
    return Report(facts)


def _retention(user: PublicUser) -> str:
    if user.never_log:
        return "never: prompts and answers of this key are not retained"
    if user.can_disable_logging:
        return "on; this key may switch it off for a session (--no-log)"
    return "on; this key may not switch it off"


def _quota(user: PublicUser) -> str:
    return quota(user) or "the service names none"


def usage(magics: SecGeminiMagics, options: Namespace) -> Any:
    import pandas as pd

    if options.by not in (None, "session"):
        return _used_by(magics, options.by)

    kernel = magics.kernel
    user = kernel.client.user_info().user
    rows = [_used(session) for _, session in kernel]
    dtypes = {"session": "string", "turns": "Int64", "tool_calls": "Int64", "seconds": "Float64"}
    dtypes |= dict.fromkeys(TOKENS, "Int64") | {"session_id": "string"}
    table = pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)
    table.attrs = {"rpm": user.rpm, "tpm": user.tpm}
    quota = "The local service has no quota" if kernel.is_local else f"Quota of this key: {_quota(user)}"
    print(one_line(f"{quota}. {_total(table)}"))
    return table


def _used_by(magics: SecGeminiMagics, grain: Grain) -> Any:
    """The same by turn, day or model, for all sessions of this kernel that still exist."""
    from secgemini_jupyter.transcript.turns import TurnSlice, turn_slices
    from secgemini_jupyter.transcript.usage import usage_frame

    turns: list[TurnSlice] = []
    models: dict[str, str] = {}
    for name, session in magics.kernel:
        try:
            turns += turn_slices(session.known_messages() or session.messages, session_id=session.id)
        except SessionNotFoundError:
            print(one_line(f"Session {name} is gone: its turns are not counted here."))
        if model := session.model.model_string:
            models[session.id] = model
    return usage_frame(turns, grain, models=models)


def _used(session: InteractiveSession) -> dict[str, Any]:
    from secgemini_jupyter.transcript.turns import turn_slices

    row: dict[str, Any] = {
        "session": one_line(session.name),
        "session_id": one_line(session.id),
        "turns": session.turns,
    }
    row |= {column: getattr(session.usage, field) for column, field in TOKENS.items()}
    try:
        turns = turn_slices(session.known_messages() or session.messages)
    except SessionNotFoundError:  # it is over, but what it took is known
        return row | {"tool_calls": None, "seconds": None}
    seconds = [turn.duration for turn in turns if turn.duration is not None]
    return row | {"tool_calls": sum(turn.tool_call_count for turn in turns), "seconds": round(sum(seconds), 1)}


def _total(table: Any) -> str:
    from secgemini_jupyter.render.text import count

    if table.empty:
        return "This kernel has no session yet."
    tokens, turns = int(table["total_tokens"].sum()), int(table["turns"].sum())
    spent = count(tokens, "token") if tokens else f"{table['seconds'].sum():.1f} s"
    return f"This kernel's sessions took {spent} in {count(turns, 'turn')}."


def models(magics: SecGeminiMagics, options: Namespace) -> Any:
    import pandas as pd

    from secgemini_jupyter.client.base import DEFAULT_MODEL

    kernel = magics.kernel
    session = kernel.get(kernel.current_name)
    current = session.model.model_string if session else None
    if options.toolsets:
        return _toolsets(kernel.client.models(), session.model if session else None)
    rows = [
        {
            "model": one_line(model.model_string),
            "current": model.model_string == current,
            "default": model.model_string == DEFAULT_MODEL,
            "experimental": model.use_experimental,
            "name": one_line(model.model_name),
            "version": one_line(model.version),
            "toolsets": ", ".join(one_line(tools.name) for tools in model.toolsets),
            "description": one_line(model.description or ""),
        }
        for model in kernel.client.models()
    ]
    names = ["model", "current", "default", "experimental", "name", "version", "toolsets", "description"]
    return pd.DataFrame(rows, columns=names)


def _toolsets(models: list[ModelInfo], current: ModelInfo | None) -> Any:
    import pandas as pd

    now = {each.name: each.is_enabled for each in current.toolsets} if current else {}
    rows = [
        {
            "model": one_line(model.model_string),
            "toolset": one_line(each.name),
            "current": now.get(each.name) if current and current.model_string == model.model_string else None,
            "default": each.is_enabled or each.is_enabled_by_default,
            "incognito": each.is_enabled or each.is_enabled_by_default_in_incognito,
            "experimental": each.is_experimental,
            "vendor": one_line(each.vendor.name),
            "description": one_line(each.description or ""),
        }
        for model in models
        for each in model.toolsets
    ]
    names = ["model", "toolset", "current", "default", "incognito", "experimental", "vendor", "description"]
    return pd.DataFrame(rows, columns=names).astype({"current": "boolean"})


COMMANDS = (
    Command("whoami", "whose key it is, when it ends, what it may do", whoami),
    Command(
        "usage",
        "the key's quota, and what this kernel's sessions took, as a DataFrame",
        usage,
        [arg("--by", choices=["turn", "session", "day", "model"], help="one row for each of these; else session")],
    ),
    Command(
        "models",
        "models of this key, as a DataFrame",
        models,
        [arg("--toolsets", action="store_true", help="their toolsets, and which are on")],
    ),
)
