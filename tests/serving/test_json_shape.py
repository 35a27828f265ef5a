"""Depth and number of values are counted while a text arrives, strings left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.json_shape import MAX_DEPTH, MAX_VALUES, Excess, JsonShape

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{},\n\u00e9', max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=40,
)  # fmt: skip


def shape(text: bytes, step: int = 1 << 30) -> Excess | None:
    """What ``text`` exceeds when it arrives ``step`` bytes at a time."""
    counted = JsonShape()
    for end in range(step, len(text) + step, step):
        found = counted.exceeds(text[:end])
        if found:
            return found
    return None


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def nested(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"[": value}
    return value


@settings(max_examples=200)
@given(value=json_values, levels=st.integers(0, MAX_DEPTH + 3), step=st.integers(1, 50))
@example(value='\\"[[[[[[[[[[[[[[[[[[[[', levels=1, step=1)
def test_the_depth_is_that_of_the_parsed_text(value: Any, levels: int, step: int) -> None:
    whole = nested(value, levels)
    text = json.dumps(whole, ensure_ascii=False).encode()
    wanted = "deep" if depth(whole) > MAX_DEPTH else None
    assert shape(text) == shape(text, step) == wanted


@pytest.mark.parametrize("step", [1 << 30, 100_000, 65_537])
def test_values_are_counted_but_not_commas_in_strings(step: int) -> None:
    values = [f"a,{number},\\," for number in range(MAX_VALUES)]
    assert shape(json.dumps({"members": values}).encode(), step) is None
    assert shape(json.dumps({"members": [*values, 1, 2]}).encode(), step) == "many"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"[" * 2_000_000, "deep"),
        (b'{"a":' * 400_000, "deep"),
        (b"[]" * 1_000_000, None),
        (b"[}" * 1_000_000, None),
        (b"\\" * 2_000_000, None),
        (b'["' + b"[" * 1_000_000 + b'"]', None),
        (b'["' + b'\\"[' * 600_000 + b'"]', None),
        (b"0," * 1_000_000, "many"),
        (b'"' * 2_000_000, None),
    ],
    ids=["lists", "objects", "pairs", "mixed", "backslashes", "text", "quotes", "zeros", "empty"],
)
def test_hostile_texts_take_no_longer_than_others(text: bytes, wanted: Excess | None) -> None:
    assert shape(text) == wanted
