"""Raster images of a payload: recognised by their bytes, small enough, and shown without a request. Never SVG."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass, field

__all__ = ["RasterImage", "read_image"]

MAX_BYTES = 2_000_000
MAX_PIXELS = 25_000_000
"""A browser keeps 4 bytes for each, however small the file: a bomb is refused."""


@dataclass(frozen=True)
class RasterImage:
    mime_type: str
    width: int
    height: int
    data: bytes = field(repr=False)

    @property
    def data_url(self) -> str:
        return f"data:{self.mime_type};base64,{base64.b64encode(self.data).decode()}"


def read_image(content: str) -> RasterImage | None:
    """The image in bare base64 or a `data:` URL; None if it is no PNG, JPEG, GIF or WebP, or too large.

    The type in the URL counts for nothing: the bytes say what it is.
    """
    if len(content) > MAX_BYTES * 4 // 3 + 200:
        return None
    encoded = re.sub(r"\Adata:[^,]{0,100};base64,", "", content.strip())
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    for mime_type, read in (
        ("image/png", _png_size),
        ("image/gif", _gif_size),
        ("image/jpeg", _jpeg_size),
        ("image/webp", _webp_size),
    ):
        try:
            found = read(data)
        except (struct.error, IndexError):
            return None
        if found is not None:
            width, height = found
            fits = 0 < width * height <= MAX_PIXELS and len(data) <= MAX_BYTES
            return RasterImage(mime_type, width, height, data) if fits else None
    return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int] | None:
    if data[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    if data[:3] != b"\xff\xd8\xff":
        return None
    position = 2
    while position < len(data) - 9:
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 1 if marker == 0xFF else 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
