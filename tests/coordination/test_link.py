"""A link of the active and the object of a standby, over a real listener, in one event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.coordination import A, B, Coordination, batch, configuration, follower_with, make_key, served, store_with
from support.loops import on_loop, until
from support.tampering import tampering

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.events import ConsentAsked, ConsentGiven, Stored, Told
from rmimom.coordination import link as module
from rmimom.coordination.link import ANNOTATION, Link, LinkPhase, Supply
from rmimom.coordination.shipment import pack
from rmimom.coordination.standby import SERVER_PREFIX, ServerObject
from rmimom.errors import ConnectionFailedError, IllegalStateError, StoreVersionError
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError
from rmimom.rmi.exposure import expose
from rmimom.store.memory import MemoryStore

TIME_LIMIT = 20.0


class Journal:
    """Writes down what a link reports."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.why = ""

    def caught_up(self, link: Link) -> None:
        self.told.append(f"caught up at {link.position.sequence}")

    def needs_copy(self, link: Link) -> None:
        self.told.append("needs a copy")

    def acknowledged(self, link: Link) -> None:
        self.told.append(f"has {link.position.sequence}")

    def lost(self, link: Link, why: str) -> None:
        self.told.append("lost")
        self.why = why


class Standby:
    """Server B, whose log has so many batches, and links of server A to it."""

    def __init__(self, coordination: Coordination, directory: Path) -> None:
        self.coordination = coordination
        self.directory = directory
        self.object = ServerObject(B, coordination, directory)
        self.key = make_key(directory)
        self.uri = self.place = ""
        self.links: list[Link] = []

    @property
    def sequence(self) -> int:
        """The last batch that its store has."""
        return self.coordination.follower.store.load().position.sequence

    def files(self) -> list[str]:
        """What lies in its directory."""
        return [file.name for file in self.directory.iterdir()]

    def link(
        self,
        store: MemoryStore,
        recent: range = range(0),
        *,
        time_limit: float = TIME_LIMIT,
        began: LogPosition = NOWHERE,
        decided: int = 0,
    ) -> tuple[Link, Journal]:
        """A link from an active with this store, which has decided more, up to `decided`, and some batches at hand."""
        position = store.load().position
        supply = Supply(
            configuration=configuration(1, A, began=began, epoch=2 if began != NOWHERE else 1),
            handshake=self.key.handshake(A),
            store=store,
            directory=self.directory,
            recent={sequence: pack(batch(sequence)) for sequence in recent},
            decided=LogPosition(position.epoch, max(position.sequence, decided)),
            time_limit=time_limit,
            reserve=0,
        )
        journal = Journal()
        self.links.append(Link(B, self.uri, supply, journal))
        return self.links[-1], journal

    @asynccontextmanager
    async def connected(self, server: str = A) -> AsyncIterator[CallbackPeer]:
        """A connection of another server, to call what it likes."""
        peer = await CallbackPeer.connect(self.uri, TIME_LIMIT, handshake=self.key.handshake(server))
        try:
            yield peer
        finally:
            peer.close()


@asynccontextmanager
async def standby(directory: Path, batches: int = 0) -> AsyncIterator[Standby]:
    """A standby that is served."""
    follower = await follower_with(batches)
    there = Standby(Coordination(follower), directory)
    try:
        async with served({SERVER_PREFIX + B: there.object}, there.key) as place:
            there.place = place
            there.uri = f"PYRO:{SERVER_PREFIX}{B}@{place}"
            try:
                yield there
            finally:
                for link in there.links:
                    link.close("the test is over")
                await asyncio.gather(*(link._task for link in there.links), return_exceptions=True)
    finally:
        await follower.stop()


async def call(peer: CallbackPeer, method: str, *arguments: object, data: bytes | None = None) -> Any:
    annotations = None if data is None else {ANNOTATION: data}
    return (await peer.call(method, arguments, None, annotations, timeout=TIME_LIMIT))[0]


def plain(which: Configuration | None = None) -> Any:
    """A configuration as it travels."""
    return msgspec.to_builtins(which or configuration(1, A))


