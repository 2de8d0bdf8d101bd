# ruff: noqa: E501  # patterns of files
"""Real files, broken at random, for every tool that reads one.

`make fuzz` runs this as a program for some minutes, through real worker processes:

    python -m tests.local_server.analyst.fuzzing [--minutes 10] [--seed 1] [TOOL …]

Each input must give a result or a `ToolFailure` within the time limit. Whatever else happens is printed, with the input
in `build/fuzz/`, and the exit status is 1. The seed is printed too: the same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.tool import FileOrText, Tool, ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / ".venv" / "test-files"
MAX_SEED = 300_000
_LENGTHS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

SEEDS = {  # what a tool reads by its name: which real files
    "file_triage": [
        "clamav-testfiles/clam*.exe", "clamav-testfiles/clam.p*", "clamav-testfiles/clam.ole.doc", "clamav-testfiles/clam.exe.rtf",
        "oletools/tests/test-data/*/*", "pypdf/resources/issue-297.pdf", "pypdf/resources/git.pdf", "pypdf/resources/encryption/r[46]*.pdf",
        "pypdf/resources/attachment.pdf",
    ],
    "archive_list": ["clamav-testfiles/*.zip", "clamav-testfiles/*gz", "clamav-testfiles/*.bz2", "oletools/tests/test-data/*/*.zip",
                     "oletools/tests/test-data/msodde/*.xlsx"],
    "email_analyze": ["mail-parser/tests/mails/*", "dkimpy/dkim/tests/data/*.m*", "clamav-testfiles/clam.*mbox*"],
    "x509_inspect": ["cryptography-vectors/x509/*.pem", "cryptography-vectors/x509/PKITS_data/c*/G*", "cryptography-vectors/pkcs7/*"],
    "yara_scan": ["clamav-testfiles/clam*.exe", "clamav-testfiles/*.zip"],
    "": ["zat/data/*.log", "zat/data/json/*.log", "zat/data/*.gz", "fail2ban/tests/files/logs/*", "fail2ban/tests/files/*.log"],
}  # fmt: skip
ALL = [
    "clamav-testfiles/clam.*",
    "oletools/tests/test-data/msodde/*",
    "mail-parser/tests/mails/mail_test_?",
    "zat/data/*.log",
]
LOGS = ("log_", "auth_", "sigma_")
REQUIRED: dict[str, Any] = {
    "sql": "SELECT * FROM log ORDER BY 2 DESC LIMIT 5",
    "rules_text": 'rule a { strings: $a = "MZ" condition: $a }',
}
RULES = {
    "yara_scan": {"rules_text": REQUIRED["rules_text"]},
    "sigma_run": {
        "rules_text": "title: t\nlogsource: {product: x}\ndetection:\n  a: {proto|re: '^u'}\n  condition: a\n"
    },
}


def reading_tools() -> dict[str, Tool]:
    """Every tool that takes a file: one that is new is among them by being there."""
    return {name: tool for name, tool in tools().items() if issubclass(tool.arguments, FileOrText)}


def arguments_of(tool: Tool) -> dict[str, Any]:
    """Arguments with the file `x`, and something for each further one that it cannot do without."""
    names = [field.name for field in msgspec.structs.fields(tool.arguments) if field.required]
    return {"file": "x"} | {name: REQUIRED.get(name, "x") for name in names} | RULES.get(tool.name, {})


def seeds_of(name: str, limit: int = 1_000) -> list[Path]:
    """Real files of the kind that the tool reads."""
    patterns = SEEDS.get(name) or (SEEDS[""] if name.startswith(LOGS) else ALL)
    found = sorted({path for pattern in patterns for path in FILES.glob(pattern) if path.is_file()})
    return [path for path in found if 0 < path.stat().st_size <= MAX_SEED][:limit]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with some of it flipped, cut, moved, repeated, or with a length that lies."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            return bytes(data)
        at = chance.randrange(len(data))
        end = min(len(data), at + chance.choice((1, 4, 16, 256, 4096)))
        match chance.randrange(8):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice((0, 0xFF, 0x7F, 0x80, 0x20, 0x0A))
            case 2:
                size = chance.choice((1, 2, 4, 8))
                order = chance.choice(("little", "big"))
                value = chance.choice(_LENGTHS) & (256**size - 1)
                data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
            case 3:
                del data[at:]
            case 4:
                del data[at:end]
            case 5:
                data[at:at] = data[at:end] * chance.choice((1, 2, 50))
            case 6:
                other = chance.randrange(len(data))
                data[at:end] = data[other : other + (end - at)]
            case 7:
                data[at:end] = chance.randbytes(end - at)
    return bytes(data[: 4 * MAX_SEED])


def inputs(name: str, chance: random.Random, *, seeds: int = 1_000) -> Iterator[tuple[Path, bytes]]:
    """Without end: a real file's name and what became of it."""
    files = seeds_of(name, 100_000)
    if len(files) > seeds:
        files = chance.sample(files, seeds)
    while files:
        path = chance.choice(files)
        yield path, mutated(path.read_bytes(), chance)


async def fuzz(names: list[str], minutes: float, seed: int) -> int:
    from secgemini_jupyter.local_server.analyst.workers import Workers

    workers = Workers(size=2)
    bad = 0
    try:
        for name in names:
            chance = random.Random(f"{seed} {name}")
            deadline = time.monotonic() + 60 * minutes / len(names)
            done, slowest, results = 0, 0.0, 0
            arguments = arguments_of(tools()[name])
            for path, content in inputs(name, chance):
                if time.monotonic() > deadline:
                    break
                start = time.monotonic()
                wrong = ""
                try:
                    try:
                        await workers.run(name, arguments, {"x": content})
                    except ToolFailure as failure:
                        if "longer than" not in str(failure):
                            raise
                        await workers.run(name, arguments, {"x": content})  # on a busy machine, time alone says little
                    results += 1
                except ToolFailure as failure:
                    # These the worker says where the tool itself did not: a crash, a hang, an error nobody thought of.
                    marks = (
                        "The tool failed",
                        "process ended",
                        "longer than",
                        "of memory",
                        "nested too deeply",
                        "over the limit of",
                    )
                    wrong = str(failure) if any(mark in str(failure) for mark in marks) else ""
                slowest = max(slowest, time.monotonic() - start)
                done += 1
                if wrong:
                    bad += 1
                    kept = ROOT / "build" / "fuzz" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_bytes(content)
                    print(f"{name}: {wrong} ({path.name}, kept as {kept.relative_to(ROOT)})", flush=True)
            print(f"{name}: {done} inputs, {results} results, slowest {slowest:.2f} s", flush=True)
    finally:
        await workers.aclose()
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all tools together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("tools", nargs="*")
    options = parser.parse_args()
    if not FILES.is_dir():
        print("No files to break: run `make test-files`.", file=sys.stderr)
        return 2
    print(f"seed {options.seed}", flush=True)
    names = options.tools or list(reading_tools())
    return 1 if asyncio.run(fuzz(names, options.minutes, options.seed)) else 0


if __name__ == "__main__":
    sys.exit(main())
