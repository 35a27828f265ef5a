"""Point-in-time training sets: what was known of each member at a moment, and what came after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import build_features
from features.encode import encode, encoding
from features.membership import first_known
from features.moments import known, seen_at
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.store import MEMBER_SERVICE, training_frame
from features.tables import Tables, opened
from features.workspace import Workspace
from training.errors import TrainingError

if TYPE_CHECKING:
    import ibis.expr.types as ir

SERVICE = MEMBER_SERVICE  # what models of members train on
YEAR = timedelta(days=365)
FEWEST_WINDOWS = 3
MOST_WINDOWS = 6
# Members beyond this are sampled: more rows no longer move a small model, and time is finite.
MOST_MEMBERS = 100_000


@dataclass(frozen=True, slots=True)
class Windows:
    """Moments at which features are taken; each one's outcome lies in the ``horizon`` after it.

    The outcome windows follow each other without overlap: those of ``train`` (oldest first) end
    where ``calibrate`` begins, that of ``calibrate`` where ``test`` begins.

    year_ago: a year before ``calibrate``, before ``test`` and before the end; empty where the
        history does not reach so far.
    """

    train: tuple[datetime, ...]
    calibrate: datetime
    test: datetime
    horizon: timedelta
    year_ago: tuple[datetime, ...] = ()

    @property
    def moments(self) -> tuple[datetime, ...]:
        return (*self.train, self.calibrate, self.test)

    @property
    def words(self) -> str:
        """The whole span, such as ``2011-03-05 to 2011-10-31``."""
        return f"{self.train[0]:%Y-%m-%d} to {self.test + self.horizon:%Y-%m-%d}"


def label_windows(first_event: datetime, as_of: datetime, horizon: timedelta) -> Windows:
    """Split the past by time: test last, calibration before it, up to six windows to train on.

    Before the first training window one more horizon of history must be there to make features of.

    Raises:
        TrainingError: not enough history for three training windows; says how much there is.
    """
    as_of = in_utc(as_of)
    back = (as_of - first_event) // horizon  # whole horizons of history
    windows = min(back - 3, MOST_WINDOWS)
    if windows < FEWEST_WINDOWS:
        days = max((as_of - first_event) / timedelta(days=1), 0.0)
        needed = (FEWEST_WINDOWS + 3) * horizon / timedelta(days=1)
        raise TrainingError(
            f"{days:.0f} days of events before {as_of:%Y-%m-%d}, wanted {needed:.0f} for a horizon "
            f"of {horizon / timedelta(days=1):g} days; ingest more history, give a later --as-of, "
            "or shorten the horizon"
        )
    train = tuple(as_of - (2 + n) * horizon for n in range(windows, 0, -1))
    year_ago = tuple(as_of - YEAR - n * horizon for n in (2, 1, 0))
    # The last of their outcomes has to be known, the first of their features to have a history.
    told = horizon <= YEAR and year_ago[0] - horizon >= first_event
    return Windows(train, as_of - 2 * horizon, as_of - horizon, horizon, year_ago if told else ())


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Members at moments: features known then, and whether it happened in the horizon after.

    names, categories: what stands in which column, and which of them are category codes.
    moments: (n,) the moment of each row, UTC.
    values: (n, features) as the encoding has them; NaN where missing.
    happened: (n,) what is asked about, such as a purchase.
    """

    names: tuple[str, ...]
    categories: frozenset[str]
    member_ids: NDArray[np.str_]
    moments: NDArray[np.datetime64]
    values: NDArray[np.float32]
    happened: NDArray[np.bool_]

    def at(self, *moments: datetime) -> LabelledRows:
        """The rows of these moments."""
        return self.where(np.isin(self.moments, [naive(moment) for moment in moments]))

    def where(self, kept: NDArray[np.bool_]) -> LabelledRows:
        """The rows that are ``kept`` (n,)."""
        return LabelledRows(
            self.names,
            self.categories,
            self.member_ids[kept],
            self.moments[kept],
            self.values[kept],
            self.happened[kept],
        )

    def followed_by(self, other: LabelledRows) -> LabelledRows:
        """These rows, then those of ``other``, which has the same columns."""
        return LabelledRows(
            self.names,
            self.categories,
            np.concatenate([self.member_ids, other.member_ids]),
            np.concatenate([self.moments, other.moments]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.happened, other.happened]),
        )

    def column(self, name: str) -> NDArray[np.float32]:
        """(n,) values of one feature. Raises ``TrainingError`` where it is absent."""
        if name not in self.names:
            raise TrainingError(f"no feature {name!r} among the {len(self.names)} built")
        return np.asarray(self.values[:, self.names.index(name)])

    def digest(self) -> str:
        """sha256 (hex) of the content: the same rows give the same digest on any machine."""
        sha = hashlib.sha256(json.dumps([self.names, sorted(self.categories)]).encode())
        sha.update("\n".join(self.member_ids.tolist()).encode("utf-8", "surrogatepass"))
        sha.update(self.moments.astype("datetime64[us]").astype("<i8").tobytes())
        one_nan = np.where(np.isnan(self.values), np.float32(np.nan), self.values)
        sha.update(one_nan.astype("<f4").tobytes())
        sha.update(self.happened.tobytes())
        return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Split:
    """Rows by time: to train on, to calibrate on after that, to measure on after that.

    measured_from: where the later period begins. Every outcome of ``train`` and ``calibrate`` has
        ended by then, and those of ``train`` where ``calibrate`` begins.
    closed: by when the outcomes of ``test`` have ended.
    feature_moments: the moments of which features were built for the rows, oldest first.
    year_ago: rows of a year before ``calibrate``, before ``test`` and before ``closed``; empty
        where the history does not reach so far.
    """

    train: LabelledRows
    calibrate: LabelledRows
    test: LabelledRows
    measured_from: datetime
    closed: datetime
    feature_moments: tuple[datetime, ...]
    year_ago: tuple[LabelledRows, ...] = ()

    @property
    def words(self) -> str:
        """The whole span, such as ``2011-03-05 to 2011-10-31``."""
        return f"{self.feature_moments[0]:%Y-%m-%d} to {self.closed:%Y-%m-%d}"

    @property
    def known(self) -> LabelledRows:
        """All that was known where the later period begins."""
        return self.train.followed_by(self.calibrate)

    def digest(self) -> str:
        """As of ``LabelledRows.digest``, of all rows."""
        rows = self.known.followed_by(self.test)
        for more in self.year_ago:
            rows = rows.followed_by(more)
        return rows.digest()


