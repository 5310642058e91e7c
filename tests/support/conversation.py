"""Conversations with the broker as text files.

A file is a sequence of exchanges separated by empty lines: commands, a line of four dashes, and all that the broker
answered.  Lines that begin with # are remarks.  Commands:

    connect c1 [user=ann] [id=laptop]           disconnect c1 [orderly]
    subscribe c1/1 queue://orders [durable=NAME] [shared] [name=NAME] [prefetch=2] [bytes=100]
        [no-local] [settled=3,4] [held=5] [exclusive] [rank=PRIORITY] [retroactive]
    close c1/1 [keep=3,4]                       unsubscribe c1 NAME
    send c1 queue://orders a b c [producer=p seq=1] [priority=9] [ttl=MS] [delay=MS] [not-persistent]
        [JMS...=PROPERTY]
    ack c1/1 4 5                                ack c1/1 up-to=5
    commit c1/1 queue://b x y [t=NAME] [number=2] [ack=4,5] [dead=6] [back=7] [delay=MS]
    release c1/1 4 5 [delay=MS] [maximum=N] [reason=TEXT] [as-dead] [keeping]
    retry c1 queue://DLQ.orders [4 5]           wait MS
    create c1 queue://orders                    delete c1 queue://orders
    purge c1 queue://orders                     restart
    scheduled                                   cancel c1 [4 5]
    deliver-now c1 4 5
    move c1 queue://orders 4 5 to=queue://x     remove c1 queue://orders 4 5
    pause c1 queue://orders                     resume c1 queue://orders
    now c1 queue://orders 4 5                   discard c1 7
    prepare c1 topic://news id=CLIENT name=NAME [selector=TEXT] [shared]
    browse c1 queue://orders [limit=2] [after=PRIORITY,ID [within=QUEUE]] [selector=TEXT]
    temporary c1 temp-queue://t                 delete-temporary c1 temp-queue://t
    show

Answers: `ok` or `refused`; then the records, one a line; then what is told, one a line.  `1 "a" x2 > 1` is the message
with tag 1 and body a, delivered for the second time, for consumer 1.  A commit sends, and settles what its consumer
holds: `ack`, `dead` and `back` are tags.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from support.brokers import BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import (
    Acknowledge,
    Browse,
    Bury,
    CancelScheduled,
    CloseConsumer,
    Command,
    Commit,
    Connect,
    CreateDestination,
    CreateSubscription,
    CreateTemporary,
    DeleteDestination,
    DeleteSubscription,
    DeleteTemporary,
    DeliverNow,
    DeliverScheduled,
    Disconnect,
    Fetched,
    Move,
    Pause,
    Purge,
    Release,
    Remove,
    RemoveSubscription,
    Retry,
    Send,
    Subscribe,
    Tick,
)
from rmimom.composite import parse_target
from rmimom.core.state import Rules
from rmimom.destination import KINDS, TEMPORARY, Destination, Temporary
from rmimom.effects import Deliver, DestinationAdded, DestinationRemoved, Effect, Examine, Fetch, Outcome, Page, Refused
from rmimom.records import (
    CallbackChanged,
    DestinationCreated,
    DestinationDeleted,
    DestinationPaused,
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
    ProducerAdvanced,
    ProducersForgotten,
    Record,
    SubscriptionCreated,
    SubscriptionDeleted,
)
from rmimom.values import PropertyValue

DASHES = "----"
FLAGS = {"exclusive", "retroactive", "no-local", "not-persistent", "shared", "as-dead", "keeping"}


class Words:
    """The words of one command: plain ones in order, `name=value` ones by name, and flags."""

    def __init__(self, line: str) -> None:
        words = shlex.split(line)
        self.verb = words[0]
        self.plain = [word for word in words[1:] if "=" not in word and word not in FLAGS]
        self.named = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        self.flags = {word for word in words[1:] if word in FLAGS}

    def number(self, name: str, default: int = 0) -> int:
        """A named number."""
        return int(self.named.get(name, default))

    def numbers(self, name: str) -> tuple[int, ...]:
        """A named list of numbers."""
        return tuple(int(word) for word in self.named.get(name, "").split(",") if word)

    @property
    def properties(self) -> dict[str, PropertyValue]:
        """What is named as properties are that the broker knows; numbers are numbers."""
        return {
            name: int(value) if value.lstrip("-").isdigit() else value
            for name, value in self.named.items()
            if name.startswith(("JMS", "AMQ"))
        }

    @property
    def consumer(self) -> tuple[str, int]:
        """The first word, `connection/number`."""
        connection, _, number = self.plain[0].partition("/")
        return connection, int(number)

    @property
    def destination(self) -> Destination:
        """The second word, with any name: whether it is allowed is for the broker to say."""
        if "," in self.plain[1]:
            return parse_target(self.plain[1])
        kind, _, name = self.plain[1].partition("://")
        return KINDS[kind](name)

    @property
    def temporary(self) -> Temporary:
        """The second word, a temporary destination."""
        found = self.destination
        assert isinstance(found, TEMPORARY)
        return found


class Conversation:
    """A broker that is spoken to in lines of text."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.room = BrokerOnStore(rules)

    def say(self, line: str) -> list[str]:
        """Carry out one command; what it answers."""
        words = Words(line)
        if words.verb == "restart":
            return ["restarted", *map(tell_record, self.room.restart())]
        if words.verb == "scheduled":
            return [str(one).removeprefix("Scheduled") for one in self.room.broker.scheduled()] or ["nothing"]
        if words.verb == "show":
            return self._show()
        if words.verb == "wait":
            self.room.now += int(words.plain[0])
            outcome = self.room.handle(Tick())
            return [*map(tell_record, outcome.records), *self._tell_effects(outcome.effects)] or ["nothing"]
        return self._tell(self.room.handle(_COMMANDS[words.verb](words, self.room.now)))

    def _tell(self, outcome: Outcome) -> list[str]:
        if isinstance(outcome.reply, Refused):
            error = outcome.reply.error
            first = f"refused {type(error).__name__}: {error.text}"
        else:
            if isinstance(outcome.reply.value, Page):
                return self._tell_page(outcome.reply.value)
            first = "ok" if outcome.reply.value is None else f"ok {outcome.reply.value}"
        return [first, *map(tell_record, outcome.records), *self._tell_effects(outcome.effects)]

    def _tell_effects(self, effects: list[Effect]) -> list[str]:
        lines: list[str] = []
        for effect in effects:
            if isinstance(effect, Deliver):
                told: list[str] = []
                for delivered, frame in self.room.frames(effect):
                    counts = "".join(f" x{count}" for count in sorted(set(delivered.counts)) if count > 1)
                    note = f" {delivered.note}" if delivered.note else ""
                    told.append(f'{delivered.tag} "{body_of(frame)}"{counts}{note} > {_list(delivered.consumers)}')
                lines.append(f"deliver {effect.connection}: " + "; ".join(told))
            elif isinstance(effect, Fetch):
                lines.append(f"fetch {_list(effect.ids)}")
                lines += self._tell(self.room.handle(Fetched(effect.ids, self.room.store.frames(effect.ids))))
            elif isinstance(effect, DestinationAdded):
                lines.append(f"added {effect.destination}")
            elif isinstance(effect, Examine):
                lines.append(f"examine {effect.mailbox}: {_list(effect.ids)} for {'; '.join(effect.selectors)}")
                for examined in self.room.examine(effect):
                    lines += self._tell(self.room.handle(examined))
            else:
                assert isinstance(effect, DestinationRemoved)
                lines.append(f"gone {effect.destination}")
        return lines

    def _tell_page(self, page: Page) -> list[str]:
        told = [
            f'{found.tag} "{body_of(found.frame)}" x{found.counts[0]}'
            if len(found.frame)
            else f"{found.tag} in the store"
            for found in page.messages
        ]
        within = f" in {page.within}" if page.within else ""
        return [*told, "the end" if page.after is None else f"more after {_list(list(page.after))}{within}"]

    def _show(self) -> list[str]:
        statistics = self.room.broker.statistics()
        lines = [
            f"{place.kind}://{place.name} pending {place.pending} held {place.held} "
            f"in {place.enqueued} out {place.dequeued} expired {place.expired}"
            + (f" moved {place.moved}" if place.moved else "")
            for place in statistics.destinations
        ]
        lines += [
            f"subscription {one.client_id}:{one.name} {'active' if one.active else 'inactive'} "
            f"pending {one.pending} held {one.held}"
            for one in statistics.subscriptions
        ]
        return lines or ["nothing"]


