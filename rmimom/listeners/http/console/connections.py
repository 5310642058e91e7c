"""Connections of clients: look at them, close them."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.connections import Connection, close_connection, list_connections, show_connection
from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import count
from rmimom.roles import OPERATOR


async def show_connections(visit: Visit) -> Response:
    """The connections."""
    listing = Listing("/connections", visit.query, "since")
    rows = await visit.read_list(list_connections, listing)
    return await visit.show("connections.html", rows=rows, listing=listing)


async def show_one_connection(visit: Visit) -> Response:
    """One connection with its consumers."""
    return await visit.show("connection.html", found=await visit.ask(show_connection))


async def ask_close(visit: Visit) -> Response:
    """Ask whether a connection is to be closed."""
    row = (await visit.ask(show_connection)).connection
    return await visit.show(
        "confirm.html",
        heading=f"Close the connection of {_name(row)}?",
        text=f"{count(row.consumers, 'consumer')} will be closed; {count(row.held, 'message')} they hold will go back "
        "to their places and be delivered again. The client may connect again at once.",
        button="Close",
        action=f"/connections/{row.id}/close",
        back="/connections",
        number=row.held,
    )


async def close(visit: Visit) -> Response:
    """Close a connection."""
    row = (await visit.ask(show_connection)).connection
    await visit.ask(close_connection)
    visit.say("success", f"the connection of {_name(row)} was closed")
    return visit.go("/connections")


def _name(row: Connection) -> str:
    return " ".join(part for part in (row.user, row.client_id, row.address) if part) or row.id


PAGES: Final = (
    page("/connections", show_connections),
    page("/connections/{id}", show_one_connection),
    page("/connections/{id}/close", ask_close, OPERATOR),
    order("/connections/{id}/close", close),
)
