"""``pushwise release``: build, publish, roll back and list what the scorer serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.moments import as_of_moment
from console.policy import standing_policy
from console.progress import bars
from console.push_file import PushFile, read_push
from console.scorer_log import planned
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_settings, load_workspace
from features.progress import Progress
from features.workspace import one_at_a_time

if TYPE_CHECKING:
    from features.workspace import Workspace

app = typer.Typer(name="release", help="What the scorer serves.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Built:
    """One sealed release. models: name to registered version."""

    release_id: str
    folder: Path
    as_of: datetime
    members: int
    pushes: tuple[str, ...]
    models: dict[str, str]
    evidence: str


def build_release(
    workspace: Workspace, as_of: datetime, pushes: Sequence[PushFile], progress: Progress
) -> Built:
    """Assemble, rehearse, pin golden answers, sign; the folder appears only when all is done.

    Builds of one workspace wait in line, so that each gets an id of its own.
    """
    with one_at_a_time(workspace.releases / ".lock"):
        return _build(workspace, as_of, pushes, progress)


def _build(
    workspace: Workspace, as_of: datetime, pushes: Sequence[PushFile], progress: Progress
) -> Built:
    from models.keys import trainer_key
    from serving.release import golden, seal
    from training.release import Contents, assemble

    settings, put = load_settings(), planned(workspace, as_of)
    contents = Contents(
        as_of,
        standing_policy(workspace, settings),
        (*put.pushes, *(one.push for one in pushes)),
        (*put.offers, *(offer for one in pushes for offer in one.offers)),
        settings.prior.log_odds,
    )
    release_id = _free_id(workspace, as_of)
    draft = workspace.releases / f".{release_id}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        made = assemble(workspace, contents, draft, progress)
        answers = json.dumps(golden(draft, made.golden), indent=1)
        (draft / "golden.json").write_text(answers, encoding="utf-8")
        seal(draft, release_id, as_of, made.models, trainer_key(workspace.keys))
        folder = draft.rename(workspace.releases / release_id)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    versions = {name: tracked.version for name, tracked in made.models.items()}
    return Built(release_id, folder, as_of, made.members, made.pushes, versions, made.evidence)


def publish_release(workspace: Workspace, release_id: str) -> None:
    """Point the scorer at ``release_id``."""
    from models.keys import PUBLIC, trusted_keys
    from serving.pointer import publish

    publish(workspace.releases, release_id, trusted_keys(workspace.keys / PUBLIC))


def _free_id(workspace: Workspace, as_of: datetime) -> str:
    number = 1
    while (workspace.releases / f"{as_of:%Y-%m-%d}.{number}").exists():
        number += 1
    return f"{as_of:%Y-%m-%d}.{number}"


@app.command("build")
def build(
    as_of: Annotated[
        str | None,
        typer.Option(help="Show members as known then (ISO 8601); else at the newest event's day."),
    ] = None,
    push: Annotated[
        list[Path] | None, typer.Option(help="A push in a TOML file, beside those ingested.")
    ] = None,
    and_publish: Annotated[
        bool, typer.Option("--publish", help="Publish it once it is built.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Make a release of the champion models, with a snapshot of every member."""
    opened = load_workspace(workspace)
    files = [read_push(path) for path in push or []]
    with bars() as progress:
        built = build_release(opened, as_of_moment(opened, as_of), files, progress)
    if and_publish:
        publish_release(opened, built.release_id)
    if as_json:
        typer.echo(json.dumps({**asdict(built), "published": and_publish}, default=str))
        return
    typer.echo(f"release {built.release_id}: {built.members} members as of {built.as_of}")
    typer.echo(f"  pushes: {', '.join(built.pushes)}")
    models = ", ".join(f"{name} v{version}" for name, version in built.models.items())
    typer.echo(f"  models: {models}; estimates of effects are {built.evidence}")
    typer.echo(f"  {'published' if and_publish else 'not published'}: {built.folder}")


@app.command("publish")
def publish_command(
    release_id: Annotated[str, typer.Argument(help="As `pushwise release list` shows it.")],
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Point the scorer at a release; a running scorer takes it over within a second."""
    publish_release(load_workspace(workspace), release_id)
    typer.echo(json.dumps({"published": release_id}) if as_json else f"published {release_id}")


@app.command("rollback")
def rollback_command(workspace: WorkspaceOption = WORKSPACE, as_json: AsJson = False) -> None:
    """Point the scorer at the release that was published before."""
    from models.keys import PUBLIC, trusted_keys
    from serving.pointer import rollback

    opened = load_workspace(workspace)
    release_id = rollback(opened.releases, trusted_keys(opened.keys / PUBLIC))
    typer.echo(json.dumps({"published": release_id}) if as_json else f"back to {release_id}")


@app.command("list")
def list_command(workspace: WorkspaceOption = WORKSPACE, as_json: AsJson = False) -> None:
    """Show the releases, oldest first; the published one is marked."""
    from serving.pointer import listed

    found = listed(load_workspace(workspace).releases)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        mark = "*" if one.current else " "
        typer.echo(f"{mark} {one.release_id}  as of {one.as_of}  built {one.created_at}")
    if not found:
        typer.echo("no release yet; make one with `pushwise release build`")