def _connect(words: Words, now: int) -> Command:
    return Connect(words.plain[0], words.named.get("user", ""), words.named.get("id", ""))


def _subscribe(words: Words, now: int) -> Command:
    connection, number = words.consumer
    return Subscribe(
        connection,
        number,
        words.destination,
        durable=words.named.get("durable", ""),
        selector=words.named.get("selector", ""),
        no_local="no-local" in words.flags,
        shared="shared" in words.flags,
        name=words.named.get("name", ""),
        prefetch=words.number("prefetch", 1000),
        prefetch_bytes=words.number("bytes", 1000000),
        settled=words.numbers("settled"),
        held=words.numbers("held"),
        priority=words.number("rank"),
        exclusive="exclusive" in words.flags,
        retroactive="retroactive" in words.flags,
    )


def _send(words: Words, now: int) -> Command:
    ttl, delay = words.number("ttl"), words.number("delay")
    frames = [
        frame_for(
            words.destination,
            body,
            priority=words.number("priority", 4),
            persistent="not-persistent" not in words.flags,
            expiration=now + ttl if ttl else 0,
            delivery_time=now + delay if delay else 0,
            properties=words.properties,
        )
        for body in words.plain[2:]
    ]
    return Send(words.plain[0], words.named.get("producer", ""), words.number("seq", 1), words.destination, frames)


