"""The command rmimom-admin against a real server."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import Pyro5.api
import pytest
from support.commands import free_port, run_command
from support.processes import (
    TIME_LIMIT,
    NameServerProcess,
    ServerProcess,
    clean_environment,
    start_name_server,
    start_server,
)

from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import INDIVIDUAL_ACKNOWLEDGE

Ended = subprocess.CompletedProcess[str]
Admin = Callable[..., Ended]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for everything."""
    return tmp_path_factory.mktemp("admin")


@pytest.fixture(scope="module")
def names(home: Path) -> Iterator[NameServerProcess]:
    """A name server."""
    with start_name_server(home / "names") as running:
        yield running


@pytest.fixture(scope="module")
def server(home: Path, names: NameServerProcess) -> Iterator[ServerProcess]:
    """A server, found by RMIMOM_DATA."""
    with start_server(home / "data", nameserver=names.location) as running:
        yield running


@pytest.fixture
def admin(home: Path, server: ServerProcess) -> Admin:
    """Run rmimom-admin on the server's machine."""

    def run(*arguments: object, text: str = "", **variables: str) -> Ended:
        return run_command(
            "rmimom.admin.cli", *arguments, home=home, text=text, **{"RMIMOM_DATA": str(server.data), **variables}
        )

    return run


def password_of(server: ServerProcess) -> str:
    """The administrator's password, from the banner."""
    found = re.search(r"with the password (\S+)", server.output)
    assert found is not None
    return found[1]


def test_queues_are_created_shown_emptied_and_deleted(admin: Admin, server: ServerProcess) -> None:
    assert admin("queues").stdout == "there are no queues\n"
    assert admin("create", "queue", "work").stdout == "created queue work\n"
    assert admin("create", "queue", "work").stdout == "queue work is there already\n"
    with Pyro5.api.Proxy(server.uri("rmimom.queue.work")) as queue:
        for number in range(3):
            queue.send({"body": str(number)}, "somebody")
    [shown] = json.loads(admin("queues", "--json").stdout)
    assert shown.pop("created") > 1_700_000_000_000
    assert [shown] == [
        {
            "kind": "queue",
            "name": "work",
            "pending": 3,
            "held": 0,
            "consumers": 0,
            "subscriptions": 0,
            "enqueued": 3,
            "dequeued": 0,
            "expired": 0,
            "moved": 0,
            "delayed": 0,
            "paused": False,
            "temporary": False,
        }
    ]
    assert [line.split() for line in admin("queues").stdout.splitlines()] == [
        ["name", "waiting", "with", "consumers", "consumers", "sent", "done", "expired", "moved"],
        ["work", "3", "0", "0", "3", "0", "0", "0"],
    ]
    assert admin("purge", "queue", "work", "--yes").stdout == "removed 3 messages from queue work\n"
    assert admin("delete", "queue", "work", "--yes").stdout == "deleted queue work\n"
    assert json.loads(admin("queues", "--json").stdout) == []


def test_topics_and_subscriptions(admin: Admin, server: ServerProcess) -> None:
    assert admin("topics").stdout == "there are no topics\n"
    assert admin("subscriptions").stdout == "there are no durable subscriptions\n"
    assert admin("create", "topic", "news").stdout == "created topic news\n"

    class Client:
        @Pyro5.api.expose
        def new_message(self, message: object) -> bool:
            del message
            return True

        @Pyro5.api.expose
        def get_client_id(self) -> str:
            return "reader"

    with Pyro5.api.Daemon() as daemon, Pyro5.api.Proxy(server.uri("rmimom.topic.news")) as topic:
        uri = daemon.register(Client())
        thread = threading.Thread(target=daemon.requestLoop, daemon=True)
        thread.start()
        topic.subscribe("reader", uri)
        daemon.shutdown()
        thread.join(TIME_LIMIT)
    found = json.loads(admin("subscriptions", "--json").stdout)
    assert [set(entry) for entry in found] == [{"client_id", "name", "topic", "active", "pending", "held", "dequeued"}]
    assert (found[0]["topic"], found[0]["pending"]) == ("news", 0)
    assert "reader" in admin("subscriptions").stdout
    assert admin("topics").stdout.splitlines()[1].split() == ["news", "0", "0", "1", "0", "0", "0", "0", "1"]


