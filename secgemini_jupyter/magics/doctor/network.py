"""The way to the service, step by step as our client goes it: name, port, TLS, a request with the key, a WebSocket."""

from __future__ import annotations

import contextlib
import email.utils
import json
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from secgemini_jupyter.errors import Secret, SettingsError
from secgemini_jupyter.magics.doctor import proxies, tls
from secgemini_jupyter.magics.doctor.proxies import Proxy
from secgemini_jupyter.magics.doctor.running import Step
from secgemini_jupyter.magics.report import Finding
from secgemini_jupyter.settings import KEY_PAGE, Key, Settings

__all__ = ["Service"]

PATIENCE = 3.0
"""Seconds that one step may take; a way has three of them."""
MAX_BODY = 8_000_000
MAX_SKEW = 60
"""Seconds that this machine's clock may be off: a stream's times and a key's end are compared with it."""
ASK_NETWORK = "Are you online, and is this host allowed from here? Where a proxy is needed, set HTTPS_PROXY."
NO_SERVICE = "Another program answers there. Check SEC_GEMINI_API_HTTP_URL; behind a portal, log in to it by browser."


@dataclass(frozen=True)
class Service:
    """Where the service is, and the key to ask it with: None asks without one."""

    settings: Settings
    key: Key | None

    @property
    def is_one_host(self) -> bool:
        return urlsplit(self.settings.base_url).netloc == urlsplit(self.settings.websocket_url).netloc

    # --- name and port ---

    def _reach(self, url: str, proxy: Proxy | None) -> Iterator[Finding | Step]:
        """Name and port of what is spoken to first: the proxy, if there is one."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme in ("https", "wss") else 80)
        what = ""
        if proxy:
            host, port, what = proxy.host, proxy.port, "proxy "
        advice = f"Is the {what}name right? {ASK_NETWORK}"
        yield Step(f"name {host}", advice)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            yield Finding(f"name {host}", "fail", f"not found ({_words(error)})", advice)
            raise _Unreachable from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if addresses != [host]:
            yield Finding(f"name {host}", "ok", f"{what}{', '.join(addresses[:4])}")
        name = f"port {host}:{port}"
        yield Step(name, ASK_NETWORK)
        try:
            socket.create_connection((host, port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            yield Finding(
                name,
                "fail",
                "refused: nothing listens there",
                f"Is the {what}address right, and the program there running?",
            )
            raise _Unreachable from None
        except TimeoutError:
            yield Finding(name, "fail", f"no answer within {PATIENCE:g} s: a firewall drops it", ASK_NETWORK)
            raise _Unreachable from None
        except OSError as error:
            yield Finding(name, "fail", f"not reachable ({_words(error)})", ASK_NETWORK)
            raise _Unreachable from None
        yield Finding(name, "ok", f"{what}open")

    def reach_logs(self) -> Iterator[Finding | Step]:
        """Name and port of the logs processor, where one is set: it takes no request that changes nothing."""
        url = self.settings.logs_processor_url
        if url is not None and url != self.settings.base_url:
            with contextlib.suppress(_Unreachable):
                yield from self._reach(url, proxies.for_http(url))

    # --- a request ---

    def ask(self) -> Iterator[Finding | Step]:
        """Name, port, TLS, the request that every session begins with, the clock."""
        proxy = proxies.for_http(self.settings.base_url)
        try:
            yield from self._reach(self.settings.base_url, proxy)
        except _Unreachable:
            return
        host = urlsplit(self.settings.base_url).hostname
        yield Step("request", f"The connection to {host} stands, but it stays silent. Try later; tell who runs it.")
        yield from self._request(proxy)

    def _request(self, proxy: Proxy | None) -> Iterator[Finding]:
        import httpx

        from secgemini_jupyter.client import transport
        from secgemini_jupyter.protocol import endpoints

        key = self.key
        request = transport.request_options(endpoints.user_info(), self.settings)
        try:
            client = transport.opened(httpx.Client, self.settings, lambda: key.secret if key else Secret(""))
            client.timeout = httpx.Timeout(PATIENCE)
            if key is None:
                client.auth = httpx.Auth()
            with client, client.stream(**request) as response:
                secured = response.extensions["network_stream"].get_extra_info("ssl_object")
                if secured is not None:
                    yield tls.accepted("TLS", secured)
                yield from self._reply(response, _body(response))
                yield from _clock(response.headers.get("date", ""))
        except Exception as error:
            yield self._no_reply(error, proxy)

    def _no_reply(self, error: Exception, proxy: Proxy | None) -> Finding:
        import httpx

        if wrong := tls.tls_error(error):
            return tls.refused("TLS", wrong, _address(self.settings.base_url), proxy)
        if isinstance(error, httpx.ProxyError):
            return _proxy_refused("request", proxy, _words(error))
        if isinstance(error, httpx.TimeoutException):
            host = self.settings.host
            advice = f"The port is open, but {host} says nothing. Try later; behind a proxy, ask who runs that."
            return Finding("request", "fail", f"no answer within {PATIENCE:g} s", advice)
        if isinstance(error, SettingsError):
            return Finding("request", "fail", str(error), "Correct it, and restart the kernel.")
        return Finding("request", "fail", _words(error), "Try again; if it stays, check address and proxy.")

    def _reply(self, response: Any, body: bytes) -> Iterator[Finding]:
        status, kind = response.status_code, response.headers.get("content-type", "").partition(";")[0].strip()
        said = f"HTTP {status}" + (f", {kind}" if kind else "")
        value = _json(body)
        if status in (401, 403) and (value is not None or kind != "text/html"):
            yield from self._refused_key(said)
        elif status in (401, 403):
            yield Finding("request", "fail", f"{said}: a page, not the service, refuses", NO_SERVICE)
        elif status == 407:
            yield Finding(
                "request",
                "fail",
                f"{said}: a proxy wants a login",
                "Put it into HTTPS_PROXY=http://user:password@host:port.",
            )
        elif status == 429:
            yield Finding(
                "request", "warn", f"{said}: the quota is used up", "Wait a minute. %secgemini usage shows it."
            )
        elif 300 <= status < 400:
            where = urlsplit(response.headers.get("location", "")).hostname or "elsewhere"
            yield Finding("request", "fail", f"{said}: sent on to {where}, where the key is not sent", NO_SERVICE)
        elif status == 404:
            yield Finding("request", "fail", f"{said}: the service is not at this path", NO_SERVICE)
        elif status >= 500:
            advice = "The service, or a proxy before it, is in trouble. Try later."
            yield Finding("request", "fail", said, advice)
        elif status != 200 or not isinstance(value, dict) or not isinstance(value.get("user"), dict):
            yield Finding("request", "fail", f"{said}: not what the service says", NO_SERVICE)
        else:
            yield Finding("request", "ok", f"{said}, the service knows this key")
            yield from _ends(value["user"])

    def _refused_key(self, said: str) -> Iterator[Finding]:
        if self.key is None:
            yield Finding("request", "ok", f"{said}: the service answers; no key was sent")
        else:
            advice = f"Look at your keys at {KEY_PAGE}; %secgemini login takes another one."
            yield Finding("request", "fail", f"{said}: the service refuses the key {self.key}", advice)

    # --- the stream ---

    def stream(self) -> Iterator[Finding | Step]:
        """Open a WebSocket for a session that does not exist, and close it: whether the way lets one through."""
        url = self.settings.websocket_url
        proxy = proxies.for_socket(url)
        step = Step(
            "WebSocket", "Requests may pass where WebSockets do not: ask who runs the proxy to let them through."
        )
        yield step
        is_same_way = self.is_one_host and proxy == proxies.for_http(self.settings.base_url)
        try:
            for each in self._reach(url, proxy):
                if not is_same_way:  # else `ask` tells
                    yield each
        except _Unreachable:
            yield Finding("WebSocket", "skipped", "not tried: its host is not reached")
            return
        yield step
        yield self._upgrade(proxy)

    def _upgrade(self, proxy: Proxy | None) -> Finding:
        from secgemini_jupyter.client import transport
        from secgemini_jupyter.protocol import endpoints

        secret = self.key.secret if self.key else Secret("none")
        nowhere = f"doctor-{uuid.uuid4().hex}"
        options = transport.socket_options(self.settings, secret) | {"open_timeout": 2 * PATIENCE}
        if self.key:
            url = transport.socket_url(self.settings, secret, nowhere, partial=False)
        else:
            url = endpoints.stream_url(self.settings.websocket_url, nowhere, partial=False, key=None)
            options["additional_headers"].pop("x-api-key", None)
        try:
            connection = transport.Connect(url, **options).connect()
        except Exception as error:
            return self._no_upgrade(error, proxy)
        connection.pending_legacy_warning = False
        connection.close()
        return Finding("WebSocket", "ok", "opens")

    def _no_upgrade(self, error: Exception, proxy: Proxy | None) -> Finding:
        from websockets import exceptions

        from secgemini_jupyter.client import transport

        let_through = "A proxy or gateway does not pass WebSockets on: ask who runs it to allow them for this host."
        if wrong := tls.tls_error(error):
            return tls.refused("WebSocket", wrong, _address(self.settings.websocket_url), proxy)
        if isinstance(error, exceptions.InvalidProxyStatus):
            return _proxy_refused("WebSocket", proxy, f"HTTP {error.response.status_code}")
        if isinstance(error, exceptions.InvalidProxy | ImportError | ValueError):
            said = transport.translate(error, self.settings.websocket_url)  # without the proxy's address
            return Finding("WebSocket", "fail", str(said), "Correct it, and restart the kernel.")
        if isinstance(error, exceptions.ProxyError):
            return _proxy_refused("WebSocket", proxy, type(error).__name__)
        if isinstance(error, exceptions.InvalidStatus):
            status = error.response.status_code
            kind = error.response.headers.get("content-type", "").partition(";")[0]
            if status in (400, 401, 403, 404, 422) and kind != "text/html":
                # It was asked for a session that does not exist, and perhaps without a key.
                return Finding("WebSocket", "ok", f"HTTP {status}: the service answers the upgrade")
            return Finding(
                "WebSocket", "fail", f"HTTP {status}{', ' + kind if kind else ''} instead of an upgrade", let_through
            )
        if isinstance(error, exceptions.InvalidHandshake):
            return Finding("WebSocket", "fail", f"no upgrade ({_words(error)})", let_through)
        if isinstance(error, TimeoutError):
            return Finding("WebSocket", "fail", f"no answer to the upgrade within {2 * PATIENCE:g} s", let_through)
        return Finding("WebSocket", "fail", _words(error), "Try again; if it stays, check address and proxy.")


class _Unreachable(Exception):
    """Further steps make no sense."""


def _body(response: Any) -> bytes:
    parts, size, deadline = [], 0, time.monotonic() + PATIENCE
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY or time.monotonic() > deadline:
            break
    return b"".join(parts)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _ends(user: dict[str, Any]) -> Iterator[Finding]:
    from secgemini_jupyter.client.limits import expiry

    ends = user.get("key_expire_time", 0)
    if isinstance(ends, int):
        state, words, advice = expiry(ends)
        yield Finding("key ends", state, words, advice)


def _clock(date: str) -> Iterator[Finding]:
    try:
        skew = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return
    if abs(skew) <= MAX_SKEW:
        yield Finding("clock", "ok", "agrees with the service's")
    else:
        said = f"{abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the service's"
        yield Finding("clock", "warn", said, "Set this machine's clock: times in a session are compared with it.")


def _proxy_refused(name: str, proxy: Proxy | None, words: str) -> Finding:
    if "407" in words:
        advice = "It wants a login: set HTTPS_PROXY=http://user:password@host:port, and restart the kernel."
    else:
        advice = "Ask who runs it to allow this host, or leave it out by NO_PROXY; then restart the kernel."
    return Finding(name, "fail", f"the proxy {proxy or ''} refuses ({words})", advice)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror
    return str(error).strip() or type(error).__name__
