"""LIKE patterns, matched without going back.

`%` cuts a pattern into segments.  The first is bound to the beginning of the text and the last to its end; each of the
others is taken at the first place where it fits after the one before, which leaves the most room for those that follow,
so no choice is ever reconsidered.  A segment without `_` is found by str.find, in time linear in the text; one with
`_` by an automaton that keeps all beginnings of the segment under way as the bits of one integer, at most one pass over
the text for all segments together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ANY_CHARACTER: Final = "_"
ANY_TEXT: Final = "%"


class BadEscapeError(ValueError):
    """An escape character at the end of the pattern, or before a character that needs none (SQL-92 §8.5)."""

    def __init__(self, position: int) -> None:
        super().__init__(f"bad escape at {position}")
        self.position = position


class Segment:
    """What stands between two `%`: characters, some of which may be any."""

    __slots__ = ("pieces", "width")

    def __init__(self, characters: list[str | None]) -> None:
        """One entry for each character; None is any character."""
        self.width = len(characters)
        self.pieces = _pieces(characters)
        """The literal text in it, and where."""

    @property
    def literal(self) -> str | None:
        """Its text if it has no `_`."""
        if not self.width:
            return ""
        text = self.pieces[0][1] if self.pieces else ""
        return text if len(text) == self.width else None

    def fits(self, text: str, at: int) -> bool:
        """Whether the segment stands in the text at this place; the text must be long enough."""
        for offset, piece in self.pieces:  # noqa: SIM110 - all() with a generator takes three times as long
            if not text.startswith(piece, at + offset):
                return False
        return True


class FloatingSegment(Segment):
    """A segment with a `%` before and after it."""

    __slots__ = ("_final", "_longest", "_masks", "_offset", "_wild")

    def __init__(self, characters: list[str | None]) -> None:
        """One entry for each character; None is any character."""
        super().__init__(characters)
        self._offset, self._longest = max(self.pieces, key=lambda piece: len(piece[1]), default=(0, ""))
        # Bit i of a mask: the character may stand at place i.
        self._masks: dict[str, int] = {}
        self._wild = 0
        self._final = 1 << (self.width - 1)
        if self.literal is None:
            for place, character in enumerate(characters):
                if character is None:
                    self._wild |= 1 << place
                else:
                    self._masks[character] = self._masks.get(character, 0) | 1 << place

    def find(self, text: str, start: int, end: int) -> int:
        """The end of the first place where the segment stands in text[start:end], or -1."""
        after = self.width - self._offset - len(self._longest)
        found = text.find(self._longest, start + self._offset, end - after)
        if found < 0:
            return -1
        begin = found - self._offset
        # Plain text, or nothing but _, stands where it was found; and mostly the rest stands there too.
        if not self._masks or self.fits(text, begin):
            return begin + self.width
        state, masks, wild, final = 0, self._masks, self._wild, self._final
        for place in range(begin, end):
            state = (state << 1 | 1) & (masks.get(text[place], 0) | wild)
            if state & final:
                return place + 1
        return -1


def split(pattern: str, escape: str = "") -> list[Segment]:
    """The segments of a pattern: one if it has no `%`.  Raises BadEscapeError."""
    segments: list[list[str | None]] = [[]]
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == escape:
            place += 1
            if pattern[place : place + 1] not in {ANY_CHARACTER, ANY_TEXT, escape}:
                raise BadEscapeError(place - 1)
            segments[-1].append(pattern[place])
        elif character == ANY_TEXT:
            segments.append([])
        else:
            segments[-1].append(None if character == ANY_CHARACTER else character)
        place += 1
    # Nothing stands between two neighbouring %.
    last = len(segments) - 1
    return [
        Segment(found) if index in {0, last} else FloatingSegment(found)
        for index, found in enumerate(segments)
        if found or index in {0, last}
    ]


def matcher(segments: list[Segment]) -> Callable[[str], bool]:
    """Whether a text is what the segments describe."""
    first, last = segments[0], segments[-1]
    floating = [segment for segment in segments if isinstance(segment, FloatingSegment)]
    shortest = sum(segment.width for segment in segments)
    if len(segments) == 1:
        return lambda text: len(text) == shortest and first.fits(text, 0)

    def matches(text: str) -> bool:
        end = len(text) - last.width
        if len(text) < shortest or not first.fits(text, 0) or not last.fits(text, end):
            return False
        place = first.width
        for segment in floating:
            place = segment.find(text, place, end)
            if place < 0:
                return False
        return True

    return matches


def _pieces(characters: list[str | None]) -> tuple[tuple[int, str], ...]:
    pieces: list[tuple[int, str]] = []
    start = 0
    for place in range(len(characters) + 1):
        if place == len(characters) or characters[place] is None:
            if place > start:
                pieces.append((start, "".join(filter(None, characters[start:place]))))
            start = place + 1
    return tuple(pieces)
