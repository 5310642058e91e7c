"""The exchange: who does it, who waits, and that nobody sleeps through what he was called for."""

from __future__ import annotations

import threading

import pytest

from rmimom.client.exchange import Exchange
from rmimom.errors import ConnectionFailedError, IllegalStateError, StoreError
from rmimom.frame import Request, Response, encode
from rmimom.outgoing import make_frame


class FakeChannel:
    """Answers each exchange when told to."""

    def __init__(self) -> None:
        self.closed = False
        self.sent: list[Request] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answers: list[bytes] = []
        self.within: set[threading.Thread] = set()

    def _enter(self) -> None:
        assert not self.within, "two threads use the channel at once"
        self.within.add(threading.current_thread())

    def send_exchange(self, request: Request) -> None:
        self._enter()
        self.sent.append(request)
        self.answers.append(encode(Response([None] * (len(request.sends) + len(request.acks)))))
        self.within.clear()

    def receive_exchange(self) -> bytes:
        self._enter()
        assert self.may_answer.wait(10)
        self.within.clear()
        return self.answers.pop(0)

    def readable(self, wait: float) -> bool:
        return self.may_answer.wait(wait)

    def call(self, method: str, *arguments: object) -> object:
        self._enter()
        self.within.clear()
        return (method, arguments)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def exchange(channel: FakeChannel) -> Exchange:
    made = Exchange(max_in_flight=10, patience=5, on_lost=lambda error: None)
    made.connect(channel)  # type: ignore[arg-type]
    return made


def add(exchange: Exchange, text: str) -> object:
    with exchange.lock:
        body = text.encode()
        return exchange.outbox.stream("queue://q").add(make_frame("queue://q", "ID:1", 0, 1, body), len(body))


def test_who_waits_does_the_exchange(exchange: Exchange, channel: FakeChannel) -> None:
    ticket = add(exchange, "a")
    exchange.wait_for(ticket)  # type: ignore[arg-type]
    assert len(channel.sent) == 1


def test_others_go_along_in_the_next_exchange(exchange: Exchange, channel: FakeChannel) -> None:
    channel.may_answer.clear()
    tickets = [add(exchange, "a")]
    leader = threading.Thread(target=exchange.wait_for, args=(tickets[0],))
    leader.start()
    while not channel.sent:
        pass
    tickets += [add(exchange, text) for text in "bcd"]
    followers = [threading.Thread(target=exchange.wait_for, args=(ticket,)) for ticket in tickets[1:]]
    for thread in followers:
        thread.start()
    channel.may_answer.set()
    for thread in (leader, *followers):
        thread.join(10)
        assert not thread.is_alive()
    assert [len(request.sends[0].frames) for request in channel.sent] == [1, 3]


def test_advancing_never_waits(exchange: Exchange, channel: FakeChannel) -> None:
    channel.may_answer.clear()
    first = add(exchange, "a")
    exchange.advance()
    add(exchange, "b")
    exchange.advance()
    assert len(channel.sent) == 1
    channel.may_answer.set()
    exchange.advance()
    assert first.settled  # type: ignore[attr-defined]
    assert len(channel.sent) == 2


def test_a_call_waits_for_the_answer_under_way(exchange: Exchange, channel: FakeChannel) -> None:
    ticket = add(exchange, "a")
    exchange.advance()
    assert exchange.call("subscribe", 1) == ("subscribe", (1,))
    assert ticket.settled  # type: ignore[attr-defined]


def test_time_is_limited(exchange: Exchange, channel: FakeChannel) -> None:
    channel.may_answer.clear()
    ticket = add(exchange, "a")
    with pytest.raises(ConnectionFailedError, match="no answer within 0 s"):
        exchange.wait_for(ticket, 0)  # type: ignore[arg-type]
    with pytest.raises(ConnectionFailedError, match=r"no answer within 0\.01 s"):
        exchange.wait_for(ticket, 0.01)  # type: ignore[arg-type]
    assert len(channel.sent) == 1


def test_the_keeper_does_what_is_left(exchange: Exchange, channel: FakeChannel) -> None:
    ticket = add(exchange, "a")
    exchange.keep(60)
    assert ticket.settled  # type: ignore[attr-defined]
    channel.may_answer.clear()
    second = add(exchange, "b")
    exchange.advance()
    third = add(exchange, "c")
    channel.may_answer.set()
    exchange.keep(60)
    exchange.keep(60)
    assert second.settled  # type: ignore[attr-defined]
    assert third.settled  # type: ignore[attr-defined]


def test_a_call_to_the_keeper_before_it_sleeps_is_heard(exchange: Exchange) -> None:
    exchange.wake_keeper()
    exchange.keep(60)  # returns at once


def test_the_keeper_is_nudged_from_its_sleep(exchange: Exchange) -> None:
    keeper = threading.Thread(target=exchange.keep, args=(60,))
    keeper.start()
    while not exchange.keeper_idle:
        pass
    ticket = add(exchange, "a")
    exchange.nudge()
    keeper.join(10)
    assert ticket.settled  # type: ignore[attr-defined]


def test_giving_up_ends_every_wait(exchange: Exchange, channel: FakeChannel) -> None:
    exchange.lose(ConnectionFailedError("gone"))
    assert channel.closed
    ticket = add(exchange, "a")
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            exchange.wait_for(ticket)  # type: ignore[arg-type]
            ticket.check()  # type: ignore[attr-defined]
        except IllegalStateError as error:
            failures.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    problem = IllegalStateError("closed")
    exchange.disconnect(problem)
    for thread in threads:
        thread.join(10)
    assert [str(error) for error in failures] == ["closed"] * 3
    assert all(error is not problem for error in failures)
    with pytest.raises(IllegalStateError):
        exchange.call("ping")


def test_what_a_failing_server_does_not_know_is_sent_again_with_the_same_numbers(exchange: Exchange) -> None:
    """Promise 3: given a store that fails after it had the message, when a server comes, then it hears the same number.

    If the next message got the number, the server would take that for a repetition and drop it.
    """

    class Failing(FakeChannel):
        def receive_exchange(self) -> bytes:
            return encode(Response([StoreError("the outcome of this call is unknown").to_dict()]))

    failing, another = Failing(), FakeChannel()
    exchange.connect(failing)  # type: ignore[arg-type]
    ticket = add(exchange, "a")
    exchange.keep(0)
    assert failing.closed
    assert not ticket.settled  # type: ignore[attr-defined]
    exchange.connect(another)  # type: ignore[arg-type]
    exchange.flush(60)
    assert ticket.settled  # type: ignore[attr-defined]
    (first,), (again,) = failing.sent[0].sends, another.sent[0].sends
    assert (first.producer, first.sequence) == (again.producer, again.sequence)


def test_an_impatient_call_does_not_wait_for_a_server(exchange: Exchange) -> None:
    exchange.lose(ConnectionFailedError("gone"))
    with pytest.raises(ConnectionFailedError, match="the server is lost"):
        exchange.call("ping", patient=False)
    with pytest.raises(ConnectionFailedError, match="no answer within"):
        exchange.call("ping", timeout=0.01)
