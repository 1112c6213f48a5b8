"""Whether another ledger writes to an account: its referral ids stand on records that this one never wrote to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref

_TAKEN_OVER = "taken-over:"
_FORM = re.compile("rf_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """How many records hold an id of another ledger's, and the first of them."""

    records: int
    example: Ref


def other_ledger_on(ledger: Ledger, connection: str, id_field: str) -> OtherLedger | None:
    """What another ledger wrote to a connection that this one never wrote to and did not take over; else None.

    An id that this ledger wrote to another connection does not count: HubSpot's own Salesforce integration may have
    copied it.
    """
    if _ever_wrote(ledger, connection) or _is_taken_over(ledger, connection):
        return None
    rows = ledger.rows(
        "SELECT connection, kind, id, json_text(found, ?) AS referral FROM records "
        "WHERE connection = ? AND deleted = 0 AND json_text(found, ?) LIKE 'rf_%' AND json_text(found, ?) NOT IN ("
        "SELECT after FROM receipts WHERE field = ? AND verdict = 'written' AND after IS NOT NULL)",
        (id_field, connection, id_field, id_field, id_field),
    )
    count, example = 0, None
    for row in rows:
        if _FORM.fullmatch(row["referral"]):
            count += 1
            ref = ref_of(row)
            example = min(example or ref, ref, key=lambda one: one.id)
    return OtherLedger(count, example) if example else None


def take_over(ledger: Ledger, connection: str) -> None:
    """Remembers that this ledger goes on in the place of the one that wrote to the connection before."""
    with ledger.writing():
        ledger.execute(
            "INSERT INTO meta (key, value) VALUES (?, 'yes') ON CONFLICT DO NOTHING", (_TAKEN_OVER + connection,)
        )


def _ever_wrote(ledger: Ledger, connection: str) -> bool:
    found = ledger.one("SELECT 1 FROM receipts WHERE connection = ? AND verdict = 'written' LIMIT 1", (connection,))
    return found is not None


def _is_taken_over(ledger: Ledger, connection: str) -> bool:
    return ledger.one("SELECT 1 FROM meta WHERE key = ?", (_TAKEN_OVER + connection,)) is not None
