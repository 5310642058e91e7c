"""Send: a new message, or a copy of one that was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from rmimom.destination import Topic, parse_destination
from rmimom.errors import InvalidDestinationError, JMSError
from rmimom.listeners.http.console.form import Form
from rmimom.listeners.http.console.properties import SPARE, TYPES, Property, read_properties, rows_of, typed
from rmimom.listeners.http.console.visit import Visit, order, page
from rmimom.listeners.http.console.words import count, write_segment
from rmimom.listeners.http.message import MessageDetail
from rmimom.listeners.http.messages import resend_message, send_to_queue, send_to_topic, show_message
from rmimom.listeners.http.problems import Refusal, bad_request, status_of
from rmimom.roles import OPERATOR
from rmimom.wishes import SCHEDULED

MOST_FORM: Final = 8 * 1024 * 1024
"""Bytes of the form; larger messages are sent through the interface."""
MOST_EDITED: Final = 256 * 1024
"""Bytes of a body that can be edited in a page; a larger one goes along as it is."""
KINDS: Final = ("text", "none", "bytes", "map", "stream", "object")
_USUAL: Final = {
    "kind": "text",
    "encoding": "hex",
    "body": "",
    "priority": "4",
    "persistent": "yes",
    "time_to_live": "0",
    "delay": "0",
    "count": "1",
    "correlation_id": "",
    "reply_to": "",
    "type": "",
    "schedule_delay": "",
    "schedule_period": "",
    "schedule_repeat": "",
    "schedule_cron": "",
    "to": "",
}
_SCHEDULE: Final = {"schedule_delay": "DELAY", "schedule_period": "PERIOD", "schedule_repeat": "REPEAT"}

_NUMBERS: Final = {"priority": int, "count": int, "time_to_live": float, "delay": float}


async def show_send(visit: Visit) -> Response:
    """The form for a new message."""
    return await _show(visit, {**_USUAL, "to": visit.query.get("to", "")}, [])


async def send(visit: Visit) -> Response:
    """Send a new message."""
    form = visit.form
    try:
        destination = _read_destination(form.get("to"))
        operation = send_to_topic if isinstance(destination, Topic) else send_to_queue
        sent = await visit.ask(operation, body=_read_message(form), path={"name": destination.name})
    except (Refusal, JMSError) as error:
        return await _show_again(visit, error)
    visit.say("success", f"{count(sent.count, 'message')} sent to {destination}")
    return visit.go(_place(str(destination)))


async def show_edit(visit: Visit) -> Response:
    """The form for a copy of a message."""
    detail = await visit.ask(show_message, {"bytes": MOST_EDITED})
    message = detail.message
    to = message.dead_letter.original_destination if message.dead_letter else f"queue://{visit.path['name']}"
    body = _editable(detail)
    values = {
        **_USUAL,
        "to": to,
        "kind": message.kind,
        "body": body or "",
        "priority": str(message.priority),
        "persistent": "yes" if message.persistent else "",
        "correlation_id": message.correlation_id or "",
        "reply_to": message.reply_to or "",
        "type": message.type or "",
        "line_ends": "crlf" if body is not None and "\r\n" in body else "",
        "keep_body": "" if body is not None else "yes",
    }
    return await _show(visit, values, typed(message.properties), original=visit.path["id"])


def _editable(detail: MessageDetail) -> str | None:
    """The body as a form can hold it, None for one that would not come back as it went."""
    body = detail.body
    if body.truncated:
        return None
    if body.form == "json":
        return msgspec.json.format(msgspec.json.encode(body.json), indent=2).decode()
    if detail.message.kind == "bytes":
        return body.hex
    if body.text is None:
        return "" if detail.message.kind == "none" else None
    text = body.text
    # Browsers send every line's end as CR and LF, and have no control characters.
    plain = text.replace("\r\n", "\n") if text.count("\n") == text.count("\r\n") else text
    if any(ord(char) < 32 and char not in "\n\t" for char in plain):
        return None
    return text


async def send_edited(visit: Visit) -> Response:
    """Send a copy of a message, changed."""
    form = visit.form
    try:
        destination = _read_destination(form.get("to"))
        message = _read_message(form)
        if form.get("keep_body"):
            del message["body"], message["kind"], message["encoding"]
        sent = await visit.ask(resend_message, body={"to": str(destination), "message": message})
    except (Refusal, JMSError) as error:
        return await _show_again(visit, error, original=visit.path["id"])
    visit.say("success", f"{count(sent.count, 'copy', 'copies')} sent to {destination}; the message itself stays here")
    return visit.go(f"/queues/{write_segment(visit.path['name'])}/messages")


def _read_destination(text: str) -> Any:
    text = text.strip()
    try:
        return parse_destination(text if "://" in text else f"queue://{text}")
    except InvalidDestinationError as error:
        raise bad_request(error.text) from None


def _read_message(form: Form) -> dict[str, Any]:
    """What the form says of the message, as the interface takes it.  Raises Refusal."""
    properties = read_properties(rows_of(form))
    for field, name in _SCHEDULE.items():
        if form.get(field).strip():
            properties[SCHEDULED + name] = _read_number(form, field, int)
    if cron := form.get("schedule_cron").strip():
        properties[SCHEDULED + "CRON"] = cron
    kind = form.get("kind")
    if kind not in KINDS:
        raise bad_request(f"a message is of one kind of {', '.join(KINDS)}, not {kind[:100]!r}")
    return {
        "kind": kind,
        "encoding": form.get("encoding", "hex"),
        "body": _read_body(kind, form),
        "properties": properties,
        "persistent": bool(form.get("persistent")),
        # A number that was left empty is as usual; a text that was left empty is none.
        **{name: _read_number(form, name, make) for name, make in _NUMBERS.items() if form.get(name).strip()},
        **{name: form.get(name) or None for name in ("correlation_id", "reply_to", "type")},
    }


def _read_body(kind: str, form: Form) -> Any:
    text = form.get("body")
    if form.get("line_ends") != "crlf":
        text = text.replace("\r\n", "\n")
    if kind == "none":
        return None
    if kind in {"text", "bytes"}:
        return text
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise bad_request(f"the body of a {kind} message is written as JSON here, and this is none: {error}") from None


def _read_number(form: Form, field: str, make: type[int] | type[float]) -> float:
    text = form.get(field).strip()
    try:
        return make(text)
    except ValueError:
        kind = "whole number" if make is int else "number"
        raise bad_request(f"{field.replace('_', ' ')} is a {kind}, not {text[:100]!r}") from None


def _place(destination: str) -> str:
    kind, _, name = destination.partition("://")
    return f"/{kind}s/{write_segment(name)}"


async def _show_again(visit: Visit, error: Refusal | JMSError, original: str = "") -> Response:
    """The form as it was sent, with what is wrong."""
    values = {name: visit.form.get(name) for name in (*_USUAL, "line_ends", "keep_body")}
    status, text = (error.status, error.error.text) if isinstance(error, Refusal) else (status_of(error), error.text)
    return await _show(visit, values, rows_of(visit.form), original=original, complaint=text, status=status)


async def _show(
    visit: Visit,
    values: Mapping[str, str],
    properties: list[Property],
    *,
    original: str = "",
    complaint: str = "",
    status: int = 200,
) -> Response:
    queue = f"/queues/{write_segment(visit.path['name'])}" if original else ""
    return await visit.show(
        "send.html",
        status,
        values={"line_ends": "", "keep_body": "", **values},
        properties=[*properties, *[Property("", "string", "")] * SPARE],
        types=TYPES,
        kinds=KINDS,
        complaint=complaint,
        original=original,
        action=f"{queue}/messages/{original}/edit" if original else "/send",
        back=f"{queue}/messages/{original}" if original else "",
    )


PAGES: Final = (
    page("/send", show_send, OPERATOR),
    order("/send", send, most=MOST_FORM),
    page("/queues/{name}/messages/{id}/edit", show_edit, OPERATOR),
    order("/queues/{name}/messages/{id}/edit", send_edited, most=MOST_FORM),
)
