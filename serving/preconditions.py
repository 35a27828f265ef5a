"""What a caller wants to hold before something is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from serving.errors import PreconditionFailed


class Tagged(Protocol):
    """Something whose state now an ETag names."""

    @property
    def etag(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the caller wants to hold: ETags of which one is current (``*``: any version is there),
    or that nothing is there yet. Empty and False ask for nothing."""

    if_match: tuple[str, ...] = ()
    if_none_match: bool = False

    def check(self, current: Tagged | None) -> None:
        """Raises ``PreconditionFailed``."""
        if self.if_none_match and current is not None:
            raise PreconditionFailed("there is a version already")
        if self.if_match:
            if current is None:
                raise PreconditionFailed("there is no version yet")
            if "*" not in self.if_match and current.etag not in self.if_match:
                raise PreconditionFailed("it was changed meanwhile")