@on_loop
async def test_a_standby_that_lacks_a_little_gets_it_and_then_every_batch(tmp_path: Path) -> None:
    async with standby(tmp_path, 2) as there:
        link, journal = there.link(store_with(5), range(2, 6))
        link.offer(6, pack(batch(6)))  # while it is still connecting
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert there.sequence == 6
        assert journal.told == ["has 6", "caught up at 6"]
        for sequence in (7, 8, 9):
            link.offer(sequence, pack(batch(sequence)))
        await until(lambda: link.position.sequence == 9)
        assert there.sequence == 9
        assert there.coordination.learnt == [Told(configuration(1, A))]
        assert there.coordination.acknowledged[-1] == (1, 9)
        assert link.statistics().behind == 0
        assert link.statistics().to_copy == 0


@pytest.mark.parametrize("recent", [range(0), range(4, 6)])
def test_a_standby_that_lacks_more_gets_a_copy_in_pieces(
    tmp_path: Path, recent: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 50)

    @on_loop
    async def check() -> None:
        async with standby(tmp_path, 2) as there:
            link, journal = there.link(store_with(5), recent)
            await until(lambda: link.phase is LinkPhase.IN_STEP)
            assert there.sequence == 5
            assert journal.told == ["needs a copy", "caught up at 5"]
            assert there.coordination.learnt[-1] == Stored(LogPosition(1, 5))
            reading = link.statistics()
            assert reading.copied == reading.to_copy > 100
            link.offer(6, pack(batch(6)))
            await until(lambda: link.position.sequence == 6)
            assert there.sequence == 6
        assert there.files() == ["cluster-key"]

    check()


@on_loop
async def test_what_the_copy_holds_already_is_not_shipped_again(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        store = store_with(3)
        link, _ = there.link(store)
        for sequence in (4, 5, 6):
            if sequence < 6:
                store.append(batch(sequence))
            link.offer(sequence, pack(batch(sequence)))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert there.sequence == 6
        assert there.coordination.acknowledged == [(1, 6)]


@on_loop
async def test_what_was_not_on_our_disk_yet_is_shipped_after_the_copy(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(3), range(4, 5), decided=4)
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert there.sequence == 4
        assert journal.told == ["needs a copy", "caught up at 4"]


@on_loop
async def test_a_copy_that_is_too_old_is_not_good_enough(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(3), decided=4)
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert journal.told == ["needs a copy", "lost"]
        assert "not at hand any more" in journal.why


@on_loop
async def test_a_log_that_is_no_part_of_ours_is_replaced(tmp_path: Path) -> None:
    async with standby(tmp_path, 5) as there:
        link, journal = there.link(store_with(3), range(1, 4), began=LogPosition(1, 3))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert journal.told[0] == "needs a copy"
        assert there.sequence == 3


@on_loop
async def test_a_question_is_answered_by_a_standby_that_follows(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(0))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert link.confirmed == 0
        number = link.ask()
        await until(lambda: link.confirmed >= number)
        there.coordination.refusal = IllegalStateError("it does not follow any more")
        number = link.ask()
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert link.confirmed < number
        assert journal.told == ["caught up at 0", "has 0", "lost"]


@on_loop
async def test_nothing_is_acknowledged_without_leave(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(0))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        there.coordination.refusal = IllegalStateError("it does not follow any more")
        link.offer(1, pack(batch(1)))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert link.position.sequence == 0
        assert journal.told == ["caught up at 0", "lost"]
        assert "does not follow any more" in journal.why


@on_loop
async def test_a_log_that_stands_still_takes_nothing(tmp_path: Path) -> None:
    """Rule 3 of docs/design/0012: where it ends may have been promised, and an active that lives goes on shipping."""
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(0))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        there.coordination.follows = ""
        link.offer(1, pack(batch(1)))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "does not follow any more" in journal.why
        assert there.sequence == 0


@on_loop
async def test_a_log_that_stands_still_is_not_replaced(tmp_path: Path) -> None:
    async with standby(tmp_path, 1) as there, there.connected() as peer:
        await call(peer, "begin", plain())
        await call(peer, "begin_copy", 4)
        await call(peer, "copy_piece", 0, data=b"copy")
        there.coordination.follows = ""
        with pytest.raises(RemoteCallError, match="does not follow any more"):
            await call(peer, "end_copy", hashlib.sha256(b"copy").hexdigest())
        assert there.sequence == 1
        assert not (tmp_path / "copy").exists()


