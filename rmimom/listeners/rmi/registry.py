"""The objects that can be called, by their ids; one of them, Pyro.Daemon, tells about the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from Pyro5.core import DAEMON_NAME
from Pyro5.errors import DaemonError, PyroError

import rmimom
from rmimom.errors import ConfigurationError, ResourceAllocationError
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.peer import SECRET_PREFIX, Peer
from rmimom.rmi.exposure import Exposure, expose, exposure_of

MAX_STREAMS: Final = 100
"""Item streams that one peer may have open."""


class ObjectRegistry:
    """Objects by id.  Not for several threads: the event loop owns it."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[object, Exposure]] = {}
        self.streams = Streams()
        self.register(DAEMON_NAME, DaemonObject(self))

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._objects

    def register(self, object_id: str, obj: object) -> None:
        """Let `obj` be called under `object_id`.

        Raises TypeError if the object is a class or exposes nothing, ConfigurationError if the id is taken or is not a
        word that can stand in a URI.
        """
        if isinstance(obj, type):
            raise TypeError(f"register an object, not the class {obj.__qualname__}")
        if not object_id or any(c.isspace() or c == "@" for c in object_id):
            raise ConfigurationError(f"{object_id!r} cannot be an object id: no blanks and no @", object_id=object_id)
        if object_id in self._objects:
            raise ConfigurationError(f"the object id {object_id!r} is taken", object_id=object_id)
        self._objects[object_id] = (obj, exposure_of(obj))

    def unregister(self, object_id: str) -> None:
        """Forget the object; calls under way go on.  Harmless for an unknown id."""
        if object_id != DAEMON_NAME:
            self._objects.pop(object_id, None)

    def lookup(self, object_id: str) -> tuple[object, Exposure]:
        """The object and what it exposes; raises DaemonError("unknown object") as Pyro5 does."""
        found = self._objects.get(object_id)
        if found is None:
            raise DaemonError("unknown object")
        return found

    def public_ids(self) -> list[str]:
        """The ids that anybody may know."""
        return [object_id for object_id in self._objects if not object_id.startswith(SECRET_PREFIX)]


class Streams:
    """Iterators that methods returned: their items are fetched one by one with calls of Pyro.Daemon.

    A stream belongs to the connection that got it and ends with it.  (In Pyro5 it can outlive its connection for half a
    minute; our proxies do not come back for one.)
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[Peer, Iterator[object]]] = {}
        self._of_peer: dict[Peer, set[str]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, peer: Peer, items: Iterator[object]) -> str:
        """Keep the iterator and return the stream's id; raises ResourceAllocationError if the peer has too many."""
        mine = self._of_peer.get(peer)
        if mine is None:
            mine = self._of_peer[peer] = set()
            peer.on_close(lambda: self._forget(peer))
        if len(mine) >= MAX_STREAMS:
            raise ResourceAllocationError(
                f"{MAX_STREAMS} item streams are open on this connection: read or close some first", limit=MAX_STREAMS
            )
        stream = str(uuid4())
        mine.add(stream)
        self._open[stream] = (peer, items)
        return stream

    def next_item(self, peer: Peer, stream: str) -> object:
        """The next item; raises StopIteration at the end, PyroError for a stream that is not open for this peer."""
        owner, items = self._open.get(stream, (None, iter(())))
        if owner is not peer:
            raise PyroError("item stream terminated")
        try:
            return next(items)
        except BaseException:
            self.close(stream)
            raise

    def close(self, stream: str) -> None:
        """End a stream.  Its id is a secret of its peer, who closes it over a second connection at times."""
        owner, _ = self._open.pop(stream, (None, None))
        if owner is not None and owner in self._of_peer:
            self._of_peer[owner].discard(stream)

    def _forget(self, peer: Peer) -> None:
        for stream in self._of_peer.pop(peer, ()):
            self._open.pop(stream, None)


@expose
class DaemonObject:
    """What a proxy expects under the id Pyro.Daemon."""

    def __init__(self, registry: ObjectRegistry) -> None:
        self._registry = registry

    def registered(self) -> list[str]:
        """The ids of the registered objects, without those that are keys."""
        return self._registry.public_ids()

    def ping(self) -> None:
        """Answer."""

    def info(self) -> str:
        """One line about this server."""
        return f"rmimom/{rmimom.__version__}, {len(self._registry.public_ids())} objects registered"

    def get_metadata(self, objectId: str) -> dict[str, set[str]]:  # noqa: N803 - the name is part of the protocol
        """The exposed members of an object."""
        return self._registry.lookup(objectId)[1].metadata

    def get_next_stream_item(self, streamId: str) -> object:  # noqa: N803 - the name is part of the protocol
        """The next item of a stream."""
        return self._registry.streams.next_item(current_call().peer, streamId)

    def close_stream(self, streamId: str) -> None:  # noqa: N803 - the name is part of the protocol
        """End a stream before its end."""
        self._registry.streams.close(streamId)
