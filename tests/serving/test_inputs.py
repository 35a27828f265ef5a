"""What a decision was made from reads back to the last bit."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.contacts import Contact, Contacts
from serving.inputs import Inputs, InputsError

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
contacts = st.builds(
    Contact, st.just("m"), st.integers(0, 2**40), ids, ids, ids, ids, st.booleans()
)
inputs = st.builds(
    Inputs,
    st.just("2026-05-01T00:00:00+00:00"),
    st.booleans(),
    st.lists(contacts, max_size=3).map(tuple),
    st.dictionaries(ids, st.floats(width=32) | st.floats(), max_size=4),
    st.lists(ids, max_size=2).map(tuple),
    st.sampled_from(["model", "segment_means"]),
)


def bits(made: Inputs) -> list[tuple[str, bytes]]:
    """Of every value, one NaN for all."""
    return [
        (name, b"nan" if math.isnan(value) else struct.pack("<d", value))
        for name, value in made.fresh.items()
    ]


@given(inputs)
def test_inputs_read_back_to_the_last_bit(made: Inputs) -> None:
    again = Inputs.from_json(made.to_json(), "m")
    assert bits(again) == bits(made)
    assert Inputs.from_json(again.to_json(), "m").to_json() == made.to_json()
    assert (again.at, again.suppressed, again.since) == (made.at, made.suppressed, made.since)
    assert (again.degraded, again.estimator) == (made.degraded, made.estimator)


def test_values_of_features_are_kept_as_they_are_and_nobody_is_named() -> None:
    third = float(np.float32(1) / np.float32(3))
    made = Inputs("t", since=(Contact("anna", 7, "ten", "push", "spring"),), fresh={"x": third})
    assert Inputs.from_json(made.to_json(), "anna") == made
    assert "anna" not in made.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"estimator":"guess"}', '{"fresh":{"a":"b"}}'])
def test_what_is_no_inputs_is_refused(text: str) -> None:
    with pytest.raises(InputsError, match="do not read"):
        Inputs.from_json(text, "m")


def test_contacts_of_one_member_can_be_listed_and_counted_again() -> None:
    sent = [
        Contact("a", 5, "ten", "push", "spring", "c1"),
        Contact("b", 6, "gift", "email", "autumn", service=True),
        Contact("b", 4, "ten", "push", "spring"),
    ]
    known = Contacts.of(("a", "b", "c"), sent)
    assert known.listed(1, "b") == (sent[2], sent[1])
    assert known.listed(2, "c") == ()
    assert Contacts.of(("b",), known.listed(1, "b")).at.tolist() == [4, 6]
