"""The register of objects and the streams of their results."""

from __future__ import annotations

import pytest
from Pyro5.errors import DaemonError, PyroError
from support.rmi import Thing

from rmimom.errors import ConfigurationError, ResourceAllocationError
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import MAX_STREAMS, ObjectRegistry


class Line:
    def shut(self, reason: str) -> None: ...


def peer() -> Peer:
    return Peer(Line(), ("127.0.0.1", 1))


def test_an_object_is_found_while_it_is_registered() -> None:
    registry, thing = ObjectRegistry(), Thing()
    registry.register("thing", thing)
    assert registry.lookup("thing")[0] is thing
    assert "thing" in registry
    assert len(registry) == 2
    registry.unregister("thing")
    registry.unregister("thing")
    assert "thing" not in registry
    with pytest.raises(DaemonError, match="unknown object"):
        registry.lookup("thing")


def test_the_daemon_object_is_always_there() -> None:
    registry = ObjectRegistry()
    registry.unregister("Pyro.Daemon")
    assert "Pyro.Daemon" in registry


def test_keys_are_not_told() -> None:
    registry = ObjectRegistry()
    registry.register("rmimom.connection.abc", Thing())
    registry.register("rmimom.topic.quakes", Thing())
    assert registry.public_ids() == ["Pyro.Daemon", "rmimom.topic.quakes"]


def test_an_id_is_given_once() -> None:
    registry = ObjectRegistry()
    with pytest.raises(ConfigurationError, match=r"'Pyro\.Daemon' is taken"):
        registry.register("Pyro.Daemon", Thing())


@pytest.mark.parametrize("object_id", ["", "two words", "a@b", "line\nbreak"])
def test_an_id_must_fit_into_a_uri(object_id: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be an object id"):
        ObjectRegistry().register(object_id, Thing())


@pytest.mark.parametrize("thing", [Thing, object(), 5])
def test_only_objects_that_expose_something_are_registered(thing: object) -> None:
    with pytest.raises(TypeError):
        ObjectRegistry().register("thing", thing)


def test_a_stream_gives_its_items_to_its_peer_only() -> None:
    streams, mine, other = ObjectRegistry().streams, peer(), peer()
    stream = streams.open(mine, iter([1, 2]))
    assert streams.next_item(mine, stream) == 1
    with pytest.raises(PyroError, match="terminated"):
        streams.next_item(other, stream)
    assert streams.next_item(mine, stream) == 2
    with pytest.raises(StopIteration):
        streams.next_item(mine, stream)
    with pytest.raises(PyroError, match="terminated"):
        streams.next_item(mine, stream)
    assert len(streams) == 0


def test_a_stream_that_fails_is_over() -> None:
    streams, mine = ObjectRegistry().streams, peer()
    stream = streams.open(mine, (1 // n for n in (1, 0, 1)))
    assert streams.next_item(mine, stream) == 1
    with pytest.raises(ZeroDivisionError):
        streams.next_item(mine, stream)
    assert len(streams) == 0


def test_streams_end_with_their_peer() -> None:
    streams, mine, other = ObjectRegistry().streams, peer(), peer()
    for owner in (mine, mine, other):
        streams.open(owner, iter(()))
    mine.connection_lost()
    assert len(streams) == 1


def test_a_peer_has_a_limited_number_of_streams() -> None:
    streams, mine = ObjectRegistry().streams, peer()
    opened = [streams.open(mine, iter(())) for _ in range(MAX_STREAMS)]
    with pytest.raises(ResourceAllocationError, match="read or close some"):
        streams.open(mine, iter(()))
    streams.close(opened[0])
    streams.close(opened[0])
    streams.open(mine, iter(()))
    assert len(streams) == MAX_STREAMS
