"""Configurations in the name server: encoded always the same, and nonsense is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from Pyro5.nameserver import NameServer

from rmimom.cluster.configuration import (
    NOWHERE,
    Configuration,
    LogPosition,
    decode,
    decode_chain,
    encode,
    name_prefix,
)
from rmimom.errors import ConfigurationError

ANNA, BRUNO = "a" * 16, "b" * 16
SEVENTH = Configuration(
    cluster="orders",
    chain="0c" * 8,
    number=7,
    active=ANNA,
    members=(ANNA, BRUNO),
    epoch=5,
    began=LogPosition(4, 1234),
    why="bruno caught up",
    addresses=((ANNA, "PYRO:rmimom.replica@a:1"), (BRUNO, "PYRO:rmimom.replica@b:1")),
    seal="5e" * 8,
)


def test_what_was_encoded_is_decoded() -> None:
    assert SEVENTH.name == "rmimom.cluster.orders.7"
    assert decode("orders", SEVENTH.name, encode(SEVENTH)) == SEVENTH
    assert encode(SEVENTH) == encode(replace(SEVENTH))


def test_a_stock_name_server_keeps_it() -> None:
    names = NameServer()
    try:
        eighth = replace(SEVENTH, number=8, forced=True, began=NOWHERE)
        neighbour = replace(SEVENTH, cluster="orders.2", number=1)
        for configuration in (eighth, SEVENTH, neighbour):
            names.register(configuration.name, "PYRO:x@localhost:1", safe=True, metadata=encode(configuration))
        names.register("rmimom.cluster.orders.readme", "PYRO:x@localhost:1")
        listed = names.list(prefix=name_prefix("orders"), return_metadata=True)
        assert len(listed) == 4
        assert decode_chain("orders", listed) == (SEVENTH, eighth)
    finally:
        names.storage.close()


def test_a_seal_is_not_part_of_what_it_says() -> None:
    again = SEVENTH.sealed("77" * 8)
    assert again != SEVENTH
    assert again.says_the_same_as(SEVENTH)
    assert not again.says_the_same_as(replace(SEVENTH, why="another reason"))


def test_who_is_who() -> None:
    assert SEVENTH.standbys == (BRUNO,)
    assert SEVENTH.address_of(BRUNO) == "PYRO:rmimom.replica@b:1"
    assert SEVENTH.address_of("c" * 16) == ""


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"cluster": "billing"}, "it is of cluster 'billing'"),
    ({"number": 8}, "its number is 8"),
    ({"chain": "x" * 16}, "its chain is not"),
    ({"seal": ""}, "its seal is not"),
    ({"members": (ANNA, "anna")}, "a server id"),
    ({"addresses": (("anna", "PYRO:x@y:1"),)}, "a server id"),
    ({"members": (BRUNO, ANNA)}, "the active is not the first"),
    ({"members": ()}, "the active is not the first"),
    ({"members": (ANNA, BRUNO, BRUNO)}, "named twice"),
    ({"addresses": SEVENTH.addresses[::-1]}, "not sorted"),
    ({"epoch": 0}, "its epoch is 0"),
    ({"began": LogPosition(5, 1)}, "its epoch began"),
    ({"began": LogPosition(-1, 1)}, "its epoch began"),
    ({"began": LogPosition(4, -1)}, "before the first batch"),
]


@pytest.mark.parametrize(("wrong", "complaint"), NONSENSE)
def test_nonsense_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rmimom\.cluster\.orders\.7") as refused:
        decode("orders", "rmimom.cluster.orders.7", encode(replace(SEVENTH, **wrong)))
    assert complaint in refused.value.text


@pytest.mark.parametrize(
    "metadata",
    [
        set(),
        {"something else"},
        {7},
        {"rmimom-configuration-1:"},
        {"rmimom-configuration-1:[1, 2]"},
        {'rmimom-configuration-1:{"cluster": "orders"}'},
        {next(iter(encode(SEVENTH))) + " "  * 20_000},
        {next(iter(encode(SEVENTH))).replace('"why"', '"because"')},
        {next(iter(encode(SEVENTH))).replace('"number":7', '"number":"7"')},
        {"rmimom-configuration-1:" + "[" * 10_000},
        encode(SEVENTH) | {"more"},
    ],
)  # fmt: skip
def test_metadata_that_is_no_configuration_is_refused(metadata: set[Any]) -> None:
    with pytest.raises(ConfigurationError, match="nonsense"):
        decode("orders", SEVENTH.name, metadata)


@pytest.mark.parametrize("value", ["PYRO:x@y:1", ("PYRO:x@y:1",), ("PYRO:x@y:1", None)])
def test_a_chain_without_metadata_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="no metadata"):
        decode_chain("orders", {SEVENTH.name: value})


@pytest.mark.parametrize("name", ["rmimom.cluster.orders.0", "rmimom.cluster.orders.07", "rmimom.cluster.orders."])
def test_names_that_only_look_alike_are_passed_over(name: str) -> None:
    assert decode_chain("orders", {name: ("PYRO:x@y:1", set())}) == ()


def test_more_names_than_any_chain_has_are_refused() -> None:
    names = {f"rmimom.cluster.test.{number}": ("PYRO:x@h:1", set()) for number in range(1, 10_002)}
    with pytest.raises(ConfigurationError, match="10001 names"):
        decode_chain("test", names)
