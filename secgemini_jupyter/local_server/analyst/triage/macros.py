"""VBA macros: that there are some, and with the extra `analyst` what is in them."""

from __future__ import annotations

import re
import warnings
from typing import Any

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.triage.common import HIDES, NOTES, RUNS, Seen, clean

MAX_SOURCE = 2 * 2**20
EXTRA = "pip install 'secgemini-jupyter[analyst]' also reads the macros' source."


def look_at_macros(content: bytes, where: str, seen: Seen) -> None:
    """`content` is the file that holds the VBA project, or the project itself."""
    seen.facts["has_macros"] = True
    seen.find(RUNS, "VBA macros", "", where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a library that it uses
            from oletools import olevba
    except ImportError:
        if EXTRA not in seen.limits:
            seen.limits.append(EXTRA)
        return
    seen.sources.append({"name": "oletools", "version": str(olevba.__version__)})
    try:
        _read(olevba, content, where, seen)
    except Exception:  # oletools raises what its parts raise
        seen.miss("the macros' source", "", "could not be read")


def _read(olevba: Any, content: bytes, where: str, seen: Seen) -> None:
    parser = olevba.VBA_Parser("macros.bin", data=content)
    sources, size = [], 0
    try:
        for _, _, name, code in parser.extract_macros():
            text = code if isinstance(code, str) else code.decode("utf-8", "replace")
            if size < MAX_SOURCE and name:
                sources.append((clean(str(name), 80), text[: MAX_SOURCE - size]))
                size += len(text)
    finally:
        parser.close()
    own = [(name, _without_attributes(text)) for name, text in sources]
    filled = [(name, text) for name, text in own if text.strip()]
    seen.facts["macros"] = [{"module": name, "lines": text.count("\n") + 1} for name, text in filled][:40]
    if not filled:
        seen.find(NOTES, "the macro modules hold no code", "", where)
        return
    for kind, word, about in olevba.VBA_Scanner("\n".join(text for _, text in filled)).scan(
        include_decoded_strings=True
    )[:60]:
        word, about = clean(str(word), 200), clean(str(about), 200)
        if kind == "AutoExec":
            seen.find(RUNS, f"a macro runs by itself: {about}", word, where)
        elif kind == "Suspicious":
            seen.find(NOTES, f"the macros' source: {about}", word, where)
        elif kind == "IOC":
            seen.find(NOTES, f"in the macros' source: {about}", word, where)
        elif kind.endswith("String"):
            seen.find(HIDES, f"a string in the macros is encoded ({kind})", word, where)
    first = next(
        (
            line.strip()
            for _, text in filled
            for line in text.splitlines()
            if line.strip() and not line.lstrip().startswith("'")
        ),
        "",
    )
    seen.facts["macro_source"] = "\n\n".join(f"' {name}\n{text.strip()}" for name, text in filled)[:6000]
    seen.facts["macro_summary"] = (
        f"{count(len(filled), 'module')}, {count(sum(t.count(chr(10)) + 1 for _, t in filled), 'line')}"
    )
    seen.facts["macro_first_line"] = clean(first, 200)


def _without_attributes(text: str) -> str:
    return "\n".join(line for line in re.split(r"\r\n|\r|\n", text) if not line.startswith("Attribute VB_"))