def _browse(words: Words, now: int) -> Command:
    after = words.numbers("after")
    return Browse(
        words.plain[0],
        words.destination,
        words.named.get("selector", ""),
        (after[0], after[1]) if after else None,
        words.number("limit", 100),
        words.named.get("within", ""),
    )


def _release(words: Words, now: int) -> Command:
    return Release(
        *words.consumer,
        tuple(map(int, words.plain[1:])),
        delay=words.number("delay") if "delay" in words.named else None,
        maximum=words.number("maximum") if "maximum" in words.named else None,
        dead="as-dead" in words.flags,
        reason=words.named.get("reason", ""),
        keep="keeping" in words.flags,
    )


def _commit(words: Words, now: int) -> Command:
    connection, consumer = words.consumer
    sends = _send(Words(f"send {shlex.join([connection, *words.plain[1:]])}"), now) if words.plain[1:] else None
    delay = words.number("delay") if "delay" in words.named else None
    releases = [
        Release(connection, consumer, words.numbers(fate), delay=delay, dead=fate == "dead", reason="refused")
        for fate in ("dead", "back")
        if fate in words.named
    ]
    return Commit(
        connection,
        words.named.get("t", "t"),
        words.number("number", 1),
        [(sends.destination, sends.frames)] if isinstance(sends, Send) else [],
        [(consumer, 0, list(words.numbers("ack")))],
        releases,
    )


def _retry(words: Words, now: int) -> Command:
    ids = tuple(map(int, words.plain[2:]))
    return Retry(words.plain[0], words.destination, ids or None)


