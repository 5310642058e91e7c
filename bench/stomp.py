"""Durable queue through STOMP: producer, server and consumer as three processes, every message safe at both ends.

python -m bench.stomp [--messages N] [--json]

Once with clients that write frames that were encoded before, for what the server can do; once with stomp.py.  Every
SEND is persistent with a receipt, up to 500 of them unconfirmed; the consumer acknowledges each message by itself.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable

from bench.baseline import BODY, raw_rate
from bench.durable_queue import IN_FLIGHT, Race
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene
from rmimom.stomp.codec import encode_frame

PLACE = "/queue/bench"
CHUNK = 50
"""Frames that the raw producer writes at once."""
_READ = 256 * 1024
_ACK = re.compile(rb"\nack:([0-9-]+)\n")


def _connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(60)
    client.sendall(encode_frame("CONNECT", {"accept-version": "1.2"}))
    if not client.recv(_READ).startswith(b"CONNECTED"):
        raise RuntimeError("the server did not answer CONNECT")
    return client


def _read(client: socket.socket) -> bytes:
    data = client.recv(_READ)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data


def produce_raw(pipe: Pipe, port: int, messages: int) -> None:
    """Write the same frames again and again with at most IN_FLIGHT unconfirmed; say when the last is confirmed."""
    headers = {"destination": PLACE, "persistent": "true", "receipt": "r"}
    # No NUL in the body, so that the consumer finds the end of a frame without reading it.
    body = os.urandom(BODY // 2).hex().encode()
    frames = encode_frame("SEND", headers, body, content_length=True) * CHUNK
    with _connected(port) as client:
        pipe.send("ready")
        pipe.recv()
        began, used = time.time(), time.process_time()
        sent = confirmed = 0
        while confirmed < messages:
            while sent < messages and sent - confirmed <= IN_FLIGHT - CHUNK:
                client.sendall(frames)
                sent += CHUNK
            confirmed += _read(client).count(b"\x00")
        pipe.send((began, time.time(), time.process_time() - used))


def consume_raw(pipe: Pipe, port: int, messages: int) -> None:
    """Acknowledge so many messages one by one; say when the last is acknowledged."""
    with _connected(port) as client:
        client.sendall(
            encode_frame("SUBSCRIBE", {"id": "1", "destination": PLACE, "ack": "client-individual", "receipt": "there"})
        )
        while b"there" not in _read(client):
            pass
        pipe.send("ready")
        used = time.process_time()
        acknowledged, rest = 0, b""
        while acknowledged < messages:
            frames, _, rest = (rest + _read(client)).rpartition(b"\x00")
            found = _ACK.findall(frames)
            acknowledged += len(found)
            if found:
                client.sendall(b"".join([b"ACK\nid:%b\n\n\x00" % one for one in found]))
        client.sendall(encode_frame("DISCONNECT", {"receipt": "done"}))
        while b"done" not in _read(client):
            pass
        pipe.send((time.time(), time.process_time() - used))


def produce_with_stomp_py(pipe: Pipe, port: int, messages: int) -> None:
    """The same with stomp.py."""
    import stomp

    free = threading.Semaphore(IN_FLIGHT)

    class Receipts(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
        def on_receipt(self, frame: object) -> None:
            free.release()

    body = os.urandom(BODY // 2).hex()
    connection = stomp.Connection12([("127.0.0.1", port)])
    connection.set_listener("", Receipts())
    connection.connect(wait=True)
    pipe.send("ready")
    pipe.recv()
    began, used = time.time(), time.process_time()
    for number in range(messages):
        free.acquire()
        connection.send(PLACE, body, persistent="true", receipt=str(number))
    for _ in range(IN_FLIGHT):
        free.acquire()
    pipe.send((began, time.time(), time.process_time() - used))
    connection.disconnect()


def consume_with_stomp_py(pipe: Pipe, port: int, messages: int) -> None:
    """The same with stomp.py."""
    import stomp

    done = threading.Event()
    connection = stomp.Connection12([("127.0.0.1", port)])

    class Messages(stomp.ConnectionListener):  # type: ignore[misc]
        count = 0

        def on_message(self, frame: stomp.utils.Frame) -> None:
            connection.ack(frame.headers["ack"])
            self.count += 1
            if self.count == messages:
                done.set()

    connection.set_listener("", Messages())
    connection.connect(wait=True)
    connection.subscribe(PLACE, id=1, ack="client-individual")
    pipe.send("ready")
    used = time.process_time()
    if not done.wait(300):
        raise RuntimeError("not all messages came")
    # Its receipt says that what was acknowledged before is safe, and stomp.py waits for it.
    connection.disconnect()
    pipe.send((time.time(), time.process_time() - used))


def race(produce: Callable[..., None], consume: Callable[..., None], messages: int) -> Race:
    """Producer, server and consumer from the first SEND to the last acknowledgement."""
    with scene("--stomp", "127.0.0.1:0") as made:
        consumer = Worker(consume, made.stomp_port, messages)
        consumer.hear()
        producer = Worker(produce, made.stomp_port, messages)
        producer.hear()
        server_used = made.processor_seconds
        producer.say("go")
        began, confirmed, producer_used = producer.hear()
        ended, consumer_used = consumer.hear()
        server_used = made.processor_seconds - server_used
        producer.end()
        consumer.end()
    return Race(messages / (ended - began), messages / (confirmed - began), server_used, producer_used, consumer_used)


def measure(messages: int) -> list[Figure]:
    """Messages a second from the first SEND to the last acknowledgement, beside raw SQLite before and after."""
    messages -= messages % CHUNK
    few = max(messages // 5, CHUNK)
    before = raw_rate(30_000, 100)
    raw = race(produce_raw, consume_raw, messages)
    baseline = (before + raw_rate(30_000, 100)) / 2
    library = race(produce_with_stomp_py, consume_with_stomp_py, few)
    return [
        Figure(
            "STOMP, frames encoded before",
            raw.rate,
            "messages/s",
            raw.rate / baseline,
            "raw SQLite, 100 a transaction",
            0.25,
        ),
        Figure("server", raw.server / messages * 1e6, "us processor time a message"),
        Figure("STOMP, stomp.py", library.rate, "messages/s", library.rate / baseline, "raw SQLite, 100 a transaction"),
        Figure("server", library.server / few * 1e6, "us processor time a message"),
        Figure("producer with stomp.py", library.producer / few * 1e6, "us processor time a message"),
        Figure("consumer with stomp.py", library.consumer / few * 1e6, "us processor time a message"),
        Figure("raw SQLite, 100 a transaction", baseline, "rows/s"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=50_000)
