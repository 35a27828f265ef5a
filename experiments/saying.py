"""Sentences with values in them, which a reader's language may put otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Says: TypeAlias = Callable[..., str]
"""From an English sentence with ``%(name)s`` in it, and the values by name, to the text."""


def english(message: str, **values: object) -> str:
    """The sentence as it stands in the code."""
    return message % values if values else message
