"""A list on a page: which part of it is shown, in which order, and where the links of its head and its foot lead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

LIMITS: Final = (25, 50, 100, 200)
USUAL: Final = 50
MOST_PAGES: Final = 10**9


class Listing:
    """What a page shows of a list; `total` is known when the list was read.

    `more` are parameters of the page's own, which its links keep.
    """

    def __init__(
        self,
        path: str,
        sent: Mapping[str, str],
        sort: str,
        *,
        order: str = "asc",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.filter = sent.get("filter", "")
        self.sort = sent.get("sort") or sort
        self.order = sent.get("order") or order
        self.limit = read_number(sent.get("limit", ""), USUAL, LIMITS[-1])
        self.page = read_number(sent.get("page", ""), 1, MOST_PAGES)
        self.total = 0
        self.more = more
        self._usual = {"sort": sort, "order": order, "limit": str(USUAL), "page": "1", "filter": ""}

    def query(self) -> dict[str, str]:
        """The parameters of the operation that reads the list."""
        return {
            "filter": self.filter,
            "sort": self.sort,
            "order": self.order,
            "limit": str(self.limit),
            "offset": str((self.page - 1) * self.limit),
        }

    def learn(self, total: int) -> bool:
        """Hear how long the list is; false if it ends before the page, which is the last one then."""
        self.total = total
        if self.page <= self.pages:
            return True
        self.page = self.pages
        return False

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.limit))

    def url(self, **changes: object) -> str:
        """The address of this list with some things changed."""
        now = {
            "filter": self.filter,
            "sort": self.sort,
            "order": self.order,
            "limit": str(self.limit),
            "page": str(self.page),
            **self.more,
        }
        now.update({name: str(value) for name, value in changes.items()})
        kept = {name: value for name, value in now.items() if value != self._usual.get(name, "")}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path

    def sorted_by(self, column: str) -> str:
        """The address of this list sorted by a column; the other way round if it is already."""
        turned = column == self.sort and self.order == "asc"
        return self.url(sort=column, order="desc" if turned else "asc", page=1)

    def direction(self, column: str) -> str:
        """How a column is sorted, in the words of aria-sort."""
        if column != self.sort:
            return "none"
        return "ascending" if self.order == "asc" else "descending"


def read_number(text: str, usual: int, most: int) -> int:
    """A number of 1 or more from an address; the usual one for what is none, the greatest for what is too great."""
    if not (text.isascii() and text.isdigit()) or len(text) > 30:
        return usual
    return min(max(int(text), 1), most)
