"""Bugs planted on purpose: each must be found by the checker that is there for it.

A checker that never fails proves nothing.  Some of these bugs were real once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from support.reports import run_seed
from support.world import Plan, Server

from rmimom.commands import Commit, Release, Subscribe
from rmimom.core import broker, burying, committing, consuming
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.place import TopicPlace
from rmimom.core.ready import ReadyList
from rmimom.core.state import Client, State
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.core.waiting import WaitingRoom
from rmimom.dispatch import Dispatch
from rmimom.engine import Engine
from rmimom.errors import TransactionRolledBackError
from rmimom.records import Batch, MessagesDropped, MessagesFailed, MessagesMoved, MessagesRemoved
from rmimom.snapshot import Position
from rmimom.store.image import Image, ImageSnapshot
from rmimom.store.memory import MemoryStore

SEEDS = 60
"""How many seeds a bug may hide from its checker."""

Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: list[tuple[str, Plan, Plant]] = []


def bug(checker: str, plan: Plan | None = None) -> Callable[[Plant], Plant]:
    """Note a bug and the checker that has to find it."""

    def note(plant: Plant) -> Plant:
        BUGS.append((checker, plan or Plan(checks_inside=False), plant))
        return plant

    return note


MANY_CRASHES = Plan(crashes=12, tears=4, duration=8.0, checks_inside=False)
LINKS = Plan(tears=60, crashes=0, queues=1, workers=5, topics=0, producers=2, duration=4.0, checks_inside=False)
DEADLY = Plan(crashes=10, failures=0.4, queues=2, subscribers=4, messages=60, duration=8.0, checks_inside=False)
CROWD = Plan(producers=8, crashes=0, tears=0, messages=60, duration=1.0, checks_inside=False)


def wrap(patch: pytest.MonkeyPatch, owner: type, name: str, around: Callable[..., Any]) -> None:
    """Replace a method; `around` gets the old one first."""
    old = getattr(owner, name)
    patch.setattr(owner, name, lambda *arguments, **named: around(old, *arguments, **named))


@bug("total queue", MANY_CRASHES)
def answers_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Rule 1 of the engine the other way round: effects before records."""

    def start(old: Any, engine: Engine, batch: Any, *rest: Any) -> None:
        if not batch.missing:
            engine._release(batch, {})
            batch.replies.clear()
            batch.effects.clear()
        old(engine, batch, *rest)

    wrap(patch, Engine, "_start_commit", start)


@bug("total queue", MANY_CRASHES)
def crash_loses_the_last_batch(patch: pytest.MonkeyPatch) -> None:
    """A store that says it is safe without an fsync."""

    def append(old: Any, store: MemoryStore, batch: Batch) -> None:
        kept = {"_image": Image.of(store.load()), "_frames": dict(store._frames), "_bytes": store._bytes}
        old(store, batch)
        store.before = kept  # type: ignore[attr-defined]

    def crash(old: Any, server: Server) -> None:
        old(server)
        for name, value in getattr(server.world.store, "before", {}).items():
            setattr(server.world.store, name, value)

    wrap(patch, MemoryStore, "append", append)
    wrap(patch, Server, "crash", crash)


@bug("duplicates", MANY_CRASHES)
def restart_forgets_the_producers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ImageSnapshot, "producers", lambda snapshot: iter(()))


@bug("acknowledged", MANY_CRASHES)
def acknowledgements_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    def apply(old: Any, image: Image, record: object) -> None:
        if not isinstance(record, MessagesRemoved | MessagesDropped):
            old(image, record)

    wrap(patch, Image, "_apply", apply)


@bug("acknowledged", LINKS)
def settled_message_stays_with_the_consumer_who_has_it(patch: pytest.MonkeyPatch) -> None:
    """A real one: the old connection had not been noticed to be dead, gave it back later, and it came again."""

    def open_(old: Any, mailbox: Mailbox, consumer: Any, settled: Sequence[int], *others: Any) -> list[int]:
        free = tuple(tag for tag in settled if not any(tag in other.held for other in mailbox.consumers))
        return old(mailbox, consumer, free, *others)  # type: ignore[no-any-return]

    wrap(patch, Mailbox, "open", open_)


