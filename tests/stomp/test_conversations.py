"""Recorded conversations with STOMP clients; run with --rewrite after a change and read the difference.

Each file is named after the section of the STOMP specification that it is about.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stomp_conversation import replay

from rmimom.core.state import Rules
from rmimom.policy import Policies, RedeliveryPolicy, Rule
from rmimom.retention import Retention
from rmimom.stomp.settings import Settings

FOLDER = Path(__file__).with_name("conversations")
FILES = sorted(FOLDER.glob("*.txt"))
SETTINGS = {
    "like_activemq": Settings(server="ActiveMQ/5.17.2"),
    "member_of_a_cluster": Settings(server_id="0a1b", epoch=3),
    "limits": Settings(subscriptions=2, transactions=1, transaction_bytes=200, max_message_size=1000),
    "nack_redelivers": Settings(requeue=True),
    "user_id": Settings(user_id=True),
}
ONE_FOR_ALL = RedeliveryPolicy(dead_letter="ActiveMQ.DLQ", expiry="ActiveMQ.DLQ")
RULES = {
    "like_activemq": Rules(
        recovery_grace=0,
        policies=Policies([Rule(">", ONE_FOR_ALL)]),
        retentions=(Retention(pattern="topic://prices", messages=10),),
    )
}


@pytest.mark.parametrize("byte_by_byte", [False, True], ids=["whole", "byte_by_byte"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_clients_are_answered_as_recorded(file: Path, byte_by_byte: bool, request: pytest.FixtureRequest) -> None:
    recorded = file.read_text(encoding="utf-8")
    settings = SETTINGS.get(file.stem, Settings())
    answered = replay(
        recorded,
        settings,
        byte_by_byte=byte_by_byte,
        users=file.stem == "connecting_login",
        rules=RULES.get(file.stem),
    )
    if request.config.getoption("--rewrite") and not byte_by_byte:
        file.write_text(answered, encoding="utf-8")
        return
    assert answered == recorded


def test_a_changed_answer_is_noticed() -> None:
    text = "c1 BEGIN transaction:t\n----\nc1 RECEIPT\n"
    assert "Not connected." in replay(text, Settings())
