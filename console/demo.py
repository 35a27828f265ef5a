"""``pushwise demo``: the whole path on a market whose truth is known."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.progress import bars
from console.settings import AsJson
from features.errors import FeatureError

if TYPE_CHECKING:
    from decisions.decide import Ask
    from decisions.plan import Plan
    from features.progress import Progress
    from features.workspace import Workspace
    from serving.release import Release
    from training.market.config import Market

WORKSPACE = Path(".pushwise-demo")
_MARKER = "demo.json"
_LABELS = {
    "rule": "hand-written rule (browsed it in 30 days)",
    "random": "random",
    "propensity": "propensity ranking",
    "pushwise": "Pushwise",
    "oracle": "oracle (knows every effect)",
}


class DemoError(FeatureError):
    """A folder that the demo must not write into."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the demo found; gains in money."""

    seed: int
    members: int
    budget: float
    seconds: float
    gain: Mapping[str, float]

    def to_json(self) -> str:
        return json.dumps(
            {
                "seed": self.seed,
                "members": self.members,
                "budget": self.budget,
                "seconds": round(self.seconds, 1),
                "gain": {name: round(value, 2) for name, value in self.gain.items()},
            }
        )


def demo(
    members: Annotated[
        int, typer.Option(min=1_000, max=1_000_000, help="Size of the market.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another market.")] = 0,
    serve: Annotated[bool, typer.Option("--serve", help="Stay up and answer calls.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8787,
    workspace: Annotated[
        Path, typer.Option("--workspace", help="A folder of the demo's own; made anew each time.")
    ] = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Market, ingest, features, training, release, scorer and plan, in one go and one table."""
    from features.workspace import open_workspace
    from serving.telemetry import log_to_stderr

    started = time.monotonic()
    log_to_stderr(quiet=not serve)
    folder = _fresh(workspace, members, seed)
    opened = open_workspace(folder / "workspace")
    with bars() as progress:
        market = _market(folder / "market", members, seed, progress)
        _ingest(opened, market, progress)
        _train(opened, market, seed, progress)
        release = _release(opened, market, progress)
    with _scorer(opened, port) as (address, key):
        _say("scorer", f"listens on {address}")
        ask, planned = _plan(release, market)
        answer = _one_decision(address, key, ask, planned)
        gain = _gains(market, opened.releases / release.versions.release, ask, planned, seed)
        budget = float(ask.push.budget or 0.0)
        result = Result(seed, members, budget, time.monotonic() - started, gain)
        curl = _curl(address, key, market.push_id, answer["member_id"])
        if as_json:
            typer.echo(result.to_json())
        else:
            _show(result, ask)
        if serve:
            _stay_up(curl)
        else:
            _say("scorer", f"stops; `pushwise serve --workspace {opened.root}` starts it again")


def _say(stage: str, text: str) -> None:
    typer.echo(f"{stage:>9}: {text}", err=True)


def _fresh(folder: Path, members: int, seed: int) -> Path:
    """An empty folder for the demo; only what an earlier demo left may be in its way."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise DemoError(f"{folder} holds something that no demo made; give another --workspace")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARKER).write_text(json.dumps({"members": members, "seed": seed}))
    return folder


def _market(folder: Path, members: int, seed: int, progress: Progress) -> Market:
    from training.market.config import MarketConfig
    from training.market.make import make_market

    _say("market", f"a travel shop with {members:,} members, seed {seed}")
    market = make_market(folder, MarketConfig(members=members, seed=seed), progress)
    _say("market", ", ".join(f"{count:,} {name}" for name, count in market.rows.items()))
    return market


def _ingest(workspace: Workspace, market: Market, progress: Progress) -> None:
    from features.ingest.load import ingest

    taken = 0
    for table, files in market.tables.items():
        report = ingest(workspace, table, list(files), progress=progress)
        taken += report.accepted
    _say("ingest", f"{taken:,} rows accepted")


def _train(workspace: Workspace, market: Market, seed: int, progress: Progress) -> None:
    from console.train import standing_of
    from training.propensity import train_propensity
    from training.recommender import train_recommender
    from training.response import train_response
    from training.tracking import promote

    as_of = market.config.history_end
    trainers: list[Callable[[], Any]] = [
        lambda: train_propensity(workspace, as_of, seed=seed, progress=progress),
        lambda: train_recommender(workspace, as_of, seed=seed, progress=progress),
        lambda: train_response(workspace, as_of, seed, progress),
    ]
    for train in trainers:
        trained = train()
        first = trained.comparisons[0]
        others = ", ".join(f"{name} {value:.3g}" for name, value in first.baselines.items())
        _say(
            "train",
            f"{trained.name}: {first.metric} {first.ours:.3g} (baselines: {others}); "
            f"{standing_of(trained)}",
        )
        if trained.name == "propensity" and not trained.promoted:
            # One of the policies that are compared ranks by it, and it carries the prior.
            promote(workspace, trained.name, trained.version, "by hand: the demo compares with it")


def _release(workspace: Workspace, market: Market, progress: Progress) -> Release:
    from console.plan import published_release
    from console.release import build_release, publish_release

    built = build_release(workspace, market.config.history_end, [], progress)
    publish_release(workspace, built.release_id)
    _say(
        "release",
        f"{built.release_id}, signed, rehearsed and published; effects are {built.evidence}",
    )
    return published_release(workspace)


@contextmanager
def _scorer(workspace: Workspace, port: int) -> Iterator[tuple[str, str]]:
    """The scorer in a thread, with a key of its own; another port where ``port`` is taken."""
    from serving.auth import Keys, NewKey
    from serving.log import Log
    from serving.server import background
    from serving.settings import Settings

    with Log.of(workspace) as log:
        key = Keys(log).create(NewKey("demo", ("decide",), "demo"), datetime.now(UTC))
    settings = Settings(workspace, port=port if _free(port) else 0, environment="demo")
    with background(settings) as address:
        yield address, key


def _free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _one_decision(address: str, key: str, ask: Ask, planned: Plan) -> dict[str, Any]:
    """Ask the scorer about the plan's first member, over HTTP like any campaign engine."""
    from urllib.request import Request, urlopen

    member = ask.members.ids[planned.ranking[0] if len(planned.ranking) else 0]
    body = json.dumps({"push_id": ask.push.push_id, "members": [{"member_id": member}]})
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Pushwise-Deadline-Ms": "10000",  # to show an answer, also on a machine that is busy
    }
    request = Request(f"{address}/v1/decisions", body.encode(), headers)  # noqa: S310 - our own http
    with urlopen(request, timeout=10) as response:  # noqa: S310 - as above
        answer: dict[str, Any] = json.load(response)["decisions"][0]
    said = answer["offer_id"] or f"no send ({answer['reason']})"
    _say("scorer", f"one decision for {member}: {said}")
    return answer


def _plan(release: Release, market: Market) -> tuple[Ask, Plan]:
    from decisions.plan import plan
    from serving.planning import ask_of

    push = release.pushes[market.push_id]
    ask = ask_of(release, push, (), frozenset())
    planned = plan(ask, release.estimator)
    _say("plan", f"{len(planned.ranking):,} members, expected gain {planned.gain:,.0f}")
    return ask, planned


def _gains(
    market: Market, release_folder: Path, ask: Ask, planned: Plan, seed: int
) -> dict[str, float]:
    """What each policy truly earns with the push's budget and size.

    Rule, random and propensity send the campaign's default offer, the first of its list.
    """
    from models.propensity import Propensity
    from training.evaluation import market as evaluation

    truth = evaluation.truth_of(market.folder, market.push_id)
    propensity = Propensity.load(release_folder / "propensity")
    likely = propensity.predict(ask.members.values, ask.members.encoding.names)
    rows, offers = planned.ranking, planned.decisions.offer
    budget = float("inf") if ask.push.budget is None else ask.push.budget
    audience = float("inf") if ask.push.max_audience is None else ask.push.max_audience
    rankings = {
        "rule": evaluation.rule(truth, 0, seed),
        "random": evaluation.at_random(truth, 0, seed),
        "propensity": evaluation.by_score(
            truth, dict(zip(ask.members.ids, likely.tolist(), strict=True)), 0
        ),
        "pushwise": evaluation.planned(
            truth,
            [ask.members.ids[row] for row in rows],
            [ask.push.offer_ids[offers[row]] for row in rows],
        ),
        "oracle": evaluation.oracle(truth, budget, audience),
    }
    return {
        name: evaluation.earned(truth, ranking, budget, audience).gain
        for name, ranking in rankings.items()
    }


def _show(result: Result, ask: Ask) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"push {ask.push.push_id}: budget {result.budget:,.0f}, "
        f"at most {ask.push.max_audience or 'any number of'} members"
    )
    table.add_column("who gets it")
    table.add_column("incremental gain", justify="right")
    for name, value in result.gain.items():
        style = "bold" if name == "pushwise" else None
        table.add_row(_LABELS[name], f"{value:,.0f}", style=style)
    Console().print(table)
    typer.echo(
        f"seed {result.seed}, {result.members:,} members, {result.seconds:.0f} seconds. "
        "The gain is the margin that would not have come without the push, less what it costs, "
        "by the market's own truth; rule, random and propensity send the campaign's default offer."
    )


def _curl(address: str, key: str, push_id: str, member_id: str) -> str:
    url = f"{address}/v1/decide?push_id={push_id}&member_id={member_id}"
    header = f"Authorization: Bearer {key}"
    return f"curl -s -H {shlex.quote(header)} {shlex.quote(url)}"


def _stay_up(curl: str) -> None:
    import threading

    _say("scorer", "stays up; stop it with Ctrl-C. Ask it again:")
    typer.echo(curl)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        _say("scorer", "stopped")
