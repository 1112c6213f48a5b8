"""The referrers whose own record tells them nothing."""

from __future__ import annotations

from refloop.ledger.forget import is_pseudonym
from refloop.ledger.store import Ledger
from refloop.model import Referrer

_WITHOUT_CONTACT = """
    SELECT f.referrer, f.name, f.email FROM referrers f
    WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.email = f.email AND r.kind = 'contact' AND r.deleted = 0)
      AND NOT EXISTS (SELECT 1 FROM addresses a ORDERED JOIN records r
                        ON r.connection = a.connection AND r.kind = a.kind AND r.id = a.id
                      WHERE a.email = f.email AND a.kind = 'contact' AND r.deleted = 0)
      AND EXISTS (SELECT 1 FROM records)
    ORDER BY f.referrer"""


def referrers_without_contact(ledger: Ledger) -> list[Referrer]:
    """The referrers of whom no CRM has a contact by any address, in the order of their names; none before anything was
    pulled. Who was forgotten is not among them."""
    rows = ledger.rows(_WITHOUT_CONTACT)
    return [Referrer(row["referrer"], row["name"], row["email"]) for row in rows if not is_pseudonym(row["email"])]
