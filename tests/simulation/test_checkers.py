"""The checkers themselves: each accepts a good history and finds each kind of violation."""

from __future__ import annotations

import pytest

from rmimom_chaos.checkers import ALL, check_all, longest_gap
from rmimom_chaos.history import Event, History, excerpt, merged, read_lines, write_lines

Q = "queue://q"
T = "topic://t"
GOOD = """
p invoke send p-1 queue://q
p ok send p-1
p invoke send p-2 queue://q
p ok send p-2
c ok receive p-1 queue://q count=1 tag=1
c ok receive p-2 queue://q count=1 tag=2
c invoke acknowledge p-1 queue://q
c ok acknowledge p-1 queue://q
c invoke acknowledge p-2 queue://q
c ok acknowledge p-2 queue://q
w invoke drain queue://q
w ok drain queue://q
"""


TEXTS = {"consumer", "place", "transaction", "origin", "reason", "destination"}


def history(text: str) -> History:
    """Events from lines `process type op [value] [place] [name=number …]`, one millisecond apart."""
    events: History = []
    for time, line in enumerate(filter(None, text.splitlines()), 1):
        process, kind, op, *rest = line.split()
        fields: dict[str, object] = {"consumer": process}
        for word in rest:
            name, separator, value = word.partition("=")
            if separator:
                fields[name] = value if name in TEXTS else int(value)
            elif "://" in word and op == "send":
                fields["destination"] = word
            elif "://" in word:
                fields["place"] = word
                if op == "subscribe":
                    fields["destination"] = word.partition("#")[0]
            else:
                fields["value"] = word
        events.append(Event(**{"time": time, "process": process, "type": kind, "op": op, **fields}))  # type: ignore[arg-type]
    return events


def test_good_history_is_valid() -> None:
    assert {verdict.checker: verdict.valid for verdict in check_all(history(GOOD))} == dict.fromkeys(ALL, True)


def test_good_history_counts() -> None:
    assert dict(ALL["total queue"](history(GOOD)).facts) == {"received": 2, "duplicated": 0}
    assert dict(ALL["conservation"](history(GOOD)).facts) == {"in": 2, "consumed": 2}


DURABLE = """
c invoke subscribe topic://t#a
c ok subscribe topic://t#a
p invoke send p-1 topic://t
p ok send p-1
{more}
w ok drain topic://t#a
"""

TRANSACTION = """
f invoke commit transaction=t
f invoke acknowledge p-1 queue://q transaction=t
f invoke send f-1 queue://r transaction=t
f invoke send f-2 queue://r transaction=t
f {end} commit transaction=t
{more}
w ok drain queue://r
"""
RECEIVED = "c ok receive f-1 queue://r count=1"

POLICY = """
w info policy dead queue://q destination=queue://DLQ.q
w info policy expired queue://q destination=queue://EXP.q
w info policy dead topic://t destination=queue://DLQ.t
"""
NOTE = "origin=queue://q reason=bad failures=1 dead_at=9"
BURIED = (
    POLICY
    + """
p invoke send p-1 queue://q
p ok send p-1
c ok receive p-1 queue://q count=1 tag=1
c invoke release p-1 queue://q maximum=0
c ok release p-1 queue://q maximum=0
{more}
w ok drain queue://q
w ok drain queue://DLQ.q
{remains}
"""
)
DEAD = f"d ok receive p-1 queue://DLQ.q count=2 tag=1 {NOTE}"
AND_DONE = f"{DEAD}\nd invoke acknowledge p-1 queue://DLQ.q\nd ok acknowledge p-1 queue://DLQ.q"

