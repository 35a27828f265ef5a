"""What waits is carried out beside the scorer, and goes on waiting where it cannot be."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from features.workspace import Workspace
from serving.audience_worker import job_command
from serving.command_worker import Chore, CommandWorker, erase_command, evaluate_command
from serving.erasures import Erasures
from serving.follower_process import follow_command
from serving.log import Log
from serving.readout_process import results_command
from serving.settings import Settings

_FINISH = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from serving.erasures import Erasures
from serving.log import Log
with Log(Path(sys.argv[1])) as log:
    erasures = Erasures(log)
    for one in erasures.pending():
        erasures.finish(one.erasure_id, {}, datetime.now(UTC))
"""


def soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def test_what_waits_is_carried_out_without_being_asked(log: Log, tmp_path: Path) -> None:
    erasures = Erasures(log)
    asked = erasures.ask(["m1"], datetime.now(UTC))
    command = [sys.executable, "-c", _FINISH, str(tmp_path / "log.db")]
    worker = CommandWorker(Chore("erasures", erasures.wait, command), {})
    try:
        assert soon(lambda: erasures.find(asked.erasure_id).state == "done")
    finally:
        worker.stop()


def test_a_failure_leaves_the_erasure_waiting(log: Log, tmp_path: Path) -> None:
    erasures = Erasures(log)
    erasures.ask(["m1"], datetime.now(UTC))
    met = tmp_path / "met"
    code = f"import pathlib; pathlib.Path({str(met)!r}).touch(); raise SystemExit(1)"
    worker = CommandWorker(Chore("erasures", erasures.wait, [sys.executable, "-c", code]), {})
    try:
        assert soon(met.exists)
    finally:
        worker.stop()
    assert len(erasures.pending()) == 1


def test_the_commands_name_nobody() -> None:
    assert erase_command("/w")[4:] == ["members", "erase", "--pending", "--workspace", "/w"]
    assert evaluate_command("/w")[4:] == ["evaluate", "pending", "--workspace", "/w"]


def test_no_command_beside_a_scorer_imports_from_the_current_folder(tmp_path: Path) -> None:
    settings = Settings(Workspace(tmp_path), "127.0.0.1", 0)
    commands = (
        erase_command("/w"), evaluate_command("/w"), results_command("/w"),
        follow_command("/w", 1), job_command(settings, None),
    )  # fmt: skip
    assert {command[1] for command in commands} == {"-P"}
