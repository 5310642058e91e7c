"""Message selectors: a condition in a subset of SQL-92 on the headers and properties of a message.

`parse_selector` makes a `Selector`, `MessageValues` asks it about a message.  The way of a selector is
text - grammar.lark, parser - tree - compiler - function.
"""

from __future__ import annotations

from rmimom.selector.selector import Selector, parse_selector
from rmimom.selector.source import MessageValues, read_property

__all__ = ["MessageValues", "Selector", "parse_selector", "read_property"]
