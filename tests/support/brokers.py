"""A broker on a store in memory, one commit for each command: what the engine does, without its batches."""

from __future__ import annotations

from support.invariants import check_broker, check_store

from rmimom.commands import Command, Examined
from rmimom.core.broker import Broker
from rmimom.core.examining import examine
from rmimom.core.state import Rules
from rmimom.effects import Deliver, Effect, Examine, Outcome
from rmimom.frame import Delivered
from rmimom.records import Batch, Record
from rmimom.store.memory import MemoryStore

NOW = 1_700_000_000_000


class BrokerOnStore:
    """Handles commands, appends their records and checks the rules of the house after each."""

    def __init__(self, rules: Rules | None = None, now: int = NOW) -> None:
        self.rules = rules or Rules()
        self.now = now
        self.store = MemoryStore()
        self._begin()

    def _begin(self) -> list[Record]:
        self.store.open()
        self.broker = Broker(self.rules)
        snapshot = self.store.load()
        self._position = snapshot.position
        tidied = self.broker.recover(snapshot, self.now)
        self._append(tidied)
        return tidied

    def handle(self, command: Command) -> Outcome:
        """Decide a command and make it safe."""
        outcome = self.broker.handle(command, self.now)
        self._append(outcome.records)
        return outcome

    def _append(self, records: list[Record]) -> None:
        if records or self.broker.next_id > self._position.next_id:
            next_id = max(self._position.next_id, self.broker.next_id)
            self._position = type(self._position)(0, self._position.sequence + 1, next_id)
            self.store.append(Batch(0, self._position.sequence, next_id, records))
        check_broker(self.broker)
        check_store(self.broker, self.store)

    def examine(self, effect: Examine) -> list[Examined]:
        """Hold messages in the store against selectors, as the engine does."""
        return examine(effect, self.store.frames(effect.ids))

    def restart(self) -> list[Record]:
        """Lose the memory and begin again from the store; the records that tidy it."""
        self.store.close()
        return self._begin()

    def frames(self, effect: Effect) -> list[tuple[Delivered, bytes]]:
        """The deliveries of an effect with their frames, fetched from the store where they rest there."""
        assert isinstance(effect, Deliver)
        missing = [delivered.tag for delivered in effect.deliveries if not len(delivered.frame)]
        found = self.store.frames(missing)
        return [
            (delivered, bytes(delivered.frame) if len(delivered.frame) else found[delivered.tag])
            for delivered in effect.deliveries
        ]
