"""How far the upload of a log came, noted here: a logs processor other than our local one does not tell."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import ClassVar

import msgspec

from secgemini_jupyter.disk import read_regular, replacing
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.settings import data_dir

log = logging.getLogger(__name__)

FOLDER = "log-uploads"
LIMIT = 64 * 1024


class Progress(msgspec.Struct):
    """Lines that the logs processor has acknowledged; `sending` those up to which were on their way since."""

    lines: int = 0
    sending: int | None = None


class Ledger:
    """The note on one upload: of a session with retention on disk, so that another kernel goes on; else in memory."""

    _in_memory: ClassVar[dict[str, Progress]] = {}

    def __init__(self, processor_url: str, logs_hash: str, *, can_log: bool) -> None:
        self._name = hashlib.sha256(json.dumps([processor_url, logs_hash, can_log]).encode()).hexdigest()[:32]
        self._can_log = can_log

    def load(self) -> Progress | None:
        if known := self._in_memory.get(self._name):
            return known
        try:
            content = read_regular(data_dir() / FOLDER / f"{self._name}.json", LIMIT)
            return msgspec.json.decode(content, type=Progress)
        except (OSError, ValueError):  # none, or a damaged one
            return None

    def save(self, progress: Progress) -> None:
        """Keep it. A disk that takes nothing stops no upload: then this process alone knows."""
        self._in_memory[self._name] = progress
        if not self._can_log:
            return
        try:
            folder = data_dir() / FOLDER
            folder.mkdir(mode=0o700, exist_ok=True)
            with replacing(folder / f"{self._name}.json") as file:
                file.write(msgspec.json.encode(progress))
        except (OSError, InputError) as error:
            log.warning("How far an upload came could not be noted: %s", error)
