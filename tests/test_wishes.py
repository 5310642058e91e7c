"""What the sender of a message asks of the broker (rmimom/wishes.py)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from support.messages import frame_for

from rmimom.destination import Queue
from rmimom.errors import MessageFormatError
from rmimom.frame import decode_frame, decode_head, encode
from rmimom.values import PropertyValue
from rmimom.wishes import SHORTEST, Schedule, Wishes, decode_wishes, encode_wishes, read_wishes


def read(properties: Mapping[str, PropertyValue], body: str = "a") -> Wishes | None:
    """What a message with these properties asks for."""
    frame = frame_for(Queue("q"), body, properties=properties)
    head = decode_head(frame)
    found = read_wishes(head, frame)
    assert found is None or head.properties_length >= SHORTEST
    return found


ASKED: list[tuple[dict[str, PropertyValue], Wishes | None]] = [
    ({}, None),
    ({"a": "JMS", "b": 3}, None),
    ({"JMS_rmimom_max_redeliveries": 3}, Wishes(max_redeliveries=3)),
    ({"JMS_rmimom_max_redeliveries": -1}, Wishes(max_redeliveries=-1)),
    ({"x": 1.5, "JMS_rmimom_redelivery_delay": 0, "y": "z" * 500}, Wishes(redelivery_delay=0)),
    ({"JMSXGroupID": "g"}, Wishes(group="g")),
    ({"JMSXGroupID": "g", "JMSXGroupSeq": 0}, Wishes(group="g")),
    ({"JMSXGroupSeq": -1, "JMSXGroupID": "g"}, Wishes(group="g", closes=True)),
    ({"JMSXGroupSeq": -1, "longer_than_the_shortest": 1}, None),
    ({"JMSXGroupID": "", "longer_than_the_shortest": 1}, None),
    ({"AMQ_SCHEDULED_DELAY": 0}, None),
    ({"AMQ_SCHEDULED_DELAY": "50"}, Wishes(schedule=Schedule(delay=50))),
    (
        {"AMQ_SCHEDULED_PERIOD": 5, "AMQ_SCHEDULED_REPEAT": -1, "AMQ_SCHEDULED_CRON": "0 * * * *"},
        Wishes(schedule=Schedule(period=5, repeat=-1, cron="0 * * * *")),
    ),
    (
        {"JMS_rmimom_redelivery_delay": 250, "JMS_rmimom_max_redeliveries": 0},
        Wishes(max_redeliveries=0, redelivery_delay=250),
    ),
]


@pytest.mark.parametrize(("properties", "wishes"), ASKED)
@pytest.mark.parametrize("size", [0, 255, 256, 65_535, 65_536])
def test_wishes_are_found_before_bodies_of_any_size(
    properties: dict[str, PropertyValue], wishes: Wishes | None, size: int
) -> None:
    """Given a message, when its wishes are read, then they are those of its properties."""
    assert read(properties, "b" * size) == wishes


def test_a_body_asks_for_nothing() -> None:
    """Given a body that holds the text of a wish, when read, then it asks for nothing."""
    assert read({"some": "property"}, '{"JMS_rmimom_max_redeliveries":3}' * 3) is None


@pytest.mark.parametrize("value", [-2, 1_000_001])
def test_what_cannot_be_granted_is_refused(value: int) -> None:
    """Given a number out of its range, when read, then it is refused by name."""
    with pytest.raises(MessageFormatError, match=f"max_redeliveries' is {value}; .* from -1 to 1000000"):
        read({"JMS_rmimom_max_redeliveries": value})


@pytest.mark.parametrize(("text", "found"), [('"7"', 7), ('"x"', None), ("true", None), ("1.5", None), ("[1]", None)])
def test_values_of_other_protocols(text: str, found: int | None) -> None:
    """Given properties that were not made by this library, when read, then numbers may be text, and no more."""
    properties = f'{{"JMS_rmimom_max_redeliveries":{text}}}'.encode()
    made = decode_frame(frame_for(Queue("q"), "a"))
    frame = encode(msgspec.structs.replace(made, properties=properties, properties_length=len(properties)))
    if found is None:
        with pytest.raises(MessageFormatError):
            read_wishes(decode_head(frame), frame)
    else:
        assert read_wishes(decode_head(frame), frame) == Wishes(max_redeliveries=found)


@pytest.mark.parametrize("lie", [0, 19, 2**40])
def test_lengths_that_are_no_lengths(lie: int) -> None:
    """Given a head that lies about lengths, when read, then nothing breaks."""
    made = decode_frame(frame_for(Queue("q"), "a", properties={"JMS_rmimom_max_redeliveries": 3}))
    frame = encode(msgspec.structs.replace(made, properties_length=lie, body_length=lie))
    assert read_wishes(decode_head(frame), frame) in {None, Wishes(max_redeliveries=3)}


def test_text_form() -> None:
    """Given wishes, when written and read, then they are the same; what is unreadable asks for nothing."""
    wishes = Wishes(max_redeliveries=2, redelivery_delay=5)
    assert decode_wishes(encode_wishes(wishes)) == wishes
    assert encode_wishes(Wishes(redelivery_delay=5)) == '{"redelivery_delay":5}'
    later = Wishes(group="g", closes=True, schedule=Schedule(delay=5, start=7, destination="queue://q"))
    assert decode_wishes(encode_wishes(later)) == later
    assert decode_wishes("") is None
    assert decode_wishes("{") is None
