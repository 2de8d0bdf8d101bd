"""A log as a table of the logs processor: hashed, sent in whole lines, attached by its hash (protocol section 8)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from secgemini_jupyter.errors import AttachmentError, SettingsError
from secgemini_jupyter.models import PublicLogsTable
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import Request
from secgemini_jupyter.settings import Settings

HASH_KEY = b"secgemini"
CHUNK_BYTES = 10_000_000


def table(logs_hash: str) -> PublicLogsTable:
    return PublicLogsTable(blake2s=logs_hash)


class Upload:
    """The requests that bring one log up.

    Raises:
        SettingsError: no logs processor is set.
        AttachmentError: the file cannot be read.
    """

    def __init__(
        self,
        file_path: str | os.PathLike[str],
        settings: Settings,
        can_log: bool,
        mapping: Mapping[str, str] | None,
    ) -> None:
        if settings.logs_processor_url is None:
            raise SettingsError("No logs processor is set: set SEC_GEMINI_LOGS_PROCESSOR_API_URL. Nothing was sent.")
        self._url = settings.logs_processor_url
        self._can_log = can_log
        self._mapping = dict(mapping or {}) or None
        try:
            self._path = Path(file_path).expanduser()
            if not self._path.is_file():
                raise AttachmentError(f"There is no file {str(self._path)!r}. Nothing was sent.")
            with self._path.open("rb") as file:
                digest = hashlib.blake2s(key=HASH_KEY)
                while block := file.read(2**20):
                    digest.update(block)
                self.logs_hash = digest.hexdigest()
        except OSError as error:
            raise AttachmentError(f"{str(file_path)!r} cannot be read: {error.strerror}. Nothing was sent.") from None
        except (TypeError, ValueError, RuntimeError) as error:  # no path at all; a home folder that does not exist
            raise AttachmentError(f"{file_path!r} names no file ({error}). Nothing was sent.") from None

    def create(self) -> Request[bool]:
        return endpoints.create_logs_table(self._url, self.logs_hash, self._can_log)

    def chunks(self) -> Iterator[Request[int]]:
        """Requests of about 10 MB of whole lines; lines end at `\\n` alone, the last one may lack it."""
        lines: list[str] = []
        size = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    lines.append(line.decode("utf-8"))
                except UnicodeDecodeError:
                    raise AttachmentError(
                        f"Line {number} of {str(self._path)!r} is no UTF-8 text. Convert the log first."
                    ) from None
                size += len(line)
                if size >= CHUNK_BYTES:
                    yield self._chunk(lines)
                    lines, size = [], 0
        if lines:
            yield self._chunk(lines)

    def _chunk(self, lines: list[str]) -> Request[int]:
        return endpoints.upload_logs(self._url, self.logs_hash, self._can_log, lines, self._mapping)
