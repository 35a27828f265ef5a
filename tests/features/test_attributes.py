"""Own attributes of members: declared in the settings, from a file to what a model reads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from console.settings import load_workspace
from features.build import build_features
from features.contract import ATTRIBUTE_KINDS
from features.encode import encode, encoding
from features.ingest.load import ingest
from features.snapshot import Snapshot
from features.store import export_snapshot, materialize, online_row, training_frame
from features.workspace import Workspace
from tests.features.given import AS_OF, ago

SETTINGS = """
[members.attributes]
income = "number"
children = "integer"
balance = "money"
openness = "share"
segment = "category"
vip = "flag"
married_at = "time"
note = "text"
"""
FILE = f"""
member_id,income,children,balance,openness,segment,vip,married_at,note,updated_at
anna,-10.25,2,1234.5678,0.25,family,yes,{ago(7.5).isoformat()},tall,{ago(9).isoformat()}
ben,1e3,0,-0.01,1,single,false,{ago(-2).isoformat()},"a, b",{ago(9).isoformat()}
cleo,,,,,,,,,{ago(9).isoformat()}
anna,99,,5,,family,,,,{ago(1).isoformat()}
""".lstrip()
NUMBERS = {
    "income": {"anna": 99.0, "ben": 1000.0},
    "children": {"ben": 0.0},
    "balance": {"anna": 5.0, "ben": -0.01},
    "openness": {"ben": 1.0},
    "vip": {"ben": 0.0},
    "married_at": {"ben": -2.0},
}
EARLIER = {
    "income": -10.25, "children": 2.0, "balance": 1234.5678, "openness": 0.25, "vip": 1.0,
    "married_at": 2.5,
}  # fmt: skip
MEMBERS = ("anna", "ben", "cleo")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("client")
    (folder / "pushwise.toml").write_text(SETTINGS)
    file = folder / "members.csv"
    file.write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = load_workspace(folder / "workspace")
    report = ingest(made, "members", [file])
    assert report.accepted == 4
    build_features(made, [ago(5), AS_OF])
    return made


def rows(*moments: object) -> pd.DataFrame:
    pairs = [(member, moment) for moment in moments for member in MEMBERS]
    frame = pd.DataFrame(pairs, columns=["member_id", "as_of"])
    return frame.assign(row_id=range(len(frame)))


def test_every_kind_of_attribute_is_declared_here(workspace: Workspace) -> None:
    assert set(workspace.conventions.attributes.values()) == set(ATTRIBUTE_KINDS)


def test_attributes_are_features_with_their_types_and_free_text_is_none(
    workspace: Workspace,
) -> None:
    codes = encoding(workspace)
    assert {*NUMBERS, "segment"} <= set(codes.names)
    assert "note" not in codes.names
    assert codes.categories["segment"] == ("family", "single")
    assert not set(NUMBERS) & set(codes.categories)
    assert codes.since == ("tenure_days", "married_at")


@pytest.mark.slow
def test_a_training_frame_shows_them_as_they_were_known(workspace: Workspace) -> None:
    frame = training_frame(workspace, "member", rows(AS_OF, ago(5)))
    now, before = frame[:3].set_index("member_id"), frame[3:].set_index("member_id")
    for name, known in NUMBERS.items():
        assert frame[name].dtype == np.float64
        assert now[name].dropna().to_dict() == known, name
        assert before[name].loc["anna"] == EARLIER[name], name
    assert now["segment"].tolist() == ["family", "single", None]


@pytest.mark.slow
def test_the_snapshot_of_a_release_and_the_online_store_hold_the_same(
    workspace: Workspace, tmp_path: Path
) -> None:
    codes = encoding(workspace)
    trained = encode(training_frame(workspace, "member", rows(AS_OF)), codes)
    export_snapshot(workspace, AS_OF).save(tmp_path)
    snapshot = Snapshot.load(tmp_path)
    np.testing.assert_array_equal(snapshot.take(snapshot.rows(MEMBERS)), trained)
    assert trained[0, codes.columns(["balance", "segment"])].tolist() == [5, 0]
    materialize(workspace, AS_OF)
    for place, member in enumerate(MEMBERS):
        online = pd.DataFrame([online_row(workspace, "member", member)])
        np.testing.assert_array_equal(encode(online, codes)[0], trained[place])


def test_a_time_still_to_come_has_days_below_zero(workspace: Workspace) -> None:
    later = Workspace(workspace.root, workspace.conventions)
    build_features(later, [AS_OF + timedelta(days=3)])
    path = max((later.features / "membership").glob("*.parquet"))
    shown = pd.read_parquet(path).set_index("member_id")
    assert shown.loc["ben", "married_at"] == 1
