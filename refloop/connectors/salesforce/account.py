"""The org's objects, described once a process and again when they turn out to have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part, PartAnswer
from refloop.connectors.salesforce.fields import ObjectSchema, parse_describe
from refloop.connectors.salesforce.names import DESCRIBED


class Account:
    """What the run user sees of the org, as of `described_at` (the server's clock). Raises as `Client` does."""

    described_at: datetime

    def __init__(self, client: Client) -> None:
        self._client = client
        self._schemas: Mapping[str, ObjectSchema] | None = None

    def schemas(self, *, afresh: bool = False) -> Mapping[str, ObjectSchema]:
        """Leads, contacts, opportunities and contact roles, by object; one call."""
        if afresh:
            self._schemas = None
        return self.survey(())[0] if self._schemas is None else self._schemas

    def survey(self, beside: Sequence[Part]) -> tuple[Mapping[str, ObjectSchema], Sequence[PartAnswer]]:
        """`schemas`, and what is good to know beside, in one call: see `Client.each_beside`."""
        parts = [describe(name) for name in DESCRIBED] if self._schemas is None else []
        bodies, answers = self._client.each_beside(parts, beside)
        if self._schemas is None:
            self._schemas = {name: read_schema(name, body) for name, body in zip(DESCRIBED, bodies, strict=True)}
            self.described_at = self._client.clock_at_start()
        return self._schemas, answers

    def forget(self) -> None:
        """The org is about to change."""
        self._schemas = None


def describe(name: str) -> Part:
    """Asks for the description of an object."""
    return Part(name, "GET", f"sobjects/{name}/describe")


def read_schema(name: str, body: object) -> ObjectSchema:
    """`parse_describe`; raises CrmUnavailable where that raises ValueError."""
    try:
        return parse_describe(name, body)
    except ValueError as error:
        raise ForeignAnswer(f"GET sobjects/{name}/describe", str(error)) from None
