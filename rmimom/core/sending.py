"""Sending: frames of a producer find their mailboxes."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from rmimom.commands import Send
from rmimom.composite import CompositeDestination
from rmimom.core.entry import Entry
from rmimom.core.fanning import fan_out
from rmimom.core.following import note_sent
from rmimom.core.history import Kept
from rmimom.core.limits import MAX_NUMBER, check_text
from rmimom.core.mailbox import Mailbox
from rmimom.core.place import Place, TopicPlace
from rmimom.core.residence import Residence
from rmimom.core.scheduling import keep
from rmimom.core.state import BARE, SERVER, Client, State
from rmimom.core.turn import Turn
from rmimom.destination import Destination
from rmimom.errors import InvalidDestinationError, JMSSecurityError, MessageFormatError, MessageTooLargeError
from rmimom.frame import PERSISTENT, Head, decode_frame, decode_head, encode
from rmimom.records import MessagesStored, ProducerAdvanced
from rmimom.selector import MessageValues, Selector, read_property
from rmimom.wishes import SHORTEST, Wishes, encode_wishes, read_wishes

USER_ID = "JMSXUserID"


class Lot(NamedTuple):
    """Frames for one destination, and what was read of them; all of the same length and order."""

    heads: list[Head]
    frames: list[bytes]
    wishes: list[Wishes | None]


def send(state: State, command: Send, turn: Turn) -> None:
    """Accept all frames or none; what the producer numbered before and was accepted is passed over."""
    client = state.client(command.connection)
    frames = command.frames
    sequence, last = command.sequence, 0
    if command.producer:
        last = sequence + len(frames) - 1
        if not 1 <= sequence <= last <= MAX_NUMBER:
            raise MessageFormatError(
                f"{len(frames)} messages numbered from {sequence} are no batch; a producer numbers its messages from 1"
            )
        check_text(command.producer, "the name of the producer", MessageFormatError)
        client.producers.add(command.producer)
        accepted = state.producers.accepted_up_to(command.producer)
        if last <= accepted:
            return
        if sequence <= accepted:
            frames = frames[accepted + 1 - sequence :]
    lot = check(state, client, command.destination, frames)
    copies = find_places(state, command.connection, command.destination, lot, turn)
    if command.producer:
        state.producers.advance(command.producer, last, turn.now)
    stored = False
    for place, own in copies:
        stored |= put(state, client, place, own, turn)
    if stored and command.producer:
        turn.records.append(ProducerAdvanced(command.producer, last, turn.now))


def check(state: State, client: Client, destination: Destination, frames: list[bytes]) -> Lot:
    """Check a client's frames for a destination, and change nothing.

    Raises MessageTooLargeError, MessageFormatError (also for wishes that cannot be granted), or JMSSecurityError for a
    message in the name of another user.
    """
    verified = state.has_messaging_users and client.connection not in {SERVER, BARE}
    limit = state.rules.max_message_size
    wanted = str(destination)
    heads: list[Head] = []
    wishes: list[Wishes | None] = []
    for frame in frames:
        if len(frame) > limit:
            raise MessageTooLargeError(
                f"a message of {len(frame)} bytes is over the limit of {limit} bytes; "
                "send less, or raise max_message_size on the server",
                size=len(frame),
                limit=limit,
            )
        head = decode_head(frame)
        if head.destination != wanted:
            raise MessageFormatError(
                f"a frame for {head.destination!r} came in a batch for {wanted!r}",
                frame=head.destination,
                batch=wanted,
            )
        if verified:
            _check_user(client, frame)
        heads.append(head)
        wishes.append(read_wishes(head, frame) if head.properties_length >= SHORTEST else None)
    return Lot(heads, frames, wishes)


def _check_user(client: Client, frame: bytes) -> None:
    """JMSXUserID says who sent the message (§3.5.9), so where users have passwords it must be true."""
    claimed = read_property(frame, USER_ID)
    if claimed is not None and claimed != client.user:
        raise JMSSecurityError(
            f"the message says that {claimed!r} sent it ({USER_ID}), but this is the connection of {client.user!r}; "
            "leave the property out",
            claimed=str(claimed),
            user=client.user,
        )


def find_places(
    state: State, connection: str, destination: Destination, lot: Lot, turn: Turn
) -> list[tuple[Place, Lot]]:
    """Where frames go that were sent to a destination, and what is put there: to several, a copy that names each.

    Raises InvalidDestinationError if one of them is not there; destinations may have come to be.
    """
    if not isinstance(destination, CompositeDestination):
        _check_writable(destination, connection)
        return [(state.find_or_create(destination, connection, turn), lot)]
    for part in destination.parts:
        _check_writable(part, connection)
    whole = [decode_frame(frame) for frame in lot.frames]
    found: list[tuple[Place, Lot]] = []
    for part in destination.parts:
        name = str(part)
        copies = [encode(msgspec.structs.replace(frame, destination=name)) for frame in whole]
        place = state.find_or_create(part, connection, turn)
        found.append((place, Lot([decode_head(copy) for copy in copies], copies, lot.wishes)))
    return found


def _check_writable(destination: Destination, connection: str) -> None:
    """What the server says of itself (heartbeat, advisories), and what it keeps for later, nobody else may say."""
    if destination.is_system and connection != SERVER:
        raise InvalidDestinationError(
            f"{destination} belongs to the server, which alone sends there", destination=str(destination)
        )


def put(state: State, client: Client, place: Place, lot: Lot, turn: Turn) -> bool:
    """Make entries, put them into the mailboxes and record what must survive; True if something must."""
    if lot.wishes.count(None) < len(lot.wishes) and any(one is not None and one.schedule for one in lot.wishes):
        kept, lot = _keep_scheduled(state, place, lot, turn)
        return put(state, client, place, lot, turn) or kept
    count = len(lot.frames)
    # The heartbeat is no message of anybody's; what administrators send is.
    if client.connection != SERVER or not place.destination.is_system:
        state.messages_in += count
    if isinstance(place, TopicPlace):
        place.enqueued += count
        if place.history is not None:
            for head, frame, wishes in zip(*lot, strict=True):
                state.kept += 1
                place.history.add(Kept(state.kept, turn.now, head, frame, wishes, client.connection))
    if state.followed:
        note_sent(state, place, lot.frames, turn)
    audience = place.audience(client.connection, client.client_id)
    if not audience:
        return False
    if any(selector is not None for _, selector in audience):
        return _put_to_some(state, place, audience, lot, turn)
    mailboxes = [mailbox for mailbox, _ in audience]
    durable = [mailbox.id for mailbox in mailboxes if mailbox.durable]
    stored = MessagesStored(place.id, durable, [], [], [])
    entries: list[Entry] = []
    delayed: list[tuple[Entry, int]] = []
    for head, frame, wishes in zip(*lot, strict=True):
        entry = _entry(state, head, frame, wishes, len(mailboxes), stored)
        if head.delivery_time > turn.now:
            delayed.append((entry, head.delivery_time))
        else:
            entries.append(entry)
    if stored.ids:
        turn.records.append(stored)
    for mailbox in mailboxes:
        for entry, delivery_time in delayed:
            mailbox.put_delayed(entry, delivery_time)
    if entries:
        fan_out(mailboxes, entries, state.residence, turn)
    _shrink(state.residence, entries, delayed)
    return bool(stored.ids)


def _keep_scheduled(state: State, place: Place, lot: Lot, turn: Turn) -> tuple[bool, Lot]:
    """What has a schedule waits for its time; returns whether anything does, and the rest."""
    rest = Lot([], [], [])
    for head, frame, wishes in zip(*lot, strict=True):
        if wishes is not None and wishes.schedule is not None:
            keep(state, place, frame, wishes, turn)
        else:
            rest.heads.append(head)
            rest.frames.append(frame)
            rest.wishes.append(wishes)
    return len(rest.frames) < len(lot.frames), rest


def _put_to_some(
    state: State, place: Place, audience: list[tuple[Mailbox, Selector | None]], lot: Lot, turn: Turn
) -> bool:
    """The same, where selectors choose; every distinct selector is asked once for each message (§3.8)."""
    records: dict[tuple[int, ...], MessagesStored] = {}
    shares: dict[int, tuple[list[Entry], list[tuple[Entry, int]]]] = {}
    everything: list[Entry] = []
    for head, frame, wishes in zip(*lot, strict=True):
        values = MessageValues(frame)
        chosen = [mailbox for mailbox, selector in audience if values.match(selector)]
        if not chosen:
            continue
        durable = tuple(mailbox.id for mailbox in chosen if mailbox.durable)
        stored = records.get(durable)
        if stored is None:
            stored = records[durable] = MessagesStored(place.id, list(durable), [], [], [])
        entry = _entry(state, head, frame, wishes, len(chosen), stored)
        everything.append(entry)
        for mailbox in chosen:
            entries, delayed = shares.setdefault(mailbox.id, ([], []))
            if head.delivery_time > turn.now:
                delayed.append((entry, head.delivery_time))
            else:
                entries.append(entry)
    stored_any = [stored for stored in records.values() if stored.ids]
    turn.records.extend(stored_any)
    for mailbox, selector in audience:
        if mailbox.id in shares:
            entries, delayed = shares[mailbox.id]
            for entry, delivery_time in delayed:
                mailbox.put_delayed(entry, delivery_time)
            if entries:
                mailbox.put(entries, turn, selector)
    _shrink(state.residence, everything, [])
    return bool(stored_any)


def _entry(
    state: State, head: Head, frame: bytes, wishes: Wishes | None, references: int, stored: MessagesStored
) -> Entry:
    """Make an entry with the next id; what must be in the store is added to the record."""
    size = len(frame)
    residence = state.residence
    residence.used += size
    number = state.next_id
    state.next_id = number + 1
    keep = (head.mode == PERSISTENT and bool(stored.mailboxes)) or residence.exhausted
    if keep:
        if wishes is not None or stored.wishes:
            # So that a message without wishes costs nothing, they are listed from the first that has any.
            stored.wishes.extend([""] * (len(stored.ids) - len(stored.wishes)))
            stored.wishes.append(encode_wishes(wishes) if wishes is not None else "")
        stored.ids.append(number)
        stored.heads.append(head)
        stored.frames.append(frame)
    return Entry(number, head.priority, head.expiration, size, references, keep, frame, wishes)


def _shrink(residence: Residence, entries: list[Entry], delayed: list[tuple[Entry, int]]) -> None:
    if residence.exhausted:
        residence.shrink(entries)
        residence.shrink(entry for entry, _ in delayed)
