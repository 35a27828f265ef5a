"""``pushwise models``: what is told of versions, and promotion by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from features.workspace import Workspace
from tests.training.notes import Note, account
from training.tracking import champion
from training.trained import record


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two versions of a propensity: the first serves, the second failed its gates."""
    made = Workspace(tmp_path_factory.mktemp("shop"))
    record(made, "propensity", Note("first"), account(0.8, 0.7))
    record(made, "propensity", Note("second"), account(0.6, 0.7, champion=0.8))
    return made


def models(shop: Workspace, *words: str) -> Result:
    return CliRunner().invoke(application(), ["models", *words, "--workspace", str(shop.root)])


def test_lists_versions_with_figure_and_gates(shop: Workspace) -> None:
    listed = json.loads(models(shop, "list", "--json").stdout)
    assert [(one["version"], one["aliases"]) for one in listed] == [
        ("2", ["challenger"]),
        ("1", ["champion"]),
    ]
    assert [one["figures"][0]["ours"] for one in listed] == [0.6, 0.8]
    table = models(shop, "list").stdout
    assert "champion" in table
    assert "passed" in table


def test_shows_the_card_of_the_champion_unless_asked_for_another(shop: Workspace) -> None:
    shown = models(shop, "show", "propensity").stdout
    assert "propensity version 1 champion" in shown
    assert "# Model card: propensity" in shown
    assert "promoted 2" in shown  # the moment, and why
    assert "passed every gate" in shown
    assert "It did not pass every gate." in models(shop, "show", "propensity", "2").stdout


def test_promotes_by_hand_and_keeps_the_reason(shop: Workspace) -> None:
    done = models(shop, "promote", "propensity", "2", "--reason", "a new shop, agreed with sales")
    assert done.exit_code == 0
    found = champion(shop, "propensity")
    assert found is not None
    assert found[0].version == "2"
    assert "by hand: a new shop, agreed" in models(shop, "show", "propensity").stdout
    models(shop, "promote", "propensity", "1", "--reason", "back")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "repeat"], "error: no model 'repeat' is registered; there are: propensity"),
        (["show", "propensity", "9"], "error: propensity has no version '9'; there are: 2, 1"),
        (["promote", "propensity", "1", "--reason", " "], "error: the reason is empty"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(shop: Workspace, words: list[str], told: str) -> None:
    done = models(shop, *words)
    assert done.exit_code == 1
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1


def test_promotion_wants_a_reason(shop: Workspace) -> None:
    assert models(shop, "promote", "propensity", "1").exit_code == 2


def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    shown = models(Workspace(tmp_path), "list")
    assert (shown.exit_code, "pushwise train" in shown.stdout) == (0, True)
