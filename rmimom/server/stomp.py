"""The STOMP listeners of a server, as its settings want them."""

from __future__ import annotations

import ssl
from typing import Final

import msgspec

import rmimom
from rmimom.access import Access
from rmimom.clock import Clock
from rmimom.cluster.role import Epoch
from rmimom.config import LISTENERS, OFF, SETTINGS, ServerConfig
from rmimom.config_values import split_address
from rmimom.engine import Engine
from rmimom.errors import ConfigurationError
from rmimom.listeners.stomp.listener import StompLimits, StompListener
from rmimom.stomp.codec import Limits
from rmimom.stomp.settings import Settings

_TITLES: Final = {
    "stomp": "STOMP",
    "stomp_tls": "STOMP TLS",
    "stomp_ws": "STOMP ws",
    "stomp_wss": "STOMP wss",
}


def stomp_hosts(config: ServerConfig) -> list[str]:
    """The hosts on which STOMP is to be served."""
    return [host for host, _ in _wanted(config).values()]


def _wanted(config: ServerConfig) -> dict[str, tuple[str, int]]:
    return {
        name: split_address(getattr(config, name), name, least_port=0)
        for name in SETTINGS
        if name in LISTENERS and name.startswith("stomp") and getattr(config, name) != OFF
    }


class StompDoors:
    """The listeners that are not off, opened and closed together."""

    def __init__(self, config: ServerConfig, epoch: Epoch, engine: Engine, clock: Clock) -> None:
        self._config = config
        self._epoch = epoch
        self._engine = engine
        self._clock = clock
        self._wanted = _wanted(config)
        self._listeners: dict[str, StompListener] = {}

    async def start(self, access: Access) -> None:
        """Open all doors; raises ConfigurationError for an address or a certificate that cannot be had."""
        settings = self._settings()
        for name, (host, port) in self._wanted.items():
            listener = StompListener(
                self._engine,
                access.admit,
                self._clock,
                host=host,
                port=port,
                settings=settings,
                limits=StompLimits(connections=self._config.stomp_max_connections),
                ssl=self._certificate(name) if name in {"stomp_tls", "stomp_wss"} else None,
                websocket=name in {"stomp_ws", "stomp_wss"},
                name=f"{SETTINGS[name].option} HOST:PORT",
            )
            await listener.start()
            self._listeners[name] = listener

    def _settings(self) -> Settings:
        config = self._config
        line = config.stomp_max_header
        return Settings(
            server=config.stomp_server or f"rmimom/{rmimom.__version__}",
            server_id=self._epoch.server_id,
            epoch=self._epoch.number,
            persistent_default=config.stomp_persistent_default,
            user_id=config.stomp_user_id,
            requeue=config.stomp_nack == "redeliver",
            anonymous=config.stomp_anonymous,
            max_message_size=config.max_message_size,
            transaction_bytes=config.max_message_size,
            limits=Limits(
                header_line=line,
                headers=config.stomp_max_headers,
                head=max(4 * line, 4096),
                body=config.max_message_size,
            ),
            subscriptions=config.stomp_max_subscriptions,
            prefetch=config.stomp_prefetch,
        )

    def _certificate(self, name: str) -> ssl.SSLContext:
        config = self._config
        option = SETTINGS["stomp_certificate"].option
        if config.stomp_certificate is None:
            raise ConfigurationError(f"{SETTINGS[name].option} needs a certificate: {option} FILE", setting=name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(config.stomp_certificate, config.stomp_key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the certificate in {config.stomp_certificate} cannot be used: {error}; see {option} and "
                f"{SETTINGS['stomp_key'].option}",
                setting="stomp_certificate",
            ) from error
        return context

    async def stop(self) -> None:
        """Close all doors; twice is harmless."""
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            await listener.stop()

    def ports(self) -> dict[str, int]:
        """The ports that are served, by setting."""
        return {name: listener.port for name, listener in self._listeners.items()}

    def addresses(self) -> list[tuple[str, str, int]]:
        """What is served, as title, host and port."""
        return [(_TITLES[name], self._wanted[name][0], listener.port) for name, listener in self._listeners.items()]

    def facts(self) -> dict[str, object]:
        """How each listener is, by setting."""
        return {name: msgspec.to_builtins(listener.statistics()) for name, listener in self._listeners.items()}
