"""What campaigns changed that were not sent at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.panel import CannotSay, Difference, Panel, campaign_readout, difference

UNITS, CAMPAIGNS = 600, 12


def panel(
    seed: int,
    *,
    effect: float = 0.0,
    chosen_by: str = "usual",
    growth: float = 0.0,
    campaigns: int = CAMPAIGNS,
) -> Panel:
    """Units whose usual amounts differ; campaigns go to a fifth of them.

    chosen_by: their ``usual`` amount, the stretch ``before``, or ``chance``. growth: by which the
    amounts of those with large ones grow from stretch to stretch.
    """
    rng = np.random.default_rng(seed)
    usual = rng.gamma(2, 70, UNITS)
    unit = np.tile(np.arange(UNITS), campaigns)
    campaign = np.repeat(np.arange(campaigns), UNITS)
    grown = growth * (usual > np.quantile(usual, 0.7))[unit]
    earlier, before, after = (
        usual[unit] + stretch * grown + rng.normal(0, 60, len(unit)) for stretch in range(3)
    )
    score = {"usual": usual[unit], "before": before, "chance": np.zeros(len(unit))}[chosen_by]
    noisy = score + rng.normal(0, 120, len(unit))
    cut = [np.quantile(noisy[campaign == one], 0.8) for one in range(campaigns)]
    treated = noisy > np.array(cut)[campaign]
    return Panel(unit, campaign, treated, before, after + effect * treated, earlier)


def without_earlier(some: Panel) -> Panel:
    return replace(some, earlier=None)


def test_a_difference_in_differences_by_hand() -> None:
    some = Panel(
        unit=np.arange(4),
        campaign=np.zeros(4, dtype=np.int64),
        treated=np.array([True, True, False, False]),
        before=np.array([100.0, 200, 10, 20]),
        after=np.array([110.0, 220, 11, 23]),
    )
    assert difference(some, some.after - some.before).mean == pytest.approx(15 - 2)


@pytest.mark.parametrize("seed", range(3))
def test_campaigns_to_big_spenders_that_change_nothing_are_about_zero(seed: int) -> None:
    some = without_earlier(panel(seed))
    naive = some.after[some.treated].mean() - some.after[~some.treated].mean()
    assert naive > 60
    readout = campaign_readout(some)
    assert isinstance(readout.answer, Difference), readout
    assert readout.answer.low < 0 < readout.answer.high
    assert abs(readout.answer.mean) < 8
    assert "0" in readout.verdict.split(":")[0]


@pytest.mark.parametrize("chosen_by", ["usual", "chance"])
def test_an_effect_that_is_there_is_found(chosen_by: str) -> None:
    readout = campaign_readout(panel(1, effect=30, chosen_by=chosen_by))
    assert isinstance(readout.answer, Difference), readout
    assert readout.answer.low < 30 < readout.answer.high
    assert readout.answer.low > 15


@pytest.mark.parametrize("seed", range(5))
def test_one_campaign_sent_at_random_needs_no_placebo(seed: int) -> None:
    readout = campaign_readout(
        without_earlier(panel(seed, effect=30, chosen_by="chance", campaigns=1))
    )
    assert isinstance(readout.answer, Difference), readout
    assert readout.answer.low < 30 < readout.answer.high


def test_one_campaign_to_big_spenders_cannot_be_read() -> None:
    readout = campaign_readout(without_earlier(panel(0, campaigns=1)))
    assert isinstance(readout.answer, CannotSay)
    assert "no placebo could show" in readout.verdict


@pytest.mark.parametrize("earlier", [True, False])
def test_units_chosen_for_an_unusual_stretch_cannot_be_read(earlier: bool) -> None:
    some = panel(0, chosen_by="before")
    readout = campaign_readout(some if earlier else without_earlier(some))
    assert isinstance(readout.answer, CannotSay)
    assert "placebo, unusual stretch" in readout.verdict


def test_units_that_grow_anyway_cannot_be_read() -> None:
    readout = campaign_readout(panel(0, growth=30))
    assert isinstance(readout.answer, CannotSay)
    assert "placebo, the stretch before" in readout.verdict


def test_treated_units_that_have_no_like_cannot_be_read() -> None:
    some = panel(0)
    far = replace(some, before=some.before + 1e4 * some.treated, after=some.after)
    readout = campaign_readout(far)
    assert isinstance(readout.answer, CannotSay)
    assert "0.0% of the treated have untreated ones like them" in readout.verdict


def test_too_few_units_or_none_cannot_be_read() -> None:
    some = panel(0)
    few = campaign_readout(some.part(some.unit < 25))
    assert isinstance(few.answer, CannotSay)
    assert "wanted at least 30 on either side" in few.verdict
    nobody = campaign_readout(replace(some, treated=np.zeros(len(some.unit), dtype=bool)))
    assert isinstance(nobody.answer, CannotSay)


def test_amounts_that_never_vary_cannot_be_read() -> None:
    some = panel(0)
    still = np.full(len(some.unit), 5.0)
    readout = campaign_readout(replace(some, before=still, after=still))
    assert isinstance(readout.answer, CannotSay)
    assert "nothing varies" in readout.verdict


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(-500, 500), st.integers(1, 4))
def test_what_a_unit_usually_spends_and_what_a_season_adds_change_nothing(
    seed: int, level: float, campaigns: int
) -> None:
    some = panel(0, campaigns=campaigns)
    rng = np.random.default_rng(seed)
    usual = level * rng.random(UNITS)[some.unit]
    season = level * rng.random(campaigns)[some.campaign]
    moved = replace(some, before=some.before + usual, after=some.after + usual + season)
    one, other = (difference(p, p.after - p.before) for p in (some, moved))
    assert other.mean == pytest.approx(one.mean, abs=1e-6)
    assert other.error == pytest.approx(one.error, rel=1e-6)


def test_intervals_hold_the_effect_where_units_and_campaigns_have_moods() -> None:
    inside = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        some = panel(seed, effect=10)
        mood = rng.normal(0, 20, UNITS)[some.unit] + rng.normal(0, 20, CAMPAIGNS)[some.campaign]
        own = rng.normal(0, 8, CAMPAIGNS)[some.campaign] * some.treated
        found = difference(some, some.after - some.before + mood + own)
        inside.append(found.low <= 10 <= found.high)
    assert 0.9 < np.mean(inside) <= 1


def test_a_missing_amount_and_a_pair_that_comes_twice_are_refused() -> None:
    numbers: NDArray[np.int64] = np.array([0, 0])
    treated, amounts = np.array([True, False]), np.array([1.0, 2.0])
    with pytest.raises(ExperimentError, match="stands twice in one campaign"):
        Panel(numbers, numbers, treated, amounts, amounts)
    with pytest.raises(ExperimentError, match="after of row 1 is nan, wanted a number"):
        Panel(np.arange(2), numbers, treated, amounts, np.array([1.0, np.nan]))


@pytest.mark.data
def test_the_campaigns_of_the_complete_journey_changed_about_nothing(data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(data / "complete_journey" / "agg_household_campaign_lift.parquet")
    column = {name: table[name].to_numpy() for name in table.column_names}
    readout = campaign_readout(
        Panel(
            column["household_key"].astype(np.int64),
            column["CAMPAIGN"].astype(np.int64),
            column["Exposed"].astype(bool),
            column["Pre_Spend"].astype(np.float64),
            column["Post_Spend"].astype(np.float64),
        )
    )
    assert isinstance(readout.answer, Difference), readout
    assert abs(readout.answer.mean) < 4
    assert readout.verdict.startswith("about 0")