@on_loop
async def test_a_second_link_supersedes_the_first(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        first, old = there.link(store_with(0))
        await until(lambda: first.phase is LinkPhase.IN_STEP)
        second, _ = there.link(store_with(0))
        await until(lambda: second.phase is LinkPhase.IN_STEP)
        first.offer(1, pack(batch(1)))
        await until(lambda: first.phase is LinkPhase.CLOSED)
        assert "another connection" in old.why
        assert there.sequence == 0
        second.offer(1, pack(batch(1)))
        await until(lambda: second.position.sequence == 1)
        assert there.coordination.lost == 0
        second.close("enough")
        await until(lambda: there.coordination.lost == 1)


@on_loop
async def test_a_server_that_follows_another_refuses_and_corrects(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        there.coordination.follows = "c" * 16
        link, journal = there.link(store_with(0))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "does not follow" in journal.why
        assert there.coordination.corrected == [A]


@pytest.mark.parametrize(
    ("shipment", "sequence", "error"),
    [
        (pack(batch(1))[:-1] + b"?", 1, "checksum"),
        (pack(batch(1))[:-1], 1, "ends in the middle"),
        (pack(batch(2)), 2, "does not follow"),
        (pack(batch(1)), 2, "ends with batch 1, not 2"),
    ],
)
def test_a_wrong_shipment_is_refused(tmp_path: Path, shipment: bytes, sequence: int, error: str) -> None:
    @on_loop
    async def check() -> None:
        async with standby(tmp_path) as there, there.connected() as peer:
            await call(peer, "begin", plain())
            with pytest.raises(RemoteCallError, match=error):
                await call(peer, "new_messages", sequence, data=shipment)
            assert there.coordination.acknowledged == []

    check()


@on_loop
async def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    async with standby(tmp_path, 1) as there, there.connected() as peer:
        await call(peer, "begin", plain())
        with pytest.raises(RemoteCallError, match="no copy was begun"):
            await call(peer, "end_copy", "")
        with pytest.raises(RemoteCallError, match="begin the copy again"):
            await call(peer, "copy_piece", 0, data=b"x")
        await call(peer, "begin_copy", 4)
        await call(peer, "copy_piece", 0, data=b"ab")
        for offset in (0, 1, 3):
            with pytest.raises(RemoteCallError, match="begin the copy again"):
                await call(peer, "copy_piece", offset, data=b"cd")
        await call(peer, "copy_piece", 2, data=b"cd")
        with pytest.raises(RemoteCallError, match="4 of 4 bytes came, and the checksum is wrong"):
            await call(peer, "end_copy", "0" * 64)
        await call(peer, "begin_copy", 4)
        with pytest.raises(RemoteCallError, match="0 of 4 bytes came"):
            await call(peer, "end_copy", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        assert there.sequence == 1


@on_loop
async def test_a_batch_that_is_damaged_on_its_way_is_fetched_again(tmp_path: Path) -> None:
    async with standby(tmp_path) as there, tampering(there.place, b"queue-2") as way:
        there.uri = f"PYRO:{SERVER_PREFIX}{B}@{way.place}"
        link, journal = there.link(store_with(3), range(1, 4))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "its checksum is wrong" in journal.why
        assert (way.changed, there.coordination.acknowledged, there.sequence) == (1, [], 1)
        # It subscribes anew, and gets from the active what it lacks.
        link, journal = there.link(store_with(3), range(1, 4))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert "needs a copy" not in journal.told
        assert there.sequence == 3


@on_loop
async def test_a_copy_that_is_damaged_on_its_way_is_fetched_again(tmp_path: Path) -> None:
    async with standby(tmp_path) as there, tampering(there.place, b"queue-2") as way:
        there.uri = f"PYRO:{SERVER_PREFIX}{B}@{way.place}"
        link, journal = there.link(store_with(3))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "the checksum is wrong" in journal.why
        assert (way.changed, there.sequence, "copy" in there.files()) == (1, 0, False)
        link, journal = there.link(store_with(3))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        assert there.sequence == 3


@on_loop
async def test_a_copy_of_a_newer_version_is_not_asked_for_again(tmp_path: Path) -> None:
    """A standby that is older than the active has to be updated; copying the same again and again would not help."""
    async with standby(tmp_path) as there:
        error = StoreVersionError("its version is 99, this server reads up to 3")

        def refuse(_copy: Path) -> None:
            raise error

        there.coordination.follower.store.replace_by = refuse  # type: ignore[method-assign]
        link, journal = there.link(store_with(3))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "version is 99" in journal.why
        assert there.coordination.given_up is error
        assert "copy" not in there.files()


@on_loop
async def test_half_a_copy_goes_with_its_connection(tmp_path: Path) -> None:
    async with standby(tmp_path, 1) as there:
        async with there.connected() as peer:
            await call(peer, "begin", plain())
            await call(peer, "begin_copy", 4)
            assert (tmp_path / "copy").exists()
        await until(lambda: there.coordination.lost)
        assert not (tmp_path / "copy").exists()


@on_loop
async def test_only_who_began_may_ship(tmp_path: Path) -> None:
    async with standby(tmp_path) as there, there.connected() as peer:
        for method, argument in (("new_messages", 1), ("begin_copy", 1), ("copy_piece", 0), ("end_copy", "")):
            with pytest.raises(RemoteCallError, match="another connection of the active"):
                await call(peer, method, argument, data=pack(batch(1)))
        assert there.sequence == 0


@on_loop
async def test_strangers_are_refused(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        stranger = await CallbackPeer.connect(there.uri, TIME_LIMIT)
        for method, argument in (("begin", plain()), ("new_message", {"told": plain()})):
            with pytest.raises(RemoteCallError, match="only servers of the cluster"):
                await call(stranger, method, argument)
        assert await call(stranger, "get_client_id") == B
        stranger.close()
        with pytest.raises(ConnectionFailedError, match="the cluster key is not ours"):
            await CallbackPeer.connect(there.uri, TIME_LIMIT, handshake={"server": A, "cluster_key": "x" * 64})
        assert there.coordination.learnt == []


@on_loop
async def test_news_reach_the_member(tmp_path: Path) -> None:
    second = configuration(2, A, B)
    async with standby(tmp_path) as there, there.connected() as peer:
        await call(peer, "new_message", {"told": plain(second)})
        await call(peer, "new_message", {"asked": plain(second), "given": [A]})
        await call(peer, "new_message", {"consented": plain(second)})
        assert there.coordination.learnt == [Told(second), ConsentAsked(second, (A,)), ConsentGiven(second, A)]


@pytest.mark.parametrize("news", [{}, {"told": 1}, {"told": {"number": 1}}, {"asked": plain(), "given": 7}, {"no": 1}])
def test_nonsense_as_news_is_refused(tmp_path: Path, news: dict[str, object]) -> None:
    @on_loop
    async def check() -> None:
        async with standby(tmp_path) as there, there.connected() as peer:
            with pytest.raises(RemoteCallError, match="this is no"):
                await call(peer, "new_message", news)
            assert there.coordination.learnt == []

    check()


class Odd:
    """A standby that answers with what the test wants."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    @expose
    def begin(self, configuration: object) -> object:
        return self._answer

    @expose
    def new_messages(self, sequence: int) -> asyncio.Future[object]:
        return asyncio.get_running_loop().create_future()  # never


@pytest.mark.parametrize("answer", [None, "0", [1], ["a", "b"], [1, 2, 3], {"epoch": 1}])
def test_a_standby_that_answers_nonsense_costs_its_link(tmp_path: Path, answer: object) -> None:
    @on_loop
    async def check() -> None:
        async with standby(tmp_path) as there, served({"odd": Odd(answer)}, there.key) as place:
            there.uri = f"PYRO:odd@{place}"
            link, journal = there.link(store_with(0))
            await until(lambda: link.phase is LinkPhase.CLOSED)
            assert journal.told == ["lost"]
            assert "answered begin with nonsense" in journal.why

    check()


@on_loop
async def test_a_standby_that_hangs_costs_its_link(tmp_path: Path) -> None:
    async with standby(tmp_path) as there, served({"odd": Odd([0, 0])}, there.key) as place:
        there.uri = f"PYRO:odd@{place}"
        link, journal = there.link(store_with(0), time_limit=0.3)
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        link.offer(1, pack(batch(1)))
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert "did not answer new_messages" in journal.why
        link.offer(2, pack(batch(2)))
        link.close("twice is harmless")
        assert journal.told == ["caught up at 0", "lost"]


@on_loop
async def test_a_standby_that_goes_away_is_reported_without_a_call(tmp_path: Path) -> None:
    async with standby(tmp_path) as there:
        link, journal = there.link(store_with(0))
        await until(lambda: link.phase is LinkPhase.IN_STEP)
        source = there.object._source
        assert source is not None
        source.close("the test says so")
        await until(lambda: link.phase is LinkPhase.CLOSED)
        assert journal.why == "the connection to it was lost"
