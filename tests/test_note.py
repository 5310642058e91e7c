"""Notes of dead letters, as text and as properties."""

from __future__ import annotations

import pytest

from rmimom.destination import Queue
from rmimom.frame import decode_frame, encode
from rmimom.message import Message
from rmimom.note import MAX_REASON, Note, clean_reason, decode_note, encode_note, note_properties

DEAD = Note(original_destination="queue://q", reason="é\n'", failures=7, dead_at=5, sources=[1, 2])


@pytest.mark.parametrize("note", [Note(), DEAD, Note(retried_at=9)])
def test_a_note_comes_back_as_it_was(note: Note) -> None:
    assert decode_note(encode_note(note)) == note


@pytest.mark.parametrize("text", ["", "{", "[]", '{"failures":"seven"}', "\x00"])
def test_what_is_no_note_says_nothing(text: str) -> None:
    assert decode_note(text) == Note()
    assert note_properties(text) == {}


def test_consumers_see_the_note_as_properties_beside_those_of_the_sender() -> None:
    """§3.5.10: the prefix is that of this provider; §3.10: the message is the original."""
    frame = Message("a", properties={"size": 3}).to_frame(Queue("q"), message_id="ID:1", now=1)
    received = Message.from_frame(encode(frame), note=encode_note(DEAD))
    assert received.properties == {
        "size": 3,
        "JMS_rmimom_original_destination": "queue://q",
        "JMS_rmimom_dead_reason": "é\n'",
        "JMS_rmimom_failures": 7,
        "JMS_rmimom_dead_at": 5,
    }
    assert decode_frame(encode(frame)) == frame
    again = Message.from_frame(encode(frame), note=encode_note(Note(retried_at=9)))
    assert again.properties == {"size": 3, "JMS_rmimom_retried_at": 9}


def test_a_reason_can_be_stored_whatever_it_is() -> None:
    assert clean_reason("x" * 5000) == "x" * MAX_REASON
    assert clean_reason("\ud800!") == "?!"
