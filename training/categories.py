"""Who will buy in which category: rows of members and categories, learned from all together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import numpy as np
from ibis import _
from numpy.typing import NDArray

from features.encode import encoding
from features.inputs import vocabulary_file
from features.moments import known, newest, seen_at
from features.progress import Progress
from features.tables import Tables, opened
from features.vocabulary import Vocabulary
from features.workspace import Workspace
from models.category import KIND, CategoryPropensity, PairTable
from models.propensity import Propensity
from training.errors import TrainingError
from training.evaluation.baselines import column_rank, recency_rank
from training.frames import LabelledRows, Split
from training.outcomes import OBSERVED, Outcome, Period, Shape, member_rows
from training.propensity_measure import Rankings

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Pairs beyond this are left out, by member: more no longer move a small model.
MOST_PAIRS = 25_000  # a moment


@dataclass(frozen=True, eq=False)
class Lines:
    """Purchase lines with a category, (n,) each."""

    member_ids: NDArray[np.str_]
    categories: NDArray[np.str_]
    at: NDArray[np.datetime64]


def category_rows(workspace: Workspace, period: Period, progress: Progress) -> Split:
    """Members and categories at each moment, and whether the member bought in the category.

    The categories are those with features of their own. Beside them each member has one row of
    another category that was bought in before, drawn at random, without its features: from these
    the model knows what to say of categories that are new or small. Where there is no other, it is
    one of the first, shown without its features.

    Raises:
        TrainingError: as ``member_rows``; or no category is known.
        FeatureError: features cannot be built.
    """
    split = member_rows(workspace, period, progress)
    vocabulary = _vocabulary(workspace)
    if not vocabulary.categories:
        raise TrainingError(
            f"no event in {workspace.root} names a category, or an item that has one; "
            "ingest items with their category"
        )
    horizon = timedelta(days=period.horizon_days)
    with opened(workspace) as tables:
        lines = _bought(tables, split.closed).to_pyarrow()
    ground = _Ground(
        PairTable(split.test.names, vocabulary.features),
        np.array(vocabulary.categories, dtype=np.str_),
        Lines(
            lines["member_id"].to_numpy(zero_copy_only=False).astype(np.str_),
            lines["category"].to_numpy(zero_copy_only=False).astype(np.str_),
            lines["at"].to_numpy().astype("datetime64[us]"),
        ),
        np.timedelta64(horizon),
        np.random.default_rng(period.seed),
    )
    parts = (split.train, split.calibrate, split.test)
    train, calibrate, test = (_pairs(rows, ground) for rows in parts)
    return replace(split, train=train, calibrate=calibrate, test=test, year_ago=())


@dataclass(frozen=True, eq=False)
class _Ground:
    """What the pairs of every moment are made from."""

    table: PairTable
    categories: NDArray[np.str_]  # of the vocabulary
    lines: Lines
    horizon: np.timedelta64
    random: np.random.Generator


def _pairs(rows: LabelledRows, ground: _Ground) -> LabelledRows:
    """The pairs of all moments of ``rows``, moment by moment, member by member."""
    moments = np.unique(rows.moments)
    whole = _pairs_at(rows.where(rows.moments == moments[0]), ground)
    for moment in moments[1:]:
        whole = whole.followed_by(_pairs_at(rows.where(rows.moments == moment), ground))
    return whole


def _pairs_at(rows: LabelledRows, ground: _Ground) -> LabelledRows:
    """Each member of one moment with every category of the vocabulary, then with one other."""
    moment, lines = rows.moments[0], ground.lines
    popularity = ground.table.popularity(rows.values)
    m = len(ground.categories)
    rows = _some(rows, max(MOST_PAIRS // (m + 1), 1), ground.random)
    n = len(rows.happened)
    others = np.setdiff1d(lines.categories[lines.at < moment], ground.categories)
    other = ground.random.choice(others if len(others) else ground.categories, n)
    asked = np.column_stack([np.tile(ground.categories, (n, 1)), other])
    members = np.repeat(rows.member_ids, m + 1)
    inside = (lines.at >= moment) & (lines.at < moment + ground.horizon)
    return LabelledRows(
        ground.table.names,
        rows.categories & {*ground.table.names},
        members,
        np.full(len(members), moment),
        ground.table.rows(rows.values, [*range(m), -1], popularity),
        np.isin(
            _together(members, asked.ravel()),
            _together(lines.member_ids[inside], lines.categories[inside]),
        ),
    )


def _some(rows: LabelledRows, most: int, random: np.random.Generator) -> LabelledRows:
    if len(rows.happened) <= most:
        return rows
    kept = np.zeros(len(rows.happened), dtype=bool)
    kept[random.choice(len(kept), most, replace=False)] = True
    return rows.where(kept)


def _together(members: NDArray[np.str_], categories: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.char.add(np.char.add(members, "\x1f"), categories)


def _bought(tables: Tables, closed: datetime) -> ir.Table:
    """Purchase lines known by ``closed``, with their own category, else their item's."""
    bought = tables.events.filter(_["type"] == "purchase")
    bought = known(bought.mutate(seen_at=seen_at(bought)), closed)
    items = newest(tables.items, "item_id", closed).select("item_id", listed="category")
    named = bought.left_join(items, "item_id")
    named = named.mutate(of=ibis.coalesce(named.category, named.listed))
    return named.filter(named.of.notnull()).select("member_id", category="of", at="occurred_at")


def _vocabulary(workspace: Workspace) -> Vocabulary:
    path = vocabulary_file(workspace)
    return Vocabulary.load(path) if path.exists() else Vocabulary((), ())


def category_rankings(rows: LabelledRows) -> Rankings:
    """By the member's interest in the category, by their last purchase in it, by its buyers."""
    return {
        "interest": column_rank(rows.column("category_interest")),
        "recency": recency_rank(rows.column("category_bought_days")),
        "popularity": column_rank(rows.column("category_popularity")),
    }


def _kept(workspace: Workspace, propensity: Propensity, rows: LabelledRows) -> CategoryPropensity:
    vocabulary = _vocabulary(workspace)
    latest = rows.where(rows.moments == rows.moments.max())
    # The first rows are those of one member with each category of the vocabulary.
    popularity = latest.column("category_popularity")[: len(vocabulary.categories)]
    table = PairTable(encoding(workspace).names, vocabulary.features)
    return CategoryPropensity(
        propensity, table, vocabulary.categories, popularity.astype(np.float64)
    )


CATEGORY = Outcome(
    KIND,
    "buy in a category",
    "How likely a member buys in a category within the horizon.",
    (
        OBSERVED,
        "Of a category without features of its own it knows what members do in such ones.",
    ),
    category_rows,
    category_rankings,
    Shape(_kept, lambda folder: CategoryPropensity.load(folder).propensity),
)
