"""A member's timeline: evaluated, sent, skipped and why, newest first."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, delete, update

from serving import tables
from serving.timeline import timeline
from tests.serving.conftest import SPRING

if TYPE_CHECKING:
    from tests.serving.conftest import Scored


def page(caller: Scored, member: str = "anna", **query: Any) -> dict[str, Any]:
    response = caller.client.get(f"/v1/members/{member}/timeline", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def decide(caller: Scored, push: str = "spring", member: str = "anna") -> dict[str, Any]:
    body = {"push_id": push, "members": [{"member_id": member}]}
    (found,) = caller.client.post("/v1/decisions", json=body).json()["decisions"]
    return dict(found)


@pytest.fixture
def lived(caller: Scored) -> Scored:
    """Anna was sent the spring push, opened it, looked at two things, and unsubscribed; so autumn
    skipped her."""
    release = caller.decider.release
    release.known_pushes = (SPRING, replace(SPRING, push_id="autumn"))
    spring = decide(caller)
    outcomes = [
        {"event_id": "o1", "decision_id": spring["decision_id"], "type": "sent",
         "occurred_at": "2030-01-01T10:00:00Z"},
        {"event_id": "o2", "push_id": "spring", "member_id": "anna", "type": "opened",
         "occurred_at": "2030-01-01T11:00:00Z"},
        {"event_id": "o3", "decision_id": spring["decision_id"], "type": "unsubscribed",
         "occurred_at": "2030-01-01T12:00:00Z"},
        {"event_id": "o4", "push_id": "spring", "member_id": "bob", "type": "opened",
         "occurred_at": "2030-01-01T11:00:00Z"},
    ]  # fmt: skip
    assert caller.client.post("/v1/outcomes", json={"outcomes": outcomes}).json()["accepted"] == 4
    events = [
        {"event_id": f"e{n}", "member_id": "anna", "type": kind,
         "occurred_at": "2030-01-01T11:30:00Z", "item_id": "i1"}
        for n, kind in enumerate(["view", "view", "app_open"])
    ]  # fmt: skip
    assert caller.client.post("/v1/events", json={"events": events}).json()["accepted"] == 3
    decide(caller, "autumn")
    return caller


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_tells_what_was_sent_what_was_skipped_and_why(lived: Scored) -> None:
    found = page(lived)
    kinds = {one["kind"]: one for one in found["entries"]}
    assert set(kinds) == {"chosen", "skipped", "suppressed", "sent", "opened", "unsubscribed"}
    assert kinds["chosen"]["text"] == "ten by push for push spring"
    assert kinds["chosen"]["offer_id"] == "ten"
    skipped = "nothing for push autumn: the member must not be contacted"
    assert (kinds["skipped"]["text"], kinds["skipped"]["reason"]) == (skipped, "suppressed")
    assert kinds["opened"]["text"] == "opened for push spring"
    assert found["events"] == {"app_open": 1, "view": 2}
    assert found["suppressed_since"] == kinds["suppressed"]["at"]
    moments = [one["at"] for one in found["entries"]]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_together_are_the_whole(lived: Scored, limit: int) -> None:
    whole, found = page(lived)["entries"], []
    query: dict[str, Any] = {"limit": limit}
    while True:
        part = page(lived, **query)
        assert len(part["entries"]) <= limit
        found += part["entries"]
        if part["next"] is None:
            break
        query = {"limit": limit, "after": part["next"]}
    assert found == whole


def test_draws_and_holdouts_are_marked(caller: Scored) -> None:
    from tests.serving.conftest import FakeRelease

    class Held(FakeRelease):
        def _choice(self, suppressed: bool) -> Any:
            none = replace(super()._choice(suppressed), offer_id=None, channel=None, takes={})
            return replace(none, reason="holdout", explored=False)

    caller.decider.release = Held()
    decide(caller)
    (entry,) = page(caller)["entries"]
    assert (entry["held_out"], entry["explored"], entry["probability"]) == (True, False, 0.9)
    assert "held out" in entry["text"]
    inside_one = update(tables.decisions).values(arm="nobody", experiment="spring-test")
    caller.log.write(lambda connection: connection.execute(inside_one).rowcount)
    (inside,) = page(caller)["entries"]
    assert inside["held_out"], "an experiment's holdout has a name of its own"


def test_a_stranger_has_an_empty_timeline_and_so_has_who_was_erased(lived: Scored) -> None:
    empty: dict[str, Any] = {"suppressed_since": None, "events": {}, "entries": [], "next": None}
    assert page(lived, "nobody") == {"member_id": "nobody", **empty}
    for table in (tables.decisions, tables.events, tables.outcomes, tables.suppressions):
        mine = delete(table).where(table.c.member_id == "anna")
        lived.log.write(partial(Connection.execute, statement=mine))
    assert page(lived) == {"member_id": "anna", **empty}


def test_it_takes_a_key_that_may_read_what_is_personal(scored: Scored) -> None:
    for scope, status in (("decide", 403), ("audience:export", 200)):
        response = scored.client.get("/v1/members/a/timeline", headers=scored.headers(scope))
        assert response.status_code == status


@pytest.mark.parametrize("after", ["x", "a|B|c", "a|b|", "|b|c", "a|b|" + "c" * 800])
def test_a_place_that_is_none_is_refused(caller: Scored, after: str) -> None:
    response = caller.client.get("/v1/members/a/timeline", params={"after": after})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/after"


def test_ids_with_a_bar_in_them_page_too(caller: Scored) -> None:
    rows = [
        {"event_id": f"o|{n}", "push_id": "spring", "member_id": "a", "type": "opened",
         "occurred_at": "2030-01-01T11:00:00Z"}
        for n in range(3)
    ]  # fmt: skip
    caller.client.post("/v1/outcomes", json={"outcomes": rows})
    first = page(caller, "a", limit=2)
    second = page(caller, "a", after=first["next"])
    assert len(first["entries"]) + len(second["entries"]) == 3
    assert timeline(caller.log, "a", None, 2).following == (
        "2030-01-01T11:00:00+00:00",
        "opened",
        "o|1",
    )
