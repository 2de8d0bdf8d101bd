"""`df.secgemini`, registered without loading what it leads on to: that takes as long as a table of 20,000 messages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.accessor import TranscriptAccessor

__all__ = ["register", "register_where_pandas_is"]


def register_where_pandas_is() -> None:
    """The same, if pandas is loaded already: a table that pandas itself read back is a transcript too."""
    if hasattr(sys.modules.get("pandas"), "DataFrame"):
        register()


def register() -> None:
    """See that tables have the accessor; its first use loads it."""
    import pandas as pd

    if "secgemini_jupyter.accessor" not in sys.modules and not hasattr(pd.DataFrame, "secgemini"):
        pd.api.extensions.register_dataframe_accessor("secgemini")(accessor_of)  # type: ignore[type-var]  # a function will do


def accessor_of(table: pd.DataFrame) -> TranscriptAccessor:
    from secgemini_jupyter.accessor import TranscriptAccessor

    return TranscriptAccessor(table)
