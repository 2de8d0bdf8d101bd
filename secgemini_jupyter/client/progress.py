"""Progress bars: shown where somebody looks."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["bar"]


def bar(total: int, progress: bool | None, *, least: int = 2, **options: Any) -> Any:
    """A bar of tqdm.

    Args:
        progress: None shows it in a notebook or a terminal, if there are `least` steps.
        options: of tqdm.
    """
    from tqdm import auto, std

    from secgemini_jupyter.widgets.base import in_notebook, is_attended

    notebook = in_notebook() and is_attended()
    shown = (notebook or sys.stderr.isatty()) and total >= least if progress is None else progress
    kind = auto.tqdm if notebook else std.tqdm
    return kind(total=total, disable=not shown, **options)
