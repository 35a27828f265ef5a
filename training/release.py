"""Put together everything that serving needs: models, snapshot, catalogue, policy, prices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import ibis
import numpy as np

from decisions.catalogue import Offer, Push
from decisions.contacts import Contacts
from decisions.decide import Ask
from decisions.gain import Estimator
from decisions.members import Members
from decisions.plan import plan
from decisions.policy import Policy, Prices
from decisions.send_time import ActiveHours
from features.build import build_features
from features.moments import known, seen_at
from features.progress import Progress, silent
from features.snapshot import Snapshot
from features.store import apply, export_snapshot
from features.tables import MONEY, Tables, opened
from features.tombstones import Tombstones
from features.workspace import Workspace
from models.estimator import load_estimator
from models.forget import forget_members, known_members, named_models
from models.lifetime_values import FOLDER as CLV
from models.manifest import TrackedVersion
from models.prior import PriorResponse
from models.propensity import Propensity
from models.response import ResponseModel
from training.catalogue import categories, offers_as_of, pushes_from, with_categories
from training.contact_history import contact_history, save_contacts
from training.errors import TrainingError
from training.lifetime_values import lifetime_values
from training.rule_evidence import FOLDER
from training.tracking import champion

STAGE = "release"
GOLDEN_MEMBERS = 16
_MODELS = ("response", "propensity", "recommender")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a release is to hold beside the champions of the registry.

    as_of: the moment whose knowledge the snapshot shows.
    pushes, offers: added to those of the workspace's tables; the same id takes their place.
    prior_log_odds: assumed effect where no response model was trained (``PriorResponse``).
    """

    as_of: datetime
    policy: Policy
    pushes: tuple[Push, ...] = ()
    offers: tuple[Offer, ...] = ()
    prior_log_odds: float = 0.15


@dataclass(frozen=True, slots=True)
class Assembled:
    """models: which registered versions went in. golden: requests whose answers are pinned.

    evidence: what the estimates rest on, of ``decisions.gain.EVIDENCE``.
    """

    models: Mapping[str, TrackedVersion]
    golden: Sequence[Mapping[str, Any]]
    evidence: str
    pushes: tuple[str, ...]
    members: int


def assemble(
    workspace: Workspace, contents: Contents, folder: Path, progress: Progress = silent
) -> Assembled:
    """Write a release into the empty ``folder``; it is still to be sealed.

    Raises:
        TrainingError: no model was trained, no push lies ahead, or a push names an unknown offer.
        RuleError: a rule of a push or an offer names an unknown feature.
    """
    # What is missing is told before anything is built: features of many members take minutes.
    _check_champions(workspace)
    with opened(workspace) as tables:
        pushes, offers = _catalogue(tables, contents)
    build_features(workspace, [contents.as_of], progress)
    apply(workspace)
    snapshot = export_snapshot(workspace, contents.as_of, progress)
    snapshot.save(folder / "snapshot")
    with opened(workspace) as tables:
        models = _models(workspace, tables, contents, folder)
        worth = lifetime_values(workspace, tables, snapshot)
        contacts = contact_history(tables, snapshot, contents.policy.caps, contents.as_of)
        _write(folder / "items.json", categories(tables, contents.as_of))
    save_contacts(contacts, folder / "contacts")
    if worth is not None:
        models[CLV], of_members = worth
        of_members.save(folder / CLV)
    estimator = load_estimator(folder)
    crowd = Crowd.of(snapshot, contacts)
    prices = {}
    for number, push in enumerate(pushes):
        prices[push.push_id] = _prices(push, offers, crowd, contents.policy, estimator)
        progress(STAGE, number + 1, len(pushes))
    _write(folder / "hours.json", crowd.hours.to_json())
    _write(folder / "pushes.json", [push.to_json() for push in pushes])
    _write(folder / "offers.json", [offer.to_json() for offer in offers.values()])
    _write(folder / "policy.json", contents.policy.to_json())
    _write(folder / "prices.json", {name: price.to_json() for name, price in prices.items()})
    return Assembled(
        models,
        _golden(pushes, snapshot, contents.as_of),
        estimator.grade if isinstance(estimator, ResponseModel) else "prior",
        tuple(push.push_id for push in pushes),
        len(snapshot.member_ids),
    )


def _check_champions(workspace: Workspace) -> None:
    if all(champion(workspace, name) is None for name in ("response", "propensity")):
        raise TrainingError(
            "no response model and no propensity serves, so there is nothing to release: "
            "run `pushwise train`, or make one of the versions that `pushwise models list` "
            "shows the champion by hand with `pushwise models promote NAME VERSION --reason WHY`"
        )


