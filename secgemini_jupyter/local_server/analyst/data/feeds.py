"""The files that can be imported, told by their content, read row by row: CISA KEV, FIRST EPSS, NVD.

Formats: KEV's JSON schema and CSV of cisa.gov, EPSS's CSV of epss.empiricalsecurity.com and JSON of api.first.org,
NVD's CVE API 2.0 and its yearly feeds 2.0 and 1.1.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any

from secgemini_jupyter.local_server.analyst.data.json_stream import members

CVE_ID = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ARRAYS = frozenset({"vulnerabilities", "CVE_Items", "cve_items", "data"})
MAX_TEXT = 4_000
HEAD = 64 * 1024

#: What is told of each kind: its name, who publishes it, under which terms.
ABOUT = {
    "kev": ("CISA KEV", "CISA, Known Exploited Vulnerabilities Catalog: public domain (CC0)"),
    "epss": ("EPSS", "FIRST.org, Exploit Prediction Scoring System: free to use, FIRST asks to be cited"),
    "nvd": ("NVD", "NIST, National Vulnerability Database: public domain; not endorsed or certified by the NVD"),
}

Row = tuple[str, str, str]
"""CVE id, a time that says which of two is newer (or nothing), what is told as JSON."""


class NotAFeedError(ValueError):
    """The content is none of these. The text is the end of a sentence."""


@dataclass
class Feed:
    """What a file is: `kind` is known at once, version and date while its rows are read."""

    kind: str
    rows: Iterator[Row]
    about: dict[str, str] = field(default_factory=dict)
    skipped: int = 0


def read_feed(stream: IO[bytes]) -> Feed:
    """What the stream holds.

    Raises:
        NotAFeedError, BrokenJsonError: it cannot be read; rows raise them too.
    """
    buffered = io.BufferedReader(stream, HEAD)  # type: ignore[type-var]
    head = buffered.peek(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] == b"{":
        return _json_feed(buffered)
    first = head[:4096].decode("utf-8", "replace")
    if first.startswith("#model_version") or re.match(r"\W*cve\W+epss\b", first):
        return _epss_csv(buffered)
    if re.match(r"\"?cveID\"?,", first):
        return _kev_csv(buffered)
    raise NotAFeedError("it begins like none of them")


def _json_feed(stream: IO[bytes]) -> Feed:
    about: dict[str, str] = {}
    parts = members(stream, ARRAYS)
    for name, value in parts:
        if name in ARRAYS and isinstance(value, dict):
            kind, read = _reader(value)
            feed = Feed(kind, iter(()), about)
            feed.rows = _json_rows(feed, chain([(name, value)], parts), read)
            _note(about, kind)
            return feed
        _remember(about, name, value)
    raise NotAFeedError("it is a JSON object without a list of vulnerabilities")


def _reader(item: dict[str, Any]) -> tuple[str, Any]:
    if "cveID" in item:
        return "kev", kev_row
    if "epss" in item and "cve" in item:
        return "epss", _epss_item
    cve = item.get("cve")
    if isinstance(cve, dict) and "CVE_data_meta" in cve:
        return "nvd", nvd_1_row
    if isinstance(cve, dict) and "id" in cve:
        return "nvd", lambda each: nvd_row(each["cve"])
    if "id" in item and "descriptions" in item:
        return "nvd", nvd_row
    raise NotAFeedError("its entries are those of no format that is known here")


def _json_rows(feed: Feed, parts: Iterable[tuple[str, Any]], read: Any) -> Iterator[Row]:
    for name, value in parts:
        if name not in ARRAYS:
            _remember(feed.about, name, value)
            _note(feed.about, feed.kind)
            continue
        try:
            row = read(value)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            row = None
        if row is None or not CVE_ID.fullmatch(row[0]):
            feed.skipped += 1
        else:
            yield row


_KEPT = {"catalogVersion", "dateReleased", "timestamp", "version", "CVE_data_timestamp", "CVE_data_version"}


def _remember(about: dict[str, str], name: str, value: Any) -> None:
    if name in _KEPT and isinstance(value, str):
        about[name] = _text(value[:100])


def _note(about: dict[str, str], kind: str) -> None:
    """Version and date under names that all kinds share."""
    date = about.get("dateReleased") or about.get("timestamp") or about.get("CVE_data_timestamp")
    if date and "date" not in about and DATE.fullmatch(date[:10]):
        about["date"] = date[:10]
    if kind == "kev" and "catalogVersion" in about:
        about["version"] = about["catalogVersion"]


def _csv_lines(stream: IO[bytes]) -> Iterator[str]:
    while line := stream.readline(2**20 + 1):
        if len(line) > 2**20:
            raise NotAFeedError("a line of it has more than 1 MiB")
        yield line.decode("utf-8-sig", "replace")


def _epss_csv(stream: IO[bytes]) -> Feed:
    lines = _csv_lines(stream)
    about: dict[str, str] = {}
    first = next(lines)
    if first.startswith("#"):
        for part in first.lstrip("#").strip().split(","):
            name, _, value = part.partition(":")
            about[{"model_version": "version", "score_date": "date"}.get(name.strip(), name.strip())] = value.strip()[
                :40
            ]
        about["date"] = date if DATE.fullmatch(date := about.get("date", "")[:10]) else ""
        first = next(lines, "")
    feed = Feed("epss", iter(()), about)
    feed.rows = _table(feed, first, lines, ("cve", "epss", "percentile"), _epss_item)
    return feed


def _kev_csv(stream: IO[bytes]) -> Feed:
    lines = _csv_lines(stream)
    feed = Feed("kev", iter(()))
    feed.rows = _table(feed, next(lines), lines, ("cveID", "dateAdded"), kev_row)
    return feed


def _table(feed: Feed, head: str, lines: Iterator[str], needed: tuple[str, ...], read: Any) -> Iterator[Row]:
    try:
        names = next(csv.reader([head]), [])
    except csv.Error:
        names = []
    if missing := [name for name in needed if name not in names]:
        raise NotAFeedError(f"its columns lack {', '.join(missing)}")
    newest = ""
    try:
        for cells in csv.reader(lines):
            row = None
            if len(cells) == len(names):
                try:
                    row = read(dict(zip(names, cells, strict=True)))
                except (ValueError, KeyError):
                    row = None
            if row is None or not CVE_ID.fullmatch(row[0]):
                feed.skipped += bool(cells)
                continue
            newest = max(newest, row[1])
            yield row
    except csv.Error as error:
        raise NotAFeedError(f"a row of it cannot be read ({error})") from None
    if feed.kind == "kev" and DATE.fullmatch(newest):  # the CSV has no date of its own
        feed.about.setdefault("date", newest)


def _epss_item(item: dict[str, Any]) -> Row:
    score, percentile = float(item["epss"]), float(item["percentile"])
    if not (0 <= score <= 1 and 0 <= percentile <= 1):
        raise ValueError
    told: dict[str, Any] = {"score": score, "percentile": percentile}
    if isinstance(item.get("date"), str):
        told["date"] = item["date"][:10]
    return str(item["cve"]).strip().upper(), "", _dumped(told)


_KEV = ("vendorProject", "product", "vulnerabilityName", "dateAdded", "shortDescription", "requiredAction", "dueDate",
        "knownRansomwareCampaignUse", "notes")  # fmt: skip


def kev_row(item: dict[str, Any]) -> Row:
    told: dict[str, Any] = {name: _text(item[name]) for name in _KEV if item.get(name)}
    cwes = item.get("cwes") or []
    listed = re.findall(r"CWE-\d+", cwes if isinstance(cwes, str) else " ".join(map(str, cwes[:20])))
    return str(item["cveID"]).strip().upper(), _text(item.get("dateAdded", "")), _dumped(told | {"cwes": listed})


def _metric(data: dict[str, Any], severity: Any, by: Any) -> dict[str, Any]:
    return {
        "version": _text(data.get("version")),
        "vector": _text(data.get("vectorString")),
        "score": float(data["baseScore"]),
        "severity": _text(data.get("baseSeverity") or severity),
        "by": _text(by),
    }


def nvd_row(cve: dict[str, Any]) -> Row:
    """An entry of NVD's version 2.0."""
    metrics = chain.from_iterable((cve.get("metrics") or {}).values())
    modified = _text(cve.get("lastModified", ""))[:19]
    told = {
        "description": _english(cve.get("descriptions") or []),
        "status": _text(cve.get("vulnStatus", "")),
        "published": _text(cve.get("published", ""))[:10],
        "modified": modified,
        "metrics": [_metric(each["cvssData"], each.get("baseSeverity"), each.get("source")) for each in metrics][:20],
        "cwes": _cwes(each["value"] for weak in cve.get("weaknesses") or [] for each in weak["description"]),
        "references": len(cve.get("references") or []),
    }
    return _text(cve["id"]).upper(), modified, _dumped(told)


