"""Fields and links in the XML of office documents: what a field runs, also when it is cut into many pieces."""

from __future__ import annotations

import re
from xml.parsers import expat

from secgemini_jupyter.local_server.analyst.triage.common import FETCHES, HIDES, LINKS, NOTES, RUNS, Seen, clean

_QUOTED = re.compile(r"\bQUOTE\b((?:\s+\d{1,5})+)", re.IGNORECASE)
_DDE = re.compile(r"\bDDE(?:AUTO)?\b", re.IGNORECASE)
_FETCHING = re.compile(r"\b(?:INCLUDETEXT|INCLUDEPICTURE|IMPORT|RD|LINK)\b", re.IGNORECASE)
_FORMULA = re.compile(r"(?:^|[=(,+\-])\s*'?(?:cmd|msexcel|mshta|powershell|rundll32|regsvr32)'?\s*\|", re.IGNORECASE)
_CALLING = re.compile(
    r"\b(?:WEBSERVICE|EXEC|CALL|REGISTER(?:\.ID)?|FOPEN|URLDOWNLOADTOFILE\w*|RTD)\s*\(", re.IGNORECASE
)


class _Stop(Exception):
    pass


class Fields:
    """Reads one part, without entities: a document needs none."""

    def __init__(self, seen: Seen, where: str) -> None:
        self.seen, self.where = seen, where
        self._open: list[list[str]] = []
        self._is_done: list[bool] = []
        self._text: list[str] | None = None
        self._formula: list[str] | None = None

    def read(self, xml: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._data
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(xml, True)
        except _Stop:
            self.seen.miss("the part", self.where, "was not read further than where it declares XML entities")
        except (expat.ExpatError, ValueError):
            self.seen.miss("the part", self.where)

    def _entity(self, *_: object) -> None:
        self.seen.find(HIDES, "XML entities are declared, which office programs never write", "", self.where)
        raise _Stop

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        local = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if name == "fldSimple" or (name == "fldData" and "instr" in local):
            self.field(local.get("instr", ""))
        elif name == "fldChar":
            self._mark(local.get("fldCharType", ""))
        elif name in ("instrText", "delInstrText"):
            self._text = []
        elif name == "ddeLink":
            topic = f"{local.get('ddeService', '')} {local.get('ddeTopic', '')}"
            self.seen.find(RUNS, "a DDE link", clean(topic), self.where)
        elif name == "dde-source" or "dde-application" in local:
            topic = " ".join(local.get(f"dde-{key}", "") for key in ("application", "topic", "item"))
            self.seen.find(RUNS, "a DDE link", clean(topic), self.where)
        elif name == "event-listener":
            self.seen.find(RUNS, f"a macro is tied to the event {clean(local.get('event-name', ''), 40)!r}",
                           clean(local.get("href", "")), self.where)  # fmt: skip
        elif name in ("f", "definedName") or "Formula" in local:
            self._formula = [local["Formula"]] if "Formula" in local else []
            if name == "definedName" and local.get("name", "").lower().removeprefix("_xlnm.").startswith("auto_"):
                self.seen.find(RUNS, "a name starts a macro on opening or closing", local["name"], self.where)
            if "Formula" in local:
                self._formula_ends()
        elif name == "sheet" and local.get("state") in ("hidden", "veryHidden"):
            self.seen.find(
                HIDES,
                f"a sheet is {'very ' * (local['state'] == 'veryHidden')}hidden",
                local.get("name", ""),
                self.where,
            )
        elif name in ("customUI", "ribbon") and "onLoad" in local:
            self.seen.find(RUNS, "the ribbon calls a macro on loading", local["onLoad"], self.where)
        elif name == "binData" and local.get("name", "").lower().endswith((".mso", "editdata.mso")):
            self.seen.find(NOTES, "an embedded MSO part, which may hold macros", local["name"], self.where)

    def _mark(self, kind: str) -> None:
        if kind == "begin":
            self._open.append([])
            self._is_done.append(False)
        elif kind in ("separate", "end") and self._open:
            if not self._is_done[-1]:
                self._is_done[-1] = True
                text = "".join(self._open[-1])
                self.field(text)
                if len(self._open) > 1:  # what a field within gives is part of the outer one
                    self._open[-2].append(_spelled(text))
            if kind == "end":
                self._open.pop()
                self._is_done.pop()

    def _data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)
        if self._formula is not None:
            self._formula.append(data)

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name in ("instrText", "delInstrText") and self._text is not None:
            text, self._text = "".join(self._text), None
            if self._open:
                self._open[-1].append(text)
            else:
                self.field(text)
        elif name in ("f", "definedName") and self._formula is not None:
            self._formula_ends()

    def _formula_ends(self) -> None:
        text, self._formula = "".join(self._formula or ()), None
        if _FORMULA.search(text):
            self.seen.find(RUNS, "a formula starts a program by DDE", clean(text), self.where)
        elif _CALLING.search(text):
            self.seen.find(FETCHES, "a formula reaches outside", clean(text), self.where)

    def field(self, text: str) -> None:
        """Note what a field's instruction runs or loads."""
        spelled = _spelled(text)
        if spelled != text:
            self.seen.find(HIDES, "a field spells its text by character codes", clean(spelled), self.where)
        if dde := _DDE.search(spelled):
            how = (
                "runs when the fields are updated, on opening"
                if dde.group().upper() == "DDEAUTO"
                else "runs on a click"
            )
            self.seen.find(RUNS, f"a {dde.group().upper()} field, which {how}", clean(spelled), self.where)
        elif _FETCHING.match(spelled.strip()) and re.search(r"://|\\\\", spelled):
            self.seen.find(FETCHES, "a field loads from elsewhere", clean(spelled), self.where)
        elif spelled.strip().upper().startswith("MACROBUTTON"):
            self.seen.find(NOTES, "a button for a macro or command", clean(spelled), self.where)
        elif spelled.strip().upper().startswith("HYPERLINK") and (link := re.search(r'"([^"]{3,600})"', spelled)):
            self.seen.find(LINKS, "a link", link[1], self.where)


def _spelled(text: str) -> str:
    def characters(match: re.Match[str]) -> str:
        return "".join(chr(int(n)) for n in match[1].split() if 0 < int(n) < 0x110000)

    return _QUOTED.sub(characters, text)
