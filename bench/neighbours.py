"""The durable queue of `bench.durable_queue`, on other brokers with their usual Python clients, in the same run.

    python -m bench.neighbours [--messages N] [--json]

Measures whatever is installed of: rabbitmq-server, nats-server, mosquitto and activemq (Debian packages) with pika,
nats-py, paho-mqtt and stomp.py (`pip install pika nats-py paho-mqtt stomp.py`).  Every broker runs as it comes, on
loopback, with data in a temporary directory.  What a confirmation means differs, and the names say so: RabbitMQ and
ActiveMQ write to disk, NATS JetStream answers before its fsync (every two minutes by default), Mosquitto keeps messages
in memory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import durable_queue
from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Pipe, Worker

IN_FLIGHT = durable_queue.IN_FLIGHT
HOST = "127.0.0.1"
START_LIMIT = 60.0
"""Seconds that a broker may take to listen."""


@contextmanager
def _broker(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        limit = time.monotonic() + START_LIMIT
        while True:
            try:
                socket.create_connection((HOST, port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{command[0]} does not listen on port {port}") from None
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


# RabbitMQ: a durable queue, persistent messages, publisher confirms, an ack for each.


@contextmanager
def _rabbitmq(directory: Path) -> Iterator[int]:
    port = _free_port()
    environment = {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(_free_port()),
        "RABBITMQ_MNESIA_BASE": str(directory),
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(_free_port()),
    }
    (directory / "plugins").write_text("[].")
    with _broker(["/usr/lib/rabbitmq/bin/rabbitmq-server"], port, environment):
        yield port


def _rabbitmq_produce(pipe: Pipe, port: int, messages: int) -> None:
    import pika

    body = os.urandom(BODY)
    sent = confirmed = 0
    began = 0.0
    properties = pika.BasicProperties(delivery_mode=2)

    def fill() -> None:
        nonlocal sent
        while sent < messages and sent - confirmed < IN_FLIGHT:
            channel.basic_publish("", "bench", body, properties)
            sent += 1

    def on_confirm(frame: Any) -> None:
        nonlocal confirmed
        confirmed = frame.method.delivery_tag if frame.method.multiple else confirmed + 1
        if confirmed >= messages:
            pipe.send((began, time.time()))
            connection.close()
        elif sent - confirmed <= IN_FLIGHT // 2:
            fill()

    def on_channel(opened: Any) -> None:
        nonlocal channel, began
        channel = opened
        channel.confirm_delivery(on_confirm)
        channel.queue_declare("bench", durable=True)
        pipe.send("ready")
        pipe.recv()
        began = time.time()
        fill()

    channel: Any = None
    connection = pika.SelectConnection(
        pika.ConnectionParameters(HOST, port),
        on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
    )
    connection.ioloop.start()


def _rabbitmq_consume(pipe: Pipe, port: int, messages: int) -> None:
    import pika

    left = messages
    channel = pika.BlockingConnection(pika.ConnectionParameters(HOST, port)).channel()
    channel.queue_declare("bench", durable=True)
    channel.basic_qos(prefetch_count=IN_FLIGHT)

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal left
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if not left:
            channel.stop_consuming()

    channel.basic_consume("bench", on_message)
    pipe.send("ready")
    channel.start_consuming()
    pipe.send(time.time())


# NATS JetStream: a stream on disk, acknowledged publishes, an ack for each.


@contextmanager
def _nats(directory: Path) -> Iterator[int]:
    port = _free_port()
    with _broker(["nats-server", "-js", "-sd", str(directory), "-a", HOST, "-p", str(port)], port, {}):
        yield port


def _nats_produce(pipe: Pipe, port: int, messages: int) -> None:
    import nats

    async def run() -> None:
        body = os.urandom(BODY)
        client = await nats.connect(f"nats://{HOST}:{port}")
        stream = client.jetstream(publish_async_max_pending=IN_FLIGHT)
        await stream.add_stream(name="bench", subjects=["bench"])
        pipe.send("ready")
        pipe.recv()
        began = time.time()
        for _ in range(messages):
            await stream.publish_async("bench", body, wait_stall=60)
        await stream.publish_async_completed()
        pipe.send((began, time.time()))
        await client.close()

    asyncio.run(run())


def _nats_consume(pipe: Pipe, port: int, messages: int) -> None:
    import nats

    async def run() -> None:
        client = await nats.connect(f"nats://{HOST}:{port}")
        stream = client.jetstream()
        await stream.add_stream(name="bench", subjects=["bench"])
        subscription = await stream.pull_subscribe("bench", "worker")
        pipe.send("ready")
        left = messages
        while left:
            for message in await subscription.fetch(min(left, IN_FLIGHT // 2), timeout=60):
                await message.ack()
                left -= 1
        await client.flush()
        pipe.send(time.time())
        await client.close()

    asyncio.run(run())


# Mosquitto: QoS 1 both ways, a session that outlives its connection, everything in memory.


@contextmanager
def _mosquitto(directory: Path) -> Iterator[int]:
    port = _free_port()
    settings = directory / "mosquitto.conf"
    settings.write_text(
        f"listener {port} {HOST}\nallow_anonymous true\nmax_inflight_messages {IN_FLIGHT}\nmax_queued_messages 0\n"
    )
    with _broker([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(settings)], port, {}):
        yield port


def _mqtt_client(name: str, port: int) -> Any:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
    client.max_inflight_messages_set(IN_FLIGHT)
    client.max_queued_messages_set(0)
    client.connect(HOST, port)
    return client


def _mosquitto_produce(pipe: Pipe, port: int, messages: int) -> None:
    body = os.urandom(BODY)
    client = _mqtt_client("producer", port)
    window = threading.Semaphore(IN_FLIGHT)
    client.on_publish = lambda *_: window.release()
    client.loop_start()
    pipe.send("ready")
    pipe.recv()
    began = time.time()
    for _ in range(messages):
        window.acquire()
        client.publish("bench", body, qos=1)
    for _ in range(IN_FLIGHT):
        window.acquire()
    pipe.send((began, time.time()))
    client.loop_stop()


def _mosquitto_consume(pipe: Pipe, port: int, messages: int) -> None:
    left = messages
    done = threading.Event()
    subscribed = threading.Event()

    def on_message(*_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    client = _mqtt_client("consumer", port)
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.loop_start()
    client.subscribe("bench", qos=1)
    subscribed.wait(10)
    pipe.send("ready")
    done.wait(600)
    pipe.send(time.time())
    client.loop_stop()


# ActiveMQ Classic: STOMP, persistent messages with receipts, an ack for each.


@contextmanager
def _activemq(directory: Path) -> Iterator[int]:
    port = _free_port()
    settings = directory / "activemq.xml"
    settings.write_text(
        '<beans xmlns="http://www.springframework.org/schema/beans" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="'
        "http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd "
        'http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">'
        '<broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" '
        f'dataDirectory="{directory}"><persistenceAdapter><kahaDB directory="{directory}/kahadb"/></persistenceAdapter>'
        f'<transportConnectors><transportConnector name="stomp" uri="stomp://{HOST}:{port}"/></transportConnectors>'
        "</broker></beans>"
    )
    home = "/usr/share/activemq"
    command = [
        "java",
        "-Xmx1G",
        f"-Dactivemq.home={home}",
        f"-Dactivemq.base={directory}",
        f"-Dactivemq.data={directory}",
    ]
    command += ["-jar", f"{home}/bin/activemq.jar", "start", f"xbean:file:{settings}"]
    with _broker(command, port, {}):
        yield port


def _stomp_connection(port: int, listener: Any) -> Any:
    import stomp

    connection = stomp.Connection12([(HOST, port)])
    connection.set_listener("", listener)
    connection.connect(wait=True)
    return connection


def _activemq_produce(pipe: Pipe, port: int, messages: int) -> None:
    import stomp

    body = os.urandom(BODY)
    window = threading.Semaphore(IN_FLIGHT)

    class Receipts(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
        def on_receipt(self, frame: Any) -> None:
            window.release()

    connection = _stomp_connection(port, Receipts())
    pipe.send("ready")
    pipe.recv()
    began = time.time()
    for number in range(messages):
        window.acquire()
        connection.send("/queue/bench", body, headers={"persistent": "true", "receipt": str(number)})
    for _ in range(IN_FLIGHT):
        window.acquire()
    pipe.send((began, time.time()))
    connection.disconnect()


def _activemq_consume(pipe: Pipe, port: int, messages: int) -> None:
    import stomp

    done = threading.Event()

    class Messages(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
        left = messages

        def on_message(self, frame: Any) -> None:
            connection.ack(frame.headers["ack"])
            self.left -= 1
            if not self.left:
                done.set()

    connection = _stomp_connection(port, Messages())
    connection.subscribe("/queue/bench", "1", "client-individual", headers={"activemq.prefetchSize": str(IN_FLIGHT)})
    pipe.send("ready")
    done.wait(600)
    pipe.send(time.time())
    connection.disconnect()


_NEIGHBOURS: dict[str, tuple[str, Callable[[Path], Any], Callable[..., None], Callable[..., None], float]] = {
    "RabbitMQ / pika": ("/usr/lib/rabbitmq/bin/rabbitmq-server", _rabbitmq, _rabbitmq_produce, _rabbitmq_consume, 1),
    "NATS JetStream / nats-py (no fsync a message)": ("nats-server", _nats, _nats_produce, _nats_consume, 1),
    "Mosquitto QoS 1 / paho (memory)": ("/usr/sbin/mosquitto", _mosquitto, _mosquitto_produce, _mosquitto_consume, 1),
    "ActiveMQ / stomp.py": (
        "/usr/share/activemq/bin/activemq.jar",
        _activemq,
        _activemq_produce,
        _activemq_consume,
        0.3,
    ),
}


def _measure(name: str, messages: int) -> float | None:
    program, broker, produce, consume, share = _NEIGHBOURS[name]
    if shutil.which(program) is None and not Path(program).exists():
        return None
    messages = int(messages * share)
    with (
        tempfile.TemporaryDirectory(prefix="rmimom-bench-", ignore_cleanup_errors=True) as made,
        broker(Path(made)) as port,
    ):
        consumer = Worker(consume, port, messages)
        consumer.hear()
        producer = Worker(produce, port, messages)
        producer.hear()
        producer.say("go")
        began, _ = producer.hear()
        ended = consumer.hear()
        producer.end()
        consumer.end()
    return float(messages / (ended - began))


def measure(messages: int) -> list[Figure]:
    """Messages a second from the first send to the last acknowledgement, ours before and after the others."""
    ours = durable_queue.measure(messages)[0].value
    found = {name: _measure(name, messages) for name in _NEIGHBOURS}
    ours = (ours + durable_queue.measure(messages)[0].value) / 2
    figures = [Figure("durable queue, rmimom (fsync)", ours, "messages/s")]
    for name, rate in found.items():
        if rate is not None:
            figures.append(Figure(f"durable queue, {name}", rate, "messages/s", ours / rate, "is rmimom"))
    return figures


if __name__ == "__main__":
    report(__doc__, measure, messages=50_000)
