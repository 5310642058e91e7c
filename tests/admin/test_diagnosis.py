"""What the doctor says of what was read."""

from __future__ import annotations

from typing import Any

import pytest

from rmimom.admin.diagnosis import (
    examine_address,
    examine_clock,
    examine_cluster,
    examine_disk,
    examine_files,
    examine_mode,
    examine_names,
    is_loopback,
    of_remark,
)


@pytest.mark.parametrize(
    ("apart", "health"),
    [(0, "ok"), (900, "ok"), (1000, "warning"), (-29_000, "warning"), (30_000, "error"), (-40_000, "error")],
)
def test_clocks(apart: int, health: str) -> None:
    found = examine_clock(1_000_000 + apart, 1_000_000)
    assert found.health == health
    assert ("ahead of" in found.text) == (apart >= 1000)
    assert ("behind" in found.text) == (apart <= -1000)


@pytest.mark.parametrize(
    ("host", "yes"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("h", False)],
)
def test_loopback(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes


@pytest.mark.parametrize(
    ("url", "address", "health"),
    [
        ("http://127.0.0.1:8161", "127.0.0.1:61611", "ok"),
        ("http://broker:8161", "broker:61611", "ok"),
        ("http://broker:8161", "127.0.0.1:61611", "error"),
        ("http://broker:8161", "[::1]:61611", "error"),
        ("http://127.0.0.1:8161", "broker:61611", "ok"),
    ],
)
def test_an_address_that_works_on_the_servers_machine_only_is_found(url: str, address: str, health: str) -> None:
    found = examine_address(url, address)
    assert found.health == health
    assert ("--advertise" in found.advice) == (health == "error")


def test_name_servers_that_will_not_do() -> None:
    [none] = examine_names({"nameserver": None, "facts": {}})
    assert (none.health, "rmimom-ns" in none.advice) == ("warning", True)
    [own] = examine_names({"nameserver": "h:9090", "facts": {"nameserver_embedded": True}})
    assert own.health == "warning"
    assert list(examine_names({"nameserver": "h:9090", "facts": {"nameserver_embedded": False}})) == []


@pytest.mark.parametrize(
    ("used", "limit", "health"), [(79, 100, "ok"), (80, 100, "warning"), (10_000, None, "ok"), (100, 100, "warning")]
)
def test_open_files(used: int, limit: int | None, health: str) -> None:
    assert examine_files({"open_files": used, "open_files_limit": limit}).health == health


@pytest.mark.parametrize(("free", "health"), [(None, "warning"), (99, "error"), (399, "warning"), (400, "ok")])
def test_the_disk(free: int | None, health: str) -> None:
    found = examine_disk({"disk_free": free, "disk_reserve": 100})
    assert (found.health, bool(found.advice)) == (health, health != "ok")


@pytest.mark.parametrize(
    ("active", "in_sync", "healths"),
    [("h:1", [], ["ok"]), ("h:1", [True, False], ["ok"]), ("h:1", [False], ["error"]), ("", [True], ["error", "ok"])],
)
def test_the_cluster(active: str, in_sync: list[bool], healths: list[str]) -> None:
    servers: list[dict[str, Any]] = [{"role": "active", "in_sync": True}]
    servers += [{"role": "standby", "in_sync": ready} for ready in in_sync]
    assert [one.health for one in examine_cluster({"active": active, "status": {"servers": servers}})] == healths


def test_a_server_without_a_cluster_needs_no_standby() -> None:
    assert list(examine_cluster({"active": "h:1", "status": None})) == []


def test_modes_and_warnings_of_the_server() -> None:
    assert examine_mode(0o40700, "/data").health == "ok"
    assert examine_mode(0o40750, "/data").advice == "chmod 700 /data"
    remark = {"code": "paused", "level": "note", "subject": "queue://q", "text": "it waits", "advice": "resume it"}
    assert of_remark(remark).health == "ok"
    assert of_remark({**remark, "level": "error"}).health == "error"
