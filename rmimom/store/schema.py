"""The tables and views of the SQLite store, and the numbered steps that make them.

A step is never changed once released; a new need is a new step.  `PRAGMA user_version` counts the steps a file has,
so that an old program recognises a newer file from its first hundred bytes; their names stand in the table that
`sqlite-utils migrate` reads.  sqlite-utils itself is imported only when a step is to be done.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

APPLICATION_ID: Final = int.from_bytes(b"RMOM", "big")
"""What `PRAGMA application_id` says in every file of ours."""

PAGE_SIZE: Final = 4096

_FIRST = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,     -- how many actives the cluster has had
    sequence INTEGER NOT NULL,  -- the last batch applied
    next_id INTEGER NOT NULL    -- the first id not used yet for destinations, subscriptions and messages
);
INSERT INTO state (id, epoch, sequence, next_id) VALUES (1, 0, 0, 1);

CREATE TABLE destination (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,         -- queue or topic
    name TEXT NOT NULL,
    created INTEGER NOT NULL    -- milliseconds since 1970 UTC, as all times here
);

CREATE TABLE subscription (
    id INTEGER PRIMARY KEY,     -- also the number of its mailbox
    destination_id INTEGER NOT NULL REFERENCES destination (id),
    client_id TEXT NOT NULL,
    name TEXT NOT NULL,
    selector TEXT NOT NULL,     -- empty: every message
    no_local INTEGER NOT NULL,  -- 1: not what its own connection sent
    callback TEXT NOT NULL,     -- URI of a subscriber that has no client library, else empty
    created INTEGER NOT NULL
);

CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    layout TEXT NOT NULL,       -- JSON: [[message ids], [lengths of their frames]]
    checksum INTEGER NOT NULL,  -- CRC-32 of data, continued over layout
    data BLOB NOT NULL          -- frames, one after the other
);

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    destination_id INTEGER NOT NULL REFERENCES destination (id),
    segment_id INTEGER NOT NULL REFERENCES segment (id),
    position INTEGER NOT NULL,  -- where the frame starts in the segment's data, in bytes
    length INTEGER NOT NULL,    -- bytes of the whole frame
    kind INTEGER NOT NULL,      -- of body: 0 none, 1 text, 2 bytes, 3 map, 4 stream, 5 object
    mode INTEGER NOT NULL,      -- 1 not persistent (here because memory was short), 2 persistent
    priority INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    expiration INTEGER NOT NULL,     -- 0: never
    delivery_time INTEGER NOT NULL,  -- 0: at once
    properties_length INTEGER NOT NULL,
    body_length INTEGER NOT NULL
);

CREATE TABLE delivery (
    mailbox_id INTEGER NOT NULL,     -- a queue's destination.id or a subscription.id
    message_id INTEGER NOT NULL REFERENCES message (id),
    count INTEGER NOT NULL,          -- how often it came back unacknowledged
    PRIMARY KEY (mailbox_id, message_id)
) WITHOUT ROWID;

CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY,              -- a queue's destination.id or a subscription.id
    delivered_up_to INTEGER NOT NULL     -- messages up to this id may have been delivered
);

CREATE TABLE producer (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,  -- its messages up to this number are accepted
    at INTEGER NOT NULL         -- when it was last heard
) WITHOUT ROWID;

CREATE TABLE account (
    name TEXT PRIMARY KEY,      -- of the user (USER itself is a reserved word in other databases)
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,       -- scrypt of the password
    administrator INTEGER NOT NULL
) WITHOUT ROWID;

-- Messages for people.  The body is the last element of the frame and the properties are the one before it; between
-- them lies MessagePack's header of the body, whose length depends on that of the body.
CREATE VIEW messages AS
SELECT
    message.id,
    destination.kind || '://' || destination.name AS destination,
    CASE message.mode WHEN 1 THEN 'non-persistent' ELSE 'persistent' END AS delivery_mode,
    message.priority,
    strftime('%Y-%m-%d %H:%M:%f', message.timestamp / 1000.0, 'unixepoch') AS sent,
    CASE WHEN message.expiration > 0
        THEN strftime('%Y-%m-%d %H:%M:%f', message.expiration / 1000.0, 'unixepoch') END AS expires,
    CASE WHEN message.delivery_time > 0
        THEN strftime('%Y-%m-%d %H:%M:%f', message.delivery_time / 1000.0, 'unixepoch') END AS not_before,
    (SELECT count(*) FROM delivery WHERE delivery.message_id = message.id
        AND delivery.mailbox_id IN (
            SELECT message.destination_id
            UNION ALL
            SELECT subscription.id FROM subscription WHERE subscription.destination_id = message.destination_id
        )) AS waiting_in,
    CASE message.kind WHEN 0 THEN 'none' WHEN 1 THEN 'text' WHEN 2 THEN 'bytes' WHEN 3 THEN 'map'
        WHEN 4 THEN 'stream' WHEN 5 THEN 'object' END AS body_kind,
    CAST(substr(
        segment.data,
        message.position + 1 + message.length - message.body_length - message.properties_length
            - CASE WHEN message.body_length < 256 THEN 2 WHEN message.body_length < 65536 THEN 3 ELSE 5 END,
        message.properties_length
    ) AS TEXT) AS properties,
    CASE message.kind
        WHEN 0 THEN NULL
        WHEN 2 THEN substr(segment.data, message.position + 1 + message.length - message.body_length,
            message.body_length)
        ELSE CAST(substr(segment.data, message.position + 1 + message.length - message.body_length,
            message.body_length) AS TEXT)
    END AS body
FROM message
JOIN segment ON segment.id = message.segment_id
LEFT JOIN destination ON destination.id = message.destination_id;

-- Mailboxes for people: every queue and every durable subscription, and what waits there.
CREATE VIEW mailboxes AS
SELECT
    place.id,
    place.destination,
    place.subscription,
    (SELECT count(*) FROM delivery WHERE delivery.mailbox_id = place.id) AS waiting,
    coalesce(mailbox.delivered_up_to, 0) AS delivered_up_to
FROM (
    SELECT id, kind || '://' || name AS destination, NULL AS subscription
    FROM destination WHERE kind = 'queue'
    UNION ALL
    SELECT subscription.id, destination.kind || '://' || destination.name,
        subscription.client_id || '/' || subscription.name
    FROM subscription JOIN destination ON destination.id = subscription.destination_id
) AS place
LEFT JOIN mailbox ON mailbox.id = place.id;
"""

