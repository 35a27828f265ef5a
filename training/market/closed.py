"""What the shop stopped selling: whole price levels of some destinations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.market.config import MarketConfig

# Items of a price level, the cheapest first: about a fifth of what members look at each, by
# ``buying.item_shares``.
LEVELS = ((0, 1), (2,), (3,), (4,), (5,))
CLOSED_DAYS = 150.0  # before the end of the history


@dataclass(frozen=True, slots=True)
class Closed:
    """What is sold no more.

    items: (destinations, items) which of them. instead: what whoever would have bought one of them
    buys: the next cheaper, else the next dearer that is sold. since: shopping day.
    levels: (destination, row in ``LEVELS``) of each.
    """

    items: NDArray[np.bool_]
    instead: NDArray[np.int64]
    since: float
    levels: tuple[tuple[int, int], ...]

    @property
    def none(self) -> bool:
        return not self.levels

    def sold(
        self, place: NDArray[np.int64], item: NDArray[np.int64], day: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """What is bought by whoever wants ``item``. Aligned arrays."""
        if self.none:
            return item
        return np.where(day >= self.since, self.instead[place, item], item)


def drawn_closed(config: MarketConfig, shape: tuple[int, int], end: float) -> Closed:
    """One level of as many destinations as ``config.gaps``, by a stream of its own.

    Args:
        shape: destinations and items each. end: of the history, shopping days.
    """
    rng = np.random.default_rng([config.seed, 3])
    places = rng.permutation(shape[0])[: config.gaps]
    levels = tuple((int(place), int(rng.integers(len(LEVELS)))) for place in sorted(places))
    items = np.zeros(shape, dtype=np.bool_)
    instead = np.tile(np.arange(shape[1]), (shape[0], 1))
    for place, level in levels:
        closed = LEVELS[level]
        items[place, list(closed)] = True
        instead[place, list(closed)] = closed[0] - 1 if closed[0] else closed[-1] + 1
    return Closed(items, instead, end - CLOSED_DAYS, levels)
