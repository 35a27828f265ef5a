"""``python -m benchmarks.dashboard [--quick] [--demo WORKSPACE [--rule]]``: the time of each page.

How long the server takes for it. A million members, fifty million events and three million
decisions in the log; what of it is real, ``benchmarks.dashboard_shop`` tells. Every page that links
lead to is asked for thirty times, and so are a rule that is judged (with ``--rule`` nothing else),
the sliders of a plan, and comparisons, through the whole
application, by one caller. Beside the clock stands the time of the process' processors, which
other work on the machine does not raise.

Reference: one pass over the events, as a page would need that counted for itself.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from starlette.applications import Starlette
from starlette.routing import Match, Route
from starlette.testclient import TestClient

from benchmarks.dashboard_log import decide, fill
from benchmarks.dashboard_shop import (
    EXPERIMENT,
    Size,
    demo_copy,
    enlarge,
    experiment,
    kept_readout,
    learned,
    write_events,
)
from benchmarks.figure import Figure
from console.insights_list import INSIGHTS
from console.monitor_settings import MonitorSettings
from console.monitoring import run_monitors
from dashboard.areas.experiments_reading import MOMENTS
from dashboard.web.app import create_dashboard
from dashboard.web.ground import Ground
from dashboard.web.routing import COOKIE
from dashboard.web.server import application
from dashboard.web.sessions import Session
from dashboard.web.users import Users
from features.insights.insight import refresh
from features.insights.prepared import prepared
from features.progress import silent
from features.workspace import Workspace
from serving.experiments import Book
from serving.log import Log
from serving.parts import Parts
from serving.pointer import current
from serving.readout_process import ReadoutProcess, results_command
from serving.settings import Settings

MOST_MS = 400.0
TIMES, WARM = 30, 3
_LINK = re.compile(r'href="(/[^"#]*)')
_PARTIAL = {"hx-request": "true"}
RULE = 'lifecycle == "lapsed" or orders_365d >= 2'
FULL = Size(3_000, 1_000_000, 50_000_000, 3, 1_000_000)
QUICK = Size(3_000, 50_000, 1_000_000, 2, 50_000)


@dataclass(frozen=True, slots=True)
class Page:
    """How it is asked for. form: sent by POST; None for GET."""

    name: str
    path: str
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


JUDGED = Page("/rules, judged", "/rules", {"rule": RULE, "pool": "all", "objective": "margin"})


@dataclass(frozen=True, slots=True)
class Took:
    """95th percentiles in milliseconds: on the clock, and of the process' processors. size: bytes
    of the answer."""

    clock: float
    busy: float
    size: int


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody logged in."""

    app: Starlette
    client: TestClient
    session: Session

    def ask(self, page: Page) -> Any:
        if page.form is None:
            answer = self.client.get(page.path, headers=page.headers)
        else:
            data = {"csrf": self.session.csrf, **page.form}
            answer = self.client.post(page.path, data=data, headers=page.headers)
        assert answer.status_code == 200, f"{page.name}: {answer.status_code}"
        return answer

    def took(self, page: Page) -> Took:
        for _ in range(WARM):
            answer = self.ask(page)
        clock, busy = [], []
        for _ in range(TIMES):
            began = time.perf_counter(), time.process_time()
            self.ask(page)
            clock.append(1000 * (time.perf_counter() - began[0]))
            busy.append(1000 * (time.process_time() - began[1]))
        return Took(_p95(clock), _p95(busy), len(answer.content))


def _p95(values: list[float]) -> float:
    return sorted(values)[round(0.95 * (len(values) - 1))]


def documents(workspace: Workspace, as_of: datetime) -> None:
    for made in refresh(workspace, INSIGHTS, as_of, silent):
        if made.error is not None:
            raise made.error


def read_out(workspace: Workspace, into: Path) -> list[str]:
    """Read the experiment out by its command; a command that gives the same as of then."""
    with Log.of(workspace) as log:
        entry = Book(log).find(EXPERIMENT.experiment_id)
        process = ReadoutProcess(log, results_command(str(workspace.root)), {})
        kept_readout(into, process.results(entry, None, MOMENTS).result())
        process.stop()
    return [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(into)]


def logged_in(ground: Ground, parts: Parts) -> Visitor:
    now = datetime.now(UTC)
    user = Users(ground.log).add("bench", "publisher", "a password of a benchmark", now)
    app = create_dashboard(replace(ground, find_parts=lambda: parts, open_to_all=False))
    session = ground.sessions.begin(user, now)
    client = TestClient(
        app, "http://127.0.0.1", cookies={COOKIE: session.token}, follow_redirects=False
    )
    return Visitor(app, client, session)


def plan(visitor: Visitor, push_id: str) -> str:
    """Have the whole audience planned as by the form; its page's path."""
    form = {"csrf": visitor.session.csrf, "whole": "yes"}
    return str(visitor.client.post(f"/pushes/{push_id}/plan", data=form).headers["location"])


def planned(parts: Parts, path: str) -> None:
    """Wait until the plan of that page is done."""
    audience_id = path.rpartition("/")[2]
    while (found := parts.audiences.find(audience_id)).state in ("queued", "running"):
        time.sleep(0.5)
    assert found.state == "done", found


