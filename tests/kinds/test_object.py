"""ObjectMessage (Jakarta Messaging 3.1 §3.11, §3.12)."""

from __future__ import annotations

import pytest
from support.received import received

from rmimom.errors import MessageFormatError, MessageNotWriteableError
from rmimom.kinds import ObjectMessage

DATA = {"a": [1, (2.5, None)], 3: {"b": b"x"}}


def test_data_arrive_as_they_were() -> None:
    got = received(ObjectMessage(DATA))
    assert isinstance(got, ObjectMessage)
    assert got.body == DATA
    assert received(got).body == DATA  # also when it is sent on


def test_a_snapshot_in_and_a_copy_out() -> None:
    """§3.12: what is done to the data afterwards does not change the message."""
    data = {"a": [1]}
    message = ObjectMessage(data)
    data["a"].append(2)
    for one in (message, received(message)):
        assert one.body == {"a": [1]}
        copy = one.body_as(dict)
        assert copy is not None
        copy["a"].append(3)
        assert one.body == {"a": [1]}
        with pytest.raises(MessageNotWriteableError):
            one.body["a"].append(4)


def test_only_plain_data() -> None:
    with pytest.raises(MessageFormatError, match=r"the body\['a'\] has the type object"):
        ObjectMessage({"a": object()})


def test_the_class_of_the_data() -> None:
    assert received(ObjectMessage([1])).body_as(list) == [1]
    assert received(ObjectMessage(5)).body_as(int) == 5
    assert received(ObjectMessage()).body_as(dict) is None
    with pytest.raises(MessageFormatError, match="the body of the object message is a list, not a dict"):
        received(ObjectMessage([1])).body_as(dict)
