BEGIN TRANSACTION;
CREATE TABLE api_keys (
	key_id VARCHAR NOT NULL, 
	environment VARCHAR NOT NULL, 
	secret_sha256 VARCHAR NOT NULL, 
	scopes VARCHAR NOT NULL, 
	label VARCHAR NOT NULL, 
	created_at VARCHAR NOT NULL, 
	expires_at VARCHAR, 
	revoked_at VARCHAR, 
	PRIMARY KEY (key_id)
);
CREATE TABLE decisions (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id VARCHAR NOT NULL, 
	push_id VARCHAR NOT NULL, 
	channel VARCHAR NOT NULL, 
	member_id VARCHAR NOT NULL, 
	offer_id VARCHAR, 
	probability FLOAT NOT NULL, 
	decided_at VARCHAR NOT NULL, 
	candidates VARCHAR NOT NULL, 
	arm VARCHAR NOT NULL, 
	policy VARCHAR NOT NULL, 
	release VARCHAR NOT NULL, 
	context VARCHAR, 
	answer VARCHAR NOT NULL, 
	UNIQUE (decision_id)
);
INSERT INTO "decisions" VALUES(1,'d-m1','spring','push','m1','ten',0.9,'2026-04-30T12:00:00+00:00','["ten"]','policy','p1','r1',NULL,'{"send": true}');
INSERT INTO "decisions" VALUES(2,'d-m2','spring','push','m2',NULL,0.9,'2026-04-30T12:00:00+00:00','["ten"]','policy','p1','r1',NULL,'{"send": false}');
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	event_id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	"row" VARCHAR NOT NULL, 
	received_at VARCHAR NOT NULL, 
	UNIQUE (event_id)
);
INSERT INTO "events" VALUES(1,'e1','503cf07301ec3fe2d78f321fb55b08229076bd09524d330df14e5258f0014d1d','{"event_id":"e1","member_id":"m1","occurred_at":"2026-05-01T00:00:00+00:00","type":"view"}','2026-04-30T12:00:00+00:00');
CREATE TABLE exports (
	name VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE outcomes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	event_id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	"row" VARCHAR NOT NULL, 
	received_at VARCHAR NOT NULL, 
	UNIQUE (event_id)
);
INSERT INTO "outcomes" VALUES(1,'o1','74a773d0913545f23d60cf3756780aea7688dc53141181bb8d4c59a1842a857f','{"decision_id":"d-m2","event_id":"o1","occurred_at":"2026-05-01T00:00:00+00:00","type":"unsubscribed"}','2026-04-30T12:00:00+00:00');
CREATE TABLE suppressions (
	member_id VARCHAR NOT NULL, 
	since VARCHAR NOT NULL, 
	event_id VARCHAR NOT NULL, 
	PRIMARY KEY (member_id)
);
INSERT INTO "suppressions" VALUES('m2','2026-04-30T12:00:00+00:00','o1');
CREATE TABLE vectors (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id VARCHAR NOT NULL, 
	member_id VARCHAR NOT NULL, 
	release VARCHAR NOT NULL, 
	as_of VARCHAR NOT NULL, 
	vector BLOB NOT NULL
);
CREATE UNIQUE INDEX one_answer ON decisions (push_id, member_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('decisions',2);
INSERT INTO "sqlite_sequence" VALUES('events',1);
INSERT INTO "sqlite_sequence" VALUES('outcomes',1);
COMMIT;
PRAGMA user_version = 1;
