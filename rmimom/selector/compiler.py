"""From the tree of a selector to a Python function.

Selectors are evaluated for every message, so each becomes one Python function, about as fast as one written by hand.
Its source holds only the fixed words of this module: names, numbers, strings and patterns of the selector are bound as
the constants c0, c1 and so on, and no character of the selector's text is ever in it.

Three truth values need no third value at run time.  A selector matches when it is true, so the question for its tree
is "is it true?"; and (Jakarta Messaging 3.1 §3.8.1.2)

    a AND b is true   when a is true and b is true       a AND b is false  when a is false or b is false
    a OR b is true    when a is true or b is true        a OR b is false   when a is false and b is false
    NOT a is true     when a is false                    NOT a is false    when a is true

so that each node is asked one of two questions, "true?" or "false?", and Python's `and` and `or` do the rest.  A
comparison with NULL answers both with no.  The rules for single comparisons:
- Types that do not fit (§3.8.1.1): = <> < <= > >= and BETWEEN are false.  Only numbers have an order; strings and
  booleans have = and <>.  An identifier alone, IN and LIKE are unknown: neither `x IN ('a')` nor `x NOT IN ('a')`
  selects a message whose x is a number.
- `x NOT BETWEEN a AND b` is `x < a OR x > b`, word for word.
- Numbers are compared as Java does (arithmetic.py).  For constants below 2**53 Python's own comparison says the same,
  and no conversion is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from rmimom.selector import arithmetic, like, tree
from rmimom.selector.arithmetic import COMPARES, EXACT_DOUBLE, NUMBERS, REFUTES

Matches: TypeAlias = Callable[[Mapping[str, Any]], bool]

_MIRRORED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_IN_PYTHON: Final = {"=": "==", "<>": "!="}
_ARITHMETIC: Final[dict[str, Callable[..., Any]]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
}
_SIGNS: Final[dict[str, Callable[..., Any]]] = {"+": arithmetic.plus, "-": arithmetic.negate}


def compile_tree(root: tree.Condition) -> Matches:
    """A function that tells from the values of identifiers (missing or None: NULL) whether the selector matches."""
    writer = _Writer(root)
    source = writer.source(root)
    namespace = writer.namespace
    exec(compile(source, "<selector>", "exec"), namespace)  # noqa: S102 - the source holds no text from outside
    matches: Matches = namespace["matches"]
    return matches


class _Writer:
    """Writes the function and collects its constants."""

    def __init__(self, root: tree.Condition) -> None:
        self.namespace: dict[str, Any] = {"__builtins__": {}, "type": type, "len": len, "str": str, "numbers": NUMBERS}
        self._names: dict[Any, str] = {}
        self._variables = 0
        # What stands in several places is looked up once, at the beginning; everything else when it is needed.
        counts = Counter(tree.identifiers(root))
        self._shared = {name: self._variable() for name, count in counts.items() if count > 1}

    def source(self, root: tree.Condition) -> str:
        """The text of the function."""
        lines = [f"    {variable} = {self._lookup(name)}\n" for name, variable in self._shared.items()]
        return f"def matches(values):\n{''.join(lines)}    return {self._holds(root)}\n"

    # ---- conditions

    def _holds(self, node: tree.Condition) -> str:
        """Python for: the condition is true."""
        match node:
            case tree.Or(conditions):
                return f"({' or '.join(map(self._holds, conditions))})"
            case tree.And(conditions):
                return f"({' and '.join(map(self._holds, conditions))})"
            case tree.Not(condition):
                return self._fails(condition)
            case tree.Literal(value):
                return str(value is True)
            case tree.Identifier():
                return f"({self._value(node)} is True)"
            case tree.IsNull(identifier, negated):
                return f"({self._value(identifier)} is {'not ' if negated else ''}None)"
            case tree.Membership():
                return self._of_string(node.identifier, self._in(node), node.negated)
            case tree.Like():
                return self._of_string(node.identifier, self._like(node), node.negated)
            case tree.Comparison():
                return self._comparison(node, True)
            case tree.Between():
                return self._between(node, True)

    def _fails(self, node: tree.Condition) -> str:
        """Python for: the condition is false."""
        match node:
            case tree.Or(conditions):
                return f"({' and '.join(map(self._fails, conditions))})"
            case tree.And(conditions):
                return f"({' or '.join(map(self._fails, conditions))})"
            case tree.Not(condition):
                return self._holds(condition)
            case tree.Literal(value):
                return str(value is False)
            case tree.Identifier():
                return f"({self._value(node)} is False)"
            case tree.IsNull(identifier, negated):
                return f"({self._value(identifier)} is {'' if negated else 'not '}None)"
            case tree.Membership():
                return self._of_string(node.identifier, self._in(node), not node.negated)
            case tree.Like():
                return self._of_string(node.identifier, self._like(node), not node.negated)
            case tree.Comparison():
                return self._comparison(node, False)
            case tree.Between():
                return self._between(node, False)

    # ---- single comparisons; in a test {x} is the value asked about

    def _of_string(self, identifier: tree.Identifier, test: str, negated: bool) -> str:
        """Both the test and its negation ask for a string."""
        first, again = self._first_and_again(identifier)
        test = test.replace("{x}", again)
        return f"(type({first}) is str and {f'not {test}' if negated else test})"

    def _of_any(self, operand: tree.Operand, test: str, holds: bool) -> str:
        """The test is true or not for every value but NULL, where it has to be false."""
        first, again = self._first_and_again(operand)
        if holds:
            return f"({test.replace('{x}', first, 1).replace('{x}', again)})"
        return f"({first} is not None and not ({test.replace('{x}', again)}))"

    def _comparison(self, node: tree.Comparison, holds: bool) -> str:
        operator, left, right = node.operator, node.left, node.right
        if isinstance(left, tree.Literal):
            operator, left, right = _MIRRORED[operator], right, left
        if isinstance(right, tree.Literal) and not isinstance(left, tree.Literal):
            test = self._test(operator, right.value)
            if test is not None:
                return self._of_any(left, test, holds)
        compare = self._constant((COMPARES if holds else REFUTES)[operator])
        return f"{compare}({self._value(left)}, {self._value(right)})"

    def _test(self, operator: str, value: bool | int | float | str) -> str | None:
        """A comparison with a constant; None if it is so large that Python and Java differ."""
        if isinstance(value, bool):
            return f"{{x}} is {value if operator == '=' else not value}"
        constant = self._constant(value)
        symbol = _IN_PYTHON.get(operator, operator)
        if isinstance(value, str):
            return f"{{x}} == {constant}" if operator == "=" else f"type({{x}}) is str and {{x}} != {constant}"
        if abs(value) >= EXACT_DOUBLE:
            return None
        if operator == "=" and value not in {0, 1}:
            return f"{{x}} == {constant}"
        # For Python True is 1 and False is 0, so the type has to be asked.
        return f"type({{x}}) in numbers and {{x}} {symbol} {constant}"

    def _between(self, node: tree.Between, holds: bool) -> str:
        operand, low, high = node.operand, node.low, node.high
        match low, high:
            case tree.Literal(least), tree.Literal(most) if (
                not isinstance(operand, tree.Literal) and _is_exact(least) and _is_exact(most)
            ):
                bottom, top = self._constant(least), self._constant(most)
                test = f"({{x}} < {bottom} or {{x}} > {top})" if node.negated else f"{bottom} <= {{x}} <= {top}"
                return self._of_any(operand, f"type({{x}}) in numbers and {test}", holds)
        if node.negated:
            below, above = tree.Comparison("<", operand, low), tree.Comparison(">", operand, high)
            return self._holds(tree.Or((below, above))) if holds else self._fails(tree.Or((below, above)))
        least_, most_ = tree.Comparison(">=", operand, low), tree.Comparison("<=", operand, high)
        return self._holds(tree.And((least_, most_))) if holds else self._fails(tree.And((least_, most_)))

    def _in(self, node: tree.Membership) -> str:
        return f"{{x}} in {self._constant(node.values)}"

    def _like(self, node: tree.Like) -> str:
        segments = like.split(node.pattern, node.escape)
        texts = [segment.literal for segment in segments]
        match texts:
            case [str(whole)]:
                return f"{{x}} == {self._constant(whole)}"
            case ["", ""]:
                return "True"
            case [str(beginning), ""]:
                return f"{{x}}.startswith({self._constant(beginning)})"
            case ["", str(end)]:
                return f"{{x}}.endswith({self._constant(end)})"
            case ["", str(part), ""]:
                return f"{self._constant(part)} in {{x}}"
        return f"{self._constant(like.matcher(segments))}({{x}})"

    # ---- values

    def _value(self, node: tree.Operand) -> str:
        match node:
            case tree.Identifier(name):
                return self._shared.get(name) or self._lookup(name)
            case tree.Literal(value):
                return self._constant(value)
            case tree.Sign(operator, operand):
                return f"{self._constant(_SIGNS[operator])}({self._value(operand)})"
            case tree.Arithmetic(operator, left, right):
                return f"{self._constant(_ARITHMETIC[operator])}({self._value(left)}, {self._value(right)})"

    def _first_and_again(self, operand: tree.Operand) -> tuple[str, str]:
        """How to write a value where it is needed first, and after that."""
        if isinstance(operand, tree.Identifier) and operand.name in self._shared:
            return self._shared[operand.name], self._shared[operand.name]
        variable = self._variable()
        return f"({variable} := {self._value(operand)})", variable

    def _lookup(self, name: str) -> str:
        return f"values.get({self._constant(name)})"

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: Any) -> str:
        # 1, 1.0 and True are equal, and so are 0.0 and -0.0, but they are different constants.
        key = (type(value), repr(value)) if isinstance(value, int | float) else value
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"c{len(self._names)}"
            self.namespace[name] = value
        return name


def _is_exact(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < EXACT_DOUBLE
