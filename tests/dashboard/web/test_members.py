"""A member's pages: looked up without an id in any address, explained, exported, erased."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import httpx2
import pytest
import structlog
import uvicorn
from httpx2 import Response
from sqlalchemy import select

from dashboard.areas.member_profile import affinities, grouped
from dashboard.web.routing import COOKIE
from experiments.saying import english
from serving.tables import changes
from serving.telemetry import PROCESSORS
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import Reader, text_of
from tests.serving.conftest import MEMBERS
from tests.serving.real_scorer import RealScorer

WHY = re.compile(r'href="([^"]*/decisions/[^"]*)"')


def looked_up(reader: Reader, member: str) -> Response:
    reader.get("/members")
    return reader.send("/members", {"member_id": member})


def test_a_member_is_looked_up_and_no_address_names_them(served: House, scorer: RealScorer) -> None:
    scorer.decide("m01")
    page = looked_up(served.reader("viewer"), " m01 ")
    assert page.url.path.startswith("/members/")
    assert "m01" not in str(page.url)
    assert not [one for one in re.findall(r'(?:href|action)="([^"]*)"', page.text) if "m01" in one]
    assert "m01" not in re.findall(r"<title>(.*)</title>", page.text)[0]
    text = text_of(page.text)
    assert "Member m01" in text
    assert "has not bought for" in text


def test_the_profile_tells_fatigue_caps_and_consent(served: House, scorer: RealScorer) -> None:
    sent = next(one for one in scorer.decide(*MEMBERS[:10]) if one["send"])["member_id"]
    text = text_of(looked_up(served.reader("viewer"), sent).text)
    assert "all messages, 7 days" in text
    assert "Decided since the release was made, and sent for all we know: 1." in text
    assert re.search(r"push (yes|never said) ✓ yes", text)


def test_the_profile_tells_the_lifetime_value_or_why_it_cannot(
    served: House, scorer: RealScorer
) -> None:
    reader = served.reader("viewer")
    page = looked_up(reader, "m01").text
    assert re.search(r"250(\.0+)? lifetime value: expected spend in the 90 days", text_of(page))
    assert '<data value="60.0">' in page
    assert '<data value="1.25">1.25</data>' in page
    assert "they had not bought by the release's moment" in text_of(looked_up(reader, "m04").text)
    exported = scorer.client.get("/v1/members/m01/export").json()["lifetime_value"]
    assert exported == {"purchases": 1.25, "spend": 250.0, "margin": 60.0, "horizon_days": 90}
    assert scorer.client.get("/v1/members/m04/export").json()["lifetime_value"] is None
    scorer.holder.release = replace(scorer.holder.release, lifetime_values=None)
    text = text_of(looked_up(served.reader("viewer", "zh-TW"), "m01").text)
    assert "無法預估未來購買" in text
    assert "pushwise train clv" in text


def test_the_timeline_pages_back_newest_first_in_both_languages(
    served: House, scorer: RealScorer
) -> None:
    (one,) = scorer.decide("m02")
    rows = [
        {"event_id": f"m02-{n:02d}", "decision_id": one["decision_id"], "type": "opened",
         "occurred_at": f"2026-05-01T10:{n:02d}:00Z"}
        for n in range(25)
    ]  # fmt: skip
    assert scorer.client.post("/v1/outcomes", json={"outcomes": rows}).json()["accepted"] == 25
    reader = served.reader("viewer")
    page = looked_up(reader, "m02")
    assert page.text.count("2026-05-01 10:") == 19  # and the decision, which came last
    older = unescape(re.findall(r'href="([^"]*after=[^"]*)"', page.text)[0])
    assert "m02" not in older, "an event's id may name the member"
    assert reader.get(older).text.count("2026-05-01 10:") == 6
    assert reader.get(older.split("?")[0] + "?after=nonsense").status_code == 404
    chinese = served.reader("viewer", "zh-TW")
    assert "已開啟" in text_of(looked_up(chinese, "m02").text)


def test_why_this_offer_is_what_the_api_explains(served: House, scorer: RealScorer) -> None:
    one = next(o for o in scorer.decide(*MEMBERS[:20]) if o["send"] and not o["explored"])
    told = scorer.get(one, "explanation")
    reader = served.reader("viewer")
    page = reader.get(WHY.findall(looked_up(reader, one["member_id"]).text)[0])
    text = text_of(page.text)
    for sentence in (*told["summary"], told["alternative"]["text"]):
        assert sentence in text
    assert "the decision comes out the same, byte by byte" in text
    for option in told["options"]:
        assert option["offer_id"] in text
    assert "Parts of the gain" in text
    assert told["chance_without"]["features"][0]["text"].split(":")[0] in text
    chinese = served.reader("viewer", "zh-TW")
    page = chinese.get(WHY.findall(looked_up(chinese, one["member_id"]).text)[0])
    assert f"發送了 {one['offer_id']}（{one['channel']}）。" in text_of(page.text)


def test_no_send_is_explained_with_its_reason(served: House, scorer: RealScorer) -> None:
    held = next(one for one in scorer.decide(*MEMBERS) if one["reason"] == "holdout")
    reader = served.reader("viewer", "zh-TW")
    page = reader.get(WHY.findall(looked_up(reader, held["member_id"]).text)[0])
    assert "為什麼沒有發送" in text_of(page.text)
    assert "對照組" in text_of(page.text)


def test_a_decision_about_somebody_else_is_not_shown(served: House, scorer: RealScorer) -> None:
    scorer.decide("m01")
    reader = served.reader("viewer")
    there = WHY.findall(looked_up(reader, "m01").text)[0]
    other = str(looked_up(reader, "m03").url.path)
    assert reader.get(f"{other}/decisions/{there.rsplit('/', 1)[1]}").status_code == 404


def test_a_stranger_and_a_member_without_decisions_are_told_plainly(served: House) -> None:
    reader = served.reader("viewer")
    page = looked_up(reader, "<b>nobody</b>")
    assert page.status_code == 404
    assert "Nothing is known of such a member" in text_of(page.text)
    assert "<b>nobody" not in page.text
    assert "Nothing was decided about this member yet." in text_of(looked_up(reader, "m04").text)
    for none in ("", " ", "x" * 257):
        assert reader.send("/members", {"member_id": none}).status_code == 422


def test_a_handle_of_another_session_opens_nothing(served: House) -> None:
    there = looked_up(served.reader("viewer"), "m01").url.path
    assert served.reader("editor").get(there).status_code == 404


def test_an_editor_exports_what_the_api_exports(served: House, scorer: RealScorer) -> None:
    scorer.decide("m05")
    reader = served.reader("editor")
    there = looked_up(reader, "m05").url.path
    file = reader.send(f"{there}/export")
    assert "m05" not in file.headers["content-disposition"]
    assert json.loads(file.text) == scorer.client.get("/v1/members/m05/export").json()
    viewer = served.reader("viewer")
    page = looked_up(viewer, "m05")
    assert "Download the export" not in page.text
    assert viewer.send(f"{page.url.path}/export").status_code == 403


def test_a_publisher_erases_by_typing_the_id(served: House, scorer: RealScorer) -> None:
    scorer.decide("m06")
    editor = served.reader("editor")
    page = looked_up(editor, "m06")
    assert "Erase this member" not in page.text
    assert editor.send(f"{page.url.path}/erase", {"confirm": "m06"}).status_code == 403
    reader = served.reader("publisher")
    there = looked_up(reader, "m06").url.path
    wrong = reader.send(f"{there}/erase", {"confirm": "m07"})
    assert wrong.status_code == 422
    assert "Nothing was erased" in text_of(wrong.text)
    progress = reader.send(f"{there}/erase", {"confirm": "m06"})
    assert progress.url.path.startswith("/members/erasures/er_")
    assert 'hx-trigger="every 2s"' in progress.text
    assert "log/decisions" in progress.text
    assert "m06" not in progress.text
    assert "was erased" in text_of(looked_up(reader, "m06").text)
    erasures = scorer.parts.erasures
    (waits,) = erasures.pending()
    erasures.finish(waits.erasure_id, {"left": ["release r1"]}, waits.asked_at)
    done = reader.get(progress.url.path, partial=True).text
    assert "every 2s" not in done
    assert "release r1" in done


def test_without_a_release_the_page_says_what_to_do(house: Opens) -> None:
    assert "pushwise release build --publish" in house().reader("viewer").text("/members")


def test_interests_are_called_as_in_the_data_and_features_are_grouped() -> None:
    known = {"interest__a": 1.0, "interest__b_c": 2.0, "interest__d": 0.0, "seen_days__a": 3.0}
    found = affinities(known, {"a": "a", "b c": "b_c", "d": "d"})
    assert [(one.category, one.seen) for one in found] == [("b c", None), ("a", 3.0)]
    names = ("orders_7d", "m_quintile", "consent_sms", "seen_days__a", "contacts_1d", "shoe_size")
    groups = grouped(dict.fromkeys(names, 1.0), english)
    assert {title: [one.name for one in lines] for title, lines in groups.items()} == {
        "Purchases": ["orders_7d", "m_quintile"], "Interests": ["seen_days__a"],
        "Membership": ["consent_sms"], "Messages": ["contacts_1d"], "Others": ["shoe_size"],
    }  # fmt: skip


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that a real server writes, its own access log among it."""
    import logging

    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(
        processors=PROCESSORS, logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    yield written
    structlog.reset_defaults()
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_real_server_with_an_access_log_writes_no_member_id(
    served: House,
    scorer: RealScorer,
    logged: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A server without an access log, started by an earlier test, shuts it off for the process.
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", True)
    scorer.decide("m08")
    config = uvicorn.Config(
        served.client().app, port=0, log_config=None, log_level="debug", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader = served.reader("publisher")
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as browser:
        browser.cookies.set(COOKIE, reader.client.cookies[COOKIE])
        form = {"csrf": reader.csrf, "member_id": "m08", "confirm": "m08"}
        page = browser.post("/members", data=form)
        browser.get(WHY.findall(page.text)[0])
        browser.post(f"{page.url.path}/export", data=form)
        browser.post(f"{page.url.path}/erase", data=form)
        assert browser.post("/members", data=form).status_code == 404
    server.should_exit = True
    thread.join(10)
    assert "POST /members" in logged.getvalue()
    assert "m08" not in logged.getvalue()
    with scorer.log.reading() as connection:
        noted = [str(dict(row)) for row in connection.execute(select(changes)).mappings()]
    assert any("/members/{handle}/erase" in one for one in noted)
    assert not any("m08" in one for one in noted)
