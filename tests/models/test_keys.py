"""The trainer's key files."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.keys import KeyFileError, trainer_key, trusted_keys
from models.manifest import key_id


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = trainer_key(tmp_path / "keys")
    again = trainer_key(tmp_path / "keys")
    assert first.private_bytes_raw() == again.private_bytes_raw()
    assert (tmp_path / "keys" / "trainer.pem").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "trainer.pem",
        "trainer.pub.pem",
    ]


def test_the_public_file_is_what_a_scorer_trusts(tmp_path: Path) -> None:
    key = trainer_key(tmp_path).public_key()
    trusted = trusted_keys(tmp_path / "trainer.pub.pem")
    assert list(trusted) == [key_id(key)]
    assert trusted[key_id(key)].public_bytes_raw() == key.public_bytes_raw()


def test_wrong_key_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot read the trusted public key"):
        trusted_keys(tmp_path / "nothing.pem")
    trainer_key(tmp_path)
    with pytest.raises(KeyFileError, match="not an Ed25519 public key"):
        trusted_keys(tmp_path / "trainer.pem")
    (tmp_path / "trainer.pem").write_text("nonsense")
    with pytest.raises(KeyFileError, match="not an Ed25519 private key"):
        trainer_key(tmp_path)
