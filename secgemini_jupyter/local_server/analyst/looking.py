"""From a turn to the `Request` that a plan is made for: what is attached, by its bytes and not by its name."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.calls import table_source
from secgemini_jupyter.local_server.analyst.tool import Attached, Request, ToolFailure
from secgemini_jupyter.local_server.analyst.within import archive_of, members_of
from secgemini_jupyter.local_server.analyst.workers import Workers
from secgemini_jupyter.local_server.engines.base import EngineTurn, StoredAttachment

SNIFF_BYTES = 1024 * 1024
MORE_BYTES = 16 * 2**20
MAX_REMEMBERED = 512


class Looker:
    """Looks at attachments in a worker, and remembers by their hashes what they are."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._kinds: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def request(self, turn: EngineTurn) -> Request:
        """The turn's prompt, taken apart, with the attachments' real kinds."""
        prompt = turn.prompt.encode("utf-8", "replace").decode("utf-8")
        request = replace(planner.request_of(prompt, await self.attached(turn)), table=await self._table(turn))
        if "\n" in request.pasted or request.pasted.startswith("{"):
            kind = await self._sniff(request.pasted.encode())
            request = replace(request, pasted_kind=kind["kind"], pasted_has_logins=kind["has_logins"])
        return await self._with_members(turn, request)

    async def _with_members(self, turn: EngineTurn, request: Request) -> Request:
        """The request; if it may be about a member of an archive, with what is in that one."""
        whole = archive_of(request)
        if whole is None:
            return request
        (file,) = [each for each in turn.attachments if each.info.name == whole.name][-1:]
        key = f"members {file.info.sha256}"
        tool = "email_analyze" if whole.kind == "email" else "archive_list"
        if not file.info.sha256 or key not in self._kinds:
            try:
                self._kinds[key] = await self._workers.run(tool, {"file": whole.name}, {whole.name: file.content})
            except ToolFailure:
                return request
            self._forget()
        parts = members_of(self._kinds[key])
        return replace(request, attachments=[replace(e, parts=parts) if e is whole else e for e in request.attachments])

    async def attached(self, turn: EngineTurn) -> list[Attached]:
        latest = {each.info.name: each for each in turn.attachments}  # of two files with one name the last counts
        attached = []
        for each in latest.values():
            kind = await self._kind(each)
            attached.append(Attached(each.info.name, kind["kind"], len(each.content), kind["has_logins"], each.is_new))
        return attached

    async def _table(self, turn: EngineTurn) -> Attached | None:
        """The session's logs table, as the planner sees it; what it is, is remembered while it does not grow."""
        table = turn.logs_table
        if table is None:
            return None
        key = f"{table.hash} {table.lines}"
        if key not in self._kinds:
            try:
                self._kinds[key] = await self._workers.run("sniff_table", {}, {}, await table_source(table))
            except ToolFailure:
                return Attached(table.hash, "log/jsonl", table.size, is_new=table.is_new)
            self._forget()
        kind = self._kinds[key]
        return Attached(table.hash, kind["kind"], table.size, kind["has_logins"], table.is_new)

    def _forget(self) -> None:
        if len(self._kinds) > MAX_REMEMBERED:
            self._kinds.popitem(last=False)

    async def _kind(self, attachment: StoredAttachment) -> dict[str, Any]:
        """What the attachment is, remembered by its hash."""
        key = attachment.info.sha256
        if not key:
            return await self._sniffed(attachment.content)
        if key not in self._kinds:
            self._kinds[key] = await self._sniffed(attachment.content)
            self._forget()
        return self._kinds[key]

    async def _sniffed(self, content: bytes) -> dict[str, Any]:
        """Its beginning tells, mostly; of a text with very long first lines or headers more of it."""
        found = await self._sniff(content[:SNIFF_BYTES])
        if found["kind"] == "text" and len(content) > SNIFF_BYTES:
            found = await self._sniff(content[:MORE_BYTES])
        return found

    async def _sniff(self, content: bytes) -> dict[str, Any]:
        try:
            found = await self._workers.run("sniff", {}, {"it": content})
        except ToolFailure:
            return {"kind": "application/octet-stream", "has_logins": False}
        kind: dict[str, Any] = found["it"]
        return kind
