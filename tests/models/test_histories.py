from __future__ import annotations

import numpy as np
import pytest

from models.errors import ModelError
from models.histories import Histories


def test_each_member_has_its_own_items_in_order() -> None:
    made = Histories.of(3, np.array([2, 0, 2]), np.array([7, 1, 4]), np.array([1.0, 2.0, 3.0]))
    assert len(made) == 3
    rows = [[part.tolist() for part in made.row(member)] for member in range(3)]
    assert rows == [[[1], [2.0]], [[], []], [[4, 7], [3.0, 1.0]]]


@pytest.mark.parametrize("starts", [[], [0], [0, 3], [1, 2], [0, 3, 2]])
def test_starts_that_do_not_fit_are_refused(starts: list[int]) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        Histories(np.array(starts, dtype=np.int64), np.zeros(2, np.int32), np.ones(2, np.float32))
