"""Erased members leave releases: a release never changes, so each that holds one gets a successor.

A successor is the same release without them: their rows of the snapshot, the recommender and the
contacts are gone, the golden answers are computed anew, and it is signed under a new id. The others
get the decisions that they got before.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from decisions.contacts import Contacts
from features.snapshot import Snapshot
from features.workspace import write_atomically
from models.artifact import Artifact
from models.forget import forget_members, named_models
from models.lifetime_values import FOLDER as CLV
from models.lifetime_values import LifetimeValues
from models.manifest import MANIFEST, Manifest, key_id
from serving import pointer
from serving.contacts import KIND as CONTACTS
from serving.contacts import load_contacts
from serving.release import golden, seal
from serving.verify import RELEASE_ID, ReleaseError

SUCCESSORS = "successors.json"
_NUMBERED = re.compile(r"(.+)-e(\d+)")
_LONGEST = 64  # characters of a release id


@dataclass(frozen=True, slots=True)
class Redacted:
    """successors: new id by old id. removed: what was not as signed, and so could not be signed
    again. left: what holds members still, since no key to sign with is here."""

    successors: Mapping[str, str]
    removed: tuple[str, ...]
    left: tuple[str, ...]


def redact(releases: Path, members: Collection[str], key: Ed25519PrivateKey | None) -> Redacted:
    """Replace every release of the folder that holds one of ``members``.

    The pointer and the history of what was published go over to the successors. Again, after a
    crash, it goes on.

    Args:
        key: the trainer's; None where releases come from elsewhere.
    """
    wanted = frozenset(members)
    holding = [folder for folder in _folders(releases) if _holds(folder, wanted)]
    if key is None:
        return Redacted({}, (), tuple(folder.name for folder in holding))
    trusted = {key_id(key.public_key()): key.public_key()}
    successors: dict[str, str] = {}
    removed: list[str] = []
    for folder in holding:
        try:
            manifest = pointer.check(releases, folder.name, trusted)
        except ReleaseError:
            removed.append(folder.name)
            continue
        successors[folder.name] = _successor(releases, manifest, wanted, key)
    if successors:
        _remember(releases, successors)
        pointer.supersede(releases, successors)
    for folder in holding:
        shutil.rmtree(folder)
    return Redacted(successors, tuple(removed), ())


def successor(releases: Path, release_id: str) -> str:
    """The id under which a release goes on, its own where nobody was erased from it."""
    known = _remembered(releases)
    seen: set[str] = set()
    while release_id in known and release_id not in seen:
        seen.add(release_id)
        release_id = known[release_id]
    return release_id


def _folders(releases: Path) -> list[Path]:
    """Releases, and drafts that a build left behind."""
    found = releases.iterdir() if releases.is_dir() else ()
    return sorted(path for path in found if (path / "snapshot" / "members.npy").is_file())


def _holds(folder: Path, members: frozenset[str]) -> bool:
    """Whether one of ``members`` stands in the snapshot, a model or a golden request."""
    ids = np.load(folder / "snapshot" / "members.npy", allow_pickle=False)
    if len(_places(ids, members)):
        return True
    for model in named_models(folder):
        with np.load(model / "arrays.npz", allow_pickle=False) as arrays:
            if len(_places(arrays["member_ids"], members)):
                return True
    asked = _requests(folder)
    return any(not members.isdisjoint(one["member_ids"]) for one in asked)


def _places(ids: NDArray[Any], members: frozenset[str]) -> NDArray[np.int64]:
    wanted = np.array(sorted(member.encode() for member in members), dtype=np.bytes_)
    return np.flatnonzero(np.isin(ids, wanted)).astype(np.int64)


def _requests(folder: Path) -> list[dict[str, Any]]:
    try:
        asked: list[dict[str, Any]] = json.loads((folder / "golden.json").read_text("utf-8"))
    except FileNotFoundError:
        return []
    return asked


def _successor(
    releases: Path, manifest: Manifest, members: frozenset[str], key: Ed25519PrivateKey
) -> str:
    release_id = _free_id(releases, manifest.release_id)
    draft = releases / f".{release_id}"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(releases / manifest.release_id, draft)
    try:
        (draft / MANIFEST).unlink()
        _without(draft, members)
        as_of = datetime.fromisoformat(manifest.as_of)
        seal(draft, release_id, as_of, manifest.models, key)
        draft.rename(releases / release_id)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return release_id


def _without(folder: Path, members: frozenset[str]) -> None:
    """Take members out of an unsigned release, and compute its golden answers anew."""
    snapshot = Snapshot.load(folder / "snapshot")
    gone = _places(snapshot.member_ids, members)
    kept = np.delete(np.arange(len(snapshot.member_ids)), gone)
    contacts = load_contacts(folder / "contacts")
    left = Snapshot(
        snapshot.as_of, snapshot.encoding, snapshot.member_ids[kept], snapshot.values[kept]
    )
    shutil.rmtree(folder / "snapshot")  # the arrays are mapped: written in place they would change
    left.save(folder / "snapshot")
    if (folder / "contacts").is_dir():
        _save_contacts(contacts.of_members(kept), folder / "contacts")
    if (folder / CLV).is_dir():
        worth = LifetimeValues.load(folder / CLV).of_rows(kept)
        shutil.rmtree(folder / CLV)  # mapped as well
        worth.save(folder / CLV)
    for model in named_models(folder):
        forget_members(model, members)
    asked = [
        {**one, "member_ids": [who for who in one["member_ids"] if who not in members]}
        for one in _requests(folder)
    ]
    answers = golden(folder, asked)
    (folder / "golden.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _save_contacts(contacts: Contacts, folder: Path) -> None:
    names = {kind: list(known) for kind, known in contacts.names.items()}
    Artifact(CONTACTS, {"names": names}, contacts.arrays()).save(folder)


def _free_id(releases: Path, release_id: str) -> str:
    """``r12-e1`` after ``r12``, ``r12-e2`` after that."""
    numbered = _NUMBERED.fullmatch(release_id)
    stem, number = (numbered[1], int(numbered[2])) if numbered else (release_id, 0)
    while True:
        number += 1
        end = f"-e{number}"
        found = stem[: _LONGEST - len(end)] + end
        if RELEASE_ID.fullmatch(found) and not (releases / found).exists():
            return found


def _remembered(releases: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads((releases / SUCCESSORS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return known


def _remember(releases: Path, successors: Mapping[str, str]) -> None:
    known = {**_remembered(releases), **successors}
    write_atomically(releases / SUCCESSORS, json.dumps(known, indent=1).encode())
