"""Replies over HTTP that are made to fill the memory."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import httpx
import pytest

from secgemini_jupyter.client import transport
from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.settings import MIB, Settings
from tests.client.servers import web_server
from tests.client.test_wire import PLAIN_KEY, service

LARGE = b'{"detail": "' + b"A" * 4 * MIB


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("packing", "body"),
    [("identity", LARGE), ("gzip", gzip.compress(LARGE)), ("deflate", zlib.compress(LARGE))],
    ids=["plain", "gzip", "deflate"],
)
def test_reply_above_the_limit_is_refused(shell: Any, packing: str, body: bytes, status: int) -> None:
    with web_server(lambda _: (status, {"content-encoding": packing}, body), quiet=True) as web:
        settings = Settings(base_url=web.url, websocket_url="ws://127.0.0.1:9", max_reply_bytes=MIB)
        with pytest.raises(ProtocolError, match=r"above the limit of 1 MiB.*max_reply_bytes"):
            shell(PLAIN_KEY, settings=settings).user_info()
        assert len(web.seen) == 1
        assert web.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("packing", ["gzip, gzip", "br", "gzip, zstd"])
def test_reply_that_is_packed_otherwise_is_refused_unread(shell: Any, packing: str) -> None:
    body = gzip.compress(gzip.compress(b"A" * MIB))
    with (
        web_server(lambda _: (200, {"content-encoding": packing}, body), quiet=True) as web,
        pytest.raises(ProtocolError, match="not asked for"),
    ):
        shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").user_info()


def test_packed_reply_is_read(shell: Any) -> None:
    def packed(seen: Any) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = service(seen)
        return status, headers | {"content-encoding": "gzip"}, gzip.compress(body)

    with web_server(packed) as web:
        assert shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").user_info().user.id == "u"


def test_time_for_a_reply_ends_while_it_is_unpacked() -> None:
    response = httpx.Response(200, request=httpx.Request("GET", "http://127.0.0.1"))
    body = transport.Body(response, Settings(), ends=0.0)
    with pytest.raises(TimeoutError):
        body.take(b"x")
