"""A worker process that may write files: for one call of a tool that changes what the user imported."""

from __future__ import annotations

import sys

from secgemini_jupyter.local_server.analyst.worker import frames_alone, limit_resources, serve


def main() -> None:
    outgoing = frames_alone()
    limit_resources(writes_files=True)
    serve(sys.stdin.buffer, outgoing)


if __name__ == "__main__":
    main()
