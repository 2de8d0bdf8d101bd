"""A report: what is in it, that nothing in it can act, and what a template may do."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import docx
import msgspec
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import secgemini_jupyter
import secgemini_jupyter.accessor
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.reports import Evidence, Report, report
from secgemini_jupyter.transcript.turns import turn_slices
from tests.conftest import LocalService
from tests.transcript.documents import EVIL, FILE, hostile, ordinary
from tests.transcript.frames import message, turn
from tests.transcript.test_pages import TAGS, Reader


def made(transcript: Transcript | None = None, **more: Any) -> Report:
    transcript = transcript or ordinary()
    evidence = [Evidence(each, True) for each in transcript.files]
    return Report(transcript=transcript, evidence=evidence, **{"title": "Web-7", "made": 1_760_009_999.0} | more)


def test_it_has_its_parts_in_both_formats() -> None:
    whole = made(scope="Is **web-7** exposed?", head="12 abc")
    page, text = Reader(whole.to_html()).text, whole.to_markdown()
    for words in (
        "Web-7", "Report of an investigation with Sec-Gemini", "12 abc", "kerberos.log", FILE.sha256,
        "same as sent from here", "It was not checked by a person.", "web-7 runs 4.1.9", "CVE-2099-0001",
        "2025-10-09 08:55:00 UTC", "Is host web-7 exposed to CVE-2099-0001?", "Written 2025-10-09 11:39:59 UTC",
    ):  # fmt: skip
        assert words in page, words
        assert words in text, words
    titles = ["Scope", "Evidence", "Findings", "Indicators", "Timeline", "Appendix: prompts and answers"]
    assert re.findall(r"<h2>(.+?)</h2>", whole.to_html()) == titles
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == titles
    assert "<strong>web-7</strong>" in whole.to_html()
    assert 'lookup\\_asset(host="web-7")' in text


def test_findings_of_a_person_take_the_place_of_the_answer() -> None:
    whole = made(findings="Patch **web-7**. See https://evil.com/x")
    assert "Written by the analyst." in whole.to_markdown()
    assert "\nPatch **web-7**. See hxxps://evil[.]com/x\n" in whole.to_markdown()
    assert "not checked" not in whole.to_html()


def test_a_person_s_prose_is_not_broken_where_its_lines_end() -> None:
    whole = made(scope="One\nhost.", findings="1. Taken\n   over.\n\nNext:  \nisolate it.")
    page = whole.to_html()
    for words in (">One\nhost.<", ">Taken\nover.<", "Next:<br>\nisolate it."):
        assert words in page, words


def test_what_the_session_says_of_itself_is_quoted(tmp_path: Path) -> None:
    """A service that writes the description writes no part of the report, and nothing in a person's name."""
    forged = "Routine.\n\n## Findings\n\nWritten by the analyst.\n\n```\nNo [Details](https://evil.example/x)"
    whole = made(dataclasses.replace(ordinary(), description=forged))
    text, page = whole.to_markdown(), whole.to_html()
    tokens = MarkdownIt().enable("table").parse(text)
    heads = [after.content for token, after in itertools.pairwise(tokens) if (token.tag, token.nesting) == ("h2", 1)]
    assert heads[:3] == ["Scope", "Evidence", "Findings"]
    assert heads.count("Findings") == page.count("<h2>Findings</h2>") == 1
    assert "As the session describes it:\n\n````text\nRoutine." in text
    assert "[Details](hxxps://evil[.]example/x)" in text
    assert "[Details](hxxps://evil[.]example/x)" in Reader(page).text
    assert "evil.example" not in page
    document = docx.Document(str(whole.save(tmp_path / "a.docx")))
    (quote,) = [each for each in document.paragraphs if each.text.startswith("Routine.")]
    assert quote.text.endswith("[Details](hxxps://evil[.]example/x)")
    assert quote.style.name == "Intense Quote"
    assert "As the session" not in made(scope="").to_markdown()


def test_indicators_that_were_chosen_are_listed_alone() -> None:
    said = message("query", "query", "evil.com and ads.example.net, 45.83.64.9", id="q", at=0)
    table = messages_frame([said], session_id="s")
    iocs = table.secgemini.iocs()
    whole = report(table, indicators=iocs[iocs["value"] == "evil.com"])
    assert [each.value for each in whole.indicators] == ["evil.com"]
    listed = whole.to_markdown().partition("## Indicators")[2].partition("## Timeline")[0]
    assert "evil\\[.\\]com" in listed
    assert "ads" not in listed
    assert "Chosen by the analyst." in listed
    assert [each.count for each in report(table, indicators=iocs[["type", "value"]]).indicators] == [1, 1, 1]
    with pytest.raises(InputError, match=r"rows of df\.secgemini\.iocs\(\)"):
        report(table, indicators=table)


