"""Experiments as the command line shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from experiments.design import Arm
    from serving.experiment_audit import Audited
    from serving.experiment_entry import Entry

_LONGEST = 70  # characters of a value in the audit trail


def show(entry: Entry, as_json: bool) -> None:
    """One experiment: JSON as the API gives it, or lines for people."""
    if as_json:
        typer.echo(json.dumps(_document(entry)))
        return
    declared, analysis = entry.experiment, entry.experiment.analysis
    mode = "" if declared.mode == "live" else ", shadow"
    _say(f"{entry.experiment_id}: {entry.state}{mode}, version {entry.version}")
    if declared.hypothesis:
        _say(f"  {declared.hypothesis}")
    for arm in declared.arms:
        control = "  (control)" if arm.name == declared.control else ""
        _say(f"  {arm.name:<20} {arm.share:>7.2%}  {_decides(arm)}{control}")
    pushes = ", ".join(declared.push_ids) or "all"
    _say(f"  pushes: {pushes}; {declared.traffic:.0%} of layer {declared.layer}")
    looks = "at any time" if analysis.sequential == "always" else _looks(entry)
    _say(f"  decides: {analysis.metric} within {analysis.window_days:g} days; read {looks}")
    for name, moment in (
        ("created", entry.created_at), ("started", entry.started_at),
        ("stopped", entry.stopped_at), ("decided", entry.decided_at),
    ):  # fmt: skip
        if moment is not None:
            _say(f"  {name}: {_moment(moment)}")
    _decision(entry)


def show_all(entries: Sequence[Entry], as_json: bool) -> None:
    """A line each."""
    if as_json:
        typer.echo(json.dumps([_document(one) for one in entries]))
        return
    for one in entries:
        arms = ", ".join(f"{arm.name} {arm.share:.1%}" for arm in one.experiment.arms)
        _say(f"{one.experiment_id:<30} {one.state:<8} {arms}")
    if not entries:
        typer.echo("no experiment yet; declare one with `pushwise experiment create`")


def show_trail(trail: Sequence[Audited], labels: Mapping[str, str], as_json: bool) -> None:
    """A line a change, and one for each field that it changed. labels: of API keys, by id."""
    if as_json:
        from serving.experiment_schemas import shown_change

        typer.echo(json.dumps([shown_change(one).model_dump(mode="json") for one in trail]))
        return
    for one in trail:
        why = f'  "{one.why}"' if one.why else ""
        who = one.by or "nobody was asked for a key"
        if who in labels:
            who = f"{who} ({labels[who]})"
        _say(f"{one.version}  {_moment(one.at)}  {one.action:<15} {who}{why}")
        if one.action != "created":
            for name, values in one.changed.items():
                _say(f"   {name}: {_short(values['before'])} -> {_short(values['after'])}")


def _say(line: str) -> None:
    """What callers wrote may hold line breaks, which would pass for lines of ours, and
    signs that a terminal obeys."""
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
        return f"{analysis.looks} times in {analysis.days:g} days"
    return "on " + ", ".join(f"{look:%Y-%m-%d}" for look in entry.looks)


def _decision(entry: Entry) -> None:
    decision = entry.decision
    if decision is None:
        return
    verdict: Mapping[str, Any] = decision.verdict or {}
    told = verdict.get("sentence", "without a verdict")
    _say(f"  goes on: {decision.arm}, by {decision.by}; {told}")
    if decision.anyway:
        _say(f"  against the verdict: {decision.why}")
    if decision.published:
        _say(f"  published: {decision.published}")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
