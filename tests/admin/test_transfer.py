"""What is exported comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.admin import Desk, desk
from support.http import ADMIN

from rmimom.admin.client import Client, Login
from rmimom.admin.failure import Failure
from rmimom.admin.transfer import message_line, order_of, read_definitions, read_messages

KEPT = ("kind", "properties", "priority", "persistent", "correlation_id", "reply_to", "type", "preview", "size")
MESSAGES: list[dict[str, Any]] = [
    {"body": "three apples"},
    {"body": "", "kind": "text"},
    {"body": None, "kind": "text"},
    {"body": None, "kind": "none"},
    {"body": "Grüße, 你好\n\u0007", "correlation_id": "c-1", "reply_to": "queue://answers", "type": "report"},
    {"body": "AAEC/w==", "kind": "bytes"},
    {"body": "", "kind": "bytes"},
    {"body": {"n": {"short": 3}, "x": {"double": "nan"}, "raw": {"bytes": "AAE="}, "c": {"char": "z"}}, "kind": "map"},
    {"body": [1, {"byte": -1}, "two", None, True], "kind": "stream"},
    {"body": {"deep": [{"er": None}]}, "kind": "object"},
    {
        "body": "all properties",
        "properties": {
            "b": True,
            "y": {"byte": 1},
            "s": {"short": 2},
            "i": {"int": 3},
            "l": 4,
            "f": {"float": 0.5},
            "d": 0.25,
            "t": "text",
            "nothing": None,
        },
        "priority": 9,
        "persistent": False,
    },
]


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    """A command line and a server."""
    with desk(tmp_path) as made:
        yield made


@pytest.fixture
def client(at: Desk) -> Iterator[Client]:
    """The same server, without a command line."""
    with Client((at.url,), Login(*ADMIN)) as made:
        yield made


def kept(client: Client, queue: str) -> list[dict[str, Any]]:
    """What has to survive, of each message of a queue, with its whole body."""
    found = []
    for row in client.messages(f"/queues/{queue}/messages"):
        detail = client.get(f"/queues/{queue}/messages/{row['id']}", body="base64")
        found.append({**{key: row[key] for key in KEPT if key != "size"}, "body": detail["body"]})
    return found


def test_messages_of_every_kind_come_back_as_they_were(at: Desk, client: Client, tmp_path: Path) -> None:
    for message in MESSAGES:
        client.post("/queues/orders/messages", message)
    file = tmp_path / "orders.jsonl"
    done = at.run("export", "messages", "orders", file)
    assert (done.exit_code, done.stderr) == (0, f"exported {len(MESSAGES)} messages of orders\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert at.run("import", "messages", file, "--to", "again").stdout == f"sent {len(MESSAGES)} messages to again\n"
    assert kept(client, "again") == kept(client, "orders")
    # And what was exported from there says the same, but for ids and times.
    assert len(kept(client, "orders")) == len(MESSAGES)


def test_delayed_and_expiring_messages(at: Desk, client: Client, tmp_path: Path) -> None:
    client.post("/queues/orders/messages", {"body": "later", "delay": 86_400})
    client.post("/queues/orders/messages", {"body": "now"})
    client.post("/queues/orders.other/messages", {"body": "another queue", "delay": 86_400})
    file = tmp_path / "orders.jsonl"
    assert at.run("export", "messages", "orders", file).exit_code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line.get("body") for line in lines] == [None, "now", "later"]
    assert lines[0] == {"rmimom": "messages", "format": 1, "queue": "orders"}
    due = lines[2]["delivery_time"]
    assert order_of(lines[2], due - 5000) == {**order_of(lines[2], due), "delay": 5.0}  # type: ignore[dict-item]
    assert order_of({"kind": "text", "body": "", "expiration": 1000}, 1000) is None
    assert order_of({"kind": "text", "body": "", "expiration": 1000}, 400) == {
        "body": "",
        "kind": "text",
        "time_to_live": 0.6,
    }


def test_an_interrupted_import_goes_on(at: Desk, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    lines = [{"rmimom": "messages", "format": 1, "queue": "orders"}]
    lines += [{"kind": "text", "body": str(number)} for number in range(1, 4)]  # type: ignore[list-item]
    lines[2]["kind"] = "text"
    broken = [*lines[:3], {"kind": "map", "body": [1]}]
    file.write_text("\n".join(map(json.dumps, broken)))
    stopped = at.run("import", "messages", file)
    assert stopped.exit_code == 1
    assert "2 are there, go on with --skip 2" in stopped.stderr
    file.write_text("\n".join(map(json.dumps, lines)))
    assert at.run("import", "messages", file, "--skip", 2, "--dry-run").stdout == "would send 1 message to orders\n"
    assert json.loads(at.run("import", "messages", file, "--skip", 2, "--json").stdout) == {
        "queue": "orders",
        "sent": 1,
        "expired": 0,
        "skipped": 2,
        "dry_run": False,
    }
    assert [row["preview"] for row in client.messages("/queues/orders/messages")] == ["1", "2", "3"]


def test_definitions_come_back_and_nothing_is_made_twice(at: Desk, client: Client, tmp_path: Path) -> None:
    for name in ("orders", "bills", "a/b-ü"):
        client.post("/queues", {"name": name})
    client.post("/queues/bills/pause")
    client.post("/topics", {"name": "quakes"})
    wanted = {"topic": "quakes", "name": "archive", "client_id": "desk", "selector": "magnitude > 4"}
    client.post("/subscriptions", wanted)
    client.post("/users", {"name": "otto", "password": "secret-word", "role": "viewer"})
    file = tmp_path / "broker.json"
    done = at.run("export", "definitions", file)
    assert done.exit_code == 0, done.stderr
    assert "secret" not in file.read_text()
    refused = at.run("export", "definitions", file)
    assert (refused.exit_code, "add --force" in refused.stderr) == (2, True)

    again = at.run("import", "definitions", file).stdout
    assert again.startswith("made 0 queues, 0 topics, 0 subscriptions; ")
    [subscription] = client.items("/subscriptions")
    client.delete(f"/subscriptions/{subscription['id']}")
    client.delete("/queues/bills")
    client.delete("/users/otto")
    told = at.run("import", "definitions", file, "--dry-run").stdout
    assert told.startswith("would make 1 queue, 0 topics, 1 subscription; ")
    assert told.endswith("add these users with `rmimom-admin user add`: otto\n")
    assert len(list(client.items("/queues"))) == 2
    made = json.loads(at.run("import", "definitions", file, "--json").stdout)
    assert (made["queues"], made["topics"], made["subscriptions"]) == (1, 0, 1)
    assert client.get("/queues/bills")["statistics"]["paused"] is True
    [restored] = client.items("/subscriptions")
    assert {key: restored[key] for key in wanted} == wanted


def test_definitions_through_a_pipe(at: Desk, client: Client) -> None:
    client.post("/queues", {"name": "orders"})
    text = at.run("export", "definitions").stdout
    assert [row["name"] for row in json.loads(text)["queues"]] == ["orders"]
    assert at.run("import", "definitions", "-", text=text).exit_code == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no JSON"),
        ("[]", "holds no definitions of rmimom"),
        ('{"rmimom": "messages", "format": 1}', "holds no definitions"),
        ('{"rmimom": "definitions", "format": 2}', "has the form 2; this rmimom reads 1"),
        ('{"rmimom": "definitions", "format": 1, "queues": 3}', "'queues' is no list"),
        ('{"rmimom": "definitions", "format": 1, "queues": [{}]}', "an entry without a name"),
        ('{"rmimom": "definitions", "format": 1, "subscriptions": [{"name": "a"}]}', "has no topic"),
    ],
)
def test_files_that_are_no_definitions(text: str, complaint: str) -> None:
    with pytest.raises(Failure, match=complaint):
        read_definitions(text)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["{"], "line 1 is no JSON"),
        (['{"rmimom": "definitions", "format": 1}'], "holds no messages"),
        (['{"rmimom": "messages", "format": 1}', '{"body": 1}'], "line 2 holds no message"),
        (['{"rmimom": "messages", "format": 1}', "1"], "line 2 holds no message"),
    ],
)
def test_files_that_are_no_messages(lines: list[str], complaint: str) -> None:
    with pytest.raises(Failure, match=complaint):
        list(read_messages(lines))


def test_a_message_that_was_cut_is_not_exported_as_if_it_were_whole() -> None:
    with pytest.raises(Failure, match="too long to be exported: 99 bytes"):
        message_line({"message": {"id": 1}, "body": {"truncated": True, "size": 99}})
