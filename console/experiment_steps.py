"""``pushwise experiment list|show|start|stop|shares|delete|promote|audit``: draft to decision."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from console.experiment_book import WorkspaceReleases, change, opened_book
from console.experiment_file import named_shares
from console.experiment_shown import show, show_all
from console.experiment_trail import show_trail
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption
from experiments.errors import ExperimentError
from features.errors import FeatureError

if TYPE_CHECKING:
    from features.workspace import Workspace
    from serving.experiment_entry import Entry
    from serving.lifecycle import Reading
    from serving.release import Release


class Wanted(Enum):
    """How far an experiment is."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    DECIDED = "decided"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `experiment list` shows it.")]
WhyOption = Annotated[str, typer.Option(help="Kept in the audit trail.")]
_MOST = 1_000_000  # experiments, and changes of one


def list_experiments(
    state: Annotated[Wanted | None, typer.Option(help="Only those; else all.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the experiments, by id."""
    with opened_book(workspace, database) as opened:
        found = opened.book.page("", _MOST)
    show_all([one for one in found if state is None or one.state == state.value], as_json)


def show_experiment(
    experiment_id: IdArgument,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what was declared, and how far it is."""
    with opened_book(workspace, database) as opened:
        show(opened.book.find(experiment_id), as_json)


def start(
    experiment_id: IdArgument,
    why: WhyOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a draft decide from now on; scorers follow once its releases are loaded."""
    from serving.lifecycle import start as started

    with opened_book(workspace, database) as opened:
        releases = WorkspaceReleases.of(opened.workspace)
        in_use = _in_use(opened.workspace)
        if in_use is not None:
            for arm in opened.book.find(experiment_id).declared.arms:
                if arm.rule:
                    in_use.check_rule(arm.rule)  # its refusal says where the rule fails
        show(started(opened.book, experiment_id, change(why), releases, in_use), as_json)


def _in_use(workspace: Workspace) -> Release | None:
    """The published release; None where none is: then nobody asks for decisions yet."""
    from console.plan import published_release
    from serving.pointer import current

    return None if current(workspace.releases) is None else published_release(workspace)


def stop(
    experiment_id: IdArgument,
    why: WhyOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Assign nobody any more; outcomes of those who were in it still count."""
    with opened_book(workspace, database) as opened:
        show(opened.book.stop(experiment_id, change(why)), as_json)


def delete(
    experiment_id: IdArgument,
    why: WhyOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Delete a draft; its trail stays."""
    with opened_book(workspace, database) as opened:
        opened.book.discard(experiment_id, change(why))
    typer.echo(json.dumps({"deleted": experiment_id}) if as_json else f"deleted {experiment_id}")


def shares(
    experiment_id: IdArgument,
    share: Annotated[list[str], typer.Argument(metavar="ARM=SHARE...", help="Of every arm.")],
    why: WhyOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Give the arms other shares while it runs; who was in it stays in their arm."""
    wanted = named_shares(share)
    with opened_book(workspace, database) as opened:
        show(opened.book.share(experiment_id, wanted, change(why)), as_json)


def promote(
    experiment_id: IdArgument,
    arm: Annotated[str, typer.Option(help="The arm that goes on.")],
    why: WhyOption = "",
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Also where the verdict does not allow it; wants --why."),
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Decide a stopped experiment by the readout's verdict; a release that wins is published."""
    from serving.lifecycle import Promotion
    from serving.lifecycle import promote as decide

    def read(entry: Entry) -> Reading:
        return _reading(opened.workspace, entry)

    with opened_book(workspace, database) as opened:
        releases = WorkspaceReleases.of(opened.workspace)
        wanted = Promotion(experiment_id, arm, anyway)
        show(decide(opened.book, wanted, change(why), read, releases), as_json)


def _reading(workspace: Workspace, entry: Entry) -> Reading:
    from console.experiment_results import results_of
    from serving.lifecycle import Reading

    try:
        found = results_of(workspace, entry.experiment_id)
    except (ExperimentError, FeatureError) as error:
        return Reading.none(str(error))
    return Reading.of(found.readout)  # stopped: the last look has come


def audit(
    experiment_id: IdArgument,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when and why, oldest first."""
    with opened_book(workspace, database) as opened:
        trail = opened.book.audit(experiment_id, 0, _MOST)
        if not trail:  # what was deleted has one still
            opened.book.find(experiment_id)
        show_trail(trail, opened.labels(), as_json)
