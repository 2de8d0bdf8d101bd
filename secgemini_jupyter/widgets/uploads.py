"""Files from a browser to a session, in pieces: `js/src/shared/upload.ts` is the other side.

    upload_begin    what is to come → the offsets that are still missing; or that it is attached already
    upload_chunk    one piece of 1 MiB (the last may be shorter), by its offset: in any order, and twice does no harm
    upload_finish   all is here: compared with the browser's sha256, attached, compared with the service's
    upload_cancel   forget it
    detach_file, refresh_files

A piece or a reply may get lost on the way: everything may be asked again. What is here stays for some minutes, so that
an upload that was cut goes on where it stopped, and nothing is attached twice.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec

from secgemini_jupyter.errors import InputError, SecGeminiError, redact
from secgemini_jupyter.protocol.attachments import base_name, check_size
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.threads import daemon
from secgemini_jupyter.widgets.attaching import CHUNK, Upload, attach, call_back, listed, position, shown_name
from secgemini_jupyter.widgets.rpc import Method
from secgemini_jupyter.widgets.session import AttachSession, check_session

__all__ = ["CHUNK", "UploadState", "Uploads"]

log = logging.getLogger(__name__)

MAX_OPEN = 2
"""Uploads that are here at a time, each as large as the session allows: what the kernel's memory has to bear."""
KEPT = 600.0
"""Seconds that an upload without news is kept."""
IDLE = 30.0
"""Seconds without news after which an upload gives way to another one."""
PATIENCE = 10.0
"""Seconds that `upload_finish` waits for the service; then it says that the file is still on its way."""
MAX_KNOWN = 100
"""Names of uploads that are remembered."""
LISTED = 1000
"""Attachments that a view lists; the session may have more."""

UploadState = Literal["idle", "uploading", "failed"]

SessionId = Annotated[str, msgspec.Meta(max_length=200)]
UploadId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Offset = Annotated[int, msgspec.Meta(ge=0)]
MIME_TYPE = re.compile(r"[\w.+-]{1,80}/[\w.+-]{1,80}", re.ASCII)


