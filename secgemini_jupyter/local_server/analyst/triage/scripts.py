# ruff: noqa: E501  # patterns are read as a whole
"""Scripts, pages and tables as text: the lines that stand out, with their numbers."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.triage.common import FETCHES, HIDES, LINKS, NOTES, RUNS, Seen, clean
from secgemini_jupyter.local_server.analyst.triage.fields import Fields

MAX_LINES = 100_000
MAX_LINE = 20_000
_LANGUAGES = (  # (what is in the text, or how its name ends), what it is
    (r"\A\s*<\?xml[^>]{0,200}>\s*<\?mso-application", r"", "Office document as plain XML"),
    (r"\A\s*<\?xml[^>]{0,200}>\s*<pkg:package", r"", "Office document as plain XML"),
    (r"<hta:application", r"\.hta$", "HTML application (HTA)"),
    (r"\A\s*(?:<!doctype html|<html|<head|<body|<script)", r"\.html?$", "HTML page"),
    (r"\A#!.{0,60}\b(?:ba|z|da|k)?sh\b", r"\.sh$", "shell script"),
    (r"\A#!.{0,60}\bpython", r"\.pyw?$", "Python script"),
    (r"\A\s*<\?php", r"\.php\d?$", "PHP script"),
    (r"(?im)^[ \t]{0,40}(?:param\s{0,8}\(|function\s{1,8}\w{1,80}-\w|\$\w{1,80}\s{0,8}=\s{0,8}(?:new-object|\[)|(?:iex|invoke-\w+|set-\w+)\b)", r"\.psm?1$",
     "PowerShell script"),
    (r"(?im)^[ \t]{0,40}(?:dim\s{1,8}\w+|set\s{1,8}\w{1,80}\s{0,8}=\s{0,8}createobject|on error resume next|sub\s{1,8}\w{1,80}\s{0,8}\()", r"\.(?:vbs|vbe|bas)$", "VBScript"),
    (r"(?im)^[ \t]{0,40}(?:@echo\s+off|setlocal\b|rem\s)", r"\.(?:bat|cmd)$", "batch file"),
    (r"(?im)^[ \t]{0,40}(?:var|let|const|function)\s{1,8}[\w$]{1,80}\s{0,8}[=({]|new ActiveXObject", r"\.(?:js|jse|wsf|mjs)$", "JavaScript"),
    (r"\AID;P", r"\.slk$", "SYLK spreadsheet"),
)  # fmt: skip
_MARKS = (  # what it is about, kind, pattern of a line
    ("a hidden or bypassing PowerShell call", RUNS, r"powershell(?:\.exe)?['\"]?\s[^\n]{0,200}?-(?:w\w*\s+h|ex\w*\s+bypass|nop|e\w*\s+[A-Za-z0-9+/=]{20})"),
    ("text is run as code", RUNS, r"\b(?:iex|invoke-expression)\b|\beval\s*\(|\bexecuteglobal\b|\bexecute\s*\(|\bexec\s*\("),
    ("a program is started", RUNS, r"start-process|wscript\.shell|shell\.application|\.(?:run|exec|shellexecute)\s*[( ]|subprocess\.|os\.system|\bmshta\b|\brundll32\b|\bregsvr32\b|\bcertutil\b|\bbitsadmin\b|\bcmd(?:\.exe)?\s+/[ck]|\bsystem\s*\(|shell_exec|passthru"),
    ("something is downloaded", FETCHES, r"downloadstring|downloadfile|downloaddata|invoke-webrequest|\biwr\b|\bwget\s|\bcurl\s|msxml2\.|xmlhttp|winhttp|net\.webclient|start-bitstransfer|urlretrieve|requests\.get|fetch\s*\("),
    ("downloaded text goes straight to a shell", RUNS, r"(?:curl|wget)\s[^|\n]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
    ("a protection is switched off", RUNS, r"amsi(?:utils|initfailed|scanbuffer)|set-mppreference|disablerealtimemonitoring|vssadmin[^\n]{0,40}delete|wevtutil\s+cl"),
    ("it starts again with the system", RUNS, r"currentversion\\run|schtasks|new-scheduledtask|crontab\b|\\startup\\|/etc/rc\.local|systemctl\s+enable"),
    ("text is decoded", HIDES, r"frombase64string|\batob\s*\(|base64\s+(?:-d|--decode)|b64decode|unescape\s*\(|fromcharcode|chrw?\s*\(\s*\d+\s*\)\s*&|-enc(?:odedcommand)?\s"),
    ("a file is put together in the page and saved", RUNS, r"mssaveoropenblob|mssaveblob|new\s+blob\s*\(|createobjecturl|\bdownload\s*="),
    ("a name starts a macro on opening", RUNS, r"^[CP]?\d{0,6}:?NN;N_?(?:_xlnm\.)?auto_(?:open|close)|^NN;Nauto_"),
    ("a password is asked for", NOTES, r"type\s*=\s*['\"]?password"),
    ("a form is sent to", FETCHES, r"<form[^>]{0,300}action\s*=\s*['\"]?https?:"),
    ("a page moves on by itself", FETCHES, r"http-equiv\s*=\s*['\"]?refresh|(?:window|document|top)\.location(?:\.href)?\s*=|location\.replace\s*\("),
    ("another page is loaded inside", FETCHES, r"<iframe[^>]{0,300}src"),
    ("a cell starts a program by DDE", RUNS, r"(?:^|[\"',;\t])\s*[=+\-@]+\s*[^,;\"\n]{0,100}?\b(?:cmd|msexcel|mshta|powershell|rundll32|dde)\b\s*[|(]"),
    ("a cell with a formula that reaches outside", FETCHES, r"(?:^|[\"',;\t])\s*[=+\-@]\s*(?:hyperlink|webservice|importxml|importdata|importhtml|importrange|image)\s*\("),
)  # fmt: skip
_COMPILED = [(what, kind, re.compile(pattern, re.IGNORECASE)) for what, kind, pattern in _MARKS]
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/=])")


def look_at_text(text: str, name: str) -> Seen:
    """`name` decides only between kinds of text that begin alike."""
    sample = text[:65536]
    what = next((what for pattern, suffix, what in _LANGUAGES if suffix and re.search(suffix, name, re.IGNORECASE)), "")
    what = next((w for pattern, _, w in _LANGUAGES[:7] if re.search(pattern, sample, re.IGNORECASE)), what)
    what = what or next((w for pattern, _, w in _LANGUAGES if re.search(pattern, sample, re.IGNORECASE)), "text file")
    seen = Seen(what)
    lines = text.split("\n", MAX_LINES)
    seen.facts["lines"] = len(lines)
    if len(lines) > MAX_LINES:
        seen.miss(f"what follows the first {MAX_LINES:,} lines", "", "was not looked at")
    if what == "Office document as plain XML":
        Fields(seen, "the XML").read(text.encode("utf-8", "replace"))
    longest, last = 0, -1
    for number, line in enumerate(lines[:MAX_LINES], 1):
        longest = max(longest, len(line))
        part = line[:MAX_LINE]
        for about, kind, pattern in _COMPILED:
            if match := pattern.search(part):
                start = max(0, match.start() - 60)
                seen.find(kind, about, clean(part[start : match.start() + 240]), f"line {number:,}")
        if what == "Office document as plain XML":
            continue
        if (encoded := _ENCODED.search(part)) and _looks_encoded(encoded.group()):
            if number > last + 1:  # lines of one text count once
                seen.find(HIDES, "text that looks like Base64", encoded.group()[:80], f"line {number:,}")
                if len(seen.encoded) < 3:
                    seen.encoded.append(encoded.group()[:20_000])
            last = number
    if longest > MAX_LINE and what != "Office document as plain XML":  # that was read as a whole
        seen.miss(f"what follows the first {MAX_LINE:,} characters of longer lines", "", "was not looked at")
    if what in ("HTML page", "HTML application (HTA)"):
        for link in re.findall(
            r"(?:href|src|action)\s*=\s*['\"]?(https?://[^'\"\s>]{3,400})", text[: 2**20], re.IGNORECASE
        )[:200]:
            seen.find(LINKS, "a link", link)
    if what == "HTML application (HTA)":
        seen.find(RUNS, "an HTML application runs its scripts with the user's rights")
    return seen


def _looks_encoded(text: str) -> bool:
    """Not a path or a word: letters of both cases and digits, and no words between slashes."""
    has_all = re.search(r"[A-Z]", text) and re.search(r"[a-z]", text) and re.search(r"\d", text)
    words = re.findall(r"(?:^|/)[a-z]+(?=/)|(?:^|/)[A-Z]?[a-z]{4,}(?=/|$)", text)
    return bool(has_all) and len(words) < 2
