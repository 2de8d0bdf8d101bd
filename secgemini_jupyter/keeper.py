"""Who has the kernel's sessions: the extension while it is loaded. Known here, so that loading it loads no sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secgemini_jupyter.kernel import KernelSession

__all__ = ["keep", "kept", "let_go", "made_before"]

_keepers: list[tuple[object, Callable[[], KernelSession]]] = []
"""The last one counts: a process may have several shells."""


def keep(owner: object, sessions: Callable[[], KernelSession]) -> None:
    """What magics, widgets and Python code of a notebook share is `owner`'s from now on; None: nobody's."""
    _keepers.append((owner, sessions))


def let_go(owner: object) -> None:
    """`owner` is gone: what was shared before it is again."""
    _keepers[:] = [each for each in _keepers if each[0] is not owner]


def kept() -> KernelSession | None:
    """What is shared now, if anything is."""
    return _keepers[-1][1]() if _keepers else None


def made_before() -> KernelSession | None:
    """What Python code made before there was an owner, to be adopted by the first one: nobody's any more."""
    found = next((sessions() for owner, sessions in _keepers if owner is None), None)
    let_go(None)
    return found