def nvd_1_row(item: dict[str, Any]) -> Row:
    """An entry of NVD's version 1.1, which has one score of each CVSS version."""
    cve, impact = item["cve"], item.get("impact") or {}
    metrics = [(impact[name], part) for name, part in (("baseMetricV3", "cvssV3"), ("baseMetricV2", "cvssV2"))
               if part in (impact.get(name) or {})]  # fmt: skip
    problems = (cve.get("problemtype") or {}).get("problemtype_data") or []
    modified = _text(item.get("lastModifiedDate", ""))[:16]
    told = {
        "description": _english(cve["description"]["description_data"]),
        "status": "",
        "published": _text(item.get("publishedDate", ""))[:10],
        "modified": modified,
        "metrics": [_metric(each[part], each.get("severity"), "nvd@nist.gov") for each, part in metrics],
        "cwes": _cwes(each["value"] for problem in problems for each in problem["description"]),
        "references": len((cve.get("references") or {}).get("reference_data") or []),
    }
    return _text(cve["CVE_data_meta"]["ID"]).upper(), modified, _dumped(told)


def _english(descriptions: list[dict[str, Any]]) -> str:
    return next((_text(each["value"]) for each in descriptions if each.get("lang") == "en"), "")


def _cwes(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(value for value in map(_text, values) if re.fullmatch(r"CWE-\d{1,6}", value)))[:20]


def valid(text: str) -> str:
    """Half of a surrogate pair, which JSON can hold, is no text: it can be neither sent nor stored."""
    return text.encode("utf-8", "replace").decode()


def _text(value: Any) -> str:
    return valid(value[:MAX_TEXT]) if isinstance(value, str) else ""


def _dumped(told: dict[str, Any]) -> str:
    return valid(json.dumps(told, ensure_ascii=False))
