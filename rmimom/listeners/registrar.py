"""Keeps the names of the administered objects in the Pyro5 name server.

    destinations come and go ─► wanted names ─┐
                                              ├─► plan ─► register and remove, in batches
    what the name server has ─────────────────┘

Rule 1: the event loop never waits for the name server.  A thread of its own calls it, through a stock proxy with a
        time limit, and lets go of the proxy each time: a stock name server has a thread for each open one.
Rule 2: the factory's name stands for all.  It is registered last, so whoever finds it finds the rest, and it is what is
        looked up every few seconds: if it is gone, the name server forgot, and everything is registered again.
Rule 3: names are never taken from another server that answers.  A server that is dead or was this one is replaced.
        Servers of one cluster know better: names of an earlier epoch are taken, those of a later one never.
Rule 4: a name server that is away is told about once and tried again, later and later.  Clients that are connected
        notice nothing.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from Pyro5 import errors as pyro_errors
from Pyro5.client import BatchProxy, Proxy
from Pyro5.core import NAMESERVER_NAME, URI

from rmimom.destination import ADMINISTRATION_NAME, FACTORY_NAME, SYSTEM_PREFIX, Destination
from rmimom.errors import ConfigurationError

log = logging.getLogger(__name__)

OWNER: Final = "server:"
"""What the metadata tag begins with that names the server's id."""
EPOCH: Final = "epoch:"
"""What the tag begins with that names the chain of a cluster, and the epoch in it in which the server is active."""

