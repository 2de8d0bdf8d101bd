"""A log as a table of the logs processor: looked through, sent in whole lines, attached by its hash (protocol 8).

An upload that broke off is continued. Our local service tells how many lines its table has, and takes a chunk twice
without inserting it twice; of another one we know what it acknowledged (`ledger`). What nobody knows is told.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from secgemini_jupyter.client.ledger import Ledger, Progress
from secgemini_jupyter.client.progress import bar
from secgemini_jupyter.client.scanning import CHUNK_BYTES, Chunk, scan
from secgemini_jupyter.client.state import SessionState
from secgemini_jupyter.errors import (
    AttachmentError,
    InputError,
    NetworkError,
    SecGeminiError,
    ServiceError,
    SessionNotFoundError,
    SettingsError,
    one_line,
)
from secgemini_jupyter.models import PublicLogsTable
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.endpoints import LogsTableState
from secgemini_jupyter.protocol.requests import Request
from secgemini_jupyter.settings import HTTP_URL, Settings

NO_PROCESSOR = "No logs processor is set: set SEC_GEMINI_LOGS_PROCESSOR_API_URL. Nothing was sent."


def table(logs_hash: str) -> PublicLogsTable:
    return PublicLogsTable(blake2s=logs_hash)


def checked_hash(logs_hash: object) -> str:
    """
    Raises:
        InputError: it is no text.
    """
    if not isinstance(logs_hash, str) or not logs_hash.strip():
        raise InputError(f"logs_hash is {logs_hash!r}: pass the keyed BLAKE2s of the log in hex. Nothing was sent.")
    return logs_hash.strip()


class Upload:
    """One log on its way up.

    Args:
        state: the session that gets it.
        progress: whether to show a bar; None shows it where somebody looks.

    Raises:
        InputError: an argument makes no sense.
        AttachmentError: the log cannot be sent, see `scan`.
        SettingsError: no logs processor is known.
    """

    def __init__(
        self,
        file_path: str | os.PathLike[str],
        state: SessionState,
        mapping: Mapping[str, str] | None,
        progress: bool | None,
    ) -> None:
        self._mapping = _checked(mapping)
        self._log = scan(file_path, self._mapping.values())
        self._state = state
        self._can_log = state.info.can_log
        self._progress = progress
        self._url: str | None = None
        self._knows = False
        """Whether the logs processor tells how many lines it has."""
        self._position = 0
        self._sent = 0
        self._doubtful: int | None = None
        """Up to which line a chunk is on its way, or may have arrived."""
        self._begun = False
        self._renames = False
        self._ledger: Ledger | None = None
        self._bar: Any = None
        self._left: tuple[Chunk, ...] = ()
        self.inserted = 0

    @property
    def logs_hash(self) -> str:
        return self._log.hash

    def find_processor(self, settings: Settings) -> Request[bool] | None:
        """What to ask for the logs processor's address; None if it is set.

        Raises:
            SettingsError: none is set, and the service is not one of ours, which has its own.
        """
        if settings.logs_processor_url is None and settings.base_url == HTTP_URL:
            raise SettingsError(NO_PROCESSOR)
        return endpoints.has_logs_processor() if settings.logs_processor_url is None else None

    def use_processor(self, settings: Settings, *, is_service: bool = True) -> None:
        """
        Args:
            is_service: what `find_processor` brought.
        """
        url = settings.logs_processor_url
        if url is None and not is_service:
            raise SettingsError(NO_PROCESSOR)
        # None follows the local service, which may have to be started anew at another address.
        self._url = None if url == settings.base_url else url
        self._ledger = Ledger(url or settings.base_url, self.logs_hash, can_log=self._can_log)

    def create(self) -> Request[LogsTableState]:
        return endpoints.create_logs_table(self._url, self.logs_hash, self._can_log)

    def begin(self, found: LogsTableState) -> None:
        """Decide where to go on, by what the logs processor says of the table.

        Raises:
            AttachmentError: nobody knows, and going on might insert lines twice.
        """
        if self._log.others:
            warnings.warn(
                f"{self._log.others:,} of {self._log.lines:,} lines are no JSON object, line {self._log.first_other:,} "
                "is the first: no row comes of them.",
                stacklevel=3,
            )
        self._knows = found.log_lines is not None
        self._position = self._known_lines(found) if found.log_lines is not None else self._noted_lines(found)
        self._left = tuple(chunk for chunk in self._log.chunks if chunk.end_line > self._position)
        if self._renames and not self._left:
            self._left = self._log.chunks[-1:]  # without a line of it
        self._begun = True
        done = self._left[0].offset if self._left else self._log.size
        least = CHUNK_BYTES + 1
        self._bar = bar(
            self._log.size, self._progress, least=least, initial=done, desc="Log", unit="B", unit_scale=True
        )

    def _known_lines(self, found: LogsTableState) -> int:
        lines, total = found.log_lines or 0, self._log.lines
        names = found.custom_fields_mapping
        if lines and names is not None and names != self._mapping:
            if not self._mapping:
                warnings.warn(f"The fields of the logs table keep the names that they have: {names}.", stacklevel=4)
            else:
                warnings.warn("The fields of the logs table are renamed, in all sessions that have it.", stacklevel=4)
            self._renames = bool(self._mapping)
        if lines > total:
            warnings.warn(
                f"The logs table holds {lines:,} lines, the log {total:,}: an upload inserted some of them twice.",
                stacklevel=4,
            )
        return total if found.is_complete else min(lines, total)

    def _noted_lines(self, found: LogsTableState) -> int:
        assert self._ledger is not None
        if found.created:
            self._ledger.save(Progress())
            return 0
        noted = self._ledger.load()
        if noted is None:
            warnings.warn(
                f"The logs processor has a table of this log, and does not say how many of its {self._log.lines:,} "
                "lines: whether whoever made it sent them all is not known. Nothing was sent; it is attached as it is.",
                stacklevel=4,
            )
            return self._log.lines
        if noted.sending is not None:
            raise AttachmentError(
                f"An upload of this log broke off: lines {noted.lines + 1:,} to {noted.sending:,} of "
                f"{self._log.lines:,} may have arrived or not, and the logs processor does not say. They are not sent "
                f"again, which might insert them twice. attach_logs({self.logs_hash!r}) attaches the table as it is."
            )
        return noted.lines

    def left(self) -> Iterator[Chunk]:
        """The chunks that are not there yet, to be passed to `request` one after the other."""
        return iter(self._left)

    def request(self, chunk: Chunk) -> Request[int]:
        """The request for a chunk, without the lines of it that are there. Reads the file, and so takes its time.

        Raises:
            AttachmentError: the file changed.
        """
        lines = self._log.read(chunk)
        del lines[: max(0, self._position - chunk.first_line)]
        self._sent, self._doubtful = len(lines), chunk.end_line
        if not self._knows and self._ledger is not None:
            self._ledger.save(Progress(self._position, chunk.end_line))
        place = (self._position, self._log.lines) if self._knows else None
        return endpoints.upload_logs(self._url, self.logs_hash, self._can_log, lines, self._mapping, place)

    def took(self, chunk: Chunk, inserted: int) -> None:
        # Where the chunk was repeated, the reply counts what was new to the last try alone.
        self.inserted += self._sent if self._knows else inserted
        self._position, self._doubtful = chunk.end_line, None
        gc.collect(1)  # httpx keeps the body of a request in a cycle of references, which would lie there for long
        if not self._knows and self._ledger is not None:
            self._ledger.save(Progress(self._position))
            if inserted != self._sent:
                warnings.warn(
                    f"Of lines {chunk.first_line + 1:,} to {chunk.end_line:,} the logs processor inserted "
                    f"{inserted:,}: it left the others out.",
                    stacklevel=3,
                )
        self._bar.update(chunk.offset + chunk.size - self._bar.n)

    @contextmanager
    def sending(self) -> Iterator[Self]:
        """The time in which it is sent. An error tells how far it came; the activity log is told either way."""
        status = "ok"
        try:
            yield self
        except BaseException as error:  # an interrupt, too
            status = type(error).__name__
            self._settle(error)
            if isinstance(error, SessionNotFoundError) and self._begun:
                raise ServiceError(f"{error.without_advice()} {self._told()}", status=404) from None
            if self._begun and not _is_final(error):
                self._tell(error)
            raise
        finally:
            if self._bar is not None:
                self._bar.close()
            if self._begun:
                self._state.note("logs_uploaded", self._details(status))

    @contextmanager
    def attaching(self) -> Iterator[None]:
        """The time in which the whole table is attached: an error tells that it need not be sent again."""
        try:
            yield
        except SecGeminiError as error:
            error.tell(f"All lines of the log are there: attach_logs({self.logs_hash!r}) attaches them to any session.")
            raise

    def _tell(self, error: BaseException) -> None:
        if isinstance(error, SecGeminiError):
            error.tell(self._told())
        else:  # an interrupt
            error.add_note(self._told())

    def _settle(self, error: BaseException) -> None:
        """A chunk that was refused, or never left, has not arrived: that is known."""
        refused = isinstance(error, ServiceError) and error.status < 500 and error.status != 408
        unsent = isinstance(error, NetworkError) and error.nothing_sent
        if not (refused or unsent):
            return
        self._doubtful = None
        if self._ledger is not None and not self._knows and self._begun:
            self._ledger.save(Progress(self._position))

    def _told(self) -> str:
        doubt = f" to {self._doubtful:,}" if self._doubtful is not None else ""
        told = f"{self._position:,}{doubt} of {self._log.lines:,} lines of the log are there"
        if doubt and not self._knows:
            return (
                f"{told}, how many the logs processor does not say; none is sent again, which might insert it twice. "
                f"attach_logs({self.logs_hash!r}) attaches the table as it is."
            )
        return f"{told}: call upload_and_attach_logs again, it goes on from there."

    def _details(self, status: str) -> dict[str, Any]:
        return {
            "name": one_line(self._log.path.name),
            "size": self._log.size,
            "lines": self._log.lines,
            "inserted": self.inserted,
            "blake2s": self.logs_hash,
            "status": status,
        }


def _is_final(error: BaseException) -> bool:
    """Whether the same log, sent again, would be refused again, or is another one by now."""
    return isinstance(error, AttachmentError) or (isinstance(error, ServiceError) and error.status in (400, 413, 422))


def _checked(mapping: Mapping[str, str] | None) -> dict[str, str]:
    pairs = dict(mapping or {}) if isinstance(mapping, Mapping) or mapping is None else {None: None}
    if not all(isinstance(word, str) and word for pair in pairs.items() for word in pair):
        raise InputError(
            f"custom_fields_mapping is {mapping!r}: pass a dict of new names to old ones, as in "
            "{'timestamp': 'ts'}. Nothing was sent."
        )
    return pairs
