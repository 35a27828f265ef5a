"""Whom pushes drive away, on logs whose risks are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.artifact import Artifact
from models.errors import ModelError
from models.leaving import ASSUMED_RATE, Leaving, Reach, leaving_config, read_leaving
from models.linear import Linear
from tests.training.simulated import NAMES, OFFERS, simulated
from training.learning import Learning
from training.leaving_fit import fit_leaving, shrunk_rates
from training.push_log import NO_SEND
from training.response_fit import fit_response

CONTACTS = (*NAMES, "contacts_30d")


def learning(
    rows: int, seed: int, risk: NDArray[np.floating[Any]] | float, unsent: float = 0.0
) -> tuple[Learning, NDArray[np.float64]]:
    """A log in which a send drives away with ``risk`` by the contacts of 30 days, beside them."""
    world = simulated(rows, seed)
    rng = np.random.default_rng(seed + 1)
    contacts = rng.poisson(rng.gamma(1.0, 3.0, rows)).astype(np.float32)
    rates = np.atleast_1d(np.asarray(risk))
    true = rates[np.minimum(contacts.astype(int), len(rates) - 1)].astype(np.float64)
    chance = np.where(world.log.offer == NO_SEND, unsent, true + unsent)
    log = replace(world.log, unsubscribed=rng.random(rows) < chance)
    values = np.column_stack([world.values, contacts]).astype(np.float32)
    return Learning.of(log, values, CONTACTS, seed), true


def test_one_risk_for_all_is_found_within_its_error() -> None:
    known, _ = learning(60_000, 0, 0.005)
    risk = fit_leaving(known).risk(known.values, CONTACTS)
    sends = int((known.log.offer != NO_SEND).sum())
    assert risk.mean() == pytest.approx(0.005, abs=3 * np.sqrt(0.005 / sends))


def test_where_members_are_not_told_apart_all_have_the_same_risk() -> None:
    alike = 0
    for seed in range(5):
        known, _ = learning(20_000, seed, 0.004)
        alike += np.ptp(fit_leaving(known).risk(known.values, CONTACTS)) == 0
    assert alike >= 4


def test_the_risk_rises_with_contacts_where_it_does() -> None:
    known, true = learning(80_000, 1, 0.001 + 0.002 * np.arange(15))
    found = fit_leaving(known)
    risk = found.risk(known.values, CONTACTS)
    contacts = known.values[:, -1]
    levels = [risk[contacts == number].mean() for number in (0, 2, 5, 9)]
    assert levels == sorted(levels)
    assert levels[-1] > 3 * levels[0]
    assert np.corrcoef(risk, true)[0, 1] > 0.9
    assert risk.mean() == pytest.approx(true.mean(), rel=0.15)
    assert found.evidence == "measured"


def test_who_leaves_without_a_send_does_not_count_against_it() -> None:
    known, _ = learning(60_000, 2, 0.004, unsent=0.004)
    risk = fit_leaving(known).risk(known.values, CONTACTS)
    assert risk.mean() == pytest.approx(0.004, abs=0.0015)
    none, _ = learning(60_000, 2, 0.0, unsent=0.01)
    assert (fit_leaving(none).risk(none.values, CONTACTS) >= 0).all()


def test_a_log_without_unsubscriptions_says_the_assumed_rate_and_that_it_is_assumed() -> None:
    known, _ = learning(5_000, 3, 0.0)
    found = fit_leaving(known)
    assert found.evidence == "prior"
    assert (found.risk(known.values, CONTACTS) == ASSUMED_RATE).all()
    assert (fit_leaving(known, 0.01).risk(known.values, CONTACTS) == 0.01).all()
    with pytest.raises(ModelError, match=r"unsubscription rate is 2, wanted 0 to 1"):
        Leaving.assumed(2)


@settings(max_examples=50, deadline=None)
@given(
    sends=st.lists(st.integers(0, 5_000), min_size=1, max_size=6),
    share=st.floats(0.0, 1.0),
    mean=st.floats(1e-4, 0.5),
)
def test_shrunk_rates_lie_between_what_was_seen_and_the_mean(
    sends: list[int], share: float, mean: float
) -> None:
    of = np.array(sends)
    gone = (of * share).astype(np.int64)
    seen = gone / np.maximum(of, 1)
    for rate, own, count in zip(shrunk_rates(gone, of, mean), seen, sends, strict=True):
        low, high = sorted([own if count else mean, mean])
        assert low - 1e-9 <= rate <= high + 1e-9


@pytest.mark.parametrize("slope", [0.0, 0.002])
def test_a_stored_risk_answers_as_before(slope: float, tmp_path: Path) -> None:
    known, _ = learning(40_000, 5, 0.002 + slope * np.arange(15))
    found = fit_leaving(known)
    arrays = found.sent.arrays() if isinstance(found.sent, Linear) else {}
    Artifact("risk", leaving_config(found), arrays).save(tmp_path)
    stored = Artifact.load(tmp_path, "risk")
    again = read_leaving(stored.config, stored.arrays)
    assert (again.risk(known.values, CONTACTS) == found.risk(known.values, CONTACTS)).all()
    assert again.evidence == found.evidence


def test_a_member_is_worth_the_gain_of_the_contacts_of_a_year() -> None:
    reach = Reach(gain=2.0, margin=10.0, contacts=0.1, trusted=30.0)
    values = np.array([[3.0], [0.0], [np.nan]], dtype=np.float32)
    found = reach.value(values, ("contacts_30d",), np.array([10.0, 10.0, 20.0]))
    year = 2.0 * 0.1 * 365.25 * 0.9538
    assert found == pytest.approx([year, year / 2, 2 * year], rel=1e-3)


def test_the_model_of_a_log_says_what_leaving_costs_and_keeps_it_on_disk(tmp_path: Path) -> None:
    known, _ = learning(20_000, 6, 0.004)
    fitted = fit_response(known.log, known.values, CONTACTS, seed=6)
    told = fitted.model.estimate(known.values, CONTACTS, OFFERS)
    assert told.p_unsubscribe.mean() == pytest.approx(0.004, abs=0.002)
    assert (told.member_value >= 0).all()
    assert told.member_value.max() > 0
    # All conversions of this log bring 40: nothing but the trees' own error is left.
    assert (told.spread < 0.2 * told.margin).all()
    fitted.model.save(tmp_path)
    again = type(fitted.model).load(tmp_path)
    after = again.estimate(known.values, CONTACTS, OFFERS)
    for name in ("p_unsubscribe", "member_value", "spread"):
        assert (getattr(after, name) == getattr(told, name)).all(), name
    assert again.reliability == fitted.model.reliability
    assert again.reliability is not None
    assert again.reliability.slope == fitted.slope.mean
    assert again.grade == fitted.model.grade