def test_dead_letters_are_shown_and_sent_back(admin: Admin, server: ServerProcess) -> None:
    """A16: by the command line, one or all."""
    admin("create", "queue", "DLQ.orders")
    assert admin("dlq", "ls", "DLQ.orders").stdout == "no dead letters in DLQ.orders\n"
    with ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection("app", "") as connection:
        session = connection.create_session(INDIVIDUAL_ACKNOWLEDGE)
        orders = session.queue("orders")
        session.create_sender(orders).send_many(["one", "two", "three"])
        connection.start()
        with session.create_receiver(orders) as receiver:
            for message in (receiver.receive(TIME_LIMIT) for _ in range(3)):
                assert message is not None
                message.nack("no such customer", dead=True)
        found = json.loads(admin("dlq", "ls", "DLQ.orders", "--json").stdout)
        assert [letter["reason"] for letter in found] == ["no such customer"] * 3
        assert found[0]["original_destination"] == "queue://orders"
        assert (found[0]["failures"], found[0]["deliveries"], found[0]["held"]) == (1, 1, False)
        shown = admin("dlq", "ls", "DLQ.orders").stdout.splitlines()
        assert shown[0].split() == ["id", "sent", "to", "failures", "dead", "since", "(UTC)", "reason"]
        assert shown[1].split()[:3] == [str(found[0]["id"]), "queue://orders", "1"]
        with (
            connection.create_session(INDIVIDUAL_ACKNOWLEDGE) as looking,
            looking.create_receiver(looking.queue("DLQ.orders"), prefetch=1) as receiver,
        ):
            letter = receiver.receive(TIME_LIMIT)
            assert letter is not None
            assert letter.body == "one"
            assert letter.properties["JMS_rmimom_original_destination"] == "queue://orders"
            assert letter.properties["JMS_rmimom_dead_reason"] == "no such customer"
        once = admin("dlq", "retry", "DLQ.orders", "--id", found[1]["id"])
        assert once.stdout == "sent 1 message back from DLQ.orders\n"
        assert admin("dlq", "retry", "DLQ.orders", "--all").stdout == "sent 2 messages back from DLQ.orders\n"
        with session.create_receiver(orders) as receiver:
            again = [receiver.receive(TIME_LIMIT) for _ in range(3)]
            assert [message.body for message in again if message] == ["one", "two", "three"]
            for message in again:
                assert message is not None
                assert "JMS_rmimom_retried_at" in message.properties
                message.acknowledge()
    missing = admin("dlq", "retry", "DLQ.orders", "--id", found[1]["id"])
    assert (missing.returncode, missing.stderr) == (1, "Error: 1 of the ids stayed or are not there\n")
    assert admin("dlq", "retry", "DLQ.orders").returncode == 2
    assert "there is no queue named" in admin("dlq", "ls", "nothing").stderr


def test_schedules_are_shown_and_ended(admin: Admin, server: ServerProcess) -> None:
    assert admin("schedule", "ls").stdout == "nothing is scheduled\n"
    with ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection("app", "") as connection:
        session = connection.create_session()
        reports = session.queue("scheduled.reports")
        sender = session.create_sender(reports)
        for name in ("one", "two"):
            sender.send(name, properties={"AMQ_SCHEDULED_CRON": "0 0 29 2 *"})
        found = json.loads(admin("schedule", "ls", "--json").stdout)
        assert [(one["destination"], one["cron"], one["sent"]) for one in found] == [
            (str(reports), "0 0 29 2 *", 0)
        ] * 2
        shown = admin("schedule", "ls").stdout.splitlines()
        assert shown[1].split()[:3] == [str(found[0]["id"]), str(reports), shown[2].split()[2]]
        assert shown[1].endswith("cron 0 0 29 2 *")
        now = admin("schedule", "deliver", "--id", found[1]["id"])
        assert now.stdout == "sent 1 scheduled message\n"
        with session.create_receiver(reports) as receiver:
            message = receiver.receive(TIME_LIMIT)
            assert message is not None
            assert message.body == "two"
    assert admin("schedule", "cancel", "--id", found[0]["id"]).stdout == "cancelled 1 scheduled message\n"
    missing = admin("schedule", "cancel", "--id", found[0]["id"])
    assert (missing.returncode, missing.stderr) == (1, "Error: 1 of the ids are not scheduled\n")
    assert admin("schedule", "cancel", "--all").stdout == "cancelled 1 scheduled message\n"
    assert admin("schedule", "cancel").returncode == 2


