"""Selectors as a whole: what they match, by the rules of Jakarta Messaging 3.1 §3.8."""

from __future__ import annotations

import copy
import gc
import math
import threading
from typing import Any

import pytest

from rmimom.errors import InvalidSelectorError
from rmimom.selector import Selector, parse_selector
from rmimom.selector import selector as module
from rmimom.selector.parser import parse
from rmimom.values import Byte, Float, Int, Short

NAN, INFINITE = math.nan, math.inf
LONG = 2**63 - 1

# What is tried | the selector | the values of identifiers | whether it matches.
Row = tuple[str, str, dict[str, Any], bool]

COMPARISONS: list[Row] = [
    ("equal numbers", "a = 1", {"a": 1}, True),
    ("other numbers", "a = 1", {"a": 2}, False),
    ("unequal", "a <> 1", {"a": 2}, True),
    ("not unequal", "a <> 1", {"a": 1}, False),
    ("less", "a < 2", {"a": 1}, True),
    ("not less", "a < 2", {"a": 2}, False),
    ("at most", "a <= 2", {"a": 2}, True),
    ("not at most", "a <= 2", {"a": 3}, False),
    ("greater", "a > 2", {"a": 3}, True),
    ("not greater", "a > 2", {"a": 2}, False),
    ("at least", "a >= 4.5", {"a": 4.5}, True),
    ("not at least", "a >= 4.5", {"a": 4.4}, False),
    ("constant on the left", "2 > a", {"a": 1}, True),
    ("constant on the left, at the border", "2 >= a", {"a": 2}, True),
    ("constant on the left, not", "2 < a", {"a": 2}, False),
    ("constant on the left, unequal", "2 <> a", {"a": 1}, True),
    ("two constants", "1 < 2", {}, True),
    ("two constants, not", "1.5 = 2", {}, False),
    ("two strings", "'a' = 'a'", {}, True),
    ("two properties", "a = b", {"a": 1, "b": 1.0}, True),
    ("two properties, not", "a < b", {"a": 1, "b": 1}, False),
    ("equal strings", "a = 'x'", {"a": "x"}, True),
    ("strings with other case", "a = 'x'", {"a": "X"}, False),
    ("unequal strings", "a <> 'x'", {"a": "y"}, True),
    ("string properties", "a = b", {"a": "x", "b": "x"}, True),
    ("unequal string properties", "a <> b", {"a": "x", "b": "y"}, True),
    ("a quote", "a = 'it''s'", {"a": "it's"}, True),
    ("two quotes", "a = ''''''", {"a": "''"}, True),
    ("the empty string", "a = ''", {"a": ""}, True),
    ("the empty string is not NULL", "a IS NULL", {"a": ""}, False),
    ("booleans", "a = TRUE", {"a": True}, True),
    ("booleans, not", "a = FALSE", {"a": True}, False),
    ("unequal booleans", "a <> TRUE", {"a": False}, True),
    ("unequal booleans, not", "a <> FALSE", {"a": False}, False),
    ("boolean properties", "a = b", {"a": True, "b": True}, True),
    ("two boolean constants", "TRUE <> FALSE", {}, True),
    ("booleans in brackets", "(a) = (TRUE)", {"a": True}, True),
    ("a boolean alone", "a", {"a": True}, True),
    ("a false boolean alone", "a", {"a": False}, False),
    ("not a boolean", "NOT a", {"a": False}, True),
    ("TRUE", "TRUE", {}, True),
    ("FALSE", "FALSE", {}, False),
    ("not FALSE", "NOT FALSE", {}, True),
    ("not TRUE", "NOT TRUE", {}, False),
]