@bug("acknowledged", LINKS)
def returning_consumer_is_not_told_what_it_lost(patch: pytest.MonkeyPatch) -> None:
    """It acknowledges what another consumer has, and the other one gives it back."""

    def open_(old: Any, *arguments: Any) -> list[int]:
        old(*arguments)
        return []

    wrap(patch, Mailbox, "open", open_)


@bug("times")
def delivery_before_its_time(patch: pytest.MonkeyPatch) -> None:
    def put(old: Any, mailbox: Mailbox, entry: Any, delivery_time: int) -> None:
        old(mailbox, entry, delivery_time - 200)

    wrap(patch, Mailbox, "put_delayed", put)


@bug("times")
def nothing_expires(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Mailbox, "_watch_expiration", lambda mailbox, entry: setattr(entry, "expiration", 0))


@bug("order")
def what_comes_back_goes_to_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ReadyList, "put_back", ReadyList.append)


@bug("order", CROWD)
def effects_are_told_in_the_wrong_order(patch: pytest.MonkeyPatch) -> None:
    def release(old: Any, dispatch: Dispatch, effects: Iterable[object], *others: Any) -> Any:
        return old(dispatch, list(effects)[::-1], *others)

    wrap(patch, Dispatch, "release", release)


@bug("redelivery")
def two_consumers_get_the_same_message(patch: pytest.MonkeyPatch) -> None:
    taken = [0]

    def pop(old: Any, ready: ReadyList) -> Any:
        entry = old(ready)
        taken[0] += 1
        if taken[0] % 10 == 0:
            ready.put_back(entry)
        return entry

    wrap(patch, ReadyList, "pop", pop)


@bug("redelivery")
def counts_are_not_raised(patch: pytest.MonkeyPatch) -> None:
    def give_back(old: Any, mailbox: Mailbox, *others: Any) -> None:
        old(mailbox, *others)
        mailbox._pasts.clear()

    wrap(patch, Mailbox, "_give_back", give_back)


@bug("redelivery", MANY_CRASHES)
def restart_trusts_that_nothing_was_handed_out(patch: pytest.MonkeyPatch) -> None:
    def restore(old: Any, mailbox: Mailbox, *others: Any) -> None:
        mailbox.delivered_up_to = 0
        old(mailbox, *others)

    wrap(patch, Mailbox, "restore", restore)


@bug("durable subscriptions", Plan(subscribers=4, checks_inside=False))
def subscriber_that_is_away_is_skipped(patch: pytest.MonkeyPatch) -> None:
    def put(old: Any, mailbox: Mailbox, entries: Sequence[Any], *others: Any, **named: Any) -> None:
        if mailbox.consumers or entries[0].references == 1:
            old(mailbox, entries, *others, **named)

    wrap(patch, Mailbox, "put", put)


@bug("total queue", LINKS)
def what_comes_back_gets_lost_sometimes(patch: pytest.MonkeyPatch) -> None:
    def give_back(old: Any, mailbox: Mailbox, entries: list[Any], turn: Any) -> None:
        old(mailbox, entries[:-1] if len(entries) > 1 else entries, turn)

    wrap(patch, Mailbox, "_give_back", give_back)


@bug("duplicates", MANY_CRASHES)
def ids_are_used_again(patch: pytest.MonkeyPatch) -> None:
    """A real one: ids of messages that never touched the disk were not on disk either."""

    def position(engine: Engine) -> Position:
        return Position(0, engine._position.sequence + 1, engine.broker.next_id)

    patch.setattr(Engine, "_next_position", position)

    def flush(old: Any, engine: Engine) -> None:
        if not engine._open.records and not engine._open.missing and not engine._committing and not engine._failure:
            batch, engine._open = engine._open, type(engine._open)()
            engine._flush_asked = False
            engine._release(batch, {})
        old(engine)

    wrap(patch, Engine, "_flush", flush)


