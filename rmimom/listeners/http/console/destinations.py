"""Queues and topics: the lists, and what can be done with one of them."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import count, shorten, write_segment
from rmimom.listeners.http.destinations import (
    Created,
    DestinationDetail,
    create_queue,
    create_topic,
    delete_queue,
    delete_topic,
    list_queues,
    list_topics,
    pause_queue,
    purge_queue,
    resume_queue,
    show_queue,
    show_topic,
)
from rmimom.roles import OPERATOR


async def show_queues(visit: Visit) -> Response:
    """The queues."""
    listing = Listing("/queues", visit.query, "name")
    rows = await visit.read_list(list_queues, listing)
    return await visit.show("queues.html", rows=rows, listing=listing)


async def show_topics(visit: Visit) -> Response:
    """The topics."""
    listing = Listing("/topics", visit.query, "name")
    rows = await visit.read_list(list_topics, listing)
    return await visit.show("topics.html", rows=rows, listing=listing)


async def make_queue(visit: Visit) -> Response:
    """Make a queue."""
    return _made(visit, await visit.ask(create_queue, body={"name": visit.form.get("name").strip()}))


async def make_topic(visit: Visit) -> Response:
    """Make a topic."""
    return _made(visit, await visit.ask(create_topic, body={"name": visit.form.get("name").strip()}))


def _made(visit: Visit, made: Created) -> Response:
    text = f"{made.kind} {made.name} was made" if made.new else f"{made.kind} {made.name} was there already"
    visit.say("success" if made.new else "info", text)
    return visit.go(f"/{made.kind}s/{write_segment(made.name)}")


async def show_one_queue(visit: Visit) -> Response:
    """A queue: what it holds, who consumes."""
    return await _show(visit, await visit.ask(show_queue))


async def show_one_topic(visit: Visit) -> Response:
    """A topic: who subscribes."""
    return await _show(visit, await visit.ask(show_topic))


async def _show(visit: Visit, found: DestinationDetail) -> Response:
    row = found.statistics
    base = f"/{row.kind}s/{write_segment(row.name)}"
    return await visit.show("destination.html", found=found, row=row, base=base)


async def ask_purge(visit: Visit) -> Response:
    """Ask whether a queue is to be emptied."""
    row = (await visit.ask(show_queue)).statistics
    going = row.pending - row.held
    return await visit.show(
        "confirm.html",
        heading=f"Purge {shorten(row.name)}?",
        text=f"{count(going, 'message')} will be removed from queue {row.name} for good. "
        f"{count(row.held, 'message')} with consumers will stay.",
        button="Purge",
        action=f"{_base(visit, 'queues')}/purge",
        back=_base(visit, "queues"),
        number=going,
    )


async def purge(visit: Visit) -> Response:
    """Empty a queue."""
    done = await visit.ask(purge_queue)
    visit.say("success", f"{count(done.count, 'message')} removed from queue {visit.path['name']}")
    return visit.go(_base(visit, "queues"))


async def ask_delete_queue(visit: Visit) -> Response:
    """Ask whether a queue is to be deleted."""
    row = (await visit.ask(show_queue)).statistics
    return await _ask_delete(visit, "queue", f"{count(row.pending, 'message')} will be deleted with it.", row.pending)


async def ask_delete_topic(visit: Visit) -> Response:
    """Ask whether a topic is to be deleted."""
    row = (await visit.ask(show_topic)).statistics
    text = f"{count(row.subscriptions, 'subscription')} and {count(row.pending, 'message')} will be deleted with it."
    return await _ask_delete(visit, "topic", text, row.pending)


async def _ask_delete(visit: Visit, kind: str, text: str, number: int) -> Response:
    name = visit.path["name"]
    return await visit.show(
        "confirm.html",
        heading=f"Delete {kind} {shorten(name)}?",
        text=text,
        button="Delete",
        action=f"{_base(visit, kind + 's')}/delete",
        back=_base(visit, kind + "s"),
        number=number,
    )


async def remove_queue(visit: Visit) -> Response:
    """Delete a queue."""
    await visit.ask(delete_queue)
    visit.say("success", f"queue {visit.path['name']} was deleted")
    return visit.go("/queues")


async def remove_topic(visit: Visit) -> Response:
    """Delete a topic."""
    await visit.ask(delete_topic)
    visit.say("success", f"topic {visit.path['name']} was deleted")
    return visit.go("/topics")


async def pause(visit: Visit) -> Response:
    """Let a queue deliver nothing."""
    await visit.ask(pause_queue)
    visit.say("success", f"queue {visit.path['name']} is paused: it takes messages and delivers none")
    return visit.go_back(_base(visit, "queues"))


async def resume(visit: Visit) -> Response:
    """Let a queue deliver again."""
    await visit.ask(resume_queue)
    visit.say("success", f"queue {visit.path['name']} delivers again")
    return visit.go_back(_base(visit, "queues"))


def _base(visit: Visit, kinds: str) -> str:
    return f"/{kinds}/{write_segment(visit.path['name'])}"


PAGES: Final = (
    page("/queues", show_queues),
    order("/queues", make_queue),
    page("/queues/{name}", show_one_queue),
    page("/queues/{name}/purge", ask_purge, OPERATOR),
    order("/queues/{name}/purge", purge),
    page("/queues/{name}/delete", ask_delete_queue, OPERATOR),
    order("/queues/{name}/delete", remove_queue),
    order("/queues/{name}/pause", pause),
    order("/queues/{name}/resume", resume),
    page("/topics", show_topics),
    order("/topics", make_topic),
    page("/topics/{name}", show_one_topic),
    page("/topics/{name}/delete", ask_delete_topic, OPERATOR),
    order("/topics/{name}/delete", remove_topic),
)
