"""One run: start everything, do what the plan says, heal, drain, judge."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from rmimom_chaos.availability import AFTERMATH
from rmimom_chaos.cluster import Cluster, wait_for
from rmimom_chaos.crew import HARNESS, Crew
from rmimom_chaos.fault import Fault
from rmimom_chaos.faults import FAULTS
from rmimom_chaos.gathering import gather
from rmimom_chaos.history import INFO, OK, History
from rmimom_chaos.judgement import Judgement, judge
from rmimom_chaos.layout import PLACES, note_policies
from rmimom_chaos.network import CLIENTS, NAMES, Network
from rmimom_chaos.plan import Step, make_plan
from rmimom_chaos.process import ProcessError
from rmimom_chaos.recorder import Recorder
from rmimom_chaos.watch import Watch

WARM_UP = 16 * 1024
"""Bytes of history that each process of clients writes before the first fault: then all of it is under way."""
STUCK = 60.0
"""Seconds at the end in which fewer messages must wait than ever before, until none do."""

Say = Callable[[str], None]


class Settings(msgspec.Struct, frozen=True):
    """What is asked for; times in seconds, `rate` in messages a second."""

    seed: int
    duration: float
    faults: Sequence[str]
    servers: int
    rate: float
    directory: Path
    protocol: str = "rmi"
    server_module: Sequence[str] = ("-m", "rmimom.server_cli")


class Outcome(msgspec.Struct, frozen=True):
    """What came of a run: the judgement, which faults were injected how often, and which could not be (and why)."""

    judgement: Judgement
    injected: dict[str, int]
    skipped: dict[str, str]
    events: int
    seconds: float
    """From the first fault to the end of the last one."""


class Run:
    """A run in a network; `say` is told how it goes."""

    def __init__(self, settings: Settings, network: Network, say: Say) -> None:
        self._settings = settings
        self._network = network
        self._say = say
        self._seconds = 0.0
        self._injected: Counter[str] = Counter()
        self._skipped: dict[str, str] = {}

    def __call__(self) -> Outcome:
        """Do it.  Raises OSError or ProcessError if it does not even begin."""
        settings = self._settings
        cluster = Cluster(settings.directory, self._network, settings.servers, settings.server_module)
        crew = Crew(cluster, settings.seed, settings.rate, settings.protocol)
        trouble = ""
        with ExitStack() as stack, Recorder(crew.directory / HARNESS) as recorder:
            possible = self._possible(cluster)
            stack.callback(self._network.close)
            self._network.open([NAMES, *CLIENTS, *(server.name for server in cluster.servers)])
            for name in possible:
                if (clean_up := FAULTS[name].prepare(cluster)) is not None:
                    stack.callback(clean_up)
            stack.callback(crew.stop)
            cluster.start()
            note_policies(recorder)
            with Watch(cluster, recorder):
                crew.start()
                try:
                    self._harm(possible, crew, recorder)
                    self._network.mend()
                    self._drain(crew, recorder)
                    crew.end()
                except ProcessError as error:
                    trouble = str(error)
                    self._say(f"trouble: {error}")
        self._say("judging")
        history: History = gather(crew.histories)
        return Outcome(judge(history, trouble), dict(self._injected), self._skipped, len(history), self._seconds)

    def _possible(self, cluster: Cluster) -> list[str]:
        """The faults that can be done here; raises ProcessError if there are none."""
        for name in self._settings.faults:
            if why := FAULTS[name].lacks(cluster):
                self._skipped[name] = why
                self._say(f"{name} is skipped: {why}")
        possible = [name for name in self._settings.faults if name not in self._skipped]
        if not possible:
            raise ProcessError("none of these faults can be done here")
        return possible

    def _harm(self, possible: Sequence[str], crew: Crew, recorder: Recorder) -> None:
        wait_for(lambda: crew.least_written() > WARM_UP, "all clients at work", 180)
        began = time.monotonic()
        for step in make_plan(self._settings.seed, self._settings.duration, possible):
            self._take(step, crew, recorder)
            self._seconds = time.monotonic() - began
            if self._seconds > self._settings.duration:
                break

    def _take(self, step: Step, crew: Crew, recorder: Recorder) -> None:
        crew.check()
        if not step.hasty:
            crew.cluster.wait_in_sync()
        time.sleep(step.calm)
        fault: Fault = FAULTS[step.fault](crew, random.Random(step.chance))
        recorder.note("harness", INFO, "fault", value=step.fault)
        try:
            victim = fault.inject()
        except ProcessError as error:
            # Nothing is active at the moment, or no standby is there: the plan goes on.
            self._say(f"{self._seconds:6.1f} s  {step.fault} finds nothing: {error}")
            recorder.note("harness", INFO, "heal", value=step.fault)
            return
        self._injected[step.fault] += 1
        self._say(f"{self._seconds:6.1f} s  {step.fault}: {victim}, for {step.lasts:g} s")
        time.sleep(step.lasts)
        fault.heal()
        recorder.note("harness", INFO, "heal", value=step.fault)

    def _drain(self, crew: Crew, recorder: Recorder) -> None:
        """Wait until nothing waits; whether that came about is what makes a run one that can be judged."""
        crew.cluster.wait_in_sync()
        time.sleep(AFTERMATH / 1000 / 5)
        self._say("draining")
        crew.stop_sending()
        drained = False
        try:
            fewest = None
            while fewest != 0:
                fewest = self._fewer(crew, fewest)
            drained = True
        finally:
            for place in PLACES:
                recorder.note("harness", OK if drained else INFO, "drain", place=place)

    @staticmethod
    def _fewer(crew: Crew, fewest: int | None) -> int:
        """Wait until fewer messages wait than so far (None: until it is known how many); how many."""
        found = 0

        def fewer() -> bool:
            nonlocal found
            waiting = crew.cluster.waiting()
            found = sum(waiting.values()) if waiting is not None else 0
            return waiting is not None and (fewest is None or found < fewest)

        try:
            wait_for(fewer, "drained", STUCK)
        except ProcessError as error:
            raise ProcessError(f"{error} in which nothing was taken; what waits: {crew.cluster.waiting()}") from None
        return found