_COMMANDS: dict[str, Callable[[Words, int], Command]] = {
    "connect": _connect,
    "disconnect": lambda words, now: Disconnect(words.plain[0], "orderly" in words.plain),
    "subscribe": _subscribe,
    "close": lambda words, now: CloseConsumer(*words.consumer, words.numbers("keep")),
    "unsubscribe": lambda words, now: DeleteSubscription(words.plain[0], words.plain[1]),
    "send": _send,
    "ack": lambda words, now: Acknowledge(*words.consumer, words.number("up-to"), tuple(map(int, words.plain[1:]))),
    "browse": _browse,
    "commit": _commit,
    "release": _release,
    "retry": _retry,
    "cancel": lambda words, now: CancelScheduled(words.plain[0], tuple(map(int, words.plain[1:])) or None),
    "deliver-now": lambda words, now: DeliverScheduled(words.plain[0], tuple(map(int, words.plain[1:]))),
    "create": lambda words, now: CreateDestination(words.plain[0], words.destination),
    "delete": lambda words, now: DeleteDestination(words.plain[0], words.destination),
    "temporary": lambda words, now: CreateTemporary(words.plain[0], words.temporary),
    "delete-temporary": lambda words, now: DeleteTemporary(words.plain[0], words.temporary),
    "move": lambda words, now: Move(words.plain[0], words.destination, _ids(words), parse_target(words.named["to"])),
    "bury": lambda words, now: Bury(
        words.plain[0], words.destination, _ids(words), words.named.get("reason", "").replace("_", " ")
    ),
    "remove": lambda words, now: Remove(words.plain[0], words.destination, _ids(words)),
    "now": lambda words, now: DeliverNow(words.plain[0], words.destination, _ids(words)),
    "pause": lambda words, now: Pause(words.plain[0], words.destination),
    "resume": lambda words, now: Pause(words.plain[0], words.destination, paused=False),
    "prepare": lambda words, now: CreateSubscription(
        words.plain[0],
        words.destination,
        words.named.get("id", ""),
        words.named.get("name", ""),
        words.named.get("selector", ""),
        shared="shared" in words.flags,
    ),
    "discard": lambda words, now: RemoveSubscription(words.plain[0], int(words.plain[1])),
    "purge": lambda words, now: Purge(words.plain[0], words.destination),
}


def _ids(words: Words) -> tuple[int, ...]:
    return tuple(map(int, words.plain[2:]))


def _list(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def tell_record(record: Record) -> str:
    """A record as one line."""
    match record:
        case DestinationCreated():
            return f"created {record.kind}://{record.name} as {record.id}"
        case DestinationDeleted():
            return f"deleted destination {record.id}"
        case DestinationPaused():
            return f"{'paused' if record.paused else 'resumed'} {record.id}"
        case SubscriptionCreated():
            kind = "shared subscription" if record.shared else "subscription"
            source = record.pattern or record.destination
            return f"created {kind} {record.client_id}:{record.name} of {source} as {record.id}"
        case SubscriptionDeleted():
            return f"deleted subscription {record.id}"
        case CallbackChanged():
            return f"subscription {record.subscription} is at {record.callback!r}"
        case MessagesStored():
            return f"stored {_list(record.ids)} in {_list(record.mailboxes) or 'nothing'}"
        case MessagesRemoved():
            return f"removed {_list(record.ids)} from {record.mailbox}"
        case MessagesDropped():
            return f"dropped {_list(record.ids)}"
        case MessagesReturned():
            return f"returned {_list(record.ids)} to {record.mailbox}"
        case MessagesFailed():
            due = f" due {record.due}" if record.due else ""
            return f"failed {_list(record.ids)} in {record.mailbox}{due}"
        case MessagesMoved():
            notes = "; ".join(dict.fromkeys(record.notes))
            return (
                f"moved {_list(record.ids)} from {record.mailbox} to {_list(record.to) or 'nothing'} "
                f"returned {_list(record.counts)} note {notes}"
            )
        case MailboxAdvanced():
            return f"advanced {record.mailbox} to {record.delivered_up_to}"
        case ProducerAdvanced():
            return f"producer {record.producer} at {record.sequence}"
        case ProducersForgotten():
            return f"forgot producers {' '.join(record.producers)}"
        case _:
            return repr(record)


def replay(text: str, rules: Rules | None = None) -> str:
    """The same conversation with the answers that the broker gives now."""
    conversation = Conversation(rules)
    written: list[str] = []
    for block in text.strip("\n").split("\n\n"):
        asked = block.split(f"\n{DASHES}")[0].splitlines()
        commands = [line for line in asked if line and not line.startswith("#")]
        answers = [answer for command in commands for answer in conversation.say(command)]
        written.append("\n".join([*asked, DASHES, *answers] if commands else asked))
    return "\n\n".join(written) + "\n"
