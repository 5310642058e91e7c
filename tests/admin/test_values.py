"""Properties on the command line."""

from __future__ import annotations

from typing import Any

import click
import pytest

from rmimom.admin.values import read_properties


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("a=red", "red"),
        ("a=", ""),
        ("a=x=y", "x=y"),
        ("a=5", 5),
        ("a=-5", -5),
        ("a=0.5", 0.5),
        ("a=1e3", 1000.0),
        ("a=true", True),
        ("a=True", "True"),
        ("a=null", None),
        ("a=nan", "nan"),
        ("a=inf", "inf"),
        ("a:string=5", "5"),
        ("a:short=5", {"short": 5}),
        ("a:byte=-1", {"byte": -1}),
        ("a:int=7", {"int": 7}),
        ("a:long=7", 7),
        ("a:float=0.5", {"float": 0.5}),
        ("a:double=2", 2.0),
        ("a:double=nan", {"double": "nan"}),
        ("a:boolean=false", False),
        ("a:char=ä", {"char": "ä"}),
    ],
)
def test_a_value_is_what_it_looks_like_or_what_is_said(given: str, value: Any) -> None:
    found = read_properties((given,))["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("given", ["a", "=5", "a:short=x", "a:boolean=1", "a:colour=5", "a:int=1.5"])
def test_what_is_none_is_refused(given: str) -> None:
    with pytest.raises(click.BadParameter):
        read_properties((given,))
