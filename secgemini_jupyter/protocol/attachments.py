"""What an attachment may be called, and how large it may be: refused with the same line wherever it comes from."""

from __future__ import annotations

import re

from secgemini_jupyter.errors import AttachmentError, InputError

LONGEST_NAME = 255


def base_name(filename: object) -> str:
    """The name to send: without folders, since the service keeps none.

    Raises:
        InputError: there is no usable name.
    """
    name = re.split(r"[\\/]", filename)[-1] if isinstance(filename, str) else ""
    if not name.strip() or name in (".", "..") or "\0" in name:
        shown = filename if not isinstance(filename, str) or len(filename) <= LONGEST_NAME else name[:40] + "…"
        raise InputError(f"filename {shown!r} names no file. Pass a name such as 'auth.log'. Nothing was sent.")
    try:
        name.encode()
    except UnicodeEncodeError:  # from disk: bytes that are no UTF-8
        raise InputError(
            f"filename {name[:LONGEST_NAME]!r} is no text that can be sent. Use attach_file with another name. "
            "Nothing was sent."
        ) from None
    if len(name) > LONGEST_NAME:
        raise InputError(f"filename has {len(name)} characters, at most {LONGEST_NAME} are taken. Nothing was sent.")
    return name


def check_size(shown: str, size: int, limit: int) -> None:
    """Refuse what is larger than `limit` bytes.

    Raises:
        AttachmentError: it is.
    """
    if size > limit:
        raise AttachmentError(
            f"{shown} has {size:,} bytes, at most {limit:,} are sent as an attachment. Attach a part of it, or a log "
            "as a logs table: %secgemini attach-logs PATH, or upload_and_attach_logs. Nothing was sent."
        )
