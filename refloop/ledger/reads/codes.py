"""The codes with those who hand them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from refloop.ledger.codes import code_from
from refloop.ledger.forget import is_pseudonym
from refloop.ledger.store import Ledger
from refloop.model import Code, Referrer


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code, and the referrer who hands it out; without an address when that was forgotten."""

    code: Code
    referrer: Referrer


def issued_codes(ledger: Ledger) -> Iterator[IssuedCode]:
    """All codes in the order of their keys, streamed."""
    rows = ledger.rows(
        "SELECT c.*, r.name AS referrer_name, r.email AS referrer_email "
        "FROM codes c JOIN referrers r ON r.referrer = c.referrer ORDER BY c.code_key"
    )
    for row in rows:
        email = row["referrer_email"]
        yield IssuedCode(
            code_from(row),
            Referrer(row["referrer"], row["referrer_name"], None if is_pseudonym(email) else email),
        )
