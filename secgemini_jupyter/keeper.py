"""Who has the kernel's sessions: the extension while it is loaded. Known here, so that loading it loads no sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from secgemini_jupyter.kernel import KernelSession

__all__ = ["Keeper"]


class Keeper:
    """What magics, widgets and Python code of a notebook share.

    Attributes:
        sessions: gives them; None until somebody needs them or the extension is loaded.
    """

    sessions: ClassVar[Callable[[], KernelSession] | None] = None
