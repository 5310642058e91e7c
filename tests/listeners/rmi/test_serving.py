"""Calls as they come over the wire: each is answered once, well or badly, and the connection goes on."""

from __future__ import annotations

import pytest
from Pyro5.serializers import serializers as pyro
from support.rmi import PICKLE, RawClient, Served
from support.waiting import wait_for

from rmimom.listeners.rmi import call as call_module
from rmimom.rmi import serializers, wire

MALFORMED = {
    "nothing": (serializers.SERPENT, b""),
    "pickle as serpent": (serializers.SERPENT, PICKLE),
    "code": (serializers.SERPENT, b"__import__('os').system('id')"),
    "no call": (serializers.JSON, b"{}"),
    "half json": (serializers.JSON, b'{"object": "thing", '),
    "deep serpent": (serializers.SERPENT, b"(" * 500_000),
    "deep json": (serializers.JSON, b"[" * 500_000),
    "deep msgpack": (serializers.MSGPACK, b"\x91" * 500_000),
    "huge number": (serializers.SERPENT, b"('thing', 'echo', (" + b"9" * 100_000 + b",), {})"),
    "a daemon": (serializers.SERPENT, b"('thing', 'echo', ({'__class__': 'Pyro5.server.Daemon', 'state': ()},), {})"),
}


@pytest.mark.parametrize(("serializer", "payload"), MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_call_is_one_error_and_the_connection_stays(
    client: RawClient, serializer: int, payload: bytes
) -> None:
    client.send(wire.encode_message(wire.INVOKE, 0, 7, serializer, payload))
    message = client.receive()
    assert message is not None
    assert (message.type, message.flags, message.sequence) == (wire.RESULT, wire.EXCEPTION, 7)
    assert serializers.loads_raw(serializer, message.payload)["__class__"] == "Pyro5.errors.SerializeError"
    client.send(client.call("echo", 1))
    assert client.answer() == (1, 0)


def test_marshal_after_the_handshake_is_refused_unread(served: Served, client: RawClient) -> None:
    payload = pyro["marshal"].dumpsCall("thing", "hear", ("marshal",), {})
    client.send(wire.encode_message(wire.INVOKE, 0, 1, serializers.MARSHAL, payload))
    value, flags = client.answer()
    assert flags == wire.EXCEPTION
    assert "marshal is not accepted" in value["args"][0]
    assert client.receive() is None
    assert served.thing.heard == []


def test_the_answer_of_a_batch_is_marked(client: RawClient) -> None:
    data = serializers.dumps_call(serializers.SERPENT, "thing", "<batch>", [("echo", (1,), {})], {})
    client.send(wire.encode_message(wire.INVOKE, wire.BATCH, 1, serializers.SERPENT, data))
    assert client.answer() == ([1], wire.BATCH)


def test_between_calls_there_is_no_current_one(served: Served, client: RawClient) -> None:
    for method in ("echo", "stumble", "later", "refuse_later", "hidden"):
        client.send(client.call(method, *([1] if method in {"echo", "later"} else [])))
        client.answer()
        assert served.do(lambda: call_module.current) is None


def test_a_oneway_call_that_takes_its_time_keeps_the_order(served: Served, client: RawClient) -> None:
    client.send(client.call("wait", flags=wire.ONEWAY) + client.call("echo", "second"))
    wait_for(lambda: served.thing.waiting)
    served.do(served.thing.waiting[0].set_result, "nobody hears this")
    assert client.answer() == ("second", 0)


def test_a_call_that_fails_later_or_is_cancelled_is_answered(served: Served, client: RawClient) -> None:
    client.send(client.call("wait") + client.call("wait"))
    wait_for(lambda: served.thing.waiting)
    served.do(served.thing.waiting[0].set_exception, ValueError("after all"))
    assert client.answer()[0]["args"] == ("after all",)
    wait_for(lambda: len(served.thing.waiting) == 2)
    served.do(served.thing.waiting[1].cancel)
    assert "cancelled" in client.answer()[0]["args"][0]


def test_the_same_call_again_is_not_mixed_up_with_another_serializer(client: RawClient) -> None:
    text = b'"x"'  # a text in serpent as well as in json
    for serializer in (serializers.SERPENT, serializers.JSON, serializers.SERPENT):
        client.send(wire.encode_message(wire.INVOKE, 0, 1, serializer, text))
        assert client.answer()[1] == wire.EXCEPTION
    client.serializer = serializers.JSON
    data = client.call("echo", "again")
    client.send(data + data)
    assert [client.answer()[0], client.answer()[0]] == ["again", "again"]
    client.send(wire.encode_message(wire.INVOKE, 0, 1, serializers.MSGPACK, data[wire.HEADER_SIZE :]))
    assert client.answer()[1] == wire.EXCEPTION
