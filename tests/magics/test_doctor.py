"""`%secgemini doctor` against real sockets that go wrong: the row that says so, and what it advises."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.magics.doctor import network, running
from secgemini_jupyter.magics.doctor.running import Step
from secgemini_jupyter.magics.report import Finding, Report
from tests.client.servers import as_json, silent_server, stream_server, web_server
from tests.conftest import KEY, LocalService
from tests.magics.authorities import Authority, tunnel
from tests.magics.conftest import Kernel, start_kernel, stop_kernel

PASSWORD = "canary-proxy-password"
INFO = {"user": {"id": "a", "org_id": "b", "key_expire_time": 0}, "sessions": [], "available_models": []}
PAGE = {"content-type": "text/html"}
NETWORK = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


@pytest.fixture(autouse=True)
def quiet_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*NETWORK, *map(str.lower, NETWORK)):
        monkeypatch.delenv(name, raising=False)
    for name in ("DATA", "RUNTIME"):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))


@pytest.fixture
def examine(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    """`%secgemini doctor`, with these addresses, in the shell of this process."""

    def run(url: str = "", stream: str = "", options: str = "") -> Report:
        if url:
            monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", url)
        if stream:
            monkeypatch.setenv("SEC_GEMINI_API_WEBSOCKET_URL", stream)
        ran = shell.run_cell(f"%secgemini doctor {options}")
        ran.raise_error()
        report = ran.result
        assert isinstance(report, Report)
        for secret in (KEY, PASSWORD):
            assert secret not in repr(report) + str(report._repr_mimebundle_()) + report.to_frame().to_csv()
        assert all(finding.advice for finding in report.failures + report.warnings)
        return report

    return run


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "Example Corp")


def test_all_is_well(examine: Callable[..., Report], local_service: LocalService) -> None:
    report = examine()
    assert report.ok, report
    for check in (
        "versions",
        "key",
        "addresses",
        "request",
        "WebSocket",
        "clock",
        "key ends",
        "data folder",
        "widgets",
    ):
        assert report[check].state in ("ok", "info"), report
    assert "…6789 from SEC_GEMINI_API_KEY" in report["key"].found
    assert report["request"].found.startswith("HTTP 200")
    assert local_service.http in report["addresses"].found


@pytest.mark.parametrize(
    ("status", "headers", "body", "found", "advice"),
    [
        (401, {"content-type": "application/json"}, b'{"detail": "no"}', "refuses the key …6789", "%secgemini login"),
        (403, {"content-type": "application/json"}, b'{"detail": "no"}', "refuses the key …6789", "%secgemini login"),
        (403, PAGE, b"<h1>Blocked</h1>", "a page, not the service, refuses", "portal"),
        (404, PAGE, b"<h1>Not here</h1>", "not at this path", "SEC_GEMINI_API_HTTP_URL"),
        (407, PAGE, b"", "a proxy wants a login", "HTTPS_PROXY"),
        (429, {}, b"{}", "quota is used up", "usage"),
        (502, PAGE, b"<script>alert(1)</script>", "HTTP 502, text/html", "in trouble"),
        (302, {"location": "https://portal.test/login"}, b"", "sent on to portal.test", "portal"),
        (200, PAGE, b"<h1>Welcome to the hotel</h1>", "not what the service says", "portal"),
        (200, {}, b"[" * 100_000, "not what the service says", "portal"),
        (200, {}, b'{"user": null}', "not what the service says", "portal"),
    ],
)
def test_what_answers_instead_of_the_service(
    examine: Callable[..., Report], status: int, headers: dict[str, str], body: bytes, found: str, advice: str
) -> None:
    with web_server(lambda _: (status, headers, body)) as server:
        row = examine(server.url)["request"]
    assert row.state == ("warn" if status == 429 else "fail")
    assert found in row.found
    assert advice in row.advice
    assert "<script>" not in row.found


@pytest.mark.parametrize("status", [200, 301, 426, 501, 502])
def test_way_that_lets_requests_through_and_no_websocket(examine: Callable[..., Report], status: int) -> None:
    def answer(seen: Any) -> tuple[int, dict[str, str], bytes]:
        return (status, PAGE, b"no") if "upgrade" in seen.headers.get("connection", "").lower() else as_json(INFO)

    with web_server(answer) as server:
        report = examine(server.url)
    assert report["request"].state == "ok"
    assert report["WebSocket"].state == "fail"
    assert "WebSockets" in report["WebSocket"].advice
    assert str(status) in report["WebSocket"].found


def test_nobody_listens(examine: Callable[..., Report]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    report = examine(f"http://127.0.0.1:{port}")
    assert report[f"port 127.0.0.1:{port}"].found == "refused: nothing listens there"
    assert report["WebSocket"].state == "skipped"
    assert [finding.check for finding in report.failures] == [f"port 127.0.0.1:{port}"]
    assert next(iter(report)).state == "fail"  # what is wrong comes first


def test_silence(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PATIENCE", 0.2)
    with silent_server() as port:
        report = examine(f"http://127.0.0.1:{port}")
    assert report["request"].found == "no answer within 0.2 s"
    assert "no answer to the upgrade" in report["WebSocket"].found


def test_name_that_does_not_exist(examine: Callable[..., Report]) -> None:
    report = examine("https://nowhere.invalid")
    assert report["name nowhere.invalid"].state == "fail"
    assert "Are you online" in report["name nowhere.invalid"].advice
    assert len(report.failures) == 1


@pytest.mark.parametrize("days", [(-1, 20), (-9, -2), (2, 9)], ids=["valid", "over", "not yet"])
def test_signer_that_nobody_trusts_is_named(
    examine: Callable[..., Report], authority: Authority, days: tuple[int, int]
) -> None:
    with web_server(lambda _: as_json(INFO), authority.context("127.0.0.1", begins=days[0], ends=days[1])) as server:
        report = examine(server.url)
        assert server.seen == []  # the key went nowhere
    for check in ("TLS", "WebSocket"):
        assert report[check].state == "fail"
        assert "signed by Example Corp, Inspection CA" in report[check].found
        assert "SSL_CERT_FILE" in report[check].advice


def test_port_that_speaks_no_tls(examine: Callable[..., Report]) -> None:
    with web_server(lambda _: as_json(INFO)) as server:
        report = examine(server.url.replace("http:", "https:"))
    assert report["TLS"].state == "fail"
    assert "speak https" in report["TLS"].advice


@pytest.fixture
def behind_proxy(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """A service that is reached through a proxy alone; gives a function that chooses its certificate."""
    opened = []

    def build(*hosts: str, **days: int) -> str:
        context = authority.context(*(hosts or ("service.test", "stream.test")), **days)
        server = web_server(lambda _: as_json(INFO), context)
        stream = stream_server(lambda connection: connection.close(), context)
        opened.extend([server, stream])
        ports = {"service.test": urlsplit(server.__enter__().url).port or 0}
        ports["stream.test"] = urlsplit(stream.__enter__()).port or 0
        way = tunnel(ports)
        opened.append(way)
        port = way.__enter__()
        monkeypatch.setenv("HTTPS_PROXY", f"http://analyst:{PASSWORD}@127.0.0.1:{port}")
        return f"http://127.0.0.1:{port}"

    yield build
    for each in reversed(opened):
        each.__exit__(None, None, None)


def test_through_a_proxy(
    examine: Callable[..., Report],
    behind_proxy: Callable[..., str],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = behind_proxy()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    report = examine("https://service.test", "wss://stream.test")
    assert report["request"].state == "ok", report
    assert report["WebSocket"].state == "ok", report
    assert proxy in report["proxy"].found
    assert "signed by Example Corp, Inspection CA, valid until" in report["TLS"].found
    assert report["SSL_CERT_FILE"].state == "ok"


def test_proxy_that_opens_tls(
    examine: Callable[..., Report], behind_proxy: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    behind_proxy()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/corp.pem")
    report = examine("https://service.test", "wss://stream.test")
    assert "SSL_CERT_FILE" in report["TLS"].advice
    assert "do not send the key" in report["TLS"].advice
    assert "signed by Example Corp, Inspection CA" in report["TLS"].found
    assert "SSL_CERT_FILE" in report["WebSocket"].advice
    assert "set SSL_CERT_FILE to /etc/corp.pem" in report["REQUESTS_CA_BUNDLE"].advice


@pytest.mark.parametrize(
    ("hosts", "days", "words", "advice"),
    [
        (("other.test",), {}, "other|mismatch", "Another host answers"),
        (("service.test",), {"begins": -9, "ends": -2}, "expired", "clock"),
        (("service.test",), {"begins": 2, "ends": 9}, "not yet valid", "clock"),
    ],
)
def test_certificate_of_a_known_authority_that_is_wrong(
    examine: Callable[..., Report],
    behind_proxy: Callable[..., str],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    hosts: tuple[str, ...],
    days: dict[str, int],
    words: str,
    advice: str,
) -> None:
    import re

    behind_proxy(*hosts, **days)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    row = examine("https://service.test", "wss://stream.test")["TLS"]
    assert row.state == "fail"
    assert re.search(words, row.found)
    assert advice in row.advice


def test_certificate_that_ends_soon(
    examine: Callable[..., Report],
    behind_proxy: Callable[..., str],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behind_proxy("service.test", "stream.test", ends=3)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    report = examine("https://service.test", "wss://stream.test")
    assert report["TLS"].state == "warn"
    assert report["request"].state == "ok"


@pytest.mark.parametrize(
    ("status", "advice"), [(403, "allow this host"), (407, "wants a login"), (502, "allow this host")]
)
def test_proxy_that_refuses(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, status: int, advice: str
) -> None:
    with web_server(lambda _: (status, PAGE, b"no")) as server:
        monkeypatch.setenv("https_proxy", server.url.replace("//", f"//analyst:{PASSWORD}@"))
        report = examine("https://service.test")
        assert KEY not in server.everything
    for check in ("request", "WebSocket"):
        assert report[check].state == "fail"
        assert str(status) in report[check].found
        assert advice in report[check].advice


def test_proxy_for_all_is_read_by_both(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server(lambda _: (403, PAGE, b"no")) as server:
        monkeypatch.setenv("ALL_PROXY", server.url)
        report = examine("https://nowhere.invalid")
    assert f"requests and stream go through {server.url}" in report["proxy"].found


def test_proxy_of_the_stream_alone(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server(lambda _: (403, PAGE, b"no")) as server:
        monkeypatch.setenv("WSS_PROXY", server.url)
        report = examine("https://nowhere.invalid")
    assert f"requests go through no proxy, the stream through {server.url}" in report["proxy"].found
    assert "WSS_PROXY" in report["proxy"].advice


@pytest.mark.parametrize("address", ["http://", "http://[::1", f"://x:{PASSWORD}@", "http://h:99999"])
def test_proxy_that_is_no_address(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    report = examine("https://nowhere.invalid")
    assert any("HTTPS_PROXY" in finding.found for finding in report.failures), report


@pytest.mark.parametrize(
    "address",
    [f"http://analyst:#{PASSWORD}@127.0.0.1:9", f"http://{PASSWORD}@127.0.0.1:9", f"ftp://a:{PASSWORD}@127.0.0.1:9",
     f"http://analyst:{PASSWORD}@[::1", f"analyst:{PASSWORD}@127.0.0.1:9"],
)  # fmt: skip
def test_password_of_a_proxy_is_not_shown(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """`examine` looks for it in all that is shown."""
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert not examine("https://nowhere.invalid").ok


def test_socks_proxy_needs_a_package(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://analyst:{PASSWORD}@127.0.0.1:9")
    report = examine("https://nowhere.invalid")
    assert {finding.advice.partition(",")[0] for finding in report.failures if finding.check == "proxy"} == {
        "pip install 'httpx[socks]'",
        "pip install 'python-socks'",
    }


def test_file_of_authorities_that_is_not_there(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    report = examine("https://nowhere.invalid")
    assert report["SSL_CERT_FILE"].state == "fail"


@pytest.mark.parametrize(("ahead", "words"), [(-7200, "ahead of"), (7200, "behind")])
def test_clock_that_is_wrong(examine: Callable[..., Report], ahead: int, words: str) -> None:
    def answer(_: Any) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = as_json(INFO)
        return status, headers | {"date": formatdate(time.time() + ahead, usegmt=True)}, body

    with web_server(answer) as server:
        row = examine(server.url)["clock"]
    assert row.state == "warn"
    assert words in row.found


def test_key_that_ends_soon(examine: Callable[..., Report]) -> None:
    info = INFO | {"user": {"id": "a", "key_expire_time": int(time.time()) + 86400}}
    with web_server(lambda _: as_json(info)) as server:
        assert examine(server.url)["key ends"].state == "warn"


def test_nothing_is_contacted_without_a_key(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, local_service: LocalService
) -> None:
    monkeypatch.delenv("SEC_GEMINI_API_KEY")
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "echo")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with web_server(lambda _: as_json({"detail": "no key"}, 401)) as server:
        report = examine(server.url)
        assert server.seen == []
        assert report["service"].state == "skipped"
        assert "no key" in report["service"].found
        assert report["local service"].state == "ok", report
        report = examine(server.url, options="--network")
        assert "no key was sent" in report["request"].found
        assert all("x-api-key" not in seen.headers and "api_key" not in seen.target for seen in server.seen)
    from secgemini_jupyter import embedded

    assert embedded.stop()


def test_logs_processor_is_looked_at_where_one_is_set(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, local_service: LocalService
) -> None:
    monkeypatch.setenv("SEC_GEMINI_LOGS_PROCESSOR_API_URL", "https://logs.invalid")
    report = examine()
    assert [finding.check for finding in report.failures] == ["name logs.invalid"]
    assert "https://logs.invalid" in report["addresses"].found


def test_settings_that_make_no_sense(examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not encrypted" in examine("http://service.example")["settings"].found
    monkeypatch.setenv("SECGEMINI_BACKEND", "cloud")
    assert "SECGEMINI_BACKEND is 'cloud'" in examine()["settings"].found


def test_key_file_that_is_wrong(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SEC_GEMINI_API_KEY")
    monkeypatch.setenv("SEC_GEMINI_API_KEY_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SECGEMINI_BACKEND", "service")
    report = examine("http://127.0.0.1:9")
    assert report["key"].state == "fail"
    assert "cannot be read" in report["key"].found


def test_folder_that_cannot_be_written(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file" / "data"))
    row = examine()["data folder"]
    assert row.state == "fail"
    assert "JUPYTER_DATA_DIR" in row.advice


def test_folder_that_others_may_read(examine: Callable[..., Report], tmp_path: Path) -> None:
    (tmp_path / "RUNTIME").chmod(0o755)
    row = examine()["runtime folder"]
    assert row.state == "warn"
    assert row.advice.startswith("chmod 700 ")


def test_project_file_that_sets_too_much(
    examine: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.secgemini]\napprove = 'all'\n")
    monkeypatch.chdir(tmp_path)
    row = examine()["project file"]
    assert row.state == "warn"
    assert "approve" in row.found


def test_check_that_never_ends_is_named() -> None:
    hang = threading.Event()

    def stuck() -> Iterator[Finding | Step]:
        yield Finding("first", "ok", "done")
        yield Step("name host", "Ask who runs the name server.")
        hang.wait()

    def broken() -> Iterator[Finding | Step]:
        yield Step("broken", "Report it.")
        raise RuntimeError("unforeseen")

    found = running.run([stuck, broken], 0.2)
    hang.set()
    assert [(each.check, each.state) for each in found] == [("first", "ok"), ("name host", "fail"), ("broken", "fail")]
    assert found[1].found == "no answer within 0.2 s"
    assert "unforeseen" in found[2].found


@pytest.mark.parametrize(
    "text",
    [f"http://u:{PASSWORD}@h:1", f"u:{PASSWORD}@h:1", f"http://{PASSWORD}@h", f"x http://u:{PASSWORD}p@ss/@h y"],
)
def test_password_of_an_address_is_not_shown(text: str) -> None:
    assert PASSWORD not in repr(Report([Finding("proxy", "fail", text)]))


@pytest.mark.kernel
def test_doctor_in_a_notebook(kernel: Kernel) -> None:
    ran = kernel.run("%secgemini doctor")
    (output,) = ran.outputs
    assert "<table" in output["data"]["text/html"]
    assert "WebSocket" in output["data"]["text/plain"]
    assert KEY not in repr(ran)
    assert kernel.run("report = %secgemini doctor").outputs == []
    assert kernel.value("sorted(report.to_frame().columns)") == ["advice", "check", "found", "state"]
    assert "comms work" in kernel.value("report['widgets'].found")


@pytest.mark.kernel
def test_doctor_is_interrupted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        kernel = start_kernel(tmp_path, {"SEC_GEMINI_API_HTTP_URL": url, "SEC_GEMINI_API_KEY": KEY})
        try:
            kernel.run("%load_ext secgemini_jupyter")
            request = kernel.start("report = %secgemini doctor")
            listening.settimeout(20)
            with listening.accept()[0]:  # it is on its way
                kernel.interrupt()
                ran = kernel.finish(request)
            assert ran.status == "error"
            assert ran.error.count("\n") == 0, ran.error
            assert kernel.run("print('next')").text == "next\n"
        finally:
            stop_kernel(kernel)
