"""One run of every monitor: what each reads, what it finds, and whom it tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from console.monitor_data import calibration_of, drift_of_features, feeds_of, pushes_over
from console.monitor_settings import MonitorSettings
from console.scorer_log import scorer_log
from features.insights.prepared import Prepared, PreparedError, keep, prepared
from features.workspace import Workspace, one_at_a_time, write_atomically
from serving.monitors.alerts import Standing, step, told
from serving.monitors.counting import brought_up
from serving.monitors.document import document
from serving.monitors.drift import SCORES, drift
from serving.monitors.freshness import freshness
from serving.monitors.log_parts import paced, score_drift, splits
from serving.monitors.pacing import Paced, pacing
from serving.monitors.result import Result, unsaid
from serving.monitors.shares import sample_ratio
from serving.monitors.silence import outcome_feed
from serving.monitors.tally import Tally
from serving.monitors.tally_parts import heard, leaving, running
from serving.monitors.unsubscribes import unsubscribes
from serving.monitors.volume import volume
from serving.monitors.webhook import deliver

if TYPE_CHECKING:
    from features.progress import Progress
    from serving.log import Log

NAME = "monitor"  # of the prepared document
NO_LOG = "no scorer has run here yet"


@dataclass(frozen=True, slots=True)
class Monitored:
    """document: as pages read it. sent: notices that the webhook took. failed: why it did not take
    the others; empty where it took all, or there is none."""

    document: Mapping[str, Any]
    results: tuple[Result, ...]
    sent: int
    failed: str

    @property
    def alerting(self) -> bool:
        return any(one.state == "alert" for one in self.results)


def run_monitors(
    workspace: Workspace,
    settings: MonitorSettings,
    progress: Progress,
    *,
    tell: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Monitored:
    """Judge everything as of now, keep the document, and tell what changed.

    Two runs at once take turns.

    Args:
        tell: whether the webhook hears of it. clock: what time it is.

    Raises:
        LogError, LogUnavailable: the scorer's log is there and cannot be read.
        WebhookError: the settings name a webhook that may not be called.
    """
    webhook = settings.webhook() if tell else None
    with one_at_a_time(workspace.monitor / ".lock"):
        now = clock()
        found = _Found(workspace, settings, now, progress)
        judged = found.results()
        results = tuple(_shown(one, settings.mute) for one in judged)
        heard = [_heard(one, settings.mute) for one in judged]
        made = step(_alerts(workspace), heard, now, timedelta(hours=settings.reminder_hours))
        alerts, sent, failed = made.alerts, 0, ""
        if webhook is not None:
            done = deliver(webhook, made.notices, now)
            alerts = told(alerts, done.keys, now)
            sent, failed = len(done.keys), done.failed
        _keep_alerts(workspace, alerts)
        written = document(results, alerts, found.tally, found.paced, now)
        written["features"] = found.features
        written["runbook_url"] = settings.runbook_url.rstrip("/")
        written["webhook"] = {"set": bool(settings.webhook_url), "failed": failed}
        keep(workspace, NAME, written, as_of=now, made_at=clock())
    return Monitored(written, results, sent, failed)


class _Found:
    """What one run reads. tally, paced, features: also shown on the page."""

    def __init__(
        self, workspace: Workspace, settings: MonitorSettings, now: datetime, progress: Progress
    ) -> None:
        self._workspace, self._limits, self._now = workspace, settings.thresholds(), now
        self._progress = progress
        self.tally = Tally()
        self.paced: list[Paced] = []
        self.features: dict[str, Any] = {}

    def results(self) -> list[Result]:
        data = self._of_data()
        with scorer_log(self._workspace) as log:
            told = self._without_log() if log is None else self._of_log(log)
        return [*data, *told]

    def _of_data(self) -> list[Result]:
        limits, now = self._limits, self._now
        before = _before(self._workspace)
        self._progress("feeds", 0, None)
        feeds = feeds_of(self._workspace, now)
        self._progress("features", 0, None)
        of_features, self.features = drift_of_features(self._workspace, before, limits, now)
        return [*freshness(feeds, limits, now), *of_features]

    def _of_log(self, log: Log) -> list[Result]:
        limits, now = self._limits, self._now
        self.tally = brought_up(log, Tally.load(self._workspace), now, self._progress)
        self.tally.save(self._workspace)
        self.paced = paced(log, running(self.tally, now), now, pushes_over(self._workspace))
        self._progress("estimates", 0, None)
        scores = score_drift(log, limits, now)
        by_files = not self.tally.outcomes and _has_outcomes(self._workspace)
        told = [
            *(drift(SCORES, scores.drifted, limits, now) or [unsaid(SCORES, scores.why, now)]),
            *(sample_ratio(splits(log), limits, now) or [_idle("sample_ratio", "experiment", now)]),
            *(unsubscribes(leaving(self.tally, limits, now), limits, now)
              or [unsaid("unsubscribes", f"no sends in {limits.recent_days} days", now)]),
            *(pacing(self.paced, limits, now) or [_idle("pacing", "push with limits", now)]),
            *volume(self.tally.hours("decided", now), limits, now),
            *outcome_feed(heard(self.tally, limits, now, elsewhere=by_files), limits, now),
        ]  # fmt: skip
        self._progress("calibration", 0, None)
        return [*told, *calibration_of(self._workspace, log, limits, now)]

    def _without_log(self) -> list[Result]:
        silent = (
            "score_drift", "sample_ratio", "unsubscribes", "pacing", "volume", "outcome_feed",
            "calibration",
        )  # fmt: skip
        return [unsaid(name, NO_LOG, self._now) for name in silent]


def _idle(monitor: str, what: str, now: datetime) -> Result:
    return Result(monitor, "all", "ok", f"no {what} runs", now)


def _shown(result: Result, mute: Sequence[str]) -> Result:
    """A muted alert is shown as a warning."""
    if result.state == "alert" and _muted(result, mute):
        return replace(result, state="warn", words=f"muted: {result.words}")
    return result


def _heard(result: Result, mute: Sequence[str]) -> Result:
    """What is muted is told to be over, if it was told of before."""
    if result.state in ("alert", "warn") and _muted(result, mute):
        return replace(result, state="ok", words=f"muted: {result.words}")
    return result


def _muted(result: Result, mute: Sequence[str]) -> bool:
    return result.monitor in mute or result.key in mute


def _has_outcomes(workspace: Workspace) -> bool:
    return any((workspace.tables / "outcomes").glob("*.parquet"))


def _before(workspace: Workspace) -> Prepared | None:
    try:
        return prepared(workspace, NAME)
    except PreparedError:  # about to be made anew
        return None


def _alerts(workspace: Workspace) -> tuple[Standing, ...]:
    """Those of the last run; none where nothing is kept, or it cannot be read: then they are told
    again."""
    try:
        found = json.loads((workspace.monitor / "alerts.json").read_bytes())
        return tuple(Standing.from_json(one) for one in found["alerts"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ()


def _keep_alerts(workspace: Workspace, alerts: Sequence[Standing]) -> None:
    written = {"alerts": [one.to_json() for one in alerts]}
    write_atomically(workspace.monitor / "alerts.json", json.dumps(written).encode())
