CREATE TABLE fact (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE signing_key (
    fingerprint TEXT COLLATE "C" NOT NULL,
    first_used_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (fingerprint)
);
CREATE TABLE subscriber (
    id BIGSERIAL PRIMARY KEY,
    ref BIGINT NOT NULL,
    email TEXT COLLATE "C" NOT NULL,
    address_key TEXT COLLATE "C" NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C",
    language TEXT COLLATE "C",
    attributes JSONB NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    left_at TEXT COLLATE "C",
    UNIQUE (address_key)
);
CREATE TABLE list (
    id BIGSERIAL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    file_hash TEXT COLLATE "C",
    UNIQUE (name)
);
CREATE TABLE membership (
    list_id BIGINT NOT NULL,
    subscriber_id BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    changed_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (list_id, subscriber_id),
    FOREIGN KEY(list_id) REFERENCES list (id),
    FOREIGN KEY(subscriber_id) REFERENCES subscriber (id)
)
;
CREATE TABLE event (
    id BIGSERIAL PRIMARY KEY,
    at TEXT COLLATE "C" NOT NULL,
    subscriber_id BIGINT NOT NULL,
    list_id BIGINT,
    kind TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    FOREIGN KEY(subscriber_id) REFERENCES subscriber (id),
    FOREIGN KEY(list_id) REFERENCES list (id)
);
CREATE TABLE picture (
    name TEXT COLLATE "C" NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE mailing (
    id BIGSERIAL PRIMARY KEY,
    issue INTEGER NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    sender_domain TEXT COLLATE "C" NOT NULL,
    sources JSONB NOT NULL,
    frozen_at TEXT COLLATE "C" NOT NULL,
    handed_over_at TEXT COLLATE "C",
    run BIGINT
);
CREATE TABLE mailing_list (
    mailing_id BIGINT NOT NULL,
    list_id BIGINT NOT NULL,
    enqueued_at TEXT COLLATE "C" NOT NULL,
    readers INTEGER NOT NULL,
    PRIMARY KEY (mailing_id, list_id),
    FOREIGN KEY(mailing_id) REFERENCES mailing (id),
    FOREIGN KEY(list_id) REFERENCES list (id)
);
CREATE TABLE edition (
    id BIGSERIAL PRIMARY KEY,
    mailing_id BIGINT NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    frozen TEXT COLLATE "C" NOT NULL,
    UNIQUE (mailing_id, language),
    FOREIGN KEY(mailing_id) REFERENCES mailing (id)
);
CREATE TABLE delivery (
    id BIGSERIAL PRIMARY KEY,
    mailing_id BIGINT NOT NULL,
    subscriber_id BIGINT NOT NULL,
    copy INTEGER NOT NULL,
    list_id BIGINT NOT NULL,
    edition_id BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts INTEGER NOT NULL,
    first_attempt_at TEXT COLLATE "C",
    due_at TEXT COLLATE "C",
    settled_at TEXT COLLATE "C",
    code INTEGER,
    reply TEXT COLLATE "C",
    reason TEXT COLLATE "C",
    relay TEXT COLLATE "C",
    UNIQUE (mailing_id, subscriber_id, copy),
    FOREIGN KEY(mailing_id) REFERENCES mailing (id),
    FOREIGN KEY(subscriber_id) REFERENCES subscriber (id),
    FOREIGN KEY(list_id) REFERENCES list (id),
    FOREIGN KEY(edition_id) REFERENCES edition (id)
);
CREATE UNIQUE INDEX one_live_mailing_per_issue ON mailing (issue) WHERE kind = 'live';
CREATE INDEX membership_of_subscriber ON membership (subscriber_id);
CREATE INDEX event_of_subscriber ON event (subscriber_id);
CREATE INDEX delivery_deferred ON delivery (mailing_id, due_at) WHERE state = 'deferred';
CREATE INDEX delivery_queued ON delivery (mailing_id, id) WHERE state = 'queued';
CREATE INDEX delivery_sending ON delivery (mailing_id, id) WHERE state = 'sending';
INSERT INTO fact VALUES('schema','2');
INSERT INTO fact VALUES('instance','4515540632aca0989ef4d5dd6c459672');
INSERT INTO subscriber VALUES(1,1904661024,'ann@example.org','ann@example.org','example.org','Ann','en','{"plan":"pro"}','2026-11-27T14:09:52.833063+00:00',NULL);
INSERT INTO subscriber VALUES(2,3756984935,'bob@example.org','bob@example.org','example.org','Bob','en','{"plan":"pro"}','2026-11-27T14:09:52.835786+00:00','2026-11-27T14:09:52.839679+00:00');
INSERT INTO list VALUES(1,'readers',NULL);
INSERT INTO membership VALUES(1,1,'active','added','2026-11-27T14:09:52.833063+00:00');
INSERT INTO membership VALUES(1,2,'unsubscribed','added','2026-11-27T14:09:52.839679+00:00');
INSERT INTO event VALUES(1,'2026-11-27T14:09:52.833063+00:00',1,1,'joined','added');
INSERT INTO event VALUES(2,'2026-11-27T14:09:52.835786+00:00',2,1,'joined','added');
INSERT INTO event VALUES(3,'2026-11-27T14:09:52.839679+00:00',2,1,'unsubscribed','operator');
SELECT setval('list_id_seq', 1);
SELECT setval('subscriber_id_seq', 2);
SELECT setval('event_id_seq', 3);
