"""MLflow, and only here: what every training run leaves behind, and the registry of versions.

The record is a SQLite database and a folder in the workspace. Models go in as folders of plain
files (``models.artifact``); nothing is ever loaded through MLflow, whose loaders can run code.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from features.workspace import Workspace
from models.manifest import TrackedVersion
from training.charts import Chart, page
from training.errors import TrainingError

CHAMPION = "champion"
CHALLENGER = "challenger"
PROMOTIONS = "promotions"  # the tag that tells when a version was promoted, and why
_FOLDER = "pushwise.folder"
_LONGEST_PARAM = 6000  # characters; MLflow refuses longer values


class ChampionGoneError(TrainingError):
    """The files of the version that serves are not where they were kept."""


@dataclass(frozen=True, slots=True)
class Run:
    """An open run: say what went in and what came out."""

    run_id: str
    artifacts: Path  # where this run's files lie
    code_version: str  # of what runs: the installed version, with the commit where there is one
    _client: Any = field(repr=False)

    def params(self, values: Mapping[str, object]) -> None:
        """What the model was trained with; text is cut after 6,000 characters."""
        from mlflow.entities import Param

        params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in values.items()]
        self._client.log_batch(self.run_id, params=params)

    def metrics(self, values: Mapping[str, float]) -> None:
        """What was measured.

        Raises:
            TrainingError: a value that is not finite: a figure that was not measured is left out.
        """
        from mlflow.entities import Metric

        for key, value in values.items():
            if not math.isfinite(value):
                raise TrainingError(f"metric {key} is {value}, wanted a finite number")
        now = int(time.time() * 1000)
        metrics = [Metric(key, float(value), now, 0) for key, value in values.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def tags(self, values: Mapping[str, str]) -> None:
        """What the run can be found by: data window, feature service, dataset digest."""
        from mlflow.entities import RunTag

        self._client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in values.items()])

    def charts(self, title: str, charts: Mapping[str, Chart]) -> None:
        """Keep each chart as ``plots/<name>.png`` and ``plots/<name>.csv``; all as ``plots.html``.

        The page holds what it needs to be looked into and asks no network; ``charts.json`` holds
        the data of all. Without charts, nothing is written.
        """
        if not charts:
            return
        folder = self.artifacts / "plots"
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            chart.figure().savefig(folder / f"{name}.png", dpi=100)
            _write_csv(folder / f"{name}.csv", chart.rows())
        self.text("charts.json", json.dumps({n: c.rows() for n, c in charts.items()}, indent=1))
        self.text("plots.html", page(title, charts))

    def text(self, name: str, content: str) -> None:
        """Keep ``content`` as a file of the run."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        (self.artifacts / name).write_text(content, encoding="utf-8")

    def folder(self, path: Path) -> Path:
        """Keep a copy of the folder ``path`` under its own name; returns where it lies."""
        target = self.artifacts / path.name
        shutil.copytree(path, target)
        return target


@contextmanager
def tracked(workspace: Workspace, experiment: str, name: str) -> Iterator[Run]:
    """A run of ``experiment``; ends as finished, or as failed when the block raises.

    Raises:
        TrainingError: the record cannot be opened or written.
    """
    with _as_training_errors(workspace):
        client = _client(workspace)
        experiment_id = _experiment(workspace, client, experiment)
        run_id = client.create_run(experiment_id, run_name=name).info.run_id
        artifacts = _artifacts(workspace, experiment) / run_id / "artifacts"
        run = Run(run_id, artifacts, _code_version(), client)
        run.tags({"code_version": run.code_version})
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        with _as_training_errors(workspace):
            client.set_terminated(run.run_id, status)


def register(
    workspace: Workspace,
    name: str,
    run: Run,
    folder: Path,
    tags: Mapping[str, str] | None = None,
    description: str = "",
) -> TrackedVersion:
    """Make the model in ``folder`` (what ``run.folder`` returned) a version, alias ``challenger``.

    Raises:
        TrainingError: the folder is no artifact of the run, or the record cannot be written.
    """
    if not folder.is_dir() or run.artifacts not in folder.parents:
        raise TrainingError(f"{folder} is not an artifact of run {run.run_id}; keep it there first")
    with _as_training_errors(workspace):
        from mlflow.exceptions import MlflowException

        client = _client(workspace)
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Relative, so that a workspace may be moved.
        place = {_FOLDER: folder.relative_to(workspace.mlflow.absolute()).as_posix()}
        created = client.create_model_version(
            name,
            source=folder.as_uri(),
            run_id=run.run_id,
            tags={**(tags or {}), **place},
            description=description,
        )
        version = TrackedVersion(run.run_id, str(created.version))
        client.set_registered_model_alias(name, CHALLENGER, version.version)
        return version


def tag_run(workspace: Workspace, run_id: str, tags: Mapping[str, str]) -> None:
    """Say something about a run that has ended.

    Raises:
        TrainingError: there is no such run, or the record cannot be written.
    """
    with _as_training_errors(workspace):
        client = _client(workspace)
        for name, value in tags.items():
            client.set_tag(run_id, name, value)


