"""The form that declares an experiment: its fields as the API's document, and back.

A field has the name of its place in the document, ``arms.0.share``; shares are in percent there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dashboard.numbers import told
from dashboard.terms import Words
from dashboard.web.language import noted
from experiments.declaration import to_json
from experiments.design import Experiment
from serving.experiment_errors import InvalidExperiment
from serving.experiment_schemas import ExperimentGiven

ARMS = 6  # rows of the form
GUARDRAILS = ("unsubscribed", "complained")
SEGMENTS = ("lifecycle", "value_tier")
_TEXTS = ("experiment_id", "control", "layer", "mode", "owner", "hypothesis")
_CHOICES = ("metric", "sequential", "correction")
_NUMBERS = ("window_days", "before_days", "cap", "power", "lift", "days")
_PERCENT = ("share", "traffic", "alpha", "power", "most")
_ARM_TEXTS = ("name", "kind", "release", "rule", "offer")
DEFAULTS: Mapping[str, str] = {
    "layer": "default", "mode": "live", "traffic": "100", "control": "champion",
    "arms.0.name": "champion", "arms.0.kind": "champion", "arms.0.share": "50",
    "arms.1.name": "challenger", "arms.1.kind": "release", "arms.1.share": "50",
    "analysis.metric": "gain", "analysis.window_days": "14", "analysis.before_days": "28",
    "analysis.alpha": "5", "analysis.power": "80", "analysis.lift": "0",
    "analysis.sequential": "group", "analysis.looks": "4", "analysis.days": "28",
    "analysis.correction": "holm", "guardrail.unsubscribed": "0.5",
    "segment.lifecycle": "yes", "segment.value_tier": "yes",
}  # fmt: skip
_WRONG: Mapping[str, str] = {
    "no_number": noted("a number is wanted"),
    "missing": noted("a value is wanted"),
    "string_too_short": noted("a value is wanted"),
    "string_too_long": noted("this is too long"),
    "string_pattern_mismatch": noted(
        "1 to 64 of letters, digits, . _ - are wanted, a letter or digit first"
    ),
    "literal_error": noted("choose one of the list"),
    "int_type": noted("a whole number is wanted"),
    "too_short": noted("two arms or more are wanted"),
    "greater_than": noted("more than %(bound)s is wanted"),
    "greater_than_equal": noted("at least %(bound)s is wanted"),
    "less_than": noted("less than %(bound)s is wanted"),
    "less_than_equal": noted("at most %(bound)s is wanted"),
    "other_fields": noted(
        "a kind “named release” wants a release, “rule” a rule and an offer, and others nothing "
        "more"
    ),
    "same_names": noted("every arm has a name of its own"),
    "unknown_arm": noted("the name of an arm is wanted"),
    "shares": noted("the shares have to be 100 %% together, in steps of 0.01"),
    "shadow_holdout": noted(
        "in a shadow experiment the control answers everybody, so it has no arm without sends"
    ),
    "invalid_rule": noted("the rule does not parse, or names what the release in use has not"),
    "unknown_offer": noted("an offer of the catalogue is wanted"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit. field: its name in the form. bound: a limit, in the form's unit."""

    field: str
    code: str
    bound: str = ""
    detail: str = ""

    def told(self, words: Words) -> str:
        """One message about the field."""
        pattern = _WRONG.get(self.code)
        return self.detail if pattern is None else words(pattern, bound=self.bound)


class FormError(Exception):
    """problems: one a field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(one.field for one in problems))
        self.problems = tuple(problems)


def given(form: Mapping[str, str]) -> ExperimentGiven:
    """What a form declares. Raises ``FormError``."""
    reader = _Reader(form)
    document = reader.document()
    if reader.problems:
        raise FormError(reader.problems)
    try:
        return ExperimentGiven.model_validate(document)
    except ValidationError as error:
        raise FormError(reader.located(error)) from error


def refused(error: InvalidExperiment, form: Mapping[str, str]) -> FormError:
    """The same of what the API's own check points at."""
    rows = _rows(form)
    problems = []
    for one in error.errors:
        place: list[str | int] = [
            int(part) if part.isdigit() else part for part in one.pointer.split("/")[1:]
        ]
        problems.append(Problem(_field(place, rows), one.code, detail=one.detail))
    return FormError(problems)


