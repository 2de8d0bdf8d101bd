"""What the server needs to plan, made ready before the first prompt: tools, patterns, names."""

from __future__ import annotations

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.data import attack, cwe

PROMPTS = ("What is T1059?", "What mitigates LSASS dumping?", "Who logged in?", "Defang http://warm.example.com/")


def warm() -> None:
    """Takes some tenths of a second, most of them for compiling patterns; may run in a thread."""
    for names in (attack.names(), cwe.names()):
        names.find("warm")
    for prompt in PROMPTS:
        planner.plan_for(planner.request_of(prompt, []))
