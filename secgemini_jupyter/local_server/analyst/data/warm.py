"""What the planner needs of the data, made ready before the first prompt."""

from __future__ import annotations

from secgemini_jupyter.local_server.analyst.data import attack, cwe


def warm() -> None:
    """Takes some ten milliseconds; may run in a thread."""
    for names in (attack.names(), cwe.names()):
        names.find("warm")
