"""What ``benchmarks.dashboard`` looks at: a workspace in which pages have much to show.

Made as their commands make them: features, models, releases, prepared documents, an experiment's
readout and rows in quarantine, all of a small synthetic market; and decisions and the plan of a
whole audience, of the enlarged release. Made up to size: the release's snapshot and the evidence
that rules are judged by (the small ones again and again), and the Parquet files of the events.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.serving_release import enlarged
from console.release import build_release, publish_release
from decisions.catalogue import Push
from experiments.assignment import Allocation
from experiments.design import Analysis, Arm, Experiment
from features.ingest.load import ingest, ingest_rows
from features.progress import silent
from features.snapshot import Snapshot
from features.workspace import Workspace, open_workspace
from models.evidence import Evidence
from models.keys import trainer_key
from models.lifetime_values import FOLDER as CLV
from models.lifetime_values import LifetimeValues
from models.manifest import MANIFEST, Manifest
from serving.court import FOLDER
from serving.experiment_audit import Change
from serving.experiments import Book
from serving.log import Log
from serving.release import golden, seal
from training.market.config import MarketConfig
from training.market.make import make_market
from training.propensity import train_propensity
from training.recommender import train_recommender
from training.response import train_response
from training.tracking import promote

RELEASE = "large"
_BY_HAND = "by hand: a market this small does not promise to pass every gate"
_REFUSED = 20_000
EXPERIMENT = Experiment(
    "spring-test",
    (Arm("champion", 0.4, "champion"), Arm("rule", 0.4, "rule", rule="orders_365d >= 1",
     offer="ten"), Arm("nobody", 0.2, "holdout")),
    control="champion",
    analysis=Analysis(window_days=14, days=28, looks=4),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """learned: members of the market that everything is learned on. members: of the release.
    decided: pushes that every member was decided in. evidence: past decisions that rules are
    judged by."""

    learned: int
    members: int
    events: int
    decided: int
    evidence: int


def learned(root: Path, size: Size, demo: Path | None) -> tuple[Workspace, datetime]:
    """A small market with all models trained and a release published, and its last moment.

    demo: a workspace of `pushwise demo`, of which a copy is taken; None to learn a market here.
    """
    as_of = MarketConfig(size.learned).history_end
    if demo is None:
        workspace = _of_a_market(root, MarketConfig(size.learned))
    else:
        workspace = demo_copy(root, demo)
    _refused(workspace, root / "late.csv")
    train_propensity(workspace, as_of, seed=1)  # another version, to be compared with
    publish_release(workspace, build_release(workspace, as_of, [], silent).release_id)
    return workspace, as_of


def demo_copy(root: Path, demo: Path) -> Workspace:
    """Not with its log and what belongs to that: a copy begins its own."""
    aside = shutil.ignore_patterns("serving", "audiences")
    shutil.copytree(demo, root / "workspace", ignore=aside)
    return open_workspace(root / "workspace")


def _of_a_market(root: Path, config: MarketConfig) -> Workspace:
    workspace = open_workspace(root / "workspace")
    market = make_market(root / "market", config, silent)
    for table, files in market.tables.items():
        ingest(workspace, table, list(files))
    for train in (train_propensity, train_recommender, train_response):
        trained = train(workspace, config.history_end)
        if not trained.promoted:
            promote(workspace, trained.name, trained.version, _BY_HAND)
    return workspace


def _refused(workspace: Workspace, path: Path) -> None:
    """Rows without a time zone, more than a page counts itself."""
    rows = (f"late-{n},m{n:07d},view,2026-05-01T10:00:00\n" for n in range(_REFUSED))
    path.write_text("event_id,member_id,type,occurred_at\n" + "".join(rows))
    ingest(workspace, "events", [path])


def experiment(workspace: Workspace, as_of: datetime, members: Sequence[str]) -> None:
    """An experiment that these members are in, half of its days ago: who was decided, and sales."""
    start = as_of - timedelta(days=EXPERIMENT.analysis.days)
    with Log.of(workspace) as log:
        Book(log).create(EXPERIMENT, Change(start - timedelta(days=1), "key"))
        Book(log).start(EXPERIMENT.experiment_id, Change(start, "key"))
    shares = {arm.name: arm.share for arm in EXPERIMENT.arms}
    allocation = Allocation.of(shares)
    places = allocation.arms_of(EXPERIMENT.experiment_id, list(members)).tolist()
    arms = [allocation.names[place] for place in places]
    rows = [_decision(*one, start) for one in zip(members, arms, strict=True)]
    ingest_rows(workspace, "decisions", rows, "decisions")
    sales = [_sale(*one, start) for one in zip(members, arms, strict=True)]
    ingest_rows(workspace, "events", sales, "sales")
    offer = {"offer_id": "ten", "kind": "amount_off", "contact_cost": "0.1"}
    ingest_rows(workspace, "offers", [offer], "offers")


def _decision(member: str, arm: str, start: datetime) -> dict[str, Any]:
    when = start + timedelta(days=sum(member.encode()) % 10, minutes=1)
    return {
        "decision_id": f"d{member}", "push_id": "spring", "member_id": member, "arm": arm,
        "offer_id": None if arm == "nobody" else "ten", "probability": 0.4,
        "decided_at": when.isoformat(), "experiment": EXPERIMENT.experiment_id,
    }  # fmt: skip


def _sale(member: str, arm: str, start: datetime) -> dict[str, Any]:
    price = 10 + sum(member.encode()) % 7 + (10 if arm == "champion" else 0)
    return {
        "event_id": f"s{member}", "member_id": member, "type": "purchase", "unit_price": price,
        "margin": price, "occurred_at": (start + timedelta(days=11)).isoformat(),
    }  # fmt: skip


def enlarge(workspace: Workspace, release_id: str, size: Size) -> None:
    """Publish a release of so many members; its push may spend and reach as much more."""
    draft = workspace.releases / f".{RELEASE}"
    shutil.copytree(workspace.releases / release_id, draft)
    manifest = Manifest.from_json((draft / MANIFEST).read_text(encoding="utf-8"))
    (draft / MANIFEST).unlink()
    small = Snapshot.load(draft / "snapshot")
    large = enlarged(replace(small, values=np.array(small.values)), size.members)
    large.save(draft / "snapshot")
    if (draft / CLV).is_dir():
        rows = np.arange(size.members) % len(small.member_ids)
        LifetimeValues.load(draft / CLV).of_rows(rows).save(draft / CLV)
    _more_evidence(draft / FOLDER, size.evidence)
    pushes = _pushes(draft, size, size.members / len(small.member_ids))
    asked = [large.member_ids[row].decode() for row in range(0, size.members, size.members // 16)]
    request = {"push_id": pushes[0].push_id, "at": large.as_of.isoformat(), "member_ids": asked}
    (draft / "golden.json").write_text(json.dumps(golden(draft, [request])))
    seal(draft, RELEASE, large.as_of, manifest.models, trainer_key(workspace.keys))
    draft.rename(workspace.releases / RELEASE)
    publish_release(workspace, RELEASE)


def _pushes(draft: Path, size: Size, times: float) -> list[Push]:
    """The first push so many times larger, and others like it, at the same prices."""
    first = Push.from_json(_json(draft / "pushes.json")[0])
    budget = None if first.budget is None else times * first.budget
    most = None if first.max_audience is None else int(times * first.max_audience)
    pushes = [
        replace(first, push_id=f"{first.push_id}{copied(number)}", budget=budget, max_audience=most)
        for number in range(size.decided)
    ]
    prices = _json(draft / "prices.json")[first.push_id]
    (draft / "pushes.json").write_text(json.dumps([push.to_json() for push in pushes]))
    (draft / "prices.json").write_text(json.dumps({push.push_id: prices for push in pushes}))
    return pushes


def copied(number: int) -> str:
    """What the name of the push of that number ends with."""
    return f"-{number}" if number else ""


def _more_evidence(folder: Path, rows: int) -> None:
    """The decisions again and again, those of each round of other members."""
    found = Evidence.load(folder)
    at = np.arange(max(rows, len(found))) % len(found)
    rounds = np.arange(len(at), dtype=np.int32) // len(found)
    of_decisions: dict[str, Any] = {
        name: getattr(found, name)[at]
        for name in ("moment", "push", "sent", "probability", "gain", "conversions", "values",
                     "gain_in_scope", "conversions_in_scope", "predicted", "converted",
                     "predicted_conversions", "converted_in_scope")
    }  # fmt: skip
    member = found.member[at] + rounds * (int(found.member.max()) + 1)
    replace(found, member=member, **of_decisions).save(folder)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_events(workspace: Workspace, size: Size) -> Path:
    """So many events over two years, evenly over the members."""
    path = workspace.tables / "events" / "bulk.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT
                'b' || range AS event_id,
                'm' || lpad((hash(range) % {size.members})::VARCHAR, 7, '0') AS member_id,
                ['view', 'search', 'add_to_cart', 'purchase'][1 + (hash(range, 1) % 4)::BIGINT]
                    AS type,
                TIMESTAMPTZ '2024-06-01 00:00:00+00'
                    + to_seconds((hash(range, 2) % 63072000)::BIGINT) AS occurred_at,
                ((hash(range, 3) % 10000) / 100)::DECIMAL(18, 4) AS unit_price
            FROM range({size.events})) TO '{path}'"""
        )
    return path


def kept_readout(path: Path, document: Mapping[str, Any]) -> None:
    """A readout as one of this moment, where a page may ask for it."""
    path.write_text(json.dumps({**document, "as_of": datetime.now(UTC).isoformat()}))
