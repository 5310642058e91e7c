"""A consumer of a pattern and its members (rmimom/core/pattern_consumer.py)."""

from __future__ import annotations

from rmimom.core.agenda import Agenda
from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.pattern_consumer import Member, PatternConsumer
from rmimom.core.queue_pattern import QueuePattern
from rmimom.core.residence import Residence
from rmimom.core.turn import Turn
from rmimom.destination import Queue
from rmimom.note import Note, decode_note, encode_note


class Office:
    """A consumer with a window of two, and three queues."""

    def __init__(self) -> None:
        self.freed: dict[PatternConsumer, None] = {}
        self.whole = PatternConsumer("c", 1, 2, 100, None, QueuePattern(Queue("q.*")), self.freed)
        self.turn = Turn(0)
        self.mailboxes = [
            Mailbox(number, True, Residence(1000), Agenda(), Queue(f"q.{number}")) for number in (1, 2, 3)
        ]
        for mailbox in self.mailboxes:
            mailbox.admit(self.whole.join(mailbox))

    @property
    def members(self) -> list[Member]:
        return list(self.whole.members.values())

    def put(self, queue: int, *ids: int) -> None:
        self.mailboxes[queue - 1].put([entry(number) for number in ids], self.turn)


def entry(number: int, size: int = 10) -> Entry:
    return Entry(number, 4, 0, size, 1, False, b"", None)


def test_the_window_is_one_for_all() -> None:
    """Given a full window, then a queue that wants to deliver learns it, and the others are left as they are."""
    office = Office()
    office.put(1, 1)
    office.put(2, 2)
    assert [member.waiting for member in office.members] == [True, False, True]
    office.put(1, 3)
    assert [member.waiting for member in office.members] == [False, False, True]
    assert [list(member.held) for member in office.members] == [[1], [2], []]
    assert list(office.whole.held) == [1, 2]
    assert office.whole.held_bytes == 20
    assert not any(member.has_room for member in office.members)
    assert office.members[0].room == 0


def test_who_waits_longest_is_served_first() -> None:
    """Given queues with a backlog, when one message is settled, then it is the turn of the queue that waits longest."""
    office = Office()
    office.put(1, 1, 2, 3)
    office.put(2, 4)
    office.put(3, 5)
    for done, held in [(1, [2, 3]), (2, [3, 4]), (3, [4, 5])]:
        assert office.whole.acknowledge(done, (), office.turn) == 1
        assert office.freed
        office.whole.serve(office.turn)
        assert list(office.whole.held) == held


def test_bytes_count_in_the_window() -> None:
    office = Office()
    office.mailboxes[0].put([entry(1, size=100)], office.turn)
    assert not office.whole.has_room
    assert not office.members[1].has_room
    office.whole.acknowledge(0, [1], office.turn)
    assert office.whole.held_bytes == 0
    assert office.members[1].has_room


def test_up_to_goes_by_the_order_of_delivery() -> None:
    office = Office()
    office.put(2, 7)
    office.put(1, 8)
    assert [(member.mailbox.id, tags) for member, tags in office.whole.shares([8, 99, 7])] == [(1, [8]), (2, [7])]
    assert office.whole.acknowledge(8, (), office.turn) == 2
    assert office.whole.holders == {}


def test_what_is_taken_away_counts_in_the_order() -> None:
    """Given a message that somebody else settled, when it is acknowledged up to that, then what was before it is."""
    office = Office()
    office.put(1, 1)
    office.put(2, 2)
    assert [gone.id for gone in office.members[1].take_away((2, 3))] == [2]
    assert list(office.whole.held) == [1]
    assert office.whole.acknowledge(2, (), office.turn) == 1


def test_a_copy_waits_while_another_is_held() -> None:
    """Given two queues with copies of a message, then the consumer has one, and the other after it."""
    office = Office()
    copies = entry(1), entry(1)
    office.mailboxes[0].put([copies[0]], office.turn)
    office.mailboxes[1].put([copies[1]], office.turn)
    office.put(1, 2)
    assert [list(member.held) for member in office.members] == [[1, 2], [], []]
    office.whole.acknowledge(0, [2], office.turn)
    office.whole.serve(office.turn)
    assert list(office.whole.held) == [1]
    office.whole.acknowledge(0, [1], office.turn)
    office.whole.serve(office.turn)
    assert [list(member.held) for member in office.members] == [[], [1], []]
    # It does not wait for itself.
    assert office.members[1].has_room


def test_who_holds_a_copy_has_room_for_others() -> None:
    office = Office()
    office.whole.prefetch = 9
    for mailbox in office.mailboxes[:2]:
        mailbox.put([entry(1)], office.turn)
    office.put(2, 2)
    office.whole.acknowledge(0, [1], office.turn)
    office.whole.serve(office.turn)
    assert list(office.members[1].held) == [1, 2]


def test_a_queue_that_is_gone_is_forgotten() -> None:
    office = Office()
    office.put(1, 1)
    office.put(2, 2)
    office.mailboxes[1].close([office.members[1]], office.turn)
    office.whole.leave(office.mailboxes[1])
    assert [member.mailbox.id for member in office.members] == [1, 3]
    assert list(office.whole.held) == [1]
    assert not office.whole.apart


def test_notes_say_which_queue_it_was() -> None:
    member = Office().members[0]
    assert decode_note(member.mark("")) == Note(taken_from="queue://q.1")
    assert decode_note(member.mark(encode_note(Note(retried_at=5)))) == Note(retried_at=5, taken_from="queue://q.1")


def test_what_a_client_had_is_in_its_order() -> None:
    office = Office()
    for member, number in zip(office.members, (1, 2, 3), strict=True):
        member.hold(entry(number))
    office.whole.arrange([3, 9, 1, 2, 3])
    assert list(office.whole.held) == [3, 1, 2]
