"""Users: who may connect, and who may do what here."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import write_segment
from rmimom.listeners.http.problems import bad_request
from rmimom.listeners.http.users import add_user, change_user, list_users, remove_user
from rmimom.roles import ADMIN, ROLES

_ROLES: Final = {"": "none: messaging alone", **{role: role for role in ROLES}}


async def show_users(visit: Visit) -> Response:
    """The users."""
    listing = Listing("/users", visit.query, "name")
    rows = await visit.read_list(list_users, listing)
    return await visit.show("users.html", rows=rows, listing=listing, roles=_ROLES)


async def make_user(visit: Visit) -> Response:
    """Add a user."""
    form = visit.form
    password = _password(visit)
    if not password:
        raise bad_request("a user needs a password")
    made = await visit.ask(
        add_user, body={"name": form.get("name").strip(), "password": password, "role": form.get("role")}
    )
    visit.say("success", f"the user {made.name} was added")
    return visit.go("/users")


async def change(visit: Visit) -> Response:
    """Change a user's role, or password, or both."""
    password = _password(visit)
    body = {"role": visit.form.get("role"), **({"password": password} if password else {})}
    changed = await visit.ask(change_user, body=body)
    words = "role and password" if password else "role"
    visit.say("success", f"{words} of {changed.name} changed" + ("; its sessions have ended" if password else ""))
    return visit.go_back("/users")


def _password(visit: Visit) -> str:
    """The password of the form, empty for none; raises Refusal unless it is there twice."""
    password = visit.form.get("password")
    if password != visit.form.get("again"):
        raise bad_request("the two passwords are not the same; nothing was changed")
    return password


async def ask_remove(visit: Visit) -> Response:
    """Ask whether a user is to be removed."""
    name = visit.path["name"]
    return await visit.show(
        "confirm.html",
        heading=f"Remove the user {name}?",
        text="Its connections cannot begin anew, and its sessions here end. Its durable subscriptions stay.",
        button="Remove",
        action=f"/users/{write_segment(name)}/delete",
        back="/users",
        number=1,
    )


async def remove(visit: Visit) -> Response:
    """Remove a user."""
    await visit.ask(remove_user)
    visit.say("success", f"the user {visit.path['name']} was removed")
    return visit.go("/users")


PAGES: Final = (
    page("/users", show_users, ADMIN),
    order("/users", make_user, ADMIN),
    order("/users/{name}", change, ADMIN),
    page("/users/{name}/delete", ask_remove, ADMIN),
    order("/users/{name}/delete", remove, ADMIN),
)
