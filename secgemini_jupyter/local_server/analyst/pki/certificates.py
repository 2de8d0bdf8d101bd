"""A certificate, request, revocation list or PKCS #7 file as facts. asn1crypto reads lazily: each field by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from secgemini_jupyter.local_server.analyst.pki.armour import Armoured
from secgemini_jupyter.local_server.analyst.web.taking_apart import take_apart

MAX_NAMES = 200
_SHORT = {
    "common_name": "CN", "organization_name": "O", "organizational_unit_name": "OU", "country_name": "C",
    "locality_name": "L", "state_or_province_name": "ST", "email_address": "E", "domain_component": "DC",
    "serial_number": "serialNumber", "street_address": "STREET", "postal_code": "postalCode",
}  # fmt: skip
_SCTS, _POISON = "1.3.6.1.4.1.11129.2.4.2", "1.3.6.1.4.1.11129.2.4.3"
_WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
_FAMILIES = {"rsassa_pkcs1v15": "RSA", "rsassa_pss": "RSA-PSS", "ecdsa": "ECDSA", "dsa": "DSA"}
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp224r1": "P-224", "secp192r1": "P-192"}
BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError, NameError)
"""What asn1crypto raises for broken or unusual fields."""


def read(armoured: Armoured, now: datetime) -> list[dict[str, Any]]:
    """The facts: several objects where a PKCS #7 file holds them."""
    base = {"label": armoured.label, "problem": "", "findings": []}
    if armoured.is_private:
        told = {"is_encrypted": "ENCRYPTED" in armoured.label}
        return [base | {"kind": "private key"} | told]
    if armoured.problem:
        return [base | {"kind": "unreadable", "problem": armoured.problem}]
    if "PUBLIC KEY" in armoured.label or "PARAMETERS" in armoured.label:
        return [base | {"kind": "public key"} | _public_key_alone(armoured.der)]
    for is_kind, reader in _READERS:
        if is_kind and armoured.label not in ("DER", "base64") and is_kind not in armoured.label:
            continue
        try:
            if found := reader(armoured.der, now):
                return [base | each for each in found]
        except BROKEN:
            continue
    why = "it is no certificate, request, revocation list or PKCS #7 file, or is broken"
    return [base | {"kind": "unreadable", "problem": why}]


def safe(get: Callable[[], Any], default: Any = None) -> Any:
    try:
        return get()
    except BROKEN:
        return default


def _certificate(der: bytes, now: datetime) -> list[dict[str, Any]]:
    from asn1crypto import x509

    cert = x509.Certificate.load(der, strict=True)
    tbs = cert["tbs_certificate"]
    _ = (tbs["serial_number"].native, tbs["subject_public_key_info"].dump(), tbs["issuer"].dump())  # else it is none
    result: dict[str, Any] = {"kind": "certificate", "findings": []}
    result |= {
        "version": safe(lambda: tbs["version"].native, "unknown"),
        "subject": name(tbs["subject"]),
        "issuer": name(tbs["issuer"]),
        "serial": safe(lambda: _serial(tbs["serial_number"].native), ""),
        "not_before": _time(safe(lambda: tbs["validity"]["not_before"].native)),
        "not_after": _time(safe(lambda: tbs["validity"]["not_after"].native)),
        **_signature(cert["signature_algorithm"]),
        **_key(tbs["subject_public_key_info"]),
        **_extensions(tbs),
        "same_names": tbs["issuer"].dump() == tbs["subject"].dump(),
        "self_signed": None,
        "sha256": hashlib.sha256(der).hexdigest(),
        "sha1": hashlib.sha1(der, usedforsecurity=False).hexdigest(),
    }
    result["self_signed"] = _verified(der, der) if result["same_names"] else False
    if _oid(safe(lambda: tbs["signature"]["algorithm"])) != _oid(
        safe(lambda: cert["signature_algorithm"]["algorithm"])
    ):
        _add(result, "The signature's algorithm stands differently inside and outside of the signed part", strong=True)
    _judge(result, now)
    return [result]


