"""The tools there are. A new one is a module in `tools/` with a `TOOLS` tuple, and a line in `TOOLSETS`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from secgemini_jupyter.local_server.analyst.tool import Tool
from secgemini_jupyter.models import ModelInfo, OptionalToolSet, ToolSetVendor

TOOLSETS = {
    "iocs": "Indicators of compromise: find, defang, refang.",
    "decoding": "Base64, hex, percent-encoding, compression: decode, layer by layer.",
    "cvss_scores": "CVSS vectors: scores.",
    "attack": "MITRE ATT&CK: techniques, groups, software, mitigations.",
    "cwe": "CWE: weaknesses, their relations and examples.",
    "cve": "CVEs: what offline and imported data says of them.",
    "ip": "IP addresses: what they are, and where by imported databases.",
    "data": "The data behind the lookups: what there is, importing more.",
    "file_triage": "Programs, documents and scripts: what they are, what stands out.",
    "archive_list": "Archives: what is in them, without unpacking.",
    "hashes": "Hashes of attachments and texts.",
    "reading": "Text of attachments.",
    "hash_names": "Digests and password hashes: what they can be.",
    "tokens": "JSON Web Tokens: what they claim and how they are signed.",
    "urls": "Addresses of the web: parts, look-alikes, tricks; nothing is fetched.",
    "emails": "E-mail: senders, hops, recorded authentication, links, attachments.",
    "certificates": "X.509 certificates, requests, revocation lists: whose, until when, how strong.",
    "log_questions": "Logs: questions in English as SQL.",
    "auth": "Logins in logs: who, from where, how often, what failed.",
    "log_tables": "Logs: what is in them, as tables.",
    "log_queries": "Logs: questions as SQL.",
    "yara_scan": "Your YARA rules over attachments (extra `analyst`).",
    "sigma_run": "Your Sigma rules over logs (extra `analyst`).",
}
"""Modules with what they are good for, in the order in which a plan runs them and the analyst lists what it can do.

Each can be switched off for a session, as a toolset of the model.
"""


@cache
def tools() -> dict[str, Tool]:
    """Every tool by its name."""
    return {tool.name: tool for name in TOOLSETS for tool in _module(name).TOOLS}


def _module(name: str) -> Any:
    return import_module(f"{__package__}.tools.{name}")


def toolsets() -> list[OptionalToolSet]:
    """For the model; the tools themselves are not loaded for it."""
    return [
        OptionalToolSet(
            name=name, description=about, is_enabled=True, is_enabled_by_default=True,
            is_enabled_by_default_in_incognito=True, vendor=ToolSetVendor(name="secgemini-jupyter"),
        )
        for name, about in TOOLSETS.items()
    ]  # fmt: skip


def switched_off(model: ModelInfo) -> set[str]:
    """Names of the tools that are switched off in a session with this model."""
    off = [each.name for each in model.toolsets if each.name in TOOLSETS and not each.is_enabled]
    return {tool.name for name in off for tool in _module(name).TOOLS}
