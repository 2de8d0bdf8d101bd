"""What both shells tell httpx and websockets, and how the errors of these become ours.

The one place where the key leaves its `Secret`. httpx and websockets keep headers and addresses in local variables,
and a verbose traceback prints those: so their tracebacks never leave this package.
"""

from __future__ import annotations

import io
import logging
import math
import ssl
import time
from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect as connect_following_redirects
from websockets.exceptions import InvalidProxy, InvalidStatus, PayloadTooBig, WebSocketException
from websockets.sync.client import reconnect as connect_sync_following_redirects

from secgemini_jupyter.client import bounded, receiving
from secgemini_jupyter.errors import (
    InputError,
    NetworkError,
    ProtocolError,
    RedactingFilter,
    SecGeminiError,
    Secret,
    SettingsError,
)
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import Reply, Request, http_error
from secgemini_jupyter.settings import MIB, Settings, network_variables, proxy_for

H = TypeVar("H")

HANDSHAKE = 3
"""What a socket's way to its first byte may take, in connect timeouts: TCP, TLS, and a request with its reply."""

# websockets logs the handshake's address and headers at debug level: this logger cleans each record first.
socket_logger = logging.getLogger("secgemini_jupyter.websocket")
socket_logger.addFilter(RedactingFilter())
# It logs a peer that answers no ping as an error with its traceback, which Python would print: the turn goes on.
socket_logger.addHandler(logging.NullHandler())


class KeyHeader(httpx.Auth):
    """The key as a header; httpx drops it when a redirect leads to another host, and we follow none."""

    def __init__(self, key: Callable[[], Secret]) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["x-api-key"] = self._key().reveal()
        yield request


class AsyncConnect(connect_following_redirects):
    """websockets' `connect`, but a redirect is an error: the key must not travel along one."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connect(connect_sync_following_redirects):
    """The same for the synchronous shell."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def http_options(settings: Settings, key: Callable[[], Secret]) -> dict[str, Any]:
    """Arguments of `httpx.Client` and `httpx.AsyncClient`; `key` is asked at each request."""
    return {
        "auth": KeyHeader(key),
        "headers": endpoints.HEADERS | {"accept-encoding": "gzip"},
        "timeout": httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        "follow_redirects": False,
    }


def opened(kind: Callable[..., H], settings: Settings, key: Callable[[], Secret]) -> H:
    """A client of httpx of this kind.

    Raises:
        SettingsError: the environment names a proxy or a file of authorities that cannot be used. httpx and `ssl` keep
            the whole environment in local variables, the key and a proxy's password included.
    """
    try:
        return kind(**http_options(settings, key), **_ways(settings, is_async=kind is httpx.AsyncClient))
    except Exception as error:
        unusable = _unusable(error)
    raise unusable


def _ways(settings: Settings, *, is_async: bool) -> dict[str, Any]:
    """Transports: directly, and through a proxy for those of our addresses that have one on their way."""
    options: dict[str, Any] = {
        "verify": _tls(settings),
        "limits": httpx.Limits(max_connections=10, max_keepalive_connections=10),
    }

    def way(proxy: str | None) -> Any:
        if is_async:
            return httpx.AsyncHTTPTransport(proxy=proxy, **options)
        return bounded.limit(httpx.HTTPTransport(proxy=proxy, **options))

    proxies = {_pattern(url): proxy_for(url) for url in _addresses(settings)}
    return {"transport": way(None), "mounts": {place: way(proxy) for place, proxy in proxies.items() if proxy}}


def _pattern(url: str) -> str:
    """What httpx compares addresses with: a port that goes without saying is in none of them."""
    address = httpx.URL(url)
    return str(httpx.URL(f"all://{address.netloc.decode('ascii')}"))


def _addresses(settings: Settings) -> list[str]:
    return [url for url in (settings.base_url, settings.logs_processor_url) if url]


