"""Deals that a referral may concern though nobody on them is held by it: by the company, by a name, by a role.

These are no identities: nothing is decided from them but that somebody is asked, unless the company says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from refloop.ledger.identity import Pair, standing_on, stands_of
from refloop.ledger.reviews import deals_asked_about
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.identity import is_placeholder
from refloop.mapping.roles import RoleWords, is_referrer
from refloop.model import Kind, Ref

MOST_OF_ONE_NAME = 25
"""A name that more persons' records carry is a placeholder, or too common to ask about."""

_DEALS_AT = """
    SELECT DISTINCT d.connection, d.kind, d.id FROM selection s
    ORDERED JOIN records p ON p.connection = s.connection AND p.kind = s.kind AND p.id = s.id
    ORDERED JOIN records d ON d.account = p.account AND d.connection = p.connection
    WHERE p.kind <> 'deal' AND d.kind = 'deal'"""

_HELD_AT = """
    SELECT DISTINCT s.connection AS c0, s.kind AS k0, s.id AS i0, p.connection AS c1, p.kind AS k1, p.id AS i1
    FROM selection s
    ORDERED JOIN records d ON d.connection = s.connection AND d.kind = s.kind AND d.id = s.id
    ORDERED JOIN records p ON p.account = d.account AND p.connection = d.connection
    ORDERED JOIN members m ON m.connection = p.connection AND m.kind = p.kind AND m.id = p.id
    WHERE d.kind = 'deal' AND p.kind <> 'deal'"""

_NAMES = """
    SELECT s.connection, s.kind, s.id, r.name FROM selection s
    ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
    WHERE r.kind <> 'deal' AND r.name IS NOT NULL"""

_OF_THAT_NAME = """
    SELECT connection, kind, id FROM records
    WHERE name IS NOT NULL AND lower(name) = lower(?) AND kind <> 'deal' LIMIT ?"""

_WON = """
    SELECT s.connection, s.kind, s.id FROM selection s
    ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
    WHERE r.kind = 'deal' AND r.outcome = 'won' AND r.deleted = 0"""

_CREDITED = "SELECT connection, kind, id FROM current_credits WHERE referral = ?"


def deals_around(ledger: Ledger, persons: Collection[Ref], referrals: Collection[str]) -> set[Ref]:
    """The deals that what is decided about a buyer may concern: those on which the persons stand, as whatever; those
    of their companies; those on which somebody of their name stands; those that the referrals are credited for, or
    that somebody was asked about with one of them."""
    people = set(persons)
    others = {other for _, other in namesakes(ledger, people)}
    found = {stand.deal for stand in stands_of(ledger, people | others)}
    ledger.select(people)
    found |= {ref_of(row) for row in ledger.rows(_DEALS_AT)}
    return found | credited_deals(ledger, referrals) | deals_asked_about(ledger, referrals)


def credited_deals(ledger: Ledger, referrals: Iterable[str]) -> set[Ref]:
    """The deals for which one of the referrals is credited now."""
    return {ref_of(row) for name in referrals for row in ledger.rows(_CREDITED, (name,))}


def held_at(ledger: Ledger, deals: Iterable[Ref]) -> list[Pair]:
    """(deal, person) for each person whom a referral holds, of the company that a deal belongs to."""
    ledger.select(deals)
    return [
        (Ref(row["c0"], Kind(row["k0"]), row["i0"]), Ref(row["c1"], Kind(row["k1"]), row["i1"]))
        for row in ledger.rows(_HELD_AT)
    ]


def namesakes(ledger: Ledger, persons: Iterable[Ref]) -> list[Pair]:
    """(person, another record of that name) for each of the persons, unless the name is nobody's own."""
    ledger.select(persons)
    names: dict[str, list[Ref]] = {}
    for row in ledger.rows(_NAMES):
        names.setdefault(row["name"], []).append(ref_of(row))
    pairs: list[Pair] = []
    for name, refs in names.items():
        found = [ref_of(row) for row in ledger.rows(_OF_THAT_NAME, (name, MOST_OF_ONE_NAME + 1))]
        if not is_placeholder(len(found), MOST_OF_ONE_NAME):
            pairs += [(ref, other) for ref in refs for other in found if other != ref]
    return pairs


def without_held_buyer(ledger: Ledger, deals: Collection[Ref], roles: RoleWords) -> set[Ref]:
    """Those of the deals that a referral may concern though it holds nobody on them: a referred person is of their
    company or of the name of somebody on them, somebody stands on them as a referrer, or they are asked about."""
    stands = standing_on(ledger, deals)
    found = {deal for deal, _ in held_at(ledger, deals)}
    found |= {stand.deal for stand in stands if is_referrer(stand, roles)}
    found |= asked_about(ledger, deals)
    ledger.select(deals)
    won = {ref_of(row) for row in ledger.rows(_WON)}
    deals_by_person: dict[Ref, set[Ref]] = {}
    for stand in stands:
        if stand.deal in won - found:
            deals_by_person.setdefault(stand.person, set()).add(stand.deal)
    pairs = namesakes(ledger, deals_by_person)
    held = _held_among(ledger, {other for _, other in pairs})
    return found.union(*(deals_by_person[person] for person, other in pairs if other in held))


def _held_among(ledger: Ledger, persons: Iterable[Ref]) -> set[Ref]:
    ledger.select(persons)
    rows = ledger.rows(
        "SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN members m "
        "ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id"
    )
    return {ref_of(row) for row in rows}


def asked_about(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records about which something is open."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN questions q "
        "ON q.connection = s.connection AND q.kind = s.kind AND q.id = s.id"
    )
    return {ref_of(row) for row in rows}


_ISSUED = """
    SELECT s.connection, s.kind, s.id, c.code_key FROM selection s
    ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
    ORDERED JOIN referrers f ON f.email = r.email
    ORDERED JOIN codes c ON c.referrer = f.referrer
    UNION
    SELECT s.connection, s.kind, s.id, c.code_key FROM selection s
    ORDERED JOIN addresses a ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id
    ORDERED JOIN referrers f ON f.email = a.email
    ORDERED JOIN codes c ON c.referrer = f.referrer"""


def issued_by(ledger: Ledger, persons: Iterable[Ref]) -> dict[Ref, tuple[str, ...]]:
    """The keys of the codes that each of the persons hands out, sorted; one who hands out none is left out."""
    ledger.select(persons)
    found: dict[Ref, list[str]] = {}
    for row in ledger.rows(_ISSUED):
        found.setdefault(ref_of(row), []).append(row["code_key"])
    return {ref: tuple(sorted(keys)) for ref, keys in found.items()}
