"""What the response is learned from: past decisions, their pairs as tables, and small trees."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.pairs import PairFeatures
from models.trees import ONE_THREAD_BELOW, Trees
from training.push_log import PushLog

FOLDS = 3
CHUNK = 16_384
ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Learning:
    """What is learned from: the log, its members' features at the time, folds by member.

    categories: the names of features that hold codes.
    """

    log: PushLog
    values: NDArray[np.float32]  # (n, features)
    names: tuple[str, ...]
    member: NDArray[np.int64]  # (n,) whose row it is
    fold: NDArray[np.int64]  # (n,)
    seed: int
    categories: Collection[str] = ()

    @classmethod
    def of(
        cls,
        log: PushLog,
        values: NDArray[np.float32],
        names: tuple[str, ...],
        seed: int,
        categories: Collection[str] = (),
    ) -> Learning:
        """Folds go by member: the rows of one member never stand on both sides."""
        _, member = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)
        rng = np.random.default_rng(seed)
        fold_of = rng.permutation(int(member.max(initial=-1)) + 1) % FOLDS
        return cls(log, values, names, member.astype(np.int64), fold_of[member], seed, categories)

    def __len__(self) -> int:
        return len(self.values)


def pair_tables(
    learning: Learning, pairs: PairFeatures, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Row numbers, offer numbers and pair features of every candidate of ``rows``, in chunks."""
    log = learning.log
    for push in range(len(log.candidates)):
        offers = np.flatnonzero(log.candidates[push])
        mine = rows[log.push[rows] == push]
        for start in range(0, len(mine), CHUNK):
            part = mine[start : start + CHUNK]
            table = pairs.table(
                learning.values[part], learning.names, [log.offers[j] for j in offers]
            )
            yield np.repeat(part, len(offers)), np.tile(offers, len(part)), table


def one_offer_table(
    learning: Learning,
    pairs: PairFeatures,
    rows: NDArray[np.int64],
    offer: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Pair features of each of ``rows`` with the ``offer`` beside it, (len(rows), columns)."""
    table = np.empty((len(rows), len(pairs.names)), dtype=np.float32)
    for j in np.unique(offer):
        mine = np.flatnonzero(offer == j)
        one = [learning.log.offers[j]]
        table[mine] = pairs.table(learning.values[rows[mine]], learning.names, one)
    return table


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown; the objective and its size are what differs between learners.

    Uplift is weak and outcomes are rare: few leaves with many rows each hold a learner down.

    least: rows a leaf has, where a fiftieth of all rows is not fewer.
    columns: share of the columns that a tree may read.
    rising: columns with which no prediction falls.
    """

    objective: str
    leaves: int = 8
    least: int = 200
    columns: float = 1.0
    rounds: int = ROUNDS
    rising: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Target:
    """What trees learn of n rows.

    start: (n,) the raw scores that they begin from and do not contain; None means a constant.
    weight: (n,) how often a row counts; None means once.
    """

    values: NDArray[np.float64]
    start: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None


def grow(
    table: NDArray[np.float32], names: tuple[str, ...], target: Target, seed: int, growth: Growth
) -> Trees:
    """Small boosted trees of the rows of ``table``, columns ``names``."""
    import lightgbm

    parameters = {
        "objective": growth.objective,
        "num_leaves": growth.leaves,
        "min_data_in_leaf": int(np.clip(len(table) // 50, 5, growth.least)),
        "feature_fraction": growth.columns,
        "learning_rate": 0.05,
        "lambda_l2": 10.0,
        "monotone_constraints": [int(name in growth.rising) for name in names],
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        # Two threads cost more than they save on few rows.
        "num_threads": 1 if len(table) < ONE_THREAD_BELOW else 0,
    }
    data = lightgbm.Dataset(
        table, label=target.values, weight=target.weight, init_score=target.start
    )
    return Trees(lightgbm.train(parameters, data, num_boost_round=growth.rounds), names)
