"""No skew: online, packed and offline values of every feature are the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.build import build_features
from features.encode import MEMBER, encode
from features.encoding import Encoding
from features.record import BuildRecord, view_file
from features.skew import Served, SkewError, added, skew
from features.store import MEMBER_SERVICE, export_snapshot, materialize, online_row, training_frame
from features.store.repo import join_key, service_features, views_by_service
from features.views import VIEWS
from features.workspace import Workspace
from tests.features.given import AS_OF, ago
from tests.features.rich_shop import rich_shop

SERVICES = ("member", "item", "offer")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Members with ids of many scripts, values missing and on the edges, every view there is."""
    workspace = rich_shop(Workspace(tmp_path_factory.mktemp("shop")))
    build_features(workspace, [ago(60), AS_OF])
    materialize(workspace, AS_OF)
    return workspace


def keys_of(shop: Workspace, service: str, as_of: datetime = AS_OF) -> list[str]:
    """Everybody (or every item or offer) that a view of the service describes."""
    record, key = BuildRecord.load(shop), join_key(service)
    found: set[str] = set()
    for view in views_by_service(record)[service]:
        found |= set(pd.read_parquet(view_file(shop, view, as_of), columns=[key])[key])
    return sorted(found)


def offline(shop: Workspace, service: str, keys: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame({"row_id": range(len(keys)), join_key(service): keys, "as_of": AS_OF})
    return training_frame(shop, service, rows)


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    def same(a: object, b: object) -> bool:
        return bool(a == b or (pd.isna(a) and pd.isna(b)))  # type: ignore[call-overload]  # scalars

    return {name: (one[name], other[name]) for name in one if not same(one[name], other[name])}


def test_the_services_hold_every_feature_of_every_view(shop: Workspace) -> None:
    record = BuildRecord.load(shop)
    assert {view.name for view in VIEWS} <= set(record.columns)
    assert tuple(views_by_service(record)) == SERVICES
    served = [name for service in SERVICES for name in service_features(record, service)]
    assert sorted(served) == sorted(name for view in record.columns.values() for name in view)
    assert {MEMBER, "item_id", "offer_id"} == {join_key(service) for service in SERVICES}


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_every_feature_is_the_same_online_and_offline(shop: Workspace, service: str) -> None:
    keys = keys_of(shop, service)
    frame = offline(shop, service, keys)
    names = service_features(BuildRecord.load(shop), service)
    compared = frame[names]
    assert compared.notna().to_numpy().any()
    for key, (_, trained) in zip(keys, compared.iterrows(), strict=True):
        row = online_row(shop, service, key)
        assert list(row) == names
        assert not differing(row, {name: trained[name] for name in names}), key


def test_every_feature_is_the_same_packed_and_offline(shop: Workspace) -> None:
    snapshot = export_snapshot(shop, AS_OF)
    members = [name.decode() for name in snapshot.member_ids]
    assert sorted(members) == keys_of(shop, MEMBER_SERVICE)
    assert "日本" in members
    assert snapshot.member_ids.tolist() == sorted(snapshot.member_ids.tolist())
    values = encode(offline(shop, MEMBER_SERVICE, members), snapshot.encoding)
    np.testing.assert_array_equal(snapshot.values, values)
    assert snapshot.encoding.names == tuple(
        service_features(BuildRecord.load(shop), MEMBER_SERVICE)
    )


def served(shop: Workspace) -> Served:
    snapshot = export_snapshot(shop, AS_OF)
    members = ("m01", "日本", "a stranger", "m01")
    return Served(
        "r1", AS_OF, snapshot.encoding, members, snapshot.take(snapshot.rows(list(members)))
    )


def test_vectors_of_the_snapshot_have_no_skew(shop: Workspace) -> None:
    found = skew(shop, served(shop))
    assert [one.name for one in found] == list(served(shop).encoding.names)
    assert {(one.compared, one.mismatches) for one in found} == {(4, 0)}


def test_an_altered_number_and_category_are_named_with_an_example(shop: Workspace) -> None:
    true = served(shop)
    values = true.values.copy()
    recency, stage = true.encoding.columns(["recency_days", "lifecycle"])
    values[1, recency] = 99.5
    values[[0, 3], stage] = np.nan
    found = {one.name: one for one in skew(shop, replace(true, values=values)) if one.mismatches}
    assert {name: one.mismatches for name, one in found.items()} == {
        "recency_days": 1, "lifecycle": 2,
    }  # fmt: skip
    number, category = found["recency_days"].example, found["lifecycle"].example
    assert number is not None
    assert (number.member_id, number.served) == ("日本", 99.5)
    assert category is not None
    assert category.served is None
    assert category.offline in true.encoding.categories["lifecycle"]


def test_results_of_releases_add_up_by_feature(shop: Workspace) -> None:
    true = skew(shop, served(shop))
    values = served(shop).values + 1
    wrong = skew(shop, replace(served(shop), release="r2", values=values))
    both = {one.name: one for one in added([true, wrong])}
    assert both["tenure_days"].compared == 8
    example = both["orders_life"].example
    assert example is not None
    assert example.release == "r2"


def test_a_feature_that_is_built_no_more_cannot_be_checked(shop: Workspace) -> None:
    encoding = Encoding(("orders_life", "shoe_size"), {})
    old = Served("r0", AS_OF, encoding, ("m01",), np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(SkewError, match="feature 'shoe_size' of release r0 is built no more"):
        skew(shop, old)


def test_vectors_must_fit_their_encoding() -> None:
    with pytest.raises(SkewError, match=r"vectors of release r0 are \(1, 3\), wanted \(1, 1\)"):
        Served("r0", AS_OF, Encoding(("a",), {}), ("m",), np.zeros((1, 3), dtype=np.float32))
