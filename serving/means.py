"""The averages of a release: what its model expects of members in each stage of life."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from decisions.catalogue import Offer, Push
from decisions.gain import Estimator
from decisions.members import Members
from decisions.segment_means import SegmentMeans
from features.snapshot import Snapshot

_PAIRS = 40_000  # members × offers that averages are made of: a tenth of a second


def segment_means(
    estimator: Estimator,
    snapshot: Snapshot,
    offers: Mapping[str, Offer],
    pushes: Mapping[str, Push],
) -> SegmentMeans:
    """Averages over an even sample of the snapshot; a sample tells a mean well enough."""
    each = max(1, len(snapshot.member_ids) * max(len(offers), 1) // _PAIRS)
    ids, values = snapshot.member_ids[::each], np.ascontiguousarray(snapshot.values[::each])
    if not len(ids):  # a release of nobody: what is expected of a stranger
        ids = np.array([b"nobody"])
        values = np.full((1, snapshot.values.shape[1]), np.nan, dtype=np.float32)
    sample = Members.everybody(ids, values, snapshot.encoding, snapshot.as_of)
    channels = {channel for push in pushes.values() for channel in push.all_channels}
    return SegmentMeans.of(estimator, sample, list(offers.values()), sorted(channels))
