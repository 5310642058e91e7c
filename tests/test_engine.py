"""The engine: records before effects, whatever the store does.

Every test runs in a simulated world (tests/support/simulated.py): the store thread works when the test lets it, and
time passes when nothing else is left to do.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence

import pytest
from support.engines import inheritance
from support.messages import body_of, frame_for
from support.simulated import HandThread, SimulatedLoop, settle

from rmimom.commands import (
    Acknowledge,
    CloseConsumer,
    Command,
    Commit,
    Connect,
    CreateDestination,
    Disconnect,
    Purge,
    Send,
    Subscribe,
)
from rmimom.core.broker import Broker
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
from rmimom.effects import DestinationAdded
from rmimom.engine import IDS_RESERVED, RETRY_WHEN_FULL, Engine
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
)
from rmimom.frame import Delivered
from rmimom.records import Batch
from rmimom.replication import NotActiveError
from rmimom.store.memory import MemoryStore

Q = Queue("q")
T = Topic("t")


class World:
    """An engine, its store, and all that it told, in order."""

    def __init__(
        self,
        loop: SimulatedLoop,
        store: MemoryStore | None = None,
        *,
        rules: Rules | None = None,
        replicas: Sequence[Replica] = (),
        free_bytes: Callable[[], int] | None = None,
        reserve: int = 0,
    ) -> None:
        self.loop = loop
        self.log: list[str] = []
        self.store = store or MemoryStore()
        self.failures: list[BaseException] = []
        self.thread: HandThread

        self.engine = Engine(
            Broker(rules),
            self.store,
            loop,
            replication=Copies(loop, replicas) if replicas else None,
            free_bytes=free_bytes,
            reserve=reserve,
            on_failure=self.failures.append,
        )

    async def start(self, *connections: str) -> World:
        self.thread = HandThread()
        await self.engine.start(await inheritance(self.store, lambda: self.thread))
        for name in connections:
            await self.engine.submit(Connect(name, "ann"))
            self.engine.dispatch.attach(name, Sink(name, self.log))
        return self

    def ask(self, name: str, command: Command) -> asyncio.Future[object]:
        """Submit a command and write down when and how it is answered."""
        future = self.engine.submit(command)
        future.add_done_callback(lambda done: self.log.append(f"{name}: {_outcome(done)}"))
        return future

    async def told(self) -> list[str]:
        """What was told since the last look, once nothing happens any more."""
        await settle()
        log, self.log[:] = list(self.log), []
        return log


class Sink:
    """A connection that writes down what it is told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def deliver(self, deliveries: list[Delivered]) -> None:
        self.log.append(f"{self.name} gets " + " ".join(body_of(bytes(told.frame)) for told in deliveries))

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        self.log.append(f"{self.name}/{consumer} is closed")


class Replica:
    """Another copy of the log, which gets batches when a test says so."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.store = MemoryStore()
        self.store.open()
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.confirmed = 0

    async def ship(self, batch: Batch | None) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        if batch is None:
            self.confirmed += 1
        else:
            self.store.append(batch)
            self.batches.append(batch)


class Copies:
    """The replication of an engine: some replicas, which all count."""

    def __init__(self, loop: SimulatedLoop, replicas: Sequence[Replica]) -> None:
        self._loop = loop
        self._replicas = replicas
        self.stored_here: list[int] = []

    def offer(self, batch: Batch) -> asyncio.Future[None]:
        return self._ship(batch)

    def stored(self, batch: Batch) -> None:
        self.stored_here.append(batch.sequence)

    def confirm(self) -> asyncio.Future[None]:
        return self._ship(None)

    def _ship(self, batch: Batch | None) -> asyncio.Future[None]:
        async def everywhere() -> None:
            for shipping in [self._loop.create_task(replica.ship(batch)) for replica in self._replicas]:
                await shipping

        return self._loop.create_task(everywhere())


def _outcome(done: asyncio.Future[object]) -> str:
    if done.cancelled():
        return "cancelled"
    error = done.exception()
    return f"{done.result()}" if error is None else type(error).__name__


def run(scenario: Callable[[SimulatedLoop], Awaitable[None]]) -> None:
    with SimulatedLoop() as loop:
        loop.run_until_complete(scenario(loop))  # type: ignore[arg-type]


def send(connection: str, *bodies: str, destination: Queue | Topic = Q, producer: str = "", sequence: int = 0) -> Send:
    frames = [frame_for(destination, body) for body in bodies]
    return Send(connection, producer, sequence, destination, frames)


def test_nothing_is_told_before_the_records_are_safe() -> None:
    """Promise 1: given a store that has not appended yet, when time passes, then neither answer nor delivery is out."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        await asyncio.sleep(3)
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["c gets a", "send: None"]

    run(scenario)


