from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib._pylab_helpers import Gcf

from training.charts import Chart, Series, page

NUMBERS = Chart(
    "Reliability",
    "promised",
    "happened",
    (
        Series("kept", (0.0, 1.0), (0.0, 1.0), "guide"),
        Series("model", (0.1, 0.2), (0.1, 0.3), "line", (0.05, 0.1)),
        Series("counts", (0.1, 0.2), (3, 4), "bars"),
    ),
)
FEW = Chart("Effects", "offer", "points", (Series("effect", ("a", "b"), (1.0, 2.0), "points"),))
NAMES = [f"offer-{number}" for number in range(9)]
MANY = Chart(
    "Effects",
    "offer",
    "points",
    (
        Series("effect", NAMES, [*range(9)], "points", [0.5] * 9),
        Series("share", NAMES, [1] * 9, "bars"),
    ),
)


class Sources(HTMLParser):
    """What a page would ask the network for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [str(value) for key, value in attrs if key in ("src", "href") and value]


@pytest.mark.parametrize("chart", [NUMBERS, FEW, MANY], ids=["numbers", "few names", "many names"])
def test_is_drawn_without_a_display_and_left_to_nobody(chart: Chart, tmp_path: Path) -> None:
    chart.figure().savefig(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert not Gcf.figs


def test_many_names_are_written_one_below_the_other() -> None:
    lying, upright = MANY.figure().axes[0], FEW.figure().axes[0]
    assert [label.get_text() for label in lying.get_yticklabels()] == NAMES
    assert (lying.get_xlabel(), lying.get_ylabel()) == ("points", "offer")
    assert [label.get_text() for label in upright.get_xticklabels()] == ["a", "b"]


def test_long_names_are_written_one_below_the_other_and_bars_stand_beside_each_other() -> None:
    names = ("a name of more than thirty letters", "another name of as many letters")
    series = tuple(Series(arm, names, (1.0, 2.0), "bars") for arm in ("old", "new"))
    axes = Chart("Funnel", "stage", "share", series).figure().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(names)
    edges = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches)  # type: ignore[attr-defined]
    assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(edges))


def test_series_of_one_name_are_told_once() -> None:
    bounds = tuple(Series("bound", (1, 2), (sign, sign), "guide") for sign in (1.0, -1.0))
    legend = Chart("Lift", "day", "money", bounds).figure().axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["bound"]


def test_rows_tell_every_point_with_its_interval() -> None:
    assert NUMBERS.rows()[2:4] == [
        {"series": "model", "x": 0.1, "y": 0.1, "low": 0.05, "high": pytest.approx(0.15)},
        {"series": "model", "x": 0.2, "y": 0.3, "low": pytest.approx(0.2), "high": 0.4},
    ]
    assert FEW.rows()[0] == {"series": "effect", "x": "a", "y": 1.0, "low": None, "high": None}


def test_an_interval_may_reach_further_up_than_down_or_be_missing() -> None:
    lift = Series("lift", (1, 2), (0.1, 0.2), "points", ends=((0.05, 0.3), None))
    chart = Chart("Lift", "day", "share", (lift,))
    assert [(row["low"], row["high"]) for row in chart.rows()] == [(0.05, 0.3), (None, None)]
    bar = chart.interactive().data[0].error_y
    assert list(bar.arrayminus) == [pytest.approx(0.05), 0]
    assert list(bar.array) == [pytest.approx(0.2), 0]
    assert chart.figure().axes
    with pytest.raises(ValueError, match="both error and ends"):
        Series("lift", (1,), (0.1,), error=(0.1,), ends=((0, 1),))


def test_the_page_asks_no_network_for_anything() -> None:
    made = page("propensity & more", {"reliability": NUMBERS, "effects": MANY})
    found = Sources()
    found.feed(made)
    assert found.asked == []
    assert "propensity &amp; more" in made
    assert made.count("Plotly.newPlot(") >= 2


def test_the_interactive_figure_holds_the_same_series() -> None:
    traces = NUMBERS.interactive().data
    assert [trace.name for trace in traces] == ["kept", "model", "counts"]
    assert list(traces[1].error_y.array) == pytest.approx([0.05, 0.1])


def test_parts_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"series 'effect' has parts of \[2, 3\] values"):
        Series("effect", (1, 2), (1, 2, 3))
