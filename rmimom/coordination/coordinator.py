"""The coordinator: does what the member of the cluster wants done, and tells it what comes of it.

    shipping, standbys ────►                     ──► shipping
    name server ──────────► events ─► member ─► actions ──► name server, disk of this member, other servers
    operator, heartbeat ──►                     ──► the role of this server

Rule 1: one event is handled after the other, and an event's actions are done in their order; what takes long (the name
        server, other servers, a change of role) is begun in that order and not waited for.
Rule 2: what must be on disk before anything else happens (Persist) is waited for, and everything waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from rmimom.cluster import rules
from rmimom.cluster.actions import (
    Acknowledge,
    Action,
    AskConsent,
    BecomeActive,
    Follow,
    GiveConsent,
    Persist,
    ReadChain,
    Reconfigured,
    Refuse,
    Register,
    Release,
    Remove,
    Report,
    ResumeDeciding,
    StepDown,
    StopAcknowledging,
    StopDeciding,
    Tell,
)
from rmimom.cluster.configuration import Configuration, LogPosition
from rmimom.cluster.events import (
    ChainRead,
    ConsentAsked,
    Drained,
    Event,
    Heard,
    Lost,
    Stopped,
    Stored,
    Suspected,
    Told,
)
from rmimom.cluster.member import Member
from rmimom.cluster.state import Phase, State
from rmimom.coordination.acknowledgements import Acknowledgements
from rmimom.coordination.chain_reader import Chain, ChainReader
from rmimom.coordination.following import Following
from rmimom.coordination.key import ClusterKey
from rmimom.coordination.link import COPY_PREFIX, LinkStatistics
from rmimom.coordination.memory import Memory, Remembered
from rmimom.coordination.messenger import Messenger
from rmimom.coordination.orders import Orders
from rmimom.coordination.role_changes import RoleChanges
from rmimom.coordination.roles import Roles
from rmimom.coordination.shipping import Shipping, done, fail
from rmimom.coordination.standby import SERVER_PREFIX, ServerObject
from rmimom.errors import IllegalStateError, JMSError
from rmimom.follower import Follower
from rmimom.listeners.registrar import NamesTakenError
from rmimom.store.base import Store

log = logging.getLogger(__name__)


class CoordinationSettings(msgspec.Struct, frozen=True):
    """The settings of a server's place in its cluster; times in seconds, sizes in bytes."""

    cluster: str
    may_begin: bool
    wait_for_lost: bool
    standby_timeout: float
    reserve: int


class ClusterStatistics(msgspec.Struct, frozen=True):
    """How the cluster looks from here: this server's phase and place in the log, and the standbys linked to it."""

    phase: str
    configuration: Configuration | None
    position: LogPosition
    suspected: str
    refusal: str
    standbys: list[LinkStatistics]