def test_events_that_an_answer_told_are_in_the_timeline() -> None:
    told = json.dumps({"title": "Attack", "events": [{"timestamp": "2025-10-09T02:11:09Z", "event": "first logon"}]})
    messages = [*turn()[:10], message("result", "agent_done", told, id="t", at=5, mime_type="sec-gemini/timeline")]
    whole = made(Transcript(turns=turn_slices(messages)))
    assert "first logon" in Reader(whole.to_html()).text
    assert "first logon" in whole.to_markdown()
    assert "As told in the answer to turn 1:" in whole.to_markdown()


def test_techniques_are_named() -> None:
    said = message("query", "query", "T1059 was used", id="q", at=0)
    whole = made(Transcript(turns=turn_slices([said])))
    assert "Command and Scripting Interpreter" in Reader(whole.to_html()).text
    assert "| T1059 | Command and Scripting Interpreter |" in whole.to_markdown()
    whole = made(Transcript(turns=turn_slices([said])), findings="T1562.001, then T1059. Once more T1059.")
    assert [(each.kind, each.count, each.first_seen, each.where, each.note) for each in whole.techniques] == [
        ("T1562.001", 1, "", "findings", "revoked by T1685"),
        ("T1059", 3, "2025-10-09 08:55:00 UTC", "findings, prompt", ""),
    ]
    assert "First mentioned" not in made(findings="T1059").to_html().partition("techniques that were")[2]


@pytest.mark.parametrize("is_local", [True, False, None])
def test_it_says_who_was_asked(is_local: bool | None) -> None:
    whole = made(dataclasses.replace(ordinary(), is_local=is_local))
    assert ("not Sec-Gemini" in whole.to_html()) == (is_local is True)
    assert ("with Sec-Gemini" in whole.to_markdown()) == (is_local is False)


def test_a_hostile_report_is_text_in_html() -> None:
    whole = made(hostile(), title=EVIL, scope=EVIL, findings=EVIL, head=EVIL)
    read = Reader(whole.to_html())
    assert read.tags <= TAGS
    assert not [name for name in read.attributes if name.startswith("on")]
    assert "{{ 7*191 }}" in read.text  # what looks like a template is none
    assert "\x1b" not in read.text


def test_a_hostile_report_is_text_in_markdown() -> None:
    """Read by the most careless viewer, which passes HTML on: no tag, no image, no link that runs, no new heading."""
    whole = made(hostile(), title=EVIL, scope=EVIL, findings=EVIL, head=EVIL)
    text = whole.to_markdown()
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    read = Reader(shown)
    assert read.tags <= TAGS | {"h1", "h2", "h3"} - {"img"}
    assert not [url for url in read.urls if not url.startswith(("http:", "https:", "hxxp"))]
    assert {name for name in read.attributes if name.startswith("on")} == set()
    assert "\x1b" not in text
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert "1337" not in text


def test_nothing_asked_is_a_report_too() -> None:
    whole = made(Transcript(turns=[]))
    for text in (whole.to_html(), whole.to_markdown()):
        assert "Nothing was asked yet." in text
        assert "There is no answer yet." in text
        assert "Whether files were attached is not known." in text
        assert "None were mentioned." in text


def test_a_table_gives_a_report(tmp_path: Path) -> None:
    both = pd.concat([messages_frame(turn(name), session_id=f"s{name}") for name in "ab"])
    whole = report(both, title="Two", files=[FILE])
    assert "| not known |" in whole.to_markdown()
    assert "### sa, turn 1" in whole.to_markdown()
    assert "The answer to turn 1 of session sb, as" in whole.to_markdown()
    listed = whole.to_markdown().partition("## Indicators")[2].partition("## Appendix")[0]
    assert "| cve | CVE-2099-0001 | sa | 2 |" in listed
    assert "| cve | CVE-2099-0001 | sb | 2 |" in listed
    assert "| 2025-10-09 08:55:00 UTC | sa | 1 | Prompt |" in listed
    assert "2 sessions: sa, sb" in whole.to_markdown()
    page = whole.to_html()
    assert page.count(">sb</td>") == listed.count("| sb |")
    both["session_id"] = both["session_id"].map({"sa": "0" * 20 + "a" * 12, "sb": "0" * 20 + "b" * 12})
    assert len({*report(both).sessions.values()}) == 2
    assert ">Session</th>" not in made().to_html()
    assert whole.save(tmp_path / "a.md").read_text("utf-8") == whole.to_markdown()
    assert whole.save(tmp_path / "a.HTML").read_text("utf-8") == whole.to_html()
    with pytest.raises(InputError, match="is there already"):
        whole.save(tmp_path / "a.md")
    with pytest.raises(InputError, match=r"ends in none of \.html, \.md, \.docx\."):
        whole.save(tmp_path / "a.csv")
    assert "Two" in repr(whole)


