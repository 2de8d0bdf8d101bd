"""What a subcommand of `%secgemini` is, and what several of them say."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line, without_keys
from secgemini_jupyter.magics.options import Argument, Parser, new_parser

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["Command", "Help", "Line", "destination", "label", "need_notebook", "status"]


class Line(str):
    """One line to show: as a cell's result it stands without quotes, marked as one that tells of sessions."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, without_keys(text))

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        from secgemini_jupyter.render.answer import LISTING

        return {"text/plain": str(self)}, LISTING


class Help(Line):
    """Words about the commands, which are nobody's business: they stay in a notebook that is shared."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/plain": str(self)}, {}


@dataclass(frozen=True)
class Command:
    """One subcommand: `run` gives what the line magic returns.

    Attributes:
        more: what its own help says besides.
        takes_line: `run` gets the rest of the line as it was typed, because a prompt in it may hold any quote.
    """

    name: str
    help: str
    run: Callable[[SecGeminiMagics, Any], Any]
    arguments: Sequence[Argument] = ()
    takes_line: bool = False
    more: str = ""

    def parser(self) -> Parser:
        return new_parser(f"%secgemini {self.name}", self.arguments, self.help)


def status(magics: SecGeminiMagics, _: Namespace) -> Line:
    from secgemini_jupyter.render.text import count

    kernel = magics.kernel
    session = kernel.get(kernel.current_name)
    if session is None and (number := kernel.replays.replayed(kernel.current_name)):
        turns = count(number, "turn")
        return Line(
            one_line(
                f"session {kernel.current_name}: {turns} replayed from the cache, nobody was asked yet "
                f"({destination(kernel)})."
            )
        )
    if session is None:
        return Line(f"No session yet in this kernel ({destination(kernel)}). Ask in a %%secgemini cell.")
    if kernel.is_gone(session):
        gone = f"{label(kernel.current_name, session)} is gone at the service: %secgemini new makes a fresh one"
        return Line(one_line(f"{gone} · {destination(kernel, session)}"))
    retained = "retained" if session.can_log else "not retained"
    running = " · a turn is running" if session.is_running else ""
    size = f"{count(session.turns, 'turn')} · {count(len(session.files), 'file')}"
    size += " · a logs table" if session.logs_table else ""
    line = f"{label(kernel.current_name, session)} · {size} · {retained} · {destination(kernel, session)}{running}"
    return Line(one_line(line))


def destination(kernel: KernelSession, session: InteractiveSession | None = None, model: str = "") -> str:
    """Where prompts go, without asking anybody: those of a session, or of one that is made with this model."""
    from secgemini_jupyter.language_model import answering
    from secgemini_jupyter.settings import Settings, backend, find_key

    if kernel.has_client:
        client = kernel.client
        if client.is_local:
            who = session.local_name if session else _local_name(model) or client.local_name
            return f"{who}, not Sec-Gemini, {client.settings.host}"
        return f"Sec-Gemini, {client.settings.host}, key {client.key_hint} from {client.key_source}"
    key = find_key() if backend() != "local" else None
    if key:
        return f"Sec-Gemini, {Settings.from_environment().host}, key {key}"
    if backend() == "service":
        return "no key found; %secgemini login, or set SEC_GEMINI_API_KEY"
    return f"{_local_name(model) or answering()}, not Sec-Gemini"


def _local_name(model: str) -> str:
    """Who answers by a model of the local service; empty for its default."""
    from secgemini_jupyter.language_model import LanguageModel
    from secgemini_jupyter.models import ModelInfo

    if model == "local-openai" and (configured := LanguageModel.from_environment()):
        return configured.title
    return ModelInfo(model_string=model).local_name if model.startswith("local-") else ""


def label(name: str, session: InteractiveSession) -> str:
    return f"session {session.name}" if session.name == name else f"session {name} ({session.name})"


def need_notebook(words: str) -> None:
    """Refuse what is used by click, before a session is made for it.

    Raises:
        UsageError: a terminal has no place for it; `words` say what to type.
    """
    from secgemini_jupyter.widgets.base import in_notebook

    if not in_notebook():
        raise UsageError(words)
