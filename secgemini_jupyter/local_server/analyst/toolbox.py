"""The tools there are. A new one is a module in `tools/` with a `TOOLS` tuple, and its name in `MODULES`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from secgemini_jupyter.local_server.analyst.tool import Tool

MODULES = ("iocs", "decoding", "cvss_scores", "hashes", "auth", "log_tables", "log_queries")
"""In the order in which a plan runs them and the analyst lists what it can do."""


@cache
def tools() -> dict[str, Tool]:
    """Every tool by its name."""
    modules = [import_module(f"{__package__}.tools.{name}") for name in MODULES]
    return {tool.name: tool for module in modules for tool in module.TOOLS}
