"""Long work that a page starts: real commands, their progress, and their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.web.errors import TooMuchWork, UnknownWork
from dashboard.web.work import Job, Work, progress_of
from tests.dashboard.web.conftest import Opens

PATIENCE = 90.0


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    made = Work(str(tmp_path / "ws"), {})
    yield made
    made.stop()


def ended(work: Work, job: Job) -> Job:
    until = time.monotonic() + PATIENCE
    while work.find(job.job_id).state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    return work.find(job.job_id)


@pytest.mark.slow
def test_a_command_that_ends_well_leaves_its_answer_and_a_failed_one_its_reason(work: Work) -> None:
    good = work.start("keys", ("keys", "list", "--json"), "editor")
    bad = work.start("report", ("features", "report"), "editor")
    found = ended(work, good)
    assert found.state == "done"
    assert found.answer == []
    found = ended(work, bad)
    assert found.state == "failed"
    assert "no events" in found.said


@pytest.mark.slow
def test_work_is_not_started_twice_and_only_so_much_of_it_at_once(work: Work) -> None:
    one = work.start("one", ("features", "follow"), "editor")
    assert work.start("one", ("features", "follow"), "another") == one
    work.start("two", ("features", "follow"), "editor")
    with pytest.raises(TooMuchWork, match="one and two are under way"):
        work.start("three", ("features", "follow"), "editor")
    assert work.cancel(one.job_id).state == "cancelled"
    assert ended(work, one).state == "cancelled"
    work.stop()
    newest = work.newest("two")
    assert newest is not None
    assert ended(work, newest).state == "cancelled"


def test_what_a_command_says_of_its_progress_is_told_from_all_else() -> None:
    assert progress_of('{"stage": "reading", "done": 3, "total": 9}') == ("reading", 3, 9)
    assert progress_of('{"stage": "reading", "done": 3, "total": null}') == ("reading", 3, 0)
    for other in ("error: no", '{"event": "x"}', '{"stage"', '{"stage": 1, "done": "x"}', ""):
        assert progress_of(other) is None


def test_unknown_work_is_not_found(house: Opens, work: Work) -> None:
    with pytest.raises(UnknownWork):
        work.find("w_1")
    assert house().reader("viewer").get("/jobs/w_1").status_code == 404


@pytest.mark.slow
def test_a_page_shows_work_and_an_editor_ends_it(house: Opens) -> None:
    opened = house()
    job = opened.ground.work.start("refresh", ("features", "follow"), "editor", "/segments")
    editor, viewer = opened.reader("editor"), opened.reader("viewer")
    assert "/cancel" in editor.get(f"/jobs/{job.job_id}").text
    assert "/cancel" not in viewer.get(f"/jobs/{job.job_id}").text
    assert 'hx-trigger="every 1s"' in editor.get(f"/jobs/{job.job_id}", partial=True).text
    page = editor.send(f"/jobs/{job.job_id}/cancel")
    assert "cancelled" in page.text
    assert 'href="/segments"' in page.text


@pytest.mark.slow
def test_work_of_another_kind_is_not_shown_as_a_calculation(house: Opens) -> None:
    opened = house()
    job = opened.ground.work.start("refresh", ("features", "follow"), "editor")
    editor = opened.reader("editor")
    assert editor.get(f"/experiments/-/power/{job.job_id}").status_code == 404
    assert editor.send(f"/experiments/-/power/{job.job_id}/cancel").status_code == 404
    assert opened.ground.work.find(job.job_id).state == "running"
