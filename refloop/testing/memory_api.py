"""What a connector to the CRM in memory may call, and what lies behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from refloop.errors import AuthError, CrmUnavailable
from refloop.model import FieldSpec, FieldType, Kind, Link, Record, Ref, Relation, canonical

TOKEN = "memory-token"  # noqa: S105 - opens nothing
START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
CHANGED = "the record is not as expected"

Held = Mapping[Ref, Mapping[str, str | None]]
"""Values of our fields, by record and name; None is empty."""


class Broken(Exception):  # noqa: N818 - what a connector sees of a broken connection
    """The connection broke while a write was under way."""


@dataclass(slots=True)
class Row:
    """A record and what the CRM knows beside it."""

    record: Record
    own: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[str | None]] = field(default_factory=dict)
    texts: list[tuple[datetime, Mapping[str, str]]] = field(default_factory=list)
    """What held a code or may have, our own code fields too, since when."""
    writes: list[frozenset[str]] = field(default_factory=list)
    poisoned: bool = False


class MemoryApi:
    """Records in a dictionary, and an API to them. Each `api_*` is one call, and refuses a bad token (AuthError)."""

    look_back = timedelta(minutes=5)
    page_size = 5
    batch_size = 5

    def __init__(self, connection: str = "crm", *, now: datetime = START) -> None:
        self.connection = connection
        self.now = now
        self.calls: Counter[str] = Counter()
        self._rows: dict[Ref, Row] = {}
        self._links: dict[tuple[Ref, Relation, Ref], Link] = {}
        self._schema: dict[tuple[Kind, str], FieldSpec] = {}
        self._broken: list[bool] = []
        self._garbled = False
        self._meanwhile: list[Callable[[], None]] = []

    def api_time(self, token: str) -> datetime:
        """The server's clock."""
        self._admit(token, "time")
        return self.now

    def api_fields(self, token: str) -> Iterable[tuple[Kind, str]]:
        """The fields of ours that exist."""
        self._admit(token, "fields")
        return tuple(self._schema)

    def api_add_field(self, token: str, kind: Kind, field: FieldSpec) -> None:
        """Creates a field."""
        self._admit(token, "add field")
        self._schema[kind, field.name] = field

    def api_drop_field(self, token: str, kind: Kind, field: FieldSpec) -> None:
        """Removes a field, with what stands in it."""
        self._admit(token, "drop field")
        del self._schema[kind, field.name]
        for row in self._rows.values():
            if row.record.ref.kind is kind:
                row.own.pop(field.name, None)

    def api_page(
        self, token: str, wanted: Callable[[Record], bool], after: str
    ) -> tuple[Sequence[Record], Sequence[Link]]:
        """The next page of records that are `wanted`, in the order of their ids, with the links that leave them."""
        self._admit(token, "page")
        if self._garbled:
            raise CrmUnavailable(f"{self.connection}: the answer was cut short", remedy="Run again.")
        found = [record for record in self._records() if wanted(record) and record.ref.id > after][: self.page_size]
        refs = {record.ref for record in found}
        return found, [link for link in self._links.values() if link.source in refs]

    def api_records(self, token: str, refs: Sequence[Ref]) -> tuple[Sequence[Record], Sequence[Link]]:
        """The records of those names, the deleted ones too, with the links that leave them; at most a page of them."""
        self._admit(token, "records")
        if len(refs) > self.page_size:
            raise ValueError("more than a page is asked for")
        if self._garbled:
            raise CrmUnavailable(f"{self.connection}: the answer was cut short", remedy="Run again.")
        found = [replace(row.record, found=dict(row.own)) for ref in refs if (row := self._rows.get(ref))]
        return found, [link for link in self._links.values() if link.source in refs]

    def api_read(self, token: str, refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, str]]:
        """Our fields of the records that are not gone."""
        self._admit(token, "read")
        rows = {ref: self._rows[ref] for ref in refs if ref in self._rows}
        return {ref: dict(row.own) for ref, row in rows.items() if not row.record.deleted}

    def api_history(self, token: str, refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Sequence[str | None]]]:
        """The values that our fields held, newest first, of the records that are not gone."""
        self._admit(token, "history")
        rows = {ref: self._rows[ref] for ref in refs if ref in self._rows}
        return {
            ref: {name: held[::-1] for name, held in row.history.items()}
            for ref, row in rows.items()
            if not row.record.deleted
        }

    def api_texts(self, token: str, refs: Sequence[Ref]) -> Mapping[Ref, Sequence[tuple[datetime, Mapping[str, str]]]]:
        """What the fields that may carry a code, and our own code fields, held, from when on, oldest first; of records
        that are not gone."""
        self._admit(token, "texts")
        rows = {ref: self._rows[ref] for ref in refs if ref in self._rows}
        return {ref: tuple(row.texts) for ref, row in rows.items() if not row.record.deleted}

    def api_write_if(self, token: str, values: Held, expected: Held) -> Mapping[Ref, str]:
        """`api_write` of the records that hold what is `expected` of them; the others are CHANGED."""
        self._people_act()
        changed = [ref for ref in values if ref in self._rows and not self._holds(ref, expected.get(ref, {}))]
        kept = {ref: own for ref, own in values.items() if ref not in changed}
        return {**self.api_write(token, kept), **dict.fromkeys(changed, CHANGED)}

    def _holds(self, ref: Ref, expected: Mapping[str, str | None]) -> bool:
        own = self._rows[ref].own
        return all(own.get(name) == value for name, value in expected.items())

    def _people_act(self) -> None:
        while self._meanwhile:
            self._meanwhile.pop(0)()

    def api_write(self, token: str, values: Held) -> Mapping[Ref, str]:
        """Writes a batch, record by record; gives the errors. Raises Broken when the connection breaks."""
        self._admit(token, "write")
        if len(values) > self.batch_size:
            raise ValueError("a batch is too large")
        breaks = self._broken.pop(0) if self._broken else None
        if breaks is False:
            raise Broken
        self._people_act()
        errors = {ref: error for ref, own in values.items() if (error := self._write(ref, own))}
        if breaks:
            raise Broken
        return errors

    def api_links(self, token: str, refs: Sequence[Ref]) -> Mapping[Ref, set[Ref]]:
        """The persons of each deal."""
        self._admit(token, "links")
        ends = [(deal, person) for deal, relation, person in self._links if relation is Relation.ASSOCIATED_WITH]
        return {ref: {person for deal, person in ends if deal == ref} for ref in refs}

    def api_link(self, token: str, deal: Ref, person: Ref, *, linked: bool) -> str:
        """Makes a person a part of a deal, or ends that; gives the error, "" when there is none."""
        self._admit(token, "link")
        if any(ref not in self._rows or self._rows[ref].record.deleted for ref in (deal, person)):
            return "the record is gone"
        if linked:
            self._link(deal, Relation.ASSOCIATED_WITH, person)
        else:
            self._links.pop((deal, Relation.ASSOCIATED_WITH, person), None)
        self._update(deal)
        return ""

    def _admit(self, token: str, endpoint: str) -> None:
        self.calls[endpoint] += 1
        if token != TOKEN:
            raise AuthError(f"{self.connection}: the token was refused", remedy="Renew the token.")

    def _records(self) -> Iterator[Record]:
        for row in self._rows.values():
            yield replace(row.record, found=dict(row.own))

    def _update(self, ref: Ref, **changes: object) -> None:
        row = self._rows[ref]
        row.record = replace(row.record, **{**changes, "modified_at": self.now})  # type: ignore[arg-type] # by name
        codes = {name: value for name, value in row.own.items() if name.endswith("_code")}
        row.texts.append((self.now, {**row.record.texts, **codes}))

    def _link(self, source: Ref, relation: Relation, target: Ref, labels: tuple[str, ...] = ()) -> None:
        self._links[source, relation, target] = Link(source, relation, target, labels=labels)

    def _put(self, row: Row, values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if (row.record.ref.kind, name) not in self._schema:
                raise KeyError(name)
            if row.own.get(name) != value:
                row.history.setdefault(name, [None]).append(value)
            if value is None:
                row.own.pop(name, None)
            else:
                row.own[name] = value

    def _write(self, ref: Ref, values: Mapping[str, str | None]) -> str:
        row = self._rows.get(ref)
        if row is None or row.record.deleted:
            return "the record is gone"
        if row.poisoned:
            return "a validation rule says no"
        self._put(row, {name: self._checked(ref.kind, name, value) for name, value in values.items()})
        row.writes.append(frozenset(values))
        self._update(ref)
        return ""

    def _checked(self, kind: Kind, name: str, value: str | None) -> str | None:
        spec = self._schema[kind, name]
        if spec.type is FieldType.CHOICE and value is not None and value not in dict(spec.choices):
            raise ValueError(value)
        return canonical(spec.type, value)
