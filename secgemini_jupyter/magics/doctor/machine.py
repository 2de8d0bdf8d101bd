"""What is on this machine: versions, key, folders, the local service, the front end, widgets, the project's file."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import SecGeminiError, SettingsError
from secgemini_jupyter.magics import keyrings, preferences
from secgemini_jupyter.magics.doctor.running import Step
from secgemini_jupyter.magics.report import Finding
from secgemini_jupyter.magics.view import is_terminal
from secgemini_jupyter.settings import KEY_PAGE, KEY_VARIABLE, data_dir, find_key, front_end, runtime_dir

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["folders", "keys", "local_service", "packages", "place", "project"]

OWN = "secgemini-jupyter"
SHOWN = ("ipython", "ipykernel", "ipywidgets", "anywidget", "jupyterlab", "notebook", "httpx", "websockets")
MIB = 2**20
Findings = Iterator[Finding | Step]


def packages(_: SecGeminiMagics) -> Findings:
    yield Step("versions", f"pip install --force-reinstall {OWN}")
    versions = [f"Python {platform.python_version()}", platform.system()]
    versions += [f"{name} {version}" for name in SHOWN if (version := _version(name))]
    yield Finding("versions", "info", f"{OWN} {__version__}; {', '.join(versions)}")
    for problem in _unmet():
        yield Finding("requirements", "fail", problem, f"pip install --upgrade {OWN}, and restart the kernel.")
    if _version("pyarrow"):
        yield Finding("Parquet", "ok", f"pyarrow {_version('pyarrow')}")
    else:
        yield Finding("Parquet", "info", "not installed", f"For Parquet files: pip install '{OWN}[parquet]'")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _unmet() -> Iterator[str]:
    """Requirements of ours that are not there, or too old: an upgrade of something else may have done it."""
    try:
        from packaging.requirements import Requirement

        wanted = [Requirement(line) for line in metadata.requires(OWN) or ()]
    except (ImportError, metadata.PackageNotFoundError):
        return
    for each in wanted:
        if each.marker and not each.marker.evaluate({"extra": ""}):
            continue
        found = _version(each.name)
        if not found:
            yield f"{each.name} is missing (needed: {each.specifier})"
        elif not each.specifier.contains(found, prereleases=True):
            yield f"{each.name} is {found} (needed: {each.specifier})"


def keys(_: SecGeminiMagics) -> Findings:
    yield Step("key", "The keyring does not answer: unlock it, or set SEC_GEMINI_API_KEY.")
    try:
        key = find_key()
    except SettingsError as error:
        yield Finding("key", "fail", str(error), f"Correct the file, or unset {KEY_VARIABLE}_FILE.")
    else:
        if key:
            yield Finding("key", "ok", str(key))
        else:
            yield Finding(
                "key",
                "info",
                "none: the local service answers",
                f"%secgemini login asks for one; get it at {KEY_PAGE}.",
            )
    if keyrings.is_installed():
        found = keyrings.backend_name() if keyrings.is_usable() else "this machine has none; login works without --keep"
        yield Finding("keyring", "info", found)
    else:
        yield Finding("keyring", "info", "not installed", f"For login --keep: pip install '{OWN}[keyring]'")


def place(magics: SecGeminiMagics) -> Findings:
    """Where outputs are shown, and whether widgets can be."""
    from secgemini_jupyter.widgets.base import STATIC

    yield Step("front end", "")
    shell = magics.shell
    if is_terminal(shell):
        yield Finding("front end", "info", "terminal: answers as text; widgets need a notebook")
    else:
        said = front_end(shell.user_ns) or "not known: nbclient, papermill, or a front end that does not say"
        yield Finding("front end", "info", said)
    yield Step("widgets", f"pip install --force-reinstall {OWN}")
    scripts = {path.stem for path in STATIC.glob("*.js")}
    broken = sorted(name for name in scripts if not (STATIC / f"{name}.css").is_file())
    if not scripts or broken:
        missing = ", ".join(broken) or "all"
        yield Finding("widgets", "fail", f"files are missing: {missing}", f"pip install --force-reinstall {OWN}")
        return
    if is_terminal(shell):
        yield Finding("widgets", "ok", f"{len(scripts)} built")
        return
    if not _has_comm(shell):
        yield Finding("widgets", "fail", "this kernel has no comms", "pip install --upgrade ipykernel, and restart it.")
        return
    yield from _extensions(len(scripts))


def _has_comm(shell: object) -> bool:
    return getattr(getattr(shell, "kernel", None), "comm_manager", None) is not None


def _extensions(scripts: int) -> Iterator[Finding]:
    """What JupyterLab needs beside the kernel's packages; it may run from another environment, where we cannot look."""
    from jupyter_core.paths import jupyter_path

    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    missing = [
        package
        for package, extension in (
            ("jupyterlab_widgets", "@jupyter-widgets/jupyterlab-manager"),
            ("anywidget", "anywidget"),
        )
        if not any((folder / extension / "package.json").is_file() for folder in folders)
    ]
    if missing:
        names = " ".join(missing)
        yield Finding(
            "widgets",
            "warn",
            f"{scripts} built, comms work; this environment has no front-end part of {' and '.join(missing)}",
            f"If they stay blank: pip install {names} where JupyterLab runs, and reload the page.",
        )
    else:
        yield Finding("widgets", "ok", f"{scripts} built, comms work, JupyterLab's part is installed")


