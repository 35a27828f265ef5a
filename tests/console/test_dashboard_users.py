"""``pushwise users``: who may look at the dashboard."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from console.main import application

PASSWORD = "a long enough password"


def pushwise(workspace: Path, *words: str, line: str = "") -> Result:
    command = ["users", *words, "--workspace", str(workspace)]
    return CliRunner().invoke(application(), command, input=line)


def test_a_user_is_added_with_a_line_of_stdin_changed_and_listed(tmp_path: Path) -> None:
    assert pushwise(tmp_path, "list", "--json").stdout == "[]\n"
    added = pushwise(tmp_path, "add", "anna", "--role", "editor", line=f"{PASSWORD}\n")
    assert added.stdout == "anna may log in as editor\n"
    assert pushwise(tmp_path, "set", "anna", "--role", "viewer").stdout == (
        "anna may log in as viewer\n"
    )
    assert pushwise(tmp_path, "set", "anna", "--disable").stdout == "anna may not log in any more\n"
    found = json.loads(pushwise(tmp_path, "list", "--json").stdout)
    assert [(one["name"], one["role"], one["disabled_at"] is None) for one in found] == [
        ("anna", "viewer", False)
    ]
    assert "password" not in found[0]


def test_what_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    short = pushwise(tmp_path, "add", "anna", line="short\n")
    assert (short.exit_code, short.stderr.count("\n")) == (1, 1)
    assert "wanted 12 to 200" in short.stderr
    unknown = pushwise(tmp_path, "set", "nobody", "--role", "editor")
    assert "no user 'nobody'" in unknown.stderr
