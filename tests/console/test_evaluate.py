from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from console.main import application


def panel(folder: Path, name: str = "panel.csv") -> Path:
    """One campaign sent at random that added 30 to what everybody spent."""
    rng = np.random.default_rng(0)
    before, treated = rng.gamma(2, 50, 400), rng.random(400) < 0.5
    frame = pd.DataFrame({"household": [f"h{n}" for n in range(400)], "campaign": "spring"})
    frame = frame.assign(treated=treated, before=before)
    frame["after"] = before + 30 * treated + rng.normal(0, 20, 400)
    path = folder / name
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case _:
            frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["panel.csv", "panel.csv.gz", "panel.parquet", "panel.jsonl"])
def test_tells_the_effect_and_what_it_rests_on(tmp_path: Path, name: str) -> None:
    path = panel(tmp_path, name)
    done = CliRunner().invoke(
        application(), ["evaluate", "campaigns", str(path), "--unit", "household", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["effect"]["low"] < 30 < told["effect"]["high"]
    assert {check["name"] for check in told["checks"]} >= {"overlap"}


def test_a_column_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(application(), ["evaluate", "campaigns", str(panel(tmp_path))])
    assert done.exit_code == 1
    assert "no column 'unit'; it has after, before, campaign, household, treated" in done.stderr


def test_a_value_of_another_kind_is_shown_with_its_row(tmp_path: Path) -> None:
    path = panel(tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = "h1,spring,perhaps,1,2"
    path.write_text("\n".join(lines))
    ask = ["evaluate", "campaigns", str(path), "--unit", "household"]
    done = CliRunner().invoke(application(), ask)
    assert done.exit_code == 1
    assert "treated of row 2 is 'perhaps', wanted true or false (1 such rows)" in done.stderr


@pytest.mark.data
def test_the_naive_numbers_of_the_complete_journey_are_never_shown(data: Path) -> None:
    path = data / "complete_journey" / "agg_household_campaign_lift.parquet"
    columns = {
        "--unit": "household_key",
        "--campaign": "CAMPAIGN",
        "--treated": "Exposed",
        "--before": "Pre_Spend",
        "--after": "Post_Spend",
    }
    named = [word for pair in columns.items() for word in pair]
    done = CliRunner().invoke(application(), ["evaluate", "campaigns", str(path), *named])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("about 0: ")
    assert "140" not in done.stdout
    assert "36." not in done.stdout
