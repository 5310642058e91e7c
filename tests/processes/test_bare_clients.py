"""Programs that know Pyro5 and not our library, against a real server: the paper's interfaces in plain dicts."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import Pyro5.api
import Pyro5.errors
import pytest
import serpent
from msgspec import Raw
from Pyro5.api import current_context
from support.commands import free_port
from support.processes import TIME_LIMIT, ServerProcess, clean_environment, start_server, wait_for

from rmimom.errors import InvalidDestinationError, JMSError, MessageFormatError, MessageTooLargeError
from rmimom.frame import ANNOTATION, MAP, OBJECT, TEXT, Request, SendBatch, decode_response, encode
from rmimom.outgoing import make_frame
from rmimom.rmi.exceptions import register_errors

register_errors()


class Listener:
    """A bare IClientRMI object; `answer` decides what becomes of each message."""

    def __init__(self, answer: Callable[[dict[str, Any]], object] = lambda message: True) -> None:
        self.taken: list[dict[str, Any]] = []
        self._answer = answer

    @Pyro5.api.expose
    def get_client_id(self) -> str:
        return "bare"

    @Pyro5.api.expose
    def new_message(self, message: dict[str, Any]) -> object:
        answer = self._answer(message)
        self.taken.append(message)
        return answer

    @property
    def bodies(self) -> list[object]:
        return [message["body"] for message in list(self.taken)]


@contextmanager
def served(listener: Listener) -> Iterator[str]:
    """The listener in a stock daemon of this process; its URI."""
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    uri = str(daemon.register(listener))
    thread = threading.Thread(target=daemon.requestLoop)
    thread.start()
    try:
        yield uri
    finally:
        daemon.shutdown()
        thread.join(TIME_LIMIT)
        daemon.close()


@contextmanager
def remote(server: ServerProcess, name: str) -> Iterator[Any]:
    """A stock proxy for an object of the server."""
    with Pyro5.api.Proxy(server.uri(name)) as proxy:
        proxy._pyroTimeout = TIME_LIMIT
        yield proxy


def create(server: ServerProcess, *names: str) -> None:
    with server.administration() as administration:
        for name in names:
            administration.create(*name.split("."))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "data", "--callback-timeout", "1") as running:
        create(running, "topic.news", "queue.work")
        yield running


def test_the_four_calls_with_the_stock_name_server(tmp_path: Path) -> None:
    """ITopicRMI: publish, subscribe, remove_subscriber and set_im_online."""
    port = free_port()
    ready = f"127.0.0.1:{port}"
    stock = subprocess.Popen(
        [sys.executable, "-m", "Pyro5.nameserver", "-n", "127.0.0.1", "-p", str(port), "-x"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(tmp_path),
    )
    try:
        with Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@{ready}") as names:
            names._pyroTimeout = TIME_LIMIT

            def answers() -> bool:
                try:
                    names.ping()
                except Pyro5.errors.CommunicationError:
                    return False
                return True

            wait_for(answers, "name server")
            with start_server(tmp_path / "data", nameserver=ready) as server:
                create(server, "topic.news")
                uri = wait_for(lambda: names.list(prefix="rmimom.topic.").get("rmimom.topic.news"), "name")
                first, second = Listener(), Listener()
                with Pyro5.api.Proxy(uri) as topic, served(first) as there, served(second) as elsewhere:
                    assert topic.subscribe("ann", Pyro5.api.Proxy(there)) is True
                    sent = {"body": {"place": "Alaska"}, "properties": {"magnitude": 5.1}, "priority": 7}
                    assert topic.publish(sent, "bob") is True
                    wait_for(lambda: first.taken, "message")
                    got = first.taken[0]
                    assert got | sent == got
                    assert (got["destination"], got["redelivered"], got["delivery_count"]) == ("topic://news", False, 1)
                    assert topic.set_im_online("ann", elsewhere) is True
                    topic.publish({"body": "later"}, "bob")
                    wait_for(lambda: second.taken, "message")
                    assert topic.remove_subscriber("ann") is True
                    topic.publish({"body": "too late"}, "bob")
                    with pytest.raises(InvalidDestinationError, match="ann"):
                        topic.remove_subscriber("ann")
                    assert (first.bodies, second.bodies) == ([{"place": "Alaska"}], ["later"])
    finally:
        stock.kill()
        stock.wait()


@pytest.mark.parametrize("trouble", [ValueError("not today"), False])
def test_an_object_that_refuses_gets_everything_again_in_order(
    trouble: Exception | bool, server: ServerProcess
) -> None:
    troubles = [trouble]
    refused = threading.Event()

    def answer(message: dict[str, Any]) -> bool:
        if troubles:
            found = troubles.pop()
            refused.set()
            if isinstance(found, Exception):
                raise found
            return found
        return True

    bad, good = Listener(answer), Listener()
    with served(bad) as there, served(good) as here, remote(server, "rmimom.topic.news") as topic:
        topic.subscribe("bad", there)
        topic.subscribe("good", here)
        topic.publish({"body": "0"}, "bob")
        assert refused.wait(TIME_LIMIT)
        for number in (1, 2, 3):  # while the first one waits for its second attempt
            topic.publish({"body": str(number)}, "bob")
        wait_for(lambda: good.bodies == ["0", "1", "2", "3"], "messages of the good one")
        wait_for(lambda: len(bad.bodies) >= 4 and bad.bodies[-1] == "3", "messages of the bad one")
        again = bad.taken[-4:]
        assert [message["body"] for message in again] == ["0", "1", "2", "3"]
        assert (again[0]["redelivered"], again[0]["delivery_count"]) == (True, 2)
        if isinstance(trouble, Exception):
            server.wait_logged("subscriber 'bad' of topic://news failed on a message: ValueError: not today")


def test_what_an_object_refuses_goes_to_others_of_a_queue(server: ServerProcess) -> None:
    bad, good = Listener(lambda message: False), Listener()
    with served(bad) as there, served(good) as here, remote(server, "rmimom.queue.work") as queue:
        queue.subscribe("bad", there)
        queue.send({"body": "0"}, "bob")
        wait_for(lambda: bad.taken, "refusal")
        queue.subscribe("good", here)
        wait_for(lambda: good.bodies == ["0"], "message")
        assert good.taken[0]["redelivered"]


def test_an_object_that_hangs_is_put_offline_and_misses_nothing(server: ServerProcess) -> None:
    release = threading.Event()

    def hang(message: dict[str, Any]) -> bool:
        release.wait(TIME_LIMIT)
        return True

    hanging, good, later = Listener(hang), Listener(), Listener()
    with served(good) as here, served(later) as there, remote(server, "rmimom.topic.news") as topic:
        with served(hanging) as stuck:
            topic.subscribe("stuck", stuck)
            topic.subscribe("good", here)
            for number in range(3):
                topic.publish({"body": str(number)}, "bob")
            wait_for(lambda: good.bodies == ["0", "1", "2"], "messages of the good one")
            server.wait_logged("subscriber 'stuck' of topic://news is offline: ")
            release.set()
        topic.set_im_online("stuck", there)
        wait_for(lambda: later.bodies == ["0", "1", "2"], "what waited")
        assert later.taken[0]["redelivered"]


DIES_ON_THE_THIRD = """
import os, Pyro5.api

