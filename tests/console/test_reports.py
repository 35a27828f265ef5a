"""Reports from the command line: from the log and the tables to a page and its document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console.experiment_results import results_of
from console.main import application
from experiments.assignment import buckets
from features.contract import contract_table
from features.ingest.load import ingest_rows
from features.rows import parse_row
from features.workspace import Workspace
from serving.audiences import Audiences, Wanted
from serving.catalogue import Catalogue, Given
from serving.log import Log, LoggedDecision
from serving.moments import iso
from serving.preconditions import Conditions
from tests.console.measured_experiment import EXPERIMENT, START, measured
from tests.dashboard.pages import asks_no_network, held

SENT_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
MEMBERS = [f"m{number}" for number in range(800)]
KEPT_OUT = dict(zip(MEMBERS, (buckets("arm", "holdout", MEMBERS) < 2_500).tolist(), strict=True))
PLANNED = {
    "push_id": "spring", "contacts": 600, "expected_orders": 50.0, "expected_cost": 70.0,
    "expected_gain": 1_500.0, "calibrated_gain": 1_400.0, "interval": [1_000.0, 1_800.0],
}  # fmt: skip


def run(*words: str) -> Result:
    return CliRunner().invoke(application(), list(words))


def decided(member: str) -> LoggedDecision:
    send = not KEPT_OUT[member]
    estimates = {"expected_gain": 2.5, "uplift": 0.1, "evidence": "modelled"}
    return LoggedDecision(
        decision_id=f"d{member}", push_id="spring", channel="push", member_id=member,
        offer_id="ten" if send else None, probability=0.75 if send else 0.25,
        decided_at=iso(SENT_AT), candidates='["ten"]', arm="policy" if send else "holdout",
        policy="p", release="r1", context=None,
        answer=json.dumps({"send": send, "release": "r1", "estimates": estimates}),
    )  # fmt: skip


def sale(member: str) -> dict[str, Any]:
    number = int(member[1:])
    bought = 20 + number % 9 + (0 if KEPT_OUT[member] else 4)
    return {
        "event_id": f"e{member}", "member_id": member, "type": "purchase", "unit_price": bought,
        "margin": bought, "occurred_at": iso(SENT_AT + timedelta(days=2)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three in four were sent an offer, and all bought: those sent to for 4 more."""
    made = Workspace(tmp_path_factory.mktemp("pushed"))
    push = {
        "push_id": "spring", "channel": "push", "send_at": iso(SENT_AT), "offer_ids": ["ten"],
        "attribution_days": 7, "holdout": 0.25,
    }  # fmt: skip
    offer = {"offer_id": "ten", "kind": "amount_off", "contact_cost": "0.1"}
    for table, rows in (
        ("pushes", [push]), ("offers", [offer]), ("events", [sale(one) for one in MEMBERS])
    ):  # fmt: skip
        ingest_rows(made, table, rows, table)
    with Log.of(made) as log:
        log.keep_decisions([decided(member) for member in MEMBERS])
        jobs = Audiences(log)
        jobs.ask(Wanted("spring"), "r1", SENT_AT)
        jobs.claim(None, "worker", SENT_AT)
        jobs.finish("worker", PLANNED, lambda: None, SENT_AT)
    return made


@pytest.mark.slow
def test_a_push_is_told_beside_its_holdout_and_its_promise(
    pushed: Workspace, tmp_path: Path
) -> None:
    out = tmp_path / "push.html"
    points = [
        {"cost": 10.0 * n, "gain": 200.0 * n, "calibrated": 190.0 * n, "interval": [0.0, 400.0 * n]}
        for n in range(8)
    ]
    frontier = tmp_path / "frontier.json"
    frontier.write_text(json.dumps({"along": "cost", "points": points}))
    done = run(
        "report", "push", "spring", "--workspace", str(pushed.root), "--out", str(out), "--json",
        "--frontier", str(frontier),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["sentence"].startswith("The push earned +")
    assert (found["push"]["sent"], found["push"]["held"], found["push"]["share"]) == (
        len(MEMBERS) - sum(KEPT_OUT.values()), sum(KEPT_OUT.values()), 0.25,
    )  # fmt: skip
    (contrast,) = found["results"]["contrasts"]
    gain = contrast["incremental"]["gain"]
    assert gain["low"] < 4 - 0.1 < gain["high"]
    beside = {row["name"]: row for row in found["promised"]["beside"]}
    contacts = beside["contacts"]
    assert contacts["planned"] == 600
    assert contacts["logged"] == contacts["real"] == found["push"]["sent"]
    assert beside["gain, by the estimates as they were"]["logged"] == 2.5 * contacts["real"]
    (offer,) = found["offers"]
    assert (offer["offer_id"], offer["chance"]) == ("ten", 0.75)
    assert offer["contrast"]["incremental"]["gain"] == gain
    assert found["funnel"]["sent"]["converted"] == contacts["real"]
    page = out.read_text(encoding="utf-8")
    assert held(page, "push.json") == found
    assert "What more, or less, was to bring" in page
    assert asks_no_network(page)


@pytest.mark.slow
def test_the_page_of_an_experiment_holds_what_its_results_say(tmp_path: Path) -> None:
    workspace, out = Workspace(tmp_path / "mine"), tmp_path / "report.html"
    measured(workspace)
    last_look = START + timedelta(days=20)
    done = run(
        "experiment", "report", EXPERIMENT.experiment_id, "--workspace", str(workspace.root),
        "--out", str(out), "--as-of", last_look.isoformat(), "--moments", "1", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    results = results_of(workspace, EXPERIMENT.experiment_id, last_look).to_json()
    assert json.loads(done.stdout) == results
    page = out.read_text(encoding="utf-8")
    assert held(page, "results.json") == results
    assert results["verdict"]["sentence"] in page
    assert page.count("planned look, with the interval") > 2, "the looks are on the curve"


def test_of_a_push_that_lies_ahead_it_says_when_it_sends(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    ahead = datetime.now(UTC) + timedelta(days=2)
    given = {"push_id": "autumn", "channel": "push", "send_at": iso(ahead), "offer_ids": ["ten"]}
    row = parse_row(contract_table("pushes"), given)
    with Log.of(workspace) as log:
        Catalogue(log).put(Given("pushes", "autumn", row, SENT_AT, None), Conditions())
    done = run("report", "push", "autumn", "--json", "--workspace", str(tmp_path))
    assert done.exit_code == 1
    assert f"is in the catalogue and sends at {ahead:%Y-%m-%d %H:%M} UTC" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_reported_is_said_in_one_line(pushed: Workspace, tmp_path: Path) -> None:
    of = ["--workspace", str(pushed.root)]
    (tmp_path / "plan.json").write_text(json.dumps({**PLANNED, "push_id": "autumn"}))
    for words, said in (
        (["report", "push", "spring", *of], "nothing to write: give --out report.html, or --json"),
        (["report", "push", "spring", *of, "--out", "a.pdf"], "ends in '.pdf', wanted .html"),
        (["report", "push", "no", *of, "--json"], "no push 'no' in the pushes table"),
        (
            ["report", "push", "spring", *of, "--json", "--plan", str(tmp_path / "plan.json")],
            "is of push 'autumn', wanted 'spring'",
        ),
        (
            ["experiment", "report", "no", *of, "--json"],
            "there is no experiment with this experiment_id",
        ),
    ):
        done = run(*words)
        assert done.exit_code == 1, done.output
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
