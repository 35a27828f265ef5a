"""The readout of a shadow experiment, from what the log holds."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from experiments.moments import Moments
from experiments.shadow import SHADOW_NAMES, ShadowReadout, shadow_readout
from serving import tables
from serving.experiment_entry import Entry
from serving.log import Log
from serving.moments import iso

_AT_ONCE = 10_000  # rows held in memory


def shadow_results(log: Log, entry: Entry, as_of: datetime) -> ShadowReadout:
    """What each arm would have decided beside the answers that were given before ``as_of``.

    Raises:
        ExperimentError: the experiment is no shadow.
        LogUnavailable: the log cannot be read.
    """
    nothing = np.zeros(len(SHADOW_NAMES))
    added: dict[str, dict[str, NDArray[np.float64]]] = defaultdict(dict)
    shadow, made = tables.shadows.c, tables.decisions.c
    asked = (
        select(
            shadow.arm, shadow.member_id, shadow.offer_id, shadow.expected_gain,
            made.offer_id.label("sent"), made.answer,
        )
        .join(tables.decisions, made.decision_id == shadow.decision_id)
        .where(shadow.experiment_id == entry.experiment_id, made.decided_at < iso(as_of))
    )  # fmt: skip
    with log.reading() as connection:
        found = connection.execution_options(yield_per=_AT_ONCE).execute(asked)
        for row in found:
            of_arm = added[row.arm]
            of_arm[row.member_id] = of_arm.get(row.member_id, nothing) + _values(row)
    moments = {
        arm: Moments.of(SHADOW_NAMES, np.array(list(members.values())))
        for arm, members in added.items()
    }
    return shadow_readout(entry.declared, moments, as_of)


def _values(row: Any) -> NDArray[np.float64]:
    """One decision in the order of ``SHADOW_NAMES``."""
    sent, would = row.sent is not None, row.offer_id is not None
    expected = (json.loads(row.answer)["estimates"] or {}).get("expected_gain") if sent else 0.0
    return np.array(
        [
            1.0,
            row.sent == row.offer_id,
            sent,
            would,
            expected or 0.0,
            (row.expected_gain or 0.0) if would else 0.0,
        ],
        dtype=np.float64,
    )
