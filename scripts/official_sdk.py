"""The official SDK in an environment of its own, for the interop tests and the benchmarks; never a dependency.

Made once, in `.venv-official/`, and re-used. As a program it prints the environment's interpreter, or says on standard
error why there is none and ends with status 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-official"
LOCK = ROOT / "build" / "official-sdk.lock"
REQUIREMENTS = ("sec-gemini==1.1.6", "mcp<2", "tqdm", "pandas")
"""As published, the SDK lacks tqdm and breaks with mcp 2; pandas is for the benchmark's "official way" of a table."""


class UnavailableError(Exception):
    """The SDK cannot be installed here."""


def interpreter() -> Path:
    """The Python that has the official SDK; installs it at the first call, which takes a minute.

    Raises:
        UnavailableError: it cannot be installed; the message is one line.
    """
    python = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    mark = FOLDER / "installed.txt"
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    LOCK.parent.mkdir(exist_ok=True)
    with FileLock(LOCK):
        if not (mark.is_file() and mark.read_text("utf-8") == wanted):
            _install(python)
            mark.write_text(wanted, "utf-8")
    return python


def _install(python: Path) -> None:
    try:
        venv.create(FOLDER, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-compile", "--retries", "1", *REQUIREMENTS],
            check=True, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(FOLDER, ignore_errors=True)
        output = getattr(error, "stderr", None)
        text = output.decode(errors="replace") if isinstance(output, bytes) else output or str(error)
        reason = next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
        raise UnavailableError(f"The official SDK cannot be installed here: {reason.strip()}") from None


if __name__ == "__main__":
    try:
        print(interpreter())
    except UnavailableError as error:
        sys.exit(str(error))
