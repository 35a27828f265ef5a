"""``pushwise features follow|fresh|canary``: features of today, without waiting for a build."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from features.fresh_reader import Fresh, FreshReader

CANARY = "pushwise-canary"


def register(features: typer.Typer) -> None:
    """Add the commands to ``pushwise features``."""
    features.command("follow")(follow)
    features.command("fresh")(fresh)
    features.command("canary")(canary)


def follow(
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="End when this process is not the parent.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Bring what the scorer takes in into the online store, until stopped."""
    from serving.database import Database
    from serving.follow import follow_workspace  # heavy imports wait until the command runs
    from serving.telemetry import log_to_stderr

    log_to_stderr()
    opened = load_workspace(workspace)
    stopped = threading.Event()
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: stopped.set())

    def wait(seconds: float) -> bool:
        return stopped.wait(seconds) or (parent is not None and os.getppid() != parent)

    log = str(Database.of(opened))
    follow_workspace(opened, wait, lambda: typer.echo(json.dumps({"following": log})))


def fresh(
    member: Annotated[str, typer.Argument(help="The member's id.")],
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Show what is fresh of a member, each value with its age."""
    from features.store.fresh import online_fresh

    with online_fresh(load_workspace(workspace)) as reader:
        found = reader.read([member], datetime.now(UTC))[member]
    if as_json:
        typer.echo(json.dumps(_document(member, found)))
        return
    behind = "never heard of" if found.behind is None else f"{found.behind:.1f} s behind"
    typer.echo(f"{member} (follower {behind})")
    for name, value in found.values.items():
        told = "-" if value is None else f"{_plain(value.value)}  ({value.age:.1f} s old)"
        typer.echo(f"  {name}: {told}")


def canary(
    url: Annotated[str, typer.Option(help="The scorer, such as http://127.0.0.1:8787.")],
    key: Annotated[
        str, typer.Option(envvar="PUSHWISE_KEY", help="An API key with the scope events:write.")
    ] = "",
    member: Annotated[
        str, typer.Option(help="Whose event it is; known to the features from then on.")
    ] = CANARY,
    within: Annotated[float, typer.Option(min=0, help="Seconds it may take.")] = 5.0,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Post an event and wait until the online store shows it; status 1 where it does not."""
    from features.store.fresh import online_fresh

    with online_fresh(load_workspace(workspace)) as reader:
        delay = posted_until_seen(url, key, member, within, reader)
    if as_json:
        document = {"member_id": member, "delay_seconds": delay, "within_seconds": within}
        typer.echo(json.dumps(document))
    elif delay is not None:
        typer.echo(f"the event was in the online store after {delay:.3f} s")
    if delay is None:
        typer.echo(
            f"error: the event was not in the online store within {within:g} s; "
            "see that `pushwise features follow` runs for this workspace",
            err=True,
        )
        raise typer.Exit(1)


def posted_until_seen(
    url: str, key: str, member: str, within: float, reader: FreshReader
) -> float | None:
    """Seconds from the scorer's acknowledgement of an event of ``member`` until ``reader`` shows
    it; None if it does not within so many seconds."""
    at = _post_event(url, key, member)
    acknowledged = time.monotonic()
    while True:
        seen = reader.read([member], datetime.now(UTC))[member].values["last_seen"]
        waited = time.monotonic() - acknowledged
        if seen is not None and seen.at >= at:
            return waited
        if waited > within:
            return None
        time.sleep(0.01)


def _post_event(url: str, key: str, member: str) -> datetime:
    """Have the scorer take an event of now; its moment. Raises ``ScorerError``."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from serving.scorer_error import ScorerError

    if not url.startswith(("http://", "https://")):
        raise ScorerError(f"{url!r} is no address of a scorer; wanted http://HOST:PORT")
    at = datetime.now(UTC)
    event = {"event_id": f"canary-{uuid4().hex}", "member_id": member, "type": "app_open",
             "occurred_at": at.isoformat()}  # fmt: skip
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({"events": [event]}).encode()
    request = Request(f"{url.rstrip('/')}/v1/events", body, headers)  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=10) as response:  # noqa: S310 - as above
            taken = json.load(response)
    except HTTPError as error:
        raise ScorerError(f"{url} refused the event: {error.code} {error.reason}") from error
    except URLError as error:
        raise ScorerError(f"{url} does not answer ({error.reason}); is the scorer up?") from error
    if taken["accepted"] != 1:
        raise ScorerError(f"{url} did not take the event: {json.dumps(taken['rejected'])}")
    return at


def _document(member: str, found: Fresh) -> dict[str, object]:
    values = {
        name: None
        if value is None
        else {
            "value": _plain(value.value),
            "at": value.at.isoformat(),
            "age_seconds": round(value.age, 6),
        }
        for name, value in found.values.items()
    }
    return {"member_id": member, "behind_seconds": found.behind, "values": values}


def _plain(value: datetime | str | float) -> str | float:
    return value.isoformat() if isinstance(value, datetime) else value
