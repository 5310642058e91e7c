"""The one tree of errors, for every door of the house.

    JMSError
    ├── IllegalStateError               called at the wrong time, or on something closed
    ├── InvalidClientIDError            client id malformed or already connected
    ├── InvalidDestinationError         no such queue, topic or subscription, or a bad name
    ├── InvalidSelectorError            a selector that does not parse
    ├── JMSSecurityError                wrong user, wrong password, or no right to do this
    ├── MessageEOFError                 read past the end of a stream or bytes message
    ├── MessageFormatError              a value of a type that a message cannot carry
    ├── MessageNotReadableError         the body is write-only
    ├── MessageNotWriteableError        the body or the properties are read-only
    ├── ResourceAllocationError         a limit was reached
    │   ├── MessageTooLargeError        one message is over the size limit
    │   └── StoreFullError              the disk is full; sends are refused until there is room
    ├── TransactionInProgressError      not allowed inside a transaction
    ├── TransactionRolledBackError      the transaction ended in a rollback
    ├── ConnectionFailedError           no server could be reached in time; the outcome is unknown
    ├── ConfigurationError              a setting or a command-line option is wrong
    └── StoreError                      the server's data cannot be used as it is
        ├── StoreDamagedError           the data failed a check; it is not served
        ├── StoreInUseError             another server holds the data directory
        └── StoreVersionError           the data was written by a newer rmimom

The names are those of Jakarta Messaging 3.1 §10, ended in `Error`.  Each error has a stable `code` for
programs, `facts` for people and programs, and says whether trying again can help.  The same tree reaches
RMI clients as exceptions, STOMP clients as ERROR frames and HTTP clients as problem documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

Fact: TypeAlias = str | int | float | bool | None


class JMSError(Exception):
    """The root of every error that rmimom raises on purpose.

    `text` says what was wrong and what to change; `facts` are the values it speaks of.
    """

    code: ClassVar[str] = "jms"
    retryable: ClassVar[bool] = False

    def __init__(self, text: str, **facts: Fact) -> None:
        super().__init__(text)
        self.text = text
        self.facts: dict[str, Fact] = facts

    def to_dict(self) -> dict[str, object]:
        """The error as plain data, the same on every wire."""
        return {
            "error": type(self).__name__,
            "code": self.code,
            "text": self.text,
            "facts": self.facts,
            "retryable": self.retryable,
        }


class IllegalStateError(JMSError):
    """The call is not allowed in the state the object is in (§10.3 IllegalStateException)."""

    code = "illegal-state"


class InvalidClientIDError(JMSError):
    """The client id is malformed or belongs to another open connection (§6.1.2)."""

    code = "invalid-client-id"


class InvalidDestinationError(JMSError):
    """The destination or subscription does not exist, or its name is not allowed (§10.3)."""

    code = "invalid-destination"


class InvalidSelectorError(JMSError):
    """The message selector does not parse (§3.8)."""

    code = "invalid-selector"


class JMSSecurityError(JMSError):
    """The user is unknown, the password wrong, or the right is missing (§6.1.1)."""

    code = "security"


class MessageEOFError(JMSError):
    """The end of a stream or bytes message was reached (§10.3)."""

    code = "message-eof"


class MessageFormatError(JMSError):
    """A value has a type that a message cannot carry, or cannot be read as the type asked for (§3.5.4)."""

    code = "message-format"


class MessageNotReadableError(JMSError):
    """The body is write-only (§10.3)."""

    code = "message-not-readable"


class MessageNotWriteableError(JMSError):
    """The properties or the body of a received message are read-only (§3.5.3)."""

    code = "message-not-writeable"


class ResourceAllocationError(JMSError):
    """A limit of the server was reached (§10.3)."""

    code = "resource-allocation"
    retryable = True


class MessageTooLargeError(ResourceAllocationError):
    """One message is larger than the server's `max_message_size`."""

    code = "message-too-large"
    retryable = False


class StoreFullError(ResourceAllocationError):
    """The disk is full: nothing of this send was stored; later sends work once there is room."""

    code = "store-full"


class TransactionInProgressError(JMSError):
    """The call is not allowed while a transaction is open (§10.3)."""

    code = "transaction-in-progress"


class TransactionRolledBackError(JMSError):
    """The transaction was rolled back; none of its work was done (§10.3)."""

    code = "transaction-rolled-back"
    retryable = True


class ConnectionFailedError(JMSError):
    """No server answered within the time limit.  What was under way may or may not have been done."""

    code = "connection-failed"
    retryable = True


class ConfigurationError(JMSError):
    """A setting is wrong; the text names it and its allowed values."""

    code = "configuration"


class StoreError(JMSError):
    """The server's data cannot be used as it is."""

    code = "store"


class StoreDamagedError(StoreError):
    """Stored data failed a check and is not served; the text names the file and what to do."""

    code = "store-damaged"


class StoreInUseError(StoreError):
    """Another server process holds the data directory."""

    code = "store-in-use"


class StoreVersionError(StoreError):
    """The data directory was written by a newer version of rmimom."""

    code = "store-version"


def _family(root: type[JMSError]) -> dict[str, type[JMSError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found.update(_family(child))
    return found


BY_NAME: Mapping[str, type[JMSError]] = _family(JMSError)


def from_dict(data: Mapping[str, object]) -> JMSError:
    """Make the error again that `JMSError.to_dict` described; an unknown name becomes a plain JMSError."""
    kind = BY_NAME.get(str(data.get("error")), JMSError)
    facts = data.get("facts")
    clean: dict[str, Fact] = {}
    if isinstance(facts, Mapping):
        for name, value in facts.items():
            clean[str(name)] = value if isinstance(value, str | int | float | bool | None) else str(value)
    error = kind(str(data.get("text", "")))
    error.facts = clean
    return error
