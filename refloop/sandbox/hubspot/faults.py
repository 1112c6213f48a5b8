"""Faults on demand: what a network or an overloaded server does to a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refloop.sandbox.server import hang_up


@dataclass(frozen=True)
class Fault:
    """What happens instead of an answer. `status` None closes the connection; `applied` does the work first."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | Mapping[str, Any] = b""
    applied: bool = False
    path: str = ""


class Faults:
    """The faults that wait for a request, in order; each strikes once."""

    def __init__(self) -> None:
        self.injected = 0
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def take(self, path: str) -> Fault | None:
        """The first fault that waits for this path, which is counted and done with."""
        for fault in self._waiting:
            if fault.path in path:
                self._waiting.remove(fault)
                self.injected += 1
                return fault
        return None


class HangUp(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        await hang_up(receive)
