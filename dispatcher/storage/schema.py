"""The tables: readers and what they agreed to, issues as they were frozen, and the ledger of deliveries.

Long, because all tables stand in one place: each column with what it does not promise.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from dispatcher.storage.columns import Id, Json, Moment, only, words

metadata = MetaData()


fact = Table(
    "fact",
    metadata,
    Column("name", words(32), primary_key=True),  # "schema", "instance"
    Column("value", words(), nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("fingerprint", words(16), primary_key=True),
    Column("first_used_at", Moment, nullable=False),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ref", BigInteger, nullable=False),  # random, see models.Subscriber
    Column("email", words(320), nullable=False),  # as the reader writes it
    Column("address_key", words(320), nullable=False, unique=True),  # one person, one key
    Column("domain", words(255), nullable=False),  # lower case, A-labels
    Column("name", words()),
    Column("language", words(35)),
    Column("attributes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("left_at", Moment),  # left everything: no file brings him back, to whatever list
    Column("agreed_to_tracking_at", Moment),  # None: no, which nothing but the reader himself changes
    sqlite_autoincrement=True,
)

reader_list = Table(
    "list",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", words(64), nullable=False, unique=True),
    Column("file_hash", words(64)),  # of subscribers/NAME.csv when it was last read
    sqlite_autoincrement=True,
)

intake = Table(  # a file that was read into a list
    "intake",
    metadata,
    Column("id", Id, primary_key=True),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False),
    Column("path", words(), nullable=False),
    Column("channel", words(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("undone_at", Moment),
    sqlite_autoincrement=True,
)

correction = Table(  # what the newest intake of a list overwrote, so that it can be undone
    "correction",
    metadata,
    Column("intake_id", Id, ForeignKey("intake.id"), primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), primary_key=True),
    Column("name", words()),
    Column("language", words(35)),
    Column("attributes", Json, nullable=False),
    Index("correction_of_subscriber", "subscriber_id"),
)

membership = Table(
    "membership",
    metadata,
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), primary_key=True),
    Column("state", words(16), nullable=False),  # standing.Standing; only `active` is mailed
    Column("source", words(16), nullable=False),  # standing.Channel; of these, only file ends when its line goes
    Column("changed_at", Moment, nullable=False),
    Column("until", Moment),  # of a pause
    Column("resumes", words(16)),  # the state before: what a suppression covers, or what Undo goes back to
    Column("intake_id", Id, ForeignKey("intake.id")),  # the file that brought him
    # What he agreed to: asked when and where, shown which wording, confirmed when.
    Column("consented_at", Moment),
    Column("confirmed_at", Moment),
    Column("wording", words(16)),
    Column("network", words(64)),  # the part of the internet address that names no person
    Index("membership_of_subscriber", "subscriber_id"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), nullable=False),
    Column("list_id", Id, ForeignKey("list.id")),
    Column("kind", words(16), nullable=False),  # joined, returned, or a standing that was reached
    Column("channel", words(16), nullable=False),  # standing.Channel
    Column("note", words()),  # an operator's reason
    Index("event_of_subscriber", "subscriber_id"),
    sqlite_autoincrement=True,
)

suppression = Table(  # addresses that nobody may mail, on any list
    "suppression",
    metadata,
    Column("hash", words(32), primary_key=True),  # tokens.address_hash: names nobody to who lacks the key
    Column("cause", words(16), nullable=False),  # standing.Cause
    Column("at", Moment, nullable=False),
    Column("channel", words(16), nullable=False),
    Column("note", words()),
)

signup = Table(  # somebody asked for an address to be put on a list; nobody is on it before the link is followed
    "signup",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ref", BigInteger, nullable=False),  # random, part of the link
    Column("address_key", words(320), nullable=False),
    Column("email", words(320), nullable=False),
    Column("domain", words(255), nullable=False),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False),
    Column("name", words()),
    Column("language", words(35)),
    Column("channel", words(16), nullable=False),
    Column("wording", words(16), nullable=False),
    Column("network", words(64)),
    Column("asked_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    Index("signup_of_address", "address_key"),
    sqlite_autoincrement=True,
)

letter = Table(  # small mails to one person each, on their way; a web request never waits for a relay
    "letter",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", words(16), nullable=False),  # models.Letter
    Column("address_key", words(320), nullable=False),
    Column("email", words(320), nullable=False),
    Column("language", words(35), nullable=False),
    Column("signup_id", Id, ForeignKey("signup.id")),
    Column("subscriber_id", Id, ForeignKey("subscriber.id")),
    Column("state", words(16), nullable=False),  # queued, sending, sent, refused, withheld
    Column("attempts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("reply", words()),
    Index("letter_to_address", "address_key"),
    Index("letter_by_state", "state", "due_at"),
    sqlite_autoincrement=True,
)

api_token = Table(
    "api_token",
    metadata,
    Column("name", words(64), primary_key=True),
    Column("hash", words(64), nullable=False, unique=True),  # SHA-256; the token itself is shown once
    Column("rights", Json, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("used_at", Moment),
)

mailing = Table(
    "mailing",
    metadata,
    Column("id", Id, primary_key=True),
    Column("issue", Integer, nullable=False),
    Column("kind", words(16), nullable=False),  # models.Kind
    Column("content_hash", words(64), nullable=False),  # of all editions together
    Column("salt", words(32), nullable=False),  # makes Message-IDs this mailing's own
    Column("sender_domain", words(255), nullable=False),
    Column("sources", Json, nullable=False),  # {path: sha256} of the files it was made from
    Column("frozen_at", Moment, nullable=False),
    Column("handed_over_at", Moment),  # when the first message was about to go; from then on it stays frozen
    Column("paused_because", words()),  # why we stopped it ourselves; empty once somebody went on all the same
    Column("stopped_at", Moment),  # when senders were asked to stop; only send-issue goes on, and forgets it
    Column("forced", words()),  # why the gate was passed without staging
    Column("scheduled_at", Moment),  # when a worker begins it
    Column("scheduled", Json),  # whom to, then: {"list": name, "where": expression or null}
    Column("released_at", Moment),  # since when any worker may go on with it; None: only send-issue
    Index("one_live_mailing_per_issue", "issue", unique=True, **only("kind = 'live'")),
    sqlite_autoincrement=True,
)

returned = Table(  # mail that came back, and refusals during SMTP, once something was decided about them
    "returned",
    metadata,
    Column("id", Id, primary_key=True),
    Column("fingerprint", words(64), nullable=False, unique=True),  # read twice, acted on once
    Column("at", Moment, nullable=False),
    Column("kind", words(16), nullable=False),  # returns.Class, or "refusal"
    Column("delivery_id", Id, ForeignKey("delivery.id")),
    Column("subscriber_id", Id, ForeignKey("subscriber.id")),
    Column("verdict", words(16)),  # dead, transient, sender
    Column("cause", words(32)),
    Column("status", words(16)),  # RFC 3463
    Column("reply", words(8)),
    Column("said", words(), nullable=False),  # without addresses
    Column("feedback_type", words(32)),
    Column("action", words(32), nullable=False),  # returns.Action
    Index("returned_of_delivery", "delivery_id"),
    Index("returned_of_subscriber", "subscriber_id"),
    sqlite_autoincrement=True,
)

mailing_list = Table(
    "mailing_list",
    metadata,
    Column("mailing_id", Id, ForeignKey("mailing.id"), primary_key=True),
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
    Column("enqueued_at", Moment, nullable=False),
    Column("readers", Integer, nullable=False),  # rows made for it: the left side of the ledger's equation
)

edition = Table(
    "edition",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailing.id"), nullable=False),
    Column("language", words(35), nullable=False),  # of one that was replaced, with "@" and its id: "en@7"
    Column("content_hash", words(64), nullable=False),
    Column("frozen", words(), nullable=False),  # content.frozen
    UniqueConstraint("mailing_id", "language"),
    sqlite_autoincrement=True,
)

picture = Table(
    "picture",
    metadata,
    Column("name", words(64), primary_key=True),
    Column("media_type", words(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailing.id"), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), nullable=False),
    Column("copy", Integer, nullable=False),  # 0, but for staging, where a reader gets every edition
    Column("list_id", Id, ForeignKey("list.id"), nullable=False),
    Column("edition_id", Id, ForeignKey("edition.id"), nullable=False),
    Column("state", words(16), nullable=False),  # models.State
    Column("attempts", Integer, nullable=False),
    Column("first_attempt_at", Moment),
    Column("due_at", Moment),
    Column("settled_at", Moment),
    Column("code", Integer),
    Column("reply", words()),
    Column("reason", words()),
    Column("relay", words(255)),  # host:port that was tried last
    Column("run", BigInteger),  # that claimed it last: only its outcome of that attempt is believed
    UniqueConstraint("mailing_id", "subscriber_id", "copy"),  # nobody gets an issue twice
    # One index per state that is looked up: SQLite does not use `state IN (…)` for `state = 'queued'`.
    Index("delivery_queued", "mailing_id", "id", **only("state = 'queued'")),
    Index("delivery_sending", "mailing_id", "id", **only("state = 'sending'")),
    Index("delivery_deferred", "mailing_id", "due_at", **only("state = 'deferred'")),
    sqlite_autoincrement=True,
)

run = Table(  # one process that sends one mailing, or a worker; its number fences: after its end it is given to nobody
    "run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailing.id")),  # None: a worker, whatever it sends
    Column("host", words(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),  # by the database's clock; not a promise that it lives
    Column("ended_at", Moment),  # from then on it claims nothing
    Column("worker_id", BigInteger),  # by which the queue of jobs knows it, where several send
    Index("run_unended", "mailing_id", **only("ended_at IS NULL")),
    sqlite_autoincrement=True,
)

allowance = Table(  # what all runs together may send of one kind: over a relay, to a domain, in all
    "allowance",
    metadata,
    Column("key", words(320), primary_key=True),  # "relay host:port", "domain example.org", "all"
    Column("next_at", Float(53), nullable=False),  # seconds by the database's clock: when the next message may go
)

holding = Table(  # what a run has of what is counted: connections to a relay or a domain, messages of a relay's day
    "holding",
    metadata,
    Column("key", words(320), primary_key=True),
    Column("run_id", Id, ForeignKey("run.id"), primary_key=True),
    Column("count", Integer, nullable=False),  # of a day, with those it has used
    Column("wanted", Integer, nullable=False),  # as many as would be of use; of a day, those it has used
    Column("most", Integer, nullable=False),  # of all runs together, as this one was told: the lowest holds
)
