"""The schema of the ledger, as the migrations that made it. docs/ledger.md explains it to those who query it."""

from __future__ import annotations

import json
from collections.abc import Collection

from refloop.ledger.engine.base import Engine, Migrations
from refloop.ledger.first_schema import REF, TABLES, VIEWS
from refloop.model import Kind, Ref, ReviewItem, ReviewReason

migrations = Migrations()

SELECTION = (
    "CREATE TEMPORARY TABLE selection (connection TEXT, kind TEXT, id TEXT, PRIMARY KEY (connection, kind, id)) "
    "STORED BY KEY"
)
"""What a process selects for itself: see `Ledger.select`."""


@migrations()
def first(db: Engine) -> None:
    """The ledger as it began."""
    for statement in (*TABLES, *VIEWS):
        db.execute(statement)
    for table in ("matches", "credits", "statuses", "receipts"):
        _guard(db, table)


def _guard(db: Engine, table: str) -> None:
    """Lets rows be added to a table, never edited."""
    for statement in db.dialect.guarding(table):
        db.execute(statement)


@migrations()
def overwritten(db: Engine) -> None:
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
                  AND o.overwrote = 1 AND o.seq < q.seq AND o.found IS NOT DISTINCT FROM q.after
                  AND o.after IS NOT DISTINCT FROM q.before))"""
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
def policies(db: Engine) -> None:
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
    )"""
    )
    db.execute(
        """CREATE TABLE due (
        topic TEXT NOT NULL,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (topic, connection, kind, id)
    ) STORED BY KEY"""
    )
    db.execute("CREATE INDEX due_by_time ON due (at)")


