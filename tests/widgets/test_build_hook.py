from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "secgemini_jupyter" / "widgets" / "static"
WIDGETS = sorted(index.parent.name for index in (ROOT / "js" / "src").glob("*/index.tsx"))

spec = importlib.util.spec_from_file_location("build_hook", ROOT / "scripts" / "build_hook.py")
build_hook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build_hook)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Sources of one widget, an empty folder for bundles, and an npm that only says that it was run."""
    js, static, tools = tmp_path / "js", tmp_path / "static", tmp_path / "bin"
    for folder in (js / "src" / "clock", static, tools):
        folder.mkdir(parents=True)
    (js / "package.json").write_text("{}")
    (js / "src" / "clock" / "index.tsx").write_text("export default {}")
    (tools / "npm").write_text('#!/bin/sh\necho "$@" >> calls\n')
    (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("SKIP_JS_BUILD", raising=False)
    return js, static


def calls(js: Path) -> list[str]:
    return (js / "calls").read_text().splitlines() if (js / "calls").exists() else []


def bundle(static: Path, age: float = 0) -> None:
    for name in ("clock.js", "clock.css"):
        (static / name).write_text("")
        now = (static / name).stat().st_mtime
        os.utime(static / name, (now - age, now - age))


def test_missing_bundles_are_built(tree):
    js, static = tree
    build_hook.build_bundles(js, static)
    assert calls(js) == ["ci", "run build"]


def test_one_missing_style_sheet_is_enough_to_build(tree):
    js, static = tree
    bundle(static)
    (static / "clock.css").unlink()
    build_hook.build_bundles(js, static)
    assert calls(js) == ["ci", "run build"]


def test_bundles_newer_than_their_sources_are_kept(tree):
    js, static = tree
    bundle(static)
    build_hook.build_bundles(js, static)
    assert calls(js) == []


def test_bundles_older_than_a_source_are_built_again(tree):
    js, static = tree
    bundle(static, age=60)
    build_hook.build_bundles(js, static)
    assert calls(js) == ["ci", "run build"]


def test_the_build_can_be_skipped(tree, monkeypatch):
    js, static = tree
    monkeypatch.setenv("SKIP_JS_BUILD", "1")
    build_hook.build_bundles(js, static)
    assert calls(js) == []


def test_without_npm_missing_bundles_are_an_error_and_old_ones_are_kept(tree, monkeypatch):
    js, static = tree
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RuntimeError, match="npm is not found: install node 20"):
        build_hook.build_bundles(js, static)
    bundle(static, age=60)
    build_hook.build_bundles(js, static)


def test_a_failing_npm_ends_the_build(tree):
    js, static = tree
    (static.parent / "bin" / "npm").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(RuntimeError, match="`npm ci` failed"):
        build_hook.build_bundles(js, static)


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed: the wheel's bundles are not checked")
def test_the_wheel_holds_the_bundles_and_no_sources_of_them(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "feedback" in WIDGETS
    static = "secgemini_jupyter/widgets/static"
    assert {f"{static}/{name}.{end}" for name in WIDGETS for end in ("js", "css")} <= {*names}
    assert not [name for name in names if "node_modules" in name or name.startswith(("js/", "tests/"))]


@pytest.mark.parametrize("name", WIDGETS)
def test_a_bundle_is_small_enough_for_a_saved_notebook(name):
    """A notebook keeps the script and the style sheet of every widget in it."""
    script, style = ((STATIC / f"{name}.{end}").read_bytes() for end in ("js", "css"))
    assert len(script) + len(style) < 130_000
    assert len(gzip.compress(script)) + len(gzip.compress(style)) < 40_000


def test_the_lock_file_names_no_download_address():
    lock = (ROOT / "js" / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed: the lock file is not checked")
def test_the_lock_file_is_complete_on_every_platform(tmp_path):
    """`npm install` leaves out, in silence, an optional package of another platform that it cannot find."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / "js" / name, tmp_path)
    command = ["npm", "ci", "--dry-run", "--offline", "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
