"""The client of the HTTP interface: what it sends, whom it asks next, and what it never sends twice."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.commands import free_port

from rmimom.admin.client import Client, Login, segment
from rmimom.admin.failure import AWAY, REFUSED, Failure

Answer = tuple[int, bytes]
LOGIN = Login("olga", "geheim ü")


class Stub:
    """A server that answers as it is told, and remembers what it was asked."""

    def __init__(self, answer: Callable[[str, str], Answer | None]) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.logins: list[str] = []
        self.connections = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                stub.connections += 1
                super().setup()

            def do_GET(self) -> None:  # the standard library's name
                length = int(self.headers.get("Content-Length", 0))
                stub.asked.append((self.command, self.path, self.rfile.read(length)))
                stub.logins.append(self.headers.get("Authorization", ""))
                found = answer(self.command, self.path)
                if found is None:
                    self.close_connection = True
                    return
                status, data = found
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # likewise

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def stub(answer: Callable[[str, str], Answer | None]) -> Iterator[Stub]:
    """A running stub."""
    made = Stub(answer)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def fine(method: str, path: str) -> Answer:
    """Everything is well."""
    del method, path
    return 200, b'{"ok": true}'


def standby_of(active: str | None) -> Callable[[str, str], Answer]:
    """A server that is not active."""

    def answer(method: str, path: str) -> Answer:
        del method, path
        facts = {"active": "x:1", "active_http": active}
        problem = {"detail": "not the active one", "code": "connection-failed", "facts": facts}
        return 503, json.dumps(problem).encode()

    return answer


def nobody() -> str:
    """A URL where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_requests_carry_login_and_body_over_one_connection() -> None:
    with stub(fine) as server, Client((server.url,), LOGIN) as client:
        assert client.get("/queues", filter="a b&c", limit=5, sort="", temporary=False) == {"ok": True}
        assert client.post("/queues/q/purge") == {"ok": True}
        assert client.put("/users/x", {"role": "ä"}) == {"ok": True}
        assert [asked[:2] for asked in server.asked] == [
            ("GET", "/api/v1/queues?filter=a+b%26c&limit=5"),
            ("POST", "/api/v1/queues/q/purge"),
            ("PUT", "/api/v1/users/x"),
        ]
        assert json.loads(server.asked[2][2]) == {"role": "ä"}
        assert {base64.b64decode(login[6:]).decode() for login in server.logins} == {"olga:geheim ü"}
        assert server.connections == 1


def test_the_first_that_answers_is_asked_and_stays_the_one() -> None:
    with stub(fine) as server, Client((nobody(), server.url), LOGIN) as client:
        client.post("/queues", {"name": "q"})
        client.get("/status")
        assert client.url == server.url
        assert len(server.asked) == 2


def test_an_order_goes_on_to_the_active_server_that_is_named() -> None:
    with (
        stub(fine) as active,
        stub(standby_of(active.url)) as standby,
        Client((standby.url, nobody()), LOGIN) as client,
    ):
        assert client.post("/queues", {"name": "q"}) == {"ok": True}
        assert (len(standby.asked), len(active.asked)) == (1, 1)
        client.get("/queues")
        assert (len(standby.asked), len(active.asked)) == (1, 2)


def test_without_a_name_the_next_url_is_asked() -> None:
    with stub(fine) as other, stub(standby_of(None)) as standby, Client((standby.url, other.url), LOGIN) as client:
        assert client.get("/queues") == {"ok": True}
        assert len(other.asked) == 1


@pytest.mark.parametrize("follow", [False, True])
def test_nothing_is_followed_round_in_circles_or_against_our_will(*, follow: bool) -> None:
    with stub(standby_of("nonsense://x")) as odd, Client((odd.url,), LOGIN, follow=follow) as client:
        with pytest.raises(Failure, match="not the active one") as failed:
            client.get("/queues")
        assert failed.value.exit_code == AWAY
        assert len(odd.asked) == 1
    named: list[str] = []

    def itself(method: str, path: str) -> Answer:
        return standby_of(named[0])(method, path)

    with stub(itself) as circle:
        named.append(circle.url)
        with Client((circle.url,), LOGIN, follow=follow) as client, pytest.raises(Failure):
            client.get("/queues")
        assert len(circle.asked) == 1
    with stub(fine) as active, stub(standby_of(active.url)) as standby:
        with Client((standby.url,), LOGIN, follow=False) as client, pytest.raises(Failure):
            client.get("/queues")
        assert active.asked == []


def test_an_order_whose_answer_is_lost_is_not_sent_again() -> None:
    with (
        stub(fine) as other,
        stub(lambda method, path: None) as silent,
        Client((silent.url, other.url), LOGIN) as client,
    ):
        with pytest.raises(Failure, match="whether the order was carried out is not known") as failed:
            client.post("/queues/q/purge")
        assert failed.value.exit_code == AWAY
        assert (len(silent.asked), other.asked) == (1, [])


def test_a_reading_over_a_connection_that_rested_too_long_is_made_again() -> None:
    answers = [fine("", ""), None, fine("", "")]
    with stub(lambda method, path: answers.pop(0)) as server, Client((server.url,), LOGIN) as client:
        client.get("/status")
        assert client.get("/status") == {"ok": True}
        assert server.connections == 2


def test_refusals_keep_their_code_and_their_exit_code() -> None:
    problem = json.dumps({"detail": "two\nlines \x1b[31m", "code": "illegal-state", "facts": {"a": 1}}).encode()
    with stub(lambda method, path: (409, problem)) as server, Client((server.url,), LOGIN) as client:
        with pytest.raises(Failure) as failed:
            client.delete("/queues/q")
        assert (failed.value.exit_code, failed.value.code, failed.value.facts) == (REFUSED, "illegal-state", {"a": 1})
        assert failed.value.format_message() == "two lines \\x1b[31m [illegal-state]"


@pytest.mark.parametrize("answer", [(404, b"<html>"), (200, b"<html>"), (500, b'{"no": "problem"}'), (502, b"")])
def test_what_is_no_server_of_ours_is_said(answer: Answer) -> None:
    with stub(lambda method, path: answer) as server, Client((server.url,), LOGIN) as client:
        with pytest.raises(Failure, match="no HTTP interface of rmimom") as failed:
            client.get("/status")
        assert failed.value.exit_code == AWAY


def test_lists_are_read_to_their_end() -> None:
    rows = [{"n": number} for number in range(2500)]

    def answer(method: str, path: str) -> Answer:
        del method
        query = dict(pair.split("=") for pair in path.partition("?")[2].split("&"))
        first, limit = int(query.get("offset", 0)), int(query["limit"])
        return 200, json.dumps({"total": len(rows), "items": rows[first : first + limit]}).encode()

    with stub(answer) as server, Client((server.url,), LOGIN) as client:
        assert list(client.items("/queues")) == rows
        assert len(server.asked) == 3
        assert list(client.items("/queues", most=1200)) == rows[:1200]
        assert list(client.items("/queues", most=3)) == rows[:3]


def test_names_in_paths() -> None:
    assert segment("a/b c?d#e%2F") == "a%2Fb%20c%3Fd%23e%252F"
    assert [segment("."), segment("..")] == ["%2E", "%2E%2E"]
    for wrong in ("", "\ud800"):
        with pytest.raises(Failure) as failed:
            segment(wrong)
        assert failed.value.exit_code == AWAY


def test_a_password_is_not_in_what_is_printed_of_a_login() -> None:
    assert "geheim" not in repr(LOGIN)
