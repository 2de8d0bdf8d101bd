"""Which attachment, which member of an archive a prompt is about, and questions that fit nothing that is attached."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached
from secgemini_jupyter.local_server.analyst.tools.archive_list import ArchiveArguments, archive_list
from secgemini_jupyter.local_server.analyst.within import archive_of, members_of

FILES = (
    Attached("sample.exe", "executable/pe", 3_072),
    Attached("bbva.eml", "email", 5_739),
    Attached("fw.csv", "log/csv", 57_077),
    Attached("secure.log", "log/syslog", 8_619, has_logins=True),
    Attached("invoice.docx", "document/ooxml", 11_802),
)
LOG = "time,src_ip,action\n" + "".join(
    f"2026-11-29 00:00:{n:02},10.0.0.{n % 3},{'DENY' if n % 4 == 0 else 'ALLOW'}\n" for n in range(20)
)
MAIL = """From: Ann <ann@bank.example>
To: bob@corp.example
Subject: Your invoice
Date: Mon, 10 Oct 2022 20:11:32 +0000
Message-ID: <1@bank.example>

Pay now.
"""


def packed(*members: tuple[str, str]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


CASE = packed(("logs/fw.csv", LOG), ("mail/note.eml", MAIL), ("readme.txt", "Handle with care."))


def planned(prompt: str, *files: Attached) -> list[tuple[str, Any]]:
    return [(call.tool, call.arguments.get("file")) for call in make_plan(request_of(prompt, files)).calls]


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("sha256 of all files", [("hash_file", each.name) for each in FILES]),
        ("md5 of fw.csv and invoice.docx", [("hash_file", "fw.csv"), ("hash_file", "invoice.docx")]),
        ("is the docx dangerous", [("file_triage", "invoice.docx")]),
        ("who sent this mail?", [("email_analyze", "bbva.eml")]),
        ("how many denied in the csv?", [("log_question", "fw.csv")]),
    ],
)  # fmt: skip
def test_only_what_is_meant_is_looked_at(prompt: str, calls: list[tuple[str, str]]) -> None:
    assert planned(prompt, *FILES) == calls


@pytest.mark.parametrize(
    ("prompt", "kind", "calls"),
    [
        ("sha256 of everything", "executable/pe", ["hash_file"]),
        ("md5 of the executables", "log/zeek", ["log_sql"]),
        ("duplicates by md5?", "log/zeek", ["log_question"]),
        ("md5 of the log", "log/zeek", ["hash_file"]),
        ("failed publickey logins of alice on web01 this week", "log/jsonl", ["log_question"]),
        ("import it as data", "log/jsonl", ["data_import"]),
        ("import kev.json", "log/csv", []),
        ("list your tools", "log/csv", []),
        ("what can you do with logs?", "log/csv", []),
    ],
)
def test_a_tool_that_answers_is_left_alone(prompt: str, kind: str, calls: list[str]) -> None:
    assert [tool for tool, _ in planned(prompt, Attached("x.dat", kind, 10))] == calls


@pytest.mark.parametrize(
    ("prompt", "files"),
    [("import epss.csv and nvd.json please", ["epss.csv", "nvd.json"]), ("please load the epss file", ["epss.csv"])],
)
def test_an_import_takes_the_files_that_are_named(prompt: str, files: list[str]) -> None:
    there = [Attached(name, "log/jsonl", 10) for name in ("epss.csv", "nvd.json", "kev.json")]
    assert planned(prompt, *there) == [("data_import", name) for name in files]
    assert request_of(prompt, there).wish.is_plain


@pytest.mark.parametrize("prompt", ["how many failed logins on the mail server?", "top users in the log table"])
def test_a_server_of_mail_is_no_mail(prompt: str) -> None:
    assert {file for _, file in planned(prompt, *FILES)} >= {"fw.csv", "secure.log"}


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("how many attachments do I have here", "**5 files** attached"),
        ("what files are attached?", "- `bbva.eml`: an e-mail, 5,739 bytes"),
        ("which of these is an executable", "**1 of 5** attachments is a program: `sample.exe` (`executable/pe`)"),
        ("Which of the files are logs?", "**2 of 5** attachments are a log: `fw.csv` (`log/csv`), `secure.log`"),
        ("which of these is a PDF?", "None of the 5 attachments is a PDF document"),
    ],
)
def test_what_is_attached_is_known_without_a_tool(prompt: str, told: str) -> None:
    plan = make_plan(request_of(prompt, FILES))
    assert not plan.calls
    assert told in plan.told


@pytest.mark.parametrize(
    ("prompt", "kind", "told"),
    [
        ("how many failed logins?", "executable/pe", "a question about a log, and none is attached: `it` is a program"),
        ("who sent this mail", "executable/pe", "about an e-mail"),
        ("top ips by bytes", "executable/pe", "about a log"),
        ("is this signed?", "log/csv", "about a file that can be signed"),
        ("what macros does this have", "log/csv", "about a document"),
        ("any sub-techniques in here?", "log/csv", "No tool here maps"),
        ("how many failed logins in this PDF?", "document/pdf", "`it` is a document (`pdf`)"),
    ],
)
def test_a_question_that_does_not_fit_is_told_so(prompt: str, kind: str, told: str) -> None:
    plan = make_plan(request_of(prompt, [Attached("it", kind, 10)]))
    assert not plan.calls
    assert told in plan.told


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("how many failed logins?", "log/syslog"),
        ("is it signed?", "executable/pe"),
        ("macros?", "document/ole"),
        ("who sent it?", "email"),
        ("Phish?", "executable/pe"),
        ("what is this?", "log/csv"),
    ],
)
def test_one_that_fits_is_answered(prompt: str, kind: str) -> None:
    plan = make_plan(request_of(prompt, [Attached("it", kind, 10)]))
    assert plan.calls
    assert not plan.told


@pytest.mark.parametrize(
    ("prompt", "tool", "member"),
    [
        ("how many denied in fw.csv", "log_question", ["logs/fw.csv"]),
        ("top src_ip in logs/fw.csv in there", "log_question", ["logs/fw.csv"]),
        ("how many were denied?", "log_question", ["logs/fw.csv"]),
        ("what does readme.txt say", "read_text", ["readme.txt"]),
        ("any e-mails inside? who sent it", "email_analyze", ["mail/note.eml"]),
        ("the mail, what is it", "email_analyze", ["mail/note.eml"]),
        ("sha256 of note.eml", "hash_file", ["mail/note.eml"]),
        ("How many files are in it?", "archive_list", None),
        ("is fw.csv encrypted?", "archive_list", None),
    ],
)
def test_a_question_goes_to_the_member_it_is_about(prompt: str, tool: str, member: list[str] | None) -> None:
    whole = Attached("case.zip", "archive/zip", len(CASE))
    if archive_of(request_of(prompt, [whole])):
        listing = archive_list(ArchiveArguments(file="case.zip"), {"case.zip": CASE})
        whole = Attached("case.zip", "archive/zip", len(CASE), parts=members_of(listing))
    (call,) = make_plan(request_of(prompt, [whole])).calls
    assert call.tool == tool
    assert call.arguments.get("member") == member


@pytest.mark.anyio
async def test_it_in_a_follow_up_is_the_member(talk: Any) -> None:
    prompts = ("how many denied in fw.csv", "the mail, who sent it?", "sha256 of it?")
    named, said, hashed = await talk(*prompts, files={"case.zip": CASE})
    assert named.answer.startswith("**5** rows where `action` is `DENY`")
    assert "`ann@bank.example`" in said.answer.partition("\n")[0]
    assert "(`case.zip › mail/note.eml`," in hashed.answer


@pytest.mark.anyio
async def test_the_kinds_are_told_whatever_was_asked_before(talk: Any) -> None:
    files = {"a.csv": LOG.encode(), "b.eml": MAIL.encode()}
    _, turn = await talk("sha256 of all files", "which of these is a log?", files=files)
    assert turn.answer.startswith("**1 of 2** attachments is a log: `a.csv`")


@pytest.mark.anyio
async def test_what_a_log_was_asked_about_is_it(talk: Any) -> None:
    _, turn = await talk("how many rows of 10.0.0.1?", "what actions did it have?", files={"fw.csv": LOG.encode()})
    assert "where `src_ip` is `10.0.0.1`" in turn.answer


@pytest.mark.anyio
async def test_an_attached_archive_is_looked_into(talk: Any) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@bank.example", "b@corp.example", "Invoice"
    message["Message-ID"], message["Date"] = "<1@bank.example>", "Mon, 10 Oct 2022 20:11:32 +0000"
    message.set_content("See it.")
    message.add_attachment(packed(("Invoice.exe", "MZ")), "application", "zip", filename="Invoice.zip")
    whole, inside = await talk("Phish?", "what's in the zip?", files={"m.eml": message.as_bytes()})
    assert "Invoice.exe" in whole.answer
    assert inside.answer.startswith("`m.eml › Invoice.zip` is a zip archive")


@pytest.mark.anyio
async def test_it_in_a_first_question_is_what_is_attached(ask: Any) -> None:
    turn = await ask("the mail, what is it", {"case.zip": CASE})
    assert "`ann@bank.example`" in turn.answer
