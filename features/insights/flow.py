"""Lifecycle flow and value tiers as documents: who stood where, and who moved, month by month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from features.insights.moved import JOINED, Movement, Row, from_the_start, movements
from features.insights.survival import share
from features.progress import Progress, silent
from features.workspace import Workspace

MONTHS = 12
# In the order in which a member passes through them.
STAGES = ("never_bought", "new", "active", "loyal", "slipping", "lapsed")
TIERS = ("gold", "silver", "bronze", "none")
_BUYING = ("new", "active", "loyal", "slipping")
_STAGE, _TIER = (0, 2), (1, 3)  # places in a row: before, after


def lifecycle_flow(
    workspace: Workspace, as_of: datetime, progress: Progress = silent, months: int = MONTHS
) -> dict[str, Any]:
    """Members by lifecycle stage at the end of each month, and who moved from which to which.

    Returns:
        stages: their names. standing: by moment, oldest first: ``at``, ``members``, and of each
        stage ``members`` and ``share``. flows: by month: ``begins``, ``ends``, ``whole`` (the month
        is over), ``moves`` (``from``, ``to``, ``members``, ``share`` of those who were in
        ``from``; ``joined``: was no member before), and rates: ``joined`` (members),
        ``first_bought`` (share of the never bought who have bought), ``lost`` (share of those who
        were buying, new to slipping, who are lapsed) and ``won_back`` (share of the lapsed who are
        lapsed no more). overall: the same from the first moment to the last. undated: members who
        are in every standing, because nothing tells since when they are members.

    Raises:
        FeatureError: no purchases, or less history than a month.
    """
    found = movements(workspace, as_of, months, progress)
    return {
        "stages": list(STAGES),
        "undated": from_the_start(workspace),
        "standing": _standing(found[:-1], STAGES, _STAGE),
        "flows": [_lifecycle_moves(one) for one in found[:-1]],
        "overall": _lifecycle_moves(found[-1]),
    }


def value_tiers(
    workspace: Workspace, as_of: datetime, progress: Progress = silent, months: int = MONTHS
) -> dict[str, Any]:
    """Members and spend by value tier at the end of each month, and who moved between tiers.

    Returns:
        tiers, standing, flows, overall: as ``lifecycle_flow``, with the rates ``risen`` (share of
        those below gold who are in a better tier than before) and ``fallen`` (of those in a tier).
        spend: by moment from the second on, of each tier the spend of the last 365 days and its
        share of all.
    """
    found = movements(workspace, as_of, months, progress)
    return {
        "tiers": list(TIERS),
        "standing": _standing(found[:-1], TIERS, _TIER),
        "spend": [_spend(one) for one in found[:-1]],
        "flows": [_tier_moves(one) for one in found[:-1]],
        "overall": _tier_moves(found[-1]),
    }


def _standing(
    found: Sequence[Movement], names: Sequence[str], places: tuple[int, int]
) -> list[dict[str, Any]]:
    before, after = places
    first = _count(found[0].rows, lambda row: str(row[before]))
    del first[JOINED]
    counts = [(found[0].begins, first)]
    counts += [(one.ends, _count(one.rows, lambda row: str(row[after]))) for one in found]
    return [_at(moment, count, names) for moment, count in counts]


def _at(moment: datetime, count: Mapping[str, int], names: Sequence[str]) -> dict[str, Any]:
    whole = sum(count.values())
    of_each = {
        name: {"members": count.get(name, 0), "share": _part(count.get(name, 0), whole)}
        for name in names
    }
    return {"at": moment.isoformat(), "members": whole, "of": of_each}


def _lifecycle_moves(one: Movement) -> dict[str, Any]:
    moves = _pairs(one.rows, _STAGE)
    return {
        **_moves(one, moves, STAGES),
        "joined": sum(n for (was, _), n in moves.items() if was == JOINED),
        "first_bought": _rate(moves, lambda was: was == "never_bought", lambda _, now: now != _),
        "lost": _rate(moves, lambda was: was in _BUYING, lambda _, now: now == "lapsed"),
        "won_back": _rate(moves, lambda was: was == "lapsed", lambda _, now: now != "lapsed"),
    }


def _tier_moves(one: Movement) -> dict[str, Any]:
    moves = _pairs(one.rows, _TIER)
    rank = {name: place for place, name in enumerate(TIERS)}
    return {
        **_moves(one, moves, TIERS),
        "joined": sum(n for (was, _), n in moves.items() if was == JOINED),
        "risen": _rate(
            moves,
            lambda was: was not in ("gold", JOINED),
            lambda was, now: rank[now] < rank[was],
        ),
        "fallen": _rate(
            moves,
            lambda was: was not in ("none", JOINED),
            lambda was, now: rank[now] > rank[was],
        ),
    }


def _moves(
    one: Movement, moves: Mapping[tuple[str, str], int], names: Sequence[str]
) -> dict[str, Any]:
    began = Counter[str]()
    for (was, _), members in moves.items():
        began[was] += members
    return {
        "begins": one.begins.isoformat(),
        "ends": one.ends.isoformat(),
        "whole": one.ends.day == 1,
        "moves": [
            {
                "from": was,
                "to": now,
                "members": moves[was, now],
                "share": _part(moves[was, now], began[was]),
            }
            for was in (*names, JOINED)
            for now in names
            if moves.get((was, now))
        ],
    }


def _spend(one: Movement) -> dict[str, Any]:
    spend = dict.fromkeys(TIERS, 0.0)
    for row in one.rows:
        spend[row[3]] += row[5]
    whole = sum(spend.values())
    return {
        "at": one.ends.isoformat(),
        "of": {
            name: {"spend": round(value, 2), "share": value / whole if whole > 0 else None}
            for name, value in spend.items()
        },
    }


def _rate(moves: Mapping[tuple[str, str], int], among: Any, now: Any) -> dict[str, Any]:
    whole = sum(members for (was, _), members in moves.items() if among(was))
    part = sum(members for pair, members in moves.items() if among(pair[0]) and now(*pair))
    return asdict(share(part, whole))


def _pairs(rows: Iterable[Row], places: tuple[int, int]) -> Mapping[tuple[str, str], int]:
    before, after = places
    found = Counter[tuple[str, str]]()
    for row in rows:
        found[str(row[before]), str(row[after])] += row[4]
    return found


def _count(rows: Iterable[Row], of: Any) -> Counter[str]:
    found = Counter[str]()
    for row in rows:
        found[of(row)] += row[4]
    return found


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None
