"""Builds the widgets' bundles from js/ before a wheel, an sdist or an editable install is made.

Nothing is built when the bundles are newer than their sources, or with `SKIP_JS_BUILD=1`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("src/**/*", "build.mjs", "package.json", "package-lock.json")


class JsBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        root = Path(self.root)
        build_bundles(root / "js", root / "secgemini_jupyter" / "widgets" / "static")


def build_bundles(js: Path, static: Path) -> None:
    """Run `npm ci && npm run build` in `js` if a bundle in `static` is missing or older than a source.

    Raises:
        RuntimeError: bundles are missing and cannot be built; or npm failed.
    """
    # A script and a style sheet for every folder with an index.tsx.
    names = [index.parent.name for index in js.glob("src/*/index.tsx")]
    bundles = [static / (name + end) for name in names for end in (".js", ".css")]
    missing = not bundles or not all(bundle.is_file() for bundle in bundles)
    if os.environ.get("SKIP_JS_BUILD") == "1" or (not missing and newest(sources(js)) <= oldest(bundles)):
        return
    npm = shutil.which("npm")
    if missing and (npm is None or not names):
        need = (
            "npm is not found: install node 20 or newer" if names else f"{js} is missing: take a complete source tree"
        )
        raise RuntimeError(f"The widgets are not built and {need}, then try again.")
    if npm is None:
        return  # older bundles work; who works on js/ has npm
    for command in (["ci"], ["run", "build"]):
        if subprocess.run([npm, *command], cwd=js, check=False).returncode:
            raise RuntimeError(f"`npm {' '.join(command)}` failed in {js}: its output above says why.")


def sources(js: Path) -> list[Path]:
    return [path for pattern in SOURCES for path in js.glob(pattern) if path.is_file()]


def newest(paths: list[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


def oldest(paths: list[Path]) -> float:
    return min(path.stat().st_mtime for path in paths)
