"""Compiled selectors against a slow evaluator that shares nothing with them.

A selector is made as nested tuples, written as text in one of many spellings, and evaluated straight from the tuples,
with a third truth value and Java's numbers.  None is NULL and unknown.
"""

from __future__ import annotations

import ctypes
import math
import random
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rmimom.selector import Selector
from rmimom.values import Byte, Float, Int, Short

NAMES = ("a", "b", "c", "_d", "$e", "größe")
LONGS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]),
    st.integers(-(2**63), 2**63 - 1),
)
DOUBLES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.5, 0.1, 2.0**53, 2.0**63, -(2.0**63), 1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
STRINGS = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "aab", "%", "_", "it's", "7", "TRUE"]), st.text("ab%_'!", max_size=5)
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    LONGS,
    DOUBLES,
    st.sampled_from([math.nan, math.inf, -math.inf]),
    STRINGS,
    st.integers(-128, 127).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.floats(width=32).map(Float),
)

# ---- the selector as tuples

names = st.sampled_from(NAMES).map(lambda name: ("name", name))
numbers = st.one_of(LONGS, DOUBLES).map(lambda value: ("constant", value))
strings = STRINGS.map(lambda value: ("constant", value))
booleans = st.booleans().map(lambda value: ("constant", value))
arithmetic = st.recursive(
    names | numbers,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-"), inner).map(lambda node: ("sign", *node)),
        st.tuples(st.sampled_from("+-*/"), inner, inner).map(lambda node: ("arithmetic", *node)),
    ),
    max_leaves=5,
)
equality = st.sampled_from(["=", "<>"])
order = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
comparisons = st.one_of(
    st.tuples(st.just("compare"), order, arithmetic, arithmetic),
    st.tuples(st.just("compare"), order, names, numbers),
    st.tuples(st.just("compare"), equality, names | strings, names | strings),
    st.tuples(st.just("compare"), equality, names | booleans, names | booleans),
    st.tuples(st.just("between"), st.booleans(), arithmetic, arithmetic, arithmetic),
    st.tuples(st.just("between"), st.booleans(), names, numbers, numbers),
    st.tuples(st.just("in"), st.booleans(), names, st.lists(STRINGS, min_size=1, max_size=4)),
    st.tuples(st.just("like"), st.booleans(), names, st.text("ab%_'", max_size=6), st.just("")),
    st.tuples(
        st.just("like"),
        st.booleans(),
        names,
        st.lists(st.sampled_from(["a", "b", "%", "_", "!%", "!_", "!!"]), max_size=5).map("".join),
        st.just("!"),
    ),
    st.tuples(st.just("null"), st.booleans(), names),
    names,
    booleans,
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ("and", *parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ("or", *parts)),
    ),
    max_leaves=8,
)

# ---- as text

LEVELS = {"or": 1, "and": 2, "not": 3, "compare": 4, "between": 4, "in": 4, "like": 4, "null": 4}