MISMATCHES: list[Row] = [
    ("a string is no number (betweenTest5)", "a BETWEEN 5 AND 10", {"a": "7"}, False),
    ("nor outside (betweenTest6)", "a NOT BETWEEN 5 AND 10", {"a": "17"}, False),
    ("false, so its negation is true", "NOT a BETWEEN 5 AND 10", {"a": "7"}, True),
    ("a string and a number", "a = 7", {"a": "7"}, False),
    ("a string and a number are not unequal either", "a <> 7", {"a": "7"}, False),
    ("false, so its negation matches", "NOT (a = 7)", {"a": "7"}, True),
    ("false, so its negation matches, unequal", "NOT (a <> 7)", {"a": "7"}, True),
    ("a string has no order", "a < 7", {"a": "6"}, False),
    ("false, so its negation matches, order", "NOT a < 7", {"a": "6"}, True),
    ("two strings have no order", "a < b", {"a": "a", "b": "b"}, False),
    ("two strings have no order, negated", "NOT a < b", {"a": "a", "b": "b"}, True),
    ("two booleans have no order", "a < b", {"a": False, "b": True}, False),
    ("a number and a string", "a = '7'", {"a": 7}, False),
    ("a number and a string, unequal", "a <> '7'", {"a": 7}, False),
    ("a number and a string, unequal, negated", "NOT a <> '7'", {"a": 7}, True),
    ("True is not 1", "a = 1", {"a": True}, False),
    ("False is not 0", "a = 0", {"a": False}, False),
    ("False is not 0.0", "a = 0.0", {"a": False}, False),
    ("True is not 1, negated", "NOT a = 1", {"a": True}, True),
    ("True is not unequal to 2", "a <> 2", {"a": True}, False),
    ("True has no order", "a < 2", {"a": True}, False),
    ("True is not between", "a BETWEEN 0 AND 2", {"a": True}, False),
    ("1 is not TRUE", "a = TRUE", {"a": 1}, False),
    ("1 is not unequal to TRUE", "a <> TRUE", {"a": 1}, False),
    ("1 is not unequal to TRUE, negated", "NOT a <> TRUE", {"a": 1}, True),
    ("0 is not FALSE", "a = FALSE", {"a": 0}, False),
    ("properties of two types", "a = b", {"a": 1, "b": True}, False),
    ("properties of two types, unequal", "a <> b", {"a": 1, "b": "1"}, False),
    ("properties of two types, negated", "NOT a = b", {"a": 1, "b": True}, True),
    ("a number alone is no condition", "a", {"a": 1}, False),
    ("nor is its negation", "NOT a", {"a": 1}, False),
    ("a string alone is no condition", "a", {"a": "TRUE"}, False),
    ("arithmetic with a string is NULL", "a + 1 = 8", {"a": "7"}, False),
    ("arithmetic with a string is NULL, negated", "NOT a + 1 = 8", {"a": "7"}, False),
    ("arithmetic with a boolean is NULL", "NOT a * 1 = 8", {"a": True}, False),
    ("the sign of a string is NULL", "NOT -a = 7", {"a": "7"}, False),
    ("the sign + of a string is NULL", "NOT +a = 7", {"a": "7"}, False),
]

UNKNOWNS: list[Row] = [
    ("a missing property is not equal", "a = 1", {}, False),
    ("nor unequal", "a <> 1", {}, False),
    ("nor is the negation true", "NOT a = 1", {}, False),
    ("nor is the negation of unequal true", "NOT a <> 1", {}, False),
    ("a property that is None is missing", "NOT a = 1", {"a": None}, False),
    ("missing string, negated", "NOT a = 'x'", {}, False),
    ("missing string, unequal, negated", "NOT a <> 'x'", {}, False),
    ("missing boolean, negated", "NOT a = TRUE", {}, False),
    ("missing boolean, unequal, negated", "NOT a <> TRUE", {}, False),
    ("missing in an order, negated", "NOT a > 1", {}, False),
    ("missing on one side", "NOT a = b", {"a": 1}, False),
    ("missing on both sides is not equal", "a = b", {}, False),
    ("missing on both sides, negated", "NOT a = b", {}, False),
    ("missing alone", "a", {}, False),
    ("missing alone, negated", "NOT a", {}, False),
    ("missing in arithmetic", "a + 1 > 0", {}, False),
    ("missing in arithmetic, negated", "NOT a + 1 > 0", {}, False),
    ("missing with a sign, negated", "NOT -a > 0", {}, False),
    ("missing in IN", "a IN ('x')", {}, False),
    ("missing in NOT IN", "a NOT IN ('x')", {}, False),
    ("missing in IN, negated", "NOT a IN ('x')", {}, False),
    ("missing in LIKE", "a LIKE '%'", {}, False),
    ("missing in NOT LIKE", "a NOT LIKE 'x'", {}, False),
    ("missing in LIKE, negated", "NOT a LIKE 'x'", {}, False),
    ("missing in BETWEEN", "a BETWEEN 1 AND 2", {}, False),
    ("missing in NOT BETWEEN", "a NOT BETWEEN 1 AND 2", {}, False),
    ("missing in BETWEEN, negated", "NOT a BETWEEN 1 AND 2", {}, False),
    ("one bound missing, the other decides", "NOT 5 BETWEEN a AND 3", {}, True),
    ("one bound missing, the other does not decide", "NOT 5 BETWEEN a AND 7", {}, False),
    ("one bound missing, outside the other", "5 NOT BETWEEN a AND 3", {}, True),
    ("true AND unknown", "a = 1 AND b = 1", {"a": 1}, False),
    ("true AND unknown, negated", "NOT (a = 1 AND b = 1)", {"a": 1}, False),
    ("false AND unknown is false", "NOT (a = 1 AND b = 1)", {"a": 2}, True),
    ("unknown AND false is false", "NOT (b = 1 AND a = 1)", {"a": 2}, True),
    ("unknown AND unknown, negated", "NOT (a = 1 AND b = 1)", {}, False),
    ("true OR unknown is true", "a = 1 OR b = 1", {"a": 1}, True),
    ("unknown OR true is true", "b = 1 OR a = 1", {"a": 1}, True),
    ("false OR unknown", "a = 1 OR b = 1", {"a": 2}, False),
    ("false OR unknown, negated", "NOT (a = 1 OR b = 1)", {"a": 2}, False),
    ("unknown OR unknown, negated", "NOT (a = 1 OR b = 1)", {}, False),
    ("no law of the excluded middle", "a = 1 OR NOT a = 1", {}, False),
    ("IS NULL of a missing one", "a IS NULL", {}, True),
    ("IS NULL of None", "a IS NULL", {"a": None}, True),
    ("IS NULL of a value", "a IS NULL", {"a": 0}, False),
    ("IS NOT NULL of a value", "a IS NOT NULL", {"a": False}, True),
    ("IS NOT NULL of a missing one", "a IS NOT NULL", {}, False),
    ("IS NULL is never unknown", "NOT a IS NULL", {"a": 1}, True),
    ("IS NOT NULL is never unknown", "NOT a IS NOT NULL", {}, True),
]

