"""A private door beside the API, for measurements across processes: counters, edits by people, faults.

`GET /_local/stats`, `POST /_local/reset`, `/_local/edit` and `/_local/fail`; none of it is counted or metered.
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from refloop_sandbox.fill import edit
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

PREFIX = "/_local/"


class Control:
    """The ASGI application: the CRM's, and the private door."""

    def __init__(self, crm: LocalSalesforce | LocalHubSpot) -> None:
        self._crm = crm
        self._cpu = time.process_time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._crm.app(scope, receive, send)
            return
        raw = await Request(scope, receive).body()
        body: dict[str, Any] = json.loads(raw) if raw else {}
        answer = self._done(scope["path"].removeprefix(PREFIX), body)
        await JSONResponse({"error": "unknown"} if answer is None else answer, 404 if answer is None else 200)(
            scope, receive, send
        )

    def _done(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if what == "stats":
            return self._stats()
        if what == "reset":
            self._crm.reset_counters()
            self._cpu = time.process_time()
            return {}
        if what == "edit":
            return {"edited": edit(self._crm, body["object"], body["count"])}
        if what == "fail":
            self._crm.fail_next(**body)
            return {}
        return None

    def _stats(self) -> dict[str, Any]:
        traffic = self._crm.traffic
        return {
            "calls": self._crm.calls,
            "refused": traffic.refused,
            "injected": self._crm.faults.injected,
            "received": traffic.received,
            "peak": traffic.peak,
            "cpu": time.process_time() - self._cpu,
            "memory": _memory(),
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }


def _memory() -> int:
    """Resident memory in bytes; 0 where there is no /proc."""
    held = Path("/proc/self/statm")
    return int(held.read_text().split()[1]) * resource.getpagesize() if held.exists() else 0
