"""What the CRMs showed: pages in, records and links out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from refloop.ledger.bounds import bounded
from refloop.ledger.engine.base import Row
from refloop.ledger.full_pull import count_brought
from refloop.ledger.queue import Topic, enqueue, enqueue_selected
from refloop.ledger.record_rows import (
    UPSERT,
    columns_of,
    hash_of,
    json_text,
    labels_text,
    record_from,
    stamp,
    storable,
    time_or_none,
)
from refloop.ledger.store import Ledger, ref_of
from refloop.model import (
    Cursor,
    Kind,
    Known,
    Link,
    Page,
    Record,
    Ref,
    Relation,
    format_time,
    parse_time,
)

MISSED, KEPT, AWAITED = "missed", "kept", "awaited"
"""What a link is that its CRM showed and shows no more: not asked about yet; kept, because who it leads to was deleted;
not shown since everything was to be read again. It stands as long as it is one of these."""
LINK_COLUMNS = "source_connection, source_kind, source_id, relation, target_connection, target_kind, target_id, key"
THIS_EDGE = " AND ".join(f"{column} = ?" for column in LINK_COLUMNS.split(", "))
_ADD_LINK = f"""
    INSERT INTO links ({LINK_COLUMNS}, labels, missed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')
    ON CONFLICT ({LINK_COLUMNS}) DO UPDATE SET labels = excluded.labels, missed = ''
    WHERE links.labels <> excluded.labels OR links.missed <> ''"""


def keep_page(
    ledger: Ledger, run: int, connection: str, page: Page, now: datetime, *, by_name: bool = False
) -> Counter[str]:
    """Keeps a page, its links and its cursor in one transaction, and queues what changed.

    Of a record, no more is kept than `refloop.ledger.bounds` says. One whose content is as known (its modification
    time does not count) is not a change; an older copy than the one known is rejected. What a CRM shows no more of
    a record that was deleted stays as last seen, and a link that it shows no more to a person is only missed until
    it is known whether the person was deleted (`refloop.ledger.missed`). A record that was deleted and is shown as
    it was then may come from a late index: it is asked for by name, and believed to be there again where a page
    `by_name` says so. So is one to whom a link leads anew, because no CRM links to what is deleted.

    Returns how many were "pulled", of them "new", "changed", "unchanged", "rejected".
    """
    counts = Counter(pulled=len(page.records))
    with ledger.writing():
        count_brought(ledger, connection, sum(not record.deleted for record in page.records))
        records = _latest(map(bounded, page.records))
        counts["rejected"] += len(page.records) - len(records)
        fresh = _changed(ledger, records, counts, by_name=by_name)
        ledger.execute_many(UPSERT, [(*columns_of(record), run) for record in fresh])
        _keep_addresses(ledger, fresh)
        touched = {record.ref for record in fresh} | _keep_links(ledger, run, page) | _keep_gone(ledger, run, page)
        enqueue(ledger, Topic.MATCH, touched)
        if touched:
            ledger.moved()
        if page.cursor is not None:
            ledger.execute(
                "INSERT INTO cursors (connection, cursor, run, at) VALUES (?, ?, ?, ?) ON CONFLICT (connection) "
                "DO UPDATE SET cursor = excluded.cursor, run = excluded.run, at = excluded.at",
                (connection, page.cursor.text, run, format_time(now)),
            )
    return counts


def _changed(ledger: Ledger, records: Mapping[Ref, Record], counts: Counter[str], *, by_name: bool) -> list[Record]:
    ledger.select(records)
    known = {
        ref_of(row): row
        for row in ledger.rows(
            "SELECT r.* FROM selection s "
            "ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id"
        )
    }
    shown = {
        ref: _last_known(record, record_from(known[ref])) if record.deleted and ref in known else record
        for ref, record in records.items()
    }
    merged = merged_among(ledger, records.keys() - known.keys())
    as_it_was = seen_up_to(ledger, next(iter(records)).connection) if records else None
    fresh: list[Record] = []
    touched: list[Record] = []
    for ref, record in shown.items():
        before = known.get(ref)
        if before is None:
            counts["new"] += 1
            seen = replace(record, known=Known(stage_seen=record.modified_at))
            fresh.append(replace(seen, deleted=True) if ref in merged else seen)
        elif before["awaited"]:  # everything is read again: whatever it was, it is what its CRM shows
            counts["changed"] += before["hash"] != hash_of(record)
            counts["unchanged"] += before["hash"] == hash_of(record)
            fresh.append(replace(record, known=_known_from(record, before, as_it_was)))
        elif _is_older(record, before, by_name=by_name):
            counts["rejected"] += 1
            if not _is_older(record, before, by_name=True):
                enqueue(ledger, Topic.ASK, [ref])
        elif before["hash"] == hash_of(record):
            counts["unchanged"] += 1
            touched += [record] if stamp(record.modified_at) > before["modified_at"] else []
        else:
            counts["changed"] += 1
            fresh.append(replace(record, known=_known_from(record, before, as_it_was)))
    _touch(ledger, touched)
    _await_no_more(ledger, [record.ref for record in fresh if record.ref in known and known[record.ref]["awaited"]])
    _miss_links_of(ledger, {record.ref for record in fresh if _came_back(record, known.get(record.ref))})
    return fresh


def _last_known(deleted: Record, before: Record) -> Record:
    """A deleted record with all that was known of it and that its CRM does not show with the deletion."""
    kept = {
        item.name: getattr(before, item.name)
        for item in fields(Record)
        if getattr(deleted, item.name) in (None, (), {}) and item.name != "known"
    }
    texts, found = {**before.texts, **deleted.texts}, {**before.found, **deleted.found}
    return replace(deleted, **{**kept, "texts": texts, "found": found})


def _await_no_more(ledger: Ledger, refs: Iterable[Ref]) -> None:
    ledger.execute_many(
        "UPDATE records SET awaited = 0 WHERE connection = ? AND kind = ? AND id = ?",
        [(ref.connection, ref.kind.value, ref.id) for ref in refs],
    )


def _came_back(record: Record, before: Row | None) -> bool:
    return before is not None and bool(before["deleted"]) and not record.deleted


def _miss_links_of(ledger: Ledger, refs: Iterable[Ref]) -> None:
    """Of records that were deleted and are there again: the links that were kept for them are missed anew, and the
    records that tell of them are asked for."""
    for ref in refs:
        for end in ("source", "target"):
            condition = f"{end}_connection = ? AND {end}_kind = ? AND {end}_id = ? AND missed = ?"
            mine = (ref.connection, ref.kind.value, ref.id, KEPT)
            enqueue_selected(
                ledger,
                Topic.ASK,
                f"SELECT source_connection, source_kind, source_id FROM links WHERE {condition}",
                mine,
            )
            ledger.execute(f"UPDATE links SET missed = ? WHERE {condition}", (MISSED, *mine))


_SEEN_UP_TO = "seen up to:"
_LATE = timedelta(hours=2)
"""How much later than its stamp a save may be seen: a long transaction commits, a search index catches up."""


def seen_up_to(ledger: Ledger, connection: str) -> datetime | None:
    """Up to when, by the CRM's clock, every save was seen by the pulls that went through."""
    row = ledger.one("SELECT value FROM meta WHERE key = ?", (_SEEN_UP_TO + connection,))
    return parse_time(row["value"]) if row else None


def keep_seen_up_to(ledger: Ledger, connection: str, latest: datetime) -> None:
    """Says that a pull went through whose latest save was at that time. An earlier one than known changes nothing."""
    with ledger.writing():
        ledger.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value "
            "WHERE excluded.value > meta.value",
            (_SEEN_UP_TO + connection, stamp(latest - _LATE)),
        )