STRINGS: list[Row] = [
    ("IN", "a IN ('x', 'y')", {"a": "y"}, True),
    ("IN, not", "a IN ('x', 'y')", {"a": "z"}, False),
    ("NOT IN", "a NOT IN ('x', 'y')", {"a": "z"}, True),
    ("NOT IN, not", "a NOT IN ('x', 'y')", {"a": "x"}, False),
    ("NOT of IN", "NOT a IN ('x', 'y')", {"a": "z"}, True),
    ("NOT of NOT IN", "NOT a NOT IN ('x')", {"a": "x"}, True),
    ("IN of one", "a IN ('x')", {"a": "x"}, True),
    ("IN is exact", "a IN ('x')", {"a": "X"}, False),
    ("IN of a quote", "a IN ('it''s')", {"a": "it's"}, True),
    ("a number is not IN", "a IN ('1')", {"a": 1}, False),
    ("a number is not NOT IN (inTest7)", "a NOT IN ('foo', 'bar')", {"a": 1}, False),
    ("a number and NOT of IN", "NOT a IN ('foo', 'bar')", {"a": 1}, False),
    ("a boolean is not NOT IN", "a NOT IN ('foo')", {"a": True}, False),
    ("LIKE %", "a LIKE '12%3'", {"a": "12993"}, True),
    ("LIKE % of nothing", "a LIKE '12%3'", {"a": "123"}, True),
    ("LIKE %, not", "a LIKE '12%3'", {"a": "1234"}, False),
    ("LIKE _", "a LIKE 'l_se'", {"a": "lose"}, True),
    ("LIKE _ is one character", "a LIKE 'l_se'", {"a": "loose"}, False),
    ("LIKE without wildcards", "a LIKE 'abc'", {"a": "abc"}, True),
    ("LIKE without wildcards is whole", "a LIKE 'abc'", {"a": "abcd"}, False),
    ("LIKE is exact", "a LIKE 'ABC%'", {"a": "abcd"}, False),
    ("LIKE beginning", "a LIKE 'ab%'", {"a": "abc"}, True),
    ("LIKE end", "a LIKE '%bc'", {"a": "abc"}, True),
    ("LIKE middle", "a LIKE '%b%'", {"a": "abc"}, True),
    ("LIKE middle, not", "a LIKE '%d%'", {"a": "abc"}, False),
    ("LIKE anything", "a LIKE '%'", {"a": ""}, True),
    ("LIKE one character or more", "a LIKE '_%'", {"a": ""}, False),
    ("LIKE nothing", "a LIKE ''", {"a": ""}, True),
    ("LIKE nothing, not", "a LIKE ''", {"a": "x"}, False),
    ("LIKE over lines", "a LIKE 'x%y'", {"a": "x\n\ny"}, True),
    ("_ is a line break too", "a LIKE 'x_y'", {"a": "x\ny"}, True),
    ("dots and stars are plain", "a LIKE 'a.*'", {"a": "abc"}, False),
    ("dots and stars are plain, equal", "a LIKE 'a.*'", {"a": "a.*"}, True),
    ("ESCAPE _", r"a LIKE '\_%' ESCAPE '\'", {"a": "_foo"}, True),
    ("ESCAPE _, not", r"a LIKE '\_%' ESCAPE '\'", {"a": "bar"}, False),
    ("ESCAPE %", "a LIKE '100!%' ESCAPE '!'", {"a": "100%"}, True),
    ("ESCAPE %, not", "a LIKE '100!%' ESCAPE '!'", {"a": "1000"}, False),
    ("ESCAPE of itself", "a LIKE 'a!!b' ESCAPE '!'", {"a": "a!b"}, True),
    ("ESCAPE by %", "a LIKE '%%_' ESCAPE '%'", {"a": "%x"}, True),
    ("ESCAPE by a quote", "a LIKE '''_' ESCAPE ''''", {"a": "_"}, True),
    ("ESCAPE not used", "a LIKE 'x%' ESCAPE '!'", {"a": "xy"}, True),
    ("NOT LIKE", "a NOT LIKE '12%3'", {"a": "1234"}, True),
    ("NOT LIKE, not", "a NOT LIKE '12%3'", {"a": "123"}, False),
    ("NOT of LIKE", "NOT a LIKE 'x'", {"a": "y"}, True),
    ("a number is not LIKE", "a LIKE '%'", {"a": 1}, False),
    ("a number is not NOT LIKE", "a NOT LIKE 'x'", {"a": 1}, False),
    ("a boolean is not NOT LIKE", "NOT a LIKE 'x'", {"a": True}, False),
]

