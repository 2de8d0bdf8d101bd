"""One file from the kernel to the service: compared with the browser's hash, attached once, found again after a cut."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from secgemini_jupyter.errors import AttachmentError, NetworkError, ProtocolError, SecGeminiError
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.widgets.session import AttachSession

__all__ = ["CHUNK", "Upload", "attach", "call_back", "listed", "position", "shown_name"]

CHUNK = 2**20
"""Bytes of a piece. A Jupyter server drops messages above 10 MiB, and the connection with them."""


@dataclass(eq=False)
class Upload:
    """One file on its way: to the kernel (`open`), then to the service (`sending`), then how it ended."""

    session: AttachSession
    name: str
    size: int
    sha256: str
    hint: str | None
    heard: float
    state: Literal["open", "sending", "attached", "cancelled", "failed"] = "open"
    parts: dict[int, bytes] = field(default_factory=dict)
    content: bytes | None = None
    error: str = ""
    file_idx: int | None = None
    copies: int | None = None
    """How often the session had this content before it was sent, if it is not known what became of it."""
    is_ours: bool = False
    """Whether the attachment came from here, and not from somebody who attached the same meanwhile."""
    found: PublicSessionFile | None = None
    """What was in the list afterwards, where the service's reply was lost."""
    cancelled_by: set[str] = field(default_factory=set)
    """Ids of those who called it back while it was sent; others may still wait for it."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def missing(self) -> list[int]:
        if self.state != "open" or self.content is not None:
            return []
        return [offset for offset in range(0, self.size, CHUNK) if offset not in self.parts]

    @property
    def is_here(self) -> bool:
        return self.state in ("open", "sending", "failed")

    def is_of(self, session_id: str, name: str, size: int, sha256: str) -> bool:
        return (self.session.id, self.name, self.size, self.sha256) == (session_id, name, size, sha256)

    def drop_bytes(self) -> None:
        self.parts, self.content = {}, None


def attach(upload: Upload) -> None:
    """Attach the file, unless it is there by now.

    Raises:
        SecGeminiError: it is not attached, or nobody knows: another call looks first.
    """
    session, content = upload.session, _joined(upload)
    upload.file_idx = position(session.files, upload.sha256, upload.name)
    if upload.file_idx is None and upload.copies is not None:
        session.refresh()
        _find_again(upload)
    if upload.file_idx is not None:
        return
    copies = _copies(session.files, upload.sha256)
    try:
        session.attach_file(upload.name, content, upload.hint)
    except (NetworkError, ProtocolError) as error:
        if isinstance(error, NetworkError) and error.nothing_sent:
            raise
        # The reply is lost, but perhaps not the file: look before it is sent a second time.
        upload.copies = copies
        try:
            session.refresh()
        except SecGeminiError:
            cause = str(error).rstrip(". ")
            raise NetworkError(
                f"{cause}. Whether the file arrived is not known: Try again looks before it sends."
            ) from error
        _find_again(upload)
        if upload.file_idx is None:
            raise
        return
    upload.is_ours = True
    index = position(session.files, upload.sha256, upload.name)
    upload.file_idx = len(session.files) - 1 if index is None else index  # the service may keep another name


def _find_again(upload: Upload) -> None:
    """Look for a file whose reply was lost: if it arrived, its content is in the list once more than before."""
    files = upload.session.files
    if _copies(files, upload.sha256) > (upload.copies or 0):
        upload.file_idx = position(files, upload.sha256)
    if upload.file_idx is not None:
        upload.is_ours = True
        upload.found = files[upload.file_idx]


def call_back(upload: Upload) -> None:
    """Detach what was cancelled on its way to the service.

    Raises:
        AttachmentError: it stays attached.
    """
    if upload.file_idx is None:
        return
    try:
        upload.session.detach_file(upload.file_idx)
    except SecGeminiError as error:
        shown = one_line(upload.name, 80)
        raise AttachmentError(f"{shown!r} had arrived already, and could not be detached: {error}") from error


def _joined(upload: Upload) -> bytes:
    """The whole file, the browser's sha256 compared with ours.

    Raises:
        AttachmentError: they differ. All of it is dropped: nobody knows which piece is wrong.
    """
    if upload.content is not None:
        return upload.content
    content = b"".join(upload.parts[offset] for offset in sorted(upload.parts))
    upload.parts = {}
    ours = hashlib.sha256(content).hexdigest()
    if ours != upload.sha256:
        raise AttachmentError(
            f"{one_line(upload.name, 80)!r} changed while it was read, or on its way: sha256 {upload.sha256} "
            f"in the browser, {ours} here. Nothing was sent. Copy the file first, then add the copy."
        )
    upload.content = content
    return content


def listed(file: PublicSessionFile, verified: bool) -> dict[str, Any]:
    """An attachment for a view: names and types cleaned."""
    return {
        "name": shown_name(file),
        "size": max(file.size, 0),
        "sha256": one_line(file.sha256, 100),
        "mime_type": one_line(file.mime_type, 100),
        "content_type_label": one_line(file.content_type_label or "", 60),
        "verified": verified,
    }


def shown_name(file: PublicSessionFile) -> str:
    return one_line(file.name, 255) or "unnamed"


def position(files: Sequence[PublicSessionFile], sha256: str, name: str | None = None) -> int | None:
    """Where the newest file with this content (and name) stands."""
    matches = [i for i, f in enumerate(files) if f.sha256.lower() == sha256 and name in (None, f.name)]
    return matches[-1] if matches else None


def _copies(files: Sequence[PublicSessionFile], sha256: str) -> int:
    return sum(file.sha256.lower() == sha256 for file in files)
