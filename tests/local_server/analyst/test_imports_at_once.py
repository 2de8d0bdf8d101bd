"""Imports that race, that are bombs, or that name what is none of theirs."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import threading
from pathlib import Path

import pytest

from secgemini_jupyter.local_server.analyst.data import FOLDER, importing
from secgemini_jupyter.local_server.analyst.data.command import main
from secgemini_jupyter.local_server.analyst.data.importing import import_file
from secgemini_jupyter.local_server.analyst.data.imports import Imports
from secgemini_jupyter.local_server.analyst.tool import ToolFailure


def feed(*numbers: int) -> io.BytesIO:
    entries = [
        {"cve": {"id": f"CVE-2021-{n}", "descriptions": [{"lang": "en", "value": "x"}], "lastModified": "2026-01-01"}}
        for n in numbers
    ]
    return io.BytesIO(json.dumps({"version": "2.0", "vulnerabilities": entries}).encode())


def test_of_two_imports_at_once_neither_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_file("first.json", feed(10_000), tmp_path)
    both_wait = threading.Barrier(2)
    copy = importing._copy

    def slow_copy(path: Path, temporary: Path) -> None:
        copy(path, temporary)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_wait.wait(0.3)  # without a lock both would have copied by now

    monkeypatch.setattr(importing, "_copy", slow_copy)
    threads = [threading.Thread(target=import_file, args=(f"{n}.json", feed(n), tmp_path)) for n in (20_000, 30_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    imports = Imports(tmp_path)
    assert all(imports.row("nvd", f"CVE-2021-{n}") for n in (10_000, 20_000, 30_000))


def test_blanks_without_end_are_no_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secgemini_jupyter.local_server.analyst.data.json_stream.MAX_BLANK", 3 * 2**20)
    with pytest.raises(ToolFailure, match="are blanks"):
        import_file("x.json.gz", io.BytesIO(gzip.compress(b"{" + b" " * 6 * 2**20)), tmp_path)


def test_what_is_no_date_is_none(tmp_path: Path) -> None:
    entries = [{"cveID": "CVE-2021-44228", "vendorProject": "\ud800"}]
    content = json.dumps({"dateReleased": "soon", "catalogVersion": "1", "vulnerabilities": entries}).encode()
    assert "date" not in import_file("kev.json", io.BytesIO(content), tmp_path)


def test_only_imports_are_removed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    other = tmp_path / "victim.sqlite"
    other.write_bytes(b"x")
    assert main(["--data", str(tmp_path), "remove", "../victim"]) == 1
    assert other.exists()
