"""What selectors see of a message, and how often it is decoded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rmimom import frame as wire
from rmimom.errors import MessageFormatError
from rmimom.outgoing import make_frame
from rmimom.selector import MessageValues, Selector, source
from rmimom.values import Byte, Float, Int, Short, decode_properties, encode_properties

PROPERTIES = {
    "magnitude": 5.1,
    "type": "earthquake",
    "felt": True,
    "byte": Byte(1),
    "short": Short(2),
    "int": Int(3),
    "long": 4,
    "float": Float(0.1),
    "nothing": None,
}


def frame(properties: bytes = b"{}", **fields: Any) -> wire.Frame:
    return make_frame(
        "topic://quakes",
        fields.pop("message_id", "ID:1"),
        1_700_000_000_000,
        wire.TEXT,
        b"body",
        properties=properties,
        **fields,
    )


FORMS = pytest.mark.parametrize(
    "form", [lambda made: made, wire.encode, lambda made: msgspec.Raw(wire.encode(made))], ids=["frame", "bytes", "raw"]
)


@FORMS
def test_values_are_headers_and_properties(form: Any) -> None:
    """§3.8.1.1: JMSDeliveryMode is a string in selectors; properties keep their types."""
    made = frame(encode_properties(PROPERTIES), priority=7, correlation_id="c", type="t", mode=wire.NON_PERSISTENT)
    values = MessageValues(form(made))
    headers = {
        "JMSDeliveryMode": "NON_PERSISTENT",
        "JMSPriority": 7,
        "JMSMessageID": "ID:1",
        "JMSTimestamp": 1_700_000_000_000,
        "JMSCorrelationID": "c",
        "JMSType": "t",
    }
    assert values.headers == headers
    assert values.values == {**PROPERTIES, **headers}
    assert [type(values.values[name]) for name in PROPERTIES] == [type(value) for value in PROPERTIES.values()]


@FORMS
def test_headers_that_are_not_set_are_null(form: Any) -> None:
    values = MessageValues(form(frame(message_id="")))
    assert values.headers["JMSDeliveryMode"] == "PERSISTENT"
    for name in ("JMSMessageID", "JMSCorrelationID", "JMSType"):
        assert values.match(Selector(f"{name} IS NULL"))


def test_properties_cannot_pose_as_headers() -> None:
    values = MessageValues(frame(b'{"JMSPriority":9,"JMSType":"forged"}'))
    assert values.match(Selector("JMSPriority = 4 AND JMSType IS NULL"))
    assert values.match(Selector("JMSPriority = 4 AND JMSType IS NULL AND a IS NULL"))


def test_everything_is_decoded_once_and_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decoder = source._decoder

    class Decoder:
        def decode(self, data: bytes) -> object:
            decoded.append("frame")
            return decoder.decode(data)

    def count(data: bytes) -> object:
        decoded.append("properties")
        return decode_properties(data)

    monkeypatch.setattr(source, "_decoder", Decoder())
    monkeypatch.setattr(source, "decode_properties", count)
    values = MessageValues(wire.encode(frame(encode_properties(PROPERTIES))))
    assert values.match(None)
    assert decoded == []
    assert values.match(Selector("JMSPriority = 4"))
    assert decoded == ["frame"]
    for _ in range(3):
        assert values.match(Selector("JMSPriority = 4"))
        assert values.match(Selector("magnitude >= 4.5 AND type = 'earthquake'"))
        assert not values.match(Selector("magnitude > 6"))
    assert decoded == ["frame", "properties"]


def test_a_selector_is_asked_once_for_a_message() -> None:
    asked = []

    class Asked:
        headers_only = False

        def matches(self, values: object) -> bool:
            asked.append(values)
            return False

    selector: Any = Asked()
    values = MessageValues(frame())
    assert [values.match(selector) for _ in range(100)] == [False] * 100
    assert len(asked) == 1


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"7", b'{"a":{"long":1}}', b'{"a":1e999}', b"\xff", b'{"a":' + b"[" * 10_000]
)
def test_unreadable_properties_are_missing(data: bytes) -> None:
    values = MessageValues(wire.encode(frame(data)))
    assert values.match(Selector("a IS NULL AND JMSPriority = 4"))
    assert not values.match(Selector("a = 1"))


@pytest.mark.parametrize(
    "value",
    [b"[1]", b"9223372036854775808", b"-9223372036854775809", b"9" * 4_000, b'{"bytes":"AAEC"}', b'{"char":"x"}'],
)
def test_values_that_no_property_can_have_are_missing(value: bytes) -> None:
    values = MessageValues(wire.encode(frame(b'{"a":' + value + b',"b":1}')))
    assert values.match(Selector("a IS NULL AND b = 1"))
    assert not values.match(Selector("a * 1.0 > b OR a IN ('x') OR a < 1e300 OR a"))
    assert not values.match(Selector("NOT (a * 1.0 > b OR a IN ('x') OR a < 1e300 OR a)"))


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x90", b"no frame"])
def test_bytes_that_are_no_frame(data: bytes) -> None:
    values = MessageValues(data)
    with pytest.raises(MessageFormatError, match="not a message frame"):
        values.match(Selector("JMSPriority = 4"))
    with pytest.raises(MessageFormatError, match="not a message frame"):
        values.match(Selector("a = 1"))
