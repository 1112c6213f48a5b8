"""One referral that shows the whole loop."""

from __future__ import annotations

from refloop.ledger.store import Ledger, ref_of
from refloop.model import Kind, Ref

_SPOTLIGHT = """
    SELECT r.connection AS c0, r.kind AS k0, r.id AS i0,
           m.connection AS c1, m.kind AS k1, m.id AS i1, d.connection AS c2, d.kind AS k2, d.id AS i2
    FROM referrals f
    JOIN current_statuses s ON s.referral = f.referral AND s.status = 'won'
    JOIN referrers w ON w.referrer = f.referrer
    JOIN (SELECT email, connection, kind, id FROM records WHERE email IS NOT NULL
          UNION ALL SELECT email, connection, kind, id FROM addresses) a ON a.email = w.email AND a.kind = 'contact'
    JOIN records r ON r.connection = a.connection AND r.kind = a.kind AND r.id = a.id AND r.deleted = 0
    JOIN members m ON m.referral = f.referral AND m.kind <> 'deal'
    JOIN receipts t ON t.connection = m.connection AND t.kind = m.kind AND t.id = m.id AND t.verdict = 'written'
    JOIN current_credits c ON c.referral = f.referral
    JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id AND d.outcome = 'won'
    JOIN current_matches e ON e.connection = m.connection AND e.kind = m.kind AND e.id = m.id
         AND e.code_key = f.code_key
    ORDER BY m.kind = 'lead' DESC,
             EXISTS (SELECT 1 FROM receipts p WHERE p.connection = r.connection AND p.kind = r.kind AND p.id = r.id
                     AND p.field LIKE '%won_amount' AND p.verdict = 'written') DESC,
             d.amount IS NOT NULL DESC, r.connection = d.connection DESC,
             1, 2, 3, 4, 5, 6, 7, 8, 9, f.referral
    LIMIT 1"""


_MATCHED = """
    SELECT m.connection, m.kind, m.id, f.referral, f.referrer
    FROM referrals f
    JOIN members m ON m.referral = f.referral
    JOIN current_matches e ON e.connection = m.connection AND e.kind = m.kind AND e.id = m.id
         AND e.code_key = f.code_key
    WHERE f.void IS NULL
    ORDER BY EXISTS (SELECT 1 FROM current_credits c WHERE c.referral = f.referral) DESC, m.kind = 'deal',
             1, 2, 3, f.referral
    LIMIT 1"""
_CREDITED = """
    SELECT c.connection, c.kind, c.id FROM current_credits c
    JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id
    WHERE c.referral = ? ORDER BY d.outcome = 'won' DESC, 1, 2, 3 LIMIT 1"""
_CONTACT = """
    SELECT a.connection, a.kind, a.id FROM referrers w
    JOIN (SELECT email, connection, kind, id FROM records WHERE email IS NOT NULL
          UNION ALL SELECT email, connection, kind, id FROM addresses) a ON a.email = w.email AND a.kind = 'contact'
    JOIN records r ON r.connection = a.connection AND r.kind = a.kind AND r.id = a.id AND r.deleted = 0
    WHERE w.referrer = ? ORDER BY 1, 2, 3 LIMIT 1"""


def spotlight(ledger: Ledger) -> list[tuple[str, Ref]]:
    """The records of one referral, each with a title: the one that carries the code, the deal, the referrer's contact.

    Of a referral that was won and written, with a lead if there is one; else of another, as far as it has them. None
    when no referral counts.
    """
    row = ledger.one(_SPOTLIGHT)
    if row is not None:
        referrer, buyer, deal = (Ref(row[f"c{n}"], Kind(row[f"k{n}"]), row[f"i{n}"]) for n in range(3))
        return _titled(buyer, deal, referrer)
    matched = ledger.one(_MATCHED)
    if matched is None:
        return []
    credited, contact = ledger.one(_CREDITED, [matched["referral"]]), ledger.one(_CONTACT, [matched["referrer"]])
    return _titled(ref_of(matched), ref_of(credited) if credited else None, ref_of(contact) if contact else None)


def _titled(buyer: Ref, deal: Ref | None, referrer: Ref | None) -> list[tuple[str, Ref]]:
    titles = (
        (f"The {buyer.kind} that came with a code", buyer),
        ("The deal", deal if deal != buyer else None),
        ("The referrer's own contact", referrer),
    )
    return [(title, ref) for title, ref in titles if ref is not None]
