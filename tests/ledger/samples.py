"""Values to keep in a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from refloop.ledger import Ledger
from refloop.ledger.engine.base import Engine, Migrations
from refloop.ledger.engine.opening import open_database
from refloop.ledger.history import Provenance
from refloop.ledger.queue import Topic, dequeue, next_refs
from refloop.ledger.records import keep_page
from refloop.ledger.schema import migrations
from refloop.model import Cursor, FieldSpec, FieldType, Kind, Page, Record, Ref, Referral

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
TEXT = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, tuple(Kind))


def by(run: int) -> Provenance:
    """A decision of that run."""
    return Provenance(run, "rules", DAY)


@contextmanager
def made_before(step: str, path: Path) -> Iterator[Engine]:
    """A new ledger as it was before a migration was there, to be filled."""
    older = Migrations()
    older.steps = dict(takewhile(lambda item: item[0] != step, migrations.steps.items()))
    engine = open_database(path, older)
    with engine.transaction():
        engine.migrate(older)
        engine.execute("INSERT INTO meta (key, value) VALUES ('ledger', 'x'), ('position', '0')")
        yield engine
    engine.close()


def lead(number: int | str) -> Ref:
    return Ref("crm", Kind.LEAD, str(number))


def contact(number: int | str) -> Ref:
    return Ref("crm", Kind.CONTACT, str(number))


def deal(number: int | str) -> Ref:
    return Ref("crm", Kind.DEAL, str(number))


def record(ref: Ref, *, hours: int = 0, **facts: Any) -> Record:
    """A record created on DAY and modified `hours` later."""
    return Record(ref, facts.pop("created_at", DAY), DAY + timedelta(hours=hours), **facts)


def keep(ledger: Ledger, *records: Record, run: int = 1, **page: Any) -> dict[str, int]:
    """Keeps a page. Returns the counts."""
    cursor = page.pop("cursor", None)
    return dict(keep_page(ledger, run, "crm", Page(records, cursor=Cursor(cursor) if cursor else None, **page), DAY))


def queued(ledger: Ledger, topic: Topic = Topic.MATCH) -> set[Ref]:
    """What waits on a topic; and takes it off."""
    refs = next_refs(ledger, topic, 1000)
    with ledger.writing():
        dequeue(ledger, topic, refs)
    return set(refs)


def referral(name: str = "rf_1", **facts: Any) -> Referral:
    given: dict[str, Any] = {
        "id": name,
        "code": "anna7k2q",
        "program": "program",
        "referrer": "anna",
        "submitted": False,
        "origin": lead(1),
        "email": None,
        "claimed_at": DAY,
        "why": "because",
        "void": None,
        "void_reason": "",
    }
    return Referral(**{**given, **facts})
