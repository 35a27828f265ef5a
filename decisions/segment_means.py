"""What to expect of a send when the model cannot be asked: the average of members like this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from decisions.errors import DecisionError
from decisions.gain import Estimates, Estimator
from decisions.members import Members

SEGMENT = "lifecycle"


@dataclass(frozen=True, slots=True)
class Means:
    """``decisions.gain.Estimates`` of s segments and m offers, or of n members of them."""

    p_if_not: NDArray[np.float64]
    p_if_sent: NDArray[np.float64]
    margin: NDArray[np.float64]
    revenue: NDArray[np.float64]
    spread: NDArray[np.float64]
    p_redeem: NDArray[np.float64]
    coupon: NDArray[np.float64]
    p_unsubscribe: NDArray[np.float64]
    member_value: NDArray[np.float64]
    evidence: tuple[str, ...]

    def of(self, rows: NDArray[np.int64], columns: Sequence[int]) -> Means:
        """One row for each of ``rows``, the offers in ``columns``."""

        def part(array: NDArray[np.float64]) -> NDArray[np.float64]:
            return array[rows] if array.ndim == 1 else array[rows][:, list(columns)]

        arrays = {one.name: part(getattr(self, one.name)) for one in _ARRAYS}
        return Means(**arrays, evidence=tuple(self.evidence[column] for column in columns))


_ARRAYS = [one for one in fields(Means) if one.name != "evidence"]


@dataclass(frozen=True, eq=False)
class SegmentMeans:
    """An estimator that reads a member's stage of life and nothing else.

    segments: values of ``lifecycle`` by code. means: a row a segment, and one of everybody last.
    factors: ``channel_factor`` of each channel that was asked for when it was made.
    """

    segments: tuple[str, ...]
    offers: tuple[str, ...]
    means: Means
    factors: Mapping[str, tuple[float, str]]

    @property
    def reliability(self) -> None:
        """Nothing was measured of it."""

    @classmethod
    def of(
        cls, estimator: Estimator, sample: Members, offers: Sequence[Offer], channels: Sequence[str]
    ) -> SegmentMeans:
        """What ``estimator`` expects of ``sample``, averaged. A segment that nobody of the sample
        is in gets the average of everybody."""
        expected = estimator.estimate(sample.values, sample.encoding.names, offers)
        segments = tuple(sample.encoding.categories.get(SEGMENT, ()))
        code = sample.code(SEGMENT)
        inside = [code == number for number in range(len(segments))]
        everybody = np.ones(len(sample), dtype=bool)
        groups = [mask if mask.any() else everybody for mask in inside] + [everybody]
        return cls(
            segments,
            tuple(offer.offer_id for offer in offers),
            _averaged(expected, groups),
            {channel: estimator.channel_factor(channel) for channel in channels},
        )

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> Means:
        """Raises ``DecisionError`` on an offer that no average was made of."""
        unknown = [offer.offer_id for offer in offers if offer.offer_id not in self.offers]
        if unknown:
            raise DecisionError(f"no average was made of offer {unknown[0]!r}")
        rows = np.full(len(values), len(self.segments), dtype=np.int64)
        if SEGMENT in names:
            code = values[:, names.index(SEGMENT)]
            known = np.isfinite(code) & (code >= 0) & (code < len(self.segments))
            rows[known] = code[known].astype(np.int64)
        return self.means.of(rows, [self.offers.index(offer.offer_id) for offer in offers])

    def channel_factor(self, channel: str) -> tuple[float, str]:
        return self.factors.get(channel, (1.0, "prior"))


def _averaged(expected: Estimates, groups: Sequence[NDArray[np.bool_]]) -> Means:
    def of(name: str) -> NDArray[np.float64]:
        array: NDArray[Any] = getattr(expected, name)
        return np.array([array[mask].mean(axis=0) for mask in groups], dtype=np.float64)

    return Means(**{one.name: of(one.name) for one in _ARRAYS}, evidence=expected.evidence)


@dataclass(frozen=True, slots=True)
class OnlyDefault:
    """An estimator that knows nothing but which offer may go out when nothing is known.

    Its numbers are no estimates: they only make the choice, and must not be shown.
    """

    offer_id: str

    @property
    def reliability(self) -> None:
        """Nothing was measured of it."""

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> Means:
        n, m = len(values), len(offers)
        mine = np.array([offer.offer_id == self.offer_id for offer in offers], dtype=np.float64)
        worth = np.full(n, _BEYOND_ANY_PRICE)
        coupon = [offer.value if offer.kind == "amount_off" else 0.0 for offer in offers]
        return Means(
            p_if_not=np.zeros(n),
            p_if_sent=np.tile(mine, (n, 1)),
            margin=worth,
            revenue=worth,
            spread=np.zeros(n),
            p_redeem=np.ones((n, m)),
            coupon=np.tile(np.array(coupon, dtype=np.float64), (n, 1)),
            p_unsubscribe=np.zeros(n),
            member_value=np.zeros(n),
            evidence=("prior",) * m,
        )

    def channel_factor(self, _channel: str) -> tuple[float, str]:
        return 1.0, "prior"


_BEYOND_ANY_PRICE = 1e12  # money: whatever a contact costs, the default is worth it
