"""Train customer lifetime value: what members will buy within a horizon, and what it earns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.tables import Tables, opened
from features.workspace import Workspace
from features.worth import remember_buying
from models.bgnbd import BgNbd
from models.clv import KIND, Clv
from training.bgnbd import fit_bgnbd
from training.buyers import Buyers, bought_between, buyers
from training.clv_measure import LEVEL_BOUND, Later, compare, figures, total_ratio
from training.errors import TrainingError
from training.frames import first_event
from training.gamma_gamma import fit_gamma_gamma
from training.gates import at_least, at_most
from training.seasonal import Closed, Season, season
from training.trained import KNOWN_UNTIL, MEASURED_FROM, Account, Card, Trained, record, standing

STAGE = "clv"
YEARLY_DISCOUNT = 0.1  # what comes a year later is worth 1 / 1.1
FEWEST_REPEATERS = 10  # members who bought twice; four parameters want some
_CARD = Card(
    "How often each member who has bought will buy within the horizon, for how much, and what that "
    "earns, discounted; whatever is sent. For amounts, value tiers and budgets.",
    (
        "Not for choosing whom to send what: it does not know what a push changes.",
        "Knows members by when and for how much they bought, and nobody who never did.",
        "Takes how often a member buys to say nothing of how much; a member's rate never rises.",
        "The levels are those of one season for all members alike.",
        "Not for winning back the lapsed by the chance of being active: one-time buyers get 1.",
    ),
)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What every fit of one training shares."""

    tables: Tables
    first: datetime
    horizon_days: int
    default_rate: float

    @property
    def horizon(self) -> timedelta:
        return timedelta(days=self.horizon_days)

    def buyers(self, as_of: datetime) -> Buyers:
        return buyers(self.tables, as_of, self.default_rate)


def train_clv(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 90,
    seed: int = 0,
    progress: Progress = silent,
    promote: bool = True,
) -> Trained:
    """Measure on the last ``horizon_days``, then fit on everything known at ``as_of``.

    What a champion found of how members buy is remembered for the value tiers of the view
    lifecycle: what was measured from its own moment on, what is kept from ``as_of`` on.

    Args:
        seed: changes nothing: likelihoods have one answer. Every trainer takes one.
        promote: False keeps it as challenger whatever it passes.

    Raises:
        TrainingError: too few bought twice before the measured window, nobody bought in it, or
            purchases have no prices.
    """
    if horizon_days < 1:
        raise TrainingError(f"horizon is {horizon_days} days, wanted 1 or more")
    as_of = in_utc(as_of)
    first = first_event(workspace, as_of)
    progress(STAGE, 0, 4)
    with opened(workspace) as tables:
        rate = workspace.conventions.default_margin_rate
        ask = _Ask(tables, first, horizon_days, rate)
        seen = ask.buyers(as_of - ask.horizon)
        measured, then = fit_clv(ask, seen)
        progress(STAGE, 1, 4)
        later = _later(ask, seen)
        progress(STAGE, 2, 4)
        everyone = ask.buyers(as_of)
        model, now = fit_clv(ask, everyone)
    progress(STAGE, 3, 4)
    account = _account(workspace, (measured, then), (model, now), later, everyone)
    trained = record(workspace, KIND, model, account, promote=promote)
    if trained.promoted:
        remember_buying(workspace, seen.as_of, tier_numbers(measured))
        remember_buying(workspace, as_of, tier_numbers(model))
    progress(STAGE, 4, 4)
    return trained


