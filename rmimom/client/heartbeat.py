"""Heartbeats on any topic: one side says regularly that it lives, the other notices when it no longer does."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import msgspec

from rmimom.client.consumer import Subscriber
from rmimom.client.producer import Publisher
from rmimom.errors import ConfigurationError, ConnectionFailedError, JMSError
from rmimom.message import Message
from rmimom.phi import Rhythm, Suspicion, SuspicionLevel

log = logging.getLogger(__name__)

DEFAULT_INTERVAL = 0.5
_BEATS_KEPT = 10
"""A beat that has waited for so many intervals tells nothing any more."""
_CLOSE_PATIENCE = 5.0
_MAX_SENDERS = 10_000

Extra = Mapping[str, object]


class Beat(msgspec.Struct, frozen=True):
    """One heartbeat, as it is in the body of a message.

    `run` is a random word for each HeartbeatPublisher, `sequence` counts its beats from 1, `interval` is in seconds,
    and `leaving` says that it stops on purpose.  `extra` is whatever the application adds.
    """

    name: str
    run: str
    sequence: int
    interval: float
    extra: dict[str, object] = {}
    leaving: bool = False


class HeartbeatPublisher:
    """Sends a heartbeat on a topic every `interval` seconds, in a thread of its own, until it is closed.

    `publisher` and its session belong to the heartbeat from now on.  `name` says who lives.  `extra` is sent along: a
    mapping, or a function that gives one and is called for each beat, in that thread.  Beats are not persistent.  While
    the server is lost none are sent.  Raises ConfigurationError if the interval is not at least a millisecond.
    """

    def __init__(
        self,
        publisher: Publisher,
        name: str,
        *,
        interval: float = DEFAULT_INTERVAL,
        extra: Extra | Callable[[], Extra] | None = None,
    ) -> None:
        if not name or not 1e-3 <= interval < float("inf"):
            raise ConfigurationError("a heartbeat needs a name and an interval of at least 0.001 seconds")
        self.name = name
        self.interval = interval
        self.error: Exception | None = None
        """Why it stopped, if it did so by itself: the server refused, the session was closed, or `extra` failed."""
        self._publisher = publisher
        self._extra = extra
        self._run = secrets.token_hex(8)
        self._sequence = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name=f"rmimom-heartbeat-{name}", daemon=True)
        self._thread.start()

    @property
    def sequence(self) -> int:
        """How many beats were sent."""
        return self._sequence

    def close(self) -> None:
        """Say goodbye and stop; the publisher stays open.  Twice is harmless.

        Waits for the last beat, but not for a server that is lost.
        """
        self._closing.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_PATIENCE)

    def __enter__(self) -> HeartbeatPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _beat_on(self) -> None:
        due = time.monotonic()
        try:
            while not self._closing.is_set():
                self._send(leaving=False)
                # On the beat, however long sending took; beats that were missed are not made up for.
                due = max(due + self.interval, time.monotonic())
                self._closing.wait(due - time.monotonic())
            self._send(leaving=True)
        except Exception as error:  # noqa: BLE001  # kept in `error`
            # Whatever it is, a heart that beats on would tell a lie, and one that dies unseen would be a riddle.
            self.error = error
            log.warning("the heartbeat of %s stopped: %r", self.name, error)

    def _send(self, *, leaving: bool) -> None:
        extra = self._extra() if callable(self._extra) else self._extra
        self._sequence += 1
        beat = Beat(self.name, self._run, self._sequence, self.interval, dict(extra or {}), leaving)
        try:
            self._publisher.send(
                msgspec.to_builtins(beat),
                persistent=False,
                priority=9,
                time_to_live=max(1.0, _BEATS_KEPT * self.interval),
                timeout=max(1.0, self.interval),
            )
        except ConnectionFailedError as error:
            log.debug("a heartbeat of %s was not confirmed: %s", self.name, error)


class HeartbeatSubscriber:
    """Listens to heartbeats and tells when a sender falls silent.

    It attaches itself to `subscriber`.  `on_suspicion(name, level, phi)` is called when a sender becomes SUSPECT and
    when it becomes FAILED, `on_recovered(name)` when it is heard again after that, `on_beat(beat)` at each beat.  They
    are called in the session's thread or in a thread of this object, one at a time, and should return soon.  `suspect`
    and `failed` are thresholds of phi; `min_deviation` and `acceptable_pause` are seconds.  A sender is known from its
    first beat on, or from now on if it is named in `expected` (name and interval in seconds), until it takes leave.

    Raises ConfigurationError if the thresholds are not 0 < suspect <= failed, or a number of seconds is negative.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        on_suspicion: Callable[[str, SuspicionLevel, float], object] | None = None,
        on_recovered: Callable[[str], object] | None = None,
        *,
        on_beat: Callable[[Beat], object] | None = None,
        suspect: float = 3.0,
        failed: float = 8.0,
        min_deviation: float = 0.1,
        acceptable_pause: float = 0.0,
        expected: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subscriber = subscriber
        self._on_suspicion = on_suspicion
        self._on_recovered = on_recovered
        self._on_beat = on_beat
        self._thresholds = (suspect, failed)
        self._patience = (min_deviation, acceptable_pause)
        self._clock = clock
        self._senders: dict[str, Suspicion] = {}
        self._heard: dict[str, Beat] = {}
        self._changed = threading.Condition()
        self._telling = threading.RLock()
        self._closed = False
        # Wrong thresholds are found out now, not at the first beat.
        self._new_sender(1.0)
        for name, interval in (expected or {}).items():
            self._senders[name] = self._new_sender(interval)
        self._thread = threading.Thread(target=self._watch, name="rmimom-heartbeat-watch", daemon=True)
        self._thread.start()
        subscriber.attach(self)

    def senders(self) -> dict[str, SuspicionLevel]:
        """Everybody who is known, and what is thought of them."""
        with self._changed:
            return {name: sender.level for name, sender in self._senders.items()}

    def level(self, name: str) -> SuspicionLevel:
        """What is thought of a sender; raises KeyError if it is not known."""
        with self._changed:
            return self._senders[name].level

    def phi(self, name: str) -> float:
        """How suspicious a sender's silence is now; raises KeyError if it is not known."""
        with self._changed:
            return self._senders[name].rhythm.phi(self._clock())

    def last_beat(self, name: str) -> Beat | None:
        """What a sender said last; None if it has said nothing."""
        with self._changed:
            return self._heard.get(name)

    def close(self) -> None:
        """Listen no more; the subscriber stays open.  Twice is harmless."""
        self._subscriber.detach(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_PATIENCE)

    def __enter__(self) -> HeartbeatSubscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def on_message(self, message: Message) -> None:
        """A message came; one that is no heartbeat is passed over."""
        try:
            beat = msgspec.convert(message.body, Beat)
        except (msgspec.ValidationError, JMSError):
            log.debug("what came on %s is no heartbeat", self._subscriber.destination)
            return
        with self._telling:
            recovered = self._note(beat)
            if recovered is None:
                return
            if recovered and self._on_recovered is not None:
                _tell(self._on_recovered, beat.name)
            if self._on_beat is not None:
                _tell(self._on_beat, beat)

    def _note(self, beat: Beat) -> bool | None:
        """Whether the sender was suspected before; None if the beat tells nothing."""
        with self._changed:
            last = self._heard.get(beat.name)
            if self._closed or (last is not None and last.run == beat.run and last.sequence >= beat.sequence):
                return None
            sender = self._senders.get(beat.name)
            if sender is None:
                if len(self._senders) >= _MAX_SENDERS or not 1e-3 <= beat.interval < float("inf"):
                    return None
                sender = self._senders[beat.name] = self._new_sender(beat.interval)
            recovered = sender.beat(self._clock(), beat.interval)
            self._heard[beat.name] = beat
            if beat.leaving:
                del self._senders[beat.name], self._heard[beat.name]
            self._changed.notify_all()
            return recovered

    def _new_sender(self, interval: float) -> Suspicion:
        deviation, pause = self._patience
        rhythm = Rhythm(self._clock(), interval, min_deviation=deviation, acceptable_pause=pause)
        return Suspicion(rhythm, suspect=self._thresholds[0], failed=self._thresholds[1])

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                checks = [check for sender in self._senders.values() if (check := sender.next_check()) is not None]
                wait = min(checks) - self._clock() if checks else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
            self.check()

    def check(self) -> None:
        """Look at the clock now, and tell of whoever has been silent for too long; done by itself when it is time."""
        with self._telling:
            with self._changed:
                now = self._clock()
                risen = [
                    (name, sender.level, sender.rhythm.phi(now))
                    for name, sender in self._senders.items()
                    if not self._closed and sender.check(now)
                ]
            if self._on_suspicion is not None:
                for name, level, phi in risen:
                    _tell(self._on_suspicion, name, level, phi)


def _tell(listener: Callable[..., object], *told: object) -> None:
    """Call the application; an error of its own must not stop the heartbeat."""
    try:
        listener(*told)
    except Exception:
        log.exception("a listener of heartbeats failed")
