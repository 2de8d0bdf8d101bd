"""`--cache`: a cell's answer out of the cache, or kept there for the next time."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from secgemini_jupyter.errors import InputError, one_line, redact
from secgemini_jupyter.language_model import LanguageModel
from secgemini_jupyter.settings import ServeSettings, backend, data_dir, find_key

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel import Answer
    from secgemini_jupyter.kernel.cache import AnswerCache, Asked, Kept
    from secgemini_jupyter.kernel.replays import Chain
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.look import Look
    from secgemini_jupyter.magics.question import Question
    from secgemini_jupyter.models import Message

__all__ = ["Caching", "cache_of", "check_may_ask"]

log = logging.getLogger(__name__)


def cache_of(magics: SecGeminiMagics) -> AnswerCache:
    """The folder that `%config SecGeminiMagics.cache_dir` names, else the user's own."""
    from secgemini_jupyter.kernel.cache import AnswerCache

    named = magics.preference("cache_dir").strip()
    own: Path | None = None
    try:
        own = data_dir() / "answers"
    except OSError as error:
        if not named:
            raise InputError(
                f"The cache's folder cannot be made: {error.strerror or error}. "
                "Name another: %config SecGeminiMagics.cache_dir = 'PATH'."
            ) from None
    if own and not named:
        return AnswerCache(own, is_own=True)
    try:
        folder = Path(named).expanduser()
    except RuntimeError:  # a home folder that does not exist
        folder = None
    if folder is None or "\0" in named or (folder.exists() and not folder.is_dir()):
        raise InputError(
            f"%config SecGeminiMagics.cache_dir is {named!r}: that is no folder. Name one, or none at all."
        )
    return AnswerCache(folder, is_own=own is not None and folder.resolve() == own.resolve())


