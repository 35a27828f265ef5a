"""What GrowthBook's gbstats and Spotify's confidence say: JSON lines in, JSON lines out.

Run by the Python of an environment of their own (``benchmarks.experiments_references``), which has
none of ours.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def main() -> None:
    warnings.simplefilter("ignore")  # both warn of what pandas has changed since
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps({**_gbstats(case), **_confidence(case)}), flush=True)


def _gbstats(case: dict[str, Any]) -> dict[str, Any]:
    from gbstats.frequentist.tests import (
        FrequentistConfig,
        SequentialConfig,
        SequentialTwoSidedTTest,
        TwoSidedTTest,
    )
    from gbstats.utils import check_srm

    control, treated = case["control"], case["treated"]
    plain = _mean(control), _mean(treated)
    fixed = {kind: FrequentistConfig(difference_type=kind) for kind in ("absolute", "relative")}
    tuned = SequentialConfig(difference_type="absolute", sequential_tuning_parameter=case["tuning"])
    return {
        "gb_difference": _told(TwoSidedTTest(*plain, fixed["absolute"])),
        "gb_relative": _told(TwoSidedTTest(*plain, fixed["relative"])),
        "gb_ratio": _told(TwoSidedTTest(_ratio(control), _ratio(treated), fixed["absolute"])),
        "gb_cuped": _told(TwoSidedTTest(*_adjusted(control, treated), fixed["absolute"])),
        "gb_cuped_relative": _told(TwoSidedTTest(*_adjusted(control, treated), fixed["relative"])),
        "gb_sequential": _told(SequentialTwoSidedTTest(*plain, tuned)),
        "gb_srm": float(check_srm([control["n"], treated["n"]], [0.5, 0.5])),
    }


def _told(test: Any) -> list[float]:
    found = test.compute_result()
    return [float(found.expected), *map(float, found.ci), float(found.p_value)]


def _mean(arm: dict[str, Any], name: str = "y") -> Any:
    from gbstats.models.statistics import SampleMeanStatistic

    return SampleMeanStatistic(n=arm["n"], sum=arm[name], sum_squares=arm[name + name])


def _ratio(arm: dict[str, Any]) -> Any:
    from gbstats.models.statistics import RatioStatistic

    return RatioStatistic(
        n=arm["n"], m_statistic=_mean(arm), d_statistic=_mean(arm, "s"),
        m_d_sum_of_products=arm["ys"],
    )  # fmt: skip


def _adjusted(control: dict[str, Any], treated: dict[str, Any]) -> list[Any]:
    from dataclasses import replace

    from gbstats.models.statistics import RegressionAdjustedStatistic, compute_theta

    both = [
        RegressionAdjustedStatistic(
            n=arm["n"], post_statistic=_mean(arm), pre_statistic=_mean(arm, "x"),
            post_pre_sum_of_products=arm["yx"], theta=0.0,
        )
        for arm in (control, treated)
    ]  # fmt: skip
    theta = compute_theta(*both)
    return [replace(one, theta=theta) for one in both]


def _confidence(case: dict[str, Any]) -> dict[str, Any]:
    from pandas import DataFrame
    from spotify_confidence import StudentsTTest

    arms = {name: case[name] for name in ("control", "treated", "third")}
    frame = DataFrame(
        {
            "arm": list(arms),
            "n": [arm["n"] for arm in arms.values()],
            "y": [arm["y"] for arm in arms.values()],
            "yy": [arm["yy"] for arm in arms.values()],
        }
    )
    columns = ("y", "yy", "n", "arm")
    two = StudentsTTest(frame[frame["arm"] != "third"], *columns)
    row = two.difference(level_1="control", level_2="treated").iloc[0]
    three = StudentsTTest(frame, *columns, correction_method="holm")
    many = three.multiple_difference(level="control", level_as_reference=True)
    srm, _ = two.sample_ratio_test({"control": 0.5, "treated": 0.5})
    names = ("difference", "ci_lower", "ci_upper", "p-value")
    return {
        "sp_difference": [float(row[name]) for name in names],
        "sp_holm": {one["level_2"]: float(one["adjusted p-value"]) for _, one in many.iterrows()},
        "sp_srm": float(srm),
    }
