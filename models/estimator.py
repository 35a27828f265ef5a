"""Which model of a release estimates what a push changes."""

from __future__ import annotations

from pathlib import Path

from models.artifact import ArtifactError
from models.prior import PriorResponse
from models.response import ResponseModel


def load_estimator(release: Path, threads: int | None = None) -> ResponseModel | PriorResponse:
    """The response model of ``release`` where it has one, else its prior.

    Args:
        threads: that one call uses; None: one on small calls, else one for each core.

    Raises:
        ArtifactError: neither is there, or what is there does not read.
    """
    if (release / "response").is_dir():
        return ResponseModel.load(release / "response", threads)
    if (release / "prior").is_dir():
        return PriorResponse.load(release / "prior", threads)
    raise ArtifactError(f"{release} holds neither a response model nor a prior")
