"""What every trainer reports and leaves in the record: figures beside the plain baseline."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from features.moments import moment as in_utc
from features.workspace import Workspace
from models.errors import ModelError
from models.manifest import TrackedVersion
from training.cards import Card, Measurements, model_card
from training.charts import Chart
from training.comparison import Comparison
from training.errors import TrainingError
from training.gates import Check, gate_checks
from training.tracking import ChampionGoneError, Run, champion, champion_facts, register, tracked
from training.tracking import promote as set_champion

__all__ = ["Card", "Check", "Comparison"]  # handed on: trainers need them beside Account

KNOWN_UNTIL = "known_until"
MEASURED_FROM = "measured_from"
COMPARED_WITH = "compared_with"
NOT_COMPARED = "not_compared"
CARD = "card.md"
FIGURES = "figures.json"
MEASURED = "measured"  # the folder of the model as it was measured, beside the one that is kept
FEATURE_MOMENTS = "feature_moments"  # the fact that says of which moments a model saw features

M = TypeVar("M")


class Model(Protocol):
    """A fitted model that writes itself as a ``models.artifact`` folder."""

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Account:
    """All that is kept about one training, beside the model.

    comparisons: figures on the later period; the first one decides.
    params: what it was trained with.
    facts: what the run and the version are found by: ``data_window``, ``feature_service``,
        ``dataset_digest``, ``known_until`` (ISO 8601: the moment up to which the model that was
        measured knew anything) and ``measured_from`` (ISO 8601: where the later period begins).
    figures: charts, by name.
    card: words for the model card.
    measured: the twin: the model as it was measured, trained before the later period, where what
        is kept was fitted again on everything. None where what is kept is what was measured.
    checks: the trainer's own gates.
    beside: what else is kept in the run, by the name of its folder.
    """

    comparisons: tuple[Comparison, ...]
    params: Mapping[str, object]
    facts: Mapping[str, str]
    figures: Mapping[str, Chart] = field(default_factory=dict)
    card: Card = field(default_factory=Card)
    measured: Model | None = None
    checks: tuple[Check, ...] = ()
    beside: Mapping[str, Model] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained, measured, tracked and registered.

    name: the registered name, such as ``propensity``.
    folder: the model's artifact, as the registry keeps it.
    comparisons: figures on the later period; the first one decides.
    promoted: whether it became the champion.
    facts: data window, feature service, dataset digest, in words.
    checks: every gate, and whether it was passed.
    charts: pictures of the measurement, by name.
    """

    name: str
    version: TrackedVersion
    folder: Path
    comparisons: tuple[Comparison, ...]
    promoted: bool
    facts: Mapping[str, str]
    checks: tuple[Check, ...] = ()
    charts: Mapping[str, Chart] = field(default_factory=dict)

    @property
    def beats_baseline(self) -> bool:
        """Whether the deciding figure is better than every baseline's."""
        return self.comparisons[0].beaten

    @property
    def failed(self) -> tuple[Check, ...]:
        """The gates that it did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def record(
    workspace: Workspace, name: str, model: Model, account: Account, *, promote: bool = True
) -> Trained:
    """Keep ``model`` as a new version of ``name`` with everything that is known about it.

    It becomes the champion when it passes every gate; else it stays challenger, also where
    nothing serves yet.

    Args:
        promote: False keeps it as challenger whatever it passes.

    Raises:
        TrainingError: the record cannot be written.
    """
    why_not = account.facts.get(NOT_COMPARED, "")
    if account.comparisons[0].champion is None and not why_not and _serving(workspace, name):
        why_not = "the trainer did not measure the champion"
    checks = gate_checks(account.comparisons, account.checks, why_not)
    promoted = promote and all(check.passed for check in checks)
    with (
        tracked(workspace, name, f"{name} {account.facts['data_window']}") as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.params(account.params)
        run.metrics(_figures(account.comparisons))
        run.tags(account.facts)
        run.charts(name, account.figures)
        card = _card(name, account, checks, run)
        run.text(CARD, card)
        run.text(FIGURES, json.dumps(figures_document(account.comparisons, checks), indent=1))
        model.save(Path(scratch) / name)
        folder = run.folder(Path(scratch) / name)
        twin = {} if account.measured is None else {MEASURED: account.measured}
        for other, kept in {**twin, **account.beside}.items():
            kept.save(Path(scratch) / other)
            run.folder(Path(scratch) / other)
    version = register(workspace, name, run, folder, account.facts, card)
    if promoted:
        set_champion(workspace, name, version)
    return Trained(
        name, version, folder, account.comparisons, promoted, account.facts, checks, account.figures
    )


def _card(name: str, account: Account, checks: tuple[Check, ...], run: Run) -> str:
    compared = account.facts.get(COMPARED_WITH, "")
    facts = {**account.facts, "code_version": run.code_version, "run": run.run_id}
    champion = f"champion ({compared})" if compared else ""
    found = Measurements(account.params, facts, account.comparisons, checks, champion)
    return model_card(name, account.card, found)


def figures_document(
    comparisons: Sequence[Comparison], checks: Sequence[Check]
) -> dict[str, list[dict[str, Any]]]:
    """``figures`` and ``checks`` for machines; what could not be computed is null."""
    return {
        "figures": [_finite(asdict(comparison)) for comparison in comparisons],
        "checks": [asdict(check) for check in checks],
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Standing(Generic[M]):
    """The champion as it was measured, where it can be measured again.

    champion: the version that serves; None where nothing does.
    model: what to measure on the same later period; None where there is nothing to compare with.
    why_not: why a champion there is cannot be compared; empty otherwise.
    """

    champion: TrackedVersion | None
    model: M | None
    why_not: str

    @property
    def facts(self) -> Mapping[str, str]:
        """What to add to the facts of the account: which champion was compared, or why none."""
        if self.champion is None:
            return {}
        if self.model is None:
            return {NOT_COMPARED: self.why_not}
        return {COMPARED_WITH: f"version {self.champion.version}"}


def standing(
    workspace: Workspace, name: str, read: Callable[[Path], M], measured_from: datetime
) -> Standing[M]:
    """The champion of ``name``, fit to be measured from ``measured_from`` on.

    It must not have known anything of that period: of a champion that was fitted again on
    everything, the model that was measured is taken. ``read`` may refuse with a TrainingError or a
    ModelError what does not answer the same question, such as another horizon.

    Raises:
        TrainingError: the record cannot be read.
    """
    found = _serving(workspace, name)
    if found is None:
        return Standing(None, None, "")
    version, folder = found
    until = champion_facts(workspace, name).get(KNOWN_UNTIL)
    if until is None:
        why = f"champion version {version.version} does not say until when it knew anything"
        return Standing(version, None, why)
    if in_utc(datetime.fromisoformat(until)) > in_utc(measured_from):
        why = (
            f"champion version {version.version} knew everything until {until}, "
            f"so it cannot be measured from {in_utc(measured_from).isoformat()} on"
        )
        return Standing(version, None, why)
    twin = folder.parent / MEASURED
    try:
        return Standing(version, read(twin if twin.is_dir() else folder), "")
    except (TrainingError, ModelError) as error:
        return Standing(version, None, f"champion version {version.version}: {error}")


def _serving(workspace: Workspace, name: str) -> tuple[TrackedVersion, Path] | None:
    """The champion; None too where its files are gone: it serves no longer, so train anew."""
    try:
        return champion(workspace, name)
    except ChampionGoneError:
        return None


def in_words(moments: Iterable[datetime]) -> str:
    """Moments as the fact ``FEATURE_MOMENTS``: ISO 8601, separated by spaces."""
    return " ".join(moment.isoformat() for moment in moments)


def _figures(comparisons: tuple[Comparison, ...]) -> dict[str, float]:
    figures = {}
    for comparison in comparisons:
        figures[comparison.metric] = comparison.ours
        for baseline, value in comparison.baselines.items():
            figures[f"{baseline} {comparison.metric}"] = value
        if comparison.champion is not None:
            figures[f"champion {comparison.metric}"] = comparison.champion
    # What could not be computed is told by a gate, and has no place among the figures.
    return {_metric(name): value for name, value in figures.items() if math.isfinite(value)}


def _metric(name: str) -> str:
    """``name`` in the letters that MLflow takes: ``recall@10`` becomes ``recall_at_10``."""
    return name.replace("@", "_at_").replace(" ", "_")
