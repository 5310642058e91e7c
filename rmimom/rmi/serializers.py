"""Values as bytes on Pyro5's wire: serpent, json and msgpack; never marshal.

Writing is Pyro5's own, with a shortcut for the small answers that most calls have.  Reading is not: what a peer sends
becomes plain data and nothing else.  Pyro5 would also make proxies (which connect somewhere when touched), daemons,
serializers and any exception, with any attributes.  We make one class, the URI:

- a URI arrives as Pyro5.core.URI,
- a proxy arrives as the URI it stands for, so that nobody calls it by accident and waits for a stranger,
- every other class is refused with its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from Pyro5 import core
from Pyro5 import serializers as pyro_serializers
from Pyro5.errors import SerializeError

from rmimom.rmi import exceptions, literals

SERPENT: Final = 1
MARSHAL: Final = 2
JSON: Final = 3
MSGPACK: Final = 4

NAMES: Final[Mapping[int, str]] = {SERPENT: "serpent", MARSHAL: "marshal", JSON: "json", MSGPACK: "msgpack"}

ACCEPTED: Final = frozenset(pyro_serializers.serializers_by_id) & {SERPENT, JSON, MSGPACK}
"""The serializers that can be read here; msgpack only where the package msgpack is installed."""

MAX_VALUES: Final = 1_000_000
"""Values in one payload.  Text and bytes may be as long as the message allows, but a hundred megabytes of empty lists
would become gigabytes; the busiest honest structure, a table of numbers, is better sent as bytes."""

Call: TypeAlias = tuple[str, str, Sequence[Any], dict[str, Any]]
"""Object id, method, arguments, keyword arguments."""

_CLASS: Final = b"__class__"
_TEXTS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_Maker: TypeAlias = Callable[[dict[Any, Any]], object]


def loads(serializer: int, payload: bytes) -> Any:
    """Plain data that a peer sent; raises Pyro5's SerializeError if it is malformed or holds a refused class."""
    return _read(serializer, payload, make_class)


def loads_raw(serializer: int, payload: bytes) -> Any:
    """Like `loads`, but every class stays the dict that describes it; for the answers and exceptions of callbacks."""
    return _read(serializer, payload, _keep)


def loads_call(serializer: int, payload: bytes) -> Call:
    """A call that a peer sent; raises Pyro5's SerializeError if it is malformed or holds a refused class."""
    data = _read(serializer, payload, make_class)
    if serializer == JSON and type(data) is dict:
        data = (data.get("object"), data.get("method"), data.get("params"), data.get("kwargs"))
    if isinstance(data, tuple | list) and len(data) == 4:
        object_id, method, arguments, keywords = data
        if keywords is None:
            keywords = {}
        if (
            isinstance(object_id, str)
            and isinstance(method, str)
            and isinstance(arguments, tuple | list)
            and isinstance(keywords, dict)
        ):
            return object_id, method, arguments, keywords
    raise SerializeError("the payload is no call: it must be object id, method, arguments and keyword arguments")


def dumps(serializer: int, value: object) -> bytes:
    """The bytes of `value`; raises what the serializer raises for a value it cannot express."""
    if serializer != MSGPACK and _is_plain(value):
        # What serpent and json write for these, but Pyro5's general way takes five times as long.
        if serializer == SERPENT:
            return b"# serpent utf-8 python3.2\n" + repr(value).encode("utf-8")
        return json.dumps(value).encode("ascii")
    data: bytes = pyro_serializers.serializers_by_id[serializer].dumps(value)
    return data


