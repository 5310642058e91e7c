"""Sessions that are fed anything: what they may do, and frames that nearly make sense."""

from __future__ import annotations

from hypothesis import strategies as st
from support.stomp_bytes import MESSES
from support.stomp_conversation import Scene

from rmimom.stomp.codec import CLIENT_COMMANDS, SERVER_COMMANDS, FrameReader, Limits, encode_frame
from rmimom.stomp.settings import Settings

TIGHT = Settings(
    subscriptions=3,
    transactions=2,
    transaction_bytes=300,
    max_message_size=400,
    limits=Limits(header_line=60, headers=9, head=300, body=100, empty_lines=50),
)
_NAMES = [
    *("destination", "id", "ack", "receipt", "transaction", "message-id", "subscription", "selector", "browser"),
    *("persistent", "priority", "expires", "expiration", "timestamp", "reply-to", "transformation", "amq-msg-type"),
    *("AMQ_SCHEDULED_DELAY", "AMQ_SCHEDULED_PERIOD", "AMQ_SCHEDULED_REPEAT", "AMQ_SCHEDULED_CRON", "requeue"),
    *("JMSXGroupID", "JMSXGroupSeq", "activemq.subscriptionName", "activemq.prefetchSize", "activemq.priority"),
    *("activemq.exclusive", "activemq.retroactive", "activemq.noLocal", "durable", "prefetch-count", "client-id"),
    *("accept-version", "heart-beat", "login", "passcode", "host", "AMQ_rmimom_max_redeliveries", "colour"),
]
_VALUES = [
    *("1", "0", "-1", "1-2", "1-3", "2-3", "t", "u", "true", "false", "auto", "client", "client-individual", ""),
    *("/queue/a", "/topic/a", "/topic/a.>", "/queue/a,/topic/b,c", "/temp-queue/t", "/remote-temp-queue/x", "/queue/*"),
    *("1.0", "1.1,1.2", "9.9", "1000,2000", "99999999999999999999", "jms-map-json", "jms-object-json", "a > 5", "a >"),
    *("\u0663", "a:b\\\n", " x ", "* * * * *", "bytes", "text"),
]
FRAMES: st.SearchStrategy[bytes] = st.builds(
    encode_frame,
    st.sampled_from(sorted(CLIENT_COMMANDS)),
    st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES), max_size=5),
    st.sampled_from([b"", b"", b"body", b'{"a":1}', b"\xff"]),
)
TALKS: st.SearchStrategy[list[bytes]] = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, MESSES), max_size=15)
GREETING = encode_frame("CONNECT", {"accept-version": "1.1,1.2", "client-id": "c"})


def check_talk(*pieces: bytes, greeted: bool = True, settings: Settings = TIGHT) -> None:
    """Raise AssertionError if a session that gets these bytes does anything but answer, or end with one ERROR."""
    scene = Scene(settings)
    session = scene.session("c")
    reader = FrameReader(version="1.0", commands=SERVER_COMMANDS)
    commands: list[str] = []
    for piece in [GREETING, *pieces] if greeted else pieces:
        ended = session.closing
        scene.feed("c", piece)
        out = b"".join(session.data_to_send())
        assert not (ended and out), "it speaks after its end"
        reader.feed(out)
        commands += [frame.command for frame in reader.frames()]
    assert not reader.incomplete, "what it wrote is no whole frame"
    if session.closing and session.closing != "the client disconnected":
        assert commands[-1] == "ERROR", commands
    scene.do("c lost")
