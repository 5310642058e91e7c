"""A server and its name server, both as real processes: away, late, forgetful, and none at all."""

from __future__ import annotations

from pathlib import Path

import Pyro5.api
import pytest
from support.commands import free_port, run_command
from support.processes import ServerProcess, start_name_server, start_server, wait_for

from rmimom.errors import JMSSecurityError
from rmimom.nameserver.embedded import start_embedded
from rmimom.rmi.exceptions import register_errors
from rmimom.server import naming

FIRST_NAMES = {"rmimom.ConnectionFactory", "rmimom.Administration"}


def create(server: ServerProcess, kind: str, name: str) -> None:
    """Create a queue or topic by administration, which needs no name server."""
    with server.administration() as administration:
        administration.create(kind, name)


def test_whoever_finds_a_name_can_use_the_object(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        create(server, "queue", "work")
        wait_for(lambda: "rmimom.queue.work" in names.names(), "name")
        with names.proxy() as proxy:
            uri, tags = proxy.lookup("rmimom.queue.work", return_metadata=True)
            chain = next(tag for tag in tags if tag.startswith("epoch:"))
            assert chain.endswith(f":{server.facts['epoch']}")
            assert set(tags) == {"rmimom", "queue", f"server:{server.facts['server_id']}", chain}
            assert set(proxy.yplookup(meta_all={"rmimom", "factory"})) == {"rmimom.ConnectionFactory"}
        with Pyro5.api.Proxy(uri) as queue:
            assert queue.send({"body": "hello"}, "somebody")


def test_destinations_are_registered_again_after_a_crash_elsewhere(tmp_path: Path) -> None:
    with start_name_server() as names:
        with start_server(tmp_path / "data", nameserver=names.location) as server:
            create(server, "topic", "news")
            wait_for(lambda: len(names.names()) == 3, "names")
            server.kill()
        with start_server(tmp_path / "data", nameserver=names.location) as server:
            assert names.names() == {name: server.uri(name) for name in FIRST_NAMES | {"rmimom.topic.news"}}
            assert "               rmimom.topic.news\n" in server.output


def test_a_name_server_that_is_away_at_the_start(tmp_path: Path) -> None:
    """Whoever was alone in its cluster before needs no leave to go on; only the very first start does."""
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location):
        pass
    # An address of another machine, where nothing can be started by us, and nothing answers.
    with start_server(tmp_path / "data", nameserver="192.0.2.1:9") as server:
        assert "  name server  192.0.2.1:9 does not answer; the server tries again until it does\n" in server.output
        assert "no name server answers at 192.0.2.1:9" in server.log
        assert server.log.count("the server goes on and will try again") == 1
        create(server, "queue", "work")
        assert server.stop() == 0


