"""Shipments of batches: what was packed comes out, and nothing that was damaged does."""

from __future__ import annotations

import struct
import zlib

import pytest
from support.coordination import batch

from rmimom.coordination.shipment import pack, unpack
from rmimom.errors import MessageFormatError

PARTS = [pack(batch(sequence)) for sequence in (1, 2, 3)]


def test_what_was_packed_comes_out() -> None:
    assert list(unpack(b"".join(PARTS))) == [batch(1), batch(2), batch(3)]
    assert list(unpack(memoryview(PARTS[1]))) == [batch(2)]
    assert list(unpack(b"")) == []


def test_a_shipment_that_ends_anywhere_in_the_middle_is_refused() -> None:
    shipment = PARTS[0] + PARTS[1]
    for end in {*range(1, len(shipment))} - {len(PARTS[0])}:
        with pytest.raises(MessageFormatError, match="ends in the middle"):
            list(unpack(shipment[:end]))


def test_every_changed_bit_is_noticed() -> None:
    for position in range(len(PARTS[0])):
        for bit in range(8):
            damaged = bytearray(PARTS[0])
            damaged[position] ^= 1 << bit
            with pytest.raises(MessageFormatError):
                list(unpack(bytes(damaged)))


def test_what_comes_before_the_damage_is_taken() -> None:
    batches = unpack(PARTS[0] + PARTS[1][:-1] + b"\xff")
    assert next(batches) == batch(1)
    with pytest.raises(MessageFormatError, match="checksum"):
        next(batches)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xc1", b"\x90", b"\x94\x01\x02\x03\x04"])
def test_a_batch_that_makes_no_sense_is_refused(data: bytes) -> None:
    with pytest.raises(MessageFormatError, match="makes no sense"):
        list(unpack(struct.pack("!II", len(data), zlib.crc32(data)) + data))
