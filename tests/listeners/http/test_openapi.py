"""The description against the routes, and both against anything that a client may send."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from starlette.routing import Route
from support.http import ADMIN, API, Room, in_room

from rmimom.listeners.http.app import OPERATIONS, Api
from rmimom.listeners.http.openapi import describe
from rmimom.listeners.http.operation import Binary, Operation, Stream
from rmimom.listeners.http.problems import MEDIA_TYPE, Problem

ROOT = Path(__file__).resolve().parents[3]
DESCRIPTION = describe(OPERATIONS)
SCHEMAS = DESCRIPTION["components"]["schemas"]
UNDESCRIBED = {"/healthz", "/readyz", "/metrics", f"{API}/openapi.json", f"{API}/events"}
NAMES = ["q", "DLQ.q", "a/b", "ä ö", "x" * 300, "", "*", "rmimom.x", "<b>", "\n", "t", "..", "'\"", "\u202e", "q%2Fx"]


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    async def conversation(room: Room) -> None:
        api = Api(room.view, room.gate, room.sampler)
        routes = {
            (route.path.replace(":segment", ""), method)
            for route in api.routes()
            if isinstance(route, Route) and route.path not in UNDESCRIBED
            for method in (route.methods or set()) - {"HEAD"}
        }
        described = {(path, method.upper()) for path, item in DESCRIPTION["paths"].items() for method in item}
        assert routes == described
        assert await room.get("/openapi.json", who=None) == msgspec.json.decode(msgspec.json.encode(DESCRIPTION))

    in_room(conversation)


def test_every_reference_leads_somewhere_and_every_operation_is_explained() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [one for inner in value.values() for one in references(inner)]
        return [one for inner in value for one in references(inner)] if isinstance(value, list) else []

    assert {one.rpartition("/")[2] for one in references(DESCRIPTION)} == set(SCHEMAS)
    names = [one["operationId"] for item in DESCRIPTION["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))
    assert all(one["summary"] for item in DESCRIPTION["paths"].values() for one in item.values())


def test_the_page_for_users_lists_every_operation() -> None:
    """docs/http-api.md has a row for each operation, with its role and what it does."""
    page = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(?:GET|POST|PUT|DELETE) /.*$", page, re.MULTILINE)
    wanted = []
    for operation in OPERATIONS:
        text = " ".join((operation.handler.__doc__ or "").strip().split("\n\n")[0].split())
        role = {None: "", "": "any"}.get(operation.role, operation.role)
        wanted.append(f"| `{operation.method} {operation.path}` | {role} | {text} |")
    assert rows == wanted


class Anything:
    """Values that a schema allows, and now and then others."""

    def __init__(self, seed: int, strange: float) -> None:
        self.dice = random.Random(seed)
        self.strange = strange

    def of(self, schema: dict[str, Any], depth: int = 0) -> Any:
        dice = self.dice
        if "$ref" in schema:
            schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
        if dice.random() < self.strange:
            return dice.choice([None, -1, 10**30, 1.5, "x", "", "\x00", [], {}, True, {"short": 3}, "9" * 400])
        if "enum" in schema:
            return dice.choice(schema["enum"])
        if "anyOf" in schema:
            return self.of(dice.choice(schema["anyOf"]), depth)
        kind = schema.get("type")
        if kind == "object":
            needed = schema.get("required", [])
            return {
                name: self.of(inner, depth + 1)
                for name, inner in schema.get("properties", {}).items()
                if name in needed or dice.random() < 0.6
            }
        if kind == "array":
            return [self.of(schema.get("items", {}), depth + 1) for _ in range(dice.randint(0, 4))]
        if kind == "integer":
            least = schema.get("minimum", 0)
            return dice.randint(least, min(schema.get("maximum", least + 20), least + 20))
        if kind == "number":
            return dice.choice([0, 0.5, 3600])
        if kind == "boolean":
            return dice.random() < 0.5
        if kind == "null":
            return None
        if kind == "string":
            return dice.choice([*NAMES, "queue://q", "queue://other", "topic://t", "x = 1", "4-2", "secret"])
        return dice.choice([None, "text", 5, [1, "a"], {"a": 1}, {"a": {"b": [1]}}, 1.5, "\u00e9"])


def check_answer(operation: Operation, response: httpx.Response) -> None:
    """The answer is one that the description promises."""
    described = DESCRIPTION["paths"][API + operation.path][operation.method.lower()]["responses"]
    status = str(response.status_code)
    assert response.status_code < 500 or response.status_code == 503, response.text
    kind = response.headers.get("content-type", "").partition(";")[0]
    promised = described.get(status, described["default"])
    if "content" not in promised:
        assert response.content == b""
        return
    assert kind in promised["content"], (status, kind)
    if kind == MEDIA_TYPE:
        problem = msgspec.json.decode(response.content, type=Problem)
        assert problem.status == response.status_code
    elif operation.answer is not Binary:
        assert response.status_code == operation.success
        found = msgspec.json.decode(response.content, type=operation.answer)
        # Nothing is told that is not described.
        assert msgspec.json.decode(msgspec.json.encode(found)) == response.json()


@pytest.mark.parametrize("seed", range(8))
def test_answers_keep_the_description_whatever_is_asked(seed: int) -> None:
    """Given any parameters and bodies, when they are sent, then the answer is as described, and no mistake of ours."""
    dice = random.Random(seed)
    anything = Anything(seed, strange=0.1 if seed % 2 else 0.0)

    async def conversation(room: Room) -> None:
        for _ in range(250):
            operation = dice.choice(OPERATIONS)
            if operation.tag in {"login", "users"} or operation.answer is Stream:
                continue  # they would change who asks, or have no end
            path = operation.path.replace("{name}", quote(dice.choice(NAMES[:3]) if seed < 6 else "t", safe=""))
            path = path.replace("{id}", str(dice.randint(0, 30)))
            described = DESCRIPTION["paths"][API + operation.path][operation.method.lower()]
            query = {
                one["name"]: str(anything.of(one["schema"])).lower()
                for one in described["parameters"]
                if one["in"] == "query" and dice.random() < 0.3
            }
            body = None
            if operation.body is not None:
                body = anything.of(described["requestBody"]["content"]["application/json"]["schema"])
            response = await room.client.request(
                operation.method, API + path, params=query, json=body if operation.body else None, auth=ADMIN
            )
            check_answer(operation, response)

    in_room(conversation)


FINITE = [operation for operation in OPERATIONS if operation.answer is not Stream]


@pytest.mark.parametrize("operation", FINITE, ids=lambda operation: operation.name)
def test_each_operation_keeps_its_description(operation: Operation) -> None:
    """Given a server with something of everything, when each is asked for as it should be, then it answers so."""

    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "q"})
        await room.post("/queues/q/messages", {"body": "a", "properties": {"n": {"short": 1}}, "count": 3})
        await room.post("/topics", {"name": "t"})
        made = await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        anything = Anything(1, strange=0.0)
        described = DESCRIPTION["paths"][API + operation.path][operation.method.lower()]
        number = made["id"] if "subscriptions" in operation.path else 3
        name = {"topics": "t", "users": "vic"}.get(operation.tag, "t" if "topics" in operation.path else "q")
        path = operation.path.replace("{name}", name).replace("{id}", str(number))
        body = None
        if operation.body is not None:
            body = BODIES.get(operation.name)
            if body is None:
                body = anything.of(described["requestBody"]["content"]["application/json"]["schema"])
        response = await room.client.request(operation.method, API + path, json=body, auth=ADMIN)
        check_answer(operation, response)
        if operation.path != "/connections/{id}":
            assert response.is_success, response.text

    in_room(conversation)


BODIES: dict[str, Any] = {
    "switch_over": {"to": "s2"},
    "promote_server": {"force": True},
    "login": {"user": "vic", "password": "secret"},
    "add_user": {"name": "new", "password": "x"},
    "change_user": {"role": "admin"},
    "create_queue": {"name": "new"},
    "create_topic": {"name": "new"},
    "create_subscription": {"topic": "t", "client_id": "bob", "name": "s"},
    "send_to_queue": {"body": {"a": 1}},
    "send_to_topic": {"body": None},
    "resend_message": {"message": {"priority": 9}},
    "remove_messages": {"all": True},
    "move_messages": {"all": True, "to": "queue://other"},
    "copy_messages": {"all": True, "to": "topic://t"},
    "bury_messages": {"all": True, "reason": "broken"},
    "retry_messages": {"all": True},
    "receive_messages": {},
    "remove_delayed": {"destination": "queue://q", "ids": [1]},
    "deliver_delayed": {"destination": "queue://q", "ids": [1]},
    "cancel_scheduled": {"ids": []},
    "deliver_scheduled": {"ids": []},
}
