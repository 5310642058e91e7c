"""Values on the wire: plain data in and out, and nothing else in."""

from __future__ import annotations

import json

import msgpack
import pytest
import serpent
from hypothesis import given
from hypothesis import strategies as st
from Pyro5 import api, core
from Pyro5.errors import SerializeError
from Pyro5.serializers import serializers as pyro

from rmimom.rmi import literals, serializers
from rmimom.rmi.serializers import JSON, MARSHAL, MSGPACK, SERPENT

EACH = pytest.mark.parametrize("number", [SERPENT, JSON, MSGPACK])
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@EACH
@given(value=PLAIN)
def test_values_survive_the_way_there_and_back(number: int, value: object) -> None:
    data = serializers.dumps(number, value)
    assert serializers.loads(number, data) == value
    assert pyro[serializers.NAMES[number]].loads(data) == value


@EACH
def test_a_call_is_read_as_pyro_wrote_it(number: int) -> None:
    data = pyro[serializers.NAMES[number]].dumpsCall("object", "method", (1, "two", [3]), {"four": 4.0})
    object_id, method, arguments, keywords = serializers.loads_call(number, data)
    assert (object_id, method, list(arguments), keywords) == ("object", "method", [1, "two", [3]], {"four": 4.0})
    assert serializers.loads_call(number, serializers.dumps_call(number, "o", "m", (1,), {}))[:2] == ("o", "m")


@EACH
def test_a_call_without_keywords_has_none(number: int) -> None:
    data = pyro[serializers.NAMES[number]].dumpsCall("object", "__getattr__", ("name",), None)
    assert serializers.loads_call(number, data)[3] == {}


@EACH
@pytest.mark.parametrize(
    "call",
    [None, 5, [], ["o", "m", []], [1, "m", [], {}], ["o", 1, [], {}], ["o", "m", "args", {}], ["o", "m", [], []]],
)
def test_what_is_no_call_is_refused(number: int, call: object) -> None:
    with pytest.raises(SerializeError, match="no call"):
        serializers.loads_call(number, serializers.dumps(number, call))


@pytest.mark.parametrize("number", [0, MARSHAL, 5, 255])
def test_other_serializers_are_refused_before_anything_is_read(number: int) -> None:
    with pytest.raises(SerializeError, match="not accepted, choose one of: serpent, json, msgpack"):
        serializers.loads(number, b"\xff\xff")