def write(node: Any, choose: Callable[[list[str]], str]) -> str:
    """The text of a node; `choose` picks one of several spellings."""

    def word(text: str) -> str:
        return choose([text, text.lower(), text.title()])

    def space() -> str:
        return choose([" ", "  ", "\n", "\t"])

    def within(inner: Any, level: int) -> str:
        text = write(inner, choose)
        bare = level_of(inner) >= level
        return choose([text, text, f"({text})"]) if bare else f"( {text} )"

    match node:
        case ("name", name):
            return str(name)
        case ("constant", bool(value)):
            return word("TRUE" if value else "FALSE")
        case ("constant", str(value)):
            return "'" + value.replace("'", "''") + "'"
        case ("constant", int(value)):
            size = abs(value)
            spellings = [f"{size}", f"{size}L", f"0x{size:x}", f"0X{size:X}L", f"0{size:o}" if size else "0"]
            if value == -(2**63):
                spellings = spellings[:2]
            return ("-" if value < 0 else "") + choose(spellings)
        case ("constant", value):
            return choose([repr(value), repr(value) + "d", f"{value:.17e}", f"{value:.17E}D"])
        case ("sign", operator, inner):
            return f"{operator} {within(inner, 7)}"
        case ("arithmetic", operator, left, right):
            level = 5 if operator in "+-" else 6
            return f"{within(left, level)}{space()}{operator}{space()}{within(right, level + 1)}"
        case ("compare", operator, left, right):
            return f"{within(left, 5)}{choose(['', ' '])}{operator}{choose(['', ' '])}{within(right, 5)}"
        case ("between", negated, operand, low, high):
            negation = f"{word('NOT')}{space()}" if negated else ""
            bounds = f"{within(low, 5)}{space()}{word('AND')}{space()}{within(high, 5)}"
            return f"{within(operand, 5)}{space()}{negation}{word('BETWEEN')}{space()}{bounds}"
        case ("in", negated, name, values):
            negation = f"{word('NOT')}{space()}" if negated else ""
            texts = choose([",", ", "]).join(write(("constant", value), choose) for value in values)
            return f"{name[1]}{space()}{negation}{word('IN')}{choose(['', ' '])}({texts})"
        case ("like", negated, name, pattern, escape):
            negation = f"{word('NOT')}{space()}" if negated else ""
            tail = f"{space()}{word('ESCAPE')} '{escape}'" if escape else ""
            return f"{name[1]}{space()}{negation}{word('LIKE')} {write(('constant', pattern), choose)}{tail}"
        case ("null", negated, name):
            negation = f"{space()}{word('NOT')}" if negated else ""
            return f"{name[1]}{space()}{word('IS')}{negation}{space()}{word('NULL')}"
        case ("not", inner):
            return f"{word('NOT')}{space()}{within(inner, 3)}"
        case (("and" | "or") as kind, *parts):
            level = LEVELS[kind] + 1
            return f"{space()}{word(kind.upper())}{space()}".join(within(part, level) for part in parts)
    raise AssertionError(node)


def level_of(node: Any) -> int:
    if node[0] == "arithmetic":
        return 5 if node[1] in "+-" else 6
    if node[0] == "sign" or (node[0] == "constant" and repr(node[1]).startswith("-")):
        return 7
    return LEVELS.get(node[0], 8)


# ---- evaluated


def evaluate(node: Any, values: dict[str, Any]) -> Any:
    """The value of a node: None, or what a Java program would find."""
    match node:
        case ("name", name):
            return values.get(name)
        case ("constant", value):
            return value
        case ("sign", "+", inner):
            value = evaluate(inner, values)
            return calculate("+", 0, value) if is_integer(value) else calculate("*", 1.0, value)
        case ("sign", "-", inner):
            value = evaluate(inner, values)
            return calculate("-", 0, value) if is_integer(value) else calculate("*", -1.0, value)
        case ("arithmetic", operator, left, right):
            return calculate(operator, evaluate(left, values), evaluate(right, values))
    raise AssertionError(node)


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, float) or is_integer(value)


def calculate(operator: str, left: Any, right: Any) -> Any:
    if not is_number(left) or not is_number(right):
        return None
    if is_integer(left) and is_integer(right):
        x, y = int(left), int(right)
        if operator == "/":
            if y == 0:
                return None
            return ctypes.c_int64(math.trunc(Fraction(x, y))).value
        return ctypes.c_int64({"+": x + y, "-": x - y, "*": x * y}[operator]).value
    with_doubles = ctypes.c_double(float(left)).value, ctypes.c_double(float(right)).value
    if operator == "/":
        return quotient(*with_doubles)
    return {"+": float.__add__, "-": float.__sub__, "*": float.__mul__}[operator](*with_doubles)