def test_status(admin: Admin, server: ServerProcess, names: NameServerProcess) -> None:
    found = json.loads(admin("status", "--json").stdout)
    assert {name: found[name] for name in ("version", "role", "epoch", "pid", "address", "data")} == {
        "version": "0.1.0",
        "role": "active",
        "epoch": 1,
        "pid": server.pid,
        "address": server.location,
        "data": str(server.data),
    }
    assert found["registration"]["complete"] is True
    lines = admin("status").stdout.splitlines()
    assert lines[0] == "server       rmimom 0.1.0, active in epoch 1 of rmimom"
    assert lines[1] == f"address      {server.location}, process {server.pid}"
    assert lines[3].startswith(f"name server  {names.location}, ")


def test_every_shape_that_is_printed_is_documented(admin: Admin) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "administration.md").read_text(encoding="utf-8")
    admin("create", "topic", "documented")
    for command in ("status", "topics", "queues", "subscriptions", "user ls"):
        found = json.loads(admin(*command.split(), "--json").stdout)
        for entry in [found] if isinstance(found, dict) else found:
            assert [name for name in entry if f"`{name}`" not in page] == [], command


def test_users(admin: Admin) -> None:
    assert json.loads(admin("user", "ls", "--json").stdout) == [{"name": "admin", "administrator": True}]
    assert admin("user", "add", "alice", text="secret\n").stdout == "added user alice\n"
    ended = admin("user", "add", "alice", text="other\n")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "there is a user alice already; change the password with: user passwd alice" in ended.stderr
    assert admin("user", "passwd", "alice", text="new").stdout == "changed the password of alice\n"
    assert admin("user", "ls").stdout.splitlines()[1:] == ["admin  yes", "alice  no"]
    # A user is no administrator.
    ended = admin("--user", "alice", "topics", RMIMOM_ADMIN_PASSWORD="new")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "administration needs the login of an administrator" in ended.stderr
    assert admin("user", "rm", "alice").stdout == "removed user alice\n"
    assert admin("user", "rm", "alice").returncode == 1
    ended = admin("user", "passwd", "alice", text="new\n")
    assert "there is no user alice; add one with: user add alice" in ended.stderr


