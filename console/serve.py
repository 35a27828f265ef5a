"""``pushwise serve`` and ``pushwise keys``: the scorer and who may call it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from features.workspace import Workspace
    from serving.auth import ApiKey, Keys

Environment = Annotated[
    str,
    typer.Option(
        "--env", envvar="PUSHWISE_ENV", help="Keys of one environment open no scorer of another."
    ),
]

keys = typer.Typer(name="keys", help="API keys of the scorer.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add ``serve`` and ``keys`` to the command line."""
    app.command("serve")(serve)
    app.add_typer(keys)


def serve(
    host: Annotated[str, typer.Option(envvar="PUSHWISE_HOST")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="PUSHWISE_PORT", min=0, max=65535, help="0 takes any free one.")
    ] = 8787,
    release: Annotated[
        Path | None,
        typer.Option(
            envvar="PUSHWISE_RELEASE", help="Serve this folder; else the published release."
        ),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            envvar="PUSHWISE_TRUST",
            help="PEM file of the key that signs releases; else the workspace's own.",
        ),
    ] = None,
    insecure_dev: Annotated[
        bool, typer.Option("--insecure-dev", help="Ask for no API key; loopback only.")
    ] = False,
    vector_sample: Annotated[
        float,
        typer.Option(
            envvar="PUSHWISE_VECTOR_SAMPLE",
            min=0,
            max=1,
            help="Share of the decisions whose feature vector is logged for `features check`.",
        ),
    ] = 0.01,
    deadline_ms: Annotated[
        int,
        typer.Option(
            envvar="PUSHWISE_DEADLINE_MS",
            min=1,
            max=60_000,
            help="Milliseconds within which a call for decisions is answered, if it says no other.",
        ),
    ] = 100,
    fresh: Annotated[
        bool,
        typer.Option(
            envvar="PUSHWISE_FRESH",
            help="Bring what comes in into the online store, and decide with what is in it "
            "(needs the features extra).",
        ),
    ] = True,
    dashboard: Annotated[
        bool,
        typer.Option(
            "--dashboard", envvar="PUSHWISE_DASHBOARD",
            help="Show the dashboard too, at /dashboard; it shares the scorer's processor.",
        ),
    ] = False,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure-cookies", envvar="PUSHWISE_SECURE_COOKIES",
            help="Cookies of the dashboard go over TLS alone.",
        ),
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    env: Environment = "live",
) -> None:  # fmt: skip
    """Answer decisions over HTTP until stopped."""
    from models.trees import import_lightgbm
    from serving.server import serve as run
    from serving.settings import Settings
    from serving.telemetry import log_to_stderr

    import_lightgbm()  # in this process nobody trains
    log_to_stderr()
    opened = load_workspace(workspace, database)
    settings = Settings(
        opened, host, port, release, trust, env, insecure_dev, vector_sample, deadline_ms / 1000,
        fresh,
    )  # fmt: skip
    with _following(opened, wanted=fresh) as start_follower:

        def listening(address: str) -> None:
            typer.echo(json.dumps({"listening": address}))
            start_follower()

        if not dashboard:
            run(settings, listening)
            return
        from dashboard.web.server import mounted

        with mounted(settings, secure=secure) as around:
            run(settings, listening, around)


@contextmanager
def _following(workspace: Workspace, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """What starts the follower beside the scorer; at the end it is stopped."""
    import structlog

    from serving.database import child_environment
    from serving.follower_process import FollowerProcess, can_follow, follow_command

    if not wanted or not can_follow():
        if wanted:
            log = structlog.get_logger("pushwise.fresh")
            log.info("no fresh features", why="the features extra is not installed")
        yield lambda: None
        return
    command = follow_command(str(workspace.root), os.getpid())
    follower = FollowerProcess(command, environment=child_environment(workspace))
    try:
        yield follower.start
    finally:
        follower.stop()


@keys.command("create")
def create(
    scope: Annotated[
        list[str],
        typer.Option(
            help="decide, events:write, outcomes:write, catalog:write, audience:export, "
            "experiments, experiments:read, publish, erase or admin; may be given several times."
        ),
    ],
    label: Annotated[str, typer.Option(help="Who uses it.")] = "",
    expires_days: Annotated[
        float | None, typer.Option(min=0, help="Days until it expires; else never.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Calls a second that each worker answers it, however many members they ask for; "
            "else any number."
        ),
    ] = None,
    burst: Annotated[
        int | None, typer.Option(help="Calls at once after a pause; twice the rate unless given.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    env: Environment = "live",
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: this is the only time that it can be seen."""
    from serving.auth import NewKey

    now = datetime.now(UTC)
    expires_at = None if expires_days is None else now + timedelta(days=expires_days)
    with _stored_keys(workspace, database) as stored:
        key = stored.create(NewKey(env, tuple(scope), label, expires_at, rate, burst), now)
    typer.echo(json.dumps({"key": key}) if as_json else key)


@keys.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(help="As `pushwise keys list` shows it.")],
    overlap_hours: Annotated[
        float, typer.Option(min=0, help="Hours for which the old key still opens.")
    ] = 24.0,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Make the key that follows one and print it; the old one expires after the overlap.

    It has the same scopes, label, rate and lifetime. Two keys of one line may be active, not more.
    """
    with _stored_keys(workspace, database) as stored:
        key = stored.rotate(key_id, datetime.now(UTC), timedelta(hours=overlap_hours))
    typer.echo(json.dumps({"key": key}) if as_json else key)


@keys.command("list")
def list_keys(
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the keys, without their secrets."""
    with _stored_keys(workspace, database) as stored:
        found = stored.all()
    if as_json:
        typer.echo(json.dumps([asdict(key) for key in found], default=str))
        return
    now = datetime.now(UTC)
    for key in found:
        scopes = ",".join(key.scopes)
        rate = "" if key.rate is None else f"  {key.rate:g}/s"
        state = _state(key, now)
        typer.echo(f"{key.key_id}  {key.environment}  {state}  {scopes}{rate}  {key.label}")


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `pushwise keys list` shows it.")],
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
) -> None:
    """Shut a key out for good; a running scorer does so within a second."""
    with _stored_keys(workspace, database) as stored:
        stored.revoke(key_id, datetime.now(UTC))


def _state(key: ApiKey, at: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "active"
    return f"{'active until' if key.active(at) else 'expired'} {key.expires_at:%Y-%m-%d}"


@contextmanager
def _stored_keys(workspace: Path, database: str | None) -> Iterator[Keys]:
    from serving.auth import Keys
    from serving.log import Log

    with Log.of(load_workspace(workspace, database)) as log:
        yield Keys(log)