CHECK: Final = 2.0
"""Seconds between looks at whether the name server still knows the factory."""
CHECKS_UNTIL_FULL: Final = 30
"""So many such looks, and all names are compared: somebody may have taken away a single one."""
CALL: Final = 5.0
"""Seconds that one call of the name server may take."""
PING: Final = 2.0
"""Seconds that another server has to show that it lives."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
"""Seconds before a name server that is away is tried again; doubled each time, between these two."""
BATCH_BYTES: Final = 64 * 1024
"""Names in one call, roughly, in bytes: our own name server takes requests of at most 256 KiB."""


class Registration(NamedTuple):
    """What stands behind a name."""

    uri: str
    metadata: frozenset[str]


class Plan(NamedTuple):
    """What has to be done so that the name server has what we want; names in the order to do it."""

    register: list[str]
    remove: list[str]


class RegistrarStatistics(msgspec.Struct, frozen=True):
    """How the registration is: `trouble` says why it is not complete, empty if it is."""

    nameserver: str
    wanted: int
    complete: bool
    trouble: str


class NamesTakenError(ConfigurationError):
    """Another server that answers has our names; they are not taken from it."""


def plan(found: Mapping[str, Registration], wanted: Mapping[str, Registration], owner: str) -> Plan:
    """What to do, given what the name server has under our prefix.

    Names that carry our own owner tag and are not wanted any more are left over from a deletion that the name server
    did not hear of.  The factory comes last (rule 2).
    """
    register = [name for name, registration in wanted.items() if found.get(name) != registration]
    register.sort(key=lambda name: name == FACTORY_NAME)
    remove = [name for name, registration in found.items() if owner in registration.metadata and name not in wanted]
    return Plan(register, remove)


class Registrar:
    """Registers the objects of one server in the name server at `address`; see the module's text for the rules.

    `location` is the `host:port` in our URIs.  The times are in seconds; tests shorten them.
    """

    def __init__(
        self,
        address: tuple[str, int],
        location: str,
        server_id: str,
        *,
        chain: str = "",
        epoch: int = 0,
        check: float = CHECK,
        first_pause: float = FIRST_PAUSE,
        call: float = CALL,
    ) -> None:
        host, port = address
        self._nameserver = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._location = location
        self._owner = OWNER + server_id
        self._chain = chain
        self._epoch = epoch
        self._check = check
        self._first_pause = first_pause
        self._call = call
        self._lock = threading.Condition()
        self._wanted: dict[str, Registration] = {}
        self._changed: set[str] = set()
        self._stopping = False
        self._settled = False
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="rmimom-registrar", daemon=True)
        for name, kind in ((FACTORY_NAME, "factory"), (ADMINISTRATION_NAME, "administration")):
            self._wanted[name] = self._registration(name, kind)

    def _registration(self, name: str, kind: str) -> Registration:
        tags = ["rmimom", kind, self._owner]
        if self._chain:
            tags.append(f"{EPOCH}{self._chain}:{self._epoch}")
        return Registration(f"PYRO:{name}@{self._location}", frozenset(tags))

    def add(self, destinations: Iterable[Destination]) -> None:
        """Have these queues and topics registered; returns at once."""
        with self._lock:
            for destination in destinations:
                name = destination.registered_name
                self._wanted[name] = self._registration(name, destination.kind)
                self._changed.add(name)
            self._lock.notify_all()

    def remove(self, destination: Destination) -> None:
        """Have the name of a queue or topic taken away; returns at once."""
        with self._lock:
            self._wanted.pop(destination.registered_name, None)
            self._changed.add(destination.registered_name)
            self._lock.notify_all()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def wait_settled(self, timeout: float) -> RegistrarStatistics:
        """Wait until a first attempt has succeeded or failed, at most `timeout` seconds."""
        with self._lock:
            self._lock.wait_for(lambda: self._settled, timeout)
        return self.statistics()

    def stop(self, timeout: float) -> None:
        """Take away the names that are still ours, in at most `timeout` seconds, and end.  Twice is harmless.

        Blocks for as long as that takes.
        """
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning("the name server at %s takes too long: our names stay there", self._nameserver)

    @property
    def trouble(self) -> Exception | None:
        """Why the last attempt failed, or None if it did not."""
        return self._trouble

    def statistics(self) -> RegistrarStatistics:
        """How the registration is."""
        with self._lock:
            return RegistrarStatistics(
                nameserver=self._nameserver,
                wanted=len(self._wanted),
                complete=self._settled and self._trouble is None and not self._changed,
                trouble=str(self._trouble or ""),
            )

    # What follows runs in the registrar's own thread.

    def _run(self) -> None:
        pause = 0.0
        checks = 0
        while True:
            try:
                self._keep(full=checks == 0)
            except Exception as error:  # noqa: BLE001 - whatever a strange name server brings about, we try again
                # After trouble nobody knows what the name server has.
                checks = 0
                pause = min(max(pause * 2, self._first_pause), LONGEST_PAUSE)
                self._tell(error)
            else:
                checks = (checks + 1) % CHECKS_UNTIL_FULL
                pause = 0.0
                self._tell(None)
            if self._rest(pause):
                break
        if not isinstance(self._trouble, NamesTakenError):
            try:
                self._withdraw()
            except Exception as error:  # noqa: BLE001 - as above, and this is the end anyway
                log.info("the name server at %s does not answer, our names stay there: %s", self._nameserver, error)

    def _rest(self, pause: float) -> bool:
        """Wait until there is something to do; True if that is to stop.  After trouble, changes have to wait too."""
        with self._lock:
            self._lock.wait_for(lambda: self._stopping or (not pause and bool(self._changed)), pause or self._check)
            return self._stopping

    def _tell(self, error: Exception | None) -> None:
        before = self._trouble
        with self._lock:
            self._trouble = error
            self._settled = True
            self._lock.notify_all()
        if error is None:
            if before is not None:
                log.info("the names are registered in the name server at %s now", self._nameserver)
        elif before is None or isinstance(before, NamesTakenError) != isinstance(error, NamesTakenError):
            if isinstance(error, NamesTakenError):
                log.error("%s", error)
            else:
                log.warning(
                    "no name server answers at %s (%s): the server goes on and will try again",
                    self._nameserver,
                    error,
                )

    def _keep(self, *, full: bool) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
            wanted = dict(self._wanted)
        try:
            with self._open() as proxy:
                factory = _lookup(proxy, FACTORY_NAME)
                if factory != wanted[FACTORY_NAME]:
                    if factory is not None:
                        self._check_dead(factory)
                    if not full and self._trouble is None:
                        log.warning("the name server at %s forgot our names: registering again", self._nameserver)
                    full = True
                if full:
                    todo = plan(_list(proxy), wanted, self._owner)
                else:
                    todo = Plan([name for name in changed if name in wanted], [n for n in changed if n not in wanted])
                self._carry_out(proxy, todo, wanted)
        except BaseException:
            with self._lock:
                self._changed |= changed
            raise

    def _open(self) -> Any:
        return _proxy(f"PYRO:{NAMESERVER_NAME}@{self._nameserver}", self._call)

    def _check_dead(self, other: Registration) -> None:
        """Raise NamesTakenError if the factory's name belongs to a later epoch, or another server answers under it."""
        if self._owner in other.metadata or self._is_our_place(other.uri):
            return
        epoch = self._epoch_of(other)
        if epoch and self._epoch > epoch:
            return
        if epoch > self._epoch:
            raise NamesTakenError(
                f"the names in the name server at {self._nameserver} belong to a server that became active after this "
                f"one: {other.uri}",
                uri=other.uri,
            )
        try:
            with _proxy(other.uri, PING) as proxy:
                proxy._pyroBind()
        except (pyro_errors.PyroError, OSError):
            return
        raise NamesTakenError(
            f"the names in the name server at {self._nameserver} belong to another server, which answers: "
            f"{other.uri}; stop that one, or give this one another name server",
            uri=other.uri,
        )

    def _epoch_of(self, other: Registration) -> int:
        """The epoch of another server of our cluster; 0 for a stranger."""
        start = f"{EPOCH}{self._chain}:"
        found = [tag.removeprefix(start) for tag in other.metadata if self._chain and tag.startswith(start)]
        return int(found[0]) if found and found[0].isdigit() else 0

    def _is_our_place(self, uri: str) -> bool:
        """Whether the URI leads to this very server, so that it would be us who answers."""
        there, here = URI(uri), URI(f"PYRO:{FACTORY_NAME}@{self._location}")
        return there.port == here.port and bool(_addresses(there.host) & _addresses(here.host))

    def _carry_out(self, proxy: Any, todo: Plan, wanted: Mapping[str, Registration]) -> None:
        started = time.monotonic()
        for names in _batches(todo.remove):
            batch = BatchProxy(proxy)
            for name in names:
                batch.remove(name)
            _do(batch)
        for names in _batches(todo.register):
            batch = BatchProxy(proxy)
            for name in names:
                uri, metadata = wanted[name]
                batch.register(name, uri, metadata=sorted(metadata))
            _do(batch)
        if todo.register or todo.remove:
            log.debug(
                "name server: %d registered, %d removed in %.3f s",
                len(todo.register),
                len(todo.remove),
                time.monotonic() - started,
            )

    def _withdraw(self) -> None:
        """Take away what still points at this server; the factory first, so that nobody finds half of it."""
        with self._open() as proxy:
            found = _list(proxy)
            mine = [name for name, has in found.items() if self._owner in has.metadata and self._is_here(name, has.uri)]
            mine.sort(key=lambda name: name != FACTORY_NAME)
            for names in _batches(mine):
                batch = BatchProxy(proxy)
                for name in names:
                    batch.remove(name)
                _do(batch)

    def _is_here(self, name: str, uri: str) -> bool:
        return uri == f"PYRO:{name}@{self._location}"


