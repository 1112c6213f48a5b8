BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'refloop','first','2026-11-27 19:26:43.503397+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'refloop','overwritten','2026-11-27 19:26:43.513228+00:00');
CREATE TABLE codes (
        code_key TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        referrer TEXT NOT NULL REFERENCES referrers,
        program TEXT NOT NULL REFERENCES programs,
        valid_from TEXT,
        valid_to TEXT,
        added_at TEXT NOT NULL
    ) STRICT;
INSERT INTO "codes" VALUES('anna7k2q','ANNA-7K2Q','anna','program',NULL,NULL,'2026-06-01T09:00:00Z');
INSERT INTO "codes" VALUES('bens4f6t','BENS-4F6T','ben','program',NULL,NULL,'2026-06-01T09:00:00Z');
CREATE TABLE conflicts (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        field TEXT NOT NULL,
        wrote TEXT, found TEXT, want TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "conflicts" VALUES('sales','lead','000005','ref_status','submitted','on_hold','won','Code ANNA-7K2Q in code, 15 Jan 2026',3);
CREATE TABLE credits (
        seq INTEGER PRIMARY KEY,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        decision INTEGER NOT NULL,
        referral TEXT, share TEXT, role TEXT,
        model TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT;
INSERT INTO "credits" VALUES(1,'marketing','deal','000004',1,'rf_a43ab8a5b140f1b6','1.000000','sourced','first',2);
INSERT INTO "credits" VALUES(2,'sales','deal','000008',2,'rf_ceabb62c00400083','1.000000','sourced','first',2);
INSERT INTO "credits" VALUES(3,'marketing','deal','000004',3,'rf_2ca2c618d307e537','1.000000','sourced','first',3);
CREATE TABLE cursors (
        connection TEXT PRIMARY KEY,
        cursor TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    ) STRICT;
INSERT INTO "cursors" VALUES('sales','{"v": 1, "since": "2026-01-15T09:00:00+00:00", "until": "2026-01-15T09:00:00+00:00", "after": ""}',3,'2026-06-01T09:00:00Z');
INSERT INTO "cursors" VALUES('marketing','{"v": 1, "since": "2026-01-15T09:00:00+00:00", "until": "2026-01-15T09:00:00+00:00", "after": ""}',3,'2026-06-01T09:00:00Z');
CREATE TABLE forgotten (digest TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        heartbeat_at TEXT NOT NULL,
        expires_at TEXT,
        fence INTEGER NOT NULL,
        locked INTEGER NOT NULL
    ) STRICT;
CREATE TABLE links (
        source_connection TEXT NOT NULL, source_kind TEXT NOT NULL, source_id TEXT NOT NULL,
        relation TEXT NOT NULL,
        target_connection TEXT NOT NULL, target_kind TEXT NOT NULL, target_id TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (source_connection, source_kind, source_id, relation,
                     target_connection, target_kind, target_id, key)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "links" VALUES('marketing','deal','000004','associated-with','marketing','contact','000001','');
INSERT INTO "links" VALUES('marketing','deal','000004','associated-with','marketing','contact','000002','');
INSERT INTO "links" VALUES('sales','deal','000008','associated-with','sales','contact','000007','');
INSERT INTO "links" VALUES('sales','lead','000002','converted-to','sales','contact','000007','');
INSERT INTO "links" VALUES('sales','lead','000002','converted-to','sales','deal','000008','');
INSERT INTO "links" VALUES('sales','lead','000003','merged-into','sales','lead','000005','');
CREATE TABLE matches (
        seq INTEGER PRIMARY KEY,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        code_key TEXT,
        rule TEXT, field TEXT, evidence TEXT, confidence INTEGER,
        matcher TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT;
INSERT INTO "matches" VALUES(1,'marketing','contact','000002','bens4f6t','normalised','code','bens 4f6t',99,'1',1);
INSERT INTO "matches" VALUES(2,'sales','lead','000002','anna7k2q','exact','code','ANNA-7K2Q',100,'1',1);
INSERT INTO "matches" VALUES(3,'sales','lead','000003','anna7k2q','exact','code','ANNA-7K2Q',100,'1',1);
INSERT INTO "matches" VALUES(4,'sales','lead','000004','anna7k2q','exact','code','ANNA-7K2Q',100,'1',1);
INSERT INTO "matches" VALUES(5,'sales','lead','000005','anna7k2q','exact','code','ANNA-7K2Q',100,'1',1);
INSERT INTO "matches" VALUES(6,'sales','contact','000007','anna7k2q','exact','code','ANNA-7K2Q',100,'1',2);
INSERT INTO "matches" VALUES(7,'sales','lead','000004',NULL,NULL,NULL,NULL,NULL,'1',2);
CREATE TABLE members (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        referral TEXT NOT NULL REFERENCES referrals,
        PRIMARY KEY (connection, kind, id, referral)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES('sales','lead','000004','rf_064bc05bbf546515');
INSERT INTO "members" VALUES('marketing','contact','000001','rf_2ca2c618d307e537');
INSERT INTO "members" VALUES('marketing','contact','000002','rf_2ca2c618d307e537');
INSERT INTO "members" VALUES('sales','lead','000003','rf_2ca2c618d307e537');
INSERT INTO "members" VALUES('sales','lead','000005','rf_2ca2c618d307e537');
INSERT INTO "members" VALUES('sales','lead','000004','rf_484eeb9523b11328');
INSERT INTO "members" VALUES('marketing','contact','000001','rf_a43ab8a5b140f1b6');
INSERT INTO "members" VALUES('marketing','contact','000002','rf_a43ab8a5b140f1b6');
INSERT INTO "members" VALUES('sales','lead','000003','rf_a43ab8a5b140f1b6');
INSERT INTO "members" VALUES('sales','lead','000005','rf_a43ab8a5b140f1b6');
INSERT INTO "members" VALUES('sales','contact','000007','rf_ceabb62c00400083');
INSERT INTO "members" VALUES('sales','lead','000002','rf_ceabb62c00400083');
INSERT INTO "members" VALUES('marketing','contact','000001','rf_ff094b14cbbe4eb6');
INSERT INTO "members" VALUES('marketing','contact','000002','rf_ff094b14cbbe4eb6');
INSERT INTO "members" VALUES('sales','lead','000003','rf_ff094b14cbbe4eb6');
INSERT INTO "members" VALUES('sales','lead','000005','rf_ff094b14cbbe4eb6');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('ledger','fb04a588-985e-4c9c-b8cc-4172dc78dbe1');
INSERT INTO "meta" VALUES('position','21');
CREATE TABLE outbox (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        field TEXT NOT NULL,
        before TEXT, after TEXT,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE programs (program TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "programs" VALUES('program','program');
CREATE TABLE questions (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        doubt TEXT NOT NULL, field TEXT NOT NULL, evidence TEXT NOT NULL,
        candidates TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, doubt, field, evidence)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "questions" VALUES('marketing','lead','000003','near','code','ANNA-7K2X','["anna7k2q"]',1);
INSERT INTO "questions" VALUES('sales','lead','000006','ambiguous','code','ANNA-7K2Q','["anna7k2q", "bens4f6t"]',1);
CREATE TABLE queue (
        topic TEXT NOT NULL,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (topic, connection, kind, id)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (
        seq INTEGER PRIMARY KEY,
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        field TEXT NOT NULL,
        before TEXT, after TEXT, found TEXT,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        why TEXT NOT NULL,
        run INTEGER NOT NULL,
        at TEXT NOT NULL
    , overwrote INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "receipts" VALUES(1,'sales','contact','000001','ref_sent',NULL,'4',NULL,'written','','4 sent, 4 open, 0 won',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(2,'sales','contact','000001','ref_open',NULL,'4',NULL,'written','','4 sent, 4 open, 0 won',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(3,'sales','contact','000001','ref_won',NULL,'0',NULL,'written','','4 sent, 4 open, 0 won',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(4,'sales','contact','000001','ref_won_amount',NULL,'0',NULL,'written','','4 sent, 4 open, 0 won',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(5,'sales','contact','000001','ref_last_update',NULL,'Buyer 0: Submitted on 15 Jan 2026',NULL,'written','','Buyer 0: Submitted on 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(6,'sales','contact','000001','ref_last_update_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Buyer 0: Submitted on 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(7,'sales','lead','000002','ref_id',NULL,'rf_ceabb62c00400083',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(8,'sales','lead','000002','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(9,'sales','lead','000002','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(10,'sales','lead','000002','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(11,'sales','lead','000002','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(12,'sales','lead','000002','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(13,'sales','lead','000003','ref_id',NULL,'rf_a43ab8a5b140f1b6',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(14,'sales','lead','000003','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(15,'sales','lead','000003','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(16,'sales','lead','000003','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(17,'sales','lead','000003','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(18,'sales','lead','000003','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(19,'sales','lead','000004','ref_id',NULL,'rf_484eeb9523b11328',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(20,'sales','lead','000004','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(21,'sales','lead','000004','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(22,'sales','lead','000004','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(23,'sales','lead','000004','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(24,'sales','lead','000004','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(25,'sales','lead','000005','ref_id',NULL,'rf_2ca2c618d307e537',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(26,'sales','lead','000005','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(27,'sales','lead','000005','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(28,'sales','lead','000005','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(29,'sales','lead','000005','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(30,'sales','lead','000005','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(31,'marketing','contact','000001','ref_id',NULL,'rf_a43ab8a5b140f1b6',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(32,'marketing','contact','000001','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(33,'marketing','contact','000001','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(34,'marketing','contact','000001','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(35,'marketing','contact','000001','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(36,'marketing','contact','000001','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(37,'marketing','contact','000002','ref_id',NULL,'rf_a43ab8a5b140f1b6',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(38,'marketing','contact','000002','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(39,'marketing','contact','000002','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(40,'marketing','contact','000002','ref_status',NULL,'submitted',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(41,'marketing','contact','000002','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(42,'marketing','contact','000002','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',1,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(43,'sales','contact','000001','ref_sent','4','3',NULL,'written','','3 sent, 3 open, 0 won',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(44,'sales','contact','000001','ref_open','4','3',NULL,'written','','3 sent, 3 open, 0 won',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(45,'sales','contact','000001','ref_last_update','Buyer 0: Submitted on 15 Jan 2026','Buyer 0: In negotiation on 15 Jan 2026',NULL,'written','','Buyer 0: In negotiation on 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(46,'sales','contact','000007','ref_id',NULL,'rf_ceabb62c00400083',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(47,'sales','contact','000007','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(48,'sales','contact','000007','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(49,'sales','contact','000007','ref_status',NULL,'opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(50,'sales','contact','000007','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(51,'sales','contact','000007','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(52,'sales','deal','000008','ref_id',NULL,'rf_ceabb62c00400083',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(53,'sales','deal','000008','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(54,'sales','deal','000008','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(55,'sales','deal','000008','ref_status',NULL,'opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(56,'sales','deal','000008','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(57,'sales','deal','000008','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(58,'sales','lead','000003','ref_status','submitted','opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(59,'sales','lead','000004','ref_id','rf_484eeb9523b11328','rf_064bc05bbf546515',NULL,'written','','Code BENS-4F6T submitted by a person, 1 Jun 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(60,'sales','lead','000004','ref_code','ANNA-7K2Q','BENS-4F6T',NULL,'written','','Code BENS-4F6T submitted by a person, 1 Jun 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(61,'sales','lead','000004','ref_referrer','Anna','Ben',NULL,'written','','Code BENS-4F6T submitted by a person, 1 Jun 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(62,'sales','lead','000004','ref_status_at','2026-01-15T09:00:00Z','2026-06-01T00:00:00Z',NULL,'written','','Code BENS-4F6T submitted by a person, 1 Jun 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(63,'sales','lead','000004','ref_why','Code ANNA-7K2Q in code, 15 Jan 2026','Code BENS-4F6T submitted by a person, 1 Jun 2026',NULL,'written','','Code BENS-4F6T submitted by a person, 1 Jun 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(64,'marketing','contact','000001','ref_status','submitted','opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(65,'marketing','contact','000002','ref_status','submitted','opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(66,'marketing','deal','000004','ref_id',NULL,'rf_a43ab8a5b140f1b6',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(67,'marketing','deal','000004','ref_code',NULL,'ANNA-7K2Q',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(68,'marketing','deal','000004','ref_referrer',NULL,'Anna',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(69,'marketing','deal','000004','ref_status',NULL,'opportunity',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(70,'marketing','deal','000004','ref_status_at',NULL,'2026-01-15T09:00:00Z',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(71,'marketing','deal','000004','ref_why',NULL,'Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',2,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(72,'sales','contact','000001','ref_sent','3','2',NULL,'written','','2 sent, 0 open, 2 won',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(73,'sales','contact','000001','ref_open','3','0',NULL,'written','','2 sent, 0 open, 2 won',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(74,'sales','contact','000001','ref_won','0','2',NULL,'written','','2 sent, 0 open, 2 won',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(75,'sales','contact','000001','ref_won_amount','0','12.5',NULL,'written','','2 sent, 0 open, 2 won',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(76,'sales','contact','000001','ref_last_update','Buyer 0: In negotiation on 15 Jan 2026','Buyer 0: Won on 15 Jan 2026',NULL,'written','','Buyer 0: Won on 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(77,'sales','contact','000007','ref_status','opportunity','won',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(78,'sales','deal','000008','ref_status','opportunity','won',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(79,'marketing','contact','000001','ref_id','rf_a43ab8a5b140f1b6','rf_2ca2c618d307e537',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(80,'marketing','contact','000001','ref_status','opportunity','won',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(81,'marketing','contact','000002','ref_id','rf_a43ab8a5b140f1b6','rf_2ca2c618d307e537',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(82,'marketing','contact','000002','ref_status','opportunity','won',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(83,'marketing','deal','000004','ref_id','rf_a43ab8a5b140f1b6','rf_2ca2c618d307e537',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',3,'2026-06-01T09:00:00Z',0);
INSERT INTO "receipts" VALUES(84,'marketing','deal','000004','ref_status','opportunity','won',NULL,'written','','Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal',3,'2026-06-01T09:00:00Z',0);
CREATE TABLE records (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
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
    ) STRICT, WITHOUT ROWID;
INSERT INTO "records" VALUES('marketing','contact','000001','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b1@buyer.io',NULL,'{}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_2ca2c618d307e537", "ref_referrer": "Anna", "ref_status": "won", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','open',NULL,NULL,NULL,NULL,0,'ba8758a549daf463e40a897b968f00b9',1);
INSERT INTO "records" VALUES('marketing','contact','000002','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b1@buyer.io',NULL,'{"code": "bens 4f6t"}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_2ca2c618d307e537", "ref_referrer": "Anna", "ref_status": "won", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','open',NULL,NULL,NULL,NULL,0,'2bd0f1bf62dcf222d4b1a49a56f00626',1);
INSERT INTO "records" VALUES('marketing','deal','000004','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00',NULL,'Big','{}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_2ca2c618d307e537", "ref_referrer": "Anna", "ref_status": "won", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal"}','won','won','12.5','USD','2026-01-15T09:00:00.000000+00:00',0,'f84e7c1bad014cdf27383a2992bfffa2',3);
INSERT INTO "records" VALUES('marketing','lead','000003','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','near@buyer.io',NULL,'{"code": "ANNA-7K2X"}','{}','open',NULL,NULL,NULL,NULL,0,'55b3a5adaed20de29def1e980d370c83',1);
INSERT INTO "records" VALUES('sales','contact','000001','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','anna@partners.io',NULL,'{}','{"ref_last_update": "Buyer 0: Won on 15 Jan 2026", "ref_last_update_at": "2026-01-15T09:00:00Z", "ref_open": "0", "ref_sent": "2", "ref_won": "2", "ref_won_amount": "12.5"}','open',NULL,NULL,NULL,NULL,0,'0ab09f51ccc5aded88326e893c68f60d',1);
INSERT INTO "records" VALUES('sales','contact','000007','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b0@buyer.io','Buyer 0','{"code": "ANNA-7K2Q"}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_ceabb62c00400083", "ref_referrer": "Anna", "ref_status": "won", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','open',NULL,NULL,NULL,NULL,0,'1934a6389af1676f21edf0991918db5d',2);
INSERT INTO "records" VALUES('sales','deal','000008','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00',NULL,'Buyer 0','{}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_ceabb62c00400083", "ref_referrer": "Anna", "ref_status": "won", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026; sourced 100 % of this deal"}','won','won',NULL,NULL,'2026-01-15T09:00:00.000000+00:00',0,'9a2e03d1904e48d85046674b3bd42437',3);
INSERT INTO "records" VALUES('sales','lead','000002','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b0@buyer.io','Buyer 0','{"code": "ANNA-7K2Q"}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_ceabb62c00400083", "ref_referrer": "Anna", "ref_status": "submitted", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','converted',NULL,NULL,NULL,NULL,0,'f188f78d184394a56742d0943aab6625',2);
INSERT INTO "records" VALUES('sales','lead','000003','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b1@buyer.io','Buyer 1','{"code": "ANNA-7K2Q"}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_a43ab8a5b140f1b6", "ref_referrer": "Anna", "ref_status": "opportunity", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','open',NULL,NULL,NULL,NULL,1,'87e59798f8e232eeddc31b74e0747ac2',3);
INSERT INTO "records" VALUES('sales','lead','000004','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b2@buyer.io','Buyer 2','{}','{"ref_code": "BENS-4F6T", "ref_id": "rf_064bc05bbf546515", "ref_referrer": "Ben", "ref_status": "submitted", "ref_status_at": "2026-06-01T00:00:00Z", "ref_why": "Code BENS-4F6T submitted by a person, 1 Jun 2026"}','open',NULL,NULL,NULL,NULL,0,'217b66f443066de75d16323f3f371219',2);
INSERT INTO "records" VALUES('sales','lead','000005','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','b3@buyer.io','Buyer 3','{"code": "ANNA-7K2Q"}','{"ref_code": "ANNA-7K2Q", "ref_id": "rf_2ca2c618d307e537", "ref_referrer": "Anna", "ref_status": "on_hold", "ref_status_at": "2026-01-15T09:00:00Z", "ref_why": "Code ANNA-7K2Q in code, 15 Jan 2026"}','open',NULL,NULL,NULL,NULL,0,'94a7ea04b40b11d4c6850af5bb6c59ad',2);
INSERT INTO "records" VALUES('sales','lead','000006','2026-01-15T09:00:00.000000+00:00','2026-01-15T09:00:00.000000+00:00','both@buyer.io',NULL,'{"code": "ANNA-7K2Q or BENS-4F6T"}','{}','open',NULL,NULL,NULL,NULL,0,'324b8bcf4cce98937059c9972a7a7c6b',1);
CREATE TABLE referrals (
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
    ) STRICT;
INSERT INTO "referrals" VALUES('rf_de7517e60a42af1e','bens4f6t','program','ben','claim',NULL,NULL,NULL,'late@buyer.io','met at the fair','2026-06-01T00:00:00.000000+00:00','Code BENS-4F6T submitted by a person, 1 Jun 2026',NULL,'',1);
INSERT INTO "referrals" VALUES('rf_064bc05bbf546515','bens4f6t','program','ben','claim',NULL,NULL,NULL,'b2@buyer.io','','2026-06-01T00:00:00.000000+00:00','Code BENS-4F6T submitted by a person, 1 Jun 2026',NULL,'',1);
INSERT INTO "referrals" VALUES('rf_a43ab8a5b140f1b6','anna7k2q','program','anna','record','sales','lead','000003',NULL,'','2026-01-15T09:00:00.000000+00:00','the same buyer came with the same code before','duplicate','the same buyer came with the same code before',1);
INSERT INTO "referrals" VALUES('rf_ff094b14cbbe4eb6','bens4f6t','program','ben','record','marketing','contact','000002',NULL,'','2026-01-15T09:00:00.000000+00:00','Code BENS-4F6T in code, 15 Jan 2026','duplicate','code ANNA-7K2Q came first',1);
INSERT INTO "referrals" VALUES('rf_ceabb62c00400083','anna7k2q','program','anna','record','sales','lead','000002',NULL,'','2026-01-15T09:00:00.000000+00:00','Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'',1);
INSERT INTO "referrals" VALUES('rf_484eeb9523b11328','anna7k2q','program','anna','record','sales','lead','000004',NULL,'','2026-01-15T09:00:00.000000+00:00','the code was taken off the record','withdrawn','the code was taken off the record',1);
INSERT INTO "referrals" VALUES('rf_2ca2c618d307e537','anna7k2q','program','anna','record','sales','lead','000005',NULL,'','2026-01-15T09:00:00.000000+00:00','Code ANNA-7K2Q in code, 15 Jan 2026',NULL,'',1);
CREATE TABLE referrers (
        referrer TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        email TEXT
    ) STRICT;
INSERT INTO "referrers" VALUES('anna','Anna','anna@partners.io');
INSERT INTO "referrers" VALUES('ben','Ben','ben@partners.io');
CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        command TEXT NOT NULL,
        version TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        exit INTEGER,
        counts TEXT NOT NULL DEFAULT '{}',
        problems TEXT NOT NULL DEFAULT '[]'
    ) STRICT;
INSERT INTO "runs" VALUES(1,'sync','0.1.0','2026-06-01T09:00:00Z','2026-06-01T09:00:00Z',0,'{"": {"claim": 5, "match": 9, "status": 7, "total": 2}, "marketing": {"calls": 29, "new": 3, "planned": 12, "pulled": 3, "written": 12}, "sales": {"calls": 30, "new": 6, "planned": 30, "pulled": 6, "written": 30}}','[]');
INSERT INTO "runs" VALUES(2,'sync','0.1.0','2026-06-01T09:00:00Z','2026-06-01T09:00:00Z',3,'{"": {"claim": 6, "credit": 2, "match": 8, "status": 6, "total": 2}, "marketing": {"calls": 33, "new": 1, "planned": 8, "pulled": 4, "unchanged": 3, "written": 8}, "sales": {"calls": 35, "changed": 3, "conflicts": 1, "new": 2, "planned": 21, "pulled": 8, "unchanged": 3, "written": 21}}','[]');
INSERT INTO "runs" VALUES(3,'sync','0.1.0','2026-06-01T09:00:00Z','2026-06-01T09:00:00Z',3,'{"": {"claim": 2, "credit": 2, "match": 4, "status": 4, "total": 2}, "marketing": {"calls": 37, "changed": 1, "planned": 6, "pulled": 4, "unchanged": 3, "written": 6}, "sales": {"calls": 40, "changed": 2, "conflicts": 1, "planned": 7, "pulled": 8, "unchanged": 6, "written": 7}}','[]');
CREATE TABLE statuses (
        seq INTEGER PRIMARY KEY,
        referral TEXT NOT NULL REFERENCES referrals,
        status TEXT NOT NULL,
        at TEXT NOT NULL,
        reason TEXT NOT NULL,
        label TEXT NOT NULL,
        run INTEGER NOT NULL
    ) STRICT;
INSERT INTO "statuses" VALUES(1,'rf_de7517e60a42af1e','submitted','2026-06-01T00:00:00Z','the code was received','',1);
INSERT INTO "statuses" VALUES(2,'rf_064bc05bbf546515','submitted','2026-06-01T00:00:00Z','the code was received','',1);
INSERT INTO "statuses" VALUES(3,'rf_064bc05bbf546515','duplicate','2026-06-01T00:00:00Z','code ANNA-7K2Q came first','',1);
INSERT INTO "statuses" VALUES(4,'rf_2ca2c618d307e537','submitted','2026-01-15T09:00:00Z','the code was received','Buyer 3',1);
INSERT INTO "statuses" VALUES(5,'rf_484eeb9523b11328','submitted','2026-01-15T09:00:00Z','the code was received','Buyer 2',1);
INSERT INTO "statuses" VALUES(6,'rf_a43ab8a5b140f1b6','submitted','2026-01-15T09:00:00Z','the code was received','Buyer 1',1);
INSERT INTO "statuses" VALUES(7,'rf_ceabb62c00400083','submitted','2026-01-15T09:00:00Z','the code was received','Buyer 0',1);
INSERT INTO "statuses" VALUES(8,'rf_ff094b14cbbe4eb6','duplicate','2026-01-15T09:00:00Z','code ANNA-7K2Q came first','',1);
INSERT INTO "statuses" VALUES(9,'rf_064bc05bbf546515','submitted','2026-06-01T00:00:00Z','the code was received','Buyer 2',2);
INSERT INTO "statuses" VALUES(10,'rf_484eeb9523b11328','withdrawn','2026-01-15T09:00:00Z','the code was taken off the record','Buyer 2',2);
INSERT INTO "statuses" VALUES(11,'rf_a43ab8a5b140f1b6','opportunity','2026-01-15T09:00:00Z','a deal is open','Big',2);
INSERT INTO "statuses" VALUES(12,'rf_ceabb62c00400083','opportunity','2026-01-15T09:00:00Z','a deal is open','Buyer 0',2);
INSERT INTO "statuses" VALUES(13,'rf_2ca2c618d307e537','won','2026-01-15T09:00:00Z','a deal was won','Big',3);
INSERT INTO "statuses" VALUES(14,'rf_a43ab8a5b140f1b6','duplicate','2026-01-15T09:00:00Z','the same buyer came with the same code before','Big',3);
INSERT INTO "statuses" VALUES(15,'rf_ceabb62c00400083','won','2026-01-15T09:00:00Z','a deal was won','Buyer 0',3);
CREATE TABLE undone (
        connection TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        field TEXT NOT NULL,
        value TEXT,
        run INTEGER NOT NULL,
        PRIMARY KEY (connection, kind, id, field)
    ) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX referrers_by_email ON referrers (email) WHERE email IS NOT NULL;
CREATE INDEX codes_by_referrer ON codes (referrer);
CREATE INDEX records_by_email ON records (email) WHERE email IS NOT NULL;
CREATE INDEX links_by_target ON links (target_connection, target_kind, target_id);
CREATE INDEX links_by_key ON links (source_connection, relation, key) WHERE key <> '';
CREATE INDEX matches_by_record ON matches (connection, kind, id, seq);
CREATE INDEX matches_by_code ON matches (code_key);
CREATE INDEX referrals_by_origin ON referrals (origin_connection, origin_kind, origin_id);
CREATE INDEX referrals_by_email ON referrals (email) WHERE email IS NOT NULL;
CREATE INDEX referrals_by_referrer ON referrals (referrer);
CREATE INDEX members_by_referral ON members (referral);
CREATE INDEX credits_by_deal ON credits (connection, kind, id, decision);
CREATE INDEX credits_by_referral ON credits (referral) WHERE referral IS NOT NULL;
CREATE INDEX statuses_by_referral ON statuses (referral, seq);
CREATE INDEX receipts_by_field ON receipts (connection, kind, id, field, seq);
CREATE INDEX receipts_by_run ON receipts (run);
CREATE VIEW current_matches AS
        SELECT m.* FROM matches m
        WHERE m.code_key IS NOT NULL AND m.seq = (
            SELECT max(n.seq) FROM matches n
            WHERE n.connection = m.connection AND n.kind = m.kind AND n.id = m.id);
CREATE VIEW current_credits AS
        SELECT c.* FROM credits c
        WHERE c.referral IS NOT NULL AND c.decision = (
            SELECT max(d.decision) FROM credits d
            WHERE d.connection = c.connection AND d.kind = c.kind AND d.id = c.id);
CREATE VIEW current_statuses AS
        SELECT s.* FROM statuses s
        WHERE s.seq = (SELECT max(t.seq) FROM statuses t WHERE t.referral = s.referral);
CREATE VIEW standing AS
        SELECT f.referral, f.referrer, r.name AS referrer_name, f.program, c.code, f.claimed_at,
               s.status, s.at AS status_at, s.reason, s.label
        FROM referrals f
        JOIN current_statuses s ON s.referral = f.referral
        LEFT JOIN codes c ON c.code_key = f.code_key
        LEFT JOIN referrers r ON r.referrer = f.referrer;
CREATE VIEW credited_deals AS
        SELECT c.connection, c.kind, c.id, d.title, d.outcome, d.amount, d.currency, d.closed_at,
               c.referral, c.share, c.role, c.model, f.referrer, f.program, f.code_key
        FROM current_credits c
        JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id
        JOIN referrals f ON f.referral = c.referral;
CREATE TRIGGER matches_no_update BEFORE UPDATE ON matches WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'matches are added, never edited'); END;
CREATE TRIGGER matches_no_delete BEFORE DELETE ON matches WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'matches are added, never edited'); END;
CREATE TRIGGER credits_no_update BEFORE UPDATE ON credits WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'credits are added, never edited'); END;
CREATE TRIGGER credits_no_delete BEFORE DELETE ON credits WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'credits are added, never edited'); END;
CREATE TRIGGER statuses_no_update BEFORE UPDATE ON statuses WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'statuses are added, never edited'); END;
CREATE TRIGGER statuses_no_delete BEFORE DELETE ON statuses WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'statuses are added, never edited'); END;
CREATE TRIGGER receipts_no_update BEFORE UPDATE ON receipts WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'receipts are added, never edited'); END;
CREATE TRIGGER receipts_no_delete BEFORE DELETE ON receipts WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') BEGIN SELECT RAISE(ABORT, 'receipts are added, never edited'); END;
CREATE INDEX receipts_overwrote ON receipts (connection, kind, id, field) WHERE overwrote = 1;
CREATE VIEW written AS
        SELECT r.connection, r.kind, r.id, r.field, r.after AS value, r.run, r.at FROM receipts r
        WHERE r.verdict = 'written' AND r.seq = (
            SELECT max(q.seq) FROM receipts q
            WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id AND q.field = r.field
              AND q.verdict = 'written' AND NOT EXISTS (
                SELECT 1 FROM receipts o
                WHERE o.connection = q.connection AND o.kind = q.kind AND o.id = q.id AND o.field = q.field
                  AND o.overwrote = 1 AND o.seq < q.seq AND o.found IS q.after AND o.after IS q.before));
CREATE VIEW overwritten AS
        SELECT r.connection, r.kind, r.id, r.field, r.found, r.after AS wrote, r.run, r.at FROM receipts r
        WHERE r.overwrote = 1 AND r.seq = (
            SELECT max(q.seq) FROM receipts q
            WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id AND q.field = r.field
              AND q.verdict = 'written');
COMMIT;
