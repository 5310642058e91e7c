"""Selectors that are refused, and how the error helps (Jakarta Messaging 3.1 §3.8.1.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.errors import InvalidSelectorError
from rmimom.selector import Selector
from rmimom.selector.parser import MAX_DEPTH, MAX_LENGTH, MAX_PATTERN, MAX_WORDS

# What is wrong | the selector | the column | what the error says.
Row = tuple[str, str, int, str]

STATIC_TYPES: list[Row] = [
    ("an order with a string", "myProp > 'foo'", 10, "> compares numbers, but this is a string, 'foo'"),
    ("at most a string", "myProp <= 'foo'", 11, "<= compares numbers, but this is a string, 'foo'"),
    ("a string in an order", "'foo' > TRUE", 1, "> compares numbers, but this is a string, 'foo'"),
    ("an order with a boolean", "a < TRUE", 5, "< compares numbers, but this is a boolean, TRUE"),
    ("BETWEEN strings", "myProp BETWEEN 'foo' AND 'test'", 16, "BETWEEN compares numbers, but this is a string, 'foo'"),
    ("BETWEEN to a string", "a BETWEEN 1 AND 'x'", 17, "BETWEEN compares numbers"),
    ("a string BETWEEN", "'x' NOT BETWEEN 1 AND 2", 1, "BETWEEN compares numbers, but this is a string"),
    ("IN of numbers", "myProp NOT IN (1,2,3)", 16, "expected a string in single quotes, but found 1"),
    ("LIKE a number", "myProp LIKE 7", 13, "expected a string in single quotes, but found 7"),
    ("NULL compared", "NULL = 0", 1, "but found the keyword NULL"),
    ("compared with NULL", "a = NULL", 5, "expected a value or (, but found the keyword NULL"),
    ("a boolean and a number", "TRUE = 0", 8, "= cannot compare a boolean, TRUE with a number, 0"),
    ("a string and a number", "'x' <> 7", 8, "<> cannot compare a string, 'x' with a number, 7"),
    ("a string and a boolean", "'x' = FALSE", 7, "cannot compare a string, 'x' with a boolean, FALSE"),
    ("arithmetic and a string", "a + 1 = 'x'", 9, "cannot compare arithmetic, a number with a string, 'x'"),
    ("a signed property and a string", "-a = 'x'", 6, "cannot compare arithmetic, a number with a string"),
    ("arithmetic with a string", "a + 'x' = 1", 5, "+ takes numbers, but this is a string, 'x'"),
    ("arithmetic with a boolean", "TRUE * 2 = 2", 1, "* takes numbers, but this is a boolean, TRUE"),
    ("the sign of a string", "-'x' = 1", 2, "- takes a number, but this is a string, 'x'"),
    ("the sign of a condition", "-(a = 1) = 1", 3, "- takes a number, but this is a condition"),
    ("a number alone", "7", 1, "a selector takes a condition, true or false, but this is a number, 7"),
    ("a string alone", "'x'", 1, "a selector takes a condition"),
    ("arithmetic alone", "a + 1", 1, "a selector takes a condition, true or false, but this is arithmetic, a number"),
    ("NOT of a number", "NOT 7", 5, "NOT takes a condition"),
    ("NOT of arithmetic", "NOT -a", 5, "NOT takes a condition"),
    ("AND with a string", "a AND 'x'", 7, "AND takes a condition, true or false, but this is a string, 'x'"),
    ("OR with a number", "1 OR a", 1, "OR takes a condition"),
    ("a condition compared", "(a = 1) = TRUE", 2, "= compares values, but this is a condition"),
    ("conditions compared", "TRUE = (a AND b)", 9, "= compares values, but this is a condition"),
    ("a condition in an order", "(a = 1) > 2", 2, "> compares numbers, but this is a condition"),
    ("a condition in a sum", "(NOT a) + 1 = 2", 2, "+ takes numbers, but this is a condition"),
    ("IN of a literal", "'x' IN ('x')", 1, "IN asks about an identifier, but this is a string, 'x'"),
    ("IN in brackets", "(a) IN ('x')", 2, "IN asks about an identifier, but this is a in brackets"),
    ("LIKE of arithmetic", "a + b like 'x'", 1, "LIKE asks about an identifier, but this is arithmetic, a number"),
    ("NULL of a literal", "'x' IS NULL", 1, "IS NULL asks about an identifier, but this is a string, 'x'"),
    ("NULL of a condition", "(a = 1) IS NULL", 2, "IS NULL asks about an identifier, but this is a condition"),
    ("the header that is a number", "JMSPriority = 'high'", 15, "compare JMSPriority, a number with a string, 'high'"),
    ("the time that is a number", "JMSTimestamp LIKE '1%'", 1, "LIKE compares strings, but this is JMSTimestamp"),
    (
        "the header that is a string",
        "JMSDeliveryMode = 2",
        19,
        "cannot compare JMSDeliveryMode, a string with a number, 2",
    ),
    ("a header in an order", "JMSType > 2", 1, "> compares numbers, but this is JMSType, a string"),
    ("a header alone", "JMSType", 1, "a selector takes a condition, true or false, but this is JMSType, a string"),
    (
        "IN of the header that is a number",
        "JMSPriority NOT IN ('1')",
        1,
        "IN compares strings, but this is JMSPriority",
    ),
]

HEADERS: list[Row] = [
    (name, f"x = 1 AND {name} IS NOT NULL", 11, f"{name} is no header that selectors may ask for")
    for name in (
        "JMSDestination",
        "JMSReplyTo",
        "JMSExpiration",
        "JMSRedelivered",
        "JMSDeliveryTime",
        "JMSNothing",
        "JMS",
        "JMSpriority",
    )
]

SYNTAX: list[Row] = [
    ("half a comparison", "a =", 4, "at its end: expected a value or (, but the selector ends here"),
    ("half a conjunction", "a = 1 AND  ", 10, "at its end: expected a value, ( or NOT, but the selector ends here"),
    ("two values", "a 4.5", 3, "expected an operator, AND, OR or the end, but found 4.5"),
    ("two comparisons", "a = b = c", 7, "but found ="),
    ("an open bracket", "(a = 1", 7, "but the selector ends here"),
    ("an open bracket, what would help", "(a", 3, "expected ), but the selector ends here"),
    ("a bracket too many", "a = 1)", 6, "but found )"),
    ("nothing in brackets", "()", 2, "expected a value, ( or NOT, but found )"),
    ("nothing in a list", "a IN ()", 7, "expected a string in single quotes, but found )"),
    ("a list without brackets", "a IN 'x'", 6, "expected (, but found 'x'"),
    ("a list that ends with a comma", "a IN ('x',)", 11, "expected a string in single quotes, but found )"),
    ("a list without commas", "a IN ('x' 'y')", 11, "expected ) or a comma, but found 'y'"),
    ("half a BETWEEN", "a BETWEEN 1 OR 2", 13, "expected an arithmetic operator or AND, but found the keyword OR"),
    ("NOT in the middle", "a NOT = 1", 7, "expected BETWEEN, IN or LIKE, but found ="),
    ("NOT in a comparison", "a = NOT b", 5, "but found the keyword NOT"),
    ("IS without NULL", "a IS 3", 6, "expected NOT or NULL, but found 3"),
    ("ESCAPE without a string", "a LIKE 'x' ESCAPE y", 19, "expected a string in single quotes, but found y"),
    ("a keyword as a name", "between = 1", 1, "but found the keyword BETWEEN"),
    ("an operator first", "= 1", 1, "but found ="),
    ("a function", "upper(a) = 'X'", 6, "but found ("),
    ("a comment (as ActiveMQ has)", "a = 1 /* one */", 8, "but found *"),
    ("a comment with two words", "a = 1 -- one two", 14, "but found two"),
    ("the remainder (as ActiveMQ has)", "a % 2 = 1", 3, "'%' has no meaning in selectors; there is no remainder"),
    ("double quotes", 'a = "x"', 5, "'\"' has no meaning in selectors; strings stand in single quotes"),
    ("typographic quotes", "a = ‘x’", 5, "'‘' cannot begin an identifier; strings stand in straight single quotes"),
    ("unequal as in C", "a != 1", 3, "'!' has no meaning in selectors; write <> for not equal, and NOT"),
    ("equal as in C", "a == 1", 4, "but found ="),
    ("and as in C", "a && b", 3, "'&' has no meaning in selectors; write AND"),
    ("a semicolon", "a;", 2, "';' has no meaning in selectors"),
    ("a dotted name", "a.b = 1", 2, "'.' has no meaning in selectors; a name has no dots"),
    ("a hyphenated name is a difference", "content-type", 1, "a selector takes a condition"),
    ("a backslash", "a = \\", 5, "'\\\\' has no meaning in selectors"),
    ("a null character", "a = \0", 5, "U+0000 has no meaning in selectors"),
    (
        "a no-break space",
        "a\u00a0= 1",
        2,
        "U+00A0 cannot stand in an identifier; this is a no-break space; use a plain one",
    ),
    ("a vertical tab", "a\v= 1", 2, "U+000B has no meaning in selectors"),
    ("a name with a symbol", "a☃ = 1", 2, "'☃' cannot stand in an identifier"),
    ("a name that begins with a mark", "\u0301a = 1", 1, "cannot begin an identifier"),
    ("no closing quote", "a = 'abc", 5, "this string has no closing quote"),
    ("no closing quote after two", "a = 'abc''", 5, "this string has no closing quote"),
    ("a stray quote", "a = 'b' OR 'c", 12, "this string has no closing quote"),
    ("half a surrogate pair", "a = '\ud800'", 6, "this is half a character"),
    ("the second line", "a = 1\nAND b ==", 14, "but found ="),
    ("ESCAPE of two characters", "a LIKE 'x' ESCAPE '!!'", 19, "ESCAPE takes one character, but this has 2"),
    ("ESCAPE of none", "a LIKE 'x' ESCAPE ''", 19, "ESCAPE takes one character, but this has 0"),
    ("an escape at the end", "a LIKE 'x!' ESCAPE '!'", 10, "the escape character '!' stands before %, _ or itself"),
    (
        "an escape before a letter",
        "a LIKE '''!x' ESCAPE '!'",
        11,
        "the escape character '!' stands before %, _ or itself",
    ),
]

NUMBERS: list[Row] = [
    ("no octal digit", "a = 089", 5, "089 is no number: a leading 0 makes it octal"),
    ("letters in a number", "a = 12abc", 5, "12abc is no number"),
    ("two points", "a = 1.2.3", 5, "1.2.3 is no number"),
    ("no exponent", "a = 1e", 5, "1e is no number"),
    ("no hexadecimal digits", "a = 0x", 5, "0x is no number"),
    ("a larger long", "a = 9223372036854775808", 5, "9223372036854775808 does not fit into a long of 64 bits"),
    ("a larger long in brackets", "a = -(9223372036854775808)", 7, "does not fit into a long"),
    ("a smaller long", "a = -9223372036854775809", 5, "does not fit into a long"),
    ("more than 64 bits", "a = 0x1FFFFFFFFFFFFFFFF", 5, "does not fit into a long"),
    ("a huge double", "a = 1e400", 5, "1e400 is too large for a double"),
    ("a tiny double", "a = 1e-400", 5, "1e-400 is too small for a double"),
    ("a huge float", "a = 1e39f", 5, "1e39f is too large for a float of 32 bits"),
    ("very many digits", "a = " + "9" * 5_000, 5, "has 5000 characters, too many for a number"),
]

LIMITS: list[Row] = [
    ("10,000 brackets", "(" * 10_000 + "a = 1" + ")" * 10_000, MAX_DEPTH + 1, "nested over 64 deep"),
    ("10,000 brackets that never close", "(" * 10_000, MAX_DEPTH + 1, "nested over 64 deep"),
    ("one bracket too many", "(" * 65 + "a" + ")" * 65, 65, "nested over 64 deep"),
    ("many NOTs", "NOT " * 1_000 + "a", (1_000 - MAX_DEPTH) * 4 + 1, "nested over 64 deep"),
    ("many signs", "-" * 1_000 + "a = 1", 1_000 - MAX_DEPTH + 1, "nested over 64 deep"),
    ("a long sum", "+".join("a" * 1_000) + " = 1", 1, "nested over 64 deep"),
    ("many conditions", " OR ".join(["a = 1"] * 2_000), MAX_WORDS // 4 * 9 + 1, "over 4000 names, numbers, operators"),
    ("a long pattern", f"a LIKE '{'%a' * MAX_PATTERN}'", 8, "the pattern has 2048 characters; at most 1024"),
]

ROWS = STATIC_TYPES + HEADERS + SYNTAX + NUMBERS + LIMITS


@pytest.mark.parametrize(("text", "column", "says"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_a_bad_selector_is_refused(text: str, column: int, says: str) -> None:
    """§3.8.1.1: providers must verify the correctness of a selector when it is presented (InvalidSelectorException)."""
    with pytest.raises(InvalidSelectorError) as caught:
        Selector(text)
    error = caught.value
    assert says in str(error)
    assert error.facts["column"] == column
    assert f"column {column}" in str(error)
    assert error.facts["expected"]
    # The error goes over wires and into logs: short, and plain text.
    assert len(str(error)) < 400
    str(error).encode()
    near = str(error.facts["near"])
    assert len(near) <= 23
    assert text[column - 1 :].startswith(near.removesuffix("...")) or "\ud800" in text


def test_a_selector_of_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidSelectorError, match=r"has 1000000 characters; at most 32768 are allowed") as caught:
        Selector("a = 1 OR " * 111_111 + "a")
    assert caught.value.facts == {"length": 1_000_000, "limit": MAX_LENGTH}


def test_the_longest_selector_is_read() -> None:
    text = "a = '" + "x" * (MAX_LENGTH - 6) + "'"
    assert Selector(text).matches({"a": "x" * (MAX_LENGTH - 6)})
    with pytest.raises(InvalidSelectorError, match="characters"):
        Selector(text + " ")


# fmt: off
WORDS = st.sampled_from([
    "a", "b", "JMSType", "JMSDestination", "$_x", "é", "☃",
    "NOT", "not", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "NULL", "TRUE", "FALSE", "ESCAPE",
    "(", ")", ",", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "--", "/*", "!", ".", "\\", "'", '"',
    "1", "2.5", ".7e4", "0x1F", "035", "09", "7L", "9223372036854775808", "1e999",
    "''", "'x'", "'it''s'", "'%_'", "'!'", "\t", "\v", "\0", "\u00a0",
])
# fmt: on


@given(
    st.one_of(
        st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join), st.lists(WORDS, max_size=25).map("".join)
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the text, it becomes a selector that can be asked, or raises InvalidSelectorError with its place."""
    selector = None
    column: object = None
    try:
        selector = Selector(text)
    except InvalidSelectorError as error:
        column = error.facts["column"]
    if selector is None:
        assert column in range(1, len(text) + 2)
    else:
        assert selector.matches({}) in {True, False}
        assert selector.matches({"a": "x", "b": 1}) in {True, False}
        assert Selector(selector.text) is selector
