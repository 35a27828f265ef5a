"""``pushwise features report``: what it compares with, its limits, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from features.build import build_features
from features.workspace import Workspace
from tests.features.given import AS_OF, ago, small_shop
from training.trained import FEATURE_MOMENTS, Account, Comparison, in_words, record

BUILT = (ago(60), ago(30), AS_OF)


class Note:
    """A model that is nothing but a file."""

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text("a model")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("shop") / ".pushwise")
    small_shop(workspace)
    build_features(workspace, BUILT)
    return workspace


@pytest.fixture
def shop(built: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of the shop, in the folder where commands look for it and for settings."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(built.root, tmp_path / ".pushwise")
    return Workspace(tmp_path / ".pushwise")


def report(*options: str) -> Result:
    return CliRunner().invoke(application(), ["features", "report", *options])


def compared(*options: str) -> tuple[list[str], str]:
    found: dict[str, Any] = json.loads(report("--json", *options).stdout)
    return found["reference"], found["compared_with"]


def shown(*moments: Any) -> list[str]:
    return [str(moment) for moment in moments]


def test_compares_with_what_is_given_else_with_all_before(shop: Workspace) -> None:
    assert compared("--against", ago(30).isoformat()) == (shown(ago(30)), "moments given")
    assert compared() == (shown(*BUILT[:2]), "moments built before")


@pytest.mark.slow
def test_compares_with_what_the_champion_learned_from(shop: Workspace) -> None:
    facts = {"data_window": "spring", FEATURE_MOMENTS: in_words((ago(90), ago(60), AS_OF))}
    figures = (Comparison("auc", 0.8, {"rfm": 0.7}),)
    record(shop, "propensity", Note(), Account(figures, {}, facts))
    words = "moments that propensity version 1 learned from (2 more are built no more)"
    moments, compared_with = compared()
    assert moments == shown(ago(60))
    assert compared_with == words
    assert f"compared with 1 {words}" in report().stdout


def test_limits_of_the_settings_decide_what_is_found(shop: Workspace) -> None:
    settings = Path("pushwise.toml")
    lenient = "[quality]\npsi = 100\nmissing_rise = 1\nage_days = 100\n"
    settings.write_text(f"{lenient}ranges = {{ refund_share = [0, 9] }}\n")
    clean = report("--check")
    assert clean.exit_code == 0, clean.output
    assert "no findings" in clean.stdout
    settings.write_text(
        f"{lenient}ranges = {{ orders_life = [0, 1] }}\nmissing = {{ tier = 0.0 }}\n"
        "coverage = { bought = 1.0 }\n"
    )
    told = report("--check", "--out", "page.html")
    assert told.exit_code == 1
    for words in ("orders_life: from 0 to", "tier: missing in", "bought: "):
        assert words in told.stdout
    assert "⚠ orders_life" in Path("page.html").read_text(encoding="utf-8")
    assert report().exit_code == 0  # findings end with 1 only where asked


def test_a_range_upside_down_is_refused(shop: Workspace) -> None:
    Path("pushwise.toml").write_text("[quality]\nranges = { orders_life = [5, 1] }\n")
    refused = report()
    assert refused.exit_code == 1
    assert "range of orders_life is 5 to 1, wanted low to high" in refused.stderr
