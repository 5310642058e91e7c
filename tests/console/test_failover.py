"""A failover as people watch it, on the consoles of two real servers."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from support.cluster import cluster, wait_in_sync
from support.processes import ServerProcess

from rmimom.admin_token import read_token

PATIENCE = 60_000
"""Milliseconds for a failover on a busy machine."""


def open_cluster_page(browser: Browser, server: ServerProcess) -> Page:
    """The page of the cluster on this server's console."""
    token = read_token(server.data)
    assert token is not None
    page = browser.new_context(base_url=token.http).new_page()
    page.goto("/cluster")
    page.get_by_label("User").fill(token.user)
    page.get_by_label("Password").fill(token.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cluster")
    expect(page.locator("#live")).to_have_class("live on")
    return page


def test_a_failover_is_watched(browser: Browser, tmp_path: Path) -> None:
    """Given consoles of both servers, when the active one dies, its own says where to look."""
    with cluster(tmp_path) as made:
        active = made.active("one", "--http", "127.0.0.1:0")
        standby = made.standby("two", "--http", "127.0.0.1:0")
        wait_in_sync(active, standby)
        of_active, of_standby = open_cluster_page(browser, active), open_cluster_page(browser, standby)
        role_here = of_standby.locator("[data-live=cluster] [data-field=role]")
        expect(role_here).to_have_text("standby")
        expect(of_active.locator(f'tr[data-key="{standby.server_id}"]')).to_contain_text("standby")
        expect(of_standby.get_by_role("link", name="http://").first).to_be_visible()
        active.kill()
        expect(of_active.locator("#away")).to_contain_text("has not answered since", timeout=PATIENCE)
        expect(of_active.locator("#away")).to_contain_text(standby.location)
        expect(role_here).to_have_text("active", timeout=PATIENCE)
        expect(of_standby.locator(".notice.warning")).to_contain_text("This server is active now")
        expect(of_standby.locator("#where .role")).to_have_text("active")
        expect(of_standby.get_by_role("link", name="Switch over")).to_be_visible()
        expect(of_standby.get_by_text("This server is a standby")).to_have_count(0)
        of_standby.locator("#tabs").get_by_role("link", name="Queues").click()
        expect(of_standby.get_by_role("heading", name="Queues")).to_be_visible()
        for page in (of_active, of_standby):
            page.context.close()
