"""Who belongs together: buyers, their deals, and what a change may concern. Set queries over `selection`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from refloop.ledger.record_rows import labels_from
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.identity import is_placeholder
from refloop.mapping.roles import RoleWords, Stand, is_buyer
from refloop.model import Kind, Ref

_IDENTITY = "('converted-to', 'merged-into', 'same-person')"
_BELONGING = "('associated-with', 'converted-to')"
_ONE_DEAL = "('same-deal', 'merged-into')"

_LINKED_PERSONS = f"""
    SELECT s.connection AS c0, s.kind AS k0, s.id AS i0,
           l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
    FROM selection s ORDERED JOIN links l
      ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
    WHERE l.relation IN {_IDENTITY} AND l.source_kind <> 'deal' AND l.target_kind <> 'deal'
    UNION ALL
    SELECT s.connection, s.kind, s.id, l.source_connection, l.source_kind, l.source_id
    FROM selection s ORDERED JOIN links l
      ON l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id
    WHERE l.relation IN {_IDENTITY} AND l.source_kind <> 'deal' AND l.target_kind <> 'deal'"""

_DEALS_OF_PERSONS = f"""
    SELECT s.connection AS c0, s.kind AS k0, s.id AS i0,
           l.source_connection AS c1, l.source_kind AS k1, l.source_id AS i1, l.labels
    FROM selection s ORDERED JOIN links l
      ON l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id
    WHERE s.kind <> 'deal' AND l.relation IN {_BELONGING} AND l.source_kind = 'deal'
    UNION ALL
    SELECT s.connection, s.kind, s.id, l.target_connection, l.target_kind, l.target_id, l.labels
    FROM selection s ORDERED JOIN links l
      ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
    WHERE s.kind <> 'deal' AND l.relation IN {_BELONGING} AND l.target_kind = 'deal'"""

_PERSONS_OF_DEALS = f"""
    SELECT s.connection AS c0, s.kind AS k0, s.id AS i0,
           l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1, l.labels
    FROM selection s ORDERED JOIN links l
      ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
    WHERE s.kind = 'deal' AND l.relation IN {_BELONGING} AND l.target_kind <> 'deal'
    UNION ALL
    SELECT s.connection, s.kind, s.id, l.source_connection, l.source_kind, l.source_id, l.labels
    FROM selection s ORDERED JOIN links l
      ON l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id
    WHERE s.kind = 'deal' AND l.relation IN {_BELONGING} AND l.source_kind <> 'deal'"""

_LINKED_DEALS = f"""
    SELECT l.source_connection AS c0, l.source_kind AS k0, l.source_id AS i0,
           l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
    FROM selection s ORDERED JOIN links l
      ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
    WHERE l.relation IN {_ONE_DEAL} AND l.source_kind = 'deal' AND l.target_kind = 'deal'
    UNION
    SELECT l.source_connection, l.source_kind, l.source_id, l.target_connection, l.target_kind, l.target_id
    FROM selection s ORDERED JOIN links l
      ON l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id
    WHERE l.relation IN {_ONE_DEAL} AND l.source_kind = 'deal' AND l.target_kind = 'deal'"""

Pair = tuple[Ref, Ref]


def _pairs(ledger: Ledger, sql: str) -> list[Pair]:
    return [
        (Ref(row["c0"], Kind(row["k0"]), row["i0"]), Ref(row["c1"], Kind(row["k1"]), row["i1"]))
        for row in ledger.rows(sql)
    ]


def deals_of(ledger: Ledger, persons: Iterable[Ref], roles: RoleWords) -> list[Pair]:
    """(person, deal) for each deal on which a person stands as a buyer, by what a company's own `roles` say."""
    return [(stand.person, stand.deal) for stand in stands_of(ledger, persons) if is_buyer(stand, roles)]


def persons_of(ledger: Ledger, deals: Iterable[Ref], roles: RoleWords) -> list[Pair]:
    """(deal, person) for each person that stands on a deal as a buyer."""
    return [(stand.deal, stand.person) for stand in standing_on(ledger, deals) if is_buyer(stand, roles)]


def stands_of(ledger: Ledger, persons: Iterable[Ref]) -> list[Stand]:
    """On which deals each of the persons stands, whatever they are to them. Deals that were merged away do not count:
    who stood on them stands on the deal that is left, or was taken off it."""
    ledger.select(persons)
    stands = _stands(ledger, _DEALS_OF_PERSONS, by_deal=False)
    merged = _merged_away(ledger, {stand.deal for stand in stands})
    return [stand for stand in stands if stand.deal not in merged]


