"""What a chart is drawn with: text, lines, and a shape for each series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from unicodedata import east_asian_width

from markupsafe import Markup

from training.charts import Chart, Series

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring", "bar")
CHARACTER = 7.0  # pixels that one takes at the size of the labels
_WIDE = 12.0  # pixels of a Chinese one
Place = tuple[float, float]


def text(at: Place, words: str, kind: str = "", anchor: str = "start") -> Markup:
    """``words`` with their base line ``at`` (x, y); ``anchor`` says which end is there."""
    return Markup('<text x="{:g}" y="{:g}" class="{}" text-anchor="{}">{}</text>').format(
        *at, kind, anchor, words
    )


def lines(words: str, width: float) -> list[str]:
    """``words`` as lines that fit ``width``."""
    return wrap(words, _fit(words, width)) or [""]


def cut(words: str, width: float) -> str:
    """``words``, or as much of them as fits ``width``; the table has them all."""
    most = _fit(words, width)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def width_of(words: str) -> float:
    """Pixels that ``words`` take at the size of the labels; Chinese letters are wider than Latin
    ones."""
    wide = sum(east_asian_width(one) in "WF" for one in words)
    return CHARACTER * len(words) + (_WIDE - CHARACTER) * wide


def _fit(words: str, width: float) -> int:
    """How many characters of ``words`` fit ``width``."""
    each = width_of(words) / len(words) if words else CHARACTER
    return int(width / each)


def line(one: Place, other: Place, kind: str) -> Markup:
    return Markup('<line x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}" class="{}"/>').format(
        *one, *other, kind
    )


def path(places: Sequence[Place], kind: str, *, closed: bool = False) -> Markup:
    """A line through ``places``, or the area that they enclose."""
    drawn = "L".join(f"{x:g},{y:g}" for x, y in places)
    return Markup('<path d="M{}{}" class="{}"/>').format(drawn, "Z" if closed else "", kind)


def box(at: Place, size: Place, kind: str) -> Markup:
    """A rectangle from its upper left corner."""
    return Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="{:g}" class="{}"/>').format(
        *at, *size, kind
    )


def mark(shape: str, at: Place, kind: str) -> Markup:
    """One point, told by its shape; about nine pixels wide."""
    x, y = at
    kind = f"mark {kind}"
    if shape in ("circle", "ring"):
        return Markup('<circle cx="{:g}" cy="{:g}" r="4.5" class="{} {}"/>').format(
            x, y, kind, shape
        )
    if shape == "square":
        return box((x - 4, y - 4), (8, 8), kind)
    if shape == "bar":
        return box((x - 1.5, y - 6), (3, 12), kind)
    if shape == "cross":
        return path([(x - 4, y - 4), (x + 4, y + 4)], kind) + path(
            [(x - 4, y + 4), (x + 4, y - 4)], kind
        )
    corners = {
        "triangle": [(x, y - 5.5), (x + 5, y + 4), (x - 5, y + 4)],
        "diamond": [(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)],
    }[shape]
    return path(corners, kind, closed=True)


def told_apart(chart: Chart) -> list[tuple[Series, str, str]]:
    """Each series with its class and its shape; guides have no colour of their own.

    Series of one name belong together, and look alike.
    """
    names = list(dict.fromkeys(one.name for one in chart.series if one.style != "guide"))
    found = []
    for one in chart.series:
        if one.style == "guide":
            found.append((one, "guide", ""))
        else:
            place = names.index(one.name) % len(SHAPES)
            found.append((one, f"s{place}", SHAPES[place]))
    return found


def swatch(one: Series, kind: str, shape: str) -> Markup:
    """What the legend shows of a series."""
    middle: Place = (14.0, 7.0)
    if one.style == "bars":
        inside = box((4, 2), (20, 10), f"fill {kind}")
    elif one.style == "guide":
        inside = line((1, 7), (27, 7), "guide")
    else:
        joined = line((1, 7), (27, 7), f"stroke {kind}") if one.style == "line" else Markup("")
        inside = joined + mark(shape, middle, kind)
    return Markup('<svg width="28" height="14" aria-hidden="true">{}</svg>').format(inside)


def joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
