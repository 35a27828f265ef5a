from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner, Result

from console.main import application

NAMED = ("--arm", "group", "--control", "No E-Mail", "--outcome", "spend")


def members(count: int = 4000) -> pd.DataFrame:
    """Mail adds 3 to what a member spends, and costs 0.4."""
    rng = np.random.default_rng(7)
    mailed, past = rng.random(count) < 0.5, rng.gamma(2, 20, count)
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "group": np.where(mailed, "Mens E-Mail", "No E-Mail"),
            "spend": (0.6 * past + rng.gamma(2, 10, count) + 3 * mailed).round(2),
            "mail": 0.4 * mailed,
            "visit": (rng.random(count) < 0.15 + 0.05 * mailed).astype(int),
            "past": past,
            "zip code": rng.choice(["urban", "rural"], count),
            "left": (rng.random(count) < 0.01).astype(int),
        }
    )


def written(frame: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True, double_precision=15)
        case _:
            frame.to_csv(path, index=False)
    return path


def asked(path: Path, *options: str) -> Result:
    return CliRunner().invoke(application(), ["experiment", "read", str(path), *options])


def read(path: Path, *options: str) -> dict[str, Any]:
    done = asked(path, *options, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_sum_that_can_be_checked_by_eye(tmp_path: Path) -> None:
    """Of 100 members each: half of the control spend 10, of the other arm three quarters."""
    control, new = [10, 0] * 50, [10, 10, 10, 0] * 25
    frame = pd.DataFrame({"arm": ["a"] * 100 + ["b"] * 100, "spend": control + new})
    path = written(frame, tmp_path / "eye.csv")
    found = read(path, "--arm", "arm", "--control", "a", "--outcome", "spend")
    (contrast,) = found["contrasts"]
    assert [arm["revenue"] for arm in found["arms"]] == [500, 750]
    assert contrast["primary"]["difference"]["value"] == pytest.approx(2.5)
    assert contrast["primary"]["relative"]["value"] == pytest.approx(0.5)
    assert contrast["primary"]["error"] == pytest.approx(((25 + 18.75) / 99) ** 0.5)
    assert found["verdict"]["kind"] == "promote"
    assert found["verdict"]["sentence"].startswith("Promote b: +2.5 revenue per member against a")


@pytest.mark.parametrize("name", ["all.csv", "all.csv.gz", "all.parquet", "all.jsonl"])
def test_is_the_test_of_welch(tmp_path: Path, name: str) -> None:
    frame = members()
    found = read(written(frame, tmp_path / name), *NAMED)
    arm, control = (frame.spend[frame.group == one] for one in ("Mens E-Mail", "No E-Mail"))
    wanted = stats.ttest_ind(arm, control, equal_var=False)
    primary = found["contrasts"][0]["primary"]
    assert primary["p"] == pytest.approx(wanted.pvalue, rel=1e-9, abs=0)
    assert primary["df"] == pytest.approx(wanted.df, rel=1e-9)
    interval = wanted.confidence_interval(0.95)
    assert primary["difference"]["low"] == pytest.approx(interval.low, rel=1e-9)
    assert primary["difference"]["high"] == pytest.approx(interval.high, rel=1e-9)


def test_what_was_before_takes_off_what_least_squares_would(tmp_path: Path) -> None:
    frame = members()
    found = read(written(frame, tmp_path / "all.csv"), *NAMED, "--before", "past")
    mailed = frame.group == "Mens E-Mail"
    off = np.cov(frame.past, frame.spend)  # one slope, of all members
    left = frame.spend - off[0, 1] / off[0, 0] * frame.past
    wanted = stats.ttest_ind(left[mailed], left[~mailed], equal_var=False)
    primary = found["contrasts"][0]["primary"]
    assert primary["adjusted"]
    difference = left[mailed].mean() - left[~mailed].mean()
    assert primary["difference"]["value"] == pytest.approx(difference, rel=1e-9)
    assert primary["error"] == pytest.approx(difference / wanted.statistic, rel=1e-9)
    assert found["contrasts"][0]["explained"] > 0.5


def test_cap_cost_and_conversions_are_those_of_the_members(tmp_path: Path) -> None:
    frame = members()
    named = ("--cost", "mail", "--converted", "visit", "--cap", "60")
    found = read(written(frame, tmp_path / "all.parquet"), *NAMED, *named)
    gain = (frame.spend - frame.mail).clip(-60, 60)
    mailed = frame.group == "Mens E-Mail"
    (contrast,) = found["contrasts"]
    wanted = gain[mailed].mean() - gain[~mailed].mean()
    assert contrast["primary"]["difference"]["value"] == pytest.approx(wanted)
    assert contrast["incremental"]["cost"]["value"] == pytest.approx(0.4)
    assert [arm["converted"] for arm in found["arms"]] == [
        int(frame.visit[~mailed].sum()),
        int(frame.visit[mailed].sum()),
    ]


def test_any_column_is_a_segment_and_a_guardrail(tmp_path: Path) -> None:
    frame = members()
    named = ("--segment", "zip code", "--guardrail", "left=0.02")
    path = written(frame, tmp_path / "all.csv")
    (contrast,) = read(path, *NAMED, *named)["contrasts"]
    counts = frame[frame.group == "Mens E-Mail"]["zip code"].value_counts()
    assert {one["value"]: one["members"] for one in contrast["segments"]} == dict(counts)
    (guard,) = contrast["guardrails"]
    assert (guard["metric"], guard["state"]) == ("left", "held")
    shown = asked(path, *NAMED, *named).stdout
    assert "every guardrail holds" in shown
    assert "guardrail left, Mens-E-Mail: held (" in shown
    assert "intervals in the tables" not in shown, "there is one look, and one arm"
    assert "zip code: rural" in shown
    assert "checked against equal shares" in shown


def test_what_was_not_measured_is_not_nought(tmp_path: Path) -> None:
    named = ("--arm", "group", "--control", "No E-Mail", "--converted", "visit")
    found = read(written(members(), tmp_path / "all.csv"), *named)
    assert found["metric"] == "converted"
    assert {arm["margin"] for arm in found["arms"]} == {None}
    assert {arm["sends"] for arm in found["arms"]} == {None}
    assert found["contrasts"][0]["incremental"] is None
    assert set(found["contrasts"][0]["metrics"]) == {"converted"}


def test_members_that_are_not_split_as_meant_stop_the_verdict(tmp_path: Path) -> None:
    path = written(members(), tmp_path / "all.csv")
    shares = ("--share", "No E-Mail=0.6", "--share", "Mens E-Mail=0.4")
    assert read(path, *NAMED, *shares)["verdict"]["reason"] == "srm"


def test_the_page_tells_the_same_and_needs_nothing_else(tmp_path: Path) -> None:
    path, out = written(members(), tmp_path / "mail.csv"), tmp_path / "page.html"
    done = asked(path, *NAMED, "--segment", "zip code", "--out", str(out))
    assert done.exit_code == 0, done.stderr
    page = out.read_text(encoding="utf-8")
    assert done.stdout.splitlines()[0][:40] in page
    assert "Run elsewhere, read from mail.csv" in page
    assert "GET /v1" not in page
    assert "window" not in page.split("</style>")[1].split("Data</h2>")[0]


@pytest.mark.parametrize(
    ("column", "value", "options", "told"),
    [
        ("spend", None, (), "spend of row 3 is nothing, wanted a number (1 such rows)"),
        ("spend", "much", (), "spend of row 3 is 'much', wanted a number"),
        ("spend", "inf", (), "spend of row 3 is 'inf', wanted a number"),
        ("group", None, (), "group of row 3 is nothing, wanted the name of an arm"),
        ("visit", 2, ("--converted", "visit"), "visit of row 3 is '2', wanted 0 or 1"),
        ("id", 0, ("--member", "id"), "id '0' has several rows, wanted one row a member"),
        ("group", "No-E-Mail", (), "cannot be told from"),
    ],
)
def test_a_row_that_does_not_count_is_told(
    tmp_path: Path, column: str, value: Any, options: tuple[str, ...], told: str
) -> None:
    frame = members(50).astype({column: object})
    frame.loc[2, column] = value
    done = asked(written(frame, tmp_path / "wrong.csv"), *NAMED, *options)
    assert done.exit_code == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_line_with_too_many_values_is_told(tmp_path: Path) -> None:
    path = written(members(200), tmp_path / "ragged.csv")
    lines = path.read_text().splitlines()
    lines[30] += ",9"
    path.write_text("\n".join(lines))
    done = asked(path, *NAMED)
    assert done.exit_code == 1
    assert "Line: 31; Expected Number of Columns: 8 Found: 9" in done.stderr


def test_money_that_is_the_same_for_all_tells_nothing(tmp_path: Path) -> None:
    frame = members(400).assign(spend=1.0)
    found = read(written(frame, tmp_path / "same.csv"), *NAMED)
    assert found["verdict"]["sentence"] == "Cannot say: revenue is the same for all members."


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--control", "nobody"), "control is 'nobody', wanted one of Mens-E-Mail, No-E-Mail"),
        (("--before", "last year"), "no column 'last year'; it has group"),
        (("--share", "No E-Mail=1"), "no --share for arm 'Mens-E-Mail'"),
        (("--segment", "past"), "past has about"),
        (("--guardrail", "left"), "is not COLUMN=MOST"),
        (("--guardrail", "cost=1"), "has the name of a metric"),
    ],
)
def test_a_question_that_does_not_fit_is_told(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    done = asked(written(members(400), tmp_path / "all.csv"), *NAMED, *options)
    assert done.exit_code == 1
    assert told in done.stderr


@pytest.mark.data
def test_a_first_wave_of_offers_drawn_at_random(tmp_path: Path, data: Path) -> None:
    """docs/experiments.md tells this one."""
    folder, path = data / "starbucks_offers", tmp_path / "wave.parquet"
    duckdb.sql(
        f"""COPY (SELECT id AS member, coalesce(split_part(offer_type_v2, '-', 1), 'none') AS offer,
        coalesce(transaction_amount, 0) AS spend, coalesce(total_reward_amount, 0) AS reward
        FROM '{folder}/members.parquet' LEFT JOIN
        (FROM '{folder}/offers_received.parquet' WHERE offer_received_time = 0)
        ON id = customer_id) TO '{path}'"""
    )
    named = ("--arm", "offer", "--control", "none", "--outcome", "spend", "--cost", "reward")
    shares = {"none": 0.25, "informational": 0.15, "bogo": 0.3, "discount": 0.3}
    meant = [word for arm, share in shares.items() for word in ("--share", f"{arm}={share}")]
    found = read(path, *named, *meant, "--member", "member")
    assert found["srm"]["passed"]
    assert found["verdict"]["sentence"] == (
        "Promote discount: +14.34 gain per member against none (+8.043 to +20.65)."
    )
