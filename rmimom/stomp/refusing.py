"""What becomes of messages that the client says NACK to: dead letters, as in ActiveMQ, or redelivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rmimom.commands import Release
from rmimom.stomp.subscription import Held

if TYPE_CHECKING:
    from rmimom.stomp.session import Session

REASON: Final = "NACK"


def refuse(session: Session, held: list[Held], receipt: str | None, *, requeue: bool) -> None:
    """Give messages back to the core."""
    commands = releases(session.connection, held, requeue=requeue)
    for number, command in enumerate(commands, 1):
        session.ask(command, session.receipt_or_error(receipt if number == len(commands) else None))


def releases(connection: str, held: list[Held], *, requeue: bool) -> list[Release]:
    """The commands that do it, one for each consumer; `requeue` leaves it to the policy of the destination."""
    tags: dict[int, list[int]] = {}
    for one in held:
        tags.setdefault(one.consumer, []).append(one.tag)
    return [
        Release(connection, consumer, refused, dead=not requeue, reason=REASON) for consumer, refused in tags.items()
    ]
