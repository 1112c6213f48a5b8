"""Who belongs together: buyers, their deals, and what a change may concern. Set queries over `wave`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from refloop.ledger.book import Ledger
from refloop.model import Kind, Ref

MOST_RECORDS_OF_ONE_PERSON = 25
"""An e-mail that more records carry than this is a placeholder, not a person."""

_IDENTITY = "('converted-to', 'merged-into', 'same-person')"
_BELONGING = "('associated-with', 'converted-to')"

_LINKED_PERSONS = f"""
    SELECT w.connection AS c0, w.kind AS k0, w.id AS i0,
           l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
    FROM wave w CROSS JOIN links l
      ON l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id
    WHERE l.relation IN {_IDENTITY} AND l.source_kind <> 'deal' AND l.target_kind <> 'deal'
    UNION ALL
    SELECT w.connection, w.kind, w.id, l.source_connection, l.source_kind, l.source_id
    FROM wave w CROSS JOIN links l
      ON l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id
    WHERE l.relation IN {_IDENTITY} AND l.source_kind <> 'deal' AND l.target_kind <> 'deal'"""

_DEALS_OF_PERSONS = f"""
    SELECT w.connection AS c0, w.kind AS k0, w.id AS i0,
           l.source_connection AS c1, l.source_kind AS k1, l.source_id AS i1
    FROM wave w CROSS JOIN links l
      ON l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id
    WHERE w.kind <> 'deal' AND l.relation IN {_BELONGING} AND l.source_kind = 'deal'
    UNION
    SELECT w.connection, w.kind, w.id, l.target_connection, l.target_kind, l.target_id
    FROM wave w CROSS JOIN links l
      ON l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id
    WHERE w.kind <> 'deal' AND l.relation IN {_BELONGING} AND l.target_kind = 'deal'"""

_PERSONS_OF_DEALS = f"""
    SELECT w.connection AS c0, w.kind AS k0, w.id AS i0,
           l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
    FROM wave w CROSS JOIN links l
      ON l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id
    WHERE w.kind = 'deal' AND l.relation IN {_BELONGING} AND l.target_kind <> 'deal'
    UNION
    SELECT w.connection, w.kind, w.id, l.source_connection, l.source_kind, l.source_id
    FROM wave w CROSS JOIN links l
      ON l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id
    WHERE w.kind = 'deal' AND l.relation IN {_BELONGING} AND l.source_kind <> 'deal'"""

Pair = tuple[Ref, Ref]


def _pairs(ledger: Ledger, sql: str) -> list[Pair]:
    return [
        (Ref(row["c0"], Kind(row["k0"]), row["i0"]), Ref(row["c1"], Kind(row["k1"]), row["i1"]))
        for row in ledger.rows(sql)
    ]


def deals_of(ledger: Ledger, persons: Iterable[Ref]) -> list[Pair]:
    """(person, deal) for each deal that a person stands on."""
    ledger.wave(persons)
    return _pairs(ledger, _DEALS_OF_PERSONS)


def persons_of(ledger: Ledger, deals: Iterable[Ref]) -> list[Pair]:
    """(deal, person) for each person that stands on a deal."""
    ledger.wave(deals)
    return _pairs(ledger, _PERSONS_OF_DEALS)


def mirrors_of(ledger: Ledger, deals: Iterable[Ref]) -> list[Pair]:
    """(mirror, original) for each of the deals that is one or the other. Originals never seen do not count."""
    ledger.wave(deals)
    return _pairs(
        ledger,
        """
        SELECT DISTINCT l.source_connection AS c0, l.source_kind AS k0, l.source_id AS i0,
               l.target_connection AS c1, l.target_kind AS k1, l.target_id AS i1
        FROM wave w CROSS JOIN links l
          ON l.relation = 'same-deal' AND (
             (l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id))
        CROSS JOIN records r ON r.connection = l.target_connection AND r.kind = l.target_kind AND r.id = l.target_id
        WHERE r.deleted = 0
        UNION
        SELECT l.source_connection, l.source_kind, l.source_id, l.target_connection, l.target_kind, l.target_id
        FROM wave w CROSS JOIN links l
          ON l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id
        CROSS JOIN records r ON r.connection = l.target_connection AND r.kind = l.target_kind AND r.id = l.target_id
        WHERE l.relation = 'same-deal' AND r.deleted = 0""",
    )


def buyers(ledger: Ledger, seeds: Iterable[Ref], is_shared: Callable[[str], bool]) -> list[frozenset[Ref]]:
    """The persons' records that are one buyer with each of the seeds: converted, merged, said to be the same by
    a CRM, or with the same e-mail (unless `is_shared` says that it is nobody's own)."""
    seeds = set(seeds)
    edges: list[Pair] = []
    known, frontier = set(seeds), seeds
    while frontier:
        ledger.wave(frontier)
        found = _pairs(ledger, _LINKED_PERSONS) + _same_email(ledger, is_shared)
        edges += found
        frontier = {right for _, right in found} - known
        known |= frontier
    return _components(known, edges)


def _same_email(ledger: Ledger, is_shared: Callable[[str], bool]) -> list[Pair]:
    emails = ledger.rows(
        "SELECT DISTINCT r.email FROM wave w CROSS JOIN records r "
        "ON r.connection = w.connection AND r.kind = w.kind AND r.id = w.id "
        "WHERE r.email IS NOT NULL AND r.kind <> 'deal'"
    )
    pairs: list[Pair] = []
    for email in [row["email"] for row in emails if not is_shared(row["email"])]:
        holders = holders_of(ledger, email, MOST_RECORDS_OF_ONE_PERSON + 1)
        if len(holders) <= MOST_RECORDS_OF_ONE_PERSON:
            pairs += [(holders[0], other) for other in holders]
    return pairs


def holders_of(ledger: Ledger, email: str, limit: int = -1) -> list[Ref]:
    """The persons' records that carry an e-mail key."""
    rows = ledger.rows(
        "SELECT connection, kind, id FROM records WHERE email = ? AND kind <> 'deal' LIMIT ?", (email, limit)
    )
    return [Ref(row["connection"], Kind(row["kind"]), row["id"]) for row in rows]


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
    SELECT w.connection, w.kind, w.id FROM wave w WHERE
        EXISTS (SELECT 1 FROM matches m WHERE m.connection = w.connection AND m.kind = w.kind AND m.id = w.id)
     OR EXISTS (SELECT 1 FROM members m WHERE m.connection = w.connection AND m.kind = w.kind AND m.id = w.id)
     OR EXISTS (SELECT 1 FROM links l CROSS JOIN members m
                  ON m.connection = l.target_connection AND m.kind = l.target_kind AND m.id = l.target_id
                WHERE l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id)
     OR EXISTS (SELECT 1 FROM links l CROSS JOIN members m
                  ON m.connection = l.source_connection AND m.kind = l.source_kind AND m.id = l.source_id
                WHERE l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id)
     OR EXISTS (SELECT 1 FROM links l CROSS JOIN matches m
                  ON m.connection = l.target_connection AND m.kind = l.target_kind AND m.id = l.target_id
                WHERE l.source_connection = w.connection AND l.source_kind = w.kind AND l.source_id = w.id)
     OR EXISTS (SELECT 1 FROM links l CROSS JOIN matches m
                  ON m.connection = l.source_connection AND m.kind = l.source_kind AND m.id = l.source_id
                WHERE l.target_connection = w.connection AND l.target_kind = w.kind AND l.target_id = w.id)
     OR EXISTS (SELECT 1 FROM records r CROSS JOIN referrals f ON f.email = r.email
                WHERE r.connection = w.connection AND r.kind = w.kind AND r.id = w.id AND r.kind <> 'deal')
     OR EXISTS (SELECT 1 FROM records r CROSS JOIN records o ON o.email = r.email CROSS JOIN members m
                  ON m.connection = o.connection AND m.kind = o.kind AND m.id = o.id
                WHERE r.connection = w.connection AND r.kind = w.kind AND r.id = w.id AND r.kind <> 'deal')
     OR EXISTS (SELECT 1 FROM credits c WHERE c.connection = w.connection AND c.kind = w.kind AND c.id = w.id)"""

_SHOWN = """
    SELECT w.connection, w.kind, w.id FROM wave w WHERE
        EXISTS (SELECT 1 FROM members m WHERE m.connection = w.connection AND m.kind = w.kind AND m.id = w.id)
     OR EXISTS (SELECT 1 FROM credits c WHERE c.connection = w.connection AND c.kind = w.kind AND c.id = w.id)
     OR EXISTS (SELECT 1 FROM receipts t WHERE t.connection = w.connection AND t.kind = w.kind AND t.id = w.id)
     OR EXISTS (SELECT 1 FROM conflicts t WHERE t.connection = w.connection AND t.kind = w.kind AND t.id = w.id)
     OR EXISTS (SELECT 1 FROM records r CROSS JOIN referrers f ON f.email = r.email
                WHERE r.connection = w.connection AND r.kind = w.kind AND r.id = w.id AND r.kind = 'contact')"""


def concerned(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that a referral may have to do with: most of a CRM's records never have."""
    return _subset(ledger, refs, _CONCERNED)


def shown(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records whose fields are ours to fill, or were."""
    return _subset(ledger, refs, _SHOWN)


def _subset(ledger: Ledger, refs: Iterable[Ref], sql: str) -> set[Ref]:
    ledger.wave(refs)
    return {Ref(row["connection"], Kind(row["kind"]), row["id"]) for row in ledger.rows(sql)}
