"""A slow broker that is obviously right: where each message is, and what may happen to it next.

It does not say which of several consumers gets a message, that is the broker's choice; it says what may be handed out,
in which order, to whom, and when nothing more may wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

WAITING, DELAYED, HELD, DOUBTFUL = "waiting", "delayed", "held", "doubtful"


@dataclass
class ModelMessage:
    """A message in one mailbox; `returns` is how often it came back."""

    tag: int
    size: int
    priority: int
    persistent: bool
    expiration: int
    delivery_time: int
    place: str = WAITING
    holder: tuple[str, int] | None = None
    returns: int = 0

    def over(self, now: int) -> bool:
        """Whether it has expired."""
        return 0 < self.expiration <= now


@dataclass
class ModelConsumer:
    """A consumer and its window."""

    prefetch: int
    prefetch_bytes: int


@dataclass
class ModelMailbox:
    """A queue or a subscription."""

    durable: bool
    no_local_for: str = ""
    messages: dict[int, ModelMessage] = field(default_factory=dict)
    consumers: dict[tuple[str, int], ModelConsumer] = field(default_factory=dict)
    doubt_ends: int = 0
    handed_out: int = 0
    """The greatest tag that was ever delivered, of a message that the store must have known."""
    greatest: int = 0
    """The greatest tag that was ever delivered; the store may have known it, for memory was short."""

    # What clients and time do.

    def put(self, message: ModelMessage, now: int) -> None:
        """A new message."""
        message.place = DELAYED if message.delivery_time > now else WAITING
        self.messages[message.tag] = message

    def held_by(self, consumer: tuple[str, int]) -> list[int]:
        """What a consumer holds."""
        return [message.tag for message in self.messages.values() if message.holder == consumer]

    def give_back(self, tags: list[int]) -> None:
        """These come back."""
        for tag in tags:
            message = self.messages[tag]
            message.place, message.holder = WAITING, None
            message.returns += 1

    def leave(self, consumer: tuple[str, int]) -> None:
        """A consumer closes."""
        del self.consumers[consumer]
        self.give_back(self.held_by(consumer))

    def leave_but_for(self, consumer: tuple[str, int], kept: list[int]) -> None:
        """A consumer closes, but goes on holding these."""
        self.consumers[consumer] = replace(self.consumers[consumer], prefetch=0)
        self.give_back([tag for tag in self.held_by(consumer) if tag not in kept])

    def come(
        self, consumer: tuple[str, int], window: ModelConsumer, settled: list[int], held: list[int], now: int
    ) -> list[int]:
        """A consumer opens; what it is told to be lost."""
        for tag in settled:
            message = self.messages.get(tag)
            if message is not None and self._was_delivered(message, now):
                del self.messages[tag]
        lost = []
        for tag in held:
            message = self.messages.get(tag)
            if message is not None and message.place != HELD and self._was_delivered(message, now):
                message.place, message.holder = HELD, consumer
            elif self.durable and (message is None or message.holder != consumer):
                lost.append(tag)
        self.consumers[consumer] = window
        return lost

    def _was_delivered(self, message: ModelMessage, now: int) -> bool:
        if message.place == WAITING and message.over(now):
            return False
        return message.place in {HELD, DOUBTFUL} or (message.place == WAITING and message.returns > 0)

    def time_passes(self, now: int) -> None:
        """Delays end, so does doubt, and what waits may expire."""
        for message in self.messages.values():
            if message.place == DELAYED and message.delivery_time <= now:
                message.place = WAITING
        if self.in_doubt and now >= self.doubt_ends:
            self.give_back([message.tag for message in self.messages.values() if message.place == DOUBTFUL])
        self.messages = {
            tag: message
            for tag, message in self.messages.items()
            if not (message.place == WAITING and message.over(now))
        }

    def restart(self, now: int, grace: int) -> None:
        """The server loses its memory: what was handed out is in doubt, what is not persistent is gone."""
        self.consumers.clear()
        self.doubt_ends = now + grace
        self.messages = {tag: message for tag, message in self.messages.items() if message.persistent}
        for message in self.messages.values():
            message.holder = None
            if message.delivery_time > now:
                message.place = DELAYED
            else:
                message.place = DOUBTFUL if message.tag <= self.handed_out else WAITING

    # What the broker may do.

    @property
    def in_doubt(self) -> bool:
        """Whether anything is in doubt."""
        return any(message.place == DOUBTFUL for message in self.messages.values())

    def deliverable(self, now: int) -> list[ModelMessage]:
        """What may be handed out, in order."""
        if self.in_doubt:
            return []
        waiting = [one for one in self.messages.values() if one.place == WAITING and not one.over(now)]
        return sorted(waiting, key=lambda message: (-message.priority, message.tag))

    def has_room(self, consumer: tuple[str, int]) -> bool:
        """Whether a consumer may get another message."""
        held = self.held_by(consumer)
        window = self.consumers[consumer]
        size = sum(self.messages[tag].size for tag in held)
        return len(held) < window.prefetch and size < window.prefetch_bytes

    def delivered(self, told: dict[tuple[str, int], list[tuple[int, int]]], now: int) -> None:
        """Check what was handed out in one turn, as (tag, count) by consumer, and take it over."""
        tags = {tag for pairs in told.values() for tag, _ in pairs}
        assert len(tags) == sum(len(pairs) for pairs in told.values()), "a message was handed out twice in a turn"
        first = [message.tag for message in self.deliverable(now)[: len(tags)]]
        assert tags == set(first), f"{sorted(tags)} were handed out, but {first} come first"
        for consumer, pairs in told.items():
            last: dict[int, int] = {}
            for tag, count in pairs:
                message = self.messages[tag]
                assert self.has_room(consumer), f"{consumer} has no room for {tag}"
                assert tag > last.get(message.priority, 0), f"{consumer} got {tag} after {last[message.priority]}"
                assert count == message.returns + 1, f"{tag} came with count {count} after {message.returns} returns"
                last[message.priority] = tag
                message.place, message.holder = HELD, consumer
                self.greatest = max(self.greatest, tag)
                if message.persistent:
                    self.handed_out = max(self.handed_out, tag)
        if self.deliverable(now):
            idle = [consumer for consumer in self.consumers if self.has_room(consumer)]
            assert not idle, f"{idle} have room, and {[message.tag for message in self.deliverable(now)]} wait"