NUMBERS: list[Row] = [
    ("BETWEEN", "a BETWEEN 15 AND 19", {"a": 17}, True),
    ("BETWEEN has its lower bound", "a BETWEEN 15 AND 19", {"a": 15}, True),
    ("BETWEEN has its upper bound", "a BETWEEN 15 AND 19", {"a": 19}, True),
    ("BETWEEN, not", "a BETWEEN 15 AND 19", {"a": 20}, False),
    ("BETWEEN upside down", "a BETWEEN 19 AND 15", {"a": 17}, False),
    ("NOT BETWEEN", "a NOT BETWEEN 15 AND 19", {"a": 14.9}, True),
    ("NOT BETWEEN, not", "a NOT BETWEEN 15 AND 19", {"a": 15}, False),
    ("NOT BETWEEN upside down", "a NOT BETWEEN 19 AND 15", {"a": 17}, True),
    ("BETWEEN of properties", "a BETWEEN b AND c", {"a": 2, "b": 1, "c": 3}, True),
    ("BETWEEN of arithmetic", "a + 1 BETWEEN b - 1 AND b * 2", {"a": 2, "b": 3}, True),
    ("BETWEEN of a constant", "5 BETWEEN a AND b", {"a": 1, "b": 9}, True),
    ("BETWEEN binds AND", "a BETWEEN 1 AND 2 AND b = 3", {"a": 1, "b": 3}, True),
    ("octal: 035 is 29", "a = 035", {"a": 29}, True),
    ("hexadecimal: 0x1d is 29", "a = 0x1d", {"a": 29}, True),
    ("hexadecimal: 0X1D is 29", "a = 0X1D", {"a": 29}, True),
    ("suffix L", "a = 29L AND a = 29l", {"a": 29}, True),
    ("the smallest long", "a = -9223372036854775808L", {"a": -(2**63)}, True),
    ("the largest long", "a = 9223372036854775807", {"a": LONG}, True),
    ("7. is a double", "a = 7.", {"a": 7}, True),
    (".7e4", "a = .7e4", {"a": 7000}, True),
    ("-57.9E2", "a = -57.9E2", {"a": -5790.0}, True),
    ("+6.2", "a = +6.2", {"a": 6.2}, True),
    ("signs of a number", "a = - - 5", {"a": 5}, True),
    ("signs of a property", "-a = 5 AND +a = - 5", {"a": -5}, True),
    ("a long equals a double", "a = 1.0", {"a": 1}, True),
    ("a double equals a long", "a = 1", {"a": 1.0}, True),
    ("-0.0 equals 0", "a = 0", {"a": -0.0}, True),
    ("Byte", "a = 5", {"a": Byte(5)}, True),
    ("Short", "a > 5", {"a": Short(6)}, True),
    ("Int", "a BETWEEN 5 AND 6", {"a": Int(5)}, True),
    ("Float, exact", "a = 1.5", {"a": Float(1.5)}, True),
    ("Float is widened as in Java", "a = 0.1", {"a": Float(0.1)}, False),
    ("Float is compared with a literal of its size", "a = 0.1f", {"a": Float(0.1)}, True),
    ("Byte and Float", "a = b", {"a": Byte(2), "b": Float(2)}, True),
    ("a long becomes a double, rounded, as in Java", "a = 9007199254740992.0", {"a": 2**53 + 1}, True),
    ("two longs are not rounded", "a = 9007199254740992", {"a": 2**53 + 1}, False),
    ("large, property and property", "a = b", {"a": 2**53 + 1, "b": 2.0**53}, True),
    ("large, order", "a > 9007199254740992.0", {"a": 2**53 + 1}, False),
    ("large, between", "a BETWEEN 9007199254740993.0 AND 1e17", {"a": 2**53 - 1}, False),
    ("large long against a double", "9007199254740993 = a", {"a": 2.0**53}, True),
    ("not a number is not equal to itself", "a = a", {"a": NAN}, False),
    ("not a number is unequal", "a <> 1", {"a": NAN}, True),
    ("not a number is not between", "a BETWEEN 1 AND 2", {"a": NAN}, False),
    ("not a number is not outside: word for word", "a NOT BETWEEN 1 AND 2", {"a": NAN}, False),
    ("infinite", "a > 1e308", {"a": INFINITE}, True),
]

