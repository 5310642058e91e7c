"""What happened, as the clients saw it: a list of events, one JSON object a line when written to a file.

An operation is a pair of events of one process: `invoke`, then `ok` (it was done), `fail` (it was not done) or `info`
(nobody knows).  Operations and the fields that say more about them:

    send         value, destination, priority, persistent, delivery_time, expiration, transaction (all at invoke)
    subscribe    place, destination, least_priority: a durable subscription exists from `ok` on; its selector takes
                 what has this priority or a higher one
    unsubscribe  place: it exists no more from `invoke` on
    receive      value, place, consumer, count (counted is false if it says only that it was delivered before, and not
                 how often), and if known tag and released; shared if the subscription has several
                 consumers; what the note of a message from elsewhere says: origin, reason, failures, dead_at,
                 retried_at; only `ok`
    acknowledge  value, place, consumer, transaction
    commit       transaction: the sends and acknowledgements that name it are done, or not, together
    release      value, place, consumer: the consumer failed on it; maximum: after so many failures that makes it a
                 dead letter, -1 for never; delivery_time: not again before that (all at invoke)
    policy       place (where messages were sent or subscribed to), destination: its queue for what value says,
                 `dead` letters or `expired` messages; only `info`
    retry        place: dead letters there were sent back
    browse       value, place, consumer (one pass through the queue), tag, released (when the page was asked for),
                 least_priority, retried_at, dead_at: a browser saw it; only `ok`
    fault        value says which: crash, torn, closed, full …; only `info`
    heal         value: the fault of this name is over; only `info`
    lost         the process lost its server, `restored` it found one again; only `info`
    own          server, epoch: this server became active in this epoch, as the process says; only `info`
    remains      value, place: what the server still has at the end; only `ok`
    drain        place: the consumers took all that there was; a drain without `ok` was cut short

Messages of a group name it at invoke of the send.  What was confirmed may name the server and the epoch that confirmed
it.  Histories of several processes are put in order by `monotonic`, which no step of a wall clock touches.

A *place* is where messages wait: a queue's text form, or a subscription by any name.  A *consumer* is one incarnation:
after a reconnection it has another name.  Every value is unique: the name of its producer, a dash and a counter from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

INVOKE: Final = "invoke"
OK: Final = "ok"
FAIL: Final = "fail"
INFO: Final = "info"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event; `time`, `released`, `delivery_time` and `expiration` are milliseconds since 1970 UTC.

    `released` is when the server let a received message go, if the writer of the history can know it.  `monotonic` are
    microseconds of a clock that all processes share, 0 where time alone is enough.
    """

    time: int
    process: str
    type: str
    op: str
    value: str = ""
    destination: str = ""
    place: str = ""
    consumer: str = ""
    tag: int = 0
    count: int = 0
    counted: bool = True
    released: int = 0
    priority: int = 4
    persistent: bool = True
    delivery_time: int = 0
    expiration: int = 0
    transaction: str = ""
    least_priority: int = 0
    shared: bool = False
    maximum: int = -1
    origin: str = ""
    reason: str = ""
    failures: int = 0
    dead_at: int = 0
    retried_at: int = 0
    group: str = ""
    server: str = ""
    epoch: int = 0
    monotonic: int = 0

    def __str__(self) -> str:
        shown = msgspec.to_builtins(self)
        shown.pop("monotonic", None)
        first = [str(shown.pop(name)) for name in ("time", "process", "type", "op")]
        return " ".join([*first, *(f"{name}={value}" for name, value in shown.items())])


History = list[Event]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def producer_of(value: str) -> tuple[str, int]:
    """The producer of a value and its counter."""
    producer, _, counter = value.rpartition("-")
    return producer, int(counter)


def write_lines(history: Iterable[Event]) -> bytes:
    """The history as JSON lines."""
    return b"".join(_encoder.encode(event) + b"\n" for event in history)


def read_lines(data: bytes) -> History:
    """What `write_lines` wrote; a last line that was cut off by a crash is left out."""
    lines = data.split(b"\n")
    return [_decoder.decode(line) for line in lines[:-1] if line]


def merged(histories: Iterable[History]) -> History:
    """The histories of several processes as one, in the order of time."""
    events = [event for history in histories for event in history]
    return sorted(events, key=lambda event: (event.monotonic, event.time))


def excerpt(history: Sequence[Event], values: set[str], limit: int = 60) -> Iterator[str]:
    """The events that speak of these values, with the faults in their time and the subscriptions of their places."""
    told = [event for event in history if event.value in values]
    if not told:
        return
    places = {event.place for event in told if event.place}
    shown = 0
    for event in history:
        beside = event.op == "fault" or (event.op in {"subscribe", "unsubscribe"} and event.place in places)
        if event.value in values or (beside and told[0].time - 1000 <= event.time <= told[-1].time):
            shown += 1
            if shown > limit:
                yield "…"
                return
            yield str(event)
