"""Who moved from which group to which, moment by moment: bands between columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.figure import Data, Frame, framed
from dashboard.charts.marks import box, cut, joined, text
from dashboard.numbers import number, told

_TOP, _BAR, _GAP, _LABEL = 22.0, 12.0, 16.0, 156.0
_BOLD = 0.88  # of the letters that fit a label as others are set, since bold ones are wider
_COLUMNS = ("begins", "ends", "from", "to", "members", "share")
_MOST = 7  # colours
Moves = Mapping[tuple[str, str], int]


@dataclass(frozen=True, eq=False)
class Flow:
    """Groups at some moments, and the members who went from one to the other.

    moments: names of the columns, oldest first. names: of the groups as shown, by their codes, from
    top to bottom. moves: (moments − 1) members by group before and after; what a group holds at a
    moment is what leaves it, at the last moment what came.
    """

    title: str
    moments: Sequence[str]
    names: Mapping[str, str]
    moves: Sequence[Moves]

    def members(self, place: int) -> dict[str, int]:
        """Of each group in one column, in order; the empty ones left out."""
        side = 1 if place == len(self.moves) else 0
        found = dict.fromkeys(self.names, 0)
        for pair, members in self.moves[min(place, len(self.moves) - 1)].items():
            found[pair[side]] += members
        return {name: members for name, members in found.items() if members}

    def last(self, columns: int) -> Flow:
        """The newest columns alone."""
        kept = max(len(self.moments) - columns, 0)
        return Flow(self.title, self.moments[kept:], self.names, self.moves[kept:])


def flow_figure(flow: Flow, frame: Frame) -> Markup:
    """The flow as a ``<figure>``: four columns on a desk, two on a phone; the table has all."""

    def draw(width: int) -> tuple[float, Markup]:
        return _drawn(flow.last(4 if width > 500 else 2), width)

    return framed(frame, Markup(""), draw, _data(flow, frame))


def _drawn(flow: Flow, width: int) -> tuple[float, Markup]:
    tall = 320.0 if width > 500 else 280.0
    places = [_column(flow.members(n), tall) for n in range(len(flow.moments))]
    # A group of few members has less of a bar than its label needs.
    lowest = max(max(ends[1], ends[0] + _GAP - 4) for column in places for ends in column.values())
    height = _TOP + lowest + 4
    step = (width - _LABEL - _BAR) / max(len(flow.moments) - 1, 1)
    kinds = {name: f"s{place % _MOST}" for place, name in enumerate(flow.names)}
    parts = []
    for n, moves in enumerate(flow.moves):
        ends = (n * step + _BAR, (n + 1) * step)
        parts += _bands(flow, moves, (places[n], places[n + 1]), ends)
    for n, moment in enumerate(flow.moments):
        last = n == len(flow.moments) - 1
        parts.append(text((n * step, 14), moment, "axis"))
        members = flow.members(n)
        for name, (top, bottom) in places[n].items():
            at = (n * step, _TOP + top)
            parts.append(box(at, (_BAR, max(bottom - top, 1.0)), f"fill {kinds[name]}"))
            words = f"{flow.names[name]} {told(members[name], 'count')}"
            room = _LABEL - 4 if last else step - _BAR - 8
            middle = _TOP + (top + bottom) / 2 + 4
            parts.append(text((n * step + _BAR + 4, middle), cut(words, _BOLD * room), "name"))
    return height, joined(parts)


def _column(members: Mapping[str, int], tall: float) -> dict[str, tuple[float, float]]:
    """Where each group begins and ends, from the top; the small ones have room for a label."""
    whole = sum(members.values()) or 1
    found, top = {}, 0.0
    for name, count in members.items():
        size = tall * count / whole
        found[name] = (top, top + size)
        top += max(size, _GAP - 4) + 4
    return found


def _bands(
    flow: Flow,
    moves: Moves,
    places: tuple[Mapping[str, tuple[float, float]], Mapping[str, tuple[float, float]]],
    ends: tuple[float, float],
) -> list[Markup]:
    """From the right edge of one column to the left edge of the next."""
    left, right = places
    out = {name: top for name, (top, _) in left.items()}
    into = {name: top for name, (top, _) in right.items()}
    sizes = [_unit(left, moves, 0), _unit(right, moves, 1)]
    parts = []
    for place, was in enumerate(flow.names):
        for now in flow.names:
            members = moves.get((was, now), 0)
            if not members:
                continue
            one, other = members * sizes[0][was], members * sizes[1][now]
            parts.append(_band(ends, (out[was], one), (into[now], other), f"s{place % _MOST}"))
            out[was] += one
            into[now] += other
    return parts


def _unit(column: Mapping[str, tuple[float, float]], moves: Moves, side: int) -> dict[str, float]:
    """Pixels for each member, by group."""
    whole = dict.fromkeys(column, 0)
    for pair, members in moves.items():
        whole[pair[side]] += members
    return {
        name: (bottom - top) / whole[name] if whole[name] else 0.0
        for name, (top, bottom) in column.items()
    }


def _band(
    ends: tuple[float, float], one: tuple[float, float], other: tuple[float, float], kind: str
) -> Markup:
    (x0, x1), middle = ends, sum(ends) / 2
    (a, wide), (b, wider) = (_TOP + one[0], one[1]), (_TOP + other[0], other[1])
    return Markup(
        '<path class="{}" fill="currentColor" fill-opacity="0.3" d="M{:.1f},{:.1f}'
        "C{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}L{:.1f},{:.1f}"
        'C{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}Z"/>'
    ).format(
        kind, x0, a, middle, a, middle, b, x1, b, x1, b + wider,
        middle, b + wider, middle, a + wide, x0, a + wide,
    )  # fmt: skip


def _data(flow: Flow, frame: Frame) -> Data:
    cells: list[list[str]] = []
    rows: list[list[str | float | None]] = []
    for n, moves in enumerate(flow.moves):
        began = flow.members(n)
        for (was, now), members in moves.items():
            share = members / began[was]
            when = flow.moments[n], flow.moments[n + 1]
            names = flow.names[was], flow.names[now]
            cells.append([*when, *names, number(members, "count"), number(share, "share")])
            rows.append([*when, was, now, members, share])
    words = frame.words
    head = (
        words("begins"), words("ends"), words("was in"), words("is in"), words("members"),
        words("share"),
    )  # fmt: skip
    return Data(head, cells, _COLUMNS, rows)