@bug("transactions", Plan(crashes=1, forwarders=3, checks_inside=False))
def commit_forgets_its_last_destination(patch: pytest.MonkeyPatch) -> None:
    def commit(state: Any, command: Commit, turn: Any) -> object:
        sends = command.sends[:-1] if len(command.sends) > 1 else command.sends
        return committing.commit(state, msgspec.structs.replace(command, sends=sends), turn)

    patch.setitem(broker._CHAPTERS, Commit, commit)


@bug("transactions", Plan(tears=20, crashes=1, forwarders=3, workers=4, checks_inside=False))
def rolled_back_transaction_sends_all_the_same(patch: pytest.MonkeyPatch) -> None:
    def commit(state: Any, command: Commit, turn: Any) -> object:
        try:
            return committing.commit(state, command, turn)
        except TransactionRolledBackError:
            committing.commit(state, msgspec.structs.replace(command, acks=[]), turn)
            raise

    patch.setitem(broker._CHAPTERS, Commit, commit)


@bug("conservation", MANY_CRASHES)
def store_loses_a_message_now_and_then(patch: pytest.MonkeyPatch) -> None:
    def deliveries(old: Any, snapshot: ImageSnapshot) -> Any:
        return (row for row in old(snapshot) if row.message % 10)

    wrap(patch, ImageSnapshot, "deliveries", deliveries)


def change_moves(patch: pytest.MonkeyPatch, change: Callable[[MessagesMoved], MessagesMoved | None]) -> None:
    """Let the store understand every second move in another way, or not at all."""
    moves = [0]

    def apply(old: Any, store: Image, record: object) -> None:
        if isinstance(record, MessagesMoved):
            moves[0] += 1
            record = change(record) if moves[0] % 2 else record
        if record is not None:
            old(store, record)

    wrap(patch, Image, "_apply", apply)


@bug("conservation", DEADLY)
def a_move_is_a_removal_and_the_rest_is_lost(patch: pytest.MonkeyPatch) -> None:
    change_moves(patch, lambda moved: msgspec.structs.replace(moved, to=[]))


@bug("acknowledged", DEADLY)
def a_move_is_a_copy_and_the_original_stays(patch: pytest.MonkeyPatch) -> None:
    change_moves(patch, lambda moved: msgspec.structs.replace(moved, to=[*moved.to, moved.mailbox]))


@bug("dead letters", DEADLY)
def notes_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    change_moves(patch, lambda moved: msgspec.structs.replace(moved, notes=["" for _ in moved.notes]))


@bug("dead letters", DEADLY)
def failures_are_forgotten_in_a_crash(patch: pytest.MonkeyPatch) -> None:
    def apply(old: Any, store: Image, record: object) -> None:
        if not isinstance(record, MessagesFailed):
            old(store, record)

    wrap(patch, Image, "_apply", apply)


@bug("dead letters")
def once_more_than_the_policy_says(patch: pytest.MonkeyPatch) -> None:
    def note_failures(old: Any, mailbox: Mailbox, *others: Any) -> Any:
        failed = old(mailbox, *others)
        for _, past in failed:
            if past.failures == 2:
                past.failures = 1
        return failed

    wrap(patch, Mailbox, "note_failures", note_failures)


@bug("dead letters")
def dead_before_the_last_attempt(patch: pytest.MonkeyPatch) -> None:
    def release(state: Any, command: Release, turn: Turn) -> Any:
        if command.maximum is None or command.maximum > 0:
            command = msgspec.structs.replace(command, maximum=0)
        return burying.release(state, command, turn)

    patch.setitem(broker._CHAPTERS, Release, release)


@bug("times")
def delays_after_failures_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    def release(old: Any, mailbox: Mailbox, consumer: Any, entries: Any, turn: Any) -> None:
        for entry in entries:
            mailbox._pasts[entry.id].due = 0
        old(mailbox, consumer, entries, turn)

    wrap(patch, Mailbox, "release", release)


@bug("conservation", DEADLY)
def dead_letters_expire(patch: pytest.MonkeyPatch) -> None:
    def take_in(old: Any, mailbox: Mailbox, entry: Any, past: Any) -> None:
        if not entry.expiration:
            old(mailbox, entry, past)

    wrap(patch, Mailbox, "take_in", take_in)


