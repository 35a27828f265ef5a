"""What leaves of a finished audience: every row once, and nobody who must not be contacted."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.frontier import frontier
from features.snapshot import Snapshot
from serving import audience_export
from serving.audience_export import Export
from serving.audience_folder import AudienceFolder, line_starts, write_folder
from serving.audiences import Audience, Wanted
from serving.errors import AudienceGone, LogUnavailable
from serving.planning import Planned, plan_for_all
from serving.release import Release, load_release
from tests.serving.conftest import SPRING, Bench, FakeRelease, Scored

if TYPE_CHECKING:
    from serving.log import Log

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KINDS = ("csv", "ndjson", "parquet")


def odd(number: int) -> str:
    """An id that breaks careless files."""
    marks = ('"', "\n", "\r\n", ",", "=1+", "é\u2028", "plain")
    return f"{marks[number % len(marks)]}{number:02d}"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, candidate: Path) -> Release:
    from features.workspace import Workspace

    bench = Bench(Workspace(tmp_path_factory.mktemp("export")), candidate)
    loaded = load_release(bench.release("r1"), bench.trusted)
    ids = sorted(odd(number).encode() for number in range(50))
    values = np.array(loaded.snapshot.values)
    values[:, 3] = 1.0  # everybody consents
    snapshot = Snapshot(loaded.snapshot.as_of, loaded.snapshot.encoding, np.array(ids), values)
    return replace(loaded, snapshot=snapshot)


@pytest.fixture(scope="session")
def made(release: Release) -> Planned:
    return plan_for_all(release, SPRING, None)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, made: Planned) -> AudienceFolder:
    path = tmp_path_factory.mktemp("audiences") / "au_1"
    write_folder(path, made.problem.ask, made.plan, frontier(made.problem, None))
    return AudienceFolder.open(path)


@pytest.fixture
def export(folder: AudienceFolder, log: Log, monkeypatch: pytest.MonkeyPatch) -> Export:
    monkeypatch.setattr(audience_export, "BLOCK", 7)
    return Export(folder, log, FakeRelease())


def unsubscribe(log: Log, *members: str) -> None:
    for member in members:
        row = {
            "event_id": f"gone-{member}", "push_id": "spring", "member_id": member,
            "type": "unsubscribed", "occurred_at": NOW.isoformat(),
        }  # fmt: skip
        assert log.keep_outcomes([row], NOW).accepted == 1


def rows(export: Export, kind: str) -> list[tuple[int, str]]:
    """(rank, member) of the file, read as its readers do."""
    if kind == "parquet":
        import pyarrow.parquet as pq

        with export.parquet() as file:
            table = pq.read_table(file).to_pylist()
        return [(row["rank"], row["member_id"]) for row in table]
    text = b"".join(export.lines(kind)).decode()
    if kind == "ndjson":
        found = [json.loads(line) for line in text.split("\n") if line]
        return [(row["rank"], row["member_id"]) for row in found]
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    return [(int(row["rank"]), row["member_id"].removeprefix("'")) for row in found]


def planned_rows(made: Planned) -> list[tuple[int, str]]:
    ids = made.problem.ask.members.ids
    return [(rank, ids[row]) for rank, row in enumerate(made.plan.ranking.tolist(), start=1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_holds_everybody_once_in_order(export: Export, made: Planned, kind: str) -> None:
    assert len(planned_rows(made)) > 20
    assert rows(export, kind) == planned_rows(made)


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_left_after_the_plan_is_in_no_file(
    export: Export, made: Planned, kind: str
) -> None:
    wanted = planned_rows(made)
    gone = {wanted[0][1], wanted[6][1], wanted[7][1], wanted[-1][1]}
    unsubscribe(export.log, *gone)
    assert rows(export, kind) == [row for row in wanted if row[1] not in gone]


def test_in_csv_no_id_is_a_formula(export: Export) -> None:
    text = b"".join(export.lines("csv")).decode()
    ids = [row["member_id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert any(one.startswith("'=") for one in ids)
    assert not any(one.startswith(("=", "+", "-", "@")) for one in ids)


@pytest.mark.parametrize("kind", KINDS)
def test_whose_consent_a_newer_release_knows_to_be_gone_is_left_out(
    export: Export, made: Planned, kind: str
) -> None:
    wanted = planned_rows(made)
    newer = FakeRelease(no_consent=frozenset({wanted[3][1]}), no_consent_by="push")
    left = rows(replace(export, release=newer), kind)
    assert left == [row for row in wanted if row != wanted[3]]
    other = FakeRelease(no_consent=frozenset({wanted[3][1]}), no_consent_by="sms")
    assert rows(replace(export, release=other), kind) == wanted


def test_pages_follow_one_another_and_tell_whom_they_leave_out(
    export: Export, made: Planned
) -> None:
    wanted = planned_rows(made)
    unsubscribe(export.log, wanted[1][1])
    found, left_out = [], 0
    after: int | None = 0
    while after is not None:
        page = export.page(after, 4)
        found += [(row["rank"], row["member_id"]) for row in page.rows]
        left_out += page.left_out
        after = page.next
    assert found == [wanted[0], *wanted[2:]]
    assert left_out == 1
    assert export.page(10**12, 1000) == export.page(len(wanted), 5)
    assert export.page(10**12, 1000).rows == []


def test_a_file_stops_where_the_list_cannot_be_read(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = export.lines("ndjson")
    begun = [next(pieces), next(pieces)]
    assert len(begun[1].splitlines()) == 7

    def unreadable(_: object) -> frozenset[str]:
        raise LogUnavailable

    monkeypatch.setattr(export.log, "suppressed", unreadable)
    with pytest.raises(LogUnavailable):
        next(pieces)
    with pytest.raises(LogUnavailable):
        export.parquet()
    with pytest.raises(LogUnavailable):
        export.page(0, 10)


def test_an_empty_audience_is_a_file_without_rows(
    tmp_path: Path, release: Release, log: Log
) -> None:
    nobody = plan_for_all(release, replace(SPRING, max_audience=0, exploration=0.0), None)
    traced = frontier(nobody.problem, None)
    write_folder(tmp_path / "au_2", nobody.problem.ask, nobody.plan, traced)
    export = Export(AudienceFolder.open(tmp_path / "au_2"), log, FakeRelease())
    assert [rows(export, kind) for kind in KINDS] == [[], [], []]
    assert export.page(0, 10) == audience_export.Page([], 0, None)


def test_a_member_with_two_messages_is_left_out_with_both(
    tmp_path: Path, release: Release, log: Log
) -> None:
    limits = replace(SPRING.limits, per_member=2)
    both = plan_for_all(release, replace(SPRING, limits=limits, exploration=0.0), None)
    write_folder(tmp_path / "au_3", both.problem.ask, both.plan, frontier(both.problem, None))
    export = Export(AudienceFolder.open(tmp_path / "au_3"), log, FakeRelease())
    before = rows(export, "csv")
    twice = [member for rank, member in before if before.count((rank, member)) == 2]
    assert twice
    unsubscribe(log, twice[0])
    for kind in KINDS:
        assert rows(export, kind) == [row for row in before if row[1] != twice[0]]


def test_files_that_are_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(AudienceGone, match="no longer in the workspace"):
        AudienceFolder.open(tmp_path / "nothing")


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2), max_size=8)
)
def test_rows_of_csv_are_found_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "members.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b"], *table])
    content, starts = path.read_bytes(), line_starts(path, "csv")
    assert len(starts) == len(table) + 1
    for at, row in enumerate(table):
        text = content[starts[at] : starts[at + 1]].decode()
        assert list(csv.reader(io.StringIO(text, newline=""))) == [row]


@pytest.fixture
def finished(caller: Scored, folder: AudienceFolder) -> tuple[Scored, Audience]:
    """An application whose log knows the audience in ``folder`` as done."""
    jobs = caller.parts.audiences
    job = jobs.ask(Wanted("spring"), "r1", NOW)
    jobs.claim(None, "w1", NOW)
    target = caller.parts.audience_files / job.audience_id
    shutil.copytree(folder.path, target)
    assert jobs.finish("w1", {"audience": len(folder)}, lambda: None, NOW)
    return caller, jobs.find(job.audience_id)


def get(scored: Scored, job: Audience, path: str) -> Any:
    return scored.client.get(f"/v1/audiences/{job.audience_id}{path}")


def test_each_format_comes_with_its_type_and_name(
    finished: tuple[Scored, Audience], made: Planned
) -> None:
    types = []
    for kind in KINDS:
        answer = get(*finished, f"/file?format={kind}")
        assert answer.status_code == 200
        types.append(answer.headers["content-type"])
        assert f'.{kind}"' in answer.headers["content-disposition"]
    assert types == [
        "text/csv; charset=utf-8", "application/x-ndjson", "application/vnd.apache.parquet",
    ]  # fmt: skip
    assert get(*finished, "/file").text.count("spring") == len(planned_rows(made))


def test_nothing_leaves_when_the_list_cannot_be_read(finished: tuple[Scored, Audience]) -> None:
    scored, _ = finished
    with closing(sqlite3.connect(str(scored.log._reading.url.database))) as connection:
        connection.execute("DROP TABLE suppressions")
    for path in ("/members", *(f"/file?format={kind}" for kind in KINDS)):
        answer = get(*finished, path)
        assert answer.status_code == 503, path
        assert answer.json()["type"] == "urn:pushwise:problem:log_unavailable"


@pytest.mark.parametrize(
    "query",
    ["/members?after=-1", "/members?limit=0", "/members?limit=1001", "/members?after=x",
     "/members?after=99999999999999999999", "/file?format=xlsx", "/file?format="],
)  # fmt: skip
def test_a_page_or_format_that_is_not_there_is_refused(
    finished: tuple[Scored, Audience], query: str
) -> None:
    assert get(*finished, query).status_code == 422


def test_without_pyarrow_parquet_is_a_problem_of_its_own(
    finished: tuple[Scored, Audience], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = get(*finished, "/file?format=parquet")
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:pushwise:problem:no_parquet")
    assert get(*finished, "/file?format=csv").status_code == 200


def test_unknown_audiences_and_those_not_done_are_told_apart(caller: Scored) -> None:
    job = caller.client.post("/v1/audiences", json={"push_id": "spring", "budget": 5}).json()
    assert (job["state"], job["progress"]["stage"]) == ("queued", "waiting")
    for path in ("/members", "/file"):
        answer = caller.client.get(f"/v1/audiences/{job['audience_id']}{path}")
        assert (answer.status_code, answer.json()["title"]) == (409, "audience not done")
        assert caller.client.get(f"/v1/audiences/au_h0stile{path}").status_code == 404
    unknown = caller.client.get("/v1/audiences/au_h0stile")
    assert unknown.json()["type"] == "urn:pushwise:problem:unknown_audience"
    assert "h0stile" not in unknown.text
    assert caller.client.post("/v1/audiences/au_h0stile:cancel").status_code == 404
    cancelled = caller.client.post(f"/v1/audiences/{job['audience_id']}:cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")


def test_audiences_want_the_scope_to_export_them(scored: Scored) -> None:
    key = scored.headers("decide", "events:write", "outcomes:write")
    for method, path in (
        ("POST", "/v1/audiences"), ("GET", "/v1/audiences/a"), ("POST", "/v1/audiences/a:cancel"),
        ("GET", "/v1/audiences/a/members"), ("GET", "/v1/audiences/a/file"),
    ):  # fmt: skip
        assert scored.client.request(method, path, headers=key).status_code == 403
        assert scored.client.request(method, path).status_code == 401


def test_a_scorer_with_audiences_imports_nothing_heavy() -> None:
    heavy = ("pandas", "pyarrow", "duckdb", "feast", "mlflow", "training", "scipy")
    code = (
        "import sys, serving.app, serving.server, serving.audience_job\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