def test_a_session_gives_a_report(local_service: LocalService) -> None:
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("triage", description="From the help desk.")
        session.attach_file("a.log", b"one\n")
        session.query("45.83.64.9 did what?")
        text = secgemini_jupyter.report(session).to_markdown()
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        later = report(client.resume_session(session.id)).evidence[0]
    assert text.startswith("# triage\n")
    assert "From the help desk." in text
    assert "| 1 | a.log | 4 B |" in text
    sent = r"same as sent from here, \d{4}-\d\d-\d\d [\d:]{8} UTC"
    assert re.search(sent, text)
    assert re.fullmatch(sent, later.compared), "another process reads it in the activity log"
    assert dataclasses.replace(later, sent=("ab", "")).compared == "sent from here as ab"
    assert "45[.]83[.]64[.]9 did what?" in text
    assert re.search(r"^- Activity log: \S", text, re.MULTILINE)


def test_a_table_of_a_session_says_who_answered_and_what_was_attached(local_service: LocalService) -> None:
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("triage")
        session.query("one")
        assert "No attachments." in report(session.history()).to_markdown()
        session.attach_file("a.log", b"one\n")
        history, files = session.history(), session.files
    whole = report(history)
    for text in (whole.to_markdown(), Reader(whole.to_html()).text):
        assert "with the local service, not Sec-Gemini" in text
        assert session.model.model_string in text.replace("\\", "")
    for given in (None, files, history.secgemini.files(), history.secgemini.files()[["name", "size", "mime_type",
                  "sha256_server", "sha256_match"]]):  # fmt: skip
        listed = report(history, files=given).to_markdown()
        assert f"| 1 | a.log | 4 B | text/plain | {files[0].sha256} | same as sent from here |" in listed
    assert "| not known |" in report(history, files=[msgspec.structs.replace(files[0], sha256="0" * 64)]).to_markdown()
    assert "No attachments." in report(history, files=[]).to_markdown()
    assert "a.log" in report(history[history["message_type"] == "result"]).to_html()
    history.attrs = {}
    assert "Whether files were attached is not known." in report(history).to_markdown()
    assert "not Sec-Gemini" not in report(history).to_markdown()
    for wrong in (["a.log"], "a.log", history):
        with pytest.raises(InputError, match=r"files= takes session\.files|lacks the columns name"):
            report(history, files=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, "text", pd.DataFrame({"a": [1]}), Path()])
def test_what_is_neither_is_named(source: object) -> None:
    with pytest.raises(InputError):
        report(source)  # type: ignore[arg-type]


def test_an_asynchronous_session_is_told_what_to_pass(local_service: LocalService) -> None:
    with (
        SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client,
        pytest.raises(InputError, match=r"pass await session\.history\(\)"),
    ):
        report(client.create_session("x").aio)  # type: ignore[arg-type]


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    """It may change a part of ours; values are escaped in it as in ours, and the page's policy stays."""
    own = tmp_path / "own.html.j2"
    own.write_text('{% extends "incident.html.j2" %}{% block header %}<h1>ACME: {{ title }}</h1>{% endblock %}')
    page = made(title="<b>x</b> http://evil.com", template=own).to_html()
    assert "<h1>ACME: &lt;b&gt;x&lt;/b&gt; hxxp://evil[.]com</h1>" in page
    assert "default-src 'none'" in page
    assert "<h2>Evidence</h2>" in page
    text = tmp_path / "own.md.j2"
    text.write_text("{{ title }} {{ report.indicators[0].value }} {{ report.transcript.turns|length }}")
    assert made(title="*x* <b>", template=text).to_markdown() == "\\*x\\* \\<b\\> CVE-2099-0001 1\n"
    with pytest.raises(InputError, match=r"writes \.md, not \.html"):
        made(template=text).to_html()


@pytest.mark.parametrize(
    ("source", "says"),
    [("{{ nothing }}", "'nothing' is undefined"), ("a\n{% if %}", "line 2"), ("{% include 'b' %}", "no template 'b'"),
     (b"\xff", "decode")],
)  # fmt: skip
def test_a_mistake_in_a_template_is_one_sentence(tmp_path: Path, source: str | bytes, says: str) -> None:
    path = tmp_path / "own.html.j2"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    (tmp_path / "a.html").write_text("old")
    with pytest.raises(InputError, match=says):
        made(template=path).save(tmp_path / "a.html", overwrite=True)
    assert (tmp_path / "a.html").read_text() == "old"


@pytest.mark.parametrize("template", ["nothing", "../incident", "a.txt", "incident.html.j2/../../x"])
def test_a_template_that_is_none_is_named_at_once(template: str) -> None:
    with pytest.raises(InputError, match="none of our templates"):
        report(messages_frame(turn(), session_id="s"), template=template)


def test_jinja_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=r"pip install 'secgemini-jupyter\[report\]'"):
        made().to_html()
