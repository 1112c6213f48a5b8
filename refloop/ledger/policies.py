"""By which rules the ledger was decided, and deciding anew where they changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from refloop import log
from refloop.ledger.codes import RECORDS_WITH_TEXT
from refloop.ledger.queue import Topic, enqueue_selected
from refloop.ledger.records import cursor_of, saved_at
from refloop.ledger.store import Ledger
from refloop.ledger.summaries import REFERRERS_CONTACTS
from refloop.mapping.policy import Part, Policy, Rules
from refloop.model import Everything, Since, Span, format_time

_DECIDED_BY = "policy:"
_READ_BY = "reading:"

_RECORDS = "SELECT connection, kind, id FROM "

_HELD = (_RECORDS + "members", _RECORDS + "current_matches")
_REFERRALS = ("SELECT '', '', referral FROM referrals",)

_DECIDED: Mapping[Part, Mapping[Topic, tuple[str, ...]]] = {
    Part.MATCH: {
        Topic.MATCH: (
            RECORDS_WITH_TEXT,
            _RECORDS + "current_matches",
            _RECORDS + "questions",
        )
    },
    Part.CLAIM: {Topic.CLAIM: _HELD},
    Part.DEALS: {
        Topic.CLAIM: _HELD,
        Topic.CREDIT: (_RECORDS + "records WHERE kind = 'deal'",),
        Topic.STATUS: _REFERRALS,
    },
    Part.CREDIT: {
        Topic.CREDIT: (
            _RECORDS + "credits",
            _RECORDS + "members WHERE kind = 'deal'",
            """SELECT l.source_connection, l.source_kind, l.source_id FROM members m JOIN links l
        ON l.target_connection = m.connection AND l.target_kind = m.kind AND l.target_id = m.id
        WHERE l.source_kind = 'deal'""",
            """SELECT l.target_connection, l.target_kind, l.target_id FROM members m JOIN links l
        ON l.source_connection = m.connection AND l.source_kind = m.kind AND l.source_id = m.id
        WHERE l.target_kind = 'deal'""",
        )
    },
    Part.STATUS: {Topic.STATUS: _REFERRALS},
    Part.PLAN: {
        Topic.PLAN: (
            _RECORDS + "members",
            _RECORDS + "credits",
            _RECORDS + "receipts",
            _RECORDS + "conflicts",
            "SELECT source_connection, source_kind, source_id FROM links WHERE relation = 'same-deal'",
            REFERRERS_CONTACTS,
        )
    },
}
"""What each part of the rules decided about: names for the queues of the stages that decide by it. A statement each,
because their union would be held in memory."""


def decide_anew(ledger: Ledger, run: int, policy: Policy, now: datetime) -> list[Part]:
    """Puts back into its queue, once, whatever a part of the rules decided that has changed since. Returns the parts.

    Of a ledger that does not say by which rules it was decided, everything is decided anew.
    """
    moved = [part for part, rules in policy.parts.items() if _kept(ledger, _DECIDED_BY + part) != rules.digest]
    if moved:
        with ledger.writing():
            for part in moved:
                for topic, selects in _DECIDED[part].items():
                    for names in selects:
                        enqueue_selected(ledger, topic, names)
                _remember(ledger, run, part, policy.parts[part], now)
            ledger.moved()
        log.info("rules changed", parts=[part.value for part in moved])
    return moved


def _remember(ledger: Ledger, run: int, part: Part, rules: Rules, now: datetime) -> None:
    """Keeps which rules decide from now on, and what their digest means."""
    _keep(ledger, _DECIDED_BY + part, rules.digest)
    ledger.execute(
        "INSERT INTO policies (digest, part, rules, run, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (rules.digest, part.value, rules.told(), run, format_time(now)),
    )


def forget_rules(ledger: Ledger) -> None:
    """Forgets by which rules the ledger was decided, so that everything is decided anew."""
    ledger.execute("DELETE FROM meta WHERE substr(key, 1, ?) = ?", (len(_DECIDED_BY), _DECIDED_BY))


def span_to_pull(ledger: Ledger, connection: str, policy: Policy) -> Span:
    """What a connection's next pull has to bring: what is new; or everything, when nothing was pulled yet or when its
    records are to be read otherwise than they were."""
    cursor, reading = cursor_of(ledger, connection), policy.reading(connection)
    known = _kept(ledger, _READ_BY + connection)
    if cursor is not None and known in (None, reading):
        if known is None:  # of an earlier refloop, which did not say
            with ledger.writing():
                _keep(ledger, _READ_BY + connection, reading)
        return Since(cursor, partial(saved_at, ledger))
    with ledger.writing():
        ledger.execute("DELETE FROM cursors WHERE connection = ?", (connection,))
        _keep(ledger, _READ_BY + connection, reading)
    return Everything()


def _kept(ledger: Ledger, key: str) -> str | None:
    row = ledger.one("SELECT value FROM meta WHERE key = ?", (key,))
    return row["value"] if row else None


def _keep(ledger: Ledger, key: str, value: str) -> None:
    ledger.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
