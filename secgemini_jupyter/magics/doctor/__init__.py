"""`%secgemini doctor`: what may keep answers from coming, looked at side by side, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.magics.doctor import machine, proxies
from secgemini_jupyter.magics.doctor.network import Service
from secgemini_jupyter.magics.doctor.running import Check, Step, run
from secgemini_jupyter.magics.report import Finding, Report
from secgemini_jupyter.settings import Key, Settings, backend, find_key

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["LIMIT", "examine"]

LIMIT = 9.5
"""Seconds that all checks together may take: each step of one ends before that by itself, but for name servers."""


def examine(magics: SecGeminiMagics, *, contact: bool = False, limit: float = LIMIT) -> Report:
    """Look at everything; the service is asked where this kernel asks it, or if `contact` says so."""
    checks: list[Check] = [
        partial(each, magics)
        for each in (machine.packages, machine.keys, machine.place, machine.folders, machine.project)
    ]
    try:
        checks += _network(magics, contact)
    except SettingsError as error:
        checks.append(partial(_wrong, str(error)))
    findings = sorted(run(checks, limit), key=lambda finding: {"fail": 0, "warn": 1}.get(finding.state, 2))
    return Report(findings, _summary(findings))


def _wrong(words: str) -> Iterator[Finding | Step]:
    yield Finding("settings", "fail", words, "Correct the variable, and restart the kernel.")


def _network(magics: SecGeminiMagics, contact: bool) -> list[Check]:
    """The checks of what answers here: the local service, or the one that the settings name.

    Raises:
        SettingsError: a variable makes no sense.
    """
    chosen = backend()
    settings = Settings.from_environment()
    key: Key | None
    try:
        key = find_key() if chosen != "local" else None
    except SettingsError:  # `machine.keys` says so
        key = None
    is_local = key is None and chosen != "service"
    checks: list[Check] = [partial(machine.local_service, magics, is_used=is_local), partial(_addresses, settings)]
    if contact or not is_local:
        service = Service(settings, key)
        return [*checks, partial(proxies.look, settings), service.ask, service.stream, service.reach_logs]
    why = "SECGEMINI_BACKEND is local" if chosen == "local" else "no key"
    return [*checks, partial(proxies.look, settings), partial(_not_contacted, settings, why)]


def _addresses(settings: Settings) -> Iterator[Finding | Step]:
    urls = (settings.base_url, settings.websocket_url, settings.logs_processor_url)
    yield Finding("addresses", "info", ", ".join(url for url in urls if url))


def _not_contacted(settings: Settings, why: str) -> Iterator[Finding | Step]:
    said = f"{settings.host} was not contacted: {why}"
    yield Finding("service", "skipped", said, "%secgemini doctor --network tries it all the same, without a key.")


def _summary(findings: list[Finding]) -> str:
    failed = [finding for finding in findings if finding.state == "fail"]
    warned = [finding for finding in findings if finding.state == "warn"]
    parts = [f"{len(each)} {word}" for each, word in ((failed, "failed"), (warned, "to look at")) if each]
    names = ", ".join(dict.fromkeys(finding.check for finding in failed + warned))
    return f"{', '.join(parts)}: {names}." if parts else f"All fine: {len(findings)} checks."
