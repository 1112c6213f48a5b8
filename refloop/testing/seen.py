"""What a ledger would know after some pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta

from refloop.model import Cursor, Link, Page, Record, Ref, Relation


class Seen:
    """The records and links that pages brought: the later one counts, and a `whole` set of links replaces the old.

    Checks of each record what holds for every record of every CRM.
    """

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.records: dict[Ref, Record] = {}
        self.links: dict[tuple[Ref, Relation, Ref, str], Link] = {}
        self.gone: set[Ref] = set()
        self.cursor: Cursor | None = None
        self.pages = 0

    def take(self, pages: Iterable[Page]) -> Seen:
        """Keeps `pages`; gives itself."""
        for page in pages:
            self._keep(page)
        return self

    def linked(self, source: Ref, relation: Relation) -> set[Ref]:
        """The targets of a record's links."""
        return {target for (start, kind, target, _) in self.links if (start, kind) == (source, relation)}

    def _keep(self, page: Page) -> None:
        self.pages += 1
        for record in page.records:
            _look_over(record, self.connection)
            self.records[record.ref] = record
        assert not {record.ref for record in page.records} & set(page.gone), "what is gone is not shown"
        self.gone |= set(page.gone)
        for name in [name for name in self.links if (name[0], name[1]) in set(page.whole)]:
            del self.links[name]
        for link in page.links:
            name = (link.source, link.relation, link.target, link.key)
            if link.gone:
                self.links.pop(name, None)
            else:
                self.links[name] = link
        self.cursor = page.cursor or self.cursor


def _look_over(record: Record, connection: str) -> None:
    assert record.ref.connection == connection
    assert record.ref.id
    for moment in (record.created_at, record.modified_at, *([record.closed_at] if record.closed_at else [])):
        assert moment.tzinfo is UTC or moment.utcoffset() == timedelta(), "times are aware and in UTC"
    assert record.owner is None or record.owner.id
    assert all(record.texts.values()), "empty texts are left out"
    assert all(record.found.values()), "empty fields of ours are left out"
