"""Sessions that are fed anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stomp_bytes import cuts
from support.stomp_conversation import Scene
from support.stomp_talk import GREETING, TALKS, check_talk

from rmimom.stomp.codec import encode_frame
from rmimom.stomp.session import FRAMES, Phase, Session
from rmimom.stomp.settings import Settings


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=150)
@given(TALKS, st.booleans())
def test_frames_are_answered_or_refused(talk: list[bytes], greeted: bool) -> None:
    check_talk(*talk, greeted=greeted)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=100)
@given(TALKS, st.randoms())
def test_bytes_in_any_pieces_are_answered_or_refused(talk: list[bytes], random: Any) -> None:
    check_talk(*cuts(b"".join(talk), random))


def test_an_exception_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Session, frame: object) -> None:
        raise KeyError("planted")

    monkeypatch.setitem(FRAMES[Phase.CONNECTED], "BEGIN", fail)
    with pytest.raises(KeyError, match="planted"):
        check_talk(encode_frame("BEGIN", {"transaction": "t"}))


def test_words_after_the_end_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(session: Session, *args: object, **options: object) -> None:
        session.closing = "planted"
        session.write(b"ERROR\n\n\x00")

    monkeypatch.setattr(Session, "refuse", refuse)
    monkeypatch.setattr(Session, "receive", lambda session, data: session.refuse())
    with pytest.raises(AssertionError, match="after its end"):
        check_talk(b"a", b"b")


def test_subscriptions_of_one_connection_are_told_the_same() -> None:
    """Given subscriptions that share a delivery, then only the lines that differ do so."""
    scene = Scene(Settings())
    scene.feed("c", GREETING)
    for number, mode in enumerate(["auto", "client"]):
        scene.feed("c", encode_frame("SUBSCRIBE", {"id": str(number), "destination": "/topic/a", "ack": mode}))
    maps = {"id": "m", "destination": "/topic/a", "transformation": "jms-map-json"}
    scene.feed("c", encode_frame("SUBSCRIBE", maps))
    scene.session("c").data_to_send()
    scene.feed("c", encode_frame("SEND", {"destination": "/topic/a", "colour": "blue"}, b"x" * 100))
    heads = [data.partition(b"expires:") for data in scene.session("c").data_to_send()]
    assert [head for head, _, _ in heads] == [
        b"MESSAGE\ndestination:/topic/a\nsubscription:0\n",
        b"MESSAGE\ndestination:/topic/a\nsubscription:1\nack:2-5\n",
        b"MESSAGE\ndestination:/topic/a\nsubscription:m\n",
    ]
    assert len({rest for _, _, rest in heads}) == 1
