"""Checks for monitoring: a fact of the server is held against limits, and is well, worth a warning, or critical.

Each check is a function of what the HTTP interface told; `report` writes what they found for whoever watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from rmimom.admin.failure import harmless
from rmimom.admin.output import as_json

ReportForm: TypeAlias = Literal["text", "json", "nagios", "prometheus"]
REPORT_FORMS: Final = ("text", "json", "nagios", "prometheus")


class Level(IntEnum):
    """How a check ends; the number is the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


class Limits(NamedTuple):
    """From which value on a check warns, and from which on it is critical; None for never."""

    warning: float | None
    critical: float | None


class Measure(NamedTuple):
    """A figure that was looked at, with its unit (`s`, `B`, `%`, or nothing for a number) and its limits."""

    name: str
    value: float
    unit: str = ""
    limits: Limits = Limits(None, None)


class Finding(NamedTuple):
    """What one check found about one subject."""

    check: str
    subject: str
    level: Level
    text: str
    measures: tuple[Measure, ...] = ()


def level_of(value: float, limits: Limits) -> Level:
    """Which level a value is at, when more is worse."""
    if limits.critical is not None and value >= limits.critical:
        return Level.CRITICAL
    if limits.warning is not None and value >= limits.warning:
        return Level.WARNING
    return Level.OK


def check_connection(status: Mapping[str, Any], seconds: float, limits: Limits) -> Finding:
    """Whether the server answers, in which role, and how fast."""
    role = str(status["role"])
    level = level_of(seconds, limits)
    text = f"rmimom {status['version']} at {status['address']} is {role}, and answered in {seconds * 1000:.0f} ms"
    if role not in {"active", "standby"}:
        level, text = Level.CRITICAL, f"{text}; it serves nobody"
    return Finding("connection", str(status["address"]), level, text, (Measure("answered", seconds, "s", limits),))


def check_queue(row: Mapping[str, Any], limits: Limits, fewest_consumers: int) -> Finding:
    """How much waits in a queue, and whether somebody consumes it."""
    name, pending, consumers = str(row["name"]), int(row["pending"]), int(row["consumers"])
    level = level_of(pending, limits)
    text = f"{pending:,} messages wait, {consumers:,} consumers"
    if consumers < fewest_consumers:
        level, text = Level.CRITICAL, f"{text}, but {fewest_consumers:,} are wanted"
    if row["paused"]:
        level, text = max(level, Level.WARNING), f"{text}; the queue is paused"
    measures = (Measure("pending", pending, "", limits), Measure("consumers", consumers))
    return Finding("queue", name, level, text, measures)


def check_standby(cluster: Mapping[str, Any], limits: Limits, fewest: int) -> list[Finding]:
    """Whether enough standbys have everything, and how many batches the others lack."""
    status = cluster["status"]
    if status is None:
        return [Finding("standby", "cluster", Level.CRITICAL, "this server has no name server, and so no standby")]
    standbys = [server for server in status["servers"] if server["role"] == "standby"]
    ready = sum(1 for server in standbys if server["in_sync"])
    level = Level.OK if ready >= fewest else Level.CRITICAL
    text = f"{ready} of {len(standbys)} standbys in sync, {fewest} wanted"
    if not cluster["active"]:
        level, text = Level.CRITICAL, f"no active server is known; {text}"
    found = [Finding("standby", "cluster", level, text, (Measure("in_sync", ready),))]
    for server in standbys:
        behind = server.get("behind")
        if behind is not None:
            where = str(server["address"] or server["server_id"])
            measure = (Measure("behind", behind, "", limits),)
            found.append(Finding("standby", where, level_of(behind, limits), f"{behind:,} batches behind", measure))
    return found


def check_dead_letters(warnings: Iterable[Mapping[str, Any]], counts: Mapping[str, int], limits: Limits) -> Finding:
    """How many dead letters wait, over all their queues."""
    queues = [str(row["subject"]).removeprefix("queue://") for row in warnings if row["code"] == "dead-letters"]
    total = sum(counts.get(name, 0) for name in queues)
    named = ", ".join(f"{name} ({counts[name]:,})" for name in sorted(queues) if counts.get(name))
    text = f"{total:,} dead letters wait" + (f": {named}" if named else "")
    return Finding("dead-letters", "all", level_of(total, limits), text, (Measure("dead_letters", total, "", limits),))


