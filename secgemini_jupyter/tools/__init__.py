"""A Python function as a local tool: what the service is told of it, who approves a call, running one call.

The service asks, the client runs. A function that is passed as it is runs only when a person approves the call (`ask`);
`secgemini_tool` says that it may.
"""

from __future__ import annotations

from secgemini_jupyter.tools.declaring import Approval, Approver, Tool, as_tool, declaration, secgemini_tool
from secgemini_jupyter.tools.toolbox import (
    MAX_OUTPUT,
    NOBODY,
    Outcome,
    Toolbox,
    Unasked,
    denial,
    in_thread,
    is_denial,
    is_unasked,
)

__all__ = [
    "MAX_OUTPUT",
    "NOBODY",
    "Approval",
    "Approver",
    "Outcome",
    "Tool",
    "Toolbox",
    "Unasked",
    "as_tool",
    "declaration",
    "denial",
    "in_thread",
    "is_denial",
    "is_unasked",
    "secgemini_tool",
]