BAD: list[tuple[str, str, str]] = [
    (
        "conservation",
        BURIED.format(more="", remains=""),
        "p-1: is neither consumed nor expired nor dead nor in queue://q",
    ),
    (
        "conservation",
        POLICY + "p invoke send p-1 queue://q expiration=5\np ok send p-1\nw ok drain queue://q\nw ok drain queue://q",
        "p-1: is neither consumed nor expired nor dead nor in queue://q",
    ),
    (
        "conservation",
        DURABLE.format(more="c ok receive p-1 topic://t#a count=1"),
        "p-1: is neither consumed nor expired nor dead nor in topic://t#a",
    ),
    (
        "acknowledged",
        BURIED.format(more=AND_DONE + "\nc ok receive p-1 queue://q count=3 tag=1", remains=""),
        "p-1: was acknowledged at queue://q at 11 and",
    ),
    (
        "acknowledged",
        BURIED.format(more=AND_DONE, remains="w ok remains p-1 queue://q"),
        "p-1: was acknowledged at queue://q and is still there",
    ),
    (
        "redelivery",
        BURIED.format(more=DEAD.replace("count=2", "count=1"), remains=""),
        "p-1: was delivered twice from queue://q with count 1",
    ),
    (
        "total queue",
        BURIED.format(more=DEAD.replace("DLQ.q", "DLQ.t"), remains=""),
        "p-1: was received from queue://DLQ.t though",
    ),
    (
        "dead letters",
        BURIED.format(more="c ok receive p-1 queue://q count=2", remains=""),
        "p-1: was delivered from queue://q after the last failure",
    ),
    (
        "dead letters",
        BURIED.replace("maximum=0", "maximum=1").format(more=DEAD, remains=""),
        "p-1: is a dead letter after 1 failures, but may have more",
    ),
    (
        "dead letters",
        BURIED.format(more=DEAD.replace("failures=1", "failures=2"), remains=""),
        "p-1: has 2 failures in its note, but failed 1 times",
    ),
    (
        "dead letters",
        BURIED.format(more=DEAD.replace("origin=queue://q", "origin=topic://t"), remains=""),
        "p-1: is a dead letter of 'topic://t', but was not sent there",
    ),
    (
        "dead letters",
        BURIED.format(more=DEAD.replace("DLQ.q", "DLQ.t"), remains=""),
        "p-1: is a dead letter in queue://DLQ.t, which is not for 'queue://q'",
    ),
    ("dead letters", BURIED.format(more=DEAD.replace("reason=bad", ""), remains=""), "p-1: is a dead letter without a"),
    ("dead letters", BURIED.format(more=DEAD.replace(NOTE, ""), remains=""), "p-1: is in queue://DLQ.q without a note"),
    (
        "times",
        BURIED.format(more=DEAD.replace("reason=bad", "reason=expired"), remains=""),
        "p-1: was buried as expired at 9, but expires at 0",
    ),
    (
        "times",
        GOOD + "c ok release p-2 queue://q delivery_time=100\nc ok receive p-2 queue://q count=2 tag=2",
        "p-2: came again to queue://q before the delay after its failure was over",
    ),
    ("browsing", GOOD + "v ok browse p-1 queue://q tag=1 released=13", "p-1: is shown in queue://q at 13, but was ack"),
    ("browsing", GOOD + "v ok browse p-7 queue://q tag=1", "p-7: is shown in queue://q, but was not sent there"),
    (
        "browsing",
        "p invoke send p-1 queue://q delivery_time=50\nv ok browse p-1 queue://q tag=1",
        "p-1: is shown in queue://q before its time",
    ),
    (
        "browsing",
        "p invoke send p-1 queue://q expiration=2\nv ok browse p-1 queue://q tag=1 released=2",
        "p-1: is shown in queue://q after its expiration",
    ),
    (
        "browsing",
        GOOD.replace("c ok receive p-1 queue://q count=1 tag=1", "v ok browse p-2 queue://q tag=2").replace(
            "c ok receive p-2 queue://q count=1 tag=2", "v ok browse p-1 queue://q tag=1"
        ),
        "p-1: is shown to v out of order",
    ),
    (
        "total queue",
        GOOD.replace("c ok receive p-2 queue://q count=1 tag=2\n", ""),
        "p-2: was accepted for queue://q and",
    ),
    ("total queue", GOOD + "c ok receive p-9 queue://q count=1", "p-9: was received from queue://q though"),
    ("total queue", GOOD.replace("p ok send p-2", "p fail send p-2"), "p-2: was received from queue://q though"),
    ("durable subscriptions", DURABLE.format(more=""), "p-1: was accepted for topic://t#a and is lost"),
    (
        "durable subscriptions",
        "c ok receive p-1 topic://t#a count=1\n"
        + DURABLE.format(more="").replace("p invoke send p-1 topic://t\np ok send p-1\n", ""),
        "p-1: was received from topic://t#a though",
    ),
    ("acknowledged", GOOD + "d ok receive p-1 queue://q count=2 tag=1", "p-1: was acknowledged at queue://q at 8 and"),
    ("acknowledged", GOOD + "w ok remains p-1 queue://q", "p-1: was acknowledged at queue://q and is still there"),
    (
        "duplicates",
        GOOD + "c ok receive p-1 queue://q count=1 tag=7",
        "p-1: is at queue://q twice, under the tags 1 and 7",
    ),
    ("duplicates", GOOD.replace("tag=2", "tag=1"), "p-2: has the tag 1 of p-1"),
    (
        "duplicates",
        GOOD.replace(" tag=1", "").replace(" tag=2", "") + "d ok receive p-1 queue://q count=1",
        "p-1: was delivered twice from queue://q as if for the first time",
    ),
    (
        "order",
        GOOD.replace("receive p-1", "receive p-3").replace("send p-1", "send p-3"),
        "p-2: came to c of queue://q after",
    ),
    (
        "order",
        DURABLE.format(
            more="p invoke send p-2 topic://t\np ok send p-2\nc ok receive p-2 topic://t#a count=2\n"
            "c ok receive p-1 topic://t#a count=2"
        ),
        "p-1: came again to c of topic://t#a after p-2",
    ),
    (
        "order",
        DURABLE.format(
            more="p invoke send p-2 topic://t\np ok send p-2\nc ok receive p-2 topic://t#a count=1\n"
            "c ok receive p-1 topic://t#a count=1 consumer=other"
        ),
        "p-1: came to other of topic://t#a after p-2",
    ),
    (
        "times",
        GOOD.replace("send p-1 queue://q", "send p-1 queue://q delivery_time=100"),
        "p-1: was delivered 95 ms before",
    ),
    (
        "times",
        GOOD.replace("send p-1 queue://q", "send p-1 queue://q expiration=1").replace(
            "count=1 tag=1", "count=1 tag=1 released=5000"
        ),
        "p-1: was delivered 4999 ms after its expiration",
    ),
    (
        "conservation",
        GOOD.replace("c invoke acknowledge p-2 queue://q\nc ok acknowledge p-2 queue://q\n", ""),
        "p-2: is neither consumed nor expired nor dead nor in queue://q",
    ),
    (
        "redelivery",
        GOOD + "d ok receive p-1 queue://q count=1 tag=1",
        "p-1: was delivered twice from queue://q with count 1",
    ),
    ("redelivery", GOOD.replace("count=1 tag=2", "count=2 tag=2"), "p-2: came first from queue://q with count 2"),
    ("redelivery", GOOD.replace("count=1 tag=2", "count=0 tag=2"), "p-2: has delivery count 0"),
    ("transactions", TRANSACTION.format(end="fail", more=RECEIVED), "f-1: was delivered though t was rolled back"),
    ("transactions", TRANSACTION.format(end="ok", more=RECEIVED), "f-2: is missing, though t was committed"),
    ("transactions", TRANSACTION.format(end="info", more=RECEIVED), "f-2: is missing, though t was committed"),
    (
        "transactions",
        TRANSACTION.format(
            end="info", more=f"{RECEIVED}\n{RECEIVED.replace('f-1', 'f-2')}\nw ok remains p-1 queue://q"
        ),
        "p-1: is still at queue://q, though t was committed",
    ),
    (
        "conservation",
        GOOD.replace("c ok acknowledge p-1", "c fail acknowledge p-1"),
        "p-1: is neither consumed nor expired nor dead nor in queue://q",
    ),
]


