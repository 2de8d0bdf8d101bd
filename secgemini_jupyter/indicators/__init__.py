"""Indicators of compromise in text: find them, and write them so that nobody clicks on one by mistake."""

from __future__ import annotations

from secgemini_jupyter.indicators.addresses import address_flags
from secgemini_jupyter.indicators.finding import Indicator, defang, extract, refang
from secgemini_jupyter.indicators.names import is_domain

__all__ = ["Indicator", "address_flags", "defang", "extract", "is_domain", "refang"]
