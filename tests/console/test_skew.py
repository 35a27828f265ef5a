"""``pushwise features check``: what was served is what is built, or the feature is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import lightgbm
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from console.main import application
from decisions.catalogue import Offer, Push
from decisions.policy import Policy, Prices
from features.build import build_features
from features.snapshot import Snapshot
from features.store import export_snapshot
from features.workspace import Workspace
from models.calibration import Platt
from models.keys import trainer_key
from models.manifest import TrackedVersion
from models.prior import PriorResponse
from models.propensity import Propensity
from models.trees import Trees
from serving.release import golden, seal
from serving.server import background
from serving.settings import Settings
from tests.features.given import AS_OF, ago, events, small_shop, write_batch

NAMES = ("recency_days", "orders_life")
PUSHES = tuple(
    Push(name, "push", AS_OF + timedelta(days=1), ("ten",)) for name in ("first", "second")
)


@dataclass(frozen=True)
class Shop:
    """A small shop; makes releases of its features as they are, or with one of them altered."""

    workspace: Workspace

    def release(self, release_id: str, snapshot: Snapshot) -> Path:
        folder = self.workspace.releases / release_id
        snapshot.save(folder / "snapshot")
        _prior(snapshot).save(folder / "prior")
        content = {
            "offers": [Offer("ten", "percent_off", 10.0).to_json()],
            "pushes": [push.to_json() for push in PUSHES],
            "policy": Policy("salt").to_json(),
            "prices": {push.push_id: Prices().to_json() for push in PUSHES},
        }
        for name, part in content.items():
            (folder / f"{name}.json").write_text(json.dumps(part))
        request = {"push_id": "first", "at": AS_OF.isoformat(), "member_ids": ["m001"]}
        (folder / "golden.json").write_text(json.dumps(golden(folder, [request])))
        models = {"prior": TrackedVersion("run", "1")}
        seal(folder, release_id, AS_OF, models, trainer_key(self.workspace.keys))
        return folder

    def decide(self, release: Path, push_id: str, members: Sequence[str]) -> None:
        """Ask a scorer of this release over HTTP; it keeps every vector."""
        settings = Settings(
            self.workspace, port=0, release=release, insecure_dev=True, vector_sample=1.0
        )
        body = {"push_id": push_id, "members": [{"member_id": member} for member in members]}
        with background(settings) as address:
            asked = Request(
                f"{address}/v1/decisions",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            with urlopen(asked) as answer:
                assert len(json.load(answer)["decisions"]) == len(members)

    def check(self, *options: str) -> Result:
        command = ["features", "check", "--workspace", str(self.workspace.root), *options]
        return CliRunner().invoke(application(), command)

    def checked(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.check("--json").stdout)
        return found


def _prior(snapshot: Snapshot) -> PriorResponse:
    values = snapshot.values[:, snapshot.encoding.columns(NAMES)]
    booster = lightgbm.train(
        {"objective": "binary", "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(values, values[:, 0] < 30),
        num_boost_round=3,
    )
    return PriorResponse(Propensity(Trees(booster, NAMES), 30, Platt(1.0, 0.0)), 0.8, 80.0, 0.4)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Snapshot]:
    shop = Shop(Workspace(tmp_path_factory.mktemp("shop")))
    small_shop(shop.workspace)
    build_features(shop.workspace, [AS_OF])
    return shop, export_snapshot(shop.workspace, AS_OF)


@pytest.mark.slow
def test_a_true_release_checks_clean_and_an_altered_column_is_the_one_reported(
    built: tuple[Shop, Snapshot],
) -> None:
    shop, snapshot = built
    members = [member.decode() for member in snapshot.member_ids]
    shop.decide(shop.release("true", snapshot), "first", [*members, "a stranger"])
    clean = shop.check()
    assert clean.exit_code == 0, clean.output
    names = snapshot.encoding.names
    assert f"{len(members) + 1} vectors of {len(names)} features are the same" in clean.stdout

    column = names.index("tenure_days")
    values = np.array(snapshot.values)
    values[:, column] += 1
    shop.decide(shop.release("wrong", replace(snapshot, values=values)), "second", ["zoë"])
    found = shop.checked()
    assert found["sampled"] == found["compared"] == len(members) + 2
    wrong = [one for one in found["features"] if one["mismatches"]]
    assert [(one["name"], one["mismatches"]) for one in wrong] == [("tenure_days", 1)]
    example = wrong[0]["example"]
    assert (example["member_id"], example["release"]) == ("zoë", "wrong")
    assert example["served"] == pytest.approx(example["offline"] + 1)
    told = shop.check()
    assert told.exit_code == 1
    assert "tenure_days: 1 of 43 differ, such as member zoë of release wrong" in told.stdout


@pytest.mark.slow
def test_rows_that_came_in_later_and_moments_that_are_gone_are_told(tmp_path: Path) -> None:
    shop = Shop(Workspace(tmp_path))
    small_shop(shop.workspace, members=8)
    build_features(shop.workspace, [AS_OF])
    shop.decide(shop.release("r1", export_snapshot(shop.workspace, AS_OF)), "first", ["m001"])

    late = {"member_id": "m001", "type": "purchase", "occurred_at": ago(2), "unit_price": 5}
    write_batch(shop.workspace, "events", [{**events(late)[0], "event_id": "late"}], "b")
    assert shop.check().exit_code == 0  # the moment stands as it was built
    rebuilt = shop.check("--build")
    assert rebuilt.exit_code == 1
    assert "spend_life: 1 of 1 differ" in rebuilt.stdout
    assert "rows with an earlier time of knowledge were ingested" in rebuilt.stdout

    (shop.workspace.features / "builds.json").unlink()
    build_features(shop.workspace, [ago(-5)])
    gone = shop.check()
    assert gone.exit_code == 1
    assert f"run `pushwise features build --as-of {AS_OF.isoformat()}`" in gone.stdout


def test_without_a_sample_there_is_nothing_to_check(tmp_path: Path) -> None:
    found = Shop(Workspace(tmp_path)).check()
    assert found.exit_code == 0
    assert "holds no vectors yet" in found.stdout
