"""Which proxy the environment asks for, and whether it can be used."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from secgemini_jupyter.magics.doctor.running import Step
from secgemini_jupyter.magics.report import Finding
from secgemini_jupyter.settings import Settings, network_variables, proxy_for

__all__ = ["Proxy", "for_http", "for_socket", "look"]

DEFAULT_PORTS = {"http": 80, "https": 443, "socks": 1080, "socks4": 1080, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True)
class Proxy:
    """A proxy without the user name and password that its address may have."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, address: str) -> Proxy | None:
        """None for what is no address."""
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
        except ValueError:
            return None
        return cls(parts.scheme, host, port) if host else None

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def for_http(url: str) -> Proxy | None:
    """What requests go through to `url`."""
    return Proxy.parse(proxy_for(url) or "")


def for_socket(url: str) -> Proxy | None:
    """What the stream goes through to `url`: the same, unless WSS_PROXY says another one."""
    return Proxy.parse(proxy_for(url) or "")


def look(settings: Settings) -> Iterator[Finding | Step]:
    """The variables, and what comes of them for each address."""
    yield Step("proxy", "Look at HTTPS_PROXY and NO_PROXY.")
    variables = network_variables()
    proxies = {name: value for name, value in variables.items() if name.upper().endswith("_PROXY")}
    shown = ", ".join(
        f"{name}={value if name.upper() == 'NO_PROXY' else Proxy.parse(value) or 'no address'}"
        for name, value in sorted(proxies.items())
    )
    by_http, by_socket = for_http(settings.base_url), for_socket(settings.websocket_url)
    for name, value in sorted(proxies.items()):
        if name.upper() != "NO_PROXY" and Proxy.parse(value) is None:
            yield Finding("proxy", "fail", f"{name} is no address", f"Set {name}=http://host:port, or unset it.")
    if by_http != by_socket:
        one, other = by_http or "no proxy", by_socket or "no proxy"
        yield Finding(
            "proxy",
            "warn",
            f"requests go through {one}, the stream through {other} ({shown})",
            "Unless that is meant, unset WSS_PROXY, or name both hosts in NO_PROXY, and restart the kernel.",
        )
    elif by_http:
        yield Finding("proxy", "ok", f"requests and stream go through {by_http} ({shown})")
    else:
        yield Finding("proxy", "ok", f"not used for these addresses ({shown})" if shown else "none set")
    for proxy, module, package in ((by_http, "socksio", "httpx[socks]"), (by_socket, "python_socks", "python-socks")):
        if proxy and proxy.is_socks and importlib.util.find_spec(module) is None:
            yield Finding(
                "proxy", "fail", f"{proxy} needs {module}", f"pip install '{package}', then restart the kernel."
            )
    yield from _authorities(variables)


def _authorities(variables: dict[str, str]) -> Iterator[Finding]:
    """Where certificates of authorities come from: files named for other programs are not read."""
    from pathlib import Path

    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = variables.get(name)
        if path and not (Path(path).is_file() if name.endswith("FILE") else Path(path).is_dir()):
            yield Finding(name, "fail", f"{path!r} is not there", f"Correct or unset {name}, and restart the kernel.")
        elif path:
            yield Finding(name, "ok", f"authorities are read from {path}")
    if "SSL_CERT_FILE" not in variables:
        name = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if name in variables), "")
        if name:
            advice = f"If certificates are refused, set SSL_CERT_FILE to {variables[name]} and restart the kernel."
            yield Finding(name, "info", "is set, but not read here", advice)