def _known_from(record: Record, before: Row, as_it_was: datetime | None) -> Known:
    """What a new version of a record adds to what was known of it, which was so until `as_it_was` at least."""
    saved = parse_time(before["modified_at"])
    if as_it_was is not None:
        saved = min(max(saved, as_it_was), max(saved, record.modified_at))
    return Known(
        texts_after=saved if json_text(record.texts) != before["texts"] else time_or_none(before["texts_after"]),
        found_after=saved if json_text(record.found) != before["found"] else time_or_none(before["found_after"]),
        stage_seen=record.modified_at
        if _stages(record) != _stages_before(before)
        else time_or_none(before["stage_seen"]),
    )


def _stages(record: Record) -> tuple[str | None, ...]:
    """The words for where a record stands, whatever field says them."""
    return (record.stage, *(stage.word for stage in record.further_stages))


def _stages_before(row: Row) -> tuple[str | None, ...]:
    facts: dict[str, Any] = json.loads(row["further"]) if row["further"] else {}
    return (row["stage"], *(word for word, _ in facts.get("stages", ())))


def _latest(records: Iterable[Record]) -> dict[Ref, Record]:
    """A page may bring a record twice: the later version counts, of equal ones the later copy."""
    latest: dict[Ref, Record] = {}
    for record in records:
        if record.ref not in latest or record.modified_at >= latest[record.ref].modified_at:
            latest[record.ref] = record
    return latest


