"""Administering: connections, destinations and users."""

from __future__ import annotations

from rmimom.commands import Connect, CreateDestination, DeleteDestination, Disconnect, Pause, Purge, PutUser, RemoveUser
from rmimom.core.consuming import close_opened, delete_place
from rmimom.core.limits import check_text
from rmimom.core.place import QueuePlace
from rmimom.core.state import BARE, SERVER, Client, State
from rmimom.core.temporary import delete_all
from rmimom.core.turn import Turn
from rmimom.destination import SYSTEM_PREFIX, TEMPORARY, Destination
from rmimom.effects import DestinationRemoved
from rmimom.errors import IllegalStateError, InvalidClientIDError, InvalidDestinationError, JMSSecurityError
from rmimom.records import DestinationDeleted, DestinationPaused, ProducersForgotten, UserPut, UserRemoved
from rmimom.roles import ROLES


def connect(state: State, command: Connect, turn: Turn) -> None:
    """Let a client in; a client id belongs to one connection at a time (§6.1.2)."""
    del turn
    if command.connection in state.clients:
        raise IllegalStateError("this connection exists already", connection=command.connection)
    check_text(command.user, "the name of the user", JMSSecurityError)
    check_text(command.client_id, "the client id", InvalidClientIDError)
    if command.client_id and any(client.client_id == command.client_id for client in state.clients.values()):
        raise InvalidClientIDError(
            f"the client id {command.client_id!r} belongs to another open connection; "
            "close that one, or choose another id",
            client_id=command.client_id,
        )
    state.clients[command.connection] = Client(command.connection, command.user, command.client_id)


def disconnect(state: State, command: Disconnect, turn: Turn) -> None:
    """Let a client go with all its consumers; harmless if it is gone already."""
    if command.connection in {SERVER, BARE}:
        raise IllegalStateError("the server's own connections cannot be closed")
    client = state.clients.pop(command.connection, None)
    if client is not None:
        close_opened(state, client.consumers.values(), turn)
        delete_all(state, client, turn)
        forgotten = state.producers.forget(sorted(client.producers)) if command.orderly else []
        if forgotten:
            turn.records.append(ProducersForgotten(forgotten))


def create_destination(state: State, command: CreateDestination, turn: Turn) -> bool:
    """Make a destination; False if it was there."""
    state.client(command.connection)
    _refuse_temporary(command.destination)
    if command.destination in state.places:
        return False
    state.create(command.destination, command.connection, turn)
    return True


def delete_destination(state: State, command: DeleteDestination, turn: Turn) -> None:
    """Delete a destination that nobody consumes from."""
    state.client(command.connection)
    destination = command.destination
    _refuse_temporary(destination)
    place = state.find(destination)
    if destination.name.startswith(SYSTEM_PREFIX) and command.connection != SERVER:
        raise InvalidDestinationError(f"{destination} belongs to the server", destination=str(destination))
    if place.has_consumers:
        raise IllegalStateError(
            f"{destination} has active consumers; close them before deleting it", destination=str(destination)
        )
    delete_place(state, place, turn)
    turn.records.append(DestinationDeleted(place.id))
    turn.effects.append(DestinationRemoved(destination))


def _refuse_temporary(destination: Destination) -> None:
    if isinstance(destination, TEMPORARY):
        raise InvalidDestinationError(
            f"{destination} is temporary: the connection that has it makes and deletes it (§6.2.2)",
            destination=str(destination),
        )


def purge(state: State, command: Purge, turn: Turn) -> int:
    """Empty a queue of what nobody holds."""
    state.client(command.connection)
    place = state.find(command.destination)
    if not isinstance(place, QueuePlace):
        raise InvalidDestinationError(
            f"only a queue can be purged, but {command.destination} is a topic", destination=str(command.destination)
        )
    return place.mailbox.purge(turn)


def pause(state: State, command: Pause, turn: Turn) -> bool:
    """Let a queue deliver nothing, or deliver again; False if it is as wanted."""
    state.client(command.connection)
    place = state.find(command.queue)
    if not isinstance(place, QueuePlace) or place.owner:
        raise InvalidDestinationError(
            f"only a queue that stays can be paused, but {command.queue} is none", destination=str(command.queue)
        )
    if place.mailbox.paused == command.paused:
        return False
    place.mailbox.paused = command.paused
    turn.records.append(DestinationPaused(place.id, command.paused))
    place.mailbox.dispatch(turn)
    return True


def put_user(state: State, command: PutUser, turn: Turn) -> bool:
    """Add a user or change one; True if it is new."""
    if not command.name:
        raise JMSSecurityError("a user needs a name, but the name given is empty")
    check_text(command.name, "the name of the user", JMSSecurityError)
    if command.role and command.role not in ROLES:
        raise JMSSecurityError(
            f"there is no role {command.role!r}; the roles are {', '.join(ROLES)}", role=command.role
        )
    record = UserPut(command.name, command.salt, command.digest, command.administrator, command.role)
    new = command.name not in state.users
    state.put_user(record)
    turn.records.append(record)
    return new


def remove_user(state: State, command: RemoveUser, turn: Turn) -> None:
    """Remove a user."""
    if command.name not in state.users:
        raise JMSSecurityError(f"there is no user named {command.name!r}", user=command.name)
    state.remove_user(command.name)
    turn.records.append(UserRemoved(command.name))
