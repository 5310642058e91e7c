"""The asyncio client against a real server that is killed with SIGKILL and started again."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.loops import on_loop, until
from support.processes import TIME_LIMIT, ServerProcess, start_server

from rmimom import AcknowledgeMode, aio
from rmimom.destination import Queue
from rmimom.errors import IllegalStateError, JMSError
from rmimom_chaos.checkers import check_acknowledged, check_duplicates, check_order, check_total_queue
from rmimom_chaos.history import INVOKE, OK, Event

Q = Queue("work")
PRODUCERS, EACH, KILLS = 3, 400, 3


class Place:
    """One server in one place, run after run."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self._data = data
        self._stack = stack
        self.server = self._start(0)
        self.factory = aio.ConnectionFactory(uri=self.server.uri("rmimom.ConnectionFactory"))

    def _start(self, port: int) -> ServerProcess:
        return self._stack.enter_context(start_server(self._data, "--heartbeat", "0.5", port=port))

    def restart(self) -> None:
        self.server.kill()
        self.server = self._start(self.server.port)


class Notes:
    """What the tasks did, for the checkers."""

    def __init__(self) -> None:
        self.history: list[Event] = []

    def note(self, who: str, kind: str, op: str, value: str, **facts: object) -> None:
        self.history.append(
            Event(time.monotonic_ns() // 1_000_000, who, kind, op, value=value, **facts)  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_a_server_that_is_killed_loses_and_doubles_nothing(delivery: str, tmp_path: Path) -> None:
    """Promises 1 to 4, through the total-queue checker: what was confirmed comes out, once, in order."""
    with ExitStack() as stack:
        place, notes = Place(tmp_path / "data", stack), Notes()

        @on_loop
        async def story() -> None:
            async with (
                place.factory.create_connection("app", "", delivery=delivery, max_in_flight=50) as sending,
                place.factory.create_connection("app", "", delivery=delivery) as receiving,
            ):
                events: list[str] = []
                sending.on_event(lambda event: events.append(event.kind))
                received = 0

                async def produce(name: str) -> None:
                    async with sending.create_session() as session, session.create_sender(Q) as sender:
                        for number in range(1, EACH + 1):
                            value = f"{name}-{number}"
                            notes.note(name, INVOKE, "send", value, destination=str(Q))
                            await sender.send(value)
                            notes.note(name, OK, "send", value)

                async def consume() -> None:
                    nonlocal received
                    mode = AcknowledgeMode.CLIENT_ACKNOWLEDGE
                    async with receiving.create_session(mode) as session, session.create_receiver(Q) as receiver:
                        async for message in receiver:
                            facts = {"place": str(Q), "consumer": "c", "count": message.delivery_count}
                            notes.note("c", OK, "receive", message.body, **facts)
                            notes.note("c", INVOKE, "acknowledge", message.body, place=str(Q), consumer="c")
                            await message.acknowledge()
                            notes.note("c", OK, "acknowledge", message.body, place=str(Q), consumer="c")
                            received += 1
                            if received == PRODUCERS * EACH:
                                return

                async def trouble() -> None:
                    for kill in range(1, KILLS + 1):
                        await until(lambda share=kill: received >= share * PRODUCERS * EACH // (KILLS + 1))  # type: ignore[misc]
                        await asyncio.to_thread(place.restart)

                async with asyncio.timeout(TIME_LIMIT), asyncio.TaskGroup() as tasks:
                    for number in range(PRODUCERS):
                        tasks.create_task(produce(f"p{number}"))
                    tasks.create_task(consume())
                    tasks.create_task(trouble())
                await until(lambda: events.count("restored") == KILLS)
                async with receiving.create_session() as session, session.create_receiver(Q) as receiver:
                    assert await receiver.receive(0.2) is None
            notes.note("c", OK, "drain", "", place=str(Q))

        story()
        for check in (check_total_queue, check_duplicates, check_acknowledged, check_order):
            verdict = check(notes.history)
            assert verdict.valid is True, verdict


@on_loop
async def test_three_lines(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path / "data", stack)
        uri = place.server.uri("rmimom.ConnectionFactory")
        async with aio.connect("app", "", uri=uri) as context:
            await context.send("queue://orders", "hello")
            async for message in context.consume("queue://orders"):
                assert message.body == "hello"
                break


@on_loop
async def test_requests_and_transactions(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path / "data", stack)
        async with place.factory.create_context("app", "") as context, context.create_context() as worker:

            async def answer(request: aio.Message) -> None:
                await worker.reply(request, request.body * 2)

            (await worker.create_consumer("queue://doubling")).attach(answer)
            async with context.create_requestor("queue://doubling") as requestor:
                answers = await asyncio.gather(*(requestor.request(number, timeout=TIME_LIMIT) for number in range(20)))
                assert [message.body for message in answers if message is not None] == [2 * n for n in range(20)]
            async with context.create_context(transacted=True) as work:
                await context.send("queue://in", "x")
                consumer = await work.create_consumer("queue://in")
                message = await consumer.receive(TIME_LIMIT)
                assert message is not None
                await work.send("queue://out", message.body)
                place.server.pause()
                committing = asyncio.ensure_future(work.commit())
                await asyncio.sleep(0)
                committing.cancel()
                await asyncio.wait([committing])
                place.server.resume()
                # What comes after waits for the end of the commit whose caller went away.
                await work.send("queue://out", "y")
                await work.rollback()
            async with context.create_browser("queue://out") as browser:
                assert [message.body async for message in browser] == ["x"]
            with pytest.raises(JMSError):
                await work.commit()


@on_loop
async def test_a_browser_shows_page_after_page(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path / "data", stack)
        async with place.factory.create_connection() as connection, connection.create_session() as session:
            sender = await session.create_sender(Q)
            await sender.send_many(range(250))
            await sender.send("odd", properties={"x": 1})
            async with session.create_browser(Q, "x = 1") as browser:
                assert (browser.queue, browser.selector) == (Q, "x = 1")
                assert [message.body async for message in browser] == ["odd"]
            async with session.create_browser(Q) as browser:
                assert [message.body async for message in browser] == [*range(250), "odd"]
                assert len([message async for message in browser]) == 251
            with pytest.raises(IllegalStateError, match="browser of queue://work is closed"):
                _ = [message async for message in browser]
