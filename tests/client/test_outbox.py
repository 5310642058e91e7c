"""The outbox: what is sent, acknowledged, refused and sent again, without threads or sockets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rmimom.client.outbox import MAX_IDLE_STREAMS, Outbox, Stream, Ticket
from rmimom.errors import ConnectionFailedError, StoreFullError
from rmimom.frame import Frame, Request, Response, decode_frame, decode_request, encode
from rmimom.outgoing import make_frame

REFUSED = StoreFullError("no room")


def add(outbox: Outbox, text: str, destination: str = "queue://q", size: int | None = None) -> Ticket:
    body = text.encode()
    sent = make_frame(destination, f"ID:{text}", 0, 1, body)
    return outbox.stream(destination).add(sent, len(body) if size is None else size)


def on_the_wire(request: Request | None) -> list[tuple[int, str, list[str]]]:
    """Sequence, destination and bodies of each send, as the server reads them."""
    assert request is not None
    read = decode_request(encode(request))
    return [
        (batch.sequence, batch.destination, [decode_frame(frame).body.decode() for frame in batch.frames])
        for batch in read.sends
    ]


def test_messages_to_one_destination_travel_together_in_order() -> None:
    outbox = Outbox()
    tickets = [add(outbox, text) for text in "abc"]
    assert on_the_wire(outbox.start()) == [(1, "queue://q", ["a", "b", "c"])]
    assert not tickets[0].settled
    outbox.finish(Response([None]))
    assert all(ticket.settled and ticket.error is None for ticket in tickets)
    assert outbox.is_empty
    add(outbox, "d")
    assert on_the_wire(outbox.start()) == [(4, "queue://q", ["d"])]


def test_nothing_to_say() -> None:
    outbox = Outbox()
    assert outbox.start() is None
    assert not outbox.has_work
    assert outbox.is_empty


def test_what_comes_while_an_exchange_is_under_way_goes_in_the_next() -> None:
    outbox = Outbox()
    first = add(outbox, "a")
    outbox.start()
    second = add(outbox, "b")
    assert second is not first
    assert not outbox.has_work
    outbox.finish(Response([None]))
    assert outbox.has_work
    assert on_the_wire(outbox.start()) == [(2, "queue://q", ["b"])]


def test_a_chunk_has_so_many_messages_and_bytes_at_most() -> None:
    outbox = Outbox(chunk_messages=2, chunk_bytes=1000)
    for text in "abc":
        add(outbox, text)
    assert on_the_wire(outbox.start()) == [(1, "queue://q", ["a", "b"])]
    outbox.finish(Response([None]))
    add(outbox, "x", size=999)
    add(outbox, "y", size=5000)
    add(outbox, "z")
    for expected in (["c"], ["x"], ["y"], ["z"]):
        assert on_the_wire(outbox.start())[0][2] == expected
        outbox.finish(Response([None]))


def test_one_exchange_takes_a_chunk_of_each_destination_while_there_is_room() -> None:
    outbox = Outbox(chunk_bytes=1000, chunk_messages=1000)
    add(outbox, "a", "queue://a", size=400)
    add(outbox, "b", "queue://b", size=400)
    add(outbox, "c", "queue://c", size=400)
    assert [batch[1] for batch in on_the_wire(outbox.start())] == ["queue://a", "queue://b"]
    outbox.finish(Response([None, None]))
    assert [batch[1] for batch in on_the_wire(outbox.start())] == ["queue://c"]


def test_after_a_lost_answer_the_same_goes_again_under_the_same_numbers() -> None:
    outbox = Outbox()
    ticket = add(outbox, "a")
    before = outbox.start()
    assert before is not None
    add(outbox, "b")
    outbox.lost()
    again = outbox.start()
    assert on_the_wire(again) == [(1, "queue://q", ["a"])]
    assert again is not None
    assert again.sends[0].producer == before.sends[0].producer
    outbox.finish(Response([None]))
    assert ticket.settled
    assert on_the_wire(outbox.start()) == [(2, "queue://q", ["b"])]


def test_a_refused_chunk_gives_its_numbers_back() -> None:
    """docs/design/0003: a refused send takes no numbers."""
    outbox = Outbox()
    refused = add(outbox, "a")
    accepted = add(outbox, "x", "queue://other")
    outbox.start()
    outbox.finish(Response([REFUSED.to_dict(), None]))
    assert isinstance(refused.error, StoreFullError)
    assert accepted.error is None
    add(outbox, "b")
    assert on_the_wire(outbox.start()) == [(1, "queue://q", ["b"])]
    assert outbox.unconfirmed == 1


def test_destinations_do_not_share_numbers() -> None:
    """Else a repetition after one of two was refused could not be told from what was accepted."""
    outbox = Outbox()
    add(outbox, "a", "queue://a")
    add(outbox, "b", "queue://b")
    request = outbox.start()
    assert request is not None
    assert len({batch.producer for batch in request.sends}) == 2
    assert [batch.sequence for batch in request.sends] == [1, 1]


def test_a_wrong_number_of_outcomes_changes_nothing() -> None:
    outbox = Outbox()
    ticket = add(outbox, "a")
    outbox.start()
    with pytest.raises(ValueError, match="2 outcomes came for 1"):
        outbox.finish(Response([None, None]))
    assert not ticket.settled
    outbox.lost()
    assert on_the_wire(outbox.start()) == [(1, "queue://q", ["a"])]


def test_giving_up_settles_everything_and_begins_anew() -> None:
    outbox = Outbox(chunk_messages=1)
    tickets = [add(outbox, text) for text in "abc"]
    first = outbox.start()
    error = ConnectionFailedError("no server")
    outbox.give_up(error)
    assert [ticket.error for ticket in tickets] == [error] * 3
    assert outbox.is_empty
    assert not outbox.has_work
    add(outbox, "d")
    second = outbox.start()
    assert on_the_wire(second) == [(1, "queue://q", ["d"])]
    assert first is not None
    assert second is not None
    assert first.sends[0].producer != second.sends[0].producer


def test_acknowledgements_go_together() -> None:
    outbox = Outbox()
    outbox.acks(1).pending.extend([5, 6])
    outbox.acks(2).pending.append(7)
    ticket = outbox.acks(1).ticket()
    assert outbox.has_acks
    request = outbox.start()
    assert request is not None
    assert [(batch.consumer, batch.up_to, batch.tags) for batch in request.acks] == [(1, 0, [5, 6]), (2, 0, [7])]
    assert not outbox.has_acks
    assert not outbox.is_empty
    outbox.acks(1).pending.append(8)
    assert outbox.finish(Response([None, REFUSED.to_dict()]))[0].code == "store-full"
    assert ticket.settled
    assert ticket.error is None
    assert outbox.has_acks


def test_a_refused_acknowledgement_reaches_who_waits_for_it() -> None:
    outbox = Outbox()
    outbox.acks(1).pending.append(5)
    ticket = outbox.acks(1).ticket()
    outbox.start()
    outbox.finish(Response([REFUSED.to_dict()]))
    assert isinstance(ticket.error, StoreFullError)


def test_after_a_loss_acknowledgements_are_told_with_the_subscription() -> None:
    outbox = Outbox()
    acks = outbox.acks(1)
    acks.pending.append(5)
    first = acks.ticket()
    outbox.start()
    acks.pending.append(6)
    second = acks.ticket()
    outbox.lost()
    assert acks.unsettled() == [5, 6]
    acks.finish(None)
    assert first.settled
    assert second.settled
    assert outbox.is_empty


def test_acknowledgements_not_told_otherwise_go_again() -> None:
    outbox = Outbox()
    outbox.acks(1).pending.append(5)
    outbox.start()
    outbox.lost()
    outbox.acks(1).pending.append(6)
    request = outbox.start()
    assert request is not None
    assert request.acks[0].tags == [5, 6]


def test_acknowledgements_of_a_closed_consumer_do_not_hang() -> None:
    outbox = Outbox()
    waiting, under_way = outbox.acks(1), outbox.acks(2)
    under_way.pending.append(7)
    late = under_way.ticket()
    outbox.start()
    waiting.pending.append(5)
    dropped = waiting.ticket()
    outbox.forget(1)
    outbox.forget(2)
    assert isinstance(dropped.error, ConnectionFailedError)
    assert not late.settled
    outbox.lost()
    assert isinstance(late.error, ConnectionFailedError)
    assert outbox.is_empty


def test_idle_streams_are_forgotten_when_there_are_many() -> None:
    outbox = Outbox()
    kept = outbox.stream("queue://kept")
    kept.users += 1
    for number in range(MAX_IDLE_STREAMS + 10):
        outbox.stream(f"queue://{number}")
    assert len(outbox._streams) <= MAX_IDLE_STREAMS
    assert outbox.stream("queue://kept") is kept


class LossyServer(RuleBasedStateMachine):
    """Any sequence of sends, refusals and lost requests and answers: nothing is lost, doubled or out of order.

    The server keeps, as docs/design/0003 says, only the highest number of each producer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(chunk_messages=3)
        self.sent: dict[str, list[tuple[str, Ticket]]] = {"queue://a": [], "queue://b": []}
        self.stored: dict[str, list[str]] = {"queue://a": [], "queue://b": []}
        self.highest: dict[str, int] = {}
        self.under_way: Any = None
        self.count = 0

    @rule(destination=st.sampled_from(["queue://a", "queue://b"]), number=st.integers(1, 5))
    def send(self, destination: str, number: int) -> None:
        for _ in range(number):
            self.count += 1
            text = str(self.count)
            self.sent[destination].append((text, add(self.outbox, text, destination)))

    @precondition(lambda self: self.under_way is None)
    @rule()
    def start(self) -> None:
        request = self.outbox.start()
        self.under_way = None if request is None else encode(request)

    def serve(self, refuse: set[str]) -> Response:
        outcomes: list[dict[str, object] | None] = []
        for batch in decode_request(self.under_way).sends:
            last = batch.sequence + len(batch.frames) - 1
            known = self.highest.get(batch.producer, 0)
            assert batch.sequence <= known + 1, "a gap in the numbers"
            if last <= known:
                outcomes.append(None)
            elif batch.destination in refuse:
                outcomes.append(REFUSED.to_dict())
            else:
                new: list[Frame] = [decode_frame(frame) for frame in batch.frames[max(0, known + 1 - batch.sequence) :]]
                self.stored[batch.destination] += [frame.body.decode() for frame in new]
                self.highest[batch.producer] = last
                outcomes.append(None)
        return Response(outcomes)

    @precondition(lambda self: self.under_way is not None)
    @rule(refuse=st.sets(st.sampled_from(["queue://a", "queue://b"])))
    def answer(self, refuse: set[str]) -> None:
        response = self.serve(refuse)
        self.under_way = None
        self.outbox.finish(response)

    @precondition(lambda self: self.under_way is not None)
    @rule(refuse=st.sets(st.sampled_from(["queue://a", "queue://b"])), arrived=st.booleans())
    def lose(self, refuse: set[str], arrived: bool) -> None:
        if arrived:
            self.serve(refuse)
        self.under_way = None
        self.outbox.lost()

    @invariant()
    def accepted_is_stored_once_and_in_order(self) -> None:
        for destination, sent in self.sent.items():
            stored = self.stored[destination]
            assert len(set(stored)) == len(stored)
            accepted = [text for text, ticket in sent if ticket.settled and ticket.error is None]
            open_ones = {text for text, ticket in sent if not ticket.settled}
            assert [text for text in stored if text not in open_ones] == accepted
            assert stored == sorted(stored, key=int)

    @invariant()
    def unconfirmed_are_counted(self) -> None:
        waiting = sum(not ticket.settled for sent in self.sent.values() for _, ticket in sent)
        assert self.outbox.unconfirmed == waiting

    def teardown(self) -> None:
        """In the end everything can be settled."""
        while self.under_way is not None or self.outbox.has_work:
            if self.under_way is None:
                self.start()
            else:
                self.answer(set())
        assert self.outbox.is_empty
        assert all(ticket.settled for sent in self.sent.values() for _, ticket in sent)


