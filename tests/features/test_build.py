"""Building the views of a workspace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.build import build_features
from features.encoding import Encoding
from features.errors import FeatureError
from features.ingest.load import ingest_rows
from features.record import BuildRecord, view_file
from features.taste import remember_item_vectors
from features.workspace import Conventions, Workspace
from tests.features.given import AS_OF, Given, Row, ago, events, small_shop, write_batch

BOUGHT: Row = {"member_id": "anna", "type": "purchase", "occurred_at": ago(5), "unit_price": 10}


def test_a_whole_shop_has_every_view(given: Given) -> None:
    small_shop(given.workspace)
    wall = datetime(2027, 1, 1, tzinfo=UTC)
    report = build_features(given.workspace, [AS_OF, ago(60)], created=wall)
    assert report.absent == {}
    assert list(report.written) == [ago(60), AS_OF]
    assert list(report.written[AS_OF]) == [
        "purchases", "price", "clickstream", "affinity", "membership", "contacts", "lifecycle",
        "popularity", "offers",
    ]  # fmt: skip
    assert report.written[AS_OF]["purchases"] == 41
    for view in report.written[AS_OF]:
        stored = pq.read_table(view_file(given.workspace, view, AS_OF))
        kinds = {str(kind) for kind in stored.schema.types[3:]}
        assert kinds <= {"double", "string"}
        assert [str(kind) for kind in stored.schema.types[:3]] == [
            "string", "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]",
        ]  # fmt: skip
        assert set(stored["feature_time"].to_pylist()) == {AS_OF}
        assert set(stored["created"].to_pylist()) == {wall}
        keys = stored.column(0).to_pylist()
        assert keys == sorted(set(keys), key=str.encode)


def test_a_shop_with_purchases_only_says_what_is_absent(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    report = build_features(given.workspace, [AS_OF])
    assert report.written[AS_OF] == {"purchases": 1, "price": 1, "lifecycle": 1}
    assert report.absent == {
        "clickstream": "no clickstream events in this workspace",
        "affinity": "no events with a category, their own or their item's, in this workspace",
        "membership": "no members in this workspace",
        "contacts": "no decisions in this workspace",
        "popularity": "no events with an item in this workspace",
        "offers": "no offers in this workspace",
    }


def test_clicks_without_purchases_work(given: Given) -> None:
    write_batch(given.workspace, "events", events({**BOUGHT, "type": "view"}))
    report = build_features(given.workspace, [AS_OF])
    assert list(report.written[AS_OF]) == ["clickstream"]
    assert report.absent["purchases"] == "no purchase events in this workspace"


def test_members_alone_work(given: Given) -> None:
    write_batch(given.workspace, "members", [{"member_id": "anna"}])
    assert build_features(given.workspace, [AS_OF]).written[AS_OF] == {"membership": 1}


def test_nothing_ingested_says_how_to_begin(given: Given) -> None:
    with pytest.raises(FeatureError, match=r"nothing was ingested; run `pushwise ingest`"):
        build_features(given.workspace, [AS_OF])


def test_a_moment_before_everyone_is_refused(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    with pytest.raises(FeatureError, match=r"no member is known before 2025-.*first is known at"):
        build_features(given.workspace, [ago(400)])


def test_a_moment_without_an_offset_is_refused(given: Given) -> None:
    with pytest.raises(FeatureError, match=r"as_of 2026-05-01T00:00:00 has no offset"):
        build_features(given.workspace, [AS_OF.replace(tzinfo=None)])


def test_builds_at_once_lose_nothing_of_each_other(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    moments = [AS_OF, ago(1), ago(2), ago(3)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda moment: build_features(given.workspace, [moment]), moments))
    assert sorted(BuildRecord.load(given.workspace).moments) == sorted(moments)


def test_unchanged_tables_are_not_built_again(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    build_features(given.workspace, [AS_OF])
    path = view_file(given.workspace, "purchases", AS_OF)
    before = path.stat().st_mtime_ns
    report = build_features(given.workspace, [AS_OF, ago(1)])
    assert report.unchanged == (AS_OF,)
    assert list(report.written) == [ago(1)]
    assert path.stat().st_mtime_ns == before
    write_batch(given.workspace, "events", events({**BOUGHT, "occurred_at": ago(4)}), "b")
    assert list(build_features(given.workspace, [AS_OF]).written) == [AS_OF]


def test_a_missing_file_is_built_again(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    build_features(given.workspace, [AS_OF])
    view_file(given.workspace, "purchases", AS_OF).unlink()
    assert list(build_features(given.workspace, [AS_OF]).written) == [AS_OF]


def test_all_files_of_a_view_have_the_same_columns(given: Given) -> None:
    write_batch(given.workspace, "members", [{"member_id": "anna", "known_at": None}])
    build_features(given.workspace, [ago(9)])
    given.attributes(income="number")
    write_batch(given.workspace, "members", [{"member_id": "ben", "income": 2.0}], "b")
    report = build_features(given.workspace, [AS_OF])
    assert list(report.written) == [ago(9), AS_OF]
    older = pq.read_table(view_file(given.workspace, "membership", ago(9)))
    assert older["income"].to_pylist() == [None, 2.0]


def test_the_files_of_a_view_that_is_gone_are_removed(given: Given) -> None:
    write_batch(given.workspace, "events", events(BOUGHT))
    write_batch(given.workspace, "members", [{"member_id": "anna"}]).with_name("a.parquet")
    build_features(given.workspace, [AS_OF])
    (given.workspace.tables / "members" / "a.parquet").unlink()
    report = build_features(given.workspace, [AS_OF])
    assert "membership" in report.absent
    assert not (given.workspace.features / "membership").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recency_days", "attribute 'recency_days' has the name of a feature of purchases"),
        ("Recency_days", "attribute 'Recency_days' has the name of a feature of purchases"),
        ("rn", "attribute 'rn' has the name of a feature of the store"),
        ("segment_y", "attribute 'segment_y' ends in _y, which the feature store drops"),
    ],
)
def test_an_attribute_may_not_hide_a_feature(given: Given, name: str, message: str) -> None:
    given.workspace = Workspace(given.workspace.root, Conventions({name: "number"}))
    write_batch(given.workspace, "members", [{"member_id": "anna"}])
    write_batch(given.workspace, "events", events(BOUGHT))
    with pytest.raises(FeatureError, match=message):
        build_features(given.workspace, [AS_OF])
    assert BuildRecord.load(given.workspace).moments == {}


def test_the_vocabulary_is_frozen_and_codes_are_only_appended(given: Given) -> None:
    workspace = given.workspace
    seen = [
        {**BOUGHT, "category": "beach"},
        {**BOUGHT, "category": "city (US)", "member_id": "ben"},
    ]
    write_batch(workspace, "events", events(*seen, {**BOUGHT, "category": "city (US)"}))
    build_features(workspace, [AS_OF])
    first = Encoding.load(workspace.features / "encoding.json")
    assert first.categories["top_category"] == ("beach", "city (US)")
    assert [name for name in first.names if name.startswith("interest")] == [
        "interest__city__US_", "interest__beach",
    ]  # fmt: skip
    late = {**BOUGHT, "category": "alps", "member_id": "cleo", "event_id": "new"}
    write_batch(workspace, "events", [late], "b")
    build_features(workspace, [AS_OF])
    later = Encoding.load(workspace.features / "encoding.json")
    assert later.categories["top_category"] == ("beach", "city (US)", "other")
    assert later.names == first.names
    assert later.vocabulary == {"city (US)": "city__US_", "beach": "beach"}
    assert "bought_days__beach" in later.since


def test_taste_comes_with_the_first_recommender_where_it_is_wanted(given: Given) -> None:
    plain = given.workspace
    wanting = Workspace(plain.root, Conventions(taste=True))
    write_batch(plain, "events", events({**BOUGHT, "item_id": "tea", "occurred_at": ago(20)}))
    report = build_features(wanting, [ago(9), AS_OF])
    assert report.absent["taste"] == "no recommender was trained yet"
    tea, factors = np.array([b"tea"], dtype=np.bytes_), np.ones((1, 2), dtype=np.float32)

    remember_item_vectors(wanting, ago(5), tea, factors)
    assert list(build_features(wanting, [AS_OF]).written) == [ago(9), AS_OF]
    shown = {
        as_of: pq.read_table(view_file(wanting, "taste", as_of))["taste_1"].to_pylist()
        for as_of in (ago(9), AS_OF)
    }
    assert shown == {ago(9): [None], AS_OF: [1.0]}

    remember_item_vectors(wanting, AS_OF, np.array([b"rum"], dtype=np.bytes_), factors)
    assert build_features(wanting, [ago(9), AS_OF]).unchanged == (ago(9),)
    assert pq.read_table(view_file(wanting, "taste", AS_OF))["taste_1"].to_pylist() == [None]

    assert "taste" not in build_features(plain, [AS_OF]).absent
    assert "taste_1" not in Encoding.load(plain.features / "encoding.json").names
    assert not (plain.features / "taste").exists()


def test_a_broken_record_says_what_to_do(given: Given) -> None:
    workspace = Workspace(given.workspace.root, Conventions())
    workspace.features.mkdir(parents=True)
    (workspace.features / "builds.json").write_text("{")
    with pytest.raises(FeatureError, match=r"does not read as a build record .* build the"):
        build_features(workspace, [AS_OF])


def test_the_dearest_lines_that_ingest_takes_can_be_added_up(given: Given) -> None:
    dear = {"member_id": "anna", "type": "purchase", "category": "a", "occurred_at": ago(5)}
    rows = [{**dear, "event_id": f"e{n}", "quantity": 1e5, "unit_price": 9.9e8} for n in range(3)]
    rows += [{**dear, "event_id": f"f{n}", "unit_price": 9.9e13} for n in range(3)]
    report = ingest_rows(given.workspace, "events", rows, "test")
    assert report.accepted == 6
    assert build_features(given.workspace, [AS_OF]).written[AS_OF]["purchases"] == 1
