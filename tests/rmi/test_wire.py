"""Frames: a table goes through writer and reader, whole and byte by byte; and what is no frame is refused at once."""

from __future__ import annotations

import tracemalloc
import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Pyro5 import config, protocol
from Pyro5.callcontext import current_context

from rmimom.errors import MessageFormatError, MessageTooLargeError
from rmimom.rmi import wire
from rmimom.rmi.wire import FrameError, FrameReader, FrameTooLargeError, Message, encode_message

ID = uuid.UUID(int=7).bytes

TABLE = [
    {"type": wire.PING, "flags": 0, "sequence": 0, "serializer": 42, "payload": b""},
    {"type": wire.INVOKE, "flags": wire.ONEWAY, "sequence": 65535, "serializer": 1, "payload": b"x" * 300},
    {
        "type": wire.INVOKE,
        "flags": wire.BATCH,
        "sequence": 1,
        "serializer": 3,
        "payload": b"{}",
        "annotations": {"RMOM": b"123"},
    },
    {
        "type": wire.RESULT,
        "flags": wire.EXCEPTION,
        "sequence": 9,
        "serializer": 4,
        "payload": b"",
        "annotations": {"RMOM": b""},
    },
    {
        "type": wire.RESULT,
        "flags": 0,
        "sequence": 2,
        "serializer": 1,
        "payload": b"answer",
        "annotations": {"AAAA": b"a" * 1000, "BBBB": bytearray(b"b"), "CCCC": memoryview(b"cc")},
        "correlation_id": ID,
    },
    {"type": wire.INVOKE, "flags": 0, "sequence": 3, "serializer": 1, "payload": b"y" * 5000, "compress": True},
]


def shown(message: Message) -> tuple[object, ...]:
    return (
        message.type,
        message.flags & ~wire.CORRELATED,
        message.sequence,
        message.serializer,
        message.payload,
        {name: bytes(data) for name, data in message.annotations.items()},
        message.correlation_id,
    )


def meant(row: dict) -> tuple[object, ...]:
    return (
        row["type"],
        row["flags"],
        row["sequence"],
        row["serializer"],
        row["payload"],
        {name: bytes(data) for name, data in row.get("annotations", {}).items()},
        row.get("correlation_id", wire.NO_CORRELATION),
    )


def read(data: bytes, step: int, limit: int = wire.DEFAULT_LIMIT) -> list[Message]:
    reader = FrameReader(limit)
    found: list[Message] = []
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        found.extend(reader)
    assert not reader.incomplete
    assert reader.buffered == 0
    return found


@pytest.mark.parametrize("step", [1, 2, 39, 40, 41, 1000, 1_000_000])
def test_what_is_written_is_read_in_pieces_of_any_size(step: int) -> None:
    data = b"".join(encode_message(**row) for row in TABLE)
    assert [shown(message) for message in read(data, step)] == [meant(row) for row in TABLE]


@pytest.mark.parametrize("row", TABLE)
def test_pyro_reads_what_we_write(row: dict) -> None:
    data = encode_message(**row)
    message = protocol.ReceivingMessage(data[: wire.HEADER_SIZE], data[wire.HEADER_SIZE :])
    assert (message.type, message.seq, message.serializer_id) == (row["type"], row["sequence"], row["serializer"])
    assert bytes(message.data) == row["payload"]
    assert {name: bytes(data) for name, data in message.annotations.items()} == meant(row)[5]
    assert bool(message.flags & protocol.FLAGS_CORR_ID) == ("correlation_id" in row)


@pytest.mark.parametrize("compress", [False, True])
def test_we_read_what_pyro_writes(monkeypatch: pytest.MonkeyPatch, compress: bool) -> None:
    monkeypatch.setattr(config, "COMPRESSION", compress)
    monkeypatch.setattr(current_context, "correlation_id", uuid.UUID(bytes=ID))
    sent = protocol.SendingMessage(protocol.MSG_INVOKE, 0, 5, 1, b"p" * 1000, annotations={"RMOM": b"abc"})
    (message,) = read(sent.data, 100)
    assert shown(message) == (wire.INVOKE, 0, 5, 1, b"p" * 1000, {"RMOM": b"abc"}, ID)