def standing_on(ledger: Ledger, deals: Iterable[Ref]) -> list[Stand]:
    """Who stands on each of the deals, whatever they are to it. Persons never seen do not count; those who were deleted
    do: that they stood there was seen. Nobody stands on a deal that was merged away, but on the one that is left."""
    deals = frozenset(deals)
    ledger.select(deals - _merged_away(ledger, deals))
    stands = _stands(ledger, _PERSONS_OF_DEALS, by_deal=True)
    there = seen(ledger, {stand.person for stand in stands})
    return [stand for stand in stands if stand.person in there]


def _stands(ledger: Ledger, sql: str, *, by_deal: bool) -> list[Stand]:
    """The links that a query brings, those of one person and one deal together; `by_deal`: the deal comes first."""
    links: dict[Pair, set[tuple[str, ...]]] = {}
    for row in ledger.rows(sql):
        ends = (Ref(row["c0"], Kind(row["k0"]), row["i0"]), Ref(row["c1"], Kind(row["k1"]), row["i1"]))
        links.setdefault(ends if by_deal else ends[::-1], set()).add(labels_from(row["labels"]))
    return [Stand(deal, person, tuple(sorted(found))) for (deal, person), found in links.items()]


def became_of(ledger: Ledger, leads: Iterable[Ref]) -> list[Pair]:
    """(lead, contact) for each of the persons that was converted into another."""
    ledger.select(leads)
    return _pairs(
        ledger,
        """
        SELECT s.connection AS c0, s.kind AS k0, s.id AS i0,
               l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
        FROM selection s ORDERED JOIN links l
          ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
        WHERE l.relation = 'converted-to' AND l.target_kind = 'contact'""",
    )


