"""Our errors on Pyro5's wire, as themselves in both directions.

Pyro5 sends an exception as a dict with the name of its class and makes it again on the other side, for classes that
it knows.  A name of ours would be no help to a client without rmimom: its proxy would say "unsupported serialized
class", hide the text and drop the connection.  So a JMSError travels under the name `exceptions.RuntimeError`, a
spelling of RuntimeError from Python 2 that every Pyro5 still understands and nobody else sends:

- with `register_errors()` done, the receiver makes the JMSError again: class, text, facts, remote traceback;
- a stock client raises RuntimeError with the text and has `error`, `code`, `facts` and `retryable` as attributes.
"""

from __future__ import annotations

import builtins
from typing import Final

from Pyro5 import errors as pyro_errors
from Pyro5 import serializers

from rmimom.errors import JMSError, from_dict

WIRE_NAME: Final = "exceptions.RuntimeError"

TRACEBACK: Final = "_pyroTraceback"
"""The attribute in which Pyro5 keeps the lines of a remote traceback, see `Pyro5.errors.get_pyro_traceback`."""


def register_errors() -> None:
    """Teach Pyro5's serializers in this process our errors.  Harmless to call again."""
    serializers.SerializerBase.register_class_to_dict(JMSError, _to_wire)
    serializers.SerializerBase.register_dict_to_class(WIRE_NAME, _from_wire)


def prepare_for_wire(error: BaseException) -> BaseException:
    """The exception to send for `error`, with its traceback as text.

    An exception of a class that Pyro5 on the other side could not make becomes a PyroError that names it.
    """
    lines = pyro_errors.format_traceback(type(error), error, error.__traceback__)
    kind = type(error)
    known = kind.__module__ == "builtins" and hasattr(builtins, kind.__name__)
    if not (known or isinstance(error, JMSError) or kind.__module__ in {"Pyro5.errors", "sqlite3", "struct"}):
        error = pyro_errors.PyroError(f"{kind.__module__}.{kind.__qualname__}: {error}")
    setattr(error, TRACEBACK, lines)
    return error


def _to_wire(error: JMSError) -> dict[str, object]:
    attributes = error.to_dict()
    attributes[TRACEBACK] = getattr(error, TRACEBACK, None)
    name = type(error).__name__
    return {
        "__class__": WIRE_NAME,
        "__exception__": True,
        "args": (f"{name}: {error.text}",),
        "attributes": attributes,
    }


def _from_wire(name: str, data: dict[str, object]) -> BaseException:
    attributes = data.get("attributes")
    if not isinstance(attributes, dict) or "error" not in attributes:
        # Somebody else's RuntimeError under the old name.
        made: BaseException = serializers.SerializerBase.make_exception(RuntimeError, data)
        return made
    error = from_dict(attributes)
    if attributes.get(TRACEBACK):
        setattr(error, TRACEBACK, attributes[TRACEBACK])
    return error
