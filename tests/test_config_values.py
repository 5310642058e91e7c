"""Values of settings as people write them (rmimom/config_values.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.config_values import format_size, parse_size, split_address
from rmimom.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("1KiB", 1024), ("1.5 gib", 3 * 2**29), (" 10MB ", 10**7), ("7b", 7), ("2kb", 2000)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(0, 2**49))
def test_a_size_that_was_written_is_read_as_itself(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 MiB 2", "1e3", "0x10", "1 tib", "١٢"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a number of bytes"):
        parse_size(text)


def test_addresses() -> None:
    assert split_address("names.example:9090", "x") == ("names.example", 9090)
    assert split_address("[::1]:9090", "x") == ("::1", 9090)
    for wrong in ("", ":9090", "a:", "a:0", "a:65536", "a:b", "a b:1", "a:٣", "[::1]"):
        with pytest.raises(ConfigurationError, match="HOST:PORT"):
            split_address(wrong, "x")