def test_what_comes_while_a_batch_is_committed_goes_into_the_next_one() -> None:
    """Rule 2: given a commit under way, when ten sends come, then one more commit carries them, told in order."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        await world.engine.submit(Subscribe("d", 1, Q))
        before = world.engine.statistics().batches
        world.thread.by_hand = True
        for number in range(3):
            world.ask(f"first {number}", send("c", f"{number}"))
        await settle()
        for number in range(3, 13):
            world.ask(f"second {number}", send("c", f"{number}"))
        assert await world.told() == []
        assert len(world.thread.waiting) == 1
        assert world.engine.statistics().committing
        world.thread.work()
        assert await world.told() == [
            "d gets 0",
            "d gets 1",
            "d gets 2",
            "first 0: None",
            "first 1: None",
            "first 2: None",
        ]
        world.thread.work()
        told = await world.told()
        assert [line for line in told if line.startswith("d")] == [f"d gets {number}" for number in range(3, 13)]
        assert [line for line in told if line.startswith("s")] == [f"second {number}: None" for number in range(3, 13)]
        assert world.engine.statistics().batches == before + 2
        assert not world.engine.statistics().committing

    run(scenario)


def test_answer_without_records_waits_for_what_was_decided_before_it() -> None:
    """Given a commit under way, when a command without records is asked, then its answer comes after the others."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(CreateDestination("c", Q))
        world.thread.by_hand = True
        world.ask("idle", CreateDestination("c", Q))
        assert await world.told() == ["idle: False"]
        world.ask("send", send("c", "a"))
        await settle()
        world.ask("create", CreateDestination("c", Q))
        world.ask("refused", Purge("c", T))
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["send: None", "create: False", "refused: InvalidDestinationError"]

    run(scenario)


def test_repeated_send_is_answered_only_when_the_first_one_is_safe() -> None:
    """Given a send whose commit is under way, when it comes again elsewhere, then it hears nothing sooner."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.thread.by_hand = True
        world.ask("first", send("c", "a", producer="p", sequence=1))
        await settle()
        world.ask("again", send("d", "a", producer="p", sequence=1))
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["first: None", "again: None"]
        assert world.store.statistics().messages == 1

    run(scenario)


def test_destinations_are_announced_when_they_are_safe() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        seen: list[object] = []
        world.engine.dispatch.watch_destinations(seen.append)
        world.thread.by_hand = True
        world.ask("create", CreateDestination("c", Q))
        await settle()
        assert seen == []
        world.thread.work()
        await settle()
        assert seen == [DestinationAdded(Q)]

    run(scenario)


def test_full_disk_refuses_sends_keeps_what_was_decided_and_recovers() -> None:
    """Rule 4: given a disk that fills up, then goes empty again, when sends come, then none is lost or told early."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        await world.engine.submit(send("c", "old"))
        await world.told()
        world.store.capacity = 50
        world.ask("stuck", send("c", "stuck", producer="p", sequence=1))
        world.ask("ack", Acknowledge("c", 1, tags=(2,)))
        assert await world.told() == []
        assert world.engine.statistics().full
        world.ask("refused", send("c", "new", producer="p", sequence=2))
        assert await world.told() == ["refused: StoreFullError"]
        world.ask("nothing new", CreateDestination("c", Q))
        await asyncio.sleep(10 * RETRY_WHEN_FULL)
        assert await world.told() == []
        assert world.failures == []
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["c gets stuck", "stuck: None", "ack: None", "nothing new: False"]
        assert not world.engine.statistics().full
        world.ask("accepted", send("c", "new", producer="p", sequence=2))
        assert await world.told() == ["accepted: None"]

    run(scenario)


