"""The prepared document about models, as the pages look things up in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.web.errors import NotFound
from dashboard.web.visit import Visit
from features.insights.prepared import Prepared, prepared

DOCUMENT = "models"
_NUMBER = r"(-?[\d.]+(?:e[+-]?\d+)?)"
# As the trainers and ``experiments.offpolicy`` tell an estimate with its interval.
_TOLD = (
    re.compile(rf"^{_NUMBER}, 95 % interval {_NUMBER} to {_NUMBER}$"),
    re.compile(rf"{_NUMBER} \({_NUMBER} to {_NUMBER}\)"),
)
INTERVALS = ("policy_value", "uplift_area_above_best_offer", "gain_above_best_offer", "qini")
_SIDED = 1.959964  # half a 95 % interval in standard errors


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version as the document tells it; see ``console.insight_models``."""

    name: str
    version: str
    aliases: Sequence[str]
    created_at: datetime
    facts: Mapping[str, str]
    promotions: Sequence[str]
    figures: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    features: Sequence[str]
    card: str
    charts: Mapping[str, Sequence[Mapping[str, Any]]]
    run_id: str

    @property
    def key(self) -> str:
        """What an address calls it."""
        return f"{self.name}:{self.version}"

    @property
    def path(self) -> str:
        return f"/models/versions/{self.name}/{self.version}"

    @property
    def failed(self) -> int:
        """Gates that it did not pass."""
        return sum(not check["passed"] for check in self.checks)

    def figure(self, metric: str) -> Mapping[str, Any] | None:
        return next((one for one in self.figures if one["metric"] == metric), None)

    def interval(self, fact: str) -> Interval | None:
        """An estimate that is told with its interval; None where it is not told, or cannot be."""
        for pattern in _TOLD:
            found = pattern.search(self.facts.get(fact, ""))
            if found:
                return Interval(*(float(one) for one in found.groups()))
        return None


def above_champion(figure: Mapping[str, Any]) -> Interval | None:
    """A figure less the champion's of that training, where the error of the difference is known."""
    if figure["ours"] is None or figure["champion"] is None or figure["error"] is None:
        return None
    apart, wide = figure["ours"] - figure["champion"], _SIDED * figure["error"]
    return Interval(apart, apart - wide, apart + wide)


@dataclass(frozen=True, slots=True)
class Registry:
    """prepared: None where the document was never made. versions: by name, newest first."""

    prepared: Prepared | None
    versions: Sequence[Version]
    left_out: int = 0

    def find(self, name: str, version: str) -> Version:
        """Raises ``NotFound``."""
        for one in self.versions:
            if (one.name, one.version) == (name, version):
                return one
        raise NotFound(f"no version {version} of {name} in the document; refresh it")

    def known(self, name: str, version: str) -> bool:
        return any((one.name, one.version) == (name, version) for one in self.versions)


def registry(visit: Visit) -> Registry:
    """Raises ``PreparedError``: the document is damaged."""
    found = prepared(visit.ground.workspace, DOCUMENT)
    if found is None:
        return Registry(None, ())
    versions = [
        Version(**{**one, "created_at": datetime.fromisoformat(one["created_at"])})
        for one in found.document["versions"]
    ]
    return Registry(found, versions, found.document["left_out"])
