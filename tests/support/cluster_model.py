"""A small world in which the members of a cluster can be driven through every order of events.

Servers run the very `rmimom.cluster.member` that real ones run.  Here are only their surroundings, as bad as they may
be: processes that crash between any two steps and come back with their disks, connections that break and carry what
was sent long ago, a name server whose calls arrive late or never, whose answers are old when they arrive, and which
forgets everything.  `explore` visits every world that can be reached within the bounds, breadth first, so the story
that it tells of a violation is the shortest.

What is checked, after every step:

- What was released, by anybody, is one history: no two servers release different things after the same beginning.
- Every member of the newest configuration that anybody holds, its active above all, has everything that was released
  on its disk.
- A member of a configuration is never asked to throw away a part of its log.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import msgspec

from rmimom.cluster import member, rules
from rmimom.cluster.actions import (
    Acknowledge,
    Action,
    AskConsent,
    BecomeActive,
    Follow,
    GiveConsent,
    Persist,
    ReadChain,
    Register,
    Release,
    Remove,
    ResumeDeciding,
    StepDown,
    StopAcknowledging,
    StopDeciding,
    Tell,
)
from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.events import (
    Acknowledged,
    ChainRead,
    ConsentAsked,
    ConsentGiven,
    Drained,
    Event,
    HandOver,
    Heard,
    Joined,
    Lost,
    NameServerAway,
    Stopped,
    Stored,
    Suspected,
    Told,
)
from rmimom.cluster.state import Phase, State

Log = tuple[LogPosition, ...]

NAMES = "ABC"
DOWN = -1


class Bounds(msgspec.Struct, frozen=True):
    """How often each kind of thing may happen in one story."""

    batches: int = 0
    crashes: int = 0
    breaks: int = 0
    """Connections that break although both servers live."""
    suspicions: int = 0
    """Suspicions of an active that lives; suspecting a dead one is always allowed."""
    relents: int = 0
    """Suspicions taken back."""
    forgets: int = 0
    outages: int = 0
    """Calls of the name server that end without an answer."""
    calls: int = 0
    """Registrations that are sent; one that never arrives is told from one that is late by nobody."""
    looks: int = 0
    """Times somebody looks at the name server without having to."""
    switchovers: int = 0


FIELDS = Bounds.__struct_fields__


class Link(NamedTuple):
    """A connection of a standby to an active: what is on its way in both directions."""

    active: int
    standby: int
    batches: Log = ()
    acknowledged: LogPosition | None = None
    gone: bool = False
    """The standby's end is closed; what it sent may still arrive."""


class Node(NamedTuple):
    """A server: its process (DOWN, or the number of its state), its disk, and what it waits for."""

    state: int
    disk: int
    log: Log
    pending: Log = ()
    """Active: decided and shipped, not yet on our disk."""
    target: int = DOWN
    deciding: bool = True
    asks: int = 0
    """Of the name server: 0 nothing, 1 a list was asked for, 2 its answer is on its way."""
    asks_again: bool = False
    answer: tuple[int, ...] = ()


