"""`make matrix`: the kernel tests of the magics under several versions of ipykernel, those of tables with pandas 2.2,
the hand-over to msticpy with msticpy.

Each has an environment of its own: `.venv-ipykernel-*` holds one ipykernel and what it brings along, as
`.venv-pandas-2.2` holds that pandas and `.venv-msticpy` msticpy (600 MB); all else comes from `.venv`. Arguments go on
to pytest:

    python scripts/matrix.py                            # all versions, each with its tests
    python scripts/matrix.py --only 6.29 -- -k jobs -x
"""

from __future__ import annotations

import argparse
import site
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = {
    "6.29": ("ipykernel==6.29.*", "ipython==8.*", "jupyter_client==8.6.*"),
    "7.0": ("ipykernel==7.0.*", "ipython==9.*"),
    "latest": ("ipykernel",),
    "pandas-2.2": ("pandas==2.2.*",),
    "msticpy": ("msticpy==3.*",),
}
"""What is installed for each: the oldest ipykernel that we support comes with what was new at its time."""
TESTS = ("-m", "kernel", "-n", "2", "--dist", "loadfile", "tests/magics")
TABLES = (
    "-n",
    "2",
    "--dist",
    "loadfile",
    "tests/transcript",
    "tests/test_accessor.py",
    "tests/sharing/test_histories.py",
)
HAND_OVER = ("tests/interop/test_msticpy.py",)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=VERSIONS, action="append", help="repeatable")
    parser.add_argument("pytest", nargs="*", help="for pytest, instead of each version's own")
    options = parser.parse_args()
    failed = []
    for name in options.only or VERSIONS:
        python = interpreter(name)
        print(f"{label(name)}: {installed(python)}", flush=True)
        tests = options.pytest or {"pandas-2.2": TABLES, "msticpy": HAND_OVER}.get(name, TESTS)
        if subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False).returncode:
            failed.append(label(name))
    print(f"Failed with {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def label(name: str) -> str:
    return name if name.startswith(("pandas", "msticpy")) else f"ipykernel-{name}"


def interpreter(name: str) -> Path:
    """The Python of one environment; made at the first call."""
    folder = ROOT / f".venv-{label(name)}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    mark, wanted = folder / "installed.txt", "\n".join((sys.version, *VERSIONS[name]))
    if not (mark.is_file() and mark.read_text("utf-8") == wanted):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *VERSIONS[name]], check=True)
        (packages,) = folder.glob("[Ll]ib/**/site-packages")
        ours = [path for path in site.getsitepackages() if path.endswith("site-packages")]
        lines = [f"import site; site.addsitedir({path!r})" for path in ours]  # behind its own
        (packages / "zz-others.pth").write_text("\n".join(lines) + "\n", "utf-8")
        mark.write_text(wanted, "utf-8")
    return python


def installed(python: Path) -> str:
    code = (
        "from importlib.metadata import version\n"
        "names = 'ipykernel', 'IPython', 'jupyter_client', 'traitlets', 'pandas', 'numpy'\n"
        "print(', '.join(f'{name} {version(name)}' for name in names))"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
