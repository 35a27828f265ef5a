"""The charts of one push: what was promised beside what came, and its offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.numbers import told
from dashboard.terms import Words, in_english
from training.charts import Chart, Series

Rows = Sequence[Mapping[str, Any]]


def promise_chart(beside: Rows, words: Words = in_english) -> Chart | None:
    """The gain promised and the gain that came; None where nothing was promised, or it cannot be
    told what came."""
    gains = [row for row in beside if row["name"].startswith("gain")]
    real = gains[0]["real"]
    names = (
        words("planned: by the estimates as they were"),
        words("planned: as such estimates come true"),
    )
    promised = [
        (name, row["planned"])
        for name, row in zip(names, gains, strict=True)
        if row["planned"] is not None
    ]
    promised += [
        (words("when it was decided"), row["logged"]) for row in gains if row["logged"] is not None
    ]
    if not promised or "told" in real:
        return None
    return Chart(
        words("Promised and earned"),
        "",
        words("gain of the whole push, money"),
        (
            _points(words("promised"), promised),
            _points(words("earned"), [(words("earned"), real)]),
        ),
    )


def frontier_chart(
    frontier: Mapping[str, Any] | None,
    planned: Mapping[str, Any] | None,
    beside: Rows,
    words: Words = in_english,
) -> Chart | None:
    """The expected gain at every budget, with the plan's place and the push's own."""
    if frontier is None or planned is None or frontier["along"] != "cost":
        return None
    points = frontier["points"]
    measured = all(one["calibrated"] is not None for one in points)
    gains = [one["calibrated" if measured else "gain"] for one in points]
    ends = [tuple(one["interval"]) if one["interval"] else None for one in points]
    rows = {row["name"]: row for row in beside}
    cost = rows["cost, coupons included"]["real"]
    real = rows["gain, by the estimates as they were"]["real"]
    mine = planned["calibrated_gain"] if measured else planned["expected_gain"]
    series = [
        Series(words("was to be gained"), [one["cost"] for one in points], gains, ends=ends),
        Series(words("as planned"), [planned["expected_cost"]], [mine], "points"),
    ]
    if "told" not in real:
        series.append(_at(words("as it came"), cost, real))
    return Chart(
        words("What more, or less, was to bring"), words("cost, money"), words("gain, money"),
        tuple(series),
    )  # fmt: skip


def offers_chart(offers: Rows, words: Words = in_english) -> Chart | None:
    """The gain per member of each offer beyond members held out; None unless it was drawn who got
    which."""
    found = [
        (one["offer_id"], one["contrast"]["incremental"]["gain"])
        for one in offers
        if one["contrast"] is not None
    ]
    known = [(name, gain) for name, gain in found if "value" in gain]
    if not known:
        return None
    axis = words("gain per member, money")
    return Chart(words("Offers"), "", axis, (_points(words("offer"), known),))


def _points(name: str, found: Sequence[tuple[str, Any]]) -> Series:
    values = [one if isinstance(one, Mapping) else {"value": one} for _, one in found]
    return Series(
        name,
        [place for place, _ in found],
        [one["value"] for one in values],
        "points",
        ends=[_ends(one) for one in values],
        labels=[told(one["value"], "money", signed=True) for one in values],
    )


def _at(name: str, x: float, estimate: Mapping[str, Any]) -> Series:
    return Series(name, [x], [estimate["value"]], "points", ends=[_ends(estimate)])


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = estimate.get("low"), estimate.get("high")
    return None if low is None or high is None else (low, high)
