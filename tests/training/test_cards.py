from __future__ import annotations

from training.cards import Card, Measurements, model_card
from training.comparison import Comparison
from training.gates import Check

FOUND = Measurements(
    params={"rounds": 300},
    facts={"data_window": "2011-01 to 2011-09", "feature_moments": "2011-01-01 2011-02-01"},
    comparisons=(
        Comparison("auc", 0.78, {"rfm": 0.75}, champion=0.77),
        Comparison("log_loss", 0.5, {"rfm": 0.4}, higher_is_better=False),
    ),
    checks=(Check("better than the plain baselines", True, "auc 0.78 beside rfm 0.75"),),
    champion="champion (version 3)",
)


def test_every_figure_stands_beside_baselines_and_champion() -> None:
    lines = model_card("propensity", Card("Who buys."), FOUND).splitlines()
    header = (
        "| figure | better when | this model | rfm | champion (version 3) | past the baselines |"
    )
    at = lines.index(header)
    assert lines[at + 2 : at + 4] == [
        "| auc | higher | 0.78 | 0.75 | 0.77 | yes |",
        "| log_loss | lower | 0.5 | 0.4 |  | **no** |",
    ]


def test_tells_purpose_gates_limits_and_settings() -> None:
    text = model_card("propensity", Card("Who buys.", ("Not what a push changes.",)), FOUND)
    for said in (
        "# Model card: propensity",
        "Who buys.",
        "- Not what a push changes.",
        "It passed every gate.",
        "| rounds | 300 |",
        "| data window | 2011-01 to 2011-09 |",
    ):
        assert said in text
    assert "feature moments" not in text


def test_what_a_table_cannot_hold_is_written_so_that_it_can() -> None:
    odd = Measurements({}, {"why": "a | b\nc"}, FOUND.comparisons, ())
    assert "| why | a \\| b c |" in model_card("propensity", Card(""), odd)
