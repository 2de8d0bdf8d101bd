"""Reading the files that come with the package."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


@cache
def load(name: str) -> dict[str, Any]:
    """`attack`, `cwe`, and the names alone of each: `attack_names`, `cwe_names`."""
    packed = files(__package__).joinpath(f"{name}.json.gz").read_bytes()
    data: dict[str, Any] = msgspec.json.decode(gzip.decompress(packed))
    return data


def source(name: str, about: dict[str, Any]) -> dict[str, str]:
    """For a result's `sources`."""
    return {"name": name, "version": about["version"], "date": about["date"]}
