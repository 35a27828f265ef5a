"""A finished audience on disk: its files, and where each member's rows lie in them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Ask
from decisions.exploration import NO_SEND
from decisions.frontier import Frontier
from decisions.plan import Plan
from serving.audience_file import write_audience
from serving.errors import AudienceGone

_CHUNK = 1 << 24  # bytes read together
_FRONTIER = "frontier.json"
LINES = ("csv", "ndjson")  # formats of which every row is some bytes of the file


@dataclass(frozen=True, eq=False)
class AudienceFolder:
    """n members, by rank.

    ids: (n,) UTF-8. channels: names; mask: (n,) bit c is set where a row of the member is by
    channel c. starts: by format, (n + 1,) where each member's rows begin in the file, and its end.
    """

    path: Path
    ids: NDArray[np.bytes_]
    channels: tuple[str, ...]
    mask: NDArray[np.uint64]
    starts: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.ids)

    def file(self, kind: str) -> Path:
        return self.path / f"members.{kind}"

    def frontier(self) -> dict[str, Any]:
        """What more or less money would bring; raises ``AudienceGone`` where it is gone."""
        try:
            text = (self.path / _FRONTIER).read_text(encoding="utf-8")
        except OSError as error:
            raise AudienceGone from error
        found: dict[str, Any] = json.loads(text)
        return found

    @classmethod
    def open(cls, path: Path) -> AudienceFolder:
        """Raises ``AudienceGone`` where it is no longer there."""
        try:
            return cls(
                path,
                _mapped(path / "ids.npy"),
                tuple(json.loads((path / "channels.json").read_text(encoding="utf-8"))),
                _mapped(path / "mask.npy"),
                {kind: _mapped(path / f"{kind}_starts.npy") for kind in LINES},
            )
        except (OSError, ValueError) as error:
            raise AudienceGone from error


def names_any(path: Path, members: Collection[str]) -> bool:
    """Whether one of ``members`` is in the audience at ``path``; also where that cannot be told."""
    try:
        ids = _mapped(path / "ids.npy")
    except (OSError, ValueError):
        return True
    wanted = np.array(sorted(member.encode() for member in members), dtype=np.bytes_)
    return bool(np.isin(ids, wanted).any())


def write_folder(path: Path, ask: Ask, plan: Plan, traced: Frontier) -> None:
    """Write the audience of ``plan`` into the new folder ``path``, down to the disk.

    CSV and NDJSON, and Parquet where pyarrow is installed.
    """
    path.mkdir(parents=True)
    kinds = (*LINES, "parquet") if find_spec("pyarrow") else LINES
    for kind in kinds:
        write_audience(path / f"members.{kind}", ask, plan)
    given = plan.decisions.option[plan.ranking]
    rows = np.concatenate([[0], np.cumsum((given != NO_SEND).sum(axis=1))]).astype(np.int64)
    for kind in LINES:
        _save(path / f"{kind}_starts.npy", line_starts(path / f"members.{kind}", kind)[rows])
    ids = np.array([ask.members.ids[row].encode() for row in plan.ranking.tolist()], np.bytes_)
    _save(path / "ids.npy", ids)
    channels = ask.push.all_channels
    number = np.array([channels.index(one.channel) for one in plan.decisions.options], np.uint64)
    bits = np.append(np.uint64(1) << number, np.uint64(0))  # no send, -1, reads the last
    _save(path / "mask.npy", np.bitwise_or.reduce(bits[given], axis=1))
    (path / "channels.json").write_text(json.dumps(channels), encoding="utf-8")
    (path / _FRONTIER).write_text(json.dumps(traced.to_json(), allow_nan=False), encoding="utf-8")
    for file in path.iterdir():
        _sync(file)
    _sync(path)


def line_starts(path: Path, kind: str) -> NDArray[np.int64]:
    """Where the rows of a file begin, its head left out, and where the last one ends.

    A line of CSV goes on where its quotes are open: an odd number of them came before.
    """
    ends: list[NDArray[np.int64]] = []
    quotes, at = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            read = np.frombuffer(chunk, dtype=np.uint8)
            found = np.flatnonzero(read == ord("\n"))
            if kind == "csv":
                quote = np.flatnonzero(read == ord('"'))
                open_at = (quotes + np.searchsorted(quote, found)) % 2 == 1
                found, quotes = found[~open_at], quotes + len(quote)
            ends.append(found + at + 1)
            at += len(chunk)
    first = [] if kind == "csv" else [np.zeros(1, dtype=np.int64)]  # the head ends where rows begin
    return np.concatenate([*first, *ends]).astype(np.int64)


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _save(path: Path, array: NDArray[Any]) -> None:
    np.save(path, array, allow_pickle=False)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
