"""Orders for messages of a queue: one, those that were ticked, or all that a search finds.

The form is sent twice: the first time a page tells how many messages are meant and asks, the second time it is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from rmimom.listeners.http.console.visit import Visit, order
from rmimom.listeners.http.console.words import count, shorten, write_segment
from rmimom.listeners.http.destinations import show_queue
from rmimom.listeners.http.operation import Call
from rmimom.listeners.http.problems import bad_request
from rmimom.listeners.http.selecting import (
    Done,
    bury_messages,
    copy_messages,
    move_messages,
    remove_messages,
    retry_messages,
)


class _Order(NamedTuple):
    """An order: what the operation is, how it is asked and told, and whether it wants to know where to."""

    operation: Callable[[Call[Any, Any]], Awaitable[Done]]
    heading: str
    button: str
    done: str
    wants_place: bool = False


ORDERS: Final = {
    "remove": _Order(remove_messages, "Delete {what}?", "Delete", "deleted"),
    "move": _Order(move_messages, "Move {what}?", "Move", "moved", wants_place=True),
    "copy": _Order(copy_messages, "Copy {what}?", "Copy", "copied", wants_place=True),
    "bury": _Order(bury_messages, "Make {what} dead?", "Make dead letters", "made dead letters"),
    "retry": _Order(retry_messages, "Send {what} back?", "Retry", "sent back to where they came from"),
}


async def select(visit: Visit) -> Response:
    """Ask about an order for messages, or carry it out."""
    form, name = visit.form, visit.path["name"]
    queue = f"/queues/{write_segment(name)}"
    wanted = ORDERS.get(form.get("order"))
    if wanted is None:
        raise bad_request("say what is to be done: delete, move, copy, bury or retry")
    body = _selection(visit)
    if body == {"ids": []}:
        visit.say("warning", "no message was chosen: tick those that are meant")
        return visit.go_back(f"{queue}/messages")
    if wanted.wants_place:
        to = form.get("to").strip()
        if not to:
            visit.say("warning", f"say where the messages are to be {wanted.done}: queue://NAME")
            return visit.go_back(f"{queue}/messages")
        body["to"] = to if "://" in to else f"queue://{to}"
    if form.get("confirmed") != "yes":
        return await _ask(visit, wanted, body)
    done = await visit.ask(wanted.operation, body={**body, "cursor": form.get("cursor")})
    text = f"{count(done.done, 'message')} {wanted.done}" + (f" to {body['to']}" if wanted.wants_place else "")
    if done.done < done.matched:
        left = done.matched - done.done
        text += f"; {left} of those chosen stayed: they were consumed meanwhile, are held, or cannot go there"
    visit.say("success" if done.done else "warning", text)
    if done.next is not None:
        return await _ask(visit, wanted, body, cursor=done.next)
    return visit.go_back(f"{queue}/messages")


def _selection(visit: Visit) -> dict[str, Any]:
    """Which messages are meant, as the operations want to hear it."""
    form = visit.form
    if form.get("which") != "matching":
        return {"ids": form.all("id")}
    chosen = form.given("selector", "text")
    return dict(chosen) if chosen else {"all": True}


async def _ask(visit: Visit, wanted: _Order, body: dict[str, Any], cursor: str = "") -> Response:
    """A page that says how many messages are meant."""
    name, form = visit.path["name"], visit.form
    number, about = await _count(visit, wanted, body, cursor)
    what = f"{about}{count(number, 'message')}"
    chosen = "".join(
        f", chosen by {field}: {shorten(body[field], 200)}" for field in ("selector", "text") if field in body
    )
    to = f" to {body['to']}" if wanted.wants_place else ""
    fields = [(field, form.get(field)) for field in ("order", "which", "selector", "text", "next") if form.get(field)]
    fields += [("id", one) for one in body.get("ids", ())]
    fields += [("to", body["to"])] if wanted.wants_place else []
    fields += [("cursor", cursor)] if cursor else []
    return await visit.show(
        "confirm.html",
        heading=wanted.heading.format(what=what),
        text=f"From queue {name}{to}{chosen}. What a consumer holds stays with it.",
        button=wanted.button,
        action=f"/queues/{write_segment(name)}/select",
        back=form.get("next") or f"/queues/{write_segment(name)}/messages",
        number=number,
        fields=[*fields, ("confirmed", "yes")],
    )


async def _count(visit: Visit, wanted: _Order, body: dict[str, Any], cursor: str) -> tuple[int, str]:
    """How many messages are meant, and "about " or "more than " if that is not exact."""
    if body.get("all") and not cursor:
        # Counting a queue of millions one by one would only take time: the counters know.
        row = (await visit.ask(show_queue)).statistics
        return max(0, row.pending - row.held - row.delayed), "about "
    counted = await visit.ask(wanted.operation, body={**body, "cursor": cursor, "dry_run": True})
    return counted.matched, "more than " if counted.next is not None else ""


PAGES: Final = (order("/queues/{name}/select", select),)
