"""Several questions at once: Holm's and Benjamini and Hochberg's corrections.

Holm bounds the chance of any false alarm; Benjamini and Hochberg the expected share of false ones
among the alarms.

Source: Holm, Scandinavian Journal of Statistics 6, 1979; Benjamini and Hochberg, JRSS B 57, 1995;
intervals of what was found: Benjamini and Yekutieli, JASA 100, 2005.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.design import Correction


def corrected(p: Sequence[float], correction: Correction = "holm") -> tuple[float, ...]:
    """p-values, in the same order, each to be compared with alpha itself."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    found = [0.0] * len(p)
    if correction == "holm":
        highest = 0.0
        for rank, place in enumerate(order):
            highest = max(highest, min(1.0, p[place] * (len(p) - rank)))
            found[place] = highest
        return tuple(found)
    lowest = 1.0
    for rank in range(len(p) - 1, -1, -1):
        lowest = min(lowest, p[order[rank]] * len(p) / (rank + 1))
        found[order[rank]] = lowest
    return tuple(found)


def levels(
    sizes: Sequence[float],
    alpha: float,
    bound: Callable[[float], float],
    correction: Correction = "holm",
) -> tuple[float, ...]:
    """The level at which each effect is judged, so that it is found where ``size`` reaches
    ``bound(level)``, and its interval at that level leaves out 0 exactly then.

    Args:
        sizes: |z| of each. bound: of |z| at a level; falls as the level grows. With a sequential
            bound, this is Holm's correction over its levels: Maurer and Bretz, Statistics in
            Biopharmaceutical Research 5, 2013.
    """
    many = len(sizes)
    order = sorted(range(many), key=lambda place: -sizes[place])
    found = [0.0] * many
    if correction == "holm":
        step = 0
        for rank, place in enumerate(order):
            found[place] = alpha / (many - step)
            if step == rank and sizes[place] >= bound(found[place]):
                step += 1
        return tuple(found)
    reached = [
        rank for rank in range(1, many + 1) if sizes[order[rank - 1]] >= bound(alpha * rank / many)
    ]
    last = max(reached, default=0)
    for rank, place in enumerate(order, 1):
        found[place] = alpha * max(rank, last) / many
    return tuple(found)
