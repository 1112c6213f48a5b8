"""What was decided: matches, referrals, credits, statuses. Added, never edited; "now" is a view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from refloop.ledger.engine.base import Row
from refloop.ledger.history import Provenance, add_claim, add_memberships
from refloop.ledger.record_rows import stamp
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.codes import MATCHER_VERSION
from refloop.model import (
    Credit,
    How,
    Kind,
    Match,
    Ref,
    Referral,
    Role,
    Rule,
    Status,
    StatusChange,
    format_time,
    parse_time,
)


def current_matches(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, Match]:
    """The match of each of the records that carries a code."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT m.* FROM selection s ORDERED JOIN current_matches m "
        "ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id"
    )
    return {
        ref_of(row): Match(row["code_key"], Rule(row["rule"]), row["field"], row["evidence"], row["confidence"])
        for row in rows
    }


def ever_matched(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that ever carried a code: when it is taken off, their buyer is decided anew."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN matches m "
        "ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id"
    )
    return {ref_of(row) for row in rows}


def keep_matches(ledger: Ledger, by: Provenance, found: Mapping[Ref, Match | None]) -> None:
    """Adds a row for each record whose match is another than before."""
    before = current_matches(ledger, found)
    ledger.execute_many(
        "INSERT INTO matches (connection, kind, id, code_key, rule, field, evidence, confidence, matcher, "
        "policy, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (ref.connection, ref.kind.value, ref.id, *_match_columns(match), MATCHER_VERSION, by.policy, by.run)
            for ref, match in found.items()
            if match != before.get(ref)
        ],
    )


def _match_columns(match: Match | None) -> tuple[object, ...]:
    if match is None:
        return (None, None, None, None, None)
    return (match.code, match.rule.value, match.field, match.evidence, match.confidence)


def carrying_among(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that carry a code, or ever did."""
    refs = frozenset(refs)
    return set(current_matches(ledger, refs)) | ever_matched(ledger, refs) if refs else set()


def referral_from(row: Row) -> Referral:
    origin = row["origin_id"]
    return Referral(
        id=row["referral"],
        code=row["code_key"],
        program=row["program"],
        referrer=row["referrer"],
        submitted=row["source"] == "claim",
        origin=Ref(row["origin_connection"], Kind(row["origin_kind"]), origin) if origin is not None else None,
        email=row["email"],
        claimed_at=parse_time(row["claimed_at"]),
        why=row["why"],
        void=Status(row["void"]) if row["void"] else None,
        void_reason=row["void_reason"],
        since=parse_time(row["since"]) if row["since"] else None,
        by=parse_time(row["latest"]) if row["latest"] else None,
        rival=row["rival"],
        how=how_from(row),
    )


def how_from(row: Row) -> How | None:
    """How a buyer came, out of a row with the columns `how_...`."""
    if row["how_rule"] is None:
        return None
    kind = Kind(row["how_kind"]) if row["how_kind"] else None
    return How(Rule(row["how_rule"]), row["how_connection"], kind, row["how_field"])


def _how_columns(how: How | None) -> tuple[str | None, ...]:
    if how is None:
        return (None, None, None, None)
    return (how.rule.value, how.connection, how.kind.value if how.kind else "", how.field)


def referrals_around(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, list[Referral]]:
    """The referrals that began on, hold, or were claimed for an e-mail of each of the records."""
    ledger.select(refs)
    return _by_record(
        ledger.rows("""
        SELECT s.connection, s.kind, s.id, f.* FROM selection s ORDERED JOIN referrals f
          ON f.origin_connection = s.connection AND f.origin_kind = s.kind AND f.origin_id = s.id
        UNION
        SELECT s.connection, s.kind, s.id, f.* FROM selection s
          ORDERED JOIN members m ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id
          ORDERED JOIN referrals f ON f.referral = m.referral
        UNION
        SELECT s.connection, s.kind, s.id, f.* FROM selection s
          ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id
          ORDERED JOIN referrals f ON f.email = r.email WHERE r.kind <> 'deal'
        UNION
        SELECT s.connection, s.kind, s.id, f.* FROM selection s
          ORDERED JOIN addresses a ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id
          ORDERED JOIN referrals f ON f.email = a.email""")
    )


def referrals_holding(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, list[Referral]]:
    """The referrals that hold each of the records."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT m.connection, m.kind, m.id, f.* FROM selection s "
        "ORDERED JOIN members m ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id "
        "ORDERED JOIN referrals f ON f.referral = m.referral"
    )
    return _by_record(rows)


def _by_record(rows: Iterable[Row]) -> dict[Ref, list[Referral]]:
    found: dict[Ref, list[Referral]] = {}
    for row in rows:
        found.setdefault(ref_of(row), []).append(referral_from(row))
    return found


def referrals_named(ledger: Ledger, ids: Iterable[str]) -> list[Referral]:
    """The referrals of those ids."""
    found = (ledger.one("SELECT * FROM referrals WHERE referral = ?", (name,)) for name in ids)
    return [referral_from(row) for row in found if row is not None]


def members_of(ledger: Ledger, referral: str) -> frozenset[Ref]:
    """The records that a referral holds."""
    return frozenset(
        ref_of(row) for row in ledger.rows("SELECT connection, kind, id FROM members WHERE referral = ?", (referral,))
    )


