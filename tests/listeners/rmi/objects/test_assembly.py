"""The remote objects keep step with the destinations."""

from __future__ import annotations

import asyncio

from support.engines import inheritance

from rmimom.access import Access
from rmimom.clock import SystemClock
from rmimom.commands import CreateDestination, DeleteDestination
from rmimom.core.broker import Broker
from rmimom.core.state import SERVER
from rmimom.destination import FACTORY_NAME, Queue
from rmimom.engine import Engine
from rmimom.listeners.rmi.objects.assembly import RemoteObjects
from rmimom.listeners.rmi.objects.factory import ServerFacts
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.store.memory import MemoryStore


def test_a_destination_that_is_on_its_way_to_the_disk_is_offered_once() -> None:
    """Given one that is decided and not yet told, when the objects are made, then its coming is no surprise."""

    async def scenario() -> None:
        troubles: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: troubles.append(context))
        store, clock, registry = MemoryStore(), SystemClock(), ObjectRegistry()
        engine = Engine(Broker(), store, clock)
        await engine.start(await inheritance(store))
        early = engine.submit(CreateDestination(SERVER, Queue("early")))
        facts = ServerFacts(server="test", server_id="one", epoch=1, max_message_size=1024, heartbeat=10.0)
        objects = RemoteObjects(
            engine,
            registry,
            Access(engine, open=True),
            clock,
            facts,
            uri_for=lambda name: f"PYRO:{name}@localhost:1",
            facts=dict,
            callback_timeout=1.0,
        )
        name = Queue("early").registered_name
        assert name in registry
        await early
        await engine.submit(CreateDestination(SERVER, Queue("late")))
        assert Queue("late").registered_name in registry
        await engine.submit(DeleteDestination(SERVER, Queue("early")))
        assert name not in registry
        await objects.stop()
        assert FACTORY_NAME not in registry
        await engine.stop()
        assert troubles == []

    asyncio.run(scenario())