def test_send_that_repeats_what_waits_for_room_is_not_refused() -> None:
    """Promise 3: given a send stuck on a full disk, when its client asks again, then it is not told that it failed.

    Told so, the client would use the number for its next message, which would be dropped as a repetition later.
    """

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.store.capacity = 10
        world.ask("stuck", send("c", "a", producer="p", sequence=1))
        await settle()
        world.ask("again", send("d", "a", producer="p", sequence=1))
        world.ask("another", send("d", "b", producer="r", sequence=1))
        world.ask("transaction", Commit("d", "t", 1, [(Q, [frame_for(Q)])], []))
        assert await world.told() == ["another: StoreFullError", "transaction: StoreFullError"]
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["stuck: None", "again: None"]
        assert world.store.statistics().messages == 1

    run(scenario)


def test_sends_are_refused_while_little_room_is_left() -> None:
    """Given less room than the reserve, when a send comes, then it is refused, so that acknowledgements find room."""

    async def scenario(loop: SimulatedLoop) -> None:
        free = [1000]
        world = await World(loop, free_bytes=lambda: free[0], reserve=100).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(send("c", "a"))
        free[0] = 99
        await world.engine.submit(send("c", "b"))
        await world.told()
        world.ask("send", send("c", "c"))
        world.ask("ack", Acknowledge("c", 1, tags=(2,)))
        assert await world.told() == ["send: StoreFullError", "ack: None"]
        free[0] = 100
        await asyncio.sleep(1.5)
        world.ask("send", send("c", "c"))
        assert await world.told() == ["c gets c", "send: None"]

    run(scenario)


class FailingStore(MemoryStore):
    """Fails when it is told to."""

    error: Exception | None = None

    def append(self, batch: Batch) -> None:
        if self.error is not None:
            raise self.error
        super().append(batch)


@pytest.mark.parametrize("error", [StoreError("the disk is gone"), StoreDamagedError("bad page"), OSError("I/O error")])
def test_any_other_failure_of_a_commit_ends_the_serving(error: Exception) -> None:
    """Given a commit that fails, when more is asked, then all hear so and nothing is told."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = FailingStore()
        world = await World(loop, store).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        store.error = error
        world.ask("in the batch", send("c", "a"))
        await settle()
        world.ask("in the next one", send("c", "b"))
        world.thread.work()
        assert await world.told() == ["in the batch: StoreError", "in the next one: StoreError"]
        assert world.failures == [error]
        assert world.engine.failure is error
        world.ask("later", CreateDestination("c", T))
        world.engine.tell(Disconnect("c"))
        assert await world.told() == ["later: StoreError"]
        await asyncio.sleep(5)
        assert world.failures == [error]
        world.thread.by_hand = False
        await world.engine.stop()
        assert world.thread.stopped

    run(scenario)


def test_text_of_the_error_says_that_the_outcome_is_unknown() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        store = FailingStore()
        world = await World(loop, store).start("c")
        store.error = OSError("I/O error")
        with pytest.raises(StoreError, match="I/O error; the outcome of this call is unknown"):
            await world.engine.submit(send("c", "a"))

    run(scenario)


def test_what_is_asked_after_the_end_and_not_waited_for_is_no_fault() -> None:
    """Given an engine that failed, or stopped, when clients that leave are reported to it, then nobody complains."""

    async def scenario(loop: SimulatedLoop) -> None:
        failed = await World(loop).start("c")
        failed.ask("bad", "no command")  # type: ignore[arg-type]
        assert await failed.told() == ["bad: StoreError"]
        stopped = await World(loop).start("c")
        await stopped.engine.stop()
        for world in (failed, stopped):
            world.engine.submit(Disconnect("c"))
        gc.collect()
        await settle()
        assert loop.failures == []

    run(scenario)


def test_fault_in_the_core_ends_the_serving() -> None:
    """Given a command that the core fails on, when asked, then memory may be half changed and is served no more."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.ask("bad", "no command")  # type: ignore[arg-type]
        world.ask("later", Connect("d", "ann"))
        assert await world.told() == ["bad: StoreError", "later: StoreError"]
        (failure,) = world.failures
        assert isinstance(failure, KeyError)

    run(scenario)


