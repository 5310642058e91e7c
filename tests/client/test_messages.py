"""A session makes messages of each kind, and each arrives as what it was (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

import pytest

from rmimom.client.messages import MessageMaker
from rmimom.errors import IllegalStateError
from rmimom.kinds import BytesMessage, MapMessage, ObjectMessage, StreamMessage, TextMessage
from rmimom.message import Message


class Maker(MessageMaker):
    """A session that is open, or not."""

    closed = False

    def _check_open(self) -> None:
        if self.closed:
            raise IllegalStateError("closed")


MADE: dict[str, tuple[type[Message], str, object]] = {
    "message": (Message, "none", None),
    "text_message": (TextMessage, "text", None),
    "bytes_message": (BytesMessage, "bytes", b""),
    "map_message": (MapMessage, "map", {}),
    "stream_message": (StreamMessage, "stream", []),
    "object_message": (ObjectMessage, "object", None),
}


@pytest.mark.parametrize("name", MADE)
def test_an_empty_message_of_each_kind(name: str) -> None:
    message = getattr(Maker(), f"create_{name}")()
    assert (type(message), message.kind, message.body) == MADE[name]


def test_messages_with_a_body() -> None:
    maker = Maker()
    assert maker.create_text_message("x").body == "x"
    assert maker.create_bytes_message(b"x").body == b"x"
    assert maker.create_map_message({"x": 1}).body == {"x": 1}
    assert maker.create_stream_message([1]).body == [1]
    assert maker.create_object_message((1,)).body == (1,)


@pytest.mark.parametrize("name", MADE)
def test_a_closed_session_makes_none(name: str) -> None:
    maker = Maker()
    maker.closed = True
    with pytest.raises(IllegalStateError):
        getattr(maker, f"create_{name}")()
