"""A thousand releases that were changed after signing: none is taken, and none does any harm."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.manifest import Manifest
from serving.release import load_release
from serving.verify import ReleaseError

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

Mutation = Callable[[Path, Random], None]
MUTATIONS = 1_000


def _file(folder: Path, rng: Random) -> Path:
    return rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))


def flip_a_bit(folder: Path, rng: Random) -> None:
    path = _file(folder, rng)
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(folder: Path, rng: Random) -> None:
    path = _file(folder, rng)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def lengthen(folder: Path, rng: Random) -> None:
    with _file(folder, rng).open("ab") as file:
        file.write(rng.randbytes(rng.randint(1, 2_000)))


def fill_with_noise(folder: Path, rng: Random) -> None:
    path = _file(folder, rng)
    path.write_bytes(rng.randbytes(path.stat().st_size))


def swap_two_files(folder: Path, rng: Random) -> None:
    one = _file(folder, rng)
    other = next(p for p in iter(lambda: _file(folder, rng), None) if _differ(p, one))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _differ(one: Path | None, other: Path) -> bool:
    return one is not None and one.read_bytes() != other.read_bytes()


def add_a_file(folder: Path, rng: Random) -> None:
    names = (
        "hours.json", "snapshot/more.npy", "prior/model.pkl", "prior/more.txt", "extra/a.json",
        "__init__.py", "court/arrays.npz", "response/artifact.json", "recommender/../x",
    )  # fmt: skip
    path = folder / rng.choice(names)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rng.randbytes(20))


def remove_a_file(folder: Path, rng: Random) -> None:
    _file(folder, rng).unlink()


def link_a_file(folder: Path, rng: Random) -> None:
    path = _file(folder, rng)
    elsewhere = folder.parent / "elsewhere"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


def link_a_folder(folder: Path, _: Random) -> None:
    shutil.move(folder / "snapshot", folder.parent / "snapshot-elsewhere")
    (folder / "snapshot").symlink_to(folder.parent / "snapshot-elsewhere")


def put_a_pipe(folder: Path, rng: Random) -> None:
    path = _file(folder, rng)
    path.unlink()
    os.mkfifo(path)


def edit_the_manifest(folder: Path, rng: Random) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    edits: list[Callable[[dict[str, Any]], Any]] = [
        lambda m: m.update(release_id="r2"),
        lambda m: m.update(release_id="../r1"),
        lambda m: m.update(release_id=7),
        lambda m: m.update(as_of="2030-01-01T00:00:00+00:00"),
        lambda m: m.update(created_at=None),
        lambda m: m.update(key_id="0" * 16),
        lambda m: m.update(signature=""),
        lambda m: m.update(signature=m["signature"][::-1]),
        lambda m: m.update(signature=m["signature"] + "="),
        lambda m: m.update(format=99),
        lambda m: m.update(extra="x"),
        lambda m: m.update(models={}),
        lambda m: m.update(files=[]),
        lambda m: m["files"].clear(),
        lambda m: m["files"].popitem(),
        lambda m: m["files"].update({"../policy.json": {"size": 1, "sha256": "0"}}),
        lambda m: m["files"]["policy.json"].update(size=True),
        lambda m: m["files"]["policy.json"].update(sha256=None),
        lambda m: m["files"]["policy.json"].update(size=-1),
        lambda m: m["files"].update({"policy.json": 3}),
    ]
    rng.choice(edits)(content)
    path.write_text(json.dumps(content))


def replace_the_manifest(folder: Path, rng: Random) -> None:
    texts = (
        "", "null", "[]", "{}", "7", '"x"', "{" * 50_000, "[" * 200_000, "\ufeff{}", "\x00" * 99,
        '{"format": 1, "files": {}}', "NaN", "1e400", '{"format": 1e999}',
    )  # fmt: skip
    (folder / "manifest.json").write_text(rng.choice(texts))


def blow_up_the_manifest(folder: Path, rng: Random) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["padding"] = "x" * rng.randint(1 << 20, 1 << 22)
    (folder / "manifest.json").write_text(json.dumps(content))


def sign_with_a_strange_key(folder: Path, _: Random) -> None:
    path = folder / "manifest.json"
    stranger = Ed25519PrivateKey.generate()
    path.write_text(Manifest.from_json(path.read_text()).signed(stranger).to_json())


def sign_with_a_strange_key_under_our_name(folder: Path, _: Random) -> None:
    path = folder / "manifest.json"
    ours = Manifest.from_json(path.read_text())
    theirs = ours.signed(Ed25519PrivateKey.generate())
    content = json.loads(ours.to_json()) | {"signature": theirs.signature}
    path.write_text(json.dumps(content))


KINDS: tuple[Mutation, ...] = (
    flip_a_bit, cut, lengthen, fill_with_noise, swap_two_files, add_a_file, remove_a_file,
    link_a_file, link_a_folder, put_a_pipe, edit_the_manifest, replace_the_manifest,
    blow_up_the_manifest, sign_with_a_strange_key, sign_with_a_strange_key_under_our_name,
)  # fmt: skip


@pytest.mark.slow
def test_of_a_thousand_mutated_releases_none_is_taken(bench: Bench, tmp_path: Path) -> None:
    whole = bench.release("r1")
    trusted = bench.trusted
    refused: Counter[str] = Counter()
    for number in range(MUTATIONS):
        mutate = KINDS[number % len(KINDS)]
        scratch = tmp_path / "mutated"
        shutil.copytree(whole, scratch / "r1")
        mutate(scratch / "r1", Random(number))
        with pytest.raises(ReleaseError):
            load_release(scratch / "r1", trusted)
        refused[mutate.__name__] += 1
        shutil.rmtree(scratch)
    assert refused.total() == MUTATIONS
    assert len(refused) == len(KINDS)
    assert load_release(whole, trusted).versions.release == "r1"
