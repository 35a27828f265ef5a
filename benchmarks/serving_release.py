"""A release as a shop has it, for load: response model and recommender learned on a small synthetic
market, pushes of 20 offers with a budget, and 40,000 members."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.market_effects import fitted, prepare
from decisions.caps import Cap
from decisions.catalogue import Offer, Push
from decisions.contacts import Contacts
from decisions.decide import Ask
from decisions.gain import Estimator
from decisions.members import Members
from decisions.plan import plan
from decisions.policy import Policy, Prices
from decisions.send_time import ActiveHours
from features.encoding import Encoding
from features.snapshot import Snapshot
from features.tables import opened
from features.workspace import open_workspace
from models.estimator import load_estimator
from models.keys import PUBLIC, trainer_key
from models.manifest import TrackedVersion
from serving.release import golden, seal
from training.catalogue import categories, offers_as_of
from training.contact_history import save_contacts
from training.graph_filter_fit import GraphSettings, fit_graph_filter
from training.interactions import interactions
from training.market.config import MarketConfig

OFFERS = 20
PUSHES = tuple(f"push{number:02d}" for number in range(8))
_GOLDEN = 16
_SEED = 0


@dataclass(frozen=True, slots=True)
class Size:
    """learned: members of the market that the models learn on. members: of the snapshot."""

    learned: int
    members: int


FULL, QUICK = Size(3_000, 40_000), Size(1_500, 20_000)


@dataclass(frozen=True, slots=True)
class Shop:
    """A sealed release of ``members``, the key file to trust, and the workspace of the market that
    it was ``learned`` on: so many members."""

    folder: Path
    trust: Path
    key: Ed25519PrivateKey
    market: Path
    members: int
    learned: int


def build(root: Path, size: Size) -> Shop:
    """Learn, enlarge and seal, under the empty folder ``root``."""
    config = MarketConfig(members=size.learned, seed=_SEED)
    prepared = prepare(config, root / "market")
    workspace = open_workspace(root / "market" / "workspace")
    draft = root / "release"
    draft.mkdir()
    fitted(prepared.known, _SEED).model.save(draft / "response")
    with opened(workspace) as tables:
        met = interactions(tables, config.history_end)
        offers = offers_as_of(tables, config.history_end)
        _write(draft / "items.json", categories(tables, config.history_end))
    fit_graph_filter(met, GraphSettings()).save(draft / "recommender")
    asked = prepared.ask.members
    encoding = Encoding.load(workspace.features / "encoding.json")
    ids = np.array([member.encode() for member in asked.ids])
    small = Snapshot(asked.as_of, encoding, ids, asked.values)
    large = enlarged(small, size.members)
    large.save(draft / "snapshot")
    _catalogue(draft, large, tuple(offers.values()))
    key = trainer_key(root / "keys")
    seal(draft, "bench-1", large.as_of, {"response": TrackedVersion("bench", "1")}, key)
    return Shop(
        draft,
        root / "keys" / PUBLIC,
        key,
        root / "market" / "workspace",
        size.members,
        size.learned,
    )


def enlarged(small: Snapshot, members: int) -> Snapshot:
    """So many members: those of ``small`` again and again, each with numbers a little different."""
    rows = np.arange(members) % len(small.values)
    values = small.values[rows].copy()
    numbers = [
        column for column, name in enumerate(small.encoding.names)
        if name not in small.encoding.categories and not name.startswith("consent")
    ]  # fmt: skip
    drawn = np.random.default_rng(_SEED).uniform(0.9, 1.1, (members, len(numbers)))
    values[:, numbers] *= drawn.astype(np.float32)
    ids = np.array([f"m{number:07d}".encode() for number in range(members)])
    return Snapshot(small.as_of, small.encoding, ids, values)


def _catalogue(draft: Path, snapshot: Snapshot, known: Sequence[Offer]) -> None:
    """Pushes of 20 offers each, sent tomorrow, at the prices of their plan."""
    step = max(len(known) // OFFERS, 1)
    offers = {offer.offer_id: offer for offer in known[::step][:OFFERS]}
    policy = Policy("benchmark", caps=(Cap("all", 2 * len(PUSHES), days=7),))
    everybody = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    first = Push(
        PUSHES[0], "push", datetime.now(UTC) + timedelta(days=1), tuple(offers),
        budget=0.02 * len(everybody), holdout=0.05, exploration=0.1,
    )  # fmt: skip
    prices = _prices(first, offers, everybody, policy, load_estimator(draft))
    pushes = [replace(first, push_id=push_id) for push_id in PUSHES]
    save_contacts(Contacts.none(), draft / "contacts")
    _write(draft / "hours.json", ActiveHours.of(everybody).to_json())
    _write(draft / "offers.json", [offer.to_json() for offer in offers.values()])
    _write(draft / "pushes.json", [push.to_json() for push in pushes])
    _write(draft / "policy.json", policy.to_json())
    _write(draft / "prices.json", {push_id: prices.to_json() for push_id in PUSHES})
    _write(draft / "experiments.json", [])
    asked = [everybody.ids[row] for row in range(0, len(everybody), len(everybody) // _GOLDEN)]
    request = {"push_id": PUSHES[0], "at": snapshot.as_of.isoformat(), "member_ids": asked}
    _write(draft / "golden.json", golden(draft, [request]))


def _prices(
    push: Push,
    offers: Mapping[str, Offer],
    everybody: Members,
    policy: Policy,
    estimator: Estimator,
) -> Prices:
    ask = Ask(push, tuple(offers.values()), everybody, policy, Prices(), frozenset())
    return plan(ask, estimator).prices


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))
