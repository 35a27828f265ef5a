from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf

from training.charts import Chart
from training.plots import gain_plot, lift_plot, reliability_plot

PROMISED = np.random.default_rng(0).random(500)
BOUGHT = np.random.default_rng(1).random(500) < PROMISED
PLOTS = {
    "reliability": lambda: reliability_plot(BOUGHT, PROMISED),
    "constant model": lambda: reliability_plot(BOUGHT, np.full(500, 0.5)),
    "gain": lambda: gain_plot(BOUGHT, {"model": PROMISED, "recency": -PROMISED}),
    "lift": lambda: lift_plot(BOUGHT, PROMISED),
}


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_draws_without_leaving_a_figure_behind(plot: Callable[[], Chart], tmp_path: Path) -> None:
    plot().figure().savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert not Gcf.figs


def test_gain_shows_each_ranking_against_chance() -> None:
    legend = gain_plot(BOUGHT, {"model": PROMISED}).figure().axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.texts] == ["at random", "model"]
