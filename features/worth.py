"""Worth: what each member is expected to spend, by how a training found that members buy.

Each training of lifetime values that may serve leaves its few numbers, good from the moment whose
knowledge it was trained on. A build uses the newest good by its moment, on histories of its own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import ibis
import ibis.expr.types as ir

from features.engine import Engine
from features.errors import FeatureError
from features.learned import every_version, newest_version, version_files, version_path
from features.moments import STAMP, days_since, moment, only
from features.workspace import Workspace, one_at_a_time, write_atomically

NAMES = ("r", "alpha", "a", "b", "p", "q", "v", "horizon_days")
SCHEMA = ibis.schema({"good_from": STAMP, **dict.fromkeys(NAMES, "float64")})
_LARGEST_EXPONENT = 700.0  # e to more than this is no number


def expected_spend(habits: ir.Table, buying: ir.Table, as_of: datetime) -> ir.Table:
    """What each member is expected to spend in the horizon after ``as_of``.

    With *x* gaps between buying days, *t* days from the first to the last, *T* = t + days since the
    last purchase, *S* the spend of life (net of refunds, at least 0), and what the training found:

    - rate of leaving *g* = a / (a + b + x);
    - chance of being active *w* = 1 / (1 + a / (b + x − 1) × ((alpha + T) / (alpha + t))^(r + x));
      1 where x is 0;
    - purchases = w × (1 − (1 + g × horizon / (alpha + T))^−(r + x)) / g;
    - worth of a purchase = p × (S + v) / (p × (x + 1) + q − 1).

    Args:
        habits: of ``purchase_habits`` at the same ``as_of``.
        buying: of ``known_buying`` at the same ``as_of``.

    Returns:
        One row per member of ``habits``: ``member_id`` and ``expected_spend``, purchases × worth,
        currency, 0 or more; missing without a purchase, and where nothing was learned yet.

    Source: Fader, Hardie and Lee, Marketing Science 24, 2005, with the chance of leaving at its
    mean; Fader and Hardie, "The gamma-gamma model of monetary value", 2013.
    """
    row = habits.cross_join(buying)
    gaps = row.gaps.fill_null(0).cast("float64")
    to_last = row.gap_sum.fill_null(0).cast("float64")
    age = to_last + ibis.greatest(days_since(row.last_second, as_of), 0.0)
    power = row.r + gaps
    odds = (
        (row.a / (row.b + ibis.greatest(gaps, 1.0) - 1.0)).ln()
        + power * ((row.alpha + age) / (row.alpha + to_last)).ln()
    )  # fmt: skip
    gone = (gaps > 0).ifelse(ibis.least(odds, _LARGEST_EXPONENT).exp(), 0.0)
    leaving = row.a / (row.a + row.b + gaps)
    kept = (-power * (1.0 + leaving * row.horizon_days / (row.alpha + age)).ln()).exp()
    purchases = (1.0 - kept) / leaving / (1.0 + gone)
    spend = ibis.greatest((row.bought - row.refunded).cast("float64"), 0.0)
    worth = row.p * (spend + row.v) / (row.p * (gaps + 1.0) + row.q - 1.0)
    return row.select("member_id", expected_spend=only(purchases * worth, row.orders_life > 0))


def learned_buying(workspace: Workspace, engine: Engine) -> ir.Table:
    """Every version that was remembered, schema ``SCHEMA``; of no moment yet."""
    return every_version(engine, "buying", buying_files(workspace), SCHEMA)


def known_buying(learned: ir.Table, as_of: datetime) -> ir.Table:
    """The newest version good by ``as_of``: exactly one row, of nulls where there is none."""
    newest = newest_version(learned, as_of)
    return newest.agg(**{name: newest[name].max() for name in NAMES})


def buying_files(workspace: Workspace) -> list[Path]:
    """One file a version, oldest first."""
    return version_files(workspace.buying)


def remember_buying(workspace: Workspace, as_of: datetime, found: Mapping[str, float]) -> None:
    """Keep how members buy, for the value tiers of the view lifecycle, good from ``as_of`` on.

    Args:
        found: a finite number above 0 for each of ``NAMES``, times in days; of a model fitted on
            what was known at ``as_of``.

    Raises:
        FeatureError: ``as_of`` has no offset, or a number is missing or none.
    """
    import pyarrow as pa
    from pyarrow import parquet

    as_of = moment(as_of)
    wrong = [name for name in NAMES if not 0 < found.get(name, math.nan) < math.inf]
    if wrong or found.keys() != set(NAMES):
        raise FeatureError(f"numbers {dict(found)}, wanted one above 0 for each of {NAMES}")
    with one_at_a_time(workspace.buying / ".lock"):
        stamped = pa.array([as_of], pa.timestamp("us", tz="UTC"))
        columns = {name: pa.array([found[name]], pa.float64()) for name in NAMES}
        file = io.BytesIO()
        parquet.write_table(pa.table({"good_from": stamped, **columns}), file)
        path = version_path(workspace.buying, as_of)
        # The same training again leaves the file, and what was built with it, alone.
        if not path.exists() or path.read_bytes() != file.getvalue():
            write_atomically(path, file.getvalue())