def _verified(der: bytes, issuer: bytes) -> bool | None:
    """Whether the issuer's key made the signature; None when it cannot be checked here."""
    try:
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    except ImportError:
        return None
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except InvalidSignature:
        return False
    except (*BROKEN, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        return None
    return True


def chain(ders: list[bytes], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For certificates in a row: whether each next one signed the one before it."""
    links = []
    for at in range(len(found) - 1):
        fits = found[at]["issuer"] == found[at + 1]["subject"]
        links.append(
            {
                "from": at + 1,
                "to": at + 2,
                "names_fit": fits,
                "signature": _verified(ders[at], ders[at + 1]) if fits else False,
            }
        )
    return links


def name(value: Any) -> str:
    """A distinguished name: CN first, then as it stands."""
    parts: list[tuple[str, str]] = []
    for rdn in elements(safe(lambda: value.chosen), 60):
        for each in elements(rdn, 10):
            kind = str(native(each, "type") or "?")
            text = native(each, "value")
            parts.append((_SHORT.get(kind, kind), "(unreadable)" if text is None else str(text)[:300]))
    parts.sort(key=lambda part: part[0] != "CN")
    return ", ".join(f"{kind}={text}" for kind, text in parts)


def elements(value: Any, limit: int) -> list[Any]:
    found: list[Any] = safe(lambda: list(value), [])
    return found[:limit]


def native(value: Any, *path: str | int) -> Any:
    """What a field holds, as a Python value; None for one that cannot be read."""

    def get() -> Any:
        field = value
        for step in path:
            field = field[step]
        return field.native

    return safe(get)


def _serial(number: int) -> str:
    digits = f"{abs(number):x}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)[:80]  # in bytes, as it is searched


def _time(value: Any) -> str | None:
    if not isinstance(value, datetime):
        return None
    return safe(lambda: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))  # type: ignore[no-any-return]


def _oid(algorithm: Any) -> str:
    """A name where there is one, else the dotted number: asn1crypto refuses what it does not know."""
    known = native(algorithm)
    if isinstance(known, str):
        return known
    return str(safe(lambda: algorithm.dotted) or safe(lambda: _dotted(algorithm.contents)) or "unknown")


def _dotted(contents: bytes) -> str:
    from asn1crypto.core import ObjectIdentifier

    return str(ObjectIdentifier(contents=contents).dotted)


def _signature(value: Any) -> dict[str, Any]:
    written = _oid(safe(lambda: value["algorithm"]))
    if written in ("ed25519", "ed448"):
        return {"signature_algorithm": written.capitalize(), "hash": None}
    family, digest = safe(lambda: value.signature_algo), safe(lambda: value.hash_algo)
    if not family or not digest:
        return {"signature_algorithm": str(family or written), "hash": digest}
    shown = f"{_FAMILIES.get(family, family)} with {digest.upper().replace('SHA', 'SHA-', 1)}"
    return {"signature_algorithm": shown, "hash": digest}


_KEYS = {"rsa": "RSA", "rsassa_pss": "RSA-PSS", "dsa": "DSA", "ed25519": "Ed25519", "ed448": "Ed448"}


def _key(info: Any) -> dict[str, Any]:
    algorithm = _oid(safe(lambda: info["algorithm"]["algorithm"]))
    curve = safe(lambda: info.curve[1]) if algorithm == "ec" else None
    bits = safe(lambda: info.bit_size)
    bits = bits if isinstance(bits, int) else None
    shown = f"EC, {_CURVES.get(str(curve), curve) or 'unnamed curve'}" if algorithm == "ec" else _KEYS.get(algorithm)
    if algorithm == "unknown":
        shown = "of an algorithm that is not known here"
    if bits is not None and algorithm in ("rsa", "rsassa_pss", "dsa"):
        shown = f"{shown}, {bits} bits"
    exponent = native(safe(lambda: info["public_key"].parsed), "public_exponent") if algorithm == "rsa" else None
    return {
        "key": shown or f"of the algorithm {algorithm}",
        "key_algorithm": algorithm,
        "key_bits": bits,
        "exponent": exponent if isinstance(exponent, int) and exponent < 2**63 else None,
    }


def _extensions(tbs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "names": [], "is_ca": None, "path_length": None, "key_usage": [], "extended_key_usage": [], "has_scts": False,
        "is_precertificate": False, "ocsp": [], "crl": [], "unknown_critical": [],
    }  # fmt: skip
    for extension in elements(safe(lambda: tbs["extensions"]), 100):
        _extension(extension, found)
    return found


def _extension(extension: Any, found: dict[str, Any]) -> None:
    kind, oid = native(extension, "extn_id") or "", safe(lambda: extension["extn_id"].dotted, "")
    value = safe(lambda: extension["extn_value"].parsed)
    if kind == "basic_constraints":
        found["is_ca"] = bool(native(value, "ca"))
        found["path_length"] = native(value, "path_len_constraint")
    elif kind == "key_usage":
        found["key_usage"] = sorted(native(value) or ())
    elif kind == "extended_key_usage":
        found["extended_key_usage"] = [str(each) for each in native(value) or ()][:30]
    elif kind == "subject_alt_name":
        found["names"] = general_names(value)
    elif kind == "authority_information_access":
        found["ocsp"] = _ocsp(value)
    elif oid == _SCTS:
        found["has_scts"] = True
    elif oid == _POISON:
        found["is_precertificate"] = True
    elif kind == oid and native(extension, "critical"):
        found["unknown_critical"].append(oid[:80])


def general_names(value: Any) -> list[dict[str, str]]:
    return [_general_name(each) for each in elements(value, MAX_NAMES)]


def _general_name(each: Any) -> dict[str, str]:
    kind = str(safe(lambda: each.name, "?"))
    text = name(safe(lambda: each.chosen)) if kind == "directory_name" else safe(lambda: str(each.native))
    shown = {"dns_name": "DNS", "ip_address": "IP", "rfc822_name": "e-mail", "uniform_resource_identifier": "URI"}
    return {"type": shown.get(kind, kind.replace("_", " ")), "value": (text or "(unreadable)")[:300]}


def _ocsp(value: Any) -> list[str]:
    urls = [native(each, "access_location") for each in elements(value, 20) if native(each, "access_method") == "ocsp"]
    return [str(url)[:300] for url in urls if url]


def _add(result: dict[str, Any], text: str, value: str = "", *, strong: bool = False) -> None:
    result["findings"].append({"text": text, "value": value[:300], "strong": strong})


def parsed_time(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if text else None


def _judge(result: dict[str, Any], now: datetime) -> None:
    begins, ends = parsed_time(result["not_before"]), parsed_time(result["not_after"])
    result["days_left"] = (ends - now).days if ends else None
    result["status"] = "unknown"
    if begins and ends:
        result["status"] = "expired" if ends < now else "not yet valid" if begins > now else "current"
    if result["status"] == "expired":
        _add(result, "It has expired", f"on {result['not_after']}", strong=True)
    elif result["status"] == "not yet valid":
        _add(result, "It is not valid yet", f"until {result['not_before']}", strong=True)
    elif result["days_left"] is not None and result["days_left"] < 30:
        _add(result, f"It expires in {result['days_left']} days", strong=True)
    elif result["status"] == "unknown":
        _add(result, "Its dates cannot be read")
    if result["hash"] in _WEAK_HASHES:
        root = result["same_names"] and result["self_signed"] is not False
        more = (
            ", which does not matter for a root that is trusted by itself"
            if root
            else ", with which signatures can be forged"
        )
        _add(result, f"It is signed with {result['hash'].upper()}{more}", strong=not root)
    bits, algorithm = result["key_bits"] or 0, result["key_algorithm"]
    if (algorithm in ("rsa", "rsassa_pss", "dsa") and 0 < bits < 2048) or (algorithm == "ec" and 0 < bits < 224):
        _add(result, f"Its key is short: {bits} bits", strong=True)
    if algorithm == "dsa":
        _add(result, "DSA keys are no longer in use for TLS")
    if result["exponent"] is not None and result["exponent"] < 65_537:
        _add(result, f"Its RSA exponent is {result['exponent']}")
    if result["version"] != "v3":
        _add(result, f"It is of version {str(result['version']).lstrip('v')}, without extensions")
    if result["self_signed"] is False and result["same_names"]:
        _add(result, "It names itself as issuer, but its own key did not sign it", strong=True)
    if result["same_names"] and result["is_ca"] is not True and result["version"] == "v3":
        _add(result, "It is self-signed and no CA: nobody vouches for it")
    if result["serial"].startswith("-"):
        _add(result, "Its serial number is negative, which RFC 5280 forbids")
    if result["is_precertificate"]:
        _add(result, "It is a precertificate, made for transparency logs: no server may use it")
    if result["unknown_critical"]:
        _add(result, "It has critical extensions that are not known here", ", ".join(result["unknown_critical"][:5]))
    _judge_names(result, begins, ends)


def _judge_names(result: dict[str, Any], begins: datetime | None, ends: datetime | None) -> None:
    dns = [each["value"] for each in result["names"] if each["type"] == "DNS"]
    is_server = "server_auth" in result["extended_key_usage"] or bool(dns)
    if any(value.startswith("*.") for value in dns):
        _add(result, "It is valid for every name below a domain (wildcard)", next(v for v in dns if v.startswith("*.")))
    if is_server and not result["names"]:
        _add(result, "It has no subject alternative name: browsers look at nothing else")
    if is_server and result["is_ca"] is not True and begins and ends and (ends - begins).days > 398:
        _add(result, f"It is valid for {(ends - begins).days:,} days; browsers take 398 at most from public issuers")
    for value in dns[:20]:
        imitates = take_apart(value.removeprefix("*."))["imitates"]
        if imitates and imitates["strong"]:
            _add(result, f"A name in it looks like {imitates['name']}", value, strong=True)


def _request(der: bytes, _now: datetime) -> list[dict[str, Any]]:
    from asn1crypto import csr

    request = csr.CertificationRequest.load(der, strict=True)
    info = request["certification_request_info"]
    result: dict[str, Any] = {
        "kind": "certificate request",
        "findings": [],
        "subject": name(info["subject"]),
        "names": [],
    }
    result |= {**_signature(request["signature_algorithm"]), **_key(info["subject_pk_info"])}
    for attribute in elements(safe(lambda: info["attributes"]), 20):
        if native(attribute, "type") == "extension_request":
            wanted = _requested(attribute)
            result["names"] = wanted["names"]
    return [result]


def _requested(attribute: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"names": [], "unknown_critical": []}
    for extension in elements(safe(lambda: attribute["values"][0]), 50):
        _extension(extension, found)
    return found


def _revocations(der: bytes, _now: datetime) -> list[dict[str, Any]]:
    from asn1crypto import crl

    found = crl.CertificateList.load(der, strict=True)
    tbs = found["tbs_cert_list"]
    revoked = safe(lambda: len(tbs["revoked_certificates"]), 0)
    result = {"kind": "revocation list", "findings": [], "issuer": name(tbs["issuer"]), "revoked": revoked}
    result |= {
        "this_update": _time(safe(lambda: tbs["this_update"].native)),
        "next_update": _time(safe(lambda: tbs["next_update"].native)),
    }
    return [result | _signature(found["signature_algorithm"])]


def _pkcs7(der: bytes, now: datetime) -> list[dict[str, Any]]:
    from asn1crypto import cms

    content = cms.ContentInfo.load(der)["content"]
    found = []
    for each in elements(safe(lambda: content["certificates"]), 50):
        found += _certificate(each.chosen.dump(), now)
    return found


def _public_key_alone(der: bytes) -> dict[str, Any]:
    from asn1crypto import keys

    return _key(safe(lambda: keys.PublicKeyInfo.load(der)))


_READERS: tuple[tuple[str, Callable[[bytes, datetime], list[dict[str, Any]]]], ...] = (
    ("CERTIFICATE", _certificate),
    ("REQUEST", _request),
    ("CRL", _revocations),
    ("", _pkcs7),
)
