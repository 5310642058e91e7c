"""Every page in Chromium, with and without scripts, wide and narrow, light and dark: nothing to complain of.

The pictures are kept in artefacts/, for people to look at.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser import NARROW, WIDE, ConsoleServer, Visitor, put

from rmimom.commands import Connect, CreateSubscription, Release, Subscribe
from rmimom.core.state import SERVER
from rmimom.destination import Queue, Topic

Make = Callable[..., Visitor]

ORDERS, DEAD, PRICES = Queue("orders"), Queue("DLQ.orders"), Topic("prices")
FAR = 9_000_000_000_000
PAGES = {
    "home": "/",
    "queues": "/queues",
    "queue": "/queues/orders",
    "browse": "/queues/orders/messages",
    "message": "/queues/orders/messages/{}",
    "edit": "/queues/orders/messages/{}/edit",
    "topics": "/topics",
    "topic": "/topics/prices",
    "subscribers": "/subscribers",
    "connections": "/connections",
    "scheduled": "/scheduled",
    "dead-letters": "/dead-letters",
    "dead": "/queues/DLQ.orders/messages",
    "cluster": "/cluster",
    "send": "/send?to=queue%3A%2F%2Forders",
    "users": "/users",
}


@pytest.fixture(scope="module")
def message(server: ConsoleServer) -> int:
    """A server with something of everything; the id of one of its messages."""
    for number, name in enumerate(("orders", "audit", "billing", "invoices.eu", "invoices.us", "stock/levels")):
        bodies = [f'{{"item": {item}, "name": "Tea"}}' for item in range(12 + 5 * number)]
        put(server, Queue(name), *bodies, properties={"colour": "red", "n": number})
    put(server, PRICES)
    put(server, ORDERS, "later", delivery_time=FAR)
    server.submit(CreateSubscription(SERVER, PRICES, "ann", "s"))
    server.submit(Connect("c", "ann", "ann"))
    server.submit(Subscribe("c", 1, ORDERS, prefetch=3))
    reign = server.server.reign
    assert reign is not None
    [consumer] = server.call(lambda: list(reign.engine.broker.state.places[ORDERS].mailboxes()[0].consumers))
    held = list(consumer.held)
    server.submit(Release("c", 1, held, dead=True, reason="the item is sold out"))
    return max(held) + 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [True, False], ids=["1440", "390"])
def test_every_page_with_scripts(wide: bool, scheme: str, visit: Make, message: int) -> None:
    someone = visit("admin", viewport=WIDE if wide else NARROW, color_scheme=scheme)
    for name, path in PAGES.items():
        page = someone.go(path.format(message))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("section.error")).to_have_count(0)
        if name in {"home", "queue"}:
            expect(page.locator("canvas").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        someone.shoot(f"{name}-{WIDE['width'] if wide else NARROW['width']}-{scheme}")


@pytest.mark.parametrize("wide", [True, False], ids=["1440", "390"])
def test_every_page_without_scripts(wide: bool, visit: Make, message: int) -> None:
    someone = visit("admin", viewport=WIDE if wide else NARROW, java_script_enabled=False)
    for path in PAGES.values():
        page = someone.go(path.format(message))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("section.error")).to_have_count(0)


def test_the_tabs_open_without_scripts_on_a_phone(visit: Make) -> None:
    page = visit("vic", viewport=NARROW, java_script_enabled=False).go("/queues")
    topics = page.locator("#tabs").get_by_role("link", name="Topics")
    expect(topics).to_be_hidden()
    page.locator("label.menu-button").click()
    topics.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Topics")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_is_enough_contrast(scheme: str, visit: Make, message: int) -> None:
    """Text against what is behind it: WCAG AA asks for 4.5, and 3 where it is large."""
    someone = visit("admin", color_scheme=scheme)
    for path in ("/", "/queues", "/queues/orders", "/queues/orders/messages", "/send", "/login"):
        page = someone.go(path)
        poor = page.evaluate(CONTRAST)
        assert poor == [], path


CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const colour = rgba(getComputedStyle(one).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgba(getComputedStyle(document.body).backgroundColor);
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility({ opacityProperty: true })) continue;
        if (element.closest("script, :disabled")) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24;
        const ratio = (a + 0.05) / (b + 0.05);
        const said = `${ratio.toFixed(2)}: ${element.tagName} ${walker.currentNode.data.trim()}`;
        if (ratio < (large ? 3 : 4.5)) poor.push(said);
    }
    return [...new Set(poor)];
}"""
