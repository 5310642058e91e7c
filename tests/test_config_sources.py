"""Settings: where they come from, which comes first, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.settings import write

from rmimom.config import SETTINGS, ServerConfig
from rmimom.config_sources import load
from rmimom.errors import ConfigurationError


def test_without_anything_the_defaults_hold() -> None:
    loaded = load({}, {})
    assert loaded.config == ServerConfig()
    assert loaded.remarks == []
    assert (loaded.config.host, loaded.config.port) == ("127.0.0.1", 61611)


# A text that is allowed for each setting and is not its default, and what becomes of it.
OTHER: Mapping[str, tuple[str, object]] = {
    "host": ("localhost", "localhost"),
    "port": ("0", 0),
    "advertise": ("broker.example", "broker.example"),
    "data": ("/srv/messages", Path("/srv/messages")),
    "store": ("memory", "memory"),
    "cluster_key": ("/etc/rmimom.key", Path("/etc/rmimom.key")),
    "on_lost_standby": ("wait", "wait"),
    "standby_timeout": ("5", 5.0),
    "handover_timeout": ("0", 0.0),
    "heartbeat_interval": ("0.5", 0.5),
    "nameserver": ("none", ""),
    "cluster": ("east", "east"),
    "auto_create": ("false", False),
    "max_message_size": ("2 MiB", 2 * 1024 * 1024),
    "resident_bytes": ("0", 0),
    "recovery_grace": ("0.5", 0.5),
    "disk_reserve": ("1GB", 10**9),
    "max_connections": ("5", 5),
    "heartbeat": ("2", 2.0),
    "callback_timeout": ("1.5", 1.5),
    "stomp": ("[::1]:0", "[::1]:0"),
    "http": ("127.0.0.1:0", "127.0.0.1:0"),
    "stomp_tls": ("127.0.0.1:61612", "127.0.0.1:61612"),
    "stomp_ws": ("127.0.0.1:61614", "127.0.0.1:61614"),
    "stomp_wss": ("127.0.0.1:61615", "127.0.0.1:61615"),
    "stomp_certificate": ("/etc/rmimom/cert.pem", Path("/etc/rmimom/cert.pem")),
    "stomp_key": ("/etc/rmimom/key.pem", Path("/etc/rmimom/key.pem")),
    "stomp_anonymous": ("no", False),
    "stomp_persistent_default": ("yes", True),
    "stomp_user_id": ("yes", True),
    "stomp_nack": ("redeliver", "redeliver"),
    "stomp_server": ("ActiveMQ/5.17.2", "ActiveMQ/5.17.2"),
    "stomp_prefetch": ("10", 10),
    "stomp_max_subscriptions": ("20", 20),
    "stomp_max_headers": ("30", 30),
    "stomp_max_header": ("1KiB", 1024),
    "stomp_max_connections": ("40", 40),
    "log_level": ("debug", "debug"),
    "pidfile": ("/run/rmimom.pid", Path("/run/rmimom.pid")),
}


def toml_value(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str | Path) else str(value)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_way_sets_each_setting(name: str, tmp_path: Path) -> None:
    text, expected = OTHER[name]
    assert getattr(ServerConfig(), name) != expected
    file = write(tmp_path, f"{name} = {toml_value(expected)}")
    for config in (
        load({name: text}, {}).config,
        load({}, {"RMIMOM_" + name.upper(): text}).config,
        load({}, {}, file).config,
        load({}, {"RMIMOM_CONFIG": str(file)}).config,
    ):
        assert getattr(config, name) == expected


@given(st.sets(st.sampled_from(["option", "variable", "file"])))
def test_the_command_line_comes_first_then_the_environment_then_the_file(tmp_path_factory, given_by: set[str]) -> None:  # type: ignore[no-untyped-def]
    file = write(tmp_path_factory.mktemp("settings"), "[server]\nport = 3\n" if "file" in given_by else "")
    config = load(
        {"port": "1" if "option" in given_by else None},
        {"RMIMOM_PORT": "2" if "variable" in given_by else ""},
        file,
    ).config
    first = next((number for number, way in enumerate(["option", "variable", "file"], 1) if way in given_by), 61611)
    assert config.port == first


def test_a_relative_path_in_a_file_starts_at_the_file(tmp_path: Path) -> None:
    config = load({}, {}, write(tmp_path, "data = 'messages'\npidfile = '/run/x.pid'")).config
    assert config.data == tmp_path / "messages"
    assert config.pid_path == Path("/run/x.pid")


REFUSED = [
    ("port = '61611'", "port in {file} is '61611', but must be a whole number"),
    ("port = true", "port in {file} is True, but must be a whole number"),
    ("port = 65536", "port in {file} is 65536, but must be between 0 and 65535"),
    ("heartbeat = false", "heartbeat in {file} is False, but must be a number"),
    ("heartbeat = nan", "heartbeat in {file} is nan, but must be a number of seconds"),
    ("heartbeat = inf", "heartbeat in {file} is inf, but must be between 0.1 seconds and 3600 seconds"),
    ("auto_create = 1", "auto_create in {file} is 1, but must be true or false"),
    ("host = 7", "host in {file} is 7, but must be a text in quotes"),
    ("host = ''", "host in {file} is '', but must be given; leave the setting out to have its default"),
    ("data = ''", "data in {file} is '', but must be a path"),
    ("data = 1", "data in {file} is 1, but must be a path in quotes"),
    ("max_message_size = 1.5", "max_message_size in {file} is 1.5, but must be a size such as 64MiB"),
    ("max_message_size = 1", "max_message_size in {file} is 1, but must be between 1KiB and 1GiB"),
    ("max_message_size = '5 miles'", "max_message_size in {file} is '5 miles', but must be a number of bytes"),
    ("store = 'oracle'", "store in {file} is 'oracle', but must be one of sqlite, memory"),
    ("nameserver = 'here'", "nameserver in {file} is 'here', but must be HOST:PORT, such as 127.0.0.1:9090"),
    ("prot = 1", "{file} holds 'prot', which is no setting of the server; did you mean port?"),
    ("auto-create = true", "{file} holds 'auto-create', which is no setting of the server; did you mean auto_create?"),
    ("[console]\nport = 1", "{file} holds 'console', which is no setting of the server"),
    ("server = 1", "server in {file} is 1, but must be a table: write [server]"),
    ("port = 1\n[server]\nport = 2", "{file} holds 'port' both at its top and in [server]; take one away"),
    ("port = ", "the settings in {file} are no valid TOML: "),
]


@pytest.mark.parametrize(("text", "complaint"), REFUSED)
def test_what_a_file_may_not_say(text: str, complaint: str, tmp_path: Path) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match="^" + re.escape(complaint.format(file=file))):
        load({}, {}, file)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("port", "many", "'many', but must be a whole number"),
        ("port", "-1", "-1, but must be between 0 and 65535"),
        ("port", "9" * 5000, f"'{'9' * 5000}', but must be a whole number"),
        ("host", "127.0.0.1:1", "'127.0.0.1:1', but must be a host name or an address, without a port"),
        ("host", "a b", "'a b', but must be a host name or an address, without a port"),
        ("advertise", "[::1]", "'[::1]', but must be a host name or an address, without a port"),
        ("heartbeat", "soon", "'soon', but must be a number of seconds"),
        ("heartbeat", "nan", "'nan', but must be a number of seconds"),
        ("auto_create", "perhaps", "'perhaps', but must be true or false"),
        ("log_level", "loud", "'loud', but must be one of debug, info, warning, error"),
        ("nameserver", "::1:9090", "'::1:9090', but must be HOST:PORT, such as 127.0.0.1:9090"),
    ],
)
def test_what_a_text_may_not_say(name: str, text: str, complaint: str) -> None:
    option = "--" + name.replace("_", "-")
    with pytest.raises(ConfigurationError, match=f"^{option} is {re.escape(complaint)}$"):
        load({name: text}, {})
    with pytest.raises(ConfigurationError, match=f"^RMIMOM_{name.upper()} is {re.escape(complaint)}$"):
        load({}, {"RMIMOM_" + name.upper(): text})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        load({}, {}, tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"host = '\xe4'")
    with pytest.raises(ConfigurationError, match="no valid TOML"):
        load({}, {}, latin)


def test_an_option_that_is_no_setting() -> None:
    with pytest.raises(ConfigurationError, match="there is no setting 'hosts'; did you mean host"):
        load({"hosts": "x"}, {})


@pytest.mark.parametrize(("name", "must"), [("data", "a path"), ("host", "given; "), ("port", "a whole number")])
def test_an_option_that_is_empty(name: str, must: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^--{name} is '', but must be {must}"):
        load({name: ""}, {})


def test_variables_that_look_like_settings_are_remarked_on() -> None:
    strange = {"RMIMOM_PROT": "1", "RMIMOM_NS_PORT": "1", "RMIMOM_ADMIN_HOST": "x", "RMIMOM_LUNCH": "12", "PORT": "1"}
    assert load({}, strange).remarks == [
        "the environment variable RMIMOM_PROT is no setting of the server; did you mean RMIMOM_PORT?"
    ]
