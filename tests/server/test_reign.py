"""A reign that ends leaves nothing behind in the process, which goes on as a standby."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path

from rmimom.config import ServerConfig
from rmimom.server.service import Server


def test_the_state_of_a_reign_that_ended_is_given_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(ServerConfig(data=tmp_path, store="memory", nameserver="", stomp="off", http="off", port=0))
        try:
            await server.start()
            assert server.reign is not None
            broker = weakref.ref(server.reign.engine.broker)
            await server.step_down("another server is active")
            assert server.reign is None
            assert broker() is None
        finally:
            await server.stop()

    asyncio.run(scenario())
