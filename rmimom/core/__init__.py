"""The core: a synchronous state machine that decides what happens to messages.

It has no clock, socket, thread or database: `Broker.handle(command, now)` returns what must survive and what may be
told then.
"""
