"""What scripts add to the pages: rows that change, charts, tails, dialogs, keys, themes, and a server that goes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import APIResponse, Browser, Error, Page, Route, expect
from support.browser import ConsoleServer, Visitor, put

from rmimom.commands import DeleteDestination, Pause
from rmimom.core.state import SERVER
from rmimom.destination import Queue, Topic

Make = Callable[..., Visitor]


def cell(page: Page, queue: str, field: str) -> str:
    """Where a list shows a figure of a queue."""
    return f'tr[data-key="{queue}"] [data-field={field}]'


def test_rows_change_as_messages_come(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("live"), "a")
    page = visit("vic").go("/queues")
    shown = page.locator(cell(page, "live", "pending"))
    expect(shown).to_have_text("1")
    expect(page.locator("#live")).to_have_class("live on")
    put(server, Queue("live"), "b", "c")
    expect(shown).to_have_text("3")


def test_new_destinations_appear_and_old_ones_go(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("stays"))
    page = visit().go("/queues?filter=passing")
    expect(page.get_by_text("No queue's name holds this text")).to_be_visible()
    expect(page.locator("#live")).to_have_class("live on")
    put(server, Queue("passing"))
    expect(page.locator('tr[data-key="passing"]')).to_be_visible()
    server.submit(Pause(SERVER, Queue("passing"), True))
    expect(page.locator('tr[data-key="passing"] .tag.paused')).to_be_visible()
    server.submit(DeleteDestination(SERVER, Queue("passing")))
    expect(page.locator('tr[data-key="passing"]:not(.gone)')).to_have_count(0)


def test_a_name_with_markup_is_found_by_live_rows(visit: Make, server: ConsoleServer) -> None:
    name = "x]<b&amp;:é/.."
    put(server, Queue(name), "a")
    page = visit().go("/queues")
    shown = page.get_by_role("row").filter(has_text="é/..").locator("[data-field=pending]")
    expect(shown).to_have_text("1")
    expect(page.locator("#live")).to_have_class("live on")
    put(server, Queue(name), "b")
    expect(shown).to_have_text("2")


def test_a_queue_s_page_has_charts(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("charted"), "a", "b")
    page = visit("vic").go("/queues/charted")
    expect(page.locator("figure[data-chart=depth] canvas")).to_be_visible()
    expect(page.locator("figure[data-chart=rate] canvas")).to_be_visible()
    minute = page.locator("figure[data-chart=depth]").get_by_role("button", name="1 min")
    with page.expect_response(re.compile(r"/charted/history\?seconds=60&")):
        minute.click()
    expect(minute).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("figure[data-chart=rate]").get_by_role("button", name="1 min")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_tail_shows_what_comes_and_takes_nothing(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("a/b"), "before")
    page = visit("vic").go("/queues/a%2Fb")
    tail = page.locator("[data-tail]")
    tail.get_by_role("button", name="Start").click()
    expect(tail.get_by_role("status")).to_have_text("watching")
    put(server, Queue("a/b"), "<img src=x onerror=alert(1)>", "second")
    expect(tail.locator("li")).to_have_count(2)
    expect(tail.locator("li .text").first).to_have_text("<img src=x onerror=alert(1)>")
    expect(tail.locator("li img")).to_have_count(0)
    expect(page.locator("dl [data-field=pending]")).to_have_text("3")
    tail.get_by_role("button", name="Stop").click()
    put(server, Queue("a/b"), "third")
    expect(page.locator("dl [data-field=pending]")).to_have_text("4")
    expect(tail.locator("li")).to_have_count(2)


def test_a_tail_with_a_selector(visit: Make, server: ConsoleServer) -> None:
    put(server, Topic("prices"))
    someone = visit()
    page = someone.go("/topics/prices")
    tail = page.locator("[data-tail]")
    tail.get_by_label("Selector").fill("a ==")
    tail.get_by_role("button", name="Start").click()
    expect(tail.get_by_role("alert")).to_contain_text("column")
    someone.expect_refusal(400)
    tail.get_by_label("Selector").fill("JMSPriority = 4")
    tail.get_by_role("button", name="Start").click()
    expect(tail.get_by_role("status")).to_have_text("watching")
    put(server, Topic("prices"), "12.5")
    expect(tail.locator("li .text")).to_have_text("12.5")


def test_what_asks_first_asks_in_a_dialog(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("doomed"), "a", "b")
    page = visit("olga").go("/queues")
    row = page.locator('tr[data-key="doomed"]')
    row.get_by_role("link", name="Purge").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 messages")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    row.get_by_role("link", name="Purge").click()
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert page.url.endswith("/queues")
    row.get_by_role("link", name="Purge").click()
    dialog.get_by_role("button", name="Purge").click()
    expect(page.locator(".notice.success")).to_contain_text("2 messages removed")
    expect(dialog).to_have_count(0)


def test_the_keyboard(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("keys"))
    page = visit("vic").go("/")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Filter this list")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page).to_have_url(re.compile(r"/queues$"))
    expect(page.locator("#tabs [aria-current]")).to_have_text("Queues")
    page.keyboard.press("/")
    filter_ = page.locator("[data-filter]")
    expect(filter_).to_be_focused()
    page.keyboard.type("key")
    expect(page).to_have_url(re.compile(r"filter=key"))
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    expect(filter_).to_be_focused()
    expect(filter_).to_have_value("key")
    page.keyboard.type("s?g")
    expect(filter_).to_have_value("keys?g")
    page.keyboard.press("Escape")
    expect(filter_).not_to_be_focused()


class Held:
    """Answers that the browser waits for until they are let go."""

    def __init__(self, page: Page, path: str) -> None:
        self._routes: list[Route] = []
        self.asked = 0
        page.route(f"**{path}", self._hold)

    def _hold(self, route: Route) -> None:
        self.asked += 1
        self._routes.append(route)

    def wait_for(self, page: Page, count: int) -> None:
        """Until the browser asked so many times."""
        while self.asked < count:
            page.wait_for_timeout(10)

    def let_go(self) -> None:
        """Answer all; the browser may have ended some of the requests itself."""
        for route in self._routes:
            with contextlib.suppress(Error):
                route.continue_()
        self._routes.clear()


def test_of_two_links_the_last_one_counts(visit: Make) -> None:
    """Given a link whose answer is slow, when another is followed, then its page is the one that is shown."""
    page = visit("vic").go("/queues")
    topics, subscribers = Held(page, "/topics"), Held(page, "/subscribers")
    page.locator("#tabs").get_by_role("link", name="Topics").click()
    topics.wait_for(page, 1)
    page.locator("#tabs").get_by_role("link", name="Subscribers").click()
    subscribers.wait_for(page, 1)
    topics.let_go()
    page.wait_for_timeout(100)
    subscribers.let_go()
    expect(page.get_by_role("heading", level=1)).to_have_text("Subscribers")
    expect(page).to_have_url(re.compile(r"/subscribers$"))


def test_a_link_counts_more_than_what_was_typed_before_it(visit: Make) -> None:
    page = visit("vic").go("/queues")
    topics = Held(page, "/topics")
    page.locator("[data-filter]").fill("abc")
    page.locator("#tabs").get_by_role("link", name="Topics").click()
    topics.wait_for(page, 1)
    page.wait_for_timeout(400)  # longer than a filter waits for the next key
    topics.let_go()
    expect(page.get_by_role("heading", level=1)).to_have_text("Topics")
    expect(page).to_have_url(re.compile(r"/topics$"))


def test_what_a_form_did_is_said_on_the_page_that_came_later(visit: Make, server: ConsoleServer) -> None:
    """Given a form whose answer is slow, when a link is followed meanwhile, then its page says what the form did."""
    put(server, Queue("left"))
    page = visit("olga").go("/queues?filter=left")
    paused, topics = Held(page, "/queues/left/pause"), Held(page, "/topics")
    page.locator('tr[data-key="left"]').get_by_role("button").click()
    paused.wait_for(page, 1)
    page.locator("#tabs").get_by_role("link", name="Topics").click()
    topics.wait_for(page, 1)
    paused.let_go()
    page.wait_for_timeout(100)
    topics.let_go()
    expect(page.get_by_role("heading", level=1)).to_have_text("Topics")
    expect(page.locator(".notice.success")).to_have_count(1)


def test_what_a_form_did_is_said_though_the_page_was_read_again_meanwhile(visit: Make, server: ConsoleServer) -> None:
    """Given a queue that was made, when the list learns of it first, then the queue's page says that it was made."""
    page = visit("olga").go("/queues")
    expect(page.locator("#live")).to_have_class("live on")
    made: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            made.append((route, route.fetch(max_redirects=0)))
        else:
            route.continue_()

    page.route("**/queues", hold)
    page.get_by_label("Queue name").fill("heard-of")
    with page.expect_response(lambda got: got.url.endswith("/queues") and got.request.resource_type == "fetch"):
        page.get_by_role("button", name="Create").click()
    expect(page.locator('tr[data-key="heard-of"]')).to_be_visible()
    [(route, answer)] = made
    route.fulfill(response=answer)
    expect(page.get_by_role("heading", level=1)).to_contain_text("heard-of")
    expect(page.locator(".notice.success")).to_contain_text("was made")


