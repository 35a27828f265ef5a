"""Taste, from a training of the recommender to what a release serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from console.release import build_release
from features.build import build_features
from features.encode import encoding
from features.progress import silent
from features.record import BuildRecord
from features.snapshot import Snapshot
from features.taste import NAMES
from features.workspace import Conventions, Workspace
from models.manifest import TrackedVersion
from models.propensity import Propensity
from models.response import ResponseModel
from tests.conftest import MarketWorkspace
from training.recommender import train_recommender
from training.response import train_response
from training.tracking import champion

pytestmark = pytest.mark.slow


def the_champion(workspace: Workspace) -> tuple[TrackedVersion, Path]:
    found = champion(workspace, "propensity")
    assert found is not None
    return found


def test_taste_appears_with_the_first_recommender_and_models_from_before_still_serve(
    with_propensity: MarketWorkspace, tmp_path: Path
) -> None:
    as_of = with_propensity.as_of
    market = Workspace(tmp_path / "workspace", Conventions(taste=True))
    shutil.copytree(with_propensity.workspace.root, market.root)
    before, its_folder = the_champion(market)
    build_features(market, [as_of])
    assert BuildRecord.load(market).absent["taste"] == "no recommender was trained yet"
    train_recommender(market, as_of)
    response = train_response(market, as_of)  # builds its moments, and those of before anew
    assert set(NAMES) <= set(ResponseModel.load(response.folder).pairs.member_names)
    assert "taste" not in BuildRecord.load(market).absent
    first = build_release(market, as_of, [], silent)
    assert first.evidence in ("modelled", "randomised")
    assert first.models["propensity"] == before.version
    assert not set(NAMES) & set(Propensity.load(its_folder).names)

    snapshot = Snapshot.load(first.folder / "snapshot")
    taste = snapshot.values[:, snapshot.encoding.columns(NAMES)]
    known = np.isfinite(taste)
    assert (known.all(axis=1) == known.any(axis=1)).all()
    assert known.any(axis=1).mean() > 0.5


def test_without_the_setting_a_recommender_changes_no_columns(
    ingested: MarketWorkspace, tmp_path: Path
) -> None:
    plain = Workspace(tmp_path / "workspace")
    shutil.copytree(ingested.workspace.tables, plain.tables)
    build_features(plain, [ingested.as_of])
    columns = encoding(plain).names
    train_recommender(plain, ingested.as_of)
    report = build_features(plain, [ingested.as_of])
    assert report.unchanged == (ingested.as_of,)
    assert encoding(plain).names == columns
