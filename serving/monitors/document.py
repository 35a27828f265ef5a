"""What a run leaves for pages and metrics: results, alerts, and the charts' numbers; plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from serving.monitors.alerts import Standing
from serving.monitors.pacing import Paced
from serving.monitors.result import MONITORS, STATES, Result, plain, worst
from serving.monitors.tally import Tally, hour_of

CHART_DAYS = 14


def document(
    results: Sequence[Result],
    alerts: Sequence[Standing],
    tally: Tally,
    paced: Sequence[Paced],
    now: datetime,
) -> dict[str, Any]:
    """Results the worst first; monitors in their order, each with its worst state."""
    since = {one.key: one.since.isoformat() for one in alerts if not one.over}
    order = {state: place for place, state in enumerate(STATES)}
    ranked = sorted(results, key=lambda one: order[one.state])
    return {
        "state": worst(results),
        "monitors": [
            {
                "monitor": name,
                "title": about.title,
                "runbook": about.runbook,
                "state": worst([one for one in results if one.monitor == name]),
                "subjects": sum(one.monitor == name for one in results),
            }
            for name, about in MONITORS.items()
        ],
        "results": [{**one.to_json(), "since": since.get(one.key)} for one in ranked],
        "hours": list(_hours(tally, now)),
        "degraded": list(_days(tally.degraded, now)),
        "outcomes": list(_days(tally.outcomes, now)),
        "paced": [
            {
                "push_id": plain(one.push_id),
                "limit": one.limit,
                "most": one.most,
                "reserved": one.use.reserved,
                "spent": one.use.spent,
                "planned": one.use.planned,
            }
            for one in paced
        ],
    }


def _hours(tally: Tally, now: datetime) -> Iterator[dict[str, Any]]:
    """Decisions and sends of each full hour of the last days, oldest first."""
    start = now - timedelta(days=CHART_DAYS)
    for number in range(CHART_DAYS * 24):
        hour = hour_of(start + timedelta(hours=number))
        decided, sends = tally.decided.get(hour, 0), tally.sends.get(hour, 0)
        yield {"hour": hour, "decided": decided, "sends": sends}


def _days(sums: Mapping[str, Mapping[str, int]], now: datetime) -> Iterator[dict[str, Any]]:
    """Counts of the last days by day and name, oldest day first."""
    for number in range(CHART_DAYS - 1, -1, -1):
        day = hour_of(now - timedelta(days=number))[:10]
        found: dict[str, int] = {}
        for hour, counts in sums.items():
            if hour.startswith(day):
                for name, many in counts.items():
                    found[plain(name)] = found.get(plain(name), 0) + many
        yield {"day": day, "counts": found}
