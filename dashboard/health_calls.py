"""The calls of the scorer that this process runs, as its metrics count them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serving.parts import Parts

_LESSER, _REFUSED = "pushwise_degraded_answers_total", "pushwise_refused_calls_total"
_CALLS, _LATE = "pushwise_http_requests_total", "pushwise_deadline_misses_total"


@dataclass(frozen=True, slots=True)
class Calls:
    """Since the process started. lesser: calls answered with less than everything, by what was
    missing. refused: turned away, by why. late: answered after their deadline."""

    answered: int
    lesser: Mapping[str, int]
    refused: Mapping[str, int]
    late: int


def calls_of(parts: Parts | None) -> Calls | None:
    """None where this process answers no calls: a dashboard that runs alone."""
    if parts is None:
        return None
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, dict[str, int]] = {}
    for family in text_string_to_metric_families(parts.telemetry.exposition().decode()):
        for sample in family.samples:
            label = sample.labels.get("reason") or sample.labels.get("why") or ""
            counts = found.setdefault(sample.name, {})
            counts[label] = counts.get(label, 0) + int(sample.value)
    answered = sum(found.get(_CALLS, {}).values())
    refused = found.get(_REFUSED, {})
    if not answered and not refused:
        return None
    late = sum(found.get(_LATE, {}).values())
    return Calls(answered, found.get(_LESSER, {}), refused, late)
