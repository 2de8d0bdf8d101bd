"""Whether a cell shows something that is not ours: then its outputs must not be cleared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["OURS", "Others"]

OURS = "secgemini-"
"""How the display ids of a view's outputs begin."""


class Others:
    """Counts what was written or displayed by anybody but a view: a warning, a local tool's `print`, a thread's log."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def watched(self, shell: InteractiveShell) -> Iterator[None]:
        """Count from here to the end of the block, on every thread.

        The kernel offers no hook that holds for all threads in every version of ipykernel that we support.
        """
        self.count = 0
        with ExitStack() as stack:
            for owner, name in ((sys.stdout, "write"), (sys.stderr, "write"), (shell.display_pub, "publish")):
                stack.enter_context(self._counted(owner, name))
            yield

    @contextmanager
    def _counted(self, owner: Any, name: str) -> Iterator[None]:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            display_id = (options.get("transient") or {}).get("display_id") or ""
            if not display_id.startswith(OURS) and (args or options) and args != ("",):
                self.count += 1
            return original(*args, **options)

        had, before = name in vars(owner) if hasattr(owner, "__dict__") else False, original
        with suppress(AttributeError):  # a stream of C code: what goes there is not shown in the cell
            setattr(owner, name, counted)
        try:
            yield
        finally:
            if getattr(owner, name, None) is counted:
                setattr(owner, name, before) if had else delattr(owner, name)