@EACH
@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04\x95", b"\xff" * 10, b"{{", b"(" * 50, b"\x00\x00", b"[" * 100_000, b"\x91" * 100_000, b"\xc1"],
)
def test_malformed_bytes_are_one_error(number: int, data: bytes) -> None:
    with pytest.raises(SerializeError, match="the payload is not"):
        serializers.loads(number, data)


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (SERPENT, b"1" * 10_000),
        (JSON, b"1" * 10_000),
        (MSGPACK, msgpack.packb(msgpack.ExtType(0x31, b"1" * 10_000))),
        (MSGPACK, msgpack.packb(msgpack.ExtType(0x77, b""))),
        (MSGPACK, msgpack.packb(msgpack.ExtType(0x32, b"short"))),
    ],
)
def test_huge_numbers_and_strange_extensions_are_one_error(number: int, data: bytes) -> None:
    with pytest.raises(SerializeError):
        serializers.loads(number, data)


@EACH
@pytest.mark.parametrize(
    "name",
    [
        "Pyro5.server.Daemon",
        "Pyro5.util.SerpentSerializer",
        "Pyro5.core._ExceptionWrapper",
        "Pyro5.errors.PyroError",
        "builtins.SystemExit",
        "exceptions.RuntimeError",
        "sqlite3.Error",
        "struct.error",
        "os.system",
        "x",
        5,
        None,
    ],
)
def test_no_class_is_made_for_a_peer(number: int, name: object) -> None:
    value = {"__class__": name, "__exception__": True, "args": ("boom",), "state": (), "attributes": {}}
    data = serializers.dumps(number, [{"inner": value}])
    with pytest.raises(SerializeError, match="unsupported serialized class"):
        serializers.loads(number, data)
    assert serializers.loads_raw(number, data)[0]["inner"]["__class__"] == name


@EACH
@pytest.mark.parametrize(
    "text",
    [
        "PYRO:obj@localhost:99",
        "PYRO:obj@[::1]:99",
        "PYRO:obj@./u:sock",
        "PYRONAME:obj",
        "PYRONAME:obj@host:5",
        "PYROMETA:a,b",
    ],
)
def test_a_uri_arrives(number: int, text: str) -> None:
    data = pyro[serializers.NAMES[number]].dumps([core.URI(text)])
    (found,) = serializers.loads(number, data)
    assert type(found) is core.URI
    assert found == core.URI(text)


@EACH
def test_a_proxy_arrives_as_its_uri(number: int) -> None:
    with api.Proxy("PYRO:obj@localhost:99") as proxy:
        data = pyro[serializers.NAMES[number]].dumpsCall("o", "subscribe", ("user", proxy), {"again": proxy})
    _, _, arguments, keywords = serializers.loads_call(number, data)
    assert type(arguments[1]) is core.URI
    assert arguments[1] == keywords["again"] == core.URI("PYRO:obj@localhost:99")


@EACH
@pytest.mark.parametrize(
    "state", [None, [], [1], ["x"], ["PYRO", "o", None, "h", "x"], ["PYRO", "o", None, "h:h", 1], [[], {}, 1, 2, 3]]
)
@pytest.mark.parametrize("name", ["Pyro5.core.URI", "Pyro5.client.Proxy"])
def test_a_broken_uri_is_one_error(number: int, state: object, name: str) -> None:
    with pytest.raises(SerializeError):
        serializers.loads(number, serializers.dumps(number, {"__class__": name, "state": state}))


def test_a_number_that_is_none_arrives_from_serpent() -> None:
    found = serializers.loads(SERPENT, serpent.dumps([float("nan")]))
    assert found[0] != found[0]


def test_a_class_behind_an_escape_stays_plain_data() -> None:
    assert serializers.loads(JSON, rb'{"\u005f_class__": "Pyro5.core.URI"}') == {"__class__": "Pyro5.core.URI"}


@pytest.mark.parametrize("value", [None, True, 5, "a'b\"\n€\ud800", {"a": 1}, [1, "x"], (), (1,), {"k": None}])
def test_the_shortcut_writes_what_serpent_reads(value: object) -> None:
    data = serializers.dumps(SERPENT, value)
    assert serpent.loads(data) == value
    assert type(serpent.loads(data)) is type(value)


@pytest.mark.parametrize(
    "value", [1.5, float("inf"), float("nan"), b"bytes", {"a": b"x"}, [[1]], {1, 2}, set(), core.URI("PYRONAME:x")]
)
def test_everything_else_is_left_to_serpent(value: object) -> None:
    assert serializers.dumps(SERPENT, value) == pyro["serpent"].dumps(value)


@pytest.mark.parametrize("value", [None, True, 5, "a'b\"\n€\ud800", {"a": 1}, [1, "x"], (1,), {"k": None}])
def test_the_shortcut_writes_what_json_reads(value: object) -> None:
    assert json.loads(serializers.dumps(JSON, value)) == (list(value) if isinstance(value, tuple) else value)


def test_a_subclass_of_a_plain_type_is_left_to_serpent() -> None:
    class Odd(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "__import__('os')"

    assert b"__import__" not in serializers.dumps(SERPENT, [Odd("x")])
    assert b"__import__" not in serializers.dumps(SERPENT, {"k": Odd("x")})


MANY = serializers.MAX_VALUES


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (SERPENT, b"[" + b"0," * literals.MAX_TOKENS + b"0]"),
        (JSON, b"[" + b"[]," * MANY + b"0]"),
        (JSON, b"[" + b'"",' * MANY + b"0]"),
        (MSGPACK, msgpack.packb([[]] * (MANY + 1))),
        (MSGPACK, msgpack.packb([[0] * 1000] * (MANY // 1000 + 1))),
        (MSGPACK, msgpack.packb([dict.fromkeys(map(str, range(1000)), 0)] * (MANY // 2000 + 1))),
    ],
)
def test_a_payload_of_very_many_values_is_refused(number: int, data: bytes) -> None:
    with pytest.raises(SerializeError):
        serializers.loads(number, data)


@EACH
def test_a_long_text_full_of_commas_is_one_value(number: int) -> None:
    text = '[{",\\\n' * 400_000
    assert serializers.loads(number, pyro[serializers.NAMES[number]].dumps([text])) == [text]


def test_json_is_read_as_utf8() -> None:
    assert serializers.loads(JSON, json.dumps("€").encode()) == "€"
    with pytest.raises(SerializeError):
        serializers.loads(JSON, b'"\xff"')
