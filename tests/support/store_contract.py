"""The contract of a store, written once (rmimom/store/base.py)."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

import pytest
from support.batches import NOW, Script, make_frame, queue, stored, subscription, topic
from support.stores import Checker, contents

from rmimom.errors import IllegalStateError, StoreDamagedError, StoreError, StoreFullError
from rmimom.frame import NON_PERSISTENT
from rmimom.records import (
    Batch,
    CallbackChanged,
    DestinationDeleted,
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    ProducerAdvanced,
    ProducersForgotten,
    Record,
    SubscriptionCreated,
    SubscriptionDeleted,
    UserPut,
    UserRemoved,
)
from rmimom.snapshot import DeliveryRow, MessageRow, Position
from rmimom.store.base import Store

QUEUE, TOPIC, FIRST, SECOND = 1, 2, 3, 4
PLACES: list[Record] = [queue(QUEUE), topic(TOPIC), subscription(FIRST, TOPIC), subscription(SECOND, TOPIC)]
FRAMES = {number: make_frame(b"body %d" % number) for number in range(10, 20)}


def deliveries(mailbox: int, ids: list[int], returns: int = 0) -> list[DeliveryRow]:
    """What waits in a mailbox."""
    return [DeliveryRow(mailbox, number, returns) for number in ids]


class StoreContract(ABC):
    """Inherit, say how a store is made and how its disk gets full, and every duty is tested."""

    @abstractmethod
    @pytest.fixture
    def store(self) -> Store:
        """A new store, open."""

    @abstractmethod
    def fill_disk(self, store: Store) -> None:
        """Leave no room for another hundred kilobytes."""

    @abstractmethod
    def free_disk(self, store: Store) -> None:
        """Make room again."""

    @pytest.fixture
    def append(self, store: Store):
        """Append records as the next batch."""

        def append(*records: Record, next_id: int = 100) -> None:
            store.append(Batch(1, store.load().position.sequence + 1, next_id, list(records)))

        return append

    def test_a_new_store_is_empty(self, store):
        assert contents(store) == {
            "position": Position(0, 0, 1),
            "destinations": [],
            "subscriptions": [],
            "producers": [],
            "users": [],
            "delivered_up_to": {},
            "messages": [],
            "deliveries": [],
        }
        assert store.frames([1, 2]) == {}
        assert store.frames([]) == {}

    def test_position_is_that_of_the_last_batch(self, store):
        store.append(Batch(3, 7, 21, []))
        assert store.load().position == Position(3, 7, 21)

    @pytest.mark.parametrize("sequence", [0, 6, 7])
    def test_a_batch_must_come_after_the_last_one(self, store, sequence):
        store.append(Batch(1, 7, 21, []))
        before = contents(store)
        with pytest.raises(ValueError, match=f"{sequence}.*7"):
            store.append(Batch(1, sequence, 22, [queue(21)]))
        assert contents(store) == before

    def test_places_are_told_by_id(self, store, append):
        append(*reversed(PLACES))
        assert [*contents(store)["destinations"], *contents(store)["subscriptions"]] == PLACES

    def test_stored_messages_wait_in_each_mailbox(self, store, append):
        frame = make_frame(b"x", priority=9, expiration=NOW + 5, delivery_time=NOW + 3)
        append(*PLACES, stored(QUEUE, [QUEUE], {10: frame}), stored(TOPIC, [SECOND, FIRST], {11: frame, 12: frame}))
        found = contents(store)
        assert found["messages"] == [
            MessageRow(10, QUEUE, 9, NOW + 5, NOW + 3, len(frame)),
            MessageRow(11, TOPIC, 9, NOW + 5, NOW + 3, len(frame)),
            MessageRow(12, TOPIC, 9, NOW + 5, NOW + 3, len(frame)),
        ]
        assert found["deliveries"] == [
            *deliveries(QUEUE, [10]),
            *deliveries(FIRST, [11, 12]),
            *deliveries(SECOND, [11, 12]),
        ]

    def test_what_a_message_asks_for_is_kept(self, store, append):
        asking = {30: make_frame(b"a"), 31: make_frame(b"b")}
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES), stored(TOPIC, [FIRST], asking, ["", '{"x":1}']))
        found = {row.id: row.wishes for row in contents(store)["messages"]}
        assert found == {**dict.fromkeys(FRAMES, ""), 30: "", 31: '{"x":1}'}

    def test_a_message_for_nobody_is_kept_until_dropped(self, store, append):
        append(*PLACES, stored(TOPIC, [], FRAMES))
        assert store.frames([10, 19]) == {10: FRAMES[10], 19: FRAMES[19]}
        assert contents(store)["deliveries"] == []
        append(MessagesDropped(list(FRAMES)))
        assert contents(store)["messages"] == []

    def test_frames_come_back_as_they_were(self, store, append):
        frames = {
            number: make_frame(bytes([number]) * size)
            for number, size in enumerate([0, 1, 255, 256, 65_535, 65_536, 20_000, 20_000, 20_000, 20_000, 300_000], 10)
        }
        append(*PLACES, stored(QUEUE, [QUEUE], frames))
        assert store.frames([20, 10, 15, 99]) == {number: frames[number] for number in (20, 10, 15)}
        assert store.frames(range(200)) == frames
        assert store.frames(range(200)) == frames

    def test_removed_messages_leave_one_mailbox_and_dropped_ones_the_store(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES))
        append(MessagesRemoved(FIRST, [10, 11, 12]), MessagesRemoved(SECOND, [10, 12, 15]), MessagesDropped([10, 12]))
        found = contents(store)
        assert found["deliveries"] == [
            *deliveries(FIRST, [13, 14, 15, 16, 17, 18, 19]),
            *deliveries(SECOND, [11, 13, 14, 16, 17, 18, 19]),
        ]
        assert [row.id for row in found["messages"]] == [11, 13, 14, 15, 16, 17, 18, 19]
        assert store.frames([10, 11, 12]) == {11: FRAMES[11]}

    def test_stored_removed_and_dropped_in_one_batch(self, store, append):
        append(
            *PLACES,
            stored(QUEUE, [QUEUE], FRAMES),
            MessagesReturned(QUEUE, [10, 11]),
            MessagesRemoved(QUEUE, [10, 12]),
            MessagesDropped([10, 12]),
            stored(QUEUE, [QUEUE], {20: FRAMES[10]}),
        )
        assert contents(store)["deliveries"] == [
            *deliveries(QUEUE, [11], returns=1),
            *deliveries(QUEUE, [13, 14, 15, 16, 17, 18, 19, 20]),
        ]
        assert store.frames(range(30)) == {
            number: frame for number, frame in FRAMES.items() if number not in {10, 12}
        } | {20: FRAMES[10]}

    def test_each_return_counts_once(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], {10: FRAMES[10], 11: FRAMES[11]}))
        append(MessagesReturned(QUEUE, [10, 11]), MessagesReturned(QUEUE, [11]))
        append(MessagesReturned(QUEUE, [10]), MessagesReturned(QUEUE, [10, 99]), MessagesReturned(FIRST, [11]))
        assert contents(store)["deliveries"] == [DeliveryRow(QUEUE, 10, 3), DeliveryRow(QUEUE, 11, 2)]

    def test_failures_are_counted_beside_returns(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], {10: FRAMES[10], 11: FRAMES[11]}))
        append(MessagesFailed(QUEUE, [10, 11, 99]), MessagesReturned(QUEUE, [10]), MessagesFailed(QUEUE, [10]))
        assert contents(store)["deliveries"] == [DeliveryRow(QUEUE, 10, 3, 2), DeliveryRow(QUEUE, 11, 1, 1)]

    def test_the_last_failure_says_when_a_message_is_due(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], {10: FRAMES[10], 11: FRAMES[11], 12: FRAMES[12]}))
        append(MessagesFailed(QUEUE, [10, 11, 12], 500), MessagesReturned(QUEUE, [10]), MessagesFailed(QUEUE, [11]))
        append(MessagesMoved(QUEUE, [QUEUE], [12], [1], ["a"]))
        assert contents(store)["deliveries"] == [
            DeliveryRow(QUEUE, 10, 2, 1, "", 500),
            DeliveryRow(QUEUE, 11, 2, 2),
            DeliveryRow(QUEUE, 12, 1, 0, "a"),
        ]

    def test_a_moved_message_is_stored_once_and_waits_elsewhere(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES), MessagesFailed(FIRST, [10, 11]))
        append(MessagesMoved(FIRST, [QUEUE], [10, 11, 99], [1, 4, 7], ["a", "b", "c"]))
        left = [number for number in FRAMES if number not in {10, 11}]
        moved = [DeliveryRow(QUEUE, 10, 1, 0, "a"), DeliveryRow(QUEUE, 11, 4, 0, "b")]
        expected = [*moved, *deliveries(FIRST, left), *deliveries(SECOND, list(FRAMES))]
        assert contents(store)["deliveries"] == expected
        store.close()
        store.open()
        assert contents(store)["deliveries"] == expected
        assert store.frames(list(FRAMES)) == FRAMES

    def test_a_mailbox_that_has_the_message_takes_the_new_note(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], {10: FRAMES[10]}))
        append(MessagesMoved(FIRST, [QUEUE], [10], [1], ["a"]), MessagesFailed(QUEUE, [10]))
        append(MessagesMoved(SECOND, [QUEUE], [10], [3], ["b"]))
        assert contents(store)["deliveries"] == [DeliveryRow(QUEUE, 10, 3, 0, "b")]

    def test_a_message_moves_to_several_mailboxes_or_to_none(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], {10: FRAMES[10], 11: FRAMES[11]}))
        append(
            MessagesMoved(QUEUE, [FIRST, SECOND], [10], [2], ["back"]),
            MessagesMoved(QUEUE, [], [11], [0], ["away"]),
        )
        found = contents(store)
        assert found["deliveries"] == [DeliveryRow(FIRST, 10, 2, 0, "back"), DeliveryRow(SECOND, 10, 2, 0, "back")]
        assert [row.id for row in found["messages"]] == [10, 11]

    def test_what_moved_away_outlives_its_destination(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES))
        append(MessagesMoved(FIRST, [QUEUE], [10], [1], ["a"]), DestinationDeleted(TOPIC))
        assert contents(store)["deliveries"] == [DeliveryRow(QUEUE, 10, 1, 0, "a")]
        assert store.frames(list(FRAMES)) == {10: FRAMES[10]}

    @pytest.mark.parametrize(
        "record",
        [
            MessagesFailed(QUEUE, [77]),
            MessagesFailed(77, []),
            MessagesMoved(QUEUE, [FIRST], [77], [1], ["a"]),
            MessagesMoved(QUEUE, [FIRST], [], [], []),
            MessagesRemoved(QUEUE, [77]),
            MessagesRemoved(77, [10]),
            MessagesRemoved(QUEUE, []),
            MessagesDropped([77, 78]),
            MessagesDropped([]),
            MessagesReturned(QUEUE, [77]),
            MessagesReturned(77, []),
            ProducersForgotten(["nobody"]),
            ProducersForgotten([]),
            UserRemoved("nobody"),
            CallbackChanged(77, "PYRO:object@host:1"),
            SubscriptionDeleted(77),
            DestinationDeleted(77),
            stored(QUEUE, [QUEUE], {}),
        ],
        ids=repr,
    )
    def test_what_concerns_nothing_does_no_harm(self, store, append, record):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        before = contents(store)
        append(record)
        assert contents(store) | {"position": None} == before | {"position": None}
        assert store.frames(list(FRAMES)) == FRAMES

    def test_mailboxes_and_producers_only_go_forward(self, store, append):
        append(MailboxAdvanced(QUEUE, 5), MailboxAdvanced(QUEUE, 3), ProducerAdvanced("p", 9, 100))
        append(MailboxAdvanced(QUEUE, 4), ProducerAdvanced("p", 7, 200), ProducerAdvanced("q", 1, 50))
        found = contents(store)
        assert found["delivered_up_to"] == {QUEUE: 5}
        assert found["producers"] == [ProducerAdvanced("p", 9, 200), ProducerAdvanced("q", 1, 50)]

    def test_a_forgotten_producer_starts_again(self, store, append):
        append(ProducerAdvanced("p", 9, 100), ProducersForgotten(["p"]), ProducerAdvanced("p", 1, 200))
        assert contents(store)["producers"] == [ProducerAdvanced("p", 1, 200)]

    def test_users_are_put_and_removed(self, store, append):
        append(
            UserPut("ann", b"1", b"2", True),
            UserPut("bob", b"1", b"2", False),
            UserPut("ann", b"3", b"4", False, "viewer"),
        )
        append(UserRemoved("bob"))
        assert contents(store)["users"] == [UserPut("ann", b"3", b"4", False, "viewer")]

    def test_callback_of_a_subscription_changes(self, store, append):
        append(*PLACES, CallbackChanged(FIRST, "PYRO:object@host:1"))
        changed = SubscriptionCreated(
            FIRST, TOPIC, "client", "name-3", "magnitude > 5", True, "PYRO:object@host:1", NOW, True
        )
        assert contents(store)["subscriptions"] == [changed, PLACES[3]]

    def test_a_deleted_subscription_takes_its_mailbox_along(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES), MailboxAdvanced(FIRST, 12), MailboxAdvanced(SECOND, 13))
        append(SubscriptionDeleted(FIRST))
        found = contents(store)
        assert found["subscriptions"] == [PLACES[3]]
        assert found["delivered_up_to"] == {SECOND: 13}
        assert found["deliveries"] == deliveries(SECOND, list(FRAMES))
        assert len(found["messages"]) == 10, "whoever else may need them says when they can go"

    def test_what_subscriptions_with_a_pattern_have_outlives_its_topic(self, store, append):
        pattern = SubscriptionCreated(20, 0, "client", "all", "", False, "", NOW, False, "topic-*")
        append(*PLACES, pattern, stored(TOPIC, [FIRST], FRAMES), stored(TOPIC, [FIRST, 20], {50: make_frame()}))
        append(DestinationDeleted(TOPIC))
        found = contents(store)
        assert found["subscriptions"] == [pattern]
        assert found["deliveries"] == deliveries(20, [50])
        assert [row.id for row in found["messages"]] == [50]

    def test_a_deleted_destination_takes_everything_along(self, store, append):
        others = {number: make_frame() for number in range(30, 33)}
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES), MailboxAdvanced(FIRST, 12))
        append(stored(QUEUE, [QUEUE], others), MailboxAdvanced(QUEUE, 31))
        append(DestinationDeleted(TOPIC))
        found = contents(store)
        assert found["destinations"] == [PLACES[0]]
        assert found["subscriptions"] == []
        assert found["delivered_up_to"] == {QUEUE: 31}
        assert found["deliveries"] == deliveries(QUEUE, list(others))
        assert store.frames(range(50)) == others
        append(DestinationDeleted(QUEUE))
        assert contents(store)["messages"] == contents(store)["deliveries"] == []

    def test_spilled_messages_do_not_outlive_a_restart(self, store, append):
        spilled = {number: make_frame(mode=NON_PERSISTENT) for number in (14, 16)}
        append(*PLACES, stored(TOPIC, [FIRST], FRAMES | spilled))
        assert store.frames([14]) == {14: spilled[14]}
        store.close()
        store.open()
        kept = [number for number in FRAMES if number not in spilled]
        assert [row.id for row in contents(store)["messages"]] == kept
        assert contents(store)["deliveries"] == deliveries(FIRST, kept)
        assert store.frames([14, 16]) == {}
        assert store.statistics().messages == len(kept)

    def test_everything_survives_a_restart(self, store, append):
        append(*PLACES, stored(TOPIC, [FIRST, SECOND], FRAMES), ProducerAdvanced("p", 10, NOW), next_id=20)
        append(UserPut("ann", b"1", b"2", True), MailboxAdvanced(FIRST, 12), MessagesRemoved(FIRST, [10]), next_id=20)
        before = contents(store)
        store.close()
        store.open()
        assert contents(store) == before
        assert store.frames(list(FRAMES)) == FRAMES

    def test_a_batch_that_fails_changes_nothing(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        before = contents(store)
        with pytest.raises(StoreError):
            append(
                queue(50),
                UserPut("ann", b"1", b"2", True),
                MessagesRemoved(QUEUE, [10]),
                MessagesDropped([10]),
                stored(QUEUE, [QUEUE], {51: FRAMES[10], 19: FRAMES[19]}),
            )
        store.close()
        store.open()
        assert contents(store) == before
        assert store.frames([*FRAMES, 51]) == FRAMES

    def test_a_full_disk_refuses_the_batch_and_takes_it_when_there_is_room(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        before = contents(store)
        large = {number: make_frame(bytes(50_000)) for number in range(30, 40)}
        batch = Batch(
            1,
            before["position"].sequence + 1,
            40,
            [
                MessagesRemoved(QUEUE, [10, 11]),
                MessagesDropped([10, 11]),
                stored(QUEUE, [QUEUE], large),
                ProducerAdvanced("p", 10, NOW),
            ],
        )
        self.fill_disk(store)
        for _ in range(3):
            with pytest.raises(StoreFullError):
                store.append(batch)
            assert contents(store) == before
            assert store.frames([10, 30]) == {10: FRAMES[10]}
        self.free_disk(store)
        store.append(batch)
        assert store.frames([10, *large]) == large
        assert contents(store)["position"].sequence == batch.sequence
        assert store.statistics().messages == 18

    def test_upkeep_ends_and_changes_nothing_that_is_told(self, store, append):
        frames = {number: make_frame(bytes(5_000)) for number in range(10, 200)}
        append(*PLACES, stored(QUEUE, [QUEUE], frames))
        gone = [number for number in frames if number % 17]
        append(MessagesRemoved(QUEUE, gone), MessagesDropped(gone))
        before = contents(store)
        pieces = 0
        while store.maintain():
            pieces += 1
            assert pieces < 100
            assert contents(store) == before
        kept = {number: frame for number, frame in frames.items() if number % 17 == 0}
        assert store.frames(range(300)) == kept
        store.close()
        store.open()
        assert contents(store) == before
        assert store.frames(range(300)) == kept

    def test_statistics_count_since_opening(self, store, append):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        append(MessagesDropped([10]))
        store.frames([10, 11, 12])
        found = store.statistics()
        assert (found.batches, found.records, found.messages, found.frames_loaded) == (2, 6, 9, 2)
        assert found.bytes_used >= sum(len(FRAMES[number]) for number in range(11, 20))
        store.close()
        store.open()
        found = store.statistics()
        assert (found.batches, found.records, found.messages, found.frames_loaded) == (0, 0, 9, 0)

    def test_a_copy_is_the_state_of_one_moment_and_can_take_the_place_of_another(self, store, append, tmp_path):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        before = contents(store)
        append(stored(QUEUE, [QUEUE], {30: make_frame(mode=NON_PERSISTENT)}))
        before["position"] = contents(store)["position"]
        assert store.copy_to(tmp_path / "copy") == before["position"]
        append(MessagesRemoved(QUEUE, [10]), MessagesDropped([10]), UserPut("new", b"s", b"d", False))
        assert contents(store) != before
        store.replace_by(tmp_path / "copy")
        assert contents(store) == before
        assert store.frames(list(FRAMES)) == FRAMES
        assert not (tmp_path / "copy").exists()
        append(MessagesRemoved(QUEUE, [11]), MessagesDropped([11]))
        after = contents(store)
        store.close()
        store.open()
        assert contents(store) == after
        assert store.statistics().messages == len(FRAMES) - 1

    def test_a_copy_without_sense_is_refused(self, store, append, tmp_path):
        append(*PLACES, stored(QUEUE, [QUEUE], FRAMES))
        before = contents(store)
        (tmp_path / "copy").write_bytes(b"this is nothing" * 100)
        with pytest.raises(StoreDamagedError):
            store.replace_by(tmp_path / "copy")
        assert contents(store) == before
        append(MessagesRemoved(QUEUE, [10]), MessagesDropped([10]))

    def test_a_closed_store_is_of_no_use(self, store):
        store.close()
        store.close()
        for use in (store.load, store.maintain, lambda: store.frames([1]), lambda: store.append(Batch(1, 1, 1, []))):
            with pytest.raises(IllegalStateError):
                use()

    def test_an_open_store_is_not_opened_again(self, store, append):
        append(*PLACES)
        with pytest.raises(IllegalStateError):
            store.open()
        assert len(contents(store)["destinations"]) == 2

    @pytest.mark.parametrize("seed", range(6))
    def test_it_holds_what_the_specification_holds(self, store, seed):
        chance = random.Random(seed)
        script = Script(chance.randrange)
        checker = Checker(store)
        for _ in range(40):
            checker.append(script.batch())
            if chance.random() < 0.2:
                checker.reopen()
            if chance.random() < 0.3:
                store.maintain()
            checker.check()
