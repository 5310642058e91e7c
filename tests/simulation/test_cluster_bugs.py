"""Bugs planted into coordination, each of which a simulated cluster has to show.

Where the bug is one that only clients should notice, the world is not watched inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from support.cluster_reports import run_cluster_seed
from support.cluster_world import ClusterPlan
from support.simulated_names import NameServer

from rmimom.cluster.configuration import encode
from rmimom.coordination import link, shipping
from rmimom.coordination.link import Link, LinkPhase
from rmimom.coordination.shipping import Shipping
from rmimom.engine import Engine
from rmimom.follower import Follower
from rmimom.records import (
    Batch,
    MailboxAdvanced,
    MessagesDropped,
    MessagesMoved,
    MessagesRemoved,
    ProducerAdvanced,
)
from rmimom.store.image import Image

SEEDS = 150
"""How many seeds a bug may hide."""
PAIR = ClusterPlan(kills=4, breaks=2)
UNSEEN = msgspec.structs.replace(PAIR, checks_inside=False)
CUTS = ClusterPlan(kills=1, cuts=4, stops=2)

Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: list[tuple[str, ClusterPlan, int, Plant]] = []


def bug(shown: str, plan: ClusterPlan = PAIR, first: int = 1) -> Callable[[Plant], Plant]:
    """Note a bug, a part of what has to be said of it, and the first seed of a search that need not be long."""

    def note(plant: Plant) -> Plant:
        BUGS.append((shown, plan, first, plant))
        return plant

    return note


def wrap(patch: pytest.MonkeyPatch, owner: type, name: str, around: Callable[..., Any]) -> None:
    """Replace a method; `around` gets the old one first."""
    old = getattr(owner, name)
    patch.setattr(owner, name, lambda *arguments, **named: around(old, *arguments, **named))


def ship_without(patch: pytest.MonkeyPatch, unwanted: Callable[[object], bool]) -> None:
    """Let some records not get to the standbys."""

    def pack(batch: Batch) -> bytes:
        kept = [record for record in batch.records if not unwanted(record)]
        return packed(msgspec.structs.replace(batch, records=kept))

    packed = shipping.pack
    patch.setattr(shipping, "pack", pack)


@bug("is not on the disks of", PAIR)
def tells_before_the_standby_has_it(patch: pytest.MonkeyPatch) -> None:
    wrap(patch, Shipping, "offer", lambda old, *arguments: old(*arguments) and None)


@bug("wrong", msgspec.structs.replace(UNSEEN, slow_disks=4), first=44)
def tells_before_the_standby_has_it_and_clients_notice(patch: pytest.MonkeyPatch) -> None:
    tells_before_the_standby_has_it(patch)


@bug("is not on the disks of", PAIR)
def standby_acknowledges_what_is_only_in_memory(patch: pytest.MonkeyPatch) -> None:
    async def append(old: Any, follower: Follower, batch: Batch) -> None:
        await follower.warm_up()
        follower._running.run(lambda: follower.store.append(batch))
        follower._image.apply(batch)  # type: ignore[union-attr]
        follower._position = follower._image.position  # type: ignore[union-attr]

    wrap(patch, Follower, "append", append)


@bug("is another one than elsewhere", PAIR)
def follower_skips_a_batch_now_and_then(patch: pytest.MonkeyPatch) -> None:
    async def append(old: Any, follower: Follower, batch: Batch) -> None:
        await old(follower, msgspec.structs.replace(batch, records=[]) if batch.sequence % 10 == 0 else batch)

    wrap(patch, Follower, "append", append)


@bug("do not hold the same", PAIR)
def follower_in_memory_is_not_what_is_on_its_disk(patch: pytest.MonkeyPatch) -> None:
    async def append(old: Any, follower: Follower, batch: Batch) -> None:
        await follower.warm_up()
        image = follower._image
        assert image is not None
        apply = image.apply
        if batch.sequence % 10 == 0:
            image.apply = lambda batch: Image.apply(image, msgspec.structs.replace(batch, records=[]))  # type: ignore[method-assign]
        try:
            await old(follower, batch)
        finally:
            image.apply = apply  # type: ignore[method-assign]

    wrap(patch, Follower, "append", append)


@bug("is another one than elsewhere", CUTS, first=7)
def log_is_not_truncated_after_a_takeover(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(link, "goes_on_from", lambda configuration, position: True)


@bug("acknowledged: wrong", UNSEEN)
def acknowledgements_are_not_shipped(patch: pytest.MonkeyPatch) -> None:
    ship_without(patch, lambda record: isinstance(record, MessagesRemoved | MessagesDropped))


@bug("duplicates: wrong", UNSEEN)
def numbers_of_producers_are_not_shipped(patch: pytest.MonkeyPatch) -> None:
    ship_without(patch, lambda record: isinstance(record, ProducerAdvanced))


@bug("transactions: wrong", msgspec.structs.replace(UNSEEN, forwarders=4), first=85)
def outcomes_of_commits_are_not_shipped(patch: pytest.MonkeyPatch) -> None:
    ship_without(patch, lambda record: isinstance(record, ProducerAdvanced) and record.producer.startswith("f"))


@bug("redelivery: wrong", UNSEEN)
def what_was_handed_out_is_not_shipped(patch: pytest.MonkeyPatch) -> None:
    """Messages come again without the redelivered flag."""
    ship_without(patch, lambda record: isinstance(record, MailboxAdvanced))


@bug("dead letters: wrong", UNSEEN)
def dead_letters_are_not_shipped(patch: pytest.MonkeyPatch) -> None:
    ship_without(patch, lambda record: isinstance(record, MessagesMoved))


@bug("is not on the disks of", CUTS, first=8)
def deposed_active_still_tells(patch: pytest.MonkeyPatch) -> None:
    """It lets out what it had decided when it learns that another one is active."""

    def depose(old: Any, shipping: Shipping, why: str) -> None:
        for _, future in shipping._offers:
            future.set_result(None)
        old(shipping, why)

    wrap(patch, Shipping, "depose", depose)
    patch.setattr(Shipping, "_refused", lambda shipping: None)


@bug("tells of batch", CUTS, first=44)
def names_are_written_twice(patch: pytest.MonkeyPatch) -> None:
    def register(server: NameServer, configuration: Any) -> None:
        server.names[configuration.name] = (configuration.address_of(configuration.active), encode(configuration))

    patch.setattr(NameServer, "register", register)


@bug("is not on the disks of", ClusterPlan(kills=6, slow_disks=8, duration=6.0), first=32)
def copy_lacks_what_was_on_its_way_to_the_disk(patch: pytest.MonkeyPatch) -> None:
    """A real one."""
    wrap(patch, Link, "_missing", lambda old, self: [] if self.phase is LinkPhase.COPYING else old(self))


@bug("do not find together", ClusterPlan(kills=1, switchovers=3), first=3)
def engine_is_never_idle_after_an_answer_without_records(patch: pytest.MonkeyPatch) -> None:
    """A real one: a server that had handed over waited for ever, and never followed."""

    def flush(old: Any, engine: Engine) -> None:
        was_idle = engine._idle.is_set()
        old(engine)
        if not was_idle and not engine._committing:
            engine._idle.clear()

    wrap(patch, Engine, "_flush", flush)


@pytest.mark.parametrize(("shown", "plan", "first", "plant"), BUGS, ids=[bug[-1].__name__ for bug in BUGS])
def test_planted_bug_is_found(
    shown: str, plan: ClusterPlan, first: int, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a bug, when worlds run, then soon one of them shows it."""
    plant(monkeypatch)
    seen: list[str] = []
    for seed in range(first, first + SEEDS):
        wrong = run_cluster_seed(seed, plan)
        if wrong:
            seen.append(wrong[:500])
            if shown in wrong:
                return
    pytest.fail(f"it was not found in {SEEDS} seeds; what was seen: {seen[:3]}")
