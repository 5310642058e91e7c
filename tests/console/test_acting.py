"""Every action of the console in Chromium, with and without scripts: the pages are the same, and so is what they do."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Page, expect
from support.browser import ConsoleServer, Visitor, put

from rmimom.commands import Connect, CreateDestination, Release, Subscribe
from rmimom.core.state import SERVER
from rmimom.destination import Queue, Topic

Make = Callable[..., Visitor]

NUMBERS = count(1)


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def operator(request: pytest.FixtureRequest, visit: Make) -> Visitor:
    """Somebody who may change things."""
    return visit("olga", java_script_enabled=request.param)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"acts-{next(NUMBERS)}"


def agree(page: Page, button: str, number: int | None = None) -> None:
    """Say yes where it is asked, in a dialog or on a page, with the number of messages concerned."""
    asked = page.locator("section.confirm")
    if number is not None:
        expect(asked).to_have_attribute("data-number", str(number))
    asked.get_by_role("button", name=button).click()


def succeeded(page: Page, text: str | re.Pattern[str]) -> None:
    """The page says that something was done."""
    expect(page.locator(".notice.success")).to_contain_text(text)


def rows(page: Page, count_of_rows: int) -> None:
    """The list has so many rows."""
    expect(page.locator("table.list tbody tr:not(.empty)")).to_have_count(count_of_rows)


def bury(server: ConsoleServer, name: str, *bodies: str, reason: str = "no such item") -> None:
    """Let a consumer refuse messages for good."""
    put(server, Queue(name), *bodies)
    reign = server.server.reign
    assert reign is not None
    server.submit(Connect(name, "ann", ""))
    server.submit(Subscribe(name, 1, Queue(name), prefetch=100))
    [consumer] = server.call(lambda: list(reign.engine.broker.state.places[Queue(name)].mailboxes()[0].consumers))
    server.submit(Release(name, 1, list(consumer.held), dead=True, reason=reason, close=True))


def test_queues_are_made_paused_resumed_purged_and_deleted(operator: Visitor, server: ConsoleServer, name: str) -> None:
    page = operator.go("/queues")
    page.get_by_label("Queue name").fill(name)
    page.get_by_role("button", name="Create").click()
    succeeded(page, f"queue {name} was made")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.get_by_role("button", name="Pause").click()
    succeeded(page, "is paused")
    expect(page.locator("h1 .tag.paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    succeeded(page, "delivers again")
    put(server, Queue(name), "a", "b", "c")
    page = operator.go(f"/queues/{name}")
    page.get_by_role("link", name="Purge").click()
    agree(page, "Purge", 3)
    succeeded(page, "3 messages removed")
    page.get_by_role("link", name="Delete").click()
    agree(page, "Delete")
    succeeded(page, "was deleted")
    expect(page.locator(f'tr[data-key="{name}"]')).to_have_count(0)


def test_topics_and_subscriptions_are_made_and_deleted(operator: Visitor, name: str) -> None:
    page = operator.go("/topics")
    page.get_by_label("Topic name").fill(name)
    page.get_by_role("button", name="Create").click()
    succeeded(page, f"topic {name} was made")
    page.get_by_role("link", name="Subscribers of this topic").click()
    page.get_by_text("Create a durable subscription").click()
    page.get_by_label("Name", exact=True).fill("mine")
    page.get_by_label("Client ID").first.fill("ann")
    page.get_by_label("Selector").fill("price > 10")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go(f"/subscribers?topic={name}")
    rows(page, 1)
    page.get_by_role("link", name="Offline durable").click()
    expect(page).to_have_url(re.compile("state="))
    rows(page, 1)
    page.get_by_role("link", name="Delete").click()
    agree(page, "Delete")
    expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go(f"/topics/{name}")
    page.get_by_role("link", name="Delete").click()
    agree(page, "Delete")
    succeeded(page, "was deleted")


def test_a_message_with_everything_is_sent_and_looked_at(operator: Visitor, name: str) -> None:
    page = operator.go(f"/send?to=queue%3A%2F%2F{name}")
    expect(page.get_by_label("Destination")).to_have_value(f"queue://{name}")
    page.get_by_label("Body", exact=True).fill('{"item": [7, "Tea"]}')
    page.get_by_label("Priority").fill("7")
    page.get_by_label("Time to live").fill("3600")
    page.get_by_label("Correlation ID").fill("c-1")
    page.get_by_label("Reply to").fill("queue://answers")
    page.get_by_label("Type", exact=True).fill("order")
    page.get_by_label("Count").fill("3")
    page.get_by_label("Name of the property").first.fill("colour")
    page.get_by_label("Value of the property").first.fill("red")
    page.get_by_label("Name of the property").nth(1).fill("n")
    page.get_by_label("Type of the property").nth(1).select_option("short")
    page.get_by_label("Value of the property").nth(1).fill("12")
    page.get_by_role("button", name="Send").click()
    succeeded(page, "3 messages")
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 3)
    page.locator("tbody a").first.click()
    expect(page.locator("section.headers")).to_contain_text("c-1")
    expect(page.locator("section.headers")).to_contain_text("queue://answers")
    expect(page.locator("section.properties")).to_contain_text("colour")
    expect(page.locator("section.properties")).to_contain_text("short")
    expect(page.locator("section.body pre")).to_have_text(re.compile(r'\{\s+"item": \[\s+7,\s+"Tea"\s+\]\s+\}'))
    page.get_by_role("link", name="hex").click()
    expect(page.locator("section.body pre")).to_contain_text("7b 22 69")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save").click()
    assert download.value.path().read_bytes() == b'{"item": [7, "Tea"]}'


def test_messages_are_found_by_selector_and_by_text(operator: Visitor, server: ConsoleServer, name: str) -> None:
    put(server, Queue(name), "apples", "pears", properties={"colour": "red"})
    put(server, Queue(name), "apples and plums", properties={"colour": "blue"})
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 3)
    page.get_by_label("Selector").fill("colour = 'red'")
    page.get_by_role("button", name="Search").click()
    rows(page, 2)
    page.get_by_label("Text in the body").fill("APPLES")
    page.get_by_role("button", name="Search").click()
    rows(page, 1)
    page.get_by_label("Selector").fill("colour ==")
    operator.expect_refusal(400)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("column 9")


def test_messages_are_copied_moved_and_deleted(operator: Visitor, server: ConsoleServer, name: str) -> None:
    put(server, Queue(name), *"abcdef", properties={"colour": "red"})
    put(server, Queue(name), "g", properties={"colour": "blue"})
    page = operator.go(f"/queues/{name}/messages")
    page.locator("tbody [type=checkbox]").nth(0).check()
    page.locator("tbody [type=checkbox]").nth(2).check()
    page.get_by_label("Order").select_option("copy")
    page.get_by_label("Where to").fill(f"queue://{name}-copies")
    page.get_by_role("button", name="Those ticked").click()
    agree(page, "Copy", 2)
    succeeded(page, f"2 messages copied to queue://{name}-copies")
    rows(page, 7)
    page.get_by_label("Selector").fill("colour = 'red'")
    page.get_by_role("button", name="Search").click()
    rows(page, 6)
    page.get_by_label("Order").select_option("move")
    page.get_by_label("Where to").fill(f"{name}-moved")
    page.get_by_role("button", name="All that match").click()
    agree(page, "Move", 6)
    succeeded(page, "6 messages moved")
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 1)
    page.locator("tbody a").first.click()
    page.get_by_role("button", name="Delete").click()
    agree(page, "Delete", 1)
    succeeded(page, "1 message deleted")
    page = operator.go(f"/queues/{name}-moved/messages")
    rows(page, 6)
    page.get_by_label("Order").select_option("remove")
    page.get_by_role("button", name="All in the queue").click()
    agree(page, "Delete")
    succeeded(page, "6 messages deleted")
    page = operator.go(f"/queues/{name}-copies/messages")
    rows(page, 2)


def test_all_rows_are_ticked_at_once(visit: Make, server: ConsoleServer, name: str) -> None:
    put(server, Queue(name), *"abc")
    page = visit("olga").go(f"/queues/{name}/messages")
    everything = page.get_by_label("Choose all rows of this page")
    everything.check()
    expect(page.locator("tbody [type=checkbox]:checked")).to_have_count(3)
    page.locator("tbody [type=checkbox]").first.uncheck()
    assert everything.evaluate("box => box.indeterminate")
    page.get_by_label("Order").select_option("remove")
    page.get_by_role("button", name="Those ticked").click()
    agree(page, "Delete", 2)
    succeeded(page, "2 messages deleted")
    page.get_by_role("button", name="Those ticked").click()
    expect(page.locator(".notice.warning")).to_contain_text("no message was chosen")


def test_a_message_that_was_consumed_between_list_and_click(
    operator: Visitor, server: ConsoleServer, name: str
) -> None:
    put(server, Queue(name), "a")
    operator.expect_refusal(404)
    page = operator.go(f"/queues/{name}/messages")
    bury(server, name)
    page.locator("tbody a").first.click()
    expect(page.get_by_role("alert")).to_contain_text("consumed")


def test_dead_letters_go_back_one_some_or_all(operator: Visitor, server: ConsoleServer, name: str) -> None:
    bury(server, name, *"abcdef", reason="the item is <b>sold out</b>")
    page = operator.go("/dead-letters")
    mine = page.locator("section.dead-queue").filter(has_text=f"DLQ.{name}")
    expect(mine).to_contain_text(f"queue://{name}")
    expect(mine).to_contain_text("the item is <b>sold out</b>")
    mine.get_by_role("link", name="Look and choose").click()
    rows(page, 6)
    page.locator("tbody a").first.click()
    expect(page.locator("section.dead-letter")).to_contain_text(f"queue://{name}")
    page.get_by_role("button", name="Retry").click()
    agree(page, "Retry", 1)
    succeeded(page, "1 message sent back")
    page = operator.go(f"/queues/DLQ.{name}/messages")
    page.locator("tbody [type=checkbox]").nth(0).check()
    page.locator("tbody [type=checkbox]").nth(1).check()
    page.get_by_label("Order").select_option("retry")
    page.get_by_role("button", name="Those ticked").click()
    agree(page, "Retry", 2)
    succeeded(page, "2 messages sent back")
    page = operator.go("/dead-letters")
    mine.get_by_role("button", name="Retry all").click()
    agree(page, "Retry")
    succeeded(page, "3 messages sent back")
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 6)


def test_a_copy_is_edited_and_sent(operator: Visitor, server: ConsoleServer, name: str) -> None:
    bury(server, name, "wrong")
    page = operator.go(f"/queues/DLQ.{name}/messages")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Edit a copy").click()
    page.locator("textarea[name=body]").fill("right")
    keeps = page.get_by_label("Send the body as it is in the message")
    if keeps.count() and keeps.is_checked():
        keeps.uncheck()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 1)
    expect(page.locator("tbody .preview")).to_have_text("right")
    page = operator.go(f"/queues/DLQ.{name}/messages")
    rows(page, 1)


def test_scheduled_and_delayed_messages(operator: Visitor, name: str) -> None:
    for what in ("First after", "Delay"):
        for _ in range(2):
            page = operator.go(f"/send?to=queue%3A%2F%2F{name}")
            page.get_by_label("Body", exact=True).fill("later")
            if what == "Delay":
                page.get_by_label(what, exact=False).first.fill("3600")
            else:
                page.get_by_text("Schedule", exact=True).click()
                page.get_by_label(what).fill("3600000")
            page.get_by_role("button", name="Send").click()
            expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go(f"/scheduled?filter={name}")
    for part in ("#scheduled", "#delayed"):
        section = page.locator(part)
        section.locator("tbody [type=checkbox]").first.check()
        section.get_by_role("button", name=re.compile("now$")).click()
        expect(page.locator(".notice.success")).to_be_visible()
        expect(section.locator("tbody tr:not(.empty)")).to_have_count(1)
        section.locator("tbody [type=checkbox]").first.check()
        section.get_by_role("button", name="Delete those ticked").click()
        agree(page, "Delete")
        expect(page.locator(".notice.success")).to_be_visible()
        expect(section.locator("tbody tr:not(.empty)")).to_have_count(0)
    page = operator.go(f"/queues/{name}/messages")
    rows(page, 2)


def test_connections_are_shown_and_closed(operator: Visitor, server: ConsoleServer, name: str) -> None:
    put(server, Queue(name))
    server.submit(Connect(name, "ann", f"client-{name}"))
    server.submit(Subscribe(name, 1, Queue(name), prefetch=1))
    page = operator.go(f"/connections?filter=client-{name}")
    rows(page, 1)
    page.locator("tbody a").first.click()
    expect(page.locator("#consumers")).to_contain_text(f"queue://{name}")
    page.get_by_role("link", name="Close").click()
    agree(page, "Close")
    expect(page.locator(".notice.success")).to_be_visible()


def test_lists_are_filtered_sorted_and_turned(operator: Visitor, server: ConsoleServer, name: str) -> None:
    for number in range(60):
        server.submit(CreateDestination(SERVER, Queue(f"{name}.{number:02}")))
    put(server, Queue(f"{name}.31"), "a")
    page = operator.go("/queues")
    page.get_by_label("Name holds").fill(f"{name}.")
    page.get_by_label("Rows").select_option("50")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("filter="))
    rows(page, 50)
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("page=2"))
    rows(page, 10)
    page.get_by_role("link", name="Previous").click()
    expect(page).not_to_have_url(re.compile("page=2"))
    rows(page, 50)
    pending = page.get_by_role("columnheader", name="Number Of Pending Messages")
    pending.get_by_role("link").click()
    expect(pending).to_have_attribute("aria-sort", "ascending")
    pending.get_by_role("link").click()
    expect(page.locator("tbody tr").first).to_contain_text(f"{name}.31")
    page = operator.go(f"/queues?filter={name}.&page=1000000000&limit=50")
    rows(page, 10)


def test_a_deep_queue_is_browsed_to_its_end(operator: Visitor, server: ConsoleServer, name: str) -> None:
    put(server, Queue(name), *(f"body {number}" for number in range(120)))
    page = operator.go(f"/queues/{name}/messages?limit=50")
    seen = 0
    for expected in (50, 50, 20):
        rows(page, expected)
        expect(page.locator("tbody .preview").first).to_have_text(f"body {seen}")
        seen += expected
        if seen < 120:
            page.get_by_role("link", name="Next").click()
            expect(page.locator("tbody .preview").first).to_have_text(f"body {seen}")
    expect(page.get_by_role("link", name="Next")).to_have_count(0)
    page.get_by_role("link", name="From the beginning").click()
    expect(page.locator("tbody .preview").first).to_have_text("body 0")


def test_administrators_see_to_users(visit: Make, server: ConsoleServer) -> None:
    page = visit("admin").go("/users")
    page.get_by_text("Add a user").click()
    form = page.locator("details.create form")
    form.get_by_label("Name").fill("new")
    form.get_by_label("Password", exact=True).fill("secret of new")
    form.get_by_label("Password again").fill("secret of new")
    form.get_by_role("button", name="Add").click()
    row = page.locator('tr[data-key="new"]')
    expect(row).to_be_visible()
    row.get_by_role("link", name="Remove").click()
    agree(page, "Remove")
    expect(row).to_have_count(0)


def test_a_topic_s_messages_are_sent(operator: Visitor, server: ConsoleServer, name: str) -> None:
    put(server, Topic(name))
    page = operator.go(f"/topics/{name}")
    page.get_by_role("link", name="Send", exact=True).nth(1).click()
    page.get_by_label("Body", exact=True).fill("12.5")
    page.get_by_role("button", name="Send").click()
    succeeded(page, "1 message")
    page = operator.go(f"/topics/{name}")
    expect(page.locator("dl [data-field=enqueued]")).to_have_text("1")


def test_what_a_newcomer_does_first(operator: Visitor, name: str) -> None:
    """Given an empty server, then a queue is made, sent to, browsed, and a message moved, made dead and sent back."""
    page = operator.go("/queues")
    page.get_by_label("Queue name").fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go(f"/queues/{name}")
    page.locator("main").get_by_role("link", name="Send", exact=True).click()
    page.get_by_label("Body", exact=True).fill("hello")
    page.get_by_role("button", name="Send").click()
    succeeded(page, "1 message")
    page = operator.go(f"/queues/{name}")
    page.locator("main").get_by_role("link", name="Browse").click()
    page.locator("tbody [type=checkbox]").check()
    page.get_by_label("Order").select_option("move")
    page.get_by_label("Where to").fill(f"{name}-two")
    page.get_by_role("button", name="Those ticked").click()
    agree(page, "Move", 1)
    succeeded(page, "1 message moved")
    page = operator.go(f"/queues/{name}-two/messages")
    page.locator("tbody [type=checkbox]").check()
    page.get_by_label("Order").select_option("bury")
    page.get_by_role("button", name="Those ticked").click()
    agree(page, "Make dead letters", 1)
    expect(page.locator(".notice.success")).to_be_visible()
    page = operator.go("/dead-letters")
    mine = page.locator("section.dead-queue").filter(has_text=f"DLQ.{name}-two")
    mine.get_by_role("button", name="Retry all").click()
    agree(page, "Retry")
    succeeded(page, "1 message sent back")
    page = operator.go(f"/queues/{name}-two/messages")
    rows(page, 1)
