"""hash_identify: what a digest can be. Digests are from public specifications or made here by hashlib."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.local_server.analyst.digests.kinds import kinds
from secgemini_jupyter.local_server.analyst.digests.md4 import md4, ntlm
from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.hash_names import HashesArguments, hash_identify
from secgemini_jupyter.local_server.analyst.tools.hashes import HashArguments, hash_file

FILE = Attached("sample.exe", "executable/pe", 10)


def identified(text: str) -> dict[str, Any]:
    (row,) = hash_identify(HashesArguments(hashes=[text]), {})["hashes"]
    return dict(row)


def planned(prompt: str, *attachments: Attached) -> list[str]:
    return [call.tool for call in plan_for(request_of(prompt, attachments)).calls]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_gives_the_digests_of_rfc_1320(message: bytes, digest: str) -> None:
    assert md4(message).hex() == digest


def test_ntlm_gives_the_hash_of_ms_nlmp() -> None:
    """[MS-NLMP] 4.2.2.1.2, password "Password"."""
    assert ntlm("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"


SALT, B64 = "abcdefgh", "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" * 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("$2b$12$" + B64[:53], "bcrypt"),
        (f"$1${SALT}${B64[:22]}", "md5crypt"),
        (f"$5$rounds=5000${SALT}${B64[:43]}", "sha256crypt"),
        (f"$6${SALT}${B64[:86]}", "sha512crypt"),
        (f"$y$j9T${B64[:22]}${B64[:43]}", "yescrypt"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b2dWRWJTmaaQA", "Argon2"),
        ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD", "scrypt"),
        ("pbkdf2_sha256$260000$salt$" + "A" * 44, "PBKDF2"),
        (f"$8${B64[:14]}${B64[:43]}", "Cisco IOS type 8"),
        (f"$9${B64[:14]}${B64[:43]}", "Cisco IOS type 9"),
        ("*2470C0C06DEE42FD1618BBB005ADCA2EC9D1E19C", "MySQL 4.1 and later"),
        ("admin::N46iSNekpT:08ca45b7d7ea58ee:88dcbe4446168966a153a0064958dac6:" + "5c" * 20, "NetNTLMv2"),
        (f"u4-netntlm::kNS:{'33' * 24}:{'33' * 24}:cb8086049ec4736c", "NetNTLMv1"),
        ("3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C", "ssdeep"),
        ("T1" + "0A" * 35, "TLSH"),
        ("cbf43926", "CRC32"),
        ("00" * 16, "MD5"),
        ("0f" * 20, "SHA-1"),
        ("0f" * 28, "SHA-224"),
        ("0f" * 32, "SHA-256"),
        ("0f" * 48, "SHA-384"),
        ("0f" * 64, "SHA-512"),
    ],
)
def test_a_hash_is_named_by_its_form_or_length(text: str, name: str) -> None:
    assert kinds(text)[0].name == name


def test_a_number_in_hex_may_be_a_checksum() -> None:
    assert identified("0xcbf43926")["kinds"][0]["name"] == "CRC32"


@pytest.mark.parametrize("text", ["", "hello", "0f" * 17, "zz" * 16, "12345678901234567", "$2b$12$short"])
def test_what_is_no_hash_is_said_to_be_none(text: str) -> None:
    row = identified(text)
    assert row["kinds"] == []
    assert "no digest" in tools()["hash_identify"].answer(
        {"hashes": [row], "words": 1, "candidates": 1, "omitted": 0}, Wish()
    )


def netntlmv2(password: str) -> str:
    challenge, blob = bytes.fromhex("0123456789abcdef"), bytes(range(40))
    key = hmac.digest(ntlm(password), "USERDomain".encode("utf-16-le"), "md5")
    return f"User::Domain:{challenge.hex()}:{hmac.digest(key, challenge + blob, 'md5').hex()}:{blob.hex()}"


def ssha(password: str, salt: bytes) -> str:
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


@pytest.mark.parametrize(
    ("text", "construction", "word"),
    [
        ("5f4dcc3b5aa765d61d8327deb882cf99", "MD5", "password"),
        ("8846f7eaee8fb117ad06bdd830b7586c", "NTLM", "password"),
        ("31D6CFE0D16AE931B73C59D7E0C089C0", "NTLM", ""),
        (hashlib.sha1(b"Welcome1").hexdigest(), "SHA-1", "Welcome1"),
        (hashlib.sha256(b"Summer2025").hexdigest(), "SHA-256", "Summer2025"),
        (hashlib.sha3_512(b"letmein").hexdigest(), "SHA3-512", "letmein"),
        ("*" + hashlib.sha1(hashlib.sha1(b"root").digest()).hexdigest().upper(), "SHA-1 of SHA-1 (MySQL)", "root"),
        (hashlib.md5(b"passwordsalt").hexdigest() + ":salt", "md5(word + salt)", "password"),
        (ssha("secret", b"12345678"), "sha1 with the salt", "secret"),
        (base64.b64encode(hashlib.md5(b"qwerty").digest()).decode(), "MD5", "qwerty"),
        (netntlmv2("Password123"), "NetNTLMv2", "Password123"),
        (f"Administrator:500:{'aad3b435b51404ee' * 2}:8846f7eaee8fb117ad06bdd830b7586c:::", "NTLM", "password"),
    ],
)  # fmt: skip
def test_a_common_password_is_found(text: str, construction: str, word: str | None) -> None:
    row = identified(text)
    assert (row["construction"] or "", row["plaintext"]) == (construction, word)


def test_what_no_common_word_gives_stays_unknown() -> None:
    result = hash_identify(HashesArguments(hashes=[hashlib.sha256(b"no common word, certainly").hexdigest()]), {})
    told = tools()["hash_identify"].answer(result, Wish())
    assert "stays unknown" in told
    assert f"{result['candidates']:,} candidates" in told
    assert result["hashes"][0]["plaintext"] is None


def test_the_digest_of_the_eicar_test_file_is_known_and_no_password() -> None:
    eicar = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
    for name in ("md5", "sha1", "sha256"):
        assert "EICAR" in identified(hashlib.new(name, eicar).hexdigest())["known"]


MD5 = "5f4dcc3b5aa765d61d8327deb882cf99"


@pytest.mark.parametrize(
    ("prompt", "attachments", "tool"),
    [
        (MD5, (), "hash_identify"),
        (f"And this: {MD5}", (), "hash_identify"),
        (f"{MD5} - what hash, what password?", (), "hash_identify"),
        (f"Crack this for me:\n{MD5}\n{'0f' * 16}", (), "hash_identify"),
        (f"which algorithm made the hash '{MD5}'?", (FILE,), "hash_identify"),
        (f"decode {MD5}", (), "hash_identify"),
        (f"Is the MD5 of sample.exe {MD5}?", (FILE,), "hash_file"),
        (f"Does the attachment match {MD5}?  I was told this md5", (FILE,), "hash_file"),
        ("SHA-256?", (FILE,), "hash_file"),
        ("sha256 of hello", (), "hash_file"),
        ('what\'s the md5 for "hello world"?', (), "hash_file"),
        (f"Pull the IOCs out of this report:\n\nmd5 {MD5} from 203.0.113.7", (), "extract_iocs"),
    ],
)
def test_a_prompt_asks_for_one_of_the_tools_for_hashes(
    prompt: str, attachments: tuple[Attached, ...], tool: str
) -> None:
    assert planned(prompt, *attachments) == [tool]


@pytest.mark.parametrize(
    ("prompt", "text", "algorithm"),
    [
        ("sha256 of hello", "hello", "sha256"),
        ("What is the MD5 hash of the string hello world?", "hello world", "md5"),
        ('hash "a b" with sha1', "a b", "sha1"),
        ("what's the md5 of the string 'password'", "password", "md5"),
        ("SHA3-256 for abc", "abc", "sha3_256"),
        ("crc32 of 123456789", "123456789", "crc32"),
        ("NTLM hash of password", "password", "ntlm"),
        ("md5: hello", "hello", "md5"),
    ],
)
def test_a_text_that_is_written_out_is_hashed_by_the_algorithm_asked_for(
    prompt: str, text: str, algorithm: str
) -> None:
    (call,) = plan_for(request_of(prompt, ())).calls
    assert call.arguments == {"text": text, "algorithms": [algorithm]}
    result = hash_file(HashArguments(**call.arguments), {})
    told = tools()["hash_file"].answer(result, Wish())
    assert told.startswith(told.partition(" is `")[0] + f" is `{result[algorithm]}`")
    assert tools()["hash_file"].items(result)[0]["digest"] == result[algorithm]


def test_crc32_and_ntlm_are_those_of_their_check_values() -> None:
    assert hash_file(HashArguments(text="123456789", algorithms=["crc32"]), {})["crc32"] == "cbf43926"
    assert (
        hash_file(HashArguments(text="password", algorithms=["ntlm"]), {})["ntlm"] == "8846f7eaee8fb117ad06bdd830b7586c"
    )


@given(st.text("0123456789abcdefABCDEF$:*{}./+=", max_size=140))
def test_any_text_can_be_put_in(text: str) -> None:
    result = hash_identify(HashesArguments(hashes=[text] * 2), {})
    json.dumps(result)
    tools()["hash_identify"].answer(result, Wish())
    tools()["hash_identify"].items(result)
