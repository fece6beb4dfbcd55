BEGIN TRANSACTION;
CREATE TABLE delivery (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	mailing_id INTEGER NOT NULL, 
	subscriber_id INTEGER NOT NULL, 
	copy INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	edition_id INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	first_attempt_at VARCHAR(32), 
	due_at VARCHAR(32), 
	settled_at VARCHAR(32), 
	code INTEGER, 
	reply TEXT, 
	reason TEXT, 
	relay VARCHAR(255), 
	UNIQUE (mailing_id, subscriber_id, copy), 
	FOREIGN KEY(mailing_id) REFERENCES mailing (id), 
	FOREIGN KEY(subscriber_id) REFERENCES subscriber (id), 
	FOREIGN KEY(list_id) REFERENCES list (id), 
	FOREIGN KEY(edition_id) REFERENCES edition (id)
);
CREATE TABLE edition (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	mailing_id INTEGER NOT NULL, 
	language VARCHAR(35) NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	frozen TEXT NOT NULL, 
	UNIQUE (mailing_id, language), 
	FOREIGN KEY(mailing_id) REFERENCES mailing (id)
);
CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at VARCHAR(32) NOT NULL, 
	subscriber_id INTEGER NOT NULL, 
	list_id INTEGER, 
	kind VARCHAR(16) NOT NULL, 
	channel VARCHAR(16) NOT NULL, 
	FOREIGN KEY(subscriber_id) REFERENCES subscriber (id), 
	FOREIGN KEY(list_id) REFERENCES list (id)
);
INSERT INTO "event" VALUES(1,'2026-11-27T14:09:52.833063+00:00',1,1,'joined','added');
INSERT INTO "event" VALUES(2,'2026-11-27T14:09:52.835786+00:00',2,1,'joined','added');
INSERT INTO "event" VALUES(3,'2026-11-27T14:09:52.839679+00:00',2,1,'unsubscribed','operator');
CREATE TABLE fact (
	name VARCHAR(32) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "fact" VALUES('schema','2');
INSERT INTO "fact" VALUES('instance','4515540632aca0989ef4d5dd6c459672');
CREATE TABLE list (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(64) NOT NULL, 
	file_hash VARCHAR(64), 
	UNIQUE (name)
);
INSERT INTO "list" VALUES(1,'readers',NULL);
CREATE TABLE mailing (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	issue INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	salt VARCHAR(32) NOT NULL, 
	sender_domain VARCHAR(255) NOT NULL, 
	sources JSON NOT NULL, 
	frozen_at VARCHAR(32) NOT NULL, 
	handed_over_at VARCHAR(32), 
	run BIGINT
);
CREATE TABLE mailing_list (
	mailing_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	enqueued_at VARCHAR(32) NOT NULL, 
	readers INTEGER NOT NULL, 
	PRIMARY KEY (mailing_id, list_id), 
	FOREIGN KEY(mailing_id) REFERENCES mailing (id), 
	FOREIGN KEY(list_id) REFERENCES list (id)
);
CREATE TABLE membership (
	list_id INTEGER NOT NULL, 
	subscriber_id INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	changed_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (list_id, subscriber_id), 
	FOREIGN KEY(list_id) REFERENCES list (id), 
	FOREIGN KEY(subscriber_id) REFERENCES subscriber (id)
)
 WITHOUT ROWID

;
INSERT INTO "membership" VALUES(1,1,'active','added','2026-11-27T14:09:52.833063+00:00');
INSERT INTO "membership" VALUES(1,2,'unsubscribed','added','2026-11-27T14:09:52.839679+00:00');
CREATE TABLE picture (
	name VARCHAR(64) NOT NULL, 
	media_type VARCHAR(32) NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE signing_key (
	fingerprint VARCHAR(16) NOT NULL, 
	first_used_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (fingerprint)
);
CREATE TABLE subscriber (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	ref BIGINT NOT NULL, 
	email VARCHAR(320) NOT NULL, 
	address_key VARCHAR(320) NOT NULL, 
	domain VARCHAR(255) NOT NULL, 
	name TEXT, 
	language VARCHAR(35), 
	attributes JSON NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	left_at VARCHAR(32), 
	UNIQUE (address_key)
);
INSERT INTO "subscriber" VALUES(1,1904661024,'ann@example.org','ann@example.org','example.org','Ann','en','{"plan":"pro"}','2026-11-27T14:09:52.833063+00:00',NULL);
INSERT INTO "subscriber" VALUES(2,3756984935,'bob@example.org','bob@example.org','example.org','Bob','en','{"plan":"pro"}','2026-11-27T14:09:52.835786+00:00','2026-11-27T14:09:52.839679+00:00');
CREATE UNIQUE INDEX one_live_mailing_per_issue ON mailing (issue) WHERE kind = 'live';
CREATE INDEX membership_of_subscriber ON membership (subscriber_id);
CREATE INDEX event_of_subscriber ON event (subscriber_id);
CREATE INDEX delivery_deferred ON delivery (mailing_id, due_at) WHERE state = 'deferred';
CREATE INDEX delivery_queued ON delivery (mailing_id, id) WHERE state = 'queued';
CREATE INDEX delivery_sending ON delivery (mailing_id, id) WHERE state = 'sending';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('list',1);
INSERT INTO "sqlite_sequence" VALUES('subscriber',2);
INSERT INTO "sqlite_sequence" VALUES('event',3);
COMMIT;
