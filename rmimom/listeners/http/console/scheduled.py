"""Messages that wait for their time: those that are sent later, perhaps again and again, and delayed ones."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.destination import Queue, parse_destination
from rmimom.errors import InvalidDestinationError
from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import count, write_segment
from rmimom.listeners.http.problems import bad_request
from rmimom.listeners.http.scheduled import (
    Delayed,
    cancel_scheduled,
    deliver_delayed,
    deliver_scheduled,
    list_delayed,
    list_scheduled,
    remove_delayed,
)

MOST_DELAYED: Final = 100
"""Delayed messages on one page; those due first are what people look for."""
_FARTHEST: Final = 100_000


async def show_scheduled(visit: Visit) -> Response:
    """Both lists."""
    listing = Listing("/scheduled", visit.query, "next_time")
    rows = await visit.read_list(list_scheduled, listing)
    delayed = Listing("/scheduled", {**visit.query, "page": visit.query.get("delayed", "")}, "due")
    delayed.limit = MOST_DELAYED
    delayed.page = min(delayed.page, _FARTHEST // MOST_DELAYED)
    part = {"filter": listing.filter, "limit": MOST_DELAYED}
    found = await visit.ask(list_delayed, {**part, "offset": (delayed.page - 1) * MOST_DELAYED})
    if not delayed.learn(found.total):
        delayed.page = min(delayed.page, _FARTHEST // MOST_DELAYED)
        found = await visit.ask(list_delayed, {**part, "offset": (delayed.page - 1) * MOST_DELAYED})
    return await visit.show(
        "scheduled.html",
        rows=rows,
        listing=listing,
        delayed=[(row, _link(row)) for row in found.items],
        delayed_listing=delayed,
        reachable=min(delayed.pages, _FARTHEST // MOST_DELAYED),
    )


def _link(row: Delayed) -> str:
    """Where a delayed message can be looked at; those of topics cannot."""
    destination = parse_destination(row.destination)
    return f"/queues/{write_segment(destination.name)}/messages/{row.id}" if type(destination) is Queue else ""


async def change_scheduled(visit: Visit) -> Response:
    """Ask about an order for scheduled messages, or carry it out."""
    ids = visit.form.all("id")
    if not ids:
        return _nothing_chosen(visit)
    if visit.form.get("order") == "deliver":
        done = await visit.ask(deliver_scheduled, body={"ids": ids})
        visit.say("success", f"{count(done.count, 'scheduled message')} sent now")
        return visit.go_back("/scheduled")
    if visit.form.get("confirmed") != "yes":
        text = "What was sent already stays; nothing more will be sent."
        return await _ask(visit, f"Delete {count(len(ids), 'scheduled message')}?", text, "/scheduled", ids)
    done = await visit.ask(cancel_scheduled, body={"ids": ids})
    visit.say("success", f"{count(done.count, 'scheduled message')} deleted{_left(done.count, len(ids))}")
    return visit.go_back("/scheduled")


async def change_delayed(visit: Visit) -> Response:
    """Ask about an order for delayed messages, or carry it out."""
    chosen = visit.form.all("id")
    if not chosen:
        return _nothing_chosen(visit)
    wanted = _by_destination(chosen)
    deliver = visit.form.get("order") == "deliver"
    if not deliver and visit.form.get("confirmed") != "yes":
        text = "They will not be delivered."
        return await _ask(visit, f"Delete {count(len(chosen), 'delayed message')}?", text, "/delayed", chosen)
    operation = deliver_delayed if deliver else remove_delayed
    done = 0
    for destination, ids in wanted.items():
        done += (await visit.ask(operation, body={"destination": destination, "ids": ids})).count
    word = "can be delivered now" if deliver else "deleted"
    visit.say("success", f"{count(done, 'delayed message')} {word}{_left(done, len(chosen))}")
    return visit.go_back("/scheduled")


def _left(done: int, chosen: int) -> str:
    return f"; {chosen - done} of those chosen were not there any more" if done < chosen else ""


def _by_destination(chosen: list[str]) -> dict[str, list[str]]:
    """The ids by destination; each field says both, for the operation wants to know both."""
    found: dict[str, list[str]] = {}
    for text in chosen:
        number, separator, destination = text.partition(" ")
        if not separator:
            raise bad_request("each field says the number and the destination of a message")
        try:
            parse_destination(destination)
        except InvalidDestinationError as error:
            raise bad_request(error.text) from None
        found.setdefault(destination, []).append(number)
    return found


def _nothing_chosen(visit: Visit) -> Response:
    visit.say("warning", "no message was chosen: tick those that are meant")
    return visit.go_back("/scheduled")


async def _ask(visit: Visit, heading: str, text: str, action: str, ids: list[str]) -> Response:
    back = visit.form.get("next")
    fields = [("order", "remove"), ("confirmed", "yes"), ("next", back), *[("id", one) for one in ids]]
    return await visit.show(
        "confirm.html",
        heading=heading,
        text=text,
        button="Delete",
        action=action,
        back=back or "/scheduled",
        number=len(ids),
        fields=fields,
    )


PAGES: Final = (
    page("/scheduled", show_scheduled),
    order("/scheduled", change_scheduled),
    order("/delayed", change_delayed),
)
