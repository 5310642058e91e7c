"""Administering: connections, destinations and users."""

from __future__ import annotations

import pytest
from support.brokers import BrokerOnStore

from rmimom.commands import Command, Connect, CreateDestination, DeleteDestination, Disconnect, PutUser, RemoveUser
from rmimom.core.state import BARE, SERVER
from rmimom.destination import Queue, Topic
from rmimom.effects import Accepted, DestinationAdded, DestinationRemoved, Refused
from rmimom.errors import IllegalStateError, InvalidClientIDError, InvalidDestinationError, JMSError, JMSSecurityError
from rmimom.records import UserPut, UserRemoved

SYSTEM = Topic("rmimom.heartbeat")


def refusal(made: BrokerOnStore, command: Command) -> JMSError:
    """The error of a command that must be refused and change nothing."""
    outcome = made.handle(command)
    assert isinstance(outcome.reply, Refused), outcome
    assert (outcome.records, outcome.effects) == ([], [])
    return outcome.reply.error


def test_client_id_belongs_to_one_connection_at_a_time() -> None:
    """§6.1.2: given a client id in use, when another connection wants it, then it is refused until it is free."""
    made = BrokerOnStore()
    made.handle(Connect("c", "ann", "laptop"))
    assert isinstance(refusal(made, Connect("d", "ann", "laptop")), InvalidClientIDError)
    made.handle(Disconnect("c"))
    assert isinstance(made.handle(Connect("d", "ann", "laptop")).reply, Accepted)


def test_no_client_id_can_be_used_any_number_of_times() -> None:
    made = BrokerOnStore()
    for connection in "cde":
        assert isinstance(made.handle(Connect(connection, "ann")).reply, Accepted)
    assert made.broker.statistics().connections == 3


@pytest.mark.parametrize(
    ("user", "client_id", "error"),
    [
        ("ann", "x" * 256, InvalidClientIDError),
        ("ann", "\udcff", InvalidClientIDError),
        ("\udcff", "", JMSSecurityError),
        ("a\nb", "", JMSSecurityError),
    ],
)
def test_names_that_cannot_be_stored_are_refused(user: str, client_id: str, error: type[JMSError]) -> None:
    assert type(refusal(BrokerOnStore(), Connect("c", user, client_id))) is error


@pytest.mark.parametrize("connection", [SERVER, BARE])
def test_own_connections_of_the_server_stay_open(connection: str) -> None:
    assert isinstance(refusal(BrokerOnStore(), Disconnect(connection)), IllegalStateError)


def test_system_destinations_belong_to_the_server() -> None:
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    assert isinstance(refusal(made, CreateDestination("c", SYSTEM)), InvalidDestinationError)
    assert made.handle(CreateDestination(SERVER, SYSTEM)).effects == [DestinationAdded(SYSTEM)]
    assert isinstance(refusal(made, DeleteDestination("c", SYSTEM)), InvalidDestinationError)
    assert made.handle(DeleteDestination(SERVER, SYSTEM)).effects == [DestinationRemoved(SYSTEM)]


def test_queue_and_topic_of_the_same_name_are_two() -> None:
    made = BrokerOnStore()
    assert made.handle(CreateDestination(SERVER, Queue("x"))).reply == Accepted(True)
    assert made.handle(CreateDestination(SERVER, Topic("x"))).reply == Accepted(True)
    assert made.handle(CreateDestination(SERVER, Topic("x"))).reply == Accepted(False)


def test_users_come_change_and_go() -> None:
    made = BrokerOnStore()
    put = PutUser(SERVER, "ann", b"salt", b"digest", administrator=True)
    record = UserPut("ann", b"salt", b"digest", True)
    outcome = made.handle(put)
    assert (outcome.reply, outcome.records) == (Accepted(True), [record])
    assert made.handle(put).reply == Accepted(False)
    made.restart()
    assert made.broker.user("ann") == record
    assert made.handle(RemoveUser(SERVER, "ann")).records == [UserRemoved("ann")]
    assert made.broker.user("ann") is None
    assert isinstance(refusal(made, RemoveUser(SERVER, "ann")), JMSSecurityError)
    for name in ("", "x" * 256, "\udcff"):
        assert isinstance(refusal(made, PutUser(SERVER, name, b"", b"")), JMSSecurityError)
