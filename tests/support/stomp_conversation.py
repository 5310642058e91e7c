r"""Conversations of STOMP clients with the server as text files.

A file is a sequence of exchanges separated by empty lines: what clients do, a line of four dashes, and what they are
told.  Lines that begin with # are remarks.  What clients do:

    c1 SEND destination:/queue/a "receipt:1" | body     a frame; quotes as in a shell, \n and the like as in Python
    c1 raw "SEND\n\n\x00"                               bytes
    c1 lost                                             the connection is gone
    c1 reads                                            it reads what was written (at first it does); `c1 stalls`
    wait MS

What is told is one frame a line, as it is on the wire but for \n instead of the end of a line, blanks between headers,
and ids, in which the name of the connection stands for chance.  `c1 closed: reason` says that the server closes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from support.brokers import BrokerOnStore

from rmimom.commands import Command, Tick
from rmimom.core.state import Rules
from rmimom.effects import ConsumerClosed, Deliver, Examine, Refused
from rmimom.errors import JMSError, JMSSecurityError
from rmimom.stomp.codec import SERVER_COMMANDS, FrameReader
from rmimom.stomp.requests import Ask, Login
from rmimom.stomp.session import Session
from rmimom.stomp.settings import Settings

DASHES = "----"
PASSWORDS = {"ann": "a:secret "}


class Scene:
    """A broker and its STOMP sessions, with answers given at once."""

    def __init__(
        self, settings: Settings, *, byte_by_byte: bool = False, users: bool = False, rules: Rules | None = None
    ) -> None:
        self._settings = settings
        self._byte_by_byte = byte_by_byte
        self._users = users
        self._server = BrokerOnStore(rules or Rules(recovery_grace=0))
        self._sessions: dict[str, Session] = {}
        self._lost: list[tuple[str, Session]] = []
        self._closed: set[str] = set()

    def now(self) -> int:
        """The time, for sessions."""
        return self._server.now

    def do(self, line: str) -> None:
        """Carry out one line."""
        for name, session in self._everybody():
            line = line.replace(f"rmimom-{name}", f"rmimom-{session.token}").replace(
                f"TEMP-{name}.", session.names._own
            )
        words = shlex.split(line)
        if words[0] == "wait":
            self._server.now += int(words[1])
            self._handle(Tick())
            return
        name, verb, *rest = words
        session = self.session(name)
        if verb == "lost":
            for command in session.end():
                self._handle(command)
            self._lost.append((name, self._sessions.pop(name)))
        elif verb in {"stalls", "reads"}:
            session.paused = verb == "stalls"
        else:
            data = _bytes_of(rest[0]) if verb == "raw" else _frame(verb, rest)
            pieces = [data[index : index + 1] for index in range(len(data))] if self._byte_by_byte else [data]
            self.feed(name, *pieces)
        self._work()

    def session(self, name: str) -> Session:
        """The session of this client, who is new if it is not known."""
        found = self._sessions.get(name)
        if found is None:
            found = self._sessions[name] = Session(name, self._settings, self)
        return found

    def feed(self, name: str, *pieces: bytes) -> None:
        """Let bytes of a client come, and carry out what its session asks for behind each piece."""
        for piece in pieces:
            self.session(name).receive(piece)
            self._work()

    def _work(self) -> None:
        """Carry out all requests, until there are none."""
        busy = True
        while busy:
            busy = False
            for session in list(self._sessions.values()):
                if not session.paused:
                    session.written()
                for request in session.take_requests():
                    busy = True
                    if isinstance(request, Ask):
                        self._handle(request.command, request.answered)
                    elif isinstance(request, Login):
                        request.answered(None, self._judge(request))
                    else:
                        request.answered(self._server.store.frames(request.ids), None)
                if not session.blocked and session.buffered:
                    session.read_on()

    def _judge(self, login: Login) -> JMSError | None:
        if self._users and PASSWORDS.get(login.user) != login.passcode:
            return JMSSecurityError("the user name or the password is wrong")
        return None

    def _handle(self, command: Command, answered: Callable[[object, JMSError | None], None] | None = None) -> None:
        outcome = self._server.handle(command)
        effects = []
        for effect in outcome.effects:
            if isinstance(effect, Deliver) and effect.connection in self._sessions:
                missing = [one.tag for one in effect.deliveries if not len(one.frame)]
                frames = self._server.store.frames(missing)
                for one in effect.deliveries:
                    if one.tag in frames:
                        one.frame = type(one.frame)(frames[one.tag])
                # As the engine does: effects are told before those who wait for answers hear them.
                self._sessions[effect.connection].deliver(effect.deliveries)
            elif isinstance(effect, ConsumerClosed):
                self._sessions[effect.connection].consumer_closed(effect.consumer, effect.error)
            elif isinstance(effect, Examine):
                effects.append(effect)
        if answered is not None:
            reply = outcome.reply
            if isinstance(reply, Refused):
                answered(None, reply.error)
            else:
                answered(reply.value, None)
        for effect in effects:
            for examined in self._server.examine(effect):
                self._handle(examined)

    def told(self) -> list[str]:
        """What clients were told since this was called last."""
        lines: list[str] = []
        for name, session in self._everybody():
            lines += [f"{name} {_shown(data)}" for data in session.data_to_send()]
            if session.closing and name not in self._closed:
                self._closed.add(name)
                if name in self._sessions:
                    lines.append(f"{name} closed: {session.closing}")
        text = "\n".join(lines)
        for name, session in self._everybody():
            text = text.replace(session.token, name).replace(session.names._own, f"TEMP-{name}.")
        return text.split("\n") if lines else []

    def _everybody(self) -> list[tuple[str, Session]]:
        return [*self._lost, *self._sessions.items()]


def _bytes_of(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def _frame(command: str, words: list[str]) -> bytes:
    body = ""
    if "|" in words:
        at = words.index("|")
        words, body = words[:at], " ".join(words[at + 1 :])
    head = "".join(f"{word}\n" for word in [command, *words])
    return head.encode() + b"\n" + _bytes_of(body) + b"\x00"


def _shown(data: bytes) -> str:
    reader = FrameReader(version="1.0", commands=SERVER_COMMANDS)
    reader.feed(data)
    frame = reader.next_frame()
    assert frame is not None, data
    assert reader.next_frame() is None, data
    head = data.partition(b"\n\n")[0].decode().replace("\n", " ")
    body = re.sub(r"^b['\"]|['\"]$", "", repr(frame.body))
    return f"{head} | {body}" if body else head


def replay(
    text: str, settings: Settings, *, byte_by_byte: bool = False, users: bool = False, rules: Rules | None = None
) -> str:
    """The conversation with the answers that are given now."""
    scene = Scene(settings, byte_by_byte=byte_by_byte, users=users, rules=rules)
    exchanges = []
    for exchange in text.strip("\n").split("\n\n"):
        asked = exchange.partition(f"\n{DASHES}")[0].split("\n")
        for line in asked:
            if line and not line.startswith("#"):
                scene.do(line)
        lines = [*asked]
        if any(line and not line.startswith("#") for line in asked):
            lines += [DASHES, *scene.told()]
        exchanges.append("\n".join(lines))
    return "\n\n".join(exchanges) + "\n"