def dumps_call(
    serializer: int, object_id: str, method: str, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> bytes:
    """The bytes of a call."""
    data: bytes = pyro_serializers.serializers_by_id[serializer].dumpsCall(object_id, method, arguments, keywords)
    return data


def make_class(data: dict[Any, Any]) -> object:
    """What a dict with the key `__class__` stands for; raises SerializeError for all but the few we accept."""
    name = data["__class__"]
    state = data.get("state")
    if name == "Pyro5.core.URI" and isinstance(state, tuple | list) and len(state) == 5:
        protocol, object_id, socket_name, host, port = state
        if isinstance(object_id, tuple | list | set):  # PYROMETA has a set of names here
            object_id = ",".join(map(str, object_id))
        location = f"./u:{socket_name}" if socket_name else f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
        return core.URI(f"{protocol}:{object_id}" + (f"@{location}" if host or socket_name else ""))
    if name == "Pyro5.client.Proxy" and isinstance(state, tuple | list) and state and isinstance(state[0], str):
        return core.URI(state[0])
    if name == "float":
        return float(data["value"])  # serpent has no literal for "not a number"
    raise SerializeError(f"unsupported serialized class: {str(name)[:100]}; send plain data, URIs or proxies")


def _keep(data: dict[Any, Any]) -> object:
    return data


def _read(serializer: int, payload: bytes, make: _Maker) -> Any:
    if serializer not in ACCEPTED:
        accepted = ", ".join(NAMES[number] for number in sorted(ACCEPTED))
        raise SerializeError(
            f"the serializer {NAMES.get(serializer, serializer)} is not accepted, choose one of: {accepted}"
        )
    try:
        if serializer == SERPENT:
            return literals.loads(payload, make)
        if serializer == JSON:
            return _read_json(payload, make)
        return _read_msgpack(payload, make)
    except SerializeError:
        raise
    except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001 - three libraries, one answer
        reason = f"{type(error).__name__}: {error}"[:200]
        raise SerializeError(f"the payload is not {NAMES[serializer]}: {reason}") from None


def _read_json(payload: bytes, make: _Maker) -> Any:
    if (
        len(payload) > MAX_VALUES
        and _most_values(payload) > MAX_VALUES
        and _most_values(_TEXTS.sub(b"", payload)) > MAX_VALUES
    ):
        raise SerializeError(_TOO_MANY)
    text = payload.decode("utf-8")
    # A class can also be hidden behind an escape (\u005f); then it stays a plain dict, which harms nobody.
    return json.loads(text, object_hook=_hook(make)) if _CLASS in payload else json.loads(text)


def _most_values(payload: bytes) -> int:
    return payload.count(b",") + payload.count(b"[") + payload.count(b"{") + 1


def _read_msgpack(payload: bytes, make: _Maker) -> Any:
    msgpack = pyro_serializers.msgpack
    hook = _hook(make) if _CLASS in payload else None
    extension = pyro_serializers.serializers_by_id[MSGPACK].ext_hook
    if len(payload) <= MAX_VALUES:
        return msgpack.unpackb(payload, raw=False, object_hook=hook, ext_hook=extension)
    left = MAX_VALUES

    def count_list(values: list[Any]) -> list[Any]:
        nonlocal left
        left -= len(values) + 1
        if left < 0:
            raise SerializeError(_TOO_MANY)
        return values

    def count_dict(values: dict[Any, Any]) -> object:
        nonlocal left
        left -= 2 * len(values) + 1
        if left < 0:
            raise SerializeError(_TOO_MANY)
        return hook(values) if hook else values

    return msgpack.unpackb(
        payload,
        raw=False,
        object_hook=count_dict,
        list_hook=count_list,
        ext_hook=extension,
        max_array_len=MAX_VALUES,
        max_map_len=MAX_VALUES,
    )


def _hook(make: _Maker) -> _Maker:
    def made(data: dict[Any, Any]) -> object:
        return make(data) if "__class__" in data else data

    return made


_TOO_MANY: Final = f"the payload holds more than {MAX_VALUES} values; send large structures as one text or as bytes"

_SCALARS: Final = frozenset({type(None), bool, int, str})


def _is_plain(value: object) -> bool:
    """Whether repr writes what serpent would, and json needs no help: scalars, and flat containers of a few of them."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is dict:
        return len(value) <= 32 and all(type(k) is str and type(v) in _SCALARS for k, v in value.items())  # type: ignore[arg-type, attr-defined]
    if kind is list or kind is tuple:
        return len(value) <= 32 and all(type(item) in _SCALARS for item in value)  # type: ignore[arg-type, attr-defined]
    return False


# Whoever reads and writes here can meet a JMSError.
exceptions.register_errors()