class Caching:
    """What one cell does with the cache: `replay`, and if there is nothing, `prepare` before it asks, then `keep`."""

    def __init__(self, magics: SecGeminiMagics, options: Namespace, question: Question) -> None:
        self.magics, self.options, self.question = magics, options, question
        self.kernel = magics.kernel
        self.mode = mode_of(magics, options)
        self.name: str = options.session or self.kernel.current_name
        self.asked: Asked | None = None

    def replay(self, *, look: Look, out: str | None) -> Answer | None:
        """The answer out of the cache, shown as one; None if the service shall be asked.

        Raises:
            UsageError: the session's model is another one.
            InputError: nothing may be asked and the cache has no answer; or the service would lack earlier turns.
        """
        if self.mode in ("off", "refresh"):
            self._close_gap()
            return None
        found = self._found()
        if found is not None:
            return self._show(found, look=look, out=out)
        if not self.options.new:
            self.kernel.replays.refuse_a_gap(self.name, self.kernel.get(self.name))
        return None

    def prepare(self, session: InteractiveSession) -> None:
        """Note what determines the answer, before it is asked for."""
        if self.mode == "off" or not session.can_log:
            return
        name = self.kernel.name_of(session.id) or self.name
        replays = self.kernel.replays
        chain = replays.chain(name, session)
        service = local_service() if session.is_local else "sec-gemini"
        self.asked = self._asked(chain, service, digests(session.messages))

    def keep(self, answer: Answer) -> None:
        """Keep the answer, or say in one line why not."""
        if self.asked is None:
            return
        try:
            cache_of(self.magics).store(self.asked, answer.response)
        except InputError as error:
            print(error)
            return
        self._note_cell(self.kernel.replays.chain(self.name, self.kernel.get(self.name)), self.asked)

    def keep_later(self, answer: Answer) -> None:
        """The same for a job: its thread belongs to no cell, and prints nothing."""
        if self.asked is None:
            return
        try:
            cache_of(self.magics).store(self.asked, answer.response)
        except InputError as error:
            log.info("An answer was not kept: %s", one_line(redact(str(error))))

    # --- looking for it ---

    @property
    def model(self) -> str:
        """The model that a session made for this cell gets."""
        return normal(self.options.model or self.magics.preference("model").strip())

    def _found(self) -> Kept | None:
        """
        Raises:
            InputError: `only`, and there is none.
        """
        session = None if self.options.new else self.kernel.get(self.name)
        if session is not None and not session.can_log:
            if self.mode == "only":
                raise InputError(f"Session {self.name!r} is not retained, so its answers are in no cache.")
            return None
        from secgemini_jupyter.kernel.cache import DamagedError
        from secgemini_jupyter.kernel.replays import Chain

        chain = Chain(None, self.model) if self.options.new else self.kernel.replays.chain(self.name, session)
        self._check_model(chain)
        cache = cache_of(self.magics)
        candidates = self._candidates(chain)
        for asked in candidates:
            try:
                kept = cache.load(asked)
            except DamagedError as error:
                if self.mode == "only":
                    raise
                print(f"{error} The service is asked.")
                continue
            if kept is not None:
                self.asked = asked
                return kept
        if self.mode == "only":
            why = cache.nearest(candidates) if candidates else "the session's earlier turns are not known here"
            raise InputError(
                f"The cache has no answer to this, and with --cache only nobody is asked: {why}. "
                "Run the cell with --cache use where the service can be reached."
            )
        return None

    def _candidates(self, chain: Chain) -> list[Asked]:
        """What to look for: first the same as when this very cell ran before, in the place that it had then."""
        before = self._before(chain)
        if before is None:
            return []
        again = chain.cells.get(cell_id(self.magics.shell))
        found = [] if again is None or again[1] != self._given else [replace(again[0], prompt=self.question.prompt)]
        return found + [self._asked(chain, service, before) for service in self._services()]

    def _before(self, chain: Chain) -> list[str] | None:
        """Digests of the turns before this one; None if they cannot be told without a request."""
        if chain.session is None:
            return list(chain.turns)
        messages = chain.session.known_messages() if self.mode == "only" else chain.session.messages
        return None if messages is None else [*digests(messages), *chain.turns]

    def _services(self) -> list[str]:
        """Whose answer it may be. `only` takes either where nobody chose: it needs neither key nor service."""
        if self.kernel.has_client:
            return [local_service() if self.kernel.client.is_local else "sec-gemini"]
        chosen = backend()
        if chosen == "local":
            return [local_service()]
        if chosen == "service" or (self.mode != "only" and find_key()):
            return ["sec-gemini"]
        return ["sec-gemini", local_service()] if self.mode == "only" else [local_service()]

    def _asked(self, chain: Chain, service: str, before: Iterable[str]) -> Asked:
        from secgemini_jupyter.kernel.cache import Asked

        session = chain.session
        files = [(file.name, file.sha256) for file in session.files] if session else []
        files += chain.files
        files += [each for each in self._given if each not in files]
        return Asked(
            prompt=self.question.prompt,
            model=normal(chain.model),
            service=service,
            language=session.language if session else "en",
            tools=equipment(session) if session else "",
            files=tuple(files),
            before=tuple(before),
        )

    @property
    def _given(self) -> tuple[tuple[str, str], ...]:
        """Name and sha256 of what the cell attaches."""
        return tuple((each.name, each.sha256) for each in self.question.evidence)

    def _check_model(self, chain: Chain) -> None:
        if chain.session is None and not chain.turns:
            chain.model = self.model
        if not self.options.model or self.model == normal(chain.model):
            return
        session = chain.session
        if session is None or self.options.model not in (session.model.model_string, session.model.model_name):
            raise UsageError(
                one_line(
                    f"%%secgemini: session {self.name!r} uses {normal(chain.model)!r}, and a session keeps its model. "
                    "Add --new, or -s NAME for another session."
                )
            )

    # --- replaying ---

    def _show(self, kept: Kept, *, look: Look, out: str | None) -> Answer:
        from secgemini_jupyter.kernel.answer import Answer
        from secgemini_jupyter.magics.view import view_for

        cache = cache_of(self.magics)
        response = kept.response("" if cache.is_own else cache.folder.name or str(cache.folder))
        answer = Answer(response, None, attached=[name for name, _ in self._given])
        if self.question.redacted is not None:
            answer.restore = self.magics.redactor.restored
        if out:
            self.magics.shell.user_ns[out] = answer
        facts = replace(response.facts(self.question.inputs), redacted=self.question.redacted)
        view = view_for(self.magics.shell, facts, look)
        for message in kept.messages:
            view.add(message)
        view.finish(facts, "ok", look.form.take(answer, defang=look.defang))
        self._note_turn(kept)
        return answer.shown(self.magics.shell.execution_count)

    def _note_turn(self, kept: Kept) -> None:
        """What follows in this session follows on this turn."""
        assert self.asked is not None
        replays = self.kernel.replays
        if self.options.new:
            self.kernel.vacate(self.name)
            chain = replays.begin(self.name, None, self.model)
        else:
            chain = replays.chain(self.name, self.kernel.get(self.name))
        again = chain.cells.get(cell_id(self.magics.shell))
        if again is not None and again[0] == self.asked:
            return  # the same cell once more: its turn is in the chain already
        chain.first_prompt = chain.first_prompt if chain.turns else self.question.prompt
        chain.turns.append(kept.digest)
        known = set(chain.files)
        chain.files += [each for each in self._given if each not in known]
        self._note_cell(chain, self.asked)

    def _note_cell(self, chain: Chain, asked: Asked) -> None:
        if cell := cell_id(self.magics.shell):
            chain.cells[cell] = (asked, self._given)

    def _close_gap(self) -> None:
        """Ask where turns were replayed: only from the first of them on, else the service would lack the others."""
        replays = self.kernel.replays
        if self.options.new:
            return
        session = self.kernel.get(self.name)
        chain = replays.chain(self.name, session)
        if chain.turns and self.question.prompt == chain.first_prompt:
            chain.drop_replayed()
        replays.refuse_a_gap(self.name, session)


