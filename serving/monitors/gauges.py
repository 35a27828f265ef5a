"""The last run of the monitors in the scorer's metrics: read from its document, judged by nobody
here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from features.insights.prepared import PreparedError, prepared
from features.workspace import Workspace
from serving.monitors.result import MONITORS
from serving.recent import Recent
from serving.telemetry import Telemetry

_EVERY = 10.0  # seconds
_MOST = 20  # subjects of a monitor
_NUMBERS = {"ok": 0, "warn": 1, "alert": 2, "cannot_say": -1}


class MonitorGauges:
    """Brings what the monitors last found into the metrics, at most every ten seconds.

    Args:
        workspace: None where none is served: then there is no run to tell of.
    """

    def __init__(self, workspace: Workspace | None, telemetry: Telemetry) -> None:
        self._workspace = workspace
        self._telemetry = telemetry
        self._read = Recent(self._bring, every=_EVERY)

    def refresh(self) -> None:
        self._read.newest()

    def _bring(self) -> bool:
        if self._workspace is None:
            return False
        try:
            found = prepared(self._workspace, "monitor")
        except (PreparedError, OSError):
            return False
        if found is None:
            self._telemetry.monitored(0.0, {}, ())
            return False
        document: Mapping[str, Any] = found.document
        states = {
            one["monitor"]: _NUMBERS[one["state"]]
            for one in document["monitors"] if one["monitor"] in MONITORS
        }  # fmt: skip
        shown: Counter[str] = Counter()
        alerting = []
        for one in document["results"]:
            if one["state"] == "alert" and shown[one["monitor"]] < _MOST:
                shown[one["monitor"]] += 1
                alerting.append((one["monitor"], one["subject"]))
        self._telemetry.monitored(found.as_of.timestamp(), states, alerting)
        return True
