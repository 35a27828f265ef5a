"""Through the scorer: limits hold for every call, in one process and in eight that crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.online import killed_and_resumed, over
from benchmarks.paced_push import NOW, PUSH, Shape, Task, gain_sent, market, recount, scorer
from decisions.pacing import CONTACTS, MONEY
from serving.log import Log
from serving.schemas import Decision

SHOP = market(Shape(300, offers=4, stocked=1))


def test_members_of_one_call_share_what_is_left(log: Log) -> None:
    push = replace(SHOP.release.pushes[PUSH], max_audience=7)
    release = replace(SHOP.release, pushes={PUSH: push})
    answers = scorer(release, log).decide(PUSH, dict.fromkeys(SHOP.members), NOW).decisions
    sent = [answer for answer in answers.values() if answer.send]
    assert len(sent) == 7
    left = [one for one in answers.values() if one.reason == "budget_spent"]
    assert {one.probability for one in left} == {1.0}
    assert log.used(PUSH, NOW)[CONTACTS].taken == 7
    assert log.used(PUSH, NOW) == recount(log)


def test_whose_offer_ran_out_gets_the_next_best(log: Log, tmp_path: Path) -> None:
    # Every member likes one offer best; there are three of it.
    offers = dict(SHOP.release.offers)
    offers["offer3"] = replace(offers["offer3"], stock=3)
    release = replace(SHOP.release, offers=offers)
    free = scorer(SHOP.release, log).decide(PUSH, dict.fromkeys(SHOP.members[:100]), NOW)
    wanted = [member for member, one in free.decisions.items() if one.offer_id == "offer3"]
    assert len(wanted) > 3
    asked = dict.fromkeys(SHOP.members[:100])
    with Log(tmp_path / "other.db") as other:
        answers = scorer(release, other).decide(PUSH, asked, NOW).decisions
        given = [member for member in wanted if answers[member].offer_id == "offer3"]
        others = {answers[member].offer_id for member in wanted} - {"offer3"}
        assert len(given) == 3
        assert others - {None}, "the others fall to another offer"
        assert other.used(PUSH, NOW) == recount(other)


def test_asked_again_the_answer_is_the_same_and_reserves_nothing(log: Log) -> None:
    asking = scorer(SHOP.release, log)
    first = asking.decide(PUSH, dict.fromkeys(SHOP.members), NOW)
    used = log.used(PUSH, NOW)
    again = asking.decide(PUSH, dict.fromkeys(SHOP.members), NOW)
    assert again == first
    assert log.used(PUSH, NOW) == used
    assert used[MONEY].taken > 0


def test_a_decision_tells_the_terms_it_was_made_with(log: Log) -> None:
    asking = scorer(SHOP.release, log)
    for member in SHOP.members[:40]:
        answer: Decision = asking.decide(PUSH, {member: None}, NOW).decisions[member]
    terms = asking.look_up(str(answer.decision_id)).terms
    assert terms is not None
    assert terms["prices"]["budget"] == pytest.approx(SHOP.release.prices[PUSH].budget, rel=0.2)
    limits = SHOP.release.limits(PUSH)
    used = log.used(PUSH, NOW)
    own = used[MONEY].taken - (limits[MONEY] - terms["left"][MONEY])
    assert own == (terms["planned"].get(MONEY, 0) if answer.send else 0)


@pytest.mark.slow
def test_eight_processes_of_which_four_are_killed_overspend_nothing(tmp_path: Path) -> None:
    shape = Shape(500, offers=5, stocked=1)
    shop = market(shape)
    path = tmp_path / "log.db"
    prices = shop.release.prices[PUSH].to_json()
    tasks = [Task(str(path), shape, prices, part, 8, failing=0.1) for part in range(8)]
    assert 0 < killed_and_resumed(tasks) < 500
    with Log(path) as log:
        used, counted = log.used(PUSH, NOW), recount(log)
        gain = gain_sent(log, shop.release)
    assert used == counted
    assert used["asked"].spent == 500
    assert over(shop, {name: use.taken for name, use in counted.items()}) == 0
    assert 0 < used[MONEY].reserved < used[MONEY].spent
    assert gain > 0.97 * shop.plan.gain
