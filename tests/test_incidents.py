"""Reports of incidents (rmimom/incidents.py)."""

from __future__ import annotations

from rmimom.incidents import CUT_OFF, DISK_FULL, Incident, Incidents


def test_everybody_who_watches_is_told_in_order() -> None:
    incidents = Incidents()
    told: list[tuple[str, Incident]] = []
    incidents.report(Incident(DISK_FULL, "nobody watches"))
    incidents.watch(lambda incident: told.append(("one", incident)))
    incidents.watch(lambda incident: told.append(("two", incident)))
    slow = Incident(CUT_OFF, "it does not read", "stomp", "127.0.0.1:1", "secret")
    incidents.report(slow)
    assert told == [("one", slow), ("two", slow)]