def all_pages(visitor: Visitor, push_id: str, plan_path: str) -> list[Page]:
    """One address of every page that links lead to, and what forms ask for."""
    member = f"/members/{visitor.session.handle('m0000007')}"
    starts = ["/", member, plan_path, f"{plan_path}/members", "/models/versions/response/1"]
    found = [Page(route, path) for route, path in _linked(visitor, starts).items()]
    ground: Ground = visitor.app.state.ground
    releases = "&".join(
        f"release={one.name}"
        for one in sorted(ground.workspace.releases.iterdir()) if one.is_dir()
    )  # fmt: skip
    sliders = f"/pushes/{push_id}/plan?budget=100&size=500"
    return [
        *found,
        Page("the sliders of a plan", sliders, headers=_PARTIAL),
        JUDGED,
        Page("/models/compare", f"/models/compare?{_two_versions(ground.workspace)}"),
        Page("/models/releases, compared", f"/models/releases?{releases}"),
    ]


def _two_versions(workspace: Workspace) -> str:
    """Of one model, as the form that compares them asks for them."""
    document = prepared(workspace, "models")
    assert document is not None
    names = [one["name"] for one in document.document["versions"]]
    name = next(name for name in names if names.count(name) > 1)
    own = [one for one in document.document["versions"] if one["name"] == name]
    return "&".join(f"version={name}:{one['version']}" for one in own[:2])


def _linked(visitor: Visitor, starts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    ahead = deque(starts)
    while ahead:
        path = ahead.popleft()
        route = _route(visitor.app, path)
        if route is None or route in found:
            continue
        answer = visitor.client.get(path)
        if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
            found[route] = path
            ahead.extend(html.unescape(link) for link in _LINK.findall(answer.text))
    return found


def _route(app: Starlette, path: str) -> str | None:
    scope = {"type": "http", "method": "GET", "path": path.partition("?")[0], "root_path": ""}
    for route in app.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
            return route.path
    return None


def figures(visitor: Visitor, pages: Sequence[Page], scan: float) -> Iterator[Figure]:
    for page in pages:
        took = visitor.took(page)
        for name, ours in ((page.name, took.clock), (f"{page.name}, processor", took.busy)):
            yield Figure(
                f"dashboard {name}", round(ours, 1), round(scan, 1), "ms",
                round(ours / MOST_MS, 3), f"p95 at most {MOST_MS:g} ms (ratio: ours over that)",
                ours <= MOST_MS,
            )  # fmt: skip


def _scan(events: Path) -> float:
    """Milliseconds of one pass over the events."""
    began = time.perf_counter()
    duckdb.execute(
        f"""SELECT date_trunc('month', occurred_at), type, count(*), count(DISTINCT member_id)
        FROM '{events}' GROUP BY ALL"""
    ).fetchall()
    return 1000 * (time.perf_counter() - began)


class _Stages:
    """Tells on stderr how long each stage took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, said: str) -> None:
        load = os.getloadavg()[0]
        print(f"{time.monotonic() - self._began:6.0f} s, load {load:4.1f}: {said}", file=sys.stderr)


def run(root: Path, size: Size, demo: Path | None) -> Iterator[Figure]:
    said = _Stages()
    workspace, as_of = learned(root, size, demo)
    said("small market learned")
    release_id = current(workspace.releases) or ""
    experiment(workspace, as_of, [f"m{number:07d}" for number in range(size.learned)])
    documents(workspace, as_of)
    said("documents prepared")
    readout = root / "readout.json"
    command = read_out(workspace, readout)
    said("experiment read out")
    enlarge(workspace, release_id, size)
    said("release enlarged")
    with application(Settings(workspace, insecure_dev=True)) as app:
        ground: Ground = app.state.ground
        parts = ground.parts
        assert parts is not None
        push_id = next(iter(parts.decider.release.pushes))
        decide(parts, push_id)
        run_monitors(workspace, MonitorSettings(), silent, tell=False)
        said("decided and monitored")
        readouts = ReadoutProcess(ground.log, command, {})
        visitor = logged_in(ground, replace(parts, readouts=readouts))
        with visitor.client:
            path = plan(visitor, push_id)
            events = write_events(workspace, size)
            said("events written")
            planned(parts, path)
            said("audience planned")
            said(f"in the log: {fill(workspace.serving_log, size, said)}")
            scan = _scan(events)
            kept_readout(readout, json.loads(readout.read_text(encoding="utf-8")))
            entry = Book(ground.log).find(EXPERIMENT.experiment_id)
            readouts.results(entry, None, MOMENTS).result()
            pages = all_pages(visitor, push_id, path)
            yield from figures(visitor, pages, scan)
            said("measured")
        readouts.stop()


def judged_alone(root: Path, size: Size, demo: Path) -> Iterator[Figure]:
    """The page that grows with past decisions, without what others need; in no need of a log."""
    workspace = demo_copy(root, demo)
    enlarge(workspace, current(workspace.releases) or "", size)
    scan = _scan(write_events(workspace, size))
    with application(Settings(workspace, insecure_dev=True)) as app:
        ground: Ground = app.state.ground
        parts = ground.parts
        assert parts is not None
        visitor = logged_in(ground, parts)
        with visitor.client:
            yield from figures(visitor, [JUDGED], scan)


def main() -> None:
    parser = argparse.ArgumentParser(description="The server time of every page.")
    parser.add_argument("--quick", action="store_true", help="fewer members and events")
    parser.add_argument("--demo", type=Path, help="a workspace of `pushwise demo`; saves learning")
    parser.add_argument("--rule", action="store_true", help="of --demo the judged rule alone")
    given = parser.parse_args()
    if given.rule and given.demo is None:
        parser.error("--rule wants a workspace: --demo .pushwise-demo/workspace")
    size = QUICK if given.quick else FULL
    measure = judged_alone if given.rule else run
    with tempfile.TemporaryDirectory() as scratch:
        for figure in measure(Path(scratch), size, given.demo):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