def fields_of(experiment: Experiment) -> dict[str, str]:
    """The form that declares ``experiment``."""
    document = to_json(experiment)
    analysis = document["analysis"]
    found = {name: str(document[name]) for name in _TEXTS}
    found["traffic"] = _percent(document["traffic"])
    found["push_ids"] = "\n".join(document["push_ids"])
    for row, arm in enumerate(document["arms"]):
        found |= {f"arms.{row}.{name}": str(arm[name]) for name in _ARM_TEXTS}
        found[f"arms.{row}.share"] = _percent(arm["share"])
    for name in (*_CHOICES, "looks"):
        found[f"analysis.{name}"] = str(analysis[name])
    for name in (*_NUMBERS, "alpha"):
        value = analysis[name]
        shown = _percent(value) if name in _PERCENT and value is not None else _plain(value)
        found[f"analysis.{name}"] = shown
    for one in analysis["guardrails"]:
        found[f"guardrail.{one['metric']}"] = _percent(one["most"])
    return found | {f"segment.{name}": "yes" for name in analysis["segments"]}


class _Reader:
    """problems: fields that are no numbers, found on the way."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form
        self.problems: list[Problem] = []

    def document(self) -> dict[str, Any]:
        arms = [self._arm(row) for row in _rows(self._form)]
        pushes = self._form.get("push_ids", "").replace(",", "\n").splitlines()
        found: dict[str, Any] = {name: self._text(name) for name in _TEXTS}
        return {
            **found,
            "arms": arms,
            "traffic": self._number("traffic", 100),
            "push_ids": [one.strip() for one in pushes if one.strip()],
            "analysis": self._analysis(),
        }

    def located(self, error: ValidationError) -> list[Problem]:
        """One a field, the first."""
        rows, found = _rows(self._form), dict[str, Problem]()
        for one in error.errors():
            field = _field(one["loc"], rows)
            found.setdefault(field, _problem(field, one["type"], one.get("ctx", {}), one["msg"]))
        return list(found.values())

    def _arm(self, row: int) -> dict[str, Any]:
        arm: dict[str, Any] = {name: self._text(f"arms.{row}.{name}") for name in _ARM_TEXTS}
        return {**arm, "share": self._number(f"arms.{row}.share", 100)}

    def _analysis(self) -> dict[str, Any]:
        analysis: dict[str, Any] = {name: self._text(f"analysis.{name}") for name in _CHOICES}
        for name in (*_NUMBERS, "alpha"):
            scale = 100 if name in _PERCENT else 1
            analysis[name] = self._number(f"analysis.{name}", scale, optional=name == "cap")
        looks = self._number("analysis.looks")
        analysis["looks"] = int(looks) if looks is not None and looks.is_integer() else looks
        analysis["guardrails"] = [
            {"metric": name, "most": self._number(f"guardrail.{name}", 100)}
            for name in GUARDRAILS
            if self._text(f"guardrail.{name}")
        ]
        analysis["segments"] = [name for name in SEGMENTS if f"segment.{name}" in self._form]
        return analysis

    def _text(self, name: str) -> str:
        return self._form.get(name, "").strip()

    def _number(self, name: str, scale: int = 1, *, optional: bool = False) -> float | None:
        text = self._text(name)
        if optional and not text:
            return None
        try:
            return round(float(text) / scale, 12)
        except ValueError:
            self.problems.append(Problem(name, "no_number"))
            return None


def _rows(form: Mapping[str, str]) -> list[int]:
    """The rows of arms that are filled in."""
    filled = ("name", "release", "rule", "offer")
    return [
        row
        for row in range(ARMS)
        if any(form.get(f"arms.{row}.{one}", "").strip() for one in filled)
    ]


def _field(place: Sequence[str | int], rows: Sequence[int]) -> str:
    """The field of the form at a place of the document."""
    match list(place):
        case ["arms", int(number), *rest] if number < len(rows):
            return ".".join(["arms", str(rows[number]), str(rest[0]) if rest else "kind"])
        case ["arms", *_]:
            return "arms.0.share"
        case ["analysis", "guardrails", *_]:
            return "guardrail.unsubscribed"
        case [first, *rest]:
            return ".".join([str(first), *(str(one) for one in rest if isinstance(one, str))])
        case _:
            return "experiment_id"


def _problem(field: str, code: str, context: Mapping[str, Any], detail: str) -> Problem:
    bound = next((context[name] for name in ("gt", "ge", "lt", "le") if name in context), None)
    if bound is None:
        return Problem(field, code, detail=detail)
    percent = field.rpartition(".")[2] in _PERCENT
    return Problem(field, code, told(100 * bound if percent else bound), detail)


def _percent(value: float) -> str:
    return f"{100 * value:.10g}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