def promote(
    workspace: Workspace, name: str, version: TrackedVersion, reason: str = "passed every gate"
) -> None:
    """Make ``version`` the champion of ``name``; the earlier champion stays in the registry.

    The version keeps, line by line, when and why it was promoted. A challenger that becomes the
    champion is the challenger no longer.

    Raises:
        TrainingError: there is no such version, or the record cannot be written.
    """
    with _as_training_errors(workspace):
        client = _client(workspace)
        found = client.get_model_version(name, version.version)
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {' '.join(reason.split())}"
        lines = [*found.tags.get(PROMOTIONS, "").splitlines(), line]
        client.set_model_version_tag(name, version.version, PROMOTIONS, "\n".join(lines))
        client.set_registered_model_alias(name, CHAMPION, version.version)
        aliases = client.get_registered_model(name).aliases
        if str(aliases.get(CHALLENGER)) == version.version:
            client.delete_registered_model_alias(name, CHALLENGER)


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version.

    artifacts: where the files of its run lie. aliases: ``champion``, ``challenger`` or neither.
    tags: the facts it was registered with, and ``promotions``: when it was promoted and why.
    """

    name: str
    tracked: TrackedVersion
    created_at: datetime  # UTC
    artifacts: Path
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def versions(workspace: Workspace, name: str | None = None) -> tuple[Version, ...]:
    """All that is registered, or all of ``name``: by name, newest version first.

    Raises:
        TrainingError: the record cannot be read.
    """
    if not _database(workspace).exists():
        return ()
    with _as_training_errors(workspace):
        client = _client(workspace)
        found = []
        for model in client.search_registered_models():
            if name not in (None, model.name):
                continue
            aliases = {str(at): alias for alias, at in model.aliases.items()}
            of_it = client.search_model_versions(f"name = '{model.name}'")
            found += [_version(workspace, one, aliases.get(str(one.version))) for one in of_it]
    return tuple(sorted(found, key=lambda one: (one.name, -int(one.tracked.version))))


def _version(workspace: Workspace, found: Any, alias: str | None) -> Version:
    tags = dict(found.tags)
    artifacts = (workspace.mlflow.absolute() / tags.pop(_FOLDER)).parent
    return Version(
        found.name,
        TrackedVersion(found.run_id, str(found.version)),
        datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        artifacts,
        () if alias is None else (alias,),
        tags,
    )


def champion(workspace: Workspace, name: str) -> tuple[TrackedVersion, Path] | None:
    """The version that serves, with its folder; ``None`` where nothing was promoted yet.

    Raises:
        ChampionGoneError: the version's folder is gone.
        TrainingError: the record cannot be read.
    """
    if not _database(workspace).exists():
        return None
    with _as_training_errors(workspace):
        client = _client(workspace)
        registered = client.search_registered_models(f"name = '{name}'")
        if not registered or CHAMPION not in registered[0].aliases:
            return None
        found = client.get_model_version(name, registered[0].aliases[CHAMPION])
        folder = workspace.mlflow.absolute() / found.tags[_FOLDER]
        if not folder.is_dir():
            raise ChampionGoneError(
                f"{name} version {found.version} should lie in {folder}, which is gone; train again"
            )
        return TrackedVersion(found.run_id, str(found.version)), folder


def champion_facts(workspace: Workspace, name: str) -> Mapping[str, str]:
    """The tags of the version that serves; empty where nothing was promoted yet.

    Raises:
        TrainingError: the record cannot be read.
    """
    found = champion(workspace, name)
    if found is None:
        return {}
    with _as_training_errors(workspace):
        version = _client(workspace).get_model_version(name, found[0].version)
        return dict(version.tags)


def _write_csv(path: Path, rows: Sequence[Mapping[str, str | float | None]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("series", "x", "y", "low", "high"))
        writer.writeheader()
        writer.writerows(rows)


def _database(workspace: Workspace) -> Path:
    return workspace.mlflow.absolute() / "mlflow.db"


def record_uri(workspace: Workspace) -> str:
    """Where MLflow finds the record: for its own pages (``mlflow ui``), and for notebooks."""
    return f"sqlite:///{_database(workspace)}"


def _client(workspace: Workspace) -> Any:
    """A client of this workspace's record, whatever the process's MLflow settings say."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when mlflow is first imported
    from mlflow.tracking import MlflowClient

    # Its notes on making the database would stand between our own lines.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _database(workspace).parent.mkdir(parents=True, exist_ok=True)
    uri = record_uri(workspace)
    with warnings.catch_warnings():
        # MLflow 3.17 maps its tables in a way that SQLAlchemy 2.1 calls deprecated; can go when
        # MLflow no longer does.
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy")
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment(workspace: Workspace, client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = _artifacts(workspace, name).as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _artifacts(workspace: Workspace, experiment: str) -> Path:
    return workspace.mlflow.absolute() / "artifacts" / experiment


def _code_version() -> str:
    """The installed version, with the commit where the code runs from its own checkout."""
    version = metadata.version("pushwise")
    root = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return version
    # Fixed arguments on our own checkout: nothing here comes from outside.
    described = subprocess.run(  # noqa: S603
        [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{version}+{described.stdout.strip()}" if described.returncode == 0 else version


@contextmanager
def _as_training_errors(workspace: Workspace) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrainingError(f"the training record {workspace.mlflow}: {error}") from error
