"""Features as the numbers that models read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.encode import encode, encoded_column
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


def test_a_number_beyond_float32_counts_as_its_largest() -> None:
    frame = pd.DataFrame({"tier": ["gold"] * 2, "recency_days": [1e300, -np.inf]})
    largest = np.finfo(np.float32).max
    assert encode(frame, ENCODING)[:, 0].tolist() == [largest, -largest]


def test_columns_of_arrow_are_encoded_as_those_of_frames() -> None:
    table = pa.table(
        {
            "recency_days": pa.chunked_array([[1.5, None], [1e300]]),
            "tier": pa.chunked_array([["gold", None], ["never seen"]]),
        }
    )
    found = [encoded_column(name, table[name], ENCODING) for name in ENCODING.names]
    np.testing.assert_array_equal(np.column_stack(found), encode(table.to_pandas(), ENCODING))


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(EncodingError, match=r"no feature 'tier' in a frame of 1 columns"):
        encode(pd.DataFrame({"recency_days": [1.0]}), ENCODING)
