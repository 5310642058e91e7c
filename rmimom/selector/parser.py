"""From the text of a selector to a checked tree (Jakarta Messaging 3.1 §3.8.1.1).

The grammar stands in grammar.lark.  While the tree grows, every part knows its type, so that a selector that can never
make sense (`size > 'big'`, `TRUE = 0`) is refused when the consumer is created and not passed over in silence for
every message.  A property may hold any type, so its own comparisons are judged when a message is there.

Strangers write selectors, so there are limits, and what is over them is refused before the parser sees it, in a few
milliseconds.  Everything recursive that comes after relies on the limit of depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

from rmimom.errors import InvalidSelectorError
from rmimom.selector import like, tree
from rmimom.selector.arithmetic import negate
from rmimom.selector.literals import bad_character, read_number, read_string

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_LENGTH: Final = 32_768
"""Characters in a selector.  Enough for some thousand strings in IN."""
MAX_WORDS: Final = 4_000
"""Names, numbers, operators and keywords in a selector.  Strings do not count, so that a list of IN may be long, and a
selector still takes no more than about a tenth of a second to read."""
MAX_DEPTH: Final = 64
"""How deep brackets, NOTs, signs and arithmetic may be nested."""
MAX_PATTERN: Final = 1_024
"""Characters in a pattern of LIKE."""

HEADERS: Final = frozenset(
    {"JMSDeliveryMode", "JMSPriority", "JMSMessageID", "JMSTimestamp", "JMSCorrelationID", "JMSType"}
)
"""The headers that selectors may ask for (§3.8.1.1)."""


class Kind(Enum):
    """The type of a part, as far as it is known without a message; the value is its name in errors."""

    NUMBER = "a number"
    STRING = "a string"
    BOOLEAN = "a boolean"
    CONDITION = "a condition"
    PROPERTY = "a property"


_HEADER_KINDS: Final = dict.fromkeys(HEADERS, Kind.STRING) | {"JMSPriority": Kind.NUMBER, "JMSTimestamp": Kind.NUMBER}
_CONDITIONS: Final = frozenset({Kind.CONDITION, Kind.BOOLEAN, Kind.PROPERTY})


class _Part(NamedTuple):
    """A piece of the tree under construction."""

    node: tree.Node
    kind: Kind
    start: int
    depth: int = 1
    bracketed: bool = False


class _Fault(Exception):  # noqa: N818 - never leaves this module
    """What is wrong, and at which place of the text, from 0."""

    def __init__(self, place: int, text: str, expected: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text
        self.expected = expected


def parse(text: str) -> tree.Condition:
    """The tree of a selector that is not blank; raises InvalidSelectorError naming the column and what was expected."""
    check_length(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    try:
        text.encode()
        _check_size(text)
        made: _Part = cast(Any, _parser().parse(text))
    except UnicodeEncodeError as error:
        _refuse(text, _Fault(error.start, "this is half a character, and no text", "whole characters"))
    except _Fault as fault:
        _refuse(text, fault)
    except UnexpectedCharacters as error:
        _refuse(text, _unexpected_character(text, cast(int, error.pos_in_stream)))
    except UnexpectedToken as error:
        place = len(text.rstrip(_SPACES)) if error.token.type == "$END" else error.token.start_pos or 0
        _refuse(text, _unexpected_token(error.token, place, error.accepts))
    return cast(tree.Condition, made.node)


def check_length(text: str) -> None:
    """Raise InvalidSelectorError if the text is too long for a selector."""
    if len(text) > MAX_LENGTH:
        raise InvalidSelectorError(
            f"the selector has {len(text)} characters; at most {MAX_LENGTH} are allowed",
            length=len(text),
            limit=MAX_LENGTH,
        )


_WORD_OR_BRACKET: Final = re.compile(
    r"'[^']*'|(?P<bracket>[()])|\.?[0-9][\w.]*(?:(?<=[eE])[+-][0-9]+)?|[\w$.]+|[<>=]+|[^\s,]"
)


def _check_size(text: str) -> None:
    """Refuse a selector with too many words or brackets."""
    words = depth = 0
    for found in _WORD_OR_BRACKET.finditer(text):
        bracket = found["bracket"]
        if bracket is not None:
            depth += 1 if bracket == "(" else -1
            if depth > MAX_DEPTH:
                raise _too_deep(found.start())
        elif text[found.start()] != "'":
            words += 1
            if words > MAX_WORDS:
                raise _Fault(
                    found.start(),
                    f"there are over {MAX_WORDS} names, numbers, operators and keywords up to here; "
                    "for a list of strings write IN, whose strings do not count",
                    f"at most {MAX_WORDS} words",
                )


def _too_deep(place: int) -> _Fault:
    return _Fault(place, f"brackets and operators are nested over {MAX_DEPTH} deep here", "a flatter selector")


def _refuse(text: str, fault: _Fault) -> NoReturn:
    column = fault.place + 1
    near = _short(text[fault.place : fault.place + 40].rstrip(_SPACES))
    where = f"column {column}, near {near!r}" if near else f"column {column}, at its end"
    raise InvalidSelectorError(
        f"the selector is wrong at {where}: {fault.text}", column=column, near=near, expected=fault.expected
    ) from None


_SPACES: Final = " \t\f\n\r"


def _short(text: str) -> str:
    return text if len(text) <= 20 else text[:20] + "..."


# ---- errors of the grammar

_NAMES: Final = {
    "IDENTIFIER": "an identifier",
    "NUMBER": "a number",
    "STRING": "a string in single quotes",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "_AND": "AND",
    "_OR": "OR",
    "$END": "the end",
}
# Where all of the first may stand, people call it the second, and it includes the third.
_GROUPS: Final = (
    ({"IDENTIFIER", "NUMBER", "STRING"}, "a value", {"IDENTIFIER", "NUMBER", "STRING", "TRUE", "FALSE", "SIGN"}),
    (
        {"COMPARISON", "SIGN", "FACTOR"},
        "an operator",
        {"COMPARISON", "SIGN", "FACTOR", "NOT", "BETWEEN", "IN", "LIKE", "IS"},
    ),
    ({"SIGN"}, "an arithmetic operator", {"SIGN", "FACTOR"}),
)
_HINTS: Final = {
    '"': "strings stand in single quotes",
    "‘": "strings stand in straight single quotes",
    "’": "strings stand in straight single quotes",
    "“": "strings stand in straight single quotes",
    "”": "strings stand in straight single quotes",
    "!": "write <> for not equal, and NOT",
    "&": "write AND",
    "|": "write OR",
    "%": "there is no remainder",
    ";": "a selector is one condition",
    ".": "a name has no dots",
    "\u00a0": "this is a no-break space; use a plain one",
}


def _unexpected_character(text: str, place: int) -> _Fault:
    character = text[place]
    if character == "'":
        return _Fault(place, "this string has no closing quote", "a closing quote")
    shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
    hint = _HINTS.get(character)
    tail = f"; {hint}" if hint else ""
    return _Fault(place, f"{shown} has no meaning in selectors{tail}", hint or "no such character")


def _unexpected_token(token: Token, place: int, accepts: set[str]) -> _Fault:
    expected = _expected(set(accepts))
    if token.type == "$END":
        return _Fault(place, f"expected {expected}, but the selector ends here", expected)
    found = "the keyword " + token.upper() if token.type in _WORDS.values() else _short(str(token))
    return _Fault(place, f"expected {expected}, but found {found}", expected)


def _expected(accepts: set[str]) -> str:
    words = []
    for needed, name, included in _GROUPS:
        if needed <= accepts:
            accepts -= included
            words.append(name)
    words += sorted(_NAMES.get(name, name) for name in accepts - {"$END"})
    if "$END" in accepts:
        words.append("the end")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


# ---- words

_WORDS: Final = {
    word: f"_{word}" if word in {"AND", "OR"} else word
    for word in ("NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE")
}


def _read_word(token: Token) -> Token:
    """Tell words of the language, whatever their case, from identifiers; those have to be Java's."""
    if token.isascii():
        kind = _WORDS.get(token.upper())
        return token if kind is None else token.update(type=kind)
    place = bad_character(token)
    if place is None:
        return token
    character = token[place]
    shown = f"{character!r}" if character.isprintable() else f"U+{ord(character):04X}"
    raise _Fault(
        (token.start_pos or 0) + place,
        f"{shown} cannot {'stand in' if place else 'begin'} an identifier; {_HINTS.get(character, _IDENTIFIER)}",
        "an identifier",
    )


