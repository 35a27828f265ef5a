"""What is assumed of pushes where nothing was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decisions.catalogue import Offer
from models.artifact import ArtifactError
from models.calibration import Platt
from models.linear import Linear, Preparation
from models.prior import PriorResponse
from models.propensity import Propensity

NAMES = ("recency_days", "average_order")
OFFERS = (Offer("ten", "percent_off", 10), Offer("news", "content"))


@pytest.fixture
def prior() -> PriorResponse:
    """Half of all members buy, whoever they are; a send is assumed to add to it."""
    nothing = np.empty(0, dtype=np.int64)
    preparation = Preparation(
        nothing, np.empty(0, dtype=bool), np.empty(0), np.empty(0), nothing, nothing, np.empty(0)
    )
    everybody = Linear(NAMES, preparation, np.empty(0), 0.0)
    propensity = Propensity(everybody, 30, Platt(1.0, 0.0))
    return PriorResponse(propensity, 0.4, 80.0, 0.5, 0.25, unsubscribe_rate=0.01, contacts=10.0)


def test_a_member_is_worth_the_assumed_contacts_of_a_year(prior: PriorResponse) -> None:
    values = np.array([[1.0, 40.0], [1.0, np.nan]], dtype=np.float32)
    told = prior.estimate(values, NAMES, OFFERS)
    assert told.margin.tolist() == [20.0, 40.0]
    assert told.spread.tolist() == [5.0, 10.0]
    assert told.p_unsubscribe.tolist() == [0.01, 0.01]
    added = 1 / (1 + np.exp(-0.4)) - 0.5
    assert told.member_value == pytest.approx(
        [added * 200 * 0.9538, added * 400 * 0.9538], rel=1e-4
    )
    assert told.evidence == ("prior", "prior")


def test_channels_are_assumed_alike_and_nothing_is_known_of_its_reliability(
    prior: PriorResponse,
) -> None:
    assert prior.channel_factor("sms") == (1.0, "prior")
    assert prior.reliability is None


def test_an_assumed_loss_makes_nobody_worth_less_than_nothing(prior: PriorResponse) -> None:
    worse = PriorResponse(prior.propensity, -0.4, 80.0, 0.5)
    told = worse.estimate(np.zeros((3, 2), dtype=np.float32), NAMES, OFFERS)
    assert (told.p_if_sent < told.p_if_not[:, None]).all()
    assert (told.member_value == 0).all()


def test_a_stored_prior_assumes_as_before(prior: PriorResponse, tmp_path: Path) -> None:
    prior.save(tmp_path)
    again = PriorResponse.load(tmp_path)
    assert (again.unsubscribe_rate, again.contacts, again.variation) == (0.01, 10.0, 0.25)
    text = (tmp_path / "artifact.json").read_text()
    (tmp_path / "artifact.json").write_text(text.replace("variation", "colour"))
    with pytest.raises(ArtifactError, match="not a readable prior model"):
        PriorResponse.load(tmp_path)
