"""What every trainer reports and leaves in the record: figures beside the plain baseline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from features.workspace import Workspace
from models.manifest import TrackedVersion
from training.tracking import champion, champion_facts, promote, register, tracked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEATURE_MOMENTS = "feature_moments"  # the fact that says of which moments a model saw features
# The model that decides first: its features should look as they did when it learned from them.
_DECIDING = ("response", "propensity")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of the model beside the same figure of its baselines, on the same later period."""

    metric: str
    ours: float
    baselines: Mapping[str, float]
    higher_is_better: bool = True

    @property
    def beaten(self) -> bool:
        """Whether the model is better than every baseline."""
        sign = 1 if self.higher_is_better else -1
        return all(sign * self.ours > sign * other for other in self.baselines.values())


class Model(Protocol):
    """A fitted model that writes itself as a ``models.artifact`` folder."""

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Account:
    """All that is kept about one training, beside the model.

    comparisons: figures on the later period; the first one decides.
    params: what it was trained with.
    facts: what the run and the version are found by: data window, feature service, digest.
    figures: pictures, by name.
    """

    comparisons: tuple[Comparison, ...]
    params: Mapping[str, object]
    facts: Mapping[str, str]
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained, measured, tracked and registered.

    name: the registered name, such as ``propensity``.
    folder: the model's artifact, as the registry keeps it.
    comparisons: figures on the later period; the first one decides.
    promoted: whether it became the champion.
    facts: data window, feature service, dataset digest, in words.
    """

    name: str
    version: TrackedVersion
    folder: Path
    comparisons: tuple[Comparison, ...]
    promoted: bool
    facts: Mapping[str, str]

    @property
    def beats_baseline(self) -> bool:
        """Whether the deciding figure is better than every baseline's."""
        return self.comparisons[0].beaten


def record(workspace: Workspace, name: str, model: Model, account: Account) -> Trained:
    """Keep ``model`` as a new version of ``name`` with everything that is known about it.

    It becomes the champion when it beats its baseline, or when there is none to serve yet.

    Raises:
        TrainingError: the record cannot be written.
    """
    with (
        tracked(workspace, name, f"{name} {account.facts['data_window']}") as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.params(account.params)
        run.metrics(_figures(account.comparisons))
        run.tags(account.facts)
        for title, figure in account.figures.items():
            run.figure(title, figure)
        model.save(Path(scratch) / name)
        folder = run.folder(Path(scratch) / name)
    version = register(workspace, name, run, folder, account.facts)
    promoted = account.comparisons[0].beaten or champion(workspace, name) is None
    if promoted:
        promote(workspace, name, version)
    return Trained(name, version, folder, account.comparisons, promoted, account.facts)


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """What the champion ``name`` learned from: features as of these moments, oldest first."""

    name: str
    version: str
    moments: tuple[datetime, ...]


def training_window(workspace: Workspace) -> TrainingWindow | None:
    """That of the model that decides: the response model's, else the propensity's.

    None where no model was trained, or only by a version that did not note its moments.

    Raises:
        TrainingError: the record cannot be read.
    """
    for name in _DECIDING:
        found = champion(workspace, name)
        noted = champion_facts(workspace, name).get(FEATURE_MOMENTS)
        if found is not None and noted:
            moments = tuple(sorted(datetime.fromisoformat(word) for word in noted.split()))
            return TrainingWindow(name, found[0].version, moments)
    return None


def in_words(moments: Iterable[datetime]) -> str:
    """Moments as the fact ``FEATURE_MOMENTS``: ISO 8601, separated by spaces."""
    return " ".join(moment.isoformat() for moment in moments)


def _figures(comparisons: tuple[Comparison, ...]) -> dict[str, float]:
    figures = {}
    for comparison in comparisons:
        figures[_metric(comparison.metric)] = comparison.ours
        for baseline, value in comparison.baselines.items():
            figures[_metric(f"{baseline} {comparison.metric}")] = value
    return figures


def _metric(name: str) -> str:
    """``name`` in the letters that MLflow takes: ``recall@10`` becomes ``recall_at_10``."""
    return name.replace("@", "_at_").replace(" ", "_")
