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
CREATE TABLE audiences (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	audience_id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	release VARCHAR NOT NULL, 
	asked VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	stage VARCHAR NOT NULL, 
	done INTEGER NOT NULL, 
	total INTEGER NOT NULL, 
	starts INTEGER NOT NULL, 
	worker VARCHAR, 
	lease_until VARCHAR, 
	failure VARCHAR, 
	summary VARCHAR, 
	created_at VARCHAR NOT NULL, 
	updated_at VARCHAR NOT NULL, 
	UNIQUE (audience_id)
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
	terms VARCHAR, 
	UNIQUE (decision_id)
);
INSERT INTO "decisions" VALUES(1,'d-m1','spring','push','m1','ten',0.9,'2026-04-30T12:00:00+00:00','["ten"]','policy','p1','r1',NULL,'{"send": true}','{"planned": {"money": 1}}');
INSERT INTO "decisions" VALUES(2,'d-m2','spring','push','m2',NULL,0.9,'2026-04-30T12:00:00+00:00','["ten"]','policy','p1','r1',NULL,'{"send": false}','{}');
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
CREATE TABLE limits_used (
	push_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	reserved INTEGER NOT NULL, 
	spent INTEGER NOT NULL, 
	planned INTEGER NOT NULL, 
	most INTEGER, 
	PRIMARY KEY (push_id, name)
);
INSERT INTO "limits_used" VALUES('spring','money',4,0,1,10);
INSERT INTO "limits_used" VALUES('spring','asked',0,2,0,NULL);
CREATE TABLE outcomes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	event_id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	"row" VARCHAR NOT NULL, 
	received_at VARCHAR NOT NULL, 
	UNIQUE (event_id)
);
INSERT INTO "outcomes" VALUES(1,'o1','74a773d0913545f23d60cf3756780aea7688dc53141181bb8d4c59a1842a857f','{"decision_id":"d-m2","event_id":"o1","occurred_at":"2026-05-01T00:00:00+00:00","type":"unsubscribed"}','2026-04-30T12:00:00+00:00');
CREATE TABLE reservations (
	decision_id VARCHAR NOT NULL, 
	push_id VARCHAR NOT NULL, 
	takes VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	expires_at VARCHAR NOT NULL, 
	PRIMARY KEY (decision_id)
);
INSERT INTO "reservations" VALUES('d-m1','spring','{"money": 4}','reserved','2026-05-02T00:00:00+00:00');
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
CREATE INDEX of_member ON decisions (member_id);
CREATE UNIQUE INDEX one_answer ON decisions (push_id, member_id);
CREATE INDEX what_expires ON reservations (push_id, state, expires_at);
CREATE INDEX audiences_by_digest ON audiences (digest);
CREATE INDEX audiences_by_state ON audiences (state, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('decisions',2);
INSERT INTO "sqlite_sequence" VALUES('events',1);
INSERT INTO "sqlite_sequence" VALUES('outcomes',1);
COMMIT;
PRAGMA user_version = 2;