_HISTORY = (
    """CREATE TABLE claims (
        seq NUMBERED KEY,
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
    )""",
    "CREATE INDEX claims_by_referral ON claims (referral, seq)",
    f"""CREATE TABLE memberships (
        seq NUMBERED KEY,
        {REF},
        referral TEXT NOT NULL,
        holds INTEGER NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX memberships_by_referral ON memberships (referral, seq)",
    "CREATE INDEX memberships_by_record ON memberships (connection, kind, id, seq)",
    """CREATE TABLE code_definitions (
        seq NUMBERED KEY,
        code_key TEXT NOT NULL,
        code TEXT NOT NULL,
        referrer TEXT NOT NULL,
        program TEXT NOT NULL,
        valid_from TEXT,
        valid_to TEXT,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX code_definitions_by_code ON code_definitions (code_key, seq)",
    f"""CREATE TABLE review_items (
        seq NUMBERED KEY,
        item TEXT NOT NULL,
        {REF},
        reason TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL,
        candidates TEXT NOT NULL,
        open INTEGER NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )""",
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
def history(db: Engine) -> None:
    """Claims, memberships, code definitions and review items as they were. Of a ledger that did not keep them, what
    holds now counts from when its referral was made."""
    for statement in (*_HISTORY, *_SO_FAR):
        db.execute(statement)
    for row in list(
        db.rows("SELECT q.*, coalesce(r.started_at, '') AS at FROM questions q LEFT JOIN runs r ON r.run = q.run")
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
def owners(db: Engine) -> None:
    """Who looks after a record in its CRM; NULL where nobody does, or where it was last read before this was kept."""
    for column in ("owner_id", "owner_name"):
        db.execute(f"ALTER TABLE records ADD COLUMN {column} TEXT")


@migrations()
def problems(db: Engine) -> None:
    """Whose problem each one of a run is. It was known by how the sentence began."""
    pulled = {row["connection"] for row in db.rows("SELECT connection FROM cursors")}
    for row in list(db.rows("SELECT run, counts, problems FROM runs WHERE problems <> '[]'")):
        known = {*pulled, *json.loads(row["counts"])}
        found = [_problem_from(sentence, known) for sentence in json.loads(row["problems"])]
        db.execute("UPDATE runs SET problems = ? WHERE run = ?", (json.dumps(found), row["run"]))


def _problem_from(sentence: str, connections: Collection[str]) -> dict[str, str]:
    """A problem with its connection; with none where the ledger does not know it."""
    own = [name for name in connections if name and sentence.startswith(f"{name}: ")]
    name = max(own, key=len, default="")
    return {"connection": name, "message": sentence.removeprefix(f"{name}: ") if name else sentence}


@migrations()
def facts(db: Engine) -> None:
    """What else a CRM says of a record and of its links, what the ledger knows of a record's past, further addresses of
    persons, and what the accounts say about themselves. Empty until the records are read again."""
    for column in ("account", "name", "further", "texts_after", "found_after", "stage_seen"):
        db.execute(f"ALTER TABLE records ADD COLUMN {column} TEXT")
    db.execute("CREATE INDEX records_by_account ON records (account, connection) WHERE account IS NOT NULL")
    db.execute("ALTER TABLE links ADD COLUMN labels TEXT NOT NULL DEFAULT ''")
    db.execute(
        f"CREATE TABLE addresses (email TEXT NOT NULL, {REF}, PRIMARY KEY (email, connection, kind, id)) STORED BY KEY"
    )
    db.execute("CREATE INDEX addresses_by_record ON addresses (connection, kind, id)")
    db.execute(
        """CREATE TABLE accounts (
        connection TEXT PRIMARY KEY,
        account TEXT, zone TEXT, currency TEXT,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )"""
    )


@migrations()
def arrivals(db: Engine) -> None:
    """When codes came to records, and between which days a buyer came through one. What was decided before counts as
    known: a code is on its record since the record was made."""
    db.execute(
        f"""CREATE TABLE arrivals (
        seq NUMBERED KEY,
        {REF},
        code_key TEXT NOT NULL,
        rule TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL, confidence INTEGER NOT NULL,
        since TEXT NOT NULL, latest TEXT NOT NULL, came_at TEXT NOT NULL,
        is_late INTEGER NOT NULL,
        presence TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )"""
    )
    db.execute("CREATE INDEX arrivals_by_record ON arrivals (connection, kind, id, code_key, seq)")
    db.execute("CREATE INDEX arrivals_late ON arrivals (code_key, latest) WHERE is_late = 1")
    db.execute(
        """CREATE VIEW current_arrivals AS
        SELECT a.* FROM arrivals a
        WHERE a.seq = (
            SELECT max(b.seq) FROM arrivals b
            WHERE b.connection = a.connection AND b.kind = a.kind AND b.id = a.id AND b.code_key = a.code_key)"""
    )
    db.execute(
        """INSERT INTO arrivals (connection, kind, id, code_key, rule, field, evidence, confidence, since, latest,
                              came_at, is_late, presence, run, at)
        SELECT m.connection, m.kind, m.id, m.code_key, m.rule, m.field, m.evidence, m.confidence, r.created_at,
               r.created_at, r.created_at, 0, 'carried', m.run, r.created_at
        FROM current_matches m
        JOIN records r ON r.connection = m.connection AND r.kind = m.kind AND r.id = m.id
        ORDER BY m.seq"""
    )
    _guard(db, "arrivals")
    for table in ("referrals", "claims"):
        for column in ("since", "latest"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")
        db.execute(f"ALTER TABLE {table} ADD COLUMN rival TEXT NOT NULL DEFAULT ''")


@migrations()
def deletions(db: Engine) -> None:
    """What a CRM shows no more: the links that are missed or kept, and the records that are awaited."""
    db.execute("ALTER TABLE links ADD COLUMN missed TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX links_missed ON links (source_connection, missed) WHERE missed <> ''")
    db.execute("ALTER TABLE records ADD COLUMN awaited INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX records_awaited ON records (connection) WHERE awaited = 1")


@migrations()
def deals_without_buyers(db: Engine) -> None:
    """Finds who has a name, and what is asked of deals. A stage that was seen before it was dated counts from the last
    save that is known."""
    db.execute("CREATE INDEX records_by_name ON records (lower(name)) WHERE name IS NOT NULL")
    db.execute("CREATE INDEX questions_by_doubt ON questions (doubt)")
    db.execute("UPDATE records SET stage_seen = modified_at WHERE stage_seen IS NULL")


@migrations()
def quiet_runs(db: Engine) -> None:
    """How many runs without news there were, by day: what is left of those that are taken out of the journal."""
    db.execute(
        """CREATE TABLE quiet_runs (
        day TEXT NOT NULL,
        command TEXT NOT NULL,
        exit INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        first_run INTEGER NOT NULL, last_run INTEGER NOT NULL,
        PRIMARY KEY (day, command, exit)
    ) STORED BY KEY"""
    )


@migrations()
def finding(db: Engine) -> None:
    """Finds records by what people call them, referrers by their names, referrals by their codes. The names stand in
    the index themselves, so that a part of one is looked for in the index alone."""
    db.execute("DROP INDEX records_by_name")
    db.execute("CREATE INDEX records_by_name ON records (lower(name), name) WHERE name IS NOT NULL")
    db.execute("CREATE INDEX records_by_title ON records (lower(title), title) WHERE title IS NOT NULL")
    db.execute("CREATE INDEX referrers_by_name ON referrers (lower(name), name)")
    db.execute("CREATE INDEX referrals_by_code ON referrals (code_key)")


@migrations()
def words(db: Engine) -> None:
    """How each buyer came, as facts and not as a sentence alone; and what the CRMs call their fields."""
    for table in ("referrals", "claims"):
        for column in ("how_rule", "how_connection", "how_kind", "how_field"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")
    db.execute(
        """CREATE TABLE field_labels (
        connection TEXT NOT NULL,
        kind TEXT NOT NULL,
        field TEXT NOT NULL,
        label TEXT NOT NULL,
        said TEXT NOT NULL,
        is_lacking INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, field)
    ) STORED BY KEY"""
    )
    db.execute("CREATE TABLE field_labels_of (connection TEXT PRIMARY KEY, crm TEXT NOT NULL, at TEXT NOT NULL)")


@migrations()
def told(db: Engine) -> None:
    """What lasts (a connection in trouble, say), since when, and when it was last told."""
    db.execute(
        """CREATE TABLE told (
        connection TEXT NOT NULL,
        topic TEXT NOT NULL,
        state TEXT NOT NULL,
        since TEXT NOT NULL,
        told_at TEXT,
        PRIMARY KEY (connection, topic)
    ) STORED BY KEY"""
    )
