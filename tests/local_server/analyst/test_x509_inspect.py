"""x509_inspect, on the certificates of cryptography's own tests."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.certificates import CertificateArguments, x509_inspect
from tests.local_server.analyst.corpus import corpus

CERT = Attached("ca.pem", "x509", 100)


def folder() -> Path:
    return corpus("cryptography-vectors") / "x509"


def inspected(content: bytes | str, *focus: str) -> dict[str, Any]:
    data = (folder() / content).read_bytes() if isinstance(content, str) else content
    return x509_inspect(CertificateArguments(file="c", focus=list(focus)), {"c": data})


def only(content: bytes | str) -> dict[str, Any]:
    (each,) = inspected(content)["objects"]
    return dict(each)


def told(result: dict[str, Any], wish: Wish | None = None) -> str:
    return tools()["x509_inspect"].answer(result, wish or Wish())


def findings(content: bytes | str) -> str:
    return " ".join(f"{each['text']} {each['value']}" for each in only(content)["findings"])


def test_a_root_is_read_and_its_signature_checked() -> None:
    each = only("ecdsa_root.pem")
    assert each["subject"] == "CN=DigiCert Global Root G3, C=US, O=DigiCert Inc, OU=www.digicert.com"
    assert (each["not_before"], each["not_after"]) == ("2013-08-01T12:00:00Z", "2038-01-15T12:00:00Z")
    assert (each["signature_algorithm"], each["key"]) == ("ECDSA with SHA-384", "EC, P-384")
    assert (each["is_ca"], each["self_signed"], each["findings"]) == (True, True, [])
    assert each["sha1"] == "7e04de896a3e666d00e687d33ffad93be83d349e"
    assert "checked with its own key" in told(inspected("ecdsa_root.pem"))


def test_without_the_extra_a_self_signed_one_is_said_to_be_so_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = inspected("ecdsa_root.pem")
    assert result["objects"][0]["self_signed"] is None
    assert "by its names" in told(result)
    assert "extra `analyst`" in told(result)


def test_a_certificate_of_a_server() -> None:
    each = only("wildcard_san.pem")
    assert [name["value"] for name in each["names"]] == [
        "*.langui.sh", "langui.sh", "*.saseliminator.com", "saseliminator.com",
    ]  # fmt: skip
    assert each["extended_key_usage"] == ["client_auth", "server_auth"]
    assert (each["status"], each["same_names"]) == ("expired", False)
    text = findings("wildcard_san.pem")
    assert "has expired" in text
    assert "wildcard" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("verisign_md2_root.pem", "signed with MD2, which does not matter"),
        ("verisign_md2_root.pem", "key is short: 1024"),
        ("v1_cert.pem", "of version 1"),
        ("custom/negative_serial.pem", "serial number is negative"),
        ("custom/mismatch_inner_outer_sig_algorithm.der", "differently inside and outside"),
        ("custom/unsupported_extension_critical.pem", "critical extensions that are not known"),
        ("ee-pss-sha1-cert.pem", "signed with SHA1"),
        ("cryptography.io.precert.pem", "precertificate"),
    ],
)
def test_what_is_notable_is_told(name: str, text: str) -> None:
    assert text in findings(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ed25519/root-ed25519.pem", "Ed25519"),
        ("custom/rsa_pss_cert.pem", "RSA"),
        ("custom/dsa_selfsigned_ca.pem", "DSA, 2048 bits"),
        ("accvraiz1.pem", "RSA, 4096 bits"),
        ("e-trust.ru.der", "of an algorithm that is not known"),
    ],
)
def test_keys_of_every_kind_are_named(name: str, key: str) -> None:
    assert only(name)["key"].startswith(key)


def test_names_of_every_kind_are_listed() -> None:
    kinds = {name["type"] for name in only("custom/san_email_dns_ip_dirname_uri.pem")["names"]}
    assert {"DNS", "IP", "e-mail", "URI", "directory name"} <= kinds


def test_a_chain_is_checked_link_by_link() -> None:
    result = inspected("cryptography.io.chain.pem")
    assert result["chain"] == [{"from": 1, "to": 2, "names_fit": True, "signature": True}]
    assert "1 is issued by 2: the signature fits" in told(result)
    (timeline,) = tools()["x509_inspect"].payloads(result)
    assert [event["end"] for event in timeline.content["events"]] == ["2018-11-16T01:15:03Z", "2022-05-20T21:39:32Z"]
    alien = (folder() / "ecdsa_root.pem").read_bytes() + (folder() / "cryptography.io.pem").read_bytes()
    assert inspected(alien)["chain"][0]["names_fit"] is False


def test_transparency_proofs_are_seen() -> None:
    assert only("badssl-sct.pem")["has_scts"] is True
    assert only("cryptography.io.pem")["has_scts"] is False


def test_requests_revocation_lists_and_pkcs7_are_read() -> None:
    request = only("requests/san_rsa_sha1.pem")
    assert (request["kind"], [name["value"] for name in request["names"]]) == (
        "certificate request", ["cryptography.io", "sub.cryptography.io"],
    )  # fmt: skip
    revoked = only("custom/crl_all_reasons.pem")
    assert (revoked["kind"], revoked["revoked"]) == ("revocation list", 12)
    pkcs7 = (corpus("cryptography-vectors") / "pkcs7/amazon-roots.p7b").read_bytes()
    assert "CN=Amazon Root CA 3, C=US, O=Amazon" in [each["subject"] for each in inspected(pkcs7)["objects"]]


def test_a_private_key_is_named_and_never_repeated() -> None:
    secret = "c2VjcmV0IGtleSBieXRlcyBvZiBhIHRlc3Q="
    for label, state in (("RSA PRIVATE KEY", "not encrypted"), ("ENCRYPTED PRIVATE KEY", "encrypted")):
        result = inspected(f"-----BEGIN {label}-----\n{secret}\n-----END {label}-----\n".encode())
        assert secret not in json.dumps(result) + told(result)
        assert state in told(result)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hello", "neither PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "is missing"),
        (b"-----BEGIN CERTIFICATE-----\nM!!B\n-----END CERTIFICATE-----", "no base64"),
        (b"-----BEGIN CERTIFICATE-----\nMIIBA\n-----END CERTIFICATE-----", "cut or broken"),
        (b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----", "no certificate"),
        (b"\x30\x82\x01\x00", "no certificate"),
    ],
)
def test_what_is_broken_is_said_in_a_sentence(content: bytes, problem: str) -> None:
    with pytest.raises(ToolFailure, match=problem):
        inspected(content)


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Check this certificate", "**`CN=DigiCert Global Root G3"),
        ("When does it expire?", "It expires on **2038-01-15T12:00:00Z**"),
        ("Who issued it?", "Its issuer is `CN=DigiCert"),
        ("Is it self-signed?", "It is **self-signed**"),
        ("what's the key size?", "Its public key is `EC, P-384`"),
        ("fingerprint of ca.pem?", "Its fingerprints are SHA-256 `31ad6648"),
        ("which domains is the cert for?", "It has no subject alternative names"),
        ("serial number?", "Its serial number is `055556bcf"),
    ],
)
def test_what_is_asked_comes_first(question: str, first: str) -> None:
    (call,) = plan_for(request_of(question, [CERT])).calls
    assert call.tool == "x509_inspect"
    result = x509_inspect(
        CertificateArguments(**call.arguments), {"ca.pem": (folder() / "ecdsa_root.pem").read_bytes()}
    )
    assert told(result).startswith(first)


def test_a_pasted_certificate_is_read() -> None:
    pasted = (folder() / "ecdsa_root.pem").read_text()
    for prompt in (pasted, f"Who issued this?\n\n{pasted}", f"check:\n{pasted}\nplease"):
        (call,) = plan_for(request_of(prompt, ())).calls
        result = x509_inspect(CertificateArguments(**call.arguments), {})
        assert result["objects"][0]["subject"].startswith("CN=DigiCert")


@pytest.mark.parametrize("prompt", ["What is CWE-295?", "sha256 of the file ca.pem", "Extract the IOCs from ca.pem"])
def test_other_questions_do_not_read_a_certificate(prompt: str) -> None:
    assert "x509_inspect" not in [call.tool for call in plan_for(request_of(prompt, [CERT])).calls]


def test_every_vector_gives_a_result_or_one_sentence() -> None:
    files = [
        path for path in sorted(folder().rglob("*")) if path.suffix in (".pem", ".der") and "PKITS" not in str(path)
    ]
    kinds = []
    for path in files:
        try:
            result = inspected(path.read_bytes())
        except ToolFailure as failure:
            kinds.append(f"refused: {path.name}" if not str(failure).endswith(".") else "refused")
            continue
        json.dumps(result)
        assert told(result)
        assert all(
            isinstance(v, str | int | None) for item in tools()["x509_inspect"].items(result) for v in item.values()
        )
        kinds += [each["kind"] for each in result["objects"]]
    assert len(files) > 150
    assert kinds.count("certificate") > 100
    assert kinds.count("unreadable") + kinds.count("refused") < 30


@pytest.mark.parametrize("name", ["ecdsa_root.pem", "wildcard_san.pem", "custom/all_supported_names.pem"])
def test_a_mutated_certificate_ends_in_a_result_or_one_sentence(name: str) -> None:
    from asn1crypto import pem

    der, chance = pem.unarmor((folder() / name).read_bytes())[2], random.Random(name)
    for _ in range(60):
        data = bytearray(der)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            result = inspected(
                bytes(data[: chance.randint(20, len(data) + 1)]) if chance.random() < 0.2 else bytes(data)
            )
        except ToolFailure:
            continue
        json.dumps(result)
        told(result)


def test_one_word_is_that_of_what_is_asked() -> None:
    words = {
        "issuer": "`DigiCert Global Root G3`", "key": "`EC, P-384`", "self_signed": "Yes", "weaknesses": "No",
        "expiry": "current",
    }  # fmt: skip
    for focus, word in words.items():
        assert told(inspected("ecdsa_root.pem", focus), Wish(one_word=True)) == word
    assert told(inspected("verisign_md2_root.pem", "issuer"), Wish(one_word=True)) == "`VeriSign, Inc.`"
    (call,) = plan_for(request_of("issuer in one word", [CERT])).calls
    assert call.arguments["focus"] == ["issuer"]


def test_a_question_for_weaknesses_is_answered_with_them_first() -> None:
    (call,) = plan_for(request_of("anything weak in this cert?", [CERT])).calls
    text = told(inspected("verisign_md2_root.pem", *call.arguments["focus"]))
    assert "**Its key is short: 1024 bits**" in text.split("\n\n")[1]
    assert "serial number" not in text
    assert text.count("What is notable") == 1