_IDENTIFIER: Final = "one is a letter, _ or $, then letters, digits, _ or $"


# ---- building


class _Builder:
    """One method for each rule of the grammar; each gets the parts and words it is made of.

    It keeps nothing between calls, so that all threads may share it.
    """

    def start(self, parts: list[Any]) -> _Part:
        return _condition(parts[0], "a selector")

    def disjunction(self, parts: list[_Part]) -> _Part:
        return _joined(tree.Or, "OR", parts)

    def conjunction(self, parts: list[_Part]) -> _Part:
        return _joined(tree.And, "AND", parts)

    def negation(self, parts: list[Any]) -> _Part:
        word, operand = parts
        _condition(operand, "NOT")
        return _made(tree.Not(operand.node), Kind.CONDITION, word.start_pos, operand)

    def comparison(self, parts: list[Any]) -> _Part:
        left, operator, right = parts
        if operator in {"=", "<>"}:
            _comparable(operator, left, right)
        else:
            for side in (left, right):
                _number(side, f"{operator} compares numbers")
        return _made(tree.Comparison(str(operator), left.node, right.node), Kind.CONDITION, left.start, left, right)

    def between(self, parts: list[Any]) -> _Part:
        operand, negation, _, low, high = parts
        for part in (operand, low, high):
            _number(part, "BETWEEN compares numbers")
        node = tree.Between(operand.node, low.node, high.node, negation is not None)
        return _made(node, Kind.CONDITION, operand.start, operand, low, high)

    def membership(self, parts: list[Any]) -> _Part:
        operand, negation, word, *values = parts
        identifier = _identifier(operand, word)
        node = tree.Membership(identifier, frozenset(read_string(value) for value in values), negation is not None)
        return _made(node, Kind.CONDITION, operand.start, operand)

    def like(self, parts: list[Any]) -> _Part:
        operand, negation, word, pattern, _, escape = parts
        identifier = _identifier(operand, word)
        text, character = read_string(pattern), read_string(escape) if escape else ""
        if escape and len(character) != 1:
            raise _Fault(
                escape.start_pos, f"ESCAPE takes one character, but this has {len(character)}", "one character"
            )
        if len(text) > MAX_PATTERN:
            raise _Fault(
                pattern.start_pos,
                f"the pattern has {len(text)} characters; at most {MAX_PATTERN} are allowed",
                "a shorter pattern",
            )
        try:
            like.split(text, character)
        except like.BadEscapeError as error:
            # In the text a quote is written twice.
            place = pattern.start_pos + 1 + error.position + text[: error.position].count("'")
            raise _Fault(
                place,
                f"the escape character {character!r} stands before %, _ or itself, and nowhere else",
                f"%, _ or {character} after {character}",
            ) from None
        node = tree.Like(identifier, text, character if character in text else "", negation is not None)
        return _made(node, Kind.CONDITION, operand.start, operand)

    def is_null(self, parts: list[Any]) -> _Part:
        operand, _, negation, _ = parts
        if not isinstance(operand.node, tree.Identifier) or operand.bracketed:
            raise _Fault(operand.start, f"IS NULL asks about an identifier, but this is {_called(operand)}", _NAME)
        return _made(tree.IsNull(operand.node, negation is not None), Kind.CONDITION, operand.start, operand)

    def arithmetic(self, parts: list[Any]) -> _Part:
        left, operator, right = parts
        for side in (left, right):
            _number(side, f"{operator} takes numbers")
        return _made(tree.Arithmetic(str(operator), left.node, right.node), Kind.NUMBER, left.start, left, right)

    def sign(self, parts: list[Any]) -> _Part:
        operator, operand = parts
        _number(operand, f"{operator} takes a number")
        if isinstance(operand.node, tree.Literal):
            value = operand.node.value if operator == "+" else negate(operand.node.value)
            assert value is not None  # a number has a negative
            return _Part(tree.Literal(value), Kind.NUMBER, operator.start_pos)
        return _made(tree.Sign(str(operator), operand.node), Kind.NUMBER, operator.start_pos, operand)

    def signed_number(self, parts: list[Any]) -> _Part:
        sign, number = parts
        return _numeral(number, sign.start_pos, negative=sign == "-")

    def number(self, parts: list[Any]) -> _Part:
        return _numeral(parts[0], parts[0].start_pos, negative=False)

    def string(self, parts: list[Any]) -> _Part:
        return _Part(tree.Literal(read_string(parts[0])), Kind.STRING, parts[0].start_pos)

    def boolean(self, parts: list[Any]) -> _Part:
        return _Part(tree.Literal(parts[0].type == "TRUE"), Kind.BOOLEAN, parts[0].start_pos)

    def identifier(self, parts: list[Any]) -> _Part:
        token = parts[0]
        name = str(token)
        kind = _HEADER_KINDS.get(name, Kind.PROPERTY)
        if kind is Kind.PROPERTY and name.startswith("JMS") and not name.startswith(("JMSX", "JMS_")):
            allowed = ", ".join(sorted(HEADERS))
            raise _Fault(
                token.start_pos,
                f"{_short(name)} is no header that selectors may ask for; those are {allowed}",
                f"one of {allowed}, or a property",
            )
        return _Part(tree.Identifier(name), kind, token.start_pos)

    def group(self, parts: list[Any]) -> _Part:
        # Brackets leave no trace in the tree, but `(name) IN ('a')` is not in the language.
        return cast(_Part, parts[0])._replace(bracketed=True)


