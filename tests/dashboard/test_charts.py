from __future__ import annotations

import csv
import io
import re
from html import unescape
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.charts.figure import figure
from dashboard.charts.scale import Scale, values_of
from training.charts import Chart, Series

HOSTILE = "<script>alert('x')</script>"
OVER_TIME = Chart(
    "Lift over time",
    "days",
    "money",
    (
        Series("at any time", (1, 2, 3), (0.5, 0.4, 0.3), "line", (90, 0.2, 0.1)),
        Series("looks", (2,), (0.4,), "points", (0.15,)),
        Series("to be crossed", (2, 3), (0.3, 0.2), "guide"),
    ),
)
BY_NAME = Chart(
    "Segments",
    "segment",
    "money",
    (
        Series("shown", ("loyal",), (1.0,), "points", ends=((0.5, 2.0),), labels=("+1.00 ✓",)),
        Series("not shown", ("new", HOSTILE), (0.1, 0.2), "points", ends=((-1, 1), None)),
    ),
)


@pytest.mark.parametrize("chart", [OVER_TIME, BY_NAME], ids=["over time", "by name"])
def test_has_a_picture_for_a_desk_one_for_a_phone_and_a_table(chart: Chart) -> None:
    made = figure(chart, "data", "What is seen.", "money")
    assert made.count("<svg class=") == 2
    assert made.count(f'role="img" aria-label="{chart.title}. What is seen."') == 2
    assert made.count("<tr>") == 1 + len(chart.rows())
    assert f'<table><caption class="heard">{chart.title}</caption>' in made


def test_names_stay_text() -> None:
    made = figure(BY_NAME, "data", HOSTILE)
    assert "<script" not in made
    assert made.count("&lt;script&gt;") >= 4  # on both pictures, in the table and the caption


def test_the_data_are_in_the_page() -> None:
    link = re.search(r'href="data:text/csv;charset=utf-8,([^"]*)"', figure(BY_NAME, "data", ""))
    assert link
    rows = list(csv.DictReader(io.StringIO(unquote(unescape(link[1])))))
    assert [row["x"] for row in rows] == ["loyal", "new", HOSTILE]
    assert (rows[0]["low"], rows[0]["high"], rows[2]["low"]) == ("0.5", "2.0", "")


def test_a_name_is_no_formula_in_the_data() -> None:
    chart = Chart("a", "b", "c", (Series("=1+1", ("@sum",), (-1.0,), "bars"),))
    link = unquote(figure(chart, "data", ""))
    assert "'=1+1,'@sum,-1.0" in unescape(link)


def test_each_series_has_a_shape_of_its_own_and_guides_have_none() -> None:
    made = figure(OVER_TIME, "data", "")
    wide = made[made.index('class="wide"') : made.index('class="narrow"')]
    assert wide.count("<circle") == 3
    assert wide.count("<rect") == 1  # the look
    assert wide.count('class="band s0"') == 1
    assert wide.count('class="guide"') == 1


def test_an_interval_far_wider_than_the_others_does_not_hide_them() -> None:
    assert max(values_of(OVER_TIME.series)) < 1


def test_a_series_with_one_point_or_none_is_drawn() -> None:
    empty = Chart("a", "b", "c", (Series("none", (), ()), Series("one", (3,), (0,), "line")))
    assert figure(empty, "data", "").count("<rect") == 3  # the second's mark, in the legend too


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5),
    st.integers(2, 8),
)
@example([5e-324], 2)
@example([1e9, 1e9 + 1e-6], 2)
@example([0.0], 5)
def test_all_values_lie_between_round_numbers_inside_the_picture(
    values: list[float], most: int
) -> None:
    scale = Scale.over(values, 10, 300, most)
    assert all(10 <= scale.at(value) <= 300 for value in values)
    ticks = [tick for tick, _ in scale.ticks()]
    assert 2 <= len(ticks) <= most + 2
    assert all(10 <= scale.at(tick) <= 300 for tick in ticks)