class Coordinator:
    """One server's place in its cluster; see the module's text."""

    def __init__(
        self,
        settings: CoordinationSettings,
        server_id: str,
        uri_for: Callable[[str], str],
        key: ClusterKey,
        witness: Chain,
        directory: Path,
        roles: Roles,
    ) -> None:
        self.server_id = server_id
        self.key = key
        self._settings = settings
        self._directory = directory
        self._memory = Memory(directory)
        self._roles = roles
        self._loop = asyncio.get_running_loop()
        self._uri = uri_for(SERVER_PREFIX + server_id)
        self.object = ServerObject(server_id, self, directory)
        self.orders = Orders(self)
        self._member: Member
        self._events: deque[Event] = deque()
        self._busy = False
        self._processed: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._role_changes = RoleChanges(roles.give_up)
        self._messenger = Messenger(key.handshake(server_id), settings.standby_timeout)
        self._reader = ChainReader(witness, self._chain_was_read, lambda: rules.waits_for_witness(self.state))
        self._closed = False
        self._at_home = False
        """Whether others have confirmed since the start that this is the cluster that our data belongs to."""
        self._required: set[str] = set()
        self._stops = 0
        """How often it began to stop deciding, or gave that up."""
        self._reign = 0
        """The epoch in which `shipping` began; the member is active a little earlier, while that gets on disk."""
        self._addresses: dict[str, str] = {}
        """Where servers are that spoke to us; some are in no configuration that we hold."""
        self.shipping = Shipping(self, key.handshake(server_id), directory, settings.standby_timeout, settings.reserve)
        self._following: Following | None = None
        self._acknowledgements = Acknowledgements()

    async def start(self) -> None:
        """Recall what this server held and promised, and begin.  Raises StoreDamagedError."""
        for left_behind in self._directory.glob(f"{COPY_PREFIX}*"):
            left_behind.unlink(missing_ok=True)
        remembered = await self._memory.recall()
        position = self._roles.follower.position
        self._member = Member(
            State(
                me=self.server_id,
                cluster=self._settings.cluster,
                address=self._uri,
                wait_for_lost=self._settings.wait_for_lost,
                held=remembered.held,
                promise=remembered.promise,
                position=LogPosition(position.epoch, position.sequence),
            )
        )
        self._perform(deque(self._member.start(may_begin=self._settings.may_begin)))

    async def stop(self) -> None:
        """Do nothing more."""
        self._closed = True
        self._reader.close()
        if self._following is not None:
            self._following.stop()
        self._role_changes.close()
        self._messenger.close()
        for task in list(self._tasks):
            task.cancel()
        self.shipping.depose("the server stops")
        waiting, self._processed = self._processed, []
        for future in waiting:
            fail(future, IllegalStateError("this server stops"))
        self._acknowledgements.refuse("this server stops")

    @property
    def state(self) -> State:
        """What the member knows."""
        return self._member.state

    def statistics(self) -> ClusterStatistics:
        """A reading."""
        state = self.state
        position = self.shipping.stored_position if self.serving else state.position
        standbys = self.shipping.statistics()
        return ClusterStatistics(state.phase.value, state.held, position, state.suspected, state.refusal, standbys)

    async def settled(self) -> None:
        """Wait until this server is in the role that was decided last, and others were told."""
        await self._role_changes.wait_until_made()
        await self._messenger.wait_until_sent()

    # The active (see `rmimom.coordination.shipping.Membership`).

    @property
    def serving(self) -> Configuration | None:
        """The configuration in which this server is active."""
        state = self.state
        if state.phase is not Phase.ACTIVE or state.held is None or state.held.epoch != self._reign:
            return None
        return state.held

    @property
    def required(self) -> set[str]:
        """The standbys without which nothing may be released."""
        return self._required

    @property
    def store(self) -> Store:
        """What copies are made of."""
        return self._roles.follower.store

    # The active of a standby (see `rmimom.coordination.standby.Following`).

    @property
    def follower(self) -> Follower:
        """Where the log goes."""
        return self._roles.follower

    @property
    def follows(self) -> str:
        """Whose batches are taken."""
        state = self.state
        return state.held.active if state.held is not None and rules.may_acknowledge(state) else ""

    async def learn(self, event: Event) -> None:
        """Let the member know, and wait until what follows from it at once is done."""
        self._at_home |= isinstance(event, Told)
        self.post(event)
        if self._busy:
            await self.next_change()

    async def next_change(self) -> None:
        """Wait until the member has handled all that happened.  Raises IllegalStateError if this server stops."""
        if self._closed:
            raise IllegalStateError("this server stops")
        done: asyncio.Future[None] = self._loop.create_future()
        self._processed.append(done)
        await done

    async def acknowledgement(self, position: LogPosition) -> None:
        """Wait for the leave to acknowledge."""
        if self._closed:
            raise IllegalStateError("this server stops")
        allowed = self._acknowledgements.wait(position)
        self.post(Stored(position))
        await allowed

    def correct(self, server: str) -> None:
        """A server believes that it is active: tell it what is decided."""
        held = self.state.held
        if held is not None and held.active != server:
            self._send(server, {"told": held}, held)

    def give_up(self, error: BaseException) -> None:
        """This server cannot follow with what it is."""
        self._roles.give_up(error)

    def link_lost(self) -> None:
        """The active ships no more."""
        if self._following is not None:
            self._following.subscribe_again()

    def suspect(self, why: str) -> None:
        """The active is not heard."""
        if not self.state.suspected and self.state.phase is Phase.FOLLOWING:
            log.warning("the active is suspected: %s", why)
        self.post(Suspected(why))

    def heard(self) -> None:
        """The active is heard again."""
        if self.state.suspected:
            self.post(Heard())

    # The member.

    def post(self, event: Event) -> None:
        """Let the member know, in its turn."""
        self._events.append(event)
        if not self._busy and not self._closed:
            self._perform(deque())

    def _perform(self, actions: deque[Action]) -> None:
        """Do actions, then handle what waits, until something has to get on disk first."""
        self._busy = True
        while True:
            while actions:
                action = actions.popleft()
                if isinstance(action, Persist):
                    self._spawn(self._persist(action, actions))
                    return
                self._do(action)
            if not self._events:
                break
            event = self._events.popleft()
            if not self._reader.counts(event):
                continue
            if isinstance(event, Told | ConsentAsked):
                self._addresses.update(event.configuration.addresses)
            actions = deque(self._member.handle(event))
            self._required = rules.required(self.state) if self.state.phase is Phase.ACTIVE else set()
            self.shipping.handled(event)
        self._busy = False
        self._settle()

    async def _persist(self, action: Persist, rest: deque[Action]) -> None:
        try:
            # It neither acknowledges nor promises anything meanwhile.
            await self._memory.remember(Remembered(action.held, action.promise))
        except OSError as error:
            log.critical("the server's place in its cluster cannot be written down: %s", error)
            self._roles.give_up(error)
            return
        self._perform(rest)

    def _chain_was_read(self, event: Event) -> None:
        """Let the member know, unless this is the wrong cluster from the start.

        Later the name server may be the wrong one for a while: then it waits.
        """
        held = self.state.held
        if isinstance(event, ChainRead) and event.entries and held is not None and not self._at_home:
            if all(entry.chain != held.chain for entry in event.entries):
                error = self._memory.foreign(
                    f"the name server knows another cluster named {self._settings.cluster} than the one that this"
                    " server's data is of; give this server an empty data directory, or the name server of its cluster"
                )
                log.critical("%s", error.text)
                self._roles.give_up(error)
                return
            self._at_home = True
        self.post(event)

    def _settle(self) -> None:
        """After all events: see who counts, and answer those who wait."""
        state = self.state
        self.shipping.answer_questions()
        if not rules.may_acknowledge(state):
            self._acknowledgements.refuse("this server does not follow any more")
        processed, self._processed = self._processed, []
        for waiting_for_it in processed:
            done(waiting_for_it)

    def _do(self, action: Action) -> None:
        match action:
            case Release(position):
                self.shipping.release(position)
            case Acknowledge(position):
                self._acknowledgements.allow(position)
            case ReadChain():
                self._reader.read_soon()
            case Register(configuration):
                self._reader.register(configuration)
            case Remove(configuration):
                self._reader.remove(configuration)
            case Tell(server, configuration):
                self._send(server, {"told": configuration}, configuration)
            case AskConsent(server, configuration, given):
                self._send(server, {"asked": configuration, "given": given}, configuration)
            case GiveConsent(server, configuration):
                self._send(server, {"consented": configuration}, configuration)
            case Refuse(why, False):
                log.warning("%s", why)
            case Refuse(why, True, data):
                log.critical("%s", why)
                self._roles.give_up(self._memory.foreign(why) if data else NamesTakenError(why))
            case Report(text, loud):
                log.log(logging.ERROR if loud else logging.WARNING, "%s", text)
            case Reconfigured(configuration):
                log.warning(
                    "configuration %d: active %s, in sync %s (%s)",
                    configuration.number,
                    configuration.active,
                    ", ".join(configuration.standbys) or "nobody",
                    configuration.why,
                )
            case _:
                self._change_role(action)

    def _change_role(self, action: Action) -> None:
        match action:
            case BecomeActive(configuration):
                self._at_home = True
                expects_standbys = self._following is not None or bool(configuration.standbys)
                self._stop_following()
                self.shipping.begin(self.state.position, expects_standbys=expects_standbys)
                self._reign = configuration.epoch
                self._loop.call_later(self._settings.standby_timeout, self._miss_members, configuration)
                log.warning(
                    "this server becomes active in configuration %d: %s", configuration.number, configuration.why
                )
                self._role_changes.add(lambda: self._roles.become_active(configuration))
            case StepDown(why):
                log.warning("this server is active no more: %s", why)
                self.shipping.depose(why)
                self._role_changes.add(lambda: self._roles.step_down(why))
            case Follow(configuration):
                self._role_changes.add(lambda: self._follow(configuration))
            case StopAcknowledging():
                self._spawn(self._stop_acknowledging())
            case StopDeciding():
                self._stops += 1
                self._spawn(self._stop_deciding(self._stops))
            case ResumeDeciding(why):
                log.warning("the switchover does not happen: %s", why)
                self._stops += 1
                self._roles.resume_deciding()

    def _miss_members(self, configuration: Configuration) -> None:
        """Members that have not come since this server became active are lost, as those are that came and went."""
        if self._closed or self.serving is None or self.serving.epoch != configuration.epoch:
            return
        for server in sorted(self.required - {link.server for link in self.shipping.statistics()}):
            self.post(Lost(server, "it does not follow"))

    async def _follow(self, configuration: Configuration) -> None:
        if self.orders.leaving:
            return
        active = configuration.address_of(configuration.active)
        if self._following is not None and self._following.active == active:
            return
        self._stop_following()
        if not active or configuration.active == self.server_id:
            return
        log.info("following %s, which is active in configuration %d", configuration.active, configuration.number)
        self._following = Following(
            active,
            self.server_id,
            self._uri,
            self.key.handshake(self.server_id),
            self.suspect,
            lambda: self.object.is_served,
            self._settings.standby_timeout,
        )
        await self._roles.follow(configuration)

    def _stop_following(self) -> None:
        if self._following is not None:
            self._following.stop()
            self._following = None

    async def _stop_acknowledging(self) -> None:
        async with self.object.busy:
            position = self._roles.follower.position
        self.post(Stopped(LogPosition(position.epoch, position.sequence)))

    async def _stop_deciding(self, number: int) -> None:
        if number != self._stops:
            return  # given up before it was begun: nobody would let the commands go on
        try:
            position = await self._roles.stop_deciding()
        except JMSError as error:
            log.warning("the switchover cannot go on: %s", error)
            return
        if number == self._stops:
            self.post(Drained(LogPosition(position.epoch, position.sequence)))

    # Other servers.

    def _send(self, server: str, news: dict[str, object], configuration: Configuration) -> None:
        state = self.state
        known = {
            **self._addresses,
            **dict(state.held.addresses if state.held else ()),
            **dict(configuration.addresses),
        }
        uri = self.shipping.uri_of(server) or known.get(server)
        if uri:
            self._messenger.send(uri, msgspec.to_builtins(news))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
