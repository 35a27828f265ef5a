"""Hand-written rules as data: a small safe language over feature names.

    lifecycle == "slipping" and orders_365d >= 2 and not (region in ["north", "east"])
    last_seen_days < 30d or joined between 2026-01-01 and 2026-03-31
    viewed_category('hualien', 30d) and missing(birthday)

docs/rules.md describes it. A comparison with a missing value is false, whatever the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from decisions.rule_binding import Bound, FeatureNames, Group, Listed, Present, Test, bound
from decisions.rule_text import parse
from decisions.rule_tree import Not, Rule, RuleError, show

__all__ = ["FeatureNames", "Not", "Rule", "RuleError", "check", "matches", "parse", "show"]

# Rows looked at together: their columns stay in the processor's cache.
_ROWS = 1 << 15
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_Mask = NDArray[np.bool_]
_COMPARE: Mapping[str, Callable[[NDArray[np.float32], np.float32], _Mask]] = {
    "==": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    # NaN differs from every number, and is no answer.
    "!=": lambda column, number: np.less(column, number) | np.greater(column, number),
}


def check(rule: Rule, features: FeatureNames) -> None:
    """Raises ``RuleError`` when ``rule`` names a feature, a category or a category's value that
    does not exist, or compares a feature with what it cannot be."""
    bound(rule, features, _ANY_MOMENT)


def matches(
    rule: Rule,
    values: NDArray[np.float32],
    features: FeatureNames,
    as_of: datetime,
    only: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Which rows of ``values``, shape (members, features), satisfy ``rule``.

    Reads the columns that the rule names, some rows at a time: ``values`` may be memory-mapped.

    Args:
        only: the numbers of the rows that are asked about; without them all, in their order.
        as_of: the moment whose knowledge ``values`` show; dates are compared from there.

    Raises:
        RuleError: as ``check``; or ``as_of`` has no offset.
    """
    meant = bound(rule, features, as_of)
    columns = set(_columns(meant))
    found = np.empty(len(values) if only is None else len(only), dtype=np.bool_)
    for start in range(0, len(found), _ROWS):
        part = slice(start, start + _ROWS)
        rows = part if only is None else only[part]
        read = {column: np.ascontiguousarray(values[rows, column]) for column in columns}
        found[part] = _evaluated(meant, read)
    return found


def _columns(meant: Bound) -> Iterator[int]:
    if isinstance(meant, Group):
        for part in meant.parts:
            yield from _columns(part)
    else:
        yield meant.column


def _evaluated(meant: Bound, columns: Mapping[int, NDArray[np.float32]]) -> _Mask:
    match meant:
        case Test(column, operator, number):
            return _COMPARE[operator](columns[column], number)
        case Listed(column, numbers):
            return np.isin(columns[column], numbers)
        case Present(column):
            return ~np.isnan(columns[column])
        case Group(parts, every, negated):
            joined = np.logical_and if every else np.logical_or
            found: _Mask = reduce(joined, (_evaluated(part, columns) for part in parts))
            return ~found if negated else found
