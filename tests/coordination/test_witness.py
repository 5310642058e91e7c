"""The name server as witness: ours and the stock one, and what only looks like one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread
from typing import Any

import Pyro5.api
import pytest
from Pyro5.nameserver import NameServerDaemon
from support.coordination import A, B, configuration
from support.loops import on_loop

from rmimom.cluster.configuration import Configuration, encode
from rmimom.coordination import witness as module
from rmimom.coordination.witness import Witness
from rmimom.errors import ConfigurationError, ConnectionFailedError
from rmimom.nameserver.embedded import start_embedded

Address = tuple[str, int]


@contextmanager
def stock_daemon(daemon: Any) -> Iterator[Address]:
    """A stock daemon at work."""
    thread = Thread(target=daemon.requestLoop)
    thread.start()
    try:
        yield "127.0.0.1", int(daemon.locationStr.rpartition(":")[2])
    finally:
        daemon.shutdown()
        thread.join()
        daemon.close()


@pytest.fixture(params=["ours", "stock"])
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    if request.param == "ours":
        with start_embedded(port=0) as server:
            yield "127.0.0.1", server.port
    else:
        with stock_daemon(NameServerDaemon(host="127.0.0.1", port=0)) as place:
            yield place


@asynccontextmanager
async def asking(address: Address, cluster: str = "test") -> AsyncIterator[Witness]:
    yield Witness(address, cluster)


def write(address: Address, entry: Configuration, **different: Any) -> None:
    given: dict[str, Any] = {"name": entry.name, "uri": "PYRO:x@127.0.0.1:1", "metadata": sorted(encode(entry))}
    with Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@127.0.0.1:{address[1]}") as proxy:
        proxy.register(**{**given, **different})


@on_loop
async def check_read_and_register(address: Address) -> None:
    first, second = configuration(1), configuration(2, A, B)
    async with asking(address) as witness, asking(address, "other") as other:
        assert await witness.read() == ()
        await witness.register(first)
        assert await witness.read() == (first,)
        await witness.register(second)
        assert await witness.read() == (first, second)
        assert await other.read() == ()


def test_what_was_registered_is_read(address: Address) -> None:
    check_read_and_register(address)


def test_a_name_is_written_once(address: Address) -> None:
    @on_loop
    async def check() -> None:
        async with asking(address) as witness:
            await witness.register(configuration(1, A))
            await witness.register(configuration(1, B))
            assert await witness.read() == (configuration(1, A),)

    check()


def test_a_name_is_removed(address: Address) -> None:
    @on_loop
    async def check() -> None:
        async with asking(address) as witness:
            await witness.register(configuration(1))
            await witness.register(configuration(2))
            for _ in range(2):
                await witness.remove(configuration(1))
                assert await witness.read() == (configuration(2),)

    check()


def test_names_point_to_the_active(address: Address) -> None:
    @on_loop
    async def check() -> None:
        async with asking(address) as witness:
            await witness.register(configuration(1, A))

    check()
    with Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@127.0.0.1:{address[1]}") as proxy:
        assert str(proxy.lookup("rmimom.cluster.test.1")) == f"PYRO:rmimom.server.{A}@127.0.0.1:1"


@pytest.mark.parametrize("metadata", [[], ["anything"], ["a", "b"], sorted(encode(configuration(2)))])
def test_nonsense_under_a_name_is_told(address: Address, metadata: list[str]) -> None:
    write(address, configuration(1), metadata=metadata)

    @on_loop
    async def check() -> None:
        async with asking(address) as witness:
            with pytest.raises(ConfigurationError, match=r"nonsense under rmimom\.cluster\.test\.1"):
                await witness.read()

    check()


def test_names_that_only_look_alike_are_passed_over(address: Address) -> None:
    write(address, configuration(1), name="rmimom.cluster.test.1.1")
    write(address, configuration(1), name="rmimom.cluster.test.x")

    @on_loop
    async def check() -> None:
        async with asking(address) as witness:
            assert await witness.read() == ()

    check()


@on_loop
async def test_a_name_server_that_is_away_is_told_and_a_registration_says_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        async with asking(nobody.getsockname()) as witness:
            with pytest.raises(ConnectionFailedError, match="no name server answers at 127"):
                await witness.read()
            await witness.register(configuration(1))
            with pytest.raises(ConnectionFailedError, match="no name server answers at 127"):
                await witness.remove(configuration(1))


def test_a_name_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL", 0.05)

    @on_loop
    async def check() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with asking(silent.getsockname()) as witness:
                with pytest.raises(ConnectionFailedError):
                    await witness.read()
                await witness.register(configuration(1))

    check()


class Strange:
    """What answers in place of a name server."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    @Pyro5.api.expose
    def list(self, **how: object) -> object:
        assert how == {"prefix": "rmimom.cluster.test.", "return_metadata": True}
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


FIRST = configuration(1)
METADATA = sorted(encode(FIRST))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("nothing", "it lists a str"),
        (None, "it lists a NoneType"),
        ([FIRST.name], "it lists a list"),
        ({1: ("PYRO:x@h:1", METADATA)}, "it lists a dict"),
        ({FIRST.name: "PYRO:x@h:1"}, "gave no metadata"),
        ({FIRST.name: ("PYRO:x@h:1", 5)}, "gave no metadata"),
        ({FIRST.name: ("PYRO:x@h:1", METADATA, "more")}, "gave no metadata"),
        ({FIRST.name: ("PYRO:x@h:1", [5])}, "nonsense under"),
        ({FIRST.name: ("PYRO:x@h:1", ["x" * 100_000])}, "nonsense under"),
        ({f"rmimom.cluster.test.{number}": None for number in range(1, 10_002)}, "10001 names"),
        (ValueError("what is a list?"), "no name server: ValueError"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_answer_that_makes_no_sense_is_told(answer: object, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL", 30.0)  # a busy machine takes long for a long list
    daemon = Pyro5.api.Daemon(host="127.0.0.1", port=0)
    daemon.register(Strange(answer), "Pyro.NameServer")

    @on_loop
    async def check(address: Address) -> None:
        async with asking(address) as witness:
            with pytest.raises(ConfigurationError, match=complaint):
                await witness.read()
            # It has none of these methods, which is no worse.
            await witness.register(FIRST)
            await witness.remove(FIRST)

    with stock_daemon(daemon) as address:
        check(address)


def test_a_list_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 1000)
    daemon = Pyro5.api.Daemon(host="127.0.0.1", port=0)
    daemon.register(Strange({FIRST.name: ("PYRO:x@h:1", ["x" * 10_000])}), "Pyro.NameServer")

    @on_loop
    async def check(address: Address) -> None:
        async with asking(address) as witness:
            with pytest.raises(ConnectionFailedError, match="no name server answers"):
                await witness.read()

    with stock_daemon(daemon) as address:
        check(address)


def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for the whole call, not for each byte of it."""
    monkeypatch.setattr(module, "CALL", 0.2)

    def drip(server: socket.socket) -> None:
        conn, _ = server.accept()
        with conn, contextlib.suppress(OSError):
            while True:
                conn.sendall(b"P")
                time.sleep(0.01)

    @on_loop
    async def check() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            dripping = Thread(target=drip, args=[server])
            dripping.start()
            async with asking(server.getsockname()) as witness:
                with pytest.raises(ConnectionFailedError):
                    await witness.read()
            await asyncio.to_thread(dripping.join)

    check()
