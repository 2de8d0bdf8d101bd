"""cvss_score: the score of a CVSS vector (versions 2.0, 3.0, 3.1, 4.0) and its metrics in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.text import Plain, code, table
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Tool, Wish

_VECTOR = re.compile(
    r"(?<![\w:/])(?:CVSS:\d(?:\.\d)?(?:/[A-Z]{1,3}:[A-Z]{1,6}){0,40}|\(?AV:[A-Z](?:/[A-Z]{1,3}:[A-Z]{1,3}){1,20}\)?)",
    re.IGNORECASE,
)


class CvssArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`vector`: for example CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H, or AV:N/AC:L/Au:N/C:P/I:P/A:P."""

    vector: str


def cvss_score(arguments: CvssArguments, _files: Mapping[str, bytes]) -> dict[str, Any]:
    """A vector with a mistake or a gap has no score: the result names what is wrong instead."""
    import cvss
    from cvss import constants2, constants3, constants4

    vector = arguments.vector.strip().strip("()")
    prefix, metrics = _split(vector)
    version = prefix.partition(":")[2] or ("2.0" if re.search(r"(?i)/Au:", vector) else "")
    # A v3 vector without its prefix is common in the wild: its metrics say so, but not whether 3.0 or 3.1.
    guessed = not prefix
    if not version and {"PR", "UI"} & {name.upper() for name, _ in metrics}:
        version = "4.0" if any(name.upper() == "AT" for name, _ in metrics) else "3.1"
    known: dict[str, tuple[Any, Any]] = {
        "2.0": (constants2, cvss.CVSS2),
        "2": (constants2, cvss.CVSS2),
        "3.0": (constants3, cvss.CVSS3),
        "3.1": (constants3, cvss.CVSS3),
        "4.0": (constants4, cvss.CVSS4),
    }
    if version not in known:
        return {"vector": vector, "error": "unknown version", "version": version or None}
    constants, scorer = known[version]
    names: dict[str, str] = dict(constants.METRICS_ABBREVIATIONS)
    values: dict[str, dict[str, str]] = {name: dict(each) for name, each in constants.METRICS_VALUE_NAMES.items()}
    spelling = {name.upper(): name for name in names}
    result: dict[str, Any] = {"vector": vector, "version": version, "metrics": [], "problems": []}
    clean: dict[str, str] = {}
    for raw_name, raw_value in metrics:
        name = spelling.get(raw_name.upper())
        value = next((v for v in values.get(name or "", {}) if v.upper() == raw_value.upper()), None)
        if name is None:
            result["problems"].append({"metric": raw_name, "problem": "unknown metric"})
        elif name in clean:
            result["problems"].append({"metric": name, "problem": "given twice"})
        elif value is None:
            allowed = [v for v in values[name] if v not in ("X", "ND")]
            result["problems"].append(
                {"metric": name, "problem": "invalid value", "value": raw_value, "allowed": allowed}
            )
        else:
            clean[name] = value
            result["metrics"].append(
                {"metric": name, "name": names[name], "value": value, "meaning": values[name][value]}
            )
    wrong = {problem["metric"] for problem in result["problems"]}
    result["missing"] = [
        {"metric": name, "name": names[name], "allowed": [f"{v} ({w})" for v, w in values[name].items()]}
        for name in constants.METRICS_MANDATORY
        if name not in clean and name not in wrong
    ]
    if result["missing"] or result["problems"]:
        return result
    head = "" if version.startswith("2") else f"CVSS:{version}/"
    scored = scorer(head + "/".join(f"{name}:{value}" for name, value in clean.items()))
    scores, severities = scored.scores(), scored.severities()
    result |= {"normal": scored.clean_vector(), "assumed_version": guessed and not version.startswith("2")}
    result |= {"score": float(scores[0]), "severity": severities[0]}
    for kind, group in (("temporal", "TEMPORAL_METRICS"), ("environmental", "ENVIRONMENTAL_METRICS")):
        at = 1 if kind == "temporal" else 2
        given = any(clean.get(name, "X") not in ("X", "ND") for name in getattr(constants, group, ()))
        if given and len(scores) > at and scores[at] is not None:
            result[kind] = {"score": float(scores[at]), "severity": severities[at]}
    return result


def _split(vector: str) -> tuple[str, list[tuple[str, str]]]:
    parts = [part for part in vector.split("/") if part]
    prefix = parts.pop(0).upper() if parts and parts[0].upper().startswith("CVSS:") else ""
    pairs = (part.partition(":") for part in parts)
    return prefix, [(name, value) for name, _, value in pairs]


_ASKED = r"\bcvss|\bscor|\bsever|\bvectors?\b|\brat(?:e|ing)\b|\burgent|\bhow bad\b|\bwak(?:e|ing)\b|\bmetrics?\b"


