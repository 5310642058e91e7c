"""Logging in and out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rmimom.listeners.http.app import address_of
from rmimom.listeners.http.console.visit import Visit, order, safe_path
from rmimom.listeners.http.cookie import hand_out, take_back
from rmimom.listeners.http.problems import Refusal
from rmimom.roles import NONE, VIEWER, may_act_as

MOST_BYTES: Final = 64 * 1024
"""Of the form."""


async def show_login(visit: Visit) -> Response:
    """The login; who is in already goes on."""
    place = safe_path(visit.query.get("next", ""))
    if visit.may(VIEWER):
        return visit.go(place)
    return await visit.show("login.html", place=place, user="", complaint="")


async def log_in(visit: Visit) -> Response:
    """Begin a session and go on to where the person was."""
    place, user = safe_path(visit.form.get("next")), visit.form.get("user")
    gate = visit.console.api.gate
    try:
        identity, token, _ = await gate.login(user, visit.form.get("password"), address_of(visit.request))
    except Refusal as error:
        status, text = error.status, error.error.text
        return await visit.show("login.html", status, error.headers, place=place, user=user, complaint=text)
    if not may_act_as(identity.acts_as, VIEWER):
        gate.sessions.close(token)
        text = f"{user} has no role in the administration; an administrator can give one"
        return await visit.show("login.html", HTTPStatus.FORBIDDEN, None, place=place, user=user, complaint=text)
    gate.sessions.close(visit.caller.token)
    response = visit.go(place)
    hand_out(visit.request, response, token)
    return response


async def log_out(visit: Visit) -> Response:
    """End the session."""
    visit.console.api.gate.sessions.close(visit.caller.token)
    response = visit.go("/login")
    take_back(visit.request, response)
    return response


PAGES: Final = (order("/logout", log_out, NONE),)
