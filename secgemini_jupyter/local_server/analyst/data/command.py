"""`secgemini-jupyter data`: the data behind the local analyst's lookups, also for files too large to attach."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from secgemini_jupyter.local_server.analyst.data import FOLDER
from secgemini_jupyter.local_server.analyst.data.feeds import ABOUT
from secgemini_jupyter.local_server.analyst.data.importing import import_file
from secgemini_jupyter.local_server.analyst.data.imports import Imports, packaged
from secgemini_jupyter.local_server.analyst.text import visible
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.worker import limit_resources
from secgemini_jupyter.settings import data_dir


def main(argv: Sequence[str] | None = None, prog: str = "secgemini-jupyter data") -> int:
    """The exit status: 0, or 1 where a file could not be imported or there is nothing of that name."""
    parser = argparse.ArgumentParser(prog=prog, description="Data of the local analyst: offline, on this machine.")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the service (default: that of the embedded one)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    importing = commands.add_parser("import", help="import KEV (JSON, CSV), EPSS (CSV), NVD (JSON) or .mmdb files")
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help="may be packed as .gz or .zip")
    commands.add_parser("info", help="list what there is: versions, dates, sources")
    removing = commands.add_parser("remove", help="remove an import")
    removing.add_argument("name", metavar="NAME", help="as `info` lists it: kev, epss, nvd, ip-…")
    options = parser.parse_args(argv)
    folder = (options.data or data_dir()) / FOLDER
    match options.command:
        case "import":
            limit_resources(writes_files=True)  # what a hostile file may cost
            return max(_import(path, folder) for path in options.files)
        case "remove":
            return _remove(options.name, folder)
    return _info(folder)


def _import(path: Path, folder: Path) -> int:
    try:
        with path.open("rb") as stream:
            about = import_file(path.name, stream, folder)
    except ToolFailure as failure:
        print(visible(failure, 1_000), file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{path.name!r} was not imported: it needs too much memory.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{str(path)!r} cannot be read: {error.strerror}.", file=sys.stderr)
        return 1
    left_out = f", {about['skipped']:,} left out" if about["skipped"] else ""
    date = f" of {visible(about['date'])}" if about.get("date") else ""
    print(f"{about['kind']}: {visible(about['name'])}{date}, {about['rows']:,} entries{left_out}, in {folder}")
    return 0


def _remove(name: str, folder: Path) -> int:
    imports = Imports(folder)
    found = [folder / f"{name}.sqlite"] if name in ABOUT and imports.has(name) else []
    found += [
        each for path in imports.ip_databases() if path.stem == name for each in (path, path.with_suffix(".json"))
    ]
    if not found:
        print(f"Nothing is imported as {name!r}: `secgemini-jupyter data info` lists what is.", file=sys.stderr)
        return 1
    for path in found:
        path.unlink(missing_ok=True)
    print(f"Removed: {name}")
    return 0


def _info(folder: Path) -> int:
    for each in packaged():
        print(f"{each['key']:<8}{each['name']}: {each['version']} of {each['date']}, from {each['package']}")
    try:
        found = Imports(folder).all()
    except ToolFailure as failure:
        print(visible(failure, 1_000), file=sys.stderr)
        return 1
    for each in found:
        date = f" of {visible(each['date'])}" if each.get("date") else ""
        origin = f"from {visible(each.get('file', '?'))}, imported {visible(each.get('imported', '?'))}"
        if damaged := each.get("damaged"):
            print(f"{each['kind']:<8}{visible(damaged, 1_000)}")
            continue
        print(f"{each['kind']:<8}{visible(each['name'])}{date}, {each.get('rows', 0):,} entries, {origin}")
    if not found:
        print(f"Nothing is imported in {folder}.")
    return 0