def test_frames_that_rest_in_the_store_are_told_in_their_place() -> None:
    """Given a backlog over the memory budget, when a consumer comes, then all arrive in order."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop, rules=Rules(resident_bytes=100)).start("c")
        for number in range(20):
            await world.engine.submit(send("c", f"{number}"))
        await world.told()
        world.ask("subscribe", Subscribe("c", 1, Q))
        assert await world.told() == ["c gets " + " ".join(map(str, range(20))), "subscribe: []"]
        assert world.store.statistics().frames_loaded > 10

    run(scenario)


def test_frame_that_is_gone_before_it_was_told_is_not_told() -> None:
    """Given a delivery from the store and, in the same batch, its removal, when told, then no empty message arrives."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop, rules=Rules(resident_bytes=1)).start("c", "d")
        await world.engine.submit(send("c", "a"))
        world.thread.by_hand = True
        world.ask("busy", send("c", "b"))
        await settle()
        world.ask("subscribe", Subscribe("d", 1, Q, prefetch=1))
        world.ask("close", CloseConsumer("d", 1))
        world.ask("purge", Purge("c", Q))
        for _ in range(2):
            world.thread.work()
            await settle()
        told = await world.told()
        assert [line for line in told if "gets" in line] == ["d gets "]
        assert "purge: 2" in told

    run(scenario)


def test_ids_of_messages_that_never_touched_the_disk_are_not_used_again() -> None:
    """Rule 3: given a non-persistent message in a consumer's hands, when the server crashes, then its tag stays unique.

    Else the consumer could acknowledge or claim, by the old tag, a new message that it never got.
    """

    async def scenario(loop: SimulatedLoop) -> None:
        store = MemoryStore()
        world = await World(loop, store).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "a", persistent=False)]))
        assert world.engine.broker.next_id == 3
        crashed = world.engine.position
        assert crashed.next_id == 2 + IDS_RESERVED
        store.close()
        again = await World(loop, store).start("c")
        assert again.engine.broker.next_id == crashed.next_id
        before = again.engine.position.sequence
        await again.engine.submit(Subscribe("c", 1, Q))
        for _ in range(5):
            await again.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "a", persistent=False)]))
        assert again.engine.position.sequence == before + 1

    run(scenario)


def test_time_brings_what_was_delayed() -> None:
    """The engine looks at the clock by itself."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "later", delivery_time=loop.now() + 400)]))
        await asyncio.sleep(0.399)
        assert await world.told() == []
        await asyncio.sleep(0.1)
        assert await world.told() == ["c gets later"]

    run(scenario)


def test_sink_that_fails_loses_its_connection_and_its_messages_go_to_others() -> None:
    """Promise 9: given a sink that raises, when it is told a message, then another consumer gets the message."""

    class Broken(Sink):
        def deliver(self, deliveries: list[Delivered]) -> None:
            raise RuntimeError("a fault")

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.engine.dispatch.attach("d", Broken("d", world.log))
        await world.engine.submit(Subscribe("d", 1, Q))
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: None", "c gets a"]
        world.ask("late", Subscribe("d", 2, Q))
        assert await world.told() == ["late: IllegalStateError"]
        assert world.failures == []

    run(scenario)


def test_nothing_is_told_before_every_replica_has_the_batch() -> None:
    """Promise 1 with standbys: given one replica that is slow, when the disk is done, then still nothing is told."""

    async def scenario(loop: SimulatedLoop) -> None:
        replicas = [Replica(), Replica()]
        world = await World(loop, replicas=replicas).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        replicas[1].open.clear()
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        assert world.store.statistics().messages == 1
        assert len(replicas[0].batches) == len(replicas[1].batches) + 1
        replicas[1].open.set()
        assert await world.told() == ["c gets a", "send: None"]

    run(scenario)


def test_replica_waits_for_the_disk_too() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        assert len(replica.batches) == 1
        world.thread.work()
        assert await world.told() == ["send: None"]

    run(scenario)


def test_a_batch_is_on_its_way_to_the_standbys_before_a_small_commit_holds_up_the_loop() -> None:
    """Given a link that waits for work, when one message is sent, then it is shipped before our own disk is asked."""

    async def scenario(loop: SimulatedLoop) -> None:
        order: list[str] = []
        work = asyncio.Event()
        shipped: asyncio.Future[None] = loop.create_future()

        class Linked(Copies):
            def offer(self, batch: Batch) -> asyncio.Future[None]:
                work.set()
                return shipped

        async def link() -> None:
            await work.wait()
            order.append("shipped")
            shipped.set_result(None)

        class Disk(MemoryStore):
            def append(self, batch: Batch) -> None:
                order.append("stored")
                super().append(batch)

        world = await World(loop, Disk()).start("c")
        await settle()
        order.clear()
        world.engine._replication = Linked(loop, [])
        linked = loop.create_task(link())
        await settle()
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: None"]
        assert order == ["shipped", "stored"]
        await linked

    run(scenario)


def test_replica_holds_the_same_state() -> None:
    """Given a replica that applied every batch, when both stores are read, then they say the same."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica], rules=Rules(resident_bytes=100)).start("c")
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=3))
        await world.engine.submit(Subscribe("c", 2, T, durable="x"))
        for number in range(10):
            await world.engine.submit(send("c", f"{number}", producer="p", sequence=2 * number + 1))
            await world.engine.submit(send("c", f"{number}", destination=T, producer="p", sequence=2 * number + 2))
        await world.engine.submit(Acknowledge("c", 1, up_to=6))
        await world.engine.submit(CloseConsumer("c", 1))
        states = []
        for store in (world.store, replica.store):
            snapshot = store.load()
            states.append(
                [
                    snapshot.position,
                    list(snapshot.destinations()),
                    list(snapshot.subscriptions()),
                    list(snapshot.producers()),
                    dict(snapshot.delivered_up_to()),
                    list(snapshot.messages()),
                    list(snapshot.deliveries()),
                ]
            )
        assert states[0] == states[1]
        assert len(states[0][5]) == 18

    run(scenario)


