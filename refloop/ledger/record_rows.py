"""A record as a row of the ledger, and back: its columns, and the hash over what its CRM showed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from refloop.ledger.bounds import labels_of
from refloop.ledger.engine.base import Row
from refloop.ledger.store import ref_of
from refloop.model import Known, Link, Outcome, Owner, Record, Stage, parse_time

UPSERT = """
    INSERT INTO records (connection, kind, id, created_at, modified_at, email, title, texts, found, stage, outcome,
                         amount, currency, closed_at, deleted, owner_id, owner_name, account, name, further,
                         texts_after, found_after, stage_seen, hash, changed_run)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (connection, kind, id) DO UPDATE SET
        created_at = excluded.created_at, modified_at = excluded.modified_at, email = excluded.email,
        title = excluded.title, texts = excluded.texts, found = excluded.found, stage = excluded.stage,
        outcome = excluded.outcome, amount = excluded.amount, currency = excluded.currency,
        closed_at = excluded.closed_at, deleted = excluded.deleted, owner_id = excluded.owner_id,
        owner_name = excluded.owner_name, account = excluded.account, name = excluded.name, further = excluded.further,
        texts_after = excluded.texts_after, found_after = excluded.found_after, stage_seen = excluded.stage_seen,
        hash = excluded.hash, changed_run = excluded.changed_run"""

_CONTENT_COLUMNS = (
    "created_at",
    "email",
    "title",
    "texts",
    "found",
    "stage",
    "outcome",
    "amount",
    "currency",
    "closed_at",
    "deleted",
)
"""What `_fields` gives, in its order."""

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False)
_SURROGATE = re.compile("[\ud800-\udfff]")


def stamp(moment: datetime) -> str:
    """Sorts as text in the order of time, to the microsecond."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")


def _content(record: Record) -> tuple[object, ...]:
    return tuple(map(storable, _fields(record)))


def storable(value: object) -> object:
    """Half a surrogate pair is no text, and SQLite takes none: it is kept as the replacement character."""
    if not isinstance(value, str):
        return value
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def _fields(record: Record) -> tuple[object, ...]:
    return (
        stamp(record.created_at),
        record.email,
        record.title,
        json_text(record.texts),
        json_text(record.found),
        record.stage,
        record.outcome.value if record.outcome else None,
        str(record.amount) if record.amount is not None else None,
        record.currency,
        stamp(record.closed_at) if record.closed_at else None,
        int(record.deleted),
    )


def _owner(record: Record) -> tuple[object, ...]:
    """What is kept of the owner; nothing where there is none, so that such a record has the hash that it always had."""
    return tuple(map(storable, (record.owner.id, record.owner.name))) if record.owner else ()


def _further(record: Record) -> tuple[object, ...]:
    """What is kept in the columns `account`, `name` and `further`; nothing where the CRM says nothing of it, so that
    such a record has the hash that it always had."""
    facts = {name: value for name, value in _facts_of(record).items() if value}
    told = (record.account, record.name, _ENCODER.encode(facts) if facts else None)
    return tuple(map(storable, told)) if any(told) else ()


def _facts_of(record: Record) -> dict[str, object]:
    return {
        "emails": record.emails,
        "stage_at": stamp(record.stage_at) if record.stage_at else None,
        "stages": [(stage.word, stamp(stage.at) if stage.at else None) for stage in record.further_stages],
        "pipeline": record.pipeline,
        "deal_type": record.deal_type,
        "home_amount": str(record.home_amount) if record.home_amount is not None else None,
        "home_currency": record.home_currency,
    }


def _known(record: Record) -> tuple[str | None, ...]:
    known = record.known
    return tuple(stamp(at) if at else None for at in (known.texts_after, known.found_after, known.stage_seen))


def json_text(values: Mapping[str, str]) -> str:
    return _ENCODER.encode(dict(values)) if values else "{}"


def _values(text: str) -> dict[str, str]:
    values: dict[str, str] = json.loads(text) if text != "{}" else {}
    return values


def hash_of(record: Record) -> str:
    """What a row of `records` keeps beside its content, which shows whether either was altered."""
    return _digest((*_content(record), *_owner(record), *_further(record)))


def _digest(content: tuple[object, ...]) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def columns_of(record: Record) -> tuple[object, ...]:
    content, owner, further = _content(record), _owner(record), _further(record)
    ref, (created, *rest) = record.ref, content
    name, hashed = (ref.connection, ref.kind.value, ref.id), _digest((*content, *owner, *further))
    beside = (*(owner or (None, None)), *(further or (None, None, None)), *_known(record))
    return (*name, created, stamp(record.modified_at), *rest, *beside, hashed)


def stored_hash_of(row: Row) -> str:
    """`hash_of` the record that a row of `records` holds, without reading it: the content is kept as it is hashed."""
    owner = () if row["owner_id"] is None else (row["owner_id"], row["owner_name"])
    further = (row["account"], row["name"], row["further"])
    return _digest((*(row[name] for name in _CONTENT_COLUMNS), *owner, *(further if any(further) else ())))


def texts_of(row: Row) -> list[str]:
    """All that is read of the record that a row holds, out of its columns `texts` and `found` alone."""
    return [*_values(row["texts"]).values(), *_values(row["found"]).values()]


def home_amount_of(row: Row) -> tuple[Decimal | None, str | None]:
    """`home_amount` and `home_currency` of the record that a row holds, out of its column `further` alone."""
    facts: dict[str, Any] = json.loads(row["further"]) if row["further"] else {}
    home = facts.get("home_amount")
    return (None if home is None else Decimal(home)), facts.get("home_currency")


def record_from(row: Row) -> Record:
    """A row of `records` as the value it was."""
    facts: dict[str, Any] = json.loads(row["further"]) if row["further"] else {}
    home = facts.get("home_amount")
    return Record(
        ref=ref_of(row),
        created_at=parse_time(row["created_at"]),
        modified_at=parse_time(row["modified_at"]),
        email=row["email"],
        title=row["title"],
        texts=_values(row["texts"]),
        found=_values(row["found"]),
        stage=row["stage"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        amount=Decimal(row["amount"]) if row["amount"] is not None else None,
        currency=row["currency"],
        closed_at=parse_time(row["closed_at"]) if row["closed_at"] else None,
        deleted=bool(row["deleted"]),
        owner=Owner(row["owner_id"], row["owner_name"]) if row["owner_id"] is not None else None,
        emails=tuple(facts.get("emails", ())),
        name=row["name"],
        account=row["account"],
        stage_at=time_or_none(facts.get("stage_at")),
        further_stages=tuple(Stage(word, time_or_none(at)) for word, at in facts.get("stages", ())),
        pipeline=facts.get("pipeline"),
        deal_type=facts.get("deal_type"),
        home_amount=Decimal(home) if home is not None else None,
        home_currency=facts.get("home_currency"),
        known=Known(
            time_or_none(row["texts_after"]), time_or_none(row["found_after"]), time_or_none(row["stage_seen"])
        ),
    )


def time_or_none(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def labels_text(link: Link) -> str:
    """As text; "" where there is none."""
    return str(storable(_ENCODER.encode(labels_of(link)))) if link.labels else ""


def labels_from(text: str) -> tuple[str, ...]:
    """The labels of a link, as they stand in `links`."""
    return tuple(json.loads(text)) if text else ()
