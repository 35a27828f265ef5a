"""What an analysis of growing demand finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Need:
    """A category at a price.

    band: from 1, the cheapest fifth of what members look at, to 5; 0 = no price is known.
    low, high: the prices looked at in the band, currency; None without any.
    """

    category: str
    band: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who wants it. All counts are members.

    members: in either window. before, now: in the earlier, the later window.
    judged: of ``now``, those with 14 days left to buy. Each of them ``bought``; or found
    ``no_item`` of the band for sale; or ``no_stock`` of those there were; or had something and did
    not buy (``not_bought``).
    unmet_share: of the judged, those without item or stock, pulled to ``mean_unmet``, that of all
    cells; None where it cannot be told.
    """

    members: int
    before: int
    now: int
    judged: int
    bought: int
    no_item: int
    no_stock: int
    not_bought: int
    unmet_share: float | None
    mean_unmet: float | None

    @property
    def unmet(self) -> int:
        return self.no_item + self.no_stock


@dataclass(frozen=True, slots=True)
class Growth:
    """beyond: growth of the cell over that of all demand, pulled to 1.

    low, high: its 90 % interval. p: one-sided; adjusted_p: by Benjamini and Hochberg over all
    cells tested.
    """

    beyond: float
    low: float
    high: float
    p: float
    adjusted_p: float


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would serve it. Money in the workspace's currency.

    wanted_low, wanted_high: the prices that members look at.
    for_sale, in_stock: items of the band on the last day. items_before, items_now: items that
    anybody wanted in the earlier, the later window; items_gone: of the former, those that nobody
    wants now. Where there are purchases alone, that is all that tells of what was for sale.
    nearest_band: the nearest band of the category with an item in stock that day, None = none;
    nearest_low, nearest_high: what its items cost; nearest_items: how many.
    margin: of one order. at_stake: margin if as many of the unmet members of ``now`` bought one as
    do where the category serves them; None where unmet members cannot be told.
    """

    wanted_low: float | None
    wanted_high: float | None
    for_sale: int
    in_stock: int
    items_before: int
    items_now: int
    items_gone: int
    nearest_band: int | None
    nearest_low: float | None
    nearest_high: float | None
    nearest_items: int
    margin: float
    at_stake: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One segment's growing need.

    rank: from 1. segment: name to value. score: what the order goes by.
    sample: a few members who want it now and, where that can be told, go without.
    """

    rank: int
    segment: Mapping[str, str]
    need: Need
    evidence: Evidence
    growth: Growth
    remedy: Remedy
    score: float
    sample: tuple[str, ...]

    def with_sample(self, members: tuple[str, ...]) -> Finding:
        return replace(self, sample=members)


@dataclass(frozen=True, slots=True)
class DemandReport:
    """Growing demand as known at ``as_of``.

    start, split: the earlier window is from start to split, the later one from split to ``as_of``.
    segments: what members are told apart by, as of ``start``.
    cannot_say: why there is no answer at all; empty = there is one.
    unmet_cannot_say: why nobody can tell who goes without; the findings then grow, and no more.
    shop_growth: all demand, later over earlier. tested: cells with 50 members or more. growing: of
    these, with an adjusted p of at most 5 %.
    newcomers: members with a need who were not known at ``start``; they are in no segment.
    findings: best first; at most as many as asked for. found: how many there are.
    notes: what limits the answer.
    """

    as_of: datetime
    start: datetime
    split: datetime
    window_days: int
    segments: tuple[str, ...]
    cannot_say: str
    unmet_cannot_say: str = ""
    shop_growth: float | None = None
    mean_unmet: float | None = None
    tested: int = 0
    growing: int = 0
    newcomers: int = 0
    found: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: moments as ISO 8601, no number that is none."""
        document = asdict(self)
        for name in ("as_of", "start", "split"):
            document[name] = document[name].isoformat()
        return _plain(document)  # type: ignore[no-any-return]  # a mapping stays one


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value