def test_a_name_server_that_goes_and_comes_back_empty(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        with Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory:
            factory.create_connection("a", "b")
            names.kill()
            server.wait_logged(f"no name server answers at {names.location}")
            factory.create_connection("a", "b")  # those who are connected notice nothing
            create(server, "queue", "work")
        with start_name_server(port=names.port) as new:
            wait_for(lambda: set(new.names()) == FIRST_NAMES | {"rmimom.queue.work"}, "names")
            server.wait_logged(f"the names are registered in the name server at {names.location} now")
            assert server.stop() == 0
            assert new.names() == {}
        assert server.log.count("no name server answers at") == 1


def test_a_name_server_that_forgets_while_it_runs(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        with names.proxy() as proxy:
            proxy.remove(prefix="rmimom.")
        wait_for(lambda: set(names.names()) == FIRST_NAMES, "names")
        server.wait_logged("forgot our names: registering again")


def test_a_name_server_that_is_missing_on_this_machine_is_started(tmp_path: Path) -> None:
    data, location = tmp_path / "data", f"127.0.0.1:{free_port()}"
    with start_server(data, nameserver=location) as server:
        kept = data / "nameserver.sqlite"
        assert f"  name server  {location}, started here because none answered; names kept in {kept}\n" in server.output
        assert (
            f"no name server answered at 127.0.0.1 port {location.rpartition(':')[2]}: started one here" in server.log
        )
        with Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@{location}") as proxy:
            assert str(proxy.lookup("rmimom.ConnectionFactory")) == server.uri("rmimom.ConnectionFactory")
            proxy.register("somebody.else", "PYRO:x@127.0.0.1:1")
        assert server.stop() == 0
    with start_server(data, nameserver=location), Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@{location}") as proxy:
        assert {"Pyro.NameServer", "somebody.else", *FIRST_NAMES} <= set(proxy.list())


def test_one_that_answers_is_used_instead(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        assert "started" not in server.output
        assert set(names.names()) == FIRST_NAMES


def test_none_is_wanted(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", nameserver="none") as server:
        factory = server.uri("rmimom.ConnectionFactory")
        assert f"  name server  none: clients need the URI {factory}\n" in server.output


def test_the_names_of_a_living_server_are_not_taken(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "first", nameserver=names.location) as first:
        options = ("--active", "--port", 0, "--nameserver", names.location, "--data", tmp_path / "second")
        ended = run_command("rmimom.server_cli", *options, home=tmp_path)
        assert (ended.returncode, ended.stdout) == (4, "")
        told = f"server {first.facts['server_id']} at {first.location} is active in cluster rmimom"
        assert told in " ".join(ended.stderr.split())
        assert "start this server with --standby" in " ".join(ended.stderr.split())
        assert names.names() == {name: first.uri(name) for name in FIRST_NAMES}


def test_many_destinations(tmp_path: Path) -> None:
    with start_name_server() as names:
        with start_server(tmp_path / "data", nameserver=names.location) as server:
            with server.administration() as administration:
                batch = Pyro5.api.BatchProxy(administration)
                for number in range(200):
                    batch.create("queue", f"q{number}")
                list(batch())
            wait_for(lambda: len(names.names()) == 202, "names")
            assert server.stop() == 0
        assert names.names() == {}
        with start_server(tmp_path / "data", nameserver=names.location) as server:
            assert len(names.names()) == 202
            assert "               and 191 more\n" in server.output


def test_users_and_passwords_over_the_wire(tmp_path: Path) -> None:
    register_errors()
    with start_server(tmp_path / "data") as server:
        with Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory:
            factory.create_connection("anybody", "anything")
        with server.administration() as administration:
            administration.put_user("alice", "secret")
            administration.create("queue", "work")
        with Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory:
            factory.create_connection("alice", "secret")
            texts = set()
            for user, password in (("alice", "wrong"), ("bob", "secret"), (None, None)):
                with pytest.raises(JMSSecurityError) as caught:
                    factory.create_connection(user, password)
                texts.add(str(caught.value))
            assert texts == {"the user name or the password is wrong"}
        queue = Pyro5.api.Proxy(server.uri("rmimom.queue.work"))
        with queue, pytest.raises(JMSSecurityError, match="_pyroHandshake"):
            queue.send({"body": "x"}, "alice")
        with Pyro5.api.Proxy(server.uri("rmimom.queue.work")) as queue:
            queue._pyroHandshake = {"user": "alice", "password": "secret"}
            queue.send({"body": "x"}, "alice")
        with Pyro5.api.Proxy(server.uri("rmimom.queue.work")) as queue:
            queue._pyroHandshake = {"user": "alice", "password": "wrong"}
            with pytest.raises(Pyro5.errors.CommunicationError, match="the user name or the password is wrong"):
                queue.send({"body": "x"}, "alice")
        assert "secret" not in server.log + server.output


@pytest.mark.parametrize(
    "handshake",
    ["hello", None, {}, {"user": "admin"}, {"user": "admin", "password": 7}, {"user": "admin", "password": "admin"}],
)
def test_administration_always_needs_a_login(handshake: object, tmp_path: Path) -> None:
    register_errors()
    with start_server(tmp_path / "data") as server:
        with Pyro5.api.Proxy(server.uri("rmimom.Administration")) as administration:
            administration._pyroHandshake = handshake
            with pytest.raises((JMSSecurityError, Pyro5.errors.CommunicationError), match=r"login|wrong"):
                administration.status()
        # Nor is it reached over a proxy of another object.
        with Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as other:
            other._pyroHandshake = handshake
            other._pyroBind()
            with pytest.raises(JMSSecurityError, match="needs the login of an administrator"):
                other._pyroInvoke("status", (), {}, objectId="rmimom.Administration")


def test_which_addresses_are_this_machine() -> None:
    assert naming.is_this_machine("127.0.0.1")
    assert naming.is_this_machine("localhost")
    assert not naming.is_this_machine("192.0.2.1")
    assert not naming.is_this_machine("no.such.host.invalid")


def test_an_embedded_one_that_cannot_start_is_no_reason_to_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rmimom.nameserver.storage._LOCK_WAIT", 0.0)
    with start_embedded(port=0, storage=tmp_path / "nameserver.sqlite"):
        assert naming.embed_if_none_answers(("127.0.0.1", free_port()), tmp_path) is None
    assert "and none can be started here: another name server has" in caplog.text
