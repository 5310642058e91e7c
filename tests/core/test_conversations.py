"""Recorded conversations with the broker; run with --rewrite after a change and read the difference."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.conversation import replay

from rmimom.core.state import Rules
from rmimom.policy import Policies, RedeliveryPolicy, Rule
from rmimom.retention import Retention

FOLDER = Path(__file__).with_name("conversations")
RULES = {
    "one_queue_for_all_dead_letters": Rules(policies=Policies(default=RedeliveryPolicy(dead_letter="DLQ"))),
    "expiry_queue": Rules(policies=Policies([Rule("queue://x.>", RedeliveryPolicy(expiry="EXPIRED.{name}"))])),
    "retroactive": Rules(
        retentions=(
            Retention(pattern="topic://prices.one", messages=2),
            Retention(pattern="prices.>", messages=100, bytes=1000, milliseconds=100),
        )
    ),
}
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_broker_answers_as_recorded(file: Path, request: pytest.FixtureRequest) -> None:
    recorded = file.read_text()
    answered = replay(recorded, RULES.get(file.stem))
    if request.config.getoption("--rewrite"):
        file.write_text(answered)
    assert answered == recorded or request.config.getoption("--rewrite")


def test_changed_answer_is_noticed() -> None:
    """Given a recorded conversation with one answer changed, when it is replayed, then the texts differ."""
    text = "connect c1\n----\nrefused\n"
    assert replay(text) == "connect c1\n----\nok\n"
