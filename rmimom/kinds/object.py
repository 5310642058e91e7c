"""ObjectMessage: plain data, nested at will (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

from rmimom.message import Message
from rmimom.readonly import frozen
from rmimom.values import check_plain_data


class ObjectMessage(Message, kind="object"):
    """A message whose body is plain data: None, bool, int, float, str, bytes, list, tuple and dict, nested at will.

    It holds the data as they were when they were set: the body cannot be changed in its parts, only replaced, and
    `body_as` returns a copy (§3.12).  Anything else, such as an instance of a class, raises MessageFormatError: nothing
    that a stranger sent is ever run.
    """

    __slots__ = ()

    def _put_body(self, body: object) -> None:
        body = frozen(body)
        check_plain_data(body)
        self._body = body