def _catalogue(tables: Tables, contents: Contents) -> tuple[tuple[Push, ...], dict[str, Offer]]:
    offers = offers_as_of(tables, contents.as_of)
    category = categories(tables, contents.as_of)
    offers |= {offer.offer_id: with_categories(offer, category) for offer in contents.offers}
    ahead = {push.push_id: push for push in pushes_from(tables, contents.as_of)}
    ahead |= {push.push_id: push for push in contents.pushes}
    if not ahead:
        raise TrainingError(
            f"no push is to be sent at or after {contents.as_of.isoformat()}: "
            "ingest one into pushes, or give --push FILE.toml"
        )
    for push in ahead.values():
        missing = [offer_id for offer_id in push.offer_ids if offer_id not in offers]
        if missing:
            raise TrainingError(
                f"push {push.push_id!r} names offer {missing[0]!r}, which is not in the offers "
                "table; ingest it, or describe it under [[offers]] in the push's file"
            )
    return tuple(ahead.values()), offers


def _models(
    workspace: Workspace, tables: Tables, contents: Contents, folder: Path
) -> dict[str, TrackedVersion]:
    """Copy the champions into ``folder``; without a response model, a prior around propensity."""
    versions = {}
    for name in _MODELS:
        found = champion(workspace, name)
        if found is not None:
            versions[name], source = found
            shutil.copytree(source, folder / name)
            if name == "response" and (source.parent / FOLDER).is_dir():
                shutil.copytree(source.parent / FOLDER, folder / FOLDER)
    without_erased(workspace, folder)
    if "response" not in versions:
        propensity = Propensity.load(folder / "propensity")
        mean_order, variation = _orders(tables, contents.as_of)
        conventions = workspace.conventions
        prior = PriorResponse(
            propensity,
            contents.prior_log_odds,
            mean_order,
            conventions.default_margin_rate,
            variation,
            conventions.default_unsubscribe_rate,
        )
        prior.save(folder / "prior")
    return versions


def without_erased(workspace: Workspace, folder: Path) -> None:
    """Take erased members out of the models of a release that is being made: a training may have
    begun before an erasure and ended after it."""
    erased = Tombstones.of(workspace)
    for model in named_models(folder) if erased else ():
        forget_members(model, erased.among(known_members(model)))


def _orders(tables: Tables, as_of: datetime) -> tuple[float, float]:
    """Revenue per order known at ``as_of``, in the workspace's currency, and its standard deviation
    over that mean; 0 each without orders."""
    events = tables.events.mutate(seen_at=seen_at(tables.events))
    bought = known(events, as_of).filter(lambda t: t["type"] == "purchase")
    worth = (bought.quantity.fill_null(1.0) * bought.unit_price.cast("float64")).cast(MONEY)
    orders = bought.group_by(order=ibis.coalesce(bought.order_id, bought.event_id)).agg(
        worth=worth.sum().fill_null(0).cast("float64")
    )
    found = orders.agg(mean=orders.worth.mean(), sd=orders.worth.std(how="pop"))
    told = found.to_pyarrow().to_pylist()[0]
    mean = float(told["mean"] or 0.0)
    return mean, float(told["sd"] or 0.0) / mean if mean > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """All members of a release, as every push asks about them."""

    members: Members
    contacts: Contacts
    hours: ActiveHours

    @classmethod
    def of(cls, snapshot: Snapshot, contacts: Contacts) -> Self:
        members = Members.everybody(
            snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
        )
        return cls(members, contacts, ActiveHours.of(members))


def _prices(
    push: Push, offers: Mapping[str, Offer], crowd: Crowd, policy: Policy, estimator: Estimator
) -> Prices:
    candidates = tuple(offers[offer_id] for offer_id in push.offer_ids)
    ask = Ask(
        push, candidates, crowd.members, policy, Prices(), frozenset(), crowd.contacts, crowd.hours
    )
    return plan(ask, estimator).prices


def _golden(pushes: Sequence[Push], snapshot: Snapshot, as_of: datetime) -> list[dict[str, Any]]:
    """Requests over members spread evenly through the snapshot, and one whom it does not know."""
    count = min(GOLDEN_MEMBERS, len(snapshot.member_ids))
    rows = np.unique(np.linspace(0, len(snapshot.member_ids) - 1, count).astype(int))
    members = [snapshot.member_ids[row].decode() for row in rows] + ["nobody-known-by-this-name"]
    return [
        {"push_id": push.push_id, "at": as_of.isoformat(), "member_ids": members} for push in pushes
    ]


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
