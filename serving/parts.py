"""What an application is made of, and how a route gets at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from features.workspace import Workspace
from serving.archive import Archive
from serving.audiences import Audiences
from serving.auth import Access
from serving.catalogue import Catalogue
from serving.deadline import DEFAULT_SECONDS
from serving.deciding import Deciding
from serving.engine import Engine, Watched
from serving.erasures import Erasures
from serving.evaluations import Evaluations
from serving.experiments import Book
from serving.fresh_source import FreshSource, NoFresh
from serving.log import Log
from serving.publishing import Publishing
from serving.readout_process import ReadoutProcess
from serving.room import Room
from serving.scorer import Asked, Decider, Outcome, Scorer
from serving.telemetry import Telemetry
from serving.trials import FindsTrial, NoTrials
from serving.vectors import SHARE


@dataclass(frozen=True, slots=True)
class Parts:
    """audience_files: the folder of finished audiences. vector_sample: share of the decisions whose
    feature vector is kept, 0 to 1. deadline: seconds that a call may take which names none.
    publishing: None where one folder is served and nothing else. archive: releases that are no
    longer in use. room: how many calls for decisions may be inside at once. fresh: what a call
    asks before it decides. trials: finds the experiments that decide a push. readouts: reads
    experiments out; None where no workspace is served, or the features extra is missing. workspace:
    whose monitors the metrics tell of; None where no workspace is served."""

    decider: Decider
    log: Log
    access: Access
    telemetry: Telemetry
    audience_files: Path
    vector_sample: float = SHARE
    deadline: float = DEFAULT_SECONDS
    publishing: Publishing | None = None
    archive: Archive = field(default_factory=Archive.empty)
    room: Room = field(default_factory=Room)
    fresh: FreshSource = field(default_factory=NoFresh)
    trials: FindsTrial = field(default_factory=NoTrials)
    readouts: ReadoutProcess | None = None
    workspace: Workspace | None = None
    scorer: Scorer = field(init=False)
    deciding: Deciding = field(init=False)

    def __post_init__(self) -> None:
        scorer = Scorer(self.decider, self.log, self.vector_sample, self.trials)

        def together(calls: Sequence[Asked]) -> list[Outcome]:
            return scorer.decide_together(calls, datetime.now(UTC))

        seen = self.telemetry
        refused = partial(seen.refused, "overload")
        engine = Engine(together, Watched(seen.queued, seen.waited, seen.batched, refused))
        deciding = Deciding(engine, self.decider, self.room, self.fresh, self.deadline)
        object.__setattr__(self, "scorer", scorer)
        object.__setattr__(self, "deciding", deciding)

    @property
    def audiences(self) -> Audiences:
        return Audiences(self.log)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.log)

    @property
    def book(self) -> Book:
        return Book(self.log)

    @property
    def evaluations(self) -> Evaluations:
        return Evaluations(self.log)

    @property
    def erasures(self) -> Erasures:
        return Erasures(self.log)


async def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


FromApp = Annotated[Parts, Depends(parts_of)]
