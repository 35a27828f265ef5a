"""The workspace: a folder that remembers how its client's data are to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.contract import ContractError
from features.workspace import (
    Conventions,
    Workspace,
    open_workspace,
    remember,
    write_atomically,
)


def test_opening_touches_no_disk(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "new")
    assert workspace.conventions == Conventions()
    assert not workspace.root.exists()


def test_remembered_conventions_come_back(tmp_path: Path) -> None:
    conventions = Conventions({"income": "number"}, True, 0.25)
    remember(Workspace(tmp_path, conventions))
    assert open_workspace(tmp_path).conventions == conventions
    assert open_workspace(tmp_path).table("members").column("income").kind == "number"


@pytest.mark.parametrize("content", ["{", "[]", '{"colour": 1}'])
def test_conventions_that_do_not_read_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "conventions.json").write_text(content)
    with pytest.raises(ContractError, match="conventions"):
        open_workspace(tmp_path)


def test_a_margin_rate_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ContractError, match="default_margin_rate is 30, wanted 0 to 1"):
        Conventions(default_margin_rate=30)


def test_an_unsubscription_rate_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ContractError, match="default_unsubscribe_rate is -1, wanted 0 to 1"):
        Conventions(default_unsubscribe_rate=-1)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "pointer"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")  # type: ignore[arg-type]  # that is what fails
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["pointer"]


def test_what_is_no_secret_can_be_read_by_others_and_a_secret_cannot(tmp_path: Path) -> None:
    write_atomically(tmp_path / "open", b"x")
    write_atomically(tmp_path / "salt", b"x", secret=True)
    (tmp_path / "plain").write_bytes(b"x")
    mode = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert mode["open"] == mode["plain"]
    assert mode["salt"] == 0o600
