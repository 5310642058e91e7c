"""The commands `rmimom-admin cluster` against an active server and its standby, all of them real processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.admin import run_admin
from support.commands import run_command
from support.processes import ServerProcess, start_name_server, start_server, start_standby, wait_for

from rmimom.client.factory import ConnectionFactory
from rmimom.errors import JMSError

pytestmark = pytest.mark.timeout(300)

# A busy machine is not to be taken for a dead one; that a server is gone is seen without its heartbeat, too.
HTTP = ("--http", "127.0.0.1:0", "--heartbeat-interval", "5")
SERVER = {"server_id", "address", "role", "in_sync", "phase", "behind", "copied", "to_copy"}
STATUS = {
    *("cluster", "server_id", "phase", "position", "suspected", "refusal"),
    *("configuration", "epoch", "forced", "why", "servers"),
}


def admin(server: ServerProcess, *arguments: str) -> Result:
    """Run rmimom-admin on a server's machine."""
    return run_admin("--data", server.data, *arguments, home=server.data.parent, RMIMOM_ADMIN_PASSWORD="")


def url_of(server: ServerProcess) -> str:
    """Where it serves HTTP."""
    return f"http://127.0.0.1:{server.facts['http']}"


def cluster_status(server: ServerProcess) -> dict[str, Any]:
    """How the server sees its cluster."""
    ended = admin(server, "cluster", "status", "--json")
    assert ended.exit_code == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)["status"]
    return found


def in_sync(server: ServerProcess) -> set[str]:
    """The ids of the servers that are in sync, by what this one says."""
    return {entry["server_id"] for entry in cluster_status(server)["servers"] if entry["in_sync"]}


def identity(server: ServerProcess) -> str:
    """Its id."""
    return str(server.facts["server_id"])


@contextmanager
def pair_on(home: Path, nameserver: str) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """An active server, and a standby in sync with it."""
    with (
        start_server(home / "a", *HTTP, nameserver=nameserver) as active,
        start_standby(home / "b", *HTTP, nameserver=nameserver) as standby,
    ):
        wait_for(lambda: in_sync(active) == {identity(active), identity(standby)}, "standby in sync")
        yield active, standby


@contextmanager
def pair(home: Path) -> Iterator[tuple[str, ServerProcess, ServerProcess]]:
    """The place of a name server, an active server, and a standby in sync with it."""
    with start_name_server(home / "names") as names, pair_on(home, names.location) as (active, standby):
        yield names.location, active, standby


class Load:
    """A program that sends without a pause, and counts what was confirmed."""

    def __init__(self, nameserver: str) -> None:
        self.confirmed = 0
        self.errors: list[JMSError] = []
        self._end = threading.Event()
        self._nameserver = nameserver
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with ConnectionFactory(nameserver=self._nameserver).create_connection() as connection:
                session = connection.create_session()
                sender = session.create_sender(session.queue("work"))
                while not self._end.is_set():
                    sender.send(str(self.confirmed))
                    self.confirmed += 1
        except JMSError as error:
            self.errors.append(error)

    def more(self) -> None:
        """Wait until twenty more are confirmed."""
        goal = self.confirmed + 20
        wait_for(lambda: self.confirmed >= goal or self.errors, "confirmed messages")

    def end(self) -> None:
        """Send no more."""
        self._end.set()
        self._thread.join()


def waiting(nameserver: str) -> list[str]:
    """Everything that waits in the queue."""
    with ConnectionFactory(nameserver=nameserver).create_connection() as connection:
        session = connection.create_session()
        with session.create_browser(session.queue("work")) as browser:
            return [str(message.body) for message in browser]


def test_a_switchover_under_load_is_no_error(tmp_path: Path) -> None:
    with pair(tmp_path) as (nameserver, active, standby):
        load = Load(nameserver)
        try:
            load.more()
            ended = admin(active, "cluster", "switchover", "--to", standby.location)
            assert ended.exit_code == 0, ended.stderr
            assert ended.stdout.startswith(
                f"server {identity(standby)} at {standby.location} is active, in configuration"
            )
            load.more()
        finally:
            load.end()
        assert load.errors == []
        wait_for(lambda: in_sync(standby) == {identity(active), identity(standby)}, "old active in sync")
        assert waiting(nameserver) == [str(number) for number in range(load.confirmed)]
        # And back again, to the one that is there.
        assert admin(standby, "cluster", "switchover").exit_code == 0
        wait_for(lambda: cluster_status(active)["phase"] == "active", "the first one active")


