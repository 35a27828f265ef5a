"""Features as the numbers that models read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.encode import encode
from features.encoding import Encoding, EncodingError

ENCODING = Encoding(("recency_days", "tier"), {"tier": ("basic", "gold")})


def test_numbers_stay_and_categories_become_codes() -> None:
    frame = pd.DataFrame(
        {"tier": ["gold", None, "never seen"], "extra": 1, "recency_days": [1.5, np.nan, 3]}
    )
    values = encode(frame, ENCODING)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [[1.5, 1], [np.nan, np.nan], [3, np.nan]])


def test_an_all_missing_category_is_nan() -> None:
    frame = pd.DataFrame({"tier": [None, None], "recency_days": [1.0, 2.0]})
    assert np.isnan(encode(frame, ENCODING)[:, 1]).all()


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(EncodingError, match=r"no feature 'tier' in a frame of 1 columns"):
        encode(pd.DataFrame({"recency_days": [1.0]}), ENCODING)
