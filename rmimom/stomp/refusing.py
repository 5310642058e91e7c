"""What becomes of messages that the client says NACK to: dead letters, as in ActiveMQ, or redelivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rmimom.commands import Release
from rmimom.stomp.subscription import Held

if TYPE_CHECKING:
    from rmimom.stomp.session import Session

REASON: Final = "NACK"


def refuse(session: Session, held: list[Held], receipt: str | None, *, requeue: bool) -> None:
    """Give messages back to the core; with `requeue` the policy of their destination says what becomes of them."""
    tags: dict[int, list[int]] = {}
    for one in held:
        tags.setdefault(one.consumer, []).append(one.tag)
    for number, (consumer, refused) in enumerate(tags.items(), 1):
        session.ask(
            Release(session.connection, consumer, refused, dead=not requeue, reason=REASON),
            session.receipt_or_error(receipt if number == len(tags) else None),
        )
