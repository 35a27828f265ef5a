"""Trees: how many threads a call uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.trees import ONE_THREAD_BELOW, Trees


@dataclass
class Booster:
    """Remembers with how many threads it was asked."""

    threads: list[int] = field(default_factory=list)

    def predict(self, rows: NDArray[np.float32], **options: Any) -> NDArray[np.float64]:
        self.threads.append(options["num_threads"])
        return np.zeros(len(rows))


@pytest.mark.parametrize(("threads", "asked"), [(None, [1, 0]), (1, [1, 1]), (3, [3, 3])])
def test_small_calls_use_one_thread_and_large_ones_all_unless_told(
    threads: int | None, asked: list[int]
) -> None:
    booster = Booster()
    trees = Trees(booster, ("a",), threads)
    for rows in (10, ONE_THREAD_BELOW):
        trees.score(np.zeros((rows, 1), dtype=np.float32), ("a",))
    assert booster.threads == asked