def check_store(resources: Mapping[str, Any], status: Mapping[str, Any], limits: Limits) -> Finding:
    """How full the disk with the data is, in percent, and whether the server still takes messages."""
    free, total, reserve = resources["disk_free"], resources["disk_total"], int(resources["disk_reserve"])
    if free is None or not total:
        return Finding("store", str(status["data"]), Level.OK, "the store is in memory, no disk can be full")
    used = 100 * (1 - free / total)
    level = level_of(used, limits)
    text = f"{used:.1f} % of the disk are used, {free // 2**20:,} MiB are free"
    engine = status["engine"]
    if (engine is not None and engine["full"]) or free < reserve:
        level, text = Level.CRITICAL, f"{text}; sends are refused until there is room"
    measures = [Measure("disk_used", round(used, 1), "%", limits), Measure("disk_free", free, "B")]
    if resources["store"] is not None:
        measures.append(Measure("store_size", resources["store"]["bytes_used"], "B"))
    return Finding("store", str(status["data"]), level, text, tuple(measures))


def worst(found: Sequence[Finding]) -> Level:
    """The level of the whole."""
    return max((finding.level for finding in found), default=Level.OK)


def report(found: Sequence[Finding], form: ReportForm) -> str:
    """What was found, the worst first; Nagios wants the sum in the first line, and its figures behind a bar."""
    ordered = sorted(found, key=lambda finding: -finding.level)
    if form == "json":
        return as_json({"level": worst(found).name.lower(), "checks": [_plain(one) for one in ordered]}, indent=2)
    if form == "prometheus":
        return _as_prometheus(ordered)
    lines = [harmless(f"{one.level.name}: {one.check} {one.subject}: {one.text}") for one in ordered]
    if form == "text":
        return "\n".join(lines)
    return _as_nagios(ordered)


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "subject": finding.subject,
        "level": finding.level.name.lower(),
        "text": finding.text,
        "measures": [
            {
                "name": measure.name,
                "value": measure.value,
                "unit": measure.unit,
                "warning": measure.limits.warning,
                "critical": measure.limits.critical,
            }
            for measure in finding.measures
        ],
    }


def _as_nagios(ordered: Sequence[Finding]) -> str:
    """The form of Monitoring Plugins: `RMIMOM LEVEL - text | 'label'=value[unit];warning;critical`."""
    figures = " ".join(
        f"{_label(finding, measure)}={measure.value:g}{measure.unit};{_limit(measure.limits.warning)};"
        f"{_limit(measure.limits.critical)}"
        for finding in ordered
        for measure in finding.measures
    )
    # A bar begins the figures, so no text may hold one.
    texts = [harmless(f"{one.check} {one.subject}: {one.text}").replace("|", "/") for one in ordered or ()]
    first = f"RMIMOM {worst(ordered).name} - {texts[0] if texts else 'nothing to check'}"
    return "\n".join([f"{first} | {figures}" if figures else first, *texts[1:]])


def _label(finding: Finding, measure: Measure) -> str:
    text = harmless(f"{finding.subject} {measure.name}").replace("=", "_").replace("'", "_").replace("|", "/")
    return f"'{text}'"


def _limit(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _as_prometheus(ordered: Sequence[Finding]) -> str:
    """Gauges in Prometheus's text format, for a textfile collector."""
    lines = [
        "# HELP rmimom_check_level How a check ended: 0 ok, 1 warning, 2 critical.",
        "# TYPE rmimom_check_level gauge",
    ]
    lines += [f"rmimom_check_level{_labels(finding)} {int(finding.level)}" for finding in ordered]
    lines += ["# HELP rmimom_check_value A figure that a check looked at.", "# TYPE rmimom_check_value gauge"]
    lines += [
        f"rmimom_check_value{_labels(finding, measure.name)} {measure.value!r}"
        for finding in ordered
        for measure in finding.measures
    ]
    return "\n".join(lines)


def _labels(finding: Finding, measure: str = "") -> str:
    pairs = {"check": finding.check, "subject": finding.subject, **({"measure": measure} if measure else {})}
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in pairs.items()) + "}"


def _escaped(text: str) -> str:
    return harmless(text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
