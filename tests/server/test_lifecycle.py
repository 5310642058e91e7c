"""One server as a real process: how it starts, what it says, and how it ends."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import Pyro5.api
import pytest
from support.commands import run_command
from support.processes import TIME_LIMIT, RunningProcess, ServerProcess, start_name_server, start_server, wait_for

from rmimom.errors import StoreError, StoreFullError
from rmimom.rmi.exceptions import register_errors
from rmimom.server.pidfile import running_pid

SERVER = "rmimom.server_cli"


def send(uri: str, *bodies: str) -> None:
    """Send to a queue as a bare Pyro5 program."""
    with Pyro5.api.Proxy(uri) as queue:
        queue._pyroTimeout = TIME_LIMIT
        for body in bodies:
            queue.send({"body": body}, "somebody")


def test_it_says_where_everything_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_name_server() as names, start_server(data, nameserver=names.location) as server:
        password = re.search(
            r"\n  login        admin with the password (\S{22})  \(shown only this once\)\n", server.output
        )
        assert password is not None
        assert re.sub(r"\(\d.*? KiB\)|\S{22}(?=  \()|in \d\.\d\d s", "*", server.output).splitlines() == [
            "rmimom-server 0.1.0 is active in epoch 1 of rmimom",
            f"  address      {server.location}",
            f"  data         {data} *",
            "  recovered    0 messages, 0 queues, 0 topics, 0 durable subscriptions *",
            f"  name server  {names.location}",
            "  names        rmimom.ConnectionFactory",
            "               rmimom.Administration",
            f"  to stop      Ctrl-C, or: rmimom-server stop --data {data}",
            "  login        admin with the password *  (shown only this once)",
        ]
        assert password[1] not in server.log
        assert server.facts == {
            "pid": server.pid,
            "host": "127.0.0.1",
            "port": server.port,
            "nameserver": names.location,
            "server_id": (data / "server-id").read_text().strip(),
            "epoch": 1,
            "data": str(data),
            "version": "0.1.0",
            "stomp": {},
            "http": 0,
        }
        assert data.stat().st_mode & 0o777 == 0o700
        assert running_pid(data / "rmimom.pid") == server.pid


def test_a_new_start_recovers_in_a_new_epoch_and_keeps_its_secret(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        with server.administration() as administration:
            administration.create("queue", "work")
            administration.create("topic", "news")
        send(server.uri("rmimom.queue.work"), "a", "b")
        server.kill()
    for epoch in (2, 3, 4):
        with start_server(data) as server:
            assert f" is active in epoch {epoch} of rmimom\n" in server.output
            assert "  recovered    2 messages, 1 queue, 1 topic, 0 durable subscriptions in " in server.output
            assert "password" not in server.output
            with server.administration() as administration:
                assert administration.status()["epoch"] == epoch
            server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(number: int, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_name_server() as names, start_server(data, nameserver=names.location) as server:
        with server.administration() as administration:
            administration.create("topic", "news")
        wait_for(lambda: len(names.names()) == 3, "names")
        with (
            socket.create_connection(("127.0.0.1", server.port)) as silent,
            Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory,
        ):
            silent.sendall(b"PYRO")
            factory.create_connection("a", "b")
            assert server.stop(number) == 0
        assert names.names() == {}
        assert f"{signal.Signals(number).name}: stopping" in server.log
        assert server.log.splitlines()[-1].endswith("stopped")
        assert "Traceback" not in server.log
        assert not server.ready_file.exists()
        assert not {"rmimom.pid", "admin-token"} & {path.name for path in data.iterdir()}


def test_a_second_signal_cuts_short_what_waits_for_others(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        names.pause()
        server.process.terminate()
        server.wait_logged("SIGTERM: stopping")
        assert server.stop() == 0
        assert "SIGTERM again: stopping at once" in server.log
        assert "could not wait any longer to withdraw the names" in server.log
        names.resume()


def test_when_the_store_fails_it_ends_and_says_why(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        with server.administration() as administration:
            administration.create("queue", "work")
        send(server.uri("rmimom.queue.work"), "safe")
        # From now on large files of this process cannot grow: an error of the disk, but there is room on it.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
        register_errors()
        with pytest.raises(StoreError, match="the server cannot go on and is stopping"):
            send(server.uri("rmimom.queue.work"), "x" * 1_000_000)
        assert server.wait_ended() == 1
        assert "CRITICAL server      the server ends because it cannot go on: " in server.log
    with start_server(data) as server:
        assert "recovered    1 message, " in server.output


def fill_disk(server: ServerProcess) -> None:
    """No file of the server can grow, not even by a little: what a full disk is to it."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (40_000, hard))