def _plan(request: Request) -> list[Call]:
    """Vectors that the user says, on one line; of lines that are pasted only where a score is asked for."""
    wanted = "\n" not in request.prompt.strip() or not request.pasted or request.asks(_ASKED)
    said = request.prompt if wanted else request.instruction
    vectors = list(dict.fromkeys(match.group() for match in _VECTOR.finditer(said)))
    return [Call("cvss_score", {"vector": vector}, f"score {code(vector)}") for vector in vectors[:20]]


_METRIC = re.compile(r"\b([A-Za-z]{1,3}):([A-Za-z])\b")


def _again(request: Request, result: dict[str, Any]) -> list[Call]:
    """The same vector with other metrics: "and with S:C?", "with scope changed?"."""
    vector = str(result.get("normal") or "")
    _, given = _split(vector)
    new = {found[1].upper(): found[2].upper() for found in _METRIC.finditer(request.prompt)}
    if scope := re.search(r"\bscope\s+(?:is\s+|of\s+|to\s+)?(un)?changed\b", request.prompt, re.IGNORECASE):
        new["S"] = "U" if scope[1] else "C"
    if not vector or not new or _VECTOR.search(request.prompt):
        return []
    pairs = {**dict(given), **new}
    head = f"CVSS:{result['version']}/" if vector.startswith("CVSS:") else ""
    changed = head + "/".join(f"{name}:{value}" for name, value in pairs.items())
    return [Call("cvss_score", {"vector": changed}, f"score {code(changed)}")]


def _answer(result: dict[str, Any], wish: Wish) -> str:
    if "score" not in result:
        return _answer_without_score(result)
    if wish.one_word or wish.wants_only("severity", "rating"):
        return str(result["severity"])
    if wish.wants_only("score", "number"):
        return f"{result['score']:.1f}"
    parts = [f"**{result['score']:.1f} {result['severity']}** (CVSS {result['version']} base score)."]
    if result["version"] == "4.0":
        parts[0] = f"**{result['score']:.1f} {result['severity']}** (CVSS 4.0)."
    for kind in ("temporal", "environmental"):
        if kind in result:
            parts[0] += f" With its {kind} metrics: **{result[kind]['score']:.1f} {result[kind]['severity']}**."
    if result["assumed_version"]:
        parts[0] += f" The vector lacks its `CVSS:` prefix; its metrics are read as version {result['version']}."
    parts.append(_metrics(result))
    parts.append(
        "The score says how bad the flaw can be. Whether it is urgent here depends on what it does not hold: "
        "whether you run the affected system, whether it is reachable, and whether it is being exploited."
    )
    return "\n\n".join(parts)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The vector first, which several in one prompt are told apart by."""
    return [{name: result[name] for name in ("vector", "score", "severity", "version") if name in result}]


def _metrics(result: dict[str, Any]) -> str:
    rows = [
        (Plain(each["name"]), Plain(f"{each['metric']}:{each['value']}"), Plain(each["meaning"]))
        for each in result["metrics"]
    ]
    return table([Plain("metric"), Plain("vector"), Plain("meaning")], rows, limit=40)


def _answer_without_score(result: dict[str, Any]) -> str:
    if result.get("error"):
        return (
            f"{code(result['vector'])} has **no score**: its CVSS version is not 2.0, 3.0, 3.1 or 4.0. "
            "A vector begins like `CVSS:3.1/AV:N/…`."
        )
    parts = [f"{code(result['vector'])} has **no score** (CVSS {result['version']}): it has to be complete and valid."]
    if result["missing"]:
        parts[0] += " Missing: " + ", ".join(f"**{each['metric']}**" for each in result["missing"]) + "."
        rows = [
            (Plain(each["metric"]), Plain(each["name"]), Plain(", ".join(each["allowed"])))
            for each in result["missing"]
        ]
        parts.append(table([Plain("missing"), Plain("name"), Plain("may be")], rows, limit=40))
    for each in result["problems"]:
        allowed = f"; allowed: {', '.join(each['allowed'])}" if "allowed" in each else ""
        value = f" {code(each['value'])}" if "value" in each else ""
        parts.append(f"- {code(each['metric'])}: {each['problem']}{value}{allowed}")
    if result["metrics"]:
        parts.append("What it does say:\n\n" + _metrics(result))
    parts.append("No value was filled in for you: only who knows the flaw can choose them.")
    return "\n\n".join(parts)


TOOLS = (
    Tool(
        name="cvss_score",
        description="Score and severity of a CVSS 2.0, 3.0, 3.1 or 4.0 vector, its metrics in words, what it lacks.",
        ability='score a CVSS vector (2.0 to 4.0) and explain it: "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"',
        arguments=CvssArguments,
        run=cvss_score,
        plan=_plan,
        answer=_answer,
        items=_items,
        again=_again,
    ),
)
