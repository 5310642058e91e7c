"""Sending: frames of a producer find their mailboxes."""

from __future__ import annotations

from rmimom.commands import Send
from rmimom.core.entry import Entry
from rmimom.core.limits import MAX_NUMBER, check_text
from rmimom.core.place import Place, TopicPlace
from rmimom.core.state import Client, State
from rmimom.core.turn import Turn
from rmimom.destination import Destination
from rmimom.errors import MessageFormatError, MessageTooLargeError
from rmimom.frame import PERSISTENT, Head, decode_head
from rmimom.records import MessagesStored, ProducerAdvanced


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
        accepted = state.producers.accepted_up_to(command.producer)
        if last <= accepted:
            return
        if sequence <= accepted:
            frames = frames[accepted + 1 - sequence :]
    heads = read_heads(state, command.destination, frames)
    place = state.find_or_create(command.destination, command.connection, turn)
    if command.producer:
        state.producers.advance(command.producer, last, turn.now)
    stored = put(state, client, place, heads, frames, turn)
    if stored and command.producer:
        turn.records.append(ProducerAdvanced(command.producer, last, turn.now))


def read_heads(state: State, destination: Destination, frames: list[bytes]) -> list[Head]:
    """Check frames for a destination; raises MessageTooLargeError or MessageFormatError, and changes nothing."""
    limit = state.rules.max_message_size
    wanted = str(destination)
    heads: list[Head] = []
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
        heads.append(head)
    return heads


def put(state: State, client: Client, place: Place, heads: list[Head], frames: list[bytes], turn: Turn) -> bool:
    """Make entries, put them into the mailboxes and record what must survive; True if something must."""
    count = len(frames)
    state.messages_in += count
    if isinstance(place, TopicPlace):
        place.enqueued += count
    mailboxes = place.mailboxes_for(client.connection, client.client_id)
    if not mailboxes:
        return False
    durable = [mailbox.id for mailbox in mailboxes if mailbox.durable]
    references = len(mailboxes)
    residence = state.residence
    first = state.next_id
    state.next_id = first + len(frames)
    now = turn.now
    entries: list[Entry] = []
    delayed: list[tuple[Entry, int]] = []
    kept_ids: list[int] = []
    kept_heads: list[Head] = []
    kept_frames: list[bytes] = []
    for number, (head, frame) in enumerate(zip(heads, frames, strict=True), first):
        size = len(frame)
        residence.used += size
        keep = (head.mode == PERSISTENT and bool(durable)) or residence.exhausted
        entry = Entry(number, head.priority, head.expiration, size, references, keep, frame)
        if keep:
            kept_ids.append(number)
            kept_heads.append(head)
            kept_frames.append(frame)
        if head.delivery_time > now:
            delayed.append((entry, head.delivery_time))
        else:
            entries.append(entry)
    if kept_ids:
        turn.records.append(MessagesStored(place.id, durable, kept_ids, kept_heads, kept_frames))
    for mailbox in mailboxes:
        for entry, delivery_time in delayed:
            mailbox.put_delayed(entry, delivery_time)
        if entries:
            mailbox.put(entries, turn)
    if residence.exhausted:
        residence.shrink(entries)
        residence.shrink(entry for entry, _ in delayed)
    return bool(kept_ids)
