"""`papermill --engine secgemini`: cells tagged `secgemini-skip` are left out of a run that nobody watches.

A kernel does not get to know the tags of a cell: who sends the cells must leave them out. nbclient and nbconvert take
the tag as an option, papermill's command line has none. papermill alone imports this module.
"""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine  # type: ignore[import-untyped, import-not-found, unused-ignore]

__all__ = ["SkippingEngine"]

SKIP = "secgemini-skip"


class SkippingEngine(NBClientEngine):  # type: ignore[misc, unused-ignore]  # papermill has no types
    """papermill's own engine, told which cells to leave out."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        return super().execute_managed_notebook(nb_man, kernel_name, **{"skip_cells_with_tag": SKIP} | options)
