"""What a log row says about a login, a change of user, or a new account.

Only what is outside the user's control counts: the source of an sshd line is taken where sshd wrote it,
not where a hostile user name imitates it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.formats import Log, Row
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.times import epoch


@dataclass(frozen=True, slots=True)
class Login:
    """One event.

    Attributes:
        kind: success, failure (a login attempt that was turned down), refused (turned away before or beside
            one: an unknown or forbidden user, PAM's own line, too many attempts), sudo, sudo_refused, su, su_failed,
            new_user, new_group_member, password_change, session.
        method: password, publickey, kerberos AS, …
        detail: the reason or command, as the log has it.
        when: Unix seconds, or None where the log names no year.
    """

    kind: str
    user: str = ""
    source: str = ""
    method: str = ""
    detail: str = ""
    when: float | None = None
    written: str = ""


KINDS = frozenset(
    "success failure refused sudo sudo_refused su su_failed new_user new_group_member password_change session".split()
)
_SSHD = re.compile(
    r"(?:\[ID \d+ [\w.]+\] )?(?P<verb>Accepted|Failed) (?P<method>\S{1,64}) for (?:(?:invalid|illegal) user )?"
    r"(?P<user>.{0,1024}?) ?from (?P<source>[^\s:][^\s]{0,254}?)(?: port \d{1,5})?(?: ssh\d)?(?=$|: | \[preauth\])"
)
_SSHD_REFUSED = [
    (
        "unknown user",
        re.compile(r"(?:Invalid|Illegal) user (?P<user>.{0,512}?) from (?P<source>\S{1,255})(?: port \d+)?$"),
    ),
    (
        "PAM",
        re.compile(
            r"(?:error: )?PAM: .{0,80}? for (?:illegal user |invalid user )?(?P<user>\S{0,256}) "
            r"from (?P<source>\S{1,255})",
            re.IGNORECASE,
        ),
    ),
    ("not allowed", re.compile(r"User (?P<user>.{1,256}?)(?: from (?P<source>\S{1,255}))? not allowed because .+$")),
    ("root refused", re.compile(r"(?P<user>ROOT) LOGIN REFUSED FROM (?P<source>\S{1,255})")),
    (
        "too many attempts",
        re.compile(
            r"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.{0,256}?) "
            r"from (?P<source>\S{1,255}) port \d+"
        ),
    ),
]
_PAM = re.compile(r"\bpam_\w{1,64}\((?P<service>[\w.:-]{1,64}):auth\): authentication failure;(?P<rest>.*)")
_PAM_SESSION = re.compile(r"\bpam_\w{1,64}\([\w.-]{1,64}:session\): session opened for user (?P<user>[^\s(]{1,256})")
_PAM_PASSWORD = re.compile(r"\bpam_\w{1,64}\([\w.-]{1,64}:chauthtok\): password changed for (?P<user>\S{1,256})")
# Atomic groups: the first `USER=` and `COMMAND=` count, so that a line full of them costs no more than another one.
_SUDO = re.compile(
    r"\s*(?P<user>\S{1,256}) : (?P<what>(?:(?!TTY=).){0,512})TTY=(?>.*? ; USER=)(?P<target>\S{1,256}) ; "
    r"(?>.*?COMMAND=)(?P<command>.*)"
)
_SU = [
    (
        "su",
        re.compile(
            r"(?:Successful su for (?P<target>\S+) by (?P<user>\S+)|\(to (?P<target2>\S+)\) (?P<user2>\S+) on )"
        ),
    ),
    ("su_failed", re.compile(r"FAILED (?:su for|SU \(to) (?P<target>[^\s)]+)\)? (?:by )?(?P<user>\S+)")),
]
_NEW_USER = re.compile(r"new user: name=(?P<user>[^\s,]{1,256})(?P<rest>.*)")
_NEW_MEMBER = re.compile(r"add '(?P<user>[^']{1,256})' to (?:shadow )?group '(?P<group>[^']{1,256})'")


def from_message(program: str, message: str) -> Login | None:
    """The event of a syslog line, by the program that wrote it."""
    message = message[:4096]
    if program.startswith("sshd"):
        return _from_sshd(message)
    if program == "sudo" and (match := _SUDO.match(message)):
        refused = "not in sudoers" in match["what"].lower() or "incorrect password" in match["what"]
        detail = f"{match['target']}: {match['command']}" + (f" ({match['what'].strip(' ;')})" if refused else "")
        return Login("sudo_refused" if refused else "sudo", match["user"], detail=detail, method="sudo")
    if program == "su":
        for kind, pattern in reversed(_SU):
            if match := pattern.search(message):
                found = {**match.groupdict()}
                return Login(
                    kind, found.get("user") or found.get("user2") or "", method="su",
                    detail=f"to {found.get('target') or found.get('target2')}",
                )  # fmt: skip
    if program in ("useradd", "adduser") and (match := _NEW_USER.search(message)):
        return Login("new_user", match["user"], detail=match["rest"].strip(" ,"))
    if program in ("useradd", "usermod", "gpasswd", "groupadd") and (match := _NEW_MEMBER.search(message)):
        return Login("new_group_member", match["user"], detail=match["group"])
    return _from_pam(message)


def _from_sshd(message: str) -> Login | None:
    if match := _SSHD.match(message):
        kind = "success" if match["verb"] == "Accepted" else "failure"
        return Login(kind, match["user"].strip(), match["source"], match["method"])
    for reason, pattern in _SSHD_REFUSED:
        if match := pattern.match(message):
            return Login("refused", match["user"].strip(), match["source"] or "", "ssh", reason)
    return _from_pam(message)


def _from_pam(message: str) -> Login | None:
    if match := _PAM.search(message):
        values = dict(re.findall(r"\b(\w{1,64})=(\S*)", match["rest"]))
        user = values.get("user") or values.get("ruser", "")
        return Login("refused", user, values.get("rhost", ""), match["service"], "PAM")
    if match := _PAM_SESSION.search(message):
        return Login("session", match["user"])
    if match := _PAM_PASSWORD.search(message):
        return Login("password_change", match["user"])
    return None


_USER_FIELDS = (
    "user", "username", "user_name", "userName", "account", "TargetUserName", "userPrincipalName", "UserPrincipalName",
    "user.name", "login", "principal", "client", "userIdentity.userName", "actor.alternateId",
)  # fmt: skip
_SOURCE_FIELDS = (
    "id.orig_h", "src_ip", "source_ip", "source.ip", "src", "ip", "ipAddress", "IpAddress", "client_ip", "remote_addr",
    "sourceIPAddress", "remote_ip", "rhost", "source", "host", "client.ipAddress",
)  # fmt: skip
_OUTCOME_FIELDS = (
    "success", "auth_success", "outcome", "event.outcome", "result", "status", "EventID", "event_id", "event",
    "responseElements.ConsoleLogin", "outcome.result",
)  # fmt: skip
_GENERAL = frozenset({"outcome", "result", "status", "event.outcome"})
"""Of them, those that any kind of event may have."""
_SUCCESS = frozenset(
    {"true", "success", "succeeded", "successful", "ok", "accepted", "allow", "4624", "login_success", "t"}
)
_FAILURE = frozenset(
    {"false", "failure", "failed", "fail", "denied", "rejected", "deny", "4625", "login_failed", "login_failure", "f"}
)


def from_record(row: Row) -> Login | None:
    """The event of a row with fields: Zeek's kerberos, ssh, ntlm and ftp logs, Windows events, or similar names."""
    if "request_type" in row and "client" in row and row.get("success") is not None:
        return Login(
            "success" if row["success"] in (True, "T", "true") else "failure",
            _principal(row), _first(row, _SOURCE_FIELDS), f"Kerberos {row['request_type'] or ''}".strip(),
            str(row.get("error_msg") or ""),
        )  # fmt: skip
    outcome = _outcome(row)
    user = _first(row, _USER_FIELDS)
    if outcome is None or not (user or "auth_success" in row):
        return None
    detail, method = _first(row, _DETAIL_FIELDS), _first(row, _METHOD_FIELDS)
    return Login(outcome, user, _first(row, _SOURCE_FIELDS), method, detail if outcome == "failure" else "")


_DETAIL_FIELDS = ("error_msg", "reason", "failure_reason", "error", "errorMessage", "status", "message")
_METHOD_FIELDS = ("auth_method", "method", "logon_type", "LogonType", "service", "mechanism")
_ACTION_FIELDS = (
    "event",
    "action",
    "eventName",
    "event.action",
    "event_type",
    "type",
    "category",
    "operation",
    "message",
)
_ABOUT_LOGIN_SQL = ("%log_n%", "%log__n%", "%sign%in%", "%auth%")
"""What `_ABOUT_LOGIN` finds is among what these find."""
_ABOUT_LOGIN = re.compile(r"log[-_ ]?[io]n|logon|sign[-_ ]?in|auth", re.IGNORECASE)


def _outcome(row: Row) -> str | None:
    about_login = any(_ABOUT_LOGIN.search(str(row.get(name) or "")[:200]) for name in _ACTION_FIELDS)
    for name in _OUTCOME_FIELDS:
        value = row.get(name)
        # A bare "status: ok" is any web request's; it takes a word about logging in beside it.
        if value is None or (name in _GENERAL and not about_login):
            continue
        text = str(value).strip().lower()
        if text in _SUCCESS or (name == "status" and text == "0x0"):
            return "success"
        if text in _FAILURE:
            return "failure"
    return None


def may_tell_sql(columns: Sequence[str]) -> str:
    """A condition that holds for every row of these columns that `from_record` reads an event from, and few others."""
    words = ",".join(f"'{word}'" for word in sorted(_SUCCESS | _FAILURE | {"1", "0", "0x0"}))
    present = [name for name in _OUTCOME_FIELDS if name in columns]
    told = {name: f"lower({quoted(name)}) IN ({words})" for name in present}
    about = [
        f"{quoted(name)} LIKE '{pattern}'" for name in _ACTION_FIELDS if name in columns for pattern in _ABOUT_LOGIN_SQL
    ]
    certain = [told[name] for name in present if name not in _GENERAL]
    general = [told[name] for name in present if name in _GENERAL]
    of_login = f"({' OR '.join(general) or '0'}) AND ({' OR '.join(about) or '0'})"
    return f"({' OR '.join([*certain, of_login])})"


TOLD_BY = frozenset(
    {*_USER_FIELDS, *_SOURCE_FIELDS, *_OUTCOME_FIELDS, *_ACTION_FIELDS, *_DETAIL_FIELDS, *_METHOD_FIELDS}
    | {"request_type", "client"}
)
"""Fields that `from_record` looks at."""


def _principal(row: Row) -> str:
    """The client of a Kerberos row without its realm, which one log spells in several ways."""
    return str(row.get("client") or "").partition("/")[0]


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "", "-")), "")


def reader(kind: str) -> Callable[[Row], Login | None]:
    """What reads the rows of a format."""
    if kind == "syslog":
        return lambda row: from_message(row["program"], row["message"])
    return from_record


def login_of(row: Row, read: Callable[[Row], Login | None], when: Any) -> Login | None:
    """The event of a row with its time; `when` is the value of the row's time field."""
    login = read(row)
    if login is None:
        return None
    known = epoch(when)
    return Login(
        login.kind, login.user, login.source, login.method, login.detail, known[0] if known else None, str(when or "")
    )


def has_logins(content: bytes, kind: str) -> bool:
    """Whether the first rows of a log tell of logins."""
    log = Log(content if kind == "evtx" else content.decode("utf-8-sig", "replace"), kind)
    read = reader(kind)
    return any(read(row) is not None for row in islice(log.rows(), 2_000))
