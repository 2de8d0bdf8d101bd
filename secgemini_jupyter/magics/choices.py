"""What options and traits may be set to: here alone, so that the traits load without what obeys them."""

from __future__ import annotations

__all__ = ["FORMATS", "MODES", "SHOWS"]

FORMATS = ("md", "text", "json", "df", "html", "code", "raw")
"""How an answer is shown and given; what each is stands in `formats`."""
MODES = ("use", "refresh", "only", "off")
"""Of the cache of answers; see `caching`."""
SHOWS = ("none", "summary", "full")
"""Thinking and tool calls: see `look`."""
