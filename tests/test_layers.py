"""The order of the layers: each module of ours imports only from layers above its own, functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "secgemini_jupyter"
ROOT = Path(__file__).parent.parent / PACKAGE

# `accessor` stands before its users: `client` has it registered in `history()`; and after what it leads on to.
ORDER = (
    "_version",
    "errors",
    "threads",
    "disk",
    "models",
    "settings",
    "language_model",
    "indicators",
    "attack",
    "protocol",
    "tools",
    "render",
    "transcript",
    "activity",
    "plots",
    "widgets",
    "accessor",
    "lazy_accessor",
    "local_server",
    "embedded",
    "client",
    "inputs",
    "keeper",
    "batch",
    "kernel",
    "notebook",
    "magics",
    "sharing",
    "cli",
    "__init__",
)
SERVER_MAY_USE = {"_version", "errors", "models", "settings", "language_model", "indicators", "attack", "local_server"}
PATHS = sorted(ROOT.rglob("*.py"))


def layer(module: str) -> str:
    """`secgemini_jupyter.client.sync` → `client`; the package itself → `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_name(path: Path) -> str:
    parts = [PACKAGE, *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module of ours that `path` imports, wherever the import stands; and whether for types only."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} line {node.lineno}: a relative import"
            names = [node.module or ""]
            if node.module == PACKAGE:
                names = [f"{PACKAGE}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE:
                yield name, id(node) in for_types


def test_every_module_has_a_layer() -> None:
    assert {layer(module_name(path)) for path in PATHS} <= set(ORDER)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_lead_upwards(path: Path) -> None:
    """A name that only a type checker reads makes no dependency, so those are let through: `errors` names `Message`."""
    own = layer(module_name(path))
    below = [name for name, for_types in imports(path) if not for_types and ORDER.index(layer(name)) > ORDER.index(own)]
    assert not below


@pytest.mark.parametrize(
    "path", [path for path in PATHS if "local_server" in path.parts], ids=lambda path: str(path.relative_to(ROOT))
)
def test_local_server_shares_nothing_with_the_client(path: Path) -> None:
    """Else it would repeat the client's mistakes, and hide them. Here types count as well."""
    assert {layer(name) for name, _ in imports(path)} <= SERVER_MAY_USE


def test_protocol_does_no_io() -> None:
    waits = {"asyncio", "socket", "threading", "httpx", "websockets", "subprocess", "os", "pathlib", "logging"}
    for path in (ROOT / "protocol").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & waits, path


def test_widgets_use_no_http() -> None:
    for path in (ROOT / "widgets").rglob("*.py"):
        source = path.read_text("utf-8")
        assert "httpx" not in source, path
        assert "websockets" not in source, path
