"""Active and standby as real processes that are killed under load, judged by what their clients saw."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import Pyro5.api
import pytest
from support.cluster import Cluster, cluster, status, wait_active, wait_in_sync
from support.load import WORK, Witness, receiver
from support.processes import TIME_LIMIT, ServerProcess, start_name_server, start_server, wait_for

from rmimom import ConnectionFactory
from rmimom.admin_token import read_token
from rmimom.destination import CLUSTER_NAME
from rmimom.rmi.exceptions import register_errors

pytestmark = pytest.mark.timeout(400)

PRODUCERS = ("a", "b")
CONSUMERS = ("x", "y")
DRAINED = 240.0
"""Seconds for consumers to take what producers sent while servers started, on a machine that does much else."""
BETWEEN_FAULTS = 60
"""Confirmed sends of every producer from one fault to the next."""


class Work:
    """Producers and consumers at the queue, which write down what they see."""

    def __init__(self, factory: ConnectionFactory, pool: ThreadPoolExecutor) -> None:
        self.witness = Witness(factory, "callback")
        self._producing: list[Future[None]] = [pool.submit(self.witness.produce, name, WORK) for name in PRODUCERS]
        self._consuming: list[Future[None]] = [
            pool.submit(self.witness.consume, name, WORK, receiver) for name in CONSUMERS
        ]

    def go_on(self, enough: int = BETWEEN_FAULTS) -> None:
        """Wait until every producer has so many more sends confirmed."""
        before = dict(self.witness.confirmed)

        def more() -> bool:
            self._look()
            return all(self.witness.has_confirmed([name], before.get(name, 0) + enough) for name in PRODUCERS)

        wait_for(more, "confirmed sends")

    def _look(self) -> None:
        for future in (*self._producing, *self._consuming):
            if future.done():
                future.result()

    def finish(self, server: ServerProcess) -> None:
        """Send no more, take all that is left from this server, and judge."""
        self.witness.killing_is_over.set()
        for future in self._producing:
            future.result(TIME_LIMIT)
        wait_for(lambda: status(server).get("pending") == 0, "end of the work", DRAINED)
        self.end()
        for future in self._consuming:
            future.result(TIME_LIMIT)
        self.witness.judge()

    def end(self) -> None:
        """Let everybody go."""
        self.witness.killing_is_over.set()
        self.witness.all_is_done.set()


@contextmanager
def work(servers: Cluster) -> Iterator[Work]:
    """Two producers and two consumers at work."""
    with ThreadPoolExecutor(4) as pool:
        under_way = Work(servers.factory(), pool)
        try:
            yield under_way
        finally:
            under_way.end()


def test_the_active_is_killed_under_load_and_comes_back_as_a_standby(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        with work(servers) as load:
            load.go_on()
            first.kill()
            load.witness.fault("crash")
            wait_active(second)
            load.go_on()
            again = servers.standby("one")
            assert again.server_id == first.server_id
            wait_in_sync(second, again)
            load.go_on()
            load.finish(second)


def test_a_paused_active_confirms_nothing_when_it_wakes_and_follows_the_new_one(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        with work(servers) as load:
            load.go_on()
            first.pause()
            load.witness.fault("pause")
            wait_active(second)
            # What its clients have under way is in its sockets: it finds it there when it wakes.
            first.resume()
            first.wait_logged("this server is active no more")
            wait_in_sync(second, first)
            assert first.process.poll() is None
            assert status(first) == {}
            assert status(second)["role"] == "active"
            load.go_on()
            load.finish(second)
        # It has a copy that it can serve from.
        second.kill()
        assert wait_active(first)["epoch"] > second.facts["epoch"]


def test_the_active_goes_on_alone_when_the_standby_is_killed(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        with work(servers) as load:
            load.go_on()
            second.kill()
            load.witness.fault("crash of the standby")
            wait_in_sync(first)
            load.go_on()
            again = servers.standby("two")
            wait_in_sync(first, again)
            load.go_on()
            load.finish(first)
        assert status(first)["epoch"] == first.facts["epoch"]


def switch_over(active: ServerProcess) -> None:
    """Let its standby become active."""
    register_errors()
    token = read_token(active.data)
    assert token is not None
    with Pyro5.api.Proxy(active.uri(CLUSTER_NAME)) as proxy:
        proxy._pyroTimeout = TIME_LIMIT
        proxy._pyroHandshake = {"user": token.user, "password": token.password}
        proxy.switchover()


def test_after_a_switchover_the_old_active_comes_back_by_the_log(tmp_path: Path) -> None:
    """Both logs end at the same place, so nothing is copied, whatever clients do meanwhile."""
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        copies = first.log.count("gets a copy")
        with work(servers) as load:
            active, other = first, second
            for _ in range(3):
                load.go_on()
                switch_over(active)
                load.witness.fault("switchover")
                active, other = other, active
                wait_active(active)
                wait_in_sync(active, other)
            load.go_on()
            load.finish(active)
        assert (first.log + second.log).count("gets a copy") == copies


def test_a_rolling_restart_costs_nothing(tmp_path: Path) -> None:
    """Given an active that is asked to stop, then it hands over first: no heartbeat is missed, nothing is copied."""
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        with work(servers) as load:
            load.go_on()
            assert first.stop() == 0
            load.witness.fault("stop")
            assert "handed over" in first.log
            assert wait_active(second)["coordination"]["configuration"]["why"] == f"handed over by {first.server_id}"
            load.go_on()
            again = servers.standby("one")
            wait_in_sync(second, again)
            load.go_on()
            assert second.stop() == 0
            load.witness.fault("stop")
            assert wait_active(again)["coordination"]["configuration"]["why"] == f"handed over by {second.server_id}"
            load.go_on()
            load.finish(again)
        for server in (second, again):
            assert "is suspected" not in server.log
            assert "gets a copy" not in server.log


def test_an_active_that_is_alone_or_told_so_stops_without_handing_over(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first = servers.active("one", "--handover-timeout", "0")
        second = servers.standby("two")
        wait_in_sync(first, second)
        assert first.stop() == 0
        assert "handed over" not in first.log
        # The standby does what it does when the active is gone.
        wait_active(second)
        assert second.stop() == 0
        assert "handed over" not in second.log


def test_three_servers_survive_two_failures_in_a_row(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        third = servers.standby("three")
        wait_in_sync(first, second, third)
        alive = [second, third]
        with work(servers) as load:
            active = first
            for _ in range(2):
                load.go_on()
                active.kill()
                load.witness.fault("crash")
                active = wait_for(lambda: next((one for one in alive if status(one)), None), "active server")
                wait_active(active)
                alive.remove(active)
                wait_in_sync(active, *alive)
            load.go_on()
            load.finish(active)


def test_a_pair_goes_on_when_the_name_server_forgets_everything(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        with work(servers) as load, ExitStack() as stack:
            load.go_on()
            port = servers.names.port
            servers.names.kill()
            load.witness.fault("the name server forgets")
            load.go_on()
            servers.names = stack.enter_context(start_name_server(port=port))
            load.go_on()
            held = status(first)["coordination"]["configuration"]["number"]

            def known_again() -> bool:
                with servers.names.proxy() as proxy:
                    numbers = [int(name.rpartition(".")[2]) for name in proxy.list(prefix="rmimom.cluster.rmimom.")]
                return bool(max(numbers, default=0) >= held)

            wait_for(known_again, "configuration in the name server")
            wait_in_sync(first, second)
            # What is known again is enough to take over.
            first.kill()
            load.witness.fault("crash")
            wait_active(second)
            load.go_on()
            load.finish(second)


def test_a_second_active_is_refused(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first = servers.active("one")
        code, log = servers.refused("--active", "two")
        assert code == 4
        assert f"server {first.server_id} at {first.location} is active in cluster rmimom" in log
        assert "--standby" in log
        assert status(first)["role"] == "active"


def test_an_active_that_was_superseded_stands_by_whatever_it_is_started_as(tmp_path: Path) -> None:
    """So a service file may say --active for ever."""
    with cluster(tmp_path) as servers:
        first, second = servers.pair()
        first.kill()
        wait_active(second)
        again = servers.active("one")
        wait_in_sync(second, again)
        assert f"the active server is at {second.location}" in again.log
        assert "is a standby of rmimom" in again.output
        second.kill()
        wait_active(again)


def test_a_standby_with_data_of_another_server_is_refused(tmp_path: Path) -> None:
    with start_server(tmp_path / "alone", nameserver="none") as alone:
        pass
    (tmp_path / "other").mkdir()
    with cluster(tmp_path / "other") as others:
        others.active("member").stop()
    with cluster(tmp_path) as servers:
        first = servers.active("one")
        code, log = servers.refused("--standby", "alone")
        assert (code, "data of another server" in log) == (3, True), log
        for role in ("--standby", "--active"):
            code, log = servers.refused(role, "other/member")
            assert (code, "knows another cluster named rmimom" in log) == (3, True), log
            assert str(tmp_path / "other" / "member") in log
        assert status(first)["coordination"]["configuration"]["members"] == (first.server_id,)
        assert alone.server_id != first.server_id


def test_a_standby_opens_stomp_when_it_becomes_active(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with cluster(tmp_path) as servers:
        first = servers.active("one", "--stomp", "127.0.0.1:0")
        second = servers.standby("two", "--stomp", f"127.0.0.1:{port}")
        wait_in_sync(first, second)
        assert first.stomp_port
        assert "stomp" not in second.facts["stomp"]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        first.kill()
        wait_active(second)
        with socket.create_connection(("127.0.0.1", port), TIME_LIMIT) as client:
            client.sendall(b"CONNECT\naccept-version:1.2\nhost:test\n\n\0")
            answer = client.recv(1000)
        assert answer.startswith(b"CONNECTED\n")
        epoch = status(second)["epoch"]
        for line in (f"x-rmimom-server-id:{second.server_id}", f"x-rmimom-epoch:{epoch}"):
            assert f"\n{line}\n".encode() in answer


def test_a_standby_joins_under_load_without_stopping_the_active(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        first = servers.active("one")
        with work(servers) as load:
            load.go_on()
            second = servers.standby("two")
            wait_in_sync(first, second)
            assert "the copy is in place" in second.log
            load.go_on()
            first.kill()
            load.witness.fault("crash")
            wait_active(second)
            load.go_on()
            load.finish(second)
