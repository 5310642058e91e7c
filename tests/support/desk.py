"""One mailbox with its surroundings, for tests of what happens in it."""

from __future__ import annotations

from rmimom.core.agenda import Agenda
from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.residence import Residence
from rmimom.core.shelf import Shelf
from rmimom.core.turn import Turn
from rmimom.destination import Queue
from rmimom.effects import Accepted, Deliver, Outcome

NOW = 1000


class Desk:
    """One mailbox with its surroundings; every act is a turn of its own."""

    def __init__(self, *, durable: bool = True, number: int = 0) -> None:
        self.residence = Residence()
        self.agenda: Agenda[Shelf] = Agenda()
        self.mailbox = Mailbox(number or 1, durable, self.residence, self.agenda, Queue("q"))
        self.turn = Turn(NOW)

    def entry(self, number: int, *, priority: int = 4, expiration: int = 0, stored: bool = True) -> Entry:
        self.residence.used += 1
        return Entry(number, priority, expiration, 1, 1, stored, b"x")

    def put(self, *numbers: int, expiration: int = 0, stored: bool = True) -> Outcome:
        turn = Turn(NOW)
        self.mailbox.put([self.entry(number, expiration=expiration, stored=stored) for number in numbers], turn)
        return turn.outcome(Accepted())

    def open(
        self, consumer: Consumer, settled: tuple[int, ...] = (), held: tuple[int, ...] = ()
    ) -> tuple[list[int], Outcome]:
        turn = Turn(NOW)
        lost = self.mailbox.open(consumer, settled, held, turn)
        return lost, turn.outcome(Accepted())

    def close(self, *consumers: Consumer) -> Outcome:
        turn = Turn(NOW)
        self.mailbox.close(consumers, turn)
        return turn.outcome(Accepted())

    def acknowledge(self, consumer: Consumer, *tags: int) -> Outcome:
        turn = Turn(NOW)
        self.mailbox.acknowledge(consumer, 0, tags, turn)
        return turn.outcome(Accepted())

    def wake(self, now: int) -> Outcome:
        turn = Turn(now)
        for mailbox in self.agenda.due(now):
            mailbox.wake(turn)
        return turn.outcome(Accepted())


def consumer(connection: str = "c", number: int = 1, prefetch: int = 10) -> Consumer:
    return Consumer(connection, number, prefetch, 1000)


def told(outcome: Outcome) -> dict[str, list[tuple[int, int]]]:
    """Tag and count of what is delivered, by connection."""
    return {
        effect.connection: [(delivered.tag, delivered.counts[0]) for delivered in effect.deliveries]
        for effect in outcome.effects
        if isinstance(effect, Deliver)
    }
