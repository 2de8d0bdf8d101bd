"""Who wants to know that something changed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from secgemini_jupyter.errors import one_line, redact

__all__ = ["Watchers"]

log = logging.getLogger(__name__)


class Watchers:
    """Functions that are called after each change, in the thread that brought it."""

    def __init__(self) -> None:
        self._all: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Gives a function that ends it; calling that twice does no harm."""
        self._all.append(changed)

        def end() -> None:
            if changed in self._all:
                self._all.remove(changed)

        return end

    def tell(self) -> None:
        for changed in list(self._all):
            try:
                changed()
            except Exception as error:  # who looks on must break neither a turn nor what a cell does
                log.warning("A watcher failed: %s", one_line(redact(str(error))))
