"""Whether a cell shows something that is not ours: then its outputs must not be cleared."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["OURS", "Others"]

OURS = "secgemini-"
"""How the display ids of a view's outputs begin."""
_lock = threading.Lock()


class Others:
    """Counts what was written or displayed by anybody but a view: a warning, a local tool's `print`, a thread's log."""

    def __init__(self) -> None:
        self.count = 0
        self._blocks: set[object] = set()

    @contextmanager
    def watched(self, shell: InteractiveShell) -> Iterator[None]:
        """Count from here to the end of the block, on every thread.

        Blocks of several threads may overlap; what was counted in one of them counts in all.

        The kernel offers no hook that holds for all threads in every version of ipykernel that we support.
        """
        block = object()
        with ExitStack() as stack:
            stack.callback(self._blocks.discard, block)
            with _lock:
                self.count = self.count if self._blocks else 0
                self._blocks.add(block)
            for owner, name in ((sys.stdout, "write"), (sys.stderr, "write"), (shell.display_pub, "publish")):
                stack.enter_context(_counting(owner, name, self))
            yield


class _Counted:
    """Stands in the place of an owner's method, once for all blocks that count its calls now."""

    def __init__(self, owner: Any, name: str) -> None:
        self.owner, self.name = owner, name
        self.had = name in vars(owner) if hasattr(owner, "__dict__") else False
        self.method = getattr(owner, name)
        self.blocks: dict[object, Others] = {}

    def __call__(self, *args: Any, **options: Any) -> Any:
        display_id = (options.get("transient") or {}).get("display_id") or ""
        if not display_id.startswith(OURS) and (args or options) and args != ("",):
            for others in tuple(self.blocks.values()):
                others.count += 1
        return self.method(*args, **options)

    def leave(self, block: object) -> None:
        """Do not count for it any more; the last one has the method as it was, if nobody else stands before it."""
        self.blocks.pop(block, None)
        if not self.blocks and getattr(self.owner, self.name, None) is self:
            setattr(self.owner, self.name, self.method) if self.had else delattr(self.owner, self.name)


@contextmanager
def _counting(owner: Any, name: str, others: Others) -> Iterator[None]:
    block = object()
    counted: _Counted | None = None
    try:
        with _lock:
            found = getattr(owner, name)
            counted = found if isinstance(found, _Counted) else _Counted(owner, name)
            counted.blocks[block] = others
            with suppress(AttributeError):  # a stream of C code: what goes there is not shown in the cell
                setattr(owner, name, counted)
        yield
    finally:
        with _lock:
            if counted is not None:
                counted.leave(block)
