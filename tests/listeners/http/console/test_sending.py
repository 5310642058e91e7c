"""Sending messages, and editing copies of them."""

from __future__ import annotations

from typing import Any

import pytest
from support.console import Page, Visitor, at_console
from support.http import VIEWER, Room


def filled(page: Page) -> dict[str, Any]:
    """The fields of the form of a message as a browser would send them."""
    fields: dict[str, Any] = {"property-name": [], "property-type": [], "property-value": []}
    select = ""
    for tag, found in page.elements:
        if tag == "input" and found.get("type") not in {"checkbox", "submit"} and "name" in found:
            if found["name"].startswith("property-"):
                fields[found["name"]].append(found["value"])
            else:
                fields[found["name"]] = found.get("value", "")
        elif tag == "input" and found.get("type") == "checkbox" and "checked" in found:
            fields[found["name"]] = found["value"]
        elif tag == "select":
            select = found["name"]
        elif tag == "textarea" and found["name"] == "property-value":
            fields["property-value"].append(page.textareas[id(found)].removeprefix("\n").replace("\n", "\r\n"))
        elif tag == "option" and "selected" in found:
            value = found.get("value") or page.option(found)
            if select.startswith("property-"):
                fields[select].append(value)
            else:
                fields[select] = value
    [body] = page.every("textarea", name="body")
    return {**fields, "body": page.textareas[id(body)].removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")}


async def only(room: Room, queue: str) -> Any:
    """The message that waits in a queue, whole."""
    [one] = (await room.get(f"/queues/{queue}/messages"))["items"]
    return await room.get(f"/queues/{queue}/messages/{one['id']}")


def test_a_message_is_sent_with_everything_that_it_can_have() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        page = await olga.get("/send?to=queue%3A%2F%2Fq")
        fields = filled(page)
        assert fields["to"] == "queue://q"
        fields |= {
            "body": "one\r\ntwo",
            "priority": "9",
            "time_to_live": "60",
            "correlation_id": "c<1>",
            "reply_to": "topic://answers",
            "type": "order",
            "property-name": ["colour", "n", "big", "t", "f", "d", "nan", "", ""],
            "property-type": ["string", "short", "long", "boolean", "float", "double", "double", "string", "int"],
            "property-value": [" red ", "3", "5000000000", "true", "0.5", "1e3", "nan", "", ""],
        }
        del fields["persistent"]
        page = await olga.send("/send", fields)
        assert page.response.url.path == "/queues/q"
        assert "1 message sent to queue://q" in page.text
        found = await only(room, "q")
        message = found["message"]
        assert found["body"]["text"] == "one\ntwo"
        assert message["properties"] == {
            "colour": " red ",
            "n": {"short": 3},
            "big": 5_000_000_000,
            "t": True,
            "f": {"float": 0.5},
            "d": 1000.0,
            "nan": {"double": "nan"},
        }
        assert (message["priority"], message["persistent"], message["kind"]) == (9, False, "text")
        assert message["expiration"] - message["timestamp"] == 60_000
        assert (message["correlation_id"], message["reply_to"], message["type"]) == ("c<1>", "topic://answers", "order")

    at_console(conversation)


@pytest.mark.parametrize(
    ("kind", "text", "body"),
    [
        ("bytes", "00ff", {"form": "hex", "hex": "00ff"}),
        ("map", '{"a": {"short": 1}}', {"form": "json", "json": {"a": {"short": 1}}}),
        ("stream", '[1, "x"]', {"form": "json", "json": [1, "x"]}),
        ("object", '{"a": [null]}', {"form": "json", "json": {"a": [None]}}),
        ("none", "ignored", {"form": "json"}),
    ],
)
def test_every_kind_can_be_sent(kind: str, text: str, body: dict[str, Any]) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        fields = filled(await olga.get("/send"))
        await olga.send("/send", {**fields, "to": "q", "kind": kind, "body": text, "count": "1"})
        found = await only(room, "q")
        assert found["message"]["kind"] == kind
        assert {name: value for name, value in found["body"].items() if name not in {"size", "truncated"}} == body

    at_console(conversation)


def test_messages_are_sent_later_often_and_to_topics() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        fields = filled(await olga.get("/send"))
        await olga.send("/send", {**fields, "to": "q", "count": "5", "delay": "3600"})
        assert (await room.get("/delayed"))["total"] == 5
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        page = await olga.send("/send", {**fields, "to": "topic://t", "count": "2"})
        assert "2 messages sent to topic://t" in page.text
        schedule = {"schedule_delay": "1000", "schedule_period": "2000", "schedule_repeat": "3"}
        await olga.send("/send", {**fields, "to": "q", **schedule})
        await olga.send("/send", {**fields, "to": "q", "schedule_cron": "0 8 * * *"})
        scheduled = (await room.get("/scheduled"))["items"]
        assert sorted((one["delay"], one["period"], one["repeat"], one["cron"]) for one in scheduled) == [
            (0, 0, 0, "0 8 * * *"),
            (1000, 2000, 3, ""),
        ]

    at_console(conversation)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"to": ""}, "needs a name"),
        ({"to": "ftp://x"}, "is not a destination"),
        ({"to": "queue://<b>>"}, "may not hold"),
        ({"to": "queue://rmimom.x"}, "belong to the server"),
        ({"priority": "10"}, "priority"),
        ({"priority": "x"}, "priority"),
        ({"count": "0"}, "count"),
        ({"count": "1000000"}, "count"),
        ({"time_to_live": "-1"}, "time_to_live"),
        ({"delay": "nan"}, "delay"),
        ({"time_to_live": "1e99"}, "time_to_live"),
        ({"kind": "map", "body": "{"}, "is written as JSON here"),
        ({"kind": "stream", "body": '{"a": 1}'}, "stream"),
        ({"kind": "bytes", "body": "zz"}, "not hex"),
        ({"kind": "nothing"}, "kind"),
        ({"reply_to": "x"}, "reply_to"),
        ({"property-name": ["n"], "property-type": ["byte"], "property-value": ["x"]}, "is no byte"),
        ({"property-name": ["n"], "property-type": ["byte"], "property-value": ["128"]}, "128"),
        ({"property-name": ["n"], "property-type": ["boolean"], "property-value": ["yes"]}, "is no boolean"),
        ({"property-name": ["n"], "property-type": ["char"], "property-value": ["y"]}, "are of the types"),
        ({"property-name": [""], "property-type": ["int"], "property-value": ["1"]}, "has no name"),
        ({"property-name": ["a b"], "property-type": ["int"], "property-value": ["1"]}, "a b"),
        (
            {"property-name": ["n", "n"], "property-type": ["int", "int"], "property-value": ["1", "2"]},
            "stands there twice",
        ),
        ({"schedule_delay": "soon"}, "whole number"),
        ({"schedule_cron": "x"}, "x"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_written_stays(wrong: dict[str, Any], words: str) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        fields = filled(await olga.get("/send"))
        sent = {**fields, "to": "q", "body": "what I wrote </textarea>", "correlation_id": "mine", **wrong}
        page = await olga.send("/send", sent, expect=400)
        assert words in page.text
        again = filled(page)
        assert again["body"] == sent["body"]
        assert again["correlation_id"] == "mine"
        for name, value in wrong.items():
            if name.startswith("property-") and wrong["property-type"] != ["char"]:
                assert again[name][: len(value)] == value
        assert (await room.get("/queues"))["total"] == 0

    at_console(conversation)


@pytest.mark.parametrize(
    "message",
    [
        {"body": "a\nb"},
        {"body": "a\r\nb\r\n"},
        {"body": "\n\na <b>"},
        {"body": "a\rb"},
        {"body": "a\x00b"},
        {"body": ""},
        {"body": None, "kind": "none"},
        {"body": None, "kind": "text"},
        {"body": {"a": {"short": 1}, "b": {"bytes": "AAE="}}},
        {"body": [1, {"float": 0.5}], "kind": "stream"},
        {"body": {"a": [1, None]}, "kind": "object"},
        {"body": "AAH/", "kind": "bytes"},
        {"body": "x" * 300_000},
    ],
)
def test_a_copy_that_nobody_changed_is_the_same(message: dict[str, Any]) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        properties = {"n": {"int": 1}, "t": False, "d": 0.1, "x": {"float": "nan"}, "s": "<>&\"'", "l": "a\nb"}
        await room.post("/queues/q/messages", {**message, "properties": properties, "correlation_id": "c"})
        before = await only(room, "q")
        path = f"/queues/q/messages/{before['message']['id']}/edit"
        fields = filled(await olga.get(path))
        assert fields["to"] == "queue://q"
        page = await olga.send(path, {**fields, "to": "queue://copies"})
        assert "1 copy sent to queue://copies; the message itself stays here" in page.text
        after = await only(room, "copies")
        assert after["body"] == before["body"]
        for name in ("kind", "properties", "correlation_id", "priority", "persistent", "type", "reply_to"):
            assert after["message"][name] == before["message"][name], name
        assert (await only(room, "q"))["message"] == before["message"]

    at_console(conversation)


def test_a_copy_is_changed() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "old", "properties": {"a": 1}, "correlation_id": "c"})
        path = f"/queues/q/messages/{(await only(room, 'q'))['message']['id']}/edit"
        fields = filled(await olga.get(path))
        wrong = await olga.send(path, {**fields, "priority": "x"}, expect=400)
        assert wrong.every("form", action=path)
        changes = {"to": "other", "body": "new", "property-value": ["2", "", "", "", ""], "correlation_id": ""}
        await olga.send(path, {**fields, **changes})
        found = await only(room, "other")
        assert (found["body"]["text"], found["message"]["properties"]) == ("new", {"a": 2})
        assert found["message"]["correlation_id"] is None

    at_console(conversation)


def test_a_viewer_sends_nothing_and_a_form_has_its_limit() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await vic.get("/send", expect=403)
        await vic.get("/queues")
        await vic.send("/send", {"to": "q", "body": "x"}, expect=403)
        await vic.send("/queues", {"name": "x" * 2_000_000}, expect=413)
        assert (await room.get("/queues"))["total"] == 0

    at_console(conversation, VIEWER)
