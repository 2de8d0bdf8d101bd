"""`python -m secgemini_jupyter.local_server`, and what `secgemini-jupyter serve` calls."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from secgemini_jupyter.errors import SettingsError


def main(argv: Sequence[str] | None = None, prog: str = "secgemini-jupyter serve") -> int:
    """Runs the server; returns the exit status: 0 when it was ended, 2 for what makes no sense."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve the Sec-Gemini protocol on this machine.",
        allow_abbrev=False,  # else `--api-key VALUE` is read as `--api-key-file`, and the key shown as a path
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="else SECGEMINI_SERVE_API_KEY, else random")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder for sessions (default: in Jupyter's data)")
    parser.add_argument(
        "--engine", metavar="NAME", help="analyst, openai or echo (default: SECGEMINI_LOCAL_ENGINE, or analyst)"
    )
    parser.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN", help="may use it from a page")
    parser.add_argument("--idle-timeout", type=float, metavar="SECONDS", help="end after so long without use")
    options = parser.parse_args(argv)

    from secgemini_jupyter.local_server.serve import serve

    try:
        serve(**vars(options))
    except SettingsError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(prog="python -m secgemini_jupyter.local_server"))
