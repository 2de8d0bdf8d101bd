"""What questions name by phrases: classes of status codes, attacks, kinds of events, beginnings of values, words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Condition, equals, literal
from secgemini_jupyter.local_server.analyst.logs.scan import Mention, Scan
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.words import singular

_SEARCHED = ("message", "URI", "user agent", "reason", "query", "file name", "referrer")
_ATTACKED = ("URI", "message", "user agent", "referrer", "query")
_ATTACKS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # how it is said, the roles of the columns that are searched, what is searched there
    (r"sql[ -]?injections?|sqli", _ATTACKED,
     ("' or ", "'+or+", "%27%20or%20", "or 1=1", "or+1=1", "union select", "union+select", "union%20select",
      "information_schema", "xp_cmdshell", "'--", "%27--")),
    (r"(?:path|directory|dir)[ -]traversals?|lfi|local file inclusions?", _ATTACKED,
     ("../", "..\\", "..%2f", "..%5c", "%2e%2e", "%252e", "/etc/passwd", "/etc/shadow", "win.ini")),
    (r"xss|cross[ -]site[ -]scripting|script injections?", _ATTACKED,
     ("<script", "%3cscript", "javascript:", "onerror=", "onload=", "<svg", "%3csvg")),
    (r"(?:command|shell|code)[ -]injections?|rce|remote code executions?", _ATTACKED,
     (";cat ", ";wget", "|wget", ";curl", "|curl", "$(", "/bin/sh", "/bin/bash", "cmd.exe", "powershell", "${ifs}",
      "%3bcat")),
    (r"log4(?:shell|j)|jndi(?: injections?)?", _ATTACKED, ("${jndi:", "%24%7bjndi", "$%7bjndi", "${lower:", "${::-")),
    (r"(?:vulnerability |web |known )?scanners?|scanning tools?", ("user agent",),
     ("sqlmap", "nikto", "nmap", "masscan", "zgrab", "gobuster", "dirbuster", "wpscan", "nuclei", "acunetix",
      "nessus", "openvas")),
)  # fmt: skip
_ATTEMPTS = frozenset("attack attacks attempt attempts payload payloads exploit exploits exploitation tries".split())
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(?:new|created|added) (?:users?|accounts?)(?: (?:were |was )?(?:created|added|made))?"
     r"|(?:users?|accounts?) (?:were |was |got |been )?(?:created|added)", ("new_user",)),
    (r"(?:new )?(?:group members?|members? of groups?)|added to (?:a |the |any )?(?:\w+ )?groups?",
     ("new_group_member",)),
    (r"passwords? changes?|changed (?:the |a |their )?passwords?|passwords? (?:was |were )?changed",
     ("password_change",)),
    (r"(?<!group )sudo(?: commands?| usage| uses?)?", ("sudo", "sudo_refused")),
)  # fmt: skip
_PORTS = {
    "ssh": "22", "rdp": "3389", "dns": "53", "http": "80", "https": "443", "smb": "445", "ftp": "21", "telnet": "23",
    "smtp": "25", "ldap": "389", "winrm": "5985", "vnc": "5900", "mysql": "3306", "ntp": "123",
}  # fmt: skip
_NOBODY = ("invalid user", "illegal user")
_STARTS = r"(?:start(?:s|ing|ed)?|begin(?:s|ning)?|end(?:s|ing)?) (?:with|in|by)"
_FILLERS = frozenset("that which whose who name names is are does do not the a an".split())
_WITHIN = frozenset("whose with where and or in to for of on".split())
_NO_VERDICT = "These are fixed patterns: what they find may be harmless, and what they miss may be an attack."


class Phrases(Scan):
    def _found(self, pattern: str) -> Iterator[tuple[int, int, re.Match[str]]]:
        """Where the free words of the question match, as the first token and the number of tokens."""
        parts = [token.low if token.kind == "word" and not token.used else "\0" for token in self.tokens]
        for match in re.finditer(rf"(?:(?<=^)|(?<= ))(?:{pattern})(?= |$)", " ".join(parts)):
            at = match.string.count(" ", 0, match.start())
            yield at, match[0].count(" ") + 1, match

    def _phrases(self) -> None:
        """Before columns and values are looked for: "path traversal" is no path."""
        self._status_classes()
        self._attacks()
        if self.columns.has("login_kind"):
            self._kinds()
        self._phrased_values()
        self._passwords()
        self._beginnings()

    def _status_classes(self) -> None:
        """4xx, 5xx, client errors, server errors."""
        classes: dict[str, None] = {}
        is_not = False
        for at, length, match in list(
            self._found(
                r"(?:non-?)?([1-5])xx(?:e?s)?(?: (?:errors?|responses?|codes?|status(?:es)?))?"
                r"|(client|server)[ -](?:side )?errors?|(redirect(?:s|ed|ions?)?)"
            )
        ):
            if match[3] and not self.columns.role("URI"):
                continue
            classes[match[1] or {"client": "4", "server": "5"}.get(match[2] or "", "3")] = None
            is_not = is_not or match[0].startswith("non") or self._is_negated(at)
            self._use(at, length)
        column = self.columns.role("status")
        if not classes:
            return
        if not column or not any(re.fullmatch(r"[1-5]\d\d", str(each)) for each in self.columns.values(column)):
            self.question.missing.append("status")
            return
        name = quoted(column)
        ranges = " OR ".join(f"CAST({name} AS INTEGER) BETWEEN {each}00 AND {each}99" for each in classes)
        told = f"{column} is {'not ' if is_not else ''}{' or '.join(f'{each}00 to {each}99' for each in classes)}"
        self.question.conditions.append(Condition(f"NOT ({ranges})" if is_not else f"({ranges})", told))

    def _attacks(self) -> None:
        for pattern, roles, patterns in _ATTACKS:
            for at, length, _ in list(self._found(pattern)):
                names = list(dict.fromkeys(name for role in roles if (name := self.columns.role(role))))
                if not names:
                    continue
                self._use(at, length)
                self.question.conditions.append(self._holding_one_of(names, patterns, is_not=self._is_negated(at)))
                self.question.notes = [_NO_VERDICT]
                if roles == ("user agent",) and self._low(at - 1) in ("which", "what"):
                    self.question.mentions.append(Mention(at, length, "user agent", "user agent", names[0]))
                self.question.take(_ATTEMPTS)

    def _phrased_values(self) -> None:
        """ "dns queries": rows whose action is `dns_query`."""
        known = self.columns.phrased_values
        for length in (4, 3, 2):
            for at in range(len(self.tokens) - length + 1):
                part = self.tokens[at : at + length]
                key = tuple(singular(token.low) for token in part)
                if key not in known or any(token.used or token.kind != "word" for token in part):
                    continue
                if (self.columns.phrases.get(key) or ("", None))[1]:
                    continue  # it is a column's name
                column, value = known[key]
                is_not = self._is_negated(at)
                self._use(at, length)
                sql, told = equals(column, [value]), f"{column} is {'not' if is_not else ''}".strip()
                self.question.conditions.append(Condition(f"NOT coalesce({sql}, 0)" if is_not else sql, told, (value,)))

    def _holding_one_of(self, names: Sequence[str], texts: Sequence[str], *, is_not: bool = False) -> Condition:
        found = " OR ".join(
            f"instr(lower({quoted(name)}), {literal(text.lower())}) > 0" for name in names for text in texts
        )
        told = f"{' or '.join(names)} contains{' one of' if len(texts) > 1 else ''}"
        if is_not:
            return Condition(f"NOT coalesce({found}, 0)", told.replace(" contains", " does not contain"), tuple(texts))
        return Condition(f"({found})", told, tuple(texts))

    def _kinds(self) -> None:
        """What lines of syslog tell beside logins: sudo, new users."""
        for pattern, kinds in _KINDS:
            for at, length, _ in list(self._found(pattern)):
                self._use(at, length)
                self.question.conditions.append(Condition(equals("login_kind", kinds), "login_kind is", kinds))
                if "sudo" in kinds and (detail := self.columns.has("login_detail")):
                    for place, token in enumerate(self.tokens):
                        if token.low in ("command", "commands") and not token.used:
                            token.used = True
                            self.question.mentions.append(Mention(place, 1, token.text, "reason", detail))
        message = self.columns.role("message")
        people = r"(?:users?|accounts?|user ?names?|logins?)"
        absent = r"(?:that |who |which )?(?:do not|don't|don’t|does not|doesn't|did not|didn't) exist"
        for at, length, _ in list(self._found(rf"(?:invalid|illegal|unknown|non-?exist(?:ent|ing))(?= {people}\b)")):
            self._nobody(message, at, length)
        for at, length, match in list(self._found(rf"(?:{people} ){absent}")):
            self._nobody(message, at + match[0].count(" ", 0, match[0].index(" ")) + 1, length - 1)

    def _nobody(self, message: str | None, at: int, length: int) -> None:
        if message:
            self._use(at, length)
            self.question.conditions.append(self._holding_one_of([message], _NOBODY))

    def _passwords(self) -> None:
        """A "failed password" is a login by password."""
        for at, _, match in list(
            self._found(r"(?:(wrong|bad|incorrect) )?passwords?(?! (?:guess|spray|chang|reset|hash))")
        ):
            column = self.columns.role("method")
            method = next((name for name in ("login_method", "auth_method") if self.columns.has(name)), column)
            if not method or "password" not in {str(each).lower() for each in self.columns.values(method)}:
                continue
            if match[1]:
                self.question.said.add("failed")
                self._use(at)
            elif not self.question.has(w.FAILED | w.SUCCEEDED | w.ALLOWED | w.BLOCKED):
                continue
            self._use(at + match[0].count(" "))
            self.question.is_login = True
            self.question.conditions.append(Condition(equals(method, ["password"]), f"{method} is", ("password",)))

    def _beginnings(self) -> None:
        """ "users whose name starts with a", ".ru domains" """
        for before, token in pairwise(self.tokens):
            column = self.columns.role("query") or self.columns.role("host")
            is_part = re.fullmatch(r"\.[a-z0-9-]{2,20}", before.low) is not None
            if column and is_part and token.low in ("domain", "domains", "tld", "tlds") and not before.used:
                before.used = True
                sql = f"substr(lower({quoted(column)}), {-len(before.low)}) = {literal(before.low)}"
                self.question.conditions.append(Condition(sql, f"{column} ends with", (before.low,)))
        for at, length, match in list(self._found(_STARTS)):
            end = at
            while end and self._low(end - 1) in _FILLERS:
                end -= 1
            mention, value = self._mention_before(end), at + length
            if mention is None and end:  # "queries ending in .com"
                role, column = self.columns.phrases.get((singular(self._low(end - 1)),), ("", None))
                mention = Mention(end - 1, 1, self.tokens[end - 1].text, role, column)
            if mention is None or not mention.column or value >= len(self.tokens) or self.tokens[value].used:
                continue
            text = self.tokens[value].text.lower()
            is_end = match[0].startswith("end")
            part = f"{-len(text)}" if is_end else f"1, {len(text)}"
            sql = f"substr(lower({quoted(mention.column)}), {part}) = {literal(text)}"
            is_not = "not" in {self._low(each) for each in range(end, at)}
            verb = "end" if is_end else "begin"
            told = f"{mention.column} {f'does not {verb}' if is_not else f'{verb}s'} with"
            self.question.conditions.append(
                Condition(f"NOT coalesce({sql}, 0)" if is_not else sql, told, (self.tokens[value].text,))
            )
            self._use(end, value + 1 - end)
            if self._low(mention.at - 1) in _WITHIN:
                self._use(mention.at, mention.length)

    def _alternatives(self, fixed: int) -> None:
        """ "failures or more than 5 MB": two conditions, one of which is enough; more are not understood."""
        conditions = self.question.conditions
        alike = [{value.lower() for value in each.values} for each in conditions]
        free = [
            token
            for at, token in enumerate(self.tokens)
            if token.low == "or"
            and not token.used
            and not any({self._low(at - 1), self._low(at + 1)} <= of for of in alike)
        ]
        chosen = conditions[fixed:]
        if not free or len({each.told for each in chosen}) < 2:
            return
        if len(free) == 1 and len(chosen) == 2:
            told = " or ".join(f"{each.told} {' or '.join(each.values)}".strip() for each in chosen)
            conditions[fixed:] = [Condition(" OR ".join(f"({each.sql})" for each in chosen), told)]
        else:
            self.question.unread.append("or")

    def _ports(self) -> None:
        """ "blocked rdp": where no value of the log is that, the port that stands for it."""
        column = self.columns.role("destination port")
        for at, token in enumerate(self.tokens):
            if column and token.kind == "word" and not token.used and (port := _PORTS.get(token.low)):
                is_not = self._is_negated(at)
                token.used = True
                sql = equals(column, [port])
                told = f"{column} is {'not' if is_not else ''}".strip()
                self.question.conditions.append(Condition(f"NOT coalesce({sql}, 0)" if is_not else sql, told, (port,)))

    def _words(self) -> None:
        """Words that are nothing else, where the log's texts hold them."""
        self._ports()
        free = [
            (at, token)
            for at, token in enumerate(self.tokens)
            if token.kind == "word" and not token.used and len(token.text) > 2 and token.low not in w.ENGLISH
        ][:4]
        names = list(dict.fromkeys(name for role in _SEARCHED if (name := self.columns.role(role))))[:5]
        names = [name for name in names if not self.columns.is_numeric(name)]
        if not free or not names:
            return
        asked = [(at, text, name) for at, token in free for text in _forms(token.low) for name in names]
        tests = ", ".join(f"max(instr(lower({quoted(name)}), {literal(text)}) > 0)" for _, text, name in asked)
        row = self.columns.db.execute(f"SELECT {tests} FROM log").fetchone()  # noqa: S608  # quoted
        held = [each for each, is_there in zip(asked, row, strict=True) if is_there]
        for at, token in free:
            text = next((text for place, text, _ in held if place == at), None)
            if text is not None:
                within = [name for place, form, name in held if place == at and form == text]
                token.used = True
                self.question.conditions.append(self._holding_one_of(within, [text], is_not=self._is_negated(at)))


def _forms(word: str) -> list[str]:
    return list(dict.fromkeys([word, singular(word)]))
