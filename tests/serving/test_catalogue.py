"""Offers and pushes that callers put: versions, who may change them, and when they count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from features.contract import contract_table
from serving.catalogue import Catalogue
from serving.catalogue_schemas import OFFER, PUSH, OfferRow, PushRow

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

ON_BOTH_ENGINES = True
SOON = (datetime.now(UTC) + timedelta(days=3)).isoformat()
PLAN = {"channel": "push", "send_at": SOON, "offer_ids": ["ten"]}
TWENTY = {"kind": "percent_off", "value": 20, "min_spend": 12.5}


def put(caller: Scored, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    response = caller.client.put(
        f"/v1/{path}",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"} | headers,
    )
    return response.status_code, response.json()


def pointer(problem: dict[str, Any]) -> tuple[str, str]:
    return problem["errors"][0]["pointer"], problem["errors"][0]["code"]


def test_a_change_makes_a_version_and_the_same_again_makes_none(caller: Scored) -> None:
    assert put(caller, "offers/twenty", TWENTY)[0] == 201
    again = {"min_spend": "12.50", "value": 20.0, "kind": "percent_off", "offer_id": "twenty"}
    status, kept = put(caller, "offers/twenty", again)
    assert (status, kept["version"]) == (200, 1)
    status, kept = put(caller, "offers/twenty", {**TWENTY, "value": 25})
    assert (status, kept["version"], kept["offer"]["value"]) == (201, 2, 25.0)
    status, kept = put(caller, "offers/twenty", TWENTY)  # back to what it was: a version, too
    assert (status, kept["version"], kept["offer"]["value"]) == (201, 3, 20.0)
    first = caller.client.get("/v1/offers/twenty", params={"version": 1}).json()
    assert (first["version"], first["offer"]["min_spend"]) == (1, 12.5)
    assert caller.client.get("/v1/offers/twenty").json()["version"] == 3
    assert caller.client.get("/v1/offers/twenty?version=4").json()["type"].endswith("_version")
    assert caller.client.get("/v1/offers/thirty").json()["type"].endswith("unknown_offer")
    assert caller.client.get("/v1/pushes/spring").json()["type"].endswith("unknown_push")


def test_a_version_says_who_made_it_and_whether_the_release_has_it(caller: Scored) -> None:
    status, kept = put(caller, "offers/ten", {"kind": "percent_off", "value": 10})
    assert (status, kept["in_release"], kept["release"]) == (201, True, "r1")
    assert kept["changed_by"] == caller.keys.all()[0].key_id
    assert put(caller, "offers/ten", {"kind": "percent_off", "value": 11})[1]["in_release"] is False
    assert put(caller, "pushes/winter", PLAN)[1]["in_release"] is False


def test_of_two_editors_the_second_is_told(caller: Scored) -> None:
    put(caller, "offers/twenty", TWENTY)
    seen = caller.client.get("/v1/offers/twenty").headers["etag"]
    mine, theirs = {**TWENTY, "value": 21}, {**TWENTY, "value": 22}
    assert put(caller, "offers/twenty", mine, **{"If-Match": seen})[0] == 201
    status, problem = put(caller, "offers/twenty", theirs, **{"If-Match": seen})
    assert (status, problem["type"]) == (412, "urn:pushwise:problem:precondition_failed")
    assert caller.client.get("/v1/offers/twenty").json()["offer"]["value"] == 21
    assert put(caller, "offers/twenty", theirs, **{"If-Match": "*"})[0] == 201
    assert put(caller, "offers/twenty", mine, **{"If-None-Match": "*"})[0] == 412
    assert put(caller, "offers/new", mine, **{"If-Match": "*"})[0] == 412
    assert put(caller, "offers/new", mine, **{"If-None-Match": "*"})[0] == 201


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("offers/x", {}, ("/kind", "missing_value")),
        ("offers/x", {**TWENTY, "kind": "h0stile"}, ("/kind", "unknown_enum")),
        ("offers/x", {**TWENTY, "value": -1}, ("/value", "out_of_range")),
        ("offers/x", {**TWENTY, "value": 101}, ("/value", "out_of_range")),
        ("offers/x", {**TWENTY, "h0stile": 1}, ("", "unknown_column")),
        ("offers/x", {**TWENTY, "valid_to": "2026-05-01T00:00:00"}, ("/valid_to", "naive_time")),
        ("offers/x", {**TWENTY, "offer_id": "h0stile"}, ("/offer_id", "another_id")),
        ("offers/x", {**TWENTY, "eligibility": "h0stile < 1"}, ("/eligibility", "invalid_rule")),
        ("pushes/x", {**PLAN, "offer_ids": []}, ("/offer_ids", "no_offers")),
        ("pushes/x", {**PLAN, "offer_ids": ["ten", "h0stile"]}, ("/offer_ids/1", "unknown_offer")),
        ("pushes/x", {**PLAN, "holdout": 1.5}, ("/holdout", "out_of_range")),
        ("pushes/x", {**PLAN, "attribution_days": 1e9}, ("/attribution_days", "out_of_range")),
        ("pushes/x", {**PLAN, "eligibility": "recency_days <"}, ("/eligibility", "invalid_rule")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_pointed_at(
    caller: Scored, path: str, body: dict[str, Any], where: tuple[str, str]
) -> None:
    status, problem = put(caller, path, body)
    assert (status, problem["type"]) == (422, "urn:pushwise:problem:invalid_entry")
    assert pointer(problem) == where
    assert "h0stile" not in json.dumps(problem)


def test_a_push_may_carry_an_offer_that_was_just_put(caller: Scored) -> None:
    plan = {**PLAN, "offer_ids": ["ten", "twenty"]}
    assert put(caller, "pushes/winter", plan)[0] == 422
    put(caller, "offers/twenty", TWENTY)
    assert put(caller, "pushes/winter", plan)[0] == 201


def test_a_push_that_was_due_is_history(caller: Scored) -> None:
    past = {**PLAN, "send_at": "2026-01-01T00:00:00Z"}
    assert put(caller, "pushes/winter", past)[0] == 201
    assert put(caller, "pushes/winter", past)[0] == 200
    status, problem = put(caller, "pushes/winter", PLAN)
    assert (status, problem["type"]) == (409, "urn:pushwise:problem:push_is_history")


def test_the_list_comes_in_pages_of_newest_versions(caller: Scored) -> None:
    for name in ("c", "a", "b"):
        put(caller, f"offers/{name}", TWENTY)
    put(caller, "offers/a", {**TWENTY, "value": 5})
    page = caller.client.get("/v1/offers", params={"limit": 2}).json()
    assert [(one["offer"]["offer_id"], one["version"]) for one in page["offers"]] == [
        ("a", 2), ("b", 1),
    ]  # fmt: skip
    rest = caller.client.get("/v1/offers", params={"limit": 2, "after": page["next"]}).json()
    assert [one["offer"]["offer_id"] for one in rest["offers"]] == ["c"]
    assert rest["next"] is None
    assert caller.client.get("/v1/pushes").json() == {"pushes": [], "next": None}


def test_writing_needs_its_scope_and_reading_either(scored: Scored) -> None:
    for scope, may_write in (("catalog:write", True), ("decide", False)):
        scored.client.headers.update(scored.headers(scope))
        assert put(scored, f"offers/{may_write}", TWENTY)[0] == (201 if may_write else 403)
        assert scored.client.get("/v1/offers").status_code == 200
    scored.client.headers.update(scored.headers("events:write"))
    assert scored.client.get("/v1/offers").status_code == 403


def test_versions_outlive_the_scorer_and_offers_are_handed_on_once(caller: Scored) -> None:
    put(caller, "offers/twenty", TWENTY)
    put(caller, "offers/twenty", {**TWENTY, "value": 25})
    put(caller, "pushes/past", {**PLAN, "send_at": "2026-01-01T00:00:00Z"})
    put(caller, "pushes/winter", PLAN)
    catalogue = Catalogue(caller.log)
    versions = catalogue.settled("offers", datetime.now(UTC))
    assert [one.row["value"] for one in versions] == [20.0, 25.0]
    plans = catalogue.settled("pushes", datetime.now(UTC))
    assert [one.row["push_id"] for one in plans] == ["past"]  # the other may still change
    for settled in (versions, plans):
        catalogue.mark(settled)
    assert catalogue.settled("offers", datetime.now(UTC)) == []
    assert [one.entry_id for one in catalogue.newest("pushes")] == ["past", "winter"]
    later = datetime.now(UTC) + timedelta(days=4)
    assert [one.row["push_id"] for one in catalogue.settled("pushes", later)] == ["winter"]


def test_deciding_a_push_of_the_catalogue_says_that_it_waits_for_a_release(caller: Scored) -> None:
    put(caller, "pushes/winter", PLAN)
    fixes = {}
    for push_id in ("winter", "unheard-of"):
        asked = {"push_id": push_id, "members": [{"member_id": "a"}]}
        response = caller.client.post("/v1/decisions", json=asked)
        assert response.status_code == 404
        assert response.json()["type"] == "urn:pushwise:problem:unknown_push"
        fixes[push_id] = response.json()["fix"][0]
    assert fixes["winter"] == "it is in the catalogue and waits for the next release"
    assert "check push_id" in fixes["unheard-of"]


@pytest.mark.parametrize(
    ("table", "shown", "example"), [("offers", OfferRow, OFFER), ("pushes", PushRow, PUSH)]
)
def test_what_is_shown_has_the_columns_of_the_contract(
    table: str, shown: type[OfferRow] | type[PushRow], example: dict[str, Any]
) -> None:
    assert tuple(shown.model_fields) == contract_table(table).names
    assert set(example) <= set(shown.model_fields)
