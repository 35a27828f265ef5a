"""A frontier as a page, a picture and data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from console.frontier_plot import FrontierError, check_frontier_target, write_frontier
from decisions.frontier import Frontier, Point
from decisions.promise import Promise

FOUND = Frontier(
    along="cost",
    confidence=0.9,
    points=(
        Point(0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 10.0),
        Point(100.0, 10.0, 100.0, 1_000.0, 900.0, (700.0, 1_100.0), 5.0),
        Point(1_000.0, 100.0, 1_000.0, 2_000.0, 1_700.0, (1_300.0, 2_100.0), 0.0),
    ),
    largest_profit=2,
    largest_return=1,
)
OWN = Promise(50, 50, 5.0, 500.0, 1_600.0, 1_400.0, (1_000.0, 1_800.0), 0.9, {"modelled": 50})


def test_data_hold_every_point_and_the_marks(tmp_path: Path) -> None:
    write_frontier(tmp_path / "a.csv", FOUND, OWN)
    write_frontier(tmp_path / "a.json", FOUND, OWN)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["mark"] for row in rows] == ["", "largest return", "largest profit"]
    assert [float(row["return"]) for row in rows[1:]] == [10.0, 2.0]
    assert json.loads((tmp_path / "a.json").read_text())["points"][1]["cost"] == 100.0


def test_a_page_asks_no_network_and_names_the_marks(tmp_path: Path) -> None:
    write_frontier(tmp_path / "a.html", FOUND, OWN)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "largest profit: 1,700 for 1,000" in page
    assert "largest return: 900 for 100" in page
    assert 'src="http' not in page


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    write_frontier(tmp_path / "a.png", FOUND, OWN)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_target_of_another_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(FrontierError, match=r"ends in '.pdf', wanted one of .html, .png"):
        check_frontier_target(tmp_path / "a.pdf")
    with pytest.raises(FrontierError, match="make it"):
        check_frontier_target(tmp_path / "no" / "a.png")
