"""TextMessage: text, or none (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

from rmimom.conversion import typed
from rmimom.message import Message


class TextMessage(Message, kind="text"):
    """A message whose body is a str, or None.

    Text that is not Unicode, with half a surrogate pair in it, raises MessageFormatError.
    """

    __slots__ = ()

    @property
    def text(self) -> str | None:
        """The body under its name in JMS."""
        return self.body  # type: ignore[no-any-return]

    @text.setter
    def text(self, text: str | None) -> None:
        self.body = text

    def _put_body(self, body: object) -> None:
        self._body = typed(body, "string", "the body of a TextMessage")
