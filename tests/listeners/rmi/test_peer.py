"""What a peer says about itself and when it tells of its end."""

from __future__ import annotations

import logging

import pytest

from rmimom.listeners.rmi.peer import Peer


class Line:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def shut(self, reason: str) -> None:
        self.reasons.append(reason)


def test_who_asked_is_told_once_when_the_peer_is_gone() -> None:
    peer, told = Peer(Line(), ("h", 1)), []
    peer.on_close(lambda: told.append("first"))
    peer.on_close(lambda: told.append("second"))
    assert told == []
    peer.connection_lost()
    assert told == ["first", "second"]
    assert peer.closed


def test_who_asks_too_late_is_told_at_once() -> None:
    peer, told = Peer(Line(), ("h", 1)), []
    peer.connection_lost()
    peer.on_close(lambda: told.append("now"))
    assert told == ["now"]


def test_one_callback_that_fails_keeps_no_other_from_being_called(caplog: pytest.LogCaptureFixture) -> None:
    peer, told = Peer(Line(), ("h", 1)), []
    peer.on_close(lambda: told.append(1 // 0))
    peer.on_close(lambda: told.append(2))
    with caplog.at_level(logging.ERROR):
        peer.connection_lost()
    assert told == [2]
    assert "ZeroDivisionError" in caplog.text


def test_close_shuts_the_line_unless_it_is_gone() -> None:
    line = Line()
    peer = Peer(line, ("h", 1))
    peer.close("enough")
    peer.connection_lost()
    peer.close("again")
    assert line.reasons == ["enough"]


def test_the_key_to_a_connection_does_not_get_into_the_log() -> None:
    peer = Peer(Line(), ("h", 1))
    peer.object_id = "rmimom.topic.quakes"
    assert "rmimom.topic.quakes" in repr(peer)
    peer.object_id = "rmimom.connection.0123456789"
    assert "0123456789" not in repr(peer)