def _proxy(uri: str, timeout: float) -> Any:
    proxy = Proxy(uri)
    proxy._pyroTimeout = timeout
    proxy._pyroMaxRetries = 0
    # serpent, whatever this process chose: every name server reads it.
    proxy._pyroSerializer = "serpent"
    return proxy


def _addresses(host: str | None) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)} if host else set()
    except OSError:
        return set()


def _lookup(proxy: Any, name: str) -> Registration | None:
    try:
        uri, metadata = proxy.lookup(name, return_metadata=True)
    except pyro_errors.NamingError:
        return None
    return Registration(str(uri), frozenset(metadata))


def _list(proxy: Any) -> dict[str, Registration]:
    found = proxy.list(prefix=SYSTEM_PREFIX, return_metadata=True)
    return {name: Registration(uri, frozenset(metadata or ())) for name, (uri, metadata) in found.items()}


def _batches(names: Sequence[str]) -> Iterable[list[str]]:
    """The names in portions that make requests of about `BATCH_BYTES`."""
    portion: list[str] = []
    size = 0
    for name in names:
        portion.append(name)
        size += 3 * len(name.encode()) + 150
        if size > BATCH_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _do(batch: BatchProxy) -> None:
    for _ in batch():
        pass  # reading the answers raises what went wrong


def nameserver_answers(address: tuple[str, int], timeout: float = PING) -> bool:
    """Whether a name server answers at this host and port."""
    host, port = address
    location = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        with _proxy(f"PYRO:{NAMESERVER_NAME}@{location}", timeout) as proxy:
            proxy.ping()
    except (pyro_errors.PyroError, OSError):
        return False
    return True
