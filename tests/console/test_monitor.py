"""``pushwise monitor``: what it finds in a log, what it keeps, whom it tells, how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from console.main import application
from console.monitor_data import calibration_of, drift_of_features
from console.monitor_settings import MonitorSettings
from console.monitoring import Monitored, run_monitors
from decisions.catalogue import Push
from features.ingest.load import ingest_rows
from features.insights.prepared import prepared
from features.progress import silent
from features.record import BuildRecord, Built, view_file
from features.workspace import Workspace
from serving import tables
from serving.log import Log
from serving.moments import iso
from serving.monitors.counting import brought_up
from serving.monitors.log_parts import Happened
from serving.monitors.tally import Tally
from serving.monitors.thresholds import BY_DEFAULT, Thresholds
from tests.console.monitored_log import NOW, Stream
from tests.serving.monitors.test_webhook import receiver

SETTINGS = MonitorSettings(least_sends=300, least_volume=20, silent_sends=50)


def run(workspace: Workspace, settings: MonitorSettings = SETTINGS, **given: Any) -> Monitored:
    at = given.pop("at", NOW)
    return run_monitors(workspace, settings, silent, clock=lambda: at, **given)


def states(found: Monitored, *monitors: str) -> dict[str, str]:
    return {one.key: one.state for one in found.results if one.monitor in monitors}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("quiet"))
    Stream().write(workspace)
    return workspace


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Estimates fell, members leave, and since two days nobody is told what was sent."""
    workspace = Workspace(tmp_path_factory.mktemp("faulty"))
    Stream(silent=40, leaves=0.03, scores=0.4, lesser=0.2).write(workspace)
    return workspace


def test_a_quiet_log_alarms_nowhere(quiet: Workspace) -> None:
    found = run(quiet)
    assert not found.alerting
    assert states(found, "score_drift", "unsubscribes", "volume", "outcome_feed") == {
        "score_drift:p_if_sent": "ok",
        "score_drift:p_if_not": "ok",
        "unsubscribes:channel push": "ok",
        "unsubscribes:push spring by push": "ok",
        "volume:last_hour": "cannot_say",
        "volume:last_6_hours": "ok",
        "volume:last_day": "ok",
        "outcome_feed:all": "ok",
        "outcome_feed:sent": "ok",
        "outcome_feed:unsubscribed": "cannot_say",
    }


def test_what_was_added_up_is_not_added_again(quiet: Workspace) -> None:
    first = Tally.load(quiet)
    with Log.of(quiet) as log:
        again = brought_up(log, Tally.load(quiet), NOW, silent)
    assert again == first
    assert sum(first.decided.values()) > 4_500


def test_planted_faults_alarm(faulty: Workspace) -> None:
    alerts = {one.key for one in run(faulty).results if one.state == "alert"}
    assert alerts == {
        "score_drift:p_if_sent", "score_drift:p_if_not",
        "unsubscribes:channel push", "unsubscribes:push spring by push",
        "outcome_feed:all", "outcome_feed:sent",
    }  # fmt: skip


def test_the_document_has_what_the_page_shows_and_no_member(faulty: Workspace) -> None:
    run(faulty)
    kept = prepared(faulty, "monitor")
    assert kept is not None
    assert kept.as_of == NOW
    document = kept.document
    assert document["state"] == "alert"
    assert document["results"][0]["state"] == "alert"
    assert len(document["hours"]) == 14 * 24
    assert sum(one["decided"] for one in document["hours"]) > 1_400
    assert sum(one["counts"].get("features_late", 0) for one in document["degraded"]) > 250
    written = (faulty.insights / "monitor.json").read_text() + "".join(
        path.read_text() for path in faulty.monitor.glob("*.json")
    )
    with Log.of(faulty) as log, log.reading() as connection:
        members = set(connection.scalars(tables.decisions.select().with_only_columns(
            tables.decisions.c.member_id)))  # fmt: skip
    assert not [member for member in members if f'"{member}"' in written]


