"""The frontier of a push as a picture, a page, or data."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

from decisions.errors import DecisionError

if TYPE_CHECKING:
    from decisions.frontier import Frontier, Point
    from decisions.promise import Promise
    from training.charts import Chart

FORMATS = (".html", ".png", ".csv", ".json")
_COLUMNS = (
    "limit", "members", "cost", "gain", "calibrated", "low", "high", "price", "return", "mark",
)  # fmt: skip


class FrontierError(DecisionError):
    """A frontier that cannot be written where it was asked for."""


def check_frontier_target(path: Path) -> None:
    """Refuse a target before any work is done for it. Raises ``FrontierError``."""
    if path.suffix not in FORMATS:
        raise FrontierError(
            f"--frontier {path} ends in {path.suffix!r}, wanted one of {', '.join(FORMATS)}"
        )
    if not path.absolute().parent.is_dir():
        raise FrontierError(f"--frontier {path}: the folder {path.parent} does not exist; make it")


def write_frontier(path: Path, found: Frontier, own: Promise) -> None:
    """Write ``found``; the plan's ``own`` place is marked in pictures."""
    if path.suffix == ".json":
        path.write_text(json.dumps(found.to_json()), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows(_row(found, place) for place in range(len(found.points)))
    else:
        _draw(path, frontier_chart(found, own))


def _draw(path: Path, chart: Chart) -> None:
    from training.charts import page

    if path.suffix == ".png":
        chart.figure().savefig(path, dpi=100)
    else:
        path.write_text(page(chart.title, {"frontier": chart}), encoding="utf-8")


def _row(found: Frontier, place: int) -> list[object]:
    point = found.points[place]
    low, high = point.interval or (None, None)
    marks = [mark for mark, at in _marks(found).items() if at == place]
    return [
        point.limit, point.members, point.cost, point.gain, point.calibrated, low, high,
        point.price, point.gain_per_cost, " and ".join(marks),
    ]  # fmt: skip


def _marks(found: Frontier) -> dict[str, int]:
    """What is marked, and at which point."""
    marks = {"largest profit": found.largest_profit}
    if found.largest_return is not None:
        marks["largest return"] = found.largest_return
    return marks


def frontier_chart(found: Frontier, own: Promise) -> Chart:
    """Expected gain over cost (over members, where nothing costs anything), with its interval."""
    from training.charts import Chart, Series

    by_cost = found.along == "cost"

    def place(point: Point) -> float:
        return point.cost if by_cost else point.members

    measured = all(point.calibrated is not None for point in found.points)
    gains = [_shown(point) for point in found.points]
    widths = [(p.interval[1] - p.interval[0]) / 2 for p in found.points if p.interval is not None]
    mine = own.gain if own.calibrated is None else own.calibrated
    series = [
        Series("expected gain", [place(p) for p in found.points], gains,
               error=widths if measured else None),
        *(
            Series(f"{mark}: {gains[at]:,.0f} for {place(found.points[at]):,.0f}",
                   [place(found.points[at])], [gains[at]], style="points")
            for mark, at in _marks(found).items()
        ),
        Series(f"this plan: {mine:,.0f} for {own.cost if by_cost else own.members:,.0f}",
               [own.cost if by_cost else own.members], [mine], style="points"),
    ]  # fmt: skip
    interval = f", with its {found.confidence:.0%} interval" if measured else ", as assumed"
    return Chart(
        "What more, or less, would bring",
        "expected cost, money" if by_cost else "members",
        f"expected gain{interval}",
        tuple(series),
    )


def _shown(point: Point) -> float:
    return point.gain if point.calibrated is None else point.calibrated
