"""What a certificate says, and what to do when it is refused."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

from secgemini_jupyter.magics.doctor.proxies import Proxy
from secgemini_jupyter.magics.report import Finding
from secgemini_jupyter.settings import KEY_PAGE

__all__ = ["accepted", "refused", "tls_error"]

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for."""
SOON = 7 * 86400
"""Seconds before a certificate's end in which it may be worth telling who runs the service."""
EXPIRED, NOT_YET, WRONG_HOST = {10}, {9}, {62, 64}  # X509_V_ERR_… of OpenSSL
INTERCEPTED = (
    "If your organisation opens TLS, ask for its CA certificate as PEM, append it to a copy of the public ones "
    "(python -m certifi says where they are), set SSL_CERT_FILE to that file, and restart the kernel. If it does not: "
    "somebody else may answer; do not send the key."
)


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error behind another one: httpx and websockets wrap it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def refused(name: str, error: ssl.SSLError, address: tuple[str, int], proxy: Proxy | None) -> Finding:
    """Why the connection to `address` was not trusted."""
    host = address[0]
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return Finding(name, "fail", f"no TLS ({reason})", f"Does {host} speak https on this port? Check the address.")
    code, why = error.verify_code, error.verify_message
    if code in EXPIRED:
        return Finding(name, "fail", why, f"Check this machine's clock. If it is right, tell who runs {host}.")
    if code in NOT_YET:
        return Finding(name, "fail", why, "Check this machine's clock.")
    if code in WRONG_HOST:
        return Finding(name, "fail", why, "Another host answers: check the address, or a proxy or portal in between.")
    issuer = _issuer(address, proxy)
    said = f"{why}; the certificate is signed by {issuer}" if issuer else why
    return Finding(name, "fail", said, INTERCEPTED)


def accepted(name: str, secured: Any) -> Finding:
    """Who signed, and until when; `secured` is what httpx gives as the connection's `ssl_object`."""
    certificate = secured.getpeercert() or {}
    said = f"{secured.version()}, signed by {_names(certificate.get('issuer', ())) or 'nobody named'}"
    if not (ends := certificate.get("notAfter")):
        return Finding(name, "ok", said)
    left = ssl.cert_time_to_seconds(ends) - time.time()
    said += f", valid until {ends}"
    if left < SOON:
        return Finding(
            name, "warn", said, f"It ends soon. If it is not renewed, tell who runs the service ({KEY_PAGE})."
        )
    return Finding(name, "ok", said)


def _issuer(address: tuple[str, int], proxy: Proxy | None) -> str:
    """Who signed the certificate that nobody trusts: nothing is sent but handshakes.

    The standard library reads a certificate only where it is trusted: so the second connection trusts what the first
    one was shown, whatever its dates.
    """
    try:
        unread = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unread.check_hostname, unread.verify_mode = False, ssl.CERT_NONE
        with _dial(address, proxy) as plain, unread.wrap_socket(plain, server_hostname=address[0]) as secured:
            shown = secured.getpeercert(binary_form=True) or b""
        itself = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        itself.check_hostname = False
        itself.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(NO_CHECK_TIME)
        itself.load_verify_locations(cadata=shown)
        with _dial(address, proxy) as plain, itself.wrap_socket(plain, server_hostname=address[0]) as secured:
            return _names((secured.getpeercert() or {}).get("issuer", ()))
    except (OSError, ValueError):
        return ""


def _dial(address: tuple[str, int], proxy: Proxy | None) -> socket.socket:
    """A connection, by CONNECT through a proxy.

    Raises:
        OSError: there is none, or the proxy wants a login.
    """
    if proxy and proxy.scheme != "http":
        raise OSError("another kind of proxy")
    plain = socket.create_connection((proxy.host, proxy.port) if proxy else address, timeout=2)
    if proxy is None:
        return plain
    plain.sendall("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n\r\n".format(*address).encode("ascii", "replace"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 16384:
        part = plain.recv(4096)
        if not part:
            break
        head += part
    if head.split(b" ")[1:2] != [b"200"]:
        plain.close()
        raise OSError("the proxy refuses")
    return plain


def _names(issuer: Any) -> str:
    """`Example Corp, Inspection CA` out of the nested pairs of `getpeercert()`."""
    wanted = {"organizationName": "", "commonName": ""}
    for part in issuer:
        for key, value in part:
            if key in wanted:
                wanted[key] = str(value)
    return ", ".join(dict.fromkeys(value for value in wanted.values() if value))
