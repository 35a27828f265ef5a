"""Built features of single members from Feast's online store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.encode import MEMBER, narrow
from features.encoding import Encoding
from features.online_reader import LIMITS, Limits, MemberRows, agreed
from features.store.repo import MEMBER_SERVICE, StoreError, answering, opened_for_reading
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore


class FeastReader:
    """The rows of the feature service ``member``, selected and ordered by name.

    Args:
        encoding: which features, in which order, with which codes: a release's own.

    Raises:
        StoreError: the service lacks a feature of the encoding.
    """

    def __init__(
        self, store: FeatureStore, service: FeatureService, encoding: Encoding, limits: Limits
    ) -> None:
        self._store = store
        self._service = service
        self._limits = limits
        self._encoding = encoding
        self._codes: dict[str, Mapping[str | None, float]] = {
            name: {value: float(code) for code, value in enumerate(values)}
            for name, values in encoding.categories.items()
        }
        # One feature of each view tells its moment: a view's row is written and read at once.
        self._parts = [
            view.features[0].name for view in service.feature_view_projections if view.features
        ]
        given = {one.name for view in service.feature_view_projections for one in view.features}
        lacking = [name for name in encoding.names if name not in given]
        if lacking:
            raise StoreError(
                f"the feature store has no feature {lacking[0]!r} (of {len(lacking)} that the "
                "release reads); run `pushwise features build --materialize` and start again"
            )

    @property
    def encoding(self) -> Encoding:
        return self._encoding

    def read(self, members: Sequence[str], now: datetime) -> MemberRows:
        """As ``OnlineReader.read``."""
        if not members:
            return MemberRows(self._nothing(0), np.zeros(0, dtype=bool), ())
        with answering():
            response = self._store.get_online_features(
                features=self._service,
                entity_rows=[{MEMBER: member} for member in members],
            )
        at = tuple(
            agreed(moments, self._limits, now) for moments in _moments(response, self._parts)
        )
        known = np.array([moment is not None for moment in at], dtype=bool)
        values = self._nothing(len(members))
        answer: dict[str, list[Any]] = response.to_dict()
        for column, name in enumerate(self._encoding.names):
            values[known, column] = self._encoded(name, answer[name])[known]
        return MemberRows(values, known, at)

    def _nothing(self, members: int) -> NDArray[np.float32]:
        return np.full((members, len(self._encoding.names)), np.nan, dtype=np.float32)

    def _encoded(self, name: str, values: Sequence[Any]) -> NDArray[np.float32]:
        codes = self._codes.get(name)
        if codes is not None:
            return np.array([codes.get(value, np.nan) for value in values], dtype=np.float32)
        return narrow(np.array(values, dtype=np.float64))  # None becomes NaN


@contextmanager
def member_reader(
    workspace: Workspace, encoding: Encoding, limits: Limits = LIMITS
) -> Iterator[FeastReader]:
    """The workspace's online store, for reads on the path of a request; see ``opened_for_reading``.

    Raises:
        StoreError: no features were materialised yet, or not all that ``encoding`` names.
    """
    with opened_for_reading(workspace) as store:
        from feast.errors import FeatureServiceNotFoundException

        try:
            service = store.get_feature_service(MEMBER_SERVICE)
        except FeatureServiceNotFoundException as error:
            raise StoreError(
                f"no features of {workspace.root} are online; run "
                "`pushwise features build --materialize` first"
            ) from error
        yield FeastReader(store, service, encoding, limits)


def _moments(response: Any, parts: Sequence[str]) -> list[list[datetime | None]]:
    """Per member, the moment of each of the features ``parts``; None where the store has none.

    Redis calls any member present, with a moment of 1970.
    """
    names = list(response.proto.metadata.feature_names.val)
    columns = [response.proto.results[names.index(part)].event_timestamps for part in parts]
    return [
        [one.ToDatetime(UTC) if one.seconds > 0 else None for one in of_member]
        for of_member in zip(*columns, strict=True)
    ]
