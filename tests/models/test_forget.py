"""Members leave stored models; what is known of the others stays to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.forget import forget_members, known_members, named_models
from models.histories import Histories
from models.plain import PersonalFrequency
from models.recommender import AlsRecommender

MEMBERS = tuple(f"m{number:02d}" for number in range(20))
ITEMS = tuple(f"i{number}" for number in range(6))


def ids(names: tuple[str, ...]) -> NDArray[np.bytes_]:
    return np.array([name.encode() for name in names])


def als() -> AlsRecommender:
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(26, 4)).astype(np.float32)
    popular = rng.random(6).astype(np.float32)
    return AlsRecommender(ids(MEMBERS), ids(ITEMS), factors[:20], factors[20:], popular)


def frequency() -> PersonalFrequency:
    rng = np.random.default_rng(3)
    pairs = np.unique(rng.integers(0, [20, 6], size=(60, 2)), axis=0)
    counts = Histories.of(20, pairs[:, 0], pairs[:, 1], rng.random(len(pairs)) + 1.0)
    return PersonalFrequency(ids(MEMBERS), ids(ITEMS), counts, rng.random(6).astype(np.float32))


@pytest.mark.parametrize("model", [als(), frequency()], ids=["als", "frequency"])
def test_a_model_forgets_members_and_scores_the_others_as_before(
    model: AlsRecommender | PersonalFrequency, tmp_path: Path
) -> None:
    model.save(tmp_path / "run" / "model")
    gone, others = MEMBERS[3:20:5], [one for one in MEMBERS if one not in MEMBERS[3:20:5]]
    assert named_models(tmp_path) == [tmp_path / "run" / "model"]
    assert forget_members(tmp_path / "run" / "model", [*gone, "stranger"]) == len(gone)
    assert known_members(tmp_path / "run" / "model") == others
    left = type(model).load(tmp_path / "run" / "model")
    assert np.array_equal(left.item_scores(others, ITEMS), model.item_scores(others, ITEMS))
    assert np.isnan(left.item_scores(gone, ITEMS)).all()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(member.encode() in stored for member in gone)
    assert forget_members(tmp_path / "run" / "model", gone) == 0


def test_what_knows_nobody_by_name_is_no_such_model(tmp_path: Path) -> None:
    Artifact("propensity", {}).save(tmp_path / "model")
    assert named_models(tmp_path) == []
    with pytest.raises(ArtifactError, match="knows members by name"):
        forget_members(tmp_path / "model", ["m00"])
