"""Outcomes in a question: failed, succeeded, blocked, allowed, errors, logins."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import EACH_LOGIN, Condition
from secgemini_jupyter.local_server.analyst.logs.scan import Scan

_LOGGED = frozenset("logged signed log in on sign authenticated authenticate password passwords logging".split())


class Outcomes(Scan):
    def _outcomes(self) -> None:
        question, columns = self.question, self.columns
        text = " ".join(token.low for token in self.tokens if not (token.used or token.is_literal))
        of_login = (
            question.is_login
            or question.has(w.LOGIN_NOUNS)
            or re.search(
                r"\b(?:logg?(?:ed|ing)?|sign(?:ed|ing)?)[ -]?(?:in|on)\b|\bauthenticated?\b|\bpasswords?\b", text
            )
        )
        failed, succeeded = question.has(w.FAILED), question.has(w.SUCCEEDED)
        past = re.search(r"\b(?:logg?ed|signed)[ -]?(?:in|on)\b|\bauthenticated\b|\blog(?:s)? in\b", text)
        for words, stem, kind in (
            (w.BLOCKED, "block", "failure"),
            (w.ALLOWED, "allow", "success"),
            (w.ERRORS, "error", "failure"),
        ):
            if not question.has(words) or not any(token.low in words and not token.used for token in self.tokens):
                continue
            is_code = words is w.ERRORS and any(
                "status" in each.sql or "code" in each.sql for each in question.conditions
            )
            found = None if is_code else columns.family(words, stem)
            # What an event's number says, and no word of it, is no such outcome.
            is_numbered = any(each.told.startswith("EventID") for each in question.conditions)
            is_said = words is not w.ALLOWED or of_login or question.has(frozenset({"accepted", "accept"}))
            if found is None and not (is_code or is_numbered) and is_said:
                found = columns.outcome(kind, of_login=bool(of_login))
            if found:
                question.conditions.append(self._maybe_not(found, words))
            if found or is_code:
                question.take(words)
        not_login = any(token.low in w.LOGIN_NOUNS and self._is_negated(at) for at, token in enumerate(self.tokens))
        if of_login:
            question.take(w.LOGIN_NOUNS | _LOGGED)
        never = r"\b(?:but|and|yet)\b.{0,12}\bnever\b|\bnever\b.{0,40}\b(?:but|and|yet)\b"
        then = r"\bfailed\b(?! to\b).*\b(?:and|then|but|before)\b.*\blogged[ -]?(?:in|on)\b"
        if failed and (succeeded or (past and re.search(rf"{never}|{then}", text))):
            question.both_outcomes = columns.outcome("failure", of_login=bool(of_login)) is not None
            if question.both_outcomes:
                question.take(w.FAILED | w.SUCCEEDED)
        elif failed or succeeded or past:
            words = w.FAILED if failed else w.SUCCEEDED
            if found := columns.outcome("failure" if failed else "success", of_login=bool(of_login)):
                question.conditions.append(self._maybe_not(found, words))
                question.take(words)
            elif of_login and not past:
                question.missing.append("logins")
        if not of_login:
            return
        is_told = (
            failed
            or succeeded
            or past
            or (
                columns.has("login_kind") and any(each.told.startswith("login_kind is") for each in question.conditions)
            )
        )
        about = columns.about_login()
        if about is None:
            question.missing += ["logins"] * ("logins" not in question.missing)
        elif about is EACH_LOGIN or about.sql == "1" or any("logon" in each.told for each in question.conditions):
            return
        elif not_login:
            question.conditions.append(_not(about))
        elif not (columns.has("login_kind") and is_told):
            question.conditions.append(about)

    def _maybe_not(self, condition: Condition, words: frozenset[str]) -> Condition:
        at = next((at for at, token in enumerate(self.tokens) if token.low in words), 0)
        if self._low(at - 1) in w.NOT | {"not"}:
            self._use(at - 1)
            return _not(condition)
        return condition


def _not(condition: Condition) -> Condition:
    return Condition(f"NOT coalesce({condition.sql}, 0)", re.sub(r" is$", " is not", condition.told), condition.values)
