"""The names of the administered objects in real name servers: ours and Pyro5's own."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import Pyro5.api
import Pyro5.nameserver
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import wait_for

from rmimom.destination import ADMINISTRATION_NAME as ADMINISTRATION
from rmimom.destination import FACTORY_NAME as FACTORY
from rmimom.destination import Queue, Topic
from rmimom.listeners.registrar import (
    NamesTakenError,
    Registrar,
    Registration,
    nameserver_answers,
    plan,
)
from rmimom.nameserver.embedded import EmbeddedNameServer, start_embedded

HERE = "127.0.0.1:1"
"""Where our server would be; nobody listens there."""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def names() -> Iterator[EmbeddedNameServer]:
    """A name server of ours."""
    with start_embedded(port=0) as server:
        yield server


@contextmanager
def registrar(port: int, *, location: str = HERE, server_id: str = "me", check: float = 0.02) -> Iterator[Registrar]:
    """A registrar that looks often; it stops at the end."""
    made = Registrar(("127.0.0.1", port), location, server_id, check=check, first_pause=0.02)
    try:
        yield made
    finally:
        made.stop(10)


def known(port: int) -> dict[str, tuple[str, set[str]]]:
    """What the name server at this port has of ours."""
    with Pyro5.api.locate_ns("127.0.0.1", port) as proxy:
        found = proxy.list(prefix="rmimom.", return_metadata=True)
    return {name: (uri, set(metadata)) for name, (uri, metadata) in found.items()}


def call(port: int, work: Callable[[Any], object]) -> None:
    """Do something in the name server."""
    with Pyro5.api.locate_ns("127.0.0.1", port) as proxy:
        work(proxy)


def test_every_object_is_registered_with_its_kind_and_its_server(names: EmbeddedNameServer) -> None:
    with registrar(names.port) as ours:
        ours.add([Topic("quakes"), Queue("a/ü.b")])
        ours.start()
        told = ours.wait_settled(10)
        assert (told.complete, told.trouble, told.wanted) == (True, "", 4)
        assert known(names.port) == {
            FACTORY: (f"PYRO:{FACTORY}@{HERE}", {"rmimom", "factory", "server:me"}),
            ADMINISTRATION: (f"PYRO:{ADMINISTRATION}@{HERE}", {"rmimom", "administration", "server:me"}),
            "rmimom.topic.quakes": (f"PYRO:rmimom.topic.quakes@{HERE}", {"rmimom", "topic", "server:me"}),
            "rmimom.queue.a/ü.b": (f"PYRO:rmimom.queue.a/ü.b@{HERE}", {"rmimom", "queue", "server:me"}),
        }
    assert known(names.port) == {}


def test_destinations_that_come_and_go_are_followed(names: EmbeddedNameServer) -> None:
    with registrar(names.port, check=60) as ours:
        ours.start()
        ours.wait_settled(10)
        ours.add([Topic("new")])
        wait_for(lambda: "rmimom.topic.new" in known(names.port), "name")
        ours.remove(Topic("new"))
        wait_for(lambda: "rmimom.topic.new" not in known(names.port), "removal")
        assert FACTORY in known(names.port)


def test_pyro5s_own_name_server_will_do() -> None:
    uri, daemon, broadcast = Pyro5.nameserver.start_ns("127.0.0.1", 0, enableBroadcast=False)
    assert broadcast is None
    thread = threading.Thread(target=daemon.requestLoop, daemon=True)
    thread.start()
    try:
        with registrar(uri.port) as ours:
            ours.add([Topic("quakes")])
            ours.start()
            assert ours.wait_settled(10).complete
            assert set(known(uri.port)) == {FACTORY, ADMINISTRATION, "rmimom.topic.quakes"}
        assert known(uri.port) == {}
    finally:
        daemon.shutdown()
        thread.join(10)
        daemon.close()


def test_a_name_server_that_forgot_everything_is_told_again(
    names: EmbeddedNameServer, caplog: pytest.LogCaptureFixture
) -> None:
    with registrar(names.port) as ours:
        ours.add([Topic("quakes")])
        ours.start()
        ours.wait_settled(10)
        call(names.port, lambda proxy: proxy.remove(prefix="rmimom."))
        wait_for(lambda: len(known(names.port)) == 3, "names")
    assert [record.message for record in caplog.records if "forgot" in record.message] == [
        f"the name server at 127.0.0.1:{names.port} forgot our names: registering again"
    ]


def test_a_single_name_that_somebody_took_away_comes_back(
    names: EmbeddedNameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rmimom.listeners.registrar.CHECKS_UNTIL_FULL", 3)
    with registrar(names.port) as ours:
        ours.add([Topic("quakes")])
        ours.start()
        ours.wait_settled(10)
        call(names.port, lambda proxy: proxy.remove("rmimom.topic.quakes"))
        wait_for(lambda: "rmimom.topic.quakes" in known(names.port), "name")


def test_a_name_server_that_comes_late_or_goes_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rmimom")
    port = free_port()
    with registrar(port) as ours:
        ours.start()
        assert "Connection refused" in ours.wait_settled(10).trouble
        ours.add([Topic("quakes")])  # heard while it was away
        for _ in range(2):
            with start_embedded(port=port):
                wait_for(lambda: ours.statistics().complete, "registration")
                assert len(known(port)) == 3
            wait_for(lambda: not ours.statistics().complete, "trouble")
    texts = [record.message.partition(" (")[0] for record in caplog.records if record.name.endswith("registrar")]
    away, there = f"no name server answers at 127.0.0.1:{port}", "the names are registered in the name server at"
    # Once for each time that it went, and once for each time that it came.
    assert [text == away or text.startswith(there) for text in texts[:5]] == [True] * 5
    assert [text == away for text in texts[:5]] == [True, False, True, False, True]


def test_what_was_left_over_from_before_is_tidied(names: EmbeddedNameServer) -> None:
    old = f"PYRO:rmimom.topic.gone@{HERE}"
    foreign = "PYRO:rmimom.topic.theirs@127.0.0.1:2"
    call(names.port, lambda proxy: proxy.register("rmimom.topic.gone", old, metadata=["rmimom", "topic", "server:me"]))
    call(names.port, lambda proxy: proxy.register("rmimom.topic.theirs", foreign, metadata=["server:them"]))
    with registrar(names.port) as ours:
        ours.start()
        assert ours.wait_settled(10).complete
        assert set(known(names.port)) == {FACTORY, ADMINISTRATION, "rmimom.topic.theirs"}
    assert set(known(names.port)) == {"rmimom.topic.theirs"}


def test_names_that_point_elsewhere_by_now_stay_at_the_stop(names: EmbeddedNameServer) -> None:
    with registrar(names.port, check=60) as ours:
        ours.add([Topic("quakes")])
        ours.start()
        ours.wait_settled(10)
        moved = "PYRO:rmimom.topic.quakes@127.0.0.1:2"
        call(names.port, lambda proxy: proxy.register("rmimom.topic.quakes", moved, metadata=["server:me"]))
    assert set(known(names.port)) == {"rmimom.topic.quakes"}


def test_names_are_not_taken_from_a_server_that_answers(
    names: EmbeddedNameServer, caplog: pytest.LogCaptureFixture
) -> None:
    with Pyro5.api.Daemon() as daemon:
        uri = daemon.register(OtherFactory(), FACTORY)
        thread = threading.Thread(target=daemon.requestLoop, daemon=True)
        thread.start()
        call(names.port, lambda proxy: proxy.register(FACTORY, uri, metadata=["server:them"]))
        with registrar(names.port) as ours:
            ours.start()
            ours.wait_settled(10)
            assert isinstance(ours.trouble, NamesTakenError)
            assert f"another server, which answers: {uri}" in str(ours.trouble)
            # It is not taken later either, only told about once.
            wait_for(lambda: ours.statistics().trouble, "trouble")
            assert known(names.port)[FACTORY][0] == str(uri)
        assert set(known(names.port)) == {FACTORY}
        with registrar(names.port) as ours:
            ours.start()
            ours.wait_settled(10)
            daemon.shutdown()
            thread.join(10)
            daemon.close()
            wait_for(lambda: ours.statistics().complete, "registration")
            assert known(names.port)[FACTORY][0] == f"PYRO:{FACTORY}@{HERE}"
    assert len([record for record in caplog.records if "belong to another server" in record.message]) == 2


@pytest.mark.parametrize(
    "uri", [f"PYRO:{FACTORY}@127.0.0.1:2", f"PYRO:{FACTORY}@localhost:1", f"PYRO:{FACTORY}@{HERE}"]
)
def test_names_of_the_dead_are_replaced(uri: str, names: EmbeddedNameServer) -> None:
    # Port 1 is our own: whoever answers there is us, whatever the old metadata says.
    call(names.port, lambda proxy: proxy.register(FACTORY, uri, metadata=["server:them"]))
    with registrar(names.port) as ours:
        ours.start()
        assert ours.wait_settled(10).complete
        assert known(names.port)[FACTORY] == (f"PYRO:{FACTORY}@{HERE}", {"rmimom", "factory", "server:me"})


def test_thousands_of_names_take_few_calls(names: EmbeddedNameServer) -> None:
    with registrar(names.port, check=60) as ours:
        ours.add(Topic(f"{'ü' * 200}.{number}") for number in range(3000))
        ours.start()
        assert ours.wait_settled(60).complete
        assert names.count == 3002
    assert names.count == 0


class OtherFactory:
    """The factory of another server."""

    @Pyro5.api.expose
    def create_connection(self) -> None:
        """Nobody calls this."""


class StrangeNameServer:
    """Answers every question, with nonsense."""

    @Pyro5.api.expose
    def lookup(self, name: str, return_metadata: bool = False) -> object:
        """Not a pair."""
        del name, return_metadata
        return 7


def test_a_name_server_that_talks_nonsense_is_trouble_and_no_more() -> None:
    with Pyro5.api.Daemon() as daemon:
        daemon.register(StrangeNameServer(), "Pyro.NameServer")
        thread = threading.Thread(target=daemon.requestLoop, daemon=True)
        thread.start()
        with registrar(int(daemon.locationStr.rpartition(":")[2])) as ours:
            ours.start()
            assert ours.wait_settled(10).trouble
        daemon.shutdown()
        thread.join(10)


def test_a_name_server_that_hangs_holds_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ours = Registrar(("127.0.0.1", port), HERE, "me", call=0.1)
        ours.start()
        assert "timed out" in ours.wait_settled(10).trouble or "timeout" in ours.wait_settled(10).trouble
        ours.stop(10)
        assert not nameserver_answers(("127.0.0.1", port), timeout=0.1)


def test_whether_a_name_server_answers(names: EmbeddedNameServer) -> None:
    assert nameserver_answers(("127.0.0.1", names.port))
    assert not nameserver_answers(("127.0.0.1", free_port()))


def test_stopping_one_that_never_started_is_harmless() -> None:
    ours = Registrar(("127.0.0.1", 1), HERE, "me")
    ours.stop(1)
    ours.stop(1)


NAMES = st.sampled_from([FACTORY, ADMINISTRATION, "rmimom.topic.a", "rmimom.topic.b", "rmimom.queue.c"])
OURS = frozenset({"rmimom", "server:me"})
REGISTRATIONS = st.builds(
    Registration, st.sampled_from(["here", "there"]), st.sampled_from([OURS, frozenset({"server:x"})])
)


@given(
    st.dictionaries(NAMES, REGISTRATIONS),
    st.dictionaries(NAMES, st.builds(Registration, st.just("here"), st.just(OURS))),
)
def test_a_plan_leads_to_what_is_wanted_and_touches_nothing_else(
    found: dict[str, Registration], wanted: dict[str, Registration]
) -> None:
    todo = plan(found, wanted, "server:me")
    after = {name: has for name, has in found.items() if name not in todo.remove}
    after |= {name: wanted[name] for name in todo.register}
    assert {name: after[name] for name in wanted} == wanted
    left_over = set(after) - set(wanted)
    assert all("server:me" not in after[name].metadata for name in left_over)
    assert {name for name in found if name not in wanted and "server:me" not in found[name].metadata} == left_over
    # Nothing is done twice, and nothing that is right is done at all.
    assert plan(after, wanted, "server:me") == ([], [])
    assert FACTORY not in todo.register[:-1]
