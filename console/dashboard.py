"""``pushwise dashboard`` and ``pushwise users``: the pages, and who may look at them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from dashboard.web.users import Users

RoleName = Literal["viewer", "editor", "publisher"]
RoleOption = Annotated[
    RoleName,
    typer.Option(
        help="viewer looks; editor plans, downloads and starts experiments; publisher decides what "
        "members get, and forgets them."
    ),
]
FromStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin",
        help="Read the password from stdin, a line; asked for at a terminal otherwise.",
    ),
]

users = typer.Typer(name="users", help="Who may look at the dashboard.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add ``dashboard`` and ``users`` to the command line."""
    app.command("dashboard")(dashboard)
    app.add_typer(users)


def dashboard(
    host: Annotated[str, typer.Option(envvar="PUSHWISE_DASHBOARD_HOST")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar="PUSHWISE_DASHBOARD_PORT", min=0, max=65535, help="0 takes any free one."
        ),
    ] = 8788,
    trust: Annotated[
        Path | None,
        typer.Option(
            envvar="PUSHWISE_TRUST",
            help="PEM file of the key that signs releases; else the workspace's own.",
        ),
    ] = None,
    insecure_dev: Annotated[
        bool,
        typer.Option("--insecure-dev", help="Nobody logs in, everybody may all; loopback only."),
    ] = False,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure-cookies", envvar="PUSHWISE_SECURE_COOKIES",
            help="Cookies go over TLS alone; for a dashboard behind a proxy with TLS.",
        ),
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show pushes, members, experiments, models and data as pages, until stopped."""
    from dashboard.web.server import serve
    from models.trees import import_lightgbm
    from serving.settings import Settings
    from serving.telemetry import log_to_stderr

    import_lightgbm()  # in this process nobody trains
    log_to_stderr()
    opened = load_workspace(workspace, database)
    settings = Settings(opened, host, port, trust=trust, insecure_dev=insecure_dev)
    serve(settings, lambda address: typer.echo(json.dumps({"listening": address})), secure=secure)


@users.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the user logs in with.")],
    role: RoleOption = "viewer",
    password_stdin: FromStdin = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
) -> None:
    """Let somebody look at the dashboard."""
    password = _password(password_stdin)
    with _users(workspace, database) as stored:
        stored.add(name, role, password, datetime.now(UTC))
    typer.echo(f"{name} may log in as {role}")


@users.command("set")
def change(
    name: Annotated[str, typer.Argument(help="As `pushwise users list` shows it.")],
    role: Annotated[RoleName | None, typer.Option(help="What the user may do from now on.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for another password.")] = False,
    password_stdin: FromStdin = False,
    disabled: Annotated[
        bool | None,
        typer.Option(
            "--disable/--enable", help="Log the user out, and let nobody in by that name."
        ),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
) -> None:
    """Change what a user may do, or the password."""
    given = _password(password_stdin) if password or password_stdin else None
    with _users(workspace, database) as stored:
        now = datetime.now(UTC)
        found = stored.change(name, now, role=role, password=given, disabled=disabled)
    may = "may not log in any more" if found.disabled_at else f"may log in as {found.role}"
    typer.echo(f"{name} {may}")


@users.command("list")
def list_users(
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the users, without their passwords."""
    with _users(workspace, database) as stored:
        found = stored.all()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], default=str))
        return
    for one in found:
        typer.echo(f"{one.name}  {one.role}{'  disabled' if one.disabled_at else ''}")


def _password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    prompted: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return prompted


@contextmanager
def _users(workspace: Path, database: str | None) -> Iterator[Users]:
    from dashboard.web.users import Users
    from serving.log import Log

    with Log.of(load_workspace(workspace, database)) as log:
        yield Users(log)
