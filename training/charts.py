"""Charts as data: drawn as a picture, as a page to look into, or handed on as rows.

``dashboard.charts`` draws the same as inline SVG, for pages that ask no network and run no script.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GUIDE = "#888888"
_MOST_UPRIGHT = 6  # more named places than this are written one below the other
_MOST_LETTERS = 60  # in the names of places, or in one line beside an axis
_ROW = 0.24  # inches of picture for each named place


@dataclass(frozen=True, eq=False)
class Series:
    """One line, row of points or set of bars.

    x: (n,) numbers, or names of places along the axis.
    y: (n,) in the unit that the chart's axis names.
    style: a ``guide`` is thin, grey and dotted: something to compare the others with.
    error: (n,) half widths of the intervals around ``y``; the chart's axis says which interval.
    ends: (n,) lower and upper ends of the intervals, where those are not equally far from ``y``;
        None where a point has no interval.
    labels: (n,) what stands beside each point instead of its number; pages alone show it.
    """

    name: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    style: Literal["line", "points", "bars", "guide"] = "line"
    error: Sequence[float] | None = None
    ends: Sequence[tuple[float, float] | None] | None = None
    labels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        parts = (self.x, self.y, self.error, self.ends, self.labels)
        sizes = [len(part) for part in parts if part is not None]
        if len(set(sizes)) > 1:
            raise ValueError(f"series {self.name!r} has parts of {sizes} values, wanted equal ones")
        if self.error is not None and self.ends is not None:
            raise ValueError(f"series {self.name!r} has both error and ends, wanted one of them")

    @property
    def intervals(self) -> tuple[tuple[float, float] | None, ...]:
        """(n,) lower and upper end around each point; None where it has no interval."""
        if self.ends is not None:
            return tuple(self.ends)
        if self.error is None:
            return (None,) * len(self.y)
        return tuple(
            (float(y) - float(wide), float(y) + float(wide))
            for y, wide in zip(self.y, self.error, strict=True)
        )

    @property
    def reaches(self) -> tuple[list[float], list[float]] | None:
        """How far the intervals reach below and above the points; None without intervals."""
        if self.error is None and self.ends is None:
            return None
        around = [
            (float(y), *(ends or (float(y), float(y))))
            for y, ends in zip(self.y, self.intervals, strict=True)
        ]
        return [y - low for y, low, _ in around], [high - y for y, _, high in around]


@dataclass(frozen=True, eq=False)
class Chart:
    """Series over one pair of axes. x, y: what the axes show, with the unit."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]

    def figure(self) -> Figure:
        """As a picture that belongs to nobody else and needs no display.

        Many named places are written one below the other, so that each can be read.
        """
        from matplotlib.figure import Figure

        places = self.names
        lying = len(places) > _MOST_UPRIGHT or sum(map(len, places)) > _MOST_LETTERS
        height = max(4.0, 1 + _ROW * len(places)) if lying else 4.0
        # A figure made without pyplot joins no global list and draws with Agg.
        made = Figure(figsize=(6, height), layout="constrained")
        axes = made.subplots()
        at = _Axis(places, lying, sum(one.style == "bars" for one in self.series))
        drawn = bars = 0  # guides take no color of their own
        for one in self.series:
            _draw(axes, one, at, f"C{drawn % 10}", bars)
            drawn += one.style != "guide"
            bars += one.style == "bars"
        if places and lying:
            axes.set_yticks(range(len(places)), places)
            axes.invert_yaxis()
        elif places:
            axes.set_xticks(range(len(places)), places)
        names = (self.y, self.x) if lying else (self.x, self.y)
        across, up = (fill(name, _MOST_LETTERS) for name in names)
        axes.set(xlabel=across, ylabel=up, title=self.title)
        if len(self.series) > 1:
            handles, told = axes.get_legend_handles_labels()
            once = dict(zip(told, handles, strict=True))
            axes.legend(once.values(), once.keys())
        return made

    def interactive(self) -> Any:
        """As a figure of plotly, to look into: the same series, axes and intervals."""
        from plotly.graph_objects import Figure

        made = Figure(data=[_trace(one) for one in self.series])
        made.update_layout(
            title=self.title, xaxis_title=self.x, yaxis_title=self.y, template="plotly_white"
        )
        return made

    def rows(self) -> list[dict[str, str | float | None]]:
        """The chart as data: ``series``, ``x``, ``y``, and ``low`` and ``high`` of its interval
        (None: there is none)."""
        return [
            {
                "series": one.name,
                "x": place,
                "y": float(one.y[number]),
                "low": None if ends is None else float(ends[0]),
                "high": None if ends is None else float(ends[1]),
            }
            for one in self.series
            for number, (place, ends) in enumerate(zip(_places(one), one.intervals, strict=True))
        ]

    @property
    def names(self) -> list[str]:
        """Places with names, in the order in which the series bring them; none for numbers."""
        found = (place for one in self.series for place in one.x if isinstance(place, str))
        return list(dict.fromkeys(found))


