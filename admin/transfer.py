"""What leaves a server as a file and comes to another one: definitions as JSON, messages as JSON lines.

A message keeps everything that its sender said: kind, body, properties with their types, priority, persistence,
correlation id, reply-to, type, and when it expires and is due.  What the server gives is new: id, sending time, and how
often it was delivered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from rmimom.admin.failure import AWAY, Failure

FORMAT: Final = 1
"""The number of the form of both files; it changes when an older rmimom could not read them."""
_KEPT: Final = ("kind", "properties", "priority", "persistent", "correlation_id", "reply_to", "type")
_TOLD: Final = ("message_id", "timestamp", "expiration", "delivery_time", "dead_letter")
_DEFINED: Final = {
    "queues": ("name", "paused"),
    "topics": ("name",),
    "subscriptions": ("client_id", "name", "topic", "selector", "no_local", "shared"),
    "users": ("name", "role"),
}


class Definition(NamedTuple):
    """One thing to make: `kind` is queue, topic, subscription or user."""

    kind: str
    row: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """What it is called among its kind."""
        return str(self.row.get("client_id", "")), str(self.row["name"])


def definitions_file(found: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """The file of definitions: what is temporary or not durable goes with its connection, and has no place in it."""
    kept = {
        "queues": [row for row in found["queues"] if not row["temporary"]],
        "topics": [row for row in found["topics"] if not row["temporary"]],
        "subscriptions": [row for row in found["subscriptions"] if row["durable"]],
        "users": list(found["users"]),
    }
    return {
        "rmimom": "definitions",
        "format": FORMAT,
        **{name: [{key: row[key] for key in _DEFINED[name]} for row in rows] for name, rows in kept.items()},
    }


def read_definitions(text: str) -> list[Definition]:
    """The definitions in a file, in the order in which they can be made.  Raises Failure."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Failure(f"the file is no JSON: {error}", AWAY) from None
    _check_form(found, "definitions")
    made: list[Definition] = []
    for name, keys in _DEFINED.items():
        rows = found.get(name, [])
        if not isinstance(rows, list):
            raise Failure(f"{name!r} is no list in the file", AWAY)
        for row in rows:
            if not isinstance(row, dict) or not isinstance(row.get("name"), str):
                raise Failure(f"{name!r} holds an entry without a name", AWAY)
            if name == "subscriptions" and not isinstance(row.get("topic"), str):
                raise Failure(f"the subscription {row['name']!r} has no topic", AWAY)
            made.append(Definition(name[:-1], {key: row[key] for key in keys if key in row}))
    return made


def _check_form(found: object, what: str) -> None:
    if not isinstance(found, dict) or found.get("rmimom") != what:
        raise Failure(f'the file holds no {what} of rmimom: it should begin with {{"rmimom": "{what}"', AWAY)
    if found.get("format") != FORMAT:
        raise Failure(f"the file has the form {found.get('format')!r}; this rmimom reads {FORMAT}", AWAY)


def messages_header(queue: str) -> dict[str, Any]:
    """The first line of a file of messages."""
    return {"rmimom": "messages", "format": FORMAT, "queue": queue}


def message_line(detail: Mapping[str, Any]) -> dict[str, Any]:
    """One message as a line of the file, from its description with a whole body (base64 for bytes)."""
    message, body = detail["message"], detail["body"]
    if body.get("truncated"):
        raise Failure(f"message {message['id']} is too long to be exported: {body['size']:,} bytes of body")
    value = body.get("base64") if message["kind"] == "bytes" else body.get("text", body.get("json"))
    return {"body": value, **{key: message[key] for key in (*_KEPT, *_TOLD)}}


def read_messages(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbers (from 1) and contents of the lines with messages; the file's first line is checked.  Raises Failure."""
    for number, line in enumerate(lines):
        try:
            found = json.loads(line)
        except ValueError as error:
            raise Failure(f"line {number + 1} is no JSON: {error}", AWAY) from None
        if number == 0:
            _check_form(found, "messages")
        elif not isinstance(found, dict) or not {"kind", "body"} <= found.keys():
            raise Failure(f"line {number + 1} holds no message", AWAY)
        else:
            yield number, found


def order_of(line: Mapping[str, Any], now: int) -> dict[str, Any] | None:
    """What is asked of the server to send this message again; None if it has expired.  `now` in milliseconds."""
    expiration, due = int(line.get("expiration") or 0), int(line.get("delivery_time") or 0)
    if expiration and expiration <= now:
        return None
    order = {key: line[key] for key in ("body", *_KEPT) if key in line}
    if expiration:
        order["time_to_live"] = (expiration - now) / 1000
    if due > now:
        order["delay"] = (due - now) / 1000
    return order
