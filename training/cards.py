"""The model card: what a model is for, how good it was found to be, and where it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.comparison import Comparison
from training.gates import Check

_ASIDE = ("feature_moments",)  # facts for machines, too long to be read


@dataclass(frozen=True, slots=True)
class Card:
    """Words for the model card. purpose: what the model is for. limits: what it is not for."""

    purpose: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurements:
    """What the card tells of one training.

    facts: data window, digest and the rest, by name.
    comparisons: figures on the later period; the first one decides.
    champion: which version the column of the champion shows; empty where there is none.
    """

    params: Mapping[str, object]
    facts: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    champion: str = ""


def model_card(name: str, card: Card, found: Measurements) -> str:
    """The card in Markdown, after Mitchell et al., "Model cards for model reporting", 2019."""
    facts = {key: value for key, value in found.facts.items() if key not in _ASIDE}
    failed = [check for check in found.checks if not check.passed]
    verdict = "It passed every gate." if not failed else "It did not pass every gate."
    sections = [
        f"# Model card: {name}",
        card.purpose or "No purpose was written down.",
        "## Trained on",
        _table(("what", "value"), [(_words(key), value) for key, value in facts.items()]),
        "## Measured on the later period",
        _figures(found),
        f"## Gates\n\n{verdict}",
        _table(
            ("gate", "passed", "found"),
            [(one.name, "yes" if one.passed else "**no**", one.found) for one in found.checks],
        ),
        "## Limits",
        "\n".join(f"- {limit}" for limit in card.limits) or "None were written down.",
        "## Settings",
        _table(("setting", "value"), [(_words(k), str(v)) for k, v in found.params.items()]),
    ]
    return "\n\n".join(sections) + "\n"


def _figures(found: Measurements) -> str:
    """A row for each figure; the first decides. Every baseline that any figure has is a column."""
    baselines = list(dict.fromkeys(name for one in found.comparisons for name in one.baselines))
    champion = [found.champion or "champion"] if _has_champion(found.comparisons) else []
    rows = []
    for one in found.comparisons:
        others = [_number(one.baselines.get(name)) for name in baselines]
        if champion:
            others.append(_number(one.champion))
        better = ("yes" if one.beaten else "**no**") if one.baselines else ""
        aim = "higher" if one.higher_is_better else "lower"
        rows.append((one.metric, aim, _number(one.ours), *others, better))
    header = ("figure", "better when", "this model", *map(_words, baselines), *champion)
    return _table((*header, "past the baselines"), rows)


def _has_champion(comparisons: Sequence[Comparison]) -> bool:
    return any(one.champion is not None for one in comparisons)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else "could not be computed"


def _words(name: str) -> str:
    return name.replace("_", " ")
