"""An experiment as JSON: how it is kept, sent and declared in files. Strict on the way in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any, TypeVar, get_args

from experiments.design import (
    GUARDRAILS,
    SEGMENTS,
    Analysis,
    Arm,
    ArmKind,
    Experiment,
    Guardrail,
    Mode,
)
from experiments.errors import ExperimentError

T = TypeVar("T")
_Reader = Callable[[str, object], Any]
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_TEXT = 4096
MAX_ID = 256
MAX_LISTED = 1000


def to_json(experiment: Experiment) -> dict[str, Any]:
    """Every field by its name, as ``from_json`` takes it."""
    found = asdict(experiment)
    found["arms"] = list(found["arms"])
    found["push_ids"] = list(found["push_ids"])
    for name in ("guardrails", "segments"):
        found["analysis"][name] = list(found["analysis"][name])
    return found


def from_json(given: object) -> Experiment:
    """What JSON or TOML declares; fields with a default may be left out.

    Raises:
        ExperimentError: a field that there is not, or that is missing, of another type or out of
            range; says which.
    """
    return _read(Experiment, "experiment", given, _EXPERIMENT)


def _read(made: type[T], what: str, given: object, readers: Mapping[str, _Reader]) -> T:
    if not isinstance(given, Mapping):
        raise ExperimentError(f"{what} is {_shown(given)}, wanted names with values")
    unknown = [name for name in given if name not in readers]
    if unknown:
        raise ExperimentError(
            f"{what} has no field {_shown(unknown[0])}; it has: {', '.join(readers)}"
        )
    needed = [one.name for one in fields(made) if _required(one)]  # type: ignore[arg-type]  # T is a dataclass
    missing = [name for name in needed if name not in given]
    if missing:
        raise ExperimentError(f"{what} lacks the field {missing[0]!r}")
    return made(**{name: readers[name](f"{what}.{name}", value) for name, value in given.items()})


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _text(what: str, given: object) -> str:
    if not isinstance(given, str) or len(given) > MAX_TEXT or _UNSTORABLE.search(given):
        raise ExperimentError(
            f"{what} is {_shown(given)}, wanted storable text of at most {MAX_TEXT} characters"
        )
    return given


def _id(what: str, given: object) -> str:
    found = _text(what, given)
    if not 0 < len(found) <= MAX_ID:
        raise ExperimentError(f"{what} is {_shown(given)}, wanted 1 to {MAX_ID} characters")
    return found


def _one_of(known: tuple[str, ...]) -> _Reader:
    def one(what: str, given: object) -> str:
        if given not in known:
            raise ExperimentError(f"{what} is {_shown(given)}, wanted one of {', '.join(known)}")
        return str(given)

    return one


def _number(what: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ExperimentError(f"{what} is {_shown(given)}, wanted a finite number")
    return float(given)


def _maybe_number(what: str, given: object) -> float | None:
    return None if given is None else _number(what, given)


def _whole(what: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise ExperimentError(f"{what} is {_shown(given)}, wanted a whole number")
    return given


def _each(read: Callable[[str, object], T]) -> Callable[[str, object], tuple[T, ...]]:
    def listed(what: str, given: object) -> tuple[T, ...]:
        if isinstance(given, str) or not isinstance(given, Sequence) or len(given) > MAX_LISTED:
            raise ExperimentError(
                f"{what} is {_shown(given)}, wanted a list of at most {MAX_LISTED}"
            )
        return tuple(read(f"{what}[{place}]", one) for place, one in enumerate(given))

    return listed


def _shown(given: object) -> str:
    shown = repr(given)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_ARM: Mapping[str, _Reader] = {
    "name": _text, "share": _number, "kind": _one_of(get_args(ArmKind)), "release": _text,
    "rule": _text, "offer": _text,
}  # fmt: skip
_GUARDRAIL: Mapping[str, _Reader] = {"metric": _one_of(GUARDRAILS), "most": _number}
_ANALYSIS: Mapping[str, _Reader] = {
    "metric": _text, "window_days": _number, "before_days": _number, "cap": _maybe_number,
    "alpha": _number, "power": _number, "lift": _number, "sequential": _text, "looks": _whole,
    "days": _number, "correction": _text,
    "guardrails": _each(lambda what, given: _read(Guardrail, what, given, _GUARDRAIL)),
    "segments": _each(_one_of(SEGMENTS)),
}  # fmt: skip
_EXPERIMENT: Mapping[str, _Reader] = {
    "experiment_id": _text,
    "arms": _each(lambda what, given: _read(Arm, what, given, _ARM)),
    "control": _text, "layer": _text, "traffic": _number, "push_ids": _each(_id),
    "mode": _one_of(get_args(Mode)),
    "analysis": lambda what, given: _read(Analysis, what, given, _ANALYSIS),
    "owner": _text, "hypothesis": _text,
}  # fmt: skip
