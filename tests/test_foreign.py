"""Messages of other makers (Jakarta Messaging 3.1 §3.12)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rmimom.destination import Queue
from rmimom.errors import MessageFormatError
from rmimom.foreign import adopted, is_foreign


def test_what_is_a_foreign_message() -> None:
    assert is_foreign(SimpleNamespace(body="x", properties={}))
    for other in ({"body": "x", "properties": {}}, b"x", None, [1], object(), SimpleNamespace(body="x")):
        assert not is_foreign(other)


def test_a_foreign_message_with_everything() -> None:
    foreign = SimpleNamespace(
        body=[1], kind="stream", properties={"p": 1}, correlation_id="c", reply_to=Queue("q"), type="t"
    )
    message = adopted(foreign)
    assert (message.body, message.kind, message.properties) == ([1], "stream", {"p": 1})
    assert (message.correlation_id, message.reply_to, message.type) == ("c", Queue("q"), "t")


def test_a_foreign_message_with_little() -> None:
    """A reply-to of a foreign kind need not be kept."""
    message = adopted(SimpleNamespace(body="x", properties=None, reply_to=object()))
    assert (message.body, message.kind, message.properties, message.reply_to) == ("x", "text", {}, None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"properties": 5}, "the properties of the SimpleNamespace must be a dict"),
        ({"kind": "novel"}, "no kind of message"),
    ],
)
def test_a_foreign_message_that_cannot_be_sent(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(MessageFormatError, match=complaint):
        adopted(SimpleNamespace(**{"body": "x", "properties": {}, **changes}))