def _is_older(record: Record, known: Row, *, by_name: bool) -> bool:
    """Whether a copy is one from before what is known. What was deleted comes back only as a later version, or where it
    was asked for by name."""
    shown = stamp(record.modified_at)
    revives = bool(known["deleted"]) and not record.deleted and not by_name
    before = str(known["modified_at"])
    return shown <= before if revives else shown < before


def _touch(ledger: Ledger, records: Iterable[Record]) -> None:
    """Remembers later versions of the same content, so that older copies are known as such. Queues nothing."""
    ledger.execute_many(
        "UPDATE records SET modified_at = ? WHERE connection = ? AND kind = ? AND id = ?",
        [
            (stamp(record.modified_at), record.ref.connection, record.ref.kind.value, record.ref.id)
            for record in records
        ],
    )


def _keep_addresses(ledger: Ledger, records: Iterable[Record]) -> None:
    """Replaces the further addresses of persons. The first one stands in `records`."""
    names = [(record.ref.connection, record.ref.kind.value, record.ref.id) for record in records]
    ledger.execute_many("DELETE FROM addresses WHERE connection = ? AND kind = ? AND id = ?", names)
    ledger.execute_many(
        "INSERT INTO addresses (email, connection, kind, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (storable(email), *name)
            for record, name in zip(records, names, strict=True)
            for email in record.emails
            if email != record.email
        ],
    )


def _keep_links(ledger: Ledger, run: int, page: Page) -> set[Ref]:
    """Adds, removes and replaces edges. Returns the records at the ends of those that changed."""
    touched: set[Ref] = set()
    wanted = {_edge(link): link for link in page.links if not link.gone}
    for link in page.links:
        if link.gone:
            touched |= _drop_by_key(ledger, link) if link.key else _drop(ledger, [_edge(link)])
    for source, relation in page.whole:
        known = ledger.rows(
            f"SELECT {LINK_COLUMNS} FROM links WHERE source_connection = ? AND source_kind = ? AND source_id = ? "
            "AND relation = ?",
            (source.connection, source.kind, source.id, relation),
        )
        touched |= _drop(ledger, [tuple(row) for row in known if tuple(row) not in wanted])
    for edge, link in wanted.items():
        if link.key:
            touched |= _drop_by_key(ledger, link, but=edge)
        if ledger.execute(_ADD_LINK, (*edge, labels_text(link))):
            touched |= {link.source, link.target}
            if link.relation is Relation.MERGED_INTO:
                _bury(ledger, run, link.source)
            elif is_to_person(edge) and _is_deleted(ledger, link.target):
                enqueue(ledger, Topic.ASK, [link.target])
    return touched


def _is_deleted(ledger: Ledger, ref: Ref) -> bool:
    row = ledger.one(
        "SELECT deleted FROM records WHERE (connection, kind, id) = (?, ?, ?)", (ref.connection, ref.kind.value, ref.id)
    )
    return row is not None and bool(row["deleted"])


def _drop(ledger: Ledger, edges: Sequence[tuple[str, ...]]) -> set[Ref]:
    """Takes edges off. What was a person's is only missed: a CRM drops it with the person who is deleted, too."""
    touched: set[Ref] = set()
    for edge in edges:
        if is_to_person(edge):
            _miss(ledger, edge)
        elif ledger.execute(f"DELETE FROM links WHERE {THIS_EDGE}", edge):
            touched.update(ends_of(edge))
    return touched


def is_to_person(edge: Sequence[str]) -> bool:
    """Whether an edge says that a person stands on a deal."""
    return edge[3] == Relation.ASSOCIATED_WITH and edge[5] != Kind.DEAL


def _miss(ledger: Ledger, edge: tuple[str, ...]) -> None:
    if ledger.execute(f"UPDATE links SET missed = ? WHERE missed IN ('', ?) AND {THIS_EDGE}", (MISSED, AWAITED, *edge)):
        enqueue(ledger, Topic.ASK, [Ref(edge[4], Kind(edge[5]), edge[6])])


