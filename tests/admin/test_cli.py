"""The command rmimom-admin against a real server: how it finds one, logs in, asks people, and ends."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from support.admin import run_admin
from support.commands import free_port, run_command
from support.processes import TIME_LIMIT, ServerProcess, clean_environment, start_server

from rmimom.admin_token import read_token

HTTP = ("--http", "127.0.0.1:0")
Admin = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for everything."""
    return tmp_path_factory.mktemp("admin")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[ServerProcess]:
    """A server, found by RMIMOM_DATA."""
    with start_server(home / "data", *HTTP) as running:
        yield running


@pytest.fixture
def admin(home: Path, server: ServerProcess) -> Admin:
    """Run rmimom-admin on the server's machine, without a password."""

    def run(*arguments: object, text: str | None = None, **variables: str) -> Result:
        given = {"RMIMOM_DATA": str(server.data), "RMIMOM_ADMIN_PASSWORD": "", **variables}
        return run_admin(*arguments, home=home, text=text, **given)

    return run


def url_of(server: ServerProcess) -> str:
    """Where it serves HTTP."""
    return f"http://127.0.0.1:{server.facts['http']}"


def password_of(server: ServerProcess) -> str:
    """The administrator's password, from the banner."""
    found = re.search(r"with the password (\S+)", server.output)
    assert found is not None
    return found[1]


def test_status_of_a_real_server(admin: Admin, server: ServerProcess) -> None:
    found = json.loads(admin("status", "--json").stdout)
    assert {name: found[name] for name in ("version", "role", "epoch", "pid", "address", "data")} == {
        "version": "0.1.0",
        "role": "active",
        "epoch": 1,
        "pid": server.pid,
        "address": server.location,
        "data": str(server.data),
    }
    lines = admin("status").stdout.splitlines()
    assert lines[0] == "server       rmimom 0.1.0, active in epoch 1 of rmimom"
    assert lines[1] == f"address      {server.location}, {url_of(server)}, process {server.pid}"


