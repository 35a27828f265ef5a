"""Flows and tables of numbers as pictures: everything is told in words and data too."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from dashboard.charts.figure import Frame
from dashboard.charts.flow import Flow, flow_figure
from dashboard.charts.heat import Cell, Heat, heat_figure

MOVES = [
    {("new", "active"): 30, ("new", "lapsed"): 10, ("lapsed", "lapsed"): 60},
    {("active", "active"): 25, ("active", "lapsed"): 5, ("lapsed", "active"): 7,
     ("lapsed", "lapsed"): 63},
]  # fmt: skip
NAMES = {"new": "new <b>", "active": "active", "lapsed": "lapsed"}


def flow(title: str = "Flow") -> Flow:
    return Flow(title, ("May", "June", "July"), NAMES, MOVES)


def test_a_flow_holds_what_left_and_what_came() -> None:
    shown = flow()
    assert [shown.members(n) for n in range(3)] == [
        {"new": 40, "lapsed": 60}, {"active": 30, "lapsed": 70}, {"active": 32, "lapsed": 68},
    ]  # fmt: skip


def test_a_flow_names_every_group_with_its_number() -> None:
    drawn = str(flow_figure(flow(), Frame("Flow", "Who moved.", "flow")))
    assert ">active 32</text>" in drawn
    assert ">new &lt;b&gt; 40</text>" in drawn
    assert "<b>40" not in drawn


def test_a_phone_gets_the_last_month_alone() -> None:
    drawn = str(flow_figure(flow(), Frame("Flow", "Who moved.", "flow")))
    wide, narrow = re.findall(r"<svg.*?</svg>", drawn, re.DOTALL)
    assert wide.count("<path") == 7
    assert narrow.count("<path") == 4
    assert ">May</text>" not in narrow


def test_a_flow_comes_with_its_data() -> None:
    drawn = str(flow_figure(flow(), Frame("Flow", "Who moved.", "flow")))
    link = re.search(r'href="data:text/csv;charset=utf-8,([^"]+)"', drawn)
    assert link is not None
    rows = unquote(link[1]).splitlines()
    assert rows[0] == "begins,ends,from,to,members,share"
    assert "May,June,new,active,30,0.75" in rows


def test_bands_leave_and_reach_their_groups_in_full() -> None:
    """What leaves a group fills its bar from top to bottom, so does what comes."""
    drawn = str(flow_figure(flow(), Frame("Flow", "Who moved.", "flow")))
    wide = re.findall(r"<svg.*?</svg>", drawn, re.DOTALL)[0]
    bars = [float(h) for h in re.findall(r'height="([\d.]+)" class="fill', wide)]
    assert sum(bars[:2]) == pytest.approx(320, abs=0.1)


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_a_table_of_shares_has_its_numbers_in_it_and_says_what_cannot_be_told(width: str) -> None:
    cells = [[Cell(0.25, 0.2, 0.3, 120), Cell(None, note="too early")]]
    heat = Heat("Second purchase", "month", ["2026-05"], ["30", "90"], cells)
    drawn = str(heat_figure(heat, Frame("Second purchase", "By when.", "second")))
    picture = re.search(rf'<svg class="{width}".*?</svg>', drawn, re.DOTALL)
    assert picture is not None
    assert ">25.0%</text>" in picture[0]
    assert ">–</text>" in picture[0]
    assert "<td>too early</td>" in drawn
    assert "2026-05,30,0.25,0.2,0.3,120" in unquote(drawn)


@pytest.mark.parametrize("name", ["無等級", "no tier", "無 tier"])
def test_a_row_of_a_heat_chart_has_room_for_its_name(name: str) -> None:
    heat = Heat("Tiers", "from", [name], ["gold", name], [[Cell(0.5), Cell(0.25)]])
    drawn = str(heat_figure(heat, Frame("Tiers", "Who moved.", "tiers")))
    assert drawn.count(f'class="name" text-anchor="start">{name}</text>') == 2, "both pictures"
    assert "…" not in drawn
