"""Watching what comes to a queue or a topic, as it comes, without taking anything of it."""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom.destination import Destination
from rmimom.listeners.http.destinations import find_place
from rmimom.listeners.http.operation import Call, Operation, Stream
from rmimom.listeners.http.searching import Selector


class TailQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are wanted."""

    selector: Selector = ""


async def tail_queue(call: Call[TailQuery, None]) -> Stream:
    """Watch what comes to a queue, as server-sent events; nothing is consumed.

    Each event `messages` has what came since the one before, dead letters and moved messages too.  A stream shows some
    hundred messages a second at most; `dropped` counts the others.
    """
    return _tail(call, call.queue)


async def tail_topic(call: Call[TailQuery, None]) -> Stream:
    """Watch what is sent to a topic, as server-sent events, whether anybody subscribes to it or not."""
    return _tail(call, call.topic)


def _tail(call: Call[TailQuery, None], wanted: Destination) -> Stream:
    place = find_place(call, wanted)
    tail = call.sampler.tails.begin(call.engine, place.destination, call.query.selector)
    return Stream(tail.events(call.view), tail.leave)


OPERATIONS: Final = (
    Operation(
        method="GET", path="/queues/{name}/tail", handler=tail_queue, tag="messages", query=TailQuery, answer=Stream
    ),
    Operation(
        method="GET", path="/topics/{name}/tail", handler=tail_topic, tag="messages", query=TailQuery, answer=Stream
    ),
)