ARITHMETIC: list[Row] = [
    ("sum", "a + 1 = 3", {"a": 2}, True),
    ("difference", "a - 1 = 1", {"a": 2}, True),
    ("product", "a * 3 = 6", {"a": 2}, True),
    ("quotient", "a / 2 = 3", {"a": 6}, True),
    ("integers are divided to integers", "a / 2 = 3", {"a": 7}, True),
    ("towards zero", "a / 2 = -3", {"a": -7}, True),
    ("towards zero, negative divisor", "7 / a = -3", {"a": -2}, True),
    ("doubles are not", "a / 2.0 = 3.5", {"a": 7}, True),
    ("products come first", "a + 2 * 3 = 7", {"a": 1}, True),
    ("brackets", "(a + 2) * 3 = 9", {"a": 1}, True),
    ("from the left, minus", "a - 3 - 2 = 5", {"a": 10}, True),
    ("from the left, divide", "a / 4 * 2 = 4", {"a": 10}, True),
    ("signs come first", "-a * -2 = 6", {"a": 3}, True),
    ("minus a negative number", "a - -2 = 5", {"a": 3}, True),
    ("without spaces", "a-2=1", {"a": 3}, True),
    ("0x1e is no exponent", "0x1e+5=a", {"a": 35}, True),
    ("long overflow wraps", "a + 1 < 0", {"a": LONG}, True),
    ("long underflow wraps", "a - 1 > 0", {"a": -LONG - 1}, True),
    ("product wraps", "a * 2 = -2", {"a": LONG}, True),
    ("the smallest long has no negative", "-a = a", {"a": -LONG - 1}, True),
    ("nor when it is divided by -1", "a / -1 = a", {"a": -LONG - 1}, True),
    ("Int is widened to long", "a + 1 = 2147483648", {"a": Int(2**31 - 1)}, True),
    ("Byte is widened to long", "a * a = 16129", {"a": Byte(127)}, True),
    ("Float is widened to double", "a + 0.0 = 0.1", {"a": Float(0.1)}, False),
    ("an integer divided by zero is NULL", "a / 0 = 1", {"a": 1}, False),
    ("and so its negation does not match", "NOT a / 0 = 1", {"a": 1}, False),
    ("zero by zero", "NOT a / b <> 1", {"a": 0, "b": 0}, False),
    ("a double by zero is infinite", "a / 0 > 1e308", {"a": 1.5}, True),
    ("negative", "a / 0.0 < -1e308", {"a": -1}, True),
    ("the zero has a sign", "1 / a < -1e308", {"a": -0.0}, True),
    ("zero by zero in doubles is not a number", "a / 0 <> a / 0", {"a": 0.0}, True),
    ("double overflow is infinite", "a * 10 = a * 100", {"a": 1e308}, True),
    ("arithmetic on both sides", "a * 2 > b + 1", {"a": 3, "b": 4}, True),
]