def test_what_was_to_be_said_is_said_beside_a_dialog(visit: Make, server: ConsoleServer) -> None:
    """Given something that the next page has to say, when that page becomes a dialog, then it is said all the same."""
    put(server, Queue("asked"))
    page = visit("olga").go("/queues?filter=asked")
    server.say("something was done")
    page.locator('tr[data-key="asked"]').get_by_role("link", name="Purge").click()
    expect(page.get_by_role("dialog")).to_contain_text("0 messages")
    expect(page.locator("#notices .notice.success")).to_have_text("something was done")


def test_a_page_that_was_read_before_something_was_done_is_left_out(visit: Make, server: ConsoleServer) -> None:
    """Given a list that is being read again, when a form changes it, then its old state is not shown."""
    put(server, Queue("read"), "later", delivery_time=9_000_000_000_000)
    page = visit("olga").go("/scheduled?filter=read")
    boxes = page.locator("#delayed tbody [type=checkbox]")
    old: list[tuple[Route, APIResponse]] = []
    page.route(
        "**/scheduled?*",
        lambda route: (
            old.append((route, route.fetch())) if route.request.resource_type == "fetch" else route.continue_()
        ),
    )
    while not old:
        page.wait_for_timeout(100)
    boxes.check()
    page.locator("#delayed").get_by_role("button", name=re.compile("now$")).click()
    expect(boxes).to_have_count(0)
    [(route, answer)] = old
    route.fulfill(response=answer)
    page.wait_for_timeout(200)
    expect(boxes).to_have_count(0, timeout=1)
    page.unroute_all()


