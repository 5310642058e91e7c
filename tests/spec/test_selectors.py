"""Selectors, Jakarta Messaging 3.1 §3.8: rows S1 to S6, and what naive implementations miss.

Most tests are tables: a message with some properties, selectors that take it and selectors that do not.  Each selector
is tried by a browser, which looks at the same message with each of them, in the server.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.spec import bodies, next_of

from rmimom import (
    Byte,
    Connection,
    Float,
    Int,
    InvalidSelectorError,
    Message,
    Queue,
    Session,
    Short,
    Topic,
)

PROPERTIES = {
    "flag": True,
    "off": False,
    "byte": Byte(29),
    "short": Short(-300),
    "count": Int(7),
    "long": 9_000_000_000,
    "float": Float(0.5),
    "double": 2.5,
    "word": "it's",
    "digits": "7",
    "percent": "50%",
    "under": "a_b",
    "empty": "",
    "_x$1": 1,
    "größe": "klein",
}
"""The message that the tables speak of."""


@pytest.fixture
def matches(session: Session, queue: Queue) -> Callable[[str], bool]:
    """Whether a selector takes the message of the tables."""
    session.create_sender(queue).send(Message("17", properties=PROPERTIES, type="quake"), priority=6)

    def matches(selector: str) -> bool:
        with session.create_browser(queue, selector) as browser:
            return bool(list(browser))

    return matches


def check(matches: Callable[[str], bool], taken: str, refused: str) -> None:
    """Lines of selectors that take the message, and of such that do not, whether false or unknown."""
    for selector in filter(None, (line.strip() for line in taken.splitlines())):
        assert matches(selector), selector
    for selector in filter(None, (line.strip() for line in refused.splitlines())):
        assert not matches(selector), selector


def test_only_messages_whose_properties_match_are_delivered(session: Session, queue: Queue) -> None:
    """A consumer with a selector gets the messages whose headers and properties match, in order, and no others.

    Rows: S1. Assertions: T:36, T:38. Section: 3.8.1.1.
    """
    sender = session.create_sender(queue)
    for number in range(6):
        sender.send(number, properties={"number": number}, type="even" if number % 2 == 0 else "odd")
    with session.create_receiver(queue, selector="number > 1 AND JMSType = 'even'") as receiver:
        assert bodies(receiver, 2) == [2, 4]
    assert bodies(session.create_receiver(queue), 4) == [0, 1, 3, 5]


def test_the_body_is_not_looked_at(session: Session, queue: Queue) -> None:
    """A value in the body of a map message is no property.

    Rows: S1. Assertions: T:38. Section: 3.8.1.1.
    """
    sender = session.create_sender(queue)
    sender.send({"colour": "red"})
    sender.send({"colour": "blue"}, properties={"colour": "red"})
    receiver = session.create_receiver(queue, selector="colour = 'red'")
    assert next_of(receiver).body == {"colour": "blue"}


@pytest.mark.parametrize("selector", ["", " ", "\t\r\n\f "])
def test_an_empty_selector_is_none(selector: str, session: Session, queue: Queue, topic: Topic) -> None:
    """An empty or blank selector takes everything.

    Rows: S2. Assertions: T:37. Section: 3.8.1.1.
    """
    session.create_sender(queue).send("a")
    assert next_of(session.create_receiver(queue, selector=selector)).body == "a"
    subscriber = session.create_subscriber(topic, selector=selector)
    session.create_publisher(topic).publish("b")
    assert next_of(subscriber).body == "b"


WRONG = [
    "count >",
    "= 7",
    "count = 7 AND",
    "(count = 7",
    "count = 7)",
    "count == 7",
    "count != 7",
    "count % 2 = 0",
    "count = 7 -- the seventh",
    "count /* seven */ = 7",
    "word = 'open",
    'word = "double"',
    "count BETWEEN 1",
    "word IN ()",
    "word LIKE",
    "word LIKE 'a' ESCAPE 'ab'",
    "word IS 7",
    "NULL = 0",
    "count + 1",
    "7",
    "12abc = 1",
    "9223372036854775808 = count",
]
TYPES = [
    "count > 'foo'",
    "count <= 'foo'",
    "'foo' > TRUE",
    "word < 'b'",
    "flag >= TRUE",
    "TRUE = 0",
    "'7' = 7",
    "count BETWEEN 'foo' AND 'test'",
    "word NOT IN (1, 2, 3)",
    "word LIKE 7",
    "7 LIKE '7'",
    "'a' IN ('a')",
    "word + 'x' = 'ax'",
    "NOT 7",
    "flag AND 7",
    "JMSPriority = 'high'",
    "JMSType > 3",
]


@pytest.mark.parametrize("selector", WRONG + TYPES)
def test_a_wrong_selector_is_refused_when_the_consumer_is_made(
    selector: str, session: Session, queue: Queue, topic: Topic
) -> None:
    """A selector with a mistake of form or of types is refused at once, for receiver, subscriber and browser alike.

    Rows: S2, C11. Assertions: T:69, T:175. Section: 3.8.1.1.
    """
    with pytest.raises(InvalidSelectorError, match="at column"):
        session.create_receiver(queue, selector=selector)
    with pytest.raises(InvalidSelectorError):
        session.create_subscriber(topic, selector=selector)
    with pytest.raises(InvalidSelectorError):
        session.create_subscriber(topic, durable="never", selector=selector)
    with pytest.raises(InvalidSelectorError):
        session.create_browser(queue, selector)


def test_the_refusal_names_the_place_and_what_was_expected(session: Session, queue: Queue) -> None:
    """The error of a wrong selector tells the column of the mistake, what stands there and what should.

    Rows: S2, C11. Assertions: T:175. Section: 10.3.
    """
    with pytest.raises(InvalidSelectorError, match=r"at column 14\b.*expected") as caught:
        session.create_receiver(queue, selector="count = 7 AND")
    assert caught.value.code == "invalid-selector"
    with pytest.raises(InvalidSelectorError, match=r"at column 9\b"):
        session.create_receiver(queue, selector="count > 'foo'")


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param("a = '" + "x" * 1_000_000 + "'", id="a megabyte"),
        pytest.param("(" * 10_000 + "TRUE" + ")" * 10_000, id="ten thousand parentheses"),
        pytest.param("NOT " * 10_000 + "TRUE", id="ten thousand times NOT"),
        pytest.param(" OR ".join(["a = 1"] * 50_000), id="fifty thousand conditions"),
    ],
)
def test_a_monstrous_selector_costs_only_its_sender(selector: str, session: Session, queue: Queue) -> None:
    """A selector beyond all measure is refused, and the server goes on.

    Rows: S2. Assertions: T:69. Section: 3.8.1.1.
    """
    with pytest.raises(InvalidSelectorError):
        session.create_receiver(queue, selector=selector)
    session.create_sender(queue).send("a", properties={"a": 1})
    assert next_of(session.create_receiver(queue, selector="a = 1")).body == "a"


def test_a_slow_pattern_is_not_slow(session: Session, queue: Queue) -> None:
    """A LIKE pattern made to be tried in very many ways is done with at once: the test's time limit would tell.

    Rows: S5. Assertions: T:66. Section: 3.8.1.1.
    """
    session.create_sender(queue).send("a", properties={"word": "a" * 20_000})
    with session.create_browser(queue, "word LIKE '" + "%a" * 200 + "%b'") as browser:
        assert list(browser) == []


def test_and(matches: Callable[[str], bool]) -> None:
    """AND of true, false and unknown, where only NOT (NOT x) tells false from unknown: NOT turns false into true.

    Rows: S3. Assertions: T:248. Section: 3.8.1.2.
    """
    check(
        matches,
        """
        flag AND flag
        NOT (flag AND off)
        NOT (off AND flag)
        NOT (off AND off)
        NOT (off AND missing)
        NOT (missing AND off)
        """,
        """
        flag AND off
        off AND flag
        off AND off
        flag AND missing
        NOT (flag AND missing)
        missing AND flag
        NOT (missing AND flag)
        off AND missing
        missing AND missing
        NOT (missing AND missing)
        """,
    )


def test_or(matches: Callable[[str], bool]) -> None:
    """OR of true, false and unknown.

    Rows: S3. Assertions: T:249. Section: 3.8.1.2.
    """
    check(
        matches,
        """
        flag OR flag
        flag OR off
        flag OR missing
        off OR flag
        missing OR flag
        NOT (off OR off)
        """,
        """
        off OR off
        off OR missing
        NOT (off OR missing)
        missing OR off
        NOT (missing OR off)
        missing OR missing
        NOT (missing OR missing)
        """,
    )


def test_not(matches: Callable[[str], bool]) -> None:
    """NOT of true, false and unknown.

    Rows: S3. Assertions: T:250. Section: 3.8.1.2.
    """
    check(matches, "NOT off\nNOT (NOT flag)", "NOT flag\nNOT missing\nmissing\nNOT (NOT missing)")


def test_what_is_missing_makes_everything_unknown(matches: Callable[[str], bool]) -> None:
    """A property that is not there is NULL: in comparisons, sums, BETWEEN, IN and LIKE the outcome is unknown.

    Rows: S3. Assertions: T:250. Section: 3.8.1.2.
    """
    nulls = ["missing = 1", "missing <> 1", "missing + 1 > 0", "missing BETWEEN 1 AND 2", "1 BETWEEN missing AND 2"]
    nulls += ["missing IN ('a')", "missing LIKE '%'", "missing = missing"]
    for null in nulls:
        check(matches, f"({null}) OR flag", f"{null}\nNOT ({null})")
    check(matches, "", "missing NOT BETWEEN 1 AND 2\nmissing NOT IN ('a')\nmissing NOT LIKE 'a'")


def test_the_headers_that_can_be_named(session: Session, queue: Queue) -> None:
    """The six headers have the values of the message, and the mode is a string.

    Rows: S4. Assertions: T:49. Section: 3.8.1.1, 3.8.1.3.
    """
    sender = session.create_sender(queue)
    sender.persistent = False
    message = Message("a", correlation_id="c-1", type="quake")
    sender.send(message, priority=6)
    taken = [
        "JMSDeliveryMode = 'NON_PERSISTENT'",
        "JMSDeliveryMode <> 'PERSISTENT'",
        "JMSPriority = 6",
        f"JMSMessageID = '{message.message_id}'",
        "JMSMessageID LIKE 'ID:%'",
        f"JMSTimestamp = {message.timestamp}",
        "JMSCorrelationID = 'c-1'",
        "JMSType = 'quake'",
    ]
    for selector in taken:
        assert [found.body for found in session.create_browser(queue, selector)] == ["a"], selector
        assert list(session.create_browser(queue, f"NOT ({selector})")) == [], selector


@pytest.mark.parametrize(
    "header", ["JMSDestination", "JMSReplyTo", "JMSExpiration", "JMSRedelivered", "JMSDeliveryTime"]
)
def test_other_headers_cannot_be_named(header: str, session: Session, queue: Queue) -> None:
    """A header that is not one of the six is refused in a selector.

    Rows: S4. Assertions: T:49. Section: 3.8.1.1.
    """
    with pytest.raises(InvalidSelectorError, match=header):
        session.create_receiver(queue, selector=f"{header} IS NOT NULL")


def test_headers_that_are_not_set_are_null(session: Session, queue: Queue) -> None:
    """A correlation id and a type that the sender did not give are NULL.

    Rows: S4. Assertions: T:49. Section: 3.8.1.1.
    """
    session.create_sender(queue).send("a")
    assert len(list(session.create_browser(queue, "JMSCorrelationID IS NULL AND JMSType IS NULL"))) == 1
    assert list(session.create_browser(queue, "JMSCorrelationID <> 'a' OR JMSType <> 'b'")) == []


def test_parentheses(matches: Callable[[str], bool]) -> None:
    """Parentheses say what is evaluated first.

    Rows: S5. Assertions: T:57. Section: 3.8.1.1.
    """
    check(
        matches,
        "(1 + 2) * 3 = 9\n(flag OR flag) AND (flag)\n((((count)))) = 7\nNOT (off AND flag)",
        "1 + 2 * 3 = 9\n(flag OR flag) AND off",
    )


def test_the_order_of_logic(matches: Callable[[str], bool]) -> None:
    """NOT binds closer than AND, AND closer than OR; NOT takes the whole comparison that follows.

    Rows: S5. Assertions: T:58. Section: 3.8.1.1.
    """
    check(
        matches,
        "flag OR flag AND off\nNOT off AND flag\nNOT count = 8\nNOT off OR off\nnot off and FLAG is null",
        "(flag OR flag) AND off\nNOT (off OR flag)\nNOT count = 7",
    )


def test_comparisons(matches: Callable[[str], bool]) -> None:
    """The six comparisons of numbers, on properties of every type.

    Rows: S5. Assertions: T:59. Section: 3.8.1.1.
    """
    check(
        matches,
        """
        count = 7
        count <> 8
        count < 8
        count <= 7
        count > 6
        count >= 7
        byte > short
        long > 2147483647
        float < double
        """,
        """
        count <> 7
        count < 7
        count >= 8
        long < 9e9
        """,
    )


def test_only_like_values_compare(matches: Callable[[str], bool]) -> None:
    """Exact and approximate numbers compare; any other mixture is false, and so not unknown, for its negation is true.

    Rows: S5. Assertions: T:60. Section: 3.8.1.1.
    """
    check(
        matches,
        "double = 5 / 2.0\ncount = 7.0\nNOT digits = 7\nNOT (digits BETWEEN 5 AND 10)\nNOT flag = 1\nNOT count = flag",
        "digits = 7\ndigits <> 7\ndigits > 6\ndigits BETWEEN 5 AND 10\nflag = 1\ncount = '7'\nword = TRUE",
    )


def test_strings_and_booleans_are_equal_or_not(matches: Callable[[str], bool]) -> None:
    """Strings and booleans know = and <> only; strings are equal if each character is.

    Rows: S5. Assertions: T:61. Section: 3.8.1.1.
    """
    check(
        matches,
        "word = 'it''s'\nword <> 'its'\nempty = ''\nflag = TRUE\noff <> true\nflag <> off\ngröße = 'klein'",
        "word = 'It''s'\nword = 'it''s '\nflag = FALSE\nword > digits",
    )


def test_the_order_of_arithmetic(matches: Callable[[str], bool]) -> None:
    """Signs first, then * and /, then + and -, each from the left.

    Rows: S5. Assertions: T:62. Section: 3.8.1.1.
    """
    check(
        matches,
        "1 + 2 * 3 = 7\n-count + 8 = 1\n10 - 2 - 3 = 5\n- - count = 7\n+count = 7\n24 / 4 / 2 = 3\n-2 * -3 = 6",
        "10 - 2 - 3 = 11\n24 / 4 / 2 = 12",
    )


def test_numbers_are_those_of_java(matches: Callable[[str], bool]) -> None:
    """Whole numbers stay whole and wrap at 64 bits, a fraction makes a sum approximate, literals are those of Java.

    Rows: S5. Assertions: T:63. Section: 3.8.1.1.
    """
    check(
        matches,
        """
        7 / 2 = 3
        -7 / 2 = -3
        7 / 2.0 = 3.5
        byte = 035
        byte = 0x1d
        byte = 0X1DL
        byte = 29l
        count = 7.
        count > .7e1 - 1
        -57.9E2 < short
        62e-1 = 6.2d
        -9223372036854775808L < 0
        9223372036854775807 + 1 < 0
        float = 0.5
        """,
        """
        7 / 2 = 3.5
        count / 0 = 1
        byte = 35
        """,
    )


def test_between(matches: Callable[[str], bool]) -> None:
    """BETWEEN takes both limits in; NOT BETWEEN leaves them out.

    Rows: S5. Assertions: T:64. Section: 3.8.1.1.
    """
    check(
        matches,
        "count BETWEEN 7 AND 7\ncount between 1 and 7.0\ncount NOT BETWEEN 8 AND 9\n5 + 2 BETWEEN count AND count\n"
        "count BETWEEN 1 AND 8 AND flag",
        "count BETWEEN 8 AND 9\ncount NOT BETWEEN 7 AND 9\ncount BETWEEN 9 AND 1",
    )


def test_in(matches: Callable[[str], bool]) -> None:
    """IN and NOT IN for strings; on a value that is no string neither holds.

    Rows: S5. Assertions: T:65. Section: 3.8.1.1.
    """
    check(
        matches,
        "digits IN ('6', '7')\ndigits NOT IN ('6')\nword IN ('it''s')",
        "digits IN ('6')\ndigits NOT IN ('6', '7')\ncount IN ('7')\ncount NOT IN ('7')\ncount NOT IN ('foo', 'bar')\n"
        "flag NOT IN ('x')",
    )


def test_like(matches: Callable[[str], bool]) -> None:
    """LIKE knows _ and %, and a character that takes their meaning away; on a value that is no string it never holds.

    Rows: S5. Assertions: T:66. Section: 3.8.1.1.
    """
    check(
        matches,
        "word LIKE 'it%'\nword LIKE '%'\nword LIKE 'it_s'\nempty LIKE '%'\nempty LIKE ''\nword NOT LIKE 'it'\n"
        "percent LIKE '50!%' ESCAPE '!'\nunder LIKE 'a\\_b' ESCAPE '\\'\nunder LIKE 'a_b'\nword like '%''%'",
        "word LIKE 'it_'\nword LIKE 'IT%'\nword LIKE 't%'\nempty LIKE '_'\nunder LIKE 'a!%b' ESCAPE '!'\n"
        "count LIKE '7'\ncount NOT LIKE 'x'\nword NOT LIKE '%'\nword LIKE 'it.s'",
    )


def test_is_null(matches: Callable[[str], bool]) -> None:
    """IS NULL holds for a property or header that is not there, and never is unknown.

    Rows: S5. Assertions: T:67. Section: 3.8.1.1.
    """
    check(
        matches,
        "missing IS NULL\nJMSCorrelationID IS NULL\nNOT count IS NULL\nmissing is null",
        "count IS NULL\nempty IS NULL\nJMSType IS NULL",
    )


def test_is_not_null(matches: Callable[[str], bool]) -> None:
    """IS NOT NULL holds for a property or header that is there.

    Rows: S5. Assertions: T:68. Section: 3.8.1.1.
    """
    check(
        matches,
        "count IS NOT NULL\nJMSType IS NOT NULL\nempty IS NOT NULL\noff IS NOT NULL\nNOT missing IS NOT NULL",
        "missing IS NOT NULL\nCount IS NOT NULL\nJMSCorrelationID IS NOT NULL",
    )


def test_words_and_names(matches: Callable[[str], bool]) -> None:
    """Words of the language have any case, names have theirs, and hold what Java allows in a name.

    Rows: S1. Assertions: T:36. Section: 3.8.1.1.
    """
    check(
        matches,
        "_x$1 = 1\ngröße IS NOT NULL\ncount Between 1 aNd 8 And NoT off\nflag = True",
        "COUNT = 7\nFlag",
    )
    assert matches(" flag\t=\ftrue\rand\ncount = 7\n")


def test_what_a_receiver_leaves_stays_in_the_queue(connect: Callable[..., Connection], queue: Queue) -> None:
    """A message that one receiver's selector refuses stays for another, at its place.

    Rows: S6. Assertions: T:146. Section: 4.1.2.
    """
    session = connect().create_session()
    chooser = session.create_receiver(queue, selector="colour = 'red'")
    sender = session.create_sender(queue)
    for number, colour in enumerate(["blue", "red", "green", "red"]):
        sender.send(number, properties={"colour": colour})
    assert bodies(chooser, 2) == [1, 3]
    other = connect().create_session().create_receiver(queue)
    assert bodies(other, 2) == [0, 2]
    assert not other.receive(timeout=0)


def test_what_a_subscriber_refuses_never_enters(session: Session, topic: Topic) -> None:
    """A durable subscription holds only what its selector took when it was sent: nothing of the rest shows up later.

    Rows: S6. Assertions: T:160. Section: 4.2.2.
    """
    session.create_subscriber(topic, durable=topic.name, selector="colour = 'red'").close()
    publisher = session.create_publisher(topic)
    for number, colour in enumerate(["blue", "red", "green", "red"]):
        publisher.publish(number, properties={"colour": colour})
    subscriber = session.create_subscriber(topic, durable=topic.name, selector="colour = 'red'")
    publisher.publish("last", properties={"colour": "red"})
    assert bodies(subscriber, 3) == [1, 3, "last"]
    subscriber.close()
    session.unsubscribe(topic.name)
