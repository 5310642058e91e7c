"""What travels from the active to a standby: batches of the log, with checksums, several in one call.

A shipment is a sequence of parts: the length of an encoded batch, the CRC-32 of it, and the batch.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

from rmimom.errors import MessageFormatError
from rmimom.records import Batch, decode_batch, encode_batch

_HEAD = struct.Struct("!II")


def pack(batch: Batch) -> bytes:
    """One part."""
    data = encode_batch(batch)
    return _HEAD.pack(len(data), zlib.crc32(data)) + data


def unpack(shipment: memoryview | bytes) -> Iterator[Batch]:
    """The batches of a shipment; raises MessageFormatError at the first that is damaged, after those before it."""
    view = memoryview(shipment)
    while view:
        if len(view) < _HEAD.size:
            raise MessageFormatError("a shipment of batches ends in the middle")
        length, checksum = _HEAD.unpack_from(view)
        data = view[_HEAD.size : _HEAD.size + length]
        if len(data) < length:
            raise MessageFormatError("a shipment of batches ends in the middle")
        if zlib.crc32(data) != checksum:
            raise MessageFormatError("a batch was damaged on its way: its checksum is wrong")
        try:
            yield decode_batch(data)
        except msgspec.MsgspecError as error:
            raise MessageFormatError(f"a batch makes no sense: {error}") from error
        view = view[_HEAD.size + length :]
