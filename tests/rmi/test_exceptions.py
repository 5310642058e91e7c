"""Our errors on the wire: as themselves where rmimom is known, with their text where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from Pyro5 import core
from Pyro5.errors import PyroError, get_pyro_traceback
from Pyro5.serializers import serializers as pyro

from rmimom import errors
from rmimom.errors import BY_NAME, JMSError
from rmimom.rmi import exceptions, serializers
from rmimom.rmi.exceptions import prepare_for_wire, register_errors

NAMES = ["serpent", "json", "msgpack"]


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return prepare_for_wire(caught)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", BY_NAME.values())
def test_each_error_arrives_as_itself(name: str, kind: type[JMSError]) -> None:
    register_errors()
    serializer = pyro[name]
    sent = raised(kind("it is so", queue="orders", size=3, ok=None))
    found = serializer.loads(serializer.dumps(sent))
    assert type(found) is kind
    assert str(found) == "it is so"
    assert found.text == "it is so"
    assert found.facts == {"queue": "orders", "size": 3, "ok": None}
    assert found.code == kind.code


@pytest.mark.parametrize("name", NAMES)
def test_the_remote_traceback_comes_along(name: str) -> None:
    serializer = pyro[name]
    found = serializer.loads(serializer.dumps(raised(errors.StoreFullError("full"))))
    text = "".join(get_pyro_traceback(type(found), found, None))
    assert "Remote traceback" in text
    assert "rmimom.errors.StoreFullError: full" in text


@pytest.mark.parametrize("name", NAMES)
def test_it_also_arrives_in_a_batch(name: str) -> None:
    serializer = pyro[name]
    sent = [core._ExceptionWrapper(raised(errors.InvalidSelectorError("bad")))]
    (wrapper,) = serializer.loads(serializer.dumps(sent))
    with pytest.raises(errors.InvalidSelectorError, match=r"^bad$"):
        wrapper.raiseIt()


@pytest.mark.parametrize("name", NAMES)
def test_a_client_without_rmimom_gets_the_text(name: str) -> None:
    data = pyro[name].dumps(raised(errors.InvalidDestinationError("there is no queue 'x'", name="x")))
    code = (
        "import sys, Pyro5.api, Pyro5.errors\n"
        "from Pyro5.serializers import serializers\n"
        f"error = serializers[{name!r}].loads(bytes.fromhex(sys.argv[1]))\n"
        "assert 'rmimom' not in sys.modules\n"
        "print(type(error).__name__, error, error.code, error.facts, error.retryable)\n"
        "assert 'Remote traceback' in ''.join(Pyro5.errors.get_pyro_traceback(type(error), error, None))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, data.hex()], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    said = "RuntimeError InvalidDestinationError: there is no queue 'x' invalid-destination {'name': 'x'} False\n"
    assert done.stdout == said


def test_an_error_of_an_unknown_class_becomes_one_that_every_client_knows() -> None:
    class StrangeError(Exception):
        pass

    sent = raised(StrangeError("odd"))
    assert type(sent) is PyroError
    assert "StrangeError: odd" in str(sent)
    assert "StrangeError" in "".join(getattr(sent, exceptions.TRACEBACK))


@pytest.mark.parametrize("error", [ValueError("v"), KeyError("k"), PyroError("p"), StopIteration(1)])
def test_an_error_that_every_client_knows_stays_itself(error: Exception) -> None:
    assert raised(error) is error
    assert type(pyro["serpent"].loads(pyro["serpent"].dumps(error))) is type(error)


@pytest.mark.parametrize("attributes", [None, {}, {"error": "NoSuchError", "text": 5}, {"error": 3, "facts": [1]}])
def test_a_strange_description_does_no_harm(attributes: object) -> None:
    data = {"__class__": exceptions.WIRE_NAME, "__exception__": True, "args": ["x"], "attributes": attributes}
    data = {key: value for key, value in data.items() if value is not None}
    error = pyro["json"].loads(serializers.dumps(serializers.JSON, data))
    assert isinstance(error, RuntimeError | JMSError)


def test_registering_again_changes_nothing() -> None:
    register_errors()
    register_errors()
    found = pyro["serpent"].loads(pyro["serpent"].dumps(errors.IllegalStateError("closed")))
    assert type(found) is errors.IllegalStateError
