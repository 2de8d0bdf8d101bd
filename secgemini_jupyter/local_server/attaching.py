"""Attachments on their way in: a body read, the bytes described, a name that file systems take."""

from __future__ import annotations

import hashlib
import re

import msgspec

from secgemini_jupyter.local_server.filetypes import describe_file
from secgemini_jupyter.local_server.requests import Upload, parse
from secgemini_jupyter.models import PublicSessionFile

MAX_ATTACHMENT_BYTES = 100 * 2**20
AS_LOGS_TABLE = "A JSON Lines log goes up as a logs table: upload_and_attach_logs, or %secgemini attach-logs PATH."


def read_upload(body: bytes) -> Upload | str:
    """The attachment, or what is wrong with its content."""
    try:
        return msgspec.json.decode(body, type=Upload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass

    class Unread(msgspec.Struct):
        session_id: str
        filename: str
        content: str

    unread = parse(body, Unread)
    if unread.content == "data:":  # what some browsers give for an empty file
        return Upload(unread.session_id, unread.filename, b"")
    return "The content is no base64"


def described(filename: str, content: bytes) -> PublicSessionFile:
    """What the bytes are; nothing is taken from what the client says but the name."""
    mime_type, label = describe_file(content, filename)
    return PublicSessionFile(
        name=_base_name(filename),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        mime_type=mime_type,
        content_type_label=label,
    )


def _base_name(filename: str) -> str:
    """The last part of a path of any system, printable and of a length that file systems take."""
    name = re.split(r"[/\\]", filename)[-1]
    name = "".join(c if c.isprintable() else "_" for c in name).strip()
    return name[:255] if name.strip(".") else "unnamed"
