"""``pushwise why``: why a member got what they got."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace

_TOLD = 5e-5  # of a probability: half of what the last digit shows

if TYPE_CHECKING:
    from serving.explain_schemas import AttributionTold, Explained, OptionTold
    from serving.log import Log, LoggedDecision
    from serving.release import Release


@dataclass(frozen=True, slots=True)
class _InUse:
    release: Release


def why(
    decision_id: Annotated[str | None, typer.Argument(help="As an answer named it.")] = None,
    push: Annotated[str | None, typer.Option(help="With --member, in place of an id.")] = None,
    member: Annotated[str | None, typer.Option(help="With --push, in place of an id.")] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            envvar="PUSHWISE_TRUST",
            help="PEM file of the key that signs releases; else the workspace's own.",
        ),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Explain a decision: what became of each offer, what it was worth, and what came next."""
    # Before LightGBM is loaded: one decision is no work for many threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from models.keys import PUBLIC, trusted_keys
    from serving.archive import Archive
    from serving.explanation import explained
    from serving.log import Log
    from serving.pointer import current
    from serving.replay import remade, replay

    place = load_workspace(workspace, database)
    with Log.of(place) as log:
        row = _row(log, decision_id, push, member)
        archive = Archive(place.releases, trusted_keys(trust or place.keys / PUBLIC))
        # What guards is the release in use; where none is published, the one that decided.
        in_use = _InUse(archive.get(current(place.releases) or row.release, None))
        made = remade(log, archive, in_use, row.decision_id)
        found = explained(made, replay(log, in_use, made))
    typer.echo(found.model_dump_json(indent=2) if as_json else "\n".join(_text(found)))


def _text(told: Explained) -> Iterator[str]:
    yield f"decision {told.decision_id} of push {told.push_id} for member {told.member_id}"
    yield f"made {told.decided_at} by release {told.release}"
    if told.estimated_by != "model" or told.degraded:
        missing = ", ".join(told.degraded) or "nothing"
        yield f"estimated by {told.estimated_by.replace('_', ' ')}; could not be had: {missing}"
    yield ""
    yield from told.summary
    yield ""
    yield "offers"
    for one in told.options:
        yield f"  {one.text}"
        yield from _worth(one)
    yield from _reasons("the effect", told.effect)
    yield from _reasons("the chance without a send", told.chance_without)
    if told.interval is not None:
        low, high = 100 * told.interval.low, 100 * told.interval.high
        yield ""
        yield f"members with such an estimate: {low:.2g} to {high:.2g} points on average (95 %)"
    if told.alternative is not None and told.alternative.changes:
        yield ""
        yield "what would have turned it"
        yield from (f"  {change.text}" for change in told.alternative.changes)


def _worth(one: OptionTold) -> Iterator[str]:
    parts = one.parts
    if parts is None or one.surplus is None:
        return
    yield (
        f"    {100 * parts.extra_conversions:.2g} points more conversions × {parts.worth:.2f}"
        f" = {parts.earned:.4g}"
    )
    yield (
        f"    coupon {parts.coupon:.4g} ({parts.coupon_anyway:.4g} of it for who buys anyway),"
        f" redemption {parts.redemption:.4g}, contact {parts.contact:.4g},"
        f" unsubscribing {parts.unsubscribing:.4g}"
    )
    yield f"    gain {parts.gain:.4g}, after the prices of the limits {one.surplus:.4g}"


def _reasons(what: str, told: AttributionTold | None) -> Iterator[str]:
    if told is None:
        return
    yield ""
    yield f"{what}: {100 * told.estimate:.3g} points; members in general {100 * told.base:.3g}"
    yield from (f"  {one.text}" for one in told.features)
    if abs(told.rest) > _TOLD:
        yield f"  all else: {100 * told.rest:+.2g} points"


def _row(log: Log, decision_id: str | None, push: str | None, member: str | None) -> LoggedDecision:
    """The decision that is asked about."""
    from serving.scorer_error import ScorerError

    if decision_id is not None and push is None and member is None:
        row = log.decision(decision_id)
    elif decision_id is None and push is not None and member is not None:
        row = log.decided(push, [member]).get(member)
    else:
        raise typer.BadParameter("give a decision's id, or --push and --member")
    if row is None:
        raise ScorerError(
            "the scorer's log holds no such decision; ask the scorer first (GET /v1/decide), or "
            "name another --workspace or --database"
        )
    return row