def newest_day(workspace: Workspace) -> datetime:
    """The start of the UTC day of the newest event: all before it is complete.

    Raises:
        TrainingError: no events.
    """
    with opened(workspace) as tables:
        newest = tables.events.occurred_at.max().to_pyarrow().as_py()
    if newest is None:
        raise TrainingError(
            f"no events in {workspace.root} to take the newest day of; ingest some, or give --as-of"
        )
    found: datetime = in_utc(newest).replace(hour=0, minute=0, second=0, microsecond=0)
    return found


def first_event(workspace: Workspace, as_of: datetime) -> datetime:
    """The earliest event known at ``as_of``. Raises ``TrainingError`` where there is none."""
    with opened(workspace) as tables:
        events = tables.events.mutate(seen_at=seen_at(tables.events))
        earliest = known(events, as_of).occurred_at.min().to_pyarrow().as_py()
    if earliest is None:
        raise TrainingError(
            f"no events before {as_of:%Y-%m-%d} in {workspace.root}; ingest some, or give --as-of"
        )
    found: datetime = earliest
    return found


def labelled_rows(
    workspace: Workspace,
    windows: Windows,
    seed: int = 0,
    progress: Progress = silent,
) -> LabelledRows:
    """Everyone known at each moment, with features as known then and the purchases after it.

    The moments of ``windows.year_ago`` are among them.

    Feature tables that are missing are built. A member counts from its first event, or from when
    it joined. Of more than 100,000 members a moment a seeded sample is taken.

    Raises:
        TrainingError: nobody was known at one of the moments.
        FeatureError: features cannot be built.
    """
    build_features(workspace, _all_moments(windows), progress)
    with opened(workspace) as tables:
        members, moments, bought = _labels(tables, windows, seed)
    rows = pd.DataFrame(
        {
            "row_id": np.arange(len(members)),
            "member_id": members,
            "as_of": pd.Series(moments).dt.tz_localize("UTC"),
        }
    )
    frame = training_frame(workspace, SERVICE, rows)
    codes = encoding(workspace)
    return LabelledRows(
        codes.names,
        frozenset(codes.categories),
        members.astype(np.str_),
        moments,
        encode(frame, codes),
        bought,
    )


def _all_moments(windows: Windows) -> list[datetime]:
    return sorted({*windows.year_ago, *windows.moments})


def _labels(
    tables: Tables, windows: Windows, seed: int
) -> tuple[NDArray[np.object_], NDArray[np.datetime64], NDArray[np.bool_]]:
    """Aligned members, moments and outcomes, moment by moment, members in order of id."""
    known_since: pd.DataFrame = members_since(tables).execute()
    closed = windows.test + windows.horizon
    random = np.random.default_rng(seed)
    members, moments, bought = [], [], []
    for moment in _all_moments(windows):
        there = np.sort(known_since.member_id[known_since.since < moment].to_numpy(dtype=object))
        if not len(there):
            raise TrainingError(f"no member was known by {moment:%Y-%m-%d}; nothing to learn from")
        if len(there) > MOST_MEMBERS:
            there = np.sort(random.choice(there, MOST_MEMBERS, replace=False))
        members.append(there)
        moments.append(np.full(len(there), naive(moment)))
        buyers = _buyers(tables, moment, moment + windows.horizon, closed)
        bought.append(pd.Index(there).isin(buyers))
    return np.concatenate(members), np.concatenate(moments), np.concatenate(bought)


def members_since(tables: Tables) -> ir.Table:
    """``member_id`` and the moment from which a member counts: first event, or when it joined."""
    members = tables.members
    # A members file without ``updated_at`` was always known, also those who had yet to join.
    joined = members.mutate(
        known_at=ibis.greatest(
            ibis.coalesce(members.joined_at, members.known_at),
            ibis.coalesce(members.known_at, members.joined_at),
        )
    )
    dated = joined.filter(joined.known_at.notnull())
    return first_known(dated, tables.events, tables.decisions)


def _buyers(
    tables: Tables, start: datetime, end: datetime, closed: datetime
) -> NDArray[np.object_]:
    """Members with a purchase in ``[start, end)`` that was known by ``closed``."""
    events = tables.events
    bought = events.filter(
        events["type"] == "purchase",
        events.occurred_at >= ibis.literal(start),
        events.occurred_at < ibis.literal(end),
    )
    seen = known(bought.mutate(seen_at=seen_at(bought)), closed)
    found: NDArray[np.object_] = seen.select("member_id").distinct().execute().to_numpy()[:, 0]
    return found


def naive(moment: datetime) -> np.datetime64:
    """``moment`` without its offset, which numpy has no room for: in UTC, in microseconds."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
