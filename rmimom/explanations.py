"""What the codes of errors and warnings mean, and what to do: one table for `rmimom-admin explain` and docs/errors.md.

Errors have the codes of `rmimom.errors`, whatever door they come through: exceptions of the client library, ERROR
frames of STOMP, problem documents of HTTP.  HTTP adds a few of its own, and the administration warns of what somebody
should look at.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Source: TypeAlias = Literal["error", "http", "warning"]


class Explanation(NamedTuple):
    """One code: where it comes from, what it means, and what to do."""

    code: str
    source: Source
    meaning: str
    advice: str


EXPLANATIONS: Final[tuple[Explanation, ...]] = (
    Explanation(
        "jms",
        "error",
        "An error that belongs to none of the kinds below.",
        "The text says what was wrong. If it comes from a newer server, update the client.",
    ),
    Explanation(
        "illegal-state",
        "error",
        "The call is not allowed in the state that the object is in: closed, in use, or asked of the wrong server.",
        "Look at the text for the state. Close consumers before a queue is deleted; ask the active server for what "
        "only it can do; use a session in one thread.",
    ),
    Explanation(
        "invalid-client-id",
        "error",
        "The client id is malformed, or another open connection has it.",
        "Choose another id, or close the other connection: `rmimom-admin conn ls --filter ID` shows it.",
    ),
    Explanation(
        "invalid-destination",
        "error",
        "There is no such queue, topic, subscription or message, or its name is not allowed.",
        "Check the spelling with `rmimom-admin queue ls`. Names hold no white space, quotes or any of `* > # , ? "
        "@`, and do not begin with `rmimom.`. Where the server does not make destinations by itself "
        "(`auto_create`), make it first.",
    ),
    Explanation(
        "invalid-selector",
        "error",
        "The message selector does not parse.",
        "The text gives the column and what was expected there. Texts stand in single quotes: `colour = 'red'`.",
    ),
    Explanation(
        "security",
        "error",
        "The user is unknown, the password is wrong, or the user may not do this.",
        "Check name and password. `rmimom-admin user ls` shows the roles, `user role NAME operator` gives one; on "
        "the server's own machine `--data` with its data directory needs no password.",
    ),
    Explanation(
        "message-eof",
        "error",
        "A stream or bytes message was read past its end.",
        "Read as much as was written, or stop at this error.",
    ),
    Explanation(
        "message-format",
        "error",
        "A value has a type that a message cannot carry or cannot be read as, or a request cannot be understood.",
        "The text names the value or the place in the request and what is allowed there.",
    ),
    Explanation(
        "message-not-readable",
        "error",
        "The body is being written, so it cannot be read.",
        "Call `reset()` first.",
    ),
    Explanation(
        "message-not-writeable",
        "error",
        "A message that was received is read-only.",
        "Call `clear_body()` or `clear_properties()`, or make a message of your own.",
    ),
    Explanation(
        "resource-allocation",
        "error",
        "A limit of the server was reached: connections, attempts to log in, or streams.",
        "Wait as long as the answer says, then try again; or raise the limit in the server's settings.",
    ),
    Explanation(
        "message-too-large",
        "error",
        "One message, or one transaction, is larger than the server takes.",
        "Send less at a time, or raise `max_message_size` of the server.",
    ),
    Explanation(
        "store-full",
        "error",
        "The disk of the server is full: nothing of this send was stored.",
        "Make room on the disk, or consume or purge messages. The server goes on by itself; acknowledgements are "
        "taken meanwhile.",
    ),
    Explanation(
        "transaction-in-progress",
        "error",
        "The call is not allowed while a transaction is open, or before the outcome of its commit is known.",
        "Commit or roll back first.",
    ),
    Explanation(
        "transaction-rolled-back",
        "error",
        "The transaction ended in a rollback: none of its work was done.",
        "Do the work again, in a new transaction.",
    ),
    Explanation(
        "connection-failed",
        "error",
        "No server answered in time, or the one that was asked is not active. What was under way may or may not "
        "have been done.",
        "See that a server runs (`rmimom-server status`), that its address can be reached from here, and who is "
        "active (`rmimom-admin cluster status`). The client library sends again by itself, without making copies.",
    ),
    Explanation(
        "configuration",
        "error",
        "A setting or an option is wrong.",
        "The text names it and what is allowed; docs/configuration.md has every setting.",
    ),
    Explanation(
        "store",
        "error",
        "The server's data cannot be used as it is.",
        "The text names the directory and the reason; most often its owner or its rights are wrong.",
    ),
    Explanation(
        "store-damaged",
        "error",
        "Stored data failed a check and is not served.",
        "Keep a copy of the directory. With a standby in sync let that take over and give this server an empty "
        "directory; else go back to a backup.",
    ),
    Explanation(
        "store-in-use",
        "error",
        "Another server process holds the data directory.",
        "Stop the other one (`rmimom-server stop`), or give this one a directory of its own with `--data`.",
    ),
    Explanation(
        "store-version",
        "error",
        "The data directory was written by a newer version of rmimom.",
        "Start that version again, or a newer one.",
    ),
    Explanation(
        "not-found",
        "http",
        "There is nothing at this path.",
        "Look at the paths in `/api/v1/openapi.json`; names in paths are percent-encoded, slashes too.",
    ),
    Explanation(
        "method-not-allowed",
        "http",
        "The path exists, but not with this method.",
        "The header `Allow` says which there are.",
    ),
    Explanation(
        "internal-server-error",
        "http",
        "The server made a mistake.",
        "Its log has the traceback. Please report it with that.",
    ),
    Explanation(
        "disk-full",
        "warning",
        "The disk is full: sends are refused, acknowledgements are still taken.",
        "Make room on the disk, or consume or purge messages; the server goes on by itself then.",
    ),
    Explanation(
        "disk-short",
        "warning",
        "Little room is left on the disk with the data.",
        "Make room, or move the data directory to a larger disk, before sends are refused (`disk_reserve`).",
    ),
    Explanation(
        "dead-letters",
        "warning",
        "Messages wait among the dead letters: consumers failed on them too often, or they expired.",
        "Look at the reasons with `rmimom-admin dlq ls QUEUE`; then `dlq retry` sends them back, `rm-message` "
        "removes them.",
    ),
    Explanation(
        "paused",
        "warning",
        "A queue is paused, and messages wait in it.",
        "`rmimom-admin queue resume NAME` when its consumers may go on.",
    ),
    Explanation(
        "no-consumer",
        "warning",
        "Many messages wait in a queue, and nobody consumes them.",
        "Start a consumer, or purge the queue if nobody needs them.",
    ),
    Explanation(
        "offline-subscription",
        "warning",
        "Many messages wait for a durable subscriber that is not there.",
        "Start the subscriber, or delete the subscription (`rmimom-admin sub rm`) if nobody will come.",
    ),
    Explanation(
        "name-server",
        "warning",
        "The server's names cannot be registered in the name server.",
        "See that the name server runs and can be reached; until then clients need the server's address.",
    ),
    Explanation(
        "cluster",
        "warning",
        "The server cannot take its place in the cluster.",
        "`rmimom-admin cluster status` says why; docs/operations/failover.md says what to do.",
    ),
    Explanation(
        "standby-behind",
        "warning",
        "A standby does not have everything that was confirmed, so it would not take over.",
        "See that it runs and can be reached; it catches up by itself.",
    ),
)
"""Every code: those of the error tree in its order, those of HTTP, and those of warnings."""


def find_explanation(code: str) -> Explanation | None:
    """What a code means, None for one that there is not."""
    return next((one for one in EXPLANATIONS if one.code == code), None)