def test_an_annotation_stays_what_it_was_when_more_is_fed() -> None:
    row = {"type": wire.INVOKE, "flags": 0, "sequence": 1, "serializer": 1, "payload": b"p"}
    data = encode_message(**row, annotations={"RMOM": b"first"}) + encode_message(**row, annotations={"RMOM": b"other"})
    reader = FrameReader()
    for start in range(0, len(data), 10):
        reader.feed(data[start : start + 10])
        if (message := reader.next_message()) is not None:
            break
    assert message is not None
    view = message.annotations["RMOM"]
    reader.feed(data[start + 10 :])
    assert reader.next_message() is not None
    assert bytes(view) == b"first"


GOOD = encode_message(wire.INVOKE, 0, 1, 1, b"payload", {"RMOM": b"abc"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"G", "must be b'PYRO'"),
        (b"GET / HTTP/1.1\r\n\r\n", "must be b'PYRO'"),
        (b"PYRX", "must be b'PYRO'"),
        (b"\x80\x04\x95", "must be b'PYRO'"),
        (b"PYRO\x01\xf4", "version 500"),
        (GOOD[:38] + b"\0\0" + GOOD[40:], "magic number"),
        (wire.HEADER.pack(b"PYRO", 502, 4, 1, 0, 1, 0, 4, bytes(16), 0, 0x4DC5) + b"RMOM", "middle of a header"),
        (wire.HEADER.pack(b"PYRO", 502, 4, 1, 0, 1, 0, 8, bytes(16), 0, 0x4DC5) + b"RMOM\0\0\0\1", "longer than"),
        (wire.HEADER.pack(b"PYRO", 502, 4, 1, 0, 1, 0, 8, bytes(16), 0, 0x4DC5) + b"RM\xff\xff\0\0\0\0", "ASCII"),
        (encode_message(wire.INVOKE, wire.COMPRESSED, 1, 1, b"not compressed"), "cannot be unpacked"),
        (encode_message(wire.INVOKE, wire.COMPRESSED, 1, 1, zlib.compress(b"x" * 99)[:-3]), "wrong length"),
        (encode_message(wire.INVOKE, wire.COMPRESSED, 1, 1, zlib.compress(b"x" * 99) + b"more"), "wrong length"),
        (encode_message(wire.INVOKE, 0, 1, 1, b"", {f"A{n:03}": b"" for n in range(65)}), "more than 64 annotations"),
    ],
)
def test_what_is_no_message_is_refused_and_stays_refused(data: bytes, said: str) -> None:
    reader = FrameReader()
    reader.feed(data)
    with pytest.raises(FrameError, match=said):
        reader.next_message()
    reader.feed(GOOD)
    with pytest.raises(MessageFormatError, match=said):
        reader.next_message()


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 39])
def test_the_beginning_of_a_message_is_waited_for(cut: int) -> None:
    reader = FrameReader()
    reader.feed(GOOD[:cut])
    assert reader.next_message() is None
    assert reader.incomplete


@pytest.mark.parametrize(("payload", "annotations"), [(0xFFFF_FFFF, 0), (0, 0xFFFF_FFFF), (60, 41)])
def test_a_size_over_the_limit_is_refused_at_the_header(payload: int, annotations: int) -> None:
    reader = FrameReader(limit=100)
    reader.feed(wire.HEADER.pack(b"PYRO", 502, wire.INVOKE, 3, 0, 77, payload, annotations, ID, 0, 0x4DC5))
    with pytest.raises(FrameTooLargeError, match="100 are allowed") as caught:
        reader.next_message()
    assert isinstance(caught.value, MessageTooLargeError)
    assert caught.value.facts == {"size": payload + annotations, "limit": 100}
    assert (caught.value.header.sequence, caught.value.header.serializer) == (77, 3)
    assert reader.buffered == 0