class World(NamedTuple):
    """Everything there is at one moment; numbers stand for interned objects."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    names: tuple[int, ...]
    calls: tuple[int, ...]
    removals: tuple[int, ...]
    mail: tuple[tuple[int, int], ...]
    history: Log
    left: tuple[int, ...]
    seals: int


class Violation(Exception):  # noqa: N818  # not an error of the program
    """A world in which a promise is broken."""


class OutOfBoundsError(Exception):
    """A step that would need more than the bounds allow; it is not taken."""


class Result(msgspec.Struct, frozen=True):
    """What an exploration found: how many worlds, how many steps between them, the longest story, and what is wrong."""

    worlds: int
    steps: int
    depth: int
    whole: bool
    violation: str = ""
    story: tuple[str, ...] = ()


class Model:
    """The rules of the world for some servers; `write_once` off plants a bug into the name server."""

    def __init__(self, servers: int = 2, *, write_once: bool = True, forgetful_disk: bool = False) -> None:
        self.servers = servers
        self.write_once = write_once
        self.forgetful_disk = forgetful_disk
        self._steps = 0
        self._objects: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._handled: dict[tuple[int, Event], tuple[int, tuple[Action, ...]]] = {}

    def number(self, thing: Hashable) -> int:
        """The number that stands for a thing."""
        found = self._numbers.get(thing)
        if found is None:
            found = self._numbers[thing] = len(self._objects)
            self._objects.append(thing)
        return found

    def state(self, node: Node) -> State:
        """The state of a process that is up."""
        state: State = self._objects[node.state]
        return state

    def thing(self, number: int) -> Any:
        """What a number stands for."""
        return self._objects[number]

    def forget_what_was_handled(self) -> None:
        """The rules have changed: a bug was planted."""
        self._handled.clear()

    # -- the beginning ---------------------------------------------------------------------------------------------

    def first_world(self, bounds: Bounds) -> World:
        """Nobody has a configuration yet; A may make the first."""
        empty = self.number((None, None))
        nodes = tuple(Node(DOWN, empty, ()) for _ in range(self.servers))
        world = World(nodes, (), (), (), (), (), (), tuple(getattr(bounds, field) for field in FIELDS), 0)
        for index in range(self.servers):
            world = self.restart(world, index)
        return world

    def pair_in_sync(self, bounds: Bounds) -> World:
        """All servers are members of the configuration that A, active, holds, and nothing is on its way."""
        for world, _ in self.walk(self.first_world(Bounds(calls=9)), 10**6):
            if not (world.calls or world.removals or world.mail) and all(
                not node.asks and node.state != DOWN for node in world.nodes
            ):
                states = [self.state(node) for node in world.nodes]
                held = states[0].held
                if held and len(held.members) == self.servers and all(state.held == held for state in states):
                    assert states[0].phase is Phase.ACTIVE
                    return world._replace(left=tuple(getattr(bounds, field) for field in FIELDS))
        raise AssertionError("the servers never come together")

    # -- exploring -------------------------------------------------------------------------------------------------

    def explore(self, start: World, limit: int) -> Result:
        """Visit every world, at most `limit` of them."""
        self._steps = 0
        worlds = last = 0
        for _, depth in self.walk(start, limit):
            worlds += 1
            last = depth
        if self._violation is not None:
            return Result(worlds, self._steps, last + 1, False, *self._violation)
        return Result(worlds, self._steps, last, not self._cut)

    def walk(self, start: World, limit: int) -> Iterator[tuple[World, int]]:
        """Every world with its distance from the first, breadth first."""
        self._violation: tuple[str, tuple[str, ...]] | None = None
        self._cut = False
        # Only the hash of a world is kept: 64 bits, so of a million worlds one is overlooked once in 37 million runs.
        parents: dict[int, tuple[int, str]] = {hash(start): (0, "")}
        layer, depth = [start], 0
        while layer:
            following = []
            for world in layer:
                yield world, depth
                here = hash(world)
                for label, step in self.steps(world):
                    self._steps += 1
                    try:
                        reached = step()
                    except OutOfBoundsError:
                        continue
                    except Violation as violation:
                        self._violation = (str(violation), (*self._story(parents, here), label))
                        return
                    there = hash(reached)
                    if there not in parents:
                        if len(parents) >= limit:
                            self._cut = True
                            continue
                        parents[there] = (here, label)
                        following.append(reached)
            layer = following
            depth += bool(layer)

    @staticmethod
    def _story(parents: dict[int, tuple[int, str]], here: int) -> tuple[str, ...]:
        story = []
        while True:
            here, label = parents[here]
            if not label:
                return tuple(reversed(story))
            story.append(label)

    def steps(self, world: World) -> Iterator[tuple[str, Callable[[], World]]]:
        """Everything that may happen next."""
        for index, node in enumerate(world.nodes):
            name = NAMES[index]
            if node.state == DOWN:
                yield f"{name} starts again", lambda i=index: self.restart(world, i)  # type: ignore[misc]
                continue
            yield from self._own_steps(world, index, node, name)
            yield from self._name_server_steps(world, index, node, name)
            if self._left(world, "crashes"):
                yield f"{name} crashes", lambda i=index: self._crash(self._spend(world, "crashes"), i)  # type: ignore[misc]
        for link in world.links:
            yield from self._link_steps(world, link)
        for call in dict.fromkeys(world.calls):
            yield f"the name server gets {self._text(call)}", lambda c=call: self._register(world, c)  # type: ignore[misc]
        for removal in world.removals:
            yield f"the name server removes {removal}", lambda r=removal: self._remove(world, r)  # type: ignore[misc]
        for letter in world.mail:
            if world.nodes[letter[0]].state != DOWN:
                told = self._objects[letter[1]]
                text = f"{NAMES[letter[0]]} gets {type(told).__name__} {told.configuration.number}"
                yield text, lambda m=letter: self._deliver_mail(world, m)  # type: ignore[misc]
        if self._left(world, "forgets") and world.names:
            yield "the name server forgets", lambda: self._spend(world, "forgets")._replace(names=())

    def _own_steps(self, world: World, index: int, node: Node, name: str) -> Iterator[tuple[str, Callable[[], World]]]:
        state = self.state(node)
        if state.phase is Phase.ACTIVE:
            if node.pending:
                yield f"{name}'s disk has {node.pending[0]}", lambda: self._store(world, index)
            elif node.deciding and self._left(world, "batches"):
                yield f"{name} decides a batch", lambda: self._decide(self._spend(world, "batches"), index)
            elif not node.deciding and not state.drained:
                position = node.log[-1] if node.log else NOWHERE
                yield f"{name} is drained", lambda: self._handle(world, index, Drained(position))
            linked = {link.standby for link in world.links if link.active == index}
            for other in range(self.servers):
                server = NAMES[other]
                if server in rules.required(state) and other not in linked and server not in dict(state.lost):
                    yield f"{name} misses {server}", lambda s=server: self._handle(world, index, Lost(s, ""))  # type: ignore[misc]
                if state.heir == "" and self._left(world, "switchovers") and server in state.members[1:]:
                    yield (
                        f"{name} is to hand over to {server}",
                        lambda s=server: self._handle(self._spend(world, "switchovers"), index, HandOver(s)),  # type: ignore[misc]
                    )
        else:
            if node.target != DOWN and world.nodes[node.target].state != DOWN:
                yield f"{name} connects to {NAMES[node.target]}", lambda: self._connect(world, index, node.target)
            if state.phase is Phase.STOPPING:
                position = node.log[-1] if node.log else NOWHERE
                yield f"{name} has stopped", lambda: self._stop(world, index, position)
            yield from self._suspicions(world, index, state, name)

    def _suspicions(
        self, world: World, index: int, state: State, name: str
    ) -> Iterator[tuple[str, Callable[[], World]]]:
        if state.held is None or state.phase not in (Phase.FOLLOWING, Phase.STOPPING, Phase.STOPPED):
            return
        if state.suspected:
            if self._left(world, "relents"):
                yield f"{name} hears again", lambda: self._handle(self._spend(world, "relents"), index, Heard())
            return
        active = world.nodes[NAMES.index(state.held.active)]
        if active.state == DOWN or self.state(active).phase is not Phase.ACTIVE:
            yield f"{name} suspects rightly", lambda: self._handle(world, index, Suspected("silent"))
        elif self._left(world, "suspicions"):
            spent = self._spend(world, "suspicions")
            yield f"{name} suspects wrongly", lambda: self._handle(spent, index, Suspected("silent"))

    def _name_server_steps(
        self, world: World, index: int, node: Node, name: str
    ) -> Iterator[tuple[str, Callable[[], World]]]:
        if node.asks == 1:
            # An answer on its way is worth telling from one that comes at once only if it can become old.
            yield f"{name} reads the chain", lambda: self._read(world, index, world.names)
            if world.calls or world.removals or self._left(world, "forgets"):
                asked = self._with(world, index, asks=2, answer=world.names)
                yield f"the name server answers {name}", lambda: asked
            if self._left(world, "outages"):
                spent = self._with(self._spend(world, "outages"), index, asks=0, asks_again=False)
                yield f"{name} gets no answer", lambda: self._with_seal(spent, index, NameServerAway)
        elif node.asks == 2:
            yield f"{name} reads what the chain was", lambda: self._read(world, index, node.answer)
        elif self._left(world, "looks"):
            looking = self._with(self._spend(world, "looks"), index, asks=1)
            yield f"{name} looks at the name server", lambda: looking

    def _link_steps(self, world: World, link: Link) -> Iterator[tuple[str, Callable[[], World]]]:
        active, standby = NAMES[link.active], NAMES[link.standby]
        if link.acknowledged is not None:
            yield f"{active} hears that {standby} has {link.acknowledged}", lambda: self._hear(world, link)
        if link.gone:
            yield f"{active} loses {standby}", lambda: self._lose(world, link)
            return
        if link.batches:
            yield f"{standby} gets {link.batches[0]}", lambda: self._receive(world, link)
        if self._left(world, "breaks"):
            yield f"{active} loses {standby} for no reason", lambda: self._lose(self._spend(world, "breaks"), link)

    # -- processes -------------------------------------------------------------------------------------------------

    def restart(self, world: World, index: int) -> World:
        """The process starts, with what is on its disk."""
        node = world.nodes[index]
        held, promise = self._objects[node.disk]
        state, actions = member.start(
            State(
                me=NAMES[index],
                cluster="c",
                held=held,
                promise=None if self.forgetful_disk else promise,
                position=node.log[-1] if node.log else NOWHERE,
            ),
            may_begin=index == 0,
        )
        world = self._with(world, index, state=self.number(state))
        return self._checked(self._act(world, index, actions))

    def _crash(self, world: World, index: int) -> World:
        node = world.nodes[index]
        world = self._hang_up(self._close(world, index), index)
        mail = tuple(letter for letter in world.mail if letter[0] != index)
        nodes = (*world.nodes[:index], Node(DOWN, node.disk, node.log), *world.nodes[index + 1 :])
        return world._replace(nodes=nodes, mail=mail)

    def _handle(self, world: World, index: int, event: Event) -> World:
        key = (world.nodes[index].state, event)
        found = self._handled.get(key)
        if found is None:
            state, actions = member.handle(self._objects[key[0]], event)
            found = self._handled[key] = (self.number(state), actions)
        return self._checked(self._act(self._with(world, index, state=found[0]), index, found[1]))

    def _act(self, world: World, index: int, actions: tuple[Action, ...]) -> World:
        for action in actions:
            world = self._do(world, index, action)
        return world

    def _do(self, world: World, index: int, action: Action) -> World:
        node = world.nodes[index]
        match action:
            case Persist(held, promise):
                return self._with(world, index, disk=self.number((held, promise)))
            case ReadChain():
                return self._with(world, index, **({"asks_again": True} if node.asks == 2 else {"asks": 1}))
            case Register(configuration):
                world = self._with(world, index, asks=1, asks_again=False)
                if not self._left(world, "calls"):
                    raise OutOfBoundsError
                calls = tuple(sorted((*world.calls, self.number(configuration))))
                return self._spend(world, "calls")._replace(calls=calls)
            case Remove(configuration):
                return world._replace(removals=tuple(sorted({*world.removals, configuration.number})))
            case Release(position):
                return self._release(world, index, position)
            case BecomeActive(configuration):
                # Its members had everything up to here, so it may be shown.  One that hears late of what is superseded
                # already shows nothing more, for nobody acknowledges to it: that is what the other checks say.
                world = self._hang_up(self._with(world, index, target=DOWN, deciding=True), index)
                return self._release(world, index, configuration.began)
            case StepDown():
                return self._close(self._with(world, index, pending=(), deciding=True), index)
            case Follow(configuration):
                world = self._hang_up(world, index)
                return self._with(world, index, target=NAMES.index(configuration.active))
            case StopDeciding():
                return self._with(world, index, deciding=False)
            case ResumeDeciding():
                return self._with(world, index, deciding=True)
            case Acknowledge(position):
                links = tuple(
                    link._replace(acknowledged=position) if link.standby == index and not link.gone else link
                    for link in world.links
                )
                return world._replace(links=links)
            case AskConsent(server, configuration, given):
                return self._send(world, server, ConsentAsked(configuration, given))
            case GiveConsent(server, configuration):
                return self._send(world, server, ConsentGiven(configuration, NAMES[index]))
            case Tell(server, configuration):
                return self._send(world, server, Told(configuration))
            case StopAcknowledging():
                pass  # "has stopped" is a step of its own; until then what is on its way may still be stored
            case _:
                pass
        return world

    def _send(self, world: World, server: str, event: Event) -> World:
        to = NAMES.index(server)
        if world.nodes[to].state == DOWN:
            return world
        return world._replace(mail=tuple(sorted({*world.mail, (to, self.number(event))})))

    def _deliver_mail(self, world: World, letter: tuple[int, int]) -> World:
        world = world._replace(mail=tuple(other for other in world.mail if other != letter))
        return self._handle(world, letter[0], self._objects[letter[1]])

    # -- the name server -------------------------------------------------------------------------------------------

    def _read(self, world: World, index: int, names: tuple[int, ...]) -> World:
        node = world.nodes[index]
        entries = tuple(self._objects[number] for number in names)
        world = self._with(world, index, asks=int(node.asks_again), asks_again=False, answer=())
        return self._with_seal(world, index, lambda seal: ChainRead(entries, seal))

    def _with_seal(self, world: World, index: int, event: Callable[[str], Event]) -> World:
        seal = f"s{world.seals}"
        reached = self._handle(world, index, event(seal))
        used = any(self._objects[call].seal == seal for call in reached.calls) or any(
            held is not None and seal in (held.seal, held.chain) for held in self._objects[reached.nodes[index].disk]
        )
        return reached._replace(seals=world.seals + 1) if used else reached

    def _register(self, world: World, call: int) -> World:
        calls = list(world.calls)
        calls.remove(call)
        world = world._replace(calls=tuple(calls))
        new: Configuration = self._objects[call]
        names = {self._objects[number].number: number for number in world.names}
        if new.number not in names or not self.write_once:
            names[new.number] = call
        return world._replace(names=tuple(names[number] for number in sorted(names)))

    def _remove(self, world: World, removal: int) -> World:
        """What is there under this number goes; as long as the call is on its way it may be late."""
        names = tuple(number for number in world.names if self._objects[number].number != removal)
        return world._replace(removals=tuple(other for other in world.removals if other != removal), names=names)

    # -- the log ---------------------------------------------------------------------------------------------------

    def _decide(self, world: World, index: int) -> World:
        node = world.nodes[index]
        held = self.state(node).held
        assert held is not None
        batch = LogPosition(held.epoch, len(node.log) + 1)
        links = tuple(
            link._replace(batches=(*link.batches, batch)) if link.active == index and not link.gone else link
            for link in world.links
        )
        return self._with(world._replace(links=links), index, pending=(batch,))

    def _store(self, world: World, index: int) -> World:
        node = world.nodes[index]
        log = (*node.log, *node.pending)
        return self._handle(self._with(world, index, log=log, pending=()), index, Stored(log[-1]))

    def _receive(self, world: World, link: Link) -> World:
        node = world.nodes[link.standby]
        world = self._change_link(world, link, link._replace(batches=link.batches[1:]))
        if self.state(node).phase is Phase.STOPPED:
            # Its log stands still since it said Stopped.
            new = link._replace(batches=link.batches[1:], acknowledged=link.batches[0])
            return self._checked(self._change_link(world, link._replace(batches=link.batches[1:]), new))
        log = (*node.log, link.batches[0])
        return self._handle(self._with(world, link.standby, log=log), link.standby, Stored(log[-1]))

    def _stop(self, world: World, index: int, position: LogPosition) -> World:
        world = self._handle(world, index, Stopped(position))
        # Always so, unless a bug was planted.
        return world if rules.may_acknowledge(self.state(world.nodes[index])) else self._hang_up(world, index)

    def _hear(self, world: World, link: Link) -> World:
        assert link.acknowledged is not None
        world = self._change_link(world, link, link._replace(acknowledged=None))
        return self._handle(world, link.active, Acknowledged(NAMES[link.standby], link.acknowledged))

    def _lose(self, world: World, link: Link) -> World:
        return self._handle(self._change_link(world, link, None), link.active, Lost(NAMES[link.standby], ""))

    def _connect(self, world: World, index: int, target: int) -> World:
        """A standby says hello to whom it follows, and gets what it lacks; the same world if nothing comes of it."""
        if any(link.standby == index and link.active == target for link in world.links):
            return world
        ours, theirs = self.state(world.nodes[index]), self.state(world.nodes[target])
        if ours.held is not None and ours.number > theirs.number:
            return self._handle(world, target, Told(ours.held))
        if theirs.phase is not Phase.ACTIVE or theirs.held is None:
            return world
        if theirs.number > ours.number:
            world = self._handle(world, index, Told(theirs.held))
            ours = self.state(world.nodes[index])
        if ours.phase is not Phase.FOLLOWING or ours.held != theirs.held:
            return world
        node, active = world.nodes[index], world.nodes[target]
        if rules.goes_on_from(theirs.held, ours.position):
            log = (*node.log, *(batch for batch in active.log if batch > ours.position))
        else:
            if NAMES[index] in theirs.held.members:
                raise Violation(f"{NAMES[index]} is a member and would have to throw away {node.log}")
            log = active.log
        position = log[-1] if log else NOWHERE
        on_its_way = tuple(batch for batch in active.pending if batch > position)
        world = world._replace(links=tuple(sorted((*world.links, Link(target, index, on_its_way)))))
        world = self._handle(self._with(world, index, log=log), index, Stored(position))
        return self._handle(world, target, Joined(NAMES[index], "", position))

    def _change_link(self, world: World, link: Link, new: Link | None) -> World:
        others = [other for other in world.links if other != link]
        return world._replace(links=tuple(sorted([*others, new] if new is not None else others)))

    def _hang_up(self, world: World, index: int) -> World:
        """The server closes its connections to whom it followed."""
        links = {
            link._replace(gone=True, batches=()) if link.standby == index and not link.gone else link
            for link in world.links
        }
        return world._replace(links=tuple(sorted(links)))

    def _close(self, world: World, index: int) -> World:
        """The server closes its connections to its followers."""
        return world._replace(links=tuple(link for link in world.links if link.active != index))

    # -- what is checked -------------------------------------------------------------------------------------------

    def _release(self, world: World, index: int, position: LogPosition) -> World:
        log = tuple(batch for batch in world.nodes[index].log if batch <= position)
        shared = min(len(log), len(world.history))
        if log[:shared] != world.history[:shared]:
            raise Violation(f"{NAMES[index]} releases {log} after {world.history} was released")
        return world._replace(history=max(log, world.history, key=len))

    def _checked(self, world: World) -> World:
        world = self._without_old_mail(world)
        newest: Configuration | None = None
        for node in world.nodes:
            held = self._objects[node.disk][0]
            if held is not None and (newest is None or held.number > newest.number):
                newest = held
        if newest is not None:
            for server in newest.members:
                log = world.nodes[NAMES.index(server)].log
                if log[: len(world.history)] != world.history:
                    raise Violation(f"{server} is in sync in {newest.number}, has {log}; released: {world.history}")
        return world

    def _without_old_mail(self, world: World) -> World:
        """What would change nothing when it arrives is not kept: it would only make worlds look different."""
        if not world.mail:
            return world
        mail = tuple(letter for letter in world.mail if self._matters(world.nodes[letter[0]], self._objects[letter[1]]))
        return world if mail == world.mail else world._replace(mail=mail)

    def _matters(self, node: Node, told: Event) -> bool:
        if node.state == DOWN:
            return False
        state = self.state(node)
        assert isinstance(told, Told | ConsentAsked | ConsentGiven)
        return told.configuration.number > state.number

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _with(self, world: World, index: int, **fields: Any) -> World:
        nodes = list(world.nodes)
        nodes[index] = nodes[index]._replace(**fields)
        return world._replace(nodes=tuple(nodes))

    @staticmethod
    def _left(world: World, field: str) -> int:
        return world.left[FIELDS.index(field)]

    @staticmethod
    def _spend(world: World, field: str) -> World:
        place = FIELDS.index(field)
        return world._replace(left=(*world.left[:place], world.left[place] - 1, *world.left[place + 1 :]))

    def _text(self, call: int) -> str:
        new: Configuration = self._objects[call]
        return f"{new.number}={','.join(new.members)} ({new.seal})"