def quotient(x: float, y: float) -> float:
    if y != 0:
        return x / y
    if x == 0 or math.isnan(x):
        return math.nan
    return math.inf if (math.copysign(1, x) > 0) == (math.copysign(1, y) > 0) else -math.inf


def compare(operator: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        if isinstance(left, float) or isinstance(right, float):
            left, right = float(left), float(right)
        found: dict[str, bool] = {
            "=": left == right,
            "<>": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }
        return found[operator]
    alike = (isinstance(left, bool) and isinstance(right, bool)) or (isinstance(left, str) and isinstance(right, str))
    if not alike or operator not in {"=", "<>"}:
        return False
    return bool(left == right) is (operator == "=")


def holds(node: Any, values: dict[str, Any]) -> bool | None:
    """True, False or None, by the tables of §3.8.1.2."""
    match node:
        case ("name", _) | ("constant", _):
            value = evaluate(node, values)
            return value if isinstance(value, bool) else None
        case ("compare", operator, left, right):
            return compare(operator, evaluate(left, values), evaluate(right, values))
        case ("between", negated, operand, low, high):
            value, least, most = (evaluate(part, values) for part in (operand, low, high))
            if negated:
                return either([compare("<", value, least), compare(">", value, most)])
            return both([compare(">=", value, least), compare("<=", value, most)])
        case ("in", negated, name, texts):
            value = evaluate(name, values)
            return (value in texts) is not negated if isinstance(value, str) else None
        case ("like", negated, name, pattern, escape):
            value = evaluate(name, values)
            return (like(pattern, escape, value) is not None) is not negated if isinstance(value, str) else None
        case ("null", negated, name):
            return (evaluate(name, values) is None) is not negated
        case ("not", inner):
            found = holds(inner, values)
            return None if found is None else not found
        case ("and", *parts):
            return both([holds(part, values) for part in parts])
        case ("or", *parts):
            return either([holds(part, values) for part in parts])
    raise AssertionError(node)


def both(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def either(found: list[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def like(pattern: str, escape: str, text: str) -> object:
    expression, escaped = "", False
    for character in pattern:
        if escape and character == escape and not escaped:
            escaped = True
            continue
        wild = {"%": ".*", "_": "."} if not escaped else {}
        expression += wild.get(character, re.escape(character))
        escaped = False
    return re.fullmatch(expression, text, re.DOTALL)


# ---- the comparison


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    node=conditions,
    spelling=st.integers(0, 2**32),
    messages=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=4),
)
def test_compiled_selectors_agree_with_the_reference(node: Any, spelling: int, messages: list[dict[str, Any]]) -> None:
    text = write(node, random.Random(spelling).choice)
    selector = Selector(text)
    assert Selector(selector.text) is selector
    for values in messages:
        assert selector.matches(values) is (holds(node, values) is True), (text, selector.text, values)


@settings(max_examples=300, deadline=None)
@given(node=arithmetic, values=st.dictionaries(st.sampled_from(NAMES), VALUES))
@example(node=("arithmetic", "/", ("constant", -(2**63)), ("constant", -1)), values={})
def test_arithmetic_agrees_with_the_reference(node: Any, values: dict[str, Any]) -> None:
    """The result of arithmetic, asked for by comparing it with the reference's."""
    wanted = evaluate(node, values)
    text = write(node, lambda spellings: spellings[0])
    if wanted is None or not is_number(wanted):
        assert not Selector(f"{text} = 0 OR {text} <> 0").matches(values)
    elif math.isnan(wanted):
        assert Selector(f"{text} <> result").matches({**values, "result": 0.0})
        assert not Selector(f"{text} = result").matches({**values, "result": wanted})
    else:
        assert Selector(f"{text} = result").matches({**values, "result": wanted})
        # An integer stays one: in halves it differs from the double of the same value.
        odd = Selector(f"({text}) / 2 * 2 = result")
        half = calculate("*", calculate("/", wanted, 2), 2)
        assert odd.matches({**values, "result": half}) is not math.isnan(half)