class Dying:
    taken = 0

    @Pyro5.api.expose
    def get_client_id(self):
        return "dying"

    @Pyro5.api.expose
    def new_message(self, message):
        self.taken += 1
        if self.taken == 3:
            os._exit(1)
        return True

daemon = Pyro5.api.Daemon(host="127.0.0.1")
print(daemon.register(Dying()), flush=True)
daemon.requestLoop()
"""


@contextmanager
def dying(home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process with a callback object that dies with its third message; its URI, and the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", DIES_ON_THE_THIRD], stdout=subprocess.PIPE, text=True, env=clean_environment(home)
    )
    try:
        assert process.stdout is not None
        with process.stdout as output:
            yield output.readline().strip(), process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["rmimom.topic.news", "rmimom.queue.work"])
def test_an_object_that_dies_in_the_middle(name: str, server: ServerProcess, tmp_path: Path) -> None:
    with dying(tmp_path) as (uri, process), remote(server, name) as destination:
        send = destination.send if "queue" in name else destination.publish
        destination.subscribe("mortal", uri)
        for number in range(6):
            send({"body": str(number)}, "bob")
        assert process.wait(TIME_LIMIT) == 1
        server.wait_logged("subscriber 'mortal' of")
        heir = Listener()
        with served(heir) as there:
            destination.set_im_online("mortal", there)
            wait_for(lambda: heir.bodies == ["2", "3", "4", "5"], "the rest")
            assert heir.taken[0]["redelivered"]


@pytest.mark.parametrize("uri", ["PYRO:obj@127.0.0.1:1", "PYRONAME:somebody", "nonsense", "PYRO:obj@192.0.2.1:9", 17])
def test_a_subscriber_whose_uri_points_nowhere(uri: object, server: ServerProcess) -> None:
    with remote(server, "rmimom.topic.news") as topic:
        with pytest.raises(JMSError, match=r"PYRO:obj@|PYRONAME:somebody|nonsense|int"):
            topic.subscribe("ann", uri)
        assert topic.publish({"body": "x"}, "bob")


def test_who_was_online_is_called_again_after_a_restart(tmp_path: Path) -> None:
    listener, heir = Listener(), Listener()
    with served(listener) as here:
        with start_server(tmp_path / "data", "--callback-timeout", "1") as server:
            create(server, "topic.news")
            with remote(server, "rmimom.topic.news") as topic:
                topic.subscribe("ann", here)
                with dying(tmp_path) as (uri, _):
                    topic.subscribe("mortal", uri)
                topic.publish({"body": "one"}, "bob")
                wait_for(lambda: listener.taken, "message")
                server.kill()
        with start_server(tmp_path / "data", "--callback-timeout", "1") as server:
            server.wait_logged("subscriber mortal on topic://news does not answer")
            with remote(server, "rmimom.topic.news") as topic:
                topic.publish({"body": "two"}, "bob")
                wait_for(lambda: "two" in listener.bodies, "message")
                with served(heir) as there:
                    topic.set_im_online("mortal", there)
                    wait_for(lambda: heir.bodies == ["one", "two"], "what waited")


@pytest.mark.parametrize(
    ("kind", "body", "properties"),
    [
        pytest.param(TEXT, b"\xff\xfe", b"{}", id="text that is none"),
        pytest.param(MAP, b"[1]", b"{}", id="map that is none"),
        pytest.param(OBJECT, b"\xff", b"{}", id="object that is none"),
        pytest.param(OBJECT, b"[" * 100_000 + b"]" * 100_000, b"{}", id="far too deep"),
        pytest.param(OBJECT, b"[" * 198 + b"]" * 198, b"{}", id="too deep to pass on"),
        pytest.param(TEXT, b"x", b"[1", id="properties that are none"),
        pytest.param(TEXT, b"x", b'{"a":"\\ud800"}', id="half a character"),
    ],
)
def test_a_message_that_cannot_be_read_holds_up_no_other(
    kind: int, body: bytes, properties: bytes, server: ServerProcess
) -> None:
    """The server passes bodies on unread, so a bare subscriber may be the first for whom one is decoded."""
    with remote(server, "rmimom.ConnectionFactory") as factory:
        connection = factory.create_connection("eve", "")["connection"]
    frame = encode(make_frame("topic://news", "ID:evil", 1, kind, body, properties=properties))
    listener = Listener()
    with served(listener) as here, remote(server, "rmimom.topic.news") as topic, Pyro5.api.Proxy(connection) as eve:
        topic.subscribe("ann", here)
        current_context.annotations = {
            ANNOTATION: encode(Request([SendBatch("eve", 1, "topic://news", [Raw(frame)])], []))
        }
        try:
            eve.exchange()
            assert decode_response(current_context.response_annotations[ANNOTATION]).outcomes == [None]
        finally:
            current_context.annotations = {}
        topic.publish({"body": "fine"}, "bob")
        wait_for(lambda: len(listener.taken) == 2, "messages")
        assert listener.bodies[1] == "fine"
        unreadable = listener.taken[0]
        assert (unreadable["kind"], unreadable["message_id"]) == ("unreadable", "ID:evil")
        assert serpent.tobytes(unreadable["body"]) == frame


@pytest.mark.parametrize(
    ("message", "error", "complaint"),
    [
        ("text", MessageFormatError, "must be a dict"),
        ({}, MessageFormatError, "no entry 'body'"),
        ({"body": "x", "bdy": 1}, MessageFormatError, "no entry 'bdy'"),
        ({"body": "x", "properties": {"a": [1]}}, MessageFormatError, "property 'a' has the type list"),
        ({"body": "x", "properties": {"a b": 1}}, MessageFormatError, "a b"),
        ({"body": "x", "priority": 10}, MessageFormatError, "0 to 9"),
        ({"body": "x", "reply_to": "nowhere"}, InvalidDestinationError, "nowhere"),
        ({"body": "x" * 70_000}, MessageTooLargeError, "65536"),
    ],
)
def test_messages_that_cannot_be(message: object, error: type[Exception], complaint: str, tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--max-message-size", "64KiB") as server:
        create(server, "topic.news")
        with remote(server, "rmimom.topic.news") as topic:
            with pytest.raises(error, match=complaint):
                topic.publish(message, "bob")
            assert topic.publish({"body": "fine"}, "bob")


def test_objects_and_methods_that_are_not_there(server: ServerProcess) -> None:
    with remote(server, "rmimom.topic.nothing") as topic, pytest.raises(Exception, match="unknown object") as caught:
        topic.publish({"body": "x"}, "bob")
    assert isinstance(caught.value, Pyro5.errors.CommunicationError)
    with remote(server, "rmimom.topic.news") as topic:
        with pytest.raises(AttributeError, match="destroy"):
            topic.destroy()
        with pytest.raises(AttributeError, match="_check"):
            topic._pyroInvoke("_check", ["x"], {})
        with pytest.raises(TypeError, match="publish"):
            topic.publish()
        assert topic.publish({"body": "fine"}, "bob")
