"""Series over numbers: lines with their intervals as bands, points with whiskers."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.marks import CHARACTER, joined, line, lines, mark, path, text, told_apart
from dashboard.charts.scale import Scale, values_of
from dashboard.numbers import Unit
from training.charts import Chart, Series

_LINE = 15.0
_MOST_MARKED = 16  # of more points than this a line marks every nth


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture: its size, and the scales of both axes."""

    width: float
    height: float
    x: Scale
    y: Scale

    def place(self, x: float, y: float) -> tuple[float, float]:
        return self.x.at(x), self.y.at(y)


def upright(chart: Chart, width: int, unit: Unit) -> tuple[float, Markup]:
    """Height and content of the picture."""
    frame = _frame(chart, width, unit)
    parts = [_axes(frame, chart, unit)]
    parts += [_band(frame, one, kind) for one, kind, _ in told_apart(chart) if one.style == "line"]
    parts += [_drawn(frame, one, kind, shape) for one, kind, shape in told_apart(chart)]
    return frame.height, joined(parts)


def _frame(chart: Chart, width: int, unit: Unit) -> Frame:
    height = 300.0 if width > 500 else 240.0
    top = 9 + _LINE * len(lines(chart.y, width))
    height += top
    bottom = height - 38
    y = Scale.over(values_of(chart.series), bottom, top, 5)
    left = 10 + CHARACTER * max(len(words) for _, words in y.ticks(unit))
    places = [place for one in chart.series for place in numbers(one)]
    most = 6 if width > 500 else 4
    longest = max(len(words) for _, words in Scale.over(places, 0, 1, most).ticks())
    right = width - 5 - CHARACTER * longest / 2
    return Frame(width, height, Scale.over(places, left, right, most), y)


def _axes(frame: Frame, chart: Chart, unit: Unit) -> Markup:
    x, y = frame.x, frame.y
    titles = enumerate(lines(chart.y, frame.width))
    parts = [text((0, 12 + _LINE * number), words, "axis") for number, words in titles]
    for tick, words in y.ticks(unit):
        at = y.at(tick)
        parts.append(line((x.start, at), (x.stop, at), "zero" if tick == 0 else "grid"))
        parts.append(text((x.start - 6, at + 4), words, "tick", "end"))
    for tick, words in x.ticks():
        parts.append(line((x.at(tick), y.start), (x.at(tick), y.start + 4), "zero"))
        parts.append(text((x.at(tick), y.start + 17), words, "tick", "middle"))
    parts.append(text((x.stop, frame.height - 4), chart.x, "axis", "end"))
    return joined(parts)


def numbers(one: Series) -> list[float]:
    """Where its points stand on the axis."""
    return [float(place) for place in one.x]


def _band(frame: Frame, one: Series, kind: str) -> Markup:
    """The area of the intervals; one that is missing parts it."""
    parts, run = [], list[tuple[float, tuple[float, float]]]()
    for x, ends in [*zip(numbers(one), one.intervals, strict=True), (0.0, None)]:
        if ends is not None:
            run.append((x, ends))
        elif run:
            above = [frame.place(at, high) for at, (_, high) in run]
            below = [frame.place(at, low) for at, (low, _) in reversed(run)]
            parts.append(path([*above, *below], f"band {kind}", closed=True))
            run = []
    return joined(parts)


def _drawn(frame: Frame, one: Series, kind: str, shape: str) -> Markup:
    places = [frame.place(x, float(y)) for x, y in zip(numbers(one), one.y, strict=True)]
    if not places:
        return Markup("")
    if one.style == "guide":
        return path(places, "guide")
    parts = []
    if one.style == "line":
        parts.append(path(places, f"stroke {kind}"))
    else:
        for place, ends in zip(places, one.intervals, strict=True):
            if ends is not None:
                low, high = (frame.y.at(end) for end in ends)
                parts.append(line((place[0], low), (place[0], high), f"whisker {kind}"))
    marked = places[:: -(len(places) // -_MOST_MARKED)] if one.style == "line" else places
    return joined([*parts, *(mark(shape, place, kind) for place in marked)])