def fit_clv(ask: _Ask, seen: Buyers) -> tuple[Clv, Season]:
    """Fit on these members, with the level of the season after their moment.

    Raises:
        TrainingError: fewer than ten bought twice, or no purchase has a price.
    """
    past = seen.histories
    buying = _buying(seen)
    spending = fit_gamma_gamma(past.purchases, past.spend / past.purchases)
    spend = float(np.maximum(past.spend, 0).sum())
    margin_rate = float(past.margin.sum()) / spend

    def look(start: datetime) -> Closed:
        then = ask.buyers(start)
        known = then.histories
        mean = known.spend / known.purchases
        expected = _buying(then).expected_purchases(
            ask.horizon_days, known.frequency, known.recency, known.age
        )
        end = start + ask.horizon
        found = bought_between(ask.tables, then.member_ids, start, end, ask.default_rate)
        worth = fit_gamma_gamma(known.purchases, mean)
        return Closed(expected, found.purchases, found.spend, known.purchases, mean, worth)

    ahead = season(seen.as_of, ask.horizon, ask.first, look)
    model = Clv(
        buying,
        spending.trusting(ahead.trust),
        margin_rate,
        ahead.level,
        ahead.worth_level,
        ask.horizon_days,
        YEARLY_DISCOUNT,
    )
    return model, ahead


def _buying(seen: Buyers) -> BgNbd:
    past = seen.histories
    repeaters = int((past.frequency > 0).sum())
    if repeaters < FEWEST_REPEATERS:
        raise TrainingError(
            f"{repeaters} of {len(seen)} members had bought on two days or more by "
            f"{seen.as_of:%Y-%m-%d}, wanted {FEWEST_REPEATERS} to tell how often members buy; "
            "ingest more history, give a later --as-of, or shorten the horizon"
        )
    return fit_bgnbd(past.frequency, past.recency, past.age)


def _later(ask: _Ask, seen: Buyers) -> Later:
    """What the members did in the measured window, and in the one before it."""
    start, horizon = seen.as_of, ask.horizon
    found = bought_between(ask.tables, seen.member_ids, start, start + horizon, ask.default_rate)
    before = bought_between(ask.tables, seen.member_ids, start - horizon, start, ask.default_rate)
    if not found.purchases.any():
        raise TrainingError(
            f"none of {len(seen)} members bought in the {ask.horizon_days} days from "
            f"{start:%Y-%m-%d}; nothing to measure on"
        )
    return Later(ask.horizon_days, seen.histories, before, found)


def _account(
    workspace: Workspace,
    measured: tuple[Clv, Season],
    kept: tuple[Clv, Season],
    later: Later,
    everyone: Buyers,
) -> Account:
    split = everyone.as_of - timedelta(days=later.horizon_days)

    def read(folder: Path) -> Clv:
        found = Clv.load(folder)
        if found.horizon_days != later.horizon_days:
            raise TrainingError(f"looks {found.horizon_days} days ahead, not {later.horizon_days}")
        return found

    rival = standing(workspace, KIND, read, split)
    # Levels are those of a season. The champion gets this one's, as if it had been told of it.
    now = measured[0]
    champion = rival.model and replace(rival.model, level=now.level, worth_level=now.worth_level)
    ratio = total_ratio(measured[0], later)
    facts = {
        "data_window": f"until {everyone.as_of:%Y-%m-%d}, measured from {split:%Y-%m-%d}",
        "feature_service": "none: reads purchases",
        "dataset_digest": everyone.digest(),
        KNOWN_UNTIL: split.isoformat(),
        MEASURED_FROM: split.isoformat(),
        "level_learned_from": kept[1].window,
        "measured_level_learned_from": measured[1].window,
        **rival.facts,
    }
    checks = (
        at_most("promised over happened purchases", ratio, LEVEL_BOUND),
        at_least("promised over happened purchases", ratio, 1 / LEVEL_BOUND),
    )
    return Account(
        comparisons=compare(measured[0], later, champion),
        params={
            **_settings(kept[0]),
            "members": len(everyone),
            "measured_level": measured[0].level,
        },
        facts=facts,
        figures=figures(measured[0], later),
        card=_CARD,
        measured=measured[0],
        checks=checks,
    )


def tier_numbers(model: Clv) -> dict[str, float]:
    """What value tiers are made of: the numbers that ``features.worth`` remembers."""
    return {**asdict(model.buying), **asdict(model.spending), "horizon_days": model.horizon_days}


def _settings(model: Clv) -> Mapping[str, object]:
    """Every number of the model by a name of its own."""
    found: dict[str, object] = {}
    for name, value in asdict(model).items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            found[f"{name}_{part}" if part else name] = float(f"{number:.6g}")
    return found
