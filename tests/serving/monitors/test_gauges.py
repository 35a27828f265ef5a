"""The scorer's metrics tell of the monitors' last run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from features.insights.prepared import keep
from features.workspace import Workspace
from serving.monitors.document import document
from serving.monitors.gauges import MonitorGauges
from serving.monitors.result import Result
from serving.monitors.tally import Tally
from serving.telemetry import Telemetry

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_states_and_at_most_twenty_alerts_of_a_monitor_are_shown(tmp_path: Path) -> None:
    workspace, telemetry = Workspace(tmp_path), Telemetry()
    drifted = [Result("feature_drift", f"f{n}", "alert", "drifted", NOW) for n in range(30)]
    slow = Result("freshness", 'ev"ents\n', "warn", "slow", NOW)
    results = [*drifted, slow, Result("volume", "all", "cannot_say", "new", NOW)]
    written = document(results, (), Tally(), (), NOW)
    keep(workspace, "monitor", written, as_of=NOW, made_at=NOW)
    MonitorGauges(workspace, telemetry).refresh()
    shown = telemetry.exposition().decode()
    assert 'pushwise_monitor_state{monitor="feature_drift"} 2.0' in shown
    assert 'pushwise_monitor_state{monitor="freshness"} 1.0' in shown
    assert 'pushwise_monitor_state{monitor="volume"} -1.0' in shown
    assert shown.count("pushwise_monitor_alert_state{") == 20
    (at,) = re.findall(r"^pushwise_monitor_run_timestamp_seconds (\S+)", shown, re.MULTILINE)
    assert float(at) == NOW.timestamp()


def test_where_no_monitor_ran_the_metrics_say_so(tmp_path: Path) -> None:
    telemetry = Telemetry()
    MonitorGauges(Workspace(tmp_path), telemetry).refresh()
    MonitorGauges(None, telemetry).refresh()
    shown = telemetry.exposition().decode()
    assert "pushwise_monitor_run_timestamp_seconds 0.0" in shown
    assert "pushwise_monitor_state{" not in shown
    (tmp_path / "insights").mkdir()
    (tmp_path / "insights" / "monitor.json").write_text("damaged")
    MonitorGauges(Workspace(tmp_path), telemetry).refresh()
    assert telemetry.exposition()
