"""The front door: what it names is what the modules export, and nothing heavy loads before it is used."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import secgemini_jupyter

EXPORTERS = ("client.aio", "client.response", "client.sync")
"""Modules whose public names all belong to the package."""


def loaded_modules(code: str) -> set[str]:
    """What a fresh interpreter has imported when it ran `code`."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def loaded(code: str) -> set[str]:
    """Their top-level packages."""
    return {name.split(".")[0] for name in loaded_modules(code)}


def test_all_is_sorted_and_complete() -> None:
    assert secgemini_jupyter.__all__ == sorted(secgemini_jupyter.__all__)
    own = {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    assert set(secgemini_jupyter.__all__) == set(secgemini_jupyter._HOME_OF) | own


@pytest.mark.parametrize("name", sorted(secgemini_jupyter._HOME_OF))
def test_every_name_is_in_its_modules_all(name: str) -> None:
    home = importlib.import_module(f"secgemini_jupyter.{secgemini_jupyter._HOME_OF[name]}")
    assert name in home.__all__
    assert getattr(secgemini_jupyter, name) is getattr(home, name)


@pytest.mark.parametrize("home", EXPORTERS)
def test_public_names_of_the_client_are_exported(home: str) -> None:
    module = importlib.import_module(f"secgemini_jupyter.{home}")
    assert set(module.__all__) <= set(secgemini_jupyter.__all__)


def test_all_errors_are_exported() -> None:
    from secgemini_jupyter import errors

    assert set(errors.__all__) - {"Secret"} <= set(secgemini_jupyter.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        _ = secgemini_jupyter.nothing_of_ours


def test_dir_lists_the_public_names() -> None:
    assert dir(secgemini_jupyter) == secgemini_jupyter.__all__


def test_import_is_light() -> None:
    heavy = {"pandas", "numpy", "httpx", "websockets", "msgspec", "anywidget", "IPython", "starlette", "rich", "nh3"}
    assert not loaded("import secgemini_jupyter") & heavy


def test_loading_the_extension_is_light() -> None:
    """No client, no table, no widget, no server: those come with the first prompt, and ours with the first magic."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'secgemini_jupyter')\n"
        "assert 'secgemini' in shell.magics_manager.magics['cell']"
    )
    heavy = {"pandas", "numpy", "httpx", "websockets", "msgspec", "anywidget", "ipywidgets", "starlette", "uvicorn"}
    modules = loaded_modules(code)
    assert not {name.split(".")[0] for name in modules} & heavy
    light = (
        "_version",
        "errors",
        "keeper",
        "lazy_accessor",
        "magics",
        "magics.choices",
        "magics.interrupts",
        "magics.lines",
    )
    ours = {name for name in modules if name.startswith("secgemini_jupyter.")}
    assert ours == {f"secgemini_jupyter.{name}" for name in light}
