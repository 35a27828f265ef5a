"""A workspace with something on every page: what the browser tests look at."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.insights_list import INSIGHTS
from console.push_file import PushFile
from console.release import build_release, publish_release
from dashboard.web.users import ROLES, Users
from decisions.catalogue import Push
from experiments.design import Arm
from features.ingest.load import ingest, ingest_rows
from features.insights.insight import refresh
from features.progress import silent
from features.workspace import Workspace
from serving.log import Log
from serving.pointer import current
from tests.console.measured_experiment import EXPERIMENT, measured
from tests.dashboard.web.conftest import PASSWORD

# Names that somebody may send in: markup, a way out of an attribute, text that turns around, and
# one that does not end.
SCRIPT = "<script>document.title='taken'</script>"
PICTURE = '"><img src=x onerror="document.title=1">'
TURNED = "gift\u202eexe.tfig"
ENDLESS = "endless-" * 37
OVERDUE = 6  # rows that wait for somebody to tell their time zone
HOSTILE = (SCRIPT, PICTURE, TURNED, ENDLESS)


def furnish(market: Path, as_of: datetime, folder: Path) -> None:
    """Fill ``folder`` with a copy of the workspace ``market``, and with what befalls one: another
    release, an experiment that ran, rows that were refused, and names nobody would choose."""
    workspace = Workspace(folder / "workspace")
    shutil.copytree(market, workspace.root)
    offers = [
        {"offer_id": name, "kind": "content", "valid_from": "2020-01-01T00:00:00Z"}
        for name in HOSTILE
    ]
    ingest_rows(workspace, "offers", offers, "shop")
    _refused(workspace, folder / "late events.csv")
    first = current(workspace.releases) or ""  # published by whoever made the market
    built = build_release(workspace, as_of, [PushFile(_push(as_of), ())], silent)
    publish_release(workspace, built.release_id)
    arms = (EXPERIMENT.arms[0], Arm("challenger", 0.4, "release", release=first))
    measured(workspace, replace(EXPERIMENT, arms=(*arms, EXPERIMENT.arms[2])))
    for made in refresh(workspace, INSIGHTS, as_of, silent):
        if made.error is not None:
            raise made.error
    with Log.of(workspace) as log:
        for role in ROLES:
            Users(log).add(role, role, PASSWORD, datetime.now(UTC))


def _push(as_of: datetime) -> Push:
    """A push ahead that carries the offers of those names, and has one of them."""
    return Push.from_json(
        {
            "push_id": f"night {SCRIPT}", "channel": "push", "offer_ids": list(HOSTILE),
            "send_at": (as_of + timedelta(days=2)).isoformat(), "max_audience": 100,
        }
    )  # fmt: skip


def _refused(workspace: Workspace, path: Path) -> None:
    """Events of a file in which half of the rows do not say in which time zone they happened, and
    others are of a type that there is not."""
    rows: list[Mapping[str, Any]] = [
        {
            "event_id": f"late-{number}", "member_id": HOSTILE[number % 4],
            "type": "view" if number % 3 else "blinked", "occurred_at": "2026-05-01T10:00:00",
        }
        for number in range(9)
    ]  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    ingest(workspace, "events", [path])
