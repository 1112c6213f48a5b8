"""Tables and views of the ledger as it began; what came since is in `refloop.ledger.schema`. Never edited."""

from __future__ import annotations

REF = "connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL"
"""The columns that name a record."""

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE forgotten (digest TEXT PRIMARY KEY, at TEXT NOT NULL) STORED BY KEY",
    """CREATE TABLE lease (
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        heartbeat_at TEXT NOT NULL,
        expires_at TEXT,
        fence INTEGER NOT NULL,
        locked INTEGER NOT NULL
    )""",
    "CREATE TABLE programs (program TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '')",
    """CREATE TABLE referrers (
        referrer TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        email TEXT
    )""",
    "CREATE INDEX referrers_by_email ON referrers (email) WHERE email IS NOT NULL",
    """CREATE TABLE codes (
        code_key TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        referrer TEXT NOT NULL REFERENCES referrers,
        program TEXT NOT NULL REFERENCES programs,
        valid_from TEXT,
        valid_to TEXT,
        added_at TEXT NOT NULL
    )""",
    "CREATE INDEX codes_by_referrer ON codes (referrer)",
    f"""CREATE TABLE records (
        {REF},
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
    ) STORED BY KEY""",
    "CREATE INDEX records_by_email ON records (email) WHERE email IS NOT NULL",
    """CREATE TABLE links (
        source_connection TEXT NOT NULL, source_kind TEXT NOT NULL, source_id TEXT NOT NULL,
        relation TEXT NOT NULL,
        target_connection TEXT NOT NULL, target_kind TEXT NOT NULL, target_id TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (source_connection, source_kind, source_id, relation,
                     target_connection, target_kind, target_id, key)
    ) STORED BY KEY""",
    "CREATE INDEX links_by_target ON links (target_connection, target_kind, target_id)",
    "CREATE INDEX links_by_key ON links (source_connection, relation, key) WHERE key <> ''",
    """CREATE TABLE queue (
        topic TEXT NOT NULL,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (topic, connection, kind, id)
    ) STORED BY KEY""",
    f"""CREATE TABLE matches (
        seq NUMBERED KEY,
        {REF},
        code_key TEXT,
        rule TEXT, field TEXT, evidence TEXT, confidence INTEGER,
        matcher TEXT NOT NULL,
        run INTEGER NOT NULL
    )""",
    "CREATE INDEX matches_by_record ON matches (connection, kind, id, seq)",
    "CREATE INDEX matches_by_code ON matches (code_key)",
    f"""CREATE TABLE questions (
        {REF},
        doubt TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL,
        candidates TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, doubt, field, evidence)
    ) STORED BY KEY""",
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
    )""",
    "CREATE INDEX referrals_by_origin ON referrals (origin_connection, origin_kind, origin_id)",
    "CREATE INDEX referrals_by_email ON referrals (email) WHERE email IS NOT NULL",
    "CREATE INDEX referrals_by_referrer ON referrals (referrer)",
    f"""CREATE TABLE members (
        {REF},
        referral TEXT NOT NULL REFERENCES referrals,
        PRIMARY KEY (connection, kind, id, referral)
    ) STORED BY KEY""",
    "CREATE INDEX members_by_referral ON members (referral)",
    f"""CREATE TABLE credits (
        seq NUMBERED KEY,
        {REF},
        decision INTEGER NOT NULL,
        referral TEXT, share TEXT, role TEXT,
        model TEXT NOT NULL,
        run INTEGER NOT NULL
    )""",
    "CREATE INDEX credits_by_deal ON credits (connection, kind, id, decision)",
    "CREATE INDEX credits_by_referral ON credits (referral) WHERE referral IS NOT NULL",
    """CREATE TABLE statuses (
        seq NUMBERED KEY,
        referral TEXT NOT NULL REFERENCES referrals,
        status TEXT NOT NULL,
        at TEXT NOT NULL,
        reason TEXT NOT NULL,
        label TEXT NOT NULL,
        run INTEGER NOT NULL
    )""",
    "CREATE INDEX statuses_by_referral ON statuses (referral, seq)",
    f"""CREATE TABLE outbox (
        {REF},
        field TEXT NOT NULL,
        before TEXT, after TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STORED BY KEY""",
    f"""CREATE TABLE receipts (
        seq NUMBERED KEY,
        {REF},
        field TEXT NOT NULL,
        before TEXT, after TEXT, found TEXT,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX receipts_by_field ON receipts (connection, kind, id, field, seq)",
    "CREATE INDEX receipts_by_run ON receipts (run)",
    f"""CREATE TABLE conflicts (
        {REF},
        field TEXT NOT NULL,
        wrote TEXT, found TEXT, want TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STORED BY KEY""",
    f"""CREATE TABLE undone (
        {REF},
        field TEXT NOT NULL,
        value TEXT,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STORED BY KEY""",
    """CREATE TABLE runs (
        run NUMBERED KEY,
        command TEXT NOT NULL,
        version TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        exit INTEGER,
        counts TEXT NOT NULL DEFAULT '{}',
        problems TEXT NOT NULL DEFAULT '[]'
    )""",
    """CREATE TABLE cursors (
        connection TEXT PRIMARY KEY,
        cursor TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    )""",
)

VIEWS = (
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
