"""Experiments as the command line shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from experiments.design import Arm
    from serving.experiment_entry import Entry


def show(entry: Entry, as_json: bool) -> None:
    """One experiment: JSON as the API gives it, or lines for people."""
    if as_json:
        typer.echo(json.dumps(_document(entry)))
        return
    declared, analysis = entry.experiment, entry.experiment.analysis
    mode = "" if declared.mode == "live" else ", shadow"
    say(f"{entry.experiment_id}: {entry.state}{mode}, version {entry.version}")
    if declared.hypothesis:
        say(f"  {declared.hypothesis}")
    for arm in declared.arms:
        control = "  (control)" if arm.name == declared.control else ""
        say(f"  {arm.name:<20} {arm.share:>7.2%}  {_decides(arm)}{control}")
    pushes = ", ".join(declared.push_ids) or "all"
    say(f"  pushes: {pushes}; {declared.traffic:.0%} of layer {declared.layer}")
    looks = "at any time" if analysis.sequential == "always" else _looks(entry)
    say(f"  decides: {analysis.metric} within {analysis.window_days:g} days; read {looks}")
    for name, moment in (
        ("created", entry.created_at), ("started", entry.started_at),
        ("stopped", entry.stopped_at), ("decided", entry.decided_at),
    ):  # fmt: skip
        if moment is not None:
            say(f"  {name}: {moment_told(moment)}")
    _decision(entry)


def show_all(entries: Sequence[Entry], as_json: bool) -> None:
    """A line each."""
    if as_json:
        typer.echo(json.dumps([_document(one) for one in entries]))
        return
    for one in entries:
        arms = ", ".join(f"{arm.name} {arm.share:.1%}" for arm in one.experiment.arms)
        say(f"{one.experiment_id:<30} {one.state:<8} {arms}")
    if not entries:
        typer.echo("no experiment yet; declare one with `pushwise experiment create`")


def say(line: str) -> None:
    """Print a line.

    What callers wrote may hold line breaks, which would pass for lines of ours, and signs that a
    terminal obeys.
    """
    typer.echo(
        "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line
        )
    )


def _document(entry: Entry) -> dict[str, Any]:
    from serving.experiment_schemas import shown

    return shown(entry).model_dump(mode="json")


def _decides(arm: Arm) -> str:
    match arm.kind:
        case "champion":
            return "the published release"
        case "release":
            return f"release {arm.release}"
        case "rule":
            return f"{arm.offer} where {arm.rule}"
        case "random":
            return "chance among what is eligible"
        case "holdout":
            return "nothing"


def _looks(entry: Entry) -> str:
    analysis = entry.experiment.analysis
    if not entry.looks:
        times = "once, after" if analysis.looks == 1 else f"{analysis.looks} times in"
        return f"{times} {analysis.days:g} day{'' if analysis.days == 1 else 's'}"
    return f"on {days_told(entry.looks)}"


def days_told(moments: Sequence[datetime]) -> str:
    """With the time of day where several fall on one."""
    if len({one.date() for one in moments}) == len(moments):
        return ", ".join(f"{one:%Y-%m-%d}" for one in moments)
    return ", ".join(moment_told(one) for one in moments)


def _decision(entry: Entry) -> None:
    decision = entry.decision
    if decision is None:
        return
    verdict: Mapping[str, Any] = decision.verdict or {}
    told = verdict.get("sentence", "without a verdict")
    say(f"  goes on: {decision.arm}, by {decision.by}; {told}")
    if decision.anyway:
        say(f"  against the verdict: {decision.why}")
    if decision.published:
        say(f"  published: {decision.published}")


def moment_told(moment: datetime) -> str:
    """As people read it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
