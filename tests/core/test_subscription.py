"""Whose a subscription is."""

from __future__ import annotations

import pytest

from rmimom.core.agenda import Agenda
from rmimom.core.mailbox import Mailbox
from rmimom.core.residence import Residence
from rmimom.core.subscription import Subscription
from rmimom.destination import Topic


@pytest.mark.parametrize(
    ("owner", "at", "connection", "client_id", "own"),
    [
        ("", "c", "c", "", True),
        ("", "c", "d", "", False),
        ("laptop", "", "e", "laptop", True),
        ("laptop", "", "e", "desk", False),
        ("ann", "", "e", "", False),
    ],
)
def test_own(owner: str, at: str, connection: str, client_id: str, own: bool) -> None:
    """§8.3.1: no-local means the same connection, and for a durable one any connection with the client id."""
    mailbox = Mailbox(1, bool(owner), Residence(), Agenda(), Topic("t"))
    subscription = Subscription(1, 2, mailbox, owner=owner, name="x" if owner else "")
    subscription.connection = at
    assert subscription.is_own(connection, client_id) is own
    assert subscription.durable is bool(owner)
    assert not subscription.active


@pytest.mark.parametrize("durable", [True, False])
def test_durable(durable: bool) -> None:
    """§8.3.2: a shared subscription may have a name and yet not be durable."""
    mailbox = Mailbox(1, durable, Residence(), Agenda(), Topic("t"))
    assert Subscription(1, 2, mailbox, name="x", shared=True).durable is durable
