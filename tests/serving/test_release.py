"""Releases: verified before they are parsed, rehearsed in a child, compared with golden answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from models.manifest import key_id
from serving.release import golden, load_release
from serving.situation import Situation
from serving.verify import ReleaseError, verified

if TYPE_CHECKING:
    from tests.serving.conftest import Bench


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_sealed_release_is_verified(bench: Bench) -> None:
    folder = bench.release("r1")
    manifest = verified(folder, bench.trusted)
    assert manifest.release_id == "r1"
    assert len(manifest.files) == len(files_of(folder)) - 1


def test_a_flipped_bit_in_any_file_is_refused(bench: Bench) -> None:
    folder = bench.release("r1")
    for path in files_of(folder):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(ReleaseError):
            verified(folder, bench.trusted)
        path.write_bytes(content)
    verified(folder, bench.trusted)


def test_a_cut_or_missing_file_is_refused_by_name(bench: Bench) -> None:
    folder = bench.release("r1")
    for path in files_of(folder):
        content, name = path.read_bytes(), path.relative_to(folder).as_posix()
        path.write_bytes(content[:-1])
        with pytest.raises(ReleaseError):
            verified(folder, bench.trusted)
        path.unlink()
        with pytest.raises(ReleaseError, match=name):
            verified(folder, bench.trusted)
        path.write_bytes(content)


def test_an_added_file_is_refused_by_name(bench: Bench) -> None:
    folder = bench.release("r1")
    (folder / "experiment.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"experiment\.json is no file of a release"):
        verified(folder, bench.trusted)
    (folder / "experiment.json").rename(folder / "prior" / "more.txt")
    with pytest.raises(ReleaseError, match=r"prior/more\.txt was added after signing"):
        verified(folder, bench.trusted)


def test_links_are_refused(bench: Bench, tmp_path: Path) -> None:
    folder = bench.release("r1")
    (folder / "policy.json").rename(tmp_path / "policy.json")
    (folder / "policy.json").symlink_to(tmp_path / "policy.json")
    with pytest.raises(ReleaseError, match=r"policy\.json is not a plain file"):
        verified(folder, bench.trusted)


@pytest.mark.parametrize("field", ["release_id", "key_id", "signature", "created_at"])
def test_a_manifest_with_other_than_text_is_refused(bench: Bench, field: str) -> None:
    folder = bench.release("r1")
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**content, field: [1]}))
    with pytest.raises(ReleaseError, match="the manifest does not read: a field is not text"):
        verified(folder, bench.trusted)


def test_a_release_that_no_child_can_rehearse_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(bench.workspace.root / "no-python"))
    with pytest.raises(ReleaseError, match="no child process to parse it in: No such file"):
        load_release(bench.release("r1"), bench.trusted)


def test_only_the_trusted_key_counts(bench: Bench) -> None:
    folder = bench.release("r1")
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(ReleaseError, match="signed by unknown key"):
        verified(folder, {key_id(stranger.public_key()): stranger.public_key()})
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, value in {"signature": "AAAA", "release_id": "r2", "as_of": "2020-01-01"}.items():
        (folder / "manifest.json").write_text(json.dumps({**manifest, name: value}))
        with pytest.raises(ReleaseError, match=r"signature of release .* is wrong"):
            verified(folder, bench.trusted)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 100_000, '{"format": 1}', "\ufeff", "x"])
def test_a_manifest_that_is_none_is_refused(bench: Bench, text: str) -> None:
    folder = bench.release("r1")
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ReleaseError):
        verified(folder, bench.trusted)


def test_no_release_says_how_to_make_one(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no release there .* `pushwise release build"):
        verified(tmp_path / "nothing", bench.trusted)


def test_sealing_refuses_what_loading_would_refuse(bench: Bench) -> None:
    folder = bench.draft("r1")
    (folder / "model.pkl").write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"model\.pkl is no file of a release"):
        bench.sealed(folder, "r1")
    with pytest.raises(ReleaseError, match=r"release id '\.\./r1'"):
        bench.sealed(folder, "../r1")


@pytest.mark.slow
def test_a_loaded_release_answers_its_members(bench: Bench) -> None:
    release = load_release(bench.release("r1"), bench.trusted)
    situation = Situation(release.terms("spring", {}), suppressed=frozenset({"m01"}))
    choices = release.choose("spring", ["m00", "m01", "stranger"], situation)
    assert [choice.reason for choice in choices[1:]] == ["suppressed", "unknown_member_fallback"]
    everyone = [f"m{number:02d}" for number in range(50)]
    sent = [
        choice
        for choice in release.choose("autumn", everyone, Situation(release.terms("autumn", {})))
        if choice.offer_id
    ]
    assert sent
    for choice in sent:
        assert len(choice.items) == (6 if choice.offer_id == "gift" else 10)
        assert 0 < choice.probability <= 1
        assert choice.expected_gain is not None
        assert choice.evidence == "prior"
    assert release.versions.models == {"prior": "1"}
    assert "stranger" in release.barred("push", [*everyone, "stranger"])
    assert set(release.barred("push", everyone).values()) == {"no_consent"}
    assert len(release.barred("carrier pigeon", everyone)) == 50


@pytest.mark.slow
def test_other_golden_answers_are_refused(bench: Bench) -> None:
    folder = bench.draft("r1")
    golden = json.loads((folder / "golden.json").read_text())
    golden[0]["answers"][0]["probability"] += 0.01
    (folder / "golden.json").write_text(json.dumps(golden))
    bench.sealed(folder, "r1")
    with pytest.raises(ReleaseError, match="golden request 1 is answered otherwise"):
        load_release(folder, bench.trusted)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["no trees", "cut", "values"])
def test_a_signed_but_damaged_model_harms_nobody(bench: Bench, damage: str) -> None:
    folder = bench.draft("r1")
    path = folder / "prior" / "propensity" / "booster.txt"
    text = path.read_text()
    path.write_text(
        {
            "no trees": "tree\n",
            "cut": text[: len(text) // 2],
            "values": text.replace("leaf_value=", "leaf_value=9"),
        }[damage]
    )
    bench.sealed(folder, "r1")
    with pytest.raises(ReleaseError):
        load_release(folder, bench.trusted)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pushes.json", "[]", "cannot be answered"),
        ("prices.json", "{}", "no prices for push"),
        ("offers.json", "[]", "wants the unknown offer"),
        ("offers.json", "7", "does not read as a release"),
        ("policy.json", '{"pepper": 1}', "does not read as a release"),
        ("golden.json", "[]", "holds no requests"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    bench: Bench, name: str, content: str, message: str
) -> None:
    from serving.release import rehearse

    folder = bench.draft("r1")
    (folder / name).write_text(content)
    with pytest.raises(ReleaseError, match=message):
        rehearse(folder)


def test_the_application_imports_no_training_code() -> None:
    heavy = ("mlflow", "feast", "implicit", "pandas", "pyarrow", "duckdb", "sklearn", "training")
    code = (
        "import sys, serving.app, serving.server\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values[1:], "values of 49 members, wanted 50"),
        (lambda values: values[:, :2], r"lifetime values are \(50, 2\), wanted 3 a member"),
        (lambda values: values.astype(np.float64), "lifetime values are float64"),
    ],
)
def test_lifetime_values_that_do_not_fit_the_snapshot_are_refused(
    bench: Bench, change: Callable[[NDArray[np.float32]], NDArray[Any]], said: str
) -> None:
    folder = bench.draft("r1")
    path = folder / "clv" / "values.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(ReleaseError, match=said):
        golden(folder, [])
