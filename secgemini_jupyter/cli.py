"""`secgemini-jupyter`: the local service as a program of its own, and what is done to notebooks from outside."""

from __future__ import annotations

import sys

USAGE = """usage: secgemini-jupyter COMMAND [options]   (COMMAND --help says more)

  serve   the local service, as a program of its own
  data    import KEV, EPSS, NVD or .mmdb files for the local analyst; list what it has; remove one
  clean   strip sessions, transcripts and cached state from notebooks before they are shared"""


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    from secgemini_jupyter._version import __version__

    arguments = sys.argv[1:] if arguments is None else arguments
    match arguments:
        case ["serve", *options]:
            from secgemini_jupyter.local_server.__main__ import main as serve

            return serve(options)
        case ["data", *options]:
            from secgemini_jupyter.local_server.analyst.data.command import main as data

            return data(options)
        case ["clean", *options]:
            from secgemini_jupyter.sharing.cleaning import main as clean

            return clean(options)
        case ["--version"]:
            print(f"secgemini-jupyter {__version__}")
            return 0
        case ["-h" | "--help" | "help"]:
            print(USAGE)
            return 0
    print(USAGE, file=sys.stderr)
    return 2
