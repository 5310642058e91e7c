"""Property and map values keep their types over the text that carries them (Jakarta Messaging 3.1 §3.5, §3.11.3)."""

from __future__ import annotations

import json
import math
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom import values
from rmimom.errors import MessageFormatError
from rmimom.values import (
    MAX_LONG,
    MIN_LONG,
    Byte,
    Char,
    Float,
    Int,
    Short,
    check_property_name,
    decode_map,
    decode_object,
    decode_properties,
    decode_stream,
    encode_map,
    encode_object,
    encode_properties,
    encode_stream,
    is_map_value,
)

longs = st.integers(MIN_LONG, MAX_LONG)
simple = st.one_of(
    st.none(),
    st.booleans(),
    longs,
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-128, 127).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.floats(width=32).map(Float),
)
map_values = st.one_of(simple, st.binary(), st.characters(exclude_categories=["Cs"]).map(Char))
names = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,10}", fullmatch=True).filter(
    lambda name: not name.startswith("JMS") and name.upper() not in values._WORDS
)


def same(left: object, right: object) -> bool:
    """Equal in type and value; not-a-number is itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@given(st.dictionaries(names, simple))
def test_properties_come_back_with_value_and_type(properties: dict[str, object]) -> None:
    assert same(decode_properties(encode_properties(properties)), properties)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), map_values))
def test_map_bodies_come_back_with_value_and_type(body: dict[str, object]) -> None:
    assert same(decode_map(encode_map(body)), body)


@given(st.lists(map_values))
def test_stream_bodies_come_back_with_value_and_type(body: list[object]) -> None:
    assert same(decode_stream(encode_stream(body)), body)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
        lambda inner: st.one_of(
            st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text() | st.integers(), inner)
        ),
        max_leaves=20,
    )
)
def test_object_bodies_come_back_as_they_were(body: object) -> None:
    try:
        text = encode_object(body)
    except MessageFormatError as error:
        assert "not Unicode" in error.text  # noqa: PT017  # lone surrogates, which no text may hold
        return
    assert same(decode_object(text), body)


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({}, b"{}"),
        (
            {"magnitude": 5.1, "place": "Alaska", "felt": True, "n": 3},
            b'{"magnitude":5.1,"place":"Alaska","felt":true,"n":3}',
        ),
        ({"whole": 5.0}, b'{"whole":5.0}'),
        ({"n": Short(3), "x": 1}, b'{"n":{"short":3},"x":1}'),
        ({"x": float("nan")}, b'{"x":{"double":"nan"}}'),
        ({"x": float("-inf")}, b'{"x":{"double":"-inf"}}'),
        ({"x": Float(0.5)}, b'{"x":{"float":0.5}}'),
        ({"x": None}, b'{"x":null}'),
        (OrderedDict(x=1), b'{"x":1}'),
    ],
)
def test_properties_as_text(properties: dict[str, object], text: bytes) -> None:
    assert encode_properties(properties) == text
    json.loads(text)


def test_a_stored_message_without_properties_has_none() -> None:
    assert decode_properties(b"") == {}


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"a": [1]}, "property 'a' has the type list"),
        ({"a": b"x"}, "property 'a' has the type bytes"),
        ({"a": Char("x")}, "property 'a' has the type Char"),
        ({"a": {}}, "property 'a' has the type dict"),
        ({"a": 2**63}, "property 'a' is 9223372036854775808, which does not fit into a long"),
        ({"a": -(2**63) - 1}, "does not fit into a long"),
        ({"a": "\ud800"}, "not Unicode"),
        ({1: 2}, "a property name must be a str"),
    ],
)
def test_properties_that_cannot_be_sent(properties: dict[str, object], complaint: str) -> None:
    with pytest.raises(MessageFormatError) as caught:
        encode_properties(properties)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["a", "_a", "$a", "a1", "größe", "JMSXGroupID", "JMSXGroupSeq", "order", "Jms"])
def test_names_of_properties(name: str) -> None:
    """§3.5.1: a property name obeys the rules of a selector identifier."""
    check_property_name(name)


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "a b", "a.b", "null", "Like", "ESCAPE", "JMSXUserID", "JMS_vendor", "JMSPriority"]
)
def test_names_that_no_property_may_have(name: str) -> None:
    """§3.5.1 and §3.5.10: reserved words and prefixes; the same when asked twice, for good names are remembered."""
    for _ in range(2):
        with pytest.raises(MessageFormatError, match="cannot name a property"):
            encode_properties({name: 1})


@pytest.mark.parametrize(("kind", "bits"), [(Byte, 8), (Short, 16), (Int, 32)])
def test_integers_of_limited_size(kind: type[int], bits: int) -> None:
    limit = 2 ** (bits - 1)
    assert kind(limit - 1) == limit - 1
    assert kind(str(-limit)) == -limit
    for wrong in (limit, -limit - 1):
        with pytest.raises(MessageFormatError, match=f"does not fit into a {kind.__name__}"):
            kind(wrong)


def test_wrappers_say_what_they_are() -> None:
    assert [repr(value) for value in (Byte(1), Short(2), Int(3), Float(0.5), Char("x"))] == [
        "Byte(1)",
        "Short(2)",
        "Int(3)",
        "Float(0.5)",
        "Char('x')",
    ]


def test_a_float_is_rounded_to_32_bits() -> None:
    assert Float(0.1) == 0.10000000149011612
    with pytest.raises(MessageFormatError, match="too large"):
        Float(1e39)


def test_a_char_is_one_character() -> None:
    with pytest.raises(MessageFormatError, match="one character"):
        Char("xy")


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"{",
        b'{"a":{"b":1}}',
        b'{"a":{}}',
        b'{"a":{"short":70000}}',
        b'{"a":{"bytes":"?"}}',
        b'{"a":{"short":1,"int":1}}',
        b'{"a":{"double":{}}}',
        b"\xff",
    ],
)
def test_malformed_properties_are_refused(text: bytes) -> None:
    with pytest.raises(MessageFormatError):
        decode_properties(text)
    with pytest.raises(MessageFormatError):
        decode_map(text)


@pytest.mark.parametrize("text", [b"{}", b"1", b'[{"a":1}]', b"["])
def test_malformed_streams_are_refused(text: bytes) -> None:
    with pytest.raises(MessageFormatError):
        decode_stream(text)


@pytest.mark.parametrize("text", [b"__import__('os')", b"open('x')", b"(", b"", b"\x00", b"(" * 10_000])
def test_an_object_body_is_data_and_never_executed(text: bytes) -> None:
    with pytest.raises(MessageFormatError, match="cannot be read"):
        decode_object(text)


def test_what_an_object_body_cannot_hold() -> None:
    with pytest.raises(MessageFormatError, match=r"the body\['a'\]\[1\] has the type set"):
        encode_object({"a": [1, {2}]})
    with pytest.raises(MessageFormatError, match="a key of the type tuple"):
        encode_object({(1,): 2})
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(MessageFormatError, match="holds itself"):
        encode_object(circle)


def test_what_a_map_cannot_hold() -> None:
    with pytest.raises(MessageFormatError, match="entry 'a' of the body has the type list"):
        encode_map({"a": []})
    with pytest.raises(MessageFormatError, match="entry 1 of the body is 9223372036854775808"):
        encode_stream([0, 2**63])
    with pytest.raises(MessageFormatError, match="non-empty strings"):
        encode_map({"": 1})
    assert is_map_value(MAX_LONG)
    assert not is_map_value(MAX_LONG + 1)
    assert not is_map_value([])
