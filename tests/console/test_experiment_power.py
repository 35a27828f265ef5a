from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from console.main import application
from features.tables import opened
from tests.conftest import MarketWorkspace


def _asked(ingested: MarketWorkspace, *more: str) -> list[str]:
    day = f"{ingested.as_of:%Y-%m-%d}"
    root = str(ingested.workspace.root)
    return ["experiment", "power", "--as-of", day, "--workspace", root, *more]


def _told(ingested: MarketWorkspace, *more: str) -> dict[str, Any]:
    done = CliRunner().invoke(application(), [*_asked(ingested, *more), "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _bought(ingested: MarketWorkspace, first: int, last: int) -> pd.Series[float]:
    """Margin of each buyer in days ``first`` to ``last`` before the history's end, by pandas."""
    with opened(ingested.workspace) as tables:
        lines = tables.events.filter(ibis._["type"].isin(["purchase", "refund"])).execute()
        rates = tables.items.execute().drop_duplicates("item_id", keep="last")
    end = ingested.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    inside = (lines.occurred_at >= end - timedelta(days=first)) & (
        lines.occurred_at < end - timedelta(days=last)
    )
    lines = lines[inside & (lines.known_at.isna() | (lines.known_at < end))]
    lines = lines.merge(rates[["item_id", "margin_rate"]], on="item_id", how="left")
    price = lines.unit_price.astype(float) * lines.quantity.fillna(1.0)
    price -= lines.discount.astype(float).fillna(0.0)
    margin = (
        lines.margin.astype(float).fillna(price * lines.margin_rate.astype(float).fillna(0.3)).abs()
    )
    sign = np.where(lines["type"] == "refund", -1.0, 1.0)
    found: pd.Series[float] = (margin * sign).groupby(lines.member_id).sum()
    return found


def test_the_baseline_is_what_members_did_in_the_window(ingested: MarketWorkspace) -> None:
    told = _told(ingested, "--metric", "margin", "--window-days", "30", "--before-days", "60")
    baseline, bought = told["baseline"], _bought(ingested, 30, 0)
    assert baseline["members"] > 2_900
    assert baseline["mean"] == pytest.approx(bought.sum() / baseline["members"], rel=1e-3)
    nobody = np.zeros(baseline["members"] - len(bought))
    values = np.concatenate([bought.to_numpy(), nobody])
    assert baseline["variance"] == pytest.approx(values.var(ddof=1), rel=1e-3)
    assert 0 <= baseline["correlation"] < 1


def test_a_lift_is_sized_from_it_and_named_in_a_sentence(ingested: MarketWorkspace) -> None:
    told = _told(ingested, "--metric", "converted", "--lift", "200%", "--looks", "3")
    assert told["measurable"]
    needed, mean = told["needed"], told["baseline"]["mean"]
    assert needed["lift"] == pytest.approx(2 * mean)
    explained = 1 - told["baseline"]["correlation"] ** 2
    after = 3 * mean
    by_hand = (1.959964 + 0.841621) ** 2 * 2 * (mean * (1 - mean) + after * (1 - after))
    by_hand *= needed["inflation"] * explained / (2 * mean) ** 2
    assert needed["members"] == pytest.approx(by_hand, abs=2)
    assert told["verdict"].startswith(f"a lift of {200 * mean:+.2f} points of members converting")
    assert [one["members"] for one in told["curve"]] == sorted(
        one["members"] for one in told["curve"]
    )


def test_what_is_too_small_cannot_be_measured_and_says_what_can(
    ingested: MarketWorkspace,
) -> None:
    more = ("--lift", "0.1", "--per-day", "100", "--most-days", "30")
    told = _told(ingested, *more)
    assert not told["measurable"]
    assert "members; " in told["reasons"][0]
    assert "wanted at most 30" in told["reasons"][1]
    assert told["within_reach"]["members"] == 1_600  # in 16 days; the window takes 14
    done = CliRunner().invoke(application(), _asked(ingested, *more))
    assert done.exit_code == 0
    assert done.stdout.startswith("a lift of +0.10 margin a member (+")
    assert ") cannot be measured: it takes" in done.stdout
    assert "what sends will cost is not in it" in done.stdout


def test_a_declaration_asks_for_its_own_lift_by_its_own_arms(
    ingested: MarketWorkspace, tmp_path: Path
) -> None:
    file = tmp_path / "spring.toml"
    file.write_text(
        'experiment_id = "spring"\ncontrol = "champion"\ntraffic = 0.5\n'
        '[[arms]]\nname = "champion"\nkind = "champion"\nshare = 0.45\n'
        '[[arms]]\nname = "new"\nkind = "release"\nrelease = "r2"\nshare = 0.45\n'
        '[[arms]]\nname = "holdout"\nkind = "holdout"\nshare = 0.1\n'
        '[analysis]\nmetric = "converted"\nlooks = 2\nlift = 0.1\n'
    )
    told = _told(ingested, "--file", str(file), "--looks", "3")
    assert told["shares"] == {"champion": 0.45, "new": 0.45, "holdout": 0.1}
    assert (told["control"], told["looks"]) == ("champion", 3)
    # The holdout is shown beside, and no arm that could be promoted.
    assert told["alpha_each"] == told["alpha"] == 0.05
    assert told["needed"]["lift"] == 0.1
    assert 1_400 < told["baseline"]["members"] < 1_500


@pytest.mark.slow
def test_a_push_lets_in_those_whom_it_may_reach(ingested: MarketWorkspace, tmp_path: Path) -> None:
    file = tmp_path / "push.toml"
    file.write_text(
        'push_id = "spring"\nchannel = "push"\nsend_at = "2026-06-01T08:00:00Z"\n'
        'offer_ids = ["any"]\neligibility = "orders_life >= 1"\n'
    )
    told = _told(ingested, "--push", str(file), "--rule", "last_seen_days <= 60")
    everybody = _told(ingested)
    assert 50 < told["baseline"]["members"] < everybody["baseline"]["members"]
    # Who bought before, and was seen lately, buys more than the rest.
    assert told["baseline"]["mean"] > everybody["baseline"]["mean"]


@pytest.mark.parametrize("name", ["power.png", "power.html"])
def test_size_against_lift_is_drawn(ingested: MarketWorkspace, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    done = CliRunner().invoke(application(), _asked(ingested, "--plot", str(path)))
    assert done.exit_code == 0, done.output
    assert path.stat().st_size > 5_000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--arm", "a"), "'a' is not NAME=SHARE"),
        (("--lift", "much"), "--lift 'much', wanted a number such as 0.4, or 5%"),
        (("--arm", "a=0.5", "--arm", "b=0.4"), "shares add up to 0.9"),
        (("--metric", "clicks"), "metric is 'clicks', wanted one of"),
        (("--traffic", "2"), "--traffic is 2, wanted more than 0"),
        (("--window-days", "4000"), "window_days is 4000"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    ingested: MarketWorkspace, more: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(application(), _asked(ingested, *more))
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
