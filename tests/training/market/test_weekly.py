from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from training.errors import TrainingError
from training.market import weekly
from training.market.clock import shopping_days
from training.market.config import MarketConfig
from training.market.live import NOT_ASKED, Live, open_live, send, tell
from training.market.world import sending_of

CONFIG = MarketConfig(members=3_000, seed=8)


@pytest.fixture(scope="module")
def live() -> Live:
    opened = open_live(CONFIG, 2 * weekly.WEEK)
    return tell(opened, shopping_days(CONFIG.history_end))[0]


def test_everybody_who_can_be_reached_is_in_one_push_of_the_first_week(live: Live) -> None:
    pushes = weekly.first_pushes(CONFIG)
    decided = weekly.at_random(live, pushes, seed=1)
    asked = np.sum([choice != NOT_ASKED for _, choice in decided], axis=0)
    assert (asked == live.reachable).all()
    counts = np.array([(choice != NOT_ASKED).sum() for _, choice in decided])
    assert chisquare(counts).pvalue > 1e-3


def test_the_first_week_is_drawn_with_the_probabilities_written_down(live: Live) -> None:
    decided = weekly.at_random(live, weekly.first_pushes(CONFIG), seed=2)
    choices = np.concatenate([choice[choice != NOT_ASKED] for _, choice in decided])
    sending = decided[0][0]
    offers = len(sending.offers)
    share = np.r_[sending.no_send, np.full(offers, (1 - sending.no_send) / offers)]
    assert chisquare(np.bincount(choices + 1), share * len(choices)).pvalue > 1e-3


def test_the_weeks_follow_each_other_without_a_gap(live: Live) -> None:
    pushes = [weekly.weekly_push(CONFIG, week, 100) for week in range(1, 4)]
    assert len({push.push_id for push in pushes}) == 3
    for push, later in pairwise(pushes):
        assert push.send_at + weekly.WEEK == later.send_at
        assert push.attribution_days == 7.0
    first = sending_of(live.world, pushes[0])
    send(live, [(first, np.full(len(live.members), -1))])
    late = sending_of(live.world, weekly.weekly_push(CONFIG, 2, 100))
    with pytest.raises(TrainingError, match="and ends on"):
        send(live, [(late, np.full(len(live.members), -1))])
