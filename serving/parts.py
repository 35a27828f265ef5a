"""What an application is made of, and how a route gets at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from serving.audiences import Audiences
from serving.auth import Access
from serving.catalogue import Catalogue
from serving.log import Log
from serving.scorer import Decider, Scorer
from serving.telemetry import Telemetry
from serving.vectors import SHARE


@dataclass(frozen=True, slots=True)
class Parts:
    """audience_files: the folder of finished audiences. vector_sample: share of the decisions whose
    feature vector is kept, 0 to 1."""

    decider: Decider
    log: Log
    access: Access
    telemetry: Telemetry
    audience_files: Path
    vector_sample: float = SHARE

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.decider, self.log, self.vector_sample)

    @property
    def audiences(self) -> Audiences:
        return Audiences(self.log)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.log)


async def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


FromApp = Annotated[Parts, Depends(parts_of)]