def _unusable(error: Exception) -> SettingsError:
    """Without the error's own words: they quote the proxy's address, and a password may stand in it."""
    if isinstance(error, ImportError):
        why = "a SOCKS proxy needs pip install 'httpx[socks]' python-socks"
    elif isinstance(error, ssl.SSLError):
        why = "the file of certificates holds none"
    elif isinstance(error, OSError):
        why = f"the file of certificates: {error.strerror or type(error).__name__}"
    else:
        why = "the proxy's address is none, or of an unknown kind"
    return SettingsError(
        f"What the environment says of proxies or certificates cannot be used ({why}). "
        "See HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE; %secgemini doctor looks at them."
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    """How httpx verifies certificates. Reading those of all authorities takes longer than creating a session: where no
    address needs them, a context without any stands in, which would refuse every certificate.
    """
    if any(urlsplit(address).scheme == "https" for address in _addresses(settings)):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def request_options(request: Request[Any], settings: Settings) -> dict[str, Any]:
    """Arguments of `client.request`."""
    return {
        "method": request.method,
        "url": endpoints.url(request.base_url or settings.base_url, request.path),
        "params": dict(request.params) or None,
        "content": request.body,
    }


class Body(io.BytesIO):
    """The body of `response`, as it comes. The shells collect it themselves: of `response.content` httpx keeps all
    pieces until it has joined them, which doubles the memory of a session of 100,000 messages.

    Few bytes may be packed gigabytes: what they become is counted, and one packing alone is taken.

    Args:
        ends: the moment of the monotonic clock at which it must be whole; unpacking takes time as well.

    Raises:
        ProtocolError: it is too large, or packed otherwise than we asked for.
        TimeoutError: the time is over.
    """

    def __init__(self, response: httpx.Response, settings: Settings, ends: float) -> None:
        super().__init__()
        self._response, self._ends = response, ends
        self._limit = settings.max_reply_bytes or math.inf
        packing = response.headers.get("content-encoding", "").strip().lower()
        if packing not in ("", "identity", "gzip", "deflate"):
            raise self._refused(f"sent a reply packed as {packing[:40]!r}, which was not asked for. Report it.")

    def take(self, part: bytes) -> None:
        if self.tell() + len(part) > self._limit:
            size = f"{self._limit / MIB:,.0f} MiB" if self._limit >= MIB else f"{self._limit:,} bytes"
            raise self._refused(f"sent a reply above the limit of {size}. Raise Settings.max_reply_bytes.")
        if time.monotonic() > self._ends:
            raise TimeoutError
        self.write(part)

    def reply(self) -> Reply:
        return Reply(self._response.status_code, self._response.headers, self.getvalue(), self._address)

    @property
    def _address(self) -> str:
        return str(self._response.request.url.copy_with(query=None))

    def _refused(self, why: str) -> ProtocolError:
        self.close()  # a traceback that is kept would keep it
        error = ProtocolError(f"{self._address} (HTTP {self._response.status_code}) {why}")
        error.is_of_a_reply = self._response.is_success
        return error


def socket_options(settings: Settings, key: Secret) -> dict[str, Any]:
    """Arguments of `connect`, but the address."""
    headers = dict(endpoints.HEADERS) | ({} if settings.websocket_key_in_url else {"x-api-key": key.reveal()})
    headers.pop("content-type")
    return {
        "additional_headers": headers,
        "user_agent_header": headers.pop("user-agent"),
        "open_timeout": settings.connect_timeout * HANDSHAKE,
        "ping_interval": settings.ping_interval or None,
        "ping_timeout": settings.ping_timeout or None,
        "close_timeout": 1,
        "max_size": settings.max_frame_bytes or None,
        "max_queue": receiving.FRAMES,
        "logger": socket_logger,
        "proxy": proxy_for(settings.websocket_url),
    } | ({"ssl": _socket_tls(settings, _authorities())} if settings.websocket_url.lower().startswith("wss:") else {})


@lru_cache(maxsize=4)
def _socket_tls(_settings: Settings, _files: tuple[str | None, ...]) -> ssl.SSLContext:
    """One for all streams of a client: websockets would make one each, of 0.9 MB and 40 ms on the event loop."""
    return ssl.create_default_context()


def _authorities() -> tuple[str | None, ...]:
    """What OpenSSL reads certificates from besides its own: who sets it, or takes it away, means the next turn."""
    found = network_variables()
    return found.get("SSL_CERT_FILE"), found.get("SSL_CERT_DIR")


def socket_url(settings: Settings, key: Secret, session_id: str, *, partial: bool) -> str:
    secret = key.reveal() if settings.websocket_key_in_url else None
    return endpoints.stream_url(settings.websocket_url, session_id, partial=partial, key=secret)


def translate(error: Exception, address: str) -> SecGeminiError:
    """An error of httpx, websockets or the system as ours; raise it `from bare(error)`."""
    host = urlsplit(address).netloc or address
    if isinstance(error, SecGeminiError):
        return error
    if isinstance(error, InvalidStatus):
        response = error.response
        return http_error(
            Reply(response.status_code, _lower(response.headers), bytes(response.body or b"{}") or b"{}", host),
            "a WebSocket",
        )
    if isinstance(error, PayloadTooBig) or isinstance(error.__cause__, PayloadTooBig):
        return ProtocolError(f"{host} sent a frame above the limit. Raise Settings.max_frame_bytes.")
    if isinstance(error, InvalidProxy):
        error.proxy = "the proxy"  # a traceback quotes what led to ours
        return _unusable(error)
    if isinstance(error, ImportError):
        return _unusable(error)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionRefusedError)):
        return NetworkError(
            f"{host} cannot be reached ({_reason(error)}). Check the address and the network.", nothing_sent=True
        )
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return NetworkError(f"{host} did not answer in time.").advise("Try again, or raise the timeouts in Settings.")
    if isinstance(error, _LOST):
        return NetworkError(f"The connection to {host} was lost ({_reason(error)}).").advise("Try again.")
    if isinstance(error, (httpx.HTTPError, OSError)):
        return NetworkError(f"{host} cannot be reached ({_reason(error)}). Check the address and the network.")
    if isinstance(error, (httpx.InvalidURL, UnicodeError)):  # an id or a host name that no address can hold
        return InputError(f"No request to {host} can be made of this ({_reason(error)}). Nothing was sent.")
    if isinstance(error, ValueError):  # a proxy's address that cannot be read
        error.args = ("no address",)
        return _unusable(error)
    raise error


_LOST = (httpx.DecodingError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, WebSocketException)


def bare(error: BaseException) -> BaseException:
    """`error` without the frames that hold headers and addresses."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _reason(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.raw_items()}