def _drop_by_key(ledger: Ledger, link: Link, *, but: tuple[str, ...] = ()) -> set[Ref]:
    """An edge that a CRM names by an id of its own may have changed its ends since it was seen."""
    known = ledger.rows(
        f"SELECT {LINK_COLUMNS} FROM links WHERE source_connection = ? AND relation = ? AND key = ? "
        "AND key <> ''",  # which lets SQLite use the index on keys
        (link.source.connection, link.relation, link.key),
    )
    edges = [tuple(row) for row in known if tuple(row) != but]
    return forget_edges(ledger, edges) if but else _drop(ledger, edges)


def forget_edges(ledger: Ledger, edges: Iterable[tuple[str, ...]]) -> set[Ref]:
    """Takes edges off for good. Returns the records at their ends."""
    gone = [edge for edge in edges if ledger.execute(f"DELETE FROM links WHERE {THIS_EDGE}", edge)]
    return set().union(*map(ends_of, gone))


def _keep_gone(ledger: Ledger, run: int, page: Page) -> set[Ref]:
    """Marks as deleted what the CRM does not show any more. Returns the records that were not so before."""
    return {ref for ref in page.gone if _bury(ledger, run, ref)}


def _bury(ledger: Ledger, run: int, ref: Ref) -> bool:
    """A record that was merged away is gone, whether or not its CRM ever shows it as deleted. Whether it was there."""
    record = record_of(ledger, ref)
    if record is None or record.deleted:
        return False
    _await_no_more(ledger, [ref])
    ledger.execute(UPSERT, (*columns_of(replace(record, deleted=True)), run))
    return True


def _edge(link: Link) -> tuple[str, ...]:
    source, target = link.source, link.target
    return (
        source.connection,
        source.kind.value,
        source.id,
        link.relation.value,
        target.connection,
        target.kind.value,
        target.id,
        link.key,
    )


def ends_of(edge: Sequence[str]) -> tuple[Ref, Ref]:
    """The source and the target of an edge, whose columns are LINK_COLUMNS."""
    return Ref(edge[0], Kind(edge[1]), edge[2]), Ref(edge[4], Kind(edge[5]), edge[6])


def record_of(ledger: Ledger, ref: Ref) -> Record | None:
    """The record as last seen, or None when it never was."""
    return next(records_of(ledger, [ref]), None)


def records_of(ledger: Ledger, refs: Iterable[Ref]) -> Iterator[Record]:
    """The records of that name that were ever seen, in the order of their names."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT r.* FROM selection s ORDERED JOIN records r "
        "ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id "
        "ORDER BY r.connection, r.kind, r.id"
    )
    # read out at once: the caller may fill the next selection while it goes through this one
    return iter([record_from(row) for row in rows])


def saved_at(ledger: Ledger, refs: Iterable[Ref]) -> Mapping[Ref, datetime]:
    """When the version was saved that is kept of each of the records; without those that are deleted or awaited."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT s.connection, s.kind, s.id, r.modified_at FROM selection s ORDERED JOIN records r "
        "ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id WHERE r.deleted = 0 AND r.awaited = 0"
    )
    return {ref_of(row): parse_time(row["modified_at"]) for row in rows}


def merged_among(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that were merged into another: gone, but their code speaks for the survivor."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN links l "
        "ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id "
        "AND l.relation = 'merged-into'"
    )
    return {ref_of(row) for row in rows}


def overlay(ledger: Ledger, record: Record, found: Mapping[str, str | None]) -> None:
    """Lays our own later knowledge of our fields over a record. Not a change of the CRM: queues nothing."""
    merged = {**record.found, **found}
    kept = replace(record, found={name: value for name, value in merged.items() if value is not None})
    put_record(ledger, kept)


def put_record(ledger: Ledger, record: Record) -> None:
    """Replaces what is kept of a record, if anything is. Not a change of the CRM: queues nothing."""
    row = ledger.one("SELECT changed_run FROM records WHERE (connection, kind, id) = (?, ?, ?)", columns_of(record)[:3])
    if row:
        ledger.execute(UPSERT, (*columns_of(record), row["changed_run"]))


def pulled(ledger: Ledger) -> list[str]:
    """The connections of which something was pulled."""
    return [row["connection"] for row in ledger.rows("SELECT connection FROM cursors ORDER BY connection")]


def cursor_of(ledger: Ledger, connection: str) -> Cursor | None:
    """Where the last pull of a connection got to."""
    row = ledger.one("SELECT cursor FROM cursors WHERE connection = ?", (connection,))
    return Cursor(row["cursor"]) if row else None