_NAME: Final = "the name of a property or header"


def _made(node: tree.Node, kind: Kind, start: int, *parts: _Part) -> _Part:
    """A node over its parts, if the tree does not get too deep with it."""
    depth = max(part.depth for part in parts) + 1
    if depth > MAX_DEPTH:
        raise _too_deep(start)
    return _Part(node, kind, start, depth)


def _joined(kind: type[tree.And] | type[tree.Or], word: str, parts: list[_Part]) -> _Part:
    """Conditions joined by AND or OR.  Both are associative, so brackets within brackets of the same kind vanish."""
    nodes: list[tree.Condition] = []
    for part in parts:
        _condition(part, word)
        if isinstance(part.node, kind):
            nodes.extend(part.node.conditions)
        else:
            nodes.append(cast(tree.Condition, part.node))
    return _made(kind(tuple(nodes)), Kind.CONDITION, parts[0].start, *parts)


def _numeral(token: Token, start: int, *, negative: bool) -> _Part:
    try:
        value = read_number(token, negative=negative)
    except ValueError as error:
        raise _Fault(start, f"{_short(str(token))} {error}", "a number as Java writes it") from None
    return _Part(tree.Literal(value), Kind.NUMBER, start)


def _condition(part: _Part, what: str) -> _Part:
    if part.kind not in _CONDITIONS:
        raise _Fault(
            part.start, f"{what} takes a condition, true or false, but this is {_called(part)}", Kind.CONDITION.value
        )
    return part


