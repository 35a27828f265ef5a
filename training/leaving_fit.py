"""Fits whom a send drives away, from the unsubscriptions that followed past pushes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.scores import mean_effect
from models.calibration import sigmoid
from models.leaving import ASSUMED_RATE, MONTH, Leaving, Reach, Steps, column
from models.linear import Linear
from models.response import ResponseModel
from training.learning import FOLDS, Learning
from training.linear_fit import fit_linear
from training.push_log import NO_SEND
from training.response_measure import money_gain

# What tells how much a member has had of pushes lately.
CONTACTS = ("contacts_7d", "contacts_30d", "ignored_in_row")
_FLAT, _ALL = "", "all"
_EDGES = (1.0, 2.0, 3.0, 5.0, 8.0)
_PENALTY = 1.0  # as of ``fit_linear``: few columns
_STRENGTHS = np.geomspace(1.0, 1e7, 80)  # sends by which the common rate may count
_SAMPLE = 5_000  # decisions of which the gain of a contact is taken
_LONGEST = 3_650.0  # days by which the mean number of contacts may count


def fit_leaving(learning: Learning, assumed: float = ASSUMED_RATE) -> Leaving:
    """The risk of a send by recent contacts, where these tell more than one rate for all.

    Rates in steps of one feature, and a logistic regression of all of them, stand against the
    common rate: the lowest log loss out of fold is kept if it is lower by more than its error.
    Without any unsubscription after a send the ``assumed`` rate stands.
    """
    log = learning.log
    sent = log.offer != NO_SEND
    if not (log.unsubscribed & sent).any():
        return Leaving.assumed(assumed)
    there = tuple(name for name in CONTACTS if name in learning.names)
    flat = _losses(_FLAT, learning, assumed)
    kept, most = _FLAT, 0.0
    for kind in (*there, _ALL) if there else ():
        lower = mean_effect(flat - _losses(kind, learning, assumed), learning.member[sent])
        if lower.mean > max(most, lower.error):
            kept, most = kind, lower.mean
    alone = ~sent & log.unsubscribed
    # Nobody is assumed to leave without a send, by as many as there are to one who leaves with it.
    unsent = float(alone.sum() / ((~sent).sum() + 1 / max(assumed, 1e-6)))
    return Leaving(_fitted(kept, learning, np.flatnonzero(sent), assumed), unsent, "measured")


def _fitted(
    kind: str, learning: Learning, rows: NDArray[np.int64], assumed: float
) -> Steps | Linear:
    left = learning.log.unsubscribed[rows]
    if kind == _ALL:
        columns = np.flatnonzero([name in CONTACTS for name in learning.names])
        names = tuple(learning.names[k] for k in columns)
        return fit_linear(learning.values[rows][:, columns], names, left, (), _PENALTY)
    # The assumed rate counts as much as one unsubscription.
    mean = float((left.sum() + 1) / (len(rows) + 1 / max(assumed, 1e-6)))
    if kind == _FLAT:
        return Steps("", (), (mean,), mean)
    seen = column(kind, learning.values[rows], learning.names)
    known = ~np.isnan(seen)
    place = np.searchsorted(np.array(_EDGES), seen[known], side="right")
    sends = np.bincount(place, minlength=len(_EDGES) + 1)
    gone = np.bincount(place[left[known]], minlength=len(_EDGES) + 1)
    return Steps(kind, _EDGES, tuple(shrunk_rates(gone, sends, mean).tolist()), mean)


def _losses(kind: str, learning: Learning, assumed: float) -> NDArray[np.float64]:
    """Out of fold, −log of the probability given to what happened after each send."""
    sent = learning.log.offer != NO_SEND
    told = np.zeros(len(learning))
    for fold in range(FOLDS):
        mine = learning.fold == fold
        model = _fitted(kind, learning, np.flatnonzero(sent & ~mine), assumed)
        values = learning.values[mine]
        if isinstance(model, Linear):
            told[mine] = sigmoid(model.score(values, learning.names))
        else:
            told[mine] = model.rate(values, learning.names)
    left = learning.log.unsubscribed
    given = np.where(left, told, 1 - told)[sent]
    return np.asarray(-np.log(np.maximum(given, 1e-9)))


def shrunk_rates(
    events: NDArray[np.int64], of: NDArray[np.int64], mean: float
) -> NDArray[np.float64]:
    """(k,) ``events`` / ``of``, each moved towards ``mean`` by how little it rests on.

    The weight of the mean is averaged over by how likely it makes the counts.

    Source: the beta-binomial model with its mean given; Casella, American Statistician 39, 1985.
    """
    from scipy.special import betaln

    first, second = _STRENGTHS * mean, _STRENGTHS * (1 - mean)
    fit = np.sum(
        betaln(events[:, None] + first, (of - events)[:, None] + second) - betaln(first, second),
        axis=0,
    )
    likely = np.exp(fit - fit.max())
    moved = (events[:, None] + first) / (of[:, None] + _STRENGTHS)
    return np.asarray(moved @ (likely / likely.sum()))


def fit_reach(learning: Learning, model: ResponseModel) -> Reach:
    """What it is worth to reach a member for a year, by the fitted ``model`` of one contact."""
    log = learning.log
    some = np.random.default_rng(learning.seed).permutation(len(learning))[:_SAMPLE]
    part = log.part(some)
    told = model.estimate(learning.values[some], learning.names, log.offers)
    gained = np.where(part.candidates[part.push], money_gain(part, told).gain, -np.inf)
    contacts, trusted = _contacts(learning)
    return Reach(
        gain=float(np.maximum(gained.max(axis=1), 0.0).mean()),
        margin=float(told.margin.mean()),
        contacts=contacts,
        trusted=trusted,
    )


def _contacts(learning: Learning) -> tuple[float, float]:
    """Contacts of a member a day, and the days by which that mean counts beside a member's own.

    A history of less than a month counts as a month: one push does not promise one every day.

    Source: method of moments of the gamma-Poisson model.
    """
    log = learning.log
    begun, ended = log.rows["as_of"].min(), log.rows["until"].max()
    days = max((ended - begun).total_seconds() / 86_400, MONTH)
    members = max(len(np.unique(learning.member)), 1)
    daily = float((log.offer != NO_SEND).sum() / members / days)
    if "contacts_30d" not in learning.names:
        return daily, _LONGEST
    seen = column("contacts_30d", learning.values, learning.names)
    mean, spread = float(np.nanmean(seen)), float(np.nanvar(seen))
    beyond = spread - mean  # what chance alone does not explain
    return daily, min(MONTH * mean / beyond, _LONGEST) if beyond > 0 else _LONGEST
