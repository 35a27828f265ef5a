"""What campaigns changed that were not sent at random: a readout that rather says nothing.

The data: for each unit (a household, a member) and campaign, whether the unit got the campaign, and
an amount over equal stretches of time before and after its start. Campaigns go to the units that
were thought worth it, so the two groups differ from the beginning. Two figures suggest themselves
and are both wrong:

- *After, treated less untreated*: mostly the difference that was there before.
- *The same, adjusted for the amount before* (a regression of after on treated and before, or a
  match on it). The amount before is a noisy picture of what a unit usually spends. Of two units
  with equal amounts before, the one that was chosen usually spends more and had a weak month; the
  other had a strong one. Afterwards both return to what is usual for them, and that regression to
  the mean passes for an effect. On 2,500 households and 30 campaigns of The Complete Journey, to
  which big spenders were chosen, it shows +36; adjusted also for what the household spends before
  other campaigns, nothing is left of it.

The readout takes what the treated changed more than the untreated of the same campaign
(differences in differences). It is the effect if both groups would have changed alike without the
campaign: not if units were chosen *for* an unusual stretch, or were growing anyway. Where the
groups differ from the beginning, that has to be shown by placebos: differences of the same kind
where the campaign cannot have had a part. Without a placebo that could have shown a fault, or with
one that shows it, the answer is "cannot say".

Source: differences in differences and its assumption: Angrist and Pischke, Mostly Harmless
Econometrics, 2009, chapter 5; errors clustered both ways: Cameron, Gelbach and Miller, JBES 29,
2011; units chosen for a bad stretch: Ashenfelter, Review of Economics and Statistics 60, 1978.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError

LEAST_UNITS = 30  # on either side
BALANCED = 0.1  # standardised difference before, up to which the groups count as alike
UNBALANCED = 0.25  # and from which on they never do, however few units make it uncertain
LEAST_OVERLAP = 0.75  # share of the treated among whose like there are untreated ones
_PLACEBO_P = 0.05  # a placebo less likely than this by chance shows a fault
_POWER = 2.0  # a placebo says something if its error is at most so many times the effect's
_TAIL = 0.005


@dataclass(frozen=True, eq=False)
class Panel:
    """One row for each unit and campaign; (n,) each.

    unit, campaign: numbers from 0. treated: whether the unit got the campaign.
    before, after: amounts over equal stretches of time before and after the campaign's start.
    earlier: the amount over such a stretch before ``before``; None where it is not known.
    """

    unit: NDArray[np.int64]
    campaign: NDArray[np.int64]
    treated: NDArray[np.bool_]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    earlier: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name in ("before", "after", "earlier"):
            values = getattr(self, name)
            if values is not None and not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                raise ExperimentError(f"{name} of row {row} is {values[row]}, wanted a number")
        pairs = np.stack([self.unit, self.campaign])
        if np.unique(pairs, axis=1).shape[1] < len(self.unit):
            raise ExperimentError("a unit stands twice in one campaign, wanted one row for each")

    def part(self, rows: NDArray[np.bool_]) -> Panel:
        """Some of the rows."""
        return Panel(
            self.unit[rows],
            self.campaign[rows],
            self.treated[rows],
            self.before[rows],
            self.after[rows],
            None if self.earlier is None else self.earlier[rows],
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much more one group changed than the other.

    error: the largest of the standard errors clustered by unit, by campaign, and by both.
    """

    mean: float
    error: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class PanelCheck:
    """passed: None where the data cannot tell. found: what was seen, in words."""

    name: str
    passed: bool | None
    found: str