@pytest.mark.parametrize(("checker", "text", "finding"), BAD)
def test_violation_is_found(checker: str, text: str, finding: str) -> None:
    verdict = ALL[checker](history(text))
    assert verdict.valid is False
    assert any(line.startswith(finding) for line in verdict.findings), verdict.findings
    assert finding.split(":", 1)[0] in verdict.values


LEGAL: list[tuple[str, str, str]] = [
    ("a send of unknown outcome may be there", "total queue", GOOD.replace("p ok send p-2", "p info send p-2")),
    ("a send of unknown outcome may be missing", "total queue", GOOD + "p invoke send p-3 queue://q\np info send p-3"),
    (
        "an expired message may be missing",
        "total queue",
        GOOD + "p invoke send p-3 queue://q expiration=15\np ok send p-3\nw ok drain queue://q",
    ),
    (
        "a non-persistent message may be missing after a crash",
        "total queue",
        GOOD + "p invoke send p-3 queue://q persistent=0\np ok send p-3\nw info fault crash\nw ok drain queue://q",
    ),
    (
        "a message still there is not lost",
        "conservation",
        GOOD + "p invoke send p-3 queue://q\np ok send p-3\nw ok drain queue://q\nw ok remains p-3 queue://q",
    ),
    (
        "a message sent while the subscription was made may be missing",
        "durable subscriptions",
        (
            "p invoke send p-1 topic://t\nc invoke subscribe topic://t#a\nc ok subscribe topic://t#a\np ok send p-1\n"
            "w ok drain topic://t#a"
        ),
    ),
    (
        "a message sent while the subscription was deleted may be missing",
        "durable subscriptions",
        (
            "c invoke subscribe topic://t#a\nc ok subscribe topic://t#a\np invoke send p-1 topic://t\n"
            "c invoke unsubscribe topic://t#a\np ok send p-1"
        ),
    ),
    (
        "a redelivery whose delivery was under way when the acknowledgement came is legal",
        "acknowledged",
        GOOD + "d ok receive p-1 queue://q count=2 tag=1 released=7",
    ),
    (
        "a consumer gets again what it gave back",
        "order",
        DURABLE.format(
            more="p invoke send p-2 topic://t\np ok send p-2\nc ok receive p-1 topic://t#a count=1\n"
            "c ok receive p-2 topic://t#a count=1\nc info release p-1 topic://t#a\n"
            "c ok receive p-1 topic://t#a count=2"
        ),
    ),
    ("a rolled back transaction leaves nothing", "transactions", TRANSACTION.format(end="fail", more="")),
    ("a commit of unknown outcome may not be done", "transactions", TRANSACTION.format(end="info", more="")),
    (
        "a commit of unknown outcome may be done",
        "transactions",
        TRANSACTION.format(end="info", more=f"{RECEIVED}\n{RECEIVED.replace('f-1', 'f-2')}"),
    ),
    (
        "a selector leaves out what it does not take",
        "durable subscriptions",
        DURABLE.format(more="").replace("topic://t#a\np", "topic://t#a least_priority=5\np"),
    ),
    ("a dead letter is there", "conservation", BURIED.format(more="", remains="w ok remains p-1 queue://DLQ.q")),
    ("a dead letter is consumed", "conservation", BURIED.format(more=AND_DONE, remains="")),
    ("a dead letter says where it was", "dead letters", BURIED.format(more=DEAD, remains="")),
    (
        "a dead letter that was sent back may fail again",
        "dead letters",
        BURIED.format(
            more=f"{DEAD}\nv invoke retry queue://DLQ.q\nc ok receive p-1 queue://q count=3 retried_at=14\n"
            f"c invoke release p-1 queue://q maximum=1\nc ok release p-1 queue://q maximum=1\n"
            "c ok receive p-1 queue://q count=4 retried_at=14",
            remains="",
        ),
    ),
    (
        "a dead letter does not expire",
        "times",
        BURIED.replace("send p-1 queue://q", "send p-1 queue://q expiration=1").format(
            more=DEAD.replace("tag=1", "tag=1 released=9000"), remains=""
        ),
    ),
    (
        "after a fault nobody knows of a delay any more",
        "times",
        GOOD
        + "c ok release p-2 queue://q delivery_time=100\nw info fault crash\nc ok receive p-2 queue://q count=2 tag=2",
    ),
    (
        "what had to wait is overtaken",
        "order",
        DURABLE.format(
            more="p invoke send p-2 topic://t\np ok send p-2\nc ok receive p-1 topic://t#a count=1\n"
            "c invoke release p-1 topic://t#a delivery_time=90\nc ok receive p-2 topic://t#a count=1 consumer=other\n"
            "c ok receive p-1 topic://t#a count=2 consumer=other"
        ),
    ),
    (
        "a subscription to a pattern gets what matches",
        "durable subscriptions",
        DURABLE.replace("topic://t#a", "topic://*#a").format(more="c ok receive p-1 topic://*#a count=1"),
    ),
    (
        "who shares a subscription gets a part in no order",
        "order",
        DURABLE.format(
            more="p invoke send p-2 topic://t\np ok send p-2\nc ok receive p-2 topic://t#a count=1 shared=1\n"
            "d ok receive p-1 topic://t#a count=1 shared=1"
        ),
    ),
    ("a browser sees what waits", "browsing", GOOD + "v ok browse p-1 queue://q tag=1 released=3"),
    ("a higher priority overtakes", "order", GOOD.replace("send p-1 queue://q", "send p-1 queue://q priority=1")),
    (
        "after a fault the first that arrives may be flagged",
        "redelivery",
        GOOD.replace("c ok receive p-2 queue://q count=1", "c info fault torn\nc ok receive p-2 queue://q count=3"),
    ),
]