@pytest.mark.parametrize(("send_at", "wanted"), [(180, "ok"), (3, "alert")])
def test_one_decision_of_a_push_of_last_winter_does_not_put_it_behind(
    send_at: int, wanted: str, tmp_path: Path
) -> None:
    workspace, stream = Workspace(tmp_path), Stream()
    stream.decide(np.random.default_rng(1), NOW - timedelta(hours=2), 0, lately=True)
    used = {"push_id": "spring", "name": "contacts", "reserved": 0, "spent": 1, "planned": 580,
            "most": 2_000}  # fmt: skip
    with Log.of(workspace) as log:
        log.write(stream.insert)
        log.write(lambda connection: connection.execute(tables.limits_used.insert(), [used]))
    push = Push("spring", "push", NOW - timedelta(days=send_at), ("ten",))
    folder = workspace.releases / "r1"
    folder.mkdir(parents=True)
    (folder / "pushes.json").write_text(json.dumps([push.to_json()]))
    (workspace.releases / "current").write_text("r1\n")
    found = run(workspace)
    assert states(found, "pacing") == {"pacing:spring contacts": wanted}


def test_another_log_in_the_place_of_one_is_added_up_anew(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    stream = Stream(an_hour=1)
    stream.write(workspace)
    run(workspace)
    workspace.serving_log.unlink()
    Stream(an_hour=1, stopped=500, seed=2).write(workspace)
    other = run(workspace).document
    assert sum(one["decided"] for one in other["hours"]) == 0


def test_alerts_are_told_once_and_again_when_they_are_over(
    quiet: Workspace, tmp_path: Path
) -> None:
    workspace = replace(quiet, root=tmp_path, database_url=f"sqlite:///{quiet.serving_log}")
    with receiver() as here:
        settings = SETTINGS.model_copy(
            update={
                "webhook_url": here.url,
                "webhook_hosts": ["127.0.0.1"],
                "webhook_secret": SecretStr("s"),
            }
        )
        late = NOW + timedelta(days=4)  # nothing came in since
        assert run(workspace, settings, at=late, tell=False).sent == 0
        first, again = (run(workspace, settings, at=late) for _ in range(2))
        assert run(workspace, settings).failed == ""
    told = [json.loads(body) for _, body in here.met]
    assert (first.sent, again.sent) == (4, 0)
    assert {one["event"] for one in told[:4]} == {"alert"}
    assert {f"{one['monitor']}:{one['subject']}" for one in told[:4]} == {
        "freshness:decisions", "freshness:outcomes", "volume:last_6_hours", "volume:last_day",
    }  # fmt: skip
    assert {one["event"] for one in told[4:]} == {"resolved"}
    assert len(told) == 8


def test_a_webhook_that_fails_fails_no_monitor(faulty: Workspace, tmp_path: Path) -> None:
    workspace = replace(faulty, root=tmp_path, database_url=f"sqlite:///{faulty.serving_log}")
    settings = MonitorSettings(
        webhook_url="http://127.0.0.1:9/",
        webhook_hosts=["127.0.0.1"],
        webhook_secret=SecretStr("s"),
    )
    with receiver(410) as here:
        found = run(workspace, settings.model_copy(update={"webhook_url": here.url}))
    assert found.alerting
    assert found.failed == "the webhook at 127.0.0.1 answered 410"
    assert found.document["webhook"] == {"set": True, "failed": found.failed}


def command(*words: str) -> Result:
    return CliRunner().invoke(application(), ["monitor", *words])


def test_the_command_ends_with_2_where_something_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Stream(an_hour=4, silent=50, now=datetime.now(UTC)).write(Workspace(tmp_path / "w"))
    Path("pushwise.toml").write_text("[monitor]\nsilent_sends = 20\n")
    found = command("--workspace", "w", "--json")
    assert found.exit_code == 2, found.output
    told = json.loads(found.stdout)
    assert told["state"] == "alert"
    assert told["told"] == {"sent": 0, "failed": ""}
    Path("pushwise.toml").write_text('[monitor]\nsilent_sends = 20\nmute = ["outcome_feed"]\n')
    muted = command("--workspace", "w")
    assert muted.exit_code == 0, muted.output
    assert "warn        outcome_feed" in muted.stdout
    assert "muted: " in muted.stdout
    assert "sends and 0 outcomes in 24 hours" in muted.stdout


def test_an_empty_workspace_says_what_it_cannot_and_ends_with_0(tmp_path: Path) -> None:
    found = command("--workspace", str(tmp_path))
    assert found.exit_code == 0, found.output
    assert "no scorer has run here yet" in found.stdout
    assert "cannot say: 5 of 5: never had a row" in found.stdout
    assert "cannot say as of" in found.stdout


def test_a_misspelt_workspace_is_not_watched_over(tmp_path: Path) -> None:
    refused = command("--workspace", str(tmp_path / "elsewhere"))
    assert refused.exit_code == 1
    assert "elsewhere: no workspace there; name it with --workspace" in refused.stderr
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("psi_worn = 0.1", "monitor.psi_worn"),
        ("psi = -1", "monitor.psi"),
        ('mute = ["budget"]', "mute names 'budget', wanted one of freshness"),
        ("freshness = { orders = 2 }", "freshness of 'orders', wanted one of events"),
        ('webhook_url = "https://hooks.example/"', "webhook_hosts does not name"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pushwise.toml").write_text(f"[monitor]\n{text}\n")
    refused = command("--workspace", ".")
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1


def decided(log: Log, times: float = 1.0) -> list[Happened]:
    """800 sends of a day, as many members held out, and what came of them."""
    rng, stream = np.random.default_rng(5), Stream()
    happened = []
    for number in range(1_600):
        stream.decide(rng, NOW - timedelta(days=20), number % 60, lately=False)
        row = stream.rows[-1]
        sent = number % 2 == 0
        told = {"p_if_sent": 0.2, "p_if_not": 0.1, "evidence": "modelled"}
        answer = {"send": sent, "reason": None if sent else "holdout", "estimates": told}
        row |= {"answer": json.dumps(answer), "offer_id": "ten" if sent else None}
        chance = times * (0.2 if sent else 0.1)
        happened.append(Happened(row["decision_id"], number, bool(rng.random() < chance)))
    log.write(stream.insert)
    return happened


def test_calibration_waits_for_the_window_and_for_the_newest_event(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Log.of(workspace) as log:
        happened = decided(log, times=1.8)
        push = {"push_id": "spring", "channel": "push", "send_at": iso(NOW - timedelta(days=20)),
                "offer_ids": ["ten"], "attribution_days": 14}  # fmt: skip
        ingest_rows(workspace, "pushes", [push], "pushes")
        rows = [
            {"decision_id": one.decision_id, "push_id": "spring",
             "member_id": one.decision_id[1:], "probability": 0.9,
             "decided_at": iso(NOW - timedelta(days=20))}
            for one in happened
        ]  # fmt: skip
        ingest_rows(workspace, "decisions", rows, "decisions")
        sales = [
            {"event_id": f"e{one.member}", "member_id": one.decision_id[1:], "type": "purchase",
             "unit_price": 9, "occurred_at": iso(NOW - timedelta(days=12))}
            for one in happened
            if one.converted
        ]  # fmt: skip
        ingest_rows(workspace, "events", sales, "sales")
        early = calibration_of(workspace, log, BY_DEFAULT, NOW)
        assert {one.state for one in early} == {"cannot_say"}
        beat = {"event_id": "last", "member_id": "m0", "type": "app_open", "occurred_at": iso(NOW)}
        ingest_rows(workspace, "events", [beat], "beat")
        told = calibration_of(workspace, log, BY_DEFAULT, NOW + timedelta(hours=1))
    assert {one.subject: one.state for one in told} == {
        "sent": "alert", "held_out": "alert", "not_chosen": "cannot_say",
    }  # fmt: skip


def test_features_are_examined_once_a_build(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rng, moments = np.random.default_rng(6), [NOW - timedelta(days=30), NOW - timedelta(days=1)]
    columns = {"spend": "number", "tier": "category"}
    members = [f"m{number}" for number in range(800)]
    for moment, shift in zip(moments, (0.0, 1.5), strict=True):
        path = view_file(workspace, "purchases", moment)
        path.parent.mkdir(parents=True, exist_ok=True)
        spend = rng.normal(shift, 1, 800)
        pd.DataFrame({"member_id": members, "spend": spend, "tier": "gold"}).to_parquet(path)
    built = {moment: Built("x", {"purchases": 800}) for moment in moments}
    BuildRecord({"purchases": columns}, {}, built).save(workspace)
    first = run(workspace)
    told = {one.subject: one.state for one in first.results if one.monitor == "feature_drift"}
    assert told == {"spend": "alert", "tier": "ok"}
    for moment in moments:
        view_file(workspace, "purchases", moment).unlink()
    kept = prepared(workspace, "monitor")
    again, _ = drift_of_features(workspace, kept, Thresholds(psi=9), NOW)
    assert {one.subject: one.state for one in again} == {"spend": "warn", "tier": "ok"}
