"""The path from a release to a plan, as the command line takes it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from console.main import application
from console.plan import published_release
from console.push_file import PushFile, read_push
from console.release import build_release
from decisions.decide import decide
from decisions.plan import plan
from features.contract import PUSHES
from features.progress import silent
from features.rows import parse_row
from features.workspace import Workspace
from serving.catalogue import Catalogue, Given
from serving.catalogue_entry import in_release
from serving.court import Question
from serving.log import Log
from serving.planning import ask_of, plan_for_all
from serving.preconditions import Conditions
from serving.situation import Situation
from tests.conftest import MarketWorkspace
from training.evaluation import market as evaluation

pytestmark = pytest.mark.slow

PUSH = """
push_id = "spring-break"
channel = "push"
send_at = 2026-05-20T09:00:00Z
offer_ids = ["hualien-content", "thanks"]
max_audience = 200
budget = 60
holdout = 0.1
eligibility = 'lifecycle != "new" and contacts_30d < 5'

[[offers]]
offer_id = "thanks"
kind = "amount_off"
value = 5
contact_cost = 0.1
"""


def pushwise(workspace: Workspace, *arguments: str) -> Result:
    # The option goes to the innermost command, where every command has it.
    return CliRunner().invoke(application(), [*arguments, "--workspace", str(workspace.root)])


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def push_file(tmp_path: Path) -> Path:
    path = tmp_path / "push.toml"
    path.write_text(PUSH)
    return path


def test_a_plan_keeps_to_budget_size_and_rule_and_counts_everybody(
    released: MarketWorkspace, push_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audience.parquet"
    summary = answered(
        pushwise(released.workspace, "plan", str(push_file), "--out", str(out), "--json")
    )
    audience = pq.read_table(out).to_pydict()
    assert 0 < summary["audience"] == len(audience["member_id"]) <= 200
    assert len(set(audience["member_id"])) == summary["audience"]
    assert sum(audience["expected_cost"]) == pytest.approx(summary["expected_cost"])
    assert summary["expected_cost"] <= 60
    assert audience["expected_gain"] == sorted(audience["expected_gain"], reverse=True)
    assert audience["rank"] == list(range(1, summary["audience"] + 1))
    release = published_release(released.workspace)
    funnel = summary["funnel"]["members"]
    assert sum(funnel.values()) == len(release.snapshot.member_ids)
    assert funnel["sent"] == summary["audience"]
    assert {"no_consent", "not_eligible", "holdout"} <= set(funnel)
    assert summary["expected_gain"] <= summary["gain_bound"] + 1e-6
    snapshot = release.snapshot
    rows = snapshot.rows(audience["member_id"])
    contacts = snapshot.values[rows, snapshot.encoding.names.index("contacts_30d")]
    assert (contacts < 5).all()


def test_who_unsubscribes_while_a_plan_is_made_is_not_in_it(
    released: MarketWorkspace, push_file: Path, tmp_path: Path
) -> None:
    release, described = published_release(released.workspace), read_push(push_file)
    first = plan_for_all(release, described.push, None, described.offers)
    ids = first.problem.ask.members.ids
    best = ids[first.plan.ranking[0]]

    class Leaving(Log):
        """A log in which the best member unsubscribes once the plan is made."""

        asked = 0

        def all_suppressed(self) -> frozenset[str]:
            self.asked += 1
            return frozenset() if self.asked == 1 else frozenset({best})

    with Leaving(tmp_path / "log.db") as log:
        made = plan_for_all(release, described.push, log, described.offers)
    assert best not in {ids[row] for row in made.plan.ranking}
    assert made.plan.decisions.reason[ids.index(best)] == "suppressed"


def test_csv_and_parquet_hold_the_same_audience(
    released: MarketWorkspace, push_file: Path, tmp_path: Path
) -> None:
    for name in ("a.csv", "a.parquet"):
        result = pushwise(released.workspace, "plan", str(push_file), "--out", str(tmp_path / name))
        assert result.exit_code == 0, result.output
        assert "what became of the members" in result.stdout
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["member_id"] for row in rows] == [row["member_id"] for row in table]
    assert float(rows[0]["uplift"]) == table[0]["uplift"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            PUSH.replace('"thanks"]', '"thank"]'),
            "names offer 'thank', which is neither in its file",
        ),
        (
            PUSH.replace("lifecycle", "lifecycel"),
            "no feature 'lifecycel' at character 1; nearest: lifecycle",
        ),
        (PUSH.replace('["hualien-content", "thanks"]', "[]"), "has no offers"),
        (PUSH.replace("send_at = 2026-05-20T09:00:00Z", ""), "push needs 'send_at'"),
        (PUSH.replace("09:00:00Z", "09:00:00"), "send_at of push 'spring-break' has no offset"),
        (PUSH + "colour = 3", "offer has no field 'colour'"),
        (PUSH.replace("budget = 60", "budget = many"), "not TOML"),
    ],
)
def test_a_wrong_push_is_refused_in_one_line(
    released: MarketWorkspace, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    result = pushwise(released.workspace, "plan", str(path))
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_audience_nobody_can_write_is_refused_before_any_work(
    released: MarketWorkspace, push_file: Path
) -> None:
    for out, message in (
        ("a.xlsx", "wanted one of .parquet, .csv, .ndjson"),
        ("no/such/a.csv", "make it"),
    ):
        result = pushwise(released.workspace, "plan", str(push_file), "--out", out)
        assert result.exit_code == 1
        assert message in result.stderr


def test_a_workspace_without_a_release_says_what_to_do(tmp_path: Path, push_file: Path) -> None:
    result = pushwise(Workspace(tmp_path / "empty"), "plan", str(push_file))
    assert result.exit_code == 1
    assert "run `pushwise release build --publish`" in result.stderr


def test_notebook_batch_and_scorer_decide_alike(released: MarketWorkspace) -> None:
    release = published_release(released.workspace)
    push = release.pushes[released.push_id]
    everybody = ask_of(release, push, (), frozenset())
    planned = plan(everybody, release.estimator).decisions
    priced = decide(replace(everybody, prices=release.prices[push.push_id]), release.estimator)
    assert (priced.offer == planned.offer).mean() > 0.98
    some = everybody.members.ids[:300]
    for row, choice in enumerate(
        release.choose(push.push_id, some, Situation(release.terms(push.push_id, {})))
    ):
        chosen = int(priced.offer[row])
        assert choice.offer_id == (push.offer_ids[chosen] if chosen >= 0 else None)
        assert choice.probability == priced.probability[row]
        assert choice.reason == priced.reason[row]


def test_releases_are_listed_published_and_rolled_back(
    released: MarketWorkspace, push_file: Path, tmp_path: Path
) -> None:
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(released.workspace.root, copy.root)
    row = parse_row(
        PUSHES,
        {
            "push_id": "put",
            "channel": "push",
            "send_at": released.as_of,
            "offer_ids": ["hualien-content"],
        },
    )
    with Log(copy.serving_log) as log:
        Catalogue(log).put(Given("pushes", "put", row, released.as_of, None), Conditions())
    built = answered(
        pushwise(
            copy, "release", "build", "--as-of", released.as_of.isoformat(),
            "--push", str(push_file), "--publish", "--json",
        )
    )  # fmt: skip
    assert set(built["pushes"]) == {released.push_id, "spring-break", "put"}
    assert in_release("pushes", "put", row, published_release(copy))
    assert built["evidence"] in ("modelled", "randomised")
    listed = answered(pushwise(copy, "release", "list", "--json"))
    assert [one["current"] for one in listed] == [False, True]
    back = answered(pushwise(copy, "release", "rollback", "--json"))
    assert back["published"] == listed[0]["release_id"]
    forward = answered(pushwise(copy, "release", "publish", built["release_id"], "--json"))
    assert forward["published"] == built["release_id"]


def test_releases_built_at_once_have_ids_of_their_own(released: MarketWorkspace) -> None:
    pushes: list[PushFile] = []
    with ThreadPoolExecutor(2) as pool:
        builds = [
            pool.submit(build_release, released.workspace, released.as_of, pushes, silent)
            for _ in range(2)
        ]
        assert len({build.result().release_id for build in builds}) == 2


def test_no_policy_beats_the_oracle_and_none_breaks_the_limits(released: MarketWorkspace) -> None:
    release = published_release(released.workspace)
    push = release.pushes[released.push_id]
    ask = ask_of(release, push, (), frozenset())
    planned = plan(ask, release.estimator)
    truth = evaluation.truth_of(released.market, push.push_id)
    assert push.budget is not None
    assert push.max_audience is not None
    rows = planned.ranking
    rankings = {
        "oracle": evaluation.oracle(truth, push.budget, push.max_audience),
        "plan": evaluation.planned(
            truth,
            [ask.members.ids[row] for row in rows],
            [push.offer_ids[column] for column in planned.decisions.offer[rows]],
        ),
        "rule": evaluation.rule(truth, 0, 1),
        "random": evaluation.at_random(truth, 0, 1),
        "likeliest": evaluation.by_score(
            truth, dict(zip(truth.member_ids.tolist(), truth.p_if_not.tolist(), strict=True)), 0
        ),
    }
    earned = {
        name: evaluation.earned(truth, ranking, push.budget, push.max_audience)
        for name, ranking in rankings.items()
    }
    for one in earned.values():
        assert one.gain <= earned["oracle"].gain + 1e-6
        assert one.cost <= push.budget
        assert one.contacts <= push.max_audience
    assert truth.reachable[rankings["plan"].rows].all()
    assert np.isclose(earned["oracle"].cost, push.budget, rtol=0.05)


def test_the_demo_takes_the_whole_path_and_ends_in_one_json_line(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    # In a process of its own: the demo sets up logging, which belongs to the whole process.
    done = subprocess.run(
        [
            sys.executable, "-c", "from console.main import main; main()", "demo", "--json",
            "--members", "2000", "--seed", "5", "--port", "0", "--workspace", str(folder),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"seed", "members", "budget", "seconds", "gain"}
    assert found["gain"].keys() == {"rule", "random", "propensity", "pushwise", "oracle"}
    assert (found["seed"], found["members"]) == (5, 2000)
    assert max(found["gain"], key=found["gain"].__getitem__) == "oracle"


def test_the_demo_does_not_touch_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    result = CliRunner().invoke(application(), ["demo", "--workspace", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds something that no demo made" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "ten years of work"


def test_a_rule_is_judged_alike_by_the_command_and_by_what_the_scorer_serves(
    released: MarketWorkspace,
) -> None:
    rule, offer = "viewed_category('hualien', 30d)", "hualien-percent-5"
    asked = ("rules", "audit", rule, "--offer", offer, "--scope", "--in-scope", "--json")
    told = answered(pushwise(released.workspace, *asked))
    court = published_release(released.workspace).court
    assert court is not None
    served = court.audit(Question(rule, offer, "scope", in_scope=True)).to_json()
    assert told == json.loads(json.dumps(served))
    assert told["pushes"] == 3
    assert set(told["offers"]) >= {offer, "hualien-points"}
    assert 0 < told["picked"] < told["decisions"]
