"""The document that the page about data reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.insight_quality import quality_document
from features.build import build_features
from features.ingest.load import ingest
from features.progress import silent
from features.workspace import Workspace
from tests.features.given import AS_OF, ago, small_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("shop")
    workspace = Workspace(folder / ".pushwise")
    small_shop(workspace)
    build_features(workspace, (ago(30), AS_OF))
    bad = folder / "bad.csv"
    bad.write_text("event_id,member_id,type,occurred_at\ne1,m1,sold,2026-05-01T09:30:00Z\n")
    ingest(workspace, "events", [bad])
    return workspace


def test_features_tables_and_quarantine_are_told_as_plain_json(shop: Workspace) -> None:
    found = quality_document(shop, AS_OF, silent)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    features = found["features"]
    assert features["as_of"] == AS_OF.isoformat()
    assert features["reference"] == [ago(30).isoformat()]
    numbers = [one for one in features["features"] if one["kind"] == "number" and one["span"]]
    assert all(one["span"][0] <= one["low"] <= one["span"][1] for one in numbers if one["low"])
    tables = {one["table"]: one["rows"] for one in found["tables"]}
    assert tables["events"] > 0
    assert tables["offers"] >= 0
    assert found["quarantine"] == {"events": {"unknown_enum": 1}}
    assert found["skew"]["sampled"] == 0


def test_what_was_built_later_is_not_what_a_moment_shows(shop: Workspace) -> None:
    found = quality_document(shop, ago(10), silent)
    assert found["features"]["as_of"] == ago(30).isoformat()
    fed = {one["table"]: one["newest"] for one in found["features"]["feeds"]}
    assert found["newest"]["events"] > fed["events"]


def test_without_features_the_rest_is_told_and_why(tmp_path: Path) -> None:
    found = quality_document(Workspace(tmp_path), AS_OF, silent)
    assert found["features"] is None
    assert "pushwise features build" in found["why"]
    assert found["quarantine"] == {}
