"""Erasures carried out: everything a workspace holds of the members goes, place by place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.insights.prepared import forget_prepared, prepared_naming
from features.progress import Progress
from features.tombstones import erasure_key, mark, remember
from features.workspace import Workspace, one_at_a_time

if TYPE_CHECKING:
    from serving.erasures import Erasure
    from serving.log import Log

STAGE = "erasing"
LEFT = "left"
# By then other workers and the follower know of it, and running audience jobs have ended.
_SETTLED_SECONDS = 2.0
_STAGES = 9


def carry_out(workspace: Workspace, log: Log, erasure: Erasure, progress: Progress) -> Erasure:
    """Go through everything, then let go of the names; again after a crash, it goes on.

    Ingest, builds, releases and other erasures of the workspace wait their turn.

    Raises:
        FeatureError, TrainingError, ModelError, ScorerError: a place that could not be gone
            through; the erasure waits.
    """
    from serving.erasures import Erasures

    erasures = Erasures(log)
    with one_at_a_time(workspace.erased / ".working"):
        erasure = erasures.find(erasure.erasure_id)
        if erasure.state == "done":
            return erasure
        members = erasures.members(erasure.erasure_id)
        removed = dict(erasure.removed)
        for number, (place, counts) in enumerate(_places(workspace, log, members)):
            progress(f"{STAGE}: {place}", number + 1, _STAGES)
            for name, count in counts.items():
                removed[name] = count + removed[name] if name in removed else count
        erasures.let_go(erasure.erasure_id)
        _scrub_log(workspace, members)
        progress(STAGE, _STAGES, _STAGES)
        return erasures.finish(erasure.erasure_id, removed, datetime.now(UTC))


def _places(
    workspace: Workspace, log: Log, members: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One place after the other, each with what was removed there."""
    if not members:  # all was gone through before a crash
        return
    key = erasure_key(workspace.keys)
    remember(workspace, [mark(key, member) for member in members])
    yield "tables", _tables(workspace, members)
    yield "models", _models(workspace, members)
    yield "releases", _releases(workspace, log, members)
    yield "backups", {"log backups": _backups(workspace, members)}
    time.sleep(_SETTLED_SECONDS)
    yield "audiences", _audiences(workspace, log, members)
    yield "insights", {"insights": forget_prepared(workspace, members)}
    yield "online store", _online(workspace, members)
    yield "log", _log(log, members)


def _tables(workspace: Workspace, members: Collection[str]) -> dict[str, int]:
    folders = (workspace.tables, workspace.quarantine, workspace.features)
    if not any(folder.exists() for folder in folders):
        return {}  # a scorer without the data: it may not have what reads them either
    from features.forgetting.tables import forget_rows

    return forget_rows(workspace, members)


def _models(workspace: Workspace, members: Collection[str]) -> dict[str, int]:
    if not (workspace.mlflow / "artifacts").exists():
        return {}
    from training.forget import forget_in_models

    return {"models": forget_in_models(workspace, members, datetime.now(UTC))}


def _releases(workspace: Workspace, log: Log, members: Collection[str]) -> dict[str, Any]:
    from models.keys import PRIVATE, trainer_key
    from serving.audiences import Audiences
    from serving.redaction import redact

    key = trainer_key(workspace.keys) if (workspace.keys / PRIVATE).exists() else None
    with one_at_a_time(workspace.releases / ".lock"):
        done = redact(workspace.releases, members, key)
    Audiences(log).start_again(done.successors, datetime.now(UTC))
    left = [f"release {one}: until one is published that was built after this" for one in done.left]
    counts: dict[str, Any] = {"releases": len(done.successors) + len(done.removed)}
    return counts | ({LEFT: left} if left else {})


def _audiences(workspace: Workspace, log: Log, members: Collection[str]) -> dict[str, int]:
    """Files of audiences that hold one of the members go; asked for again, they are made anew."""
    from serving.audience_folder import names_any
    from serving.audiences import Audiences

    audiences, gone = Audiences(log), 0
    at_work = audiences.workers()
    for folder in sorted(workspace.audiences.iterdir()) if workspace.audiences.is_dir() else ():
        draft = folder.name.startswith(".")
        kept = folder.suffix[1:] in at_work if draft else not names_any(folder, members)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
            audiences.lost(folder.name, datetime.now(UTC))
            gone += 1
    return {"audiences": gone}


def _backups(workspace: Workspace, members: Collection[str]) -> int:
    """Copies of the log that a migration left: those that hold one of the members go."""
    from features.sqlite_scrub import holds

    needles, gone = [member.encode() for member in members], 0
    log = workspace.serving_log
    for path in sorted(log.parent.glob(f"{log.name}.*")) if log.parent.is_dir() else ():
        if holds(path, needles):
            path.unlink()
            gone += 1
    return gone


def _online(workspace: Workspace, members: Collection[str]) -> dict[str, int]:
    from features.fresh_state import forget_states

    removed = {"fresh states": forget_states(workspace.fresh_state, members)}
    if workspace.feast.exists() or workspace.redis_url is not None:
        from features.store.forget import forget_online

        removed["online store"] = forget_online(workspace, members)
    return removed


def _log(log: Log, members: Collection[str]) -> dict[str, int]:
    """What was written while not everybody knew; the rest left with the recording."""
    from serving import log_erasure

    found = log.write(lambda connection: log_erasure.forget(connection, sorted(members)))
    return {f"log/{name}": count for name, count in found.items()}


def _scrub_log(workspace: Workspace, members: Collection[str]) -> None:
    """No freed page and no write-ahead log of an SQLite file holds what its rows held."""
    from features.sqlite_scrub import scrub
    from serving.database import Database

    path = Database.of(workspace).path
    if path is not None:
        scrub(path, [member.encode() for member in members])


def everything_of(workspace: Workspace, log: Log, member: str) -> dict[str, Any]:
    """What the workspace holds of one member, by place, as JSON has it."""
    from serving.erasures import Erasures

    found: dict[str, Any] = {
        f"log/{name}": rows for name, rows in Erasures(log).held(member).items() if rows
    }
    folders = (workspace.tables, workspace.quarantine, workspace.features)
    if any(folder.exists() for folder in folders):
        from features.forgetting.quarantine import Named, quarantined_lines
        from features.forgetting.tables import member_rows

        found |= dict(member_rows(workspace, member))
        for place, line in quarantined_lines(workspace, Named.of([member])):
            found.setdefault(place, []).append(line.rstrip("\n"))
    found |= dict.fromkeys(prepared_naming(workspace, member), "names the member")
    found |= _fresh_of(workspace, member)
    return found


def _fresh_of(workspace: Workspace, member: str) -> dict[str, Any]:
    from features.fresh_state import FreshState

    if not workspace.fresh_state.exists():
        return {}
    with closing(FreshState(workspace.fresh_state)) as state:
        known = state.members([member])
    return {"feast/fresh": str(known[member])} if member in known else {}


def read_ids(path: Path) -> list[str]:
    """Member ids of a file, one a line; empty lines are left out."""
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