def make_room(server: ServerProcess) -> None:
    """Its files can grow again."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def sending(server: ServerProcess, body: str) -> Iterator[Future[None]]:
    """A send that may have to wait."""
    with ThreadPoolExecutor(1) as worker:
        yield worker.submit(send, server.uri("rmimom.queue.work"), body)


def test_a_full_disk_delays_and_loses_nothing(tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as server:
        with server.administration() as administration:
            administration.create("queue", "work")
        fill_disk(server)
        with sending(server, "x" * 100_000) as sent:
            server.wait_logged("sends are refused until there is room")
            with pytest.raises(StoreFullError, match="send again when there is room"):
                send(server.uri("rmimom.queue.work"), "y")
            assert not sent.done()
            make_room(server)
        assert sent.result() is None
        send(server.uri("rmimom.queue.work"), "z")
        server.kill()
    with start_server(tmp_path / "data") as server:
        assert "recovered    2 messages, " in server.output


def test_a_stop_on_a_full_disk_can_be_hurried(tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as server:
        with server.administration() as administration:
            administration.create("queue", "work")
        send(server.uri("rmimom.queue.work"), "safe")
        fill_disk(server)
        with sending(server, "x" * 100_000) as sent:
            server.wait_logged("sends are refused until there is room")
            server.process.terminate()
            server.wait_logged("SIGTERM: stopping")
            assert server.stop() == 0
        with pytest.raises((Pyro5.errors.PyroError, StoreError)):
            sent.result()
    with start_server(tmp_path / "data") as server:
        assert "recovered    1 message, " in server.output


USAGE = [
    ((), "say what the server is to be: --active or --standby"),
    (("--active", "--standby"), "--active or --standby, not both"),
    (("--standby",), "a standby finds the active server through the name server; say where it is with --nameserver"),
    (("start",), "say what the server is to be: --active"),
    (("start", "--active", "--standby"), "--active or --standby, not both"),
    (("--active", "--port", "many"), "--port is 'many', but must be a whole number"),
    (("--active", "--bort", "1"), "No such option"),
    (("--active", "start"), "options belong after 'start', not before it"),
    (("--active", "--config", "none.toml"), "cannot read the settings in none.toml: No such file"),
    (("--active", "--host", "no.such.host.invalid"), "has no address"),
    (("--active", "--host", "192.0.2.1"), "the server has no users"),
    (("--active", "--pidfile", "/proc/none/pid"), "cannot write the pidfile /proc/none/pid"),
    (("stop", "--wait", "0"), "Invalid value for '--wait'"),
]


@pytest.mark.parametrize(("arguments", "complaint"), USAGE)
def test_wrong_options_end_with_code_2(arguments: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    ended = run_command(SERVER, *arguments, home=tmp_path, RMIMOM_NAMESERVER="none", RMIMOM_PORT="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert complaint in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_settings_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rmimom.toml"
    file.write_text("cluster = 'east'\nauto_create = false\nlog_level = 'warning'\n")
    data = tmp_path / "data"
    with start_server(data, "--config", str(file), RMIMOM_CLUSTER="west", RMIMOM_HEARTBEET="1") as server:
        assert " of west\n" in server.output
        assert "RMIMOM_HEARTBEET is no setting of the server; did you mean RMIMOM_HEARTBEAT?" in server.log
        assert "INFO" not in server.log
        with server.administration() as administration:
            assert administration.status()["cluster"] == "west"
        with Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory:
            assert factory.create_connection("a", "b")["heartbeat"] == 10


def test_a_store_in_memory_forgets(tmp_path: Path) -> None:
    for _ in range(2):
        with start_server(tmp_path / "data", "--store", "memory") as server:
            assert "in memory: nothing survives a stop" in server.output
            assert "recovered    0 messages, 0 queues" in server.output
            with server.administration() as administration:
                administration.create("queue", "work")
            server.stop()
    assert not (tmp_path / "data" / "rmimom.db").exists()


def test_an_address_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_command(
            SERVER, "--active", "--port", port, "--nameserver", "none", "--data", tmp_path / "data", home=tmp_path
        )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert f"cannot listen on 127.0.0.1:{port}: " in ended.stderr
    assert running_pid(tmp_path / "data" / "rmimom.pid") is None
    # It was no first start: the password of the administrator is not lost.
    with start_server(tmp_path / "data") as server:
        assert "admin with the password" in server.output


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run_command(SERVER, "--active", "--nameserver", "none", "--data", tmp_path / "file" / "data", home=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "cannot be used: Not a directory; choose another with --data" in ended.stderr


def test_a_ready_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    options = (
        "--active",
        "--port",
        0,
        "--nameserver",
        "none",
        "--data",
        tmp_path / "data",
        "--ready-file",
        "/proc/none/x",
    )
    for command in ((), ("start",)):
        ended = run_command(SERVER, *command, *options, home=tmp_path)
        assert ended.returncode == 2
        assert "cannot write --ready-file /proc/none/x" in ended.stderr
        assert running_pid(tmp_path / "data" / "rmimom.pid") is None


def test_a_signal_during_the_start_is_heard(tmp_path: Path) -> None:
    with start_name_server() as names:
        names.pause()
        data = tmp_path / "data"
        options = ["--active", "--port", "0", "--nameserver", names.location, "--data", str(data)]
        starting = RunningProcess(SERVER, options, tmp_path, {})
        try:
            wait_for((data / "rmimom.pid").exists, "pidfile")  # next comes the name server
            assert starting.stop() == 0
            assert starting.output == ""
            assert not {"rmimom.pid", "admin-token"} & {path.name for path in data.iterdir()}
        finally:
            starting.process.kill()
            starting.process.wait()
            names.resume()


@pytest.mark.parametrize("store", ["sqlite", "memory"])
def test_two_servers_on_one_directory(store: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, "--store", store) as server:
        options = ("--port", 0, "--nameserver", "none", "--store", store, "--data", data)
        ended = run_command(SERVER, "--active", *options, home=tmp_path)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert f"process {server.pid}" in ended.stderr
        with server.administration() as administration:  # the first goes on, and its files are still its own
            assert administration.status()["pid"] == server.pid
        assert server.stop() == 0


def test_data_from_a_newer_version(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        server.stop()
    database = sqlite3.connect(data / "rmimom.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    ended = run_command(SERVER, "--active", "--port", 0, "--nameserver", "none", "--data", data, home=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "newer" in ended.stderr
    assert str(data) in ended.stderr


@pytest.mark.parametrize("file", ["rmimom.db", "server-id"])
def test_damaged_data(file: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        server.stop()
    garbage = b"garbage" * 1000
    (data / file).write_bytes(garbage)
    ended = run_command(SERVER, "--active", "--port", 0, "--nameserver", "none", "--data", data, home=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert str(data / file) in ended.stderr
    assert (data / file).read_bytes() == garbage


def test_other_addresses_than_loopback_need_a_user(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = ("--host", "0.0.0.0", "--advertise", "127.0.0.1")
    ended = run_command(
        SERVER, "--active", *options, "--port", 0, "--nameserver", "none", "--data", data, home=tmp_path
    )
    assert ended.returncode == 2
    assert "does not listen on 0.0.0.0" in ended.stderr
    assert "rmimom-admin user add NAME" in ended.stderr
    with start_server(data) as server:
        with server.administration() as administration:
            administration.put_user("alice", "secret")
        server.stop()
    register_errors()
    with start_server(data, *options) as server, Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory")) as factory:
        factory._pyroHandshake = {"user": "alice", "password": "secret"}
        factory.create_connection("alice", "secret")


def test_in_the_background(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = ("--data", data, "--port", 0, "--nameserver", "none")
    assert run_command(SERVER, "status", "--data", data, home=tmp_path).returncode == 1
    started = run_command(SERVER, "start", "--active", *options, home=tmp_path)
    try:
        assert (started.returncode, started.stderr) == (0, "")
        assert "rmimom-server 0.1.0 is active in epoch 1 of rmimom\n" in started.stdout
        assert f"  log          {data}/rmimom.log\n" in started.stdout
        pid = running_pid(data / "rmimom.pid")
        password = re.search(r"with the password (\S+)", started.stdout)
        assert password is not None
        assert password[1] not in (data / "rmimom.log").read_text()

        status = run_command(SERVER, "status", "--data", data, "--json", home=tmp_path)
        found = json.loads(status.stdout)
        assert (status.returncode, found["running"], found["answers"], found["pid"]) == (0, True, True, pid)
        assert (
            f"is active, epoch 1, process {pid}\n"
            in run_command(SERVER, "status", "--data", data, home=tmp_path).stdout
        )

        again = run_command(SERVER, "start", "--active", *options, home=tmp_path)
        assert (again.returncode, again.stdout) == (3, "")
        assert f"running already as process {pid}" in again.stderr
    finally:
        stopped = run_command(SERVER, "stop", "--data", data, home=tmp_path)
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped process {pid}\n")
    assert (data / "rmimom.log").read_text().splitlines()[-1].endswith("stopped")
    missing = run_command(SERVER, "stop", "--data", data, home=tmp_path)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no server is running" in missing.stderr
    gone = json.loads(run_command(SERVER, "status", "--data", data, "--json", home=tmp_path).stdout)
    assert gone == {"running": False, "pid": None, "data": str(data), "answers": False}


def test_a_start_in_the_background_that_fails_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_command(
            SERVER, "start", "--active", "--port", port, "--nameserver", "none", "--data", tmp_path / "d", home=tmp_path
        )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_a_killed_server_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        server.kill()
    assert (data / "rmimom.pid").exists()
    assert run_command(SERVER, "stop", "--data", data, home=tmp_path).returncode == 1
    assert "no server is running" in run_command(SERVER, "status", "--data", data, home=tmp_path).stdout


def test_a_server_that_hangs_is_said_to_hang(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        server.pause()
        ended = run_command(SERVER, "stop", "--data", data, "--wait", 0.1, home=tmp_path)
        assert ended.returncode == 1
        assert f"process {server.pid} is still stopping after 0.1 s" in ended.stderr
        server.resume()
        assert server.wait_ended() == 0
