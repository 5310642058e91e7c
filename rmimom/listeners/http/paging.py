"""Lists in pages: what is asked of them, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

MOST: Final = 1000
"""Rows of one page at most."""

Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MOST, description="how many rows to answer with at most")]
Offset: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53, description="how many rows to pass over")]
Order: TypeAlias = Literal["asc", "desc"]
Filter: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=1000, description="only rows whose names hold this text, in either case of letters")
]


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of a list is wanted; lists that can be sorted add `sort`."""

    filter: Filter = ""
    order: Order = "asc"
    offset: Offset = 0
    limit: Limit = 100


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `total` counts all rows that the filter lets through."""

    total: int
    offset: int
    limit: int
    items: list[T]


def page_of(
    rows: Iterable[T], query: ListQuery, sort: str, names: Callable[[T], Sequence[str]], key: Callable[[T], Any]
) -> Page[T]:
    """The wanted part: rows that have the filter's text in one of their `names`, by `sort` and then by `key`."""
    needle = query.filter.casefold()
    found = [row for row in rows if not needle or any(needle in name.casefold() for name in names(row))]
    found.sort(key=key)
    found.sort(key=lambda row: getattr(row, sort), reverse=query.order == "desc")
    part = found[query.offset : query.offset + query.limit]
    return Page(len(found), query.offset, query.limit, part)
