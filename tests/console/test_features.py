"""The command that builds features."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.features import app
from features.workspace import Workspace
from tests.features.given import AS_OF, ago, small_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / ".pushwise")
    small_shop(workspace, members=8)
    return workspace


def test_says_what_it_built_and_what_was_unchanged(shop: Workspace) -> None:
    args = ["build", "--as-of", AS_OF.isoformat()]
    first = CliRunner().invoke(app, args)
    assert first.exit_code == 0, first.output
    assert f"built as of {AS_OF.isoformat()}: purchases 9, price 9, clickstream 9" in first.stdout
    again = CliRunner().invoke(app, args)
    assert f"unchanged as of {AS_OF.isoformat()}" in again.stdout


def test_json_is_one_document_and_materializing_prints_nothing(shop: Workspace) -> None:
    (shop.tables / "decisions" / "a.parquet").unlink()
    moments = ["--as-of", ago(9).isoformat(), "--as-of", AS_OF.isoformat()]
    ran = CliRunner().invoke(app, ["build", *moments, "--materialize", "--json"])
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert list(report["written"]) == [ago(9).isoformat(), AS_OF.isoformat()]
    assert report["absent"] == {"contacts": "no decisions in this workspace"}
    assert report["materialized"] == AS_OF.isoformat()
    assert "contacts" not in report["views"]
