"""What a selector says, as a tree.

`str(node)` is its canonical text: one spelling of keywords, numbers, spaces and brackets, so that two selectors that
say the same in the same order are the same text.  Reading it again gives an equal tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

# How tightly each kind of node binds; a node that binds looser than its place asks for stands in brackets.
_OR: Final = 1
_AND: Final = 2
_NOT: Final = 3
_PREDICATE: Final = 4
_SUM: Final = 5
_PRODUCT: Final = 6
_SIGN: Final = 7
_ATOM: Final = 8


@dataclass(frozen=True, slots=True)
class Identifier:
    """A property or one of the six headers, by name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: a long, a double, a string or a boolean."""

    value: bool | int | float | str

    def __str__(self) -> str:
        value = self.value
        if isinstance(value, str):
            return _quoted(value)
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        return repr(value)


@dataclass(frozen=True, slots=True)
class Sign:
    """`+` or `-` before an operand that is not a literal."""

    operator: str
    operand: Operand

    def __str__(self) -> str:
        # A space after it: two signs side by side look like a comment, which selectors do not have.
        between = " " if isinstance(self.operand, Sign) else ""
        return f"{self.operator}{between}{_within(self.operand, _SIGN)}"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` and so on with `+ - * /`."""

    operator: str
    left: Operand
    right: Operand

    def __str__(self) -> str:
        level = _SUM if self.operator in "+-" else _PRODUCT
        # Equal operators group to the left, and floating-point arithmetic is not associative.
        return f"{_within(self.left, level)} {self.operator} {_within(self.right, level + 1)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left = right` and so on with `= <> < <= > >=`."""

    operator: str
    left: Operand
    right: Operand

    def __str__(self) -> str:
        return f"{_within(self.left, _SUM)} {self.operator} {_within(self.right, _SUM)}"


@dataclass(frozen=True, slots=True)
class Between:
    """`operand [NOT] BETWEEN low AND high`."""

    operand: Operand
    low: Operand
    high: Operand
    negated: bool = False

    def __str__(self) -> str:
        low, high = _within(self.low, _SUM), _within(self.high, _SUM)
        return f"{_within(self.operand, _SUM)}{_not(self.negated)} BETWEEN {low} AND {high}"


@dataclass(frozen=True, slots=True)
class Membership:
    """`identifier [NOT] IN ('a', 'b')`."""

    identifier: Identifier
    values: frozenset[str]
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.identifier}{_not(self.negated)} IN ({', '.join(map(_quoted, sorted(self.values)))})"


@dataclass(frozen=True, slots=True)
class Like:
    """`identifier [NOT] LIKE 'pattern' [ESCAPE 'c']`."""

    identifier: Identifier
    pattern: str
    escape: str = ""
    negated: bool = False

    def __str__(self) -> str:
        escape = f" ESCAPE {_quoted(self.escape)}" if self.escape else ""
        return f"{self.identifier}{_not(self.negated)} LIKE {_quoted(self.pattern)}{escape}"


@dataclass(frozen=True, slots=True)
class IsNull:
    """`identifier IS [NOT] NULL`."""

    identifier: Identifier
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.identifier} IS{_not(self.negated)} NULL"


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    condition: Condition

    def __str__(self) -> str:
        return f"NOT {_within(self.condition, _NOT)}"


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions joined by AND."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " AND ".join(_within(condition, _AND + 1) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions joined by OR."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " OR ".join(_within(condition, _OR + 1) for condition in self.conditions)


Operand: TypeAlias = Identifier | Literal | Sign | Arithmetic
# An identifier or a literal is a condition when it is boolean.
Condition: TypeAlias = Identifier | Literal | Comparison | Between | Membership | Like | IsNull | Not | And | Or
Node: TypeAlias = Operand | Condition


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Sign(_, operand):
            return (operand,)
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return (left, right)
        case Between(operand, low, high):
            return (operand, low, high)
        case Membership(identifier) | Like(identifier) | IsNull(identifier):
            return (identifier,)
        case Not(condition):
            return (condition,)
        case And(conditions) | Or(conditions):
            return conditions
        case _:
            return ()


def identifiers(node: Node) -> Iterator[str]:
    """The name of every identifier in the tree, once for each place where it stands."""
    waiting: list[Node] = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Identifier):
            yield found.name
        waiting.extend(children(found))


def _level(node: Node) -> int:
    match node:
        case Identifier():
            return _ATOM
        case Literal(value):
            # -0.0 has a sign too, although it is not less than 0.
            return _SIGN if not isinstance(value, str) and repr(value).startswith("-") else _ATOM
        case Sign():
            return _SIGN
        case Arithmetic(operator):
            return _SUM if operator in "+-" else _PRODUCT
        case Not():
            return _NOT
        case And():
            return _AND
        case Or():
            return _OR
        case _:
            return _PREDICATE


def _within(node: Node, level: int) -> str:
    return str(node) if _level(node) >= level else f"({node})"


def _not(negated: bool) -> str:
    return " NOT" if negated else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