@pytest.mark.parametrize(("checker", "text"), [row[1:] for row in LEGAL], ids=[row[0] for row in LEGAL])
def test_what_is_legal_is_not_reported(checker: str, text: str) -> None:
    assert ALL[checker](history(text)).findings == []
    assert ALL[checker](history(text)).valid is True


@pytest.mark.parametrize("checker", ["total queue", "conservation"])
def test_aborted_drain_is_unknown_never_valid(checker: str) -> None:
    """Given a drain that was cut short, when nothing else is wrong, then the verdict is unknown."""
    verdict = ALL[checker](history(GOOD.replace("w ok drain", "w info drain")))
    assert (verdict.valid, verdict.findings) == (None, [])
    missing = GOOD.replace("w ok drain", "w info drain").replace("c ok receive p-2 queue://q count=1 tag=2\n", "")
    assert ALL["total queue"](history(missing)).valid is None


def test_longest_gap() -> None:
    events = [Event(time, "p", kind, "send") for time, kind in [(0, "ok"), (10, "ok"), (50, "info"), (70, "ok")]]
    assert longest_gap(events) == 60
    assert longest_gap(events, "receive") == longest_gap([]) == 0


def test_history_as_lines() -> None:
    """JSON lines come back as they were; a line cut off by a crash is left out."""
    events = history(GOOD)
    lines = write_lines(events)
    assert read_lines(lines) == events
    assert read_lines(lines[:-5]) == events[:-1]
    assert b'"priority"' not in lines


def test_merging_and_excerpts() -> None:
    events = history(GOOD)
    producer = [event for event in events if event.process == "p"]
    others = [event for event in events if event.process != "p"]
    assert merged([others, producer]) == events
    lines = list(excerpt(events, {"p-1"}))
    assert lines[0] == "1 p invoke send value=p-1 destination=queue://q consumer=p"
    assert len(lines) == 5
    assert list(excerpt(events, {"p-1"}, limit=1))[-1] == "…"