PRECEDENCE: list[Row] = [
    ("NOT binds looser than comparison", "NOT a = 1", {"a": 2}, True),
    ("NOT binds looser than comparison, not", "NOT a = 1", {"a": 1}, False),
    ("NOT binds looser than BETWEEN", "NOT a BETWEEN 1 AND 2", {"a": 3}, True),
    ("NOT binds tighter than AND", "NOT a AND b", {"a": True, "b": False}, False),
    ("NOT binds tighter than OR", "NOT a OR b", {"a": True, "b": True}, True),
    ("NOT NOT", "NOT NOT a", {"a": True}, True),
    ("AND binds tighter than OR", "a OR b AND c", {"a": True, "b": False, "c": False}, True),
    ("AND binds tighter than OR, left", "a AND b OR c", {"a": False, "b": False, "c": True}, True),
    ("brackets win", "(a OR b) AND c", {"a": True, "b": False, "c": False}, False),
    ("De Morgan, AND", "NOT (a AND b)", {"a": True, "b": False}, True),
    ("De Morgan, OR", "NOT (a OR b)", {"a": False, "b": False}, True),
    ("NOT over everything", "NOT (a = 1 AND NOT (b = 2 OR c IS NULL))", {"a": 1, "b": 2}, True),
    ("long chains", " AND ".join(["a = 1"] * 500), {"a": 1}, True),
]

WORDS: list[Row] = [
    ("keywords in any case", "a Between 1 aNd 2 oR nOt b iS nUlL", {"a": 2}, True),
    ("true in any case", "a = tRuE", {"a": True}, True),
    ("identifiers keep their case", "Magnitude = 1", {"magnitude": 1}, False),
    ("dollar and underscore", "$a_1 = 1 AND _ = 2 AND $ = 3", {"$a_1": 1, "_": 2, "$": 3}, True),
    ("letters of any alphabet", "größe = 1 AND 震度 = 2 AND é9 = 3", {"größe": 1, "震度": 2, "é9": 3}, True),
    ("currency signs begin Java identifiers", "€uro = 1", {"€uro": 1}, True),
    ("letters beyond the basic plane", "\U0001d4b3 = 1", {"\U0001d4b3": 1}, True),
    (
        "keywords begin identifiers",
        "order = 1 AND nota = 2 AND inner = 3 AND isnull",
        {"order": 1, "nota": 2, "inner": 3, "isnull": True},
        True,
    ),
    ("a dotless i is no i", "\u0131s IS NULL", {}, True),
    ("white space", "\t a\n=\r\n\f1 ", {"a": 1}, True),
    ("no white space", "(a=1)AND(b='x')", {"a": 1, "b": "x"}, True),
    ("two signs are no comment", "a = 1 --b", {"a": 3, "b": 2}, True),
    ("characters beyond the basic plane in strings", "a LIKE '_'", {"a": "🌋"}, True),
]

HEADERS: list[Row] = [
    ("JMSDeliveryMode is a string", "JMSDeliveryMode = 'PERSISTENT'", {"JMSDeliveryMode": "PERSISTENT"}, True),
    ("NON_PERSISTENT", "JMSDeliveryMode = 'PERSISTENT'", {"JMSDeliveryMode": "NON_PERSISTENT"}, False),
    ("JMSDeliveryMode IN", "JMSDeliveryMode IN ('NON_PERSISTENT')", {"JMSDeliveryMode": "NON_PERSISTENT"}, True),
    ("JMSPriority", "JMSPriority >= 5", {"JMSPriority": 7}, True),
    ("JMSMessageID", "JMSMessageID LIKE 'ID:%'", {"JMSMessageID": "ID:1"}, True),
    ("JMSTimestamp", "JMSTimestamp > 1700000000000", {"JMSTimestamp": 1700000000001}, True),
    ("JMSCorrelationID", "JMSCorrelationID = 'x'", {"JMSCorrelationID": "x"}, True),
    ("a header that is missing", "JMSCorrelationID IS NULL", {"JMSCorrelationID": None}, True),
    (
        "JMSType",
        "JMSType = 'car' AND colour = 'blue' AND weight > 2500",
        {"JMSType": "car", "colour": "blue", "weight": 2501},
        True,
    ),
    ("JMSX properties", "JMSXGroupID = 'g' AND JMSXGroupSeq = 1", {"JMSXGroupID": "g", "JMSXGroupSeq": Int(1)}, True),
    ("JMS_ properties", "JMS_rmimom_origin = 'x'", {"JMS_rmimom_origin": "x"}, True),
    ("jms in small letters is a property", "jmsFoo = 1", {"jmsFoo": 1}, True),
]