def test_a_form_is_sent_once(visit: Make, server: ConsoleServer) -> None:
    """Given a form whose answer is slow, when its button is pressed again, it is not sent again; later it may be."""
    put(server, Queue("pressed"))
    page = visit("olga").go("/queues?filter=pressed")
    held = Held(page, "/queues/pressed/pause")
    button = page.locator('tr[data-key="pressed"]').get_by_role("button")
    button.click()
    held.wait_for(page, 1)
    button.click()
    page.wait_for_timeout(100)
    assert held.asked == 1
    held.let_go()
    expect(button).to_have_text("Resume")
    button.click()
    expect(button).to_have_text("Pause")


def test_going_back(visit: Make) -> None:
    page = visit("vic").go("/queues")
    page.locator("#tabs").get_by_role("link", name="Topics").click()
    expect(page.get_by_role("heading", name="Topics")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    expect(page.locator("#live")).to_have_class("live on")


def test_the_theme_is_remembered(visit: Make) -> None:
    page = visit("vic", color_scheme="light").go("/queues")

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.locator("#theme").click()
    dark = ground()
    assert dark != light
    page.reload()
    assert ground() == dark
    page.emulate_media(color_scheme="dark")
    page.evaluate("localStorage.clear()")
    page.reload()
    assert ground() == dark


def test_a_server_that_goes_is_said_and_found_again(browser: Browser, tmp_path: Path) -> None:
    """Given an open console, when its server stops, then the page says so, and where else to look."""
    server = ConsoleServer(tmp_path)
    someone = Visitor(browser, server)
    try:
        someone.enter()
        page = someone.go("/queues")
        expect(page.locator("#live")).to_have_class("live on")
        server.stop()
        expect(page.locator("#away")).to_contain_text("has not answered since")
        expect(page.locator("#live")).to_have_class("live off")
        # The browser itself notes what could not be reached.
        someone.complaints = [one for one in someone.complaints if "net::ERR_" not in one]
        someone.close()
    finally:
        server.stop()