def folders(_: SecGeminiMagics) -> Findings:
    for name, find, variable in (("data folder", data_dir, "DATA"), ("runtime folder", runtime_dir, "RUNTIME")):
        yield Step(name, f"Is it on a network drive that hangs? Set JUPYTER_{variable}_DIR to another folder.")
        yield from _folder(name, find, f"Give yourself the right to write there, or set JUPYTER_{variable}_DIR.")


def _folder(name: str, find: Callable[[], Path], advice: str) -> Iterator[Finding]:
    try:
        path = find()
        with tempfile.TemporaryFile(dir=path):
            pass
        free, mode = shutil.disk_usage(path).free, path.stat().st_mode
    except OSError as error:
        said = f"{error.filename or ''} cannot be written ({error.strerror or type(error).__name__})".strip()
        yield Finding(name, "fail", said, advice)
        return
    room = f"{free // MIB:,} MiB free"
    if sys.platform != "win32" and mode & 0o077:
        yield Finding(name, "warn", f"{path}: others may look in ({mode & 0o777:o})", f"chmod 700 '{path}'")
    elif free < 200 * MIB:
        yield Finding(
            name, "fail" if free < 20 * MIB else "warn", f"{path}: {room}", "Make room: sessions are kept there."
        )
    else:
        yield Finding(name, "ok", f"{path}, {room}")


def local_service(_: SecGeminiMagics, *, is_used: bool) -> Findings:
    """Whether it runs; started where this kernel's answers come from it."""
    from secgemini_jupyter import embedded

    yield Step("local service", "It starts slowly, or not. Its log is local-server.log in the data folder.")
    try:
        service = embedded.ensure() if is_used else embedded.find()
    except (SecGeminiError, OSError) as error:
        yield Finding("local service", "fail", str(error), "%secgemini doctor again; if it stays, see that log.")
        return
    if service:
        yield Finding("local service", "ok", f"{service.answers} answers at {service.http}, version {service.version}")
    else:
        yield Finding("local service", "info", "does not run; it starts where it is needed")


def project(magics: SecGeminiMagics) -> Findings:
    yield Step("project file", "Is the notebook's folder on a network drive that hangs?")
    found = preferences.project_of(magics)
    for problem in found.problems:
        yield Finding("project file", "warn", problem, "Correct [tool.secgemini] in that file; cells work without it.")
    if not found.problems:
        said = f"{found.path}: sets {', '.join(found.values) or 'nothing'}" if found.path else "none"
        yield Finding("project file", "info", said)