@pytest.mark.parametrize("step", [1, 7, 100, 10_000])
def test_reading_goes_on_after_a_message_over_the_limit(step: int) -> None:
    large = encode_message(wire.INVOKE, 0, 1, 1, b"x" * 3000)
    data = GOOD + large + GOOD
    reader = FrameReader(limit=100)
    found: list[object] = []
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while True:
            try:
                message = reader.next_message()
            except FrameTooLargeError:
                found.append("too large")
                continue
            if message is None:
                break
            found.append(message.payload)
            assert reader.buffered <= len(data)
    assert found == [b"payload", "too large", b"payload"]
    assert not reader.incomplete


def test_nothing_of_a_message_over_the_limit_is_kept() -> None:
    reader = FrameReader(limit=100)
    reader.feed(encode_message(wire.INVOKE, 0, 1, 1, b"x" * 3000)[:1000])
    with pytest.raises(FrameTooLargeError):
        reader.next_message()
    reader.feed(b"x" * 1000)
    assert reader.buffered == 0
    assert reader.incomplete


def test_a_compressed_payload_is_unpacked_up_to_the_limit_only() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    reader = FrameReader(limit=100_000)
    reader.feed(encode_message(wire.INVOKE, wire.COMPRESSED, 6, 1, bomb) + GOOD)
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLargeError, match="unpacked payload") as caught:
            reader.next_message()
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.header.sequence == 6
    message = reader.next_message()
    assert message is not None
    assert message.payload == b"payload"


def test_pieces_are_not_copied_again_and_again() -> None:
    # 64 MiB in pieces of 4 KiB: with a copy of everything at each piece this would take many minutes.
    reader = FrameReader()
    payload = bytes(64 * 1024 * 1024)
    data = encode_message(wire.INVOKE, 0, 1, 1, payload)
    for start in range(0, len(data), 4096):
        assert reader.next_message() is None
        reader.feed(data[start : start + 4096])
    message = reader.next_message()
    assert message is not None
    assert len(message.payload) == len(payload)


@pytest.mark.parametrize("step", [1, 39, 41, 50, 1000, 100_000])
@pytest.mark.parametrize("payload", [b"", b"payload"])
def test_annotations_can_be_dropped_without_being_kept(step: int, payload: bytes) -> None:
    first = encode_message(wire.CONNECT, 0, 5, 3, payload, {"RMOM": b"x" * 3000, "ABCD": b""}, ID)
    reader = FrameReader(limit=100, drop_annotations=True)
    found: list[tuple[object, ...]] = []
    for start in range(0, len(first), step):
        reader.feed(first[start : start + step])
        if step <= 1000:
            assert reader.buffered <= 40 + len(payload) + step
        found.extend(shown(message) for message in reader)
    assert found == [(wire.CONNECT, 0, 5, 3, payload, {}, ID)]
    assert not reader.incomplete
    reader.drop_annotations = False
    reader.feed(GOOD)
    assert [bytes(message.annotations["RMOM"]) for message in reader] == [b"abc"]


def test_the_limit_holds_for_the_payload_when_annotations_are_dropped() -> None:
    reader = FrameReader(limit=100, drop_annotations=True)
    reader.feed(encode_message(wire.CONNECT, 0, 5, 3, b"x" * 101, {"RMOM": b"x" * 3000}) + GOOD)
    with pytest.raises(FrameTooLargeError):
        reader.next_message()
    assert [message.payload for message in reader] == [b"payload"]


@pytest.mark.parametrize("name", ["ABC", "ABCDE", "ÄBCD"])
def test_a_wrong_name_of_an_annotation_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="four ASCII letters"):
        encode_message(wire.INVOKE, 0, 1, 1, b"", {name: b""})


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_give_messages_or_one_error(data: bytes, step: int) -> None:
    consume(data, step)


@given(st.data())
def test_a_damaged_message_gives_messages_or_one_error(data: st.DataObject) -> None:
    raw = bytearray(b"".join(encode_message(**row) for row in TABLE[:4]))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    consume(bytes(raw), data.draw(st.integers(1, 100)))


def consume(data: bytes, step: int) -> None:
    reader = FrameReader(limit=10_000)
    errors: set[str] = set()
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while True:
            try:
                message = reader.next_message()
            except FrameTooLargeError:
                continue
            except FrameError as error:
                errors.add(str(error))
                break
            if message is None:
                break
            assert not errors, "a message after the stream was found to be broken"
    assert len(errors) <= 1
