"""The commands around the scorer: its keys, and what a wrong call is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application


def pushwise(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(application(), [*arguments, "--workspace", str(workspace)])


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    def command(*words: str) -> str:
        done = pushwise(tmp_path, "keys", *words)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    key = command("create", "--scope", "decide", "--scope", "events:write", "--label", "engine")
    key_id = key.split("_")[2]
    assert command("list") == f"{key_id}  live  active  decide,events:write  engine"
    command("revoke", key_id)
    (listed,) = json.loads(command("list", "--json"))
    assert listed["revoked_at"] is not None
    assert key.split("_")[3] not in json.dumps(listed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("keys", "create", "--scope", "all"), "no scope 'all'; scopes: decide"),
        (("keys", "revoke", "nobody"), "no key 'nobody'; `pushwise keys list` shows the ids"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    tmp_path: Path, call: tuple[str, ...], message: str
) -> None:
    result = pushwise(tmp_path, *call)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_scorer_that_cannot_start_says_so_in_one_line(tmp_path: Path) -> None:
    code = "from console.main import main; main()"  # of its own: it sets up the process's log
    call = [sys.executable, "-c", code, "serve", "--workspace", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: ")
    assert "cannot read the trusted public key" in done.stderr


def test_a_log_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "log.db").write_text("no database")
    result = pushwise(tmp_path, "keys", "list")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "the log cannot be opened for writing" in result.stderr
