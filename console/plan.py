"""``pushwise plan``: who gets what in a push, inside its budget, as a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.push_file import PushFile, read_push
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace
from decisions.errors import DecisionError

if TYPE_CHECKING:
    from decisions.catalogue import Offer, Push
    from decisions.decide import Ask
    from decisions.plan import Plan
    from features.workspace import Workspace
    from serving.release import Release


_FUNNEL = {"explored": "explored, drawn: no send"}


@dataclass(frozen=True, slots=True)
class Summary:
    """A plan in numbers; money in the workspace's currency.

    funnel: who dropped out where, see ``decisions.funnel``. gain_bound: no choice inside the
    limits can gain more, with the members drawn at random as they are.
    explored, explored_gain: members drawn at random who get an offer, and what that is expected
    to gain; often below zero, the price of learning. short_of_min_audience: members that the push
    wants and nothing is gained by contacting.
    evidence: what the estimates rest on; ``prior`` is an assumption, not a measurement.
    """

    push_id: str
    release: str
    audience: int
    expected_gain: float
    expected_cost: float
    expected_conversions: float
    objective: str
    budget: float | None
    gain_bound: float
    prices: Mapping[str, Any]
    funnel: Mapping[str, Any]
    offers: Mapping[str, int]
    evidence: tuple[str, ...]
    explored: int
    explored_gain: float
    short_of_min_audience: int


def plan(
    push: Annotated[Path, typer.Argument(help="The push: a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the audience here: .parquet or .csv.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Decide a push for everybody, from the published release: ranked members with their offers."""
    from serving.audience_file import check_target, write_audience

    if out is not None:
        check_target(out)
    opened = load_workspace(workspace)
    described = read_push(push)
    release = published_release(opened)
    ask, planned = planned_push(release, described, lambda: suppressed_members(opened))
    if out is not None:
        write_audience(out, ask, planned)
    summary = summarised(release.versions.release, ask, planned)
    if as_json:
        typer.echo(json.dumps({**asdict(summary), "out": str(out) if out else None}))
    else:
        show(summary, out)


def planned_push(
    release: Release, described: PushFile, suppressed: Callable[[], frozenset[str]]
) -> tuple[Ask, Plan]:
    """The push decided for everybody; nobody it sends to is ``suppressed`` when it is done.

    Whoever unsubscribes while it is made is left out of another one.
    """
    from decisions.plan import plan as decide_for_all

    barred = suppressed()
    while True:
        ask = ask_of(release, described.push, described.offers, barred)
        planned = decide_for_all(ask, release.estimator)
        barred = suppressed()
        if barred.isdisjoint(ask.members.ids[row] for row in planned.ranking):
            return ask, planned


def published_release(workspace: Workspace) -> Release:
    """The release that the scorer serves, verified like there."""
    from models.keys import PUBLIC, trusted_keys
    from serving.pointer import current
    from serving.release import load_release
    from serving.verify import ReleaseError

    release_id = current(workspace.releases)
    if release_id is None:
        raise ReleaseError(
            f"nothing is published in {workspace.releases}; run `pushwise release build --publish`"
        )
    return load_release(workspace.releases / release_id, trusted_keys(workspace.keys / PUBLIC))


def suppressed_members(workspace: Workspace) -> frozenset[str]:
    """Members whom the scorer's log says must not be contacted."""
    from serving.log import Log

    if not workspace.serving_log.exists():
        return frozenset()
    with Log(workspace.serving_log) as log:
        return log.all_suppressed()


def ask_of(
    release: Release, push: Push, offers: tuple[Offer, ...], suppressed: frozenset[str]
) -> Ask:
    """The question about all members of ``release``; ``offers`` go before those of the release.

    Raises:
        DecisionError: the push names an offer that is nowhere described.
    """
    from decisions.decide import Ask
    from decisions.members import Members
    from decisions.policy import Prices

    known = {**release.offers, **{offer.offer_id: offer for offer in offers}}
    missing = [offer_id for offer_id in push.offer_ids if offer_id not in known]
    if missing:
        raise DecisionError(
            f"push {push.push_id!r} names offer {missing[0]!r}, which is neither in its file under "
            f"[[offers]] nor in the release (it has: {', '.join(release.offers) or 'none'})"
        )
    candidates = tuple(known[offer_id] for offer_id in push.offer_ids)
    snapshot = release.snapshot
    members = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    return Ask(push, candidates, members, release.policy, Prices(), suppressed)


def summarised(release_id: str, ask: Ask, planned: Plan) -> Summary:
    decisions, sent = planned.decisions, planned.ranking
    chosen = Counter(ask.push.offer_ids[column] for column in decisions.offer[sent])
    drawn = decisions.explored[sent]
    return Summary(
        push_id=ask.push.push_id,
        release=release_id,
        audience=len(sent),
        expected_gain=planned.gain,
        expected_cost=planned.cost,
        expected_conversions=float(decisions.uplift[sent].sum()),
        objective=ask.push.objective,
        budget=ask.push.budget,
        gain_bound=planned.gain_bound,
        prices=planned.prices.to_json(),
        funnel=planned.funnel.to_json(),
        offers=dict(chosen.most_common()),
        evidence=tuple(sorted({decisions.evidence[row] for row in sent})),
        explored=int(drawn.sum()),
        explored_gain=float(decisions.expected_gain[sent][drawn].sum()),
        short_of_min_audience=max((ask.push.min_audience or 0) - len(sent), 0),
    )


def show(summary: Summary, out: Path | None) -> None:
    """Print a summary as people read it."""
    from rich.console import Console
    from rich.table import Table

    unit = "more conversions" if summary.objective == "conversions" else "more in money"
    typer.echo(
        f"push {summary.push_id}: {summary.audience} members, expected gain "
        f"{summary.expected_gain:,.2f} {unit}, cost {summary.expected_cost:,.2f}"
        + ("" if summary.budget is None else f" of a budget of {summary.budget:,.2f}")
    )
    typer.echo(
        f"  {summary.expected_conversions:,.1f} conversions that would not happen without it; "
        f"evidence: {', '.join(summary.evidence) or 'none'}"
    )
    typer.echo(f"  no choice within the limits can gain more than {summary.gain_bound:,.2f}")
    if summary.explored:
        typer.echo(
            f"  {summary.explored} of them were drawn at random to learn from, expected gain "
            f"{summary.explored_gain:,.2f}"
        )
    if summary.short_of_min_audience:
        typer.echo(
            f"  {summary.short_of_min_audience} members short of min_audience: contacting more "
            "would cost more than it brings"
        )
    if summary.prices["budget"] > 0:
        typer.echo(f"  100 more budget would earn about {100 * summary.prices['budget']:,.2f}")
    if "observational" in summary.evidence:
        typer.echo(
            "  the effect of a send was learned from sends that nobody drew at random, and may be "
            "wrong in ways that no data show: keep a holdout, and train on what comes back"
        )
    if "prior" in summary.evidence:
        typer.echo(
            "  the effect of a send is assumed here, not measured: keep a holdout and some "
            "exploration, and train on what comes back"
        )
    funnel = Table("what became of the members", "members", box=None)
    for reason, count in summary.funnel["members"].items():
        funnel.add_row(_FUNNEL.get(reason, reason), f"{count:,}")
    Console().print(funnel)
    if out is not None:
        typer.echo(f"audience written to {out}")