def page(title: str, charts: Mapping[str, Chart]) -> str:
    """All ``charts`` as one HTML page that can be looked into and asks no network for anything."""
    from plotly.io import to_html
    from plotly.offline import get_plotlyjs

    parts = [
        to_html(
            chart.interactive(),
            full_html=False,
            include_plotlyjs=False,
            config={"displaylogo": False},
            div_id=f"chart-{number}",
        )
        for number, chart in enumerate(charts.values())
    ]
    heading = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{heading}</h1>"
        f"{''.join(parts)}</body></html>"
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where things stand. lying: places are one below the other. bars: series of them."""

    places: Sequence[str]
    lying: bool
    bars: int

    def of(self, one: Series) -> list[float]:
        number = {name: place for place, name in enumerate(self.places)}
        return [number[place] if isinstance(place, str) else float(place) for place in one.x]

    def beside(self, nth: int) -> tuple[float, float]:
        """How far the ``nth`` series of bars stands from its place, and how wide a bar is."""
        wide = 0.8 / (self.bars if self.places else 1)
        return (nth - (self.bars - 1) / 2) * wide if self.places else 0.0, wide


def _draw(axes: Axes, one: Series, at: _Axis, color: str, nth: int) -> None:
    x, y = at.of(one), [float(value) for value in one.y]
    # Lying, the places stand on the vertical axis and the values run along the other.
    across, up = (y, x) if at.lying else (x, y)
    intervals: dict[str, Any] = {"xerr" if at.lying else "yerr": one.reaches}
    if one.style == "guide":
        axes.plot(across, up, color=_GUIDE, linestyle=":", linewidth=1, label=one.name)
    elif one.style == "bars":
        draw = axes.barh if at.lying else axes.bar
        off, wide = at.beside(nth)
        draw(
            [place + off for place in x],
            y,
            wide,
            color=color,
            alpha=0.8,
            label=one.name,
            **intervals,
        )
    else:
        mark = "o-" if one.style == "line" else "o"
        axes.errorbar(
            across, up, fmt=mark, markersize=4, capsize=3, color=color, label=one.name, **intervals
        )


def _trace(one: Series) -> Any:
    from plotly.graph_objects import Bar, Scatter

    x, y = _places(one), [float(value) for value in one.y]
    error = None
    if one.reaches is not None:
        below, above = one.reaches
        error = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    if one.style == "bars":
        return Bar(x=x, y=y, name=one.name, error_y=error)
    if one.style == "guide":
        line = {"color": _GUIDE, "dash": "dot", "width": 1}
        return Scatter(x=x, y=y, name=one.name, mode="lines", line=line)
    mode = "lines+markers" if one.style == "line" else "markers"
    return Scatter(x=x, y=y, name=one.name, mode=mode, error_y=error)


def _places(one: Series) -> list[str | float]:
    return [place if isinstance(place, str) else float(place) for place in one.x]
