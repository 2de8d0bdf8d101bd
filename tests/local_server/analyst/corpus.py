"""Real files that nobody here wrote, as `make test-files` has put them into `.venv/test-files/`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / ".venv" / "test-files"
FROM_DEBIAN = ("clamav-testfiles", "fail2ban")


def corpus(name: str) -> Path:
    """The folder of a package's files: `corpus("zat") / "data/conn.log"`. Without it the test is skipped.

    There are cryptography-vectors (`x509/`, `pkcs7/`, `pkcs12/`), dkimpy (`dkim/tests/data/`), mail-parser
    (`tests/mails/`), maxminddb (`tests/data/`), oletools (`tests/test-data/`), pypdf (`resources/`), zat (`data/`),
    clamav-testfiles, fail2ban (`tests/files/logs/`). In CI those of the Python index must be there; Debian's are not
    everywhere.
    """
    folder = FOLDER / name
    if not folder.is_dir():
        reason = f"No {name} in {FOLDER}: run `make test-files`"
        if os.environ.get("CI") == "true" and name not in FROM_DEBIAN:
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)
    return folder
