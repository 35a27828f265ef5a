"""Pushes: what there is, planning one over its curve, what a plan promises, and its file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path

import pytest

from dashboard.web.work import Job, Work
from decisions.infeasible import Infeasible
from features.insights.prepared import keep
from features.workspace import Workspace
from serving.audience_worker import job_command
from serving.audiences import Audience, Audiences, Wanted
from serving.catalogue import Catalogue
from serving.log import Log
from serving.planning import plan_for_all
from serving.release import Release
from serving.settings import Settings
from tests.dashboard.given import push_report
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import Reader, text_of
from tests.serving.conftest import AS_OF, Bench
from tests.serving.real_scorer import RealScorer, real_scorer

NOW = datetime(2026, 5, 1, tzinfo=UTC)
RULE = "recency_days < 30"


@dataclass(frozen=True)
class Plans:
    """A scorer whose worker worked on two plans of the push ``spring``: one that succeeded, and
    one whose limits conflict."""

    scorer: RealScorer
    done: str
    failed: str


@pytest.fixture(scope="session")
def plans(
    loaded: Release, candidate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plans]:
    bench = Bench(Workspace(tmp_path_factory.mktemp("plans")), candidate)
    bench.release("r1")
    with ExitStack() as ends:
        log = ends.enter_context(Log.of(bench.workspace))
        scorer = ends.enter_context(real_scorer(loaded, bench, log))
        jobs = Audiences(log)
        done = jobs.ask(Wanted("spring", RULE, max_audience=20), "r1", NOW).audience_id
        work(bench.workspace)
        failed = jobs.ask(Wanted("spring", min_audience=50), "r1", NOW)
        refuse(loaded, failed, jobs)
        assert jobs.find(done).state == "done", jobs.find(done).failure
        yield Plans(scorer, done, failed.audience_id)


def work(workspace: Workspace) -> None:
    """Work on what waits, in a process as the scorer starts it."""
    command = job_command(Settings(workspace, "127.0.0.1", 0), None)
    subprocess.run([*command, "--worker", "w1"], check=True, timeout=120)


def refuse(release: Release, job: Audience, jobs: Audiences) -> None:
    """The same in this process, for limits that conflict: another process takes seconds."""
    jobs.claim(None, "w2", NOW)
    with pytest.raises(Infeasible) as refused:
        plan_for_all(release, job.wanted.push(release.pushes), None)
    failure = {
        "detail": str(refused.value),
        "conflicts": [asdict(c) for c in refused.value.conflicts],
    }
    jobs.fail("w2", failure, NOW)


@pytest.fixture
def planned(house: Opens, plans: Plans) -> House:
    """A dashboard over the scorer with the two plans."""
    return house(plans.scorer.bench.workspace, plans.scorer.parts)


def test_pushes_are_listed_searched_and_have_a_page_each(planned: House) -> None:
    reader = planned.reader("viewer")
    text = reader.text("/pushes")
    assert "spring" in text
    assert "autumn" in text
    assert "spring" not in reader.text("/pushes?q=autu").replace("Name, campaign", "")
    assert "No push is like that." in reader.text("/pushes?q=nothing")
    assert reader.get("/pushes?page=99999&state=odd").status_code == 200
    assert "ten" in reader.text("/pushes/spring")
    assert reader.get("/pushes/none").status_code == 404


def test_without_a_release_the_pages_say_what_to_do_first(house: Opens) -> None:
    opened = house()
    reader, workspace = opened.reader(), opened.ground.workspace
    command = f"pushwise release build --publish --workspace {workspace.root}"
    for path in ("/pushes", "/members", "/rules", "/models"):
        text = reader.text(path)
        assert command in text
        assert "no model serves" not in text
    workspace.mlflow.mkdir(parents=True)
    (workspace.mlflow / "mlflow.db").touch()
    for path in ("/pushes", "/members", "/rules"):
        assert "no model serves" in reader.text(path), "models were trained"
    assert reader.get("/pushes/spring/plan").status_code == 409


def test_a_push_nobody_planned_is_planned_first(planned: House) -> None:
    text = planned.reader("editor").text("/pushes/autumn/plan")
    assert "The first plan draws it" in text
    assert "Plan this" in text


def place(reader: Reader, query: str) -> dict[str, float]:
    """Members, cost and gain where the sliders stand."""
    answer = reader.get(f"/pushes/spring/plan?{query}", partial=True)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    values = re.findall(r'<b><data value="([^"]+)">', answer.text)
    names = ("members", "cost", "gain")
    return dict(zip(names, map(float, values), strict=False))


def test_the_sliders_move_along_the_curve_without_planning_anew(planned: House) -> None:
    reader = planned.reader("viewer")
    page = reader.get("/pushes/spring/plan").text
    assert page.count('type="range"') == 2
    assert "largest profit" in page
    assert "largest return" in page
    jobs = len(Audiences(planned.ground.log).of_push("spring"))
    few, more, most = (place(reader, f"budget={b}&size=1000") for b in ("6", "8", "100000"))
    assert few["gain"] < more["gain"] < most["gain"]
    assert few["cost"] <= 6.01
    small = place(reader, "budget=100000&size=10")
    assert small["members"] <= 10.01
    assert place(reader, "budget=nan&size=x") == most
    assert len(Audiences(planned.ground.log).of_push("spring")) == jobs


def test_a_plan_with_other_limits_is_a_new_job_and_can_be_cancelled(planned: House) -> None:
    reader = planned.reader("editor")
    reader.get("/pushes/autumn/plan")
    fields = {"budget": "7.5", "max_audience": "5"}
    first = reader.send("/pushes/autumn/plan", fields)
    assert "waits" in text_of(first.text)
    assert reader.send("/pushes/autumn/plan", fields).url == first.url, "the same is the same job"
    other = reader.send("/pushes/autumn/plan", {**fields, "max_audience": "6"})
    assert other.url != first.url
    piece = reader.get(other.url.path, partial=True)
    assert "<progress" in piece.text
    assert "cancelled" in text_of(reader.send(f"{other.url.path}/cancel").text)
    told = reader.get(other.url.path, partial=True)
    assert told.headers["hx-redirect"] == other.url.path
    reader.send(f"{first.url.path}/cancel")


@pytest.mark.parametrize(
    ("field", "value"),
    [("budget", "much"), ("budget", "-1"), ("max_audience", "1.5"), ("rule", "no rule (")],
)
def test_a_limit_that_does_not_fit_is_told_at_its_field(
    planned: House, field: str, value: str
) -> None:
    reader = planned.reader("editor")
    answer = reader.send("/pushes/autumn/plan", {field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert value in answer.text


def test_more_members_than_there_may_be_are_told_before_a_job_is_started(planned: House) -> None:
    reader = planned.reader("editor")
    answer = reader.send("/pushes/autumn/plan", {"min_audience": "9", "max_audience": "5"})
    assert answer.status_code == 422
    assert 'id="min_audience-error"' in answer.text


def test_a_finished_plan_tells_what_it_promises(planned: House, plans: Plans) -> None:
    reader = planned.reader("viewer")
    text = reader.text(f"/pushes/plans/{plans.done}")
    for told in (
        "No choice inside the limits can gain more than",
        "held out, so that the effect can be measured",
        "those who buy most likely anyway",
        f"the rule {RULE}",
        "more of budget" if "more of budget" in text else "more members would earn",
        "Will the effect show?",
    ):
        assert told in text, told
    found = plans.scorer.client.get(f"/v1/audiences/{plans.done}").json()["summary"]
    page = reader.get(f"/pushes/plans/{plans.done}").text
    for name in ("audience", "expected_cost", "expected_gain", "expected_orders"):
        assert f'<data value="{found[name]!r}">' in page, name


def test_limits_that_conflict_are_told_with_what_mends_them(planned: House, plans: Plans) -> None:
    text = planned.reader("viewer").text(f"/pushes/plans/{plans.failed}")
    assert "These limits cannot hold together" in text
    assert "fewest members" in text


def test_members_are_named_on_the_page_and_in_no_address(planned: House, plans: Plans) -> None:
    reader = planned.reader("viewer")
    page = reader.get(f"/pushes/plans/{plans.done}/members").text
    rows = plans.scorer.client.get(f"/v1/audiences/{plans.done}/members").json()["members"]
    assert rows
    for row in rows:
        assert f">{row['member_id']}</a>" in page
        assert f"/{row['member_id']}" not in page
    assert f"{len(rows)}" in reader.text(f"/pushes/plans/{plans.done}")
    assert "Nobody here." in reader.text(f"/pushes/plans/{plans.done}/members?after=9999")


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_the_file_is_the_one_of_the_api(planned: House, plans: Plans, kind: str) -> None:
    path = f"/v1/audiences/{plans.done}/file?format={kind}"
    wanted = plans.scorer.client.get(path)
    reader = planned.reader("editor")
    reader.get("/pushes")
    found = reader.send(f"/pushes/plans/{plans.done}/file", {"format": kind})
    assert found.content == wanted.content
    assert found.headers["content-disposition"] == wanted.headers["content-disposition"]
    assert planned.ground.changes.newest()[0].subject == plans.done


def test_whoever_must_not_be_contacted_by_now_leaves_the_file_and_the_page(
    planned: House, plans: Plans
) -> None:
    log = plans.scorer.log
    rows = plans.scorer.client.get(f"/v1/audiences/{plans.done}/members").json()["members"]
    gone = rows[-1]["member_id"]
    body = [{"event_id": "u1", "member_id": gone, "push_id": "spring", "type": "unsubscribed",
             "occurred_at": AS_OF.isoformat()}]  # fmt: skip
    answer = plans.scorer.client.post("/v1/outcomes", json={"outcomes": body})
    assert answer.status_code == 200, answer.text
    assert gone in log.all_suppressed()
    reader = planned.reader("editor")
    assert f">{gone}</a>" not in reader.get(f"/pushes/plans/{plans.done}/members").text
    file = reader.send(f"/pushes/plans/{plans.done}/file", {"format": "csv"})
    assert gone not in file.text


def test_a_viewer_sees_plans_and_can_start_or_download_nothing(
    planned: House, plans: Plans
) -> None:
    reader = planned.reader("viewer")
    assert "See the plan" in reader.text("/pushes/spring")
    assert "/pushes/autumn/plan" not in reader.get("/pushes/autumn").text, "nothing to see yet"
    assert "Plan it" in planned.reader("editor").text("/pushes/autumn")
    for path in ("/pushes/spring/plan", f"/pushes/plans/{plans.done}", "/pushes/autumn/plan"):
        page = reader.get(path).text
        assert page.count('method="post"') == 2, "language and log-out alone"
    for path in (
        "/pushes/spring/plan", f"/pushes/plans/{plans.done}/file",
        f"/pushes/plans/{plans.done}/cancel",
    ):  # fmt: skip
        assert reader.send(path).status_code == 403


SUMMER = {
    "channel": "push", "send_at": "2031-06-01T09:00", "offer_ids": "ten\ngift",
    "objective": "margin", "budget": "100", "holdout": "0.1",
}  # fmt: skip


def etag_in(reader: Reader, path: str) -> str:
    """Which version the form of a push is about."""
    found = re.findall(r'name="etag" value="([^"]+)"', reader.get(f"{path}/edit").text)
    return unescape(found[0])


def test_a_new_push_goes_into_the_catalogue_and_waits_for_a_release(planned: House) -> None:
    reader = planned.reader("editor")
    page = reader.send("/pushes/catalogue/new", {"push_id": "summer", **SUMMER})
    assert page.url.path == "/pushes/summer"
    text = text_of(page.text)
    assert "Kept as version 1." in text
    assert "draft" in text
    assert "pushwise release build --publish" in text
    found = Catalogue(planned.ground.log).find("pushes", "summer")
    assert found is not None
    assert (found.row["offer_ids"], found.changed_by) == (["ten", "gift"], "user editor")
    assert "summer" in reader.text("/pushes?state=draft")
    again = reader.send("/pushes/catalogue/new", {"push_id": "summer", **SUMMER, "budget": "5"})
    assert again.status_code == 422
    assert "There is a push of this name already" in text_of(again.text)


def test_each_field_that_does_not_fit_has_one_message(planned: House) -> None:
    reader = planned.reader("editor")
    reader.get("/pushes/catalogue/new")
    wrong = {**SUMMER, "push_id": "-x", "send_at": "soon", "budget": "-1", "holdout": "2"}
    page = reader.send("/pushes/catalogue/new", {**wrong, "offer_ids": ""})
    assert page.status_code == 422
    told = re.findall(r'id="(\w+)-error"', page.text)
    assert told == ["push_id", "send_at", "offer_ids", "budget", "holdout"]
    for field, value in (("offer_ids", "none"), ("eligibility", "no rule (")):
        page = reader.send("/pushes/catalogue/new", {"push_id": "misfit", **SUMMER, field: value})
        assert re.findall(r'id="(\w+)-error"', page.text) == [field]
    assert Catalogue(planned.ground.log).find("pushes", "misfit") is None


def test_two_who_change_a_push_at_once_do_not_undo_each_other(planned: House) -> None:
    mine, theirs = planned.reader("editor"), planned.reader("publisher")
    mine.send("/pushes/catalogue/new", {"push_id": "shared", **SUMMER})
    fields = {"push_id": "shared", **SUMMER, "etag": etag_in(theirs, "/pushes/shared")}
    assert mine.send("/pushes/shared/edit", {**fields, "budget": "7"}).status_code == 200
    refused = theirs.send("/pushes/shared/edit", {**fields, "budget": "9"})
    assert "Somebody changed it meanwhile" in text_of(refused.text)
    assert 'value="7"' in refused.text
    found = Catalogue(planned.ground.log).find("pushes", "shared")
    assert found is not None
    assert (found.number, found.row["budget"]) == (2, 7)


def test_names_of_pushes_stay_text_and_reach_their_pages(planned: House) -> None:
    name = "a/b ?x=1&<script>alert(1)</script> 春"
    reader = planned.reader("editor")
    page = reader.send("/pushes/catalogue/new", {**SUMMER, "push_id": name})
    assert f"<h1>{escape(name)}</h1>" in page.text
    path = page.url.raw_path.decode()
    for one in ("/pushes", path, f"{path}/edit", f"{path}/results"):
        assert "<script>alert" not in reader.get(one).text
        assert reader.get(one).status_code == 200
    again = reader.send(f"{path}/edit", {**SUMMER, "budget": "77", "etag": etag_in(reader, path)})
    assert "77.00" in text_of(again.text)


def test_before_a_push_goes_out_nothing_is_said_of_what_it_earned(planned: House) -> None:
    reader = planned.reader("editor")
    reader.send("/pushes/catalogue/new", {"push_id": "later", **SUMMER})
    assert "nothing can be said of it" in reader.text("/pushes/later/results")


def test_what_was_prepared_of_past_pushes_is_shown(planned: House) -> None:
    estimate = {"value": 1.5, "low": 0.5, "high": 2.5}
    facts = {"campaign_id": None, "channel": "push", "objective": "margin",
             "send_at": AS_OF.isoformat()}  # fmt: skip
    figures = dict.fromkeys(("margin", "cost", "gain", "total_gain"), estimate)
    earned = {"push_id": "winter", **facts, "sent": 90, "held": 10, "whole": True, **figures}
    untold = {"push_id": "easter", **facts, "cannot_say": {"reason": "no_holdout", "told": "why"}}
    document = {"pushes": 2, "shown": [earned, untold]}
    keep(planned.ground.workspace, "pushes", document, as_of=AS_OF, made_at=AS_OF)
    reader = planned.reader("viewer")
    assert "+1.50" in reader.text("/pushes?state=sent")
    text = reader.text("/pushes/winter/results")
    assert "90 members left to chance who got it" in text
    assert "+1.50 ( +0.500 to +2.50 )" in text
    assert "cannot be told why" in reader.text("/pushes/easter/results")
    assert "Read it out" not in text


def test_what_was_read_out_stands_beside_what_was_promised(
    planned: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = push_report().to_json()
    job = Job("w_1", "x", "editor", NOW, state="done", answer=answer)
    monkeypatch.setattr(Work, "newest", lambda self, name: job)
    for language in ("en", "zh-TW"):
        page = planned.reader("viewer", language).get("/pushes/spring/results")
        assert page.status_code == 200
        found = answer["results"]["contrasts"][0]["incremental"]["total_gain"]
        assert f'<data value="{found["value"]!r}">' in page.text
        assert (
            "The push earned" in page.text if language == "en" else "推播每位會員多賺" in page.text
        )
        assert page.text.count("<figure") >= 3


def test_a_push_is_read_out_by_the_command_beside_the_pages(planned: House) -> None:
    reader = planned.reader("editor")
    reader.get("/pushes/spring")
    page = reader.send("/pushes/spring/results")
    assert page.url.path == "/pushes/spring/results"
    assert "<progress" in page.text or "failed" in page.text
    job = planned.ground.work.newest("Promised and earned: spring")
    assert job is not None
    planned.ground.work.cancel(job.job_id)


def test_the_pages_speak_chinese(planned: House, plans: Plans) -> None:
    reader = planned.reader("editor", "zh-TW")
    for path in (
        "/pushes", "/pushes/spring", "/pushes/spring/plan", "/pushes/catalogue/new",
        f"/pushes/plans/{plans.done}", f"/pushes/plans/{plans.failed}",
    ):  # fmt: skip
        text = reader.text(path)
        assert "推播" in text
        assert not re.search(r"\b(members|expected|budget|gain)\b", text), path
