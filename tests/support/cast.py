"""Who plays in a simulated world."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator

from support.clients import Producer
from support.consumers import Consumer, Listener
from support.forwarder import Forwarder
from support.visitors import Visitor
from support.world import World


def usual_clients(world: World) -> Iterator[Coroutine[object, object, None]]:
    """Producers for everything, workers on the queues, subscribers on the topics, and those between them."""
    plan, queues, topics = world.plan, world.queues, world.topics
    for number in range(plan.producers):
        yield Producer(world, f"p{number}", [*queues, *topics]).run()
    for number in range(plan.workers):
        yield Consumer(world, f"w{number}", queues[number % plan.queues]).run()
    for number in range(plan.choosers):
        yield Consumer(world, f"c{number}", queues[number % plan.queues], least_priority=5).run()
    for number in range(plan.forwarders if plan.queues > 1 else 0):
        yield Forwarder(world, f"f{number}", queues[0], [*queues[1:], *topics]).run()
    for number, queue in enumerate(world.burials):
        yield Consumer(world, f"u{number}", queue, idle=2.0).run()
    for number in range(plan.visitors):
        yield Visitor(world, f"v{number}", queues, world.burials).run()
    if topics:
        for number in range(plan.subscribers):
            yield Consumer(world, f"s{number}", topics[number % plan.topics], durable=True).run()
        for number in range(plan.choosers):
            yield Consumer(world, f"d{number}", topics[number % plan.topics], durable=True, least_priority=5).run()
        for number in range(plan.listeners):
            yield Listener(world, f"l{number}", topics[number % plan.topics]).run()
        for number in range(plan.sharers):
            yield Consumer(world, f"h{number}", topics[0], durable=True, shared="h").run()
            yield Consumer(world, f"k{number}", topics[0], shared="k").run()
        for number in range(plan.gatherers):
            yield Consumer(world, f"g{number}", world.pattern, durable=True).run()