def _merged_away(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that were merged into one that was seen."""
    return _subset(
        ledger,
        refs,
        """
        SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN links l
          ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id
        ORDERED JOIN records r
          ON r.connection = l.target_connection AND r.kind = l.target_kind AND r.id = l.target_id
        WHERE l.relation = 'merged-into'""",
    )


def seen(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that were ever seen."""
    return _subset(
        ledger,
        refs,
        "SELECT s.connection, s.kind, s.id FROM selection s ORDERED JOIN records r "
        "ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id",
    )


def present(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that were seen and are not gone. What was merged away is not: it speaks for its survivor."""
    return _subset(
        ledger,
        refs,
        """
        SELECT s.connection, s.kind, s.id FROM selection s
        ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
        WHERE r.deleted = 0 OR EXISTS (
            SELECT 1 FROM links l WHERE l.source_connection = s.connection AND l.source_kind = s.kind
               AND l.source_id = s.id AND l.relation = 'merged-into')""",
    )


def canonical_deals(ledger: Ledger, deals: Iterable[Ref]) -> dict[Ref, Ref]:
    """Every record that is one deal with one of the deals -> the record that speaks for it: of a mirror its original,
    of a deal that was merged away its survivor, else itself. Originals never seen, or gone, speak for nobody; what was
    merged into a deal that is gone is gone with it."""
    known, edges = _deals_linked(ledger, deals)
    upward = _upward(ledger, edges)
    return {ref: _top(ref, upward) for ref in known}


def deal_clusters(ledger: Ledger, deals: Iterable[Ref]) -> dict[Ref, dict[Ref, Ref]]:
    """Each of the deals -> `canonical_deals` this deal alone."""
    known, edges = _deals_linked(ledger, deals)
    upward = _upward(ledger, edges)
    families = ({ref: _top(ref, upward) for ref in family} for family in _components(known, edges))
    return {ref: family for family in families for ref in family}


def _deals_linked(ledger: Ledger, deals: Iterable[Ref]) -> tuple[set[Ref], set[Pair]]:
    known = set(deals)
    edges: set[Pair] = set()
    frontier = set(known)
    while frontier:
        ledger.select(frontier)
        edges |= (found := set(_pairs(ledger, _LINKED_DEALS)))
        frontier = {ref for pair in found for ref in pair} - known
        known |= frontier
    return known, edges


def _upward(ledger: Ledger, edges: set[Pair]) -> dict[Ref, Ref]:
    refs = {ref for pair in edges for ref in pair}
    there, merged = present(ledger, refs), _merged_away(ledger, refs)
    known = seen(ledger, refs)
    return {
        low: high
        for low, high in sorted(edges, reverse=True)
        if low in there and (high in there or (low in merged and high in known))
    }


def _top(ref: Ref, upward: Mapping[Ref, Ref]) -> Ref:
    passed = [ref]
    while (above := upward.get(passed[-1])) is not None:
        if above in passed:  # a circle is nonsense, but must have one speaker
            return min(passed[passed.index(above) :])
        passed.append(above)
    return passed[-1]


def buyers(ledger: Ledger, seeds: Iterable[Ref], is_shared: Callable[[str], bool], most: int) -> list[frozenset[Ref]]:
    """The persons' records that are one buyer with each of the seeds: converted, merged, said to be the same by
    a CRM, or with the same e-mail, unless `is_shared` says that it is nobody's own, or more than `most` records carry
    it."""
    seeds = set(seeds)
    edges: list[Pair] = []
    known, frontier = set(seeds), seeds
    while frontier:
        ledger.select(frontier)
        found = _pairs(ledger, _LINKED_PERSONS) + _same_email(ledger, is_shared, most)
        edges += found
        frontier = {right for _, right in found} - known
        known |= frontier
    return _components(known, edges)


def _same_email(ledger: Ledger, is_shared: Callable[[str], bool], most: int) -> list[Pair]:
    emails = ledger.rows(
        "SELECT r.email FROM selection s ORDERED JOIN records r "
        "ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id "
        "WHERE r.email IS NOT NULL AND r.kind <> 'deal' "
        "UNION SELECT a.email FROM selection s ORDERED JOIN addresses a "
        "ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id"
    )
    pairs: list[Pair] = []
    for email in [row["email"] for row in emails if not is_shared(row["email"])]:
        holders = holders_of(ledger, email, most + 1)
        if not is_placeholder(len(holders), most):
            pairs += [(holders[0], other) for other in holders]
    return pairs


def holders_of(ledger: Ledger, email: str, limit: int = sys.maxsize) -> list[Ref]:
    """The persons' records that carry an e-mail key, as their first address or as a further one."""
    rows = ledger.rows(
        "SELECT connection, kind, id FROM records WHERE email = ? AND kind <> 'deal' "
        "UNION ALL SELECT connection, kind, id FROM addresses WHERE email = ? LIMIT ?",
        (email, email, limit),
    )
    return [ref_of(row) for row in rows]


def first_holder(ledger: Ledger, email: str) -> Ref | None:
    """The person's record that carried an e-mail key first: who is meant where several share it."""
    row = ledger.one(
        "SELECT connection, kind, id, deleted, created_at FROM records WHERE email = ? AND kind <> 'deal' "
        "UNION ALL SELECT r.connection, r.kind, r.id, r.deleted, r.created_at FROM addresses a ORDERED JOIN records r "
        "ON r.connection = a.connection AND r.kind = a.kind AND r.id = a.id WHERE a.email = ? "
        "ORDER BY deleted, created_at, connection, kind, id LIMIT 1",
        (email, email),
    )
    return ref_of(row) if row else None


def _components(nodes: Collection[Ref], edges: Iterable[Pair]) -> list[frozenset[Ref]]:
    parent = {node: node for node in nodes}

    def root(node: Ref) -> Ref:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in edges:
        if left in parent and right in parent:
            parent[root(left)] = root(right)
    groups: dict[Ref, set[Ref]] = {}
    for node in nodes:
        groups.setdefault(root(node), set()).add(node)
    return [frozenset(group) for group in groups.values()]


_CONCERNED = """
    SELECT s.connection, s.kind, s.id FROM selection s WHERE
        EXISTS (SELECT 1 FROM matches m WHERE m.connection = s.connection AND m.kind = s.kind AND m.id = s.id)
     OR EXISTS (SELECT 1 FROM members m WHERE m.connection = s.connection AND m.kind = s.kind AND m.id = s.id)
     OR EXISTS (SELECT 1 FROM links l ORDERED JOIN members m
                  ON m.connection = l.target_connection AND m.kind = l.target_kind AND m.id = l.target_id
                WHERE l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id)
     OR EXISTS (SELECT 1 FROM links l ORDERED JOIN members m
                  ON m.connection = l.source_connection AND m.kind = l.source_kind AND m.id = l.source_id
                WHERE l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id)
     OR EXISTS (SELECT 1 FROM links l ORDERED JOIN matches m
                  ON m.connection = l.target_connection AND m.kind = l.target_kind AND m.id = l.target_id
                WHERE l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id)
     OR EXISTS (SELECT 1 FROM links l ORDERED JOIN matches m
                  ON m.connection = l.source_connection AND m.kind = l.source_kind AND m.id = l.source_id
                WHERE l.target_connection = s.connection AND l.target_kind = s.kind AND l.target_id = s.id)
     OR EXISTS (SELECT 1 FROM credits c WHERE c.connection = s.connection AND c.kind = s.kind AND c.id = s.id)"""

_OURS_TO_FILL = """
    SELECT s.connection, s.kind, s.id FROM selection s WHERE
        EXISTS (SELECT 1 FROM members m WHERE m.connection = s.connection AND m.kind = s.kind AND m.id = s.id)
     OR EXISTS (SELECT 1 FROM credits c WHERE c.connection = s.connection AND c.kind = s.kind AND c.id = s.id)
     OR EXISTS (SELECT 1 FROM receipts t WHERE t.connection = s.connection AND t.kind = s.kind AND t.id = s.id)
     OR EXISTS (SELECT 1 FROM conflicts t WHERE t.connection = s.connection AND t.kind = s.kind AND t.id = s.id)
     OR EXISTS (SELECT 1 FROM records r ORDERED JOIN referrers f ON f.email = r.email
                WHERE r.connection = s.connection AND r.kind = s.kind AND r.id = s.id AND r.kind = 'contact')
     OR EXISTS (SELECT 1 FROM addresses a ORDERED JOIN referrers f ON f.email = a.email
                WHERE a.connection = s.connection AND a.kind = s.kind AND a.id = s.id AND a.kind = 'contact')"""


# each e-mail is asked for once: a placeholder may stand on a great many records
_MAILS = """
    WITH mails AS MATERIALIZED (
        SELECT r.email FROM selection s
        ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
        WHERE r.email IS NOT NULL AND r.kind <> 'deal'
        UNION SELECT a.email FROM selection s
        ORDERED JOIN addresses a ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id)"""

_CONCERNED_BY_EMAIL = f"""{_MAILS},
    told AS MATERIALIZED (
        SELECT e.email FROM mails e
        WHERE EXISTS (SELECT 1 FROM referrals f WHERE f.email = e.email)
           OR EXISTS (SELECT 1 FROM records o ORDERED JOIN members m
                        ON m.connection = o.connection AND m.kind = o.kind AND m.id = o.id
                      WHERE o.email = e.email AND o.kind <> 'deal')
           OR EXISTS (SELECT 1 FROM addresses o ORDERED JOIN members m
                        ON m.connection = o.connection AND m.kind = o.kind AND m.id = o.id
                      WHERE o.email = e.email))
    SELECT s.connection, s.kind, s.id FROM selection s
    ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
    WHERE r.kind <> 'deal' AND r.email IN (SELECT email FROM told)
    UNION SELECT s.connection, s.kind, s.id FROM selection s
    ORDERED JOIN addresses a ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id
    WHERE a.email IN (SELECT email FROM told)"""

_HELD_BY_CROWDED_EMAIL = f"""{_MAILS},
    crowded AS MATERIALIZED (
        SELECT e.email FROM mails e WHERE ? = (
            SELECT count(*) FROM (
                SELECT 1 FROM records p WHERE p.email = e.email AND p.kind <> 'deal'
                UNION ALL SELECT 1 FROM addresses p WHERE p.email = e.email LIMIT ?) AS crowd))
    SELECT m.referral, o.connection, o.kind, o.id FROM crowded e
    ORDERED JOIN records o ON o.email = e.email AND o.kind <> 'deal'
    ORDERED JOIN members m ON m.connection = o.connection AND m.kind = o.kind AND m.id = o.id
    UNION SELECT m.referral, o.connection, o.kind, o.id FROM crowded e
    ORDERED JOIN addresses o ON o.email = e.email
    ORDERED JOIN members m ON m.connection = o.connection AND m.kind = o.kind AND m.id = o.id"""


def concerned(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that a referral may have to do with: most of a CRM's records never have."""
    refs = frozenset(refs)
    return _subset(ledger, refs, _CONCERNED) | _subset(ledger, refs, _CONCERNED_BY_EMAIL)


def crowded_out(ledger: Ledger, refs: Iterable[Ref], most: int) -> set[Ref]:
    """Records that a referral still holds together, though their e-mail, which is that of one of `refs`, turned out
    to be nobody's own: more than `most` records carry it."""
    ledger.select(refs)
    rows = list(ledger.rows(_HELD_BY_CROWDED_EMAIL, [most + 1] * 2))
    together = Counter(row["referral"] for row in rows)
    return {ref_of(row) for row in rows if together[row["referral"]] > 1}


def ours_to_fill(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records whose fields are ours to fill, or were."""
    return _subset(ledger, refs, _OURS_TO_FILL)


def _subset(ledger: Ledger, refs: Iterable[Ref], sql: str) -> set[Ref]:
    ledger.select(refs)
    return {ref_of(row) for row in ledger.rows(sql)}