def keep_referral(ledger: Ledger, by: Provenance, referral: Referral) -> bool:
    """Adds or updates a referral. True when anything was new."""
    origin = referral.origin
    row = (
        referral.code,
        referral.program,
        referral.referrer,
        "claim" if referral.submitted else "record",
        origin.connection if origin else None,
        origin.kind.value if origin else None,
        origin.id if origin else None,
        referral.email,
        stamp(referral.claimed_at),
        referral.why,
        referral.void.value if referral.void else None,
        referral.void_reason,
        stamp(referral.since) if referral.since else None,
        stamp(referral.by) if referral.by else None,
        referral.rival,
        *_how_columns(referral.how),
        by.policy,
    )
    changed = ledger.execute(
        "INSERT INTO referrals (referral, code_key, program, referrer, source, origin_connection, origin_kind, "
        "origin_id, email, claimed_at, why, void, void_reason, since, latest, rival, "
        "how_rule, how_connection, how_kind, how_field, policy, added_run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (referral) DO UPDATE SET "
        "program = excluded.program, referrer = excluded.referrer, claimed_at = excluded.claimed_at, "
        "why = excluded.why, void = excluded.void, void_reason = excluded.void_reason, since = excluded.since, "
        "latest = excluded.latest, rival = excluded.rival, how_rule = excluded.how_rule, "
        "how_connection = excluded.how_connection, how_kind = excluded.how_kind, how_field = excluded.how_field, "
        "policy = excluded.policy "
        "WHERE (referrals.program, referrals.referrer, referrals.claimed_at, referrals.why, referrals.void_reason, "
        "referrals.rival) <> (excluded.program, excluded.referrer, excluded.claimed_at, excluded.why, "
        "excluded.void_reason, excluded.rival) OR referrals.void IS DISTINCT FROM excluded.void "
        "OR referrals.since IS DISTINCT FROM excluded.since OR referrals.latest IS DISTINCT FROM excluded.latest "
        "OR referrals.how_rule IS DISTINCT FROM excluded.how_rule "
        "OR referrals.how_connection IS DISTINCT FROM excluded.how_connection "
        "OR referrals.how_kind IS DISTINCT FROM excluded.how_kind "
        "OR referrals.how_field IS DISTINCT FROM excluded.how_field",
        (referral.id, *row, by.run),
    )
    if changed:
        add_claim(ledger, by, referral.id)
    return changed > 0


def keep_members(ledger: Ledger, by: Provenance, referral: str, members: frozenset[Ref]) -> bool:
    """Replaces the records that a referral holds. True when they are others than before."""
    before = members_of(ledger, referral)
    if before == members:
        return False
    ledger.execute_many(
        "DELETE FROM members WHERE connection = ? AND kind = ? AND id = ? AND referral = ?",
        [(ref.connection, ref.kind.value, ref.id, referral) for ref in before - members],
    )
    ledger.execute_many(
        "INSERT INTO members (connection, kind, id, referral) VALUES (?, ?, ?, ?)",
        [(ref.connection, ref.kind.value, ref.id, referral) for ref in members - before],
    )
    add_memberships(ledger, by, referral, members - before, before - members)
    return True


def credits_of(ledger: Ledger, deals: Iterable[Ref]) -> dict[Ref, list[Credit]]:
    """The current credits of each of the deals that has any."""
    ledger.select(deals)
    rows = ledger.rows(
        "SELECT c.* FROM selection s ORDERED JOIN current_credits c "
        "ON c.connection = s.connection AND c.kind = s.kind AND c.id = s.id ORDER BY c.seq"
    )
    found: dict[Ref, list[Credit]] = {}
    for row in rows:
        deal = ref_of(row)
        credit = Credit(deal, row["referral"], Decimal(row["share"]), Role(row["role"]), row["model"])
        found.setdefault(deal, []).append(credit)
    return found


def keep_credits(ledger: Ledger, by: Provenance, deal: Ref, model: str, credits: Sequence[Credit]) -> None:
    """Adds a decision about a deal: who gets which share. An empty one says that nobody gets any."""
    # rows are never deleted: the next row's number was never a decision's, and is found without a search
    latest = ledger.one("SELECT coalesce(max(seq), 0) + 1 AS next FROM credits")
    decision = latest["next"] if latest else 1
    rows: list[tuple[object, ...]] = [
        (credit.referral, str(credit.share), credit.role.value, credit.model) for credit in credits
    ]
    ledger.execute_many(
        "INSERT INTO credits (connection, kind, id, decision, referral, share, role, model, policy, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (deal.connection, deal.kind.value, deal.id, decision, *row, by.policy, by.run)
            for row in rows or [(None, None, None, model)]
        ],
    )


def status_of_referral(ledger: Ledger, referral: str) -> StatusChange | None:
    """Where a referral stands."""
    row = ledger.one("SELECT * FROM current_statuses WHERE referral = ?", (referral,))
    return status_from(row) if row else None


def status_from(row: Row) -> StatusChange:
    return StatusChange(row["referral"], Status(row["status"]), parse_time(row["at"]), row["reason"], row["label"])


def keep_status(ledger: Ledger, by: Provenance, status: StatusChange) -> None:
    """Adds where a referral stands from now on."""
    ledger.execute(
        "INSERT INTO statuses (referral, status, at, reason, label, policy, run) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (status.referral, status.status.value, format_time(status.at), status.reason, status.label, by.policy, by.run),
    )