def test_status_of_both(tmp_path: Path) -> None:
    with pair(tmp_path) as (_, active, standby):
        found = cluster_status(active)
        assert set(found) == STATUS
        assert all(set(entry) == SERVER for entry in found["servers"])
        assert [(entry["server_id"], entry["address"], entry["role"]) for entry in found["servers"]] == [
            (identity(active), active.location, "active"),
            (identity(standby), standby.location, "standby"),
        ]
        assert found["phase"] == "active"
        assert found["servers"][1]["phase"] == "in step"
        of_standby = cluster_status(standby)
        assert set(of_standby) == STATUS
        assert of_standby["phase"] == "following"
        assert of_standby["configuration"] == found["configuration"]
        text = admin(active, "cluster", "status").stdout
        assert f"{identity(standby)}  {standby.location}  standby  yes      in step" in text
        # A standby has nothing else to administer, and says so.
        refused = admin(standby, "queue", "ls")
        assert (refused.exit_code, "is not the active one" in refused.stderr) == (2, True)
        running = run_command("rmimom.server_cli", "status", "--data", standby.data, home=tmp_path)
        assert running.returncode == 0
        assert "is standby, following" in running.stdout
        assert f"active       {identity(active)}; this server is in sync" in running.stdout


def test_what_is_refused(tmp_path: Path) -> None:
    with pair(tmp_path) as (_, active, standby):
        for server, arguments, code, said in [
            (standby, ["switchover"], 1, f"the active is {identity(active)} at {active.location}"),
            (active, ["switchover", "--to", "nobody"], 1, "no standby nobody is in sync"),
            (active, ["promote", "--force", "--yes"], 1, "active already"),
            (standby, ["promote"], 2, "--force"),
            (standby, ["promote", "--force"], 2, "--yes"),
        ]:
            ended = admin(server, "cluster", *arguments)
            assert (ended.exit_code, said in ended.stderr) == (code, True), ended.stderr
        for login in (
            {"RMIMOM_ADMIN_PASSWORD": "guessed"},
            {"RMIMOM_ADMIN_USER": "@local", "RMIMOM_ADMIN_PASSWORD": "x"},
        ):
            stranger = run_admin("--url", url_of(standby), "cluster", "status", home=tmp_path, **login)
            assert (stranger.exit_code, "refuses the login" in stranger.stderr) == (1, True), stranger.stderr
        assert cluster_status(standby)["phase"] == "following"


def test_an_order_goes_on_to_the_active_server(tmp_path: Path) -> None:
    """Given a login, when a standby is asked, then the active one that it names is asked instead."""
    with pair(tmp_path) as (_, active, standby):
        added = run_admin(
            *("--data", active.data, "user", "add", "olga", "--role", "operator"),
            home=tmp_path,
            text="secret\n",
            RMIMOM_ADMIN_PASSWORD="",
        )
        assert added.exit_code == 0, added.stderr
        login = ("--user", "olga")

        def followed() -> bool:
            ended = run_admin("--url", url_of(standby), *login, "queue", "create", "far", home=tmp_path)
            return ended.exit_code == 0

        wait_for(followed, "the place of the active in a beat")
        assert "far" in admin(active, "queue", "ls").stdout
        found = json.loads(run_admin("--url", url_of(standby), *login, "status", "--json", home=tmp_path).stdout)
        assert (found["role"], found["active_http"]) == ("standby", url_of(active))
        # When the active is gone, the next URL leads to the one that took over.
        urls = ("--url", url_of(active), "--url", url_of(standby))
        active.kill()
        wait_for(
            lambda: run_admin(*urls, *login, "queue", "create", "later", home=tmp_path).exit_code == 0, "new active"
        )
        watched = run_admin(*urls, *login, "cluster", "status", "--watch", "0.1", "--times", "2", home=tmp_path)
        assert watched.stdout.count(f"active   {standby.location}") == 2


def test_promote_a_standby_that_was_not_in_sync(tmp_path: Path) -> None:
    with start_name_server(tmp_path / "names") as names:
        with pair_on(tmp_path, names.location) as (active, standby):
            standby.kill()
            wait_for(lambda: in_sync(active) == {identity(active)}, "active alone")
            load = Load(names.location)
            load.more()
            load.end()
            assert load.errors == []
            active.kill()
        with start_standby(tmp_path / "b", *HTTP, nameserver=names.location) as left:
            # It knows that it was left behind, so it waits for an operator.
            assert cluster_status(left)["phase"] != "active"
            ended = admin(left, "cluster", "promote", "--force", "--yes")
            assert ended.exit_code == 0, ended.stderr
            assert f"server {identity(left)} at {left.location} is active" in ended.stdout
            found = cluster_status(left)
            assert (found["forced"], found["phase"], in_sync(left)) == (True, "active", {identity(left)})
            assert "an operator forces" in left.log
            with ConnectionFactory(nameserver=names.location).create_connection() as connection:
                session = connection.create_session()
                session.create_sender(session.queue("work")).send("after")
            assert waiting(names.location) == ["after"]