@bug("conservation")
def what_expires_is_gone_though_there_is_a_queue_for_it(patch: pytest.MonkeyPatch) -> None:
    def expire(old: Any, mailbox: Mailbox, *others: Any) -> None:
        mailbox.expiry_queue = ""
        old(mailbox, *others)

    wrap(patch, Mailbox, "_expire", expire)


@bug("redelivery", DEADLY)
def retry_takes_what_a_consumer_may_have(patch: pytest.MonkeyPatch) -> None:
    """A real one: shortly after a restart, when it is in doubt who has it."""

    def at_rest(old: Any, mailbox: Mailbox) -> Iterable[Any]:
        yield from old(mailbox)
        yield from mailbox._doubtful.values()

    def take_out(old: Any, mailbox: Mailbox, entries: Sequence[Any]) -> None:
        old(mailbox, entries)
        for entry in entries:
            mailbox._doubtful.pop(entry.id, None)

    wrap(patch, Mailbox, "at_rest", at_rest)
    wrap(patch, Mailbox, "take_out", take_out)


@bug("conservation", Plan(gatherers=3, subscribers=4, failures=0.4, checks_inside=False))
def retry_goes_to_one_subscription_only(patch: pytest.MonkeyPatch) -> None:
    def origins(*asked: Any) -> list[Mailbox]:
        return found(*asked)[:1]

    found = burying._origins
    patch.setattr(burying, "_origins", origins)


@bug("browsing", Plan(messages=200, crashes=0, duration=3.0, checks_inside=False))
def browser_shows_what_is_delayed(patch: pytest.MonkeyPatch) -> None:
    def browse(old: Any, mailbox: Mailbox, *place: Any) -> Iterable[Any]:
        yield from old(mailbox, *place)
        for _, _, entry in mailbox._delayed:
            yield entry, Past()

    wrap(patch, Mailbox, "browse", browse)


@bug("browsing", Plan(messages=200, crashes=0, duration=3.0, checks_inside=False))
def browser_shows_a_page_twice(patch: pytest.MonkeyPatch) -> None:
    def after(old: Any, room: WaitingRoom, priority: int, last: int) -> Iterable[Any]:
        return old(room, priority, last - 1 if last else last)  # type: ignore[no-any-return]

    wrap(patch, WaitingRoom, "after", after)


@bug("redelivery", Plan(sharers=3, checks_inside=False))
def every_consumer_of_a_shared_subscription_gets_all(patch: pytest.MonkeyPatch) -> None:
    def subscription(
        state: State, client: Client, topic: TopicPlace | None, command: Subscribe, selector: Any, turn: Turn
    ) -> Subscription:
        if command.durable:
            return consuming._new_subscription(state, client.client_id, topic, command, selector, turn)
        return shared(state, client, topic, command, selector, turn)

    shared = consuming._shared_subscription
    patch.setattr(consuming, "_shared_subscription", subscription)


@bug("durable subscriptions", Plan(gatherers=2, topics=3, checks_inside=False))
def pattern_does_not_see_later_topics(patch: pytest.MonkeyPatch) -> None:
    def add_place(old: Any, state: State, *others: Any) -> Any:
        place = old(state, *others)
        if isinstance(place, TopicPlace):
            place.patterns = {}
        return place

    wrap(patch, State, "add_place", add_place)


@pytest.mark.parametrize(("checker", "plan", "plant"), BUGS, ids=[plant.__name__ for _, _, plant in BUGS])
def test_planted_bug_is_found(checker: str, plan: Plan, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a bug, when worlds run, then soon one of them shows it to its checker."""
    plant(monkeypatch)
    seen: set[str] = set()
    for seed in range(1, SEEDS + 1):
        verdicts = run_seed(seed, plan)
        seen |= {verdict.checker for verdict in verdicts}
        if any(verdict.checker == checker and verdict.valid is False for verdict in verdicts):
            return
    pytest.fail(f"{checker} did not find it in {SEEDS} seeds; others that did: {sorted(seen)}")
