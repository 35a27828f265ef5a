"""What a push would truly do. For evaluation only: nothing that learns or decides may read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from training.errors import TrainingError
from training.market.valuation import KINDS

FOLDER = "truth"
_KIND = "market-truth"
_GAPS = "gaps.json"


@dataclass(frozen=True, slots=True)
class PushTruth:
    """The truth about one push to be planned: n members, m offers.

    Expectations over everything that the simulation has not drawn yet at send time, given the
    members' latent states; money in currency units, over the push's attribution window.

    p_if_not, p_if_sent: probability of any purchase, (n,) and (n, m).
    expected_gain: margin if sent − margin if not − contact cost − redemption cost, (n, m).
    expected_cost: contact + coupon + redemption cost, (n, m): what a budget is spent on.
    kind: row in ``KINDS`` (n, m): lost, persuaded, sure, put_off.
    reachable: consents to pushes and has not unsubscribed, (n,).
    browsed_recently: viewed, searched or put into the cart something of the push's place in the
        30 days before it: the hand-written rule, as the clickstream shows it.
    shares_taste: the place is to the member's taste, whether or not it was browsed.
    """

    push_id: str
    offer_ids: tuple[str, ...]
    member_ids: NDArray[np.str_]
    p_if_not: NDArray[np.float64]
    p_if_sent: NDArray[np.float64]
    expected_gain: NDArray[np.float64]
    expected_cost: NDArray[np.float64]
    kind: NDArray[np.int8]
    reachable: NDArray[np.bool_]
    browsed_recently: NDArray[np.bool_]
    shares_taste: NDArray[np.bool_]

    def gain(self, chosen: NDArray[np.int64]) -> float:
        """Expected gain of a policy. ``chosen``: offer column per member, -1 for no send."""
        return _picked(self.expected_gain, chosen)

    def cost(self, chosen: NDArray[np.int64]) -> float:
        """Expected cost of a policy, as in ``gain``."""
        return _picked(self.expected_cost, chosen)

    def are(self, kind: str) -> NDArray[np.bool_]:
        """(n, m) whether member and offer are of ``kind``, one of ``KINDS``."""
        of_kind: NDArray[np.bool_] = self.kind == KINDS.index(kind)
        return of_kind


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth about every push of a market that is still to be planned."""

    pushes: tuple[PushTruth, ...]

    def of(self, push_id: str) -> PushTruth:
        """The truth about one push.

        Raises:
            TrainingError: the market knows no truth about it, as about pushes of the past.
        """
        for push in self.pushes:
            if push.push_id == push_id:
                return push
        known = ", ".join(push.push_id for push in self.pushes)
        raise TrainingError(f"no truth about push {push_id!r}; there is one about: {known}")


@dataclass(frozen=True, slots=True)
class Gap:
    """Demand that was made to grow in the last eight weeks.

    segment: whose, by name; as members stood 16 weeks before the end. category: of what.
    low, high: at what price, currency. wanting: members who want it anyway. growth: those and the
    new ones over those. served: whether it is for sale; where not, this is a gap.
    """

    segment: Mapping[str, str]
    category: str
    low: float
    high: float
    wanting: int
    growth: float
    served: bool


def load_gaps(folder: Path) -> tuple[Gap, ...]:
    """What was sown into the market in ``folder``; empty where it was made without gaps."""
    path = folder / FOLDER / _GAPS
    if not path.exists():
        return ()
    return tuple(Gap(**gap) for gap in json.loads(path.read_text(encoding="utf-8")))


def save_gaps(folder: Path, gaps: Sequence[Gap]) -> None:
    text = json.dumps([asdict(gap) for gap in gaps], indent=1)
    (folder / FOLDER / _GAPS).write_text(text, encoding="utf-8")


def load(folder: Path) -> Truth:
    """The truth of the market in ``folder``, as given to ``make_market``.

    Raises:
        TrainingError: ``folder`` holds no market.
        ArtifactError: its files are damaged.
    """
    pushes = sorted(path for path in (folder / FOLDER).glob("*") if path.is_dir())
    if not pushes:
        raise TrainingError(f"{folder} holds no synthetic market; make one with make_market")
    return Truth(tuple(_load(push) for push in pushes))


def save_part(folder: Path, part: int, block: PushTruth) -> None:
    """Write the truth about a block of members; ``load`` joins the parts of a push in order."""
    arrays = {field.name: getattr(block, field.name) for field in fields(block)[2:]}
    head = {"push_id": block.push_id, "offer_ids": list(block.offer_ids)}
    Artifact(_KIND, head, arrays).save(folder / FOLDER / block.push_id / f"{part:04d}")


def _load(push: Path) -> PushTruth:
    parts = [Artifact.load(part, _KIND) for part in sorted(push.iterdir())]
    head = parts[0].config
    arrays = {name: np.concatenate([p.arrays[name] for p in parts]) for name in parts[0].arrays}
    return PushTruth(head["push_id"], tuple(head["offer_ids"]), **arrays)


def _picked(values: NDArray[np.float64], chosen: NDArray[np.int64]) -> float:
    rows = np.flatnonzero(chosen >= 0)
    return float(values[rows, chosen[rows]].sum())
