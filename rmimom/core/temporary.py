"""Temporary destinations: queues and topics of one connection, for as long as that lasts (Jakarta Messaging §6.2.2).

They are places like others, with an owner.  Their mailboxes are not durable, and nobody records that they exist: what
is not in the store cannot be left over there.  Their clients make them again under their old names when the server was
lost, so the names are chosen there, too long to be guessed.
"""

from __future__ import annotations

from rmimom.commands import CreateTemporary, DeleteTemporary
from rmimom.core.consuming import delete_place
from rmimom.core.state import BARE, SERVER, Client, State
from rmimom.core.turn import Turn
from rmimom.errors import IllegalStateError, InvalidDestinationError, ResourceAllocationError

MOST = 10_000
"""Temporary destinations that one connection may have."""


def create(state: State, command: CreateTemporary, turn: Turn) -> None:
    """Make a temporary destination of a connection."""
    client = state.client(command.connection)
    destination = command.destination
    if command.connection in {SERVER, BARE}:
        raise IllegalStateError("the server's own connections never end, so nothing of theirs is temporary")
    place = state.places.get(destination)
    if place is not None:
        if place.owner != command.connection:
            # Perhaps an older connection of the same client, whose end was not noticed yet.
            raise IllegalStateError(
                f"{destination} belongs to another connection; choose another name", destination=str(destination)
            )
        return
    if len(client.temporaries) >= MOST:
        raise ResourceAllocationError(
            f"this connection has {MOST} temporary destinations already; delete those that are not needed any more",
            limit=MOST,
        )
    destination.checked()
    place = state.add_place(state.take_id(), destination, turn.now)
    place.owner = command.connection
    client.temporaries[destination] = place


def delete(state: State, command: DeleteTemporary, turn: Turn) -> None:
    """Delete a temporary destination of a connection."""
    client = state.client(command.connection)
    destination = command.destination
    place = client.temporaries.get(destination)
    if place is None:
        if destination in state.places:
            raise InvalidDestinationError(
                f"{destination} belongs to another connection, which alone can delete it (§6.2.2)",
                destination=str(destination),
            )
        return
    if place.has_consumers:
        raise IllegalStateError(
            f"{destination} has active consumers; close them before deleting it (§6.2.2)", destination=str(destination)
        )
    del client.temporaries[destination]
    delete_place(state, place, turn)


def delete_all(state: State, client: Client, turn: Turn) -> None:
    """The connection has ended, and its consumers are closed: nobody else may have any."""
    for place in client.temporaries.values():
        delete_place(state, place, turn)
    client.temporaries.clear()
