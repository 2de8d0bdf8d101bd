"""Import times in fresh processes, and `%load_ext` in a running kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.running import ROOT, Samples

STATEMENTS = {
    "bare Python": "pass",
    "import secgemini_jupyter": "import secgemini_jupyter",
    "from secgemini_jupyter import SecGemini": "from secgemini_jupyter import SecGemini",
    "import httpx, websockets": "import httpx, websockets.asyncio.client, websockets.sync.client",
}
LOAD = """
import time
shell, started = get_ipython(), time.perf_counter()
shell.run_line_magic("load_ext", "secgemini_jupyter")
print(time.perf_counter() - started)
"""


def environment() -> dict[str, str]:
    """Ours, but with bytecode written and read: an installed package has it."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return variables | {"PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}


def import_times(official: str | None, repeats: int = 9) -> Samples:
    """Seconds that a process takes from start to end, with one import in it."""
    commands = {name: [sys.executable, "-c", statement] for name, statement in STATEMENTS.items()}
    if official:
        commands["import sec_gemini (official)"] = [official, "-c", "import sec_gemini"]
    samples: Samples = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True)
            if number:  # the first one writes bytecode
                samples[name].append({"seconds": time.perf_counter() - started})
    return samples


def load_ext_times(repeats: int = 5) -> Samples:
    """`%load_ext secgemini_jupyter`, each in a kernel of its own that has run a cell before."""
    _load_ext()  # writes bytecode
    return {"%load_ext": [{"seconds": _load_ext()} for _ in range(repeats)]}


def _load_ext() -> float:
    from jupyter_client.manager import start_new_kernel  # not a dependency of the package

    manager, client = start_new_kernel(cwd=str(ROOT), env=environment(), stderr=subprocess.DEVNULL)
    try:
        printed: list[str] = []

        def listen(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        client.execute_interactive("1 + 1", timeout=60, output_hook=listen)
        reply = client.execute_interactive(LOAD, timeout=60, output_hook=listen)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"%load_ext failed: {reply['content'].get('evalue')}")
        return float("".join(printed).split()[-1])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
