"""What each push added: against members held out by chance, or a typed "cannot say"."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from features.workspace import Workspace
from serving.push_contributions import push_contributions
from tests.features.given import Row, events, write_batch

SENT_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
AS_OF = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """``spring`` keeps half out and makes 40 points more of the rest buy, each for a margin of 3;
    ``everybody`` keeps nobody out; ``ahead`` has not been decided; ``always`` goes on for weeks."""
    workspace = Workspace(tmp_path_factory.mktemp("pushes"))
    rng = np.random.default_rng(2)
    push: Row = {"channel": "app", "offer_ids": ["coupon"], "attribution_days": 14.0}
    day = timedelta(days=1)
    sends = {"spring": SENT_AT, "everybody": SENT_AT - 5 * day, "ahead": AS_OF,
             "always": SENT_AT - 9 * day}  # fmt: skip
    write_batch(workspace, "pushes", [{"push_id": p, "send_at": at, **push}
                                      for p, at in sends.items()])  # fmt: skip
    sent = rng.random(800) < 0.5
    decided: list[Row] = [
        {"decision_id": f"s{n}", "push_id": "spring", "member_id": f"m{n}", "probability": 0.5,
         "offer_id": "coupon" if sent[n] else None, "decided_at": SENT_AT}
        for n in range(800)
    ]  # fmt: skip
    decided += [
        {"decision_id": f"e{n}", "push_id": "everybody", "member_id": f"m{n}", "probability": 1.0,
         "offer_id": "coupon", "decided_at": sends["everybody"]} for n in range(9)
    ]  # fmt: skip
    decided += [
        {"decision_id": f"a{n}", "push_id": "always", "member_id": f"m{n}", "probability": 0.5,
         "offer_id": "coupon" if sent[n] else None, "decided_at": AS_OF - (1 + n % 40) * day}
        for n in range(800)
    ]  # fmt: skip
    write_batch(workspace, "decisions", decided)
    buys = rng.random(800) < np.where(sent, 0.5, 0.1)
    write_batch(workspace, "events", events(*(
        {"member_id": f"m{n}", "type": "purchase", "occurred_at": SENT_AT + timedelta(days=2),
         "unit_price": 10, "margin": 3} for n in np.flatnonzero(buys)
    )))  # fmt: skip
    return push_contributions(workspace, AS_OF)


def test_a_push_with_members_held_out_has_its_margin_beyond_them(document: dict[str, Any]) -> None:
    spring = document["shown"][0]
    assert (spring["push_id"], spring["whole"]) == ("spring", True)
    assert spring["sent"] + spring["held"] == 800
    assert spring["margin"]["low"] < 0.4 * 3 < spring["margin"]["high"]
    assert spring["margin"]["low"] > 0.8
    assert spring["total_gain"]["value"] == pytest.approx(spring["gain"]["value"] * spring["sent"])


def test_a_push_that_kept_nobody_out_says_that_nothing_can_be_said(
    document: dict[str, Any],
) -> None:
    everybody = document["shown"][1]
    assert everybody["cannot_say"]["reason"] == "no_holdout"
    assert "give the next a holdout" in everybody["cannot_say"]["told"]
    assert "margin" not in everybody


def test_a_push_is_whole_once_the_last_window_is_over(document: dict[str, Any]) -> None:
    always = document["shown"][2]
    assert (always["push_id"], always["whole"]) == ("always", False)


def test_pushes_that_nobody_was_decided_on_for_are_not_shown(document: dict[str, Any]) -> None:
    assert document["pushes"] == 3
    json.dumps(document, allow_nan=False)