def test_ways_to_log_in(admin: Admin, server: ServerProcess, names: NameServerProcess, home: Path) -> None:
    password = password_of(server)
    file = home / "password"
    file.write_text(password + "\nanything else\n")
    nowhere = {"RMIMOM_DATA": str(home / "nowhere")}
    for ended in (
        admin("--server", server.location, "status", RMIMOM_ADMIN_PASSWORD=password, **nowhere),
        admin("--server", server.uri("rmimom.Administration"), "--password-file", file, "status", **nowhere),
        admin("--nameserver", names.location, "--user", "admin", "--password-file", file, "status", **nowhere),
        admin("status", RMIMOM_NAMESERVER=names.location, RMIMOM_ADMIN_PASSWORD_FILE=str(file), **nowhere),
        admin("--password-file", "-", "--server", server.location, "status", text=password, **nowhere),
        admin("--data", server.data, "status", **nowhere),
        # Found in the name server, but the very server of the token.
        admin("--nameserver", names.location, "status"),
    ):
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "complaint"),
    [
        (("--server", "{server}", "status"), {"RMIMOM_DATA": "/none"}, 1, "needs a login: give --user"),
        (("status",), {"RMIMOM_ADMIN_PASSWORD": "wrong"}, 1, "the user name or the password is wrong"),
        (("--user", "bob", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 1, "the user name or the password is wrong"),
        (("--user", "bob", "status"), {}, 2, "bob needs a password: give --password-file or RMIMOM_ADMIN_PASSWORD"),
        (("--password-file", "/none", "status"), {}, 2, "cannot read the password in /none"),
        (("--server", "127.0.0.1:{free}", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 1, "does not answer"),
        (("--nameserver", "127.0.0.1:{free}", "status"), {}, 1, "no name server answers at 127.0.0.1:"),
        (("--server", "nonsense", "status"), {}, 2, "--server is 'nonsense', but must be HOST:PORT or a PYRO: URI"),
        (("--server", "PYRO:x@{server}", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 1, "x@{server}"),
        (("create", "topic", "a b"), {}, 1, "the topic name 'a b' holds ' ' at position 1"),
        (("create", "table", "a"), {}, 2, "'table' is not one of 'topic', 'queue'"),
        (("create", "topic", "rmimom.x"), {}, 1, "names that start with 'rmimom.' belong to the server"),
        (("delete", "queue", "none", "--yes"), {}, 1, "there is no queue named 'none'"),
        (("delete", "queue", "none"), {}, 2, "nobody can be asked here: add --yes"),
        (("purge", "queue", "none"), {}, 2, "nobody can be asked here: add --yes"),
        (("purge", "topic", "none", "--yes"), {}, 2, "'topic' is not 'queue'"),
        (("user", "add", "bob"), {}, 2, "no password came on the standard input"),
        (("user", "add", "@local"), {}, 1, "is the server's"),
    ],
)
def test_what_goes_wrong_is_said(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    complaint: str,
    admin: Admin,
    server: ServerProcess,
) -> None:
    facts = {"server": server.location, "free": free_port()}
    text = "secret\n" if "@local" in arguments else ""
    ended = admin(*(argument.format(**facts) for argument in arguments), text=text, **variables)
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
    assert complaint.format(**facts) in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_the_token_is_shown_to_no_other_server(admin: Admin, names: NameServerProcess, home: Path) -> None:
    # The name server leads to a server that is not the one of the token.
    with start_server(home / "other") as other, names.proxy() as proxy:
        before = proxy.lookup("rmimom.Administration")
        proxy.register("rmimom.Administration", other.uri("rmimom.Administration"))
        ended = admin("--nameserver", names.location, "status")
        proxy.register("rmimom.Administration", before)
    assert ended.returncode == 1
    assert f"{other.uri('rmimom.Administration')} needs a login" in ended.stderr


def test_a_token_of_a_killed_server(home: Path) -> None:
    with start_server(home / "killed") as server:
        server.kill()
    ended = run_command("rmimom.admin.cli", "--data", home / "killed", "status", home=home)
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr
    assert "rmimom-server status" in ended.stderr


def at_terminal(server: ServerProcess, home: Path, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """Run rmimom-admin at a terminal: wait for each prompt and type its answer; code and all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rmimom.admin.cli", "--data", str(server.data), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=clean_environment(home),
    )
    os.close(theirs)
    try:
        for prompt, answer in answers:
            read_until(ours, prompt)
            os.write(ours, answer.encode() + b"\n")
        shown = read_until(ours, None)
        return process.wait(TIME_LIMIT), shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, prompt: str | None) -> str:
    """What is shown up to the prompt, or (None) to the end of the program."""
    shown = ""
    while prompt is None or prompt not in shown:
        assert select.select([terminal], [], [], TIME_LIMIT)[0], f"nothing more came after {shown!r}"
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side is gone
            data = b""
        if not data:
            assert prompt is None, f"it ended before {prompt!r}: {shown!r}"
            break
        shown += data.decode().replace("\r\n", "\n")
    return shown


def test_at_a_terminal_people_are_asked(server: ServerProcess, home: Path) -> None:
    with server.administration() as administration:
        administration.create("queue", "asked")
    code, shown = at_terminal(
        server, home, [("Remove all messages that wait in queue asked?", "n")], "purge", "queue", "asked"
    )
    assert code == 1
    assert "Aborted!" in shown
    code, shown = at_terminal(server, home, [("Delete queue asked and everything", "y")], "delete", "queue", "asked")
    assert (code, shown.splitlines()[-1]) == (0, "deleted queue asked")


def test_at_a_terminal_passwords_are_asked_for_and_not_shown(server: ServerProcess, home: Path) -> None:
    answers = [("New password of carol: ", "secret"), ("Repeat for confirmation: ", "secret")]
    code, shown = at_terminal(server, home, answers, "user", "add", "carol")
    assert (code, shown.strip()) == (0, "added user carol")
    answers = [("Password of admin: ", password_of(server))]
    code, shown = at_terminal(server, home, answers, "--user", "admin", "user", "rm", "carol")
    assert (code, shown.strip()) == (0, "removed user carol")


def test_help_has_examples(home: Path) -> None:
    for arguments in ((), ("create",), ("delete",), ("purge",), ("user", "add")):
        ended = run_command("rmimom.admin.cli", *arguments, "--help", home=home)
        assert ended.returncode == 0
        assert "rmimom-admin " in ended.stdout
