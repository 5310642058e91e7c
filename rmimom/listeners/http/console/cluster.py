"""The cluster: who is active, who would take over, and how to let another one."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.status import promote_server, show_cluster, switch_over
from rmimom.roles import ADMIN


async def show_servers(visit: Visit) -> Response:
    """The servers of the cluster."""
    return await visit.show("cluster.html", cluster=await visit.ask(show_cluster))


async def ask_switchover(visit: Visit) -> Response:
    """Ask whether a standby is to become active."""
    to = visit.query.get("to", "")
    return await visit.show(
        "confirm.html",
        heading=f"Let {to or 'a standby in sync'} become active?",
        text="This server hands over: its clients find the other one by themselves, and nothing is lost. "
        "Your session here goes on; the other server asks for a login of its own.",
        button="Switch over",
        action="/cluster/switchover",
        back="/cluster",
        number=0,
        fields=[("to", to)],
    )


async def switchover(visit: Visit) -> Response:
    """Let a standby become active."""
    await visit.ask(switch_over, body=visit.form.given("to"))
    visit.say("success", "another server is active now")
    return visit.go("/cluster")


async def ask_promote(visit: Visit) -> Response:
    """Ask whether this server is to become active without asking any other."""
    return await visit.show(
        "confirm.html",
        heading="Make this server active, whatever it lacks?",
        text="A standby in sync takes over by itself. This is for when no other server will come back: "
        "what this one does not have is lost for good.",
        button="Promote",
        action="/cluster/promote",
        back="/cluster",
        number=0,
    )


async def promote(visit: Visit) -> Response:
    """Make this server active."""
    await visit.ask(promote_server, body={"force": True})
    visit.say("success", "this server is active now")
    return visit.go("/cluster")


PAGES: Final = (
    page("/cluster", show_servers),
    page("/cluster/switchover", ask_switchover, ADMIN),
    order("/cluster/switchover", switchover, ADMIN),
    page("/cluster/promote", ask_promote, ADMIN),
    order("/cluster/promote", promote, ADMIN),
)
