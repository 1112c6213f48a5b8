"""Tables, views and guards of the ledger, as migrations. docs/ledger.md explains them to those who query them."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from refloop.model import Kind, Ref, ReviewItem, ReviewReason

APPLICATION_ID = 0x5265664C  # "RefL": `file` and our own start-up check tell a ledger from any other database

migrations = Migrations("refloop")

_REF = "connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL"

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE forgotten (digest TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE lease (
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        heartbeat_at TEXT NOT NULL,
        expires_at TEXT,
        fence INTEGER NOT NULL,
        locked INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE programs (program TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '') STRICT",
    """CREATE TABLE referrers (
        referrer TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        email TEXT
    ) STRICT""",
    "CREATE INDEX referrers_by_email ON referrers (email) WHERE email IS NOT NULL",
    """CREATE TABLE codes (
        code_key TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        referrer TEXT NOT NULL REFERENCES referrers,
        program TEXT NOT NULL REFERENCES programs,
        valid_from TEXT,
        valid_to TEXT,
        added_at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX codes_by_referrer ON codes (referrer)",
    f"""CREATE TABLE records (
        {_REF},
        created_at TEXT NOT NULL,
        modified_at TEXT NOT NULL,
        email TEXT,
        title TEXT,
        texts TEXT NOT NULL,
        found TEXT NOT NULL,
        stage TEXT,
        outcome TEXT,
        amount TEXT,
        currency TEXT,
        closed_at TEXT,
        deleted INTEGER NOT NULL,
        hash TEXT NOT NULL,
        changed_run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX records_by_email ON records (email) WHERE email IS NOT NULL",
    """CREATE TABLE links (
        source_connection TEXT NOT NULL, source_kind TEXT NOT NULL, source_id TEXT NOT NULL,
        relation TEXT NOT NULL,
        target_connection TEXT NOT NULL, target_kind TEXT NOT NULL, target_id TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (source_connection, source_kind, source_id, relation,
                     target_connection, target_kind, target_id, key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX links_by_target ON links (target_connection, target_kind, target_id)",
    "CREATE INDEX links_by_key ON links (source_connection, relation, key) WHERE key <> ''",
    """CREATE TABLE queue (
        topic TEXT NOT NULL,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (topic, connection, kind, id)
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE matches (
        seq INTEGER PRIMARY KEY,
        {_REF},
        code_key TEXT,
        rule TEXT, field TEXT, evidence TEXT, confidence INTEGER,
        matcher TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX matches_by_record ON matches (connection, kind, id, seq)",
    "CREATE INDEX matches_by_code ON matches (code_key)",
    f"""CREATE TABLE questions (
        {_REF},
        doubt TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL,
        candidates TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, doubt, field, evidence)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE referrals (
        referral TEXT PRIMARY KEY,
        code_key TEXT NOT NULL,
        program TEXT NOT NULL,
        referrer TEXT NOT NULL,
        source TEXT NOT NULL,
        origin_connection TEXT, origin_kind TEXT, origin_id TEXT,
        email TEXT,
        note TEXT NOT NULL DEFAULT '',
        claimed_at TEXT NOT NULL,
        why TEXT NOT NULL DEFAULT '',
        void TEXT,
        void_reason TEXT NOT NULL DEFAULT '',
        added_run INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX referrals_by_origin ON referrals (origin_connection, origin_kind, origin_id)",
    "CREATE INDEX referrals_by_email ON referrals (email) WHERE email IS NOT NULL",
    "CREATE INDEX referrals_by_referrer ON referrals (referrer)",
    f"""CREATE TABLE members (
        {_REF},
        referral TEXT NOT NULL REFERENCES referrals,
        PRIMARY KEY (connection, kind, id, referral)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX members_by_referral ON members (referral)",
    f"""CREATE TABLE credits (
        seq INTEGER PRIMARY KEY,
        {_REF},
        decision INTEGER NOT NULL,
        referral TEXT, share TEXT, role TEXT,
        model TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX credits_by_deal ON credits (connection, kind, id, decision)",
    "CREATE INDEX credits_by_referral ON credits (referral) WHERE referral IS NOT NULL",
    """CREATE TABLE statuses (
        seq INTEGER PRIMARY KEY,
        referral TEXT NOT NULL REFERENCES referrals,
        status TEXT NOT NULL,
        at TEXT NOT NULL,
        reason TEXT NOT NULL,
        label TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX statuses_by_referral ON statuses (referral, seq)",
    f"""CREATE TABLE outbox (
        {_REF},
        field TEXT NOT NULL,
        before TEXT, after TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE receipts (
        seq INTEGER PRIMARY KEY,
        {_REF},
        field TEXT NOT NULL,
        before TEXT, after TEXT, found TEXT,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX receipts_by_field ON receipts (connection, kind, id, field, seq)",
    "CREATE INDEX receipts_by_run ON receipts (run)",
    f"""CREATE TABLE conflicts (
        {_REF},
        field TEXT NOT NULL,
        wrote TEXT, found TEXT, want TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE undone (
        {_REF},
        field TEXT NOT NULL,
        value TEXT,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        command TEXT NOT NULL,
        version TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        exit INTEGER,
        counts TEXT NOT NULL DEFAULT '{}',
        problems TEXT NOT NULL DEFAULT '[]'
    ) STRICT""",
    """CREATE TABLE cursors (
        connection TEXT PRIMARY KEY,
        cursor TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
)

_VIEWS = (
    """CREATE VIEW current_matches AS
        SELECT m.* FROM matches m
        WHERE m.code_key IS NOT NULL AND m.seq = (
            SELECT max(n.seq) FROM matches n
            WHERE n.connection = m.connection AND n.kind = m.kind AND n.id = m.id)""",
    """CREATE VIEW current_credits AS
        SELECT c.* FROM credits c
        WHERE c.referral IS NOT NULL AND c.decision = (
            SELECT max(d.decision) FROM credits d
            WHERE d.connection = c.connection AND d.kind = c.kind AND d.id = c.id)""",
    """CREATE VIEW current_statuses AS
        SELECT s.* FROM statuses s
        WHERE s.seq = (SELECT max(t.seq) FROM statuses t WHERE t.referral = s.referral)""",
    """CREATE VIEW written AS
        SELECT r.connection, r.kind, r.id, r.field, r.after AS value, r.run, r.at FROM receipts r
        WHERE r.verdict = 'written' AND r.seq = (
            SELECT max(q.seq) FROM receipts q
            WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id AND q.field = r.field
              AND q.verdict = 'written')""",
    """CREATE VIEW standing AS
        SELECT f.referral, f.referrer, r.name AS referrer_name, f.program, c.code, f.claimed_at,
               s.status, s.at AS status_at, s.reason, s.label
        FROM referrals f
        JOIN current_statuses s ON s.referral = f.referral
        LEFT JOIN codes c ON c.code_key = f.code_key
        LEFT JOIN referrers r ON r.referrer = f.referrer""",
    """CREATE VIEW credited_deals AS
        SELECT c.connection, c.kind, c.id, d.title, d.outcome, d.amount, d.currency, d.closed_at,
               c.referral, c.share, c.role, c.model, f.referrer, f.program, f.code_key
        FROM current_credits c
        JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id
        JOIN referrals f ON f.referral = c.referral""",
)


@migrations()
def first(db: Database) -> None:
    """The ledger as it began."""
    for statement in (*_TABLES, *_VIEWS):
        db.execute(statement)
    for table in ("matches", "credits", "statuses", "receipts"):
        _guard(db, table)


def _guard(db: Database, table: str) -> None:
    """Lets rows be added to a table, never edited."""
    for action in ("UPDATE", "DELETE"):
        db.execute(
            # the one exception: `refloop forget`, which writes and takes away that row in its transaction
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            "WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') "
            f"BEGIN SELECT RAISE(ABORT, '{table} are added, never edited'); END"
        )


@migrations()
def overwritten(db: Database) -> None:
    """What somebody had written between our look and our write: `found` of a receipt that says `overwrote`."""
    db.execute("ALTER TABLE receipts ADD COLUMN overwrote INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX receipts_overwrote ON receipts (connection, kind, id, field) WHERE overwrote = 1")
    db.execute("DROP VIEW written")
    db.execute(
        # what was put back after it was overwritten is the person's: it is not what we wrote
        """CREATE VIEW written AS
        SELECT r.connection, r.kind, r.id, r.field, r.after AS value, r.run, r.at FROM receipts r
        WHERE r.verdict = 'written' AND r.seq = (
            SELECT max(q.seq) FROM receipts q
            WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id AND q.field = r.field
              AND q.verdict = 'written' AND NOT EXISTS (
                SELECT 1 FROM receipts o
                WHERE o.connection = q.connection AND o.kind = q.kind AND o.id = q.id AND o.field = q.field
                  AND o.overwrote = 1 AND o.seq < q.seq AND o.found IS q.after AND o.after IS q.before))"""
    )
    db.execute(
        """CREATE VIEW overwritten AS
        SELECT r.connection, r.kind, r.id, r.field, r.found, r.after AS wrote, r.run, r.at FROM receipts r
        WHERE r.overwrote = 1 AND r.seq = (
            SELECT max(q.seq) FROM receipts q
            WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id AND q.field = r.field
              AND q.verdict = 'written')"""
    )


@migrations()
def policies(db: Database) -> None:
    """By which rules each decision was made; and what comes due by time alone."""
    for table in ("matches", "referrals", "credits", "statuses"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN policy TEXT NOT NULL DEFAULT ''")
    db.execute(
        """CREATE TABLE policies (
        digest TEXT NOT NULL,
        part TEXT NOT NULL,
        rules TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (digest, part)
    ) STRICT"""
    )
    db.execute(
        """CREATE TABLE due (
        topic TEXT NOT NULL,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (topic, connection, kind, id)
    ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX due_by_time ON due (at)")


_HISTORY = (
    """CREATE TABLE claims (
        seq INTEGER PRIMARY KEY,
        referral TEXT NOT NULL,
        code_key TEXT NOT NULL,
        program TEXT NOT NULL,
        referrer TEXT NOT NULL,
        source TEXT NOT NULL,
        origin_connection TEXT, origin_kind TEXT, origin_id TEXT,
        email TEXT,
        claimed_at TEXT NOT NULL,
        why TEXT NOT NULL,
        void TEXT,
        void_reason TEXT NOT NULL,
        policy TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX claims_by_referral ON claims (referral, seq)",
    f"""CREATE TABLE memberships (
        seq INTEGER PRIMARY KEY,
        {_REF},
        referral TEXT NOT NULL,
        holds INTEGER NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX memberships_by_referral ON memberships (referral, seq)",
    "CREATE INDEX memberships_by_record ON memberships (connection, kind, id, seq)",
    """CREATE TABLE code_definitions (
        seq INTEGER PRIMARY KEY,
        code_key TEXT NOT NULL,
        code TEXT NOT NULL,
        referrer TEXT NOT NULL,
        program TEXT NOT NULL,
        valid_from TEXT,
        valid_to TEXT,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX code_definitions_by_code ON code_definitions (code_key, seq)",
    f"""CREATE TABLE review_items (
        seq INTEGER PRIMARY KEY,
        item TEXT NOT NULL,
        {_REF},
        reason TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL,
        candidates TEXT NOT NULL,
        open INTEGER NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX review_items_by_item ON review_items (item, seq)",
    "CREATE INDEX review_items_by_record ON review_items (connection, kind, id)",
)

_SO_FAR = (
    """INSERT INTO claims (referral, code_key, program, referrer, source, origin_connection, origin_kind, origin_id,
                        email, claimed_at, why, void, void_reason, policy, run, at)
        SELECT f.referral, f.code_key, f.program, f.referrer, f.source, f.origin_connection, f.origin_kind, f.origin_id,
               f.email, f.claimed_at, f.why, f.void, f.void_reason, f.policy, f.added_run, coalesce(r.started_at, '')
        FROM referrals f LEFT JOIN runs r ON r.run = f.added_run ORDER BY f.added_run, f.referral""",
    """INSERT INTO memberships (connection, kind, id, referral, holds, run, at)
        SELECT m.connection, m.kind, m.id, m.referral, 1, f.added_run, coalesce(r.started_at, '') FROM members m
        JOIN referrals f ON f.referral = m.referral
        LEFT JOIN runs r ON r.run = f.added_run ORDER BY f.added_run, m.referral, m.connection, m.kind, m.id""",
    """INSERT INTO code_definitions (code_key, code, referrer, program, valid_from, valid_to, run, at)
        SELECT code_key, code, referrer, program, valid_from, valid_to, 0, added_at FROM codes
        ORDER BY added_at, code_key""",
)


@migrations()
def history(db: Database) -> None:
    """Claims, memberships, code definitions and review items as they were. Of a ledger that did not keep them, what
    holds now counts from when its referral was made."""
    for statement in (*_HISTORY, *_SO_FAR):
        db.execute(statement)
    for row in list(
        db.query("SELECT q.*, coalesce(r.started_at, '') AS at FROM questions q LEFT JOIN runs r ON r.run = q.run")
    ):
        ref = Ref(row["connection"], Kind(row["kind"]), row["id"])
        item = ReviewItem(ref, ReviewReason(row["doubt"]), row["field"], row["evidence"])
        db.execute(
            "INSERT INTO review_items (item, connection, kind, id, reason, field, evidence, candidates, open, run, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            (
                item.id,
                row["connection"],
                row["kind"],
                row["id"],
                row["doubt"],
                row["field"],
                row["evidence"],
                row["candidates"],
                row["run"],
                row["at"],
            ),
        )
    for table in ("claims", "memberships", "code_definitions", "review_items"):
        _guard(db, table)


@migrations()
def owners(db: Database) -> None:
    """Who looks after a record in its CRM; NULL where nobody does, or where it was last read before this was kept."""
    for column in ("owner_id", "owner_name"):
        db.execute(f"ALTER TABLE records ADD COLUMN {column} TEXT")


@migrations()
def problems(db: Database) -> None:
    """Whose problem each one of a run is. It was known by how the sentence began."""
    pulled = {row["connection"] for row in db.query("SELECT connection FROM cursors")}
    for row in list(db.query("SELECT run, counts, problems FROM runs WHERE problems <> '[]'")):
        known = {*pulled, *json.loads(row["counts"])}
        found = [_problem_from(sentence, known) for sentence in json.loads(row["problems"])]
        db.execute("UPDATE runs SET problems = ? WHERE run = ?", (json.dumps(found), row["run"]))


def _problem_from(sentence: str, connections: Collection[str]) -> dict[str, str]:
    """A problem with its connection; with none where the ledger does not know it."""
    own = [name for name in connections if name and sentence.startswith(f"{name}: ")]
    name = max(own, key=len, default="")
    return {"connection": name, "message": sentence.removeprefix(f"{name}: ") if name else sentence}
