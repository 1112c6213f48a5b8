"""The words that an account has of its own making: pipelines, types of deals, labels of people on deals, stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.fields import Schema
from refloop.connectors.hubspot.layout import SHIPPED
from refloop.errors import ConfigError
from refloop.model import Kind, Word, WordKind


def words(client: Client, schema: Schema) -> Iterator[Word]:
    """What the token may see of them. Raises what `Client` raises of other trouble."""
    yield from _pipelines(client)
    yield from (Word(WordKind.DEAL_TYPE, *one) for one in _options(schema, Kind.DEAL, "dealtype"))
    try:
        labels = client.labels()
    except (Forbidden, ConfigError):
        labels = frozenset()
    yield from (Word(WordKind.ROLE, label, "labels of contacts on deals") for label in sorted(labels))
    for name in ("hs_lead_status", "lifecyclestage"):
        found = _options(schema, Kind.CONTACT, name)
        yield from (Word(WordKind.STAGE, *one) for one in found if one[-1] not in SHIPPED)


def _pipelines(client: Client) -> Iterator[Word]:
    try:
        pipelines: Iterable[Mapping[str, Any]] = client.pipelines()
    except (Forbidden, ConfigError):
        return
    for one in pipelines:
        word = str(one.get("label") or one.get("id"))
        yield Word(WordKind.PIPELINE, word, "deals.pipeline", str(one.get("id")))


def _options(schema: Schema, kind: Kind, name: str) -> Iterator[tuple[str, str, str]]:
    """(what people read, the property, the value that is kept) of each option."""
    there = schema.properties(kind).get(name)
    for value, label in there.labels.items() if there else ():
        yield label, f"{'deals' if kind is Kind.DEAL else 'contacts'}.{name}", value
