"""`python -m secgemini_jupyter.local_server.check PROMPTS.json`: asks a running service, and compares its answers.

It speaks the protocol by itself: through the client's code the client's mistakes would not show. Without `--url` it
starts a service of its own, on an empty folder that goes with it.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from secgemini_jupyter.errors import SecGeminiError, Secret, SettingsError, one_line
from secgemini_jupyter.local_server.checks import BadPrompts, Case, read_cases
from secgemini_jupyter.settings import ServeSettings, read_key_file, scrubbed_environment

TIMEOUT = 120.0
ENDS = ("--idle-timeout", "120")
"""Of a service of our own: it ends by itself where this program was killed."""
SHOWN = 160
"""Characters of a wrong answer that are shown."""


@dataclass(frozen=True)
class Service:
    """Where the service is, and its key."""

    http: str
    ws: str
    key: Secret

    @classmethod
    def at(cls, url: str, key: Secret) -> Service:
        """Of either address, the other is made."""
        scheme, bar, rest = url.rstrip("/").partition("://")
        if scheme not in ("http", "https", "ws", "wss") or not bar or not rest:
            raise SettingsError(f"{url!r} is no address: use http://… or ws://….")
        safe = "s" if scheme in ("https", "wss") else ""
        return cls(f"http{safe}://{rest}", f"ws{safe}://{rest}", key)


@contextmanager
def started(engine: str) -> Iterator[Service]:
    """A service of our own.

    Raises:
        SettingsError: it did not start.
    """
    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="secgemini-check-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(  # noqa: S603  # this package's own module
            [sys.executable, "-m", "secgemini_jupyter.local_server", "--data", folder, "--engine", engine, *ENDS],
            env=scrubbed_environment() | {"SECGEMINI_SERVE_API_KEY": key},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SettingsError(f"The service did not start (status {process.wait(10)}).")
            address = json.loads(line)
            yield Service(address["http"], address["ws"], Secret(key))
        finally:
            process.terminate()
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()


class Asking:
    """One session of the service, deleted at the end."""

    def __init__(self, service: Service, model: str) -> None:
        self._service, self._model, self._id = service, model, uuid.uuid4().hex
        headers = {"x-api-key": service.key.reveal()}
        self._http = httpx.Client(base_url=service.http, headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Asking:
        self._post(
            "register",
            {"id": self._id, "ttl": 3600, "name": "check", "description": "", "can_log": False,
             "model": {"model_string": self._model}},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._post("delete", {"id": self._id})
        finally:
            self._http.close()

    def attach(self, name: str, content: bytes) -> None:
        encoded = base64.b64encode(content).decode()
        self._post("attach_file", {"session_id": self._id, "filename": name, "content": encoded})

    def ask(self, prompt: str) -> tuple[str, str]:
        """The answer in text, and all that the turn answered, tables and graphs included."""
        query = httpx.QueryParams(api_key=self._service.key.reveal(), session_id=self._id)
        texts: list[str] = []
        others: list[str] = []
        with connect(f"{self._service.ws}/v1/stream?{query}", max_size=2**25, max_queue=None) as socket:
            socket.send(json.dumps({"message_type": "query", "content": prompt}))
            while True:
                message = json.loads(socket.recv(timeout=TIMEOUT))
                if message["state"] == "end":
                    break
                content = message.get("content") or ""
                if message["message_type"] == "error":
                    raise SecGeminiError(f"the service failed: {one_line(content)[:SHOWN]}")
                if message["message_type"] == "result" and message.get("status_code") == 200:
                    is_text = message.get("mime_type") in ("text/plain", "text/markdown")
                    (texts if is_text else others).append(content)
        return "\n\n".join(texts), "\n\n".join([*texts, *others])

    def _post(self, operation: str, body: dict[str, Any]) -> None:
        reply = self._http.post(f"/v1/session/{operation}", json=body)
        said = reply.json() if reply.headers.get("content-type", "").startswith("application/json") else {}
        if reply.status_code != 200 or (isinstance(said, dict) and said.get("ok") is False):
            raise SecGeminiError(f"{operation} was refused with status {reply.status_code}: {reply.text[:SHOWN]}")


def problems(service: Service, case: Case, model: str) -> list[str]:
    """One line for each answer that is wrong."""
    found = []
    try:
        with Asking(service, model) as session:
            for name, content in case.files:
                session.attach(name, content)
            for number, question in enumerate(case.questions, 1):
                answer, whole = session.ask(question.prompt)
                wrong = question.missed(answer)
                wrong += [each for each in question.missed(whole) if each.startswith("holds") and each not in wrong]
                if all(each.is_empty for each in case.questions) and number == len(case.questions):
                    wrong.append("nothing says what a right answer holds (must_contain, must_not_contain, exact)")
                if wrong:
                    which = f" (prompt {number})" if len(case.questions) > 1 else ""
                    shown = one_line(answer)[:SHOWN]
                    found.append(f"{case.id}{which}: {'; '.join(wrong)}. Answer: {shown!r}")
    except (SecGeminiError, httpx.HTTPError, WebSocketException, OSError, ValueError) as error:
        found.append(f"{case.id}: {type(error).__name__}: {one_line(str(error))[:SHOWN]}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every answer is right, 1 if one is not, 2 for what makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m secgemini_jupyter.local_server.check",
        description="Ask a service the prompts of a file, and compare its answers with what they must contain.",
        allow_abbrev=False,
    )
    parser.add_argument("prompts", type=Path, help="a JSON list of {id, prompt, attachments, must_contain, …}")
    parser.add_argument("--url", help="of a running service, http://… or ws://… (default: start one for this check)")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="else SECGEMINI_SERVE_API_KEY; for --url")
    parser.add_argument(
        "--engine",
        choices=("analyst", "openai", "echo"),
        default="analyst",
        help="of the service that is started (default: %(default)s)",
    )
    parser.add_argument("--model", default="", metavar="NAME", help="model to ask (default: the service's own)")
    parser.add_argument("--jobs", type=int, default=2, help="prompts at a time (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        cases = read_cases(options.prompts)
        if options.url is None:
            with started(options.engine) as service:
                failed = run(service, cases, options.model, options.jobs)
        else:
            failed = run(Service.at(options.url, _key(options.api_key_file)), cases, options.model, options.jobs)
    except (BadPrompts, SettingsError) as error:
        print(f"check: {one_line(str(error))}", file=sys.stderr)
        return 2
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def run(service: Service, cases: Sequence[Case], model: str, jobs: int) -> int:
    """Asks all, prints what is wrong, in the file's order; how many cases failed."""
    failed = 0
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for found in pool.map(lambda case: problems(service, case, model), cases):
            failed += bool(found)
            for line in found:
                print(one_line(line), flush=True)  # the file may be anybody's: no control character of it passes
    return failed


def _key(file: Path | None) -> Secret:
    if file is not None:
        return read_key_file(file)
    if key := ServeSettings.from_environment().api_key:
        return key
    raise SettingsError("A service at --url needs its key: --api-key-file FILE, or SECGEMINI_SERVE_API_KEY.")


if __name__ == "__main__":
    sys.exit(main())
