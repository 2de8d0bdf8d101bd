"""Run a notebook (the quickstart) from top to bottom, print prompts and answers, leave it and a page in build/.

No key and no network: the local service answers. What it stores lives in a temporary folder and is removed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
BUILD = ROOT / "build"


def main(notebook: Path = NOTEBOOK) -> int:
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        from secgemini_jupyter import embedded

        try:
            return run(notebook)
        finally:
            embedded.stop()


def isolate(folder: Path) -> None:
    """A world of its own: no key of this machine, no store of this user."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        os.environ[name] = str(folder / name.lower())
    for name in [name for name in os.environ if name.startswith(("SEC_GEMINI_", "SECGEMINI_"))]:
        del os.environ[name]
    os.environ["SECGEMINI_BACKEND"] = "local"


def run(path: Path) -> int:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        skip_cells_with_tag="secgemini-skip",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda cell, **_: show(cell),
    )
    BUILD.mkdir(exist_ok=True)
    status = 0
    try:
        client.execute()
    except CellExecutionError as error:
        print(f"\nA cell failed: {error}", file=sys.stderr)
        status = 1
    name = path.stem.lstrip("0123456789_")
    nbformat.write(notebook, BUILD / f"{name}.ipynb")
    (BUILD / f"{name}.html").write_text(page(notebook), "utf-8")
    print(f"\nLeft {BUILD.name}/{name}.html and {BUILD.name}/{name}.ipynb. Next: make lab")
    return status


def page(notebook: Any) -> str:
    """The notebook as one page that loads nothing from elsewhere: what shows saved widgets would."""
    from nbconvert import HTMLExporter

    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", mermaid_js_url="", embed_images=True)
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


def show(cell: Any) -> None:
    """A code cell as a terminal shows it: the source, then the plain text of each output."""
    if cell.cell_type != "code":
        return
    print("\n" + "\n".join(f"  {'>' if i == 0 else ' '} {line}" for i, line in enumerate(cell.source.splitlines())))
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain") or "\n".join(output.get("traceback", []))
        if text.strip():
            print("\n" + text.rstrip())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).resolve() for argument in sys.argv[1:2])))
