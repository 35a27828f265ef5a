"""One figure of a model beside the same figure of what it has to be better than."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_ROUNDING = 1e-9  # the same model measured twice may differ in the last bits


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure on the later period, with those of others on the same rows.

    baselines: the plain ways, by name.
    champion: the figure of the model that serves; None where there is none, or none that can be
        compared.
    error: standard error of (ours − champion), from the same rows; None where it is not known.
    allowed: how far below a baseline still counts as no worse, by its name: the standard error of
        the difference, where doing as well is all that is asked. Baselines without an entry must
        be beaten.
    """

    metric: str
    ours: float
    baselines: Mapping[str, float]
    higher_is_better: bool = True
    champion: float | None = None
    error: float | None = None
    allowed: Mapping[str, float] = field(default_factory=dict)

    @property
    def beaten(self) -> bool:
        """Whether the model is better than every baseline, or no worse where that is asked."""
        return not self.unbeaten

    @property
    def unbeaten(self) -> tuple[str, ...]:
        """The baselines that the model does not beat."""
        return tuple(name for name, value in self.baselines.items() if not self._past(name, value))

    def better_than(self, other: float) -> float:
        """By how much ours is better than ``other``; below 0 where it is worse."""
        return self.ours - other if self.higher_is_better else other - self.ours

    def no_worse_than(self, other: float, error: float) -> bool:
        """Whether ours is not below ``other`` by more than ``error``, up to rounding."""
        return self.better_than(other) >= -error - _ROUNDING * max(1.0, abs(other))

    def _past(self, name: str, value: float) -> bool:
        if name in self.allowed:
            return self.no_worse_than(value, self.allowed[name])
        return self.better_than(value) > 0
