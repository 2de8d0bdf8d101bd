"""A session's stored messages, read for one turn; and what a caller got of it compared with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from secgemini_jupyter.models import Message, MessageType, Role

Gist = tuple[str, ...]


def unfinished(stored: Sequence[Message]) -> bool:
    """Whether the last prompt of a session has no END yet."""
    for message in reversed(stored):
        if message.is_end:
            return False
        if message.message_type is MessageType.QUERY:
            return True
    return False


def turn_of(stored: Sequence[Message]) -> list[Message]:
    """What follows a query, to its END, or to the next query of a turn that was closed without one."""
    messages: list[Message] = []
    for message in stored:
        if message.message_type is MessageType.QUERY:
            break
        messages.append(message)
        if message.is_end:
            break
    return messages


def has_result(messages: Sequence[Message]) -> bool:
    return any(message.message_type is MessageType.RESULT for message in reversed(messages))


def gist(message: Message) -> Gist:
    """What tells two messages with one id apart: times and usage may differ between a frame and its copy."""
    return message.id, message.message_type, message.state, str(message.status_code), message.content or ""


class TurnBefore:
    """The gists of a session's last turn, looked up when the first frame of the next one comes.

    Args:
        messages: of the session, or as many of the last ones as are known.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._gists: set[Gist] | None = None

    def __contains__(self, said: object) -> bool:
        if self._gists is None:
            last: list[Message] = []
            for message in reversed(self._messages):
                if message.message_type is MessageType.QUERY:
                    break
                last.append(message)
            self._gists = {gist(message) for message in last}
        return said in self._gists


class Twins:
    """Messages under one id. Ids may repeat, so another message may have it."""

    def __init__(self) -> None:
        self._gists: set[Gist] = set()

    def repeats(self, known: Message, message: Message) -> bool:
        """Whether a message under the id of `known` says again what one under it said."""
        self._gists.add(gist(known))
        said = gist(message)
        is_repeated = said in self._gists
        self._gists.add(said)
        return is_repeated


def fits(given: Iterable[Message], stored: Collection[Message]) -> bool:
    """Whether `given` is how `stored` begins, by ids. Answers of this side are stored where they arrived: no proof.

    A service that sends something it does not store contradicts nothing either.
    """
    expected = [message.id for message in stored if message.role is not Role.USER]
    known = set(expected)
    got = [message.id for message in given if message.role is not Role.USER and message.id in known]
    return got == expected[: len(got)]


def merged(given: Sequence[Message], stored: Sequence[Message]) -> list[Message]:
    """What was given, as it is stored: in that order, and what is not stored (yet) behind what it followed."""
    got = Counter(map(gist, given))
    kept = set(map(gist, stored))
    followers: dict[Gist | None, list[Message]] = {}
    before: Gist | None = None
    for message in given:
        if (each := gist(message)) in kept:
            before = each
        else:
            followers.setdefault(before, []).append(message)
    result = followers.pop(None, [])
    for message in stored:
        if got[each := gist(message)]:
            got[each] -= 1
            result += [message, *followers.pop(each, ())]
    return result


def unrecorded(given: Iterable[Message], stored: Iterable[Message]) -> list[Message]:
    """Confirmations of this side that are not stored, under their own id or another one: nobody took them."""
    ours = [message for message in given if message.message_type is MessageType.CONFIRMATION_RESPONSE]
    if not ours:
        return []
    ids = {message.id for message in ours}
    kept = [message for message in stored if message.message_type is MessageType.CONFIRMATION_RESPONSE]
    known = {message.id for message in kept} | {message.content for message in kept if message.id not in ids}
    return [message for message in ours if message.id not in known and message.content not in known]