def test_ways_to_find_it_and_to_log_in(admin: Admin, server: ServerProcess, home: Path) -> None:
    password = password_of(server)
    file = home / "password"
    file.write_text(password + "\nanything else\n")
    nowhere = {"RMIMOM_DATA": "", "XDG_DATA_HOME": str(home / "nowhere")}
    known = {**nowhere, "XDG_CONFIG_HOME": str(home / "configuration")}
    url = url_of(server)
    added = admin("context", "add", "it", url, "--password-file", file, "--use", **known)
    assert added.exit_code == 0, added.stderr
    assert (home / "configuration" / "rmimom" / "contexts.toml").stat().st_mode & 0o777 == 0o600
    admin("context", "add", "here", "--data", server.data, **known)
    for ended in (
        admin("status"),
        admin("--data", server.data, "status", **nowhere),
        admin("--url", url, "status", RMIMOM_ADMIN_PASSWORD=password, **nowhere),
        admin("--url", url.removeprefix("http://"), "--user", "admin", "--password-file", file, "status", **nowhere),
        admin("status", RMIMOM_ADMIN_URL=url, RMIMOM_ADMIN_PASSWORD_FILE=str(file), **nowhere),
        admin("--password-file", "-", "--url", url, "status", text=password, **nowhere),
        admin("status", **known),
        admin("--context", "here", "status", **known),
        admin("status", RMIMOM_ADMIN_CONTEXT="here", **{**known, "RMIMOM_DATA": str(home / "other")}),
        # The very server of the token needs no login, also by its URL.
        admin("--url", url, "status", XDG_DATA_HOME=str(home), RMIMOM_DATA=str(server.data)),
        # The first one that answers.
        admin("--url", f"127.0.0.1:{free_port()}", "--url", url, "--password-file", file, "status", **nowhere),
    ):
        assert (ended.exit_code, ended.stderr) == (0, "")
        assert str(server.data) in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "complaint"),
    [
        (("status",), {"RMIMOM_ADMIN_PASSWORD": "wrong"}, 1, "the user name or the password is wrong [security]"),
        (("--user", "bob", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 1, "refuses the login: the user name or the"),
        (("--user", "bob", "status"), {}, 2, "bob needs a password: give --password-file or RMIMOM_ADMIN_PASSWORD"),
        (("--password-file", "/none", "status"), {}, 2, "cannot read the password in /none"),
        (("--data", "/none", "status"), {}, 2, "no server runs on /none, or its admin-token cannot be read"),
        (("--url", "127.0.0.1:{free}", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 2, "no server answers at http://"),
        (("--url", "{rmi}", "status"), {"RMIMOM_ADMIN_PASSWORD": "x"}, 2, "http://{rmi}"),
        (("--url", "http://a:b@h", "status"), {}, 2, "a password does not belong into a URL"),
        (("--url", "http://h/path", "status"), {}, 2, "is no URL of a server"),
        (("--url", "http://h:x", "status"), {}, 2, "is no URL"),
        (("--url", "h", "--data", "/d", "status"), {}, 2, "say one of --url, --data and --context"),
        (("--context", "nowhere", "status"), {}, 2, "there is no context 'nowhere'"),
        (("queue", "show", "x" * 10_000), {}, 1, "[invalid-destination]"),
        (("queue", "rm", "none", "--yes"), {}, 1, "there is no queue named 'none'"),
        (("queue", "show", "\udcff"), {}, 2, "the name of the queue is not Unicode"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    complaint: str,
    admin: Admin,
    server: ServerProcess,
) -> None:
    facts = {"rmi": server.location, "free": free_port()}
    ended = admin(*(argument.format(**facts) for argument in arguments), **variables)
    assert (ended.exit_code, ended.stdout) == (code, ""), ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert complaint.format(**facts) in last
    assert len(last) < 700


def test_a_token_of_a_killed_server(home: Path) -> None:
    with start_server(home / "killed", *HTTP) as server:
        server.kill()
    ended = run_command("rmimom.admin.cli", "--data", home / "killed", "status", home=home)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "no server answers at http://127.0.0.1:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_without_http(home: Path) -> None:
    with start_server(home / "silent") as server:
        ended = run_command("rmimom.admin.cli", "--data", server.data, "status", home=home)
        assert (ended.returncode, "serves no HTTP" in ended.stderr) == (2, True)


def test_the_token_is_shown_to_no_other_server(home: Path, server: ServerProcess, admin: Admin) -> None:
    with start_server(home / "other", *HTTP) as other:
        ended = admin("--url", url_of(other), "status")
        assert (ended.exit_code, "needs a password" in ended.stderr) == (2, True)
        token = read_token(server.data)
        assert token is not None
        assert token.password not in other.log


def test_a_watch_waits_for_a_server_that_is_away(home: Path) -> None:
    twice = ("--watch", "0.1", "--times", "2")
    with start_server(home / "watched", *HTTP) as server:
        ended = run_admin("--data", server.data, "queue", "ls", *twice, home=home, RMIMOM_ADMIN_PASSWORD="")
        assert ended.stdout == "there are no queues\n\nthere are no queues\n"
        url = url_of(server)
        server.kill()
    ended = run_admin("--url", url, "queue", "ls", *twice, home=home)
    assert ended.exit_code == 0
    assert [line[:22] for line in ended.stderr.splitlines()] == ["Error: no server answe"] * 2
    ended = run_admin("--url", url, "queue", "ls", "--times", "2", home=home)
    assert (ended.exit_code, "--times goes with --watch" in ended.stderr) == (2, True)


def at_terminal(server: ServerProcess, home: Path, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """Run rmimom-admin at a terminal: wait for each prompt and type its answer; code and all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rmimom.admin.cli", "--data", str(server.data), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=clean_environment(home, TERM="xterm"),
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


def test_at_a_terminal_people_are_asked(server: ServerProcess, home: Path, admin: Admin) -> None:
    admin("queue", "create", "asked")
    code, shown = at_terminal(server, home, [("Remove 0 messages from queue asked?", "n")], "queue", "purge", "asked")
    assert (code, "Aborted!" in shown) == (1, True)
    code, shown = at_terminal(server, home, [("Delete queue asked with 0 messages?", "y")], "queue", "rm", "asked")
    assert (code, shown.splitlines()[-1]) == (0, "deleted queue asked")


def test_at_a_terminal_passwords_are_asked_for_and_not_shown(server: ServerProcess, home: Path) -> None:
    answers = [("New password of carol: ", "secret"), ("Repeat for confirmation: ", "secret")]
    code, shown = at_terminal(server, home, answers, "user", "add", "carol")
    assert (code, shown.strip()) == (0, "added user carol")
    answers = [("Password of admin: ", password_of(server))]
    code, shown = at_terminal(server, home, answers, "--user", "admin", "user", "rm", "carol", "--yes")
    assert (code, shown.strip()) == (0, "removed user carol")


def test_colours_are_for_terminals_that_want_them(server: ServerProcess, home: Path, admin: Admin) -> None:
    admin("queue", "create", "coloured")
    assert "\x1b[" in at_terminal(server, home, [], "queue", "ls")[1]
    assert "\x1b[" not in admin("queue", "ls").stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        shown = at_terminal(server, home, [], "queue", "ls")[1]
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)
