"""Assembling a release: what goes in, and what stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from decisions.catalogue import Offer, Push
from decisions.policy import Policy
from features.snapshot import Snapshot
from features.workspace import Workspace
from tests.conftest import MarketWorkspace
from training.errors import TrainingError
from training.release import Contents, assemble

pytestmark = pytest.mark.slow


@pytest.fixture
def contents(released: MarketWorkspace) -> Contents:
    return Contents(released.as_of, Policy("salt"))


def test_a_release_holds_models_catalogue_prices_and_everybodys_features(
    released: MarketWorkspace, contents: Contents, tmp_path: Path
) -> None:
    made = assemble(released.workspace, contents, tmp_path)
    assert set(made.models) == {"response", "propensity", "recommender"}
    assert made.evidence in ("modelled", "randomised")
    assert made.members == len(Snapshot.load(tmp_path / "snapshot").member_ids) == 3_000
    prices = json.loads((tmp_path / "prices.json").read_text())
    assert prices[released.push_id]["audience"] > 0
    items = json.loads((tmp_path / "items.json").read_text())
    assert "hualien" in items.values()
    assert made.golden[0]["member_ids"][-1] == "nobody-known-by-this-name"
    assert not list(tmp_path.rglob("*.pkl"))


def test_a_push_ahead_with_an_unknown_offer_stops_the_release(
    released: MarketWorkspace, contents: Contents, tmp_path: Path
) -> None:
    stray = Push("stray", "push", released.as_of, ("no-such-offer",))
    with pytest.raises(TrainingError, match="push 'stray' names offer 'no-such-offer'"):
        assemble(released.workspace, replace(contents, pushes=(stray,)), tmp_path)


def test_a_release_without_a_push_ahead_says_how_to_give_one(
    released: MarketWorkspace, contents: Contents, tmp_path: Path
) -> None:
    late = replace(contents, as_of=released.as_of.replace(year=2027))
    with pytest.raises(TrainingError, match="give --push FILE"):
        assemble(released.workspace, late, tmp_path)


def test_where_no_model_serves_nothing_is_built(contents: Contents, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    with pytest.raises(TrainingError, match="models promote NAME VERSION --reason"):
        assemble(workspace, contents, tmp_path / "draft")
    assert not workspace.features.exists()


def test_an_offer_given_with_a_push_takes_the_place_of_the_stored_one(
    released: MarketWorkspace, contents: Contents, tmp_path: Path
) -> None:
    deeper = Offer("hualien-percent-5", "percent_off", 6.0, categories=("hualien",))
    assemble(released.workspace, replace(contents, offers=(deeper,)), tmp_path)
    offers = {o["offer_id"]: o for o in json.loads((tmp_path / "offers.json").read_text())}
    assert offers["hualien-percent-5"]["value"] == 6.0
