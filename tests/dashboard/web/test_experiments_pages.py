"""The pages about experiments, over an experiment that ran."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.areas.experiments_one import decidable
from dashboard.areas.experiments_reading import last_seen
from dashboard.experiment_report import ExperimentReport
from experiments.design import Experiment
from features.workspace import Workspace
from serving.auth import Access
from serving.experiment_audit import Change
from serving.experiments import Book
from serving.log import Log
from serving.parts import Parts
from serving.readout_process import ReadoutProcess
from serving.telemetry import Telemetry
from tests.dashboard.given import EXPERIMENT, STARTED_AT
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import text_of
from tests.serving.conftest import FakeDecider, FakeRelease

ID = EXPERIMENT.experiment_id
PATH = f"/experiments/{ID}"
HOSTILE = "<script>alert('x')</script>"


class Ran:
    """A house with an experiment that ran, whose readouts print what was found of the crowd."""

    def __init__(self, house: House, parts: Parts) -> None:
        self.house = house
        self.book = Book(parts.log)
        self.readouts = parts.readouts

    def read(self) -> None:
        """Look at the page until the results are there, with what its curves need."""
        assert self.readouts is not None
        viewer, end = self.house.reader("viewer"), time.monotonic() + 60
        while "history" not in (self.readouts.last(ID) or {}):
            assert time.monotonic() < end
            viewer.get(PATH)
            time.sleep(0.05)


@pytest.fixture
def ran(house: Opens, tmp_path: Path, told: ExperimentReport) -> Iterator[Ran]:
    workspace = Workspace(tmp_path / "ws")
    with Log.of(workspace) as log:
        book = Book(log)
        book.create(EXPERIMENT, Change(STARTED_AT, "key"))
        book.start(ID, Change(STARTED_AT, "key"))
        readouts = ReadoutProcess(log, says(tmp_path, told, book.find(ID).version), {})
        parts = Parts(
            FakeDecider(FakeRelease()), log, Access(log, "live", required=False), Telemetry(),
            workspace.audiences, readouts=readouts,
        )  # fmt: skip
        yield Ran(house(workspace, parts), parts)
        readouts.stop()


def says(folder: Path, report: ExperimentReport, version: int) -> list[str]:
    """A command that prints the results as the real one does, with history where it is asked."""
    document = {
        **report.results, "as_of": datetime.now(UTC).isoformat(), "state": "running",
        "version": version, "started_at": STARTED_AT.isoformat(), "stopped_at": None,
        "at_look": None, "funnel": report.funnel,
    }  # fmt: skip
    brief, whole = folder / "brief.json", folder / "whole.json"
    brief.write_text(json.dumps(document))
    whole.write_text(json.dumps({**document, "history": list(report.history[:-1])}))
    code = f"import sys; f = {str(whole)!r} if '--moments' in sys.argv else {str(brief)!r}"
    return [sys.executable, "-S", "-c", f"{code}; print(open(f).read())"]


def form(**other: str) -> dict[str, str]:
    """A declaration that fits."""
    from dashboard.areas.experiments_form import DEFAULTS

    fields = {**DEFAULTS, "experiment_id": "spring-test", "arms.1.kind": "random"}
    return {**fields, **{name.replace("__", "."): value for name, value in other.items()}}


def test_the_page_shows_what_was_read_last_with_health_first(ran: Ran) -> None:
    first = ran.house.reader("viewer").get(PATH)
    assert "New results are being read" in first.text
    ran.read()
    text = ran.house.reader("viewer").text(PATH)
    order = ["Health", "SRM", "Verdict", "Promote challenger", "What it changed", "by segment"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "planned look, with the interval that decides" in text
    assert text.index("Who changed what") > places[-1]


def test_a_readout_is_never_made_in_a_request_and_asked_for_by_a_piece(ran: Ran) -> None:
    reader = ran.house.reader("viewer")
    assert 'hx-get="/experiments/autumn-challenger/readout?seen=' in reader.get(PATH).text
    ran.read()
    piece = reader.get(f"{PATH}/readout?seen=", partial=True)
    assert piece.status_code == 200
    assert "Promote challenger" in piece.text
    assert "<html" not in piece.text


def test_in_chinese_the_same_figures_have_chinese_words(ran: Ran) -> None:
    ran.read()
    text = ran.house.reader("viewer", "zh-TW").text(PATH)
    for words in (
        "會員分組比例符合設定",
        "建議採用 challenger",
        "淨收益",
        "預定檢視",
        "變更紀錄",
    ):
        assert words in text
    assert "cannot be told" not in text


def test_the_list_puts_first_what_wants_a_decision_and_flags_health(ran: Ran) -> None:
    change = Change(STARTED_AT, "key")
    draft = replace(EXPERIMENT, experiment_id="a-draft", owner=HOSTILE)
    ran.book.create(draft, change)
    ran.read()
    answer = ran.house.reader("viewer").get("/experiments")
    assert HOSTILE not in answer.text
    text = ran.house.reader("viewer").text("/experiments")
    assert text.index(ID) < text.index("a-draft")
    assert "stop and decide" in text
    assert "✓ healthy" in text


def test_a_viewer_is_shown_no_form_and_may_send_none(ran: Ran) -> None:
    ran.read()
    viewer = ran.house.reader("viewer")
    page = viewer.get(PATH).text
    assert f'action="{PATH}' not in page
    steps = ("start", "stop", "shares", "promote", "discard", "edit")
    assert {viewer.send(f"{PATH}/{step}").status_code for step in steps} == {403}
    assert viewer.get("/experiments/-/new").status_code == 403
    assert viewer.send("/experiments/-/new", form()).status_code == 403
    assert ran.book.find(ID).state == "running"


def test_an_editor_changes_shares_and_stops_and_the_trail_says_who(ran: Ran) -> None:
    editor = ran.house.reader("editor")
    shares = {"share.champion": "30", "share.challenger": "50", "share.holdout": "20"}
    wrong = editor.send(f"{PATH}/shares", {**shares, "share.champion": "40"})
    assert wrong.status_code == 422
    assert "100 % together" in wrong.text
    etag = ran.book.find(ID).etag
    assert editor.send(f"{PATH}/shares", {**shares, "etag": etag, "why": "it is safe"})
    assert ran.book.find(ID).experiment.arm("champion").share == 0.3
    stale = editor.send(f"{PATH}/stop", {"etag": etag})
    assert stale.status_code == 412
    text = text_of(editor.send(f"{PATH}/stop", {"why": "enough"}).text)
    assert "user editor" in text
    assert "champion 40.0% → 30.0%" in text
    assert ran.book.find(ID).state == "stopped"
    assert editor.send(f"{PATH}/promote", {"arm": "champion", "why": "x"}).status_code == 403


def test_a_publisher_decides_by_the_verdict_as_the_api_does(ran: Ran) -> None:
    ran.book.stop(ID, Change(STARTED_AT + timedelta(days=28), "key"))
    publisher = ran.house.reader("publisher")
    silent = publisher.send(f"{PATH}/promote", {"arm": "champion"})
    assert silent.status_code == 422
    forbidden = publisher.send(f"{PATH}/promote", {"arm": "holdout", "why": "a hunch"})
    assert forbidden.status_code == 409
    assert "the readout does not allow it" in forbidden.text
    nowhere = publisher.send(f"{PATH}/promote", {"arm": "challenger", "why": "better"})
    assert nowhere.status_code == 409, "a release wins, and no folder of releases is served"
    assert "verdict is being read" not in nowhere.text
    done = publisher.send(f"{PATH}/promote", {"arm": "champion", "why": "too dear"})
    assert "It is decided for champion." in done.text
    assert "Which arm goes on?" not in done.text
    decision = ran.book.find(ID).decision
    assert decision is not None
    assert (decision.arm, decision.by, decision.why) == ("champion", "user publisher", "too dear")


def test_an_arm_is_chosen_once_the_verdict_of_what_was_stopped_is_there(ran: Ran) -> None:
    ran.book.stop(ID, Change(STARTED_AT + timedelta(days=28), "key"))
    publisher = ran.house.reader("publisher")
    page = publisher.get(PATH).text
    assert f'hx-get="{PATH}/steps"' in page
    assert "Which arm goes on?" not in page
    assert ran.readouts is not None
    ran.readouts.results(ran.book.find(ID), None).result(60)
    piece = publisher.get(f"{PATH}/steps", partial=True)
    assert "Which arm goes on?" in piece.text
    assert "<html" not in piece.text
    assert ran.house.reader("viewer").get(f"{PATH}/steps").status_code == 403


def test_a_decision_before_the_verdict_is_there_keeps_what_was_typed(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.areas.experiments_steps._READ_SECONDS", 0.0)
    ran.book.stop(ID, Change(STARTED_AT + timedelta(days=28), "key"))
    fields = {"arm": "holdout", "why": HOSTILE, "anyway": "yes"}
    answer = ran.house.reader("publisher").send(f"{PATH}/promote", fields)
    assert answer.status_code == 503
    assert "the verdict is being read" in answer.text
    assert 'value="holdout" required checked' in answer.text
    assert 'value="yes" checked' in answer.text
    assert HOSTILE in text_of(answer.text)
    assert HOSTILE not in answer.text
    assert ran.book.find(ID).state == "stopped"


def test_everything_is_there_as_data(ran: Ran, told: ExperimentReport) -> None:
    viewer = ran.house.reader("viewer")
    assert viewer.get(f"{PATH}/results.json").status_code == 404
    ran.read()
    assert viewer.get(f"{PATH}/results.json").json()["verdict"] == told.results["verdict"]
    assert viewer.get(f"{PATH}/arms.csv").text.startswith("arm,kind,share,members")
    assert viewer.get(f"{PATH}/declaration.json").json()["experiment_id"] == ID
    assert "created" in viewer.get(f"{PATH}/trail.csv").text


def test_a_draft_is_declared_changed_and_deleted(ran: Ran) -> None:
    editor = ran.house.reader("editor")
    made = editor.send("/experiments/-/new", form(hypothesis=HOSTILE, analysis__cap="200"))
    assert made.url.path == "/experiments/spring-test"
    assert HOSTILE not in made.text
    declared = ran.book.find("spring-test").declared
    assert (declared.analysis.cap, declared.analysis.alpha) == (200, 0.05)
    assert [arm.share for arm in declared.arms] == [0.5, 0.5]
    page = editor.get("/experiments/spring-test/edit").text
    assert 'value="spring-test"' in page
    editor.send("/experiments/spring-test/edit", form(traffic="25"))
    assert ran.book.find("spring-test").declared.traffic == 0.25
    assert editor.send("/experiments/spring-test/discard").url.path == "/experiments"
    assert editor.get("/experiments/spring-test").status_code == 404
    last = ran.book.audit("spring-test", 0, 10)[-1]
    assert (last.action, last.by) == ("discarded", "user editor")


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"experiment_id": "a b"}, "experiment_id", "letters, digits"),
        ({"traffic": "none"}, "traffic", "a number is wanted"),
        ({"traffic": "120"}, "traffic", "at most 100"),
        ({"arms.0.share": "60"}, "arms.0.share", "100 % together"),
        ({"arms.1.kind": "release"}, "arms.1.kind", "wants a release"),
        ({"arms.1.name": "champion"}, "arms.0.share", "name of its own"),
        ({"control": "nobody"}, "control", "the name of an arm"),
        ({"analysis.looks": "0"}, "analysis.looks", "at least 1"),
        ({"analysis.looks": "2.5"}, "analysis.looks", "whole number"),
        ({"experiment_id": ID}, "experiment_id", "taken"),
    ],
)
def test_a_wrong_field_gets_one_clear_message_and_keeps_the_others(
    ran: Ran, fields: Mapping[str, str], field: str, message: str
) -> None:
    answer = ran.house.reader("editor").send("/experiments/-/new", {**form(owner="ann"), **fields})
    assert answer.status_code == 422
    assert answer.text.count('class="wrong"') == 1
    place = answer.text.index(f'id="w-{field.replace(".", "-")}"')
    assert message in answer.text[place : place + 300]
    assert 'value="ann"' in answer.text


def test_every_declaration_survives_the_form() -> None:
    from dashboard.areas.experiments_form import fields_of, given
    from serving.experiment_schemas import experiment_of

    experiment: Experiment = replace(EXPERIMENT, push_ids=("p 1", "p2"), traffic=0.1234)
    assert experiment_of(given(fields_of(experiment))) == experiment


def test_power_is_long_work_asked_from_the_form(ran: Ran) -> None:
    editor = ran.house.reader("editor")
    wrong = editor.send("/experiments/-/power", form(traffic="x"), partial=True)
    assert "a number is wanted" in wrong.text
    piece = editor.send("/experiments/-/power", form(), partial=True)
    assert 'hx-get="/experiments/-/power/w_' in piece.text
    assert "/cancel" in piece.text


def test_the_answer_about_power_is_told_in_both_languages() -> None:
    from dashboard.areas.experiments_power import answer
    from dashboard.web.language import language

    sized = {"members": 8000, "arms": {}, "lift": 0.4, "relative": 0.1, "days": 21.0}
    base = {"metric": "gain", "from": "2026-01-01", "to": "2026-01-15", "mean": 4.0, "members": 9}
    found: dict[str, Any] = {
        "measurable": True, "reasons": [], "needed": sized, "within_reach": None, "power": 0.8,
        "baseline": base, "curve": [sized],
    }  # fmt: skip
    assert "8,000 members in 21 days" in answer(found, language("en").words).sentence
    assert "8,000 位會員" in answer(found, language("zh-Hant").words).sentence


def test_without_a_release_experiments_are_not_offered_and_it_is_said_what_to_do_first(
    house: Opens,
) -> None:
    opened = house()
    editor = opened.reader("editor")
    command = f"pushwise release build --publish --workspace {opened.ground.workspace.root}"
    page = editor.get("/experiments")
    assert command in page.text
    assert "/experiments/-/new" not in page.text
    form = editor.get("/experiments/-/new")
    assert form.status_code == 200
    assert command in form.text


def test_a_workspace_without_experiments_says_what_to_do_first(
    house: Opens, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "ws")
    with Log.of(workspace) as log:
        parts = Parts(
            FakeDecider(FakeRelease()), log, Access(log, "live", required=False), Telemetry(),
            workspace.audiences,
        )  # fmt: skip
        page = house(workspace, parts).reader("editor").get("/experiments").text
        assert "pushwise experiment create" in page
        assert "/experiments/-/new" in page


def test_no_arm_is_allowed_or_refused_by_a_verdict_that_was_not_read(
    house: Opens, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "ws")
    with Log.of(workspace) as log:
        book = Book(log)
        book.create(EXPERIMENT, Change(STARTED_AT, "key"))
        book.start(ID, Change(STARTED_AT, "key"))
        book.stop(ID, Change(STARTED_AT + timedelta(days=28), "key"))
        text = house(workspace, log=log).reader("publisher").text(PATH)
        assert "Which arm goes on?" in text
        assert "There is no verdict to go by" in text
        assert "allowed by the verdict" not in text


def test_a_verdict_of_before_a_change_allows_no_arm(ran: Ran) -> None:
    ran.read()
    seen = last_seen(ran.readouts, ran.book.find(ID))
    assert {one for *_, one in decidable(ran.book.find(ID), seen)} == {True, False}
    ran.book.stop(ID, Change(STARTED_AT + timedelta(days=28), "key"))
    assert {one for *_, one in decidable(ran.book.find(ID), seen)} == {None}