class Begin(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    upload: UploadId
    name: Annotated[str, msgspec.Meta(max_length=10_000)]
    size: Offset
    sha256: Sha256
    mime_type: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    anyway: bool = False
    """Also when the same content is attached under another name."""


class Chunk(msgspec.Struct, forbid_unknown_fields=True):
    upload: UploadId
    offset: Offset


class OfUpload(msgspec.Struct, forbid_unknown_fields=True):
    upload: UploadId


class Detach(msgspec.Struct, forbid_unknown_fields=True):
    """By position; `name` and `sha256` as they were listed."""

    session_id: SessionId
    file_idx: Offset
    name: Annotated[str, msgspec.Meta(max_length=1000)]
    sha256: Annotated[str, msgspec.Meta(max_length=1000)]


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId


class Uploads:
    """The kernel's side of uploads, for a widget: merge `methods` into its `Rpc`.

    Args:
        session: gives the session that the widget shows; an upload stays with the one that it began in.
        changed: called from any thread when `state` or `files` may be new; returns at once.
    """

    def __init__(self, session: Callable[[], AttachSession], changed: Callable[[], None] = lambda: None) -> None:
        self._session = session
        self._changed = changed
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        self._found: set[tuple[str, str, str]] = set()
        """Session, name and sha256 of what was found at the service after its reply was lost."""
        self._last_failed = False
        self._timer: threading.Timer | None = None
        self.methods: dict[str, Method[Any]] = {
            "upload_begin": Method(Begin, self._begin),
            "upload_chunk": Method(Chunk, self._chunk, buffer_limit=CHUNK),
            "upload_finish": Method(OfUpload, self._finish),
            "upload_cancel": Method(OfUpload, self._cancel),
            "detach_file": Method(Detach, self._detach),
            "refresh_files": Method(Refresh, self._refresh),
        }

    # --- what a widget shows ---

    @property
    def state(self) -> UploadState:
        """`failed`: the last one did not arrive."""
        with self._lock:
            if any(upload.state in ("open", "sending") for upload in self._uploads.values()):
                return "uploading"
            return "failed" if self._last_failed else "idle"

    @property
    def files(self) -> list[dict[str, Any]]:
        """The session's attachments, cleaned for display, in order: the first `LISTED` of them.

        `verified`: the sha256 of what was sent from here is the service's.
        """
        session = self._session()
        if session.is_deleted:
            return []
        return [
            listed(file, session.is_verified(file) or (session.id, file.name, file.sha256) in self._found)
            for file in session.files[:LISTED]
        ]

    def close(self) -> None:
        """Forget every upload."""
        with self._lock:
            self._uploads.clear()
            if self._timer is not None:
                self._timer.cancel()

    # --- what a view asks for ---

    def _begin(self, request: Begin) -> dict[str, Any]:
        session = self._session()
        check_session(session.id, request.session_id)
        if session.is_deleted:  # said before 100 MB are on their way
            raise InputError(f"Session {one_line(session.name, 80)} was deleted. Attach to another one.")
        name = base_name(request.name)
        if name != request.name:
            shown = one_line(request.name, 100)
            raise InputError(f"filename {shown!r} has a folder in it. Pass the name alone. Nothing was sent.")
        check_size(repr(name), request.size, session.max_attachment_bytes)
        try:
            with self._lock:
                return self._begun(session, request)
        finally:
            self._changed()

    def _begun(self, session: AttachSession, request: Begin) -> dict[str, Any]:
        now = time.monotonic()
        self._forget_old(now)
        key = (session.id, request.name, request.size, request.sha256)
        own = self._uploads.get(request.upload)
        if own is not None and not own.is_of(*key):
            raise InputError("This upload's id belongs to another file. Add the file again.")
        same = next((upload for upload in self._uploads.values() if upload.is_here and upload.is_of(*key)), None)
        if same is None or same.state != "sending":
            known = position(session.files, request.sha256, request.name)
            if known is not None:
                if same is not None:
                    self._drop(same)
                return {"known": known, "same_content": None, "missing": []}
        if same is None:
            other = position(session.files, request.sha256)
            if other is not None and not request.anyway:
                return {"known": None, "same_content": shown_name(session.files[other]), "missing": []}
            self._make_room(now)
            hint = request.mime_type if MIME_TYPE.fullmatch(request.mime_type) else None
            same = Upload(session, request.name, request.size, request.sha256, hint, heard=now)
        if same.state == "failed":
            same.state, same.error = "open", ""
            same.over.clear()
        same.heard = now
        same.cancelled_by.discard(request.upload)
        self._uploads[request.upload] = same
        self._last_failed = False
        self._watch_time()
        return {"known": None, "same_content": None, "missing": same.missing}

    def _chunk(self, request: Chunk, buffers: Sequence[memoryview]) -> dict[str, Any]:
        with self._lock:
            upload = self._uploads.get(request.upload)
        if upload is None:
            return {"lost": True}
        offset = request.offset
        due = min(CHUNK, upload.size - offset)
        given = sum(memoryview(buffer).nbytes for buffer in buffers)
        if offset % CHUNK or due <= 0:
            raise InputError(f"A piece at {offset} of {upload.size} bytes is refused. Add the file again.")
        if len(buffers) != 1 or given != due:
            raise InputError(f"The piece at {offset} should have {due} bytes, not {given}. Add the file again.")
        piece = bytes(buffers[0])
        with self._lock:
            upload.heard = time.monotonic()
            if upload.state == "open" and upload.content is None:
                upload.parts.setdefault(offset, piece)
        return {"lost": False}

    def _finish(self, request: OfUpload) -> dict[str, Any]:
        with self._lock:
            upload = self._uploads.get(request.upload)
            if upload is None:
                return {"state": "lost"}
            upload.heard = time.monotonic()
            if upload.missing:
                raise InputError(f"{len(upload.missing)} pieces of {upload.name!r} are missing. Add the file again.")
            if upload.state == "open":
                upload.state = "sending"
                daemon(self._send, upload, name="secgemini-upload").start()
        upload.over.wait(PATIENCE)
        if upload.state == "cancelled" and request.upload not in upload.cancelled_by:
            return {"state": "lost"}  # another view called it back: this one sends it again
        return {"state": upload.state, "error": upload.error, "file_idx": upload.file_idx}

    def _cancel(self, request: OfUpload) -> dict[str, Any]:
        with self._lock:
            upload = self._uploads.get(request.upload)
            if upload is not None and upload.state == "sending":
                upload.cancelled_by.add(request.upload)  # what is under way to the service is called back later
                return {"state": "sending"}
            if upload is not None:
                self._drop(upload)
        self._changed()
        return {"state": "cancelled"}

    def _detach(self, request: Detach) -> None:
        session = self._session()
        check_session(session.id, request.session_id)
        files = session.files
        shown = listed(files[request.file_idx], False) if request.file_idx < len(files) else {}
        if (shown.get("name"), shown.get("sha256")) != (request.name, request.sha256):
            raise InputError("The attachments changed meanwhile. Nothing was detached: look and try again.")
        session.detach_file(request.file_idx)
        self._changed()

    def _refresh(self, request: Refresh) -> None:
        session = self._session()
        check_session(session.id, request.session_id)
        session.refresh()
        self._changed()

    # --- to the service ---

    def _send(self, upload: Upload) -> None:
        state: Literal["attached", "cancelled", "failed"] = "failed"
        try:
            with self._sending:
                attach(upload)
                if upload.cancelled_by and upload.is_ours:
                    call_back(upload)
                    state = "cancelled"
                else:
                    state = "attached"
        except SecGeminiError as error:
            upload.error = str(error)
        except Exception as error:
            words = one_line(redact(f"{type(error).__name__}: {error}"))
            log.warning("An upload failed: %s", words)
            upload.error = f"Failed: {words}. Please report it as a bug."
        with self._lock:
            upload.state = state
            upload.heard = time.monotonic()
            self._last_failed = state == "failed"
            if upload.found is not None:
                self._found.add((upload.session.id, upload.found.name, upload.found.sha256))
            if state != "failed":
                upload.drop_bytes()
            elif upload.cancelled_by or upload.content is None:
                self._drop(upload)
        upload.over.set()
        self._changed()

    # --- what is kept, and how long; under the lock ---

    def _drop(self, upload: Upload) -> None:
        self._uploads = {name: each for name, each in self._uploads.items() if each is not upload}

    def _forget_old(self, now: float) -> None:
        for upload in list(self._uploads.values()):
            if upload.state != "sending" and now - upload.heard >= KEPT:
                self._drop(upload)
        for name in list(self._uploads)[:-MAX_KNOWN]:
            upload = self._uploads.pop(name)
            if upload.is_here and upload not in self._uploads.values():
                self._uploads[name] = upload  # its last name: without one, nobody would count its bytes

    def _make_room(self, now: float) -> None:
        """Let one more in; the one that was silent for longest goes, if it was silent for a while.

        Raises:
            InputError: those that are here are busy.
        """
        here = _unique(upload for upload in self._uploads.values() if upload.is_here)
        if len(here) < MAX_OPEN:
            return
        idle = now - IDLE
        silent = [each for each in here if each.state == "failed" or (each.state == "open" and each.heard <= idle)]
        if not silent:
            raise InputError(f"{len(here)} uploads are under way in this widget. Wait for one to end, then try again.")
        self._drop(min(silent, key=lambda upload: upload.heard))

    def _watch_time(self) -> None:
        """Forget in time also when nobody asks for anything any more."""
        if self._timer is not None and self._timer.is_alive():
            return
        self._timer = threading.Timer(KEPT, self._time_is_up)
        self._timer.daemon = True
        self._timer.start()

    def _time_is_up(self) -> None:
        with self._lock:
            self._forget_old(time.monotonic())
            self._timer = None
            if self._uploads:
                self._watch_time()
        self._changed()


def _unique(uploads: Iterable[Upload]) -> list[Upload]:
    return list({id(upload): upload for upload in uploads}.values())
