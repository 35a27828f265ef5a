"""``python -m benchmarks.dashboard [--quick]``: how long the server takes for each page.

A million members, fifty million events, a million decisions in the log. Real are the release (its
snapshot has a row for every member), the log's SQLite file with its indexes, the Parquet files of
the events and the prepared documents. Made up are the contents: a small synthetic market again and
again, the documents as of that market, which say as much of many members as of few. Every page that
links lead to is asked for thirty times, through the whole application, by one caller.

Reference: one pass over the events, as a page would need that counted for itself.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import duckdb
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Match, Route
from starlette.testclient import TestClient

from benchmarks.figure import Figure
from benchmarks.serving_release import PUSHES, Shop, build
from benchmarks.serving_release import Size as ReleaseSize
from console.insights_list import INSIGHTS
from dashboard.web.ground import Ground
from dashboard.web.routing import COOKIE
from dashboard.web.server import application
from dashboard.web.users import Users
from features.insights.insight import refresh
from features.progress import silent
from features.workspace import Workspace, open_workspace
from models.keys import trusted_keys
from serving.app import create_app
from serving.log import Log
from serving.pointer import publish
from serving.settings import Settings
from training.market.config import MarketConfig

MOST_MS = 400.0
TIMES = 30
_LINK = re.compile(r'href="(/[^"#]*)')
_ASKED = 1_000  # decisions that are really made; the others are copies for other members


@dataclass(frozen=True, slots=True)
class Size:
    """learned: members of the market that models and documents are made of."""

    learned: int
    members: int
    events: int


FULL, QUICK = Size(3_000, 1_000_000, 50_000_000), Size(1_500, 50_000, 2_000_000)


def workspace_of(root: Path, size: Size) -> tuple[Workspace, Shop]:
    """A workspace of that size with a published release, prepared documents and no decisions."""
    shop = build(root, ReleaseSize(size.learned, size.members))
    workspace = open_workspace(shop.market)
    shutil.move(shop.folder, workspace.releases / "bench-1")
    publish(workspace.releases, "bench-1", trusted_keys(shop.trust))
    as_of = MarketConfig(size.learned).history_end
    for made in refresh(workspace, INSIGHTS, as_of, silent):
        if made.error is not None:
            print(f"# no document {made.name}: {made.error}")
    return workspace, shop


def write_events(workspace: Workspace, size: Size) -> Path:
    """So many events over two years, evenly over the members."""
    path = workspace.tables / "events" / "bulk.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(
        f"""COPY (SELECT
            'b' || range AS event_id,
            'm' || lpad((hash(range) % {size.members})::VARCHAR, 7, '0') AS member_id,
            ['view', 'search', 'add_to_cart', 'purchase'][1 + (hash(range, 1) % 4)::BIGINT] AS type,
            TIMESTAMPTZ '2024-06-01 00:00:00+00' + to_seconds((hash(range, 2) % 63072000)::BIGINT)
                AS occurred_at,
            (hash(range, 3) % 10000)::DECIMAL(18, 4) / 100 AS unit_price
        FROM range({size.events})) TO '{path}'"""
    )
    return path


def write_decisions(app: Starlette, size: Size) -> int:
    """Decide for some members as the scorer does, and give every other a copy of one of them."""
    ground: Ground = app.state.ground
    parts = ground.parts
    assert parts is not None
    ids = [f"m{number:07d}" for number in range(_ASKED)]
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        asked = {"push_id": PUSHES[0], "members": [{"member_id": one} for one in ids]}
        answer = client.post("/v1/decisions", json=asked)
        assert answer.status_code == 200, answer.text
    with Log.of(ground.workspace) as log:
        return log.write(
            lambda connection: connection.execute(text(_COPIES), {"last": size.members // _ASKED})
        ).rowcount


_COPIED = (
    "push_id", "channel", "offer_id", "probability", "decided_at", "candidates", "arm", "policy",
    "release", "context", "answer", "terms", "inputs", "experiment",
)  # fmt: skip
_COPIES = f"""WITH RECURSIVE copies(n) AS
    (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n + 1 < :last)
INSERT INTO decisions (decision_id, member_id, {", ".join(_COPIED)})
SELECT decision_id || '-' || n,
    printf('m%07d', CAST(substr(member_id, 2) AS INTEGER) + {_ASKED} * n), {", ".join(_COPIED)}
FROM (SELECT * FROM decisions WHERE push_id = '{PUSHES[0]}'), copies"""


def pages(app: Starlette, client: TestClient, starts: Sequence[str]) -> dict[str, str]:
    """One address of every page that links lead to, by its route."""
    found: dict[str, str] = {}
    ahead = deque(starts)
    while ahead:
        path = ahead.popleft()
        route = _route(app, path)
        if route is None or route in found:
            continue
        answer = client.get(path)
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


def measured(app: Starlette, events: Path) -> Iterator[Figure]:
    ground: Ground = app.state.ground
    now = datetime.now(UTC)
    user = Users(ground.log).add("bench", "publisher", "a password of a benchmark", now)
    session = ground.sessions.begin(user, now)
    client = TestClient(app, "http://127.0.0.1", cookies={COOKIE: session.token})
    starts = ["/", f"/members/{session.handle('m0000007')}"]
    for route, path in pages(app, client, starts).items():
        took = sorted(_seconds(client, path) for _ in range(TIMES))
        p95 = 1000 * took[round(0.95 * (TIMES - 1))]
        scan = 1000 * _scan(events)
        yield Figure(
            f"dashboard {route}", round(p95, 1), round(scan, 1), "ms", round(MOST_MS / p95, 2),
            f"p95 at most {MOST_MS:g} ms (ratio: that over ours)", p95 <= MOST_MS,
        )  # fmt: skip


def _seconds(client: TestClient, path: str) -> float:
    began = perf_counter()
    answer = client.get(path)
    took = perf_counter() - began
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return took


def _scan(events: Path) -> float:
    began = perf_counter()
    duckdb.execute(
        f"""SELECT date_trunc('month', occurred_at), type, count(*), count(DISTINCT member_id)
        FROM '{events}' GROUP BY ALL"""
    ).fetchall()
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="The server time of every page.")
    parser.add_argument("--quick", action="store_true", help="fewer members and events")
    size = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory() as scratch:
        workspace, shop = workspace_of(Path(scratch) / "shop", size)
        events = write_events(workspace, size)
        with application(Settings(workspace, trust=shop.trust, insecure_dev=True)) as app:
            write_decisions(app, size)
        with application(Settings(workspace, trust=shop.trust)) as app:
            for figure in measured(app, events):
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