def test_failing_replica_ends_the_serving() -> None:
    """Given a replica that fails, when a batch is shipped, then nothing of it is told as done."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        replica.error = ConnectionFailedError("the standby is gone")
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: StoreError"]
        assert world.failures == [replica.error]

    run(scenario)


def test_what_changes_no_disk_is_told_only_by_a_server_that_may_speak() -> None:
    """Promise 8: given a non-persistent message, when no replica confirms who speaks, then it is not told."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        await world.engine.submit(Subscribe("c", 1, T))
        await world.engine.submit(Send("c", "", 0, T, [frame_for(T, "first", persistent=False)]))
        assert await world.told() == ["c gets first"]
        batches, confirmed = len(replica.batches), replica.confirmed
        replica.open.clear()
        world.ask("send", Send("c", "", 0, T, [frame_for(T, "a", persistent=False)]))
        assert await world.told() == []
        replica.open.set()
        assert await world.told() == ["c gets a", "send: None"]
        assert (len(replica.batches), replica.confirmed) == (batches, confirmed + 1)
        replica.error = ConnectionFailedError("another server is active")
        world.ask("late", Send("c", "", 0, T, [frame_for(T, "b", persistent=False)]))
        assert await world.told() == ["late: StoreError"]

    run(scenario)


class Deposed(Copies):
    """The replication of a server that is not active any more: it refuses at once."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(loop, [])
        self.deposed = False

    def _ship(self, batch: Batch | None) -> asyncio.Future[None]:
        if not self.deposed:
            return super()._ship(batch)
        refused: asyncio.Future[None] = self._loop.create_future()
        refused.set_exception(NotActiveError("another server is active"))
        return refused


def test_a_deposed_server_writes_nothing_more() -> None:
    """Its successor goes on from where the log ended, so what came after would have to be truncated."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = World(loop)
        world.engine._replication = replication = Deposed(loop)
        await world.start("c")
        await world.engine.submit(send("c", "a"))
        end = world.store.load().position
        replication.deposed = True
        world.ask("late", send("c", "b"))
        assert await world.told() == ["late: StoreError"]
        await world.engine.stop()
        world.store.open()
        assert world.store.load().position == end
        assert [type(failure) for failure in world.failures] == [NotActiveError]

    run(scenario)


# Pausing, for a switchover.