_SHARED = """
ALTER TABLE subscription ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;  -- 1: several consumers may have it together
"""

_VIEW_OF_MESSAGES = _FIRST[_FIRST.index("CREATE VIEW messages") : _FIRST.index("-- Mailboxes for people")]
_ITS_SUBSCRIPTIONS = "WHERE subscription.destination_id = message.destination_id"
_VIEW_WITH_PATTERNS = _VIEW_OF_MESSAGES.replace(
    _ITS_SUBSCRIPTIONS, _ITS_SUBSCRIPTIONS + " OR subscription.pattern <> ''"
)
_ADD_PATTERN = """
ALTER TABLE subscription ADD COLUMN pattern TEXT NOT NULL DEFAULT '';  -- of topics; then destination_id is 0

DROP VIEW messages;
"""
_MAILBOXES_WITH_PATTERNS = """
DROP VIEW mailboxes;
CREATE VIEW mailboxes AS
SELECT
    place.id,
    place.destination,
    place.subscription,
    (SELECT count(*) FROM delivery WHERE delivery.mailbox_id = place.id) AS waiting,
    coalesce(mailbox.delivered_up_to, 0) AS delivered_up_to
FROM (
    SELECT id, kind || '://' || name AS destination, NULL AS subscription
    FROM destination WHERE kind = 'queue'
    UNION ALL
    SELECT subscription.id, coalesce(destination.kind || '://' || destination.name, 'topic://' || subscription.pattern),
        subscription.client_id || '/' || subscription.name
    FROM subscription LEFT JOIN destination ON destination.id = subscription.destination_id
) AS place
LEFT JOIN mailbox ON mailbox.id = place.id;
"""
_PATTERNS = _ADD_PATTERN + _VIEW_WITH_PATTERNS + _MAILBOXES_WITH_PATTERNS