ROWS = COMPARISONS + MISMATCHES + UNKNOWNS + STRINGS + NUMBERS + ARITHMETIC + PRECEDENCE + WORDS + HEADERS


@pytest.mark.parametrize(("selector", "values", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_match(selector: str, values: dict[str, Any], expected: bool) -> None:
    """§3.8.1.1, §3.8.1.2: a message is delivered if the selector is true, not if it is false or unknown."""
    before = dict(values)
    assert Selector(selector).matches(values) is expected
    assert values == before or any(math.isnan(value) for value in values.values())


@pytest.mark.parametrize(("selector", "values", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_the_canonical_text_matches_the_same(selector: str, values: dict[str, Any], expected: bool) -> None:
    canonical = Selector(selector).text
    assert Selector(canonical).text == canonical
    assert Selector(canonical).matches(values) is expected


@pytest.mark.parametrize("text", ["", " ", "\t\r\n\f ", None])
def test_an_empty_selector_is_none(text: str | None) -> None:
    """§3.8.1.1: null or an empty string means that there is no selector."""
    assert parse_selector(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=1", "( a  = 1 )"),
        ("a between 1 and 2", "a BETWEEN 1 AND 2"),
        ("a = 035", "a = 0x1D"),
        ("a = 1.50", "a = 15e-1"),
        ("a IN ('x','y','x')", "a IN ('y', 'x')"),
        ("a AND (b AND c)", "(a AND b) AND c"),
        ("a LIKE 'x' ESCAPE '!'", "a LIKE 'x'"),
        ("a = 1\nAND b", "a = +1 AND (b)"),
    ],
)
def test_selectors_that_say_the_same_are_the_same(one: str, other: str) -> None:
    assert Selector(one) is Selector(other)
    assert len({Selector(one), Selector(other)}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 1", "a = 1.0"),
        ("a = 0.0", "a = -0.0"),
        ("a = 1", "A = 1"),
        ("a = 'x'", "a = 'X'"),
        ("a = TRUE", "a = 1"),
        ("a - (b - c) = 0", "a - b - c = 0"),
        ("a + (b + c) = 0", "a + b + c = 0"),
        ("NOT (a AND b)", "NOT a AND b"),
    ],
)
def test_selectors_that_say_something_else_differ(one: str, other: str) -> None:
    assert Selector(one) != Selector(other)
    assert Selector(one).text != Selector(other).text


def test_constants_that_are_equal_in_python_are_kept_apart() -> None:
    # 1, 1.0 and TRUE are one key of a dict, and so are 0.0 and -0.0.
    selector = Selector(
        "a = 1 AND b = 1.0 AND c = TRUE AND 1 / d < 1 / 0.0 AND 1 / -0.0 < 0 AND e / 2 = 1 AND e / 2.0 = 1.5"
    )
    values = {"a": 1, "b": 1, "c": True, "d": 2, "e": 3}
    assert selector.matches(values)
    assert not selector.matches({**values, "c": 1})


def test_a_selector_tells_what_it_asks_for() -> None:
    selector = Selector(
        "JMSPriority > 4 AND (a = 1 OR b LIKE 'x' OR a = 2) AND -c + d > 0 AND e IS NULL AND f IN ('x')"
    )
    assert selector.identifiers == {"JMSPriority", "a", "b", "c", "d", "e", "f"}
    assert not selector.headers_only
    assert Selector("JMSPriority > 4 AND JMSType = 'x'").headers_only
    assert not Selector("JMSXGroupID = 'x'").headers_only
    assert Selector("TRUE").headers_only


def test_a_selector_does_not_change() -> None:
    selector = Selector("a = 1")
    with pytest.raises(AttributeError, match="'text' cannot be set"):
        selector.text = "b = 1"
    with pytest.raises(AttributeError, match="'matches' cannot be deleted"):
        del selector.matches
    assert copy.copy(selector) is selector
    assert copy.deepcopy({"s": selector})["s"] is selector
    assert str(selector) == "a = 1"
    assert repr(selector) == "Selector('a = 1')"


def test_a_selector_seen_before_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = parse_selector("seen_before = 1")

    def refuse(text: str) -> object:
        raise AssertionError(f"{text} is read again")

    monkeypatch.setattr(module, "parse", refuse)
    assert parse_selector("seen_before = 1") is first
    assert Selector("seen_before = 1") is first


def test_a_selector_that_nobody_uses_is_forgotten() -> None:
    # Long ones are not remembered by their text, so that strangers cannot fill the memory.
    text = f"forgotten IN ('{'x' * 2_000}')"
    selector = parse_selector(text)
    assert selector is not None
    canonical = selector.text
    assert canonical in Selector._all
    del selector
    gc.collect()
    assert canonical not in Selector._all


def test_threads_get_the_same_selector() -> None:
    found: list[Selector] = []
    start = threading.Barrier(4)

    def read() -> None:
        start.wait(10)
        found.extend(Selector(f"thread_{number} = {number}") for number in range(50))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 200
    assert len(set(found)) == 50


def test_nothing_of_the_text_is_in_the_code() -> None:
    """Names and strings of a selector are constants of the function, whatever they look like."""
    text = (
        "__import__ = 'x' AND values = ') or 1' AND c0 = 1 AND v1 LIKE '%\n    import os%' AND type = 'len' "
        "AND numbers = 1 AND v1 = '\"'"
    )
    selector = Selector(text)
    code = selector.matches.__code__
    assert set(code.co_names) <= {"get", "type", "str", "numbers", *(f"c{number}" for number in range(20))}
    assert not [constant for constant in code.co_consts if constant is not None]
    assert selector.matches.__globals__["__builtins__"] == {}
    assert not selector.matches({})


def test_the_canonical_text_of_every_selector_can_be_read() -> None:
    # Spaces make this one longer than a selector may be; then it is refused at once, and not when it is read again.
    text = "a IN (" + ",".join(f"'{number:04}'" for number in range(4_600)) + ")"
    assert len(text) < 32_768
    with pytest.raises(InvalidSelectorError, match=r"has 36\d\d\d characters; at most 32768"):
        Selector(text)
    # A number that gets an exponent is still one word.
    selector = Selector(" OR ".join(f"a = 0.0000{number:04}" for number in range(1_000)))
    canonical = selector.text
    assert "e-0" in canonical
    assert str(parse(canonical)) == canonical


def test_hostile_selectors_that_are_in_the_limits_work() -> None:
    many = Selector("a IN (" + ",".join(f"'{number:04}'" for number in range(4_000)) + ")")
    assert many.matches({"a": "3999"})
    assert not many.matches({"a": "4000"})
    wide = Selector(" OR ".join(f"a{number} = {number}" for number in range(1_000)))
    assert wide.matches({"a999": 999})
    assert not wide.matches({})
    slow = Selector("a LIKE '" + "%a" * 500 + "%b%'")
    assert not slow.matches({"a": "a" * 100_000})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("(" * 64 + "a = 1" + ")" * 64, {"a": 1}),
        ("NOT " * 62 + "a = 1", {"a": 1}),
        ("NOT (a = 2 OR " * 30 + "a = 1" + ")" * 30, {"a": 1}),
        ("(a = 1 AND (b IS NULL OR " * 30 + "a = 1" + "))" * 30, {"a": 1}),
        ("a + (" * 60 + "1" + ")" * 60 + " = 61", {"a": 1}),
        (" + ".join(["a"] * 63) + " BETWEEN b AND 63", {"a": 1, "b": 63}),
        ("NOT NOT (" * 20 + " - ".join(["a"] * 20) + " < 0" + ")" * 20, {"a": 1}),
        ("- " * 60 + "a = 1", {"a": 1}),
    ],
    ids=["brackets", "NOT", "NOT and OR", "AND and OR", "arithmetic", "a long sum", "everything", "signs"],
)
def test_the_deepest_selectors_work(text: str, values: dict[str, Any]) -> None:
    # Python has limits for nesting too, and they differ between its versions.
    selector = Selector(text)
    assert selector.matches(values)
    assert Selector(selector.text) is selector
