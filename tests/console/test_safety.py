"""What must not happen: markup that is executed, orders of who may not give them, sessions that outlive themselves."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser import ConsoleServer, Visitor, put

from rmimom.destination import Queue
from rmimom.listeners.http.throttle import ATTEMPTS

Make = Callable[..., Visitor]

EVIL = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>'\"><svg onload=window.hacked=1>"
EVIL_NAME = "<img/src=x/onerror=window.hacked=1"


def test_logging_in_and_out(visit: Make, server: ConsoleServer) -> None:
    someone = visit(None)
    page = someone.log_in("vic", at="/queues?filter=a")
    expect(page).to_have_url(re.compile(r"/queues\?filter=a$"))
    page.locator("details.user summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.goto("/queues")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without"])
def test_names_and_bodies_with_markup_are_text(scripted: bool, visit: Make, server: ConsoleServer) -> None:
    put(server, Queue(EVIL_NAME), EVIL)
    someone = visit("olga", java_script_enabled=scripted)
    page = someone.go("/queues")
    page.get_by_role("link", name=EVIL_NAME, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(EVIL_NAME)
    page.get_by_role("link", name="Browse").first.click()
    expect(page.locator("table.messages .preview").first).to_contain_text("<script>window.hacked=1</script>")
    page.locator("table.messages tbody a").first.click()
    expect(page.locator("pre")).to_contain_text("<script>window.hacked=1</script>")
    assert page.locator("main img, main script, main svg").count() == 0
    if scripted:
        assert page.evaluate("window.hacked") is None


def test_the_policy_holds_where_escaping_would_fail(visit: Make) -> None:
    """Given markup that got into a page all the same, then the browser executes nothing of it."""
    someone = visit("vic")
    page = someone.go("/queues")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const image = document.createElement("div");
            image.innerHTML = '<img src="data:," onerror="window.hacked = 2"><p style="color: red">x</p>';
            document.body.append(image);
        }"""
    )
    assert page.evaluate("window.hacked") is None
    assert len([one for one in someone.complaints if "Content Security Policy" in one]) >= 2
    someone.complaints.clear()


def test_a_viewer_cannot_purge(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("kept"), "a")
    someone = visit("vic")
    someone.expect_refusal(403)
    page = someone.go("/queues/kept")
    for order in ("Purge", "Delete", "Pause"):
        expect(page.get_by_role("link", name=order)).to_have_count(0)
        expect(page.get_by_role("button", name=order)).to_have_count(0)
    answer = page.goto("/queues/kept/purge")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("alert")).to_contain_text("operator")
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    forged = someone.context.request.post("/queues/kept/purge", form={"csrf": token}, headers={"Origin": server.url})
    assert forged.status == 403
    someone.go("/queues/kept")
    expect(page.locator("dl [data-field=pending]")).to_have_text("1")


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without"])
def test_a_form_without_its_token_is_refused(scripted: bool, visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("safe"), "a")
    someone = visit("olga", java_script_enabled=scripted)
    someone.expect_refusal(403)
    if not scripted:
        # As if the page were that of another session.
        someone.page.route(
            "**/queues/safe",
            lambda route: route.fulfill(
                response=(found := route.fetch()),
                body=re.sub(r'(name="csrf" value=")[^"]+', r"\1wrong", found.text()),
            ),
        )
    page = someone.go("/queues/safe")
    if scripted:
        page.evaluate("document.querySelectorAll('[name=csrf]').forEach((one) => (one.value = 'wrong'))")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("section.error")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("again")
    page.unroute_all()
    someone.go("/queues/safe")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without"])
def test_an_ended_session_leads_to_the_login_and_back(scripted: bool, visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("patient"), "a")
    someone = visit("olga", java_script_enabled=scripted)
    someone.expect_refusal(401)
    page = someone.go("/queues/patient")
    server.end_sessions()
    if not scripted:
        page.get_by_role("button", name="Pause").click()
    # With scripts the end of the live stream says so by itself.
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("User").fill("olga")
    page.get_by_label("Password").fill(server.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("patient")


def test_a_click_after_the_session_s_end_leads_to_the_login(visit: Make, server: ConsoleServer) -> None:
    put(server, Queue("patient"), "a")
    someone = visit("olga")
    someone.expect_refusal(401)
    # Without its live stream the page does not hear of the end before the click.
    someone.page.route("**/api/v1/**", lambda route: route.abort())
    page = someone.go("/queues/patient")
    expect(page.locator("#away")).to_be_visible()
    server.end_sessions()
    page.locator("#tabs").get_by_role("link", name="Topics").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    someone.complaints = [one for one in someone.complaints if "net::ERR_" not in one]


def test_wrong_passwords_make_one_wait(visit: Make, server: ConsoleServer) -> None:
    """Given many wrong passwords, then the login says that one has to wait; others' attempts are from elsewhere."""
    someone = visit(None)
    someone.expect_refusal(401)
    someone.expect_refusal(429)
    page = someone.page
    http = server.server.http
    assert http is not None
    try:
        for _ in range(ATTEMPTS - 1):
            server.call(lambda: http.gate._throttle.failed("127.0.0.1"))
        someone.log_in("vic", "wrong", at="/login")
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Password").fill(server.password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("try again in")
    finally:
        server.call(http.gate._throttle._failures.clear)


def test_pages_that_are_not_there(visit: Make) -> None:
    someone = visit("vic")
    someone.expect_refusal(404)
    page = someone.page
    for path in ("/nothing", "/queues/" + "x" * 10_000, "/queues/%3Cb%3E", "/queues/none/messages/1"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status in {400, 404}, path
        expect(page.get_by_role("alert")).to_be_visible()
