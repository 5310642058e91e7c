"""Who may be called: Pyro5's rules."""

from __future__ import annotations

import pytest
from Pyro5 import api

from rmimom.rmi.exposure import expose, exposure_of, get_attribute, oneway, set_attribute


class Thing:
    def __init__(self) -> None:
        self._level = 1

    @expose
    def shown(self) -> None: ...

    @expose
    @oneway
    def told(self) -> None: ...

    def hidden(self) -> None: ...

    @expose
    @property
    def level(self) -> int:
        return self._level

    @level.setter
    def level(self, value: int) -> None:
        self._level = value

    @property
    def secret(self) -> int:
        return 7


@api.expose
class Whole:
    def one(self) -> None: ...

    def _two(self) -> None: ...

    def __len__(self) -> int:
        return 3


def test_only_what_is_marked_is_exposed() -> None:
    exposure = exposure_of(Thing())
    assert exposure.methods == {"shown", "told"}
    assert exposure.attributes == {"level"}
    assert exposure.metadata == {"methods": {"shown", "told"}, "oneway": {"told"}, "attrs": {"level"}}


def test_a_marked_class_exposes_its_public_members_and_its_operators() -> None:
    assert exposure_of(Whole()).methods == {"one", "__len__"}


def test_an_attribute_is_read_and_written() -> None:
    thing = Thing()
    set_attribute(thing, "level", 5)
    assert get_attribute(thing, "level") == 5


@pytest.mark.parametrize("name", ["secret", "_level", "__dict__", "__class__", "shown", "unknown"])
def test_an_attribute_that_is_not_exposed_is_out_of_reach(name: str) -> None:
    with pytest.raises(AttributeError, match="unexposed or unknown"):
        get_attribute(Thing(), name)
    with pytest.raises(AttributeError, match="unexposed or unknown"):
        set_attribute(Thing(), name, 1)


def test_a_class_that_exposes_nothing_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="exposes nothing"):
        exposure_of(object())
