"""Durable queue through the asyncio client, beside the synchronous one in the same run.

python -m bench.aio [--messages N] [--json]
"""

from __future__ import annotations

import asyncio
import os
import time

from bench import durable_queue
from bench.baseline import BODY
from bench.durable_queue import IN_FLIGHT, race
from bench.report import Figure, report
from bench.scene import Pipe


def produce(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Send so many messages with at most IN_FLIGHT unconfirmed; say when the last is confirmed."""
    from rmimom.aio import ConnectionFactory

    async def work() -> None:
        body = os.urandom(BODY)
        factory = ConnectionFactory(nameserver)
        async with factory.create_connection(max_in_flight=IN_FLIGHT) as connection:
            session = await connection.create_session()
            sender = await session.create_sender(session.queue("bench"))
            pipe.send("ready")
            pipe.recv()
            began, used = time.time(), time.process_time()
            for _ in range(messages):
                await sender.send_async(body)
            await sender.flush(timeout=300)
            pipe.send((began, time.time(), time.process_time() - used))

    asyncio.run(work())


def consume(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Receive and acknowledge so many messages; say when the last is acknowledged."""
    from rmimom.aio import ConnectionFactory

    async def work() -> None:
        async with ConnectionFactory(nameserver).create_connection() as connection:
            session = await connection.create_session()
            receiver = await session.create_receiver(session.queue("bench"))
            pipe.send("ready")
            used = time.process_time()
            for _ in range(messages):
                message = await receiver.receive(timeout=60)
                if message is None or len(message.body) != BODY:
                    raise RuntimeError(f"expected a message of {BODY} bytes, got {message!r}")
            await receiver.close()
            pipe.send((time.time(), time.process_time() - used))

    asyncio.run(work())


def measure(messages: int) -> list[Figure]:
    """Messages a second from the first send to the last acknowledgement, with either client."""
    plain = race(durable_queue.produce, durable_queue.consume, messages)
    found = race(produce, consume, messages)
    again = race(durable_queue.produce, durable_queue.consume, messages)
    beside = (plain.rate + again.rate) / 2
    return [
        Figure(
            "asyncio client, durable queue, end to end", found.rate, "messages/s", found.rate / beside, "synchronous"
        ),
        Figure("asyncio client, confirmed sends", found.confirmed, "messages/s"),
        Figure("synchronous client in the same run", beside, "messages/s"),
        Figure("asyncio producer", found.producer / messages * 1e6, "us processor time a message"),
        Figure("asyncio consumer", found.consumer / messages * 1e6, "us processor time a message"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=100_000)