def test_a_pause_lets_commands_wait_and_a_resume_decides_them_in_order() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        world.ask("under way", send("c", "a"))
        await settle()
        world.ask("decided", send("c", "b"))
        pausing = loop.create_task(world.engine.pause())
        await settle()
        assert world.engine.is_paused
        world.ask("later", send("c", "c"))
        world.engine.tell(send("c", "d"))
        given_up = world.ask("given up", send("c", "e"))
        given_up.cancel()
        assert not pausing.done()
        world.thread.by_hand = False
        world.thread.work()
        # What was decided is told, what came later is not even decided.
        position = await pausing
        assert await world.told() == ["given up: cancelled", "c gets a", "under way: None", "c gets b", "decided: None"]
        assert position == world.engine.position == world.store.load().position
        assert await world.engine.pause() == position
        world.engine.resume()
        assert not world.engine.is_paused
        assert await world.told() == ["c gets c", "c gets d", "later: None"]
        world.engine.resume()
        assert await world.told() == []

    run(scenario)


def test_an_engine_that_stops_while_it_is_paused_decides_nothing_more() -> None:
    """After a switchover its log must end where the other server's begins, whatever its clients' end would change."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T, durable="x"))
        await world.engine.submit(send("c", "a", destination=T))
        position = await world.engine.pause()
        world.ask("waits", send("c", "b"))
        stopping = loop.create_task(world.engine.stop())
        world.ask("comes late", send("c", "c"))
        world.engine.tell(Disconnect("c"))
        await stopping
        told = await world.told()
        assert sorted(told) == ["c gets a", "comes late: StoreError", "waits: StoreError"]
        world.store.open()
        assert world.store.load().position == position

    run(scenario)


def test_what_waits_in_a_pause_hears_of_a_failure() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("under way", send("c", "a"))
        await settle()
        pausing = loop.create_task(world.engine.pause())
        await settle()
        world.ask("waits", send("c", "b"))
        world.store.append = None  # type: ignore[method-assign,assignment]  # it is broken
        world.thread.by_hand = False
        world.thread.work()
        with pytest.raises(StoreError, match="cannot go on"):
            await pausing
        assert await world.told() == ["under way: StoreError", "waits: StoreError"]

    run(scenario)


def test_what_is_told_at_once_goes_ahead_of_what_waits_for_the_disk() -> None:
    """A heartbeat says that the server lives, not that its disk is quick; a paused server sends none."""

    def beat(body: str, *, persistent: bool = False) -> Send:
        return Send("c", "", 0, T, [frame_for(T, body, persistent=persistent)])

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T))
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        await settle()
        world.engine.tell_at_once(beat("1"))
        assert await world.told() == ["c gets 1"]
        world.thread.by_hand = False
        world.thread.work()
        await world.told()
        await world.engine.pause()
        world.engine.tell_at_once(beat("2"))
        world.engine.resume()
        assert await world.told() == []
        await world.engine.stop()
        world.engine.tell_at_once(beat("3"))
        assert await world.told() == []

    run(scenario)


def test_what_is_told_at_once_waits_if_it_has_to_be_safe() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T, durable="x"))
        world.thread.by_hand = True
        world.engine.tell_at_once(Send("c", "", 0, T, [frame_for(T, "kept")]))
        assert await world.told() == []
        world.thread.by_hand = False
        world.thread.work()
        assert await world.told() == ["c gets kept"]

    run(scenario)


def test_full_disk_with_replicas_ships_a_batch_once() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        await asyncio.sleep(5 * RETRY_WHEN_FULL)
        assert await world.told() == []
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["send: None"]
        assert len({batch.sequence for batch in replica.batches}) == len(replica.batches)

    run(scenario)


def test_stop_makes_safe_and_tells_what_was_decided() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("first", send("c", "a"))
        await settle()
        world.ask("second", send("c", "b"))
        stopping = loop.create_task(world.engine.stop())
        await settle()
        assert not stopping.done()
        world.thread.by_hand = False
        world.thread.work()
        await stopping
        assert await world.told() == ["first: None", "second: None"]
        assert world.thread.stopped
        await world.engine.stop()
        world.ask("late", send("c", "c"))
        world.engine.tell(Disconnect("c"))
        assert await world.told() == ["late: ConnectionFailedError"]
        world.store.open()
        assert world.store.statistics().messages == 2

    run(scenario)


def test_pause_and_stop_do_not_wait_for_answers_that_needed_no_commit() -> None:
    """Given an answer without records behind a commit, when both are told, then nothing is under way any more."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("stored", send("c", "a"))
        await settle()
        world.ask("closed", CloseConsumer("c", 7))
        world.thread.by_hand = False
        world.thread.work()
        assert await world.told() == ["stored: None", "closed: None"]
        async with asyncio.timeout(1):
            await world.engine.pause()
            await world.engine.stop()

    run(scenario)