def _number(part: _Part, what: str) -> None:
    if part.kind not in {Kind.NUMBER, Kind.PROPERTY}:
        raise _Fault(part.start, f"{what}, but this is {_called(part)}", Kind.NUMBER.value)


def _comparable(operator: str, left: _Part, right: _Part) -> None:
    for part in (left, right):
        if part.kind is Kind.CONDITION:
            raise _Fault(part.start, f"{operator} compares values, but this is {_called(part)}", "a value")
    if left.kind is not right.kind and Kind.PROPERTY not in {left.kind, right.kind}:
        raise _Fault(
            right.start, f"{operator} cannot compare {_called(left)} with {_called(right)}", f"{left.kind.value}"
        )


def _identifier(part: _Part, word: str) -> tree.Identifier:
    """What stands before IN and LIKE."""
    if not isinstance(part.node, tree.Identifier) or part.bracketed:
        raise _Fault(part.start, f"{word.upper()} asks about an identifier, but this is {_called(part)}", _NAME)
    if part.kind is Kind.NUMBER:
        raise _Fault(part.start, f"{word.upper()} compares strings, but this is {_called(part)}", Kind.STRING.value)
    return part.node


def _called(part: _Part) -> str:
    """What a person would call the part."""
    if part.bracketed and isinstance(part.node, tree.Identifier):
        return f"{_short(part.node.name)} in brackets"
    if isinstance(part.node, tree.Identifier):
        return f"{_short(part.node.name)}, {part.kind.value}"
    if isinstance(part.node, tree.Literal):
        return f"{part.kind.value}, {_short(str(part.node))}"
    return "arithmetic, a number" if part.kind is Kind.NUMBER else part.kind.value


@cache
def _parser() -> Lark:
    # lark is slow to load, and most servers never see a selector.
    from lark import Lark

    callbacks: dict[str, Callable[[Token], Token]] = {"IDENTIFIER": _read_word}
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        lexer="basic",
        transformer=cast(Any, _Builder()),
        lexer_callbacks=callbacks,
        maybe_placeholders=True,
    )
