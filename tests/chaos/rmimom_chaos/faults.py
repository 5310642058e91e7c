"""All kinds of fault, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rmimom_chaos.fault import Fault
from rmimom_chaos.machine_faults import ClockStep, DiskFull
from rmimom_chaos.network_faults import (
    Delay,
    Loss,
    PartitionClients,
    PartitionFull,
    PartitionNames,
    PartitionOneWay,
    PartitionServers,
    Stall,
)
from rmimom_chaos.process_faults import (
    KillActive,
    KillBoth,
    KillClients,
    KillStandby,
    NameServerForgets,
    NameServerRestart,
    PauseActive,
    PauseStandby,
)

FAULTS: Final[Mapping[str, type[Fault]]] = {
    fault.name: fault
    for fault in (
        KillActive,
        KillStandby,
        KillBoth,
        PauseActive,
        PauseStandby,
        PartitionFull,
        PartitionOneWay,
        PartitionServers,
        PartitionNames,
        PartitionClients,
        Loss,
        Stall,
        Delay,
        ClockStep,
        DiskFull,
        NameServerRestart,
        NameServerForgets,
        KillClients,
    )
}
