"""The audit trail of an experiment as the command line shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from console.experiment_shown import days_told, moment_told, say

if TYPE_CHECKING:
    from serving.experiment_audit import Audited

_LONGEST = 200  # characters of a value
_NOTHING = "none"


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
        say(f"{one.version}  {moment_told(one.at)}  {one.action:<15} {who}{why}")
        if one.action not in ("created", "discarded"):
            for name, values in one.changed.items():
                say(f"   {name}: {_change(name, values['before'], values['after'])}")


def _change(name: str, before: Any, after: Any) -> str:
    """What became of a field of ``Entry.facts``."""
    match name:
        case "arms":
            return _changes(_arms(before), _arms(after))
        case "analysis":
            return _changes(_analysis(before), _analysis(after))
        case "decision":
            return f"{_decision(before)} -> {_decision(after)}"
        case "looks":
            return f"{_looks(before)} -> {_looks(after)}"
        case "slots":
            return f"{_slots(before)} -> {_slots(after)}"
        case _:
            return f"{_value(before)} -> {_value(after)}"


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Of the parts that are not as they were."""
    changed = [
        f"{name} {before.get(name, _NOTHING)} -> {after.get(name, _NOTHING)}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    return ", ".join(changed) or "in another order"


def _arms(arms: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Shares by arm, and by arm and field what else it has."""
    found = {}
    for arm in arms:
        found[arm["name"]] = f"{100 * arm['share']:.4g}%"
        for field in ("kind", "release", "rule", "offer"):
            if arm[field]:
                found[f"{arm['name']}'s {field}"] = _value(arm[field])
    return found


def _analysis(declared: Mapping[str, Any]) -> dict[str, str]:
    found = {name: _value(one) for name, one in declared.items() if name != "guardrails"}
    guards = {f"guardrail {one['metric']}": _value(one["most"]) for one in declared["guardrails"]}
    return found | guards


def _decision(decision: Mapping[str, Any] | None) -> str:
    if decision is None:
        return "undecided"
    said = f"{decision['arm']} goes on"
    if decision["anyway"]:
        said += " against the verdict"
    if decision["published"]:
        said += f", {decision['published']} published"
    return said


def _looks(looks: Sequence[str]) -> str:
    return days_told([datetime.fromisoformat(one) for one in looks]) or _NOTHING


def _slots(slots: Sequence[tuple[int, int]]) -> str:
    from experiments.assignment import BUCKETS

    return f"{sum(stop - start for start, stop in slots) / BUCKETS:.2%} of the layer"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or _NOTHING)
    text = text or _NOTHING
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
