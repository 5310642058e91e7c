"""uvicorn as we use it: in our loop, with our signals and our log.  Imported with the application."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

BACKLOG: Final = 128
MOST_CONNECTIONS: Final = 1000
"""Connections at one time; one more is answered with 503."""
LONGEST_HEAD: Final = 64 * 1024
"""Bytes of the head of a request: a name of ten thousand characters fits in, percent-encoded."""
KEEP_ALIVE: Final = 30
"""Seconds that an idle connection stays open."""
GRACE: Final = 3
"""Seconds that requests under way have when the server stops."""


class WebServer(uvicorn.Server):
    """Leaves the signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def make_server(app: ASGIApp) -> WebServer:
    """A server for the application; it takes its sockets when it begins to serve."""
    return WebServer(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
    )
