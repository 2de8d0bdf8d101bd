"""What `make test-files` takes from a package and where it puts it; the downloads themselves are pip's and apt's."""

from __future__ import annotations

import importlib.util
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parent.parent / "scripts" / "test_files.py"
    spec = importlib.util.spec_from_file_location("test_files_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def test_only_the_wanted_folders_are_unpacked_and_nothing_lands_outside(script: ModuleType, tmp_path: Path) -> None:
    names = ["x-1/data/a.log", "x-1/setup.py", "x-1/data/../../../escaped", "x-1/database", "/data/absolute"]
    package = tmp_path / "x-1.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, BytesIO(b"1"))
    script.unpack(package, "x", "*/", ("data/",), "a pin")
    found = {path.relative_to(tmp_path / "x").as_posix() for path in (tmp_path / "x").rglob("*") if path.is_file()}
    assert found - {"data/absolute"} == {"data/a.log", ".pin"}
    assert not (tmp_path.parent / "escaped").exists()
    assert script.is_here("x", "a pin")
    assert not script.is_here("x", "another pin")


def test_a_wheel_is_read_too(script: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "x.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("x/certs/a.pem", "pem")
        archive.writestr("other/certs/b.pem", "pem")
    script.unpack(package, "x", "x/", ("certs/",), "")
    assert (tmp_path / "x" / "certs" / "a.pem").read_text() == "pem"
    assert not (tmp_path / "x" / "certs" / "b.pem").exists()


def test_every_package_of_the_index_has_its_pin(script: ModuleType) -> None:
    assert script.pins().keys() == script.FROM_INDEX.keys()
    assert all("--hash=sha256:" in pin for pin in script.pins().values())