@dataclass(frozen=True, slots=True)
class CannotSay:
    """No effect can be told from these data."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CampaignReadout:
    """The answer and what it rests on.

    answer: change of the amount by a campaign, per unit that got it; or why that cannot be said.
    units, campaigns: over how many. treated: unit and campaign pairs that got one.
    """

    answer: Difference | CannotSay
    checks: tuple[PanelCheck, ...]
    units: int
    campaigns: int
    treated: int

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        if isinstance(self.answer, CannotSay):
            return f"cannot say: {'; '.join(self.answer.reasons)}"
        effect = self.answer
        told = f"{effect.mean:.2f} (SE {effect.error:.2f}, 95 % interval {effect.low:.2f} to "
        told += f"{effect.high:.2f}) per unit and campaign"
        if not effect.low <= 0 <= effect.high:
            return told
        near = "about 0" if abs(effect.mean) <= effect.error else "cannot be told from 0"
        return f"{near}: {told}"


def campaign_readout(panel: Panel) -> CampaignReadout:
    """What the campaigns of ``panel`` changed, or why that cannot be said.

    Campaigns that everybody or nobody of the panel got are left out.
    """
    compared = panel.part(_both_sides(panel))
    units = len(np.unique(compared.unit))
    campaigns = len(np.unique(compared.campaign))
    reasons = _too_little(compared)
    if reasons:
        return CampaignReadout(
            CannotSay(reasons), (), units, campaigns, int(compared.treated.sum())
        )
    effect = difference(compared, compared.after - compared.before)
    checks = _checks(compared, effect)
    reasons = tuple(f"{check.name}: {check.found}" for check in checks if check.passed is False)
    answer = CannotSay(reasons) if reasons else effect
    return CampaignReadout(answer, checks, units, campaigns, int(compared.treated.sum()))


def difference(panel: Panel, change: NDArray[np.float64]) -> Difference:
    """By how much more (n,) ``change`` is for the treated than for the untreated, by campaign.

    Campaigns count by how many they treated. Each has to have both sides.
    """
    from scipy.stats import t as student

    treated = panel.treated.astype(np.float64)
    campaign = np.unique(panel.campaign, return_inverse=True)[1]
    n_treated = np.bincount(campaign, weights=treated)
    n_untreated = np.bincount(campaign, weights=1 - treated)
    level = np.bincount(campaign, weights=(1 - treated) * change) / n_untreated
    above = change - level[campaign]
    mean = float(treated @ above / treated.sum())
    # What each row adds to the estimate, beyond its mean.
    weight = (n_treated / n_untreated)[campaign] * (1 - treated)
    part = (treated * (above - mean) - weight * above) / treated.sum()
    error, freedom = _clustered(part, panel.unit, campaign)
    wide = float(student.ppf(0.975, freedom)) * error
    p = float(2 * student.sf(abs(mean) / error, freedom)) if error > 0 else 1.0
    return Difference(mean, error, mean - wide, mean + wide, p)


def _clustered(
    part: NDArray[np.float64], unit: NDArray[np.int64], campaign: NDArray[np.int64]
) -> tuple[float, int]:
    """The largest standard error of a sum of ``part``, and its degrees of freedom."""
    unit = np.unique(unit, return_inverse=True)[1]
    units, campaigns = int(unit.max()) + 1, int(campaign.max()) + 1
    by_unit = float((np.bincount(unit, weights=part) ** 2).sum()) * units / max(units - 1, 1)
    if campaigns == 1:
        return float(np.sqrt(by_unit)), units - 1
    by_campaign = float((np.bincount(campaign, weights=part) ** 2).sum())
    by_campaign *= campaigns / (campaigns - 1)
    both = by_unit + by_campaign - float((part**2).sum())
    widest = max(by_unit, by_campaign, both)
    return float(np.sqrt(widest)), (units if widest == by_unit else campaigns) - 1


def _both_sides(panel: Panel) -> NDArray[np.bool_]:
    if not len(panel.unit):
        return np.zeros(0, dtype=bool)
    count = np.bincount(panel.campaign)
    treated = np.bincount(panel.campaign, weights=panel.treated)
    return np.asarray(((treated > 0) & (treated < count))[panel.campaign])


def _too_little(panel: Panel) -> tuple[str, ...]:
    reasons = []
    for side, rows in (("got a campaign", panel.treated), ("were left out of one", ~panel.treated)):
        units = len(np.unique(panel.unit[rows]))
        if units < LEAST_UNITS:
            reasons.append(f"{units} units {side}, wanted at least {LEAST_UNITS} on either side")
    if not reasons and np.ptp(panel.after - panel.before) == 0:
        reasons.append("the amounts of all units changed alike: nothing varies")
    return tuple(reasons)


def _checks(panel: Panel, effect: Difference) -> tuple[PanelCheck, ...]:
    apart = _apart(panel)
    # Chance alone sets small groups apart.
    alike = abs(apart) <= min(UNBALANCED, max(BALANCED, 2 * _apart_by_chance(panel)))
    checks = [_overlap(panel)]
    placebos = [
        _placebo("placebo, unusual stretch", _against_other_stretches(panel), effect),
        _placebo("placebo, windows without a campaign", _left_out(panel), effect),
    ]
    if panel.earlier is not None:
        before = difference(panel, panel.before - panel.earlier)
        placebos.append(_placebo("placebo, the stretch before", before, effect))
    found = f"before it, the treated stood {apart:.2f} standard deviations apart"
    # Groups that are alike need no proof; others need one that choice had nothing to do with time.
    shown = alike or any(placebos[i].passed for i in range(len(placebos)) if i != 1)
    if not shown:
        found += ", and no placebo could show that they would have changed alike"
    balance = PanelCheck("balance before the campaign", shown, found)
    return (balance, *checks, *placebos)


def _apart(panel: Panel) -> float:
    """Standardised difference of the amount before, treated less untreated."""
    campaign = np.unique(panel.campaign, return_inverse=True)[1]
    mean = np.bincount(campaign, weights=panel.before) / np.bincount(campaign)
    inside = panel.before - mean[campaign]
    treated, untreated = inside[panel.treated], inside[~panel.treated]
    spread = np.sqrt((treated.var() + untreated.var()) / 2)
    gap = float(treated.mean() - untreated.mean())
    return gap / float(spread) if spread > 0 else (0.0 if gap == 0 else float("inf"))


def _apart_by_chance(panel: Panel) -> float:
    """Standard error of ``_apart`` where units are drawn."""
    sides = (panel.unit[panel.treated], panel.unit[~panel.treated])
    return float(np.sqrt(sum(1 / len(np.unique(side)) for side in sides)))


def _overlap(panel: Panel) -> PanelCheck:
    inside = 0.0
    for campaign in np.unique(panel.campaign):
        mine = panel.campaign == campaign
        others = panel.before[mine & ~panel.treated]
        low, high = np.quantile(others, [_TAIL, 1 - _TAIL])
        values = panel.before[mine & panel.treated]
        inside += float(((values >= low) & (values <= high)).sum())
    share = inside / float(panel.treated.sum())
    found = f"{share:.1%} of the treated have untreated ones like them before the campaign"
    return PanelCheck("overlap", share >= LEAST_OVERLAP, found)


def _placebo(name: str, found: Difference | None, effect: Difference) -> PanelCheck:
    if found is None:
        return PanelCheck(name, None, "the data have nothing to make it of")
    told = f"{found.mean:.2f} (SE {found.error:.2f}) where a campaign can have changed nothing"
    if found.p < _PLACEBO_P:
        return PanelCheck(name, False, told)
    if found.error > _POWER * effect.error:
        return PanelCheck(name, None, f"{told}: too uncertain to show a fault")
    return PanelCheck(name, True, told)


def _against_other_stretches(panel: Panel) -> Difference | None:
    """How unusual the stretch before was for the treated, beside their other stretches before.

    Stretches before other campaigns tell what is usual for a unit. None with too few of them.
    """
    unit = np.unique(panel.unit, return_inverse=True)[1]
    times = np.bincount(unit)[unit]
    # One other stretch may be the same in other words, or overlap with this one.
    if np.median(times) < 3:
        return None
    rows = times >= 3
    total = np.bincount(unit, weights=panel.before)[unit]
    usual = (total - panel.before) / np.maximum(times - 1, 1)
    return _difference_of(panel, rows, panel.before - usual)


def _left_out(panel: Panel) -> Difference | None:
    """Where units got nothing: the change of those that got other campaigns beside the rest."""
    chosen = np.isin(panel.unit, panel.unit[panel.treated])
    aside = Panel(panel.unit, panel.campaign, chosen, panel.before, panel.after)
    return _difference_of(aside, ~panel.treated, panel.after - panel.before)


def _difference_of(
    panel: Panel, rows: NDArray[np.bool_], change: NDArray[np.float64]
) -> Difference | None:
    """``difference`` on some rows; None where they are too few, or do not vary."""
    some = panel.part(rows)
    both = _both_sides(some)
    compared, change = some.part(both), change[rows][both]
    if _too_little(compared) or np.ptp(change) == 0:
        return None
    return difference(compared, change)
