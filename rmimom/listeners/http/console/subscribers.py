"""Subscribers: the durable subscriptions, those that are active and those that are offline, and the others."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import count, shorten
from rmimom.listeners.http.subscriptions import (
    create_subscription,
    delete_subscription,
    list_subscriptions,
    show_subscription,
)
from rmimom.roles import OPERATOR

STATES: Final = {
    "all": "All",
    "active": "Active durable",
    "offline": "Offline durable",
    "not-durable": "Non-durable",
}


async def show_subscribers(visit: Visit) -> Response:
    """The subscriptions."""
    state, topic = visit.query.get("state") or "all", visit.query.get("topic", "")
    more = {name: value for name, value in (("state", state), ("topic", topic)) if value not in {"", "all"}}
    listing = Listing("/subscribers", visit.query, "client_id", more=more)
    rows = await visit.read_list(list_subscriptions, listing, state=state, topic=topic)
    return await visit.show("subscribers.html", rows=rows, listing=listing, state=state, states=STATES, topic=topic)


async def make_subscription(visit: Visit) -> Response:
    """Make a durable subscription."""
    form = visit.form
    body: dict[str, object] = {name: form.get(name).strip() for name in ("topic", "name", "client_id", "selector")}
    made = await visit.ask(
        create_subscription, body={**body, "shared": bool(form.get("shared")), "no_local": bool(form.get("no_local"))}
    )
    visit.say("success", f"the durable subscription {made.name} of {made.topic} was made")
    return visit.go(f"/subscribers/{made.id}")


async def show_one_subscriber(visit: Visit) -> Response:
    """One subscription."""
    return await visit.show("subscriber.html", row=await visit.ask(show_subscription))


async def ask_delete(visit: Visit) -> Response:
    """Ask whether a durable subscription is to be deleted."""
    row = await visit.ask(show_subscription)
    return await visit.show(
        "confirm.html",
        heading=f"Delete the subscription {shorten(row.name)}?",
        text=f"{row.client_id or 'Shared by all'} / {row.name} of {row.topic}: "
        f"{count(row.pending, 'message')} that wait for it will be deleted with it.",
        button="Delete",
        action=f"/subscribers/{row.id}/delete",
        back="/subscribers",
        number=row.pending,
    )


async def remove_subscription(visit: Visit) -> Response:
    """Delete a durable subscription."""
    row = await visit.ask(show_subscription)
    await visit.ask(delete_subscription)
    visit.say("success", f"the subscription {row.name} of {row.topic} was deleted")
    return visit.go("/subscribers")


PAGES: Final = (
    page("/subscribers", show_subscribers),
    order("/subscribers", make_subscription),
    page("/subscribers/{id}", show_one_subscriber),
    page("/subscribers/{id}/delete", ask_delete, OPERATOR),
    order("/subscribers/{id}/delete", remove_subscription),
)
