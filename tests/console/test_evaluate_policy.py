"""``pushwise evaluate policy`` on a market whose truth is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from console.main import application
from console.plan import published_release
from serving.evaluation_schemas import EvaluationAsked
from serving.evaluations import Evaluations
from serving.log import Log
from serving.situation import Situation
from tests.conftest import MarketWorkspace
from tests.console.planned_push import Sent, sent_by_chance
from training.evaluation.past_decisions import PastDecisions, past_decisions
from training.evaluation.target_policies import Deciding, best_offer, by_release, by_rule
from training.push_log import push_log

pytestmark = pytest.mark.slow  # a market with all models trained, shared with other tests


@pytest.fixture(scope="module")
def sent(released: MarketWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return sent_by_chance(released, tmp_path_factory.mktemp("sent") / "workspace")


@pytest.fixture(scope="module")
def past(released: MarketWorkspace, sent: Sent) -> PastDecisions:
    log = push_log(sent.workspace, released.as_of + timedelta(days=30))
    inside = (log.rows["as_of"] >= released.as_of).to_numpy()
    return past_decisions(sent.workspace, log, inside)


def asked(sent: Sent, *options: str) -> Result:
    command = ["evaluate", "policy", "--workspace", str(sent.workspace.root), *options]
    return CliRunner().invoke(application(), command)


def policies(done: Result) -> dict[str, dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return {one["name"]: one for one in json.loads(done.stdout)["policies"]}


def test_a_release_is_worth_what_it_truly_brings(
    released: MarketWorkspace, sent: Sent, past: PastDecisions
) -> None:
    until = (released.as_of + timedelta(days=30)).isoformat()
    rule = "recency_days <= 60"
    offer = sent.truth.offer_ids[0]
    done = asked(
        sent, "--release", "published", "--rule", rule, "--offer", offer, "--as-of", until,
        "--objective", "conversions", "--json",
    )  # fmt: skip
    told = policies(done)
    assert "made since the release" in told["release published"]["note"]
    release = published_release(sent.workspace)
    deciding = Deciding(release.estimator, release.policy, release.encoding, release.prices)
    ids = [one.offer_id for one in past.log.offers]
    wanted = {
        "release published": by_release(past, deciding),
        f"{offer} if {rule}": by_rule(past, rule, offer),
        "best_offer": best_offer(past, past.scores(past.drawn("conversions"))),
    }
    for name, policy in wanted.items():
        value = told[name]["value"]["dr"]
        true = sent.conversions(policy, ids)
        assert abs(value["mean"] - true) < 3 * value["error"], name
    happened = float(past.log.converted.mean())
    assert told["logged"]["value"]["dr"]["mean"] == happened


def test_what_is_evaluated_is_what_the_scorer_would_answer(
    released: MarketWorkspace, sent: Sent, past: PastDecisions
) -> None:
    """At the moment of the release both know the same: its snapshot, and the features built."""
    release = published_release(sent.workspace)
    deciding = Deciding(release.estimator, release.policy, release.encoding, release.prices)
    chances = by_release(past, deciding)
    members = past.log.rows["member_id"].tolist()[:300]
    situation = Situation(release.terms(released.push_id, {}))
    ids = [one.offer_id for one in past.log.offers]
    answered = release.choose(released.push_id, members, situation)
    columns = [0 if one.offer_id is None else 1 + ids.index(one.offer_id) for one in answered]
    # Who was above a frequency cap was not drawn, so the log cannot be asked about them.
    open_ = [row for row, one in enumerate(answered) if one.reason != "frequency_cap"]
    assert len(open_) > 200
    logged = [answered[row].probability for row in open_]
    assert chances[open_, np.array(columns)[open_]] == pytest.approx(logged)


def test_features_are_those_of_the_decision_and_not_of_the_snapshot(
    sent: Sent, released: MarketWorkspace
) -> None:
    log = push_log(sent.workspace, released.as_of + timedelta(days=30))
    first = (log.rows["as_of"] == log.rows["as_of"].min()).to_numpy()
    early = past_decisions(sent.workspace, log, first)
    release = published_release(sent.workspace)
    recency = early.frame["recency_days"].to_numpy()
    today = release.encoding.names.index("recency_days")
    rows = release.snapshot.rows(early.log.rows["member_id"].tolist())
    assert not np.allclose(recency, release.snapshot.take(rows)[:, today], equal_nan=True)
    assert all(moment <= log.rows["as_of"].min() for moment in early.moments)


def test_a_new_release_is_judged_by_its_model_as_it_was_measured(
    released: MarketWorkspace, tmp_path: Path
) -> None:
    """Nothing was decided since; the earlier pushes it learned from are of no use."""
    plot = tmp_path / "policies.html"
    options = ["--as-of", released.as_of.isoformat(), "--plot", str(plot), "--json"]
    command = ["evaluate", "policy", "--workspace", str(released.workspace.root), *options]
    found = policies(CliRunner().invoke(application(), command))
    assert "as it was measured, on the pushes since" in found["release published"]["note"]
    assert "policies would have earned" in plot.read_text()


def test_what_cannot_be_asked_is_told_in_one_line(sent: Sent) -> None:
    unknown = asked(sent, "--release", "r-none")
    assert unknown.exit_code == 1
    assert "no release 'r-none'" in unknown.stderr
    alone = asked(sent, "--rule", "recency_days <= 60")
    assert alone.exit_code == 2
    assert "one --offer for each --rule" in alone.stderr
    nowhere = asked(sent, "--push", "no-such-push")
    assert nowhere.exit_code == 1
    assert "push 'no-such-push' has no decision" in nowhere.stderr


def test_what_was_asked_over_http_is_carried_out_by_the_command(
    released: MarketWorkspace, sent: Sent
) -> None:
    """One ends with what was found, the other with the reason, and neither tells where it lies."""
    early = {"until": (released.as_of - timedelta(days=120)).isoformat()}
    bodies = [
        {"policies": [{"kind": "nothing"}, {"kind": "random"}], **early},
        {"policies": [{"kind": "release", "release_id": "r-none"}]},
    ]
    now = datetime(2026, 7, 1, tzinfo=UTC)
    with Log.of(sent.workspace) as log:
        jobs = [Evaluations(log).ask(EvaluationAsked.model_validate(one), now) for one in bodies]
    command = ["evaluate", "pending", "--workspace", str(sent.workspace.root)]
    done = CliRunner().invoke(application(), command)
    assert done.exit_code == 0, done.output
    with Log.of(sent.workspace) as log:
        first, second = (Evaluations(log).find(one.evaluation_id) for one in jobs)
    assert (first.state, second.state) == ("done", "failed")
    told = [] if first.report is None else first.report["policies"]
    assert [one["name"] for one in told] == ["logged", "nothing", "random"]
    assert second.failure is not None
    assert second.failure.startswith("no release 'r-none' in the workspace")
