"""The messages of a queue: browse and search them, and look at one."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from rmimom.errors import InvalidSelectorError
from rmimom.listeners.http.console.listing import LIMITS, USUAL, read_number
from rmimom.listeners.http.console.pretty import present
from rmimom.listeners.http.console.visit import HEADERS, Visit, page
from rmimom.listeners.http.console.words import write_segment
from rmimom.listeners.http.destinations import show_queue
from rmimom.listeners.http.messages import MessagePage, download_body, list_messages, show_message

SHOWN: Final = 64 * 1024
"""Bytes of a body that a page shows at first."""
MOST_SHOWN: Final = 1024 * 1024
"""Bytes of a body that a page shows when asked for more; the whole can be saved."""
_FORMS: Final = {"pretty": "auto", "text": "text", "hex": "hex"}


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong with a selector; `pointer` shows the place below it, or is empty."""

    text: str
    pointer: str


async def show_messages(visit: Visit) -> Response:
    """What waits in a queue, from a place on, or what of it was searched for."""
    found = await visit.ask(show_queue)
    sent = visit.query
    limit = read_number(sent.get("limit", ""), USUAL, LIMITS[-1])
    selector, text = sent.get("selector", ""), sent.get("text", "")
    listed = MessagePage([], None, 0)
    complaint: Complaint | None = None
    try:
        listed = await visit.ask(
            list_messages, {"cursor": _cursor(visit), "limit": limit, "selector": selector, "text": text}
        )
    except InvalidSelectorError as error:
        complaint = complaint_of(error, selector)
    base = f"/queues/{write_segment(visit.path['name'])}"
    wanted = {name: value for name, value in (("selector", selector), ("text", text)) if value}
    if limit != USUAL:
        wanted["limit"] = str(limit)
    return await visit.show(
        "messages.html",
        HTTPStatus.OK if complaint is None else HTTPStatus.BAD_REQUEST,
        row=found.statistics,
        base=base,
        items=listed.items,
        examined=listed.examined,
        dead=any(item.dead_letter is not None for item in listed.items),
        searched=bool(selector or text),
        selector=selector,
        text=text,
        limit=limit,
        priority=sent.get("priority", "4"),
        after=sent.get("after", ""),
        first=_url(base, wanted),
        following=_url(base, {**wanted, "cursor": listed.next}) if listed.next else "",
        at_start=not _cursor(visit),
        complaint=complaint,
    )


def _cursor(visit: Visit) -> str:
    """Where the page begins: as the page before said, or as a person did by priority and number."""
    sent = visit.query
    if sent.get("cursor"):
        return sent["cursor"]
    return f"{sent.get('priority') or '4'}-{sent['after'].strip()}" if sent.get("after") else ""


def _url(base: str, parameters: dict[str, str]) -> str:
    return f"{base}/messages?{urlencode(parameters)}" if parameters else f"{base}/messages"


def complaint_of(error: InvalidSelectorError, selector: str) -> Complaint:
    """What is wrong with a selector, with the place where."""
    column = error.facts.get("column")
    if not isinstance(column, int) or "\n" in selector or not 0 < column <= len(selector) + 1:
        return Complaint(error.text, "")
    return Complaint(error.text, " " * (column - 1) + "^")


async def show_one_message(visit: Visit) -> Response:
    """One message: headers, properties, body."""
    form = visit.query.get("body") or "pretty"
    most = read_number(visit.query.get("bytes", ""), SHOWN, MOST_SHOWN)
    detail = await visit.ask(show_message, {"body": _FORMS.get(form, form), "bytes": most})
    # Large texts take a moment, which others need not wait for.
    shown = await asyncio.to_thread(present, detail.body, pretty=form == "pretty")
    queue = f"/queues/{write_segment(visit.path['name'])}"
    return await visit.show(
        "message.html",
        detail=detail,
        message=detail.message,
        body=detail.body,
        shown=shown,
        form=form,
        forms=list(_FORMS),
        more=MOST_SHOWN if detail.body.truncated and most < MOST_SHOWN else 0,
        queue=visit.path["name"],
        queue_base=queue,
        base=f"{queue}/messages/{detail.message.id}",
    )


async def save_body(visit: Visit) -> Response:
    """The body as a file."""
    found = await visit.ask(download_body)
    disposition = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return Response(found.data, headers={**HEADERS, **disposition}, media_type=found.media_type)


PAGES: Final = (
    page("/queues/{name}/messages", show_messages),
    page("/queues/{name}/messages/{id}", show_one_message),
    page("/queues/{name}/messages/{id}/body", save_body),
)
