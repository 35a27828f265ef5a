"""How many members moved from which stage and tier to which, between the ends of months.

What was counted is kept beside the prepared documents with the fingerprint of what it was counted
from, so that a new month costs the counting of one month.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import ibis.expr.types as ir

from features.engine import Engine
from features.errors import FeatureError
from features.inputs import Inputs
from features.insights.months import month_ends
from features.insights.standings import People, standings, undated
from features.membership import first_known
from features.moments import DAY
from features.progress import Progress, silent
from features.rolled import Rolled
from features.rolling import kept_rolled
from features.tables import Tables, opened
from features.workspace import Workspace, one_at_a_time, write_atomically
from features.worth import buying_files, learned_buying

STAGE = "months"
JOINED = "joined"  # where a member came from who was none at the beginning
Pair = tuple[datetime, datetime]
Row = tuple[str, str, str, str, int, float]


@dataclass(frozen=True, slots=True)
class Movement:
    """Everybody who was a member at ``ends``, by where they stood at ``begins`` and stand now.

    rows: stage and tier before (``joined``: was no member), stage and tier after, members, and
    their spend of the 365 days before ``ends``, net of refunds, money.
    """

    begins: datetime
    ends: datetime
    rows: tuple[Row, ...]


def movements(
    workspace: Workspace, as_of: datetime, months: int, progress: Progress = silent
) -> tuple[Movement, ...]:
    """One for each of the last ``months`` months, oldest first, and last one over all of them.

    Raises:
        FeatureError: no purchases, or less history than a month.
    """
    with ground(workspace, progress) as (tables, rolled):
        moments = month_ends(as_of, months, first_purchase(rolled.lines))
        pairs = [*pairwise(moments), (moments[0], moments[-1])]
        keys = _keys(workspace, moments)
        counted = _kept(workspace, keys)
        missing = [pair for pair in pairs if pair not in counted]
        if missing:
            source = _Source.of(workspace, tables, rolled)
            counted |= source.count(moments, missing, progress)
            _keep(workspace, keys, counted)
    return tuple(Movement(*pair, counted[pair]) for pair in pairs)


def from_the_start(workspace: Workspace) -> int:
    """Members who count from the start, because nothing tells since when: ``standings.undated``."""
    with opened(workspace) as tables:
        return undated(tables.members)


@contextmanager
def ground(workspace: Workspace, progress: Progress) -> Iterator[tuple[Tables, Rolled]]:
    """The tables, and all events rolled up by UTC day; builds and erasures wait meanwhile."""
    with one_at_a_time(workspace.features / ".lock"), opened(workspace) as tables:
        yield tables, kept_rolled(workspace, tables, progress)


def first_purchase(lines: ir.Table) -> datetime:
    """The day of the first purchase. Raises ``FeatureError`` where there is none."""
    found = lines.filter(lines.is_purchase).agg(day=lines.day.min()).to_pyarrow()["day"].to_pylist()
    day: int | None = found[0]
    if day is None:
        raise FeatureError(
            "no purchase events in this workspace; run `pushwise ingest` or `pushwise import` first"
        )
    return datetime.fromtimestamp(day * DAY, UTC)


@dataclass(frozen=True, slots=True)
class _Source:
    engine: Engine
    people: People
    lines: ir.Table
    learned: ir.Table | None

    @classmethod
    def of(cls, workspace: Workspace, tables: Tables, rolled: Rolled) -> _Source:
        engine = tables.engine
        since = first_known(tables.members, tables.events, tables.decisions)
        learned = learned_buying(workspace, engine) if buying_files(workspace) else None
        people = People(engine.keep("since", since), tables.members)
        return cls(engine, people, rolled.lines, learned)

    def count(
        self, moments: Sequence[datetime], missing: Sequence[Pair], progress: Progress
    ) -> dict[Pair, tuple[Row, ...]]:
        """Three standings are kept at a time: the first, the one before, and this one."""
        progress(STAGE, 0, len(moments))
        counted: dict[Pair, tuple[Row, ...]] = {}
        at: dict[datetime, ir.Table] = {}
        for place, moment in enumerate(moments):
            if any(moment in pair for pair in missing):
                stands = standings(self.people, self.lines, self.learned, moment, self.engine.keep)
                name = f"standing_{'first' if place == 0 else place % 2}"
                at[moment] = self.engine.keep(name, stands)
                for begins, ends in missing:
                    if ends == moment:
                        counted[begins, ends] = _rows(_moves(at[begins], at[ends]))
            progress(STAGE, place + 1, len(moments))
        return counted


def _moves(before: ir.Table, after: ir.Table) -> ir.Table:
    earlier = before.select(
        was="member_id", stage_from=before.lifecycle, tier_from=before.value_tier
    )
    both = after.left_join(earlier, after.member_id == earlier.was)
    both = both.mutate(
        stage_from=both.stage_from.fill_null(JOINED), tier_from=both.tier_from.fill_null(JOINED)
    )
    return both.group_by("stage_from", "tier_from", "lifecycle", "value_tier").agg(
        members=both.count(), spend=both.spend.sum()
    )


def _rows(moves: ir.Table) -> tuple[Row, ...]:
    ordered = moves.order_by("stage_from", "tier_from", "lifecycle", "value_tier").to_pyarrow()
    return tuple(
        (sf, tf, st, tt, int(n), round(float(spend), 4))
        for sf, tf, st, tt, n, spend in zip(*ordered.to_pydict().values(), strict=True)
    )


def _keys(workspace: Workspace, moments: Sequence[datetime]) -> Mapping[datetime, str]:
    """What the standings of each moment rest on."""
    inputs = Inputs.of(workspace)
    ours = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    code = hashlib.sha256(ours).hexdigest()
    return {moment: f"{code[:16]} {inputs.digest(moment)}" for moment in moments}


def _file(workspace: Workspace) -> Path:
    return workspace.insights / "counted" / "moved.json"


def _kept(workspace: Workspace, keys: Mapping[datetime, str]) -> dict[Pair, tuple[Row, ...]]:
    """What was counted before from the same; whatever cannot be read is counted again."""
    kept: dict[Pair, tuple[Row, ...]] = {}
    with suppress(OSError, ValueError, TypeError, KeyError):
        for one in json.loads(_file(workspace).read_bytes()):
            begins, ends = (datetime.fromisoformat(one[end]) for end in ("begins", "ends"))
            if one["of"] == [keys.get(begins), keys.get(ends)]:
                kept[begins, ends] = tuple((*row,) for row in one["rows"])
    return kept


def _keep(
    workspace: Workspace, keys: Mapping[datetime, str], counted: Mapping[Pair, Sequence[Row]]
) -> None:
    content = [
        {
            "begins": begins.isoformat(),
            "ends": ends.isoformat(),
            "of": [keys[begins], keys[ends]],
            "rows": rows,
        }
        for (begins, ends), rows in counted.items()
    ]
    write_atomically(_file(workspace), json.dumps(content).encode())
