"""Home: how the server is, and what somebody should look at."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.console.visit import Visit, page
from rmimom.listeners.http.status import list_warnings, show_cluster, show_history, show_resources, show_status

FIGURES: Final = 10
"""Rows of the table of figures, for browsers that draw no charts."""


async def show_home(visit: Visit) -> Response:
    """Version, uptime, role, epoch, standbys, store, memory and warnings."""
    cluster = await visit.ask(show_cluster)
    history = await visit.ask(show_history, {"seconds": 900, "points": FIGURES})
    return await visit.show(
        "home.html",
        status=await visit.ask(show_status),
        resources=await visit.ask(show_resources),
        warnings=(await visit.ask(list_warnings)).items,
        cluster=cluster,
        standbys=[one for one in (cluster.status or {}).get("servers", ()) if one["role"] == "standby"],
        points=history.items[::-1],
    )


PAGES: Final = (page("/", show_home),)
