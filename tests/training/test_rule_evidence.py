"""What a training of the response model leaves for the rule court, to the command's answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from console.main import application
from experiments.rule_court import Findings
from features.workspace import Workspace
from serving.court import Court, Question
from tests.training.email_trial import AS_OF, email_trial
from training.errors import TrainingError
from training.push_log import push_log
from training.response import train_response, with_features
from training.response_fit import fit_response
from training.rule_evidence import court_folder, rule_evidence

pytestmark = pytest.mark.slow  # features are built and models fitted
RULE = "womens == 1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_record: Path) -> Workspace:
    made = email_trial(tmp_path_factory.mktemp("trial"), 6_000, strength=2.0)
    shutil.copytree(empty_record, made.mlflow)
    train_response(made, AS_OF)
    return made


def test_the_rule_that_fits_the_offer_works_and_its_opposite_does_not(trained: Workspace) -> None:
    court = Court.load(court_folder(trained))
    right = court.audit(Question(RULE, "womens")).ruling.answer
    wrong = court.audit(Question(f"not ({RULE})", "womens")).ruling.answer
    assert isinstance(right, Findings)
    assert isinstance(wrong, Findings)
    assert right.picked.conversions.low < 0.12 < right.picked.conversions.high
    assert right.picked_less_left_out.low > 0
    assert wrong.reversed
    assert right.left_out.gain == wrong.picked.gain


def test_the_command_tells_the_same_and_draws_it(trained: Workspace, tmp_path: Path) -> None:
    asked = ["rules", "audit", RULE, "--offer", "womens", "--workspace", str(trained.root)]
    done = CliRunner().invoke(application(), [*asked, "--json"])
    assert done.exit_code == 0, done.output
    expected = Court.load(court_folder(trained)).audit(Question(RULE, "womens")).to_json()
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))
    for name in ("rule.png", "rule.html"):
        drawn = CliRunner().invoke(application(), [*asked, "--plot", str(tmp_path / name)])
        assert drawn.exit_code == 0, drawn.output
        assert drawn.stdout.startswith("The rule works")
        assert (tmp_path / name).stat().st_size > 10_000


def test_the_command_says_what_is_wrong_in_a_line(trained: Workspace, tmp_path: Path) -> None:
    asked = ["rules", "audit", "womans == 1", "--offer", "womens", "--workspace"]
    done = CliRunner().invoke(application(), [*asked, str(trained.root)])
    assert done.exit_code == 1
    assert "womens" in done.stderr
    done = CliRunner().invoke(application(), [*asked, str(tmp_path)])
    assert "run `pushwise train response` first" in done.stderr


def test_a_log_that_nobody_drew_leaves_evidence_that_says_so(
    tmp_path: Path, empty_record: Path
) -> None:
    made = email_trial(tmp_path, 3_000, by_hand=True)
    shutil.copytree(empty_record, made.mlflow)
    train_response(made, AS_OF, observational=True)
    verdict = Court.load(court_folder(made)).audit(Question(RULE, "womens")).ruling.verdict
    assert "not drawn at random" in verdict


def test_of_many_decisions_whole_members_are_kept(trained: Workspace) -> None:
    known = with_features(trained, push_log(trained, AS_OF))
    fitted = fit_response(known.log, known.values, known.names, 0)
    given = (known.log, known.values, fitted.out, fitted.scores)
    whole = rule_evidence(*given)
    some = rule_evidence(*given, most=2_000)
    assert len(some) == 2_000
    assert whole.gain[:, 1].mean() == pytest.approx(
        fitted.scores.uplift()[:, 1].mean() * 6, rel=0.5
    )
    with pytest.raises(TrainingError, match="train response"):
        court_folder(Workspace(trained.root / "nothing"))
    assert np.isfinite(whole.predicted).all()
