"""Reads what our fields hold right now: up to 2,000 records of each object in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.answers import Row, retrieved
from refloop.connectors.salesforce.client import MOST_PARTS, Client, ForeignAnswer, Part
from refloop.connectors.salesforce.fields import ObjectSchema
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.records import found
from refloop.connectors.salesforce.values import SCALE
from refloop.errors import ConfigError
from refloop.model import FieldSpec, Kind, Ref

MOST_IDS = 2000
"""Salesforce REST docs, "Get Records With a Request Body Using sObject Collections"."""

_BESIDE: Mapping[Kind, tuple[str, ...]] = {
    Kind.LEAD: ("SystemModstamp", "IsConverted"),
    Kind.CONTACT: ("SystemModstamp", "AccountId"),
    Kind.DEAL: ("SystemModstamp", "AccountId"),
}
"""What a write has to know beside our fields; left out where the run user does not see it."""


class Looker:
    """Looks at records by id. Strongly consistent: Salesforce reads its database, not an index."""

    def __init__(self, connection: str, client: Client, account: Account) -> None:
        self._connection = connection
        self._client = client
        self._account = account

    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
        """What our fields hold, by record; records that are gone, or none of ours, are left out."""
        known = {ref: usable for ref in refs if (usable := usable_id(ref, self._connection))}
        ids = by_kind((ref.kind, usable) for ref, usable in known.items())
        asked = {kind: [field for field in fields if kind in field.kinds] for kind in ids}
        rows = self.rows(ids, asked)
        there = {ref: row for ref, usable in known.items() if (row := rows.get((ref.kind, usable)))}
        return {ref: _found(ref, row, asked[ref.kind]) for ref, row in there.items()}

    def rows(
        self, ids: Mapping[Kind, Sequence[str]], fields: Mapping[Kind, Sequence[FieldSpec]], *, to_write: bool = False
    ) -> Mapping[tuple[Kind, str], Row]:
        """The rows of records that exist. Raises ConfigError when a field of ours is not as it has to be to read it
        or, if asked for, to write it: before the first write, not record by record."""
        self.refuse_unfit(fields, to_write=to_write)
        chunks = [
            (kind, ids[kind][start : start + MOST_IDS]) for kind in ids for start in range(0, len(ids[kind]), MOST_IDS)
        ]
        rows: dict[tuple[Kind, str], Row] = {}
        for start in range(0, len(chunks), MOST_PARTS):
            asked = chunks[start : start + MOST_PARTS]
            parts = [self._part(place, kind, some, fields[kind]) for place, (kind, some) in enumerate(asked)]
            for (kind, some), body in zip(asked, self._client.each(parts), strict=True):
                rows.update(_by_id(kind, some, body))
        return rows

    def places(self, kind: Kind, field: FieldSpec) -> int:
        """How many digits after the point the org's field for one of ours keeps."""
        described = self._account.schemas()[OBJECTS[kind]].find(crm_name(field))
        return SCALE if described is None else described.scale

    def began(self) -> datetime:
        """The server's clock when the last call of `rows` was sent, or a little before."""
        return self._client.clock_at_start()

    def refuse_unfit(self, fields: Mapping[Kind, Sequence[FieldSpec]], *, to_write: bool) -> None:
        """Raises ConfigError, naming each place, when a field of ours is not as it has to be to read it or, if asked
        for, to write it. Describes the org in one call, the first time."""
        faults = [
            fault
            for kind, some in fields.items()
            for fault in _faults(self._account.schemas()[OBJECTS[kind]], some, to_write=to_write)
        ]
        if faults:
            raise ConfigError(
                f"{self._connection}: the org's fields are not as refloop needs them",
                faults=tuple(faults),
                remedy="Run `refloop provision`, and see to what `refloop check` says.",
            )

    def _part(self, place: int, kind: Kind, ids: Sequence[str], fields: Sequence[FieldSpec]) -> Part:
        name = OBJECTS[kind]
        schema = self._account.schemas()[name]
        beside = (field.name for text in _BESIDE[kind] if (field := schema.find(text)))
        columns = ["Id", *beside, *map(crm_name, fields)]
        body = {"ids": list(ids), "fields": columns}
        return Part(f"{name}{place}", "POST", f"composite/sobjects/{name}", body=body)


def _found(ref: Ref, row: Row, fields: Sequence[FieldSpec]) -> Mapping[str, str]:
    try:
        return found(row, fields)
    except ValueError as error:
        raise ForeignAnswer(f"for {OBJECTS[ref.kind]} {ref.id}", str(error)) from None


def _by_id(kind: Kind, ids: Sequence[str], body: object) -> Mapping[tuple[Kind, str], Row]:
    try:
        rows = retrieved(OBJECTS[kind], body, ids)
    except ValueError as error:
        raise ForeignAnswer(f"for records of {OBJECTS[kind]}", str(error)) from None
    return {(kind, asked): row for asked, row in zip(ids, rows, strict=True) if row is not None}


def _faults(schema: ObjectSchema, fields: Sequence[FieldSpec], *, to_write: bool) -> Iterator[str]:
    if fields and to_write and not schema.updateable:
        yield f"{schema.name} may not be edited by the run user"
        return
    for field in fields:
        described = schema.find(crm_name(field))
        if fault := unfit(schema, field):
            yield fault
        elif to_write and described is not None and not described.updateable:
            yield f"{schema.name}.{described.name} may not be edited by the run user"


def unfit(schema: ObjectSchema, field: FieldSpec) -> str | None:
    """What keeps us from reading a field of ours; None when nothing does."""
    name = crm_name(field)
    described = schema.find(name)
    if described is None:
        return f"{schema.name}.{name} does not exist, or the run user does not see it"
    if not described.reads_as(field):
        return f"{schema.name}.{name} is of type {described.type}, which does not hold a {field.type}"
    return None


def usable_id(ref: Ref, connection: str) -> str | None:
    """The id to ask for; None when `ref` names no record of this connection."""
    if ref.connection != connection:
        return None
    try:
        return record_id(ref.id)
    except ValueError:
        return None


def by_kind(ids: Iterable[tuple[Kind, str]]) -> Mapping[Kind, Sequence[str]]:
    """Ids by kind, each once, in order."""
    groups: dict[Kind, dict[str, None]] = {}
    for kind, text in ids:
        groups.setdefault(kind, {})[text] = None
    return {kind: list(group) for kind, group in groups.items()}
