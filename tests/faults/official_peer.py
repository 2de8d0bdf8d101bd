"""One turn of the official SDK, in its own environment. Prints what it sees line by line, so that a hang still tells.

Waits for a line on standard input between the session and the turn: then the fault is armed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

TOLD = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # the SDK writes its log to standard output

from sec_gemini import SecGemini  # noqa: E402


def tell(**what):
    print(json.dumps(what), file=TOLD, flush=True)


def once() -> int:
    """Counts its runs."""
    tell(ran=1)
    return 1


async def ask(session, prompt, *, quiet=False):
    async with contextlib.aclosing(session.stream(prompt)) as stream:
        async for message in stream:
            if not quiet:
                tell(message=[message.id, message.content])


def main() -> None:
    prompt, before = sys.argv[1:]
    try:
        session = SecGemini().create_session(name="faults official", tools=[once])
        if before:
            asyncio.run(ask(session, before, quiet=True))
        tell(session=session.id)
        sys.stdin.readline()
        asyncio.run(ask(session, prompt))
    except Exception as error:
        tell(raised=type(error).__name__, text=str(error)[:200])
    tell(over=True)


if __name__ == "__main__":
    main()
