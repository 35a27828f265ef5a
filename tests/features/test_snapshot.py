"""The packed features of all members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoding import Encoding
from features.snapshot import Snapshot, SnapshotError
from tests.features.given import AS_OF

IDS = np.array([name.encode() for name in ("anna", "ben", "zoë")], dtype=np.bytes_)
VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)
SNAPSHOT = Snapshot(AS_OF, Encoding(("a", "b"), {}), IDS, VALUES)


def test_finds_members_and_says_who_is_unknown() -> None:
    assert SNAPSHOT.rows(["zoë", "anna", "nobody", "zzz", ""]).tolist() == [2, 0, -1, -1, -1]


def test_an_unknown_member_has_nothing_but_missing_values() -> None:
    taken = SNAPSHOT.take(SNAPSHOT.rows(["ben", "nobody"]))
    np.testing.assert_array_equal(taken, [[2, 3], [np.nan, np.nan]])


def test_an_empty_snapshot_knows_nobody() -> None:
    empty = Snapshot(AS_OF, SNAPSHOT.encoding, IDS[:0], VALUES[:0])
    assert empty.rows(["anna"]).tolist() == [-1]


def test_a_snapshot_survives_saving(tmp_path: Path) -> None:
    SNAPSHOT.save(tmp_path / "snapshot")
    loaded = Snapshot.load(tmp_path / "snapshot")
    assert loaded.as_of == AS_OF
    assert isinstance(loaded.values, np.memmap)
    np.testing.assert_array_equal(loaded.values, VALUES)
    assert loaded.rows(["ben"]).tolist() == [1]


def test_values_must_fit_members_and_features() -> None:
    with pytest.raises(SnapshotError, match=r"values are \(3, 1\), wanted \(3, 2\)"):
        Snapshot(AS_OF, SNAPSHOT.encoding, IDS, VALUES[:, :1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    SNAPSHOT.save(tmp_path)
    (tmp_path / "values.npy").unlink()
    with pytest.raises(SnapshotError, match="does not read as a snapshot"):
        Snapshot.load(tmp_path)
