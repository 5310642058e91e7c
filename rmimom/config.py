"""The server's settings: one table of names, types, units, defaults and meanings, and what values they may have.

The table is `ServerConfig` itself; `rmimom.config_sources` says where the values come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from rmimom.config_values import format_size, is_host, parse_size, split_address, wrong
from rmimom.paths import config_directory, data_directory
from rmimom.policy import Rule
from rmimom.retention import Retention

PREFIX: Final = "RMIMOM_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
STORES: Final = ("sqlite", "memory")
NACKS: Final = ("dead-letter", "redeliver")
OFF: Final = "off"
LISTENERS: Final = frozenset({"http", "stomp", "stomp_tls", "stomp_ws", "stomp_wss"})
"""Settings that are an address to listen on, or OFF."""
LOST_STANDBY: Final = ("continue", "wait")

Value: TypeAlias = str | int | float | bool | Path

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class About(msgspec.Struct, frozen=True):
    """What is known of a setting beside its type: what it means, its unit, and what values it may have.

    `unit` "bytes" lets people write sizes such as 100MiB.  `default` replaces a default that depends on the machine in
    the documentation.
    """

    text: str
    unit: str = ""
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()
    default: str = ""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a server.  Raises ConfigurationError when a value is out of its range."""

    host: Annotated[
        str,
        About(
            "Address to listen on. Any other than a loopback address needs at least one user: "
            "`rmimom-admin user add NAME`."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, About("Port to listen on; 0 takes a free one.", least=0, most=65535)] = 61611
    advertise: Annotated[
        str,
        About(
            "Host name or address that clients are told to connect to, if it is not the one listened on. "
            "Empty: the same, or this machine's name if the server listens on all addresses.",
            default="empty",
        ),
    ] = ""
    data: Annotated[
        Path,
        About(
            "Directory for everything that must survive. One server at a time can use it.",
            default="`$XDG_DATA_HOME/rmimom`, or `~/.local/share/rmimom`",
        ),
    ] = msgspec.field(default_factory=data_directory)
    store: Annotated[
        str,
        About("Where messages rest. In `memory` nothing survives a stop: for tests.", choices=STORES),
    ] = "sqlite"
    nameserver: Annotated[
        str,
        About(
            "`HOST:PORT` of the Pyro5 name server that gets our names. If it is on this machine and none answers, the "
            "server starts one itself. `none`: names are registered nowhere."
        ),
    ] = "127.0.0.1:9090"
    cluster: Annotated[str, About("Name of the cluster that this server belongs to.")] = "rmimom"
    cluster_key: Annotated[
        Path | None,
        About(
            "File with the secret by which the servers of a cluster know each other; made if it is not there. Copy it "
            "to the machines of all of them.",
            default="`$XDG_CONFIG_HOME/rmimom/NAME.key` or `~/.config/rmimom/NAME.key`, with the name of the cluster",
        ),
    ] = None
    on_lost_standby: Annotated[
        str,
        About(
            "What the active does without its standby: `continue` alone, as soon as the name server has noted that, or "
            "`wait` until it is back.",
            choices=LOST_STANDBY,
        ),
    ] = "continue"
    standby_timeout: Annotated[
        float,
        About(
            "How long a standby may take to put a batch on its disk before the active goes on without it.",
            unit="seconds",
            least=0.1,
            most=3600,
        ),
    ] = 2.0
    handover_timeout: Annotated[
        float,
        About(
            "How long an active that is asked to stop tries to hand over to a standby in sync before it stops all the "
            "same. With 0 it does not try.",
            unit="seconds",
            least=0,
            most=3600,
        ),
    ] = 5.0
    heartbeat_interval: Annotated[
        float,
        About(
            "How often the active publishes on the topic `rmimom.heartbeat`. A standby learns the rhythm, and tries to "
            "take over when it is missed.",
            unit="seconds",
            least=0.01,
            most=60,
        ),
    ] = 0.1
    auto_create: Annotated[bool, About("Whether queues and topics come to be when they are first used.")] = True
    max_message_size: Annotated[
        int, About("Largest message that is taken.", unit="bytes", least=1024, most=1024 * 1024 * 1024)
    ] = 100 * 1024 * 1024
    resident_bytes: Annotated[
        int,
        About(
            "Memory for messages that wait. What is over it rests on disk alone.",
            unit="bytes",
            least=0,
            most=2**50,
        ),
    ] = 16 * 1024 * 1024
    recovery_grace: Annotated[
        float,
        About(
            "After a start, messages that somebody may still work on wait so long for their consumer to come back.",
            unit="seconds",
            least=0,
            most=3600,
        ),
    ] = 1.0
    disk_reserve: Annotated[
        int,
        About(
            "While the disk has less room than this, sends are refused and acknowledgements still taken.",
            unit="bytes",
            least=0,
            most=2**50,
        ),
    ] = 64 * 1024 * 1024
    max_connections: Annotated[
        int, About("Most network connections at one time; one more is refused.", least=1, most=1_000_000)
    ] = 10_000
    heartbeat: Annotated[
        float,
        About(
            "Clients say at least so often that they are there. One that says nothing for three times as long is gone.",
            unit="seconds",
            least=0.1,
            most=3600,
        ),
    ] = 10.0
    callback_timeout: Annotated[
        float,
        About("How long a client's callback object may take for one call.", unit="seconds", least=0.1, most=3600),
    ] = 30.0
    stomp: Annotated[
        str,
        About(
            "`HOST:PORT` to serve STOMP on, or `off`; port 0 takes a free one. As with `host`, any other than a "
            "loopback address needs at least one user."
        ),
    ] = "127.0.0.1:61613"
    stomp_tls: Annotated[str, About("`HOST:PORT` to serve STOMP over TLS on, or `off`. Needs `stomp_certificate`.")] = (
        "off"
    )
    stomp_ws: Annotated[str, About("`HOST:PORT` to serve STOMP over WebSocket on, or `off`.")] = "off"
    stomp_wss: Annotated[
        str, About("`HOST:PORT` to serve STOMP over WebSocket and TLS on, or `off`. Needs `stomp_certificate`.")
    ] = "off"
    stomp_certificate: Annotated[
        Path | None, About("File with the certificate (chain) for STOMP over TLS, in PEM.", default="none")
    ] = None
    stomp_key: Annotated[
        Path | None,
        About("File with the private key of the certificate, in PEM.", default="in the file of the certificate"),
    ] = None
    stomp_anonymous: Annotated[
        bool,
        About("Whether STOMP clients may connect without a login while the server has no users and needs none."),
    ] = True
    stomp_persistent_default: Annotated[
        bool, About("Whether a STOMP message that does not say `persistent` survives a restart of the server.")
    ] = False
    stomp_user_id: Annotated[
        bool,
        About("Whether a message that a STOMP client sends after a login carries its user's name, as `JMSXUserID`."),
    ] = False
    stomp_nack: Annotated[
        str,
        About(
            "What NACK does: the message becomes a dead letter, or is delivered again as the policy of its destination "
            "says.",
            choices=NACKS,
        ),
    ] = "dead-letter"
    stomp_server: Annotated[
        str,
        About(
            "What STOMP clients are told of the server's name; some choose their dialect by it.",
            default="`rmimom/` and the version",
        ),
    ] = ""
    stomp_prefetch: Annotated[
        int,
        About("Messages that may be on their way to one STOMP subscription unacknowledged.", least=1, most=100_000),
    ] = 1000
    stomp_max_subscriptions: Annotated[
        int, About("Most subscriptions of one STOMP connection.", least=1, most=1_000_000)
    ] = 1000
    stomp_max_headers: Annotated[int, About("Most headers of one STOMP frame.", least=10, most=100_000)] = 1000
    stomp_max_header: Annotated[
        int,
        About("Longest line of a header of a STOMP frame.", unit="bytes", least=256, most=16 * 1024 * 1024),
    ] = 64 * 1024
    stomp_max_connections: Annotated[
        int, About("Most STOMP connections at one time; one more is refused.", least=1, most=1_000_000)
    ] = 10_000
    http: Annotated[
        str,
        About(
            "`HOST:PORT` to serve the HTTP interface of the administration on, or `off`; port 0 takes a free one. It "
            "always asks for a login; what comes over a network should come through a proxy that speaks TLS."
        ),
    ] = "127.0.0.1:8161"
    log_level: Annotated[str, About("How much is logged.", choices=LOG_LEVELS)] = "info"
    pidfile: Annotated[
        Path | None,
        About(
            "File that holds the id of the server's process, for `stop` and `status`.", default="`rmimom.pid` in `data`"
        ),
    ] = None

    redelivery: tuple[Rule, ...] = ()
    """What becomes of messages that consumers fail on; only a file has it, in tables [[redelivery]]."""
    retention: tuple[Retention, ...] = ()
    """What is kept of topics for retroactive subscribers; only a file has it, in tables [[retention]]."""

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            setting.check(getattr(self, setting.name), setting.name)

    @property
    def pid_path(self) -> Path:
        """Where the process id is written."""
        return self.pidfile or self.data / "rmimom.pid"

    @property
    def cluster_key_path(self) -> Path:
        """Where the key of the cluster is."""
        return self.cluster_key or config_directory() / f"{self.cluster}.key"

    @property
    def nameserver_address(self) -> tuple[str, int] | None:
        """Host and port of the name server, or None if there is none."""
        return split_address(self.nameserver, "nameserver") if self.nameserver else None


class Setting(NamedTuple):
    """A row of the table: a field of ServerConfig and what is known of it."""

    name: str
    kind: type
    about: About
    default: Value | None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command-line option that sets it."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default as people would write it."""
        if self.about.default:
            return self.about.default
        if self.about.unit == "bytes":
            return f"`{format_size(int(str(self.default)))}`"
        if isinstance(self.default, bool):
            return f"`{str(self.default).lower()}`"
        return f"`{self.default:g}`" if isinstance(self.default, float) else f"`{self.default}`"

    def check(self, value: object, origin: str) -> None:
        """Raise ConfigurationError if the value, of the right type already, is not allowed."""
        about = self.about
        if about.choices and value not in about.choices:
            raise wrong(origin, value, "one of " + ", ".join(about.choices))
        if isinstance(value, int | float) and not isinstance(value, bool) and not about.least <= value <= about.most:
            raise wrong(origin, value, f"between {self._show(about.least)} and {self._show(about.most)}")
        if self.name == "nameserver" and value:
            split_address(str(value), origin)
        if self.name in LISTENERS and value != OFF:
            split_address(str(value), origin, least_port=0)
        if self.name in {"host", "advertise"} and value and not is_host(str(value)):
            raise wrong(origin, value, "a host name or an address, without a port")
        if self.name in {"host", "cluster"} and not value:
            raise wrong(origin, value, "given; leave the setting out to have its default")

    def _show(self, bound: float) -> str:
        if self.about.unit == "bytes":
            return format_size(int(bound))
        return f"{bound:g}" + (f" {self.about.unit}" if self.about.unit else "")

    def read_text(self, text: str, origin: str) -> Value:
        """The value that a text of the command line or the environment stands for; checked."""
        value: Value
        if self.kind is bool:
            if text.lower() not in _TRUE | _FALSE:
                raise wrong(origin, text, "true or false")
            value = text.lower() in _TRUE
        elif self.about.unit == "bytes":
            value = parse_size(text, origin)
        elif self.kind is int:
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
                raise wrong(origin, text, "a whole number")
            value = int(text)
        elif self.kind is float:
            try:
                value = float(text)
            except ValueError:
                raise wrong(origin, text, f"a number of {self.about.unit}") from None
            if math.isnan(value):
                raise wrong(origin, text, f"a number of {self.about.unit}")
        elif self.kind is Path:
            if not text:
                raise wrong(origin, text, "a path")
            value = Path(text).expanduser()
        else:
            value = "" if self.name == "nameserver" and text == "none" else text
        self.check(value, origin)
        return value

    def read_toml(self, value: object, origin: str, directory: Path) -> Value:
        """The value that TOML's value stands for; checked.  A relative path starts at `directory`."""
        if isinstance(value, str) and (self.kind in {str, Path} or self.about.unit == "bytes"):
            read = self.read_text(value, origin)
            return directory / read if isinstance(read, Path) else read
        number = self.kind is float and isinstance(value, int) and not isinstance(value, bool)
        if type(value) is not self.kind and not number:
            raise wrong(origin, value, _KIND_TEXTS[self.kind] if self.about.unit != "bytes" else "a size such as 64MiB")
        assert isinstance(value, bool | int | float)
        read = float(value) if number else value
        if isinstance(read, float) and math.isnan(read):
            raise wrong(origin, read, f"a number of {self.about.unit}")
        self.check(read, origin)
        return read


_KIND_TEXTS: dict[type, str] = {
    str: "a text in quotes",
    Path: "a path in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _table() -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    defaults = {field.name: field for field in msgspec.structs.fields(ServerConfig)}
    for name, hint in get_type_hints(ServerConfig, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        kind, about = get_args(hint)
        kind = Path if kind == Path | None else kind
        default = defaults[name].default
        settings[name] = Setting(name, kind, about, None if default is msgspec.NODEFAULT else default)
    return settings


SETTINGS: Final[Mapping[str, Setting]] = _table()
"""Every setting by its name, in the order of ServerConfig."""
