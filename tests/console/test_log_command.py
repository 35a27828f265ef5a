"""Where the log is by the settings, and the commands over its tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from console.settings import load_workspace
from features.workspace import Workspace
from serving.database import Database, LogError, child_environment
from serving.log import Log

SECRET = "hunter2"
URL = f"postgresql://scorer:{SECRET}@db.example:5433/push?sslmode=require"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pushwise(*words: str) -> Result:
    return CliRunner().invoke(application(), list(words))


def test_the_log_is_a_file_of_the_workspace_unless_a_setting_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(database: str | None = None) -> str:
        return str(Database.of(load_workspace(tmp_path, database)))

    assert place() == str(tmp_path / "serving" / "log.db")
    Path("pushwise.toml").write_text(f'database_url = "{URL}"\n')
    assert place() == "postgresql://db.example:5433/push"
    monkeypatch.setenv("PUSHWISE_DATABASE_URL", "postgres://other/push")
    assert place() == "postgresql://other/push"
    assert place("sqlite:///here.db") == "here.db"


def test_no_text_of_it_shows_the_password() -> None:
    workspace = Workspace(Path(), database_url=URL)
    database = Database.of(workspace)
    assert SECRET not in f"{workspace!r} {database!s} {database!r} {database.url!r}"
    assert child_environment(workspace) == {"PUSHWISE_DATABASE_URL": URL}


@pytest.mark.parametrize(
    "url", [f"mysql://scorer:{SECRET}@db/push", SECRET, "sqlite://", "sqlite:///:memory:",
            f"postgresql://scorer:{SECRET}@db:port/push", f"postgresql+asyncpg://{SECRET}@db/x"]
)  # fmt: skip
def test_a_url_of_something_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(LogError, match="wanted postgresql://USER@HOST/DATABASE or") as raised:
        Database.named(url)
    assert SECRET not in str(raised.value)
    result = pushwise("log", "status", "--database", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: the database URL does not read")
    assert SECRET not in result.stderr


def test_a_log_is_made_by_its_first_use_or_by_the_command(tmp_path: Path) -> None:
    found = pushwise("log", "status", "--workspace", str(tmp_path), "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout) == {
        "database": str(tmp_path / "serving" / "log.db"), "revision": None, "wanted": "0005",
        "synced": True, "current": False,
    }  # fmt: skip
    done = pushwise("log", "migrate", "--workspace", str(tmp_path))
    assert done.stdout == f"{tmp_path / 'serving' / 'log.db'}: at revision 0005, a new log\n"
    assert pushwise("log", "status", "--workspace", str(tmp_path)).exit_code == 0
    Log.of(load_workspace(tmp_path)).close()


def test_an_old_log_waits_for_the_command(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "serving" / "old_logs" / "format_2.sql"
    path = tmp_path / "serving" / "log.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(old.read_text())
    refused = pushwise("keys", "list", "--workspace", str(tmp_path))
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"error: {path}: the log is at revision 0002, this scorer wants 0005; "
        "run `pushwise log migrate`\n"
    )
    done = json.loads(pushwise("log", "migrate", "--workspace", str(tmp_path), "--json").stdout)
    assert (done["before"], done["revision"]) == ("0002", "0005")
    assert Path(done["backup"]).exists()
    assert pushwise("keys", "list", "--workspace", str(tmp_path)).exit_code == 0