LossyServer.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLossyServer = LossyServer.TestCase


def test_the_machine_finds_numbers_that_are_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted mistake: a refused chunk keeps its numbers."""
    finish = Stream.finish

    def mistaken(stream: Stream, error: Any) -> None:
        count = len(stream.under_way.frames) if stream.under_way else 0
        finish(stream, error)
        if error is not None:
            stream.next_sequence += count

    monkeypatch.setattr(Stream, "finish", mistaken)
    machine = LossyServer()
    machine.send("queue://a", 1)
    machine.start()
    machine.answer({"queue://a"})
    machine.send("queue://a", 1)
    machine.start()
    with pytest.raises(AssertionError, match="a gap in the numbers"):
        machine.answer(set())


def test_the_machine_finds_a_stream_that_resends_under_new_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted mistake: what is sent again looks new to the server."""
    take_back = Stream.take_back

    def mistaken(stream: Stream) -> None:
        assert stream.under_way is not None
        stream.next_sequence += len(stream.under_way.frames)
        take_back(stream)

    monkeypatch.setattr(Stream, "take_back", mistaken)
    machine = LossyServer()
    machine.send("queue://a", 1)
    machine.start()
    machine.lose(set(), True)
    machine.start()
    machine.answer(set())
    with pytest.raises(AssertionError):
        machine.accepted_is_stored_once_and_in_order()
