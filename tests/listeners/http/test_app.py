"""Who is let in, what is understood, and how it is answered when something is wrong."""

from __future__ import annotations

import base64

import pytest
from support.http import ADMIN, API, NOBODY, OPERATOR, VIEWER, Room, in_room

from rmimom.listeners.http.app import OPERATIONS
from rmimom.listeners.http.operation import Operation
from rmimom.roles import may_act_as

BY_ROLE = {"admin": ADMIN, "operator": OPERATOR, "viewer": VIEWER, "": NOBODY}


def path_of(operation: Operation) -> str:
    """A path of the operation, with names of nothing that is there."""
    return operation.path.replace("{name}", "nothing").replace("{id}", "99")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_asks_for_a_login_and_its_role(operation: Operation) -> None:
    """Given somebody of each role, when the operation is asked for, then only its role and greater ones may."""

    async def conversation(room: Room) -> None:
        for role, who in BY_ROLE.items():
            response = await room.client.request(operation.method, API + path_of(operation), auth=who)
            allowed = operation.role is None or may_act_as(role, operation.role)
            assert (response.status_code == 403) == (not allowed), (role, response.text)
        response = await room.client.request(operation.method, API + path_of(operation))
        assert (response.status_code == 401) == (operation.role is not None)

    in_room(conversation)


def test_what_a_viewer_may_do_changes_nothing() -> None:
    """The table of operations: whatever is no reading asks for more than a viewer, but for the login itself."""
    for operation in OPERATIONS:
        if operation.method != "GET" and operation.tag != "login":
            assert operation.role in {"operator", "admin"}, operation.name


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff:x").decode(),
        "Basic " + base64.b64encode(b"admin").decode(),
        "Basic " + base64.b64encode(b"admin:wrong").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Bearer",
        "Bearer nothing",
        "Bearer " + "x" * 10_000,
        "Digest x",
        "\xe9",
    ],
)
def test_a_strange_login_is_refused(header: str) -> None:
    async def conversation(room: Room) -> None:
        response = await room.client.get(f"{API}/status", headers={"Authorization": header.encode("latin-1")})
        assert response.status_code == 401
        assert response.json()["code"] == "security"
        assert "WWW-Authenticate" in response.headers

    in_room(conversation)


def test_every_error_is_a_problem_document() -> None:
    """RFC 9457: type, title, status and detail, as application/problem+json."""

    async def conversation(room: Room) -> None:
        for method, path, status in [
            ("GET", "/nothing", 404),
            ("GET", "/queues/nothing", 404),
            ("PUT", "/queues", 405),
            ("POST", "/queues", 415),
            ("GET", "/queues?limit=x", 400),
            ("GET", "/queues/%ff", 400),
        ]:
            response = await room.client.request(method, API + path, auth=ADMIN)
            assert response.status_code == status, path
            assert response.headers["content-type"] == "application/problem+json"
            problem = response.json()
            assert problem["status"] == status
            assert problem["type"] == f"urn:rmimom:problem:{problem['code']}"
            assert problem["title"]
            assert problem["detail"]

    in_room(conversation)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1000", 200),
        ("limit=1001", 400),
        ("limit=1000000000", 400),
        ("limit=0", 400),
        ("limit=-1", 400),
        ("limit=", 400),
        ("offset=1000000000", 200),
        (f"offset={10**30}", 400),
        ("offset=-1", 400),
        ("sort=pending&order=desc", 200),
        ("sort=nothing", 400),
        ("order=up", 400),
        ("unknown=1", 400),
        ("limit=1&limit=2", 400),
        ("filter=" + "x" * 1001, 400),
        ("filter=%ff", 200),
    ],
)
def test_pages_and_limits_of_lists(query: str, status: int) -> None:
    async def conversation(room: Room) -> None:
        for path in ("/queues", "/topics"):
            found = await room.get(f"{path}?{query}", expect=status)
            if status == 200:
                assert found["items"] == []
                assert found["total"] == 0

    in_room(conversation)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"\xff", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b"", {"Content-Type": "application/json"}, 400),
        (b'{"name": 5}', {"Content-Type": "application/json"}, 400),
        (b'{"name": "q", "more": 1}', {"Content-Type": "application/json"}, 400),
        (b'{"name": "q"}', {"Content-Type": "text/plain"}, 415),
        (b'{"name": "q"}', {}, 415),
        (b'{"name": "q"}', {"Content-Type": "application/json; charset=utf-8"}, 201),
        (b'{"name": "q"}', {"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
        (b'{"name": "q"}', {"Content-Type": "application/json", "Origin": "http://rmimom"}, 201),
        (b'{"name": "q"}', {"Content-Type": "application/json", "Origin": "null"}, 403),
        (b'{"name": "' + b"x" * 1024 * 1024 + b'"}', {"Content-Type": "application/json"}, 413),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
    ],
)
def test_bodies(content: bytes, headers: dict[str, str], status: int) -> None:
    async def conversation(room: Room) -> None:
        response = await room.client.post(f"{API}/queues", content=content, headers=headers, auth=ADMIN)
        assert response.status_code == status, response.text

    in_room(conversation)


def test_a_server_that_is_not_active_answers_read_only_and_names_the_active() -> None:
    async def conversation(room: Room) -> None:
        room.view.is_active = False
        room.view.active = "other.example:61611"
        for path in ("/status", "/cluster", "/resources", "/warnings", "/history", "/me"):
            await room.get(path, expect=200)
        assert (await room.get("/status"))["role"] == "standby"
        for method, path in (
            ("GET", "/queues"),
            ("GET", "/users"),
            ("GET", "/queues/q/messages"),
            ("DELETE", "/queues/q"),
            ("POST", "/queues/q/purge"),
        ):
            problem = await room.ask(method, path, expect=503)
            assert problem["facts"] == {"active": "other.example:61611", "active_http": "http://here:8161"}
            assert "the active one is other.example:61611" in problem["detail"]
            assert problem["retryable"]
        assert (await room.client.get("/healthz")).status_code == 200
        assert (await room.client.get("/readyz")).status_code == 503
        metrics = await room.client.get("/metrics", auth=VIEWER)
        assert "\nrmimom_active 0\n" in metrics.text

    in_room(conversation)


def test_health_tells_strangers_nothing_and_metrics_need_a_login() -> None:
    async def conversation(room: Room) -> None:
        assert (await room.client.get("/healthz")).json() == {"status": "ok"}
        assert (await room.client.get("/readyz")).json() == {"status": "ready", "role": "active"}
        assert (await room.client.get("/metrics")).status_code == 401
        assert (await room.client.get("/metrics", auth=NOBODY)).status_code == 403
        assert (await room.client.get(f"{API}/events")).status_code == 401
        response = await room.client.head(f"{API}/queues", auth=VIEWER)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"

    in_room(conversation)


def test_a_mistake_of_ours_tells_no_secrets(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(room: Room) -> None:
        monkeypatch.setattr(room.view, "facts", lambda: 1 // 0)
        problem = await room.get("/status", expect=500)
        assert "division" not in str(problem)
        assert "ZeroDivisionError" in caplog.text

    in_room(conversation)
