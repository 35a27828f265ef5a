"""Golden requests: what a release answered when it was built, and whether it still does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decisions.errors import DecisionError
from models.errors import ModelError
from serving.situation import Situation
from serving.verify import ReleaseError

if TYPE_CHECKING:
    from serving.release import Release

_SAME = 1e-9  # numbers may differ by this, relatively: processors round differently


def check_golden(folder: Path, release: Release) -> None:
    """Raises ``ReleaseError`` unless ``release`` answers its golden requests as it did once."""
    expected = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    if not isinstance(expected, list) or not expected:
        raise ReleaseError(f"{folder}: golden.json holds no requests")
    for number, (wanted, found) in enumerate(
        zip(expected, answered(release, expected), strict=True), start=1
    ):
        if not _same(wanted["answers"], found["answers"]):
            raise ReleaseError(
                f"{folder}: golden request {number} is answered otherwise than when the release "
                "was built; build it again with this version of pushwise"
            )


def answered(release: Release, requests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``requests`` with the answers of ``release``: what a ``golden.json`` holds.

    Raises:
        ReleaseError: a request does not fit the release.
    """
    answered = []
    for request in requests:
        try:
            push_id, at, members = request["push_id"], request["at"], request["member_ids"]
            choices = release.choose(push_id, members, Situation(release.terms(push_id, {})))
        except (KeyError, TypeError, DecisionError, ModelError) as error:
            raise ReleaseError(f"a golden request cannot be answered: {error!r}") from error
        answers = [
            {
                "offer_id": choice.offer_id,
                "send": choice.offer_id is not None,
                "probability": choice.probability,
                "explored": choice.explored,
                "reason": choice.reason,
                "expected_gain": choice.expected_gain,
            }
            for choice in choices
        ]
        answered.append(
            {"push_id": push_id, "at": at, "member_ids": list(members), "answers": answers}
        )
    return answered


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(wanted[k], found[k]) for k in wanted)
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(wanted, found, rel_tol=_SAME, abs_tol=_SAME)
    return bool(wanted == found)
