"""A connector to a CRM in memory: the smallest one that keeps the whole contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from refloop.config import ConnectionSettings
from refloop.connectors.base import in_order
from refloop.errors import LedgerError
from refloop.model import (
    LINKED,
    Between,
    Cursor,
    Described,
    Everything,
    FieldChange,
    FieldHistory,
    FieldLabel,
    FieldSpec,
    Finding,
    Level,
    LinkChange,
    Named,
    Page,
    Receipt,
    Record,
    Ref,
    Relation,
    Since,
    Span,
    Usage,
    Verdict,
    Version,
)
from refloop.testing.memory_api import CHANGED, TOKEN, Broken, Held, MemoryApi

Wanted = Callable[[Record], bool]
Values = Mapping[Ref, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Position:
    """Everything modified before `since` was read; up to `until`, all records with an id up to `after`."""

    since: datetime | None
    until: datetime
    after: str

    def cursor(self) -> Cursor:
        since = self.since and self.since.isoformat()
        return Cursor(json.dumps({"v": 1, "since": since, "until": self.until.isoformat(), "after": self.after}))

    @classmethod
    def parse(cls, cursor: Cursor, now: datetime) -> _Position:
        """Raises LedgerError for a text that is no cursor of ours, or one from the future."""
        try:
            body = json.loads(cursor.text)
            since = body["since"] and datetime.fromisoformat(body["since"])
            position = cls(since, datetime.fromisoformat(body["until"]), str(body["after"]))
            sound = body["v"] == 1 and position.until <= now
        except (ValueError, TypeError, KeyError, RecursionError):
            sound = False
        if not sound:
            raise LedgerError(
                "the ledger's cursor is not one that this connection can have written",
                remedy="Restore the ledger, or pull everything again.",
            )
        return position


class MemoryConnector:
    """Speaks to a `MemoryApi` through its `api_*` methods alone."""

    settings: ClassVar[type[ConnectionSettings]] = ConnectionSettings

    def __init__(self, crm: MemoryApi, token: str = TOKEN) -> None:
        self._crm = crm
        self._token = _Hidden(token)

    def check(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        there = set(self._crm.api_fields(self._token.value))
        for field in fields:
            for kind in field.kinds:
                if (kind, field.name) not in there:
                    remedy = "Run `refloop provision`."
                    yield Finding(Level.ERROR, f"{self._crm.connection}:{kind}", f"no field {field.name}", remedy)

    def provision(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        there = set(self._crm.api_fields(self._token.value))
        for field in fields:
            for kind in field.kinds:
                if (kind, field.name) not in there:
                    self._crm.api_add_field(self._token.value, kind, field)
                    yield Finding(Level.INFO, f"{self._crm.connection}:{kind}", f"created field {field.name}")

    def unprovision(self, fields: Sequence[FieldSpec], *, preview: bool = False) -> Iterator[Finding]:
        there = set(self._crm.api_fields(self._token.value))
        for field in fields:
            for kind in field.kinds:
                if (kind, field.name) in there:
                    if not preview:
                        self._crm.api_drop_field(self._token.value, kind, field)
                    done = "would remove" if preview else "removed"
                    yield Finding(Level.INFO, f"{self._crm.connection}:{kind}", f"{done} field {field.name}")

    def described(self, fields: Sequence[FieldSpec]) -> Described:
        there = set(self._crm.api_fields(self._token.value))
        ours = [(kind, field) for field in fields for kind in field.kinds]
        lacking = frozenset((kind, field.name) for kind, field in ours if (kind, field.name) not in there)
        labels = [FieldLabel(kind, field.name, field.label) for kind, field in ours]
        return Described(labels=tuple(labels), lacking=lacking)

    def usage(self) -> Usage | None:
        return None

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        names = {field.name for field in fields}
        for page in self._span(span):
            yield replace(page, records=tuple(_with_found(record, names) for record in page.records))

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        yield from in_order(changes, self._steps(changes))

    def _steps(self, changes: Sequence[FieldChange]) -> Iterator[Mapping[int, Receipt]]:
        """What became of changes, by place, a batch of records at a time."""
        places: dict[int, list[int]] = {}
        by_ref: dict[Ref, list[FieldChange]] = {}
        for place, change in enumerate(changes):
            places.setdefault(id(change), []).append(place)
            by_ref.setdefault(change.ref, []).append(change)
        refs = list(by_ref)
        for start in range(0, len(refs), self._crm.batch_size):
            batch = {ref: by_ref[ref] for ref in refs[start : start + self._crm.batch_size]}
            for receipt in self._settle(batch):
                yield dict.fromkeys(places[id(receipt.change)], receipt)

    def push_links(self, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
        for change in changes:
            there = change.target in self._crm.api_links(self._token.value, [change.ref])[change.ref]
            found = LINKED if there else None
            if found == change.after:
                yield Receipt(change, Verdict.PRESENT, found)
            elif found != change.before:
                yield Receipt(change, Verdict.MOVED, found)
            else:
                linked = change.after is not None
                error = self._crm.api_link(self._token.value, change.ref, change.target, linked=linked)
                yield Receipt(change, Verdict.REFUSED if error else Verdict.WRITTEN, reason=error)

    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Values:
        names = {field.name for field in fields}
        held = self._crm.api_read(self._token.value, refs) if refs else {}
        return {ref: {name: own[name] for name in own if name in names} for ref, own in held.items()}

    def calls(self) -> Mapping[str, int]:
        return dict(self._crm.calls)

    def close(self) -> None:
        """There are no sockets."""

    def _span(self, span: Span) -> Iterator[Page]:
        match span:
            case Between(start, end):
                yield from self._window(start, end)
            case Named(refs):
                yield from self._named([ref for ref in dict.fromkeys(refs) if ref.connection == self._crm.connection])
            case Everything() | Since():
                yield from self._run(span, self._crm.api_time(self._token.value))

    def _run(self, span: Everything | Since, now: datetime) -> Iterator[Page]:
        match span:
            case Everything():
                yield from self._walk(_Position(None, now, ""))
            case Since(cursor):
                position = _Position.parse(cursor, now)
                if position.after:
                    yield from self._walk(position)
                yield from self._walk(_Position(position.until, now, ""))

    def _walk(self, position: _Position) -> Iterator[Page]:
        floor = position.since and position.since - self._crm.look_back

        def wanted(record: Record) -> bool:
            is_late = record.modified_at > position.until
            return not is_late and (floor is None or record.modified_at >= floor)

        for page, last in self._pages(wanted, position.after):
            yield replace(page, cursor=replace(position, after=last).cursor())

    def _window(self, start: datetime, end: datetime) -> Iterator[Page]:
        def wanted(record: Record) -> bool:
            return start <= record.created_at < end or start <= record.modified_at < end

        for page, _ in self._pages(wanted, ""):
            yield page

    def _named(self, refs: Sequence[Ref]) -> Iterator[Page]:
        for start in range(0, len(refs), self._crm.page_size):
            some = refs[start : start + self._crm.page_size]
            records, links = self._crm.api_records(self._token.value, some)
            there = [record.ref for record in records]
            whole = tuple((ref, Relation.ASSOCIATED_WITH) for ref in there)
            yield Page(tuple(records), tuple(links), whole, gone=tuple(ref for ref in some if ref not in there))

    def _pages(self, wanted: Wanted, after: str) -> Iterator[tuple[Page, str]]:
        """Pages with the id they end at; "" for the last one."""
        while True:
            records, links = self._crm.api_page(self._token.value, wanted, after)
            whole = tuple((record.ref, Relation.ASSOCIATED_WITH) for record in records)
            is_last = len(records) < self._crm.page_size
            after = "" if is_last else records[-1].ref.id
            yield Page(tuple(records), tuple(links), whole), after
            if is_last:
                return

    def _settle(self, batch: Mapping[Ref, list[FieldChange]]) -> Iterator[Receipt]:
        """Looks, writes what may be written, and says what became of each change."""
        held = self._crm.api_read(self._token.value, list(batch))
        verdicts = {id(change): _look(change, held) for changes in batch.values() for change in changes}
        values = {
            ref: {change.field.name: change.after for change in changes if verdicts[id(change)] is Verdict.WRITTEN}
            for ref, changes in batch.items()
        }
        seen = {ref: {name: held[ref].get(name) for name in own} for ref, own in values.items() if own}
        errors, broken = self._write({ref: own for ref, own in values.items() if own}, seen)
        moved = {ref: changes for ref, changes in batch.items() if errors.get(ref) == CHANGED}
        for ref, changes in batch.items():
            for change in () if ref in moved else changes:
                found = held.get(ref, {}).get(change.field.name)
                yield _receipt(change, verdicts[id(change)], found, (errors.get(ref, ""), broken))
        if moved:
            yield from self._settle(moved)

    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:
        """The errors of the records, and whether the call broke off. What is not as it was seen is not written."""
        try:
            return (self._crm.api_write_if(self._token.value, values, seen) if values else {}), False
        except Broken:
            return {}, True


class RecallingConnector(MemoryConnector):
    """For a CRM that takes no conditions: looks afterwards what it wrote over."""

    def recall(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        history = self._crm.api_history(self._token.value, [change.ref for change in changes])
        for change in changes:
            _ours, before = [*history.get(change.ref, {}).get(change.field.name, ()), None, None][:2]
            overwrote = before != change.before
            yield Receipt(change, Verdict.WRITTEN, before if overwrote else None, overwrote=overwrote)

    def _settle(self, batch: Mapping[Ref, list[FieldChange]]) -> Iterator[Receipt]:
        for receipt in super()._settle(batch):
            change = receipt.change
            if isinstance(change, FieldChange) and receipt.verdict is Verdict.WRITTEN:
                yield from self.recall([change])
            else:
                yield receipt

    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:  # noqa: ARG002 - of no use here
        return super()._write(values, {})


def _with_found(record: Record, names: Set[str]) -> Record:
    return replace(record, found={name: value for name, value in record.found.items() if name in names})


def _look(change: FieldChange, held: Values) -> Verdict:
    """The verdict before anything is sent; WRITTEN for what is to be."""
    if change.ref not in held:
        return Verdict.REFUSED
    found = held[change.ref].get(change.field.name)
    if found == change.after:
        return Verdict.PRESENT
    return Verdict.WRITTEN if found == change.before else Verdict.MOVED


def _receipt(change: FieldChange, verdict: Verdict, found: str | None, fate: tuple[str, bool]) -> Receipt:
    error, broken = fate
    if verdict is Verdict.REFUSED:
        return Receipt(change, verdict, reason="the record is gone")
    if verdict is not Verdict.WRITTEN:
        return Receipt(change, verdict, found)
    if broken:
        return Receipt(change, Verdict.UNKNOWN, reason="the connection broke")
    return Receipt(change, Verdict.REFUSED, reason=error) if error else Receipt(change, verdict)


class _Hidden:
    """A token that no repr shows."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "***"


class RememberingConnector(MemoryConnector):
    """The same for a CRM that keeps what the fields that may carry a code held before."""

    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """As `refloop.connectors.base.Histories` says."""
        mine = [ref for ref in refs if ref.connection == self._crm.connection]
        for ref, kept in self._crm.api_texts(self._token.value, mine).items():
            for name in sorted({name for _, texts in kept for name in texts}):
                versions = [Version(at, texts.get(name)) for at, texts in kept]
                yield FieldHistory(ref, name, tuple(versions), is_whole=True)