def mode_of(magics: SecGeminiMagics, options: Namespace) -> str:
    """
    Raises:
        UsageError: an answer without retention is never cached.
    """
    mode: str = options.cache or magics.preference("cache")
    if options.no_log and mode != "off":
        if options.cache or mode == "only":
            raise UsageError("%%secgemini: --no-log answers are never cached. Leave one of --no-log and --cache out.")
        return "off"
    return mode


def check_may_ask(magics: SecGeminiMagics, what: str) -> None:
    """For a command whose answers are not kept.

    Raises:
        InputError: `%config` says that nobody is asked.
    """
    if magics.preference("cache") == "only":
        raise InputError(
            f"%secgemini {what} asks the service, and by %config SecGeminiMagics.cache = 'only' nobody is asked. "
            "Nothing was sent."
        )


def normal(model: str) -> str:
    """One name for the model that a session gets when none is asked for."""
    from secgemini_jupyter.client.base import DEFAULT_MODEL

    return "default" if model in ("", "default", DEFAULT_MODEL) else model


def local_service() -> str:
    """The local service's engine decides what it answers, and the language model that it asks."""
    engine = ServeSettings.from_environment().engine or "analyst"
    model = LanguageModel.from_environment() if engine == "openai" else None
    return f"local/{engine}" + (f" {model.title}" if model else "")


def digests(messages: Sequence[Message]) -> list[str]:
    """One for each turn of a session, in order."""
    from secgemini_jupyter.kernel.cache import turn_digest
    from secgemini_jupyter.models import MessageType

    turns: list[tuple[str, list[Message]]] = []
    for message in messages:
        if message.message_type is MessageType.QUERY:
            turns.append((message.content or "", []))
        elif turns:
            turns[-1][1].append(message)
    return [turn_digest(prompt, answers) for prompt, answers in turns]


def equipment(session: InteractiveSession) -> str:
    """Digest of what a session was given beside files; empty for nothing."""
    import msgspec

    from secgemini_jupyter.kernel.cache import digest

    given = [msgspec.to_builtins(session.local_tools), msgspec.to_builtins(session.agents_config)]
    return digest(given) if any(given) else ""


def cell_id(shell: InteractiveShell) -> str:
    """Of the running cell, where the front end tells; else empty."""
    get_parent = getattr(shell, "get_parent", None)
    metadata = (get_parent() or {}).get("metadata", {}) if get_parent else {}
    found = metadata.get("cellId") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""
