"""Write constraints.txt: every dependency with its hashes, for all platforms and Python versions, no addresses."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPTIONS = (
    "--universal --python-version 3.11 --generate-hashes --no-annotate --no-header "
    "--no-emit-index-url --no-emit-find-links --all-extras --group dev --quiet"
).split()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:  # uv resolves for all platforms at once; it is needed here alone
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = next(path for path in Path(folder).glob("*/python*") if path.is_file())  # not lib/python3.11
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        return subprocess.run(
            [python, "-m", "uv", "pip", "compile", *OPTIONS, "pyproject.toml", "-o", "constraints.txt", *sys.argv[1:]],
            cwd=ROOT,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
