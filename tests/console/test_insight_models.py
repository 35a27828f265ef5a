"""The document that pages about models read: all that MLflow and the run's files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.insight_models import models_document
from console.main import application
from features.insights.prepared import prepared
from features.progress import silent
from features.workspace import Workspace
from tests.features.given import AS_OF
from tests.training.notes import Note, account
from training.charts import Chart, Series
from training.trained import Account, record


class Reader:
    """A model that is nothing but the names of what it reads."""

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        parts = {"trees": {"base": ["recency_days", "spend"]}, "member_names": ["spend"]}
        head = {"config": {**parts, "categories": ["tea"], "inner": {"linear": ["orders"]}}}
        (folder / "artifact.json").write_text(json.dumps(head))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three versions of a propensity, the first of which serves, with a chart; and a response."""
    made = Workspace(tmp_path_factory.mktemp("shop"))
    told = account(0.8, 0.7, facts={"gain": "nan"})
    chart = Chart("Lift", "tenth", "times", (Series("model", [1, 2], [2.0, float("nan")]),))
    record(
        made, "propensity", Note("a"), Account(told.comparisons, {}, told.facts, {"lift": chart})
    )
    for _ in range(2):
        record(made, "propensity", Note("b"), account(0.6, 0.7, champion=0.8))
    record(made, "response", Reader(), account(0.8, 0.7))
    return made


def told(shop: Workspace, name: str) -> list[dict[str, Any]]:
    found = models_document(shop, AS_OF, silent)["versions"]
    return [one for one in found if one["name"] == name]


def test_a_version_is_told_with_its_figures_card_and_charts(shop: Workspace) -> None:
    one = told(shop, "propensity")[-1]
    assert (one["version"], one["aliases"]) == ("1", ["champion"])
    assert one["figures"][0]["ours"] == 0.8
    assert one["card"].startswith("# Model card: propensity")
    assert [row["y"] for row in one["charts"]["lift"]] == [2.0, None]
    assert "passed every gate" in one["promotions"][0]
    assert "promotions" not in one["facts"]


def test_the_features_that_a_model_reads_are_named_once(shop: Workspace) -> None:
    assert told(shop, "response")[0]["features"] == ["recency_days", "spend", "orders"]


def test_old_versions_are_left_out_unless_they_serve(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.insight_models._MOST", 1)
    found = models_document(shop, AS_OF, silent)
    assert [(one["name"], one["version"]) for one in found["versions"]] == [
        ("propensity", "3"), ("propensity", "1"), ("response", "1"),
    ]  # fmt: skip
    assert found["left_out"] == 1


def test_a_workspace_without_models_has_an_empty_document(tmp_path: Path) -> None:
    empty = Workspace(tmp_path / "new")
    assert models_document(empty, AS_OF, silent) == {"versions": [], "left_out": 0}


def test_refresh_keeps_the_document(shop: Workspace) -> None:
    words = ["insights", "refresh", "--only", "models", "--as-of", "2026-05-01"]
    done = CliRunner().invoke(application(), [*words, "--workspace", str(shop.root)])
    assert done.exit_code == 0, done.output
    kept = prepared(shop, "models")
    assert kept is not None
    assert len(kept.document["versions"]) == 4
