"""What Jakarta Messaging 3.1 asks of a provider, as rows: the subject of tests/spec and of docs/conformance.md.

A row is one feature.  `T:n` is assertion JMS:SPEC:n of the specification's compatibility kit.  Some rows are not of the
specification: they say what rmimom adds where the specification is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REQUIRED: Final = "required"
OPTIONAL: Final = "optional"
OURS: Final = "ours"


@dataclass(frozen=True)
class Row:
    """A feature: its id, what it is, where the specification has it, the assertions about it, and who wants it."""

    id: str
    feature: str
    section: str = ""
    assertions: tuple[str, ...] = ()
    level: str = REQUIRED


def spread(text: str) -> tuple[str, ...]:
    """Assertions written short: "T:2, T:246.1-3" is T:2, T:246.1, T:246.2 and T:246.3."""
    found: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        stem, dot, number = first.rpartition(".")
        if not dash:
            found.append(part)
        elif dot:
            found += [f"{stem}.{count}" for count in range(int(number), int(last) + 1)]
        else:
            found += [f"T:{count}" for count in range(int(first.removeprefix("T:")), int(last) + 1)]
    return tuple(found)


def _row(id: str, feature: str, section: str = "", assertions: str = "", level: str = REQUIRED) -> Row:
    return Row(id, feature, section, spread(assertions), level)


AREAS: Final = {
    "M": "Messages",
    "S": "Selectors",
    "P": "Sending",
    "A": "Receiving and acknowledging",
    "T": "Transactions",
    "D": "Destinations and subscriptions",
    "C": "Connections, sessions and errors",
}
"""What the rows of each letter are about."""

EXCEPTED: Final = {
    "T7": "distributed transactions (XA); the specification leaves them to the provider (T:192, T:184)",
    "D15": "ConnectionConsumer and ServerSessionPool, which §11 has for application servers (T:183)",
    "T:112": "a number that the kit does not use any more",
    "T:275.4": "a rule for code inside a Java EE container",
    "T:185.1": "an optional part of T:185 about ConnectionConsumer",
}
"""What is not done, and why."""

ROWS: Final = (
    _row("M1", "destination: set by the send, the same when received", "3.4.1", "T:2"),
    _row("M2", "delivery mode: set by the send, whatever the message said before", "3.4.2, 7.7", "T:3"),
    _row("M3", "message id: begins with ID: and is unique", "3.4.3", "T:4, T:5"),
    _row("M4", "hints that ids and timestamps are not needed", "3.4.3, 3.4.4", "T:6, T:8", OPTIONAL),
    _row("M5", "timestamp: taken while the send runs", "3.4.4", "T:7"),
    _row("M6", "correlation id: the application's words, or another message's id", "3.4.5", "T:11"),
    _row("M7", "reply-to: a destination for the answer", "3.4.6", "T:12"),
    _row("M8", "redelivered: set whenever a message comes again", "3.4.7", "T:13, T:143"),
    _row("M9", "type: the application's name for a kind of message", "3.4.8", "T:14"),
    _row("M10", "expiration: time of the send plus time to live, in a transaction too", "3.4.9, 7.8", "T:15"),
    _row("M11", "delivery time: time of the send plus delay, not received before", "3.4.13", "T:256"),
    _row("M12", "priority: 0 to 9, 4 unless said, higher ones preferred", "3.4.10", "T:16"),
    _row("M14", "which headers the send sets, which the sender, which the provider", "3.4.11", "T:246.1-11"),
    _row("M15", "properties: eight types of value, names as in selectors", "3.5.1, 3.5.2", "T:9, T:20"),
    _row("M16", "properties: read as another type, by the table of conversions", "3.5.4", "T:22-24"),
    _row("M17", "properties: as objects, missing ones, the list of names", "3.5.5, 3.5.6, 3.5.8", "T:10, T:25-27"),
    _row(
        "M18",
        "a received message is read-only until its body or properties are cleared, one without the other",
        "3.5.3, 3.5.7, 3.11.1, 3.11.2",
        "T:19, T:21, T:28, T:29, T:72, T:73",
    ),
    _row("M19", "a message that comes again is the original, whatever its receiver changed", "3.10", "T:71"),
    _row("M20", "JMSXDeliveryCount: 1 at first, then 2 and more, as redelivered says", "3.5.11", "T:34.3, T:257"),
    _row("M21", "JMSXGroupID and JMSXGroupSeq", "3.5.9", "T:32"),
    _row("M22", "JMSXUserID: whose a message is", "3.5.9", "T:34.1", OPTIONAL),
    _row("M23", "names that begin with JMS_ are the provider's", "3.5.10", "T:35"),
    _row("M24", "bodies: text, bytes, map, stream, object, and none", "3.11", "T:197"),
    _row("M25", "map and stream values read as another type, by the table of conversions", "3.11.3", "T:74-80"),
    _row("M26", "a read of a stream or of bytes that fails does not move on", "3.11.3", "T:81"),
    _row("M27", "a message is received as the kind it was sent", "3.11.4", "T:82"),
    _row("M28", "values are copied into a message and out of it", "3.12", "T:85, T:88"),
    _row("M29", "a message of another implementation can be sent", "3.12", "T:84"),
    _row("M30", "body as a type; whether the body can be had as a type", "API"),
    _row("M31", "a message that was sent can be changed and sent again", "3.9"),
    _row("S1", "selectors look at headers and properties, in a part of SQL-92", "3.8.1.1", "T:36, T:38"),
    _row("S2", "a wrong selector is refused at once; an empty one is none", "3.8.1.1", "T:37, T:69"),
    _row("S3", "true, false and unknown; what is missing is NULL", "3.8.1.2", "T:248-250"),
    _row("S4", "six headers can be named in a selector", "3.8.1.1, 3.8.1.3", "T:49"),
    _row("S5", "comparisons, arithmetic, logic, BETWEEN, IN, LIKE and IS NULL", "3.8.1.1", "T:57-68"),
    _row("S6", "what is not selected stays in a queue and never enters a subscription", "4.1.2, 4.2.2", "T:146, T:160"),
    _row("P1", "a send returns when the message is sent", "7.2", "T:253"),
    _row("P2", "a producer without a destination, which each send names", "7.1", "T:139"),
    _row("P3", "mode, priority, time to live and delay: by producer and by send", "7.4", "T:140, T:261"),
    _row(
        "P4",
        "asynchronous sends with a completion listener, told in order, one at a time, in another thread",
        "7.3",
        "T:254, T:275.1-3, T:275.5-8",
    ),
    _row("P5", "persistent messages come once, others at most once", "7.7", "T:141, T:142"),
    _row("P6", "the provider makes no second copy of a message", "6.2.12", "T:135"),
    _row("P7", "delivery delay: in a transaction, in a browser and for subscriptions of the time", "7.9", "T:261"),
    _row("P11", "one send to several destinations", "", "", OURS),
    _row("A1", "receive: for ever, with a time limit, without waiting", "8.5", "T:138"),
    _row("A2", "listeners of a session are called one at a time", "6.2.13, 8.7", "T:136, T:137"),
    _row("A3", "receiving a body as a type, and what becomes of the message if that cannot be", "8.6"),
    _row("A4", "AUTO_ACKNOWLEDGE", "6.2.10", "T:132"),
    _row("A5", "CLIENT_ACKNOWLEDGE: all that the session delivered so far", "6.2.10", "T:131"),
    _row("A6", "DUPS_OK_ACKNOWLEDGE", "6.2.10"),
    _row("A7", "INDIVIDUAL_ACKNOWLEDGE: one message", "", "", OURS),
    _row("A8", "nack: a message failed, with a reason, a delay, or for good", "", "", OURS),
    _row("A9", "recover: from the first message that is not acknowledged", "6.2.10", "T:129, T:194"),
    _row("A10", "an acknowledged message never comes again", "6.2.11", "T:133"),
    _row("A11", "a listener that fails gets the message again, or the next, by the session's mode", "8.7"),
    _row("A12", "what a closed session did not acknowledge comes again", "4.1.2, 4.2.2, 6.2", "T:145, T:156"),
    _row("A13", "the order of messages from one session to one destination", "6.2.9", "T:127, T:128"),
    _row("A14", "the same order when messages come again", "6.2.9"),
    _row("A15", "redelivery policy: delays that grow, and a maximum", "", "", OURS),
    _row("A16", "dead letter queue, with reason and origin", "", "", OURS),
    _row("A17", "expiry queue", "", "", OURS),
    _row("A18", "prefetch: how many messages a consumer holds", "", "", OURS),
    _row("A20", "a message that fails each time ends", "", "", OURS),
    _row(
        "T1",
        "sends and receipts of a session commit together, and the next transaction begins",
        "6.2.7",
        "T:122-125, T:130",
    ),
    _row("T2", "rollback destroys what was sent and recovers what was received", "6.2.7", "T:123"),
    _row("T3", "commit belongs to transacted sessions; acknowledge means nothing in them", "10.3", "T:171"),
    _row("T4", "closing a session or its connection rolls back", "6.1.8, 6.2.15", "T:104, T:111"),
    _row("T5", "a commit that ends in a rollback says so", "10.3", "T:182"),
    _row("D1", "queue: each message to one consumer, kept while there is none", "4.1.2, 4.1.7", "T:150"),
    _row("D2", "topic: a copy for each subscription, and each by itself", "4.2.2, 6.2.14", "T:126, T:162"),
    _row("D3", "subscription neither durable nor shared", "8.3.1", "T:266-268"),
    _row("D4", "durable subscription with one consumer", "8.3.3", "T:152-154, T:164"),
    _row("D5", "shared subscription", "8.3.2", "T:269-271"),
    _row("D6", "shared durable subscription", "8.3.4", "T:272, T:274"),
    _row(
        "D7",
        "a subscription with another topic or selector: made anew, or refused while in use",
        "8.3",
        "T:165, T:271, T:272",
    ),
    _row("D8", "unsubscribe, and when it is refused", "8.3.3", "T:166"),
    _row("D9", "no-local", "8.3.1, 8.3.3", "T:161, T:267"),
    _row("D10", "names of subscriptions", "4.2.4"),
    _row("D11", "temporary queues and topics", "6.2.2", "T:117, T:144, T:243"),
    _row("D12", "queue browser, with a selector, without delayed messages", "4.1.6", "T:148, T:149"),
    _row("D13", "QueueRequestor and TopicRequestor", "4.1.7, 4.2.10", "T:170, T:273"),
    _row("D14", "request and reply with a correlation id and a time limit", "2.16"),
    _row("D16", "patterns of topics and queues", "", "", OURS),
    _row("C1", "connection factory and destinations as administered objects", "5", "T:89, T:90, T:191"),
    _row("C2", "user and password, and their refusal", "6.1.1, 10.3", "T:92, T:172"),
    _row("C3", "client id: set first, in use once, refused", "6.1.2", "T:93-95, T:173, T:198"),
    _row("C4", "start and stop", "6.1.3-6.1.5", "T:96-101"),
    _row("C5", "a context starts its connection by itself", "6.1.4"),
    _row(
        "C6",
        "closing connections and sessions",
        "6.1.8, 6.2.15",
        "T:102, T:103, T:104, T:105, T:106, T:107, T:108, T:110, T:111, T:113, T:114, T:199, T:201, T:251",
    ),
    _row("C7", "a listener that closes its own connection or session", "6.1.8, 6.2.15", "T:258, T:259"),
    _row("C8", "exception listener", "6.1.7", "T:109, T:187, T:200"),
    _row("C9", "facts about the connection, the names of JMSX properties among them", "6.1.6, 3.5.9", "T:31"),
    _row("C10", "what several threads may use, and what one thread", "2.14, 6.2.5", "T:116, T:120, T:121"),
    _row("C11", "the standard errors, each raised where it belongs", "10.3", "T:171-182"),
    _row("C12", "the classic interface", "2.7"),
    _row("C13", "the simplified interface", "2.8"),
    _row("C14", "the interfaces of one kind of destination, and what they forbid", "9.2", "T:185.2-10"),
)
"""All rows, in the order of the page."""
