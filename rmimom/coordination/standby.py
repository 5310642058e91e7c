"""The object of a server that the other servers of its cluster call.

To the active it is the callback object (IClientRMI) of a subscriber of the coordination topic: what comes is put on
disk before the call is answered, so the answer is the acknowledgement.  Everybody else may tell which configuration is
decided, or ask for consent to one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

import msgspec

from rmimom.cluster.configuration import Configuration, LogPosition
from rmimom.cluster.events import ConsentAsked, ConsentGiven, Event, Stored, Told
from rmimom.coordination.key import ServerLogin
from rmimom.coordination.link import ANNOTATION
from rmimom.coordination.shipment import unpack
from rmimom.errors import IllegalStateError, JMSSecurityError, MessageFormatError, StoreDamagedError, StoreVersionError
from rmimom.follower import Follower
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.peer import Peer
from rmimom.rmi.exposure import expose

log = logging.getLogger(__name__)

SERVER_PREFIX = "rmimom.server."
"""What the object's id begins with; the id of the server follows."""


class Following(Protocol):
    """What the object asks of the server's coordinator."""

    @property
    def follower(self) -> Follower:
        """Where the log goes."""
        ...

    @property
    def follows(self) -> str:
        """The id of the server that it takes batches from; empty if it takes none."""
        ...

    async def learn(self, event: Event) -> None:
        """Let the member of the cluster know, and wait until what follows from it at once is done."""
        ...

    async def acknowledgement(self, position: LogPosition) -> None:
        """Wait for the leave to say that the disk has the log up to here; raises IllegalStateError if there is none."""
        ...

    def correct(self, server: str) -> None:
        """A server believes that it is active, and this one does not: tell it what is decided."""
        ...

    def give_up(self, error: BaseException) -> None:
        """This server cannot follow with what it is."""
        ...

    def link_lost(self) -> None:
        """The active has closed the connection on which it ships."""
        ...


