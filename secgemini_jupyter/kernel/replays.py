"""What the cells of a kernel replayed from the cache: turns that the service's sessions do not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.cache import Asked

__all__ = ["Chain", "Replays"]


@dataclass
class Chain:
    """One name's conversation, as far as the cells know it.

    Attributes:
        session: the one it goes on from; None while all of it is replayed.
        model: the model that was asked for when it began, else that of the session; empty for the default.
        turns: digests of the turns that were replayed, in order, after those of the session.
        first_prompt: of the first that was replayed.
        files: name and sha256 of what was attached in replayed turns, in order, after the session's.
        cells: what a cell asked, by its id: run again, it asks the same.
    """

    session: InteractiveSession | None = None
    model: str = ""
    turns: list[str] = field(default_factory=list)
    first_prompt: str = ""
    files: list[tuple[str, str]] = field(default_factory=list)
    cells: dict[str, tuple[Asked, tuple[tuple[str, str], ...]]] = field(default_factory=dict)

    def drop_replayed(self) -> None:
        self.turns.clear()
        self.files.clear()
        self.cells.clear()


class Replays:
    """The chains of a kernel, by the name of their session."""

    def __init__(self) -> None:
        self._chains: dict[str, Chain] = {}
        self._asked_models: dict[str, str] = {}

    def note_made(self, session: InteractiveSession, model: str) -> None:
        """What a session was made with: the service tells what became of it, `sec-gemini-7` of the default, say."""
        self._asked_models[session.id] = model

    def chain(self, name: str, session: InteractiveSession | None) -> Chain:
        """The name's chain; a new one if the name means another session by now."""
        chain = self._chains.get(name)
        if chain is None or chain.session is not session:
            chain = self._chains[name] = Chain(session)
            if session is not None:
                own = session.model.model_string or session.model.model_name
                chain.model = self._asked_models.get(session.id, own)
        return chain

    def begin(self, name: str, session: InteractiveSession | None, model: str) -> Chain:
        """A new chain, in place of the name's."""
        chain = self._chains[name] = Chain(session, model)
        return chain

    def replayed(self, name: str) -> int:
        """How many turns of the name were replayed."""
        chain = self._chains.get(name)
        return len(chain.turns) if chain is not None else 0

    def refuse_a_gap(self, name: str, session: InteractiveSession | None) -> None:
        """
        Raises:
            InputError: turns of the name were replayed: the service would answer without them.
        """
        chain = self.chain(name, session)
        if chain.turns:
            number = len(chain.turns)
            before = "1 turn of it was" if number == 1 else f"{number} turns of it were"
            raise InputError(
                f"Session {name!r} lacks what went before: {before} replayed from the cache, so the service does not "
                "know them. Run the cells from the first of them on with --cache refresh, or ask in a session of its "
                "own: --new. Nothing was sent."
            )
