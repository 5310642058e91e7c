"""Rules in tables of the settings file (rmimom/config_tables.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.settings import write

from rmimom.config_sources import load
from rmimom.errors import ConfigurationError
from rmimom.policy import RedeliveryPolicy, Rule
from rmimom.retention import Retention


def test_redelivery_is_read_from_tables(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        port = 0
        [[redelivery]]
        destination = "queue://orders.*"
        maximum = 10
        delay = 1.5
        multiplier = 2.0
        maximum_delay = 600
        jitter = 0.2
        [[redelivery]]
        destination = ">"
        expiry = "EXPIRED.{name}"
        """,
    )
    assert load({}, {}, file).config.redelivery == (
        Rule(
            "queue://orders.*",
            RedeliveryPolicy(maximum=10, delay=1500, multiplier=2.0, maximum_delay=600_000, jitter=0.2),
        ),
        Rule(">", RedeliveryPolicy(expiry="EXPIRED.{name}")),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("redelivery = 6", "write .*redelivery"),
        ("[[redelivery]]\nmaximum = 3", "number 1 .*destination"),
        ("[[redelivery]]\ndestination = 'a'\n[[redelivery]]\ndestination = 'b'\nmaximun = 3", "number 2 .*maximum\\?"),
        ("[[redelivery]]\ndestination = 'a'\ndelay = 'long'", "delay"),
        ("[[redelivery]]\ndestination = 'a'\ndelay = inf", "number of seconds"),
        ("[[redelivery]]\ndestination = 'a b'", "no pattern"),
        ("[[redelivery]]\ndestination = 'a'\njitter = 2.0", "jitter is 2.0"),
    ],
)
def test_wrong_redelivery_says_what_and_where(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load({}, {}, write(tmp_path, text))


def test_retention_is_read_from_tables(tmp_path: Path) -> None:
    file = tmp_path / "rmimom.toml"
    file.write_text(
        "[[retention]]\ndestination = 'prices.>'\nmessages = 5\nbytes = '2KiB'\nseconds = 1.5\n"
        "[[retention]]\ndestination = '>'\nbytes = 10\n"
    )
    assert load({}, {}, file).config.retention == (
        Retention(pattern="prices.>", messages=5, bytes=2048, milliseconds=1500),
        Retention(pattern=">", bytes=10),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("retention = 6", "write .*retention"),
        ("[[retention]]\nmessages = 3", "number 1 .*destination"),
        ("[[retention]]\ndestination = 'a'\nmessage = 3", "number 1 .*messages\\?"),
        ("[[retention]]\ndestination = 'a'\nmessages = 0", "messages is 0"),
        ("[[retention]]\ndestination = 'a'\nbytes = 'many'", "number of bytes"),
        ("[[retention]]\ndestination = 'a'\nseconds = inf", "seconds"),
        ("[[retention]]\ndestination = 'a b'", "no pattern"),
    ],
)
def test_wrong_retention_says_what_and_where(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "rmimom.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        load({}, {}, file)
