"""The charts of an experiment, from its results as the API gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.numbers import Unit, told
from dashboard.terms import Words, in_english, term
from training.charts import Chart, Series

Document = Mapping[str, Any]
_LATE = 1.5
_SHARES = ("converted", "reached", "unsubscribed", "complained")
STAGES = ("assigned", "sent", "delivered", "opened", "clicked", "converted")


def unit_of(metric: str) -> Unit:
    """The unit of a difference of ``metric``."""
    return "points" if metric in _SHARES else "money"


def per_member(results: Document, words: Words = in_english) -> str:
    """The deciding metric in words."""
    metric, cap = term(words, results["metric"]), results["cap"]
    if cap is None:
        return words("%(metric)s per member assigned", metric=metric)
    return words(
        "%(metric)s per member assigned, at most %(cap)s a member",
        metric=metric, cap=told(cap, "money"),
    )  # fmt: skip


def less(results: Document, arm: str, control: str, words: Words) -> str:
    """The axis of a difference of the deciding metric."""
    metric = per_member(results, words)
    return words("%(metric)s, %(arm)s less %(control)s", metric=metric, arm=arm, control=control)


def compared(results: Document, arm: str, control: str) -> Document | None:
    """The contrast of two arms; None where they were not compared."""
    found = (one for one in results["contrasts"] if (one["arm"], one["control"]) == (arm, control))
    return next(found, None)


@dataclass(frozen=True, slots=True)
class _Course:
    """How a contrast went. history: results, oldest first."""

    history: Sequence[Document]
    started_at: datetime
    arm: str
    control: str

    def found(self) -> Iterator[tuple[float, Document, Document]]:
        """Days since the start, results and contrast of each moment that compared the two."""
        for results in self.history:
            contrast = compared(results, self.arm, self.control)
            if contrast is not None:
                yield days_since(self.started_at, results), results, contrast


def over_time(
    history: Sequence[Document],
    started_at: datetime,
    arm: str,
    control: str,
    words: Words = in_english,
) -> Chart | None:
    """The lift at each moment with the interval that holds at any time, and the looks.

    None where no moment tells it.
    """
    course = _Course(history, started_at, arm, control)
    anytime, looks, bounds = list[Point](), list[Point](), list[tuple[float, float]]()
    looked = 0
    for day, results, found in course.found():
        _keep(anytime, day, found["anytime"])
        decided, primary = found["decided"], found["primary"]
        # After the last look every moment is one: the first of each is its place.
        if decided is not None and decided["by"] == "group" and results["look"]["number"] > looked:
            looked = results["look"]["number"]
            _keep(looks, day, decided["interval"])
            if "error" in primary:
                bounds.append((day, decided["bound"] * primary["error"]))
    if not anytime and not looks:
        return None
    days = [day for day, _ in bounds]
    crossed = words("has to be crossed at a look")
    series = (
        _line(words("estimate, with the interval that holds at any time"), anytime, "line"),
        _line(words("planned look, with the interval that decides"), looks, "points"),
        Series(crossed, days, [high for _, high in bounds], "guide"),
        Series(crossed, days, [-high for _, high in bounds], "guide"),
    )
    title = words("%(arm)s against %(control)s, over time", arm=arm, control=control)
    axis = less(history[-1], arm, control, words)
    shown = tuple(one for one in series if len(one.x))
    return Chart(title, words("days since the start"), axis, shown)


Point = tuple[float, Document]


def _keep(points: list[Point], day: float, estimate: Document | None) -> None:
    if estimate is not None and "value" in estimate:
        points.append((day, estimate))


def _line(name: str, points: Sequence[Point], style: Any) -> Series:
    return Series(
        name,
        [day for day, _ in points],
        [one["value"] for _, one in points],
        style,
        ends=[_ends(one) for _, one in points],
    )


def _ends(estimate: Document) -> tuple[float, float] | None:
    low, high = estimate["low"], estimate["high"]
    return None if low is None or high is None else (low, high)


def while_it_ran(history: Sequence[Document], started_at: datetime) -> Sequence[Document]:
    """``history`` without a last moment so long after the others that the curve would be lost."""
    if len(history) < 3:
        return history
    days = [days_since(started_at, one) for one in history]
    return history[:-1] if days[-1] > _LATE * days[-2] else history


def days_since(started_at: datetime, results: Document) -> float:
    """Days from the start to the moment of ``results``."""
    return (datetime.fromisoformat(results["as_of"]) - started_at).total_seconds() / 86_400


def money_over_time(
    history: Sequence[Document],
    started_at: datetime,
    arm: str,
    control: str,
    words: Words = in_english,
) -> Chart | None:
    """What the arm earned and cost beyond the control, over all its members, as it added up."""
    gain, cost = list[Point](), list[Point]()
    for day, _, found in _Course(history, started_at, arm, control).found():
        _keep(gain, day, found["incremental"]["total_gain"])
        _keep(cost, day, found["incremental"]["total_cost"])
    if not gain and not cost:
        return None
    lines = (
        _line(words("incremental gain"), gain, "line"),
        _line(words("incremental cost"), cost, "line"),
    )
    return Chart(
        words("Gain and cost of %(arm)s beyond %(control)s, added up", arm=arm, control=control),
        words("days since the start"),
        words("money, all members of the arm"),
        lines,
    )


def funnel(reached: Mapping[str, Mapping[str, int]], words: Words = in_english) -> Chart:
    """Members by arm and stage, as shares of those assigned.

    Args:
        reached: of each arm, members by the stages that are known.
    """
    series = []
    for arm, members in reached.items():
        stages = [stage for stage in STAGES if stage in members]
        whole = members["assigned"]
        shares = [members[stage] / whole if whole else 0.0 for stage in stages]
        labels = [
            f"{members[stage]:,} · {told(share, 'share', decimals=1)}"
            for stage, share in zip(stages, shares, strict=True)
        ]
        names = [term(words, stage) for stage in stages]
        series.append(Series(arm, names, shares, "bars", labels=labels))
    share = words("share of the members assigned")
    return Chart(words("Funnel"), words("stage"), share, tuple(series))


def segments(results: Document, contrast: Document, words: Words = in_english) -> Chart | None:
    """The lift within each segment, marked where it is told apart from none; None: no segments."""
    unit = unit_of(results["metric"])
    everybody = contrast["primary"]
    rows = [(one, segment_name(one, words)) for one in _told(contrast)]
    if not rows:
        return None
    series = []
    if "difference" in everybody:
        all_of_them = words("everybody")
        series.append(_forest(all_of_them, [(everybody, all_of_them, "")], unit))
    for clear, name in ((True, words("told apart from 0")), (False, words("not told apart"))):
        found = [
            (one["lift"], place, " ✓" if clear else "")
            for one, place in rows
            if one["clear"] is clear
        ]
        if found:
            series.append(_forest(f"{name} ({_CORRECTION[results['correction']]})", found, unit))
    axis = less(results, contrast["arm"], contrast["control"], words)
    title = words("%(arm)s by segment", arm=contrast["arm"])
    return Chart(title, words("segment"), axis, tuple(series))


def segment_name(one: Document, words: Words = in_english) -> str:
    """A segment and its value in words."""
    value = term(words, one["value"]) if one["value"] else words("not known")
    return f"{term(words, one['segment'])}: {value}"


_CORRECTION = {"holm": "Holm", "bh": "Benjamini-Hochberg"}


def _told(contrast: Document) -> list[Document]:
    """Those that can be told. A segment of which every member is the same says nothing more."""
    found = contrast["segments"]
    several = {
        one["segment"]
        for one in found
        if len({other["value"] for other in found if other["segment"] == one["segment"]}) > 1
    }
    return [one for one in found if one["segment"] in several and "difference" in one["lift"]]


def _forest(name: str, lifts: Sequence[tuple[Document, str, str]], unit: Unit) -> Series:
    values = [one["difference"] for one, _, _ in lifts]
    return Series(
        name,
        [place for _, place, _ in lifts],
        [one["value"] for one in values],
        "points",
        ends=[_ends(one) for one in values],
        labels=[
            told(one["value"], unit, signed=True) + mark
            for one, (_, _, mark) in zip(values, lifts, strict=True)
        ],
    )
