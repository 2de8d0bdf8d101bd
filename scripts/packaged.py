"""What the scripts share that make our data out of packages: fetch wheels by version and hash, write, compare.

The packages are read, and are no dependencies.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Source = Mapping[str, str]
"""`name` and `version` of a package, `sha256` of its wheel, and what is told of it."""


class UnavailableError(Exception):
    """The packages cannot be had here."""


def download(sources: Sequence[Source], folder: Path) -> list[Path]:
    """The wheels of `sources`, in their order; pip compares their hashes.

    Raises:
        UnavailableError: pip failed; the message is its last line.
    """
    needs = folder / "requirements.txt"
    needs.write_text("".join("{name}=={version} --hash=sha256:{sha256}\n".format(**source) for source in sources))
    options = "--quiet --no-deps --only-binary=:all: --require-hashes --retries=1".split()
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", str(needs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise UnavailableError(f"The packages cannot be downloaded: {lines[-1] if lines else 'no reason given'}")
    return [next(folder.glob(source["name"].replace("-", "_") + "-*.whl")) for source in sources]


def read_json(wheel: Path, name: str) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read(name))


def to_lines(data: Mapping[str, Any]) -> str:
    """JSON with a line for each member of its parts."""
    parts = []
    for name, part in data.items():
        if isinstance(part, dict):
            rows = ",\n".join(f"{json.dumps(key)}:{_compact(value)}" for key, value in part.items())
            parts.append(f"{json.dumps(name)}:{{\n{rows}\n}}")
        else:
            parts.append(f"{json.dumps(name)}:{_compact(part)}")
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(path: Path, text: str) -> None:
    """Packed where the name says so, without a time in it."""
    content = text.encode()
    path.write_bytes(gzip.compress(content, 9, mtime=0) if path.suffix == ".gz" else content)


def read(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def main(about: str, sources: Sequence[Source], made: Callable[[list[Path]], Mapping[Path, str]]) -> int:
    """Write what `made` makes of the wheels; with `--check` compare only. The exit status: 1 for a difference, 2 where
    the packages cannot be had."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheels = download(sources, Path(folder))
        except UnavailableError as error:
            print(error, file=sys.stderr)
            return 2
        texts = made(wheels)
    if not check:
        for path, text in texts.items():
            write(path, text)
        return 0
    # What is packed is compared unpacked: zlib's versions do not pack alike.
    differing = [path.name for path, text in texts.items() if not path.is_file() or read(path) != text]
    if differing:
        print(f"Not what the packages give: {', '.join(differing)}. Run {sys.argv[0]}", file=sys.stderr)
    return 1 if differing else 0
