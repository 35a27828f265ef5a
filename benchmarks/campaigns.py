"""What campaigns that went to big spenders changed: The Complete Journey's 30 campaigns.

One row a household and campaign, 75,000 of them, with the spend of 28 days before and after the
campaign's start. The reference is the naive difference, treated less untreated afterwards, in the
same run: what a report would print that does not ask who was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.figure import Figure, data_folder
from experiments.panel import CannotSay, Panel, campaign_readout

_AT_MOST = 4.0


def figures(quick: bool) -> Iterator[Figure]:
    """The readout's effect beside the naive difference; ``quick`` leaves nothing out: seconds."""
    import pyarrow.parquet as pq

    folder = data_folder() / "complete_journey"
    table = pq.read_table(folder / "agg_household_campaign_lift.parquet")
    column = {name: table[name].to_numpy() for name in table.column_names}
    panel = Panel(
        unit=column["household_key"].astype(np.int64),
        campaign=column["CAMPAIGN"].astype(np.int64),
        treated=column["Exposed"].astype(bool),
        before=column["Pre_Spend"].astype(np.float64),
        after=column["Post_Spend"].astype(np.float64),
    )
    naive = float(panel.after[panel.treated].mean() - panel.after[~panel.treated].mean())
    answer = campaign_readout(panel).answer
    goal = f"within ±{_AT_MOST:g}, or cannot say"
    if isinstance(answer, CannotSay):
        yield Figure("campaign_effect_unsaid", 0.0, naive, "spend", 0.0, goal, True)
        return
    holds = abs(answer.mean) < _AT_MOST
    ratio = answer.mean / naive
    yield Figure("campaign_effect", answer.mean, naive, "spend", ratio, goal, holds)
    yield Figure(
        "campaign_effect_error",
        answer.error,
        abs(naive),
        "spend",
        answer.error / abs(naive),
        "the interval holds 0",
        answer.low <= 0 <= answer.high,
    )