# What came from elsewhere waits in no mailbox of the message's own destination.
_WAITING_IN = " AS waiting_in,"
_WAITING_ELSEWHERE = """
        + (SELECT count(*) FROM delivery WHERE delivery.message_id = message.id AND delivery.note <> ''
            AND delivery.mailbox_id <> message.destination_id
            AND delivery.mailbox_id NOT IN (
                SELECT subscription.id FROM subscription
                WHERE subscription.destination_id = message.destination_id OR subscription.pattern <> ''
            ))"""
_FAILURES = """
ALTER TABLE delivery ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;  -- how often a consumer failed on it here
ALTER TABLE delivery ADD COLUMN note TEXT NOT NULL DEFAULT '';        -- JSON about its way from another mailbox
CREATE INDEX delivery_moved ON delivery (message_id) WHERE note <> '';

-- Dead letters and expired messages for people.
CREATE VIEW dead_letters AS
SELECT
    delivery.message_id AS id,
    queue.name AS queue,
    json_extract(delivery.note, '$.original_destination') AS original_destination,
    json_extract(delivery.note, '$.reason') AS reason,
    json_extract(delivery.note, '$.failures') AS failures,
    strftime('%Y-%m-%d %H:%M:%f', json_extract(delivery.note, '$.dead_at') / 1000.0, 'unixepoch') AS dead_at
FROM delivery JOIN destination AS queue ON queue.id = delivery.mailbox_id
WHERE delivery.note <> '' AND json_extract(delivery.note, '$.dead_at') IS NOT NULL;

DROP VIEW messages;
""" + _VIEW_WITH_PATTERNS.replace(_WAITING_IN, _WAITING_ELSEWHERE + _WAITING_IN)

_DUE = """
ALTER TABLE delivery ADD COLUMN due INTEGER NOT NULL DEFAULT 0;  -- after a failure, not delivered before; 0: at once
"""

_WISHES = """
ALTER TABLE message ADD COLUMN wishes TEXT NOT NULL DEFAULT '';  -- JSON: what the sender asks of the broker
"""

_ROLES = """
ALTER TABLE account ADD COLUMN role TEXT NOT NULL DEFAULT '';  -- in the administration: viewer, operator or empty
"""

_PAUSED = """
ALTER TABLE destination ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;  -- 1: the queue delivers nothing
"""

STEPS: Final = (
    ("0001_first", _FIRST),
    ("0002_shared_subscriptions", _SHARED),
    ("0003_patterns_of_topics", _PATTERNS),
    ("0004_failures", _FAILURES),
    ("0005_due", _DUE),
    ("0006_wishes", _WISHES),
    ("0007_roles", _ROLES),
    ("0008_paused", _PAUSED),
)
"""Name and SQL of each step, in order."""

VERSION: Final = len(STEPS)
"""The version that this program writes."""


def prepare(connection: sqlite3.Connection) -> None:
    """Set what can only be set in an empty file.  The connection is in autocommit mode."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")


def migrate(connection: sqlite3.Connection) -> None:
    """Do the steps that the file does not have yet, each whole or not at all.  Raises sqlite3.Error."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version >= VERSION:
        return
    # It takes 160 ms, which a restart need not wait for.
    from sqlite_utils import Database, Migrations

    steps = Migrations("rmimom")
    for number, (name, script) in enumerate(STEPS, 1):
        steps(name=name)(_Step(number, name, script))
    steps.apply(Database(connection, execute_plugins=False))


class _Step:
    """One step as sqlite-utils calls it, inside a transaction."""

    def __init__(self, number: int, name: str, script: str) -> None:
        self.number = number
        self.__name__ = name
        self.script = script

    def __call__(self, database: Any) -> None:
        # Not executescript(), which would commit the transaction that the step is part of.
        for statement in _statements(self.script):
            database.conn.execute(statement)
        database.conn.execute(f"PRAGMA user_version = {self.number}")


def _statements(script: str) -> list[str]:
    found: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement.strip())
            statement = ""
    return found
