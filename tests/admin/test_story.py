"""What a newcomer does with the command line alone, from the first queue to a failover."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from click.testing import Result
from support.admin import run_admin
from support.processes import ServerProcess, start_name_server, start_server, start_standby, wait_for

pytestmark = pytest.mark.timeout(300)

# A busy machine is not to be taken for a dead one; that a server is gone is seen without its heartbeat, too.
HTTP = ("--http", "127.0.0.1:0", "--heartbeat-interval", "5")


def url_of(server: ServerProcess) -> str:
    """Where it serves HTTP."""
    return f"http://127.0.0.1:{server.facts['http']}"


def test_from_the_first_queue_to_a_failover(tmp_path: Path) -> None:
    with (
        start_name_server(tmp_path / "names") as names,
        start_server(tmp_path / "one", *HTTP, nameserver=names.location) as one,
        start_standby(tmp_path / "two", *HTTP, nameserver=names.location) as two,
    ):

        def run(*arguments: object, text: str | None = None) -> str:
            ended: Result = run_admin(*arguments, home=tmp_path, text=text, RMIMOM_ADMIN_PASSWORD="")
            assert ended.exit_code == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
            return ended.stdout

        # On the server's machine: a user for later, and a name for both servers.
        run("--data", one.data, "user", "add", "olga", "--role", "operator", text="secret\n")
        (tmp_path / "password").write_text("secret\n")
        run(
            *("context", "add", "here", url_of(one), url_of(two)),
            *("--user", "olga", "--password-file", tmp_path / "password", "--use"),
        )
        run("queue", "create", "orders")
        assert run("send", "orders", "three apples", "-p", "colour=red").startswith("sent 1 message ID:")
        run("send", "orders", "--lines", text="a pear\na plum\n")
        assert "three apples" in run("browse", "orders")
        assert run("move", "orders", "orders.red", "--selector", "colour = 'red'") == (
            "moved 1 message from orders to orders.red\n"
        )
        # A dead letter comes about, is looked at, and is sent back.
        run("bury", "orders", "--text", "pear", "--reason", "no pears today", "--yes")
        [letter] = json.loads(run("dlq", "ls", "DLQ.orders", "--json"))
        assert letter["dead_letter"]["reason"] == "no pears today"
        assert run("dlq", "retry", "DLQ.orders", "--all") == "sent back 1 message from DLQ.orders\n"
        run("send", "orders", "a fig", "--correlation-id", "fig")
        # A message's life is told, also after its end.
        [gone] = json.loads(run("send", "brief", "a word", "--json"))["message_ids"]
        run("receive", "brief")
        life = json.loads(run("trace", gone, "--json"))
        assert life["places"] == []
        assert [event["what"] for event in life["events"]] == ["sent", "removed", "gone"]
        wait_for(lambda: "standby  yes" in run("cluster", "status"), "a standby in sync")
        # And when the active server dies, the same words lead to the one that takes over.
        shown: list[str] = []
        watching = threading.Event()

        def watch() -> None:
            while not watching.is_set():
                shown.append(run("cluster", "status", "--watch", "0.1", "--times", "1"))

        watcher = threading.Thread(target=watch)
        watcher.start()
        wait_for(lambda: any(one.location in text for text in shown), "a look before")
        one.kill()
        wait_for(lambda: any(f"active   {two.location}" in text for text in shown[-1:]), "a look at the new active")
        watching.set()
        watcher.join()
        assert "a fig" in run("receive", "orders", "--selector", "JMSCorrelationID = 'fig'")
        assert [row["pending"] for row in json.loads(run("queue", "ls", "--filter", "orders", "--json"))] == [0, 2, 1]