class ServerObject:
    """See the module's text; `directory` is where copies are put together."""

    def __init__(self, server_id: str, following: Following, directory: Path) -> None:
        self._id = server_id
        self._following = following
        self._path = directory / "copy"
        self._source: Peer | None = None
        self._copy: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._expected = 0
        self.busy = asyncio.Lock()
        """Held while something is on its way to the disk."""

    @property
    def is_served(self) -> bool:
        """Whether an active has a connection on which it ships."""
        return self._source is not None

    @expose
    def get_client_id(self) -> str:
        """Whose object this is."""
        return self._id

    @expose
    async def new_message(self, message: Mapping[str, object]) -> None:
        """Take news: {"told": configuration}, {"asked": configuration, "given": ids}, {"consented": configuration}."""
        server = _login().server
        try:
            if "told" in message:
                event: Event = Told(_configuration(message["told"]))
            elif "asked" in message:
                given = msgspec.convert(message.get("given"), tuple[str, ...])
                event = ConsentAsked(_configuration(message["asked"]), given)
            else:
                event = ConsentGiven(_configuration(message.get("consented")), server)
        except msgspec.ValidationError as error:
            raise MessageFormatError(f"this is no news of a cluster: {error}") from None
        await self._following.learn(event)

    @expose
    async def begin(self, configuration: object) -> tuple[int, int]:
        """The active that this server subscribed to is there: from now on only this connection counts.

        A server that knows better, because it holds a later configuration, says so by `new_message` and refuses.
        """
        peer, server = current_call().peer, _login().server
        await self._following.learn(Told(_configuration(configuration)))
        if self._following.follows != server:
            self._following.correct(server)
            raise IllegalStateError(f"server {self._id} does not follow {server}", server=server)
        async with self.busy:
            self._source = peer
            self._end_copy()
            peer.on_close(lambda: self._closed(peer))
            await self._following.follower.warm_up()
            return self._position()

    def _closed(self, peer: Peer) -> None:
        if self._source is peer:
            self._source = None
            self._end_copy()
            self._following.link_lost()

    @expose
    async def new_messages(self, sequence: int) -> tuple[int, int]:
        """Take batches of the log; answers where it ends, on disk.  Without batches it says: I still follow."""
        call = current_call()
        self._check(call.peer)
        follower = self._following.follower
        async with self.busy:
            self._check(call.peer)
            self._check_following()
            shipment = call.annotations.get(ANNOTATION, b"")
            for batch in unpack(shipment):
                await follower.append(batch)
            if shipment and follower.position.sequence != sequence:
                raise MessageFormatError(f"the shipment ends with batch {follower.position.sequence}, not {sequence}")
            position = self._position()
        await self._following.acknowledgement(LogPosition(*position))
        return position

    @expose
    async def begin_copy(self, size: int) -> tuple[int, int]:
        """A copy of so many bytes follows, in place of everything that is here."""
        self._check(current_call().peer)
        async with self.busy:
            self._end_copy()
            self._copy = await asyncio.to_thread(_create, self._path)
            self._digest = hashlib.sha256()
            self._expected = size
            log.info("a copy of %d bytes begins to come", size)
            return self._position()

    @expose
    async def copy_piece(self, offset: int) -> tuple[int, int]:
        """A piece of the copy, as annotation."""
        call = current_call()
        self._check(call.peer)
        async with self.busy:
            copy = self._copy
            piece = bytes(call.annotations.get(ANNOTATION, b""))
            if copy is None or copy.tell() != offset:
                raise IllegalStateError("this is not the piece that comes next; begin the copy again")
            self._digest.update(piece)
            await asyncio.to_thread(copy.write, piece)
            return self._position()

    @expose
    async def end_copy(self, digest: str) -> tuple[int, int]:
        """The copy is whole: use it.  Raises StoreDamagedError if it is not what was sent."""
        self._check(current_call().peer)
        async with self.busy:
            copy, self._copy = self._copy, None
            if copy is None:
                raise IllegalStateError("no copy was begun")
            size = copy.tell()
            copy.close()
            if size != self._expected or self._digest.hexdigest() != digest:
                self._path.unlink(missing_ok=True)
                raise StoreDamagedError(
                    f"the copy was damaged on its way: {size} of {self._expected} bytes came, and the checksum is "
                    f"{'right' if self._digest.hexdigest() == digest else 'wrong'}",
                    path=str(self._path),
                )
            try:
                self._check_following()
                await self._following.follower.replace_by(self._path)
            except StoreVersionError as error:
                # The next copy would be as new as this one.
                log.critical("the active server is of a newer version; update this one first: %s", error)
                self._following.give_up(error)
                raise
            finally:
                self._path.unlink(missing_ok=True)
            position = self._position()
            log.info("the copy is in place, up to batch %d", position[1])
            # If nothing is decided from now on, no batch will say where our log ends.
            await self._following.learn(Stored(LogPosition(*position)))
            return position

    def _end_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()
            self._path.unlink(missing_ok=True)

    def _check_following(self) -> None:
        """Raise IllegalStateError if the log stands still: where it ends may have been promised by now (rule 3)."""
        if not self._following.follows:
            raise IllegalStateError("this server does not follow any more")

    def _check(self, peer: Peer) -> None:
        if peer is not self._source:
            raise IllegalStateError("another connection of the active was made, or this server does not follow it")

    def _position(self) -> tuple[int, int]:
        position = self._following.follower.position
        return position.epoch, position.sequence


def _create(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    return path.open("xb")


def _login() -> ServerLogin:
    user = current_call().peer.user
    if not isinstance(user, ServerLogin):
        raise JMSSecurityError("only servers of the cluster may call this; they show the cluster key")
    return user


def _configuration(plain: object) -> Configuration:
    try:
        return msgspec.convert(plain, Configuration)
    except msgspec.ValidationError as error:
        raise MessageFormatError(f"this is no configuration: {error}") from None
