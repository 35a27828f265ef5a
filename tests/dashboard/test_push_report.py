from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from dashboard.push_report import PushReport, push_page
from tests.dashboard.given import PLANNED, push_report
from tests.dashboard.pages import HOSTILE, asks_no_network, held, numbers, shown


def test_says_margin_cost_gain_and_return_beyond_the_members_held_out(pushed: PushReport) -> None:
    page = push_page(pushed)
    found = pushed.contrast["incremental"]
    for name in ("margin", "cost", "gain", "total_gain", "roi"):
        assert set(numbers(found[name])) <= set(shown(page))
    assert pushed.sentence in unescape(page)
    assert pushed.sentence.startswith("The push earned +")


def test_every_number_outside_the_charts_is_one_of_the_document(pushed: PushReport) -> None:
    page = push_page(replace(pushed, frontier=None, funnel={}))
    tables = page.split("<figure")
    outside = tables[0] + "".join(one.split("</figure>")[1] for one in tables[1:])
    whole = pushed.push["sent"] + pushed.push["held"]
    known = {*numbers(pushed.to_json()), whole}
    assert [value for value in shown(outside) if value not in known] == []
    assert held(page, "push.json") == replace(pushed, frontier=None, funnel={}).to_json()


def test_what_was_promised_stands_beside_what_came(pushed: PushReport) -> None:
    rows = {row["name"]: row for row in pushed.beside()}
    gain = rows["gain, as such estimates come true"]
    assert gain["planned"] == {"value": 12_500.0, "low": 7_000.0, "high": 18_000.0}
    assert gain["real"] == pushed.contrast["incremental"]["total_gain"]
    assert rows["contacts"]["planned"] == PLANNED["contacts"]
    more = rows["conversions that would not have come"]["real"]["value"]
    sent, kept = pushed.results["arms"]
    each = sent["converted"] / sent["members"] - kept["converted"] / kept["members"]
    assert more == pytest.approx(each * sent["members"])
    page = push_page(pushed)
    assert "as planned" in page
    assert "as it came" in page


def test_where_nothing_was_kept_of_the_promise_the_page_says_so(pushed: PushReport) -> None:
    page = push_page(replace(pushed, planned=None, logged=None, frontier=None))
    assert "Nobody kept what was promised" in page
    assert "Promised and earned" not in page


def test_a_push_that_changed_nothing_does_not_earn() -> None:
    # The champion's members buy a little more in this crowd whatever the effect is.
    nothing = push_report(effect=-0.08)
    assert nothing.sentence.startswith("Nothing shows that the push changed anything: ")
    assert 'class="verdict "' in push_page(nothing)


def test_a_split_that_chance_would_not_make_is_no_result(pushed: PushReport) -> None:
    srm = {**pushed.results["srm"], "passed": False}
    broken = replace(pushed, results={**pushed.results, "srm": srm})
    assert broken.sentence.startswith("Cannot say: members are not split")
    assert 'class="verdict bad"' in push_page(broken)


def test_offers_that_were_chosen_are_not_compared(pushed: PushReport) -> None:
    chosen = ({**pushed.offers[0], "chance": None, "contrast": None},)
    page = push_page(replace(pushed, offers=chosen, push={**pushed.push, "drawn": None}))
    assert "do not compare the offers" in page
    assert "<b>Offers</b>" not in page


def test_names_stay_text_and_nothing_is_asked_of_a_network() -> None:
    page = push_page(push_report(offer=HOSTILE))
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert asks_no_network(page)
    assert re.search("&lt;script&gt;", page)
