"""One worker process: reads a call from standard input, runs the tool, writes the result to standard output.

Frames are four bytes of length and a MessagePack value; there is no pickle. The process ends when its input
does, so it outlives no server, however that ended.

The limits keep a mistake or a bomb from taking the machine along. They are no sandbox.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

MEMORY = 1024 * 2**20
IDLE = 0.05
"""Seconds after the start in which a first call is waited for before anything else is done."""
OUTPUT = 400 * 1024
"""Bytes of a result as JSON. As the text of a message it is quoted once more and has to stay under 1 MiB."""


def limit_resources(*, writes_files: bool = False) -> None:
    try:
        import resource
    except ImportError:  # Windows: time and output are limited from outside
        return
    limits = [("RLIMIT_AS", MEMORY), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)]
    for name, value in limits[:-1] if writes_files else limits:
        try:
            _, hard = resource.getrlimit(getattr(resource, name))
            ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(getattr(resource, name), (ceiling, hard))
        except (AttributeError, ValueError, OSError):
            continue  # macOS refuses some of them


def set_alarm(seconds: int) -> None:
    """End this process by itself when a call hangs after the server that would have ended it is gone."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def run(call: dict[str, Any]) -> dict[str, Any]:
    """One call: `{"result": …}` or `{"error": …}`."""
    from secgemini_jupyter.local_server.analyst.tool import ToolFailure

    try:
        result = _result(call)
        size = len(msgspec.json.encode(result))
    except ToolFailure as failure:
        return {"error": str(failure)}
    except MemoryError:
        return {"error": f"The tool needed more than {MEMORY // 2**20} MiB of memory.", "fatal": True}
    except RecursionError:
        return {"error": "The input is nested too deeply."}
    except msgspec.ValidationError as error:
        return {"error": f"Wrong arguments: {error}."}
    except Exception as error:  # whatever a hostile input provokes ends this call, not the turn
        return {"error": f"The tool failed on this input ({type(error).__name__})."}
    if size > OUTPUT:
        return {"error": f"The result has {size:,} bytes, over the limit of {OUTPUT:,}. Ask about a smaller part."}
    return {"result": result}


def _result(call: dict[str, Any]) -> Any:
    from secgemini_jupyter.local_server.analyst.sniff import sniff, sniff_table
    from secgemini_jupyter.local_server.analyst.tool import Inputs, TableSource
    from secgemini_jupyter.local_server.analyst.toolbox import tools

    if call["tool"] == "sniff":
        return {name: sniff(content) for name, content in call["files"].items()}
    inputs = Inputs(call["files"])
    if table := call.get("table"):
        inputs.table = TableSource(**table)
    if folder := call.get("data"):
        inputs.data = Path(folder)
    if call["tool"] == "sniff_table":
        return sniff_table(inputs)
    tool = tools()[call["tool"]]
    return tool.run(msgspec.convert(call["arguments"], tool.arguments), inputs)


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Answer calls until the input ends."""
    from secgemini_jupyter import indicators
    from secgemini_jupyter.local_server.analyst import progress
    from secgemini_jupyter.local_server.analyst.toolbox import tools

    def tell(what: str, done: int, of: int) -> None:
        write_frame(outgoing, {"progress": [what[:100], done, of]})

    tools()
    indicators.extract("warm.example.com")  # loads the list of public suffixes before the first question
    write_frame(outgoing, {"ready": os.getpid()})
    if _is_idle(incoming):
        load_data()
    while (frame := read_frame(incoming)) is not None:
        call = msgspec.msgpack.decode(frame)
        del frame
        set_alarm(int(call["seconds"]) + 2)
        progress.listen(tell)
        answer = run(call)
        progress.listen(None)
        set_alarm(0)
        write_frame(outgoing, answer)
        if answer.get("fatal"):
            return


def _is_idle(incoming: BinaryIO) -> bool:
    """Whether no call has come yet, a moment after the start."""
    try:
        return not select.select([incoming], [], [], IDLE)[0]
    except (OSError, ValueError):  # Windows cannot wait for a pipe
        return False


def load_data() -> None:
    """What the lookups read, before the first of them."""
    from secgemini_jupyter.local_server.analyst.data import attack, cwe

    for data in (attack, cwe):
        data.names().find("warm")
    attack.attack().record("T1059")
    cwe.cwe().examples_with("")


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    return data if len(data) == size else None


def write_frame(stream: BinaryIO, value: object) -> None:
    data = msgspec.msgpack.encode(value)
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def frames_alone() -> BinaryIO:
    """Standard output for frames; whatever a library prints goes nowhere."""
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the server's to handle
    return outgoing


def main() -> None:
    outgoing = frames_alone()
    limit_resources()
    serve(sys.stdin.buffer, outgoing)


if __name__ == "__main__":
    main()
