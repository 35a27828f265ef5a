"""The pages, one module a subject; each has its ``ROUTES``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import Route

from dashboard.areas import data, experiments, health, members, models, pushes, rules, segments
from dashboard.web.language import noted


@dataclass(frozen=True, slots=True)
class Area:
    """One entry of the navigation. name: as it stands there. path: of its first page."""

    name: str
    path: str
    routes: Sequence[Route]


AREAS: Sequence[Area] = tuple(
    area
    for area in (
        Area(noted("Pushes"), "/pushes", pushes.ROUTES),
        Area(noted("Members"), "/members", members.ROUTES),
        Area(noted("Rules"), "/rules", rules.ROUTES),
        Area(noted("Experiments"), "/experiments", experiments.ROUTES),
        Area(noted("Models"), "/models", models.ROUTES),
        Area(noted("Data"), "/data", data.ROUTES),
        Area(noted("Segments"), "/segments", segments.ROUTES),
        Area(noted("Health"), "/health", health.ROUTES),
    )
    if area.routes
)
