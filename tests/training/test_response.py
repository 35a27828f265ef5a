"""Training the response model on a workspace, end to end."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decisions.catalogue import Offer
from features.workspace import Workspace
from models.response import ResponseModel
from tests.training.email_trial import AS_OF, email_trial
from training.errors import TrainingError
from training.response import train_response

pytestmark = pytest.mark.slow  # features are built and models fitted


def trial(folder: Path, empty_record: Path, members: int, *, by_hand: bool = False) -> Workspace:
    made = email_trial(folder, members, by_hand=by_hand)
    shutil.copytree(empty_record, made.mlflow)
    return made


def test_one_email_test_with_member_attributes_alone_is_enough(
    tmp_path: Path, empty_record: Path
) -> None:
    workspace = trial(tmp_path, empty_record, 3_000)
    stages: list[tuple[str, int, int]] = []
    found = train_response(workspace, AS_OF, progress=lambda *at: stages.append(at))
    assert ("response", 3, 3) in stages
    assert found.facts["evidence"] == "randomised"
    assert found.facts["measured_on"] == "members left out of one push"
    metrics = [one.metric for one in found.comparisons]
    assert metrics == [
        "uplift_area", "uplift_area_beside_rules", "gain_at_budget", "policy_value", "qini",
    ]  # fmt: skip
    assert (found.folder.parent / "measured").is_dir()


def test_a_log_that_nobody_drew_is_learned_from_when_asked_and_every_number_says_so(
    tmp_path: Path, empty_record: Path
) -> None:
    workspace = trial(tmp_path, empty_record, 3_000, by_hand=True)
    with pytest.raises(TrainingError, match="train with --observational"):
        train_response(workspace, AS_OF)
    found = train_response(workspace, AS_OF, observational=True)
    assert found.facts["evidence"] == "observational"
    assert "of the decisions without overlap left out" in found.facts["overlap"]
    model = ResponseModel.load(found.folder)
    nobody = np.full((1, len(model.pairs.member_names)), np.nan, dtype=np.float32)
    mens = Offer("mens", "content")
    told = model.estimate(nobody, model.pairs.member_names, [mens, replace(mens, offer_id="new")])
    assert told.evidence == ("observational", "prior")
    card = (found.folder.parent / "card.md").read_text()
    assert "the probabilities are estimated" in card