def test_stop_gives_up_what_finds_no_room() -> None:
    """Given a batch that waits for room, when the server stops, then it stops, and nobody was told of the batch."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        world.ask("create", CreateDestination("c", T))
        await asyncio.sleep(1)
        await world.engine.stop()
        assert await world.told() == ["send: StoreError", "create: StoreError"]
        assert world.failures == []
        assert isinstance(world.engine.failure, StoreFullError)

    run(scenario)


def test_stop_tries_once_more_to_find_room() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        await settle()
        world.store.capacity = None
        await world.engine.stop()
        assert await world.told() == ["send: None"]
        assert world.engine.failure is None

    run(scenario)


def test_store_that_cannot_be_opened_is_closed_again() -> None:
    class Damaged(MemoryStore):
        closed = False

        def open(self) -> None:
            raise StoreDamagedError("bad page")

        def close(self) -> None:
            self.closed = True

    async def scenario(loop: SimulatedLoop) -> None:
        store = Damaged()
        world = World(loop, store)
        with pytest.raises(StoreDamagedError):
            await world.start()
        assert store.closed
        assert world.thread.stopped

    run(scenario)


class UpkeptStore(MemoryStore):
    """Counts its upkeep, and fails in it if told to."""

    left = 0
    done = 0
    error: Exception | None = None

    def maintain(self) -> bool:
        if self.error is not None:
            raise self.error
        self.done += 1
        self.left -= 1
        return self.left > 0


def test_upkeep_goes_on_while_there_is_some_and_nothing_else_to_do() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        store = UpkeptStore()
        store.left = 5
        await World(loop, store).start()
        await asyncio.sleep(1.5)
        assert store.done == 5

    run(scenario)


@pytest.mark.parametrize(("error", "ends"), [(StoreFullError("full"), False), (StoreError("gone"), True)])
def test_upkeep_that_fails(error: Exception, ends: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk only puts upkeep off, which is said once; any other failure ends the serving."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = UpkeptStore()
        store.error = error
        world = await World(loop, store).start()
        await asyncio.sleep(3.5)
        assert world.failures == ([error] if ends else [])

    run(scenario)
    assert caplog.text.count("upkeep of the store waits for room on disk") == (0 if ends else 1)


def test_reading_from_the_store_happens_between_commits() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(send("c", "a"))
        assert await world.engine.run_on_store(lambda store: store.statistics().messages) == 1
        with pytest.raises(ZeroDivisionError):
            await world.engine.run_on_store(lambda store: 1 / 0)
        assert world.engine.failure is None

    run(scenario)


def test_caller_that_gives_up_does_no_harm() -> None:
    """Given an answer that nobody waits for any more, when the batch is safe, then the others are told."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("first", send("c", "a")).cancel()
        world.ask("second", send("c", "b"))
        await settle()
        world.thread.work()
        assert sorted(await world.told()) == ["first: cancelled", "second: None"]
        assert world.store.statistics().messages == 2

    run(scenario)


def test_recovery_records_go_into_the_first_batch() -> None:
    """Given a message that waits nowhere any more, when the engine starts, then the store drops it."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = MemoryStore()
        world = await World(loop, store, rules=Rules(resident_bytes=1)).start("c")
        await world.engine.submit(Subscribe("c", 1, T, prefetch=1))
        for body in "ab":
            await world.engine.submit(send("c", body, destination=T))
        assert store.statistics().messages == 2
        store.close()
        await World(loop, store).start()
        await settle()
        assert store.statistics().messages == 0

    run(scenario)


def test_statistics_count() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(send("c", "a", "b"))
        with pytest.raises(InvalidDestinationError):
            await world.engine.submit(Purge("c", T))
        with pytest.raises(IllegalStateError):
            await world.engine.submit(Connect(SERVER, "x"))
        statistics = world.engine.statistics()
        assert (statistics.commands, statistics.batches, statistics.records, statistics.delivered) == (5, 2, 3, 2)
        assert not statistics.full

    run(scenario)
