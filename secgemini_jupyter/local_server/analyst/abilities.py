"""What the analyst can do, for a prompt that it cannot answer: one sentence, a short list, where to ask instead."""

from __future__ import annotations

import re
from collections.abc import Container
from importlib.util import find_spec

from secgemini_jupyter.local_server.analyst.text import code, count, listed
from secgemini_jupyter.local_server.analyst.tool import Request
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.settings import KEY_PAGE, KEY_VARIABLE

_HELLO = re.compile(
    r"\W*(?:(?:hi|hello|hey|hallo|hola|thanks|thank you|thx|danke|gracias|please|so|ok|okay|great|cool|nice|bye"
    r"|and)\b\W*)*"
    r"(?:help(?: me)?|hilfe|ayuda|(?:what|which things?) (?:else )?(?:can|could|do) you (?:do"
    r"|know)(?: for me)?(?: here)?|who are you|what are you"
    r"|(?:what|which) (?:are your )?(?:tools|abilities|commands)(?: do you have| are there)?|was kannst du"
    r"|(?:list|show)(?: me)? (?:your|all|the|all your)(?: available)? (?:tools|abilities|commands)"
    r"|what (?:can|could) you do with (?:\w+ )?(?:logs?|files?|e-?mails?|archives?|documents?|programs?)"
    r"|qu[eé] puedes hacer)?\W*",
    re.IGNORECASE,
)
GROUPS = {
    "Indicators and encodings": (
        "extract_iocs", "defang", "refang", "decode", "hash_file", "hash_identify", "jwt_inspect", "url_inspect",
    ),
    "Knowledge": (
        "cvss_score", "cwe_lookup", "attack_lookup", "cve_lookup", "ip_lookup", "data_import", "data_info",
    ),
    "Files": ("file_triage", "email_analyze", "archive_list", "x509_inspect", "yara_scan"),
}  # fmt: skip
"""Tools by what they are about; those of no group are about logs."""
EXTRAS = {"analyst": ("yara", "oletools", "sigma")}
"""Libraries by which one sees whether an extra is installed."""


def nothing_fits(request: Request, off: Container[str] = ()) -> str:
    """The answer when no tool can help."""
    if is_courtesy(request.prompt):
        lead = "This is the local analyst: security tools on this machine, offline, and no language model.\n"
        return f"{lead}\n{what_it_can(off)}"
    lines = [
        "The local analyst cannot answer this: it is offline, has no live intelligence and is no language model, "
        "only a set of tools.\n"
    ]
    if request.attachments:
        names = listed((each.name for each in request.attachments), 10)
        kinds = ", ".join(sorted({each.kind.removeprefix("log/") for each in request.attachments}))
        lines.append(f"Attached: {names} ({code(kinds)}), {count(len(request.attachments), 'file')}.\n")
    elif request.table:
        lines.append(f"Attached: the logs table {code(request.table.name)}.\n")
    elif request.asks(r"\blogg?(?:ed|ins?|s)?\b|\battach|\bfile\b"):
        lines.append("Nothing is attached: `%secgemini attach PATH` adds a file to this session.\n")
    return "\n".join([*lines, what_it_can(off)])


def is_courtesy(prompt: str) -> bool:
    """Whether it is a greeting, thanks, or the question what can be done: about nothing that is attached."""
    return _HELLO.fullmatch(prompt) is not None


def what_it_can(off: Container[str] = ()) -> str:
    """The abilities by group, what an extra would add, and where to ask for anything else."""
    lines = ["It can:\n"]
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    for group in (*GROUPS, "Logs"):
        known = [tool for name, tool in tools().items() if group_of.get(name, "Logs") == group and name not in off]
        if abilities := [tool.ability for tool in known if not _is_missing(tool.extra)]:
            lines.append(f"- **{group}**: {'; '.join(abilities)}.")
    missing = [each for each in tools().values() if _is_missing(each.extra) and each.name not in off]
    for extra in dict.fromkeys(each.extra for each in missing):
        more = "; ".join(each.ability for each in missing if each.extra == extra)
        lines.append(f"- **With `pip install 'secgemini-jupyter[{extra}]'`**: {more}.")
    lines.append(
        f"\nFor anything else, ask Sec-Gemini itself: get a key at {KEY_PAGE} and set `{KEY_VARIABLE}`. Or let a model "
        "of your own use these tools: set `SECGEMINI_LOCAL_LLM_URL` and `SECGEMINI_LOCAL_LLM_MODEL`, and ask "
        "the model "
        "`local-openai`."
    )
    return "\n".join(lines)


def _is_missing(extra: str | None) -> bool:
    return extra is not None and not all(find_spec(name) for name in EXTRAS.get(extra, ()))
