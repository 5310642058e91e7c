"""What a STOMP session is allowed and how it speaks; the server makes one of these for all its sessions."""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom.stomp.codec import Limits

DEFAULT_PREFETCH: Final = 1000
MOST_PREFETCH: Final = 100_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are in bytes.

    `before_login` and `limits` bound frames; `transaction_bytes` and `transactions` what a session keeps until COMMIT.
    `prefetch_bytes` is what may be on its way to one subscription, beyond a first message, and not acknowledged.
    `requeue` lets NACK redeliver by default; `anonymous` lets CONNECT come without a login where nobody needs one.
    `user_id` has messages carry the name of the user who sent them.  `server_id` and `epoch` say which server of a
    cluster this is, and in which of its reigns: CONNECTED tells them to the client.
    """

    server: str = "rmimom"
    server_id: str = ""
    epoch: int = 0
    persistent_default: bool = False
    user_id: bool = False
    requeue: bool = False
    anonymous: bool = True
    max_message_size: int = 100 * 1024 * 1024
    limits: Limits = Limits()
    before_login: Limits = Limits(headers=100, head=64 * 1024, body=1024)
    subscriptions: int = 1000
    transactions: int = 100
    transaction_bytes: int = 100 * 1024 * 1024
    prefetch: int = DEFAULT_PREFETCH
    prefetch_bytes: int = 4 * 1024 * 1024
    heartbeat: int = 1000
    """Milliseconds: the server offers and asks for no beats more often than this."""
