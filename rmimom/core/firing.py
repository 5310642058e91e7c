"""Firing: what is scheduled is sent when its time has come (`scheduling.py`).

Times that were missed because the server was down are made up for by one copy, when it is up again; a period goes on
in its rhythm from then on.  With a cron entry and a period, each time of the entry begins a series of its own.
"""

from __future__ import annotations

import msgspec

from rmimom.commands import DeliverScheduled, Fetched
from rmimom.core.entry import Entry
from rmimom.core.place import QueuePlace
from rmimom.core.scheduling import SCHEDULE, add, first_time, next_time
from rmimom.core.sending import Lot, put
from rmimom.core.state import SERVER, State
from rmimom.core.turn import Turn
from rmimom.destination import parse_destination
from rmimom.effects import Fetch
from rmimom.errors import JMSError
from rmimom.frame import decode_frame, decode_head, encode
from rmimom.wishes import Schedule, Wishes


def fire(state: State, turn: Turn) -> None:
    """Send what is due; what rests on disk is asked for first."""
    home = state.places.get(SCHEDULE)
    if not isinstance(home, QueuePlace) or not home.mailbox.waiting:
        return
    missing: list[int] = []
    for entry in home.mailbox.take_due():
        if entry.frame is None:
            home.mailbox.make_ready([entry])
            if entry.id not in state.fetching:
                missing.append(entry.id)
        else:
            _send(state, home, entry, entry.frame, turn)
    if missing:
        state.fetching.update(missing)
        turn.effects.append(Fetch(missing))


def fetched(state: State, command: Fetched, turn: Turn) -> None:
    """Frames were read from the store for `fire`."""
    state.fetching.difference_update(command.ids)
    home = state.places.get(SCHEDULE)
    if isinstance(home, QueuePlace):
        due = home.mailbox.take_due()
        for entry in due:
            frame = command.frames.get(entry.id) if entry.frame is None else entry.frame
            if frame is None:
                home.mailbox.make_ready([entry])
            else:
                _send(state, home, entry, frame, turn)


def deliver_now(state: State, command: DeliverScheduled, turn: Turn) -> int:
    """Send scheduled messages at once, whatever their time; returns how many there were."""
    home = state.places.get(SCHEDULE)
    found = home.mailbox.make_due(command.ids) if isinstance(home, QueuePlace) else 0
    fire(state, turn)
    return found


def _send(state: State, home: QueuePlace, entry: Entry, frame: bytes, turn: Turn) -> None:
    """Send one copy, and let the message wait for the next time if there is one."""
    mailbox = home.mailbox
    wishes = entry.wishes
    schedule = wishes.schedule if wishes is not None else None
    if wishes is None or schedule is None:
        mailbox.discard([entry], turn)
        return
    sent = mailbox.failures(entry) + 1
    following = next_time(schedule, sent, turn.now)
    if schedule.cron and (schedule.delay or schedule.period):
        series = msgspec.structs.replace(schedule, cron="")
        series = msgspec.structs.replace(series, start=first_time(series, turn.now))
        add(state, frame, msgspec.structs.replace(wishes, schedule=series), turn)
    elif not _put_copy(state, schedule, wishes, frame, sent, turn):
        following = 0
    if following:
        mailbox.postpone(entry, following, turn)
    else:
        mailbox.discard([entry], turn)


def _put_copy(state: State, schedule: Schedule, wishes: Wishes, frame: bytes, sent: int, turn: Turn) -> bool:
    """Send a copy as if it were sent now; False if its destination cannot be any more."""
    try:
        place = state.find_or_create(parse_destination(schedule.destination), SERVER, turn)
    except JMSError:
        return False
    whole = decode_frame(frame)
    lasts = whole.expiration - whole.timestamp if whole.expiration else 0
    copy = encode(
        msgspec.structs.replace(
            whole,
            timestamp=turn.now,
            expiration=turn.now + lasts if lasts > 0 else whole.expiration,
            message_id=f"{whole.message_id}:{sent}"
            if whole.message_id and (schedule.period or schedule.cron)
            else whole.message_id,
        )
    )
    rest = msgspec.structs.replace(wishes, schedule=None)
    lot = Lot([decode_head(copy)], [copy], [None if rest == Wishes() else rest])
    put(state, state.client(SERVER), place, lot, turn)
    return True
