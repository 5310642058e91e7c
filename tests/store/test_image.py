"""An image that was made of a store at any moment tells, batch after batch, what the store would tell."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.batches import Script, make_frame, queue, stored
from support.stores import contents, contents_of

from rmimom.frame import NON_PERSISTENT
from rmimom.records import Batch
from rmimom.store.image import Image
from rmimom.store.sqlite import SqliteStore


@pytest.mark.parametrize("seed", range(5))
def test_image_follows_the_store(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    script = Script(chance.randrange)
    store = SqliteStore(tmp_path)
    store.open()
    for _ in range(chance.randrange(60)):
        store.append(script.batch())
    image = Image.of(store.load())
    for _ in range(60):
        batch = script.batch()
        store.append(batch)
        image.apply(batch)
        assert contents_of(image.snapshot()) == contents(store)
    store.close()


def test_spilled_messages_can_be_dropped_and_are_named() -> None:
    image = Image()
    image.apply(Batch(1, 1, 20, [queue(1), stored(1, [1], {10: make_frame(mode=NON_PERSISTENT), 11: make_frame()})]))
    assert image.drop_spilled() == [10]
    assert [row.message for row in image.snapshot().deliveries()] == [11]
    assert image.drop_spilled() == []


def test_rows_are_in_order_whatever_was_stored_first() -> None:
    """Messages that were spilled late have smaller ids than those that were stored before them."""
    image = Image()
    image.apply(Batch(1, 1, 30, [queue(2), queue(1), stored(2, [2], {20: make_frame(), 22: make_frame()})]))
    image.apply(Batch(1, 2, 30, [stored(1, [1], {21: make_frame()}), stored(2, [2], {10: make_frame()})]))
    snapshot = image.snapshot()
    assert [row.id for row in snapshot.messages()] == [10, 20, 21, 22]
    assert [(row.mailbox, row.message) for row in snapshot.deliveries()] == [(1, 21), (2, 10), (2, 20), (2, 22)]
